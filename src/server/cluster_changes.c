/* CLUSTER MEET, FORGET and RESET, for who knows them from Redis Cluster. The log knows the members,
 * so a node is added and removed once, at the leader, and a node joins under an id. */
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "server/server.h"

enum { SHOWN_MAX = 128 };

static int shown(struct span text)
{
    return text.len > SHOWN_MAX ? SHOWN_MAX : (int)text.len;
}

static const struct cluster_node *node_at(const struct cluster *cluster, struct span host,
                                          uint64_t port)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (span_equal_nocase(host, span_text(cluster->nodes[i].host)) &&
            cluster->nodes[i].port == port)
            return &cluster->nodes[i];
    return NULL;
}

/* False: the error is written. */
static bool parse_port(struct span text, uint64_t *port, struct resp_writer *reply)
{
    *port = 0;
    if (number_parse_u64(text, port) && *port >= 1 && *port <= UINT16_MAX)
        return true;
    resp_errorf(reply, "ERR Invalid port specified: %.*s", shown(text), text.ptr);
    return false;
}

void server_cluster_meet(struct server *server, const struct server_call *call)
{
    struct span host = call->args[2];
    uint64_t port, bus_port; /* the second is not used here */
    if (!parse_port(call->args[3], &port, call->reply) ||
        (call->argc > 4 && !parse_port(call->args[4], &bus_port, call->reply)))
        return;
    if (call->argc > 5)
        resp_error(call->reply, "ERR syntax error");
    else if (node_at(&server->cluster, host, port))
        resp_status(call->reply, "OK");
    else
        resp_errorf(call->reply,
                    "ERR a node joins by itself: ask the empty node at %.*s:%" PRIu64
                    " for RAFT.CLUSTER JOIN with the address of this one, or start it with "
                    "cluster-seeds",
                    shown(host), host.ptr, port);
}

static const struct cluster_node *node_named(const struct cluster *cluster, struct span name)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (span_equal_nocase(name, span_text(cluster->nodes[i].name)))
            return &cluster->nodes[i];
    return NULL;
}

static void forget(struct server *server, const struct server_call *call)
{
    const struct cluster_node *node = node_named(&server->cluster, call->args[2]);
    const struct shard *shard = server_group(server);
    if (!node)
        resp_errorf(call->reply, "ERR Unknown node %.*s", shown(call->args[2]), call->args[2].ptr);
    else if (node->id == server->self)
        resp_error(call->reply, "ERR I tried hard but I can't forget myself...");
    else if (node->id == shard_leader(shard))
        resp_error(call->reply, "ERR Can't forget my master!");
    else if (server_leads(server, call->reply))
        server_change_members(
            server, call,
            &(const struct server_wish){.want = cluster_member_remove, .change = {.id = node->id}});
}

void server_cluster_forget(struct server *server, const struct server_call *call)
{
    if (!server_go_on_changing(server, call))
        forget(server, call);
}

void server_cluster_reset(struct server *server, const struct server_call *call)
{
    if (call->argc > 3 ||
        (call->argc == 3 && !span_is(call->args[2], "hard") && !span_is(call->args[2], "soft"))) {
        resp_error(call->reply, "ERR syntax error");
        return;
    }
    resp_errorf(call->reply,
                "ERR a node does not leave by itself: ask the leader for RAFT.NODE REMOVE %" PRIu64
                ", stop this node, and delete its data folder",
                server->self);
}
