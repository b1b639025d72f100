#include "cluster/members.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define U(value) ((unsigned long long)(value))

/* Two members at one address would be one node counted twice. */
static enum err check_address(const struct raft_membership *members, uint64_t id,
                              struct span address, char message[CLUSTER_MESSAGE_MAX])
{
    if (!cluster_address_is_sound(address)) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "the address has to be host:port, or [address]:port for IPv6");
        return ERR_INVALID;
    }
    for (size_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (member->id != id && span_is(address, member->address)) {
            snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu has the address %s already",
                     U(member->id), member->address);
            return ERR_INVALID;
        }
    }
    return ERR_NONE;
}

static void set_address(struct raft_member *member, struct span address)
{
    memcpy(member->address, address.ptr, address.len);
    member->address[address.len] = '\0';
}

static enum err no_such_member(uint64_t id, char message[CLUSTER_MESSAGE_MAX])
{
    snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is no member: see RAFT.NODE LIST", U(id));
    return ERR_INVALID;
}

enum err cluster_member_add(const struct raft_membership *members,
                            const struct cluster_change *change, struct raft_membership *wanted,
                            char message[CLUSTER_MESSAGE_MAX])
{
    if (change->id == 0) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "a node's id is 1 or more");
        return ERR_INVALID;
    }
    if (raft_membership_find(members, change->id)) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "node %llu is a member already: RAFT.NODE ADDRESS changes where it is",
                 U(change->id));
        return ERR_INVALID;
    }
    if (members->count == RAFT_MEMBERS_MAX) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "%s", cluster_refusal_text(RAFT_CHANGE_TOO_MANY));
        return ERR_INVALID;
    }
    enum err err = check_address(members, change->id, change->address, message);
    if (err)
        return err;
    struct raft_member member = {.id = change->id, .roles = RAFT_SPARE};
    set_address(&member, change->address);
    *wanted = *members;
    raft_membership_put(wanted, &member);
    return ERR_NONE;
}

/* The member with that folder, or the one at that address. */
static const struct raft_member *member_of(const struct raft_membership *members,
                                           const struct cluster_guest *guest)
{
    const struct raft_member *there = NULL;
    for (size_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (member->incarnation == guest->incarnation || member->successor == guest->incarnation)
            return member;
        if (span_is(guest->address, member->address))
            there = member;
    }
    return there;
}

/* Ids are not used twice: an old process may still come under one. */
static uint64_t next_id(const struct raft_membership *members, uint64_t highest)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].id > highest)
            highest = members->members[i].id;
    return highest + 1;
}

static enum err admit_known(const struct raft_member *member, const struct cluster_guest *guest,
                            char message[CLUSTER_MESSAGE_MAX])
{
    bool same = member->incarnation == guest->incarnation ||
                member->successor == guest->incarnation || member->incarnation == 0;
    if (guest->wish && guest->wish != member->id) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is at %s, and not node %llu",
                 U(member->id), member->address, U(guest->wish));
        return ERR_INVALID;
    }
    return same ? ERR_NONE : ERR_EXISTS;
}

enum err cluster_member_admit(const struct raft_membership *members,
                              const struct cluster_guest *guest, struct raft_membership *wanted,
                              uint64_t *id, char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_member *known = member_of(members, guest);
    *wanted = *members;
    *id = known ? known->id : guest->wish ? guest->wish : next_id(members, guest->highest);
    if (known)
        return admit_known(known, guest, message);
    if (raft_membership_find(members, *id)) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "node-id %llu is in use, by the node at %s", U(*id),
                 raft_membership_find(members, *id)->address);
        return ERR_INVALID;
    }
    const struct cluster_change addition = {.id = *id, .address = guest->address};
    enum err err = cluster_member_add(members, &addition, wanted, message);
    if (err)
        return err;
    struct raft_member member = *raft_membership_find(wanted, *id);
    member.incarnation = guest->incarnation;
    raft_membership_put(wanted, &member);
    return ERR_NONE;
}

static enum err only_voter(uint64_t id, char message[CLUSTER_MESSAGE_MAX])
{
    snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is the only voter", U(id));
    return ERR_INVALID;
}

enum err cluster_member_remove(const struct raft_membership *members,
                               const struct cluster_change *change, struct raft_membership *wanted,
                               char message[CLUSTER_MESSAGE_MAX])
{
    if (!raft_membership_find(members, change->id))
        return no_such_member(change->id, message);
    *wanted = *members;
    raft_membership_drop(wanted, change->id);
    return raft_membership_has_voters(wanted) ? ERR_NONE : only_voter(change->id, message);
}

enum err cluster_member_move(const struct raft_membership *members,
                             const struct cluster_change *change, struct raft_membership *wanted,
                             char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_member *there = raft_membership_find(members, change->id);
    if (!there)
        return no_such_member(change->id, message);
    enum err err = check_address(members, change->id, change->address, message);
    if (err)
        return err;
    struct raft_member member = *there;
    set_address(&member, change->address);
    *wanted = *members;
    raft_membership_put(wanted, &member);
    return ERR_NONE;
}

