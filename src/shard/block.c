/* The clients of this node that wait for keys. */
#include "shard/block.h"

#include "base/assert.h"
#include "base/mem.h"
#include "resp/write.h"
#include "shard/internal.h"

enum {
    RESEND_HEARTBEATS = 4,
    MESSAGE_BYTES = 512 * 1024,
};

void shard_open_blocks(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    *blocks = (struct shard_blocks){.next_id = 1};
    waits_init(&blocks->reads, shard->options.table, shard->options.hash_seed);
    waits_init(&blocks->waiters, shard->options.table, shard->options.hash_seed);
}

void shard_close_blocks(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    for (size_t i = 0; i < blocks->count; i++)
        blocked_free(blocks->list[i]);
    mem_free(blocks->list);
    waits_close(&blocks->reads);
    waits_close(&blocks->waiters);
    buf_close(&blocks->scratch);
    *blocks = (struct shard_blocks){.next_id = 1};
}

/* No leader knows of it that could still serve it. */
static bool is_known_here_alone(const struct blocked *blocked)
{
    return blocked->state == BLOCK_READS || blocked->state == BLOCK_NEW;
}

bool shard_reply_is_null(struct span reply)
{
    return span_equal(reply, SPAN("*-1\r\n")) || span_equal(reply, SPAN("$-1\r\n")) ||
           span_equal(reply, SPAN("_\r\n"));
}

static bool is_wrong_type(struct span reply)
{
    return span_begins_with(reply, SPAN("-WRONGTYPE"));
}

static uint64_t waiter_id(const struct entry *entry)
{
    return entry->origin.seq & ~(WIRE_WAITER | WIRE_WAITER_FIRST);
}

/* Whether one of the command's keys has what it waits for. */
static bool is_any_ready(struct shard *shard, const struct entry *entry)
{
    enum { KEYS_MAX = 64 };
    struct logged *logged = &shard->machine.logged;
    size_t positions[KEYS_MAX];
    struct span rest = entry->payload;
    if (!logged_take(logged, &rest))
        return false; /* no node of this version numbers such a command */
    const struct command *command = command_find(shard->options.table, logged->args, logged->argc);
    if (!command->blocking)
        return false;
    size_t count = waits_keys(command, logged->args, logged->argc, positions, KEYS_MAX);
    bool ready = count > KEYS_MAX; /* rather an error too many than a client that is forgotten */
    for (size_t i = 0; !ready && i < count; i++)
        ready = command->blocking->ready(databases_at(shard->machine.databases, entry->database),
                                         logged->args, logged->argc, logged->args[positions[i]],
                                         entry->time_ms) > 0;
    return ready;
}

/* A key that has become one of another type is no reason to wake who waits; where elements go may
 * be (BLMOVE). */
static bool is_served(struct shard *shard, const struct entry *entry, struct span reply)
{
    if (shard_reply_is_null(reply))
        return false;
    return !is_wrong_type(reply) || (entry->origin.seq & WIRE_WAITER_FIRST) ||
           is_any_ready(shard, entry);
}

bool shard_entry_is_for_waiter(const struct entry *entry)
{
    return entry->origin.life && (entry->origin.seq & WIRE_WAITER);
}

struct blocked *shard_blocked_for(struct shard *shard, const struct entry *entry)
{
    if (entry->origin.life != shard->forwarding.life || entry->origin.node != raft_id(shard->raft))
        return NULL;
    return blocked_find(&shard->blocks, waiter_id(entry));
}

bool shard_wants_waiter_reply(struct shard *shard, const struct entry *entry)
{
    return waits_count(&shard->blocks.waiters) || shard_blocked_for(shard, entry);
}

void shard_note_waiter_entry(struct shard *shard, const struct entry *entry, struct span reply)
{
    bool served = is_served(shard, entry, reply);
    const struct entry_origin *origin = &entry->origin;
    struct blocked *blocked = shard_blocked_for(shard, entry);
    shard_note_served(shard, (struct waiter_id){origin->node, origin->life, waiter_id(entry)},
                      served, entry->index);
    if (blocked && served)
        blocked_answer(shard, blocked, reply, entry->index);
}

/* --- reads --- */

/* Runs the read on what is applied, unless it finds nothing. */
static void try_read(struct shard *shard, struct blocked *blocked, const struct waiter *waiter,
                     bool is_ready)
{
    struct buf *scratch = &shard->blocks.scratch;
    scratch->len = 0;
    struct machine_caller caller = {.reply = {.out = scratch, .protocol = blocked->protocol}};
    const struct machine_view view = {
        .now_ms = shard->machine.clock_ms, .prng = &shard->prng, .database = blocked->database};
    machine_read(&shard->machine, waiter->command, waiter->args, waiter->argc, &view, &caller);
    if (shard_reply_is_null(buf_span(scratch)) ||
        (!is_ready && is_wrong_type(buf_span(scratch)))) /* it waits for the next stream there */
        return;
    blocked_answer(shard, blocked, buf_span(scratch), 0);
}

