/* A cell holds a position in its low bits, as many bits as the mask has, and the upper bits of the
 * hash in the others. The low bits of the hash choose the cell. With the few items of a usual slot,
 * the stored hash bits exclude nearly every wrong item without an access to it. */
#include "keyspace/dict.h"

#include "base/assert.h"
#include "base/mem.h"

#define EMPTY UINT32_MAX /* no cell has this value: positions stay below the mask */

enum { CELLS_MIN = 4 };
#define CELLS_MAX ((size_t)1 << 31)

static size_t capacity_of(size_t cells)
{
    return cells / 4 * 3;
}

static uint32_t *index_of(const struct dict *dict)
{
    return (uint32_t *)(void *)(dict->items + capacity_of((size_t)dict->mask + 1));
}

static void index_add(struct dict *dict, uint32_t hash, uint32_t position)
{
    uint32_t *index = index_of(dict);
    uint32_t at = hash & dict->mask;
    while (index[at] != EMPTY)
        at = (at + 1) & dict->mask;
    index[at] = (hash & ~dict->mask) | position;
}

static void resize(struct dict *dict, size_t cells, uint64_t seed)
{
    if (cells > CELLS_MAX)
        FATAL("too many keys in one slot");
    size_t capacity = capacity_of(cells);
    ASSERT(capacity >= dict->count);
    struct item **items = mem_alloc(capacity * sizeof(*items) + cells * sizeof(uint32_t));
    if (dict->count)
        memcpy(items, dict->items, dict->count * sizeof(*items));
    mem_free(dict->items);
    dict->items = items;
    dict->mask = (uint32_t)(cells - 1);
    memset(index_of(dict), 0xff, cells * sizeof(uint32_t));
    for (uint32_t i = 0; i < dict->count; i++)
        index_add(dict, item_hash_of(item_key_span(items[i]), seed), i);
}

static void close(struct dict *dict)
{
    size_t limit = SIZE_MAX;
    bool done = dict_free_some(dict, &limit);
    ASSERT(done);
}

bool dict_free_some(struct dict *dict, size_t *limit)
{
    if (!dict->items)
        return true; /* most slots of a small keyspace: their memory is not touched */
    while (*limit && dict->count && item_free_some(dict->items[dict->count - 1], limit))
        dict->count--;
    if (dict->count)
        return false;
    mem_free(dict->items);
    *dict = (struct dict){0};
    return true;
}

struct item *dict_find(const struct dict *dict, struct span key, uint32_t hash)
{
    if (dict->count == 0)
        return NULL;
    const uint32_t *index = index_of(dict);
    uint32_t mask = dict->mask;
    for (uint32_t at = hash & mask; index[at] != EMPTY; at = (at + 1) & mask) {
        if ((index[at] ^ hash) & ~mask)
            continue;
        struct item *item = dict->items[index[at] & mask];
        if (span_equal(item_key_span(item), key))
            return item;
    }
    return NULL;
}

void dict_fetch_cell(const struct dict *dict, uint32_t hash)
{
    if (dict->count)
        __builtin_prefetch(&index_of(dict)[hash & dict->mask]);
}

/* A wrong cell of the same run costs a fetch in vain: they stand side by side. */
uint32_t dict_fetch_pointer(const struct dict *dict, uint32_t hash)
{
    if (dict->count == 0)
        return DICT_NOWHERE;
    const uint32_t *index = index_of(dict);
    uint32_t mask = dict->mask;
    uint32_t at = hash & mask;
    while (index[at] != EMPTY && (index[at] ^ hash) & ~mask)
        at = (at + 1) & mask;
    if (index[at] == EMPTY)
        return DICT_NOWHERE;
    __builtin_prefetch(&dict->items[index[at] & mask]);
    return index[at] & mask;
}

void dict_fetch_item(const struct dict *dict, uint32_t position)
{
    if (position == DICT_NOWHERE)
        return;
    __builtin_prefetch(dict->items[position]);
    __builtin_prefetch((const char *)dict->items[position] + 64); /* of a short item the rest */
}

void dict_insert(struct dict *dict, struct item *item, uint32_t hash, uint64_t seed)
{
    size_t cells = dict->mask ? (size_t)dict->mask + 1 : 0;
    if (dict->count == capacity_of(cells))
        resize(dict, cells ? cells * 2 : CELLS_MIN, seed);
    ASSERT(dict->count < capacity_of((size_t)dict->mask + 1)); /* a search ends at a free cell */
    dict->items[dict->count] = item;
    index_add(dict, hash, dict->count);
    dict->count++;
}

static uint32_t cell_of(const struct dict *dict, const struct item *item, uint32_t hash)
{
    const uint32_t *index = index_of(dict);
    uint32_t at = hash & dict->mask;
    while (dict->items[index[at] & dict->mask] != item) {
        at = (at + 1) & dict->mask;
        ASSERT(index[at] != EMPTY);
    }
    return at;
}

/* Removes a cell and closes the gap: cells after it move up as far as their hash allows. There are
 * no tombstones, so a removed key does not lengthen later searches. */
static void index_remove(struct dict *dict, uint32_t hole, uint64_t seed)
{
    uint32_t *index = index_of(dict);
    uint32_t mask = dict->mask;
    for (uint32_t at = (hole + 1) & mask; index[at] != EMPTY; at = (at + 1) & mask) {
        struct span key = item_key_span(dict->items[index[at] & mask]);
        uint32_t home = item_hash_of(key, seed) & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        index[hole] = index[at];
        hole = at;
    }
    index[hole] = EMPTY;
}

void dict_remove(struct dict *dict, const struct item *item, uint64_t seed)
{
    uint32_t cell = cell_of(dict, item, item_hash_of(item_key_span(item), seed));
    uint32_t position = index_of(dict)[cell] & dict->mask;
    ASSERT(position < dict->count && dict->items[position] == item);
    index_remove(dict, cell, seed);
    uint32_t last = dict->count - 1;
    if (position != last) {
        struct item *moved = dict->items[last];
        uint32_t hash = item_hash_of(item_key_span(moved), seed);
        index_of(dict)[cell_of(dict, moved, hash)] = (hash & ~dict->mask) | position;
        dict->items[position] = moved;
    }
    dict->count--;
    if (dict->count == 0) {
        close(dict);
        return;
    }
    size_t cells = (size_t)dict->mask + 1;
    if (cells > CELLS_MIN && dict->count <= cells / 8)
        resize(dict, cells / 4 < CELLS_MIN ? CELLS_MIN : cells / 4, seed);
}

void dict_replace(struct dict *dict, const struct item *old, struct item *fresh, uint32_t hash)
{
    dict->items[index_of(dict)[cell_of(dict, old, hash)] & dict->mask] = fresh;
}
