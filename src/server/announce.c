/* Where clients find this node (cluster-announce-…, sentinel-port). A node can announce only
 * itself. It tells each other node on the connection that it dials, before anything else; what the
 * others said is forgotten when they connect anew. So no announcement outlives the process that
 * made it, and none is stored. Versions that do not know the message never get it. */
#include <stdio.h>
#include <string.h>

#include "server/server.h"
#include "wire/hello.h"

static void fill(const struct server *server, struct cluster_announcement *announcement)
{
    const struct config *config = &server->config;
    *announcement = (struct cluster_announcement){
        .port = (uint16_t)config->cluster_announce_port,
        .sentinel_port = (uint16_t)config->sentinel_port,
    };
    snprintf(announcement->ip, sizeof announcement->ip, "%s", config->cluster_announce_ip);
    snprintf(announcement->hostname, sizeof announcement->hostname, "%s",
             config->cluster_announce_hostname);
    if (server->seeking)
        memcpy(announcement->address, server->own_address, sizeof announcement->address);
}

static void say(struct server *server, uint64_t node, const struct cluster_announcement *announced)
{
    struct buf bytes = {0};
    cluster_announcement_encode(&bytes, announced);
    peers_send(server->peers, node, false, buf_span(&bytes));
    buf_close(&bytes);
}

/* A version that does not know the message would close the connection. */
static bool understands(const struct server *server, uint64_t node)
{
    const struct shard *shard = server_shard(server, 0);
    return node != server->self && shard && shard_version_of(shard, node) >= WIRE_VERSION_ANNOUNCES;
}

void server_announce_open(struct server *server)
{
    struct cluster_announcement own;
    fill(server, &own);
    cluster_set_announced(&server->cluster, server->self, &own);
}

void server_announce_change(struct server *server)
{
    struct cluster_announcement own;
    server_find_own_address(server);
    fill(server, &own);
    const struct cluster_node *self = cluster_find(&server->cluster, server->self);
    if (!self || memcmp(&self->announced, &own, sizeof own) == 0)
        return;
    cluster_set_announced(&server->cluster, server->self, &own);
    for (size_t i = 0; server->peers && i < server->cluster.count; i++)
        if (understands(server, server->cluster.nodes[i].id))
            say(server, server->cluster.nodes[i].id, &own);
}

void server_announce_to(struct server *server, uint64_t node)
{
    struct cluster_announcement own;
    fill(server, &own);
    if (cluster_announcement_is_set(&own))
        say(server, node, &own);
}

bool server_hear_announcement(struct server *server, const struct shard_peer *from,
                              const struct span *args, size_t argc)
{
    struct cluster_announcement announced = {.port = 0};
    if (!cluster_announcement_parse(args, argc, &announced))
        return false;
    cluster_set_announced(&server->cluster, from->node, &announced);
    server_hear_address(server, from->node, from->incarnation, announced.address);
    return true;
}

enum cluster_endpoint_type server_endpoint_type(const struct server *server)
{
    switch (server->config.cluster_preferred_endpoint_type) {
    case CONFIG_ENDPOINT_IP:
        return CLUSTER_ENDPOINT_IP;
    case CONFIG_ENDPOINT_HOSTNAME:
        return CLUSTER_ENDPOINT_HOSTNAME;
    case CONFIG_ENDPOINT_UNKNOWN:
        return CLUSTER_ENDPOINT_UNKNOWN;
    }
    return CLUSTER_ENDPOINT_IP;
}
