/* The directives that have an effect here, one row each. */
#include <limits.h>

#include "config/internal.h"

#define FIELD(member)                                                                              \
    .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)
#define LIMITS(least, most) .min = (least), .max = (most)

enum { MEBIBYTE = 1024 * 1024, INTERVAL_MAX_MS = 60 * 60 * 1000 };

static const struct choice loglevel_choices[] = {
    {.name = "debug", .value = LOG_DEBUG},     {.name = "verbose", .value = LOG_VERBOSE},
    {.name = "notice", .value = LOG_NOTICE},   {.name = "warning", .value = LOG_WARNING},
    {.name = "nothing", .value = LOG_NOTHING}, {.name = NULL},
};

#define NO_EVICTION_YET "keys are not evicted yet: a full node refuses writes, as with 'noeviction'"

static const struct choice policy_choices[] = {
    {.name = "volatile-lru", .warning = NO_EVICTION_YET},
    {.name = "volatile-lfu", .warning = NO_EVICTION_YET},
    {.name = "volatile-random", .warning = NO_EVICTION_YET},
    {.name = "volatile-ttl", .warning = NO_EVICTION_YET},
    {.name = "allkeys-lru", .warning = NO_EVICTION_YET},
    {.name = "allkeys-lfu", .warning = NO_EVICTION_YET},
    {.name = "allkeys-random", .warning = NO_EVICTION_YET},
    {.name = "noeviction"},
    {.name = NULL},
};

static const struct choice log_format_choices[] = {
    {.name = "text", .value = CONFIG_LOG_TEXT},
    {.name = "json", .value = CONFIG_LOG_JSON},
    {.name = NULL},
};

static const struct choice facility_choices[] = {
    {.name = "user", .value = 0},   {.name = "local0", .value = 1},
    {.name = "local1", .value = 2}, {.name = "local2", .value = 3},
    {.name = "local3", .value = 4}, {.name = "local4", .value = 5},
    {.name = "local5", .value = 6}, {.name = "local6", .value = 7},
    {.name = "local7", .value = 8}, {.name = NULL},
};

static const struct choice fsync_choices[] = {
    {.name = "everysec", .value = CONFIG_FSYNC_EVERYSEC},
    {.name = "always", .value = CONFIG_FSYNC_ALWAYS},
    {.name = "no", .value = CONFIG_FSYNC_NO},
    {.name = NULL},
};

static const struct choice debug_choices[] = {
    {.name = "no", .value = CONFIG_DEBUG_NO},
    {.name = "yes", .value = CONFIG_DEBUG_YES},
    {.name = "local", .value = CONFIG_DEBUG_LOCAL},
    {.name = NULL},
};

static const struct choice supervised_choices[] = {
    {.name = "no", .value = CONFIG_SUPERVISED_NO},
    {.name = "upstart", .refused = "is not supported; use 'systemd', 'auto' or 'no'"},
    {.name = "systemd", .value = CONFIG_SUPERVISED_SYSTEMD},
    {.name = "auto", .value = CONFIG_SUPERVISED_AUTO},
    {.name = NULL},
};

static const struct choice follower_choices[] = {
    {.name = "redirect", .value = CONFIG_FOLLOWER_REDIRECT},
    {.name = "auto", .value = CONFIG_FOLLOWER_AUTO},
    {.name = "proxy", .value = CONFIG_FOLLOWER_PROXY},
    {.name = NULL},
};

static const struct choice endpoint_choices[] = {
    {.name = "ip", .value = CONFIG_ENDPOINT_IP},
    {.name = "hostname", .value = CONFIG_ENDPOINT_HOSTNAME},
    {.name = "unknown-endpoint", .value = CONFIG_ENDPOINT_UNKNOWN},
    {.name = NULL},
};

