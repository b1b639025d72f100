/* Parts of strings. */
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"

static bool check_len(struct command_context *context, uint64_t len, size_t more)
{
    if (len <= STRING_LEN_MAX && more <= STRING_LEN_MAX - len)
        return true;
    resp_error(context->reply, ERROR_TOO_LONG);
    return false;
}

void command_append_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct item *item;
    struct span more = args[2];
    if (!command_find_string(context, args[1], &item))
        return;
    size_t len = item ? item_string_len(item) : 0;
    if (!item) {
        item = keyspace_set_string(context->keyspace, args[1], more, false, context->revision);
        item_touch(item, context->now_ms);
    } else {
        if (!check_len(context, len, more.len))
            return;
        keyspace_write(context->keyspace, item, len, more, context->revision);
    }
    context->dirty++;
    resp_integer(context->reply, (int64_t)(len + more.len));
}

void command_strlen_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const struct item *item;
    if (command_read_string(context, args[1], &item))
        resp_integer(context->reply, item ? (int64_t)item_string_len(item) : 0);
}

/* Negative positions count from the end; `to` is included. */
static struct span cut(struct span text, int64_t from, int64_t to)
{
    int64_t len = (int64_t)text.len;
    if (from < 0 && to < 0 && from > to)
        return SPAN("");
    if (from < 0)
        from = from + len < 0 ? 0 : from + len;
    if (to < 0)
        to = to + len < 0 ? 0 : to + len;
    if (to >= len)
        to = len - 1;
    if (from > to || len == 0)
        return SPAN("");
    return span_of(text.ptr + from, (size_t)(to - from + 1));
}

void command_getrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    int64_t from;
    int64_t to;
    if (!command_parse_integer(context, args[2], &from) ||
        !command_parse_integer(context, args[3], &to))
        return;
    const struct item *item;
    if (!command_read_string(context, args[1], &item))
        return;
    char scratch[NUMBER_I64_CHARS];
    struct span text = item ? item_string(item, scratch) : SPAN("");
    resp_bulk(context->reply, cut(text, from, to));
}

void command_substr_run(struct command_context *context, const struct span *args, size_t argc)
{
    command_getrange_run(context, args, argc);
}

/* The bytes between the old end and the offset are filled with zeros. */
size_t command_setrange_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)keyspace;
    int64_t offset;
    return argc == 4 && number_parse_i64(args[2], &offset) && offset > 0 ? (size_t)offset : 0;
}

void command_setrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct span patch = args[3];
    int64_t offset;
    if (!command_parse_integer(context, args[2], &offset))
        return;
    if (offset < 0) {
        resp_error(context->reply, "ERR offset is out of range");
        return;
    }
    struct item *item;
    if (!command_find_string(context, args[1], &item))
        return;
    if (patch.len == 0) {
        resp_integer(context->reply, item ? (int64_t)item_string_len(item) : 0);
        return;
    }
    if (!check_len(context, (uint64_t)offset, patch.len))
        return;
    if (!item) {
        item = keyspace_set_string(context->keyspace, args[1], SPAN(""), false, context->revision);
        item_touch(item, context->now_ms);
    }
    keyspace_write(context->keyspace, item, (size_t)offset, patch, context->revision);
    context->dirty++;
    resp_integer(context->reply, (int64_t)item_string_len(item));
}
