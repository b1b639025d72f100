#include "raft/membership.h"

#include <string.h>

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

static size_t place_of(const struct raft_membership *membership, uint64_t id)
{
    size_t at = 0;
    while (at < membership->count && membership->members[at].id < id)
        at++;
    return at;
}

void raft_membership_put(struct raft_membership *membership, const struct raft_member *member)
{
    size_t at = place_of(membership, member->id);
    if (at == membership->count || membership->members[at].id != member->id) {
        ASSERT(membership->count < RAFT_MEMBERS_MAX);
        for (size_t i = membership->count; i > at; i--)
            membership->members[i] = membership->members[i - 1];
        membership->count++;
    }
    membership->members[at] = *member;
}

void raft_membership_set(struct raft_membership *membership, uint64_t id, unsigned roles)
{
    const struct raft_member *there = raft_membership_find(membership, id);
    struct raft_member member = there ? *there : (struct raft_member){.id = id};
    member.roles = roles;
    raft_membership_put(membership, &member);
}

void raft_membership_drop(struct raft_membership *membership, uint64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->members[i].id != id)
            membership->members[kept++] = membership->members[i];
    }
    membership->count = kept;
}

static bool same_member(const struct raft_member *a, const struct raft_member *b)
{
    return a->id == b->id && a->roles == b->roles && a->incarnation == b->incarnation &&
           a->successor == b->successor && strcmp(a->address, b->address) == 0;
}

bool raft_membership_equal(const struct raft_membership *a, const struct raft_membership *b)
{
    if (a->count != b->count || a->version != b->version)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_member(&a->members[i], &b->members[i]))
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

/* The voter with this member's id and incarnation; NULL if there is none. */
static const struct raft_member *same_voter(const struct raft_membership *membership,
                                            const struct raft_member *voter)
{
    const struct raft_member *member = raft_membership_find(membership, voter->id);
    bool same = member && (member->roles & RAFT_VOTER) && member->incarnation == voter->incarnation;
    return same ? member : NULL;
}

static bool holds_voters_of(const struct raft_membership *a, const struct raft_membership *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if ((b->members[i].roles & RAFT_VOTER) && !same_voter(a, &b->members[i]))
            return false;
    }
    return true;
}

/* A voter of the old set, as it is in the joint membership. */
static struct raft_member joint_voter(const struct raft_member *voter,
                                      const struct raft_membership *wanted)
{
    const struct raft_member *stays = raft_membership_find(wanted, voter->id);
    struct raft_member member = stays ? *stays : *voter;
    member.roles = RAFT_VOTER;
    if (!stays)
        return member;
    member.incarnation = voter->incarnation;
    if (same_voter(wanted, voter))
        member.roles |= RAFT_VOTER_INCOMING;
    else
        member.roles |= RAFT_STAYS;
    if (stays->incarnation != voter->incarnation)
        member.successor = stays->incarnation;
    return member;
}

bool raft_membership_enter(const struct raft_membership *current,
                           const struct raft_membership *wanted, struct raft_membership *joint)
{
    *joint = *wanted;
    if (holds_voters_of(current, wanted) && holds_voters_of(wanted, current))
        return true;
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->members[i].roles & RAFT_VOTER)
            joint->members[i].roles = RAFT_VOTER_INCOMING;
    }
    for (size_t i = 0; i < current->count; i++) {
        const struct raft_member *voter = &current->members[i];
        if (!(voter->roles & RAFT_VOTER))
            continue;
        if (!raft_membership_find(joint, voter->id) && joint->count == RAFT_MEMBERS_MAX)
            return false;
        struct raft_member member = joint_voter(voter, wanted);
        raft_membership_put(joint, &member);
    }
    return true;
}

static void install_successor(struct raft_member *member)
{
    member->incarnation = member->successor;
    member->successor = 0;
    member->roles = RAFT_PROMOTE;
}

void raft_membership_leave(const struct raft_membership *joint, struct raft_membership *after)
{
    after->count = 0;
    after->version = joint->version;
    for (size_t i = 0; i < joint->count; i++) {
        struct raft_member member = joint->members[i];
        if (member.roles & RAFT_VOTER_INCOMING)
            member.roles = RAFT_VOTER;
        else if (member.successor)
            install_successor(&member);
        else if ((member.roles & RAFT_VOTER) && (member.roles & RAFT_STAYS))
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

unsigned raft_membership_undecided(const struct raft_membership *membership, const bool *yes)
{
    unsigned sets = 0;
    if (!set_has_majority(membership, RAFT_VOTER, yes))
        sets |= RAFT_VOTER;
    if (raft_membership_is_joint(membership) &&
        !set_has_majority(membership, RAFT_VOTER_INCOMING, yes))
        sets |= RAFT_VOTER_INCOMING;
    return sets;
}

bool raft_membership_has_majority(const struct raft_membership *membership, const bool *yes)
{
    return raft_membership_undecided(membership, yes) == 0;
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
