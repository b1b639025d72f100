#include "raft/core.h"

/* Handing over leadership (dissertation §3.10). The leader takes no new entries, sends the target
 * what it lacks, then tells it to start an election at once. It gives up after one election
 * timeout. */

static bool can_follow(const struct raft *raft, size_t position)
{
    const struct raft_progress *progress = &raft->progress[position];
    return position != raft->self && raft_is_voter(raft, position) && progress->answered &&
           progress->state == RAFT_REPLICATE && !progress->no_room &&
           raft_is_reachable(raft, position);
}

/* The voter with room on its disk that lacks the fewest entries; of equal ones, the one heard of
 * last. */
size_t raft_transfer_candidate(const struct raft *raft)
{
    size_t best = NOT_A_MEMBER;
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (!can_follow(raft, i))
            continue;
        const struct raft_progress *progress = &raft->progress[i];
        const struct raft_progress *other = best == NOT_A_MEMBER ? NULL : &raft->progress[best];
        if (!other || progress->match > other->match ||
            (progress->match == other->match && progress->contact_ms > other->contact_ms))
            best = i;
    }
    return best;
}

bool raft_can_hand_over_to(const struct raft *raft, uint64_t id)
{
    size_t position = raft_position_of(raft, id);
    return raft->role == RAFT_LEADER && position != NOT_A_MEMBER && can_follow(raft, position);
}

/* The receiver may win an election although this leader is alive. So this leader's lease is void
 * from now on, however late the message arrives. */
void raft_send_timeout_now(struct raft *raft, size_t peer)
{
    raft_note(raft, RAFT_MARK_TRANSFERRED);
    raft->lease_is_void = true;
    raft_message_add(raft, RAFT_TIMEOUT_NOW, raft->membership.members[peer].id);
}

/* When the target has everything and all of it is committed, this leader knows the outcome of all
 * its writes. */
void raft_transfer_settle(struct raft *raft)
{
    if (raft->transfer_target == 0 || raft->timeout_now_sent)
        return;
    size_t target = raft_position_of(raft, raft->transfer_target);
    if (target == NOT_A_MEMBER || raft->progress[target].match < raft->log.last_index ||
        raft->commit < raft->log.last_index)
        return;
    raft->timeout_now_sent = true;
    raft_send_timeout_now(raft, target);
}

void raft_transfer_begin(struct raft *raft, uint64_t target)
{
    if (raft->role != RAFT_LEADER || raft->transfer_target)
        return;
    size_t position = target ? raft_position_of(raft, target) : raft_transfer_candidate(raft);
    if (position == NOT_A_MEMBER || position == raft->self || !raft_is_voter(raft, position))
        return;
    raft->transfer_target = raft->membership.members[position].id;
    raft->transfer_deadline_ms = raft->now_ms + raft->options.election_timeout_ms;
    raft->timeout_now_sent = false;
    raft->counters.transfers_started++;
}

void raft_transfer_tick(struct raft *raft)
{
    if (raft->transfer_target == 0 || raft->now_ms < raft->transfer_deadline_ms)
        return;
    raft_note(raft, RAFT_MARK_TRANSFER_ABORTED);
    raft->counters.transfers_aborted++;
    raft_transfer_end(raft);
}

void raft_transfer_end(struct raft *raft)
{
    raft->transfer_target = 0;
}

void raft_set_room(struct raft *raft, bool has_room)
{
    raft->no_room = !has_room;
}

bool raft_accepts(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft->transfer_target == 0;
}
