/* XGROUP and XACK. */
#include "command/data.h"
#include "command/stream_access.h"

/* Options of CREATE and SETID. */
struct group_options {
    int64_t entries_read;
    bool may_make_key;
    bool too_many; /* which Redis says only after it has looked at the key */
};

static bool parse_options(struct command_context *context, const struct span *args, size_t argc,
                          struct group_options *options)
{
    bool creates = span_is(args[1], "create");
    *options = (struct group_options){.entries_read = STREAM_READ_UNKNOWN,
                                      .too_many = argc > (creates ? 8 : 7)};
    for (size_t i = 5; i < argc; i++) {
        if (creates && span_is(args[i], "mkstream")) {
            options->may_make_key = true;
        } else if (i + 1 < argc && span_is(args[i], "entriesread")) {
            if (!command_parse_integer(context, args[++i], &options->entries_read))
                return false;
            if (options->entries_read < 0 && options->entries_read != STREAM_READ_UNKNOWN)
                return command_refuse(context, "ERR value for ENTRIESREAD must be positive or -1");
        } else {
            command_stream_write_subcommand_error(context, args);
            return false;
        }
    }
    return true;
}

static bool not_too_many(struct command_context *context, const struct group_options *options,
                         const struct span *args)
{
    if (options->too_many)
        command_stream_write_subcommand_error(context, args);
    return !options->too_many;
}

/* Begins an edit of an existing stream. False: the error was written. */
static bool edit_stream(struct command_context *context, struct span key,
                        struct keyspace_edit *edit)
{
    if (!command_edit(context, key, VALUE_STREAM, edit))
        return false;
    return edit->value ||
           command_refuse(context,
                          "ERR The XGROUP subcommand requires the key to exist. Note that for "
                          "CREATE you may want to use the MKSTREAM option to create an empty "
                          "stream automatically.");
}

/* The same for an existing group; NULL: the error was written, and there is nothing to end. */
static struct stream_group *edit_group(struct command_context *context, const struct span *args,
                                       struct keyspace_edit *edit)
{
    if (!edit_stream(context, args[2], edit))
        return NULL;
    struct stream_group *group = stream_find_group(edit->value, args[3]);
    if (group)
        return group;
    resp_errorf(context->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                (int)args[3].len, args[3].ptr, (int)args[2].len, args[2].ptr);
    command_edit_end(context, edit, 0);
    return NULL;
}

/* SETID, unlike CREATE, takes "-" and "+" too. */
static bool parse_position(struct command_context *context, const struct stream *stream,
                           const struct span *args, struct stream_id *id)
{
    struct span text = args[4];
    if (span_is(args[1], "setid") && stream_id_parse_bound(text, 0, id))
        return true;
    if (!span_equal(text, SPAN("$")))
        return command_stream_parse_id(context, text, id);
    *id = stream->last_id;
    return true;
}

void command_xgroup_create_run(struct command_context *context, const struct span *args,
                               size_t argc)
{
    struct group_options options;
    struct keyspace_edit edit;
    struct stream_id id;
    if (!parse_options(context, args, argc, &options))
        return;
    bool is_stream = options.may_make_key
                         ? command_edit_or_new(context, args[2], VALUE_STREAM, &edit)
                         : edit_stream(context, args[2], &edit);
    if (!is_stream)
        return;
    bool can =
        not_too_many(context, &options, args) && parse_position(context, edit.value, args, &id);
    if (can && stream_find_group(edit.value, args[3]))
        can = command_refuse(context, "BUSYGROUP Consumer Group name already exists");
    if (can) {
        stream_add_group(edit.value, args[3], id, options.entries_read);
        resp_status(context->reply, "OK");
    }
    command_edit_end(context, &edit, can);
}

void command_xgroup_setid_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct group_options options;
    struct keyspace_edit edit;
    struct stream_id id;
    if (!parse_options(context, args, argc, &options))
        return;
    struct stream_group *group = edit_group(context, args, &edit);
    if (!group)
        return;
    bool can =
        not_too_many(context, &options, args) && parse_position(context, edit.value, args, &id);
    if (can) {
        stream_group_set_position(group, id, options.entries_read);
        resp_status(context->reply, "OK");
    }
    command_edit_end(context, &edit, can);
}

