/* Unions, intersections and differences of sorted sets and sets. A member of a set has the score
 * 1. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "command/zset.h"
#include "keyspace/set.h"

/* Of each search of a member, and of adding one to the result. */
enum { WORK_PER_SEARCH = 60, WORK_PER_ADDED = 200 };

struct source {
    const struct zset *zset;
    const struct set *set; /* both NULL: an absent key */
    double weight;
    size_t position; /* among the arguments */
};

enum operation { UNION, INTERSECTION, DIFFERENCE };
enum aggregate { AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };

struct combination {
    struct command_context *context;
    enum operation operation;
    bool stores, counts; /* …STORE; ZINTERCARD */
    const char *name;
    struct source *sources;
    size_t count;
    enum aggregate aggregate;
    bool with_scores;
    size_t limit; /* of ZINTERCARD; 0: none */
};

/* Reading a source. */

static size_t source_count(const struct source *source)
{
    if (source->zset)
        return zset_count(source->zset);
    return source->set ? set_count(source->set) : 0;
}

static bool source_score(const struct source *source, struct span member, double *score)
{
    if (source->zset)
        return zset_score(source->zset, member, score);
    *score = 1;
    return source->set && set_contains(source->set, member);
}

struct source_walk {
    const struct source *source;
    bool begun;
    struct zset_place place;
    struct set_walk members;
    char scratch[NUMBER_I64_CHARS];
};

static struct source_walk source_walk(const struct source *source)
{
    struct source_walk walk = {.source = source};
    if (source->set)
        walk.members = set_walk(source->set);
    return walk;
}

/* The member is valid until the next call. */
static bool source_next(struct source_walk *walk, struct span *member, double *score)
{
    const struct source *source = walk->source;
    if (source->zset) {
        bool more = walk->begun ? zset_next(&walk->place) : zset_at(source->zset, 0, &walk->place);
        walk->begun = true;
        if (!more)
            return false;
        *member = zset_place_member(&walk->place, walk->scratch);
        *score = zset_place_score(&walk->place);
        return true;
    }
    *score = 1;
    return source->set && set_walk_next(&walk->members, member);
}

/* Scores. A sum or product that is not a number becomes 0, as in Redis. */

static double weigh(const struct source *source, double score)
{
    double weighted = source->weight * score;
    return isnan(weighted) ? 0 : weighted;
}

/* b may be no number: it is then neither lower nor higher than a. */
static double combine(const struct combination *combination, double a, double b)
{
    switch (combination->aggregate) {
    case AGGREGATE_MIN:
        return b < a ? b : a;
    case AGGREGATE_MAX:
        return b > a ? b : a;
    case AGGREGATE_SUM:
        break;
    }
    return isnan(a + b) ? 0 : a + b;
}

struct result {
    struct zset *zset; /* being built; NULL: only counted */
    size_t count, limit;
};

/* Adds a member to the result. False: no more is wanted. */
static bool take(const struct combination *combination, struct result *result, struct span member,
                 double score)
{
    result->count++;
    if (result->zset) {
        bool is_new;
        *zset_build_score(result->zset, member, &is_new) = score;
        combination->context->work += WORK_PER_ADDED;
    }
    return result->count != result->limit;
}

/* Whether all other sources hold the member; adds up its scores in their order. The same key may
 * come twice. */
static bool in_all_others(const struct combination *combination, struct span member, double *score)
{
    for (size_t i = 1; i < combination->count; i++) {
        double other;
        combination->context->work += WORK_PER_SEARCH;
        if (!source_score(&combination->sources[i], member, &other))
            return false;
        *score = combine(combination, *score, combination->sources[i].weight * other);
    }
    return true;
}

static void intersect(const struct combination *combination, struct result *result)
{
    const struct source *first = &combination->sources[0];
    struct source_walk walk = source_walk(first);
    struct span member;
    double score;
    while (source_next(&walk, &member, &score)) {
        score = weigh(first, score);
        if (in_all_others(combination, member, &score) && !take(combination, result, member, score))
            return;
    }
}

