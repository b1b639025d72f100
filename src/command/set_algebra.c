/* Intersections, unions and differences of sets. */
#include "base/assert.h"
#include "base/mem.h"
#include "command/access.h"
#include "command/data.h"
#include "command/gather.h"
#include "keyspace/set.h"

/* Of each search of a member in a set. */
enum { WORK_PER_SEARCH = 60, SOURCES_AT_HAND = 8 };

struct sources {
    const struct set **sets; /* NULL: an absent key */
    const struct set *few[SOURCES_AT_HAND];
    size_t count;
    bool any_absent;
};

static void sources_close(struct sources *sources)
{
    if (sources->sets != sources->few)
        mem_free(sources->sets);
}

/* False: a key holds another type, and the error was written. Nothing is to be closed then. */
static bool sources_read(struct command_context *context, const struct span *keys, size_t count,
                         struct sources *sources)
{
    sources->count = count;
    sources->any_absent = false;
    sources->sets = sources->few;
    if (count > SOURCES_AT_HAND)
        sources->sets = mem_alloc(count * sizeof(*sources->sets));
    for (size_t i = 0; i < count; i++) {
        const void *set;
        if (!command_read(context, keys[i], VALUE_SET, &set)) {
            sources_close(sources);
            return false;
        }
        sources->sets[i] = set;
        sources->any_absent |= !set;
    }
    return true;
}

/* Who receives the members of a result, in order. False: it wants no more. */
struct taker {
    bool (*take)(struct taker *taker, struct span member);
};

static size_t count_of(const struct set *set)
{
    return set ? set_count(set) : 0;
}

static const struct set *smallest(const struct sources *sources)
{
    ASSERT(sources->count > 0);
    const struct set *best = sources->sets[0];
    for (size_t i = 1; i < sources->count; i++)
        if (set_count(sources->sets[i]) < set_count(best))
            best = sources->sets[i];
    return best;
}

static bool in_all(struct command_context *context, const struct sources *sources,
                   const struct set *but, struct span member)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->sets[i] == but)
            continue;
        context->work += WORK_PER_SEARCH;
        if (!set_contains(sources->sets[i], member))
            return false;
    }
    return true;
}

/* In the order of the smallest set, the first of them if there are several. */
static void intersect(struct command_context *context, const struct sources *sources,
                      struct taker *taker)
{
    if (sources->any_absent)
        return;
    const struct set *from = smallest(sources);
    struct set_walk walk = set_walk(from);
    for (struct span member; set_walk_next(&walk, &member);) {
        context->work += WORK_PER_SEARCH;
        if (in_all(context, sources, from, member) && !taker->take(taker, member))
            return;
    }
}

/* In the order of the first appearance. */
static void unite(struct command_context *context, const struct sources *sources, struct set *into,
                  const struct value_rules *rules)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (!sources->sets[i])
            continue;
        context->work += WORK_PER_SEARCH * set_count(sources->sets[i]);
        struct set_walk walk = set_walk(sources->sets[i]);
        for (struct span member; set_walk_next(&walk, &member);)
            set_add(into, member, rules);
    }
}

/* For results that nobody keeps: no form of them is slow to search. */
static struct value_rules rules_for_search(const struct command_context *context)
{
    struct value_rules rules = *command_rules(context);
    rules.set_intset_entries = 0;
    rules.set_packed_entries = 0;
    return rules;
}

static bool in_any(struct command_context *context, const struct sources *sources,
                   struct span member)
{
    for (size_t i = 1; i < sources->count; i++) {
        context->work += WORK_PER_SEARCH;
        if (sources->sets[i] &&
            (sources->sets[i] == sources->sets[0] || set_contains(sources->sets[i], member)))
            return true;
    }
    return false;
}

/* In the order of the first set. Many small sets beside a large first one are united before, so
 * that each member is searched once. */
static void subtract(struct command_context *context, const struct sources *sources,
                     struct taker *taker)
{
    size_t others = 0;
    for (size_t i = 1; i < sources->count; i++)
        others += count_of(sources->sets[i]);
    const struct set *first = sources->sets[0];
    struct sources search = *sources;
    const struct set *joined[2] = {first, NULL};
    struct set *united = NULL;
    if (first && sources->count > 2 && others < set_count(first) * (sources->count - 2)) {
        struct value_rules rules = rules_for_search(context);
        struct sources rest = {.sets = sources->sets + 1, .count = sources->count - 1};
        united = set_new();
        unite(context, &rest, united, &rules);
        joined[1] = united;
        search = (struct sources){.sets = joined, .count = 2};
    }
    if (first) {
        struct set_walk walk = set_walk(first);
        for (struct span member; set_walk_next(&walk, &member);)
            if (!in_any(context, &search, member) && !taker->take(taker, member))
                break;
    }
    set_free(united);
}

