#include "keyspace/id_map.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { BLOCK_MAX = 64, BLOCK_MIN = 4, FEW = BLOCK_MAX / 4, MERGED_MAX = BLOCK_MAX * 3 / 4 };

struct block {
    uint16_t used;
    uint16_t capacity;
    struct stream_id records[]; /* only the type that aligns them; each is record_bytes long */
};

static struct block *block_at(const struct spine_place *place)
{
    return place->leaf;
}

static void *record_at(const struct block *block, size_t index, size_t record_bytes)
{
    return (char *)block->records + index * record_bytes;
}

static struct stream_id id_at(const struct block *block, size_t index, size_t record_bytes)
{
    return *(const struct stream_id *)record_at(block, index, record_bytes);
}

static size_t block_bytes(const struct id_map *map, size_t capacity)
{
    return sizeof(struct block) + capacity * map->record_bytes;
}

static struct block *block_resize(struct id_map *map, struct block *block, unsigned capacity)
{
    if (block)
        map->bytes -= mem_footprint(block_bytes(map, block->capacity));
    bool is_new = !block;
    block = mem_realloc(block, block_bytes(map, capacity));
    if (is_new)
        block->used = 0;
    block->capacity = (uint16_t)capacity;
    map->bytes += mem_footprint(block_bytes(map, capacity));
    return block;
}

static void block_free(struct id_map *map, struct block *block)
{
    map->bytes -= mem_footprint(block_bytes(map, block->capacity));
    mem_free(block);
}

static bool begins(const void *sought, const void *leaf)
{
    const struct block *block = leaf;
    return stream_id_compare(block->records[0], *(const struct stream_id *)sought) <= 0;
}

