#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "shard/internal.h"
#include "wire/handover.h"
#include "wire/members.h"
#include "wire/witness.h"

static bool is_response(enum raft_message_type type)
{
    switch (type) {
    case RAFT_VOTE_REQUEST:
    case RAFT_APPEND_REQUEST:
    case RAFT_SNAPSHOT_REQUEST:
    case RAFT_TIMEOUT_NOW:
        return false;
    case RAFT_VOTE_RESPONSE:
    case RAFT_APPEND_RESPONSE:
    case RAFT_SNAPSHOT_RESPONSE:
        return true;
    }
    return false;
}

static void gather_chunk(struct shard *shard, const struct raft_message *message)
{
    uint64_t bytes = message->snapshot_request.bytes;
    ASSERT(message->snapshot_request.index == storage_status(shard->storage).snapshot.index);
    if (storage_read_snapshot(shard->storage, message->snapshot_request.offset, (size_t)bytes,
                              &shard->records) != ERR_NONE ||
        shard->records.len != bytes)
        FATAL("a snapshot for a follower cannot be read back");
}

/* The records of an append, or a chunk of the snapshot. Followers that keep up get the same ones,
 * one after the other: they are gathered once. */
static void gather_records(struct shard *shard, const struct raft_message *message)
{
    bool has_entries =
        message->type == RAFT_APPEND_REQUEST && message->append_request.entry_count > 0;
    uint64_t first = has_entries ? message->append_request.first_index : 0;
    uint64_t last = has_entries ? first + message->append_request.entry_count - 1 : 0;
    if (first && first == shard->records_first && last == shard->records_last)
        return;
    shard->records.len = 0;
    shard->records_first = first;
    shard->records_last = last;
    if (message->type == RAFT_SNAPSHOT_REQUEST)
        gather_chunk(shard, message);
    if (!has_entries)
        return;
    size_t count;
    if (storage_read(shard->storage, first, last, SIZE_MAX, &shard->records, &count) != ERR_NONE)
        FATAL("entries for a follower cannot be read back from the log");
    ASSERT(count == message->append_request.entry_count);
}

static bool carries_entries(const struct raft_message *message)
{
    return message->type == RAFT_SNAPSHOT_REQUEST ||
           (message->type == RAFT_APPEND_REQUEST && message->append_request.entry_count > 0);
}

static void send_message(struct shard *shard, const struct raft_message *message)
{
    if (carries_entries(message) && !shard_can_read(shard, message->to))
        return;
    gather_records(shard, message);
    struct raft_message stamped = *message;
    shard_stamp(shard, &stamped);
    shard->encoded.len = 0;
    wire_encode_message(&shard->encoded, span_text(shard->options.cluster->cluster_id),
                        shard->options.number, &stamped, buf_span(&shard->records));
    shard->options.host.send(shard->options.host.send_context, message->to,
                             is_response(message->type), buf_span(&shard->encoded));
}

static void hold_until_durable(struct shard *shard, const struct raft_message *message)
{
    if (shard->outbox_count == shard->outbox_cap) {
        shard->outbox_cap = shard->outbox_cap ? shard->outbox_cap * 2 : 16;
        shard->outbox = mem_realloc(shard->outbox, shard->outbox_cap * sizeof *shard->outbox);
    }
    shard->outbox[shard->outbox_count++] =
        (struct outgoing){.message = *message, .ticket = NEXT_FLUSH};
}

/* An entry that the core began. */
static void append_own(struct shard *shard, const struct raft_update *update)
{
    if (update->append_own == RAFT_OWN_NOOP)
        shard_lead_clock(shard);
    struct buf payload = {0};
    struct entry entry = {.index = update->append_first,
                          .term = raft_term(shard->raft),
                          .kind = ENTRY_NOOP,
                          .time_ms = shard_entry_time(shard)};
    if (update->append_own == RAFT_OWN_MEMBERSHIP) {
        members_encode(&payload, update->append_membership);
        entry.kind = ENTRY_MEMBERSHIP;
        entry.payload = buf_span(&payload);
    }
    struct buf record = {0};
    entry_encode(&record, &entry);
    entry.record = buf_span(&record);
    shard_clock_entry(&shard->clock, entry.time_ms);
    storage_append(shard->storage, &entry, 1);
    buf_close(&record);
    buf_close(&payload);
}

