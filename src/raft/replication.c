#include <string.h>

#include "base/assert.h"
#include "raft/core.h"

enum {
    /* Largest record that the host encodes for an own entry. */
    OWN_ENTRY_BYTES = 160,
    OWN_MEMBER_BYTES = 80, /* plus the address */
    FLUSH_MS = 10,         /* an idle follower learns the commit index within this time */
};

static bool is_peer(const struct raft *raft, size_t position)
{
    return position != raft->self;
}

static void send_append(struct raft *raft, size_t peer, size_t count)
{
    struct raft_progress *progress = &raft->progress[peer];
    struct raft_message *request =
        raft_message_add(raft, RAFT_APPEND_REQUEST, raft->membership.members[peer].id);
    request->append_request.prev_index = progress->next - 1;
    request->append_request.prev_term = raft_log_term_of(&raft->log, progress->next - 1);
    request->append_request.commit = raft->commit;
    request->append_request.read_context = raft->read_newest;
    request->append_request.sent_ms = raft->now_ms;
    request->append_request.to_incarnation = raft->membership.members[peer].incarnation;
    request->append_request.acknowledged =
        progress->acknowledged < raft->commit ? progress->acknowledged : raft->commit;
    request->append_request.first_index = progress->next;
    request->append_request.entry_count = count;
    progress->commit_sent = raft->commit;
    progress->sent_ms = raft->now_ms;
    if (count > 0)
        return;
    progress->heartbeat_ms = raft->now_ms;
    raft_progress_asked(progress, raft->read_newest, raft->now_ms);
}

static void send_probe(struct raft *raft, size_t peer)
{
    struct raft_progress *progress = &raft->progress[peer];
    if (progress->probe_sent)
        return;
    uint64_t bytes;
    send_append(raft, peer, raft_log_batch(&raft->log, progress->next, &raft->options, &bytes));
    progress->probe_sent = true;
}

static void send_window(struct raft *raft, size_t peer)
{
    struct raft_progress *progress = &raft->progress[peer];
    while (progress->next <= raft->log.last_index) {
        uint64_t bytes;
        size_t count = raft_log_batch(&raft->log, progress->next, &raft->options, &bytes);
        if (!raft_progress_has_room(progress, bytes, raft->options.bytes_in_flight_max))
            return;
        send_append(raft, peer, count);
        raft_progress_sent(progress, progress->next + count - 1, bytes);
    }
}

static void send_entries(struct raft *raft, size_t peer)
{
    if (!raft_is_reachable(raft, peer))
        return;
    switch (raft->progress[peer].state) {
    case RAFT_PROBE:
        send_probe(raft, peer);
        return;
    case RAFT_REPLICATE:
        send_window(raft, peer);
        return;
    case RAFT_SNAPSHOT:
        raft_snapshot_send(raft, peer);
        return;
    }
}

static void send_entries_to_all(struct raft *raft)
{
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (is_peer(raft, i))
            send_entries(raft, i);
    }
}

void raft_replication_begin(struct raft *raft)
{
    /* The vote requests left after the whole log was durable, and the log has not changed since. */
    raft->durable = raft->log.last_index;
    raft->flush_ms = 0;
    for (size_t i = 0; i < raft->membership.count; i++)
        raft_progress_reset(&raft->progress[i], raft->log.last_index + 1, raft->now_ms);
    for (size_t i = 0; i < raft->membership.count; i++) {
        const struct raft_member *member = &raft->membership.members[i];
        raft->progress[i].acknowledged = raft_witnessed(raft, member->id, member->incarnation);
    }

    /* An entry of an older term commits only together with one of this term (paper §5.4.2). Reads
     * wait for that too (§8). */
    raft->term_start = raft->log.last_index + 1;
    raft_replication_append_own(raft, RAFT_OWN_NOOP, NULL);
}

void raft_replication_append_own(struct raft *raft, enum raft_own_entry kind,
                                 const struct raft_membership *membership)
{
    ASSERT(raft->update.append_count == 0);
    struct raft_entry entry = {.index = raft->log.last_index + 1,
                               .term = raft->term,
                               .bytes = OWN_ENTRY_BYTES,
                               .membership = membership};
    for (size_t i = 0; membership && i < membership->count; i++)
        entry.bytes += OWN_MEMBER_BYTES + (uint32_t)strlen(membership->members[i].address);
    raft_log_append(&raft->log, &entry);
    raft->update.append_first = entry.index;
    raft->update.append_count = 1;
    raft->update.append_own = kind;
    if (membership) {
        raft_configurations_add(raft, entry.index, membership);
        raft->update.append_membership = &raft->membership;
    }
    send_entries_to_all(raft);
}

void raft_replication_submit(struct raft *raft, const struct raft_entry *entries, size_t count)
{
    ASSERT(raft->role == RAFT_LEADER);
    if (count == 0)
        return;
    raft->update.append_first = raft->log.last_index + 1;
    raft->update.append_count = count;
    for (size_t i = 0; i < count; i++) {
        ASSERT(entries[i].term == raft->term);
        raft_log_append(&raft->log, &entries[i]);
    }
    send_entries_to_all(raft);
}

