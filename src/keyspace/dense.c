/* A cell holds a position in its low bits, as many bits as the mask has, and the upper bits of the
 * hash in the others; all bits are inverted, so that an empty cell is zero and a new table needs no
 * filling. The low bits of the hash choose the cell. The stored hash bits exclude nearly every
 * wrong element without an access to it.
 *
 * When the table of a large dictionary changes its size, the old one stays for a while. Each
 * insertion and removal enters a few more elements into the new one. The old table is not
 * maintained meanwhile: an element that is removed or moves to another position leaves a cell
 * behind that tells nothing true any more. A search compares keys and so is not misled. What moves
 * is entered into the new table at once. */
#include "keyspace/dense.h"

#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    EMPTY = 0,
    CELLS_MIN = 4,
    CELLS_AT_ONCE = 1 << 15, /* a table of up to so many cells is filled in one go */
    MOVES = 4,               /* elements that an insertion or removal enters */
};

uint32_t dense_hash(struct span key, uint64_t seed)
{
    return (uint32_t)XXH3_64bits_withSeed(key.ptr, key.len, seed);
}

static uint32_t hash_of(const void *element)
{
    uint32_t hash;
    memcpy(&hash, element, sizeof(hash));
    return hash;
}

static uint32_t cell_for(uint32_t mask, uint32_t hash, uint32_t position)
{
    return ~((hash & ~mask) | position);
}

static uint32_t position_in(uint32_t cell, uint32_t mask)
{
    return ~cell & mask;
}

static size_t limit_of(size_t cells)
{
    return cells / 4 * 3;
}

static size_t cells_of(const struct dense *dense)
{
    return dense->index ? (size_t)dense->mask + 1 : 0;
}

/* The index. */

static void index_add(struct dense *dense, uint32_t position)
{
    uint32_t hash = hash_of(dense_at(dense, position));
    uint32_t at = hash & dense->mask;
    while (dense->index[at] != EMPTY)
        at = (at + 1) & dense->mask;
    dense->index[at] = cell_for(dense->mask, hash, position);
}

/* The cell of the element at a position. False: it is not in the new table yet. */
static bool find_cell(const struct dense *dense, uint32_t position, uint32_t *at)
{
    uint32_t hash = hash_of(dense_at(dense, position));
    uint32_t wanted = cell_for(dense->mask, hash, position);
    *at = hash & dense->mask;
    while (dense->index[*at] != wanted) {
        if (dense->index[*at] == EMPTY)
            return false;
        *at = (*at + 1) & dense->mask;
    }
    return true;
}

/* Closes the gap: cells behind it move up as far as their hash allows. There are no tombstones, so
 * a removed element does not lengthen later searches. */
static void index_remove(struct dense *dense, uint32_t position)
{
    uint32_t hole;
    if (!find_cell(dense, position, &hole))
        return;
    uint32_t *index = dense->index;
    uint32_t mask = dense->mask;
    for (uint32_t at = (hole + 1) & mask; index[at] != EMPTY; at = (at + 1) & mask) {
        uint32_t home = hash_of(dense_at(dense, position_in(index[at], mask))) & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        index[hole] = index[at];
        hole = at;
    }
    index[hole] = EMPTY;
}

/* The element moves to a lower position, where nobody is. */
static void move(struct dense *dense, uint32_t from, uint32_t to)
{
    uint32_t at;
    bool entered = find_cell(dense, from, &at);
    void *element = dense_at(dense, from);
    *row_slot(&dense->elements, to) = element;
    if (entered)
        dense->index[at] = cell_for(dense->mask, hash_of(element), to);
    else
        index_add(dense, to);
}

static void move_on(struct dense *dense, size_t most)
{
    if (!dense->old_index)
        return;
    uint32_t at;
    for (; most > 0 && dense->moved < dense->elements.count; most--, dense->moved++)
        if (!find_cell(dense, dense->moved, &at))
            index_add(dense, dense->moved);
    if (dense->moved < dense->elements.count)
        return;
    mem_free(dense->old_index);
    dense->old_index = NULL;
}

static void resize_index(struct dense *dense, size_t cells)
{
    move_on(dense, SIZE_MAX);
    dense->old_index = dense->index;
    dense->old_mask = dense->mask;
    dense->index = mem_zalloc(cells * sizeof(uint32_t));
    dense->mask = (uint32_t)(cells - 1);
    dense->moved = 0;
    move_on(dense, cells <= CELLS_AT_ONCE ? SIZE_MAX : MOVES);
}

void dense_reserve(struct dense *dense, size_t more)
{
    size_t count = dense->elements.count + more;
    if (more > DENSE_COUNT_MAX || count > DENSE_COUNT_MAX)
        FATAL("too many elements in one collection");
    row_reserve(&dense->elements, more);
    size_t cells = dense->index ? cells_of(dense) : CELLS_MIN;
    while (limit_of(cells) < count)
        cells *= 2;
    if (cells > cells_of(dense))
        resize_index(dense, cells);
}

