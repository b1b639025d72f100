/* Commands on whole keys, independent of the values' type. */
#include "command/access.h"
#include "command/data.h"
#include "keyspace/value.h"

void command_dbsize_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)args, (void)argc;
    size_t due = keyspace_count_expired(context->keyspace, context->now_ms);
    resp_integer(context->reply, (int64_t)(keyspace_count(context->keyspace) - due));
}

void command_flushall_run(struct command_context *context, const struct span *args, size_t argc)
{
    bool valid =
        argc == 1 || (argc == 2 && (span_is(args[1], "sync") || span_is(args[1], "async")));
    if (!valid) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    context->dirty += keyspace_count(context->keyspace);
    keyspace_clear(context->keyspace, context->revision);
    resp_status(context->reply, "OK");
}

void command_flushdb_run(struct command_context *context, const struct span *args, size_t argc)
{
    command_flushall_run(context, args, argc);
}

void command_type_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const struct item *item = command_peek_item(context, args[1]);
    if (!item) {
        resp_status(context->reply, "none");
        return;
    }
    resp_status(context->reply, value_type_name(item_type(item)));
}

void command_exists_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t count = 0;
    for (size_t i = 1; i < argc; i++)
        count += command_peek_item(context, args[i]) != NULL;
    resp_integer(context->reply, count);
}

void command_touch_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t count = 0;
    for (size_t i = 1; i < argc; i++)
        count += command_read_item(context, args[i]) != NULL;
    resp_integer(context->reply, count);
}

void command_del_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t count = 0;
    for (size_t i = 1; i < argc; i++) {
        struct item *item = command_write_item(context, args[i]);
        if (!item)
            continue;
        keyspace_remove_item(context->keyspace, item, context->revision);
        count++;
    }
    context->dirty += (uint64_t)count;
    resp_integer(context->reply, count);
}

void command_unlink_run(struct command_context *context, const struct span *args, size_t argc)
{
    command_del_run(context, args, argc);
}

/* False: the key is absent and the error was written. */
static bool rename_source_is_there(struct command_context *context, struct span from)
{
    if (command_write_item(context, from))
        return true;
    resp_error(context->reply, ERROR_NO_KEY);
    return false;
}

static void move(struct command_context *context, struct span from, struct span to)
{
    keyspace_rename(context->keyspace, from, to, context->revision);
    context->dirty++;
}

void command_rename_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    if (!rename_source_is_there(context, args[1]))
        return;
    if (!span_equal(args[1], args[2]))
        move(context, args[1], args[2]);
    resp_status(context->reply, "OK");
}

void command_renamenx_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    if (!rename_source_is_there(context, args[1]))
        return;
    if (command_write_item(context, args[2])) {
        resp_integer(context->reply, 0);
        return;
    }
    move(context, args[1], args[2]);
    resp_integer(context->reply, 1);
}

enum { DATABASES = 16 };

/* There is only database 0, as in Redis' cluster mode. As in Redis, 1 to 15 give another error than
 * numbers outside of 0 to 15. */
static bool copy_database_is_valid(struct command_context *context, struct span text)
{
    int64_t number;
    if (!command_parse_integer(context, text, &number))
        return false;
    if (number < INT32_MIN || number > INT32_MAX) {
        resp_errorf(context->reply, "ERR value is out of range, value must between %d and %d",
                    INT32_MIN, INT32_MAX);
        return false;
    }
    if (number < 0 || number >= DATABASES)
        resp_error(context->reply, "ERR DB index is out of range");
    else if (number != 0)
        resp_error(context->reply,
                   "ERR Copying to another database is not allowed in cluster mode");
    return number == 0;
}

static bool parse_copy_options(struct command_context *context, const struct span *args,
                               size_t argc, bool *replace)
{
    for (size_t i = 3; i < argc; i++) {
        if (span_is(args[i], "replace")) {
            *replace = true;
        } else if (span_is(args[i], "db") && i + 1 < argc) {
            if (!copy_database_is_valid(context, args[++i]))
                return false;
        } else {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

enum { WORK_SAMPLES = 5 };

size_t command_copy_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    const struct item *item = argc < 2 ? NULL : keyspace_find(keyspace, args[1], NO_DEADLINE);
    if (!item)
        return 0;
    return item_type(item) == VALUE_STRING ? item_string_len(item)
                                           : item_memory(item, WORK_SAMPLES);
}

void command_copy_run(struct command_context *context, const struct span *args, size_t argc)
{
    bool replace = false;
    if (!parse_copy_options(context, args, argc, &replace))
        return;
    if (span_equal(args[1], args[2])) {
        resp_error(context->reply, "ERR source and destination objects are the same");
        return;
    }
    const struct item *from = command_write_item(context, args[1]);
    command_count_lookup(context, from);
    if (!from || (command_write_item(context, args[2]) && !replace)) {
        resp_integer(context->reply, 0);
        return;
    }
    keyspace_copy(context->keyspace, from, args[2], context->revision);
    context->dirty++;
    resp_integer(context->reply, 1);
}

/* TIME has no keys, but its context suffices to answer it. */
void command_time_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct command_clock *wall = context->wall;
    (void)args, (void)argc;
    resp_array(context->reply, 2);
    resp_bulk_i64(context->reply, wall ? wall->ms / 1000 : 0);
    resp_bulk_i64(context->reply, wall ? wall->ms % 1000 * 1000 + wall->us : 0);
    if (!wall || wall->stands || ++wall->us < 1000)
        return;
    wall->us = 0;
    wall->ms++;
}
