/* The leader carries out what other nodes' clients ask (wire/forward.h).
 *
 * Within a term it disposes of every request of a life exactly once, and in order: it appends it,
 * or refuses it. It takes requests only in the term that they name, so nothing that is on its way
 * from an earlier one can become an entry a second time. What cannot be taken just now, because the
 * office is being handed over or has just begun, stays with the origin: it is told to send it again
 * as soon as it can be taken. */
#include "base/assert.h"
#include "base/mem.h"
#include "shard/forward.h"
#include "shard/internal.h"

enum {
    WINDOW_MIN = 64 * 1024,
    LIVES_MAX = 4096, /* in one term: runs of other nodes' processes */
};

void shard_forget_origins(struct shard *shard)
{
    for (size_t i = 0; i < shard->origins.count; i++) {
        buf_close(&shard->origins.list[i].refusals);
        mem_free(shard->origins.list[i].served);
    }
    shard->origins.count = 0;
}

struct shard_origin *shard_find_origin(struct shard *shard, uint64_t node, uint64_t life)
{
    struct shard_origins *origins = &shard->origins;
    for (size_t i = 0; origins->term == raft_term(shard->raft) && i < origins->count; i++)
        if (origins->list[i].node == node && origins->list[i].life == life)
            return &origins->list[i];
    return NULL;
}

/* A life is remembered until the term is over: what it sent may still be on its way. NULL: there
 * were too many. */
static struct shard_origin *origin_of(struct shard *shard, uint64_t node, uint64_t life)
{
    struct shard_origins *origins = &shard->origins;
    if (origins->term != raft_term(shard->raft))
        shard_forget_origins(shard);
    origins->term = raft_term(shard->raft);
    struct shard_origin *found = shard_find_origin(shard, node, life);
    if (found)
        return found;
    if (origins->count == LIVES_MAX)
        return NULL;
    if (origins->count == origins->cap) {
        origins->cap = origins->cap ? origins->cap * 2 : 8;
        origins->list = mem_realloc(origins->list, origins->cap * sizeof *origins->list);
    }
    struct shard_origin *origin = &origins->list[origins->count++];
    *origin = (struct shard_origin){.node = node, .life = life, .next_seq = 1};
    return origin;
}

static bool is_member(const struct shard *shard, const struct shard_peer *peer)
{
    const struct raft_member *member =
        raft_membership_find(raft_membership(shard->raft), peer->node);
    return member && member->incarnation == peer->incarnation;
}

/* Refusals that the origin has answered its clients with. */
static void forget_refusals(struct shard_origin *origin, uint64_t answered)
{
    struct span items = buf_span(&origin->refusals);
    uint64_t seq;
    struct span text, rest = items;
    while (wire_take_refusal(&rest, &seq, &text) && seq < answered)
        items = rest;
    buf_consume(&origin->refusals, origin->refusals.len - items.len);
}

static bool carry_out(struct shard *shard, struct shard_origin *origin,
                      const struct wire_request *asked)
{
    const struct entry_origin from = {origin->node, origin->life, origin->next_seq};
    const struct machine_request request = {asked->kind, asked->database, asked->payload};
    if (asked->kind == ENTRY_NOOP) {
        origin->next_seq++;
        return asked->payload.len == 0;
    }
    const char *error = shard_is_disputed(shard) ? SHARD_IS_DISPUTED : NULL;
    uint64_t index = shard_next_index(shard);
    if (!error && shard_propose(shard, &request, &from, &error)) {
        origin->last_index = index;
    } else if (error) {
        wire_add_refusal(&origin->refusals, origin->next_seq, span_text(error));
    } else {
        return false;
    }
    origin->next_seq++;
    return true;
}

static enum err take_requests(struct shard *shard, struct shard_origin *origin,
                              const struct wire_forward *message)
{
    struct span items = message->items;
    uint64_t seq = message->forward.first;
    if (origin->next_seq < message->forward.answered)
        origin->next_seq = message->forward.answered; /* given up by those who asked */
    forget_refusals(origin, message->forward.answered);
    if (seq > origin->next_seq &&
        origin->missed_at != origin->next_seq) { /* once: it may be late */
        origin->missed = true;
        origin->missed_at = origin->next_seq;
    }
    for (uint64_t i = 0; i < message->forward.count; i++, seq++) {
        struct wire_request asked;
        shard->refusal = "requests that no node of this version forwards";
        if (!wire_take_request(&items, &asked) || asked.payload.len > ENTRY_BYTES_MAX)
            return ERR_INVALID;
        if (seq == origin->next_seq && !carry_out(shard, origin, &asked))
            return ERR_INVALID;
    }
    return items.len ? ERR_INVALID : ERR_NONE;
}

/* A key that is due by then is removed by an entry that the reader waits for. */
static void propose_expiry_for(struct shard *shard, uint64_t due_ms)
{
    if (due_ms && shard->clock.floor_ms < (int64_t)due_ms &&
        shard_now_ms(shard, shard->now) >= (int64_t)due_ms)
        shard_propose_expiry_now(shard);
}

