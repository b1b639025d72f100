#include "net/places.h"

#include "base/assert.h"
#include "base/mem.h"

enum { PLACES_MIN = 16, PLACES_KEEP = 1024, BYTES_KEEP = 16 * 1024, COMPACT_BYTES = 64 * 1024 };

void client_places_grow(struct client_places *places)
{
    uint32_t cap = places->cap ? places->cap * 2 : PLACES_MIN;
    uint8_t *states = mem_alloc(cap);
    for (uint32_t place = places->head; place != places->next; place++)
        states[place & (cap - 1)] = *client_places_at(places, place);
    mem_free(places->states);
    places->states = states;
    places->cap = cap;
}

void client_places_take_back(struct client_places *places)
{
    ASSERT(client_places_owed(places) > 0);
    places->next--;
    ASSERT(*client_places_at(places, places->next) <= PLACE_SILENT);
}

/* Gives back what a long pipeline needed. */
static void shrink(struct client_places *places)
{
    if (places->cap > PLACES_KEEP) {
        mem_free(places->states);
        places->states = NULL;
        places->cap = 0;
    }
    if (places->bytes.cap > BYTES_KEEP)
        buf_close(&places->bytes);
    if (places->early_cap > PLACES_KEEP) {
        mem_free(places->early);
        places->early = NULL;
        places->early_cap = 0;
    }
}

void client_places_shrink(struct client_places *places)
{
    if (client_places_owed(places))
        return;
    ASSERT(places->early_count == 0);
    mem_free(places->states);
    mem_free(places->early);
    buf_close(&places->bytes);
    *places = (struct client_places){.head = places->head, .next = places->next};
}

static void write_first_early(struct client_places *places, struct net_output *out)
{
    ASSERT(places->early_count > 0);
    struct place_reply *reply = &places->early[places->early_first];
    ASSERT(reply->place == places->head);
    places->kept_bytes -= reply->len + reply->chunks.bytes;
    places->bytes_used -= reply->len;
    buf_add(&out->tail, places->bytes.ptr + reply->at, reply->len);
    net_output_add_chunks(out, &reply->chunks);
    places->early_first++;
    if (--places->early_count == 0) {
        places->early_first = 0;
        places->bytes.len = 0;
    }
}

void client_places_pass_on(struct client_places *places, struct net_output *out)
{
    while (places->head != places->next && *client_places_at(places, places->head) >= PLACE_EARLY) {
        if (*client_places_at(places, places->head) == PLACE_EARLY)
            write_first_early(places, out);
        places->head++;
    }
    if (places->head == places->next)
        shrink(places);
}

/* Replies that have left leave holes in front of those that stay for long. */
static void compact(struct client_places *places)
{
    if (places->bytes.len < COMPACT_BYTES || places->bytes_used > places->bytes.len / 2)
        return;
    struct buf fresh = {0};
    buf_reserve(&fresh, places->bytes_used);
    for (size_t i = 0; i < places->early_count; i++) {
        struct place_reply *reply = &places->early[places->early_first + i];
        size_t at = fresh.len;
        buf_add(&fresh, places->bytes.ptr + reply->at, reply->len);
        reply->at = at;
    }
    buf_close(&places->bytes);
    places->bytes = fresh;
}

/* Room for one more behind the last. */
static void reserve_early(struct client_places *places)
{
    if (places->early_first + places->early_count < places->early_cap)
        return;
    if (places->early_first > places->early_cap / 2) {
        memmove(places->early, places->early + places->early_first,
                places->early_count * sizeof *places->early);
        places->early_first = 0;
        return;
    }
    places->early_cap = places->early_cap ? places->early_cap * 2 : PLACES_MIN;
    places->early = mem_realloc(places->early, places->early_cap * sizeof *places->early);
}

void client_places_keep(struct client_places *places, uint32_t place, struct net_output *reply)
{
    enum place_state state = client_places_state(places, place);
    ASSERT(state <= PLACE_SILENT && !client_places_is_head(places, place));
    if (state == PLACE_SILENT || reply == NULL || net_output_len(reply) == 0) {
        *client_places_at(places, place) = PLACE_DONE;
        return;
    }
    *client_places_at(places, place) = PLACE_EARLY;
    compact(places);
    reserve_early(places);
    /* Most come in order: the search begins at the end. */
    struct place_reply *early = places->early + places->early_first;
    size_t at = places->early_count++;
    for (; at && early[at - 1].place - places->head > place - places->head; at--)
        early[at] = early[at - 1];
    places->kept_bytes += net_output_len(reply);
    early[at] = (struct place_reply){.place = place, .at = places->bytes.len};
    if (reply->chunks.first) {
        early[at].chunks = net_output_take(reply);
        return;
    }
    early[at].len = reply->tail.len;
    buf_add_span(&places->bytes, buf_span(&reply->tail));
    places->bytes_used += reply->tail.len;
    reply->tail.len = 0;
}

void client_places_close(struct client_places *places)
{
    for (size_t i = 0; i < places->early_count; i++)
        net_chunks_close(&places->early[places->early_first + i].chunks);
    mem_free(places->states);
    mem_free(places->early);
    buf_close(&places->bytes);
    *places = (struct client_places){0};
}

size_t client_places_memory(const struct client_places *places)
{
    return places->cap + places->early_cap * sizeof *places->early + places->bytes.cap +
           places->kept_bytes - places->bytes_used;
}
