/* Sorted sets: ZRANGE, the commands that it replaces, and ZRANGESTORE. */
#include "command/access.h"
#include "command/data.h"
#include "command/zset.h"

enum range_by { BY_ANY, BY_RANK, BY_SCORE, BY_MEMBER };
enum range_order { ORDER_ANY, ORDER_FORWARD, ORDER_REVERSE };

/* What is asked for. The command's name sets some of it, options the rest. */
struct request {
    enum range_by by;
    enum range_order order;
    bool stores;
    bool with_scores;
    int64_t offset, limit; /* negative limit: all */
    struct span key, min, max;
    int64_t from, to; /* BY_RANK */
    struct score_range scores;
};

static bool parse_limit(struct command_context *context, const struct span *args,
                        struct request *request)
{
    return command_parse_integer(context, args[1], &request->offset) &&
           command_parse_integer(context, args[2], &request->limit);
}

/* False: the error was written. */
static bool parse_options(struct command_context *context, const struct span *args, size_t argc,
                          struct request *request)
{
    request->limit = -1;
    for (size_t i = 0; i < argc; i++) {
        if (!request->stores && span_is(args[i], "withscores")) {
            request->with_scores = true;
        } else if (span_is(args[i], "limit") && argc - i > 2) {
            if (!parse_limit(context, args + i, request))
                return false;
            i += 2;
        } else if (request->order == ORDER_ANY && span_is(args[i], "rev")) {
            request->order = ORDER_REVERSE;
        } else if (request->by == BY_ANY && span_is(args[i], "bylex")) {
            request->by = BY_MEMBER;
        } else if (request->by == BY_ANY && span_is(args[i], "byscore")) {
            request->by = BY_SCORE;
        } else {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool check_options(struct command_context *context, struct request *request)
{
    if (request->by == BY_ANY)
        request->by = BY_RANK;
    if (request->limit != -1 && request->by == BY_RANK) {
        resp_error(context->reply, "ERR syntax error, LIMIT is only supported in combination with "
                                   "either BYSCORE or BYLEX");
        return false;
    }
    if (request->with_scores && request->by == BY_MEMBER) {
        resp_error(context->reply,
                   "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return true;
}

/* Reads min and max. Of a reverse range the higher end comes first. */
static bool parse_ends(struct command_context *context, struct request *request)
{
    size_t unused;
    if (request->by == BY_RANK)
        return command_parse_integer(context, request->min, &request->from) &&
               command_parse_integer(context, request->max, &request->to);
    if (request->order == ORDER_REVERSE) {
        struct span min = request->max;
        request->max = request->min;
        request->min = min;
    }
    if (request->by == BY_SCORE)
        return command_parse_score_range(context, request->min, request->max, &request->scores);
    if (command_find_member_end(NULL, request->min, false, &unused) &&
        command_find_member_end(NULL, request->max, true, &unused))
        return true;
    resp_error(context->reply, ERROR_NOT_MEMBER_RANGE);
    return false;
}

/* args: the key, min, max and options. */
static bool parse_request(struct command_context *context, const struct span *args, size_t argc,
                          struct request *request)
{
    request->key = args[0];
    request->min = args[1];
    request->max = args[2];
    return parse_options(context, args + 3, argc - 3, request) && check_options(context, request) &&
           parse_ends(context, request);
}

/* Ranks in ascending order, before LIMIT. */
static struct range find_range(const struct zset *zset, const struct request *request)
{
    if (request->by == BY_SCORE)
        return command_find_scores(zset, &request->scores);
    size_t count = zset_count(zset);
    if (request->by == BY_MEMBER) {
        size_t first, end;
        command_find_member_end(zset, request->min, false, &first);
        command_find_member_end(zset, request->max, true, &end);
        return (struct range){first, end > first ? end - first : 0};
    }
    struct range range = range_of(request->from, request->to, count);
    if (request->order == ORDER_REVERSE)
        range.first = count - range.first - range.count;
    return range;
}

/* Where a walk begins, and how many elements it takes. A negative offset leaves nothing. */
static struct range limit_range(const struct zset *zset, const struct request *request)
{
    struct range range = find_range(zset, request);
    /* Redis accepts LIMIT with ranks if the limit is -1, and then ignores it. */
    int64_t offset = request->by == BY_RANK ? 0 : request->offset;
    size_t skipped = offset < 0 || (uint64_t)offset > range.count ? range.count : (size_t)offset;
    size_t left = range.count - skipped;
    if (request->limit >= 0 && (uint64_t)request->limit < left)
        left = (size_t)request->limit;
    if (request->order == ORDER_REVERSE)
        range.first += range.count - skipped - (left ? 1 : 0);
    else
        range.first += skipped;
    range.count = left;
    return range;
}

static bool step(struct zset_place *place, const struct request *request)
{
    return request->order == ORDER_REVERSE ? zset_previous(place) : zset_next(place);
}

void command_write_elements_head(struct resp_writer *reply, size_t count, bool with_scores)
{
    resp_array(reply, with_scores && reply->protocol == 2 ? count * 2 : count);
}

void command_write_element(struct resp_writer *reply, const struct zset_place *place,
                           bool with_score)
{
    char scratch[NUMBER_I64_CHARS];
    if (with_score && reply->protocol != 2)
        resp_array(reply, 2);
    resp_bulk(reply, zset_place_member(place, scratch));
    if (with_score)
        resp_double(reply, zset_place_score(place));
}

static void reply_range(struct command_context *context, const struct request *request)
{
    const void *zset;
    if (!command_read(context, request->key, VALUE_ZSET, &zset))
        return;
    struct range range = {0};
    if (zset)
        range = limit_range(zset, request);
    command_write_elements_head(context->reply, range.count, request->with_scores);
    struct zset_place place;
    bool more = range.count && zset_at(zset, range.first, &place);
    for (; more && range.count; range.count--, more = step(&place, request))
        command_write_element(context->reply, &place, request->with_scores);
}

static void run_range(struct command_context *context, const struct span *args, size_t argc,
                      struct request request)
{
    if (parse_request(context, args + 1, argc - 1, &request))
        reply_range(context, &request);
}

void command_zrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_range(context, args, argc, (struct request){0});
}

void command_zrevrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_range(context, args, argc, (struct request){.by = BY_RANK, .order = ORDER_REVERSE});
}

void command_zrangebyscore_run(struct command_context *context, const struct span *args,
                               size_t argc)
{
    run_range(context, args, argc, (struct request){.by = BY_SCORE, .order = ORDER_FORWARD});
}

void command_zrevrangebyscore_run(struct command_context *context, const struct span *args,
                                  size_t argc)
{
    run_range(context, args, argc, (struct request){.by = BY_SCORE, .order = ORDER_REVERSE});
}

void command_zrangebylex_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_range(context, args, argc, (struct request){.by = BY_MEMBER, .order = ORDER_FORWARD});
}

void command_zrevrangebylex_run(struct command_context *context, const struct span *args,
                                size_t argc)
{
    run_range(context, args, argc, (struct request){.by = BY_MEMBER, .order = ORDER_REVERSE});
}

/* The elements are added in the order of the range. */
static struct zset *gather_range(struct command_context *context, const struct zset *from,
                                 const struct request *request)
{
    struct zset *into = zset_build_begin(command_rules(context));
    struct range range = {0};
    if (from)
        range = limit_range(from, request);
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    bool more = range.count && zset_at(from, range.first, &place);
    for (; more && range.count; range.count--, more = step(&place, request)) {
        bool is_new;
        *zset_build_score(into, zset_place_member(&place, scratch), &is_new) =
            zset_place_score(&place);
    }
    zset_build_end(into, command_rules(context));
    return into;
}

void command_zrangestore_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct request request = {.stores = true};
    const void *from;
    if (!parse_request(context, args + 2, argc - 2, &request) ||
        !command_read(context, request.key, VALUE_ZSET, &from))
        return;
    struct zset *into = gather_range(context, from, &request);
    size_t count = zset_count(into);
    bool changed = command_store_value(context, args[1], VALUE_ZSET, into);
    context->dirty += changed;
    resp_integer(context->reply, (int64_t)count);
}

/* Errors are written for nobody here, and again by the command. */
size_t command_zrangestore_work(const struct keyspace *keyspace, const struct span *args,
                                size_t argc)
{
    const struct zset *zset = argc < 5 ? NULL : command_peek_zset(keyspace, args[2]);
    struct resp_writer nobody = {.protocol = 2};
    struct command_context context = {.reply = &nobody};
    struct request request = {.stores = true};
    if (!zset || !parse_request(&context, args + 2, argc - 2, &request))
        return 0;
    return limit_range(zset, &request).count * ZSET_WORK_PER_ADDED;
}
