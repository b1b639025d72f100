#include "keyspace/spine_node.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static struct spine_node *node_new(bool is_inner, unsigned capacity)
{
    struct spine_node *node = mem_alloc(node_bytes(capacity));
    *node = (struct spine_node){.is_inner = is_inner, .capacity = (uint8_t)capacity};
    return node;
}

/* The children from `from` on have moved within their parent, or to it. */
static void adopt(struct spine_node *node, unsigned from)
{
    if (!node->is_inner)
        return;
    for (unsigned i = from; i < node->used; i++) {
        struct spine_node *child = node->entries[i].down;
        child->parent = node;
        child->slot = (uint16_t)i;
    }
}

static unsigned next_capacity(unsigned capacity)
{
    return capacity == ROOT_MIN ? 4 : capacity == 4 ? 10 : FANOUT;
}

static struct spine_node *grow_root(struct spine *spine, struct spine_node *node)
{
    ASSERT(!node->parent);
    unsigned capacity = next_capacity(node->capacity);
    node = mem_realloc(node, node_bytes(capacity));
    node->capacity = (uint8_t)capacity;
    adopt(node, 0);
    spine->root = node;
    return node;
}

/* Unsigned arithmetic wraps, so `more` may be a negative number. */
static void add_to_count(struct spine *spine, struct spine_node *node, size_t more)
{
    for (; node->parent; node = node->parent)
        node->parent->entries[node->slot].count += more;
    spine->count += more;
}

/* So many elements are not below one node but below another one of its level. */
static void move_count(struct spine *spine, struct spine_node *from, struct spine_node *to,
                       size_t count)
{
    add_to_count(spine, from, 0 - count);
    add_to_count(spine, to, count);
}

/* The first entry of the node has changed. */
static void first_changed(struct spine_node *node)
{
    for (; node->parent; node = node->parent) {
        node->parent->entries[node->slot].first = node->entries[0].first;
        if (node->slot != 0)
            return;
    }
}

static struct spine_node *put_entry(struct spine *spine, struct spine_node *node, unsigned *index,
                                    struct entry entry);

static void new_root_above(struct spine *spine, struct spine_node *node)
{
    struct spine_node *root = node_new(true, ROOT_MIN);
    root->entries[0] = (struct entry){node, node->entries[0].first, spine->count};
    root->used = 1;
    adopt(root, 0);
    spine->root = root;
}

/* Makes a sibling after the node, which takes the entries from `keep` on. An entry that is about to
 * be added with count 0 may become the first of either: the caller calls first_changed(). */
static struct spine_node *split(struct spine *spine, struct spine_node *node, unsigned keep)
{
    if (!node->parent)
        new_root_above(spine, node);
    struct spine_node *fresh = node_new(node->is_inner, FANOUT);
    fresh->used = (uint8_t)(node->used - keep);
    memcpy(fresh->entries, node->entries + keep, fresh->used * sizeof(struct entry));
    node->used = (uint8_t)keep;
    adopt(fresh, 0);
    size_t moved = sum_of(fresh, 0, fresh->used);
    node->parent->entries[node->slot].count -= moved;
    unsigned index = node->slot + 1u;
    struct entry entry = {fresh, fresh->used ? fresh->entries[0].first : NULL, moved};
    put_entry(spine, node->parent, &index, entry);
    return fresh;
}

/* Adds an entry to the node or, if that is full, to a half of it. Returns in which node it is, and
 * where. The counts above already include the new entry's elements, in the entry before it. */
static struct spine_node *put_entry(struct spine *spine, struct spine_node *node, unsigned *index,
                                    struct entry entry)
{
    if (node->used == FANOUT) {
        unsigned keep = FANOUT / 2;
        if (*index == FANOUT && is_last_of_level(node))
            keep = FANOUT;
        else if (*index == 0 && is_first_of_level(node))
            keep = 0;
        struct spine_node *fresh = split(spine, node, keep);
        if (*index > keep || keep == FANOUT) {
            move_count(spine, node, fresh, entry.count);
            node = fresh;
            *index -= keep;
        }
    } else if (node->used == node->capacity) {
        node = grow_root(spine, node);
    }
    struct entry *at = node->entries + *index;
    memmove(at + 1, at, (node->used - *index) * sizeof(*at));
    *at = entry;
    node->used++;
    adopt(node, *index);
    if (*index == 0)
        first_changed(node);
    return node;
}

static void put_leaf(struct spine *spine, struct spine_place *place, void *leaf, size_t count)
{
    struct entry entry = {leaf, leaf, 0};
    place->node = put_entry(spine, place->node, &place->index, entry);
    place->leaf = leaf;
    spine->leaves++;
    spine_set_count(spine, place, count);
}

void spine_insert_before(struct spine *spine, struct spine_place *place, void *leaf, size_t count)
{
    ASSERT(place->leaf && leaf);
    put_leaf(spine, place, leaf, count);
}

void spine_insert_after(struct spine *spine, struct spine_place *place, void *leaf, size_t count)
{
    ASSERT(place->leaf && leaf);
    place->index++;
    put_leaf(spine, place, leaf, count);
}

static void put_at_end(struct spine *spine, struct spine_place *place, void *leaf, size_t count)
{
    if (!place->leaf) {
        spine->root = node_new(false, ROOT_MIN);
        *place = (struct spine_place){.node = spine->root};
    }
    put_leaf(spine, place, leaf, count);
}

void spine_prepend(struct spine *spine, void *leaf, size_t count, struct spine_place *place)
{
    ASSERT(leaf);
    struct spine_place end;
    spine_first(spine, &end);
    put_at_end(spine, &end, leaf, count);
    if (place)
        *place = end;
}