/* What is done with a result. */

struct reply_taker {
    struct taker taker;
    struct gathering gathering;
};

static bool take_for_reply(struct taker *taker, struct span member)
{
    gather_add(&((struct reply_taker *)taker)->gathering, member);
    return true;
}

struct store_taker {
    struct taker taker;
    struct set *set;
    const struct value_rules *rules;
};

static bool take_for_store(struct taker *taker, struct span member)
{
    struct store_taker *store = (struct store_taker *)taker;
    set_add(store->set, member, store->rules);
    return true;
}

struct count_taker {
    struct taker taker;
    uint64_t count;
    size_t limit; /* 0: none */
};

static bool take_for_count(struct taker *taker, struct span member)
{
    (void)member;
    struct count_taker *counter = (struct count_taker *)taker;
    return ++counter->count != counter->limit;
}

typedef void operation(struct command_context *context, const struct sources *sources,
                       struct taker *taker);

static void reply_with(struct command_context *context, const struct span *keys, size_t count,
                       operation *compute)
{
    struct sources sources;
    if (!sources_read(context, keys, count, &sources))
        return;
    struct reply_taker reply = {.taker.take = take_for_reply};
    gather_begin(&reply.gathering, context);
    compute(context, &sources, &reply.taker);
    gather_end(&reply.gathering, true);
    sources_close(&sources);
}

static void store(struct command_context *context, struct span key, struct set *set)
{
    int64_t count = (int64_t)set_count(set);
    if (command_store_value(context, key, VALUE_SET, set))
        context->dirty++;
    resp_integer(context->reply, count);
}

static void store_result(struct command_context *context, const struct span *args, size_t argc,
                         operation *compute)
{
    struct sources sources;
    if (!sources_read(context, args + 2, argc - 2, &sources))
        return;
    struct store_taker taker = {
        .taker.take = take_for_store, .set = set_new(), .rules = command_rules(context)};
    compute(context, &sources, &taker.taker);
    sources_close(&sources);
    store(context, args[1], taker.set);
}

void command_sinter_run(struct command_context *context, const struct span *args, size_t argc)
{
    reply_with(context, args + 1, argc - 1, intersect);
}

void command_sinterstore_run(struct command_context *context, const struct span *args, size_t argc)
{
    store_result(context, args, argc, intersect);
}

void command_sdiff_run(struct command_context *context, const struct span *args, size_t argc)
{
    reply_with(context, args + 1, argc - 1, subtract);
}

void command_sdiffstore_run(struct command_context *context, const struct span *args, size_t argc)
{
    store_result(context, args, argc, subtract);
}

void command_sunion_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct sources sources;
    if (!sources_read(context, args + 1, argc - 1, &sources))
        return;
    struct value_rules rules = rules_for_search(context);
    struct set *set = set_new();
    unite(context, &sources, set, &rules);
    sources_close(&sources);
    resp_set(context->reply, set_count(set));
    struct set_walk walk = set_walk(set);
    for (struct span member; set_walk_next(&walk, &member);)
        resp_bulk(context->reply, member);
    set_free(set);
}

void command_sunionstore_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct sources sources;
    if (!sources_read(context, args + 2, argc - 2, &sources))
        return;
    struct set *set = set_new();
    unite(context, &sources, set, command_rules(context));
    sources_close(&sources);
    store(context, args[1], set);
}

/* SINTERCARD numkeys key ... [LIMIT limit] */

static bool parse_intercard(struct command_context *context, const struct span *args, size_t argc,
                            size_t *keys, size_t *limit)
{
    if (!command_parse_count(context, args[1], 1, "ERR numkeys should be greater than 0", keys))
        return false;
    if (*keys > argc - 2)
        return command_refuse(context, "ERR Number of keys can't be greater than number of args");
    for (size_t i = 2 + *keys; i < argc; i += 2) {
        if (i + 1 == argc || !span_is(args[i], "limit"))
            return command_refuse(context, ERROR_SYNTAX);
        if (!command_parse_count(context, args[i + 1], 0, "ERR LIMIT can't be negative", limit))
            return false;
    }
    return true;
}

void command_sintercard_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct count_taker taker = {.taker.take = take_for_count};
    struct sources sources;
    size_t keys;
    if (!parse_intercard(context, args, argc, &keys, &taker.limit) ||
        !sources_read(context, args + 2, keys, &sources))
        return;
    intersect(context, &sources, &taker.taker);
    sources_close(&sources);
    resp_integer(context->reply, (int64_t)taker.count);
}
