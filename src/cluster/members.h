/* Operators' changes of the membership (RAFT.NODE): computes the wanted membership from the present
 * one. Pure. raft_change_refusal() decides whether the change can begin now.
 *
 * On failure `message` has one line that says why, without an error prefix. */
#ifndef FLOTILLA_CLUSTER_MEMBERS_H
#define FLOTILLA_CLUSTER_MEMBERS_H

#include "base/err.h"
#include "base/span.h"
#include "cluster/cluster.h"
#include "raft/raft.h"

enum { CLUSTER_MESSAGE_MAX = 512 };

/* What an operator asks for. */
struct cluster_change {
    uint64_t id;
    uint64_t successor;  /* cluster_member_replace…() alone */
    struct span address; /* of the node that is added or moved, or of the successor */
};

typedef enum err cluster_wanted(const struct raft_membership *members,
                                const struct cluster_change *change, struct raft_membership *wanted,
                                char message[CLUSTER_MESSAGE_MAX]);

/* Adds a spare. It becomes a voter by itself when a node has been met at its address and has caught
 * up, if the cluster wants more voters (raft_options.voters_target). */
MUST_CHECK enum err cluster_member_add(const struct raft_membership *members,
                                       const struct cluster_change *change,
                                       struct raft_membership *wanted,
                                       char message[CLUSTER_MESSAGE_MAX]);
MUST_CHECK enum err cluster_member_remove(const struct raft_membership *members,
                                          const struct cluster_change *change,
                                          struct raft_membership *wanted,
                                          char message[CLUSTER_MESSAGE_MAX]);
/* Changes the address. */
MUST_CHECK enum err cluster_member_move(const struct raft_membership *members,
                                        const struct cluster_change *change,
                                        struct raft_membership *wanted,
                                        char message[CLUSTER_MESSAGE_MAX]);
/* Makes a voter of a learner, whatever number of voters the cluster wants. */
MUST_CHECK enum err cluster_member_promote(const struct raft_membership *members,
                                           const struct cluster_change *change,
                                           struct raft_membership *wanted,
                                           char message[CLUSTER_MESSAGE_MAX]);
/* Makes a learner of a voter or of a spare. It stays a learner until somebody promotes it. */
MUST_CHECK enum err cluster_member_demote(const struct raft_membership *members,
                                          const struct cluster_change *change,
                                          struct raft_membership *wanted,
                                          char message[CLUSTER_MESSAGE_MAX]);

/* A voter leaves and its successor becomes a voter, in one change. First the successor becomes a
 * learner; `wanted` equals `members` if it is one already. When it has caught up, the second
 * function gives the membership in which it has taken the voter's place. */
MUST_CHECK enum err cluster_member_replace_begin(const struct raft_membership *members,
                                                 const struct cluster_change *change,
                                                 struct raft_membership *wanted,
                                                 char message[CLUSTER_MESSAGE_MAX]);
MUST_CHECK enum err cluster_member_replace(const struct raft_membership *members,
                                           const struct cluster_change *change,
                                           struct raft_membership *wanted,
                                           char message[CLUSTER_MESSAGE_MAX]);

/* A node with an empty folder that asks to be taken in. */
struct cluster_guest {
    uint64_t incarnation;
    uint64_t wish;       /* the id that it wants; 0: any */
    uint64_t highest;    /* ids up to this one were given before, and are not given again */
    struct span address; /* where it is reached */
};

/* Adds it as a spare; *id is its id. The answer to the same incarnation is always the same.
 * ERR_EXISTS: another folder was met at that address before, under *id. The node has lost that
 * folder if it is not alive, and then comes back under that id. In both cases `wanted` equals
 * `members`. */
MUST_CHECK enum err cluster_member_admit(const struct raft_membership *members,
                                         const struct cluster_guest *guest,
                                         struct raft_membership *wanted, uint64_t *id,
                                         char message[CLUSTER_MESSAGE_MAX]);

/* "voter", "learner", "spare" (a learner that becomes a voter if more are wanted), "joining" (a
 * learner to be promoted), "leaving", "replaced" (its disk was lost). */
const char *cluster_member_state(const struct raft_member *member);

/* Why a change cannot begin, as a sentence for the operator. */
const char *cluster_refusal_text(enum raft_refusal refusal);

#endif