static void tell_holders(struct shard *shard, const struct wire_forward *message)
{
    struct wire_forward answer = *message;
    answer.type = WIRE_HELD;
    answer.from = message->to;
    answer.to = message->from;
    uint64_t held[RAFT_MEMBERS_MAX];
    size_t count = raft_held(shard->raft, held);
    struct buf items = {0};
    for (size_t i = 0; i < count; i++)
        wire_add_index(&items, held[i]);
    answer.items = buf_span(&items);
    shard_send_forward(shard, &answer, true);
    buf_close(&items);
}

enum err shard_serve(struct shard *shard, const struct shard_peer *from,
                     const struct wire_forward *message)
{
    if (!shard_forwards(shard) || !shard_is_leader(shard) || !is_member(shard, from))
        return ERR_NONE;
    if (message->type == WIRE_HOLDERS) {
        tell_holders(shard, message);
        return ERR_NONE;
    }
    struct shard_origin *origin = origin_of(shard, from->node, message->life);
    if (!origin)
        return ERR_NONE;
    if (!shard_may_propose(shard)) {
        origin->missed = true;
        return ERR_NONE;
    }
    if (message->type == WIRE_WAIT)
        return shard_serve_waits(shard, message, origin);
    if (message->type == WIRE_READ) {
        if (origin->read_context != message->read.context) {
            origin->read_round = shard->round_open; /* it goes on if the origin asks again */
            shard->round_has_reads = true;
        }
        origin->read_context = message->read.context;
        propose_expiry_for(shard, message->read.due_ms);
        return ERR_NONE;
    }
    origin->answer_due = true;
    return take_requests(shard, origin, message);
}

static struct wire_forward begin_answer(const struct shard *shard,
                                        const struct shard_origin *origin,
                                        enum wire_forward_type type)
{
    return (struct wire_forward){.type = type,
                                 .cluster_id = span_text(shard->options.cluster->cluster_id),
                                 .shard = shard->options.number,
                                 .term = raft_term(shard->raft),
                                 .from = raft_id(shard->raft),
                                 .to = origin->node,
                                 .life = origin->life};
}

static uint64_t window_of(const struct shard *shard)
{
    uint64_t window = shard->options.batch_bytes_max / raft_membership(shard->raft)->count;
    return window > WINDOW_MIN ? window : WINDOW_MIN;
}

static void answer_requests(struct shard *shard, struct shard_origin *origin)
{
    struct wire_forward answer = begin_answer(shard, origin, WIRE_FORWARDED);
    answer.forwarded.next = origin->next_seq;
    answer.forwarded.window = window_of(shard);
    answer.forwarded.again = origin->missed && shard_may_propose(shard);
    answer.items = buf_span(&origin->refusals);
    shard_send_forward(shard, &answer, true);
    origin->answer_due = false;
    origin->missed = origin->missed && !answer.forwarded.again;
}

static void answer_read(struct shard *shard, struct shard_origin *origin)
{
    struct wire_forward answer = begin_answer(shard, origin, WIRE_READ_INDEX);
    answer.read_index.context = origin->read_context;
    answer.read_index.index = shard_is_disputed(shard) ? 0 : shard->round_confirmed_index;
    answer.read_index.time_ms =
        (uint64_t)(shard_has_room_to_free(shard) ? shard_now_ms(shard, shard->now)
                                                 : shard->machine.clock_ms);
    shard_send_forward(shard, &answer, true);
    origin->read_context = 0;
    if (origin->last_index < shard->round_confirmed_index)
        origin->last_index = shard->round_confirmed_index;
}

/* The origin applies its entries, and then answers: it is told at once that they are committed. */
static void tell_commit(struct shard *shard, struct shard_origin *origin)
{
    uint64_t commit = raft_commit_index(shard->raft);
    if (origin->told_commit >= origin->last_index || commit <= origin->told_commit)
        return;
    origin->told_commit = commit;
    struct raft_event event = {.type = RAFT_EVENT_TELL_COMMIT, .now_ms = shard->now.mono_ms};
    event.peer = origin->node;
    shard_step(shard, &event, NULL, 0);
}

void shard_answer_origins(struct shard *shard)
{
    struct shard_origins *origins = &shard->origins;
    if (!shard_is_leader(shard) || origins->term != raft_term(shard->raft))
        return;
    for (size_t i = 0; i < origins->count; i++) {
        struct shard_origin *origin = &origins->list[i];
        if (origin->answer_due || (origin->missed && shard_may_propose(shard)))
            answer_requests(shard, origin);
        if (origin->read_context &&
            (shard_is_disputed(shard) || origin->read_round <= shard->round_confirmed))
            answer_read(shard, origin);
        tell_commit(shard, origin);
        if (!shard_is_leader(shard))
            return;
    }
}
