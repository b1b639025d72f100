/* SENTINEL, INFO and ROLE on the Sentinel port, with Redis' field names and errors. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "server/sentinel.h"

static const char no_such_master[] = "ERR No such master with that name";
static const char none_yet[] =
    "CLUSTERDOWN this node has known no leader since its start: ask another Sentinel, or try again";

static bool is_master_name(const struct server *server, struct span name)
{
    return span_equal(name, span_text(server->config.sentinel_master_name));
}

/* NULL: the error is written. */
static const struct cluster_node *master_or_error(struct server *server,
                                                  const struct server_call *call)
{
    const struct cluster_node *master = server_sentinel_master(server);
    if (!is_master_name(server, call->args[2])) {
        resp_error(call->reply, no_such_master);
        return NULL;
    }
    if (!master)
        resp_error(call->reply, none_yet);
    return master;
}

/* --- what is told of one node --- */

static void add_text(struct resp_writer *reply, const char *name, const char *text)
{
    resp_bulk_text(reply, name);
    resp_bulk_text(reply, text);
}

static void add_number(struct resp_writer *reply, const char *name, uint64_t value)
{
    resp_bulk_text(reply, name);
    resp_bulk_i64(reply, (int64_t)value);
}

enum { COMMON_FIELDS = 5, LINK_FIELDS = 5, LINK_DOWN_FIELDS = 6 };

static void add_common(const struct server *server, const struct cluster_node *node,
                       const char *name, struct resp_writer *reply)
{
    add_text(reply, "name", name);
    add_text(reply, "ip", server_sentinel_host(server, node));
    add_number(reply, "port", cluster_client_port(node));
    add_text(reply, "runid", node->name);
}

/* Heartbeats take the place of a Sentinel's pings: a connection that is there is alive. */
static void add_link(const struct server *server, const struct cluster_node *node, bool down,
                     struct resp_writer *reply)
{
    uint64_t since_ms = server_sentinel_since_ms(server, node);
    add_number(reply, "link-pending-commands", 0);
    add_number(reply, "link-refcount", 1);
    add_number(reply, "last-ping-sent", 0);
    add_number(reply, "last-ok-ping-reply", down ? since_ms : 0);
    add_number(reply, "last-ping-reply", down ? since_ms : 0);
    if (down)
        add_number(reply, "s-down-time", since_ms);
}

static size_t link_fields(bool down)
{
    return down ? LINK_DOWN_FIELDS : LINK_FIELDS;
}

static size_t count_sentinels(const struct server *server)
{
    size_t count = 0;
    for (size_t i = 0; i < server->cluster.count; i++)
        count += server->cluster.nodes[i].id != server->self &&
                 server->cluster.nodes[i].announced.sentinel_port;
    return count;
}

static void write_master(struct server *server, const struct cluster_node *master,
                         struct resp_writer *reply)
{
    const struct sentinel *sentinel = server->sentinel;
    bool down = sentinel->down;
    size_t voters;
    size_t seen;
    server_sentinel_count(server, &voters, &seen);
    resp_map(reply, COMMON_FIELDS + link_fields(down) + 10);
    add_common(server, master, server->config.sentinel_master_name, reply);
    add_text(reply, "flags", down ? "master,s_down,o_down" : "master");
    add_link(server, master, down, reply);
    add_number(reply, "down-after-milliseconds", (uint64_t)server->config.raft_election_timeout_ms);
    add_number(reply, "info-refresh", 0);
    add_text(reply, "role-reported", "master");
    add_number(reply, "role-reported-time", server_sentinel_since_ms(server, master));
    add_number(reply, "config-epoch", raft_term(shard_raft(server_group(server))));
    add_number(reply, "num-slaves", server->cluster.count - 1);
    add_number(reply, "num-other-sentinels", count_sentinels(server));
    add_number(reply, "quorum", voters / 2 + 1);
    add_number(reply, "failover-timeout", (uint64_t)server->config.raft_election_timeout_ms);
    add_number(reply, "parallel-syncs", server->cluster.count - 1);
}

/* Only the leader knows how far each of the others is. 0: this node does not know. */
static uint64_t offset_of(const struct server *server, const struct cluster_node *node)
{
    const struct shard *shard = server_group(server);
    if (node->id == server->self)
        return shard_applied_index(shard);
    struct raft_status status;
    raft_status(shard_raft(shard), &status);
    for (size_t i = 0; shard_is_leader(shard) && i < status.peer_count; i++)
        if (status.peers[i].id == node->id)
            return status.peers[i].match;
    return 0;
}