/* All reads that wait for a key that has changed. */
static void try_reads(struct shard *shard)
{
    struct waits *reads = &shard->blocks.reads;
    struct wait_key *key;
    while ((key = waits_take_ready(reads)) != NULL) {
        const struct waiter *first = key->lines->first->waiter;
        bool is_ready = first->command->blocking->ready(
                            databases_at(shard->machine.databases, key->database), first->args,
                            first->argc, span_of(key->name, key->len), shard->machine.clock_ms) > 0;
        struct buf ids = {0};
        for (const struct wait_line *line = key->lines; line; line = line->next)
            for (const struct wait_place *at = line->first; at; at = at->next)
                buf_add(&ids, &at->waiter->id.id, sizeof at->waiter->id.id);
        for (size_t at = 0; at < ids.len; at += sizeof(uint64_t)) {
            uint64_t id;
            memcpy(&id, ids.ptr + at, sizeof id);
            struct blocked *blocked = blocked_find(&shard->blocks, id);
            const struct waiter *waiter =
                blocked ? waits_find(reads, blocked_waiter_id(shard, blocked)) : NULL;
            if (waiter)
                try_read(shard, blocked, waiter, is_ready);
        }
        buf_close(&ids);
    }
}

void shard_block_read(struct shard *shard, const struct shard_request *request, bool local)
{
    struct shard_blocks *blocks = &shard->blocks;
    const struct command_blocking *blocking = request->command->blocking;
    struct buf text = {0};
    if (blocking->settle)
        blocking->settle(databases_at(shard->machine.databases, request->database), request->args,
                         request->argc, shard->machine.clock_ms, &text);
    else
        resp_encode_command(&text, request->args, request->argc);
    struct blocked *blocked = blocked_add(shard, request, buf_span(&text), BLOCK_READS);
    blocked->local = local;
    struct waiter *waiter = waits_add(&blocks->reads, blocked_waiter_id(shard, blocked),
                                      blocked->id, blocked->database, buf_span(&text));
    ASSERT(waiter); /* this node made the text */
    buf_close(&text);
}

void shard_note_key_change(void *context, const struct keyspace_change *change)
{
    struct shard_blocks *blocks = &((struct shard *)context)->blocks;
    if (change->event == KEYSPACE_CLEARED || change->event == KEYSPACE_SWAPPED) {
        waits_note_database(&blocks->reads, change->database);
        waits_note_database(&blocks->waiters, change->database);
        return;
    }
    waits_note_change(&blocks->reads, change->database, change->key);
    waits_note_change(&blocks->waiters, change->database, change->key);
}

/* --- waiting begins and ends --- */

enum shard_admission shard_block(struct shard *shard, const struct shard_request *request,
                                 struct shard_time now)
{
    shard_set_now(shard, now);
    if (!shard_may_hold(shard))
        return shard_has_stopped(shard) ? SHARD_NO_ROOM : SHARD_NOT_LEADER;
    if (shard_is_leader(shard) && shard_is_disputed(shard))
        return SHARD_DISPUTED;
    if (!shard_has_types(shard))
        return SHARD_NOT_LEADER;
    struct buf text = {0};
    resp_encode_command(&text, request->args, request->argc);
    blocked_add(shard, request, buf_span(&text), BLOCK_NEW);
    buf_close(&text);
    return SHARD_ACCEPTED;
}

void shard_unblock(struct shard *shard, struct shard_client client, enum shard_unblock why,
                   struct shard_time now)
{
    shard_set_now(shard, now);
    struct shard_blocks *blocks = &shard->blocks;
    struct blocked *blocked = blocked_find(blocks, shard_note_of(shard, client)->blocked);
    if (!blocked || (blocked->ends && why != SHARD_GONE))
        return;
    blocked->why = why;
    blocked->ended_ms = blocked->ends ? blocked->ended_ms : shard->now.mono_ms;
    blocked->ends = true;
    if (is_known_here_alone(blocked))
        blocked_end(shard, blocked);
    else if (blocked->state == BLOCK_TOLD || blocked->state == BLOCK_WAITS)
        blocked_set_state(blocks, blocked, BLOCK_LEAVING);
}

size_t shard_blocked_count(const struct shard *shard)
{
    return shard->blocks.count;
}

/* --- the leader --- */

/* All entries of earlier terms that will ever be committed are applied. */
static bool is_settled(const struct shard *shard)
{
    return raft_term_of(shard->raft, shard->machine.applied_index) == raft_term(shard->raft);
}

