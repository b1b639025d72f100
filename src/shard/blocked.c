/* One client of this node that waits: its place on the list, and its answer. */
#include "base/assert.h"
#include "base/mem.h"
#include "shard/block.h"
#include "shard/internal.h"

enum { ABANDONED_MAX = 65536 }; /* what is beyond it, a leader that does not answer may serve */

#define UNBLOCKED_ERROR "UNBLOCKED client unblocked via CLIENT UNBLOCK"

void blocked_free(struct blocked *blocked)
{
    mem_free(blocked->text);
    mem_free(blocked);
}

struct waiter_id blocked_waiter_id(const struct shard *shard, const struct blocked *blocked)
{
    return (struct waiter_id){raft_id(shard->raft), shard->forwarding.life, blocked->id};
}

/* --- the list --- */

/* The position of the first one with this id or a higher one. */
static size_t position_of(const struct shard_blocks *blocks, uint64_t id)
{
    size_t from = 0;
    size_t to = blocks->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (blocks->list[middle]->id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct blocked *blocked_find(const struct shard_blocks *blocks, uint64_t id)
{
    size_t at = position_of(blocks, id);
    return at < blocks->count && blocks->list[at]->id == id ? blocks->list[at] : NULL;
}

static bool is_undecided(enum block_state state)
{
    return state != BLOCK_WAITS && state != BLOCK_READS;
}

static void link_last(struct shard_blocks *blocks, struct blocked *blocked)
{
    blocked->previous = blocks->last;
    blocked->next = NULL;
    *(blocks->last ? &blocks->last->next : &blocks->first) = blocked;
    blocks->last = blocked;
}

static void unlink_one(struct shard_blocks *blocks, struct blocked *blocked)
{
    *(blocked->previous ? &blocked->previous->next : &blocks->first) = blocked->next;
    *(blocked->next ? &blocked->next->previous : &blocks->last) = blocked->previous;
}

void blocked_set_state(struct shard_blocks *blocks, struct blocked *blocked, enum block_state state)
{
    if (is_undecided(blocked->state))
        unlink_one(blocks, blocked);
    if (is_undecided(state))
        link_last(blocks, blocked);
    if (state == BLOCK_NEW || state == BLOCK_LEAVING)
        blocked->said_ms = 0;
    blocked->state = state;
}

struct blocked *blocked_add(struct shard *shard, const struct shard_request *request,
                            struct span text, enum block_state state)
{
    struct shard_blocks *blocks = &shard->blocks;
    if (blocks->count == blocks->cap) {
        blocks->cap = blocks->cap ? blocks->cap * 2 : 16;
        blocks->list = mem_realloc(blocks->list, blocks->cap * sizeof(struct blocked *));
    }
    struct blocked *blocked = mem_alloc(sizeof *blocked);
    *blocked = (struct blocked){.id = blocks->next_id++,
                                .client = request->client,
                                .protocol = request->protocol,
                                .database = request->database,
                                .state = BLOCK_WAITS,
                                .text = mem_alloc(text.len),
                                .text_len = text.len};
    memcpy(blocked->text, text.ptr, text.len);
    blocked_set_state(blocks, blocked, state);
    blocks->list[blocks->count++] = blocked;
    shard_note_of(shard, request->client)->blocked = blocked->id;
    return blocked;
}

/* Its place in the host's table may be another client's by now, whose note is let alone. */
static void forget_client(struct shard *shard, const struct blocked *blocked)
{
    const struct shard_client *client = &blocked->client;
    struct client_note *note = client->slot < shard->notes_cap ? &shard->notes[client->slot] : NULL;
    if (note && note->generation == client->generation && note->blocked == blocked->id)
        note->blocked = 0;
}

void blocked_drop(struct shard *shard, struct blocked *blocked)
{
    struct shard_blocks *blocks = &shard->blocks;
    blocked_set_state(blocks, blocked, BLOCK_WAITS);
    struct waiter *read = waits_find(&blocks->reads, blocked_waiter_id(shard, blocked));
    if (read)
        waits_remove(&blocks->reads, read);
    forget_client(shard, blocked);
    blocks->abandoned -= blocked->abandoned;
    size_t at = position_of(blocks, blocked->id);
    blocks->count--;
    memmove(&blocks->list[at], &blocks->list[at + 1],
            (blocks->count - at) * sizeof(struct blocked *));
    blocked_free(blocked);
}

/* --- answers --- */

void blocked_answer(struct shard *shard, struct blocked *blocked, struct span reply, uint64_t index)
{
    const struct shard_host *host = &shard->options.host;
    const struct shard_client client = blocked->client;
    bool is_answered = blocked->abandoned;
    blocked_drop(shard, blocked);
    if (is_answered)
        return;
    struct buf *out = host->reply_begin(host->context, client);
    if (out)
        buf_add_span(out, reply);
    host->reply_end(host->context, client, index);
}

void blocked_answer_error(struct shard *shard, struct blocked *blocked, const char *text)
{
    const struct shard_client client = blocked->client;
    bool is_answered = blocked->abandoned;
    blocked_drop(shard, blocked);
    if (!is_answered)
        shard_write_error(shard, client, text);
}

void blocked_end(struct shard *shard, struct blocked *blocked)
{
    switch (blocked->why) {
    case SHARD_TIMED_OUT:
        blocked_answer(shard, blocked, blocked->protocol == 3 ? SPAN("_\r\n") : SPAN("*-1\r\n"), 0);
        return;
    case SHARD_UNBLOCKED_WITH_ERROR:
        blocked_answer_error(shard, blocked, UNBLOCKED_ERROR);
        return;
    case SHARD_GONE:
        blocked_answer(shard, blocked, span_of("", 0), 0);
        return;
    }
}

void blocked_abandon(struct shard *shard, struct blocked *blocked, const char *text)
{
    struct shard_blocks *blocks = &shard->blocks;
    const struct shard_client client = blocked->client;
    bool is_gone = blocked->ends && blocked->why == SHARD_GONE;
    shard->stats.unknown_outcomes += !is_gone;
    if (blocked->term != raft_term(shard->raft) || blocks->abandoned == ABANDONED_MAX) {
        blocked_drop(shard, blocked); /* its leader is none any more */
    } else {
        forget_client(shard, blocked);
        blocks->abandoned += !blocked->abandoned;
        blocked->abandoned = blocked->ends = true;
        blocked->why = SHARD_GONE;
        if (blocked->state != BLOCK_LEFT)
            blocked_set_state(blocks, blocked, BLOCK_LEAVING);
    }
    if (!is_gone)
        shard_write_error(shard, client, text);
}
