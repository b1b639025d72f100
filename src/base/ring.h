/* Pointers from one thread to another, in order and without locks.
 *
 * One thread puts, one thread takes; both may do so at any time. What a thread wrote before it put
 * a pointer is seen by the thread that takes it: with the pointer goes what it points to.
 *
 * The taker may sleep. It says so, looks once more, and only then waits for a signal that the
 * owner of the ring chooses. Whoever puts asks afterwards whether the taker sleeps: one of the two
 * sees what the other did, so that nothing is left lying. Several rings may lead to one sleeper. */
#ifndef FLOTILLA_BASE_RING_H
#define FLOTILLA_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    RING_ITEMS = 256,
    RING_LINE_BYTES = 64, /* what two processors must not both write is further apart than this */
};

/* Zero-initialised is empty and valid. It owns nothing. */
struct ring {
    _Atomic size_t taken; /* written by the taker alone */
    size_t put_seen;      /* the taker's */
    char apart[RING_LINE_BYTES];
    _Atomic size_t put; /* written by the one who puts alone */
    size_t taken_seen;  /* the one's who puts */
    char apart_too[RING_LINE_BYTES];
    void *items[RING_ITEMS];
};

/* Zero-initialised is awake. */
struct ring_sleeper {
    _Atomic bool sleeps;
};

bool ring_put(struct ring *ring, void *item); /* false: it is full */
void *ring_take(struct ring *ring);           /* NULL: it is empty */
bool ring_is_empty(struct ring *ring);        /* for the taker */

/* The taker looks at its rings again before it waits. */
void ring_sleep(struct ring_sleeper *sleeper);
void ring_wake(struct ring_sleeper *sleeper); /* the taker goes on by itself */
/* After ring_put(): the taker sleeps, and the caller, nobody else, has to wake it. */
bool ring_must_signal(struct ring_sleeper *sleeper);

#endif
