#include "cluster/members.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define U(value) ((unsigned long long)(value))

static bool is_port(struct span text)
{
    uint64_t port;
    return number_parse_u64(text, &port) && port >= 1 && port <= 65535;
}

static bool is_host(struct span host)
{
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = span_of(host.ptr + 1, host.len - 2);
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.ptr[i];
        if (byte <= ' ' || byte > '~' || byte == ',' || byte == '@' || byte == '[' || byte == ']' ||
            (byte == ':' && !bracketed))
            return false;
    }
    return host.len > 0;
}

bool cluster_address_is_sound(struct span address)
{
    if (address.len >= RAFT_ADDRESS_MAX)
        return false;
    size_t colon = address.len;
    while (colon > 0 && address.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    return is_host(span_of(address.ptr, colon - 1)) &&
           is_port(span_of(address.ptr + colon, address.len - colon));
}

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

enum err cluster_member_add(const struct raft_membership *members, uint64_t id, struct span address,
                            struct raft_membership *wanted, char message[CLUSTER_MESSAGE_MAX])
{
    if (id == 0) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "a node's id is 1 or more");
        return ERR_INVALID;
    }
    if (raft_membership_find(members, id)) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "node %llu is a member already: RAFT.NODE ADDRESS changes where it is", U(id));
        return ERR_INVALID;
    }
    if (members->count == RAFT_MEMBERS_MAX) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "%s", cluster_refusal_text(RAFT_CHANGE_TOO_MANY));
        return ERR_INVALID;
    }
    enum err err = check_address(members, id, address, message);
    if (err)
        return err;
    struct raft_member member = {.id = id, .roles = RAFT_PROMOTE};
    set_address(&member, address);
    *wanted = *members;
    raft_membership_put(wanted, &member);
    return ERR_NONE;
}

enum err cluster_member_remove(const struct raft_membership *members, uint64_t id,
                               struct raft_membership *wanted, char message[CLUSTER_MESSAGE_MAX])
{
    if (!raft_membership_find(members, id))
        return no_such_member(id, message);
    *wanted = *members;
    raft_membership_drop(wanted, id);
    if (!raft_membership_has_voters(wanted)) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is the only voter", U(id));
        return ERR_INVALID;
    }
    return ERR_NONE;
}

enum err cluster_member_move(const struct raft_membership *members, uint64_t id,
                             struct span address, struct raft_membership *wanted,
                             char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_member *there = raft_membership_find(members, id);
    if (!there)
        return no_such_member(id, message);
    enum err err = check_address(members, id, address, message);
    if (err)
        return err;
    struct raft_member member = *there;
    set_address(&member, address);
    *wanted = *members;
    raft_membership_put(wanted, &member);
    return ERR_NONE;
}

const char *cluster_member_state(const struct raft_member *member)
{
    if (member->successor)
        return "replaced";
    if ((member->roles & RAFT_VOTER_INCOMING) && !(member->roles & RAFT_VOTER))
        return "joining";
    if (member->roles & RAFT_STAYS)
        return "leaving";
    if (member->roles & RAFT_VOTER)
        return "voter";
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
        return "a new voter has not caught up yet";
    case RAFT_CHANGE_OUT_OF_REACH:
        return "most of the voters that would be left have not been heard of lately: the cluster "
               "would stop";
    case RAFT_CHANGE_NONE:
        return "nothing would change";
    }
    return "the change cannot begin";
}