/* The leader that wrote what was cut off may have been ahead of the group by hours. */
static int64_t time_of_newest(struct shard *shard, uint64_t index)
{
    struct entry entry;
    if (index <= shard->machine.applied_index)
        return shard->machine.clock_ms;
    if (storage_entry(shard->storage, index, &entry) != ERR_NONE)
        FATAL("an entry cannot be read back from the log");
    return entry.time_ms;
}

static void store(struct shard *shard, const struct raft_update *update,
                  const struct entry *entries)
{
    if (update->install)
        shard_install(shard, &update->installed);
    if (update->truncate) {
        shard->records_first = 0; /* what was gathered may be of entries that go */
        if (storage_truncate(shard->storage, update->truncate_after) != ERR_NONE)
            FATAL("the log cannot be read where it has to be cut");
        shard_forget_cut(shard, update->truncate_after);
        shard_clock_cut(&shard->clock, time_of_newest(shard, update->truncate_after));
    }
    if (update->append_count && update->append_own)
        append_own(shard, update);
    else if (update->append_count) {
        ASSERT(entries && entries[0].index == update->append_first);
        storage_append(shard->storage, entries, update->append_count);
        shard_clock_entry(&shard->clock, entries[update->append_count - 1].time_ms);
    }
    if (update->append_count) {
        shard->gathered_index = raft_last_index(shard->raft);
        shard->gathered_term = raft_last_term(shard->raft);
    }
    if (update->hard_state_changed)
        storage_vote(shard->storage, (struct vote_record){.term = update->hard_state.term,
                                                          .node = update->hard_state.vote});
}

static void note_reads(struct shard *shard, const struct raft_update *update)
{
    for (size_t i = 0; i < update->read_count; i++) {
        if (update->reads[i].context > shard->round_confirmed)
            shard->round_confirmed = update->reads[i].context;
        shard->round_in_flight = shard->round_confirmed + 1 < shard->round_open;
        if (update->reads[i].index > shard->round_confirmed_index)
            shard->round_confirmed_index = update->reads[i].index;
    }
}

static void note_role(struct shard *shard, const struct raft_update *update)
{
    if (!update->role_changed)
        return;
    shard->role_changed = true;
    log_line(shard->options.log, LOG_NOTICE,
             "shard %" PRIu32 ": %s in term %" PRIu64 ", leader %" PRIu64, shard->options.number,
             raft_role_name(raft_role(shard->raft)), raft_term(shard->raft),
             raft_leader(shard->raft));
}

/* Steps the core and carries out what it says, in the order of its contract. `entries` are the
 * records of the event's entries, of which the core may take the last ones. A chunk of a snapshot
 * that the event brought comes back (bytes 0: none). */
struct raft_chunk shard_step(struct shard *shard, const struct raft_event *event,
                             const struct entry *entries, size_t entry_count)
{
    struct raft_update update;
    if (shard->batch_count && (event->type == RAFT_EVENT_PEER_MET || raft_may_append(shard->raft)))
        shard_step_batch(shard);
    raft_step(shard->raft, event, &update);
    if (update.append_count && !update.append_own) {
        ASSERT(update.append_count <= entry_count);
        entries += entry_count - update.append_count;
    }
    if (update.leadership_lost)
        shard_lose_office(shard); /* while the log still has what was proposed */
    store(shard, &update, entries);
    for (size_t i = 0; i < update.message_count; i++) {
        if (update.messages[i].when_durable)
            hold_until_durable(shard, &update.messages[i]);
        else
            send_message(shard, &update.messages[i]);
    }
    note_reads(shard, &update);
    note_role(shard, &update);
    shard->membership_changed |= update.membership_changed;
    shard->incarnation_is_void |= update.incarnation_is_void;
    if (update.leadership_lost)
        shard_clock_follow(&shard->clock);
    if (update.role_changed)
        shard_note_office(shard);
    return update.chunk_received ? update.chunk : (struct raft_chunk){.bytes = 0};
}