/* bind and port cannot change at run time: the other nodes know this node by its address. */
static const struct directive rows[] = {
    /* network */
    {.name = "bind",
     .kind = DIRECTIVE_BIND,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "* -::*",
     FIELD(bind)},
    {.name = "port",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "6379",
     LIMITS(0, 65535),
     FIELD(port)},
    {.name = "protected-mode", .kind = DIRECTIVE_BOOL, .initial = "yes", FIELD(protected_mode)},
    {.name = "enable-debug-command",
     .kind = DIRECTIVE_ENUM,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "no",
     .choices = debug_choices,
     FIELD(enable_debug_command)},
    {.name = "tcp-backlog",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "511",
     LIMITS(0, INT_MAX),
     FIELD(tcp_backlog)},
    {.name = "unixsocket",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE | DIRECTIVE_PATH,
     .initial = "",
     FIELD(unixsocket)},
    {.name = "unixsocketperm",
     .kind = DIRECTIVE_OCTAL,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "0",
     LIMITS(0, 0777),
     FIELD(unixsocketperm)},
    {.name = "timeout",
     .kind = DIRECTIVE_INT,
     .initial = "0",
     LIMITS(0, INT_MAX),
     FIELD(timeout_seconds)},
    {.name = "tcp-keepalive",
     .kind = DIRECTIVE_INT,
     .initial = "300",
     LIMITS(0, INT_MAX),
     FIELD(tcp_keepalive_seconds)},
    {.name = "maxclients",
     .kind = DIRECTIVE_INT,
     .initial = "10000",
     LIMITS(1, INT_MAX),
     FIELD(maxclients)},
    {.name = "io-threads",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "1",
     LIMITS(1, CONFIG_IO_THREADS_MAX),
     FIELD(io_threads)},
    {.name = "client-query-buffer-limit",
     .kind = DIRECTIVE_MEMORY,
     .initial = "1gb",
     LIMITS(MEBIBYTE, INT64_MAX),
     FIELD(client_query_buffer_limit)},
    {.name = "proto-max-bulk-len",
     .kind = DIRECTIVE_MEMORY,
     .initial = "512mb",
     LIMITS(MEBIBYTE, INT64_MAX),
     FIELD(proto_max_bulk_len)},
    {.name = "client-output-buffer-limit",
     .kind = DIRECTIVE_OUTPUT_LIMITS,
     .initial = "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
     FIELD(output_limits)},
    {.name = "client-output-buffer-pause",
     .kind = DIRECTIVE_MEMORY,
     .initial = "8mb",
     LIMITS(0, INT64_MAX),
     FIELD(client_output_buffer_pause)},
    {.name = "slowlog-log-slower-than",
     .kind = DIRECTIVE_INT,
     .initial = "10000",
     LIMITS((uint64_t)-1, INT64_MAX),
     FIELD(slowlog_log_slower_than)},
    {.name = "slowlog-max-len",
     .kind = DIRECTIVE_INT,
     .initial = "128",
     LIMITS(0, INT64_MAX),
     FIELD(slowlog_max_len)},
    {.name = "requirepass",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_SECRET,
     .initial = "",
     FIELD(requirepass)},
    /* general */
    {.name = "loglevel",
     .kind = DIRECTIVE_ENUM,
     .initial = "notice",
     .choices = loglevel_choices,
     FIELD(loglevel)},
    {.name = "logfile",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE | DIRECTIVE_PATH,
     .initial = "",
     FIELD(logfile)},
    {.name = "log-format",
     .kind = DIRECTIVE_ENUM,
     .initial = "text",
     .choices = log_format_choices,
     FIELD(log_format)},
    {.name = "syslog-enabled",
     .kind = DIRECTIVE_BOOL,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "no",
     FIELD(syslog_enabled)},
    {.name = "syslog-ident",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "redis",
     FIELD(syslog_ident)},
    {.name = "syslog-facility",
     .kind = DIRECTIVE_ENUM,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "local0",
     .choices = facility_choices,
     FIELD(syslog_facility)},
    {.name = "pidfile",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE | DIRECTIVE_PATH,
     .initial = "",
     FIELD(pidfile)},
    {.name = "daemonize",
     .kind = DIRECTIVE_BOOL,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "no",
     FIELD(daemonize)},
    {.name = "supervised",
     .kind = DIRECTIVE_ENUM,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "no",
     .choices = supervised_choices,
     FIELD(supervised)},
    {.name = "dir",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_PROTECTED | DIRECTIVE_FILLED | DIRECTIVE_PATH,
     .initial = "./",
     FIELD(dir)},
    {.name = "hz",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_CLAMP,
     .initial = "10",
     LIMITS(1, 500),
     FIELD(hz)},
    {.name = "shutdown-timeout",
     .kind = DIRECTIVE_INT,
     .initial = "10",
     LIMITS(0, INT_MAX),
     FIELD(shutdown_timeout_seconds)},
    /* memory */
    {.name = "maxmemory",
     .kind = DIRECTIVE_MEMORY,
     .initial = "0",
     LIMITS(0, INT64_MAX),
     FIELD(maxmemory)},
    {.name = "maxmemory-policy",
     .kind = DIRECTIVE_ENUM_STRING,
     .initial = "noeviction",
     .choices = policy_choices,
     FIELD(maxmemory_policy)},
    /* durability */
    {.name = "appendfsync",
     .kind = DIRECTIVE_ENUM,
     .initial = "always",
     .choices = fsync_choices,
     FIELD(appendfsync)},
    {.name = "appenddirname",
     .kind = DIRECTIVE_FILE_NAME,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "appendonlydir",
     FIELD(appenddirname)},
    {.name = "appendfilename",
     .kind = DIRECTIVE_FILE_NAME,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "appendonly.aof",
     FIELD(appendfilename)},
    {.name = "aof-load-truncated",
     .kind = DIRECTIVE_BOOL,
     .initial = "yes",
     FIELD(aof_load_truncated)},
    {.name = "backup-dir",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_PROTECTED | DIRECTIVE_PATH,
     .initial = "",
     FIELD(backup_dir)},
    {.name = "backup-keep",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_PROTECTED,
     .initial = "7",
     LIMITS(0, 1000000),
     FIELD(backup_keep)},
    /* cluster */
    {.name = "node-id",
     .kind = DIRECTIVE_ID,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "0",
     LIMITS(0, INT64_MAX),
     FIELD(node_id)},
    {.name = "cluster-nodes",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "",
     FIELD(cluster_nodes)},
    {.name = "cluster-seeds",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "",
     FIELD(cluster_seeds)},
    {.name = "raft-bootstrap-expect",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "0",
     LIMITS(0, 16),
     FIELD(raft_bootstrap_expect)},
    {.name = "cluster-id",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "",
     FIELD(cluster_id)},
    {.name = "cluster-secret",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE | DIRECTIVE_SECRET,
     .initial = "",
     FIELD(cluster_secret)},
    {.name = "follower-mode",
     .kind = DIRECTIVE_ENUM,
     .initial = "auto",
     .choices = follower_choices,
     FIELD(follower_mode)},
    {.name = "cluster-announce-ip",
     .kind = DIRECTIVE_STRING,
     .initial = "",
     .marks = "-_.:%",
     .marks_reason = "an address may only contain alphanumeric characters and any of - _ . : %",
     FIELD(cluster_announce_ip)},
    {.name = "cluster-announce-hostname",
     .kind = DIRECTIVE_STRING,
     .initial = "",
     .marks = "-.",
     .marks_reason = "Hostnames may only contain alphanumeric characters, hyphens or dots",
     FIELD(cluster_announce_hostname)},
    {.name = "cluster-announce-port",
     .kind = DIRECTIVE_INT,
     .initial = "0",
     LIMITS(0, 65535),
     FIELD(cluster_announce_port)},
    {.name = "cluster-preferred-endpoint-type",
     .kind = DIRECTIVE_ENUM,
     .initial = "ip",
     .choices = endpoint_choices,
     FIELD(cluster_preferred_endpoint_type)},
    {.name = "sentinel-port",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "0",
     LIMITS(0, 65535),
     FIELD(sentinel_port)},
    {.name = "sentinel-master-name",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_IMMUTABLE | DIRECTIVE_FILLED,
     .initial = "mymaster",
     .marks = "-_.",
     .marks_reason = "the name may only contain alphanumeric characters and any of . - _",
     FIELD(sentinel_master_name)},
    {.name = "http-port",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "0",
     LIMITS(0, 65535),
     FIELD(http_port)},
    {.name = "http-max-body-bytes",
     .kind = DIRECTIVE_MEMORY,
     .initial = "8mb",
     LIMITS(1024, 512 * (uint64_t)MEBIBYTE),
     FIELD(http_max_body_bytes)},
    {.name = "http-timeout",
     .kind = DIRECTIVE_INT,
     .initial = "30",
     LIMITS(1, 3600),
     FIELD(http_timeout_seconds)},
    {.name = "http-max-connections",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "128",
     LIMITS(1, 10000),
     FIELD(http_max_connections)},
    {.name = "http-hosts",
     .kind = DIRECTIVE_STRING,
     .initial = "",
     .marks = "-.,",
     .marks_reason = "host names may only contain alphanumeric characters, hyphens or dots, and "
                     "commas stand between them",
     FIELD(http_hosts)},
    {.name = "databases",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "16",
     LIMITS(1, CONFIG_DATABASES_MAX),
     FIELD(databases)},
    {.name = "leader-wait-ms",
     .kind = DIRECTIVE_INT,
     .initial = "5000",
     LIMITS(0, INTERVAL_MAX_MS),
     FIELD(leader_wait_ms)},
    {.name = "replica-max-lag-ms",
     .kind = DIRECTIVE_INT,
     .initial = "10000",
     LIMITS(0, INTERVAL_MAX_MS),
     FIELD(replica_max_lag_ms)},
    {.name = "session-max",
     .kind = DIRECTIVE_INT,
     .initial = "1000",
     LIMITS(0, 65536),
     FIELD(session_max)},
    {.name = "session-replies-max",
     .kind = DIRECTIVE_INT,
     .initial = "128",
     LIMITS(1, 65536),
     FIELD(session_replies_max)},
    {.name = "session-bytes-max",
     .kind = DIRECTIVE_MEMORY,
     .initial = "16kb",
     LIMITS(64, MEBIBYTE),
     FIELD(session_bytes_max)},
    {.name = "session-ttl-ms",
     .kind = DIRECTIVE_INT,
     .initial = "3600000",
     LIMITS(1000, 7 * 24 * INTERVAL_MAX_MS),
     FIELD(session_ttl_ms)},
    /* raft */
    {.name = "raft-heartbeat-ms",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "50",
     LIMITS(1, 60000),
     FIELD(raft_heartbeat_ms)},
    {.name = "raft-election-timeout-ms",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "300",
     LIMITS(2, 600000),
     FIELD(raft_election_timeout_ms)},
    {.name = "raft-target-voters",
     .kind = DIRECTIVE_INT,
     .initial = "5",
     LIMITS(1, 16),
     FIELD(raft_target_voters)},
    {.name = "raft-max-entries-per-append",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "1024",
     LIMITS(1, 1048576),
     FIELD(raft_max_entries_per_append)},
    {.name = "raft-max-append-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "1mb",
     LIMITS(1024, 1024 * (uint64_t)MEBIBYTE),
     FIELD(raft_max_append_bytes)},
    {.name = "raft-max-appends-in-flight",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "64",
     LIMITS(1, 65536),
     FIELD(raft_max_appends_in_flight)},
    {.name = "raft-snapshot-log-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "64mb",
     LIMITS(0, INT64_MAX),
     FIELD(raft_snapshot_log_bytes)},
    {.name = "raft-snapshot-keep-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "16mb",
     LIMITS(0, INT64_MAX),
     FIELD(raft_snapshot_keep_bytes)},
    {.name = "raft-snapshot-bytes-per-second",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "12mb",
     LIMITS(1024, 1024 * 1024 * (uint64_t)MEBIBYTE),
     FIELD(raft_snapshot_bytes_per_second)},
    {.name = "raft-digest-interval-ms",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "500",
     LIMITS(0, 3600000),
     FIELD(raft_digest_interval_ms)},
    {.name = "raft-digest-entries",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "1024",
     LIMITS(1, 1000000000),
     FIELD(raft_digest_entries)},
    {.name = "raft-snapshot-chunk-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "256kb",
     LIMITS(1024, 1024 * (uint64_t)MEBIBYTE),
     FIELD(raft_snapshot_chunk_bytes)},
    {.name = "raft-segment-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "16mb",
     LIMITS(65536, INT64_MAX),
     FIELD(raft_segment_bytes)},
    {.name = "raft-fill-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "512kb",
     LIMITS(0, 64 * (uint64_t)MEBIBYTE),
     FIELD(raft_fill_bytes)},
    {.name = "raft-disk-reserve-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "16mb",
     LIMITS(0, INT64_MAX),
     FIELD(raft_disk_reserve_bytes)},
    {.name = "raft-lease-drift-percent",
     .kind = DIRECTIVE_INT,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "0",
     LIMITS(0, 99),
     FIELD(raft_lease_drift_percent)},
    {.name = "raft-entry-cache-bytes",
     .kind = DIRECTIVE_MEMORY,
     .flags = DIRECTIVE_IMMUTABLE,
     .initial = "64mb",
     LIMITS(MEBIBYTE, INT64_MAX),
     FIELD(raft_entry_cache_bytes)},
    /* handled by the loader */
    {.name = "include", .kind = DIRECTIVE_WORDS, .flags = DIRECTIVE_HIDDEN, .initial = ""},
    /* refused: they promise what this server does not do */
    {.name = "replicaof",
     .alias = "slaveof",
     .kind = DIRECTIVE_WORDS,
     .flags = DIRECTIVE_REFUSED | DIRECTIVE_IMMUTABLE,
     .initial = "",
     .reason =
         "the nodes of 'cluster-nodes' replicate by themselves and elect their leader; remove "
         "this line"},
    {.name = "aclfile",
     .kind = DIRECTIVE_STRING,
     .flags = DIRECTIVE_REFUSED | DIRECTIVE_IMMUTABLE,
     .initial = "",
     .reason = "access control lists are not supported, and without them users would be able to do "
               "more than the file allows; use 'requirepass'"},
    {.name = "user",
     .kind = DIRECTIVE_WORDS,
     .flags = DIRECTIVE_REFUSED | DIRECTIVE_HIDDEN,
     .initial = "",
     .reason = "access control lists are not supported, and without them users would be able to do "
               "more than the line allows; use 'requirepass'"},
    {.name = "rename-command",
     .kind = DIRECTIVE_WORDS,
     .flags = DIRECTIVE_REFUSED | DIRECTIVE_HIDDEN,
     .initial = "",
     .reason = "commands cannot be renamed, and the command would stay reachable under its name"},
    {.name = "loadmodule",
     .kind = DIRECTIVE_WORDS,
     .flags = DIRECTIVE_REFUSED | DIRECTIVE_HIDDEN,
     .initial = "",
     .reason = "modules are not supported"},
};