void command_xgroup_destroy_run(struct command_context *context, const struct span *args,
                                size_t argc)
{
    struct keyspace_edit edit;
    (void)argc;
    if (!edit_stream(context, args[2], &edit))
        return;
    struct stream_group *group = stream_find_group(edit.value, args[3]);
    if (group)
        stream_remove_group(edit.value, group);
    command_edit_end(context, &edit, group != NULL);
    resp_integer(context->reply, group != NULL);
}

void command_xgroup_createconsumer_run(struct command_context *context, const struct span *args,
                                       size_t argc)
{
    struct keyspace_edit edit;
    (void)argc;
    struct stream_group *group = edit_group(context, args, &edit);
    if (!group)
        return;
    bool is_new = !stream_group_find_consumer(group, args[4]);
    if (is_new)
        stream_group_add_consumer(group, args[4], context->now_ms);
    command_edit_end(context, &edit, is_new);
    resp_integer(context->reply, is_new);
}

void command_xgroup_delconsumer_run(struct command_context *context, const struct span *args,
                                    size_t argc)
{
    struct keyspace_edit edit;
    (void)argc;
    struct stream_group *group = edit_group(context, args, &edit);
    if (!group)
        return;
    struct stream_consumer *consumer = stream_group_find_consumer(group, args[4]);
    size_t pending = consumer ? stream_group_remove_consumer(group, consumer) : 0;
    command_edit_end(context, &edit, consumer != NULL);
    resp_integer(context->reply, (int64_t)pending);
}

static void write_lines(struct command_context *context, const char *const *lines, size_t count)
{
    resp_array(context->reply, count);
    for (size_t i = 0; i < count; i++)
        resp_status(context->reply, lines[i]);
}

void command_xgroup_help_run(struct command_context *context, const struct span *args, size_t argc)
{
    static const char *const lines[] = {
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
        "    Adds a group that begins behind this ID ($: the last one).",
        "    MKSTREAM: makes an empty stream if there is none.",
        "    ENTRIESREAD: how many entries count as read.",
        "CREATECONSUMER <key> <group> <consumer>",
        "    Adds a consumer to the group.",
        "DELCONSUMER <key> <group> <consumer>",
        "    Removes a consumer and its pending entries.",
        "DESTROY <key> <group>",
        "    Removes the group.",
        "SETID <key> <group> <id|$> [ENTRIESREAD <n>]",
        "    Moves the group to this ID.",
        "HELP",
        "    Prints this help.",
    };
    (void)args, (void)argc;
    write_lines(context, lines, sizeof(lines) / sizeof(lines[0]));
}

void command_xinfo_help_run(struct command_context *context, const struct span *args, size_t argc)
{
    static const char *const lines[] = {
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <group>",
        "    The consumers of a group.",
        "GROUPS <key>",
        "    The groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    The stream itself; FULL: with entries, groups and consumers,",
        "    at most so many of each list (10; 0: all).",
        "HELP",
        "    Prints this help.",
    };
    (void)args, (void)argc;
    write_lines(context, lines, sizeof(lines) / sizeof(lines[0]));
}

void command_xack_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    struct stream_id id;
    if (!command_edit(context, args[1], VALUE_STREAM, &edit))
        return;
    struct stream_group *group = edit.value ? stream_find_group(edit.value, args[2]) : NULL;
    uint64_t count = 0;
    bool are_valid = true;
    for (size_t i = 3; i < argc && group && are_valid; i++)
        are_valid = command_stream_parse_id(context, args[i], &id);
    for (size_t i = 3; i < argc && group && are_valid; i++) {
        stream_id_parse(args[i], 0, &id);
        count += stream_group_acknowledge(group, id);
    }
    if (are_valid)
        resp_integer(context->reply, (int64_t)count);
    if (edit.value)
        command_edit_end(context, &edit, count);
}
