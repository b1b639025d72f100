/* The configuration: parses Redis' configuration syntax into a struct and writes it back. Works on
 * texts: the caller reads the files (config_load() gets a reader for `include`). One table row per
 * directive feeds parsing, CONFIG GET/SET/REWRITE, the command line and the check against
 * redis.conf.example.
 *
 * Times are milliseconds unless the name says otherwise. Sizes are bytes. */
#ifndef FLOTILLA_CONFIG_CONFIG_H
#define FLOTILLA_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/span.h"

enum {
    CONFIG_BIND_MAX = 16,
    CONFIG_DATABASES_MAX = 16,
    CONFIG_IO_THREADS_MAX = 128,
    CONFIG_TEXT_MAX = 1024,
    CONFIG_SECRET_CHARACTERS_MIN = 32,
    CONFIG_ACCEPTED_MAX = 8192
};

enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_fsync { CONFIG_FSYNC_ALWAYS, CONFIG_FSYNC_EVERYSEC, CONFIG_FSYNC_NO };
enum config_follower_mode { CONFIG_FOLLOWER_REDIRECT, CONFIG_FOLLOWER_AUTO, CONFIG_FOLLOWER_PROXY };

enum config_debug { CONFIG_DEBUG_NO, CONFIG_DEBUG_LOCAL, CONFIG_DEBUG_YES };

enum config_endpoint { CONFIG_ENDPOINT_IP, CONFIG_ENDPOINT_HOSTNAME, CONFIG_ENDPOINT_UNKNOWN };

enum config_supervised { CONFIG_SUPERVISED_NO, CONFIG_SUPERVISED_SYSTEMD, CONFIG_SUPERVISED_AUTO };

struct config_output_limit { /* client-output-buffer-limit <class> <hard> <soft> <soft seconds> */
    uint64_t hard_bytes;     /* 0: no limit */
    uint64_t soft_bytes;
    uint32_t soft_seconds;
};
enum config_client_class {
    CONFIG_CLIENT_NORMAL,
    CONFIG_CLIENT_REPLICA,
    CONFIG_CLIENT_PUBSUB,
    CONFIG_CLIENT_CLASSES
};

/* Up to which size a value is kept in a compact form: numbers of elements, and bytes of one. */
struct config_forms {
    int64_t hash_entries;
    uint64_t hash_value;
    int list_size; /* elements of a chunk, or -1 to -5 for 4 to 64 KiB */
    int64_t intset_entries;
    int64_t set_entries;
    uint64_t set_value;
    int64_t zset_entries;
    uint64_t zset_value;
    uint64_t stream_bytes; /* of a node; 0: no limit */
    int64_t stream_entries;
};

struct config {
    /* network */
    char bind[CONFIG_BIND_MAX][256];
    size_t bind_count;
    int port;
    bool protected_mode;
    enum config_debug enable_debug_command;
    int tcp_backlog;
    char unixsocket[CONFIG_TEXT_MAX];
    unsigned unixsocketperm; /* octal in its text form */
    int timeout_seconds;     /* the directive timeout */
    int tcp_keepalive_seconds;
    int maxclients;
    int io_threads; /* the event loop's, and others that read and write for it */
    uint64_t client_query_buffer_limit;
    uint64_t client_output_buffer_pause;
    int64_t slowlog_log_slower_than; /* microseconds; -1: log nothing */
    int64_t slowlog_max_len;
    uint64_t proto_max_bulk_len;
    struct config_output_limit output_limits[CONFIG_CLIENT_CLASSES];
    char requirepass[CONFIG_TEXT_MAX];
    /* general */
    enum log_level loglevel;
    char logfile[CONFIG_TEXT_MAX]; /* empty: standard output */
    enum config_log_format log_format;
    bool syslog_enabled;
    char syslog_ident[CONFIG_TEXT_MAX];
    int syslog_facility; /* 0: user, 1 to 8: local0 to local7 */
    char pidfile[CONFIG_TEXT_MAX];
    bool daemonize;
    enum config_supervised supervised;
    char dir[CONFIG_TEXT_MAX];
    int databases; /* for SELECT: 1 to CONFIG_DATABASES_MAX */
    int hz;
    struct config_forms forms;
    /* memory */
    uint64_t maxmemory;
    char maxmemory_policy[32];
    /* durability */
    enum config_fsync appendfsync;
    char appenddirname[256];
    char appendfilename[256];
    bool aof_load_truncated;          /* for imported files */
    char backup_dir[CONFIG_TEXT_MAX]; /* empty: no backups */
    int backup_keep;                  /* 0: all */
    /* cluster */
    uint64_t node_id; /* 0: none was set */
    char cluster_nodes[4096];
    char cluster_seeds[4096];
    int raft_bootstrap_expect; /* 0: fresh nodes begin no cluster by themselves */
    char cluster_id[64];       /* empty: derived */
    char cluster_secret[CONFIG_TEXT_MAX];
    enum config_follower_mode follower_mode;
    char cluster_announce_ip[46]; /* empty: the address in cluster-nodes, as for the next two */
    char cluster_announce_hostname[256];
    int cluster_announce_port; /* 0: that of cluster-nodes */
    enum config_endpoint cluster_preferred_endpoint_type;
    int sentinel_port; /* 0: there is no Sentinel */
    char sentinel_master_name[128];
    int http_port; /* 0: there is no HTTP */
    uint64_t http_max_body_bytes;
    int http_timeout_seconds;
    int http_max_connections;
    char http_hosts[CONFIG_TEXT_MAX]; /* names, separated by commas */
    int leader_wait_ms;
    int replica_max_lag_ms;
    int session_max;
    int session_replies_max;
    uint64_t session_bytes_max;
    int session_ttl_ms;
    /* raft */
    int raft_heartbeat_ms;
    int raft_election_timeout_ms;
    int raft_target_voters;
    int raft_max_entries_per_append;
    uint64_t raft_max_append_bytes;
    uint64_t raft_snapshot_log_bytes;
    uint64_t raft_snapshot_keep_bytes;
    uint64_t raft_snapshot_bytes_per_second;
    int raft_digest_interval_ms;
    int raft_digest_entries;
    uint64_t raft_disk_reserve_bytes;
    uint64_t raft_snapshot_chunk_bytes;
    uint64_t raft_segment_bytes;
    uint64_t raft_fill_bytes;
    int raft_lease_drift_percent;
    int raft_max_appends_in_flight;
    uint64_t raft_entry_cache_bytes;
    int shutdown_timeout_seconds;
    /* The values of Redis' directives that have no effect here, as far as they were set: name NUL
     * value NUL, and so on. They share one pool, because few are set and the struct is copied by
     * value. */
    char accepted[CONFIG_ACCEPTED_MAX];
    size_t accepted_len;
};