static void unite(const struct combination *combination, struct result *result)
{
    for (size_t i = 0; i < combination->count; i++) {
        struct source_walk walk = source_walk(&combination->sources[i]);
        struct span member;
        double score;
        while (source_next(&walk, &member, &score)) {
            bool is_new;
            double *sum = zset_build_score(result->zset, member, &is_new);
            score = weigh(&combination->sources[i], score);
            *sum = is_new ? score : combine(combination, *sum, score);
            combination->context->work += WORK_PER_ADDED;
        }
    }
}

static bool in_any_other(const struct combination *combination, struct span member)
{
    double score;
    for (size_t i = 1; i < combination->count; i++) {
        combination->context->work += WORK_PER_SEARCH;
        if (source_score(&combination->sources[i], member, &score))
            return true;
    }
    return false;
}

static void subtract(const struct combination *combination, struct result *result)
{
    struct source_walk walk = source_walk(&combination->sources[0]);
    struct span member;
    double score;
    while (source_next(&walk, &member, &score)) {
        if (!in_any_other(combination, member))
            take(combination, result, member, score);
    }
}

/* Scores are added up from the smallest source to the largest. */
static int compare_sources(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    size_t m = source_count(x), n = source_count(y);
    if (m != n)
        return m < n ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

static void run(const struct combination *combination, struct result *result)
{
    const struct value_rules *rules = command_rules(combination->context);
    if (!combination->counts)
        result->zset = zset_build_begin(rules);
    if (combination->operation != DIFFERENCE)
        qsort(combination->sources, combination->count, sizeof(combination->sources[0]),
              compare_sources);
    switch (combination->operation) {
    case UNION:
        unite(combination, result);
        break;
    case INTERSECTION:
        intersect(combination, result);
        break;
    case DIFFERENCE:
        subtract(combination, result);
        break;
    }
    if (!combination->counts)
        zset_build_end(result->zset, rules);
}

/* Arguments. All return false after an error was written. */

static bool read_source(struct command_context *context, struct span key, struct source *source)
{
    const struct item *item = command_read_item(context, key);
    if (item && item_type(item) == VALUE_ZSET)
        source->zset = item_elements(item);
    else if (item && item_type(item) == VALUE_SET)
        source->set = item_elements(item);
    else if (item)
        resp_error(context->reply, ERROR_WRONG_TYPE);
    return !item || source->zset || source->set;
}

/* args: the number of keys and what follows. Makes the sources. */
static bool parse_sources(struct combination *combination, const struct span *args, size_t argc)
{
    struct command_context *context = combination->context;
    int64_t count;
    if (!command_parse_integer(context, args[0], &count))
        return false;
    if (count < 1) {
        resp_errorf(context->reply, "ERR at least 1 input key is needed for '%s' command",
                    combination->name);
        return false;
    }
    if ((uint64_t)count > argc - 1) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    combination->count = (size_t)count;
    combination->sources = mem_alloc(combination->count * sizeof(struct source));
    for (size_t i = 0; i < combination->count; i++) {
        combination->sources[i] = (struct source){.weight = 1, .position = i};
        if (!read_source(context, args[1 + i], &combination->sources[i]))
            return false;
    }
    return true;
}

static bool parse_weights(struct combination *combination, const struct span *args)
{
    for (size_t i = 0; i < combination->count; i++) {
        if (!number_parse_double(args[i], &combination->sources[i].weight)) {
            resp_error(combination->context->reply, "ERR weight value is not a float");
            return false;
        }
    }
    return true;
}

static bool parse_aggregate(struct combination *combination, struct span word)
{
    static const char *const words[] = {"sum", "min", "max"};
    for (int i = 0; i < 3; i++) {
        if (span_is(word, words[i])) {
            combination->aggregate = (enum aggregate)i;
            return true;
        }
    }
    resp_error(combination->context->reply, ERROR_SYNTAX);
    return false;
}

/* args: what follows the keys. */
static bool parse_options(struct combination *combination, const struct span *args, size_t argc)
{
    bool has_scores = combination->operation != DIFFERENCE && !combination->counts;
    for (size_t i = 0; i < argc;) {
        size_t left = argc - i;
        if (has_scores && left > combination->count && span_is(args[i], "weights")) {
            if (!parse_weights(combination, args + i + 1))
                return false;
            i += 1 + combination->count;
        } else if (has_scores && left > 1 && span_is(args[i], "aggregate")) {
            if (!parse_aggregate(combination, args[i + 1]))
                return false;
            i += 2;
        } else if (!combination->stores && !combination->counts && span_is(args[i], "withscores")) {
            combination->with_scores = true;
            i++;
        } else if (combination->counts && left > 1 && span_is(args[i], "limit")) {
            if (!command_parse_count(combination->context, args[i + 1], 0,
                                     "ERR LIMIT can't be negative", &combination->limit))
                return false;
            i += 2;
        } else {
            resp_error(combination->context->reply, ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

/* args: the number of keys and what follows. The caller frees the sources. */
static bool parse(struct combination *combination, const struct span *args, size_t argc)
{
    return parse_sources(combination, args, argc) &&
           parse_options(combination, args + 1 + combination->count, argc - 1 - combination->count);
}

static void write_all(struct command_context *context, const struct zset *zset, bool with_scores)
{
    command_write_elements_head(context->reply, zset_count(zset), with_scores);
    struct zset_place place;
    for (bool more = zset_at(zset, 0, &place); more; more = zset_next(&place))
        command_write_element(context->reply, &place, with_scores);
}

static void run_reply(struct combination combination, const struct span *args, size_t argc)
{
    struct command_context *context = combination.context;
    if (parse(&combination, args + 1, argc - 1)) {
        struct result result = {.limit = combination.limit};
        run(&combination, &result);
        if (combination.counts) {
            resp_integer(context->reply, (int64_t)result.count);
        } else {
            write_all(context, result.zset, combination.with_scores);
            zset_free(result.zset);
        }
    }
    mem_free(combination.sources);
}

static void run_store(struct combination combination, const struct span *args, size_t argc)
{
    struct command_context *context = combination.context;
    combination.stores = true;
    if (parse(&combination, args + 2, argc - 2)) {
        struct result result = {0};
        run(&combination, &result);
        size_t count = zset_count(result.zset);
        context->dirty += command_store_value(context, args[1], VALUE_ZSET, result.zset);
        resp_integer(context->reply, (int64_t)count);
    }
    mem_free(combination.sources);
}

void command_zunion_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_reply((struct combination){context, .operation = UNION, .name = "zunion"}, args, argc);
}

void command_zinter_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_reply((struct combination){context, .operation = INTERSECTION, .name = "zinter"}, args,
              argc);
}

void command_zdiff_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_reply((struct combination){context, .operation = DIFFERENCE, .name = "zdiff"}, args, argc);
}

void command_zintercard_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_reply((struct combination){context, .operation = INTERSECTION, .counts = true,
                                   .name = "zintercard"},
              args, argc);
}

void command_zunionstore_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_store((struct combination){context, .operation = UNION, .name = "zunionstore"}, args, argc);
}