static void shrink(struct dense *dense)
{
    size_t cells = cells_of(dense);
    if (cells > CELLS_MIN && dense->elements.count <= cells / 8)
        resize_index(dense, cells / 4 < CELLS_MIN ? CELLS_MIN : cells / 4);
}

static void close(struct dense *dense)
{
    row_close(&dense->elements);
    mem_free(dense->index);
    mem_free(dense->old_index);
    *dense = (struct dense){0};
}

/* Elements. */

struct search {
    struct span key;
    uint32_t hash;
    dense_key *key_of;
};

static void *search_table(const struct dense *dense, const uint32_t *index, uint32_t mask,
                          const struct search *search)
{
    uint32_t hash = search->hash;
    for (uint32_t at = hash & mask; index[at] != EMPTY; at = (at + 1) & mask) {
        if ((~index[at] ^ hash) & ~mask)
            continue;
        uint32_t position = position_in(index[at], mask);
        if (position >= dense->elements.count) /* a cell of the old table may lie */
            continue;
        void *element = dense_at(dense, position);
        if (span_equal(search->key_of(element), search->key))
            return element;
    }
    return NULL;
}

void *dense_find(const struct dense *dense, struct span key, uint32_t hash, dense_key *key_of)
{
    if (dense->elements.count == 0)
        return NULL;
    struct search search = {key, hash, key_of};
    void *element = search_table(dense, dense->index, dense->mask, &search);
    if (!element && dense->old_index)
        element = search_table(dense, dense->old_index, dense->old_mask, &search);
    return element;
}

/* Only a true cell leads to the element itself. */
static bool find_position(const struct dense *dense, const void *element, bool old,
                          size_t *position)
{
    const uint32_t *index = old ? dense->old_index : dense->index;
    uint32_t mask = old ? dense->old_mask : dense->mask;
    uint32_t hash = hash_of(element);
    for (uint32_t at = hash & mask; index[at] != EMPTY; at = (at + 1) & mask) {
        *position = position_in(index[at], mask);
        if (*position < dense->elements.count && dense_at(dense, *position) == element)
            return true;
    }
    return false;
}

size_t dense_position(const struct dense *dense, const void *element)
{
    size_t position = 0;
    bool found = find_position(dense, element, false, &position) ||
                 (dense->old_index && find_position(dense, element, true, &position));
    ASSERT(found);
    return position;
}

void dense_insert(struct dense *dense, void *element)
{
    if (dense->elements.count == limit_of(cells_of(dense)))
        dense_reserve(dense, 1);
    row_push(&dense->elements, element);
    index_add(dense, dense->elements.count - 1);
    move_on(dense, MOVES);
}

void dense_remove(struct dense *dense, size_t position)
{
    ASSERT(position < dense->elements.count);
    uint32_t hole = (uint32_t)position;
    uint32_t last = dense->elements.count - 1;
    bool keep_order = dense->elements.count <= DENSE_SHIFT_MAX;
    if (last == 0) {
        close(dense);
        return;
    }
    index_remove(dense, hole);
    if (keep_order)
        for (; hole < last; hole++)
            move(dense, hole + 1, hole);
    else if (hole < last)
        move(dense, last, hole);
    row_pop(&dense->elements);
    move_on(dense, MOVES);
    shrink(dense);
}

void dense_replace(struct dense *dense, size_t position, void *fresh)
{
    ASSERT(hash_of(dense_at(dense, position)) == hash_of(fresh));
    *row_slot(&dense->elements, position) = fresh;
}

size_t dense_free_some(struct dense *dense, size_t limit, void (*free_element)(void *element))
{
    size_t freed = 0;
    for (; freed < limit && dense->elements.count; freed++)
        free_element(*row_slot(&dense->elements, --dense->elements.count));
    if (dense->elements.count == 0)
        close(dense);
    return freed;
}

size_t dense_memory(const struct dense *dense)
{
    size_t bytes = row_memory(&dense->elements) + mem_footprint(cells_of(dense) * sizeof(uint32_t));
    if (dense->old_index)
        bytes += mem_footprint(((size_t)dense->old_mask + 1) * sizeof(uint32_t));
    return bytes;
}

uint64_t dense_scan(const struct dense *dense, uint64_t cursor, size_t count,
                    void (*visit)(void *context, void *element), void *context)
{
    if (cursor == 0 || cursor > dense->elements.count)
        cursor = dense->elements.count;
    for (; cursor > 0 && count > 0; count--)
        visit(context, dense_at(dense, --cursor));
    return cursor;
}