/* The position of the first record that is not smaller. */
static unsigned position(const struct block *block, struct stream_id id, size_t record_bytes)
{
    unsigned low = 0, high = block->used;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (stream_id_compare(id_at(block, middle, record_bytes), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *id_map_find(const struct id_map *map, struct stream_id id)
{
    struct spine_place place;
    if (!spine_find(&map->blocks, begins, &id, &place))
        return NULL;
    const struct block *block = block_at(&place);
    unsigned at = position(block, id, map->record_bytes);
    if (at == block->used || stream_id_compare(id_at(block, at, map->record_bytes), id) != 0)
        return NULL;
    return record_at(block, at, map->record_bytes);
}

static void move_records(const struct id_map *map, struct block *to, unsigned at,
                         const struct block *from, unsigned first)
{
    unsigned count = from->used - first;
    memcpy(record_at(to, at, map->record_bytes), record_at(from, first, map->record_bytes),
           count * map->record_bytes);
}

/* Moves the upper half into a block of its own, or nothing of the last block, which records that
 * come in order have filled. `place` and *at follow the new record's position. */
static void split(struct id_map *map, struct spine_place *place, unsigned *at)
{
    struct block *full = block_at(place);
    struct spine_place next = *place;
    unsigned keep = *at == full->used && !spine_next(&next) ? full->used : full->used / 2u;
    struct block *fresh = block_resize(map, NULL, keep == full->used ? BLOCK_MAX / 2 : BLOCK_MAX);
    move_records(map, fresh, 0, full, keep);
    fresh->used = (uint16_t)(full->used - keep);
    full->used = (uint16_t)keep;
    spine_set_count(&map->blocks, place, keep);
    bool follows = *at > keep || fresh->used == 0;
    next = *place;
    spine_insert_after(&map->blocks, &next, fresh, fresh->used);
    if (follows) {
        *place = next;
        *at -= keep;
    } else {
        spine_find(&map->blocks, begins, full->records, place);
    }
}

void *id_map_add(struct id_map *map, struct stream_id id)
{
    struct spine_place place;
    if (!spine_find(&map->blocks, begins, &id, &place))
        spine_append(&map->blocks, block_resize(map, NULL, BLOCK_MIN), 0, &place);
    struct block *block = block_at(&place);
    unsigned at = position(block, id, map->record_bytes);
    if (block->used == BLOCK_MAX) {
        split(map, &place, &at);
        block = block_at(&place);
    }
    if (block->used == block->capacity) {
        block = block_resize(map, block, block->capacity * 2u);
        spine_set_leaf(&place, block);
    }
    void *record = record_at(block, at, map->record_bytes);
    memmove(record_at(block, at + 1, map->record_bytes), record,
            (block->used - at) * map->record_bytes);
    *(struct stream_id *)record = id;
    block->used++;
    spine_set_count(&map->blocks, &place, block->used);
    return record;
}

/* Appends the records of the block at `right` to its neighbour on the left, if they are few. */
static bool merge(struct id_map *map, struct spine_place *left, struct spine_place *right)
{
    struct block *to = block_at(left), *from = block_at(right);
    unsigned sum = (unsigned)to->used + from->used;
    if (sum > MERGED_MAX)
        return false;
    if (to->capacity < sum) {
        to = block_resize(map, to, BLOCK_MAX);
        spine_set_leaf(left, to);
    }
    move_records(map, to, to->used, from, 0);
    to->used = (uint16_t)sum;
    spine_set_count(&map->blocks, left, sum);
    spine_remove(&map->blocks, right);
    block_free(map, from);
    return true;
}

bool id_map_remove(struct id_map *map, struct stream_id id)
{
    struct spine_place place;
    if (!spine_find(&map->blocks, begins, &id, &place))
        return false;
    struct block *block = block_at(&place);
    unsigned at = position(block, id, map->record_bytes);
    if (at == block->used || stream_id_compare(id_at(block, at, map->record_bytes), id) != 0)
        return false;
    block->used--;
    memmove(record_at(block, at, map->record_bytes), record_at(block, at + 1, map->record_bytes),
            (block->used - at) * map->record_bytes);
    spine_set_count(&map->blocks, &place, block->used);
    if (block->used == 0) {
        spine_remove(&map->blocks, &place);
        block_free(map, block);
    } else if (block->used < FEW) {
        struct spine_place other = place;
        if (!spine_next(&other) || !merge(map, &place, &other)) {
            other = place;
            if (spine_previous(&other))
                merge(map, &other, &place);
        }
    }
    return true;
}

static void *current(const struct id_walk *walk)
{
    return record_at(block_at(&walk->place), walk->at, walk->record_bytes);
}

void *id_map_seek(const struct id_map *map, struct stream_id from, struct id_walk *walk)
{
    walk->record_bytes = map->record_bytes;
    walk->at = 0;
    if (!spine_find(&map->blocks, begins, &from, &walk->place))
        return NULL;
    walk->at = position(block_at(&walk->place), from, map->record_bytes);
    if (walk->at < block_at(&walk->place)->used)
        return current(walk);
    walk->at--;
    return id_walk_next(walk);
}

void *id_walk_next(struct id_walk *walk)
{
    walk->at++;
    if (walk->at < block_at(&walk->place)->used)
        return current(walk);
    walk->at = 0;
    return spine_next(&walk->place) ? current(walk) : NULL;
}

size_t id_map_rank(const struct id_map *map, struct stream_id id)
{
    struct spine_place place;
    if (!spine_find(&map->blocks, begins, &id, &place))
        return 0;
    return spine_rank(&place) + position(block_at(&place), id, map->record_bytes);
}

void *id_map_last(const struct id_map *map)
{
    struct spine_place place;
    if (!spine_last(&map->blocks, &place))
        return NULL;
    return record_at(block_at(&place), block_at(&place)->used - 1u, map->record_bytes);
}

size_t id_map_memory(const struct id_map *map)
{
    return map->bytes + spine_memory(&map->blocks);
}

size_t id_map_free_some(struct id_map *map, size_t limit)
{
    size_t freed = 0;
    struct block *block;
    while (freed < limit && (block = spine_take(&map->blocks)) != NULL) {
        freed += block->used;
        block_free(map, block);
    }
    return freed;
}

void id_map_copy(struct id_map *map, const struct id_map *from)
{
    ASSERT(id_map_count(map) == 0 && map->record_bytes == from->record_bytes);
    struct spine_place place;
    for (bool more = spine_first(&from->blocks, &place); more; more = spine_next(&place)) {
        const struct block *old = block_at(&place);
        struct block *fresh = block_resize(map, NULL, old->capacity);
        move_records(map, fresh, 0, old, 0);
        fresh->used = old->used;
        spine_append(&map->blocks, fresh, fresh->used, NULL);
    }
}