void shard_step_batch(struct shard *shard)
{
    if (shard->batch_count == 0)
        return;
    size_t count = shard->batch_count;
    for (size_t i = 0; i < count; i++)
        shard->entries[i].record =
            span_of(shard->batch.ptr + shard->batch_offsets[i], shard->batch_entries[i].bytes);
    for (size_t i = shard->writes.issued; i > 0; i--) {
        struct pending_write *write = write_queue_at(&shard->writes, i - 1);
        if (write->driven_us)
            break;
        write->driven_us = shard->now.mono_us ? shard->now.mono_us : 1;
    }
    struct raft_event event = {.type = RAFT_EVENT_SUBMIT, .now_ms = shard->now.mono_ms};
    event.submit.entries = shard->batch_entries;
    event.submit.count = count;
    shard->batch_count = 0; /* the core counts them from here on */
    shard_step(shard, &event, shard->entries, count);
    shard->batch.len = 0;
}

/* One round at a time: what arrives meanwhile shares the next one. */
static void step_reads(struct shard *shard)
{
    if (!shard->round_has_reads || shard->round_in_flight || shard->issue.reads_stale)
        return;
    shard->round_has_reads = false;
    shard->round_in_flight = true;
    shard->stats.read_rounds++;
    struct raft_event event = {.type = RAFT_EVENT_READ, .now_ms = shard->now.mono_ms};
    event.read_context = shard->round_open++;
    shard_step(shard, &event, NULL, 0);
}

static void remember_written(struct shard *shard, uint64_t ticket)
{
    if (shard->gathered_index == 0)
        return;
    if (shard->written_count == shard->written_cap) {
        shard->written_cap = shard->written_cap ? shard->written_cap * 2 : 16;
        shard->written = mem_realloc(shard->written, shard->written_cap * sizeof *shard->written);
    }
    shard->written[shard->written_count++] =
        (struct written){ticket, shard->gathered_index, shard->gathered_term};
    shard->gathered_index = 0;
}

/* Sends what waited for the disk, feeds the node's own messages back, tells the core how far it is
 * durable. */
static void release_durable(struct shard *shard)
{
    size_t passed = 0;
    while (passed < shard->written_count &&
           shard->written[passed].ticket <= shard->completed_ticket)
        passed++;
    struct raft_event event = {.type = RAFT_EVENT_DURABLE, .now_ms = shard->now.mono_ms};
    if (passed) {
        event.durable.index = shard->written[passed - 1].index;
        event.durable.term = shard->written[passed - 1].term;
        shard->written_count -= passed;
        memmove(shard->written, shard->written + passed,
                shard->written_count * sizeof *shard->written);
        shard_step(shard, &event, NULL, 0);
    }
    size_t sent = 0;
    while (sent < shard->outbox_count && shard->outbox[sent].ticket <= shard->completed_ticket) {
        struct raft_message message =
            shard->outbox[sent++].message; /* a step may move the outbox */
        if (message.to == raft_id(shard->raft)) {
            event.type = RAFT_EVENT_MESSAGE;
            event.message = &message;
            shard_step(shard, &event, NULL, 0);
        } else {
            send_message(shard, &message);
        }
    }
    if (sent == 0)
        return;
    shard->outbox_count -= sent;
    memmove(shard->outbox, shard->outbox + sent, shard->outbox_count * sizeof *shard->outbox);
}

static void note_completed(struct shard *shard, uint64_t ticket)
{
    if (ticket <= shard->completed_ticket)
        return;
    shard->completed_ticket = ticket;
    bool waits = storage_last_ticket(shard->storage) > ticket;
    shard->flush_waits_since_ms = waits ? shard->now.mono_ms : 0;
}

