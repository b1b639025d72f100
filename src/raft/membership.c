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

bool raft_membership_equal(const struct raft_membership *a, const struct raft_membership *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->members[i].id != b->members[i].id || a->members[i].roles != b->members[i].roles)
            return false;
    }
    return true;
}

bool raft_membership_has_voters(const struct raft_membership *membership)
{
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->members[i].roles & RAFT_VOTER)
            return true;
    }
    return false;
}

static unsigned roles_in(const struct raft_membership *membership, uint64_t id)
{
    const struct raft_member *member = raft_membership_find(membership, id);
    return member ? member->roles : 0;
}

static bool same_voters(const struct raft_membership *a, const struct raft_membership *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if ((a->members[i].roles ^ roles_in(b, a->members[i].id)) & RAFT_VOTER)
            return false;
    }
    for (size_t i = 0; i < b->count; i++) {
        if ((b->members[i].roles ^ roles_in(a, b->members[i].id)) & RAFT_VOTER)
            return false;
    }
    return true;
}

bool raft_membership_enter(const struct raft_membership *current,
                           const struct raft_membership *wanted, struct raft_membership *joint)
{
    *joint = *wanted;
    if (same_voters(current, wanted))
        return true;
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->members[i].roles & RAFT_VOTER)
            joint->members[i].roles = RAFT_VOTER_INCOMING;
    }
    for (size_t i = 0; i < current->count; i++) {
        if (!(current->members[i].roles & RAFT_VOTER))
            continue;
        uint64_t id = current->members[i].id;
        bool stays = raft_membership_find(wanted, id) != NULL;
        if (!stays && joint->count == RAFT_MEMBERS_MAX)
            return false;
        unsigned incoming = roles_in(joint, id) & RAFT_VOTER_INCOMING;
        raft_membership_set(joint, id,
                            RAFT_VOTER | incoming | (stays && !incoming ? RAFT_STAYS : 0u));
    }
    return true;
}

void raft_membership_leave(const struct raft_membership *joint, struct raft_membership *after)
{
    after->count = 0;
    for (size_t i = 0; i < joint->count; i++) {
        struct raft_member member = joint->members[i];
        if (member.roles & RAFT_VOTER_INCOMING)
            member.roles = RAFT_VOTER;
        else if (member.roles & RAFT_STAYS)
            member.roles = RAFT_LEARNER;
        else if (member.roles & RAFT_VOTER)
            continue;
        after->members[after->count++] = member;
    }
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
