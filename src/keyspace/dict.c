/* A cell holds a position in its low bits, as many bits as the mask has, and the upper bits of the
 * hash in the others. The low bits of the hash choose the cell. With the few items of a usual slot,
 * the stored hash bits exclude nearly every wrong item without an access to it.
 *
 * The index table stands before the items, which then can grow in their place. A slot of a million
 * keys has about 60 items: its cells have 16 bits, and the items grow by what the allocator gives.
 * An item costs 13 bytes beside its own then, in place of 21. */
#include "keyspace/dict.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    CELLS_MIN = 4,
    NARROW_MAX = 1024, /* a table of up to so many cells has cells of 16 bits */
    HASHED_AHEAD = 16, /* items whose keys are fetched before they are hashed */
};
#define CELLS_MAX ((size_t)1 << 31)

/* No cell has this value: positions stay below the mask. */
#define EMPTY        UINT32_MAX
#define EMPTY_NARROW UINT16_MAX

static size_t limit_of(size_t cells)
{
    return cells / 4 * 3;
}

static size_t index_bytes(size_t cells)
{
    return cells * (cells <= NARROW_MAX ? sizeof(uint16_t) : sizeof(uint32_t));
}

/* So many items fit into an allocation for `count` of them, with what the allocator adds to it. The
 * array grows by that, and not with the table: half of the room of a table that has just doubled
 * would be for nobody. */
static size_t room_for(size_t cells, size_t count)
{
    size_t bytes = mem_footprint(index_bytes(cells) + count * sizeof(struct item *));
    size_t room = (bytes - index_bytes(cells)) / sizeof(struct item *);
    return room < limit_of(cells) ? room : limit_of(cells);
}

static size_t cells_of(const struct dict *dict)
{
    return dict->mask ? (size_t)dict->mask + 1 : 0;
}

static bool is_narrow(const struct dict *dict)
{
    return dict->mask < NARROW_MAX;
}

static struct item **items_of(const struct dict *dict)
{
    return (struct item **)(void *)((char *)dict->table + index_bytes((size_t)dict->mask + 1));
}

/* What the cell says: a position and bits of a hash, or EMPTY. */
static uint32_t cell_at(const struct dict *dict, uint32_t at)
{
    if (!is_narrow(dict))
        return ((const uint32_t *)dict->table)[at];
    uint16_t cell = ((const uint16_t *)dict->table)[at];
    return cell == EMPTY_NARROW ? EMPTY : cell;
}

static void set_cell(struct dict *dict, uint32_t at, uint32_t cell)
{
    if (is_narrow(dict))
        ((uint16_t *)dict->table)[at] = (uint16_t)cell;
    else
        ((uint32_t *)dict->table)[at] = cell;
}

static uint32_t cell_for(const struct dict *dict, uint32_t hash, uint32_t position)
{
    return (hash & ~dict->mask) | position;
}

static void index_add(struct dict *dict, uint32_t hash, uint32_t position)
{
    uint32_t at = hash & dict->mask;
    while (cell_at(dict, at) != EMPTY)
        at = (at + 1) & dict->mask;
    set_cell(dict, at, cell_for(dict, hash, position));
}

static void fetch(const struct item *item)
{
    __builtin_prefetch(item);
    __builtin_prefetch((const char *)item + 64); /* of a short item the rest */
}

static void resize(struct dict *dict, size_t cells, uint64_t seed)
{
    if (cells > CELLS_MAX)
        FATAL("too many keys in one slot");
    size_t room = room_for(cells, (size_t)dict->count + 1);
    ASSERT(room >= dict->count);
    struct dict fresh = {.table = mem_alloc(index_bytes(cells) + room * sizeof(struct item *)),
                         .count = dict->count,
                         .mask = (uint32_t)(cells - 1)};
    struct item **items = items_of(&fresh);
    if (dict->count)
        memcpy(items, items_of(dict), dict->count * sizeof(*items));
    memset(fresh.table, 0xff, index_bytes(cells));
    for (uint32_t i = 0; i < fresh.count && i < HASHED_AHEAD; i++)
        fetch(items[i]);
    for (uint32_t i = 0; i < fresh.count; i++) {
        if (fresh.count - i > HASHED_AHEAD)
            fetch(items[i + HASHED_AHEAD]);
        index_add(&fresh, item_hash_of(item_key_span(items[i]), seed), i);
    }
    mem_free(dict->table);
    *dict = fresh;
}

static void close(struct dict *dict)
{
    size_t limit = SIZE_MAX;
    bool done = dict_free_some(dict, &limit);
    ASSERT(done);
}

bool dict_free_some(struct dict *dict, size_t *limit)
{
    if (!dict->table)
        return true; /* most slots of a small keyspace: their memory is not touched */
    struct item **items = items_of(dict);
    while (*limit && dict->count && item_free_some(items[dict->count - 1], limit))
        dict->count--;
    if (dict->count)
        return false;
    mem_free(dict->table);
    *dict = (struct dict){0};
    return true;
}

struct item *dict_at(const struct dict *dict, size_t position)
{
    return items_of(dict)[position];
}

static bool is_of(const struct item *item, struct span key)
{
    return span_equal(item_key_span(item), key);
}

static struct item *find_narrow(const struct dict *dict, struct span key, uint32_t hash)
{
    const uint16_t *index = dict->table;
    struct item **items = items_of(dict);
    uint32_t mask = dict->mask;
    for (uint32_t at = hash & mask; index[at] != EMPTY_NARROW; at = (at + 1) & mask) {
        if ((index[at] ^ hash) & ~mask & UINT16_MAX)
            continue;
        struct item *item = items[index[at] & mask];
        if (is_of(item, key))
            return item;
    }
    return NULL;
}

