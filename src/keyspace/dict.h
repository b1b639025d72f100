/* The items of one slot: a dense array in insertion order, with an open-addressing index table of
 * 32-bit cells. Private to keyspace/. Zero-initialised is empty and takes no memory.
 *
 * Removing an item moves the last item into its position. Positions therefore depend only on the
 * calls; the hash decides only where a cell is in the index table. */
#ifndef FLOTILLA_KEYSPACE_DICT_H
#define FLOTILLA_KEYSPACE_DICT_H

#include "keyspace/item.h"

struct dict {
    struct item **items; /* the index table follows, in the same allocation */
    uint32_t count;
    uint32_t mask; /* number of index cells - 1; 0: nothing is allocated */
};

void dict_close(struct dict *dict); /* frees the items too */
/* Frees up to `limit` items, the last ones first, and returns how many. After the first call only
 * this function may be called. Freeing the last item closes the dict. */
size_t dict_free_some(struct dict *dict, size_t limit);
struct item *dict_find(const struct dict *dict, struct span key, uint32_t hash);
void dict_insert(struct dict *dict, struct item *item);       /* its key is absent */
void dict_remove(struct dict *dict, const struct item *item); /* the caller then owns the item */
/* `fresh` takes the position of `old`. Both have the same key and the same hash. */
void dict_replace(struct dict *dict, const struct item *old, struct item *fresh);

#endif
