/* The HTTP port: its life, and what a node tells about itself there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "server/metrics.h"
#include "server/server.h"

static const char has_no_leader[] = "this node knows no leader";
static const char is_stopping[] = "the node is shutting down";
static const char is_behind[] = "the node has not applied yet what it knows to be committed";

/* --- what http/ asks --- */

static void adopt(void *context, int fd, bool local, bool trusted)
{
    struct server *server = context;
    struct net_adoption adoption = {.address = "http:0", .local = local, .trusted = trusted};
    net_adopt(server->net, fd, &adoption);
}

static const char *not_ready(void *context)
{
    const struct server *server = context;
    if (server->stopping)
        return is_stopping;
    const struct shard *shard = server_group(server);
    if (!shard)
        return net_absence(server->net);
    return shard_applied_index(shard) < raft_commit_index(shard_raft(shard)) ? is_behind : NULL;
}

static const char *no_leader(void *context)
{
    const struct server *server = context;
    const struct shard *shard = server_group(server);
    return shard && shard_leader(shard) ? NULL : has_no_leader;
}

static bool is_one_of(struct span host, const char *names)
{
    while (*names) {
        size_t len = strcspn(names, ",");
        if (len && span_equal_nocase(host, span_of(names, len)))
            return true;
        names += len + (names[len] == ',');
    }
    return false;
}

/* Names under which the configuration, or the cluster, knows nodes. */
static bool is_name(void *context, struct span host)
{
    const struct server *server = context;
    const struct config *config = &server->config;
    if (is_one_of(host, config->http_hosts) || is_one_of(host, config->cluster_announce_hostname))
        return true;
    for (size_t i = 0; i < config->bind_count; i++)
        if (span_is(host, config->bind[i] + (config->bind[i][0] == '-')))
            return true;
    for (size_t i = 0; i < server->cluster.count; i++)
        if (span_is(host, server->cluster.nodes[i].host))
            return true;
    return false;
}

static uint64_t now_ms(void *context)
{
    return server_now(context).mono_ms;
}

/* --- pages --- */

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static const char *state_of(const struct server *server)
{
    if (server->stopping)
        return "stopping";
    if (server_group(server))
        return "up";
    return server_has_begun(server) ? "loading" : "beginning";
}

static json_t *member(const struct server *server, const struct cluster_node *node)
{
    char address[CLUSTER_ADDRESS_MAX];
    cluster_address(node, address);
    json_t *one = json_object();
    json_object_set_new(one, "id", integer(node->id));
    json_object_set_new(one, "address", json_string(address));
    json_object_set_new(one, "client_port", integer(cluster_client_port(node)));
    bool connected = node->id == server->self ||
                     (server->peers && peers_link(server->peers, node->id).connected);
    json_object_set_new(one, "connected", json_boolean(connected));
    return one;
}

static void add_progress(const struct server *server, const struct raft_status *status, uint64_t id,
                         json_t *one)
{
    bool leads = status->role == RAFT_LEADER;
    bool voter = status->self_is_voter;
    for (size_t i = 0; i < status->peer_count; i++) {
        const struct raft_peer_status *peer = &status->peers[i];
        if (peer->id != id)
            continue;
        voter = peer->voter;
        if (!leads)
            break;
        json_object_set_new(one, "match_index", integer(peer->match));
        json_object_set_new(
            one, "lag_entries",
            integer(status->last_index > peer->match ? status->last_index - peer->match : 0));
    }
    json_object_set_new(one, "voter", json_boolean(voter));
    json_object_set_new(one, "leader", json_boolean(id == shard_leader(server_group(server))));
}

