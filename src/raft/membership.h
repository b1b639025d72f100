/* Who belongs to a group. A member's roles are bits, so that joint consensus (paper §6) is two
 * overlapping sets in one list: during a change a voter can be in the old set, the new set or both.
 *
 * A member is (id, incarnation): the id names a place in the cluster, the incarnation one history
 * of a data folder. A node that lost its disk comes back under its id with a new incarnation, and
 * what the old one vouched for says nothing about the new one. */
#ifndef FLOTILLA_RAFT_MEMBERSHIP_H
#define FLOTILLA_RAFT_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RAFT_MEMBERS_MAX = 16,
    RAFT_ADDRESS_MAX = 264, /* "host:port" or "[v6]:port" and the NUL */
};

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
    /* 0: not known yet. Such a member is a learner that was added by its address and has not been
     * met. */
    uint64_t incarnation;
    /* The incarnation that takes the id over, as a learner to be promoted, when the joint
     * membership is left; 0: none. */
    uint64_t successor;
    char address[RAFT_ADDRESS_MAX]; /* where it is dialled; means nothing to the core */
};

struct raft_membership {
    struct raft_member members[RAFT_MEMBERS_MAX]; /* ascending ids */
    size_t count;
};

const struct raft_member *raft_membership_find(const struct raft_membership *membership,
                                               uint64_t id);
bool raft_membership_is_joint(const struct raft_membership *membership);

/* Adds a member, or replaces the one with its id; asserts that there is room. */
void raft_membership_put(struct raft_membership *membership, const struct raft_member *member);
/* The same, but a member that is there keeps its incarnation and address. */
void raft_membership_set(struct raft_membership *membership, uint64_t id, unsigned roles);
void raft_membership_drop(struct raft_membership *membership, uint64_t id);

/* Equal members in all that they hold, addresses too. */
bool raft_membership_equal(const struct raft_membership *a, const struct raft_membership *b);
bool raft_membership_has_voters(const struct raft_membership *membership);

/* The membership between `current`, which is not joint, and `wanted`: both sets of voters have to
 * agree. If they are the same set, of the same incarnations, it is `wanted` itself. A voter whose
 * incarnation `wanted` replaces is in the old set alone, with its successor. False: too many
 * members. */
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
