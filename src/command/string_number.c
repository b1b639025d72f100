/* Strings as numbers. */
#include <math.h>

#include "base/number.h"
#include "command/access.h"
#include "command/data.h"

static void add(struct command_context *context, struct span key, int64_t delta)
{
    struct item *item;
    int64_t value = 0;
    if (!command_find_string(context, key, &item))
        return;
    if (item && !item_integer(item, &value) &&
        !command_parse_integer(context, item_string(item, NULL), &value))
        return;
    if (delta > 0 ? value > INT64_MAX - delta : value < INT64_MIN - delta) {
        resp_error(context->reply, "ERR increment or decrement would overflow");
        return;
    }
    value += delta;
    if (item) {
        keyspace_set_integer(context->keyspace, item, value, context->revision);
    } else {
        char text[NUMBER_I64_CHARS];
        struct span number = span_of(text, number_format_i64(text, value));
        item = keyspace_set_string(context->keyspace, key, number, false, context->revision);
        item_touch(item, context->now_ms);
    }
    context->dirty++;
    resp_integer(context->reply, value);
}

void command_incr_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    add(context, args[1], 1);
}

void command_decr_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    add(context, args[1], -1);
}

void command_incrby_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    int64_t delta;
    if (command_parse_integer(context, args[2], &delta))
        add(context, args[1], delta);
}

void command_decrby_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    int64_t delta;
    if (!command_parse_integer(context, args[2], &delta))
        return;
    if (delta == INT64_MIN) {
        resp_error(context->reply, "ERR decrement would overflow");
        return;
    }
    add(context, args[1], -delta);
}

/* The sum is stored as text even if it is a whole number, as in Redis until the key is set
 * again. */
void command_incrbyfloat_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct item *item;
    char scratch[NUMBER_I64_CHARS];
    long double value = 0;
    long double delta;
    if (!command_find_string(context, args[1], &item))
        return;
    if ((item && !number_parse_real(item_string(item, scratch), &value)) ||
        !number_parse_real(args[2], &delta)) {
        resp_error(context->reply, ERROR_NOT_FLOAT);
        return;
    }
    value += delta;
    if (isnan(value) || isinf(value)) {
        resp_error(context->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_REAL_CHARS];
    struct span sum = span_of(text, number_format_real(text, value));
    if (!item) {
        item = keyspace_set_string(context->keyspace, args[1], sum, false, context->revision);
        item_touch(item, context->now_ms);
    }
    keyspace_set_text(context->keyspace, item, sum, context->revision);
    context->dirty++;
    resp_bulk(context->reply, sum);
}