static void write_replica(struct server *server, const struct cluster_node *node,
                          const struct cluster_node *master, struct resp_writer *reply)
{
    bool down = !server_sentinel_sees(server, node);
    char name[SENTINEL_NAME_MAX];
    server_sentinel_name(server, node, name);
    resp_map(reply, COMMON_FIELDS + link_fields(down) + 11);
    add_common(server, node, name, reply);
    add_text(reply, "flags", down ? "slave,s_down,disconnected" : "slave");
    add_link(server, node, down, reply);
    add_number(reply, "down-after-milliseconds", (uint64_t)server->config.raft_election_timeout_ms);
    add_number(reply, "info-refresh", 0);
    add_text(reply, "role-reported", "slave");
    add_number(reply, "role-reported-time", server_sentinel_since_ms(server, node));
    add_number(reply, "master-link-down-time",
               server->sentinel->down ? server_sentinel_since_ms(server, master) : 0);
    add_text(reply, "master-link-status", server->sentinel->down ? "err" : "ok");
    add_text(reply, "master-host", server_sentinel_host(server, master));
    add_number(reply, "master-port", cluster_client_port(master));
    add_number(reply, "slave-priority", 100);
    add_number(reply, "slave-repl-offset", offset_of(server, node));
    add_number(reply, "replica-announced", 1);
}

static void write_sentinel(struct server *server, const struct cluster_node *node,
                           struct resp_writer *reply)
{
    bool down = !server_sentinel_sees(server, node);
    uint64_t since_ms = server_sentinel_since_ms(server, node);
    resp_map(reply, COMMON_FIELDS + link_fields(down) + 4);
    add_text(reply, "name", node->name);
    add_text(reply, "ip", server_sentinel_host(server, node));
    add_number(reply, "port", node->announced.sentinel_port);
    add_text(reply, "runid", node->name);
    add_text(reply, "flags", down ? "sentinel,s_down,disconnected" : "sentinel");
    add_link(server, node, down, reply);
    add_number(reply, "down-after-milliseconds", (uint64_t)server->config.raft_election_timeout_ms);
    add_number(reply, "last-hello-message", down ? since_ms : 0);
    add_text(reply, "voted-leader", "?");
    add_number(reply, "voted-leader-epoch", 0);
}

/* --- the commands --- */

static void run_address(struct server *server, const struct server_call *call)
{
    const struct cluster_node *master = server_sentinel_master(server);
    if (!is_master_name(server, call->args[2]) || !master || server->sentinel->down) {
        resp_null_array(call->reply);
        return;
    }
    resp_array(call->reply, 2);
    resp_bulk_text(call->reply, server_sentinel_host(server, master));
    resp_bulk_i64(call->reply, cluster_client_port(master));
}

static void run_master(struct server *server, const struct server_call *call)
{
    const struct cluster_node *master = master_or_error(server, call);
    if (master)
        write_master(server, master, call->reply);
}

static void run_masters(struct server *server, const struct server_call *call)
{
    const struct cluster_node *master = server_sentinel_master(server);
    resp_array(call->reply, master ? 1 : 0);
    if (master)
        write_master(server, master, call->reply);
}

static void run_replicas(struct server *server, const struct server_call *call)
{
    const struct cluster_node *master = master_or_error(server, call);
    if (!master)
        return;
    resp_array(call->reply, server->cluster.count - 1);
    for (size_t i = 0; i < server->cluster.count; i++)
        if (&server->cluster.nodes[i] != master)
            write_replica(server, &server->cluster.nodes[i], master, call->reply);
}

static void run_sentinels(struct server *server, const struct server_call *call)
{
    if (!is_master_name(server, call->args[2])) {
        resp_error(call->reply, no_such_master);
        return;
    }
    resp_array(call->reply, count_sentinels(server));
    for (size_t i = 0; i < server->cluster.count; i++) {
        const struct cluster_node *node = &server->cluster.nodes[i];
        if (node->id != server->self && node->announced.sentinel_port)
            write_sentinel(server, node, call->reply);
    }
}

static void run_ckquorum(struct server *server, const struct server_call *call)
{
    if (!is_master_name(server, call->args[2])) {
        resp_error(call->reply, no_such_master);
        return;
    }
    size_t voters;
    size_t seen;
    server_sentinel_count(server, &voters, &seen);
    char text[128];
    snprintf(text, sizeof text,
             "OK %zu usable Sentinels. Quorum and failover authorization can be reached", seen);
    if (seen > voters / 2)
        resp_status(call->reply, text);
    else
        resp_errorf(call->reply,
                    "NOQUORUM %zu usable Sentinels. Not enough available Sentinels to reach the "
                    "specified quorum for this master. Not enough available Sentinels to reach the "
                    "majority and authorize a failover",
                    seen);
}

static void run_myid(struct server *server, const struct server_call *call)
{
    const struct cluster_node *self = cluster_find(&server->cluster, server->self);
    resp_bulk_text(call->reply, self ? self->name : server->cluster.cluster_id);
}

/* A true answer for whoever asks. There is no vote to give: nodes elect their leader by
 * themselves. */
static void run_is_down(struct server *server, const struct server_call *call)
{
    const struct sentinel *sentinel = server->sentinel;
    int64_t port;
    int64_t epoch;
    if (!number_parse_i64(call->args[3], &port) || !number_parse_i64(call->args[4], &epoch)) {
        resp_error(call->reply, "ERR value is not an integer or out of range");
        return;
    }
    bool is_it = sentinel->master && span_equal(call->args[2], span_text(sentinel->host)) &&
                 port == sentinel->port;
    resp_array(call->reply, 3);
    resp_integer(call->reply, is_it && sentinel->down);
    resp_bulk_text(call->reply, "*");
    resp_integer(call->reply, 0);
}

