#include "keyspace/rdb_build.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "keyspace/hash.h"
#include "keyspace/list.h"
#include "keyspace/rdb_code.h"
#include "keyspace/rdb_packed.h"
#include "keyspace/set.h"
#include "keyspace/zset.h"

/* E: one element. B: a packed form. Of streams: N a node, T the totals, G a group, P a pending
 * entry of the group, C a consumer, O a pending entry of the consumer. */
static const struct {
    const char *name;
    const char *pattern;
    enum value_type type;
} types[] = {
    [RDB_TYPE_STRING] = {"string", "k", VALUE_STRING},
    [RDB_TYPE_LIST] = {"list", "n(kE)", VALUE_LIST},
    [RDB_TYPE_SET] = {"set", "n(kE)", VALUE_SET},
    [RDB_TYPE_ZSET] = {"zset", "n(kdE)", VALUE_ZSET},
    [RDB_TYPE_HASH] = {"hash", "n(kkE)", VALUE_HASH},
    [RDB_TYPE_ZSET_BINARY] = {"zset", "n(k8E)", VALUE_ZSET},
    [RDB_TYPE_MODULE] = {"module", "lm", VALUE_STRING},
    [RDB_TYPE_HASH_ZIPMAP] = {"hash", "kB", VALUE_HASH},
    [RDB_TYPE_LIST_ZIPLIST] = {"list", "kB", VALUE_LIST},
    [RDB_TYPE_SET_INTSET] = {"set", "kB", VALUE_SET},
    [RDB_TYPE_ZSET_ZIPLIST] = {"zset", "kB", VALUE_ZSET},
    [RDB_TYPE_HASH_ZIPLIST] = {"hash", "kB", VALUE_HASH},
    [RDB_TYPE_LIST_QUICKLIST] = {"list", "n(kB)", VALUE_LIST},
    [RDB_TYPE_STREAM] = {"stream", "n(kkN)lllTn(kllGn(X8lP)n(k8Cn(XO)))", VALUE_STREAM},
    [RDB_TYPE_HASH_LISTPACK] = {"hash", "kB", VALUE_HASH},
    [RDB_TYPE_ZSET_LISTPACK] = {"zset", "kB", VALUE_ZSET},
    [RDB_TYPE_LIST_QUICKLIST_2] = {"list", "n(lkB)", VALUE_LIST},
    [RDB_TYPE_STREAM_2] = {"stream", "n(kkN)llllllllTn(klllGn(X8lP)n(k8Cn(XO)))", VALUE_STREAM},
    [RDB_TYPE_SET_LISTPACK] = {"set", "kB", VALUE_SET},
    [RDB_TYPE_HASH_2] = {"hash", "n(kk8E)", VALUE_HASH},
    [RDB_TYPE_STREAM_3] = {"stream", "n(kkN)llllllllTn(klllGn(X8lP)n(k88Cn(XO)))", VALUE_STREAM},
};

static bool is_type(unsigned rdb_type)
{
    return rdb_type < sizeof(types) / sizeof(types[0]) && types[rdb_type].name;
}

const char *rdb_build_pattern(unsigned rdb_type)
{
    return is_type(rdb_type) ? types[rdb_type].pattern : NULL;
}

const char *rdb_build_name(unsigned rdb_type)
{
    return is_type(rdb_type) ? types[rdb_type].name : NULL;
}

bool rdb_build_can(unsigned rdb_type)
{
    return is_type(rdb_type) && types[rdb_type].type != VALUE_STRING;
}

void rdb_build_begin(struct rdb_build *build, unsigned rdb_type, const struct value_rules *rules)
{
    ASSERT(!build->value && rdb_build_can(rdb_type));
    struct buf first = build->first;
    struct rdb_seen seen = build->seen;
    rdb_seen_clear(&seen);
    *build = (struct rdb_build){.rules = rules,
                                .rdb_type = rdb_type,
                                .type = types[rdb_type].type,
                                .value = value_ops_of(types[rdb_type].type)->make(),
                                .first = first,
                                .seen = seen};
}

