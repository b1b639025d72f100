/* A follower has the leader carry out what its own clients ask (wire/forward.h).
 *
 * It answers them itself, when it applies the entries: an entry names who asked for it. The leader
 * only says how far it has come, and what it refuses. Both say everything again when they are asked
 * again, so a lost message costs nothing but time. */
#include "shard/forward.h"

#include "base/assert.h"
#include "shard/internal.h"

enum {
    WINDOW_START = 64 * 1024, /* until the leader has granted one */
    MESSAGE_BYTES = 512 * 1024,
    RESEND_HEARTBEATS = 4,
    RESEND_DOUBLINGS = 4, /* what is large takes long, and every copy of it longer */
    ISSUED_MAX =
        2048, /* the leader repeats what it refused of these until the oldest is answered */
};

void shard_begin_forwarding(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    forwarding->next_seq = forwarding->unsent_seq = forwarding->disposed_seq = 1;
    forwarding->resends = 0;
    forwarding->window = WINDOW_START;
    forwarding->bytes = 0;
}

/* What nobody waits for is not carried out late: only its number is disposed of, by a request for
 * nothing. No entry and no refusal will say so, so it counts as answered here. */
static void leave_out_unwanted(struct shard *shard, size_t from)
{
    struct write_queue *writes = &shard->writes;
    const struct shard_host *host = &shard->options.host;
    for (size_t i = from; i < writes->issued; i++) {
        struct pending_write *write = write_queue_at(writes, i);
        if (write->done || host->is_waiting(host->context, write->client))
            continue;
        write->done = true;
        shard->forwarding.bytes -= write->bytes;
    }
    write_queue_drop_done(writes);
}

void shard_forward_held(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    struct write_queue *writes = &shard->writes;
    size_t before = writes->issued;
    while (writes->issued < writes->count && writes->issued < ISSUED_MAX &&
           (forwarding->bytes == 0 || forwarding->bytes < forwarding->window)) {
        struct pending_write *write = write_queue_at(writes, writes->issued++);
        write->seq = forwarding->next_seq++;
        write->driven_us = shard->now.mono_us ? shard->now.mono_us : 1;
        write->bytes = (uint32_t)write->text_len;
        forwarding->bytes += write->bytes;
        shard->stats.forwarded++;
    }
    leave_out_unwanted(shard, before);
}

/* A leader disposes of requests in order. What comes before an applied one, and was not applied, it
 * has refused; what it said of that was lost. */
static void answer_refused_before(struct shard *shard, uint64_t seq)
{
    struct write_queue *writes = &shard->writes;
    while (writes->issued && write_queue_at(writes, 0)->seq < seq) {
        struct pending_write *write = write_queue_at(writes, 0);
        shard_write_error(shard, write->client, SHARD_REFUSED);
        shard_note_answered(shard, write);
    }
}

struct pending_write *shard_forwarded_as(struct shard *shard, const struct entry *entry)
{
    struct write_queue *writes = &shard->writes;
    const struct entry_origin *origin = &entry->origin;
    if (origin->life != shard->forwarding.life || origin->node != raft_id(shard->raft))
        return NULL;
    answer_refused_before(shard, origin->seq);
    if (writes->issued == 0)
        return NULL;
    struct pending_write *write = write_queue_at(writes, 0);
    return write->seq == origin->seq ? write : NULL;
}

struct wire_forward shard_forward_message(const struct shard *shard, enum wire_forward_type type)
{
    return (struct wire_forward){.type = type,
                                 .cluster_id = span_text(shard->options.cluster->cluster_id),
                                 .shard = shard->options.number,
                                 .term = raft_term(shard->raft),
                                 .from = raft_id(shard->raft),
                                 .to = raft_leader(shard->raft),
                                 .life = shard->forwarding.life};
}

void shard_send_forward(struct shard *shard, const struct wire_forward *message, bool response)
{
    shard->encoded.len = 0;
    wire_encode_forward(&shard->encoded, message);
    shard->options.host.send(shard->options.host.send_context, message->to, response,
                             buf_span(&shard->encoded));
}