static json_t *cluster_page(const struct server *server)
{
    json_t *page = json_object();
    struct raft_status status = {.peer_count = 0};
    const struct shard *shard = server_group(server);
    if (shard)
        raft_status(shard_raft(shard), &status);
    json_object_set_new(page, "cluster_id", json_string(server->cluster.cluster_id));
    json_object_set_new(page, "node_id", integer(server->self));
    json_object_set_new(page, "leader_id", integer(shard ? shard_leader(shard) : 0));
    json_object_set_new(page, "term", integer(status.term));
    json_t *members = json_array();
    for (size_t i = 0; i < server->cluster.count; i++) {
        json_t *one = member(server, &server->cluster.nodes[i]);
        if (shard)
            add_progress(server, &status, server->cluster.nodes[i].id, one);
        json_array_append_new(members, one);
    }
    json_object_set_new(page, "members", members);
    return page;
}

static json_t *status_page(struct server *server)
{
    json_t *page = json_object();
    const struct shard *shard = server_group(server);
    json_object_set_new(page, "node_id", integer(server->self));
    json_object_set_new(page, "version", json_string(FLOTILLA_VERSION));
    json_object_set_new(page, "state", json_string(state_of(server)));
    json_object_set_new(page, "uptime_seconds",
                        json_integer((server_now(server).wall_ms - server->start_wall_ms) / 1000));
    if (!shard)
        return page;
    struct raft_status status;
    raft_status(shard_raft(shard), &status);
    json_object_set_new(page, "role", json_string(raft_role_name(status.role)));
    json_object_set_new(page, "leader_id", integer(shard_leader(shard)));
    json_object_set_new(page, "term", integer(status.term));
    json_object_set_new(page, "commit_index", integer(status.commit_index));
    json_object_set_new(page, "applied_index", integer(shard_applied_index(shard)));
    json_object_set_new(page, "durable_index", integer(status.durable_index));
    json_object_set_new(page, "writable", json_boolean(!shard_refuses_writes(shard)));
    return page;
}

static void write_page(void *context, enum http_page page, struct buf *out)
{
    json_t *json = NULL;
    switch (page) {
    case HTTP_PAGE_STATUS:
        json = status_page(context);
        break;
    case HTTP_PAGE_CLUSTER:
        json = cluster_page(context);
        break;
    }
    char *text = json_dumps(json, JSON_COMPACT);
    buf_add_text(out, text ? text : "{}");
    free(text); /* of jansson's own allocation */
    json_decref(json);
}

static void write_metrics(void *context, struct buf *out)
{
    metrics_write_text(context, out);
}

/* --- its life --- */

static struct http_settings settings_of(const struct server *server)
{
    const struct config *config = &server->config;
    return (struct http_settings){.timeout_ms = (uint32_t)config->http_timeout_seconds * 1000,
                                  .body_bytes_max = config->http_max_body_bytes,
                                  .connections_max = (uint32_t)config->http_max_connections,
                                  .protected_mode = config->protected_mode,
                                  .has_password = config->requirepass[0] != '\0'};
}

static enum err listen_at(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const struct config *config = &server->config;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < config->bind_count && !err; i++) {
        int fd;
        message[0] = '\0';
        err = net_open_port(config->bind[i], (uint16_t)config->http_port, config->tcp_backlog, &fd,
                            message);
        if (fd >= 0)
            http_serve(server->http, fd);
        else if (!err)
            log_line(&server->log, LOG_WARNING, "%s", message);
    }
    return err;
}

enum err server_http_open(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    if (server->config.http_port == 0)
        return ERR_NONE;
    struct http_settings settings = settings_of(server);
    struct http_options options = {.settings = &settings,
                                   .table = server->table,
                                   .log = &server->log,
                                   .host = {.context = server,
                                            .adopt = adopt,
                                            .not_ready = not_ready,
                                            .no_leader = no_leader,
                                            .is_name = is_name,
                                            .write_page = write_page,
                                            .write_metrics = write_metrics,
                                            .now_ms = now_ms}};
    server->http = http_new(server->base, &options);
    return listen_at(server, message);
}

void server_http_close(struct server *server)
{
    http_free(server->http);
    server->http = NULL;
}

void server_http_settings(struct server *server)
{
    if (!server->http)
        return;
    struct http_settings settings = settings_of(server);
    http_set_settings(server->http, &settings);
}
