/* The items that have a deadline, earliest first. Private to keyspace/. Zero-initialised is empty.
 *
 * A binary heap ordered by deadline, then by key. The order is total, so the order of expiry does
 * not depend on how the heap was built. Each item stores its position in the heap. */
#ifndef FLOTILLA_KEYSPACE_DEADLINE_H
#define FLOTILLA_KEYSPACE_DEADLINE_H

#include "keyspace/item.h"

struct deadline_entry {
    int64_t deadline_ms;
    struct item *item;
};

struct deadlines {
    struct deadline_entry *entries;
    uint32_t count;
    uint32_t capacity;
    int64_t sum_high; /* sums of the deadlines' upper and lower 32 bits; neither can overflow */
    uint64_t sum_low;
};

void deadlines_close(struct deadlines *deadlines);
/* Adds the item or moves it. NO_DEADLINE removes it. */
void deadlines_set(struct deadlines *deadlines, struct item *item, int64_t deadline_ms);
/* `fresh` takes the deadline and the heap position of `old`. Both have the same key. */
void deadlines_replace(struct deadlines *deadlines, struct item *old, struct item *fresh);
size_t deadlines_count_until(const struct deadlines *deadlines, int64_t now_ms, size_t limit);
int64_t deadlines_mean(const struct deadlines *deadlines); /* 0 if there are none */

#endif