void command_zinterstore_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_store((struct combination){context, .operation = INTERSECTION, .name = "zinterstore"}, args,
              argc);
}

void command_zdiffstore_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_store((struct combination){context, .operation = DIFFERENCE, .name = "zdiffstore"}, args,
              argc);
}

/* About the bytes of all sources. args[first] is the number of keys. */
static size_t work_of(const struct keyspace *keyspace, const struct span *args, size_t argc,
                      size_t first)
{
    int64_t count;
    if (first >= argc || !number_parse_i64(args[first], &count) || count < 1)
        return 0;
    size_t elements = 0;
    for (size_t i = 0; i < (uint64_t)count && first + 1 + i < argc; i++) {
        struct span key = args[first + 1 + i];
        const struct zset *zset = command_peek_zset(keyspace, key);
        const struct set *set =
            zset ? NULL : command_peek_value(keyspace, key, VALUE_SET, NO_DEADLINE);
        elements += zset ? zset_count(zset) : set ? set_count(set) : 0;
    }
    return elements * ZSET_WORK_PER_ADDED;
}

size_t command_zset_combine_work(const struct keyspace *keyspace, const struct span *args,
                                 size_t argc)
{
    return work_of(keyspace, args, argc, 1);
}

size_t command_zset_store_work(const struct keyspace *keyspace, const struct span *args,
                               size_t argc)
{
    return work_of(keyspace, args, argc, 2);
}
