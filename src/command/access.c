#include "command/access.h"

#include "base/number.h"
#include "keyspace/value.h"

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

static bool is_type(struct command_context *context, const struct item *item, enum value_type type)
{
    if (!item || item_type(item) == type)
        return true;
    resp_error(context->reply, ERROR_WRONG_TYPE);
    return false;
}

bool command_read_string(struct command_context *context, struct span key, const struct item **item)
{
    *item = command_read_item(context, key);
    return is_type(context, *item, VALUE_STRING);
}

bool command_find_string(struct command_context *context, struct span key, struct item **item)
{
    *item = command_write_item(context, key);
    return is_type(context, *item, VALUE_STRING);
}

bool command_read(struct command_context *context, struct span key, enum value_type type,
                  const void **value)
{
    const struct item *item = command_read_item(context, key);
    *value = NULL;
    if (!is_type(context, item, type))
        return false;
    if (item)
        *value = item_elements(item);
    return true;
}

bool command_edit(struct command_context *context, struct span key, enum value_type type,
                  struct keyspace_edit *edit)
{
    struct item *item = command_write_item(context, key);
    edit->value = NULL;
    if (!is_type(context, item, type))
        return false;
    if (item)
        keyspace_edit_begin(edit, context->keyspace, item);
    return true;
}

bool command_edit_or_new(struct command_context *context, struct span key, enum value_type type,
                         struct keyspace_edit *edit)
{
    if (!command_edit(context, key, type, edit))
        return false;
    if (!edit->value)
        keyspace_edit_begin_new(edit, context->keyspace, key, type);
    return true;
}

void command_edit_end(struct command_context *context, struct keyspace_edit *edit, uint64_t changes)
{
    keyspace_edit_end(edit, changes > 0, context->revision);
    if (changes && edit->item)
        item_touch(edit->item, context->now_ms);
    context->dirty += changes;
}

bool command_store_value(struct command_context *context, struct span key, enum value_type type,
                         void *value)
{
    if (value_ops_of(type)->count(value) == 0) {
        value_free(type, value);
        return keyspace_remove(context->keyspace, key, context->revision);
    }
    struct item *item = keyspace_set_value(context->keyspace, key, type, value, context->revision);
    item_touch(item, context->now_ms);
    return true;
}

const void *command_peek_value(const struct keyspace *keyspace, struct span key,
                               enum value_type type, int64_t now_ms)
{
    const struct item *item = keyspace_find(keyspace, key, now_ms);
    return item && item_type(item) == type ? item_elements(item) : NULL;
}

const struct value_rules *command_rules(const struct command_context *context)
{
    return keyspace_rules(context->keyspace);
}

bool command_refuse(struct command_context *context, const char *error)
{
    resp_error(context->reply, error);
    return false;
}

bool command_parse_int(struct command_context *context, struct span text, const char *error,
                       int64_t *value)
{
    if (error && !number_parse_i64(text, value)) {
        resp_error(context->reply, error);
        return false;
    }
    if (!error && !command_parse_integer(context, text, value))
        return false;
    if (*value >= INT32_MIN && *value <= INT32_MAX)
        return true;
    if (error)
        resp_error(context->reply, error);
    else
        resp_errorf(context->reply, "ERR value is out of range, value must between %d and %d",
                    INT32_MIN, INT32_MAX);
    return false;
}

bool command_parse_integer(struct command_context *context, struct span text, int64_t *value)
{
    if (number_parse_i64(text, value))
        return true;
    resp_error(context->reply, ERROR_NOT_INTEGER);
    return false;
}

bool command_parse_negatable(struct command_context *context, struct span text, int64_t *value)
{
    if (!command_parse_integer(context, text, value))
        return false;
    if (*value != INT64_MIN)
        return true;
    resp_errorf(context->reply, "ERR value is out of range, value must between %lld and %lld",
                (long long)-INT64_MAX, (long long)INT64_MAX);
    return false;
}

bool command_parse_count(struct command_context *context, struct span text, int64_t least,
                         const char *error, size_t *count)
{
    int64_t value;
    if (!number_parse_i64(text, &value) || value < least)
        return command_refuse(context,
                              error ? error : "ERR value is out of range, must be positive");
    *count = (size_t)value;
    return true;
}

bool command_string_is(const struct item *item, struct span expected)
{
    char scratch[NUMBER_I64_CHARS];
    return item && span_equal(item_string(item, scratch), expected);
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
