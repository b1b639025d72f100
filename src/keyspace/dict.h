/* One slot's items: a dense array in insertion order, found through a table of 32-bit cells with
 * open addressing. Private to keyspace/. Zero-initialised is empty and takes no memory.
 *
 * Removing moves the last item into the hole. Positions therefore depend on the calls alone; the
 * hash decides only where a cell stands. */
#ifndef FLOTILLA_KEYSPACE_DICT_H
#define FLOTILLA_KEYSPACE_DICT_H

#include "keyspace/item.h"

struct dict {
    struct item **items; /* followed by the index table, in the same allocation */
    uint32_t count;
    uint32_t mask; /* cells of the index table - 1; 0: nothing allocated */
};

void dict_close(struct dict *dict); /* frees the items, too */
/* Of its items, the last ones first; how many comes back. With the last one gone it is closed;
 * before that it is good for nothing else. */
size_t dict_free_some(struct dict *dict, size_t limit);
struct item *dict_find(const struct dict *dict, struct span key, uint32_t hash);
void dict_insert(struct dict *dict, struct item *item);       /* its key is not there */
void dict_remove(struct dict *dict, const struct item *item); /* the item is the caller's then */
/* `fresh` takes the position of `old`; they have the same key and the same hash. */
void dict_replace(struct dict *dict, const struct item *old, struct item *fresh);

#endif