/* The requests that stand from `at` on, up to a message full. */
static size_t send_some(struct shard *shard, size_t at)
{
    struct write_queue *writes = &shard->writes;
    struct wire_forward message = shard_forward_message(shard, WIRE_FORWARD);
    message.forward.answered = write_queue_at(writes, 0)->seq;
    message.forward.first = write_queue_at(writes, at)->seq;
    struct buf items = {0};
    while (at < writes->issued && items.len < MESSAGE_BYTES) {
        const struct pending_write *write = write_queue_at(writes, at++);
        ASSERT(write->seq == message.forward.first + message.forward.count);
        struct wire_request request = {.kind = ENTRY_NOOP, .payload = span_of("", 0)};
        if (!write->done)
            request = (struct wire_request){write->kind, write->database,
                                            write_queue_text(writes, write)};
        wire_add_request(&items, &request);
        message.forward.count++;
    }
    message.items = buf_span(&items);
    shard_send_forward(shard, &message, false);
    buf_close(&items);
    return at;
}

static void send_requests(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    if (shard->writes.issued == 0 || forwarding->unsent_seq == forwarding->next_seq)
        return;
    uint64_t first = write_queue_at(&shard->writes, 0)->seq;
    size_t at = forwarding->unsent_seq > first ? (size_t)(forwarding->unsent_seq - first) : 0;
    while (at < shard->writes.issued)
        at = send_some(shard, at);
    forwarding->unsent_seq = forwarding->next_seq;
    forwarding->sent_ms = shard->now.mono_ms;
}

static void send_read(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    struct wire_forward message = shard_forward_message(shard, WIRE_READ);
    message.read.context = shard->round_open - 1;
    message.read.due_ms =
        forwarding->round_due_ms == NO_DEADLINE ? 0 : (uint64_t)forwarding->round_due_ms;
    shard_send_forward(shard, &message, false);
    forwarding->read_sent_ms = shard->now.mono_ms;
}

static uint64_t patience_ms(const struct shard *shard)
{
    return (uint64_t)shard->options.raft.heartbeat_ms * RESEND_HEARTBEATS;
}

/* How long an answer is waited for before the request is sent once more. */
static uint64_t resend_ms(const struct shard *shard)
{
    return patience_ms(shard) << shard->forwarding.resends;
}

static bool is_unanswered(const struct shard *shard)
{
    const struct shard_forwarding *forwarding = &shard->forwarding;
    return shard->writes.issued && forwarding->disposed_seq < forwarding->unsent_seq;
}

static bool may_send(const struct shard *shard)
{
    return !shard_is_leader(shard) && raft_leader(shard->raft) && !shard->issue.open &&
           shard->issue.term == raft_term(shard->raft) && !shard->issue.here;
}

/* Everything that is not disposed of is sent once more. */
static void send_again(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    if (is_unanswered(shard)) {
        leave_out_unwanted(shard, 0);
        forwarding->unsent_seq = forwarding->disposed_seq;
    }
    if (shard->round_in_flight)
        send_read(shard);
}

void shard_forward_again(struct shard *shard, uint64_t node)
{
    if (raft_leader(shard->raft) == node)
        shard_say_again(shard);
    if (may_send(shard) && raft_leader(shard->raft) == node)
        send_again(shard);
}

bool shard_may_ask_again(const struct shard *shard)
{
    return shard->now.mono_ms >= shard->forwarding.read_sent_ms + patience_ms(shard);
}

/* When what is not answered is sent again. */
static uint64_t answer_due_ms(const struct shard *shard)
{
    const struct shard_forwarding *forwarding = &shard->forwarding;
    uint64_t due_ms = UINT64_MAX;
    if (is_unanswered(shard))
        due_ms = forwarding->sent_ms + resend_ms(shard);
    if ((shard->round_in_flight || forwarding->waits_for_entry) &&
        forwarding->read_sent_ms + patience_ms(shard) < due_ms)
        due_ms = forwarding->read_sent_ms + patience_ms(shard);
    return due_ms;
}

static bool waits_for_answer(const struct shard *shard)
{
    return may_send(shard) && (is_unanswered(shard) || shard->round_in_flight);
}

