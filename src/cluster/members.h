/* Operators' changes of the membership (RAFT.NODE): computes the wanted membership from the present
 * one. Pure. raft_change_refusal() decides whether the change can begin now.
 *
 * On failure `message` has one line that says why, without an error prefix. */
#ifndef FLOTILLA_CLUSTER_MEMBERS_H
#define FLOTILLA_CLUSTER_MEMBERS_H

#include "base/err.h"
#include "base/span.h"
#include "raft/raft.h"

enum { CLUSTER_MESSAGE_MAX = 512 };

/* Whether the text is "host:port" or "[v6]:port", the address of a member. */
bool cluster_address_is_sound(struct span address);

/* Adds a learner. It becomes a voter when a node has been met at its address and has caught up. */
MUST_CHECK enum err cluster_member_add(const struct raft_membership *members, uint64_t id,
                                       struct span address, struct raft_membership *wanted,
                                       char message[CLUSTER_MESSAGE_MAX]);
MUST_CHECK enum err cluster_member_remove(const struct raft_membership *members, uint64_t id,
                                          struct raft_membership *wanted,
                                          char message[CLUSTER_MESSAGE_MAX]);
MUST_CHECK enum err cluster_member_move(const struct raft_membership *members, uint64_t id,
                                        struct span address, struct raft_membership *wanted,
                                        char message[CLUSTER_MESSAGE_MAX]);

/* "voter", "learner", "joining" (a learner to be promoted), "leaving", "replaced" (its disk was
 * lost). */
const char *cluster_member_state(const struct raft_member *member);

/* Why a change cannot begin, as a sentence for the operator. */
const char *cluster_refusal_text(enum raft_refusal refusal);

#endif
