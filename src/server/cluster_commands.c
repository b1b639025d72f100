/* CLUSTER: one shard serves all slots, its leader is the master, the other nodes are its replicas.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"
#include "server/server.h"

static const char no_leader[] =
    "CLUSTERDOWN this node knows no leader: ask another node, or try again";

static const struct cluster_node *leader_of(const struct server *server)
{
    uint64_t id = shard_leader(server_group(server));
    return id ? cluster_find(&server->cluster, id) : NULL;
}

/* The leader, for answers that describe the cluster: a node that knows none must not describe it,
 * so that the client asks the next one. */
static const struct cluster_node *leader_or_error(struct server *server,
                                                  const struct server_call *call)
{
    const struct cluster_node *leader = leader_of(server);
    if (!leader)
        resp_error(call->reply, no_leader);
    return leader;
}

static bool is_self(const struct server *server, const struct cluster_node *node)
{
    return node->id == server->self;
}

static bool is_connected(const struct server *server, const struct cluster_node *node)
{
    return is_self(server, node) || peers_link(server->peers, node->id).connected;
}

/* The host that clients shall connect to, as CLUSTER SLOTS writes it: NULL is that they are already
 * connected to. */
static void write_endpoint(const struct server *server, const struct cluster_node *node,
                           struct resp_writer *reply)
{
    enum cluster_endpoint_type type = server_endpoint_type(server);
    if (type == CLUSTER_ENDPOINT_UNKNOWN)
        resp_null(reply);
    else
        resp_bulk_text(reply, cluster_endpoint(node, type));
}

/* The names of the node that the endpoint does not show. */
static void write_metadata(const struct server *server, const struct cluster_node *node,
                           struct resp_writer *reply)
{
    enum cluster_endpoint_type type = server_endpoint_type(server);
    const char *hostname = node->announced.hostname;
    bool with_ip = type != CLUSTER_ENDPOINT_IP;
    bool with_hostname = type != CLUSTER_ENDPOINT_HOSTNAME && hostname[0];
    resp_map(reply, (size_t)with_ip + with_hostname);
    if (with_ip) {
        resp_bulk_text(reply, "ip");
        resp_bulk_text(reply, cluster_client_ip(node));
    }
    if (with_hostname) {
        resp_bulk_text(reply, "hostname");
        resp_bulk_text(reply, hostname);
    }
}

static void write_slots_node(const struct server *server, const struct cluster_node *node,
                             struct resp_writer *reply)
{
    resp_array(reply, 4);
    write_endpoint(server, node, reply);
    resp_integer(reply, cluster_client_port(node));
    resp_bulk_text(reply, node->name);
    write_metadata(server, node, reply);
}

void server_cluster_slots(struct server *server, const struct server_call *call)
{
    const struct cluster_node *leader = leader_or_error(server, call);
    if (!leader)
        return;
    resp_array(call->reply, 1);
    resp_array(call->reply, 2 + server->cluster.count);
    resp_integer(call->reply, 0);
    resp_integer(call->reply, CLUSTER_SLOTS - 1);
    write_slots_node(server, leader, call->reply);
    for (size_t i = 0; i < server->cluster.count; i++)
        if (&server->cluster.nodes[i] != leader)
            write_slots_node(server, &server->cluster.nodes[i], call->reply);
}

static void write_shard_node(struct server *server, const struct cluster_node *node,
                             const struct cluster_node *leader, struct resp_writer *reply)
{
    const char *hostname = node->announced.hostname;
    resp_map(reply, hostname[0] ? 8 : 7);
    resp_bulk_text(reply, "id");
    resp_bulk_text(reply, node->name);
    resp_bulk_text(reply, "port");
    resp_integer(reply, cluster_client_port(node));
    resp_bulk_text(reply, "ip");
    resp_bulk_text(reply, cluster_client_ip(node));
    resp_bulk_text(reply, "endpoint");
    resp_bulk_text(reply, cluster_endpoint(node, server_endpoint_type(server)));
    if (hostname[0]) {
        resp_bulk_text(reply, "hostname");
        resp_bulk_text(reply, hostname);
    }
    resp_bulk_text(reply, "role");
    resp_bulk_text(reply, node == leader ? "master" : "replica");
    resp_bulk_text(reply, "replication-offset");
    resp_integer(reply, (int64_t)shard_applied_index(server_group(server)));
    resp_bulk_text(reply, "health");
    resp_bulk_text(reply, is_connected(server, node) ? "online" : "fail");
}