static void flush(struct shard *shard)
{
    uint64_t ticket = storage_flush(shard->storage);
    if (ticket == 0)
        ticket = storage_last_ticket(shard->storage);
    note_completed(shard, storage_completed_ticket(shard->storage)); /* what needed no sync */
    remember_written(shard, ticket);
    for (size_t i = shard->outbox_count; i > 0 && shard->outbox[i - 1].ticket == NEXT_FLUSH; i--)
        shard->outbox[i - 1].ticket = ticket;
    if (shard->completed_ticket < ticket && shard->flush_waits_since_ms == 0)
        shard->flush_waits_since_ms = shard->now.mono_ms ? shard->now.mono_ms : 1;
    if (shard->completed_ticket >= ticket) /* also 0: recovery synced all that was there */
        release_durable(shard);
}

static void flush_all(struct shard *shard)
{
    do
        flush(shard);
    while (shard->outbox_count && shard->outbox[shard->outbox_count - 1].ticket == NEXT_FLUSH);
}

/* The clock is read after the requests of the turn were: a lease, and what reads see expired, are
 * judged by that. */
void shard_drive(struct shard *shard, struct shard_time now)
{
    shard_set_now(shard, now);
    if (shard->stopped)
        return;
    shard_read_clock(shard);
    shard_issue_held(shard);
    shard_drive_blocks(shard);
    if (shard_is_leader(shard)) {
        step_reads(shard);
        shard_step_batch(shard);
        shard_raise_version(shard);
        if (shard->options.host.sent)
            shard->options.host.sent(shard->options.host.send_context);
    }
    flush_all(shard);
    shard_apply_committed(shard);
    shard_issue_held(shard); /* what was applied may have settled what was open */
    uint64_t arrivals = shard->writes.arrivals;
    shard_answer_reads(shard);
    shard_answer_held(shard);
    if (shard->writes.arrivals != arrivals) /* what was tried and changes something */
        shard_issue_held(shard);
    shard_drive_blocks(shard);
    if (shard->batch_count && raft_accepts(shard->raft)) { /* what they wait for */
        shard_step_batch(shard);
        flush_all(shard);
    }
    shard_note_agreed(shard);
    shard_forward(shard);
    shard_answer_origins(shard);
    shard_ask_digests(shard);
    shard_tell_witnesses(shard);
    shard_consider_snapshot(shard);
    shard_produce_image(shard);
    shard_free_replaced(shard);
    bool holds = shard_may_hold(shard); /* who was parked may go on */
    shard->role_changed |= holds && !shard->could_hold;
    shard->could_hold = holds;
    if (shard->role_changed) {
        shard->role_changed = false;
        shard->options.host.role_changed(shard->options.host.context);
    }
    bool tell = shard->membership_changed && shard->options.host.membership_changed;
    shard->membership_changed = false;
    if (tell)
        shard->options.host.membership_changed(shard->options.host.send_context);
    tell = shard->incarnation_is_void && shard->options.host.incarnation_is_void;
    shard->incarnation_is_void = false;
    if (tell)
        shard->options.host.incarnation_is_void(shard->options.host.send_context);
}

static enum err take_digest(struct shard *shard, const struct shard_peer *from,
                            const struct span *args, size_t argc)
{
    struct wire_digest digest;
    enum err err = wire_parse_digest(args, argc, &digest);
    if (err)
        return err;
    const struct shard_ends ends = {digest.cluster_id, digest.shard, digest.from, digest.to};
    if (shard_is_foreign(shard, from, &ends))
        return ERR_FOREIGN;
    shard_take_digest(shard, &digest, from->incarnation);
    return ERR_NONE;
}