bool shard_forward_is_silent(const struct shard *shard)
{
    return waits_for_answer(shard) && shard->now.mono_ms >= shard->forwarding.answered_ms +
                                                                shard->options.leader_wait_ms +
                                                                patience_ms(shard);
}

uint64_t shard_forward_due_ms(const struct shard *shard)
{
    const struct shard_forwarding *forwarding = &shard->forwarding;
    if (!may_send(shard))
        return UINT64_MAX;
    uint64_t due_ms = answer_due_ms(shard);
    uint64_t silent_ms =
        forwarding->answered_ms + shard->options.leader_wait_ms + patience_ms(shard);
    if (waits_for_answer(shard) && shard->now.mono_ms < silent_ms && silent_ms < due_ms)
        due_ms = silent_ms;
    uint64_t ask_ms = forwarding->wait_asked_ms + shard->options.raft.heartbeat_ms;
    return forwarding->wants_holders && ask_ms < due_ms ? ask_ms : due_ms;
}

/* One round at a time: what arrives meanwhile shares the next one. */
static void begin_round(struct shard *shard)
{
    /* One index stands for all rounds: a node that lags first answers those of the last one. */
    if (!shard->round_has_reads || shard->round_in_flight || shard->issue.reads_stale ||
        shard->machine.applied_index < shard->round_confirmed_index)
        return;
    shard->round_has_reads = false;
    shard->round_in_flight = true;
    shard->stats.read_rounds++;
    shard->round_open++;
    shard->forwarding.round_due_ms = shard->forwarding.due_ms;
    shard->forwarding.due_ms = NO_DEADLINE;
    send_read(shard);
}

static void ask_holders(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    uint64_t due_ms = forwarding->wait_asked_ms + shard->options.raft.heartbeat_ms;
    if (!forwarding->wants_holders || (forwarding->wait_asked_ms && shard->now.mono_ms < due_ms))
        return;
    struct wire_forward message = shard_forward_message(shard, WIRE_HOLDERS);
    shard_send_forward(shard, &message, false);
    forwarding->wait_asked_ms = shard->now.mono_ms;
    forwarding->wants_holders = false; /* who still waits asks again */
}

void shard_want_holders(struct shard *shard)
{
    shard->forwarding.wants_holders = true;
}

static size_t majority_of(const struct raft_membership *membership)
{
    size_t voters = 0;
    for (size_t i = 0; i < membership->count; i++)
        voters += (membership->members[i].roles & RAFT_VOTER) != 0;
    return voters / 2 + 1;
}

/* What is applied is on the disks of a majority. The leader knows of more. */
size_t shard_known_holders(const struct shard *shard, uint64_t index)
{
    const struct shard_forwarding *forwarding = &shard->forwarding;
    size_t holders = 0;
    if (index <= shard->machine.applied_index)
        holders = majority_of(raft_membership(shard->raft));
    size_t told = 0;
    for (size_t i = 0; i < forwarding->held_count; i++)
        told += forwarding->held[i] >= index;
    return told > holders ? told : holders;
}

void shard_forward(struct shard *shard)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    if (!waits_for_answer(shard))
        shard->forwarding.answered_ms = shard->now.mono_ms;
    if (!may_send(shard))
        return;
    ask_holders(shard);
    if (shard->now.mono_ms >= answer_due_ms(shard)) {
        forwarding->resends += forwarding->resends < RESEND_DOUBLINGS && is_unanswered(shard);
        send_again(shard);
    }
    send_requests(shard);
    begin_round(shard);
}

/* --- the leader's answers --- */

static void take_refusals(struct shard *shard, struct span items)
{
    uint64_t seq;
    struct span text;
    struct write_queue *writes = &shard->writes;
    while (wire_take_refusal(&items, &seq, &text)) {
        uint64_t first = writes->issued ? write_queue_at(writes, 0)->seq : 0;
        if (first == 0 || seq < first || seq - first >= writes->issued)
            continue; /* answered already */
        struct pending_write *write = write_queue_at(writes, (size_t)(seq - first));
        if (write->done)
            continue;
        shard_write_refusal(shard, write->client, text);
        shard_note_answered(shard, write);
    }
}

