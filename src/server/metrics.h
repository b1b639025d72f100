/* The numbers that a node tells, in one table: INFO, /metrics and its help all come from there.
 * Only server/ includes this header.
 *
 * A sample is taken once for a whole answer; the rows of the table say where in it a number stands.
 */
#ifndef FLOTILLA_SERVER_METRICS_H
#define FLOTILLA_SERVER_METRICS_H

#include "server/server.h"

struct metrics_sample {
    struct net_stats net;
    struct shard_stats shard;
    struct storage_status storage;
    struct raft_status raft;
    struct raft_counters counters;
    struct server_usage usage;
    struct server_memory memory;
    struct peer_stats peers;
    struct http_stats http;
    struct histogram no_durations; /* of a node that has no shard yet */
    uint64_t cluster_connections;
    uint64_t maxclients;
    uint64_t memory_peak;
    uint64_t memory_resident;
    uint64_t memory_of_system;
    uint64_t maxmemory;
    double fragmentation;
    uint64_t dirty;
    uint64_t last_save_seconds;
    uint64_t log_file_bytes;
    uint64_t log_entries;
    uint64_t applied_index;
    uint64_t leader_id;
    uint64_t last_contact_ms;
    uint64_t voters;
    uint64_t voters_connected; /* this node among them, if it is one */
    uint64_t replicas_connected;
    uint64_t replication_offset;
    uint64_t messages_without_shard;
    uint64_t disk_free_bytes;
    uint64_t disk_reserve_bytes;
    uint64_t uptime_seconds;
    uint64_t started_seconds; /* wall clock */
    uint64_t descriptors_max;
    double cpu_system_seconds;
    double cpu_user_seconds;
    int64_t clock_offset_ms;
    bool is_up; /* it has its data */
    bool has_leader;
    bool leads;
    bool loads;
    bool saves;
    bool disk_full;
    bool disputed;
    bool link_up; /* to the leader */
};

/* Rows that stand behind each other in INFO. */
enum metrics_group {
    METRICS_NOT_IN_INFO,
    METRICS_CLIENTS,
    METRICS_MEMORY_SIZES,
    METRICS_MEMORY_PARTS,
    METRICS_MEMORY_KINDS,
    METRICS_LOG,
    METRICS_CONNECTIONS,
    METRICS_REJECTED,
    METRICS_KEYSPACE,
    METRICS_ERRORS,
    METRICS_RAFT_LOG,
    METRICS_RAFT_DISK,
    METRICS_RAFT_ACTIVITY,
    METRICS_RAFT_SNAPSHOTS,
    METRICS_RAFT_PEERS,
};

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER };
enum metrics_field { METRICS_U64, METRICS_I64, METRICS_DOUBLE, METRICS_BOOL };
/* How INFO shows it. */
enum metrics_form { METRICS_PLAIN, METRICS_WITH_HUMAN /* a second line, for people */ };

struct metric {
    enum metrics_group group;
    const char *info;     /* its name in INFO; NULL: it is not there */
    const char *name;     /* at /metrics, behind flotilla_; NULL: it is not there */
    const char *exporter; /* the whole name that redis_exporter has for it; NULL: none */
    const char *help;     /* with the unit */
    enum metrics_type type;
    enum metrics_field field;
    enum metrics_form form;
    unsigned per; /* the number is so many times what /metrics shows: 1000 for ms as seconds */
    size_t offset;
};

const struct metric *metrics_at(size_t index); /* NULL: past the end */

void metrics_take(struct server *server, struct metrics_sample *sample);
void metrics_write_info(const struct metrics_sample *sample, enum metrics_group group,
                        struct buf *out);
void metrics_add_human(struct buf *out, const char *name, uint64_t bytes);
/* The text format of Prometheus. */
void metrics_write_text(struct server *server, struct buf *out);

#endif