static void run_help(struct server *server, const struct server_call *call)
{
    command_write_help(server->sentinel->table, call->command->parent, call->reply);
}

static void run_role(struct server *server, const struct server_call *call)
{
    bool known = server_sentinel_master(server) != NULL;
    resp_array(call->reply, 2);
    resp_bulk_text(call->reply, "sentinel");
    resp_array(call->reply, known);
    if (known)
        resp_bulk_text(call->reply, server->config.sentinel_master_name);
}

/* --- INFO --- */

static void info_server(struct server *server, struct buf *out)
{
    buf_printf(out,
               "redis_version:%s\r\nflotilla_version:%s\r\nredis_mode:sentinel\r\n"
               "process_id:%d\r\nrun_id:%s\r\ntcp_port:%d\r\nuptime_in_seconds:%" PRId64 "\r\n",
               FLOTILLA_REDIS_VERSION, FLOTILLA_VERSION, (int)getpid(), server->run_id,
               server->config.sentinel_port, (server->now.wall_ms - server->start_wall_ms) / 1000);
}

static void info_clients(struct server *server, struct buf *out)
{
    struct net_stats stats = net_stats(server->sentinel->net);
    buf_printf(out, "connected_clients:%" PRIu64 "\r\nmaxclients:%d\r\n", stats.connected_clients,
               server->config.maxclients);
}

static void info_sentinel(struct server *server, struct buf *out)
{
    const struct sentinel *sentinel = server->sentinel;
    const struct cluster_node *master = server_sentinel_master(server);
    buf_printf(out,
               "sentinel_masters:%d\r\nsentinel_tilt:0\r\nsentinel_tilt_since_seconds:-1\r\n"
               "sentinel_running_scripts:0\r\nsentinel_scripts_queue_length:0\r\n"
               "sentinel_simulate_failure_flags:0\r\n",
               master != NULL);
    if (master)
        buf_printf(out, "master0:name=%s,status=%s,address=%s:%u,slaves=%zu,sentinels=%zu\r\n",
                   server->config.sentinel_master_name, sentinel->down ? "odown" : "ok",
                   sentinel->host, (unsigned)sentinel->port, server->cluster.count - 1,
                   count_sentinels(server) + 1);
}

static const struct {
    const char *name;
    const char *title;
    void (*write)(struct server *server, struct buf *out);
} sections[] = {
    {"server", "Server", info_server},
    {"clients", "Clients", info_clients},
    {"sentinel", "Sentinel", info_sentinel},
};

static bool is_wanted(const struct server_call *call, const char *name)
{
    static const char *const all[] = {"all", "everything", "default"};
    for (size_t i = 1; i < call->argc; i++) {
        if (span_is(call->args[i], name))
            return true;
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            if (span_is(call->args[i], all[j]))
                return true;
    }
    return call->argc == 1;
}

static void run_info(struct server *server, const struct server_call *call)
{
    struct buf text = {0};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_wanted(call, sections[i].name))
            continue;
        buf_printf(&text, "%s# %s\r\n", text.len ? "\r\n" : "", sections[i].title);
        sections[i].write(server, &text);
    }
    resp_verbatim(call->reply, "txt", buf_span(&text));
    buf_close(&text);
}

/* --- from a name to a command --- */

static const struct {
    const char *fullname;
    server_handler *run;
} handlers[] = {
    {"sentinel|get-master-addr-by-name", run_address},
    {"sentinel|master", run_master},
    {"sentinel|masters", run_masters},
    {"sentinel|replicas", run_replicas},
    {"sentinel|slaves", run_replicas},
    {"sentinel|sentinels", run_sentinels},
    {"sentinel|ckquorum", run_ckquorum},
    {"sentinel|myid", run_myid},
    {"sentinel|is-master-down-by-addr", run_is_down},
    {"sentinel|help", run_help},
    {"role", run_role},
    {"info", run_info},
};

void server_sentinel_find_handlers(struct server *server)
{
    struct sentinel *sentinel = server->sentinel;
    size_t count = command_table_count(sentinel->table);
    sentinel->handlers = mem_zalloc(count * sizeof *sentinel->handlers);
    for (size_t id = 0; id < count; id++) {
        struct span name = span_text(command_table_at(sentinel->table, id)->fullname);
        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
            if (span_is(name, handlers[i].fullname))
                sentinel->handlers[id] = handlers[i].run;
    }
}

void server_sentinel_run(void *context, struct client *client, const struct command *command,
                         const struct span *args, size_t argc, struct resp_writer *reply)
{
    struct server *server = context;
    struct server_call call = {client, command, args, argc, reply};
    server_handler *run = server->sentinel->handlers[command->id];
    if (run)
        run(server, &call);
    else
        FATAL("a command of the Sentinel table has no handler");
}
