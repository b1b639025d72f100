/* Private to net/: the replies that a connection is still owed, one place each, in the order of its
 * requests.
 *
 * A request that the shard answers takes a place, and so does a reply of net's own that has to wait
 * behind one. Whatever completes fills its place, in any order; replies leave in the order of the
 * places. The head is the oldest place that is not filled: its reply is written straight into the
 * output. A reply that comes early is kept until it is its turn.
 *
 * Places are numbered from 0, modulo 2^32. A silent place is filled like any other and nothing is
 * written (CLIENT REPLY). Invariant: if any place is taken, the head is not filled. */
#ifndef FLOTILLA_NET_PLACES_H
#define FLOTILLA_NET_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"
#include "net/output.h"

enum place_state {
    PLACE_OWED,
    PLACE_SILENT, /* owed, but its reply is not wanted */
    PLACE_EARLY,  /* filled: its reply is kept */
    PLACE_DONE,   /* filled, and there is nothing to write */
};

/* A reply before its turn. */
struct place_reply {
    uint32_t place;
    size_t at; /* in `bytes` */
    size_t len;
    struct net_chunks chunks; /* a long reply instead */
};

struct client_places {
    uint8_t *states; /* ring: place n is at n & (cap - 1) */
    uint32_t cap;    /* a power of two, or 0 */
    uint32_t head;
    uint32_t next;             /* the place of the next request */
    struct place_reply *early; /* from early_first on, in the order of their places */
    size_t early_first;
    size_t early_count;
    size_t early_cap;
    struct buf bytes;  /* of the early replies */
    size_t bytes_used; /* of it */
    size_t kept_bytes; /* of all early replies */
};

static inline uint32_t client_places_owed(const struct client_places *places)
{
    return places->next - places->head;
}
void client_places_grow(struct client_places *places); /* slow path of client_places_take() */
static inline uint8_t *client_places_at(const struct client_places *places, uint32_t place)
{
    return &places->states[place & (places->cap - 1)];
}
static inline uint32_t client_places_take(struct client_places *places, bool silent)
{
    if (client_places_owed(places) == places->cap)
        client_places_grow(places);
    *client_places_at(places, places->next) = silent ? PLACE_SILENT : PLACE_OWED;
    return places->next++;
}
void client_places_take_back(struct client_places *places); /* the newest: nobody will fill it */
static inline enum place_state client_places_state(const struct client_places *places,
                                                   uint32_t place)
{
    ASSERT(place - places->head < client_places_owed(places));
    return *client_places_at(places, place);
}
static inline bool client_places_is_head(const struct client_places *places, uint32_t place)
{
    return place == places->head;
}
/* The reply of the head is written, or not wanted: what came early behind it follows in `out`. */
void client_places_pass_on(struct client_places *places,
                           struct net_output *out); /* its slow path */
static inline void client_places_pass(struct client_places *places, struct net_output *out)
{
    ASSERT(client_places_state(places, places->head) <= PLACE_SILENT);
    places->head++;
    if (places->head == places->next || *client_places_at(places, places->head) >= PLACE_EARLY)
        client_places_pass_on(places, out);
}
/* Any other place: takes the reply out of `reply`, NULL if there is none to write. */
void client_places_keep(struct client_places *places, uint32_t place, struct net_output *reply);
/* Gives back all memory, if nothing is owed. */
void client_places_shrink(struct client_places *places);
void client_places_close(struct client_places *places);
size_t client_places_memory(const struct client_places *places);

#endif
