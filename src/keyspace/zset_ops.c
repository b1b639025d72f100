/* Sorted sets as values. */
#include "base/mem.h"
#include "keyspace/rdb_code.h"
#include "keyspace/zset_form.h"

static void *make(void)
{
    return zset_new();
}

static size_t count(const void *value)
{
    return zset_count(value);
}

static uint64_t sum(const void *value)
{
    return ((const struct zset *)value)->sum;
}

static uint64_t sum_by_walk(const void *value)
{
    uint64_t sum_of_all = 0;
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = zset_at(value, 0, &place); more; more = zset_next(&place))
        sum_of_all += zset_sum_of(zset_place_member(&place, scratch), zset_place_score(&place));
    return sum_of_all;
}

static void sink_element(void *context, struct span member, double score)
{
    struct value_sink *sink = context;
    uint64_t len = member.len;
    sink->add(sink, &len, sizeof(len));
    sink->add(sink, member.ptr, member.len);
    sink->add(sink, &score, sizeof(score));
}

/* Scores and members decide the order of ranks, so the order of a scan says everything. */
static void digest(const void *value, struct value_sink *sink)
{
    uint64_t cursor = 0;
    do
        cursor = zset_scan(value, cursor, SIZE_MAX, sink_element, sink);
    while (cursor);
}

static size_t memory(const void *value, size_t samples)
{
    const struct zset *zset = value;
    size_t bytes = mem_footprint(sizeof(*zset));
    if (!zset->is_large)
        return bytes + listpack_memory(&zset->pack);
    const struct dense *dense = &zset->large->dense;
    size_t elements = dense_count(dense), total = 0;
    size_t sampled = samples && samples < elements ? samples : elements;
    for (size_t i = 0; i < sampled; i++) {
        const struct zset_element *element = dense_at(dense, i);
        total += mem_footprint(sizeof(*element) + element->len);
    }
    if (sampled < elements)
        total = (size_t)((double)total / (double)sampled * (double)elements);
    const struct spine *spine = &zset->large->spine;
    return bytes + mem_footprint(sizeof(*zset->large)) + spine_memory(spine) +
           spine->leaves * mem_footprint(sizeof(struct zset_leaf)) + dense_memory(dense) + total;
}

static const char *encoding(const void *value)
{
    return ((const struct zset *)value)->is_large ? "skiplist" : "listpack";
}

static struct zset_large *copy_large(const struct zset_large *from)
{
    struct zset_large *large = zset_large_new(from->seed);
    dense_reserve(&large->dense, dense_count(&from->dense));
    for (size_t i = 0; i < dense_count(&from->dense); i++) {
        const struct zset_element *element = dense_at(&from->dense, i);
        zset_large_place(large, zset_element_text(element), element->score);
    }
    zset_large_sort_like(large, from);
    return large;
}

static void *copy(const void *value)
{
    const struct zset *from = value;
    struct zset *zset = zset_new();
    zset->sum = from->sum;
    zset->is_large = from->is_large;
    if (from->is_large)
        zset->large = copy_large(from->large);
    else
        listpack_copy(&zset->pack, &from->pack);
    return zset;
}

static size_t free_some(void *value, size_t limit)
{
    struct zset *zset = value;
    size_t freed = 0;
    if (zset->is_large)
        freed = zset_large_free_some(zset->large, limit);
    else
        listpack_close(&zset->pack);
    if (freed < limit)
        mem_free(zset);
    return freed;
}

static unsigned rdb_type(const void *value)
{
    (void)value;
    return RDB_TYPE_ZSET_BINARY;
}

struct piece {
    struct value_cursor *cursor;
    struct buf *out;
    size_t end;
};

/* False: the piece is full. */
static bool save_element(const struct piece *piece, struct span member, double score)
{
    uint64_t *at = piece->cursor->at;
    if (piece->out->len >= piece->end ||
        !rdb_add_text_until(piece->out, member, &at[2], piece->end))
        return false;
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    rdb_add_little_endian(piece->out, bits, sizeof(bits));
    at[1]++;
    return true;
}

static bool save_large(const struct zset_large *large, const struct piece *piece)
{
    while (piece->cursor->at[1] < dense_count(&large->dense)) {
        const struct zset_element *element = dense_at(&large->dense, piece->cursor->at[1]);
        if (!save_element(piece, zset_element_text(element), element->score))
            return true;
    }
    return false;
}

/* A set whose positions matter is saved in their order. The cursor: the number is written; elements
 * that are; bytes of the next member that are. */
static bool save(const void *value, struct value_cursor *cursor, struct buf *out, size_t most)
{
    const struct zset *zset = value;
    struct piece piece = {cursor, out, out->len + most};
    if (!cursor->at[0])
        rdb_add_length(out, zset_count(zset));
    cursor->at[0] = true;
    if (zset_count(zset) > ZSET_SMALL)
        return save_large(zset->large, &piece);
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = zset_at(zset, cursor->at[1], &place); more; more = zset_next(&place)) {
        if (!save_element(&piece, zset_place_member(&place, scratch), zset_place_score(&place)))
            return true;
    }
    return false;
}

const struct value_ops zset_ops = {
    .name = "zset",
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