static bool may_tell(const struct shard *shard)
{
    return shard_has_types(shard) && is_settled(shard) && raft_leader(shard->raft) &&
           (!shard_is_leader(shard) || shard_may_propose(shard));
}

/* What was told in an earlier term counts for nothing any more. */
static void begin_anew(struct shard *shard, struct blocked *blocked)
{
    if (blocked->term == raft_term(shard->raft) || blocked->state == BLOCK_READS ||
        blocked->state == BLOCK_NEW)
        return;
    if (blocked->ends)
        blocked_end(shard, blocked);
    else
        blocked_set_state(&shard->blocks, blocked, BLOCK_NEW);
}

static void note_refused(struct shard *shard, struct blocked *blocked, struct span text)
{
    const struct shard_client client = blocked->client;
    bool is_answered = blocked->abandoned;
    blocked_drop(shard, blocked);
    if (!is_answered)
        shard_write_refusal(shard, client, text);
}

/* This node leads: it tells itself. */
static void tell_here(struct shard *shard, struct blocked *blocked)
{
    struct shard_blocks *blocks = &shard->blocks;
    const char *error = NULL;
    if (blocked->state == BLOCK_NEW) {
        blocked->term = raft_term(shard->raft);
        if (!shard_wait_begins(shard, blocked_waiter_id(shard, blocked), &blocked->stamp,
                               blocked->database, blocked_text(blocked), &error))
            note_refused(shard, blocked, span_text(error));
        else
            blocked_set_state(blocks, blocked, BLOCK_WAITS);
    } else if (blocked->state == BLOCK_LEAVING) {
        blocked->index = shard_wait_ends(shard, blocked_waiter_id(shard, blocked));
        blocked_set_state(blocks, blocked, BLOCK_LEFT);
    }
}

static void tell_all_here(struct shard *shard)
{
    struct blocked *next;
    for (struct blocked *at = shard->blocks.first; at; at = next) {
        next = at->next;
        tell_here(shard, at);
    }
}

static uint64_t patience_ms(const struct shard *shard)
{
    return (uint64_t)shard->options.raft.heartbeat_ms * RESEND_HEARTBEATS;
}

/* When the leader is to be told, for the first time or again. UINT64_MAX: it has answered. */
static uint64_t say_ms(const struct shard *shard, const struct blocked *blocked)
{
    if (blocked->state == BLOCK_LEFT)
        return UINT64_MAX;
    return blocked->said_ms ? blocked->said_ms + patience_ms(shard) : 0;
}

static void send_items(struct shard *shard, struct buf *items)
{
    struct wire_forward message = shard_forward_message(shard, WIRE_WAIT);
    message.wait.number = ++shard->blocks.number;
    message.wait.applied = shard->machine.applied_index;
    message.items = buf_span(items);
    shard_send_forward(shard, &message, false);
    items->len = 0;
}

static void tell_leader(struct shard *shard)
{
    struct buf items = {0};
    for (struct blocked *at = shard->blocks.first; at; at = at->next) {
        if (say_ms(shard, at) > shard->now.mono_ms)
            continue;
        struct wire_wait wait = {.kind = WIRE_WAIT_ENDS, .id = at->id};
        if (at->state != BLOCK_LEAVING) {
            wait.kind = WIRE_WAIT_BEGINS;
            wait.number = at->stamp;
            wait.database = at->database;
            wait.text = blocked_text(at);
            at->state = BLOCK_TOLD; /* it stays on the list, in its place */
        }
        at->term = raft_term(shard->raft);
        at->said_ms = shard->now.mono_ms ? shard->now.mono_ms : 1;
        at->number = shard->blocks.number + 1;
        wire_add_wait(&items, &wait);
        if (items.len >= MESSAGE_BYTES)
            send_items(shard, &items);
    }
    if (items.len)
        send_items(shard, &items);
    buf_close(&items);
}

void shard_say_again(struct shard *shard)
{
    for (struct blocked *at = shard->blocks.first; at; at = at->next)
        at->said_ms = 0;
}

static void take_item(struct shard *shard, const struct wire_wait *wait, uint64_t number)
{
    struct shard_blocks *blocks = &shard->blocks;
    struct blocked *blocked = blocked_find(blocks, wait->id);
    if (!blocked || blocked->term != raft_term(shard->raft))
        return;
    switch (wait->kind) {
    case WIRE_WAIT_BEGINS:
        blocked->stamp = wait->number;
        if (blocked->state == BLOCK_TOLD)
            blocked_set_state(blocks, blocked, BLOCK_WAITS);
        return;
    case WIRE_WAIT_ENDS:
        if (blocked->state != BLOCK_LEAVING)
            return;
        blocked->index = wait->number;
        blocked_set_state(blocks, blocked, BLOCK_LEFT);
        return;
    case WIRE_WAIT_REFUSED:
        if (blocked->number == number) /* else it was told once more, and perhaps taken */
            note_refused(shard, blocked, wait->text);
        return;
    }
}