void server_cluster_shards(struct server *server, const struct server_call *call)
{
    const struct cluster_node *leader = leader_or_error(server, call);
    if (!leader)
        return;
    resp_array(call->reply, 1);
    resp_map(call->reply, 2);
    resp_bulk_text(call->reply, "slots");
    resp_array(call->reply, 2);
    resp_integer(call->reply, 0);
    resp_integer(call->reply, CLUSTER_SLOTS - 1);
    resp_bulk_text(call->reply, "nodes");
    resp_array(call->reply, server->cluster.count);
    write_shard_node(server, leader, leader, call->reply);
    for (size_t i = 0; i < server->cluster.count; i++)
        if (&server->cluster.nodes[i] != leader)
            write_shard_node(server, &server->cluster.nodes[i], leader, call->reply);
}

/* The port behind the '@' is the one on which nodes talk to each other: that of the members. */
static void add_nodes_line(struct server *server, const struct cluster_node *node,
                           const struct cluster_node *leader, struct buf *out)
{
    struct peer_link link = peers_link(server->peers, node->id);
    bool self = is_self(server, node);
    const char *hostname = node->announced.hostname;
    buf_printf(out, "%s %s:%u@%u%s%s %s%s %s 0 %lld %llu %s%s\n", node->name,
               cluster_client_ip(node), (unsigned)cluster_client_port(node), (unsigned)node->port,
               hostname[0] ? "," : "", hostname, self ? "myself," : "",
               node == leader ? "master" : "slave", node == leader ? "-" : leader->name,
               self ? 0LL : (long long)link.since_ms,
               (unsigned long long)raft_term(shard_raft(server_group(server))),
               is_connected(server, node) ? "connected" : "disconnected",
               node == leader ? " 0-16383" : "");
}

void server_cluster_nodes(struct server *server, const struct server_call *call)
{
    const struct cluster_node *leader = leader_or_error(server, call);
    if (!leader)
        return;
    struct buf text = {0};
    for (size_t i = 0; i < server->cluster.count; i++)
        add_nodes_line(server, &server->cluster.nodes[i], leader, &text);
    resp_verbatim(call->reply, "txt", buf_span(&text));
    buf_close(&text);
}

/* Under the names that Valkey's Raft bus has for them. */
static void add_raft(const struct server *server, struct buf *out)
{
    const struct shard *shard = server_group(server);
    struct raft_status status = {.role = RAFT_FOLLOWER};
    if (shard)
        raft_status(shard_raft(shard), &status);
    const struct cluster_node *leader = shard ? leader_of(server) : NULL;
    buf_printf(out,
               "cluster_raft_role:%s\r\ncluster_raft_current_term:%" PRIu64
               "\r\ncluster_raft_commit_index:%" PRIu64 "\r\ncluster_raft_last_applied:%" PRIu64
               "\r\ncluster_raft_leader:%s\r\n",
               raft_role_name(status.role), status.term, status.commit_index,
               shard ? shard_applied_index(shard) : 0, leader ? leader->name : "");
}

void server_cluster_info(struct server *server, const struct server_call *call)
{
    const struct shard *shard = server_group(server);
    uint64_t term = shard ? raft_term(shard_raft(shard)) : 0;
    bool ok = shard && leader_of(server) != NULL;
    struct buf text = {0};
    buf_printf(&text,
               "cluster_state:%s\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:%d\r\n"
               "cluster_slots_pfail:0\r\ncluster_slots_fail:%d\r\ncluster_known_nodes:%zu\r\n"
               "cluster_size:1\r\ncluster_current_epoch:%" PRIu64 "\r\ncluster_my_epoch:%" PRIu64
               "\r\ncluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
               "total_cluster_links_buffer_limit_exceeded:0\r\n",
               ok ? "ok" : "fail", ok ? CLUSTER_SLOTS : 0, ok ? 0 : CLUSTER_SLOTS,
               server->cluster.count, term, term);
    add_raft(server, &text);
    resp_verbatim(call->reply, "txt", buf_span(&text));
    buf_close(&text);
}

