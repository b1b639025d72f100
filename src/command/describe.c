#include "command/describe.h"

struct flag_name {
    uint32_t flag;
    const char *name;
};

/* In Redis' order. */
static const struct flag_name command_flags[] = {
    {COMMAND_WRITE, "write"},
    {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},
    {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},
    {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},
    {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},
    {COMMAND_SKIP_MONITOR, "skip_monitor"},
    {COMMAND_SKIP_SLOWLOG, "skip_slowlog"},
    {COMMAND_ASKING, "asking"},
    {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_MAY_REPLICATE, "may_replicate"},
    {COMMAND_NO_ASYNC_LOADING, "no_async_loading"},
    {COMMAND_NO_MULTI, "no_multi"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"},
    {COMMAND_ALLOW_BUSY, "allow_busy"},
    {0, NULL},
};

static const struct flag_name category_names[] = {
    {CATEGORY_KEYSPACE, "@keyspace"},
    {CATEGORY_READ, "@read"},
    {CATEGORY_WRITE, "@write"},
    {CATEGORY_SET, "@set"},
    {CATEGORY_SORTEDSET, "@sortedset"},
    {CATEGORY_LIST, "@list"},
    {CATEGORY_HASH, "@hash"},
    {CATEGORY_STRING, "@string"},
    {CATEGORY_BITMAP, "@bitmap"},
    {CATEGORY_HYPERLOGLOG, "@hyperloglog"},
    {CATEGORY_GEO, "@geo"},
    {CATEGORY_STREAM, "@stream"},
    {CATEGORY_PUBSUB, "@pubsub"},
    {CATEGORY_ADMIN, "@admin"},
    {CATEGORY_FAST, "@fast"},
    {CATEGORY_SLOW, "@slow"},
    {CATEGORY_BLOCKING, "@blocking"},
    {CATEGORY_DANGEROUS, "@dangerous"},
    {CATEGORY_CONNECTION, "@connection"},
    {CATEGORY_TRANSACTION, "@transaction"},
    {0, NULL},
};

static const struct flag_name key_flags[] = {
    {KEY_RO, "RO"},
    {KEY_RW, "RW"},
    {KEY_OW, "OW"},
    {KEY_RM, "RM"},
    {KEY_ACCESS, "access"},
    {KEY_UPDATE, "update"},
    {KEY_INSERT, "insert"},
    {KEY_DELETE, "delete"},
    {KEY_VARIABLE_FLAGS, "variable_flags"},
    {0, NULL},
};

/* Writes the names of the flags that are set as a set. */
static void write_flags(const struct flag_name *names, uint32_t flags, struct resp_writer *reply)
{
    size_t count = 0;
    for (const struct flag_name *at = names; at->name; at++)
        count += (flags & at->flag) != 0;
    resp_set(reply, count);
    for (const struct flag_name *at = names; at->name; at++)
        if (flags & at->flag)
            resp_status(reply, at->name);
}

/* Returns the text up to `end` and moves past `end`. */
static struct span cut(const char **text, char end)
{
    const char *begin = *text;
    const char *stop = strchr(begin, end);
    size_t len = stop ? (size_t)(stop - begin) : strlen(begin);
    *text = stop ? stop + 1 : begin + len;
    return span_of(begin, len);
}

static size_t pieces(const char *text, char separator)
{
    size_t count = text && *text ? 1 : 0;
    for (; text && *text; text++)
        count += *text == separator;
    return count;
}

static void write_tips(const char *tips, struct resp_writer *reply)
{
    size_t count = pieces(tips, ' ');
    resp_set(reply, count);
    for (size_t i = 0; i < count; i++)
        resp_bulk(reply, cut(&tips, ' '));
}

static void write_history(const char *history, struct resp_writer *reply)
{
    size_t count = pieces(history, '\n');
    resp_set(reply, count);
    for (size_t i = 0; i < count; i++) {
        resp_array(reply, 2);
        resp_bulk(reply, cut(&history, ' '));
        resp_bulk(reply, cut(&history, '\n'));
    }
}

static void write_begin_search(const struct key_spec *spec, struct resp_writer *reply)
{
    resp_bulk_text(reply, "begin_search");
    resp_map(reply, 2);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, spec->keyword ? "keyword" : "index");
    resp_bulk_text(reply, "spec");
    if (spec->keyword) {
        resp_map(reply, 2);
        resp_bulk_text(reply, "keyword");
        resp_bulk_text(reply, spec->keyword);
        resp_bulk_text(reply, "startfrom");
    } else {
        resp_map(reply, 1);
        resp_bulk_text(reply, "index");
    }
    resp_integer(reply, spec->first);
}

