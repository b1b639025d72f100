/* Redis' directives that have no meaning here, so that a redis.conf that is at hand can be used.
 * Kinds are those that CONFIG SET of Redis checks; defaults are what CONFIG GET shows: Redis', or
 * what holds here anyway (all writes are kept on disk, members follow a leader, one database). */
#include "config/internal.h"

#define ROW(row_name, row_alias, row_kind, row_flags, row_initial)                                 \
    {                                                                                              \
        .name = (row_name), .alias = (row_alias), .kind = (row_kind),                              \
        .flags = DIRECTIVE_ACCEPTED | (row_flags), .initial = (row_initial)                        \
    }

static const struct directive accepted_rows[] = {
    /* clang-format off */
    /* snapshots and the append-only file: the log takes their place */
    ROW("save", NULL, DIRECTIVE_SAVE, DIRECTIVE_ADDS, ""),
    ROW("stop-writes-on-bgsave-error", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("rdbcompression", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("rdbchecksum", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    ROW("sanitize-dump-payload", NULL, DIRECTIVE_STRING, 0, "no"),
    ROW("dbfilename", NULL, DIRECTIVE_STRING, 0, "dump.rdb"),
    ROW("rdb-del-sync-files", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("rdb-save-incremental-fsync", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("rdb-key-save-delay", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("appendonly", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("no-appendfsync-on-rewrite", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("auto-aof-rewrite-percentage", NULL, DIRECTIVE_INT, 0, "100"),
    ROW("auto-aof-rewrite-min-size", NULL, DIRECTIVE_MEMORY, 0, "67108864"),
    ROW("aof-use-rdb-preamble", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("aof-timestamp-enabled", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("aof-rewrite-incremental-fsync", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("aof-disable-auto-gc", NULL, DIRECTIVE_BOOL, 0, "no"),
    /* replication: the cluster replicates to its members by itself */
    ROW("masteruser", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("masterauth", NULL, DIRECTIVE_STRING, DIRECTIVE_SECRET, ""),
    ROW("replica-serve-stale-data", "slave-serve-stale-data", DIRECTIVE_BOOL, 0, "yes"),
    ROW("replica-read-only", "slave-read-only", DIRECTIVE_BOOL, 0, "yes"),
    ROW("replica-lazy-flush", "slave-lazy-flush", DIRECTIVE_BOOL, 0, "no"),
    ROW("replica-ignore-maxmemory", "slave-ignore-maxmemory", DIRECTIVE_BOOL, 0, "yes"),
    ROW("replica-ignore-disk-write-errors", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("replica-announced", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("replica-announce-ip", "slave-announce-ip", DIRECTIVE_STRING, 0, ""),
    ROW("replica-announce-port", "slave-announce-port", DIRECTIVE_INT, 0, "0"),
    ROW("replica-priority", "slave-priority", DIRECTIVE_INT, 0, "100"),
    ROW("min-replicas-to-write", "min-slaves-to-write", DIRECTIVE_INT, 0, "0"),
    ROW("min-replicas-max-lag", "min-slaves-max-lag", DIRECTIVE_INT, 0, "10"),
    ROW("repl-diskless-sync", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("repl-diskless-sync-delay", NULL, DIRECTIVE_INT, 0, "5"),
    ROW("repl-diskless-sync-max-replicas", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("repl-diskless-load", NULL, DIRECTIVE_STRING, 0, "disabled"),
    ROW("repl-disable-tcp-nodelay", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("repl-ping-replica-period", "repl-ping-slave-period", DIRECTIVE_INT, 0, "10"),
    ROW("repl-timeout", NULL, DIRECTIVE_INT, 0, "60"),
    ROW("repl-backlog-size", NULL, DIRECTIVE_MEMORY, 0, "1048576"),
    ROW("repl-backlog-ttl", NULL, DIRECTIVE_INT, 0, "3600"),
    ROW("propagation-error-behavior", NULL, DIRECTIVE_STRING, 0, "ignore"),
    /* Redis Cluster */
    ROW("cluster-enabled", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    ROW("cluster-config-file", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "nodes.conf"),
    ROW("cluster-node-timeout", NULL, DIRECTIVE_INT, 0, "15000"),
    ROW("cluster-port", NULL, DIRECTIVE_INT, DIRECTIVE_IMMUTABLE, "0"),
    ROW("cluster-migration-barrier", NULL, DIRECTIVE_INT, 0, "1"),
    ROW("cluster-replica-validity-factor", "cluster-slave-validity-factor", DIRECTIVE_INT, 0, "10"),
    ROW("cluster-require-full-coverage", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("cluster-replica-no-failover", "cluster-slave-no-failover", DIRECTIVE_BOOL, 0, "no"),
    ROW("cluster-allow-reads-when-down", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("cluster-allow-pubsubshard-when-down", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("cluster-allow-replica-migration", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("cluster-link-sendbuf-limit", NULL, DIRECTIVE_MEMORY, 0, "0"),
    ROW("cluster-announce-ip", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("cluster-announce-hostname", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("cluster-announce-human-nodename", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("cluster-announce-port", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("cluster-announce-tls-port", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("cluster-announce-bus-port", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("cluster-preferred-endpoint-type", NULL, DIRECTIVE_STRING, 0, "ip"),
    /* network */
    ROW("bind-source-addr", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("socket-mark-id", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("io-threads", NULL, DIRECTIVE_INT, DIRECTIVE_IMMUTABLE, "1"),
    ROW("io-threads-do-reads", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "no"),
    /* TLS */
    ROW("tls-port", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("tls-session-cache-size", NULL, DIRECTIVE_INT, 0, "20480"),
    ROW("tls-session-cache-timeout", NULL, DIRECTIVE_INT, 0, "300"),
    ROW("tls-cluster", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("tls-replication", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("tls-auth-clients", NULL, DIRECTIVE_STRING, 0, "yes"),
    ROW("tls-prefer-server-ciphers", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("tls-session-caching", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("tls-cert-file", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-key-file", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-key-file-pass", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-client-cert-file", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-client-key-file", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-client-key-file-pass", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-dh-params-file", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-ca-cert-file", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-ca-cert-dir", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-protocols", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-ciphers", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("tls-ciphersuites", NULL, DIRECTIVE_STRING, 0, ""),
    /* memory and expiry */
    ROW("maxmemory-samples", NULL, DIRECTIVE_INT, 0, "5"),
    ROW("maxmemory-eviction-tenacity", NULL, DIRECTIVE_INT, 0, "10"),
    ROW("maxmemory-clients", NULL, DIRECTIVE_STRING, 0, "0"),
    ROW("lfu-log-factor", NULL, DIRECTIVE_INT, 0, "10"),
    ROW("lfu-decay-time", NULL, DIRECTIVE_INT, 0, "1"),
    ROW("active-expire-effort", NULL, DIRECTIVE_INT, 0, "1"),
    ROW("activerehashing", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("activedefrag", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("active-defrag-ignore-bytes", NULL, DIRECTIVE_MEMORY, 0, "104857600"),
    ROW("active-defrag-threshold-lower", NULL, DIRECTIVE_INT, 0, "10"),
    ROW("active-defrag-threshold-upper", NULL, DIRECTIVE_INT, 0, "100"),
    ROW("active-defrag-cycle-min", NULL, DIRECTIVE_INT, 0, "1"),
    ROW("active-defrag-cycle-max", NULL, DIRECTIVE_INT, 0, "25"),
    ROW("active-defrag-max-scan-fields", NULL, DIRECTIVE_INT, 0, "1000"),
    ROW("lazyfree-lazy-eviction", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-expire", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-server-del", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-user-del", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("lazyfree-lazy-user-flush", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("jemalloc-bg-thread", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("disable-thp", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    /* encodings */
    ROW("hash-max-listpack-entries", "hash-max-ziplist-entries", DIRECTIVE_MEMORY, 0, "512"),
    ROW("hash-max-listpack-value", "hash-max-ziplist-value", DIRECTIVE_MEMORY, 0, "64"),
    ROW("list-max-listpack-size", "list-max-ziplist-size", DIRECTIVE_INT, 0, "-2"),
    ROW("list-compress-depth", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("set-max-intset-entries", NULL, DIRECTIVE_MEMORY, 0, "512"),
    ROW("set-max-listpack-entries", NULL, DIRECTIVE_MEMORY, 0, "128"),
    ROW("set-max-listpack-value", NULL, DIRECTIVE_MEMORY, 0, "64"),
    ROW("zset-max-listpack-entries", "zset-max-ziplist-entries", DIRECTIVE_MEMORY, 0, "128"),
    ROW("zset-max-listpack-value", "zset-max-ziplist-value", DIRECTIVE_MEMORY, 0, "64"),
    ROW("hll-sparse-max-bytes", NULL, DIRECTIVE_MEMORY, 0, "3000"),
    ROW("stream-node-max-bytes", NULL, DIRECTIVE_MEMORY, 0, "4096"),
    ROW("stream-node-max-entries", NULL, DIRECTIVE_INT, 0, "100"),
    /* scripts, access, observation */
    ROW("busy-reply-threshold", "lua-time-limit", DIRECTIVE_INT, 0, "5000"),
    ROW("notify-keyspace-events", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("slowlog-log-slower-than", NULL, DIRECTIVE_INT, 0, "10000"),
    ROW("slowlog-max-len", NULL, DIRECTIVE_INT, 0, "128"),
    ROW("latency-monitor-threshold", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("latency-tracking", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("latency-tracking-info-percentiles", NULL, DIRECTIVE_WORDS, 0, "50 99 99.9"),
    ROW("tracking-table-max-keys", NULL, DIRECTIVE_INT, 0, "1000000"),
    ROW("acllog-max-len", NULL, DIRECTIVE_INT, 0, "128"),
    ROW("acl-pubsub-default", NULL, DIRECTIVE_STRING, 0, "resetchannels"),
    ROW("enable-protected-configs", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "no"),
    ROW("enable-module-command", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "no"),
    /* the process */
    ROW("databases", NULL, DIRECTIVE_INT, DIRECTIVE_IMMUTABLE, "1"),
    ROW("dynamic-hz", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("always-show-logo", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "no"),
    ROW("set-proc-title", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "yes"),
    ROW("proc-title-template", NULL, DIRECTIVE_STRING, 0, "{title} {listen-addr} {server-mode}"),
    ROW("crash-log-enabled", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("crash-memcheck-enabled", NULL, DIRECTIVE_BOOL, 0, "yes"),
    ROW("use-exit-on-panic", NULL, DIRECTIVE_BOOL, 0, "no"),
    ROW("syslog-enabled", NULL, DIRECTIVE_BOOL, DIRECTIVE_IMMUTABLE, "no"),
    ROW("syslog-ident", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "redis"),
    ROW("syslog-facility", NULL, DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, "local0"),
    ROW("oom-score-adj", NULL, DIRECTIVE_STRING, 0, "no"),
    ROW("oom-score-adj-values", NULL, DIRECTIVE_WORDS, 0, "0 200 800"),
    ROW("ignore-warnings", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("shutdown-on-sigint", NULL, DIRECTIVE_WORDS, 0, "default"),
    ROW("shutdown-on-sigterm", NULL, DIRECTIVE_WORDS, 0, "default"),
    ROW("locale-collate", NULL, DIRECTIVE_STRING, 0, ""),
    ROW("loading-process-events-interval-bytes", NULL, DIRECTIVE_MEMORY, 0, "2097152"),
    ROW("key-load-delay", NULL, DIRECTIVE_INT, 0, "0"),
    ROW("server_cpulist", "server-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    ROW("bio_cpulist", "bio-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    ROW("aof_rewrite_cpulist", "aof-rewrite-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    ROW("bgsave_cpulist", "bgsave-cpulist", DIRECTIVE_STRING, DIRECTIVE_IMMUTABLE, ""),
    /* of former versions */
    ROW("list-max-ziplist-entries", NULL, DIRECTIVE_STRING, DIRECTIVE_HIDDEN, ""),
    ROW("list-max-ziplist-value", NULL, DIRECTIVE_STRING, DIRECTIVE_HIDDEN, ""),
    ROW("lua-replicate-commands", NULL, DIRECTIVE_STRING, DIRECTIVE_HIDDEN, ""),
    /* clang-format on */
};

const struct directive *accepted_at(size_t index)
{
    return index < sizeof accepted_rows / sizeof accepted_rows[0] ? &accepted_rows[index] : NULL;
}

/* The record of a directive, and where it ends; NULL: none. */
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