static bool fail(struct rdb_build *build, const char *error)
{
    build->error = error;
    return false;
}

/* Elements that are new for certain are added without a search. */
static bool is_new(struct rdb_build *build, struct span text)
{
    return rdb_seen_new(&build->seen, text, build->rules->seed);
}

static bool add_field(struct rdb_build *build, struct span field, struct span value,
                      int64_t deadline_ms)
{
    if (is_new(build, field)) {
        const struct hash_entry entry = {
            .field = field, .value = value, .deadline_ms = deadline_ms};
        hash_load(build->value, &entry, build->rules);
        return true;
    }
    if (!hash_set(build->value, field, value, build->rules))
        return fail(build, "a field of a hash for the second time");
    if (deadline_ms != NO_DEADLINE)
        hash_set_deadline(build->value, field, deadline_ms, build->rules);
    return true;
}

static bool add_member(struct rdb_build *build, struct span member, double score, size_t total)
{
    if (isnan(score))
        return fail(build, "a score that is no number");
    if (is_new(build, member)) {
        zset_load_absent(build->value, build->rules, member, score, total);
        return true;
    }
    return zset_load(build->value, build->rules, member, score, total) ||
           fail(build, "a member of a sorted set for the second time");
}

static bool add_pair(struct rdb_build *build, struct span first, struct span second)
{
    if (build->type == VALUE_HASH)
        return add_field(build, first, second, NO_DEADLINE);
    double score;
    if (!number_parse_double(second, &score))
        return fail(build, "a score that is no number");
    return add_member(build, first, score, 0);
}

static bool add_one(struct rdb_build *build, struct span text)
{
    if (build->type == VALUE_LIST) {
        list_push(build->value, build->rules, LIST_TAIL, text);
        return true;
    }
    if (is_new(build, text)) {
        set_load(build->value, text, build->rules);
        return true;
    }
    return set_add(build->value, text, build->rules) ||
           fail(build, "a member of a set for the second time");
}

/* One element of a packed form. Of a pair the first is kept until the second comes. */
static bool take_packed(void *context, struct span text)
{
    struct rdb_build *build = context;
    if (build->type == VALUE_LIST || build->type == VALUE_SET)
        return add_one(build, text);
    if (build->has_first) {
        build->has_first = false;
        return add_pair(build, buf_span(&build->first), text);
    }
    build->first.len = 0;
    buf_reserve(&build->first, text.len + 1); /* so that an empty text has a place too */
    buf_add_span(&build->first, text);
    build->has_first = true;
    return true;
}

static enum rdb_packing packing_of(unsigned rdb_type)
{
    switch (rdb_type) {
    case RDB_TYPE_HASH_ZIPMAP:
        return RDB_ZIPMAP;
    case RDB_TYPE_SET_INTSET:
        return RDB_INTSET;
    case RDB_TYPE_LIST_ZIPLIST:
    case RDB_TYPE_ZSET_ZIPLIST:
    case RDB_TYPE_HASH_ZIPLIST:
    case RDB_TYPE_LIST_QUICKLIST:
        return RDB_ZIPLIST;
    default:
        return RDB_LISTPACK;
    }
}

static bool take_blob(struct rdb_build *build, const struct rdb_parts *parts)
{
    enum { PLAIN = 1, PACKED = 2 };
    if (build->rdb_type == RDB_TYPE_LIST_QUICKLIST_2 && parts->numbers[0] == PLAIN)
        return add_one(build, parts->strings[0]);
    if (build->rdb_type == RDB_TYPE_LIST_QUICKLIST_2 && parts->numbers[0] != PACKED)
        return fail(build, "a part of a list of an unknown form");
    if (rdb_packed_each(packing_of(build->rdb_type), parts->strings[0], take_packed, build) &&
        !build->has_first)
        return true;
    return fail(build, build->error ? build->error : "a damaged packed value");
}