/* Paper §5.4.2, figure 8: that a majority has an entry of an older term proves nothing. */
static void advance_commit(struct raft *raft)
{
    uint64_t held[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < raft->membership.count; i++)
        held[i] = is_peer(raft, i) ? raft->progress[i].match : raft->durable;
    uint64_t majority = raft_membership_majority_value(&raft->membership, held);
    if (majority <= raft->commit)
        return;
    if (raft_log_term_of(&raft->log, majority) != raft->term) {
        raft_note(raft, RAFT_MARK_FIGURE_8);
        return;
    }
    raft->commit = majority;
    if (raft->flush_ms == 0)
        raft->flush_ms = raft->now_ms + FLUSH_MS;
    raft_reads_confirm(raft);
}

void raft_replication_durable(struct raft *raft, uint64_t index, uint64_t term)
{
    if (index <= raft->durable)
        return;
    /* An installed snapshot may be of any term. It was installed because the log lacked its last
     * entry, so no older report can be about that entry. */
    bool is_base = index == raft->log.base_index;
    if (raft_log_term_of(&raft->log, index) != term ||
        (term < raft->durable_term_min && !is_base)) {
        raft_note(raft, RAFT_MARK_LATE_DURABLE);
        return;
    }
    raft->durable = index;
    if (raft->role == RAFT_LEADER)
        advance_commit(raft);
}

/* Counts for CheckQuorum and for the chunk under way. Confirms no read and acknowledges nothing. */
void raft_replication_peer_alive(struct raft *raft, uint64_t peer)
{
    size_t position = raft_position_of(raft, peer);
    if (position == NOT_A_MEMBER || !is_peer(raft, position) || !raft_is_reachable(raft, position))
        return;
    raft->progress[position].contact_ms = raft->now_ms;
    raft->progress[position].chunk_ms = raft->now_ms;
}

static uint64_t contact_ms(const struct raft *raft, size_t peer)
{
    return raft->progress[peer].contact_ms;
}

/* While this node or the member has announced that it is busy, the silence between them does not
 * mean that the member is gone. It also does not prove to readers that there is no other leader. */
static uint64_t excused_contact_ms(const struct raft *raft, size_t peer)
{
    const struct raft_progress *progress = &raft->progress[peer];
    uint64_t busy_until_ms = progress->busy_until_ms > raft->busy_until_ms ? progress->busy_until_ms
                                                                           : raft->busy_until_ms;
    uint64_t excused_ms = busy_until_ms < raft->now_ms ? busy_until_ms : raft->now_ms;
    return progress->contact_ms > excused_ms ? progress->contact_ms : excused_ms;
}

static uint64_t majority_ms(const struct raft *raft,
                            uint64_t (*of)(const struct raft *raft, size_t peer))
{
    uint64_t contact[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < raft->membership.count; i++)
        contact[i] = is_peer(raft, i) ? of(raft, i) : raft->now_ms;
    return raft_membership_majority_value(&raft->membership, contact);
}

static uint64_t quorum_excused_ms(const struct raft *raft)
{
    return majority_ms(raft, excused_contact_ms);
}

uint64_t raft_replication_quorum_contact_ms(const struct raft *raft)
{
    return majority_ms(raft, contact_ms);
}

/* A member that answers gets a heartbeat only if nothing else is sent to it. A silent member gets
 * heartbeats anyway: its acknowledgements may wait for its disk, and heartbeats do not. */
static uint64_t heartbeat_due_ms(const struct raft *raft, size_t peer)
{
    const struct raft_progress *progress = &raft->progress[peer];
    uint64_t idle_since = progress->sent_ms;
    uint64_t silent_since = progress->contact_ms > progress->heartbeat_ms ? progress->contact_ms
                                                                          : progress->heartbeat_ms;
    uint64_t since = idle_since < silent_since ? idle_since : silent_since;
    return since + raft->options.heartbeat_ms;
}

static bool flush_is_due(const struct raft *raft, size_t peer)
{
    const struct raft_progress *progress = &raft->progress[peer];
    return raft->flush_ms != 0 && raft->now_ms >= raft->flush_ms &&
           progress->state == RAFT_REPLICATE && progress->commit_sent < raft->commit;
}

/* Whoever needs it knows it from the next append otherwise, or after FLUSH_MS. */
void raft_replication_tell_commit(struct raft *raft, uint64_t peer)
{
    size_t position = raft_position_of(raft, peer);
    if (raft->role != RAFT_LEADER || position == NOT_A_MEMBER || !is_peer(raft, position) ||
        !raft_is_reachable(raft, position))
        return;
    const struct raft_progress *progress = &raft->progress[position];
    if (progress->state == RAFT_REPLICATE && progress->commit_sent < raft->commit)
        send_append(raft, position, 0);
}

