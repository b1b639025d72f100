/* A dictionary of elements in a dense array, with an open-addressing index table of 32-bit cells.
 * Private to keyspace/. Zero-initialised is empty and takes no memory.
 *
 * An element is an allocation of its owner whose first four bytes are the hash of its key. The key
 * is told by a function of the owner. Positions depend only on the calls made; the hash decides
 * only where a cell is in the index table.
 *
 * Elements stand in the order of their insertion. Up to DENSE_SHIFT_MAX elements a removal keeps
 * the order of the others. From a larger dictionary the last element moves into the hole.
 *
 * A large dictionary grows and shrinks its index table bit by bit, with each insertion and removal.
 */
#ifndef FLOTILLA_KEYSPACE_DENSE_H
#define FLOTILLA_KEYSPACE_DENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "keyspace/row.h"
#include "keyspace/value.h"

/* The rule for removals of every collection that is kept in order of insertion, in every form. */
enum { DENSE_SHIFT_MAX = VALUE_ORDER_KEPT };

/* No dictionary holds more elements; one more would end the process. */
#define DENSE_COUNT_MAX ((size_t)3 << 29)

struct dense {
    struct row elements;
    uint32_t *index;     /* where each element is */
    uint32_t *old_index; /* the one before, while elements move to `index`; NULL: they have */
    uint32_t mask;       /* number of cells of `index` - 1 */
    uint32_t old_mask;
    uint32_t moved; /* all elements before this position are in `index` */
};

typedef struct span dense_key(const void *element);

/* The hash of a key. It goes into the first four bytes of its element. */
uint32_t dense_hash(struct span key, uint64_t seed);

static inline size_t dense_count(const struct dense *dense)
{
    return dense->elements.count;
}

static inline void *dense_at(const struct dense *dense, size_t position)
{
    return *row_slot(&dense->elements, position);
}

void *dense_find(const struct dense *dense, struct span key, uint32_t hash, dense_key *key_of);
size_t dense_position(const struct dense *dense, const void *element);
void dense_insert(struct dense *dense, void *element);   /* its key is absent */
void dense_remove(struct dense *dense, size_t position); /* the caller then owns the element */
/* `fresh` takes the place of the element there. Both have the same key and the same hash. */
void dense_replace(struct dense *dense, size_t position, void *fresh);

/* Makes room for `more` elements at once. */
void dense_reserve(struct dense *dense, size_t more);

/* Frees up to `limit` elements, the last ones first; returns how many. After the first call only
 * this function may be called. With the last element everything is freed. */
size_t dense_free_some(struct dense *dense, size_t limit, void (*free_element)(void *element));

/* What the array and the index take, without the elements. */
size_t dense_memory(const struct dense *dense);

/* SCAN: visits up to `count` elements by descending position. Cursor 0 starts; returns the next
 * cursor, 0 at the end. An element that is present from the first call to the last is visited at
 * least once, because removals move elements only to lower positions. */
uint64_t dense_scan(const struct dense *dense, uint64_t cursor, size_t count,
                    void (*visit)(void *context, void *element), void *context);

#endif
