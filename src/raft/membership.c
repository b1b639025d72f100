#include "raft/membership.h"

#include "base/assert.h"

const struct raft_member *raft_membership_find(const struct raft_membership *membership,
                                               uint64_t id)
{
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->members[i].id == id)
            return &membership->members[i];
    }
    return NULL;
}

bool raft_membership_is_joint(const struct raft_membership *membership)
{
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->members[i].roles & RAFT_VOTER_INCOMING)
            return true;
    }
    return false;
}

void raft_membership_set(struct raft_membership *membership, uint64_t id, unsigned roles)
{
    size_t at = 0;
    while (at < membership->count && membership->members[at].id < id)
        at++;
    if (at < membership->count && membership->members[at].id == id) {
        membership->members[at].roles = roles;
        return;
    }
    ASSERT(membership->count < RAFT_MEMBERS_MAX);
    for (size_t i = membership->count; i > at; i--)
        membership->members[i] = membership->members[i - 1];
    membership->members[at] = (struct raft_member){.id = id, .roles = roles};
    membership->count++;
}

static bool set_has_majority(const struct raft_membership *membership, unsigned set,
                             const bool *yes)
{
    size_t voters = 0, agreed = 0;
    for (size_t i = 0; i < membership->count; i++) {
        if (!(membership->members[i].roles & set))
            continue;
        voters++;
        if (yes[i])
            agreed++;
    }
    return agreed > voters / 2;
}

bool raft_membership_has_majority(const struct raft_membership *membership, const bool *yes)
{
    if (!set_has_majority(membership, RAFT_VOTER, yes))
        return false;
    return !raft_membership_is_joint(membership) ||
           set_has_majority(membership, RAFT_VOTER_INCOMING, yes);
}

static uint64_t set_majority_value(const struct raft_membership *membership, unsigned set,
                                   const uint64_t *values)
{
    uint64_t descending[RAFT_MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < membership->count; i++) {
        if (!(membership->members[i].roles & set))
            continue;
        size_t at = count++;
        for (; at > 0 && descending[at - 1] < values[i]; at--)
            descending[at] = descending[at - 1];
        descending[at] = values[i];
    }
    return count ? descending[count / 2] : 0;
}

uint64_t raft_membership_majority_value(const struct raft_membership *membership,
                                        const uint64_t *values)
{
    uint64_t current = set_majority_value(membership, RAFT_VOTER, values);
    if (!raft_membership_is_joint(membership))
        return current;
    uint64_t incoming = set_majority_value(membership, RAFT_VOTER_INCOMING, values);
    return current < incoming ? current : incoming;
}
