#include "keyspace/deadline.h"

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/value.h"

enum { CAPACITY_MIN = 16 };

static void set_capacity(struct deadlines *deadlines, size_t capacity)
{
    deadlines->entries = mem_realloc(deadlines->entries, capacity * sizeof(*deadlines->entries));
    deadlines->capacity = (uint32_t)capacity;
}

void deadlines_close(struct deadlines *deadlines)
{
    mem_free(deadlines->entries);
    *deadlines = (struct deadlines){0};
}

static bool before(const struct deadline_entry *a, const struct deadline_entry *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return span_compare(item_key_span(a->item), item_key_span(b->item)) < 0;
}

static void put(struct deadlines *deadlines, uint32_t position, struct deadline_entry entry)
{
    deadlines->entries[position] = entry;
    item_due(entry.item)->heap_position = position;
}

/* Both move the hole at `position` until `entry` fits into it. */
static void sift_up(struct deadlines *deadlines, uint32_t position, struct deadline_entry entry)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / 2;
        if (!before(&entry, &deadlines->entries[parent]))
            break;
        put(deadlines, position, deadlines->entries[parent]);
        position = parent;
    }
    put(deadlines, position, entry);
}

static void sift_down(struct deadlines *deadlines, uint32_t position, struct deadline_entry entry)
{
    for (;;) {
        size_t child = (size_t)position * 2 + 1;
        if (child >= deadlines->count)
            break;
        const struct deadline_entry *entries = deadlines->entries;
        if (child + 1 < deadlines->count && before(&entries[child + 1], &entries[child]))
            child++;
        if (!before(&entries[child], &entry))
            break;
        put(deadlines, position, entries[child]);
        position = (uint32_t)child;
    }
    put(deadlines, position, entry);
}

static void place(struct deadlines *deadlines, uint32_t position, struct deadline_entry entry)
{
    if (position > 0 && before(&entry, &deadlines->entries[(position - 1) / 2]))
        sift_up(deadlines, position, entry);
    else
        sift_down(deadlines, position, entry);
}

static int64_t high_of(int64_t deadline_ms)
{
    return (deadline_ms - (deadline_ms & 0xffffffff)) / 4294967296;
}

static void count_key(struct deadlines *deadlines, int64_t deadline_ms)
{
    if (deadline_ms == NO_DEADLINE)
        return;
    deadlines->keys++;
    deadlines->sum_high += high_of(deadline_ms);
    deadlines->sum_low += (uint64_t)(deadline_ms & 0xffffffff);
}

static void uncount_key(struct deadlines *deadlines, int64_t deadline_ms)
{
    if (deadline_ms == NO_DEADLINE)
        return;
    deadlines->keys--;
    deadlines->sum_high -= high_of(deadline_ms);
    deadlines->sum_low -= (uint64_t)(deadline_ms & 0xffffffff);
}

static void take_out(struct deadlines *deadlines, struct item *item)
{
    uint32_t position = item_due(item)->heap_position;
    if (position == NOT_IN_HEAP)
        return;
    ASSERT(position < deadlines->count && deadlines->entries[position].item == item);
    item_due(item)->heap_position = NOT_IN_HEAP;
    deadlines->count--;
    if (position < deadlines->count)
        place(deadlines, position, deadlines->entries[deadlines->count]);
    if (deadlines->count == 0) {
        deadlines_close(deadlines);
        return;
    }
    size_t capacity = mem_shrunk(deadlines->count, deadlines->capacity, CAPACITY_MIN);
    if (capacity != deadlines->capacity)
        set_capacity(deadlines, capacity);
}

static void reserve_one(struct deadlines *deadlines)
{
    if (deadlines->count < deadlines->capacity)
        return;
    size_t capacity = mem_grown(deadlines->capacity, sizeof(*deadlines->entries));
    if (capacity > (size_t)1 << 31)
        FATAL("too many keys with a deadline");
    set_capacity(deadlines, capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity);
}

static int64_t earlier_of(int64_t a_ms, int64_t b_ms)
{
    if (a_ms == NO_DEADLINE || b_ms == NO_DEADLINE)
        return a_ms == NO_DEADLINE ? b_ms : a_ms;
    return a_ms < b_ms ? a_ms : b_ms;
}

void deadlines_set(struct deadlines *deadlines, struct item *item, int64_t deadline_ms,
                   int64_t element_ms)
{
    struct item_due *due = item_due(item);
    int64_t due_ms = earlier_of(deadline_ms, element_ms);
    if (!due) {
        ASSERT(due_ms == NO_DEADLINE);
        return;
    }
    uncount_key(deadlines, due->deadline_ms);
    count_key(deadlines, deadline_ms);
    due->deadline_ms = deadline_ms;
    if (due_ms == NO_DEADLINE) {
        take_out(deadlines, item);
        return;
    }
    uint32_t position = due->heap_position;
    if (position == NOT_IN_HEAP) {
        reserve_one(deadlines);
        position = deadlines->count++;
    } else if (deadlines->entries[position].due_ms == due_ms) {
        return;
    }
    place(deadlines, position, (struct deadline_entry){due_ms, item});
}

void deadlines_replace(struct deadlines *deadlines, struct item *old, struct item *fresh)
{
    if (!old->has_due)
        return;
    *item_due(fresh) = *item_due(old);
    *item_due(old) = (struct item_due){.deadline_ms = NO_DEADLINE, .heap_position = NOT_IN_HEAP};
    if (item_is_in_heap(fresh))
        deadlines->entries[item_due(fresh)->heap_position].item = fresh;
}

/* How many keys or elements are due of this item, which is in the heap by then. */
static size_t count_due(const struct item *item, int64_t now_ms, size_t limit)
{
    if (item_is_past(item, now_ms))
        return 1;
    return value_ops_of(item_type(item))->count_due(item_value(item), now_ms, limit);
}

/* A subtree whose root is not due has no due entry. */
static size_t count_subtree(const struct deadlines *deadlines, size_t position, int64_t now_ms,
                            size_t limit)
{
    if (limit == 0 || position >= deadlines->count)
        return 0;
    if (deadlines->entries[position].due_ms > now_ms)
        return 0;
    size_t count = count_due(deadlines->entries[position].item, now_ms, limit);
    count += count_subtree(deadlines, position * 2 + 1, now_ms, limit - count);
    count += count_subtree(deadlines, position * 2 + 2, now_ms, limit - count);
    return count;
}

size_t deadlines_count_until(const struct deadlines *deadlines, int64_t now_ms, size_t limit)
{
    return count_subtree(deadlines, 0, now_ms, limit);
}

static size_t count_keys(const struct deadlines *deadlines, size_t position, int64_t now_ms)
{
    if (position >= deadlines->count || deadlines->entries[position].due_ms > now_ms)
        return 0;
    return item_is_past(deadlines->entries[position].item, now_ms) +
           count_keys(deadlines, position * 2 + 1, now_ms) +
           count_keys(deadlines, position * 2 + 2, now_ms);
}

size_t deadlines_count_keys_until(const struct deadlines *deadlines, int64_t now_ms)
{
    return count_keys(deadlines, 0, now_ms);
}

int64_t deadlines_mean(const struct deadlines *deadlines)
{
    if (deadlines->keys == 0)
        return 0;
    int64_t count = (int64_t)deadlines->keys;
    int64_t whole = deadlines->sum_high / count;
    double rest = (double)(deadlines->sum_high % count) * 4294967296.0 + (double)deadlines->sum_low;
    return whole * 4294967296 + (int64_t)(rest / (double)count);
}