static double score_of(uint64_t bits)
{
    double score;
    memcpy(&score, &bits, sizeof(score));
    return score;
}

static bool take_field(struct rdb_build *build, const struct rdb_parts *parts)
{
    enum { NONE = -1 };
    int64_t deadline_ms = NO_DEADLINE;
    if (build->rdb_type == RDB_TYPE_HASH_2 && (int64_t)parts->numbers[0] != NONE) {
        deadline_ms = (int64_t)parts->numbers[0];
        if (deadline_ms < 0)
            return fail(build, "a deadline of a field that is none");
    }
    return add_field(build, parts->strings[0], parts->strings[1], deadline_ms);
}

static bool take_element(struct rdb_build *build, const struct rdb_parts *parts)
{
    if (build->type == VALUE_HASH)
        return take_field(build, parts);
    if (build->type != VALUE_ZSET)
        return add_one(build, parts->strings[0]);
    double score =
        build->rdb_type == RDB_TYPE_ZSET_BINARY ? score_of(parts->numbers[0]) : parts->score;
    return add_member(build, parts->strings[0], score, parts->total);
}

static bool take_totals(struct rdb_build *build, const uint64_t *numbers)
{
    const struct stream_totals totals = {
        .length = numbers[0],
        .last_id = {numbers[1], numbers[2]},
        .has_counters = build->rdb_type != RDB_TYPE_STREAM,
        .max_deleted_id = {numbers[5], numbers[6]},
        .entries_added = numbers[7],
    };
    return stream_load_totals(build->value, &totals);
}

static bool take_group(struct rdb_build *build, const struct rdb_parts *parts)
{
    const uint64_t *numbers = parts->numbers;
    build->group = stream_load_group(build->value, parts->strings[0],
                                     (struct stream_id){numbers[0], numbers[1]},
                                     build->rdb_type == RDB_TYPE_STREAM ? NULL : &numbers[2]);
    return build->group != NULL;
}

static bool take_consumer(struct rdb_build *build, const struct rdb_parts *parts)
{
    int64_t seen_ms = (int64_t)parts->numbers[0];
    int64_t active_ms = (int64_t)parts->numbers[1];
    build->consumer =
        stream_load_consumer(build->group, parts->strings[0], seen_ms,
                             build->rdb_type == RDB_TYPE_STREAM_3 ? &active_ms : NULL);
    return build->consumer != NULL;
}

static bool take_of_stream(struct rdb_build *build, char event, const struct rdb_parts *parts)
{
    struct span id = span_of((const char *)parts->id, sizeof(parts->id));
    switch (event) {
    case 'N':
        return stream_load_node(build->value, parts->strings[0], parts->strings[1]);
    case 'T':
        return take_totals(build, parts->numbers);
    case 'G':
        return take_group(build, parts);
    case 'P':
        return stream_load_pending(build->group, id, (int64_t)parts->numbers[0], parts->numbers[1]);
    case 'C':
        return take_consumer(build, parts);
    default:
        ASSERT(event == 'O');
        return stream_load_consumer_pending(build->group, build->consumer, id);
    }
}

bool rdb_build_event(struct rdb_build *build, char event, const struct rdb_parts *parts)
{
    if (event == 'E')
        return take_element(build, parts);
    if (event == 'B')
        return take_blob(build, parts);
    return take_of_stream(build, event, parts) || fail(build, "a damaged stream");
}

bool rdb_build_finish(struct rdb_build *build)
{
    if (build->type != VALUE_STREAM)
        return true;
    return stream_load_finish(build->value) || fail(build, "a damaged stream");
}

void *rdb_build_take(struct rdb_build *build)
{
    void *value = build->value;
    build->value = NULL;
    return value;
}

void rdb_build_close(struct rdb_build *build)
{
    if (build->value)
        value_free(build->type, rdb_build_take(build));
    buf_close(&build->first);
    rdb_seen_close(&build->seen);
}