void spine_append(struct spine *spine, void *leaf, size_t count, struct spine_place *place)
{
    ASSERT(leaf);
    struct spine_place end;
    if (spine_last(spine, &end))
        end.index++;
    put_at_end(spine, &end, leaf, count);
    if (place)
        *place = end;
}

/* Moves `count` entries from position `from` of one node to position `to` of another. `place` goes
 * along with its leaf. */
struct transfer {
    struct spine_node *source, *target;
    unsigned from, to, count;
};

static void follow(struct spine_place *place, const struct transfer *transfer)
{
    if (place->node == transfer->source && place->index >= transfer->from) {
        if (place->index < transfer->from + transfer->count) {
            place->node = transfer->target;
            place->index += transfer->to - transfer->from;
        } else {
            place->index -= transfer->count;
        }
    } else if (place->node == transfer->target && place->index >= transfer->to) {
        place->index += transfer->count;
    }
}

static void move_entries(const struct transfer *transfer, struct spine_place *place)
{
    struct spine_node *source = transfer->source, *target = transfer->target;
    unsigned from = transfer->from, to = transfer->to, count = transfer->count;
    memmove(target->entries + to + count, target->entries + to,
            (target->used - to) * sizeof(struct entry));
    memcpy(target->entries + to, source->entries + from, count * sizeof(struct entry));
    memmove(source->entries + from, source->entries + from + count,
            (source->used - from - count) * sizeof(struct entry));
    target->used = (uint8_t)(target->used + count);
    source->used = (uint8_t)(source->used - count);
    adopt(target, to);
    adopt(source, from);
    follow(place, transfer);
}

static void even_out(struct spine_node *left, struct spine_node *right, struct spine_place *place)
{
    unsigned half = (left->used + right->used) / 2u;
    struct transfer transfer;
    if (left->used > half)
        transfer = (struct transfer){left, right, half, 0, left->used - half};
    else
        transfer = (struct transfer){right, left, 0, left->used, half - left->used};
    move_entries(&transfer, place);
    struct entry *entries = left->parent->entries;
    entries[left->slot].count = sum_of(left, 0, left->used);
    entries[right->slot].count = sum_of(right, 0, right->used);
    entries[right->slot].first = right->entries[0].first;
}

static void drop_entry(struct spine *spine, struct spine_node *node, unsigned index,
                       struct spine_place *place);

/* A node with few entries shares those of a sibling, or the two become one. At the ends of a level
 * there may be no sibling under the same parent. */
static void balance(struct spine *spine, struct spine_node *node, struct spine_place *place)
{
    struct spine_node *parent = node->parent;
    if (parent->used < 2)
        return;
    unsigned slot = node->slot > 0 ? node->slot - 1u : 0;
    struct spine_node *left = parent->entries[slot].down;
    struct spine_node *right = parent->entries[slot + 1].down;
    if (left->used + right->used > FANOUT) {
        even_out(left, right, place);
        return;
    }
    struct transfer transfer = {right, left, 0, left->used, right->used};
    move_entries(&transfer, place);
    parent->entries[slot].count += parent->entries[slot + 1].count;
    mem_free(right);
    drop_entry(spine, parent, slot + 1, place);
}

/* The counts above stay as they are. `place` goes along with its leaf. */
static void drop_entry(struct spine *spine, struct spine_node *node, unsigned index,
                       struct spine_place *place)
{
    struct entry *at = node->entries + index;
    node->used--;
    memmove(at, at + 1, (node->used - index) * sizeof(*at));
    adopt(node, index);
    struct spine_node *parent = node->parent;
    if (node->used == 0) {
        unsigned slot = node->slot;
        mem_free(node);
        if (parent)
            drop_entry(spine, parent, slot, place);
        else
            spine->root = NULL;
        return;
    }
    if (index == 0)
        first_changed(node);
    if (parent && node->used < FILL_MIN)
        balance(spine, node, place);
}

static void lower_root(struct spine *spine)
{
    if (!spine->root)
        return;
    while (spine->root->is_inner && spine->root->used == 1) {
        struct spine_node *root = spine->root;
        struct spine_node *child = root->entries[0].down;
        child->parent = NULL;
        spine->root = child;
        mem_free(root);
    }
}

bool spine_remove(struct spine *spine, struct spine_place *place)
{
    ASSERT(place->leaf);
    spine_set_count(spine, place, 0);
    struct spine_node *node = place->node;
    unsigned index = place->index;
    struct spine_place next = *place;
    /* The next leaf of the same node comes to where the removed one was. */
    if (spine_next(&next) && next.node == node)
        next.index = index;
    drop_entry(spine, node, index, &next);
    lower_root(spine);
    spine->leaves--;
    *place = next;
    return next.leaf != NULL;
}

void spine_set_count(struct spine *spine, const struct spine_place *place, size_t count)
{
    struct entry *entry = &place->node->entries[place->index];
    size_t more = count - entry->count;
    entry->count = count;
    if (more)
        add_to_count(spine, place->node, more);
}

void spine_set_leaf(struct spine_place *place, void *leaf)
{
    ASSERT(place->leaf && leaf);
    struct entry *entry = &place->node->entries[place->index];
    entry->down = entry->first = place->leaf = leaf;
    if (place->index == 0)
        first_changed(place->node);
}

void *spine_take(struct spine *spine)
{
    struct spine_place place;
    if (!spine_last(spine, &place))
        return NULL;
    struct spine_node *node = place.node;
    while (node && --node->used == 0) {
        struct spine_node *parent = node->parent;
        mem_free(node);
        node = parent;
    }
    if (!node)
        *spine = (struct spine){0};
    return place.leaf;
}
