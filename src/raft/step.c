#include "base/assert.h"
#include "raft/core.h"

/* Whether a message of a later term means that this node is behind. PreVote names a term that no
 * node is in yet. A node that would disturb a live leader is ignored (dissertation §4.2.3,
 * §9.6). */
static bool term_is_news(const struct raft *raft, const struct raft_message *message)
{
    if (message->term <= raft->term)
        return false;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        return !message->vote_request.pre;
    case RAFT_VOTE_RESPONSE:
        return !message->vote_response.pre || !message->vote_response.granted;
    case RAFT_APPEND_REQUEST:
    case RAFT_APPEND_RESPONSE:
    case RAFT_SNAPSHOT_REQUEST:
    case RAFT_SNAPSHOT_RESPONSE:
    case RAFT_TIMEOUT_NOW:
        return true;
    }
    return false;
}

static bool disturbs(struct raft *raft, const struct raft_message *message)
{
    if (message->type != RAFT_VOTE_REQUEST || message->vote_request.pre ||
        message->vote_request.transfer || message->term <= raft->term ||
        !raft_leader_is_alive(raft))
        return false;
    raft_note(raft, RAFT_MARK_DISTURBER_IGNORED);
    return true;
}

static void step_message(struct raft *raft, const struct raft_message *message)
{
    if (message->to != raft->options.id || disturbs(raft, message))
        return;
    if (term_is_news(raft, message))
        raft_follow(raft, message->term, 0);
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        raft_handle_vote_request(raft, message);
        return;
    case RAFT_VOTE_RESPONSE:
        raft_handle_vote_response(raft, message);
        return;
    case RAFT_APPEND_REQUEST:
        raft_handle_append_request(raft, message);
        return;
    case RAFT_APPEND_RESPONSE:
        raft_handle_append_response(raft, message);
        return;
    case RAFT_SNAPSHOT_REQUEST:
        raft_handle_snapshot_request(raft, message);
        return;
    case RAFT_SNAPSHOT_RESPONSE:
        raft_handle_snapshot_response(raft, message);
        return;
    case RAFT_TIMEOUT_NOW:
        raft_handle_timeout_now(raft, message);
        return;
    }
}

static void dispatch(struct raft *raft, const struct raft_event *event)
{
    switch (event->type) {
    case RAFT_EVENT_TICK:
        if (raft->role == RAFT_LEADER)
            raft_replication_tick(raft);
        else
            raft_election_tick(raft);
        return;
    case RAFT_EVENT_MESSAGE:
        step_message(raft, event->message);
        return;
    case RAFT_EVENT_SUBMIT:
        raft_replication_submit(raft, event->submit.entries, event->submit.count);
        return;
    case RAFT_EVENT_DURABLE:
        raft_replication_durable(raft, event->durable.index, event->durable.term);
        return;
    case RAFT_EVENT_READ:
        raft_reads_submit(raft, event->read_context);
        return;
    case RAFT_EVENT_PEER_LOST:
        if (raft->role == RAFT_LEADER)
            raft_reads_peer_lost(raft, event->peer);
        else
            raft_election_peer_lost(raft, event->peer);
        return;
    case RAFT_EVENT_PEER_ALIVE:
        if (raft->role == RAFT_LEADER)
            raft_replication_peer_alive(raft, event->peer);
        else
            raft_election_peer_alive(raft, event->peer);
        return;
    case RAFT_EVENT_PEER_MET:
        raft_identity_met(raft, event->met.peer, event->met.incarnation);
        return;
    case RAFT_EVENT_INCARNATION:
        raft_change_incarnation(raft, event->incarnation);
        return;
    case RAFT_EVENT_PEER_BUSY:
        raft_note_busy(raft, event->busy.peer, event->busy.ms);
        return;
    case RAFT_EVENT_CHANGE:
        raft_change_begin(raft, event->change);
        return;
    case RAFT_EVENT_TELL_COMMIT:
        raft_replication_tell_commit(raft, event->peer);
        return;
    case RAFT_EVENT_TRANSFER:
        raft_transfer_begin(raft, event->peer);
        return;
    case RAFT_EVENT_COMPACT:
        raft_snapshot_compact(raft, event);
        return;
    case RAFT_EVENT_INSTALLED:
        raft_snapshot_installed(raft, event);
        return;
    case RAFT_EVENT_INSTALL_FAILED:
        raft_snapshot_failed(raft, event);
        return;
    }
}

static void note_hard_state(struct raft *raft)
{
    struct raft_hard_state hard_state = {.term = raft->term, .vote = raft->vote};
    raft->update.hard_state_changed = raft_hard_state_differs(raft);
    raft->update.hard_state = hard_state;
    raft->hard_state_known = hard_state;
}

static void note_leader(struct raft *raft)
{
    if (raft->leader == 0 || raft->leader == raft->last_leader)
        return;
    raft->last_leader = raft->leader;
    raft->counters.leader_changes++;
}

void raft_step(struct raft *raft, const struct raft_event *event, struct raft_update *update)
{
    ASSERT(event->now_ms >= raft->now_ms);
    raft->now_ms = event->now_ms;
    raft->update = (struct raft_update){0};
    enum raft_role role = raft->role;
    uint64_t term = raft->term, leader = raft->leader, commit = raft->commit;
    uint64_t target = raft->transfer_target;

    dispatch(raft, event);
    raft_change_settle(raft);
    raft_transfer_settle(raft);

    ASSERT(raft->commit >= commit && raft->commit <= raft->log.last_index);
    note_hard_state(raft);
    note_leader(raft);
    bool changed = role != raft->role || term != raft->term;
    raft->update.role_changed =
        changed || leader != raft->leader || target != raft->transfer_target;
    raft->update.leadership_lost = changed && role == RAFT_LEADER;
    raft->update.commit_index = raft->commit;
    raft->update.messages = raft->messages;
    raft->update.reads = raft->reads_ready;
    *update = raft->update;
}
