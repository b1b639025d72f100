/* RAFT.NODE: who belongs to the cluster. A change is answered when it is committed, on a majority
 * of the old and of the new voters; what comes after it (a new node catches up and becomes a voter)
 * shows in RAFT.NODE LIST. */
#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"
#include "cluster/members.h"
#include "server/server.h"

enum { CHANGE_WAIT_MS = 10000 };

/* The place of this client's change; that of a client that is gone is free when its time is over.
 */
static struct server_change *place_of(struct server *server, const struct client *client)
{
    struct server_change *free = NULL;
    for (size_t i = 0; i < SERVER_CHANGES_MAX; i++) {
        struct server_change *change = &server->changes[i];
        if (change->client == client)
            return change;
        if (!change->client || server_now(server).mono_ms >= change->until_ms)
            free = change;
    }
    return free;
}

enum fate { CHANGE_GOES_ON, CHANGE_IS_DONE, CHANGE_IS_UNDONE };

/* A change is undone if another leader's entry took the place of its own. */
static enum fate fate_of(const struct server_change *change)
{
    const struct raft *raft = shard_raft(server_group(change->server));
    struct raft_status status;
    raft_status(raft, &status);
    uint64_t term = raft_term_of(raft, change->index);
    if (term != change->term && change->index >= status.first_index &&
        (term != 0 || status.commit_index >= change->index))
        return CHANGE_IS_UNDONE;
    bool left = !change->joint || (status.change_is_committed && !status.joint);
    bool done = status.commit_index >= change->index && left;
    return done ? CHANGE_IS_DONE : CHANGE_GOES_ON;
}

static bool change_is_over(void *context)
{
    const struct server_change *change = context;
    return fate_of(change) != CHANGE_GOES_ON ||
           server_now(change->server).mono_ms >= change->until_ms;
}

static void answer_change(struct server *server, const struct server_call *call)
{
    struct server_change *change = place_of(server, call->client);
    if (!change || change->client != call->client) {
        resp_error(call->reply, "UNKNOWN it is not known what became of the change: see RAFT.NODE "
                                "LIST");
        return;
    }
    change->client = NULL;
    switch (fate_of(change)) {
    case CHANGE_IS_DONE:
        resp_status(call->reply, "OK");
        return;
    case CHANGE_IS_UNDONE:
        resp_error(call->reply, "ERR another leader was elected before the change was committed: "
                                "nothing has changed, try again");
        return;
    case CHANGE_GOES_ON:
        resp_errorf(call->reply,
                    "UNKNOWN the change was not committed within %d ms: it may still take effect, "
                    "see RAFT.NODE LIST",
                    CHANGE_WAIT_MS);
        return;
    }
}

/* False: the reply says why. */
static bool leads(const struct server *server, struct resp_writer *reply)
{
    const struct shard *shard = server_group(server);
    if (shard_is_leader(shard))
        return true;
    uint64_t leader = shard_leader(shard);
    const struct cluster_node *node = leader ? cluster_find(&server->cluster, leader) : NULL;
    if (node)
        resp_errorf(reply, "MOVED 0 %s:%u", node->host, (unsigned)node->port);
    else
        resp_error(reply, "CLUSTERDOWN this node knows no leader: ask another node, or try again");
    return false;
}

static void begin_change(struct server *server, const struct server_call *call,
                         const struct raft_membership *wanted)
{
    struct shard *shard = server_group(server);
    struct server_change *change = place_of(server, call->client);
    if (!change) {
        resp_error(call->reply, "ERR too many clients wait for a change of the members: try again");
        return;
    }
    enum raft_refusal refusal = shard_change(shard, wanted, server_now(server));
    if (refusal == RAFT_CHANGE_NONE) {
        resp_status(call->reply, "OK");
        return;
    }
    if (refusal != RAFT_CHANGE_POSSIBLE) {
        resp_errorf(call->reply, "ERR %s", cluster_refusal_text(refusal));
        return;
    }
    struct raft_status status;
    raft_status(shard_raft(shard), &status);
    *change = (struct server_change){.server = server,
                                     .client = call->client,
                                     .index = status.change_index,
                                     .term = status.term,
                                     .joint = status.joint,
                                     .until_ms = server_now(server).mono_ms + CHANGE_WAIT_MS};
    net_client_wait(call->client, change_is_over, change);
}

typedef enum err wanted_members(const struct raft_membership *members, uint64_t id,
                                struct span address, struct raft_membership *wanted,
                                char message[CLUSTER_MESSAGE_MAX]);

static void change_members(struct server *server, const struct server_call *call,
                           wanted_members *want)
{
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        break;
    case NET_WAITED:
        answer_change(server, call);
        return;
    case NET_UNBLOCKED:
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK: the change may "
                                "still take effect");
        return;
    }
    uint64_t id;
    if (!number_parse_u64(call->args[2], &id)) {
        resp_error(call->reply, "ERR a node's id is a number");
        return;
    }
    if (!leads(server, call->reply))
        return;
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    struct span address = call->argc > 3 ? call->args[3] : span_of("", 0);
    if (want(raft_membership(shard_raft(server_group(server))), id, address, &wanted, message))
        resp_errorf(call->reply, "ERR %s", message);
    else
        begin_change(server, call, &wanted);
}

void server_raft_node_add(struct server *server, const struct server_call *call)
{
    change_members(server, call, cluster_member_add);
}

static enum err remove_member(const struct raft_membership *members, uint64_t id,
                              struct span address, struct raft_membership *wanted,
                              char message[CLUSTER_MESSAGE_MAX])
{
    (void)address;
    return cluster_member_remove(members, id, wanted, message);
}

void server_raft_node_remove(struct server *server, const struct server_call *call)
{
    change_members(server, call, remove_member);
}

void server_raft_node_address(struct server *server, const struct server_call *call)
{
    change_members(server, call, cluster_member_move);
}

static void write_member(struct server *server, const struct raft_member *member,
                         struct resp_writer *reply)
{
    char incarnation[17];
    snprintf(incarnation, sizeof incarnation, "%" PRIx64, member->incarnation);
    bool self = member->id == server->config.node_id;
    bool connected = self || peers_link(server->peers, member->id).connected;
    resp_map(reply, 5);
    resp_bulk_text(reply, "id");
    resp_integer(reply, (int64_t)member->id);
    resp_bulk_text(reply, "address");
    resp_bulk_text(reply, member->address);
    resp_bulk_text(reply, "incarnation");
    resp_bulk_text(reply, incarnation);
    resp_bulk_text(reply, "state");
    resp_bulk_text(reply, cluster_member_state(member));
    resp_bulk_text(reply, "link");
    resp_bulk_text(reply, self ? "self" : connected ? "connected" : "disconnected");
}

/* As this node knows them, committed or not: on a follower that is cut off they may be old. */
void server_raft_node_list(struct server *server, const struct server_call *call)
{
    const struct raft_membership *members = raft_membership(shard_raft(server_group(server)));
    resp_array(call->reply, members->count);
    for (size_t i = 0; i < members->count; i++)
        write_member(server, &members->members[i], call->reply);
}
