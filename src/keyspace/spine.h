/* A sequence of leaves in a B-tree that counts: it finds the leaf that holds the n-th element, and
 * tells how many elements are before a leaf, both in O(log n). Private to keyspace/.
 * Zero-initialised is empty and takes no memory.
 *
 * A leaf is a pointer that the user owns, with a number of elements. The spine never looks into
 * one. So a list hangs up packed pieces, a sorted set arrays of pointers, a stream its nodes:
 *
 *     inner node:      [ leaf A.., 7 elements | leaf D.., 6 elements ]
 *                              |                      |
 *     bottom nodes:    [ A, 3 | B, 2 | C, 2 ]   [ D, 5 | E, 1 ]
 *
 * An inner node also stores the first leaf below each child, so that a search compares leaves
 * without going down to them. The shape depends only on the calls, in their order. Leaves that are
 * added at an end fill the nodes completely.
 *
 *     struct spine_place place;
 *     for (bool more = spine_first(&spine, &place); more; more = spine_next(&place))
 *         use(place.leaf);
 *
 * A place stays valid until the spine is changed. A function that changes the spine updates the
 * place that it is given; all others become invalid. */
#ifndef FLOTILLA_KEYSPACE_SPINE_H
#define FLOTILLA_KEYSPACE_SPINE_H

#include <stdbool.h>
#include <stddef.h>

struct spine_node;

struct spine {
    struct spine_node *root;
    size_t count;  /* elements */
    size_t leaves; /* number of leaves */
};

/* Where a leaf is. */
struct spine_place {
    struct spine_node *node;
    unsigned index;
    void *leaf; /* NULL: no leaf */
};

/* These return false, and a place without a leaf, if there is none. */
bool spine_first(const struct spine *spine, struct spine_place *place);
bool spine_last(const struct spine *spine, struct spine_place *place);
bool spine_next(struct spine_place *place);
bool spine_previous(struct spine_place *place);

/* Finds the leaf that holds the element of this rank (0: the first one), and how many elements of
 * that leaf come before it. False if there are not so many elements. */
bool spine_at_rank(const struct spine *spine, size_t rank, struct spine_place *place,
                   size_t *offset);

/* Does the leaf begin at or before what is sought? It has to be true of some first leaves and false
 * of all others. */
typedef bool spine_begins(const void *sought, const void *leaf);

/* Finds the last leaf for which `begins` is true, or the first leaf if it is true for none. False
 * only if there is no leaf at all. O(log n) calls of `begins`. */
bool spine_find(const struct spine *spine, spine_begins *begins, const void *sought,
                struct spine_place *place);

/* What the nodes take, without the leaves. Looks at the inner nodes only. */
size_t spine_memory(const struct spine *spine);

size_t spine_rank(const struct spine_place *place);       /* elements before this leaf */
size_t spine_leaf_count(const struct spine_place *place); /* elements of this leaf */

/* Adds a leaf; `place`, unless NULL, becomes its place. It may be without elements. */
void spine_prepend(struct spine *spine, void *leaf, size_t count, struct spine_place *place);
void spine_append(struct spine *spine, void *leaf, size_t count, struct spine_place *place);
/* The same before or after the leaf at `place`, which becomes the new leaf's. */
void spine_insert_before(struct spine *spine, struct spine_place *place, void *leaf, size_t count);
void spine_insert_after(struct spine *spine, struct spine_place *place, void *leaf, size_t count);

/* Takes the leaf out; its user frees it. `place` becomes that of the next leaf. False if there is
 * no next one. */
bool spine_remove(struct spine *spine, struct spine_place *place);

void spine_set_count(struct spine *spine, const struct spine_place *place, size_t count);
/* The same leaf has got another address. */
void spine_set_leaf(struct spine_place *place, void *leaf);

/* Takes out one leaf and returns it; NULL if none is left, and then the spine has no memory. For
 * freeing in pieces: after the first call only this function may be called until it returns
 * NULL. */
void *spine_take(struct spine *spine);

/* Walks over everything. False if links, sums or the filling of nodes are wrong. For tests. */
bool spine_is_sound(const struct spine *spine);

#endif