void server_cluster_myid(struct server *server, const struct server_call *call)
{
    const struct cluster_node *self = cluster_find(&server->cluster, server->self);
    if (self)
        resp_bulk_text(call->reply, self->name);
    else
        resp_error(call->reply, "CLUSTERDOWN this node has no id yet: it joins no cluster before");
}

void server_cluster_myshardid(struct server *server, const struct server_call *call)
{
    resp_bulk_text(call->reply, server->cluster.cluster_id);
}

void server_cluster_keyslot(struct server *server, const struct server_call *call)
{
    (void)server;
    resp_integer(call->reply, keyspace_slot_of(call->args[2]));
}

static bool read_slot(const struct server_call *call, unsigned *slot)
{
    int64_t value;
    if (!number_parse_i64(call->args[2], &value)) {
        resp_error(call->reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (value < 0 || value >= CLUSTER_SLOTS) {
        resp_error(call->reply, "ERR Invalid slot");
        return false;
    }
    *slot = (unsigned)value;
    return true;
}

void server_cluster_countkeysinslot(struct server *server, const struct server_call *call)
{
    unsigned slot;
    if (read_slot(call, &slot))
        resp_integer(call->reply, (int64_t)keyspace_slot_count(
                                      shard_keyspace(server_shard_of_slot(server, slot), 0), slot));
}

void server_cluster_getkeysinslot(struct server *server, const struct server_call *call)
{
    int64_t slot;
    int64_t most;
    if (!number_parse_i64(call->args[2], &slot) || !number_parse_i64(call->args[3], &most)) {
        resp_error(call->reply, "ERR value is not an integer or out of range");
        return;
    }
    if (slot < 0 || slot >= CLUSTER_SLOTS || most < 0) {
        resp_error(call->reply, "ERR Invalid slot or number of keys");
        return;
    }
    const struct keyspace *keyspace =
        shard_keyspace(server_shard_of_slot(server, (unsigned)slot), 0);
    size_t count = keyspace_slot_count(keyspace, (unsigned)slot);
    if (count > (uint64_t)most)
        count = (size_t)most;
    resp_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        resp_bulk(call->reply, item_key(keyspace_slot_item(keyspace, (unsigned)slot, i)));
}

static void write_link(const struct cluster_node *node, const struct peer_link *link,
                       struct resp_writer *reply)
{
    resp_map(reply, 6);
    resp_bulk_text(reply, "direction");
    resp_bulk_text(reply, "to");
    resp_bulk_text(reply, "node");
    resp_bulk_text(reply, node->name);
    resp_bulk_text(reply, "create-time");
    resp_integer(reply, link->since_ms);
    resp_bulk_text(reply, "events");
    resp_bulk_text(reply, link->output_bytes ? "rw" : "r");
    resp_bulk_text(reply, "send-buffer-allocated");
    resp_integer(reply, (int64_t)link->output_bytes);
    resp_bulk_text(reply, "send-buffer-used");
    resp_integer(reply, (int64_t)link->output_bytes);
}

void server_cluster_links(struct server *server, const struct server_call *call)
{
    size_t connected = 0;
    for (size_t i = 0; i < server->cluster.count; i++)
        connected += peers_link(server->peers, server->cluster.nodes[i].id).connected;
    resp_array(call->reply, connected);
    for (size_t i = 0; i < server->cluster.count; i++) {
        struct peer_link link = peers_link(server->peers, server->cluster.nodes[i].id);
        if (link.connected)
            write_link(&server->cluster.nodes[i], &link, call->reply);
    }
}