const struct directive *directive_at(size_t index)
{
    size_t count = sizeof rows / sizeof rows[0];
    if (index < count)
        return &rows[index];
    const struct directive *of_forms = forms_at(index - count);
    return of_forms ? of_forms : accepted_at(index - count - forms_count());
}

const struct directive *directive_find(struct span name)
{
    const struct directive *directive;
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++) {
        if (span_is(name, directive->name))
            return directive;
        if (directive->alias != NULL && span_is(name, directive->alias))
            return directive;
    }
    return NULL;
}

enum { NAME_MAX_LEN = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The Levenshtein distance, computed one row of the matrix at a time. */
static size_t distance(struct span a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1];
    size_t len = strlen(b);
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t change = diagonal + (lower(a.ptr[i]) == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = least(change, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[len];
}

const char *directive_nearest(struct span name)
{
    const char *nearest = NULL;
    if (name.len > NAME_MAX_LEN)
        return NULL;
    /* If more than a third of the letters differ, it is another word and not a typing error. */
    size_t best = name.len / 3 + 2;
    const struct directive *directive;
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++) {
        const char *names[] = {directive->name, directive->alias};
        for (size_t j = 0; j < 2; j++) {
            if (names[j] == NULL)
                continue;
            size_t far = distance(name, names[j]);
            if (far < best) {
                best = far;
                nearest = names[j];
            }
        }
    }
    return nearest;
}