static void take_forwarded(struct shard *shard, const struct wire_forward *message)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    uint64_t next = message->forwarded.next;
    if (next > forwarding->next_seq)
        return;
    forwarding->window = message->forwarded.window;
    if (next > forwarding->disposed_seq) {
        forwarding->disposed_seq = next;
        forwarding->sent_ms = shard->now.mono_ms; /* there is progress: what is left may take */
        forwarding->resends = 0;
    }
    if (forwarding->unsent_seq < forwarding->disposed_seq)
        forwarding->unsent_seq = forwarding->disposed_seq;
    take_refusals(shard, message->items);
    if (message->forwarded.again)
        send_again(shard);
}

/* The leader answers no reads: the nodes differ in their data. */
static void refuse_round(struct shard *shard, uint64_t context)
{
    uint64_t oldest_write = write_queue_oldest(&shard->writes);
    shard_refuse_goal(shard, context);
    for (size_t i = 0; i < shard->reads.count; i++) {
        struct pending_read *read = read_queue_at(&shard->reads, i);
        if (read->done || read->context > context)
            continue;
        if (read->after >= oldest_write) { /* its turn has not come */
            read->context = shard->round_open;
            shard->round_has_reads = true;
            continue;
        }
        shard_write_error(shard, read->client, SHARD_IS_DISPUTED);
        read->done = true;
    }
    read_queue_drop_done(&shard->reads);
}

static void take_read_index(struct shard *shard, const struct wire_forward *message)
{
    if (!shard->round_in_flight || message->read_index.context != shard->round_open - 1)
        return;
    shard->round_in_flight = false;
    if (message->read_index.index == 0) {
        refuse_round(shard, message->read_index.context);
        return;
    }
    shard->round_confirmed = message->read_index.context;
    if (message->read_index.index > shard->round_confirmed_index)
        shard->round_confirmed_index = message->read_index.index;
    shard->round_time_ms = (int64_t)message->read_index.time_ms;
}

static void take_held(struct shard *shard, const struct wire_forward *message)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    struct span items = message->items;
    forwarding->held_count = 0;
    while (forwarding->held_count < RAFT_MEMBERS_MAX &&
           wire_take_index(&items, &forwarding->held[forwarding->held_count]))
        forwarding->held_count++;
}

/* Only the leader of this node's own term, that it forwards to, is believed. */
static void take_answer(struct shard *shard, const struct wire_forward *message)
{
    if (message->type == WIRE_WAITED) {
        if (message->from == raft_leader(shard->raft) && message->life == shard->forwarding.life)
            shard_take_waited(shard, message);
        return;
    }
    if (!may_send(shard) || message->from != raft_leader(shard->raft) ||
        message->life != shard->forwarding.life)
        return;
    shard->forwarding.answered_ms = shard->now.mono_ms;
    if (message->type == WIRE_FORWARDED)
        take_forwarded(shard, message);
    else if (message->type == WIRE_HELD)
        take_held(shard, message);
    else
        take_read_index(shard, message);
}

enum err shard_take_forward(struct shard *shard, const struct shard_peer *from,
                            const struct span *args, size_t argc)
{
    struct wire_forward message;
    enum err err = wire_parse_forward(args, argc, &message);
    if (err)
        return err;
    const struct shard_ends ends = {message.cluster_id, message.shard, message.from, message.to};
    if (shard_is_foreign(shard, from, &ends))
        return ERR_FOREIGN;
    if (message.term != raft_term(shard->raft))
        return ERR_NONE; /* of another office; the sender will learn it */
    switch (message.type) {
    case WIRE_FORWARD:
    case WIRE_READ:
    case WIRE_HOLDERS:
    case WIRE_WAIT:
        return shard_serve(shard, from, &message);
    case WIRE_FORWARDED:
    case WIRE_READ_INDEX:
    case WIRE_HELD:
    case WIRE_WAITED:
        take_answer(shard, &message);
        return ERR_NONE;
    }
    return ERR_NONE;
}
