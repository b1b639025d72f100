/* Sorted sets: taking elements off the ends, members at random, ZSCAN. */
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "command/gather.h"
#include "command/pop.h"
#include "command/sample.h"
#include "command/zset.h"

enum element_form {
    ELEMENTS_FLAT,   /* member, score, member, score … */
    ELEMENTS_NESTED, /* an array for each */
};

/* Writes the elements in the order in which they leave, without the head of an array around
 * them. */
static void pop(struct command_context *context, struct keyspace_edit *edit, bool from_end,
                size_t count, enum element_form form)
{
    struct zset *zset = edit->value;
    size_t has = zset_count(zset);
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    bool more = count && zset_at(zset, from_end ? has - 1 : 0, &place);
    for (size_t i = 0; more && i < count; i++) {
        if (form == ELEMENTS_NESTED)
            resp_array(context->reply, 2);
        resp_bulk(context->reply, zset_place_member(&place, scratch));
        resp_double(context->reply, zset_place_score(&place));
        more = from_end ? zset_previous(&place) : zset_next(&place);
    }
    zset_remove_ranks(zset, from_end ? has - count : 0, count);
    command_edit_end(context, edit, count);
}

static size_t at_most(const struct zset *zset, size_t count)
{
    return count < zset_count(zset) ? count : zset_count(zset);
}

static void run_pop(struct command_context *context, const struct span *args, size_t argc,
                    bool from_end)
{
    size_t count = 1;
    struct keyspace_edit edit;
    if (argc > 3) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if ((argc == 3 && !command_parse_count(context, args[2], 0, NULL, &count)) ||
        !command_edit(context, args[1], VALUE_ZSET, &edit))
        return;
    if (!edit.value) {
        resp_array(context->reply, 0);
        return;
    }
    bool nested = argc == 3 && context->reply->protocol != 2;
    count = at_most(edit.value, count);
    resp_array(context->reply, nested ? count : count * 2);
    pop(context, &edit, from_end, count, nested ? ELEMENTS_NESTED : ELEMENTS_FLAT);
}

size_t command_zpop_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    const struct zset *zset = argc == 3 ? command_peek_zset(keyspace, args[1]) : NULL;
    int64_t count;
    if (!zset || !number_parse_i64(args[2], &count) || count < 0)
        return 0;
    return at_most(zset, (size_t)count) * ZSET_WORK_PER_REMOVED;
}

void command_zpopmin_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_pop(context, args, argc, false);
}

void command_zpopmax_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_pop(context, args, argc, true);
}

bool command_pop_sorted_element(struct command_context *context, struct span key, bool from_end)
{
    struct keyspace_edit edit;
    if (!command_edit(context, key, VALUE_ZSET, &edit))
        return true;
    if (!edit.value)
        return false;
    resp_array(context->reply, 3);
    resp_bulk(context->reply, key);
    pop(context, &edit, from_end, 1, ELEMENTS_FLAT);
    return true;
}

bool command_pop_sorted(struct command_context *context, const struct pop_request *request)
{
    for (size_t i = 0; i < request->key_count; i++) {
        struct keyspace_edit edit;
        if (!command_edit(context, request->keys[i], VALUE_ZSET, &edit))
            return true;
        if (!edit.value)
            continue;
        size_t count = at_most(edit.value, request->count);
        resp_array(context->reply, 2);
        resp_bulk(context->reply, request->keys[i]);
        resp_array(context->reply, count);
        pop(context, &edit, request->from_end, count, ELEMENTS_NESTED);
        return true;
    }
    return false;
}

void command_zmpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct pop_request request;
    if (command_parse_pop(context, args + 1, argc - 1, command_sorted_ends, &request) &&
        !command_pop_sorted(context, &request))
        resp_null_array(context->reply);
}

/* args: from the number of keys on. Errors are written for nobody here, and again by the command.
 */
static size_t work_of_pop(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    struct resp_writer nobody = {.protocol = 2};
    struct command_context context = {.reply = &nobody};
    struct pop_request request;
    if (!command_parse_pop(&context, args, argc, command_sorted_ends, &request))
        return 0;
    for (size_t i = 0; i < request.key_count; i++) {
        const struct zset *zset = command_peek_zset(keyspace, request.keys[i]);
        if (zset)
            return at_most(zset, request.count) * ZSET_WORK_PER_REMOVED;
    }
    return 0;
}

size_t command_zmpop_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return argc < 4 ? 0 : work_of_pop(keyspace, args + 1, argc - 1);
}

size_t command_bzmpop_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return argc < 5 ? 0 : work_of_pop(keyspace, args + 2, argc - 2);
}

/* Members at random. */

static size_t bytes_at(const void *value, size_t position)
{
    enum { OVERHEAD = 48 };
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    zset_at(value, position, &place);
    return zset_place_member(&place, scratch).len + OVERHEAD;
}

static void write_sample(struct command_context *context, const struct zset *zset, int64_t count,
                         bool with_scores)
{
    size_t has = zset_count(zset);
    if (!sample_is_bearable(context, has, count, bytes_at, zset))
        return;
    struct sample sample;
    sample_begin(&sample, context->prng, has, count);
    command_write_elements_head(context->reply, sample.left, with_scores);
    context->work += sample.left * SAMPLE_WORK_PER_DRAW;
    for (size_t position; sample_next(&sample, &position);) {
        struct zset_place place;
        zset_at(zset, position, &place);
        command_write_element(context->reply, &place, with_scores);
    }
    sample_end(&sample);
}

void command_zrandmember_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t count = 1;
    const void *zset;
    if (!sample_parse(context, args, argc, "withscores", &count) ||
        !command_read(context, args[1], VALUE_ZSET, &zset))
        return;
    if (argc > 2) {
        if (zset)
            write_sample(context, zset, count, argc == 4);
        else
            resp_array(context->reply, 0);
        return;
    }
    struct zset_place place;
    if (zset && zset_at(zset, prng_below(context->prng, zset_count(zset)), &place))
        command_write_element(context->reply, &place, false);
    else
        resp_null(context->reply);
}

/* ZSCAN writes large whole numbers without an exponent. */
static size_t format_scanned(char text[40], double score)
{
    enum { WHOLE_BITS = 62 };
    const double limit = (double)(INT64_C(1) << WHOLE_BITS);
    if (score > -limit && score < limit && score == (double)(int64_t)score)
        return number_format_i64(text, (int64_t)score);
    return number_format_score(text, score);
}

static void visit(void *gathering, struct span member, double score)
{
    char text[40];
    if (!gather_wants(gathering, member))
        return;
    gather_add(gathering, member);
    gather_add(gathering, span_of(text, format_scanned(text, score)));
}

static uint64_t scan(const void *zset, uint64_t cursor, struct gathering *gathering)
{
    return zset_scan(zset, cursor, (size_t)gathering->scan_count, visit, gathering);
}

void command_zscan_run(struct command_context *context, const struct span *args, size_t argc)
{
    gather_run_scan(context, args, argc, VALUE_ZSET, 0, scan);
}
