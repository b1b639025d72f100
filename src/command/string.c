/* Setting and getting whole strings. */
#include "command/access.h"
#include "command/data.h"
#include "command/options.h"

/* A plain SET takes one look-up, whether the key exists or not. A deadline that has passed removes
 * the key at once. */
void command_store_string(struct command_context *context, struct span key, struct span value,
                          bool keep_deadline, int64_t deadline_ms)
{
    /* A new deadline takes the old one's place in the heap. */
    bool keep = keep_deadline || deadline_ms != NO_DEADLINE;
    struct item *item = keyspace_set_string(context->keyspace, key, value, keep, context->revision);
    context->dirty++;
    if (deadline_ms != NO_DEADLINE && deadline_ms <= context->now_ms) {
        keyspace_remove_item(context->keyspace, item, context->revision);
        return;
    }
    item_touch(item, context->now_ms);
    if (deadline_ms != NO_DEADLINE)
        keyspace_set_deadline(context->keyspace, item, deadline_ms, context->revision);
}

/* Whether the options let SET go on. Replies if they do not, and always with SET_GET. */
static bool options_allow(struct command_context *context, struct span key,
                          const struct set_options *options)
{
    unsigned flags = options->flags;
    struct item *item = command_write_item(context, key);
    if ((flags & (SET_GET | SET_IFEQ)) && !command_find_string(context, key, &item))
        return false;
    if (flags & SET_GET) {
        command_count_lookup(context, item);
        command_write_string(context, item);
    }
    bool refused = ((flags & SET_NX) && item) || ((flags & SET_XX) && !item) ||
                   ((flags & SET_IFEQ) && !command_string_is(item, options->expected));
    if (refused && !(flags & SET_GET))
        resp_null(context->reply);
    return !refused;
}

void command_set_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct set_options options;
    if (!set_options_parse(args, argc, 3, SET_OPTIONS, &options)) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    int64_t deadline_ms;
    enum time_parse time = set_options_deadline(&options, context->now_ms, &deadline_ms);
    if (time != TIME_PARSED) {
        command_write_time_error(context, time, "set");
        return;
    }
    bool looks = options.flags & (SET_CONDITIONS | SET_GET | SET_KEEPTTL);
    if (looks && !options_allow(context, args[1], &options))
        return;
    command_store_string(context, args[1], args[2], options.flags & SET_KEEPTTL, deadline_ms);
    if (!(options.flags & SET_GET))
        resp_status(context->reply, "OK");
}

void command_get_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const struct item *item;
    if (command_read_string(context, args[1], &item))
        command_write_string(context, item);
}

void command_getdel_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct item *item;
    if (!command_find_string(context, args[1], &item))
        return;
    command_count_lookup(context, item);
    command_write_string(context, item);
    if (!item)
        return;
    keyspace_remove_item(context->keyspace, item, context->revision);
    context->dirty++;
}

static void change_deadline(struct command_context *context, struct item *item, unsigned flags,
                            int64_t deadline_ms)
{
    if (deadline_ms == NO_DEADLINE && !(flags & SET_PERSIST))
        return;
    if (deadline_ms == NO_DEADLINE && item_deadline(item) == NO_DEADLINE)
        return;
    if (deadline_ms != NO_DEADLINE && deadline_ms <= context->now_ms)
        keyspace_remove_item(context->keyspace, item, context->revision);
    else
        keyspace_set_deadline(context->keyspace, item, deadline_ms, context->revision);
    context->dirty++;
}

void command_getex_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct set_options options;
    if (!set_options_parse(args, argc, 2, GETEX_OPTIONS, &options)) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    struct item *item;
    if (!command_find_string(context, args[1], &item))
        return;
    command_count_lookup(context, item);
    if (!item) {
        resp_null(context->reply);
        return;
    }
    int64_t deadline_ms;
    enum time_parse time = set_options_deadline(&options, context->now_ms, &deadline_ms);
    if (time != TIME_PARSED) {
        command_write_time_error(context, time, "getex");
        return;
    }
    command_write_string(context, item);
    change_deadline(context, item, options.flags, deadline_ms);
}

void command_getset_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct item *item;
    if (!command_find_string(context, args[1], &item))
        return;
    command_count_lookup(context, item);
    command_write_string(context, item);
    command_store_string(context, args[1], args[2], false, NO_DEADLINE);
}

void command_setnx_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    if (command_write_item(context, args[1])) {
        resp_integer(context->reply, 0);
        return;
    }
    command_store_string(context, args[1], args[2], false, NO_DEADLINE);
    resp_integer(context->reply, 1);
}

static void set_for(struct command_context *context, const struct span *args, int64_t unit_ms,
                    const char *name)
{
    int64_t deadline_ms;
    enum time_parse time = deadline_parse_positive(args[2], unit_ms, context->now_ms, &deadline_ms);
    if (time != TIME_PARSED) {
        command_write_time_error(context, time, name);
        return;
    }
    command_store_string(context, args[1], args[3], false, deadline_ms);
    resp_status(context->reply, "OK");
}

void command_setex_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    set_for(context, args, 1000, "setex");
}

void command_psetex_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    set_for(context, args, 1, "psetex");
}

static void store_pairs(struct command_context *context, const struct span *args, size_t argc)
{
    for (size_t i = 1; i < argc; i += 2)
        command_store_string(context, args[i], args[i + 1], false, NO_DEADLINE);
}

void command_mset_run(struct command_context *context, const struct span *args, size_t argc)
{
    if (argc % 2 == 0) {
        resp_error(context->reply, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    store_pairs(context, args, argc);
    resp_status(context->reply, "OK");
}

void command_msetnx_run(struct command_context *context, const struct span *args, size_t argc)
{
    if (argc % 2 == 0) {
        resp_error(context->reply, "ERR wrong number of arguments for 'msetnx' command");
        return;
    }
    for (size_t i = 1; i < argc; i += 2) {
        if (command_write_item(context, args[i])) {
            resp_integer(context->reply, 0);
            return;
        }
    }
    store_pairs(context, args, argc);
    resp_integer(context->reply, 1);
}

void command_mget_run(struct command_context *context, const struct span *args, size_t argc)
{
    uint64_t bytes = 0;
    for (size_t i = 1; i < argc && bytes <= STRING_LEN_MAX; i++) {
        const struct item *item = keyspace_find(context->keyspace, args[i], context->now_ms);
        bytes += item ? item_string_len(item) : 0;
    }
    if (bytes > STRING_LEN_MAX) {
        resp_error(context->reply,
                   "ERR the values are longer than 512 MB in sum: ask for fewer keys at once");
        return;
    }
    resp_array(context->reply, argc - 1);
    for (size_t i = 1; i < argc; i++) {
        const struct item *item = command_read_item(context, args[i]);
        bool is_string = item && item_type(item) == VALUE_STRING;
        command_write_string(context, is_string ? item : NULL);
    }
}