void raft_replication_tick(struct raft *raft)
{
    uint64_t quorum_ms = quorum_excused_ms(raft);
    if (raft->now_ms >= quorum_ms + raft->options.election_timeout_ms) {
        raft_note(raft, RAFT_MARK_QUORUM_LOST);
        raft_follow(raft, raft->term, 0); /* CheckQuorum, dissertation §6.2 */
        return;
    }
    raft_transfer_tick(raft);
    raft_reads_tick(raft);
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (!is_peer(raft, i) || !raft_is_reachable(raft, i))
            continue;
        if (raft->now_ms >= heartbeat_due_ms(raft, i) || flush_is_due(raft, i))
            send_append(raft, i, 0);
        raft_snapshot_tick(raft, i);
    }
    if (raft->now_ms >= raft->flush_ms)
        raft->flush_ms = 0;
}

static uint64_t peer_due_ms(const struct raft *raft, size_t peer)
{
    uint64_t due = heartbeat_due_ms(raft, peer);
    if (raft->progress[peer].state != RAFT_SNAPSHOT)
        return due;
    uint64_t snapshot_due = raft_snapshot_due_ms(raft, peer);
    return snapshot_due < due ? snapshot_due : due;
}

uint64_t raft_replication_deadline_ms(const struct raft *raft)
{
    uint64_t deadline = quorum_excused_ms(raft) + raft->options.election_timeout_ms;
    if (raft->transfer_target && raft->transfer_deadline_ms < deadline)
        deadline = raft->transfer_deadline_ms;
    uint64_t reads_due = raft_reads_due_ms(raft);
    if (reads_due < deadline)
        deadline = reads_due;
    for (size_t i = 0; i < raft->membership.count; i++) {
        bool waits = is_peer(raft, i) && raft_is_reachable(raft, i);
        uint64_t due = waits ? peer_due_ms(raft, i) : deadline;
        if (due < deadline)
            deadline = due;
    }
    return raft->flush_ms != 0 && raft->flush_ms < deadline ? raft->flush_ms : deadline;
}

void raft_replication_heartbeat(struct raft *raft, size_t peer)
{
    send_append(raft, peer, 0);
}

static void handle_rejection(struct raft *raft, size_t peer, const struct raft_message *response)
{
    struct raft_progress *progress = &raft->progress[peer];
    uint64_t prev = response->append_response.rejected_prev;
    bool is_newest = prev == progress->next - 1;
    bool is_gap = progress->state == RAFT_REPLICATE && prev > progress->match;
    if (prev == 0 || (!is_newest && !is_gap))
        return; /* an old answer: the appends sent since get their own */
    uint64_t agreed = raft_log_find_agreement(&raft->log, response->append_response.hint_index,
                                              response->append_response.hint_term);
    uint64_t next = agreed + 1 < prev ? agreed + 1 : prev;
    /* Below match: the member has lost entries that it acknowledged (it may be configured not to
     * sync). Lowering match is always safe. Without that the member would never catch up. */
    if (next <= progress->match) {
        raft_note(raft, RAFT_MARK_MATCH_LOWERED);
        progress->match = next - 1;
    }
    if (next <= raft->log.base_index) {
        raft_snapshot_begin(raft, peer);
        raft_snapshot_send(raft, peer);
        return;
    }
    raft_progress_probe(progress, next);
    send_probe(raft, peer);
}

static void handle_success(struct raft *raft, size_t peer, const struct raft_message *response)
{
    struct raft_progress *progress = &raft->progress[peer];
    uint64_t match = response->append_response.match;
    uint64_t accepted = response->append_response.hint_index;
    if (accepted < match)
        accepted = match;
    if (accepted > raft->log.last_index)
        return;
    if (progress->state != RAFT_REPLICATE && accepted + 1 >= progress->next)
        raft_progress_replicate(progress, accepted + 1);
    raft_progress_acknowledge(progress, match);
    advance_commit(raft);
    send_entries(raft, peer);
}

void raft_handle_append_response(struct raft *raft, const struct raft_message *response)
{
    size_t peer = raft_position_of_sender(raft, response);
    if (raft->role != RAFT_LEADER || response->term != raft->term || peer == NOT_A_MEMBER ||
        peer == raft->self)
        return;
    struct raft_progress *progress = &raft->progress[peer];
    progress->contact_ms = raft->now_ms;
    progress->answered = true;
    progress->no_room = response->append_response.no_room;
    /* A rejection in this term confirms the leader just as a success does. */
    if (raft_progress_echoed(progress, response->append_response.read_context, raft->now_ms))
        raft_reads_confirm(raft);
    else if (response->append_response.read_context < progress->read_context)
        raft_note(raft, RAFT_MARK_READ_OF_OLD_ROUND);
    raft_progress_answered(progress, response->append_response.sent_ms, raft->now_ms,
                           raft->options.heartbeat_ms);
    if (response->append_response.success)
        handle_success(raft, peer, response);
    else
        handle_rejection(raft, peer, response);
}