enum err shard_message(struct shard *shard, const struct shard_peer *from, const struct span *args,
                       size_t argc, struct shard_time now)
{
    shard_set_now(shard, now);
    if (shard->stopped)
        return ERR_NONE;
    shard->refusal = "bytes that are no message";
    shard_announce(shard, argc ? args[argc - 1].len : 0);
    if (argc > 0 && wire_is_digest(args[0]))
        return take_digest(shard, from, args, argc);
    if (argc > 0 && wire_is_forward(args[0]))
        return shard_take_forward(shard, from, args, argc);
    if (argc > 0 && wire_is_witness(args[0]))
        return shard_take_witnesses(shard, from, args, argc);
    if (argc > 0 && wire_is_handover(args[0]))
        return shard_take_handover(shard, from, args, argc);
    shard_read_clock(shard); /* a promise not to vote counts from here on */
    struct wire_message *incoming = &shard->incoming;
    enum err err = wire_parse_message(args, argc, incoming);
    if (err)
        return err;
    const struct shard_ends ends = {incoming->cluster_id, incoming->shard, incoming->message.from,
                                    incoming->message.to};
    if (shard_is_foreign(shard, from, &ends))
        return ERR_FOREIGN;
    incoming->message.from_incarnation = from->incarnation;
    if (shard_follows_term(shard, &incoming->message))
        return ERR_NONE;
    shard->refusal = shard_message_refusal(shard, incoming);
    if (shard->refusal)
        return ERR_INVALID;
    shard_note_vote(shard, &incoming->message);
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .now_ms = shard->now.mono_ms};
    event.message = &incoming->message;
    size_t count = incoming->message.type == RAFT_APPEND_REQUEST
                       ? incoming->message.append_request.entry_count
                       : 0;
    struct raft_chunk chunk = shard_step(shard, &event, incoming->entries, count);
    shard_note_leader(shard, &incoming->message);
    shard_note_times(shard, &incoming->message);
    if (chunk.bytes)
        shard_receive_chunk(shard, &chunk, incoming->chunk);
    return ERR_NONE;
}

static void step_peer(struct shard *shard, enum raft_event_type type, uint64_t peer,
                      struct shard_time now)
{
    shard_set_now(shard, now);
    struct raft_event event = {.type = type, .now_ms = shard->now.mono_ms};
    event.peer = peer;
    shard_step(shard, &event, NULL, 0);
}

void shard_peer_lost(struct shard *shard, uint64_t peer, struct shard_time now)
{
    step_peer(shard, RAFT_EVENT_PEER_LOST, peer, now);
}

void shard_peer_met(struct shard *shard, const struct shard_peer *peer, struct shard_time now)
{
    shard_set_now(shard, now);
    shard_note_version(shard, peer);
    struct raft_event event = {.type = RAFT_EVENT_PEER_MET, .now_ms = shard->now.mono_ms};
    event.met.peer = peer->node;
    event.met.incarnation = peer->incarnation;
    shard_step(shard, &event, NULL, 0);
    shard_forward_again(shard, peer->node);
}

void shard_peer_alive(struct shard *shard, uint64_t peer, uint32_t busy_ms, struct shard_time now)
{
    step_peer(shard, RAFT_EVENT_PEER_ALIVE, peer, now);
    struct raft_event event = {.type = RAFT_EVENT_PEER_BUSY, .now_ms = shard->now.mono_ms};
    event.busy.peer = peer;
    event.busy.ms = busy_ms;
    shard_step(shard, &event, NULL, 0);
}

void shard_disk_completed(struct shard *shard, const struct disk_completion *completion,
                          struct shard_time now)
{
    shard_set_now(shard, now);
    ASSERT(completion->shard == shard->options.number);
    if (completion->image) {
        shard_image_completed(shard, completion);
        return;
    }
    if (completion->err) {
        log_line(shard->options.log, LOG_WARNING, "writing the log failed: %s",
                 err_text(completion->err));
        FATAL("the log could not be written: what is on the disk is not known any more");
    }
    storage_completed(shard->storage, completion);
    note_completed(shard, completion->ticket);
    release_durable(shard);
}

void shard_tick(struct shard *shard, struct shard_time now)
{
    shard_set_now(shard, now);
    shard_announce_end(shard);
    storage_tick(shard->storage, shard->now.mono_ms);
    if (shard->now.mono_ms >= raft_deadline_ms(shard->raft)) {
        struct raft_event event = {.type = RAFT_EVENT_TICK, .now_ms = shard->now.mono_ms};
        shard_step(shard, &event, NULL, 0);
    }
    shard_note_majority(shard);
    shard_consider_health(shard);
    shard_trim(shard);
    shard_steer_clock(shard);
    shard_propose_expiry(shard);
}
