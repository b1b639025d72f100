/* The nodes of a spine. Private to spine*.c. */
#ifndef FLOTILLA_KEYSPACE_SPINE_NODE_H
#define FLOTILLA_KEYSPACE_SPINE_NODE_H

#include <stdint.h>

#include "keyspace/spine.h"

/* A node that is neither the first nor the last of its level has at least FILL_MIN entries. The
 * first and the last one may have fewer, because leaves that are added at an end fill the node
 * before.
 *
 * A root begins with 2 entries, for most spines have no more. It grows to 4, to 10 and then to 31:
 * the allocator wastes nothing of the first three, and 8 bytes of the last. */
enum { FANOUT = 31, FILL_MIN = 8, ROOT_MIN = 2 };

struct entry {
    void *down;  /* the leaf, or in an inner node the child */
    void *first; /* the first leaf below; the leaf itself in a bottom node */
    size_t count;
};

struct spine_node {
    struct spine_node *parent;
    uint16_t slot; /* the position of its own entry in the parent */
    uint8_t used;
    uint8_t capacity; /* less than FANOUT only in a root */
    bool is_inner;
    struct entry entries[];
};

static inline size_t node_bytes(unsigned capacity)
{
    return sizeof(struct spine_node) + capacity * sizeof(struct entry);
}

static inline size_t sum_of(const struct spine_node *node, unsigned from, unsigned to)
{
    size_t sum = 0;
    for (unsigned i = from; i < to; i++)
        sum += node->entries[i].count;
    return sum;
}

static inline bool is_first_of_level(const struct spine_node *node)
{
    while (node->parent && node->slot == 0)
        node = node->parent;
    return !node->parent;
}

static inline bool is_last_of_level(const struct spine_node *node)
{
    while (node->parent && node->slot == node->parent->used - 1)
        node = node->parent;
    return !node->parent;
}

#endif
