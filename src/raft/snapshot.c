#include "base/assert.h"
#include "raft/core.h"

/* Snapshots: the base of the log, and how a follower that needs dropped entries gets one (paper
 * §7). One chunk is under way at a time. Each answer says where to continue, so that a lost chunk,
 * a lost answer or a new connection costs one chunk. */

void raft_snapshot_compact(struct raft *raft, const struct raft_event *event)
{
    const struct raft_snapshot *snapshot = &event->compact.snapshot;
    uint64_t base = event->compact.first_index - 1;
    ASSERT(snapshot->index >= raft->snapshot.index && snapshot->index <= raft->commit);
    ASSERT(base <= snapshot->index && (snapshot->index == 0 || snapshot->bytes > 0));
    /* One snapshot per index: chunks of two different files cannot be combined. */
    ASSERT(snapshot->index > raft->snapshot.index || snapshot->bytes == raft->snapshot.bytes);
    raft->snapshot = *snapshot;
    raft_log_compact(&raft->log, base);
    raft_configurations_compact(raft, snapshot->index);
    for (size_t i = 0; raft->role == RAFT_LEADER && i < raft->membership.count; i++) {
        if (i == raft->self || raft->progress[i].next > base)
            continue;
        raft_snapshot_begin(raft, i); /* the entries that it needs next are gone */
        raft_snapshot_send(raft, i);
    }
}

/* ---- the leader's side ---- */

void raft_snapshot_begin(struct raft *raft, size_t peer)
{
    ASSERT(raft->snapshot.index >= raft->log.base_index && raft->snapshot.index > 0);
    struct raft_progress *progress = &raft->progress[peer];
    if (progress->state == RAFT_SNAPSHOT && progress->snapshot_index == raft->snapshot.index) {
        if (progress->next <= raft->log.base_index)
            progress->next = raft->log.base_index + 1;
        return;
    }
    raft_note(raft, progress->state == RAFT_SNAPSHOT ? RAFT_MARK_SNAPSHOT_RESTARTED
                                                     : RAFT_MARK_SNAPSHOT_NEEDED);
    raft->counters.snapshots_sent++;
    raft_progress_snapshot(progress, &raft->snapshot, raft->log.base_index + 1);
}

void raft_snapshot_send(struct raft *raft, size_t peer)
{
    raft_snapshot_begin(raft, peer); /* there may be a newer one */
    struct raft_progress *progress = &raft->progress[peer];
    if (progress->probe_sent || !raft_is_reachable(raft, peer))
        return;
    uint64_t left = raft->snapshot.bytes - progress->snapshot_offset;
    uint64_t bytes =
        left < raft->options.snapshot_chunk_bytes ? left : raft->options.snapshot_chunk_bytes;
    struct raft_message *request =
        raft_message_add(raft, RAFT_SNAPSHOT_REQUEST, raft->membership.members[peer].id);
    request->snapshot_request.index = raft->snapshot.index;
    request->snapshot_request.term = raft->snapshot.term;
    request->snapshot_request.offset = progress->snapshot_offset;
    request->snapshot_request.bytes = bytes;
    request->snapshot_request.total = raft->snapshot.bytes;
    progress->probe_sent = true;
    progress->chunk_ms = raft->now_ms;
}

/* A large chunk may take long to arrive and to be written; pieces of it report progress
 * (raft_replication_peer_alive()). After half a timeout of silence the chunk counts as lost. */
uint64_t raft_snapshot_due_ms(const struct raft *raft, size_t peer)
{
    return raft->progress[peer].chunk_ms + raft->options.election_timeout_ms / 2;
}

void raft_snapshot_tick(struct raft *raft, size_t peer)
{
    struct raft_progress *progress = &raft->progress[peer];
    if (progress->state != RAFT_SNAPSHOT || raft->now_ms < raft_snapshot_due_ms(raft, peer))
        return;
    progress->probe_sent = false;
    raft_snapshot_send(raft, peer);
}

void raft_handle_snapshot_response(struct raft *raft, const struct raft_message *response)
{
    size_t peer = raft_position_of_sender(raft, response);
    if (raft->role != RAFT_LEADER || response->term != raft->term || peer == NOT_A_MEMBER ||
        peer == raft->self)
        return;
    struct raft_progress *progress = &raft->progress[peer];
    progress->contact_ms = raft->now_ms;
    progress->answered = true;
    uint64_t offset = response->snapshot_response.offset;
    if (progress->state != RAFT_SNAPSHOT ||
        response->snapshot_response.index != progress->snapshot_index ||
        offset > progress->snapshot_bytes)
        return;
    if (offset < progress->snapshot_offset)
        raft_note(raft, RAFT_MARK_SNAPSHOT_RESTARTED);
    bool news = offset != progress->snapshot_offset;
    progress->snapshot_offset = offset;
    /* A follower that has all chunks is installing the snapshot; a newer one can wait. */
    if (news && offset < progress->snapshot_bytes) {
        progress->probe_sent = false;
        raft_snapshot_send(raft, peer);
    }
}

/* ---- the follower's side ---- */

static void respond_offset(struct raft *raft, const struct raft_message *request)
{
    struct raft_message *response = raft_message_add(raft, RAFT_SNAPSHOT_RESPONSE, request->from);
    response->when_durable = true; /* so that chunks come no faster than the disk takes them */
    response->snapshot_response.index = request->snapshot_request.index;
    response->snapshot_response.term = request->snapshot_request.term;
    response->snapshot_response.offset = raft->receiving.offset;
}

