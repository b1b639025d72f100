/* Nodes that join or have moved: the leader changes the membership for them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/server.h"

enum { MOVE_AGAIN_MS = 500 };

/* ---- the leader takes nodes in ---- */

/* Under another folder than the one that asks. A new leader waits for everybody's first answer. */
static bool is_alive(struct server *server, uint64_t id)
{
    struct raft_status status;
    if (id == server->self)
        return true;
    raft_status(shard_raft(server_group(server)), &status);
    uint64_t silent_ms = (uint64_t)server->config.raft_election_timeout_ms;
    for (size_t i = 0; i < status.peer_count; i++)
        if (status.peers[i].id == id)
            return server_now(server).mono_ms < status.peers[i].silent_since_ms + silent_ms;
    return false;
}

static void refuse(struct server *server, const struct seeking_said *asker, const char *why,
                   struct seeking_said *said)
{
    snprintf(said->refusal, sizeof said->refusal, "%.150s", why);
    server->joins_refused++;
    if (strcmp(server->join_refusal, said->refusal) == 0)
        return;
    memcpy(server->join_refusal, said->refusal, sizeof said->refusal);
    log_line(&server->log, LOG_WARNING, "the node at %s is not taken in: %s", asker->address, why);
}

static void begin_to_take_in(struct server *server, const struct seeking_said *asker,
                             const struct raft_membership *wanted, uint64_t id,
                             struct seeking_said *said)
{
    enum raft_refusal refusal = shard_change(server_group(server), wanted, server_now(server));
    if (refusal == RAFT_CHANGE_POSSIBLE) {
        server->nodes_joined++;
        log_line(&server->log, LOG_NOTICE, "node %" PRIu64 " at %s joins, incarnation %016" PRIx64,
                 id, asker->address, asker->node.incarnation);
    } else if (refusal == RAFT_CHANGE_TOO_MANY) {
        refuse(server, asker, cluster_refusal_text(refusal), said);
    }
}

void server_take_in(struct server *server, const struct seeking_said *asker,
                    struct seeking_said *said)
{
    struct shard *shard = server_group(server);
    if (!shard || !shard_is_leader(shard) || asker->node.begin != CLUSTER_EMPTY ||
        strcmp(asker->joins, server->identity.cluster_id) != 0 || asker->address[0] == '\0')
        return;
    struct raft_status status;
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t id;
    const struct raft_membership *members = raft_membership(shard_raft(shard));
    const struct cluster_guest guest = {.incarnation = asker->node.incarnation,
                                        .wish = asker->node.id,
                                        .highest = server->highest_id,
                                        .address = span_text(asker->address)};
    raft_status(shard_raft(shard), &status);
    enum err err = cluster_member_admit(members, &guest, &wanted, &id, message);
    if (err == ERR_EXISTS && is_alive(server, id)) {
        snprintf(message, sizeof message, "node %" PRIu64 " is alive at that address", id);
        err = ERR_INVALID;
    }
    if (err && err != ERR_EXISTS)
        refuse(server, asker, message, said);
    else if (!raft_membership_equal(members, &wanted))
        begin_to_take_in(server, asker, &wanted, id, said);
    else if (status.change_is_committed)
        said->given = id;
}

/* ---- members that have moved ---- */

static struct server_claim *claim_of(struct server *server, uint64_t id)
{
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
        if (server->claims[i].id == id)
            return &server->claims[i];
    return NULL;
}

/* Those of nodes that are members no more make room. */
static struct server_claim *place_for(struct server *server, uint64_t id)
{
    const struct raft_membership *members = raft_membership(shard_raft(server_group(server)));
    struct server_claim *claim = claim_of(server, id);
    for (size_t i = 0; i < RAFT_MEMBERS_MAX && !claim; i++)
        if (!raft_membership_find(members, server->claims[i].id))
            claim = &server->claims[i];
    return claim;
}

/* Other nodes dial it there from now on. The leader also changes the membership: later, because a
 * change may be under way. */
void server_hear_address(struct server *server, uint64_t id, uint64_t incarnation,
                         const char *address)
{
    const struct shard *shard = server_group(server);
    const struct raft_member *member =
        shard ? raft_membership_find(raft_membership(shard_raft(shard)), id) : NULL;
    if (!member || id == server->self || member->incarnation != incarnation || address[0] == '\0')
        return;
    struct server_claim *claim = place_for(server, id);
    if (!claim || (claim->id == id && claim->incarnation == incarnation &&
                   strcmp(claim->address, address) == 0))
        return;
    *claim = (struct server_claim){.id = id, .incarnation = incarnation};
    snprintf(claim->address, sizeof claim->address, "%s", address);
    if (strcmp(member->address, address) == 0)
        return;
    log_line(&server->log, LOG_NOTICE, "node %" PRIu64 " says that it is at %s, and not at %s", id,
             address, member->address);
    server_follow_members(server);
}

void server_fill_claims(const struct server *server, struct raft_membership *membership)
{
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        const struct server_claim *claim = &server->claims[i];
        struct raft_membership wanted;
        char message[CLUSTER_MESSAGE_MAX];
        const struct raft_member *member = raft_membership_find(membership, claim->id);
        const struct cluster_change change = {.id = claim->id,
                                              .address = span_text(claim->address)};
        if (claim->id && member && member->incarnation == claim->incarnation &&
            cluster_member_move(membership, &change, &wanted, message) == ERR_NONE)
            *membership = wanted;
    }
}

/* Of this node too, if it knows by itself where it is. */
static void fill_own(const struct server *server, struct raft_membership *membership)
{
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    const struct cluster_change change = {.id = server->self,
                                          .address = span_text(server->own_address)};
    if (server->seeking && server->own_address[0] &&
        cluster_member_move(membership, &change, &wanted, message) == ERR_NONE)
        *membership = wanted;
}

void server_change_addresses(struct server *server)
{
    struct shard *shard = server_group(server);
    uint64_t now_ms = server_now(server).mono_ms;
    if (!shard_is_leader(shard) || now_ms < server->moved_ms + MOVE_AGAIN_MS)
        return;
    server->moved_ms = now_ms;
    const struct raft_membership *members = raft_membership(shard_raft(shard));
    struct raft_membership wanted = *members;
    server_fill_claims(server, &wanted);
    fill_own(server, &wanted);
    if (!raft_membership_equal(members, &wanted) &&
        shard_change(shard, &wanted, server_now(server)) == RAFT_CHANGE_POSSIBLE)
        log_line(&server->log, LOG_NOTICE, "members have moved: the membership says where to");
}
