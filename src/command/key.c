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

/* What is removed leaves the sum of digests, for which its bytes are read once more. */
size_t command_remove_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    enum { LONG_BYTES = 1024 * 1024 };
    size_t bytes = 0;
    if (keyspace_longest(keyspace) < LONG_BYTES)
        return 0;
    for (size_t i = 1; i < argc; i++) {
        const struct item *item = keyspace_find(keyspace, args[i], NO_DEADLINE);
        if (item && item_type(item) == VALUE_STRING)
            bytes += item_string_len(item);
    }
    return bytes;
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
