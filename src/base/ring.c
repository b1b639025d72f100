#include "base/ring.h"

_Static_assert((RING_ITEMS & (RING_ITEMS - 1)) == 0, "positions are taken modulo the size");

bool ring_put(struct ring *ring, void *item)
{
    size_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    if (put - ring->taken_seen == RING_ITEMS) {
        ring->taken_seen = atomic_load_explicit(&ring->taken, memory_order_acquire);
        if (put - ring->taken_seen == RING_ITEMS)
            return false;
    }
    ring->items[put % RING_ITEMS] = item;
    /* Before the look at `sleeps` in the one order that all threads agree on. */
    atomic_store(&ring->put, put + 1);
    return true;
}

void *ring_take(struct ring *ring)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    if (taken == ring->put_seen) {
        ring->put_seen = atomic_load(&ring->put);
        if (taken == ring->put_seen)
            return NULL;
    }
    void *item = ring->items[taken % RING_ITEMS];
    atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
    return item;
}

bool ring_is_empty(struct ring *ring)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    if (taken == ring->put_seen)
        ring->put_seen = atomic_load(&ring->put);
    return taken == ring->put_seen;
}

void ring_sleep(struct ring_sleeper *sleeper)
{
    atomic_store(&sleeper->sleeps, true);
}

void ring_wake(struct ring_sleeper *sleeper)
{
    atomic_store_explicit(&sleeper->sleeps, false, memory_order_relaxed);
}

bool ring_must_signal(struct ring_sleeper *sleeper)
{
    return atomic_load(&sleeper->sleeps) && atomic_exchange(&sleeper->sleeps, false);
}