struct item *dict_find(const struct dict *dict, struct span key, uint32_t hash)
{
    if (dict->count == 0)
        return NULL;
    if (is_narrow(dict))
        return find_narrow(dict, key, hash);
    const uint32_t *index = dict->table;
    struct item **items = items_of(dict);
    uint32_t mask = dict->mask;
    for (uint32_t at = hash & mask; index[at] != EMPTY; at = (at + 1) & mask) {
        if ((index[at] ^ hash) & ~mask)
            continue;
        struct item *item = items[index[at] & mask];
        if (is_of(item, key))
            return item;
    }
    return NULL;
}

void dict_fetch_cell(const struct dict *dict, uint32_t hash)
{
    size_t cell_bytes = is_narrow(dict) ? sizeof(uint16_t) : sizeof(uint32_t);
    if (dict->count)
        __builtin_prefetch((const char *)dict->table + (hash & dict->mask) * cell_bytes);
}

/* The position that a search looks at first, which may be that of another key. */
uint32_t dict_fetch_pointer(const struct dict *dict, uint32_t hash)
{
    if (dict->count == 0)
        return DICT_NOWHERE;
    uint32_t mask = dict->mask;
    uint32_t at = hash & mask;
    uint32_t bits = cell_for(dict, hash, 0) & (is_narrow(dict) ? UINT16_MAX : UINT32_MAX);
    while (cell_at(dict, at) != EMPTY && (cell_at(dict, at) & ~mask) != bits)
        at = (at + 1) & mask;
    if (cell_at(dict, at) == EMPTY) {
        __builtin_prefetch(&items_of(dict)[dict->count]); /* where its item would go */
        return DICT_NOWHERE;
    }
    uint32_t position = cell_at(dict, at) & mask;
    __builtin_prefetch(&items_of(dict)[position]);
    return position;
}

void dict_fetch_item(const struct dict *dict, uint32_t position)
{
    if (position == DICT_NOWHERE)
        return;
    fetch(items_of(dict)[position]);
}

/* Removals leave room behind; asking for it again costs nothing then. */
static void make_room(struct dict *dict, uint64_t seed)
{
    size_t cells = cells_of(dict);
    if (dict->count == limit_of(cells)) {
        resize(dict, cells ? cells * 2 : CELLS_MIN, seed);
        return;
    }
    if (dict->count != room_for(cells, dict->count))
        return;
    size_t room = room_for(cells, (size_t)dict->count + 1);
    dict->table = mem_realloc(dict->table, index_bytes(cells) + room * sizeof(struct item *));
}

void dict_insert(struct dict *dict, struct item *item, uint32_t hash, uint64_t seed)
{
    make_room(dict, seed);
    ASSERT(dict->count < limit_of(cells_of(dict))); /* a search ends at a free cell */
    items_of(dict)[dict->count] = item;
    index_add(dict, hash, dict->count);
    dict->count++;
}

static uint32_t cell_of(const struct dict *dict, const struct item *item, uint32_t hash)
{
    struct item **items = items_of(dict);
    uint32_t at = hash & dict->mask;
    while (items[cell_at(dict, at) & dict->mask] != item) {
        at = (at + 1) & dict->mask;
        ASSERT(cell_at(dict, at) != EMPTY);
    }
    return at;
}

static uint32_t position_in(const struct dict *dict, uint32_t at)
{
    return cell_at(dict, at) & dict->mask;
}

/* Removes a cell and closes the gap: cells after it move up as far as their hash allows. There are
 * no tombstones, so a removed key does not lengthen later searches. */
static void index_remove(struct dict *dict, uint32_t hole, uint64_t seed)
{
    struct item **items = items_of(dict);
    uint32_t mask = dict->mask;
    for (uint32_t at = (hole + 1) & mask; cell_at(dict, at) != EMPTY; at = (at + 1) & mask) {
        struct span key = item_key_span(items[position_in(dict, at)]);
        uint32_t home = item_hash_of(key, seed) & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        set_cell(dict, hole, cell_at(dict, at));
        hole = at;
    }
    set_cell(dict, hole, EMPTY);
}

void dict_remove(struct dict *dict, const struct item *item, uint32_t hash, uint64_t seed)
{
    struct item **items = items_of(dict);
    uint32_t cell = cell_of(dict, item, hash);
    uint32_t position = position_in(dict, cell);
    ASSERT(position < dict->count && items[position] == item);
    index_remove(dict, cell, seed);
    uint32_t last = dict->count - 1;
    if (position != last) {
        struct item *moved = items[last];
        uint32_t moved_hash = item_hash_of(item_key_span(moved), seed);
        set_cell(dict, cell_of(dict, moved, moved_hash), cell_for(dict, moved_hash, position));
        items[position] = moved;
    }
    dict->count--;
    if (dict->count == 0) {
        close(dict);
        return;
    }
    size_t cells = cells_of(dict);
    if (cells > CELLS_MIN && dict->count <= cells / 8)
        resize(dict, cells / 4 < CELLS_MIN ? CELLS_MIN : cells / 4, seed);
}

void dict_replace(struct dict *dict, const struct item *old, struct item *fresh, uint32_t hash)
{
    items_of(dict)[position_in(dict, cell_of(dict, old, hash))] = fresh;
}
