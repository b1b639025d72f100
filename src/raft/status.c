#include "raft/core.h"

static uint64_t contact_ms(const struct raft_progress *progress)
{
    return progress->answered ? progress->contact_ms : 0;
}

uint64_t raft_peer_contact_ms(const struct raft *raft, uint64_t id)
{
    size_t position = raft_position_of(raft, id);
    bool is_peer = position != NOT_A_MEMBER && position != raft->self;
    return is_peer ? contact_ms(&raft->progress[position]) : 0;
}

uint64_t raft_stored_by_all(const struct raft *raft, uint64_t from, uint64_t since_ms)
{
    uint64_t least = raft->log.last_index;
    if (raft->role != RAFT_LEADER)
        return least;
    for (size_t i = 0; i < raft->membership.count; i++) {
        const struct raft_progress *progress = &raft->progress[i];
        bool counts = i != raft->self && progress->answered && progress->contact_ms >= since_ms &&
                      progress->match >= from;
        if (counts && progress->match < least)
            least = progress->match;
    }
    return least;
}

static void describe_peer(const struct raft *raft, size_t position, struct raft_peer_status *peer)
{
    const struct raft_progress *progress = &raft->progress[position];
    *peer = (struct raft_peer_status){
        .id = raft->membership.members[position].id,
        .incarnation = raft->membership.members[position].incarnation,
        .roles = raft->membership.members[position].roles,
        .voter = raft_is_voter(raft, position),
        .state = progress->state,
        .match = progress->match,
        .next = progress->next,
        .in_flight = progress->window_count,
        .in_flight_bytes = progress->window_bytes,
        .snapshot_offset = progress->state == RAFT_SNAPSHOT ? progress->snapshot_offset : 0,
        .last_contact_ms = contact_ms(progress),
        .silent_since_ms = progress->contact_ms,
        .no_room = progress->no_room,
    };
}

void raft_status(const struct raft *raft, struct raft_status *status)
{
    const struct raft_configuration *newest = &raft->configurations[raft->configuration_count - 1];
    *status = (struct raft_status){
        .role = raft->role,
        .term = raft->term,
        .vote = raft->vote,
        .leader = raft->leader,
        .first_index = raft->log.base_index + 1,
        .last_index = raft->log.last_index,
        .last_term = raft_log_last_term(&raft->log),
        .durable_index = raft->durable,
        .commit_index = raft->commit,
        .snapshot = raft->snapshot,
        .self_is_voter = raft->self != NOT_A_MEMBER && raft_is_voter(raft, raft->self),
        .may_stand = raft_may_stand(raft),
        .may_vote = raft_may_vote(raft),
        .joint = raft_membership_is_joint(&raft->membership),
        .change_index = newest->index,
        .change_is_committed = newest->index <= raft->commit,
        .transfer_target = raft->transfer_target,
        .lease_until_ms = raft_lease_until_ms(raft),
        .last_contact_ms = raft_last_contact_ms(raft),
        .reads_waiting = raft->role == RAFT_LEADER ? raft->read_count : 0,
    };
    if (raft->receiving.snapshot.index) {
        status->receiving_index = raft->receiving.snapshot.index;
        status->receiving_offset = raft->receiving.offset;
        status->receiving_bytes = raft->receiving.snapshot.bytes;
    }
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (i != raft->self)
            describe_peer(raft, i, &status->peers[status->peer_count++]);
    }
}

uint64_t raft_marks(const struct raft *raft)
{
    return raft->marks;
}

const char *raft_mark_name(enum raft_mark mark)
{
    static const char *const names[RAFT_MARKS] = {
        [RAFT_MARK_FIGURE_8] = "a majority held an entry of an older term",
        [RAFT_MARK_SPLIT_VOTE] = "a candidate learned that it cannot win",
        [RAFT_MARK_DISTURBER_IGNORED] = "a vote request came while a leader was alive",
        [RAFT_MARK_TRUNCATED] = "a conflict truncated the log",
        [RAFT_MARK_TRUNCATED_DURABLE] = "a conflict truncated entries that were on the disk",
        [RAFT_MARK_LATE_DURABLE] = "a write was reported that a truncation had undone",
        [RAFT_MARK_OVERLAPPING_APPEND] = "an append began with entries that were known",
        [RAFT_MARK_OLD_APPEND] = "an append came late and brought nothing new",
        [RAFT_MARK_APPEND_BELOW_BASE] = "an append overlapped the compacted prefix",
        [RAFT_MARK_COMMIT_BOUNDED] = "the leader's commit was beyond the last new entry",
        [RAFT_MARK_MATCH_LOWERED] = "a follower lost what it had acknowledged",
        [RAFT_MARK_QUORUM_LOST] = "a leader lost its quorum",
        [RAFT_MARK_READ_BEFORE_NOOP] = "a read came before the no-op was committed",
        [RAFT_MARK_READ_OF_OLD_ROUND] = "an echo of an old read round came",
        [RAFT_MARK_READ_ASKED_FEW] = "a read round asked a bare majority",
        [RAFT_MARK_READ_ASKED_OTHERS] = "a read round was answered late: the others were asked",
        [RAFT_MARK_LEASE_READ] = "a lease answered a read",
        [RAFT_MARK_TRANSFERRED] = "leadership was handed over",
        [RAFT_MARK_TRANSFER_ABORTED] = "a transfer was given up",
        [RAFT_MARK_TIMEOUT_NOW_STALE] = "TimeoutNow came from nobody who leads",
        [RAFT_MARK_JOINT_ENTERED] = "a joint membership began",
        [RAFT_MARK_JOINT_LEFT] = "a joint membership was left",
        [RAFT_MARK_JOINT_INHERITED] = "a new leader finished a joint change",
        [RAFT_MARK_CHANGE_TAKEN_BACK] = "a membership was truncated away",
        [RAFT_MARK_LEADER_REMOVED] = "a leader outside the new set stepped down",
        [RAFT_MARK_LEARNER_PROMOTED] = "a learner that had caught up was promoted",
        [RAFT_MARK_TAKEN_IN] = "another incarnation of a member was taken in",
        [RAFT_MARK_SNAPSHOT_NEEDED] = "a follower needed a snapshot",
        [RAFT_MARK_SNAPSHOT_RESTARTED] = "sending a snapshot began anew",
        [RAFT_MARK_SNAPSHOT_RESUMED] = "a chunk was lost, or came twice",
        [RAFT_MARK_SNAPSHOT_LATE] = "a snapshot came at or below the commit index",
        [RAFT_MARK_SNAPSHOT_IN_LOG] = "the log held a snapshot's last entry",
        [RAFT_MARK_SNAPSHOT_RACED] = "a snapshot was overtaken while it was checked",
        [RAFT_MARK_SNAPSHOT_INSTALLED] = "a snapshot was installed",
    };
    return names[mark];
}

const char *raft_role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_PRECANDIDATE:
        return "pre-candidate";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "unknown";
}