void shard_take_waited(struct shard *shard, const struct wire_forward *message)
{
    struct span items = message->items;
    struct wire_wait wait;
    while (wire_take_wait(&items, &wait))
        take_item(shard, &wait, message->wait.number);
}

/* --- the turn --- */

/* A new term has begun, and what the entries before it did is known. */
static void begin_term(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    if (blocks->settled_term == raft_term(shard->raft) || !is_settled(shard))
        return;
    blocks->settled_term = raft_term(shard->raft);
    for (size_t i = 0; i < blocks->count;) {
        struct blocked *blocked = blocks->list[i];
        begin_anew(shard, blocked);
        i += i < blocks->count && blocks->list[i] == blocked;
    }
}

static uint64_t give_up_ms(const struct shard *shard, const struct blocked *blocked)
{
    return blocked->ends && !blocked->abandoned ? blocked->ended_ms + shard->options.leader_wait_ms
                                                : UINT64_MAX;
}

/* Who left is answered when all that may have served it is applied, or when nobody could say for
 * leader_wait_ms. */
static void end_decided(struct shard *shard)
{
    struct blocked *next;
    for (struct blocked *at = shard->blocks.first; at; at = next) {
        next = at->next;
        if (at->state == BLOCK_LEFT && shard->machine.applied_index >= at->index &&
            at->term == raft_term(shard->raft)) {
            blocked_end(shard, at);
        } else if (give_up_ms(shard, at) <= shard->now.mono_ms) {
            blocked_abandon(shard, at, SHARD_UNKNOWN);
        }
    }
}

/* UINT64_MAX: a leader is followed, or nobody needs one. */
static uint64_t lost_due_ms(const struct shard *shard)
{
    return shard->blocks.lost_ms ? shard->blocks.lost_ms + shard->options.leader_wait_ms
                                 : UINT64_MAX;
}

static void end_lost(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    for (size_t i = blocks->count; i-- > 0;) {
        struct blocked *blocked = blocks->list[i];
        if (blocked->local || blocked->abandoned)
            continue;
        if (is_known_here_alone(blocked))
            blocked_answer_error(shard, blocked, SHARD_NO_LEADER);
        else
            blocked_abandon(shard, blocked, SHARD_UNKNOWN);
    }
}

static void watch_for_leader(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    if (shard_may_hold(shard) || blocks->count == 0)
        blocks->lost_ms = 0;
    else if (!blocks->lost_ms)
        blocks->lost_ms = shard->now.mono_ms ? shard->now.mono_ms : 1;
    if (lost_due_ms(shard) > shard->now.mono_ms)
        return;
    end_lost(shard);
    blocks->lost_ms = shard->now.mono_ms; /* those that wait on need not be looked at each turn */
}

uint64_t shard_blocks_due_ms(const struct shard *shard)
{
    const struct shard_blocks *blocks = &shard->blocks;
    uint64_t due_ms = lost_due_ms(shard);
    if (blocks->count && !blocks->lost_ms && !shard_is_leader(shard))
        due_ms = shard_silent_ms(shard);
    bool tells = blocks->first && !shard_is_leader(shard) && may_tell(shard);
    for (const struct blocked *at = blocks->first; at; at = at->next) {
        if (tells && say_ms(shard, at) < due_ms)
            due_ms = say_ms(shard, at);
        if (give_up_ms(shard, at) < due_ms)
            due_ms = give_up_ms(shard, at);
    }
    if (blocks->serve_all && waits_count(&blocks->waiters) && shard_may_propose(shard) &&
        blocks->again_ms < due_ms)
        due_ms = blocks->again_ms;
    return due_ms;
}

void shard_drive_blocks(struct shard *shard)
{
    try_reads(shard);
    begin_term(shard);
    watch_for_leader(shard);
    if (shard->blocks.first) {
        end_decided(shard);
        if (may_tell(shard) && shard_is_leader(shard))
            tell_all_here(shard);
        else if (may_tell(shard))
            tell_leader(shard);
    }
    shard_wake_waiters(shard);
}

/* Entries that the state holds may have served them, and nobody can tell which. */
void shard_forget_blocks(struct shard *shard)
{
    struct shard_blocks *blocks = &shard->blocks;
    for (size_t i = blocks->count; i-- > 0;) {
        struct blocked *blocked = blocks->list[i];
        if (is_known_here_alone(blocked))
            continue;
        blocked_abandon(shard, blocked, SHARD_UNKNOWN_AFTER_SNAPSHOT);
    }
    waits_note_all(&blocks->reads);
}
