/* Walking and searching. */
#include "base/mem.h"
#include "keyspace/spine_node.h"

static bool stand_at(struct spine_place *place, struct spine_node *node, unsigned index)
{
    *place = (struct spine_place){node, index, node->entries[index].down};
    return true;
}

static bool stand_nowhere(struct spine_place *place)
{
    *place = (struct spine_place){0};
    return false;
}

/* Goes down to the first leaf, or to the last one. */
static bool descend(struct spine_node *node, bool to_last, struct spine_place *place)
{
    for (;;) {
        unsigned index = to_last ? node->used - 1u : 0;
        if (!node->is_inner)
            return stand_at(place, node, index);
        node = node->entries[index].down;
    }
}

bool spine_first(const struct spine *spine, struct spine_place *place)
{
    return spine->root ? descend(spine->root, false, place) : stand_nowhere(place);
}

bool spine_last(const struct spine *spine, struct spine_place *place)
{
    return spine->root ? descend(spine->root, true, place) : stand_nowhere(place);
}

bool spine_next(struct spine_place *place)
{
    struct spine_node *node = place->node;
    if (place->index + 1 < node->used)
        return stand_at(place, node, place->index + 1);
    while (node->parent && node->slot + 1 == node->parent->used)
        node = node->parent;
    if (!node->parent)
        return stand_nowhere(place);
    return descend(node->parent->entries[node->slot + 1].down, false, place);
}

bool spine_previous(struct spine_place *place)
{
    struct spine_node *node = place->node;
    if (place->index > 0)
        return stand_at(place, node, place->index - 1);
    while (node->parent && node->slot == 0)
        node = node->parent;
    if (!node->parent)
        return stand_nowhere(place);
    return descend(node->parent->entries[node->slot - 1].down, true, place);
}

bool spine_at_rank(const struct spine *spine, size_t rank, struct spine_place *place,
                   size_t *offset)
{
    if (rank >= spine->count)
        return stand_nowhere(place);
    struct spine_node *node = spine->root;
    for (;;) {
        unsigned index = 0;
        while (rank >= node->entries[index].count)
            rank -= node->entries[index++].count;
        if (!node->is_inner) {
            *offset = rank;
            return stand_at(place, node, index);
        }
        node = node->entries[index].down;
    }
}

bool spine_find(const struct spine *spine, spine_begins *begins, const void *sought,
                struct spine_place *place)
{
    if (!spine->root)
        return stand_nowhere(place);
    struct spine_node *node = spine->root;
    for (;;) {
        unsigned low = 0, high = node->used;
        while (high - low > 1) {
            unsigned middle = (low + high) / 2;
            if (begins(sought, node->entries[middle].first))
                low = middle;
            else
                high = middle;
        }
        if (!node->is_inner)
            return stand_at(place, node, low);
        node = node->entries[low].down;
    }
}

static size_t nodes_below(const struct spine_node *node)
{
    if (!node->is_inner)
        return 0;
    size_t count = node->used;
    const struct spine_node *first = node->entries[0].down;
    for (unsigned i = 0; first->is_inner && i < node->used; i++)
        count += nodes_below(node->entries[i].down);
    return count;
}

size_t spine_memory(const struct spine *spine)
{
    if (!spine->root)
        return 0;
    return mem_footprint(node_bytes(spine->root->capacity)) +
           nodes_below(spine->root) * mem_footprint(node_bytes(FANOUT));
}

size_t spine_rank(const struct spine_place *place)
{
    const struct spine_node *node = place->node;
    size_t rank = sum_of(node, 0, place->index);
    for (; node->parent; node = node->parent)
        rank += sum_of(node->parent, 0, node->slot);
    return rank;
}

size_t spine_leaf_count(const struct spine_place *place)
{
    return place->node->entries[place->index].count;
}

struct census {
    size_t leaves, bytes;
    unsigned depth; /* of the bottom nodes; 0: not known yet */
};

static bool node_is_sound(const struct spine_node *node, unsigned depth, struct census *census)
{
    bool at_end = is_first_of_level(node) || is_last_of_level(node);
    if (node->used == 0 || node->used > node->capacity || (!at_end && node->used < FILL_MIN) ||
        (node->parent && node->capacity != FANOUT))
        return false;
    census->bytes += mem_footprint(node_bytes(node->capacity));
    if (!node->is_inner) {
        census->leaves += node->used;
        if (census->depth == 0)
            census->depth = depth;
        for (unsigned i = 0; i < node->used; i++) {
            if (node->entries[i].down != node->entries[i].first)
                return false;
        }
        return depth == census->depth;
    }
    for (unsigned i = 0; i < node->used; i++) {
        const struct entry *entry = &node->entries[i];
        const struct spine_node *child = entry->down;
        if (child->parent != node || child->slot != i || entry->first != child->entries[0].first ||
            entry->count != sum_of(child, 0, child->used) ||
            !node_is_sound(child, depth + 1, census))
            return false;
    }
    return true;
}

bool spine_is_sound(const struct spine *spine)
{
    const struct spine_node *root = spine->root;
    if (!root)
        return spine->count == 0 && spine->leaves == 0;
    struct census census = {0};
    return !root->parent && !(root->is_inner && root->used < 2) &&
           node_is_sound(root, 1, &census) && sum_of(root, 0, root->used) == spine->count &&
           census.leaves == spine->leaves && census.bytes == spine_memory(spine);
}