static void write_find_keys(const struct key_spec *spec, struct resp_writer *reply)
{
    resp_bulk_text(reply, "find_keys");
    resp_map(reply, 2);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, spec->counted ? "keynum" : "range");
    resp_bulk_text(reply, "spec");
    resp_map(reply, 3);
    resp_bulk_text(reply, spec->counted ? "keynumidx" : "lastkey");
    resp_integer(reply, spec->counted ? 0 : spec->last);
    if (spec->counted) {
        resp_bulk_text(reply, "firstkey");
        resp_integer(reply, 1);
    }
    resp_bulk_text(reply, "keystep");
    resp_integer(reply, spec->step);
    if (!spec->counted) {
        resp_bulk_text(reply, "limit");
        resp_integer(reply, spec->share);
    }
}

static void write_unknown(const char *field, struct resp_writer *reply)
{
    resp_bulk_text(reply, field);
    resp_map(reply, 2);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, "unknown");
    resp_bulk_text(reply, "spec");
    resp_map(reply, 0);
}

static void write_key_spec(const struct key_spec *spec, struct resp_writer *reply)
{
    resp_map(reply, spec->notes ? 4 : 3);
    if (spec->notes) {
        resp_bulk_text(reply, "notes");
        resp_bulk_text(reply, spec->notes);
    }
    resp_bulk_text(reply, "flags");
    write_flags(key_flags, spec->flags, reply);
    if (spec->unknown) {
        write_unknown("begin_search", reply);
        write_unknown("find_keys", reply);
    } else {
        write_begin_search(spec, reply);
        write_find_keys(spec, reply);
    }
}

size_t describe_spec_count(const struct command *command)
{
    size_t count = 0;
    while (count < ROW_KEY_SPECS && command->docs->keys[count].first)
        count++;
    return count;
}

void describe_info(const struct command *command, struct resp_writer *reply)
{
    resp_array(reply, 10);
    resp_bulk_text(reply, command->fullname);
    resp_integer(reply, command->arity);
    write_flags(command_flags, command->flags, reply);
    resp_integer(reply, command->keys.first);
    resp_integer(reply, command->keys.last);
    resp_integer(reply, command->keys.step);
    write_flags(category_names, command_categories(command), reply);
    write_tips(command->docs->tips, reply);
    size_t specs = describe_spec_count(command);
    resp_set(reply, specs);
    for (size_t i = 0; i < specs; i++)
        write_key_spec(&command->docs->keys[i], reply);
    if (command->subcommands)
        resp_array(reply, command->subcommands);
    else
        resp_set(reply, 0);
    for (size_t i = 1; i <= command->subcommands; i++)
        describe_info(command + i, reply);
}

static void write_text_field(const char *field, const char *value, struct resp_writer *reply)
{
    if (!value)
        return;
    resp_bulk_text(reply, field);
    resp_bulk_text(reply, value);
}

void describe_docs(const struct command *command, struct resp_writer *reply)
{
    const struct command_docs *docs = command->docs;
    size_t fields = 4u + (docs->internal || docs->deprecated_since) +
                    (docs->deprecated_since ? 2u : 0u) + (docs->history != NULL) +
                    (docs->syntax != NULL) + (command->subcommands != 0);
    resp_map(reply, fields);
    write_text_field("summary", docs->summary, reply);
    write_text_field("since", docs->since, reply);
    write_text_field("group", docs->group, reply);
    write_text_field("complexity", docs->complexity, reply);
    if (docs->internal || docs->deprecated_since) {
        resp_bulk_text(reply, "doc_flags");
        resp_set(reply, (docs->deprecated_since != NULL) + (size_t)docs->internal);
        if (docs->deprecated_since)
            resp_status(reply, "deprecated");
        if (docs->internal)
            resp_status(reply, "syscmd");
    }
    write_text_field("deprecated_since", docs->deprecated_since, reply);
    write_text_field("replaced_by", docs->replaced_by, reply);
    if (docs->history) {
        resp_bulk_text(reply, "history");
        write_history(docs->history, reply);
    }
    if (docs->syntax) {
        resp_bulk_text(reply, "arguments");
        command_write_syntax(docs->syntax, reply);
    }
    if (!command->subcommands)
        return;
    resp_bulk_text(reply, "subcommands");
    resp_map(reply, command->subcommands);
    for (size_t i = 1; i <= command->subcommands; i++) {
        resp_bulk_text(reply, command[i].fullname);
        describe_docs(command + i, reply);
    }
}

void describe_key_flags(unsigned flags, struct resp_writer *reply)
{
    write_flags(key_flags, flags, reply);
}

unsigned describe_category(struct span name)
{
    for (const struct flag_name *at = category_names; at->name; at++)
        if (span_is(name, at->name + 1))
            return at->flag;
    return 0;
}
