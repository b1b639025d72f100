/* /metrics: the table in the text format of Prometheus, and what has labels. Seconds and bytes, as
 * its conventions demand. */
#include "server/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* --- numbers --- */

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(const struct metrics_sample *sample, const struct metric *metric,
                         struct buf *out)
{
    const char *at = (const char *)sample + metric->offset;
    uint64_t number;
    double scaled = 0;
    switch (metric->field) {
    case METRICS_U64:
        memcpy(&number, at, sizeof number);
        scaled = (double)number;
        if (!metric->per) {
            buf_printf(out, " %" PRIu64 "\n", number);
            return;
        }
        break;
    case METRICS_I64:
        memcpy(&number, at, sizeof number);
        scaled = (double)(int64_t)number;
        break;
    case METRICS_DOUBLE:
        memcpy(&scaled, at, sizeof scaled);
        break;
    case METRICS_BOOL:
        scaled = *(const bool *)at;
        break;
    }
    buf_printf(out, " %.9g\n", metric->per ? scaled / metric->per : scaled);
}

static void write_metric(const struct metrics_sample *sample, const struct metric *metric,
                         const char *name, struct buf *out)
{
    write_head(out, name, metric->type == METRICS_COUNTER ? "counter" : "gauge", metric->help);
    buf_add_text(out, name);
    write_number(sample, metric, out);
}

static void write_table(const struct metrics_sample *sample, struct buf *out)
{
    const struct metric *metric;
    char name[128];
    for (size_t i = 0; (metric = metrics_at(i)) != NULL; i++) {
        snprintf(name, sizeof name, "flotilla_%s", metric->name ? metric->name : "");
        if (metric->name)
            write_metric(sample, metric, name, out);
        if (metric->exporter)
            write_metric(sample, metric, metric->exporter, out);
    }
}

/* --- durations --- */

enum { FIRST_LIMIT_US = 16, LAST_LIMIT_US = 1 << 24 };

/* Limits are powers of two of a microsecond, where buckets of the histogram end. */
static void write_histogram(const struct histogram *histogram, const char *name, const char *help,
                            struct buf *out)
{
    write_head(out, name, "histogram", help);
    for (uint64_t limit = FIRST_LIMIT_US; limit <= LAST_LIMIT_US; limit *= 2)
        buf_printf(out, "%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name, (double)limit / 1e6,
                   histogram_count_below(histogram, limit));
    uint64_t all = histogram_count_below(histogram, UINT64_MAX);
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name,
               all, name, (double)histogram->sum / 1e6, name, all);
}

static void write_durations(const struct server *server, const struct metrics_sample *sample,
                            struct buf *out)
{
    write_histogram(sample->shard.commit_us, "flotilla_raft_commit_seconds",
                    "From a batch of writes to its commit", out);
    write_histogram(sample->storage.sync_us, "flotilla_disk_sync_seconds", "Syncs of the log", out);
    write_histogram(&server->turn_us, "flotilla_loop_turn_seconds",
                    "Turns of the event loop, without waiting", out);
}

/* --- with labels --- */

