/* The items of one slot: a dense array in insertion order, with an open-addressing index table.
 * Private to keyspace/. Zero-initialised is empty and takes no memory.
 *
 * Removing an item moves the last item into its position. Positions therefore depend only on the
 * calls; the hash decides only where a cell is in the index table. */
#ifndef FLOTILLA_KEYSPACE_DICT_H
#define FLOTILLA_KEYSPACE_DICT_H

#include "keyspace/item.h"

struct dict {
    void *table; /* the index table, then the items */
    uint32_t count;
    uint32_t mask; /* number of index cells - 1; 0: nothing is allocated */
};

/* A hash is item_hash_of() of the key. Functions that move items compute it anew, with the seed: to
 * store it would cost four bytes for each key. */

/* Frees up to `limit` items and elements of items, the last ones first; true when nothing is left.
 * After the first call only this function may be called. Freeing the last item closes the dict. */
bool dict_free_some(struct dict *dict, size_t *limit);
struct item *dict_at(const struct dict *dict, size_t position);
struct item *dict_find(const struct dict *dict, struct span key, uint32_t hash);
/* The steps of a search, for many keys side by side: each fetches to the processor's cache what the
 * next one reads. A position may be that of another key; DICT_NOWHERE: there is none. */
#define DICT_NOWHERE UINT32_MAX
void dict_fetch_cell(const struct dict *dict, uint32_t hash);
uint32_t dict_fetch_pointer(const struct dict *dict, uint32_t hash);
void dict_fetch_item(const struct dict *dict, uint32_t position);
/* The item's key is absent. */
void dict_insert(struct dict *dict, struct item *item, uint32_t hash, uint64_t seed);
/* The caller then owns the item. */
void dict_remove(struct dict *dict, const struct item *item, uint32_t hash, uint64_t seed);
/* `fresh` takes the position of `old`. Both have the same key. `old` may be freed already. */
void dict_replace(struct dict *dict, const struct item *old, struct item *fresh, uint32_t hash);

#endif
