#include "command/access.h"

#include "base/number.h"

void command_count_lookup(struct command_context *context, const struct item *item)
{
    if (item)
        context->hits++;
    else
        context->misses++;
}

struct item *command_peek_item(struct command_context *context, struct span key)
{
    struct item *item = keyspace_find(context->keyspace, key, context->now_ms);
    command_count_lookup(context, item);
    return item;
}

struct item *command_read_item(struct command_context *context, struct span key)
{
    struct item *item = command_peek_item(context, key);
    if (item)
        item_touch(item, context->now_ms);
    return item;
}

struct item *command_write_item(struct command_context *context, struct span key)
{
    struct item *item = keyspace_find(context->keyspace, key, NO_DEADLINE);
    if (!item)
        return NULL;
    int64_t deadline_ms = item_deadline(item);
    if (deadline_ms != NO_DEADLINE && deadline_ms <= context->now_ms) {
        keyspace_remove_item(context->keyspace, item, context->revision);
        return NULL;
    }
    item_touch(item, context->now_ms);
    return item;
}

bool command_parse_integer(struct command_context *context, struct span text, int64_t *value)
{
    if (number_parse_i64(text, value))
        return true;
    resp_error(context->reply, ERROR_NOT_INTEGER);
    return false;
}

void command_write_string(struct command_context *context, const struct item *item)
{
    int64_t number;
    if (!item)
        resp_null(context->reply);
    else if (item_integer(item, &number))
        resp_bulk_i64(context->reply, number);
    else
        resp_bulk(context->reply, item_string(item, NULL));
}