static void refuse_old_leader(struct raft *raft, const struct raft_message *request)
{
    raft_message_add(raft, RAFT_SNAPSHOT_RESPONSE, request->from);
}

/* If the log has the snapshot's last entry, no entry is dropped: the entries after it may have been
 * acknowledged. */
static bool is_in_log(const struct raft *raft, uint64_t index, uint64_t term)
{
    return raft_log_term_of(&raft->log, index) == term;
}

/* True: there is nothing to receive. */
static bool is_needless(struct raft *raft, const struct raft_message *request)
{
    uint64_t index = request->snapshot_request.index;
    if (index <= raft->commit) {
        raft_note(raft, RAFT_MARK_SNAPSHOT_LATE);
    } else if (is_in_log(raft, index, request->snapshot_request.term)) {
        raft_note(raft, RAFT_MARK_SNAPSHOT_IN_LOG);
        raft->commit = index;
    } else {
        return false;
    }
    if (raft->receiving.snapshot.index <= raft->commit)
        raft->receiving.snapshot.index = 0;
    uint64_t match = index < raft->durable ? index : raft->durable;
    raft_respond_success(raft, request, match, index);
    return true;
}

static bool continues(const struct raft *raft, const struct raft_message *request)
{
    return raft->receiving.snapshot.index == request->snapshot_request.index &&
           raft->receiving.snapshot.term == request->snapshot_request.term &&
           raft->receiving.leader_term == request->term;
}

static void begin_receiving(struct raft *raft, const struct raft_message *request)
{
    raft->receiving.snapshot = (struct raft_snapshot){.index = request->snapshot_request.index,
                                                      .term = request->snapshot_request.term,
                                                      .bytes = request->snapshot_request.total};
    raft->receiving.leader_term = request->term;
    raft->receiving.offset = 0;
}

/* A leader's snapshots have ascending indices: this chunk is of an older one. */
static bool is_superseded(const struct raft *raft, const struct raft_message *request)
{
    return raft->receiving.leader_term == request->term &&
           request->snapshot_request.index < raft->receiving.snapshot.index;
}

static void receive(struct raft *raft, const struct raft_message *request)
{
    uint64_t offset = request->snapshot_request.offset;
    uint64_t bytes = request->snapshot_request.bytes;
    ASSERT(offset <= request->snapshot_request.total &&
           bytes <= request->snapshot_request.total - offset);
    if (offset != raft->receiving.offset)
        raft_note(raft, RAFT_MARK_SNAPSHOT_RESUMED);
    if (offset != raft->receiving.offset || bytes == 0)
        return;
    raft->receiving.offset += bytes;
    raft->update.chunk_received = true;
    raft->update.chunk =
        (struct raft_chunk){.snapshot = raft->receiving.snapshot,
                            .offset = offset,
                            .bytes = bytes,
                            .last = raft->receiving.offset == raft->receiving.snapshot.bytes};
}

void raft_handle_snapshot_request(struct raft *raft, const struct raft_message *request)
{
    if (request->term < raft->term) {
        refuse_old_leader(raft, request);
        return;
    }
    ASSERT(raft->role != RAFT_LEADER);
    raft_follow(raft, request->term, request->from);
    if (is_needless(raft, request) || is_superseded(raft, request))
        return;
    if (!continues(raft, request))
        begin_receiving(raft, request);
    receive(raft, request);
    respond_offset(raft, request);
}

static bool is_received(const struct raft *raft, const struct raft_snapshot *snapshot)
{
    return snapshot->index != 0 && snapshot->index == raft->receiving.snapshot.index &&
           snapshot->term == raft->receiving.snapshot.term;
}

void raft_snapshot_failed(struct raft *raft, const struct raft_event *event)
{
    if (is_received(raft, &event->installed.snapshot))
        raft->receiving.snapshot.index = 0;
}

void raft_snapshot_installed(struct raft *raft, const struct raft_event *event)
{
    const struct raft_snapshot *snapshot = &event->installed.snapshot;
    if (!is_received(raft, snapshot)) {
        raft_note(raft, RAFT_MARK_SNAPSHOT_RACED);
        return;
    }
    raft->receiving.snapshot.index = 0;
    if (snapshot->index <= raft->commit || raft->role == RAFT_LEADER ||
        is_in_log(raft, snapshot->index, snapshot->term)) {
        raft_note(raft, RAFT_MARK_SNAPSHOT_RACED);
        return;
    }
    /* The vote requests named the old log and membership. */
    if (raft->role != RAFT_FOLLOWER)
        raft_follow(raft, raft->term, 0);
    raft_note(raft, RAFT_MARK_SNAPSHOT_INSTALLED);
    raft->counters.snapshots_installed++;
    raft->update.install = true;
    raft->update.installed = *snapshot;
    raft->snapshot = *snapshot;
    raft_log_reset(raft, snapshot->index, snapshot->term);
    raft_configurations_reset(raft, snapshot->index, event->installed.membership);
    raft->commit = snapshot->index;
    if (raft->leader == 0)
        return;
    struct raft_message request = {.from = raft->leader, .term = raft->term};
    raft_respond_success(raft, &request, snapshot->index, snapshot->index)->when_durable = true;
}
