/* Who belongs to a group. A member's roles are bits, so that joint consensus (paper §6) is two
 * overlapping sets in one list: during a change a voter can be in the old set, the new set or both.
 */
#ifndef FLOTILLA_RAFT_MEMBERSHIP_H
#define FLOTILLA_RAFT_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAFT_MEMBERS_MAX = 16 };

enum raft_member_role {
    RAFT_LEARNER = 0,        /* receives the log, has no vote */
    RAFT_VOTER = 1,          /* votes in the current set */
    RAFT_VOTER_INCOMING = 2, /* votes in the set that is being changed to */
    RAFT_PROMOTE = 4,        /* a learner that becomes a voter once it has caught up */
    RAFT_STAYS = 8,          /* a voter that stays as a learner when the change is finished */
};

struct raft_member {
    uint64_t id;
    unsigned roles; /* of enum raft_member_role */
};

struct raft_membership {
    struct raft_member members[RAFT_MEMBERS_MAX]; /* ascending ids */
    size_t count;
};

const struct raft_member *raft_membership_find(const struct raft_membership *membership,
                                               uint64_t id);
bool raft_membership_is_joint(const struct raft_membership *membership);

/* Adds or replaces; asserts that there is room. */
void raft_membership_set(struct raft_membership *membership, uint64_t id, unsigned roles);

bool raft_membership_equal(const struct raft_membership *a, const struct raft_membership *b);
bool raft_membership_has_voters(const struct raft_membership *membership);

/* The membership between `current`, which is not joint, and `wanted`: both sets of voters have to
 * agree. If they are the same set it is `wanted` itself. False: too many members. */
bool raft_membership_enter(const struct raft_membership *current,
                           const struct raft_membership *wanted, struct raft_membership *joint);
/* The one that a joint membership leads to. */
void raft_membership_leave(const struct raft_membership *joint, struct raft_membership *after);

/* Whether the members for which yes[i] holds (i: position in the list) are a majority of the
 * voters, in a joint membership of both sets. An empty set has no majority. */
bool raft_membership_has_majority(const struct raft_membership *membership, const bool *yes);

/* The largest value v such that a majority (of both sets, if joint) has values[i] >= v. */
uint64_t raft_membership_majority_value(const struct raft_membership *membership,
                                        const uint64_t *values);

#endif
