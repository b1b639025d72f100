#include "base/assert.h"
#include "raft/core.h"

/* Tracks which incarnation is at the other end of each connection. A node can connect under its id
 * with another data folder: its disk was lost, or it was added by address only. The leader takes
 * such a folder in by itself. */

uint64_t raft_met_incarnation(const struct raft *raft, uint64_t id)
{
    for (size_t i = 0; i < raft->met_count; i++) {
        if (raft->met[i].id == id)
            return raft->met[i].incarnation;
    }
    return 0;
}

/* In a full table a node that is not a member gives up its place. */
static struct raft_met *place_for(struct raft *raft, uint64_t id)
{
    for (size_t i = 0; i < raft->met_count; i++) {
        if (raft->met[i].id == id)
            return &raft->met[i];
    }
    if (raft->met_count < MET_MAX)
        return &raft->met[raft->met_count++];
    size_t at = 0;
    while (raft_position_of(raft, raft->met[at].id) != NOT_A_MEMBER)
        at++;
    ASSERT(at < MET_MAX);
    return &raft->met[at];
}

void raft_identity_met(struct raft *raft, uint64_t id, uint64_t incarnation)
{
    if (id == raft->options.id || id == 0 || incarnation == 0)
        return;
    *place_for(raft, id) = (struct raft_met){.id = id, .incarnation = incarnation};
}

bool raft_is_reachable(const struct raft *raft, size_t peer)
{
    const struct raft_member *member = &raft->membership.members[peer];
    uint64_t met = raft_met_incarnation(raft, member->id);
    return member->incarnation != 0 && (met == 0 || met == member->incarnation);
}

static bool is_another(const struct raft *raft, const struct raft_member *member)
{
    uint64_t met = raft_met_incarnation(raft, member->id);
    return member->id != raft->options.id && met != 0 && met != member->incarnation;
}

/* A lost disk never returns. An incarnation that is only disconnected is heard of again within an
 * election timeout. If two folders run under one id, both are heard of by turns. */
static bool is_to_be_taken_in(const struct raft *raft, size_t position)
{
    const struct raft_member *member = &raft->membership.members[position];
    if (!is_another(raft, member))
        return false;
    uint64_t silent_ms = raft->progress[position].contact_ms + raft->options.election_timeout_ms;
    return member->incarnation == 0 || raft->now_ms >= silent_ms;
}

bool raft_meets_others(const struct raft *raft)
{
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (is_another(raft, &raft->membership.members[i]))
            return true;
    }
    return false;
}

/* One node at a time; the next change waits for this one. A voter becomes a learner to be promoted.
 * That is a joint change, which the other voters decide. */
bool raft_wants_to_take_in(const struct raft *raft, struct raft_membership *wanted)
{
    size_t position = 0;
    while (position < raft->membership.count && !is_to_be_taken_in(raft, position))
        position++;
    if (position == raft->membership.count)
        return false;
    *wanted = raft->membership;
    struct raft_member *member = &wanted->members[position];
    member->incarnation = raft_met_incarnation(raft, member->id);
    if (member->roles & RAFT_VOTER)
        member->roles = RAFT_PROMOTE;
    return true;
}