/* As a label's value: backslash, quote and newline escaped. */
static void add_label(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            buf_add_text(out, "\\n");
            continue;
        }
        if (*text == '"' || *text == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

static void write_node(const struct server *server, const struct metrics_sample *sample,
                       struct buf *out)
{
    struct utsname system;
    if (uname(&system))
        system = (struct utsname){.sysname = "unknown"};
    write_head(out, "flotilla_build_info", "gauge", "The version that runs");
    buf_printf(out, "flotilla_build_info{version=\"%s\"} 1\n", FLOTILLA_VERSION);
    write_head(out, "flotilla_node_info", "gauge", "Which node this is");
    buf_printf(out, "flotilla_node_info{node_id=\"%" PRIu64 "\",cluster_id=\"%s\"} 1\n",
               server->self, server->cluster.cluster_id);
    static const enum raft_role roles[] = {RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE,
                                           RAFT_LEADER};
    write_head(out, "flotilla_raft_role", "gauge", "The node's role: 1 for the one that it has");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        buf_printf(out, "flotilla_raft_role{role=\"%s\"} %d\n", raft_role_name(roles[i]),
                   sample->is_up && sample->raft.role == roles[i]);
    write_head(out, "redis_up", "gauge", "Whether the node answers");
    buf_add_text(out, "redis_up 1\n");
    write_head(out, "redis_instance_info", "gauge", "What the node is");
    buf_printf(out,
               "redis_instance_info{role=\"%s\",redis_version=\"%s\",redis_mode=\"cluster\","
               "run_id=\"%s\",tcp_port=\"%d\",maxmemory_policy=\"%s\",os=\"",
               sample->leads ? "master" : "slave", FLOTILLA_REDIS_VERSION, server->run_id,
               server->config.port, server->config.maxmemory_policy);
    add_label(out, system.sysname);
    buf_add_char(out, ' ');
    add_label(out, system.release);
    buf_add_text(out, "\"} 1\n");
}

enum peer_number {
    PEER_CONNECTED,
    PEER_VOTER,
    PEER_MATCH,
    PEER_LAG,
    PEER_SILENT,
    PEER_IN_SNAPSHOT
};

static double peer_number(const struct server *server, const struct metrics_sample *sample,
                          const struct raft_peer_status *peer, enum peer_number which)
{
    uint64_t last = sample->raft.last_index;
    uint64_t silent_ms = peer->last_contact_ms ? server->now.mono_ms - peer->last_contact_ms : 0;
    switch (which) {
    case PEER_CONNECTED:
        return server->peers && peers_link(server->peers, peer->id).connected;
    case PEER_VOTER:
        return peer->voter;
    case PEER_MATCH:
        return (double)peer->match;
    case PEER_LAG:
        return (double)(last > peer->match ? last - peer->match : 0);
    case PEER_SILENT:
        return (double)silent_ms / 1000;
    case PEER_IN_SNAPSHOT:
        return peer->state == RAFT_SNAPSHOT;
    }
    return 0;
}

static void write_peers(const struct server *server, const struct metrics_sample *sample,
                        struct buf *out)
{
    static const struct {
        const char *name;
        const char *help;
        enum peer_number which;
        bool of_leader; /* only it knows */
    } rows[] = {
        {"flotilla_peer_connected", "Whether this node is connected to that one", PEER_CONNECTED,
         false},
        {"flotilla_peer_voter", "Whether that node votes", PEER_VOTER, false},
        {"flotilla_peer_match_index", "Index up to which that node has the leader's log",
         PEER_MATCH, true},
        {"flotilla_peer_lag_entries", "Entries that that node does not have yet", PEER_LAG, true},
        {"flotilla_peer_last_contact_seconds", "Seconds since that node answered the leader",
         PEER_SILENT, true},
        {"flotilla_peer_in_snapshot", "Whether that node is sent a snapshot", PEER_IN_SNAPSHOT,
         true},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        if (rows[row].of_leader && !sample->leads)
            continue;
        write_head(out, rows[row].name, "gauge", rows[row].help);
        for (size_t i = 0; i < sample->raft.peer_count; i++)
            buf_printf(out, "%s{peer=\"%" PRIu64 "\"} %.9g\n", rows[row].name,
                       sample->raft.peers[i].id,
                       peer_number(server, sample, &sample->raft.peers[i], rows[row].which));
    }
}

enum command_number { COMMAND_CALLS, COMMAND_SECONDS, COMMAND_REJECTED, COMMAND_FAILED };

static double command_number(const struct net_command_stats *stats, enum command_number which)
{
    switch (which) {
    case COMMAND_CALLS:
        return (double)stats->calls;
    case COMMAND_SECONDS:
        return (double)stats->usec / 1e6;
    case COMMAND_REJECTED:
        return (double)stats->rejected;
    case COMMAND_FAILED:
        return (double)stats->failed;
    }
    return 0;
}

static void write_commands(const struct server *server, struct buf *out)
{
    static const struct {
        const char *name;
        const char *help;
        enum command_number which;
    } rows[] = {
        {"commands_total", "Calls of a command", COMMAND_CALLS},
        {"commands_duration_seconds_total", "Seconds spent in a command", COMMAND_SECONDS},
        {"commands_rejected_calls_total", "Calls that were refused", COMMAND_REJECTED},
        {"commands_failed_calls_total", "Calls that ended with an error", COMMAND_FAILED},
    };
    static const char *const prefixes[] = {"flotilla", "redis"};
    const struct net_command_stats *stats = net_command_stats(server->net);
    size_t count = command_table_count(server->table);
    for (size_t at = 0; at < 2 * sizeof rows / sizeof *rows; at++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", prefixes[at % 2], rows[at / 2].name);
        write_head(out, name, "counter", rows[at / 2].help);
        for (size_t id = 0; id < count; id++)
            if (stats[id].calls || stats[id].rejected || stats[id].failed)
                buf_printf(out, "%s{cmd=\"%s\"} %.9g\n", name,
                           command_table_at(server->table, id)->fullname,
                           command_number(&stats[id], rows[at / 2].which));
    }
}

static void add_error(void *context, struct span code, uint64_t count)
{
    buf_printf(context, "redis_errors_total{err=\"");
    for (size_t i = 0; i < code.len; i++) { /* clients have made some of them up */
        char c = code.ptr[i];
        bool plain = c >= '!' && c <= '~' && c != '"' && c != '\\';
        buf_add_char(context, plain ? c : '_');
    }
    buf_printf(context, "\"} %" PRIu64 "\n", count);
}

static void write_errors(const struct server *server, struct buf *out)
{
    write_head(out, "redis_errors_total", "counter", "Error replies by their first word");
    net_each_error(server->net, add_error, out);
}

enum database_number { DATABASE_KEYS, DATABASE_EXPIRING, DATABASE_TTL };

static double database_number(const struct keyspace *keyspace, int64_t now_ms,
                              enum database_number which)
{
    int64_t mean_ms;
    switch (which) {
    case DATABASE_KEYS:
        return (double)keyspace_count(keyspace);
    case DATABASE_EXPIRING:
        return (double)keyspace_count_with_deadline(keyspace);
    case DATABASE_TTL:
        mean_ms = keyspace_mean_deadline(keyspace);
        return mean_ms > now_ms ? (double)(mean_ms - now_ms) / 1000 : 0;
    }
    return 0;
}

static void write_databases(const struct server *server, struct buf *out)
{
    static const struct {
        const char *name;
        const char *help;
        enum database_number which;
    } rows[] = {
        {"flotilla_db_keys", "Keys of a database", DATABASE_KEYS},
        {"redis_db_keys", "Keys of a database", DATABASE_KEYS},
        {"flotilla_db_keys_expiring", "Keys with a time to live", DATABASE_EXPIRING},
        {"redis_db_keys_expiring", "Keys with a time to live", DATABASE_EXPIRING},
        {"redis_db_avg_ttl_seconds", "Mean time to live", DATABASE_TTL},
    };
    const struct shard *shard = server_group(server);
    int64_t now_ms = shard_now_ms(shard, server->now);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        write_head(out, rows[row].name, "gauge", rows[row].help);
        for (unsigned i = 0; i < (unsigned)server->config.databases; i++) {
            const struct keyspace *keyspace = databases_find(shard_databases(shard), i);
            double number = keyspace ? database_number(keyspace, now_ms, rows[row].which) : 0;
            buf_printf(out, "%s{db=\"db%u\"} %.9g\n", rows[row].name, i, number);
        }
    }
}

static void write_responses(const struct metrics_sample *sample, struct buf *out)
{
    static const char name[] = "flotilla_http_responses_total";
    write_head(out, name, "counter", "HTTP responses by the first digit of their status");
    for (unsigned digit = 2; digit < sizeof sample->http.responses / sizeof(uint64_t); digit++)
        buf_printf(out, "%s{code=\"%uxx\"} %" PRIu64 "\n", name, digit,
                   sample->http.responses[digit]);
}

static void write_process(const struct metrics_sample *sample, struct buf *out)
{
    write_head(out, "process_cpu_seconds_total", "counter", "Seconds of processor time");
    buf_printf(out, "process_cpu_seconds_total %.6f\n",
               sample->cpu_system_seconds + sample->cpu_user_seconds);
}

void metrics_write_text(struct server *server, struct buf *out)
{
    struct metrics_sample sample;
    metrics_take(server, &sample);
    write_node(server, &sample, out);
    write_table(&sample, out);
    write_process(&sample, out);
    write_durations(server, &sample, out);
    write_peers(server, &sample, out);
    write_commands(server, out);
    write_errors(server, out);
    write_responses(&sample, out);
    if (sample.is_up)
        write_databases(server, out);
}
