/* The members of a group. A member's roles are bits, so that joint consensus (paper §6) is two
 * overlapping sets in one list: during a change a voter can be in the old set, the new set or both.
 *
 * A member is a pair (id, incarnation). The id names a place in the cluster. The incarnation names
 * one history of a data folder. A node that lost its disk returns under its id with a new
 * incarnation; the votes and acknowledgements of the old incarnation do not count for the new
 * one. */
#ifndef FLOTILLA_RAFT_MEMBERSHIP_H
#define FLOTILLA_RAFT_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RAFT_MEMBERS_MAX = 16,
    RAFT_ADDRESS_MAX = 264, /* "host:port" or "[v6]:port", with the NUL */
};

enum raft_member_role {
    RAFT_LEARNER = 0,        /* receives the log, has no vote */
    RAFT_VOTER = 1,          /* votes in the current set (during a change: the old one) */
    RAFT_VOTER_INCOMING = 2, /* votes in the new set of a change */
    RAFT_PROMOTE = 4,        /* a learner that becomes a voter when it has caught up */
    RAFT_STAYS = 8,          /* an old voter that becomes a learner when the change ends */
    /* A learner that becomes a voter when it has caught up and the group wants more voters
     * (raft_options.voters_target). The two bits mean this only without RAFT_VOTER. */
    RAFT_SPARE = RAFT_PROMOTE | RAFT_STAYS,
};

struct raft_member {
    uint64_t id;
    unsigned roles; /* bits of enum raft_member_role */
    /* 0: unknown. Such a member is a learner that was added by its address and has not connected
     * yet. */
    uint64_t incarnation;
    /* The incarnation that takes over the id when the joint membership ends, as a learner to be
     * promoted; 0: none. */
    uint64_t successor;
    char address[RAFT_ADDRESS_MAX]; /* where the node listens; the core does not interpret it */
};

struct raft_membership {
    struct raft_member members[RAFT_MEMBERS_MAX]; /* ascending ids */
    size_t count;
    /* What all members speak, and all later ones have to (wire/hello.h); 0: that was never agreed.
     * It only rises. The core keeps it and does not interpret it. */
    uint32_t version;
};

const struct raft_member *raft_membership_find(const struct raft_membership *membership,
                                               uint64_t id);
bool raft_membership_is_joint(const struct raft_membership *membership);

/* Adds a member, or replaces the member with its id. Asserts that there is room. */
void raft_membership_put(struct raft_membership *membership, const struct raft_member *member);
/* Adds a member or sets its roles. An existing member keeps its incarnation and address. */
void raft_membership_set(struct raft_membership *membership, uint64_t id, unsigned roles);
void raft_membership_drop(struct raft_membership *membership, uint64_t id);

/* Whether all fields of all members are equal, including addresses, and the version. */
bool raft_membership_equal(const struct raft_membership *a, const struct raft_membership *b);
bool raft_membership_has_voters(const struct raft_membership *membership);

/* Computes the membership between `current`, which is not joint, and `wanted`. In a joint
 * membership both sets of voters must agree. If both have the same voters with the same
 * incarnations, the result is `wanted`. A voter whose incarnation `wanted` replaces is only in the
 * old set and carries its successor. False: too many members. */
bool raft_membership_enter(const struct raft_membership *current,
                           const struct raft_membership *wanted, struct raft_membership *joint);
/* Computes the membership in which a joint membership ends. */
void raft_membership_leave(const struct raft_membership *joint, struct raft_membership *after);

/* Whether the members with yes[i] (i: position in the list) are a majority of the voters; in a
 * joint membership, of both sets. An empty set has no majority. */
bool raft_membership_has_majority(const struct raft_membership *membership, const bool *yes);
/* The sets of voters (RAFT_VOTER, RAFT_VOTER_INCOMING) of which they are no majority. */
unsigned raft_membership_undecided(const struct raft_membership *membership, const bool *yes);

/* The largest v for which a majority has values[i] >= v; in a joint membership, of both sets. */
uint64_t raft_membership_majority_value(const struct raft_membership *membership,
                                        const uint64_t *values);

#endif
