/* Hashes: fields as numbers, and fields at random. */
#include <math.h>

#include "base/mem.h"
#include "command/access.h"
#include "command/data.h"
#include "command/sample.h"
#include "keyspace/hash.h"

/* Sets a field to a sum; its deadline stays. */
static void set_sum(struct command_context *context, struct keyspace_edit *edit, struct span field,
                    struct span sum)
{
    hash_remove_if_past(edit->value, field, context->now_ms);
    hash_set_value(edit->value, field, sum, command_rules(context));
    command_edit_end(context, edit, 1);
}

/* Leaves everything as it was. */
static void refuse(struct command_context *context, struct keyspace_edit *edit, const char *error)
{
    command_edit_end(context, edit, 0);
    resp_error(context->reply, error);
}

void command_hincrby_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    int64_t delta;
    int64_t value = 0;
    struct keyspace_edit edit;
    struct hash_entry entry;
    if (!command_parse_integer(context, args[3], &delta) ||
        !command_edit_or_new(context, args[1], VALUE_HASH, &edit))
        return;
    if (hash_find(edit.value, args[2], context->now_ms, &entry) &&
        !number_parse_i64(entry.value, &value)) {
        refuse(context, &edit, "ERR hash value is not an integer");
        return;
    }
    if (delta > 0 ? value > INT64_MAX - delta : value < INT64_MIN - delta) {
        refuse(context, &edit, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_I64_CHARS];
    set_sum(context, &edit, args[2], span_of(text, number_format_i64(text, value + delta)));
    resp_integer(context->reply, value + delta);
}

void command_hincrbyfloat_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    long double delta;
    long double value = 0;
    struct keyspace_edit edit;
    struct hash_entry entry;
    if (!number_parse_real(args[3], &delta)) {
        resp_error(context->reply, ERROR_NOT_FLOAT);
        return;
    }
    if (isinf(delta)) {
        resp_error(context->reply, "ERR value is NaN or Infinity");
        return;
    }
    if (!command_edit_or_new(context, args[1], VALUE_HASH, &edit))
        return;
    if (hash_find(edit.value, args[2], context->now_ms, &entry) &&
        !number_parse_real(entry.value, &value)) {
        refuse(context, &edit, "ERR hash value is not a float");
        return;
    }
    value += delta;
    if (isnan(value) || isinf(value)) {
        refuse(context, &edit, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_REAL_CHARS];
    struct span sum = span_of(text, number_format_real(text, value));
    set_sum(context, &edit, args[2], sum);
    resp_bulk(context->reply, sum);
}

/* HRANDFIELD. */

/* The fields that are not past their deadline. */
struct living {
    struct hash_index index;
    size_t count;
    uint32_t *positions; /* NULL: all are */
};

static struct living living_of(const struct hash *hash, int64_t now_ms)
{
    struct living living = {0};
    if (!hash)
        return living;
    living.index = hash_index(hash);
    living.count = hash_count_at(hash, now_ms);
    if (living.count == hash_count(hash))
        return living;
    living.positions = mem_alloc(living.count * sizeof(*living.positions));
    struct hash_walk walk = hash_walk(hash);
    size_t count = 0;
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);)
        if (!hash_is_past(&entry, now_ms))
            living.positions[count++] = (uint32_t)walk.position - 1;
    return living;
}

static void living_at(const struct living *living, size_t position, struct hash_entry *entry)
{
    hash_index_at(&living->index, living->positions ? living->positions[position] : position,
                  entry);
}

static void living_close(struct living *living)
{
    hash_index_close(&living->index);
    mem_free(living->positions);
}

static size_t bytes_at(const void *value, size_t position)
{
    struct hash_entry entry;
    living_at(value, position, &entry);
    return entry.field.len + entry.value.len + RESP_HEAD_BYTES;
}

static void write_sample(struct command_context *context, const struct living *living,
                         int64_t count, bool with_values)
{
    if (!sample_is_bearable(context, living->count, count, bytes_at, living))
        return;
    struct resp_writer *reply = context->reply;
    bool pairs = with_values && reply->protocol > 2;
    struct sample sample;
    sample_begin(&sample, context->prng, living->count, count);
    context->work += sample.left * SAMPLE_WORK_PER_DRAW;
    resp_array(reply, with_values && !pairs ? sample.left * 2 : sample.left);
    struct hash_entry entry;
    for (size_t position; sample_next(&sample, &position);) {
        living_at(living, position, &entry);
        if (pairs)
            resp_array(reply, 2);
        resp_bulk(reply, entry.field);
        if (with_values)
            resp_bulk(reply, entry.value);
    }
    sample_end(&sample);
}

void command_hrandfield_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t count = 0;
    const void *hash;
    if (!sample_parse(context, args, argc, "withvalues", &count) ||
        !command_read(context, args[1], VALUE_HASH, &hash))
        return;
    struct living living = living_of(hash, context->now_ms);
    struct hash_entry entry;
    if (argc > 2) {
        write_sample(context, &living, count, argc == 4);
    } else if (living.count) {
        living_at(&living, prng_below(context->prng, living.count), &entry);
        resp_bulk(context->reply, entry.field);
    } else {
        resp_null(context->reply);
    }
    living_close(&living);
}
