/* Redis' directives that have no effect here. They are accepted so that an existing redis.conf can
 * be used. Hints (how to save, how to store, how many threads) are accepted with a warning.
 * Directives that promise something, above all protection, are accepted only with the value that
 * promises nothing. The kinds are those that Redis checks in CONFIG SET. The defaults are those
 * that CONFIG GET shows: Redis' own, or the behaviour here (all writes are kept on disk, members
 * follow a leader). */
#include "config/internal.h"

#define ROW(row_name, row_alias, row_kind, row_flags, row_initial)                                 \
    {                                                                                              \
        .name = (row_name), .alias = (row_alias), .kind = (row_kind),                              \
        .flags = DIRECTIVE_ACCEPTED | (row_flags), .initial = (row_initial)                        \
    }
/* A number with Redis' limits. */
#define INT(row_name, row_alias, row_flags, row_initial, row_min, row_max)                         \
    {                                                                                              \
        .name = (row_name), .alias = (row_alias), .kind = DIRECTIVE_INT,                           \
        .flags = DIRECTIVE_ACCEPTED | (row_flags), .initial = (row_initial),                       \
        .min = (uint64_t)(int64_t)(row_min), .max = (uint64_t)(int64_t)(row_max)                   \
    }
/* A size other than 0. */
#define SIZE(row_name, row_initial)                                                                \
    {                                                                                              \
        .name = (row_name), .kind = DIRECTIVE_MEMORY, .flags = DIRECTIVE_ACCEPTED,                 \
        .initial = (row_initial), .min = 1, .max = INT64_MAX                                       \
    }
/* A directive that refuses every value but the default, because nothing here would do what the
 * value promises. */
#define NOT_DONE(row_name, row_alias, row_kind, row_flags, row_initial, row_reason)                \
    {                                                                                              \
        .name = (row_name), .alias = (row_alias), .kind = (row_kind),                              \
        .flags = DIRECTIVE_ACCEPTED | (row_flags), .initial = (row_initial), .max = INT64_MAX,     \
        .not_done = (row_reason)                                                                   \
    }

#define NO_TLS        "TLS is not supported: what the directive protects would travel in clear"
#define NO_ANNOUNCING "a replica is announced as every node is: use 'cluster-announce-ip' and -port"

