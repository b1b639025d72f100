/* The items about which something is due at some time, earliest first: the end of the key, or of
 * the earliest element of its value. Private to keyspace/. Zero-initialised is empty.
 *
 * A binary heap ordered by time, then by key. The order is total, so the order of expiry does not
 * depend on how the heap was built. Each item stores its position in the heap, and so must have
 * has_due. */
#ifndef FLOTILLA_KEYSPACE_DEADLINE_H
#define FLOTILLA_KEYSPACE_DEADLINE_H

#include "keyspace/item.h"

struct deadline_entry {
    int64_t due_ms;
    struct item *item;
};

struct deadlines {
    struct deadline_entry *entries;
    uint32_t count;
    uint32_t capacity;
    size_t keys;      /* with a deadline of their own */
    int64_t sum_high; /* of their deadlines' upper and lower 32 bits; neither can overflow */
    uint64_t sum_low;
};

void deadlines_close(struct deadlines *deadlines);
/* Sets the key's deadline, and when the first element of its value is due. NO_DEADLINE: none. */
void deadlines_set(struct deadlines *deadlines, struct item *item, int64_t deadline_ms,
                   int64_t element_ms);
/* `fresh` takes the deadline and the place of `old`. Both have the same key. */
void deadlines_replace(struct deadlines *deadlines, struct item *old, struct item *fresh);
/* Keys and elements that are due, up to `limit`. */
size_t deadlines_count_until(const struct deadlines *deadlines, int64_t now_ms, size_t limit);
/* Keys past their own deadline. */
size_t deadlines_count_keys_until(const struct deadlines *deadlines, int64_t now_ms);
int64_t deadlines_mean(const struct deadlines *deadlines); /* 0 if there are none */

#endif
