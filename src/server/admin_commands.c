#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/number.h"
#include "server/server.h"

/* Offsets as in INFO replication. */
void server_role(struct server *server, const struct server_call *call)
{
    const struct shard *shard = server_group(server);
    struct resp_writer *reply = call->reply;
    if (!shard_is_leader(shard)) {
        const struct cluster_node *leader = cluster_find(&server->cluster, shard_leader(shard));
        resp_array(reply, 5);
        resp_bulk_text(reply, "slave");
        resp_bulk_text(reply, leader ? cluster_client_ip(leader) : "");
        resp_integer(reply, leader ? cluster_client_port(leader) : 0);
        resp_bulk_text(reply, leader ? "connected" : "connect");
        resp_integer(reply, (int64_t)shard_applied_index(shard));
        return;
    }
    struct raft_status status;
    size_t count = server_live_replicas(server, &status);
    resp_array(reply, 3);
    resp_bulk_text(reply, "master");
    resp_integer(reply, (int64_t)raft_last_index(shard_raft(shard)));
    resp_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        const struct cluster_node *node = cluster_find(&server->cluster, status.peers[i].id);
        resp_array(reply, 3);
        resp_bulk_text(reply, cluster_client_ip(node));
        resp_bulk_i64(reply, cluster_client_port(node));
        resp_bulk_i64(reply, (int64_t)status.peers[i].match);
    }
}

void server_shutdown(struct server *server, const struct server_call *call)
{
    bool now = false;
    bool abort_it = false;
    bool other = false;
    bool save = false;
    bool nosave = false;
    for (size_t i = 1; i < call->argc; i++) {
        if (span_is(call->args[i], "now"))
            now = other = true;
        else if (span_is(call->args[i], "abort"))
            abort_it = true;
        else if (span_is(call->args[i], "save"))
            save = other = true; /* everything acknowledged is on disk anyway */
        else if (span_is(call->args[i], "nosave"))
            nosave = other = true;
        else if (span_is(call->args[i], "force"))
            other = true;
        else {
            resp_error(call->reply, "ERR syntax error");
            return;
        }
    }
    if ((abort_it && (other || call->argc > 2)) || (save && nosave)) {
        resp_error(call->reply, "ERR syntax error");
        return;
    }
    if (abort_it) {
        resp_error(call->reply, "ERR No shutdown in progress.");
        return;
    }
    log_line(&server->log, LOG_NOTICE, "SHUTDOWN by a client");
    server_stop(server);
    if (now)
        server->stop_deadline_ms = server->now.mono_ms;
    /* As Redis: no reply, the end of the connection is the answer. */
    net_client_close(call->client);
}

void server_memory_doctor(struct server *server, const struct server_call *call)
{
    (void)server;
    resp_verbatim(call->reply, "txt", SPAN("No memory problem is known.\n"));
}

void server_memory_stats(struct server *server, const struct server_call *call)
{
    struct server_memory memory = server_memory();
    struct server_usage usage = server_usage(server);
    size_t keys = databases_count(shard_databases(server_group(server)));
    if (usage.used > server->used_memory_peak)
        server->used_memory_peak = usage.used;
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"peak.allocated", server->used_memory_peak},
        {"total.allocated", usage.used},
        {"startup.allocated", usage.startup},
        {"replication.backlog", 0},
        {"clients.slaves", 0},
        {"clients.normal", usage.clients},
        {"cluster.links", usage.peers},
        {"aof.buffer", usage.disk},
        {"raft.log", usage.log},
        {"overhead.total", usage.overhead},
        {"keys.count", keys},
        {"keys.bytes-per-key", keys ? usage.data / keys : 0},
        {"dataset.bytes", usage.data},
        {"allocator.allocated", memory.allocated},
        {"allocator.active", memory.active},
        {"allocator.resident", memory.resident},
    };
    size_t count = sizeof figures / sizeof *figures;
    resp_map(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        resp_bulk_text(call->reply, figures[i].name);
        resp_integer(call->reply, (int64_t)figures[i].value);
    }
}

void server_memory_purge(struct server *server, const struct server_call *call)
{
    (void)server;
    server_purge_memory();
    resp_status(call->reply, "OK");
}

void server_memory_malloc_stats(struct server *server, const struct server_call *call)
{
    (void)server;
    struct server_memory memory = server_memory();
    char text[256];
    int len = snprintf(text, sizeof text,
                       "allocated: %" PRIu64 "\nactive: %" PRIu64 "\nresident: %" PRIu64
                       "\nmapped: %" PRIu64 "\n",
                       memory.allocated, memory.active, memory.resident, memory.mapped);
    resp_verbatim(call->reply, "txt", span_of(text, (size_t)len));
}

/* No event is monitored: latencies are in INFO commandstats and INFO raft. */
void server_latency_empty(struct server *server, const struct server_call *call)
{
    (void)server;
    resp_array(call->reply, 0);
}

void server_latency_reset(struct server *server, const struct server_call *call)
{
    (void)server;
    resp_integer(call->reply, 0);
}

void server_latency_doctor(struct server *server, const struct server_call *call)
{
    (void)server;
    resp_verbatim(call->reply, "txt",
                  SPAN("Latency events are not monitored; see INFO commandstats and INFO raft.\n"));
}

void server_latency_graph(struct server *server, const struct server_call *call)
{
    (void)server;
    int len = call->args[2].len > 128 ? 128 : (int)call->args[2].len;
    resp_errorf(call->reply, "ERR No samples available for event '%.*s'", len, call->args[2].ptr);
}

void server_latency_histogram(struct server *server, const struct server_call *call)
{
    (void)server;
    resp_map(call->reply, 0);
}

void server_slowlog_get(struct server *server, const struct server_call *call)
{
    int64_t count = 10;
    if (call->argc > 2 && (!number_parse_i64(call->args[2], &count) || count < -1)) {
        resp_error(call->reply, "ERR count should be greater than or equal to -1");
        return;
    }
    net_slowlog_write(server->net, count < 0 ? SIZE_MAX : (size_t)count, call->reply);
}

void server_slowlog_len(struct server *server, const struct server_call *call)
{
    resp_integer(call->reply, (int64_t)net_slowlog_len(server->net));
}

void server_slowlog_reset(struct server *server, const struct server_call *call)
{
    net_slowlog_reset(server->net);
    resp_status(call->reply, "OK");
}

/* 40 digits, as Redis: equal on all nodes that have applied the same entries. */
void server_debug_digest(struct server *server, const struct server_call *call)
{
    char text[64];
    snprintf(text, sizeof text, "%024d%016" PRIx64, 0, shard_digest(server_group(server)));
    resp_status(call->reply, text);
}

void server_debug_sleep(struct server *server, const struct server_call *call)
{
    (void)server;
    double seconds;
    if (!number_parse_double(call->args[2], &seconds) || seconds < 0 || seconds > 3600) {
        resp_error(call->reply, "ERR value is not a valid float");
        return;
    }
    usleep((useconds_t)(seconds * 1e6));
    resp_status(call->reply, "OK");
}