/* Sets all defaults. */
void config_init(struct config *config);

struct config_error {
    /* One line: file, line number, the directive, the cause, the nearest known name. */
    char message[512];
};

struct config_source { /* reads configuration files */
    void *context;
    /* Reads the whole file, or standard input for "-". `expand` has expanded the patterns of
     * `include`. */
    enum err (*read)(void *context, const char *path, struct buf *out);
    /* Calls `add` for each path that matches the pattern, sorted; no match is not an error. */
    enum err (*expand)(void *context, const char *pattern, void (*add)(void *to, const char *path),
                       void *to);
};

/* Reads a text in redis.conf's syntax; its values replace those in `config`. A directive of Redis
 * that has no effect here is accepted with a warning to `log`. After ERR_INVALID `config` must not
 * be used. */
MUST_CHECK enum err config_load(struct config *config, const struct config_source *source,
                                const char *path, const struct log *log,
                                struct config_error *error);

/* Reads the command line after the file name: "--name value … --name value …", as redis-server
 * does. A dash as the first or last argument stands for standard input, which is read before the
 * options. */
MUST_CHECK enum err config_load_args(struct config *config, const struct config_source *source,
                                     int argc, char **argv, const struct log *log,
                                     struct config_error *error);

/* Whether an empty node looks for a cluster, or for others to begin one with: it knows seeds, or
 * how many founders there are. Without that, and without cluster-nodes, it begins one alone. */
bool config_seeks(const struct config *config);
/* The node's number. 0: the cluster gives it one. */
uint64_t config_node_id(const struct config *config);

/* Checks directives against each other: heartbeat and election timeout, node-id within
 * cluster-nodes … */
MUST_CHECK enum err config_check(const struct config *config, struct config_error *error);

/* CONFIG GET: calls visit(name, value) for each directive whose name matches. */
void config_get(const struct config *config, bool (*matches)(void *context, const char *name),
                void *context, void (*visit)(void *context, const char *name, struct span value));

enum config_set_outcome {
    CONFIG_SET_OK,
    CONFIG_SET_UNKNOWN,
    CONFIG_SET_IMMUTABLE,
    CONFIG_SET_INVALID
};

/* CONFIG SET of one directive. On CONFIG_SET_INVALID and CONFIG_SET_IMMUTABLE `error` says why, in
 * Redis' words. To set several, the caller sets them in a copy and uses the copy only if all calls
 * and config_check() succeeded. */
enum config_set_outcome config_set(struct config *config, struct span name, struct span value,
                                   struct config_error *error);

/* Makes the paths in dir, backup-dir, logfile, pidfile and unixsocket absolute, so that they stay
 * valid when the process changes its folder or is started in another one. Relative paths start at
 * the folder `from`. */
MUST_CHECK enum err config_make_absolute(struct config *config, const char *from,
                                         struct config_error *error);

/* True if a line of the file sets a non-empty password or secret. */
bool config_text_has_secret(struct span text);

/* CONFIG REWRITE: `old` is the file's text. Comments and the order of lines stay. Changed
 * directives are replaced in place; new ones are added at the end. */
void config_rewrite(const struct config *config, struct span old, struct buf *out);

#endif
