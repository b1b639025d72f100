/* What the keyspace asks of a set. */
#include "base/mem.h"
#include "keyspace/rdb_code.h"
#include "keyspace/set_form.h"

static void *make(void)
{
    return set_new();
}

static size_t count(const void *value)
{
    return set_count(value);
}

static uint64_t sum(const void *value)
{
    return ((const struct set *)value)->sum;
}

static uint64_t sum_by_walk(const void *value)
{
    uint64_t total = 0;
    struct set_walk walk = set_walk(value);
    for (struct span member; set_walk_next(&walk, &member);)
        total += set_digest_of(member);
    return total;
}

static void digest(const void *value, struct value_sink *sink)
{
    struct set_walk walk = set_walk(value);
    for (struct span member; set_walk_next(&walk, &member);) {
        uint64_t len = member.len;
        sink->add(sink, &len, sizeof(len));
        sink->add(sink, member.ptr, member.len);
    }
}

static size_t member_memory(const struct set_member *member)
{
    return mem_footprint(set_member_bytes(set_member_span(member).len));
}

static size_t memory_dense(const struct set_table *table, size_t samples)
{
    size_t members = dense_count(&table->dense);
    size_t bytes = mem_footprint(sizeof(*table)) + dense_memory(&table->dense);
    if (samples == 0 || samples > members)
        samples = members;
    size_t sampled = 0;
    for (size_t i = 0; i < samples; i++)
        sampled += member_memory(dense_at(&table->dense, i));
    return samples ? bytes + (size_t)((double)sampled / (double)samples * (double)members) : bytes;
}

static size_t memory(const void *value, size_t samples)
{
    const struct set *set = value;
    size_t bytes = mem_footprint(sizeof(*set));
    switch (set->form) {
    case SET_INTS:
        return bytes + ints_memory(&set->ints);
    case SET_PACKED:
        return bytes + listpack_memory(&set->pack);
    case SET_DENSE:
    default:
        return bytes + memory_dense(set->table, samples);
    }
}

static const char *encoding(const void *value)
{
    switch (((const struct set *)value)->form) {
    case SET_INTS:
        return "intset";
    case SET_PACKED:
        return "listpack";
    case SET_DENSE:
    default:
        return "hashtable";
    }
}

static struct set_table *copy_table(const struct set_table *from)
{
    struct set_table *table = mem_zalloc(sizeof(*table));
    table->seed = from->seed;
    dense_reserve(&table->dense, dense_count(&from->dense));
    for (size_t i = 0; i < dense_count(&from->dense); i++) {
        const struct set_member *member = dense_at(&from->dense, i);
        size_t bytes = set_member_bytes(set_member_span(member).len);
        struct set_member *fresh = mem_alloc(bytes);
        memcpy(fresh, member, bytes);
        dense_insert(&table->dense, fresh);
    }
    return table;
}

static void *copy(const void *value)
{
    const struct set *from = value;
    struct set *set = set_new();
    set->sum = from->sum;
    set->form = from->form;
    switch (from->form) {
    case SET_INTS:
        ints_copy(&set->ints, &from->ints);
        break;
    case SET_PACKED:
        listpack_copy(&set->pack, &from->pack);
        break;
    case SET_DENSE:
    default:
        set->table = copy_table(from->table);
    }
    return set;
}

/* A packed set is one element less than the limit at most: its memory goes at once. */
static size_t free_some(void *value, size_t limit)
{
    struct set *set = value;
    size_t freed = set_count(set);
    if (set->form == SET_DENSE) {
        freed = dense_free_some(&set->table->dense, limit, mem_free);
        if (freed == limit)
            return freed;
        mem_free(set->table);
    } else if (set->form == SET_PACKED) {
        listpack_close(&set->pack);
    } else {
        ints_close(&set->ints);
    }
    mem_free(set);
    return freed < limit ? freed : limit - 1;
}

void set_free(struct set *set)
{
    while (set && free_some(set, SIZE_MAX) == SIZE_MAX)
        continue;
}

static unsigned rdb_type(const void *value)
{
    (void)value;
    return RDB_TYPE_SET;
}

/* cursor: 0: 1 once the count is written; 1: position; 2: how far the member there is. */
static bool save(const void *value, struct value_cursor *cursor, struct buf *out, size_t most)
{
    const struct set *set = value;
    size_t until = out->len + most;
    if (cursor->at[0] == 0) {
        rdb_add_length(out, set_count(set));
        cursor->at[0] = 1;
    }
    struct set_walk walk = set_walk_from(set, cursor->at[1]);
    for (struct span member; out->len < until; cursor->at[1]++) {
        if (!set_walk_next(&walk, &member))
            return false;
        if (!rdb_add_text_until(out, member, &cursor->at[2], until))
            return true;
    }
    return true;
}

const struct value_ops set_ops = {
    .name = "set",
    .make = make,
    .count = count,
    .sum = sum,
    .sum_by_walk = sum_by_walk,
    .digest = digest,
    .memory = memory,
    .encoding = encoding,
    .copy = copy,
    .free_some = free_some,
    .rdb_type = rdb_type,
    .save = save,
};