enum err cluster_member_promote(const struct raft_membership *members,
                                const struct cluster_change *change, struct raft_membership *wanted,
                                char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_member *there = raft_membership_find(members, change->id);
    if (!there)
        return no_such_member(change->id, message);
    if (there->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING)) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is a voter already", U(change->id));
        return ERR_INVALID;
    }
    if (there->incarnation == 0) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "node %llu has not connected yet: start it, and try again when it has caught up",
                 U(change->id));
        return ERR_INVALID;
    }
    *wanted = *members;
    raft_membership_set(wanted, change->id, RAFT_VOTER);
    return ERR_NONE;
}

enum err cluster_member_demote(const struct raft_membership *members,
                               const struct cluster_change *change, struct raft_membership *wanted,
                               char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_member *there = raft_membership_find(members, change->id);
    if (!there)
        return no_such_member(change->id, message);
    if (there->roles == RAFT_LEARNER) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is a learner already", U(change->id));
        return ERR_INVALID;
    }
    *wanted = *members;
    raft_membership_set(wanted, change->id, RAFT_LEARNER);
    return raft_membership_has_voters(wanted) ? ERR_NONE : only_voter(change->id, message);
}

/* The successor may be a learner already, if it is at the address that the operator names. */
static enum err check_successor(const struct raft_member *there,
                                const struct cluster_change *change,
                                char message[CLUSTER_MESSAGE_MAX])
{
    if (there->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING)) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "node %llu is a voter already: RAFT.NODE REMOVE %llu is enough", U(there->id),
                 U(change->id));
        return ERR_INVALID;
    }
    if (!span_is(change->address, there->address)) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "node %llu is a member already, at %s: RAFT.NODE ADDRESS changes where it is",
                 U(there->id), there->address);
        return ERR_INVALID;
    }
    return ERR_NONE;
}

enum err cluster_member_replace_begin(const struct raft_membership *members,
                                      const struct cluster_change *change,
                                      struct raft_membership *wanted,
                                      char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_member *old = raft_membership_find(members, change->id);
    if (!old)
        return no_such_member(change->id, message);
    if (!(old->roles & RAFT_VOTER)) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "node %llu is no voter: RAFT.NODE REMOVE and ADD replace it", U(change->id));
        return ERR_INVALID;
    }
    const struct raft_member *there = raft_membership_find(members, change->successor);
    *wanted = *members;
    if (there)
        return check_successor(there, change, message);
    const struct cluster_change addition = {.id = change->successor, .address = change->address};
    enum err err = cluster_member_add(members, &addition, wanted, message);
    if (!err)
        raft_membership_set(wanted, change->successor, RAFT_LEARNER);
    return err;
}

enum err cluster_member_replace(const struct raft_membership *members,
                                const struct cluster_change *change, struct raft_membership *wanted,
                                char message[CLUSTER_MESSAGE_MAX])
{
    if (!raft_membership_find(members, change->successor))
        return no_such_member(change->successor, message);
    struct raft_membership promoted = *members;
    raft_membership_set(&promoted, change->successor, RAFT_VOTER);
    return cluster_member_remove(&promoted, change, wanted, message);
}

const char *cluster_member_state(const struct raft_member *member)
{
    if (member->successor)
        return "replaced";
    if ((member->roles & RAFT_VOTER_INCOMING) && !(member->roles & RAFT_VOTER))
        return "joining";
    if (member->roles & RAFT_VOTER)
        return member->roles & RAFT_STAYS ? "leaving" : "voter";
    if (member->roles == RAFT_SPARE)
        return "spare";
    return member->roles & RAFT_PROMOTE ? "joining" : "learner";
}

const char *cluster_refusal_text(enum raft_refusal refusal)
{
    switch (refusal) {
    case RAFT_CHANGE_POSSIBLE:
        return "the change has begun";
    case RAFT_CHANGE_NOT_LEADER:
        return "this node does not lead";
    case RAFT_CHANGE_TOO_EARLY:
        return "the leader has not committed anything yet: try again";
    case RAFT_CHANGE_IN_PROGRESS:
        return "another change of the members goes on: try again when RAFT.NODE LIST shows no "
               "member that is leaving or replaced";
    case RAFT_CHANGE_TRANSFERRING:
        return "leadership is being handed over: try again";
    case RAFT_CHANGE_UNSOUND:
        return "no voters would be left, or a role is not possible";
    case RAFT_CHANGE_TOO_MANY:
        return "a cluster has at most 16 members";
    case RAFT_CHANGE_NOT_CAUGHT_UP:
        return "a new voter has not caught up yet: see its lag in INFO raft, and try again";
    case RAFT_CHANGE_OUT_OF_REACH:
        return "most of the voters that would be left have not been heard of lately: the cluster "
               "would stop until they are back; FORCE overrides this";
    case RAFT_CHANGE_NONE:
        return "nothing would change";
    }
    return "the change cannot begin";
}
