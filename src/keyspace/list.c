#include "keyspace/list_form.h"

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/rdb_code.h"

struct list *list_new(void)
{
    struct list *list = mem_alloc(sizeof(*list));
    *list = (struct list){.series = series_empty()};
    return list;
}

void list_chunk_free(struct chunk *chunk)
{
    listpack_close(&chunk->pack);
    mem_free(chunk);
}

/* A chunk counts as one element: freeing it takes no longer. */
static size_t free_some(void *value, size_t limit)
{
    struct list *list = value;
    size_t freed = 0;
    while (list->is_long && freed < limit) {
        struct chunk *chunk = spine_take(&list->spine);
        if (chunk) {
            list_chunk_free(chunk);
            freed++;
        } else {
            list->is_long = false;
            list->pack = (struct listpack){0};
        }
    }
    if (freed < limit) {
        listpack_close(&list->pack);
        mem_free(list);
    }
    return freed;
}

void list_free(struct list *list)
{
    free_some(list, SIZE_MAX);
}

size_t list_count(const struct list *list)
{
    return list->is_long ? list->spine.count : listpack_count(&list->pack);
}

static const struct listpack *pack_of(const struct spine_place *place)
{
    return &((const struct chunk *)place->leaf)->pack;
}

bool list_at(const struct list *list, size_t index, struct list_place *place)
{
    if (index >= list_count(list))
        return false;
    *place = (struct list_place){.pack = &list->pack};
    size_t offset = index;
    if (list->is_long) {
        spine_at_rank(&list->spine, index, &place->chunk, &offset);
        place->pack = pack_of(&place->chunk);
    }
    place->at = listpack_nth(place->pack, offset);
    return true;
}

bool list_next(struct list_place *place)
{
    place->at = listpack_next(place->pack, place->at);
    if (place->at)
        return true;
    if (!place->chunk.leaf || !spine_next(&place->chunk))
        return false;
    place->pack = pack_of(&place->chunk);
    place->at = listpack_first(place->pack);
    return true;
}

bool list_previous(struct list_place *place)
{
    place->at = listpack_previous(place->pack, place->at);
    if (place->at)
        return true;
    if (!place->chunk.leaf || !spine_previous(&place->chunk))
        return false;
    place->pack = pack_of(&place->chunk);
    place->at = listpack_last(place->pack);
    return true;
}

struct span list_text(const struct list_place *place, char scratch[NUMBER_I64_CHARS])
{
    return listpack_text(place->pack, place->at, scratch);
}

bool list_is(const struct list_place *place, struct span text)
{
    return listpack_equal(place->pack, place->at, text);
}

/* Forms. */

struct list_limits list_limits(const struct value_rules *rules)
{
    enum { BYTES_IF_COUNTED = 8192, SMALLEST = 4096, LARGEST = 4 };
    int size = rules->list_packed_size;
    if (size >= 0)
        return (struct list_limits){BYTES_IF_COUNTED, size ? (size_t)size : 1};
    int doublings = -1 - size < LARGEST ? -1 - size : LARGEST;
    return (struct list_limits){(size_t)SMALLEST << doublings, SIZE_MAX};
}

void list_lengthen(struct list *list)
{
    ASSERT(!list->is_long);
    struct listpack pack = list->pack;
    list->is_long = true;
    list->spine = (struct spine){0};
    if (!pack.bytes)
        return;
    struct chunk *chunk = mem_alloc(sizeof(*chunk));
    *chunk = (struct chunk){pack, list->series};
    spine_append(&list->spine, chunk, listpack_count(&pack), NULL);
}

void list_shorten(struct list *list, const struct list_limits *limits)
{
    if (!list->is_long || list->spine.leaves > 1)
        return;
    struct spine_place place;
    struct listpack pack = {0};
    if (spine_first(&list->spine, &place)) {
        struct chunk *chunk = place.leaf;
        if (listpack_bytes(&chunk->pack) > limits->bytes / 2 ||
            listpack_count(&chunk->pack) > limits->count / 2)
            return;
        pack = chunk->pack;
        mem_free(chunk);
        spine_take(&list->spine);
    }
    list->is_long = false;
    list->pack = pack;
}

/* As a value. */

static unsigned rdb_type(const void *value)
{
    (void)value;
    return RDB_TYPE_LIST;
}

/* The cursor: the number is written; elements that are; bytes of the next one that are. */
static bool save(const void *value, struct value_cursor *cursor, struct buf *out, size_t most)
{
    size_t end = out->len + most;
    if (!cursor->at[0])
        rdb_add_length(out, list_count(value));
    cursor->at[0] = true;
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = list_at(value, cursor->at[1], &place); more; more = list_next(&place)) {
        if (out->len >= end ||
            !rdb_add_text_until(out, list_text(&place, scratch), &cursor->at[2], end))
            return true;
        cursor->at[1]++;
    }
    return false;
}

static void *make(void)
{
    return list_new();
}

static size_t count(const void *value)
{
    return list_count(value);
}

static uint64_t sum(const void *value)
{
    return ((const struct list *)value)->series.sum;
}

static uint64_t sum_by_walk(const void *value)
{
    struct series series = series_empty();
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = list_at(value, 0, &place); more; more = list_next(&place))
        series = series_join(series, series_one(list_text(&place, scratch)));
    return series.sum;
}

static void digest(const void *value, struct value_sink *sink)
{
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = list_at(value, 0, &place); more; more = list_next(&place)) {
        struct span text = list_text(&place, scratch);
        uint64_t len = text.len;
        sink->add(sink, &len, sizeof(len));
        sink->add(sink, text.ptr, text.len);
    }
}

/* With `samples`, a mean of as many chunks as have that many elements. */
static size_t memory(const void *value, size_t samples)
{
    const struct list *list = value;
    size_t bytes = mem_footprint(sizeof(*list));
    if (!list->is_long)
        return bytes + listpack_memory(&list->pack);
    struct spine_place place;
    size_t chunks = 0, elements = 0, packs = 0;
    for (bool more = spine_first(&list->spine, &place); more; more = spine_next(&place)) {
        packs += mem_footprint(sizeof(struct chunk)) + listpack_memory(pack_of(&place));
        chunks++;
        elements += spine_leaf_count(&place);
        if (samples && elements >= samples)
            break;
    }
    return bytes + spine_memory(&list->spine) + (chunks ? packs / chunks * list->spine.leaves : 0);
}

static const char *encoding(const void *value)
{
    return ((const struct list *)value)->is_long ? "quicklist" : "listpack";
}

static void *copy(const void *value)
{
    const struct list *from = value;
    struct list *list = list_new();
    list->series = from->series;
    list->is_long = from->is_long;
    if (!from->is_long) {
        listpack_copy(&list->pack, &from->pack);
        return list;
    }
    list->spine = (struct spine){0};
    struct spine_place place;
    for (bool more = spine_first(&from->spine, &place); more; more = spine_next(&place)) {
        const struct chunk *old = place.leaf;
        struct chunk *chunk = mem_alloc(sizeof(*chunk));
        *chunk = (struct chunk){.series = old->series};
        listpack_copy(&chunk->pack, &old->pack);
        spine_append(&list->spine, chunk, listpack_count(&old->pack), NULL);
    }
    return list;
}

const struct value_ops list_ops = {
    .name = "list",
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