static const struct directive accepted_rows[] = {
    /* clang-format off */
    /* snapshots and the append-only file; the log replaces them */
    ROW("save", NULL, DIRECTIVE_SAVE, DIRECTIVE_ADDS, ""),
    ROW("stop-writes-on-bgsave-error", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("rdbcompression", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("rdbchecksum", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    ROW("sanitize-dump-payload", NULL, DIRECTIVE_STRING, 0, "no"),
    ROW("dbfilename", NULL, DIRECTIVE_STRING, DIRECTIVE_PROTECTED, "dump.rdb"),
    ROW("rdb-del-sync-files", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("rdb-save-incremental-fsync", NULL, DIRECTIVE_BOOL, 0, "yes"),
    INT("rdb-key-save-delay", NULL, 0, "0", INT32_MIN, INT32_MAX),
    ROW("appendonly", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("no-appendfsync-on-rewrite", NULL, DIRECTIVE_BOOL, 0, "no"),
    INT("auto-aof-rewrite-percentage", NULL, 0, "100", 0, INT32_MAX),
    ROW("auto-aof-rewrite-min-size", NULL, DIRECTIVE_MEMORY, 0, "67108864"),
    ROW("aof-use-rdb-preamble", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("aof-timestamp-enabled", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("aof-rewrite-incremental-fsync", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("aof-disable-auto-gc", NULL, DIRECTIVE_BOOL, 0, "no"),
    /* replication; the cluster replicates by itself */
    ROW("masteruser", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("masterauth", NULL, DIRECTIVE_STRING, DIRECTIVE_SECRET, ""),
    NOT_DONE("replica-serve-stale-data", "slave-serve-stale-data", DIRECTIVE_BOOL, 0, "yes",
             "stale reads go to clients that sent READONLY, and to no others; bound them with 'replica-max-lag-ms'"),
    NOT_DONE("replica-read-only", "slave-read-only", DIRECTIVE_BOOL, 0, "yes",
             "followers take no writes of their own: they would not be replicated"),
    ROW("replica-lazy-flush", "slave-lazy-flush", DIRECTIVE_BOOL, 0, "no"),
    ROW("replica-ignore-maxmemory", "slave-ignore-maxmemory", DIRECTIVE_BOOL, 0, "yes"),
    ROW("replica-ignore-disk-write-errors", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("replica-announced", NULL, DIRECTIVE_BOOL, 0, "yes"),
    NOT_DONE("replica-announce-ip", "slave-announce-ip", DIRECTIVE_STRING, 0, "",
             NO_ANNOUNCING),
    NOT_DONE("replica-announce-port", "slave-announce-port", DIRECTIVE_INT, 0, "0",
             NO_ANNOUNCING),
    INT("replica-priority", "slave-priority", 0, "100", 0, INT32_MAX),
    INT("min-replicas-to-write", "min-slaves-to-write", 0, "0", 0, INT32_MAX),
    INT("min-replicas-max-lag", "min-slaves-max-lag", 0, "10", 0, INT32_MAX),
    ROW("repl-diskless-sync", NULL, DIRECTIVE_BOOL, 0, "yes"),
    INT("repl-diskless-sync-delay", NULL, 0, "5", 0, INT32_MAX),
    INT("repl-diskless-sync-max-replicas", NULL, 0, "0", 0, INT32_MAX),
    ROW("repl-diskless-load", NULL, DIRECTIVE_STRING, 0, "disabled"),
    ROW("repl-disable-tcp-nodelay", NULL, DIRECTIVE_BOOL, 0, "no"),
    INT("repl-ping-replica-period", "repl-ping-slave-period", 0, "10", 1, INT32_MAX),
    INT("repl-timeout", NULL, 0, "60", 1, INT32_MAX),
    SIZE("repl-backlog-size", "1048576"),
    INT("repl-backlog-ttl", NULL, 0, "3600", 0, INT64_MAX),
    ROW("propagation-error-behavior", NULL, DIRECTIVE_STRING, 0, "ignore"),
    /* Redis Cluster */
    ROW("cluster-enabled", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    ROW("cluster-config-file", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "nodes.conf"),
    INT("cluster-node-timeout", NULL, 0, "15000", 0, INT64_MAX),
    INT("cluster-port", NULL, DIRECTIVE_IMMUTABLE, "0", 0, 65535),
    INT("cluster-migration-barrier", NULL, 0, "1", 0, INT32_MAX),
    INT("cluster-replica-validity-factor", "cluster-slave-validity-factor", 0, "10", 0, INT32_MAX),
    ROW("cluster-require-full-coverage", NULL, DIRECTIVE_BOOL, 0, "yes"),
    NOT_DONE("cluster-replica-no-failover", "cluster-slave-no-failover", DIRECTIVE_BOOL, 0, "no",
             "every node of 'cluster-nodes' votes and can be elected"),
    NOT_DONE("cluster-allow-reads-when-down", NULL, DIRECTIVE_BOOL, 0, "no",
             "without a majority only clients that sent READONLY may read, within 'replica-max-lag-ms'"),
    ROW("cluster-allow-pubsubshard-when-down", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("cluster-allow-replica-migration", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("cluster-link-sendbuf-limit", NULL, DIRECTIVE_MEMORY, 0, "0"),
    ROW("cluster-announce-human-nodename", NULL, DIRECTIVE_STRING, 0, ""),
    NOT_DONE("cluster-announce-tls-port", NULL, DIRECTIVE_INT, 0, "0",
             NO_TLS),
    INT("cluster-announce-bus-port", NULL, 0, "0", 0, 65535),
    /* network */
    NOT_DONE("bind-source-addr", NULL, DIRECTIVE_STRING, 0, "",
             "connections to other nodes leave from the address that the system chooses"),
    NOT_DONE("socket-mark-id", NULL, DIRECTIVE_INT, 0, "0",
             "sockets are not marked"),
    ROW("io-threads-do-reads", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "no"),
    /* TLS */
    NOT_DONE("tls-port", NULL, DIRECTIVE_INT, 0, "0",
             NO_TLS),
    INT("tls-session-cache-size", NULL, 0, "20480", 0, INT32_MAX),
    INT("tls-session-cache-timeout", NULL, 0, "300", 0, INT32_MAX),
    NOT_DONE("tls-cluster", NULL, DIRECTIVE_BOOL, 0, "no",
             NO_TLS),
    NOT_DONE("tls-replication", NULL, DIRECTIVE_BOOL, 0, "no",
             NO_TLS),
    NOT_DONE("tls-auth-clients", NULL, DIRECTIVE_STRING, 0, "yes",
             NO_TLS),
    ROW("tls-prefer-server-ciphers", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("tls-session-caching", NULL, DIRECTIVE_BOOL, 0, "yes"),
    NOT_DONE("tls-cert-file", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-key-file", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-key-file-pass", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-client-cert-file", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-client-key-file", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-client-key-file-pass", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-dh-params-file", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-ca-cert-file", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-ca-cert-dir", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-protocols", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-ciphers", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    NOT_DONE("tls-ciphersuites", NULL, DIRECTIVE_STRING, 0, "",
             NO_TLS),
    /* memory and expiry */
    INT("maxmemory-samples", NULL, 0, "5", 1, INT32_MAX),
    INT("maxmemory-eviction-tenacity", NULL, 0, "10", 0, 100),
    NOT_DONE("maxmemory-clients", NULL, DIRECTIVE_STRING, 0, "0",
             "clients are not evicted; use 'client-output-buffer-limit' and 'client-query-buffer-limit'"),
    INT("lfu-log-factor", NULL, 0, "10", 0, INT32_MAX),
    INT("lfu-decay-time", NULL, 0, "1", 0, INT32_MAX),
    INT("active-expire-effort", NULL, 0, "1", 1, 10),
    ROW("activerehashing", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("activedefrag", NULL, DIRECTIVE_BOOL, 0, "no"),
    SIZE("active-defrag-ignore-bytes", "104857600"),
    INT("active-defrag-threshold-lower", NULL, 0, "10", 0, 1000),
    INT("active-defrag-threshold-upper", NULL, 0, "100", 0, 1000),
    INT("active-defrag-cycle-min", NULL, 0, "1", 1, 99),
    INT("active-defrag-cycle-max", NULL, 0, "25", 1, 99),
    INT("active-defrag-max-scan-fields", NULL, 0, "1000", 1, INT64_MAX),
    ROW("lazyfree-lazy-eviction", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-expire", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-server-del", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-user-del", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-user-flush", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("jemalloc-bg-thread", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("disable-thp", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    /* lists: whole chunks are never compressed */
    INT("list-compress-depth", NULL, 0, "0", 0, INT32_MAX),
    /* GET shows the form of a HyperLogLog, so it is the same on all nodes */
    ROW("hll-sparse-max-bytes", NULL, DIRECTIVE_MEMORY, 0, "3000"),
    /* scripts, access, observation */
    INT("busy-reply-threshold", "lua-time-limit", 0, "5000", 0, INT64_MAX),
    NOT_DONE("notify-keyspace-events", NULL, DIRECTIVE_STRING, 0, "",
             "events of keys are not published yet"),
    INT("latency-monitor-threshold", NULL, 0, "0", 0, INT64_MAX),
    ROW("latency-tracking", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("latency-tracking-info-percentiles", NULL, DIRECTIVE_WORDS, 0, "50 99 99.9"),
    INT("tracking-table-max-keys", NULL, 0, "1000000", 0, INT64_MAX),
    INT("acllog-max-len", NULL, 0, "128", 0, INT64_MAX),
    ROW("acl-pubsub-default", NULL, DIRECTIVE_STRING, 0, "resetchannels"),
    ROW("enable-protected-configs", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "no"),
    ROW("enable-module-command", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "no"),
    /* the process */
    ROW("dynamic-hz", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("always-show-logo", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "no"),
    ROW("set-proc-title", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    ROW("proc-title-template", NULL, DIRECTIVE_STRING, 0, "{title} {listen-addr} {server-mode}"),
    ROW("crash-log-enabled", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("crash-memcheck-enabled", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("use-exit-on-panic", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("oom-score-adj", NULL, DIRECTIVE_STRING, 0, "no"),
    ROW("oom-score-adj-values", NULL, DIRECTIVE_WORDS, 0, "0 200 800"),
    ROW("ignore-warnings", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("shutdown-on-sigint", NULL, DIRECTIVE_WORDS, 0, "default"),
    ROW("shutdown-on-sigterm", NULL, DIRECTIVE_WORDS, 0, "default"),
    ROW("locale-collate", NULL, DIRECTIVE_STRING, 0, ""),
    INT("loading-process-events-interval-bytes", NULL, 0, "2097152", 1024, INT32_MAX),
    INT("key-load-delay", NULL, 0, "0", INT32_MIN, INT32_MAX),
    ROW("server_cpulist", "server-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    ROW("bio_cpulist", "bio-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    ROW("aof_rewrite_cpulist", "aof-rewrite-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    ROW("bgsave_cpulist", "bgsave-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    /* from older versions of Redis */
    ROW("list-max-ziplist-entries", NULL, DIRECTIVE_STRING, DIRECTIVE_HIDDEN, ""),
    ROW("list-max-ziplist-value", NULL, DIRECTIVE_STRING, DIRECTIVE_HIDDEN, ""),
    ROW("lua-replicate-commands", NULL, DIRECTIVE_STRING, DIRECTIVE_HIDDEN, ""),
    /* clang-format on */
};

const struct directive *accepted_at(size_t index)
{
    return index < sizeof accepted_rows / sizeof accepted_rows[0] ? &accepted_rows[index] : NULL;
}

/* Finds the stored value of a directive and its end; NULL: none. */
static const char *find_record(const struct config *config, const char *name, size_t *len)
{
    size_t at = 0;
    while (at < config->accepted_len) {
        const char *record = config->accepted + at;
        size_t name_len = strlen(record) + 1;
        *len = name_len + strlen(record + name_len) + 1;
        if (strcmp(record, name) == 0)
            return record;
        at += *len;
    }
    return NULL;
}

struct span accepted_get(const struct config *config, const struct directive *directive)
{
    size_t len;
    const char *record = find_record(config, directive->name, &len);
    return span_text(record == NULL ? directive->initial : record + strlen(record) + 1);
}

bool accepted_set(struct config *config, const struct directive *directive, struct span value)
{
    size_t old_len = 0;
    const char *old = find_record(config, directive->name, &old_len);
    if (old == NULL)
        old_len = 0;
    size_t name_len = strlen(directive->name) + 1;
    size_t kept = config->accepted_len - old_len;
    if (value.len > CONFIG_ACCEPTED_MAX || name_len + value.len + 1 > CONFIG_ACCEPTED_MAX - kept)
        return false;
    if (old != NULL) {
        size_t at = (size_t)(old - config->accepted);
        memmove(config->accepted + at, old + old_len, kept - at);
    }
    char *end = config->accepted + kept;
    memcpy(end, directive->name, name_len);
    if (value.len > 0)
        memcpy(end + name_len, value.ptr, value.len);
    end[name_len + value.len] = '\0';
    config->accepted_len = kept + name_len + value.len + 1;
    return true;
}
