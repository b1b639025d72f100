/* The Sentinel port: its life, and what subscribers are told when something changes. */
#include "server/sentinel.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { LOOK_MS = 10 }; /* between two looks at the nodes that follow */

static const char no_data[] = "ERR this port answers only what Redis Sentinel does";

/* --- what this node knows --- */

const char *server_sentinel_host(const struct server *server, const struct cluster_node *node)
{
    const char *host = cluster_endpoint(node, server_endpoint_type(server));
    return host[0] && strcmp(host, "?") != 0 ? host : cluster_client_ip(node);
}

void server_sentinel_name(const struct server *server, const struct cluster_node *node,
                          char name[SENTINEL_NAME_MAX])
{
    const char *host = server_sentinel_host(server, node);
    bool is_ipv6 = strchr(host, ':') != NULL;
    snprintf(name, SENTINEL_NAME_MAX, "%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
             (unsigned)cluster_client_port(node));
}

/* Of a follower that leaves its connection open and says nothing only the leader hears. */
static bool answers_to_leader(const struct server *server, uint64_t id)
{
    uint64_t contact_ms = raft_peer_contact_ms(shard_raft(server_group(server)), id);
    if (contact_ms < server->sentinel->changed_ms)
        contact_ms = server->sentinel->changed_ms; /* as if all had answered then */
    return contact_ms + (uint64_t)server->config.raft_election_timeout_ms >= server->now.mono_ms;
}

bool server_sentinel_sees(const struct server *server, const struct cluster_node *node)
{
    if (node->id == server->self)
        return true;
    if (!server->peers || !peers_link(server->peers, node->id).connected)
        return false;
    bool leads = server_group(server) && shard_is_leader(server_group(server));
    return !leads || answers_to_leader(server, node->id);
}

const struct cluster_node *server_sentinel_master(const struct server *server)
{
    return cluster_find(&server->cluster, server->sentinel->master);
}

void server_sentinel_count(const struct server *server, size_t *voters, size_t *seen)
{
    struct raft_status status = {.peer_count = 0};
    if (server_group(server))
        raft_status(shard_raft(server_group(server)), &status);
    const struct sentinel *sentinel = server->sentinel;
    bool has_leader = sentinel->master && !sentinel->down;
    *voters = *seen = status.self_is_voter;
    for (size_t i = 0; i < status.peer_count; i++) {
        const struct cluster_node *node = cluster_find(&server->cluster, status.peers[i].id);
        *voters += status.peers[i].voter;
        *seen += status.peers[i].voter && has_leader && node && server_sentinel_sees(server, node);
    }
}

static struct sentinel_node *find(struct sentinel *sentinel, uint64_t id)
{
    for (size_t i = 0; i < sentinel->count; i++)
        if (sentinel->nodes[i].id == id)
            return &sentinel->nodes[i];
    return NULL;
}

uint64_t server_sentinel_since_ms(const struct server *server, const struct cluster_node *node)
{
    const struct sentinel_node *seen = find(server->sentinel, node->id);
    uint64_t changed_ms = seen ? seen->changed_ms : server->sentinel->changed_ms;
    return server->now.mono_ms > changed_ms ? server->now.mono_ms - changed_ms : 0;
}

/* --- what subscribers are told --- */

static void publish(struct server *server, const char *channel, const char *text)
{
    net_publish(server->sentinel->net, span_text(channel), span_text(text));
    log_line(&server->log, LOG_VERBOSE, "sentinel: %s %s", channel, text);
}

static void publish_master(struct server *server, const char *channel)
{
    const struct sentinel *sentinel = server->sentinel;
    char text[SENTINEL_LINE_MAX];
    snprintf(text, sizeof text, "master %s %s %u", server->config.sentinel_master_name,
             sentinel->host, (unsigned)sentinel->port);
    publish(server, channel, text);
}

static void publish_replica(struct server *server, const char *channel,
                            const struct cluster_node *node)
{
    const struct sentinel *sentinel = server->sentinel;
    char name[SENTINEL_NAME_MAX];
    char text[SENTINEL_LINE_MAX];
    server_sentinel_name(server, node, name);
    snprintf(text, sizeof text, "slave %s %s %u @ %s %s %u", name,
             server_sentinel_host(server, node), (unsigned)cluster_client_port(node),
             server->config.sentinel_master_name, sentinel->host, (unsigned)sentinel->port);
    publish(server, channel, text);
}

static void publish_switch(struct server *server, const char *host, uint16_t port)
{
    const struct sentinel *sentinel = server->sentinel;
    char text[SENTINEL_LINE_MAX];
    snprintf(text, sizeof text, "%s %s %u %s %u", server->config.sentinel_master_name,
             sentinel->host, (unsigned)sentinel->port, host, (unsigned)port);
    publish(server, "+switch-master", text);
}

