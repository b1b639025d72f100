#include "base/assert.h"
#include "raft/core.h"

/* Which incarnation is at the other end. An id can come back with another data folder: its disk was
 * lost, or it was added by its address alone. The leader takes such a folder in by itself. */

uint64_t raft_met_incarnation(const struct raft *raft, uint64_t id)
{
    for (size_t i = 0; i < raft->met_count; i++) {
        if (raft->met[i].id == id)
            return raft->met[i].incarnation;
    }
    return 0;
}

/* Where the table is full, somebody goes who is no member. */
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

/* A disk that was lost stays lost. One that is only away is heard of within an election timeout,
 * and two folders that run under one id are heard of in turn. */
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

/* One at a time: the next change waits for this one. A voter becomes a learner that is promoted
 * when it has caught up, which is a joint change: the others decide without it. */
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