/* The leader is known, and maybe another than before, or at another address. */
static void follow(struct server *server, const struct cluster_node *leader)
{
    struct sentinel *sentinel = server->sentinel;
    const char *host = server_sentinel_host(server, leader);
    uint16_t port = cluster_client_port(leader);
    bool was_known = sentinel->master != 0;
    bool moves = strcmp(sentinel->host, host) != 0 || sentinel->port != port;
    if (sentinel->master != leader->id || sentinel->down)
        sentinel->changed_ms = server->now.mono_ms;
    if (was_known && moves)
        publish_switch(server, host, port);
    sentinel->master = leader->id;
    snprintf(sentinel->host, sizeof sentinel->host, "%s", host);
    sentinel->port = port;
    bool came_back = sentinel->down && was_known && !moves;
    sentinel->down = false;
    if (came_back)
        publish_master(server, "-sdown");
}

static void look_at_master(struct server *server)
{
    struct sentinel *sentinel = server->sentinel;
    const struct shard *shard = server_group(server);
    const struct cluster_node *leader =
        shard ? cluster_find(&server->cluster, shard_leader(shard)) : NULL;
    if (leader && server_sentinel_sees(server, leader)) {
        follow(server, leader);
        return;
    }
    if (sentinel->master == 0 || sentinel->down)
        return;
    sentinel->down = true;
    sentinel->changed_ms = server->now.mono_ms;
    publish_master(server, "+sdown");
}

static void look_at_replica(struct server *server, const struct cluster_node *node)
{
    struct sentinel *sentinel = server->sentinel;
    bool down = !server_sentinel_sees(server, node);
    struct sentinel_node *known = find(sentinel, node->id);
    if (known && known->down == down)
        return;
    if (!known) {
        known = &sentinel->nodes[sentinel->count++];
        *known = (struct sentinel_node){.id = node->id};
        publish_replica(server, "+slave", node);
    }
    if (known->down != down)
        publish_replica(server, down ? "+sdown" : "-sdown", node);
    known->down = down;
    known->changed_ms = server->now.mono_ms;
}

/* Whoever leads now, or was removed, is no replica. */
static void forget(struct server *server)
{
    struct sentinel *sentinel = server->sentinel;
    size_t kept = 0;
    for (size_t i = 0; i < sentinel->count; i++) {
        uint64_t id = sentinel->nodes[i].id;
        if (id != sentinel->master && cluster_find(&server->cluster, id))
            sentinel->nodes[kept++] = sentinel->nodes[i];
    }
    sentinel->count = kept;
}

static void look(struct server *server)
{
    look_at_master(server);
    if (server->sentinel->master == 0)
        return;
    struct sentinel *sentinel = server->sentinel;
    if (server->now.mono_ms < sentinel->looked_ms + LOOK_MS)
        return;
    sentinel->looked_ms = server->now.mono_ms;
    forget(server);
    for (size_t i = 0; i < server->cluster.count; i++)
        if (server->cluster.nodes[i].id != sentinel->master)
            look_at_replica(server, &server->cluster.nodes[i]);
}

/* --- its life --- */

static struct net_settings settings_of(const struct server *server)
{
    struct net_settings settings = server_net_settings(server);
    settings.maxmemory = 0; /* nothing here makes the data grow */
    return settings;
}

static enum err listen_at(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const struct config *config = &server->config;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < config->bind_count && !err; i++) {
        message[0] = '\0';
        err = net_listen(server->sentinel->net, config->bind[i], (uint16_t)config->sentinel_port,
                         config->tcp_backlog, message);
        if (!err && message[0])
            log_line(&server->log, LOG_WARNING, "%s", message);
    }
    return err;
}

enum err server_sentinel_open(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    if (server->config.sentinel_port == 0)
        return ERR_NONE;
    struct sentinel *sentinel = mem_zalloc(sizeof *sentinel);
    server->sentinel = sentinel;
    sentinel->table = command_table_new_sentinel();
    server_sentinel_find_handlers(server);
    struct net_settings settings = settings_of(server);
    struct net_options options = {.settings = &settings,
                                  .table = sentinel->table,
                                  .cluster = &server->cluster,
                                  .log = &server->log,
                                  .self = server->self,
                                  .sentinel = true,
                                  .redis_version = FLOTILLA_REDIS_VERSION,
                                  .host = server_net_host(server)};
    options.host.run = server_sentinel_run;
    sentinel->net = net_new(server->base, &options);
    net_set_absence(sentinel->net, no_data);
    return listen_at(server, message);
}

void server_sentinel_close(struct server *server)
{
    if (!server->sentinel)
        return;
    net_free(server->sentinel->net);
    command_table_free(server->sentinel->table);
    mem_free(server->sentinel->handlers);
    mem_free(server->sentinel);
    server->sentinel = NULL;
}

void server_sentinel_settings(struct server *server)
{
    if (!server->sentinel)
        return;
    struct net_settings settings = settings_of(server);
    net_set_settings(server->sentinel->net, &settings);
}

struct net *server_sentinel_net(const struct server *server)
{
    return server->sentinel ? server->sentinel->net : NULL;
}

void server_sentinel_tick(struct server *server)
{
    if (server->sentinel)
        look(server);
}
