/* INFO: one function per section, in Redis' order and with its field names. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/metrics.h"

static long long uptime_seconds(const struct server *server)
{
    return (long long)((server->now.wall_ms - server->start_wall_ms) / 1000);
}

static void section_server(struct server *server, struct buf *out)
{
    struct utsname system;
    if (uname(&system))
        system = (struct utsname){.sysname = "unknown"};
    long long uptime = uptime_seconds(server);
    buf_printf(out,
               "redis_version:%s\r\nflotilla_version:%s\r\nredis_git_sha1:00000000\r\n"
               "redis_git_dirty:0\r\nredis_build_id:0\r\nredis_mode:cluster\r\nos:%s %s %s\r\n"
               "arch_bits:%d\r\nmonotonic_clock:POSIX clock_gettime\r\n"
               "multiplexing_api:%s\r\natomicvar_api:c11-builtin\r\ngcc_version:%s\r\n",
               FLOTILLA_REDIS_VERSION, FLOTILLA_VERSION, system.sysname, system.release,
               system.machine, (int)sizeof(long) * 8, event_base_get_method(server->base),
               __VERSION__);
    buf_printf(out,
               "process_id:%d\r\nprocess_supervised:no\r\nrun_id:%s\r\ntcp_port:%d\r\n"
               "server_time_usec:%" PRId64 "\r\nuptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\n"
               "hz:%d\r\nconfigured_hz:%d\r\nlru_clock:0\r\nexecutable:/proc/self/exe\r\n"
               "config_file:%s\r\nio_threads_active:%d\r\nlistener0:name=tcp,bind=%s,port=%d\r\n",
               (int)getpid(), server->run_id, server->config.port, server->now.wall_ms * 1000,
               uptime, uptime / 86400, server->config.hz, server->config.hz, server->config_path,
               server->config.io_threads > 1, server->config.bind[0], server->config.port);
}

static void section_clients(struct server *server, struct buf *out)
{
    struct metrics_sample sample;
    metrics_take(server, &sample);
    metrics_write_info(&sample, METRICS_CLIENTS, out);
    buf_add_text(out, "tracking_clients:0\r\nclients_in_timeout_table:0\r\n"
                      "total_blocking_keys:0\r\ntotal_blocking_keys_on_nokey:0\r\n");
}

static void add_ratio(struct buf *out, const char *name, uint64_t of, uint64_t to)
{
    buf_printf(out, "%s:%.2f\r\n", name, to ? (double)of / (double)to : 0.0);
}

static void section_memory(struct server *server, struct buf *out)
{
    struct metrics_sample sample;
    metrics_take(server, &sample);
    const struct server_usage *usage = &sample.usage;
    uint64_t beyond = usage->used > usage->startup ? usage->used - usage->startup : 0;
    metrics_write_info(&sample, METRICS_MEMORY_SIZES, out);
    buf_printf(out, "used_memory_peak_perc:%.2f%%\r\n",
               100.0 * (double)usage->used / (double)sample.memory_peak);
    metrics_write_info(&sample, METRICS_MEMORY_PARTS, out);
    buf_printf(out, "used_memory_dataset_perc:%.2f%%\r\n",
               beyond ? 100.0 * (double)usage->data / (double)beyond : 0);
    metrics_write_info(&sample, METRICS_MEMORY_KINDS, out);
    buf_add_text(out, "mem_clients_slaves:0\r\nmem_replication_backlog:0\r\n"
                      "mem_total_replication_buffers:0\r\n");
    if (sample.is_up)
        buf_printf(out, "mem_raft_entry_cache:%" PRIu64 "\r\n", sample.storage.cache_bytes);
    buf_printf(out, "maxmemory_policy:%s\r\n", server->config.maxmemory_policy);
    add_ratio(out, "allocator_frag_ratio", sample.memory.active, sample.memory.allocated);
    add_ratio(out, "mem_fragmentation_ratio", sample.memory_resident, usage->used);
    buf_add_text(out, "mem_allocator:jemalloc\r\nactive_defrag_running:0\r\n"
                      "lazyfree_pending_objects:0\r\n");
}

static void add_loading(const struct server *server, struct buf *out)
{
    const struct loading *loading = &server->loading;
    double part = loading->total ? (double)loading->bytes / (double)loading->total : 0;
    double spent_s = (double)(server->now.mono_ms - loading->started_ms) / 1000;
    buf_printf(out,
               "loading:1\r\nasync_loading:0\r\nloading_start_time:%" PRId64
               "\r\nloading_total_bytes:%" PRIu64 "\r\nloading_rdb_used_mem:0\r\n"
               "loading_loaded_bytes:%" PRIu64 "\r\nloading_loaded_perc:%.2f\r\n"
               "loading_eta_seconds:%.0f\r\n",
               loading->started_wall_s, loading->total, loading->bytes, part * 100,
               part > 0 ? spent_s / part - spent_s : 1);
}

static void section_persistence(struct server *server, struct buf *out)
{
    if (!server_has_begun(server)) {
        buf_add_text(out, "loading:0\r\nasync_loading:0\r\n");
        return;
    }
    if (server_is_loading(server)) {
        add_loading(server, out);
        return;
    }
    const struct shard *shard = server_group(server);
    struct storage_status storage = storage_status(shard_storage(shard));
    struct shard_stats stats = shard_stats(shard);
    bool loading = shard_applied_index(shard) < raft_commit_index(shard_raft(shard));
    bool saving = shard_snapshot_goes_on(shard);
    const char *status = stats.snapshot_failed ? "err" : "ok";
    buf_printf(out,
               "loading:0\r\nasync_loading:0\r\nraft_applying:%d\r\nrdb_changes_since_last_save:"
               "%" PRIu64 "\r\nrdb_bgsave_in_progress:%d\r\nrdb_last_save_time:%" PRId64 "\r\n"
               "rdb_last_bgsave_status:%s\r\nrdb_last_bgsave_time_sec:%" PRId64
               "\r\nrdb_saves:%" PRIu64 "\r\naof_enabled:1\r\naof_rewrite_in_progress:%d\r\n"
               "aof_rewrite_scheduled:0\r\naof_last_bgrewrite_status:%s\r\n"
               "aof_last_write_status:%s\r\naof_current_size:%" PRIu64 "\r\naof_base_size:%" PRIu64
               "\r\naof_buffer_length:0\r\naof_pending_bio_fsync:0\r\naof_delayed_fsync:0\r\n",
               loading, stats.dirty, saving, server_last_save_ms(server) / 1000, status,
               stats.snapshots ? (int64_t)(stats.snapshot_ms / 1000) : -1, stats.snapshots, saving,
               status, shard_has_room(shard) ? "ok" : "err",
               storage.snapshot.bytes + storage.log_bytes - storage.history_bytes,
               storage.snapshot.bytes);
    struct metrics_sample sample;
    metrics_take(server, &sample);
    metrics_write_info(&sample, METRICS_LOG, out);
    server_info_backup(server, out);
}

static void section_stats(struct server *server, struct buf *out)
{
    struct metrics_sample sample;
    metrics_take(server, &sample);
    metrics_write_info(&sample, METRICS_CONNECTIONS, out);
    buf_printf(out,
               "instantaneous_ops_per_sec:%.0f\r\ninstantaneous_input_kbps:%.2f\r\n"
               "instantaneous_output_kbps:%.2f\r\n",
               sample.net.ops_per_second, sample.net.input_kbps, sample.net.output_kbps);
    metrics_write_info(&sample, METRICS_REJECTED, out);
    buf_add_text(out, "sync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\n"
                      "expired_stale_perc:0.00\r\nevicted_keys:0\r\nevicted_clients:0\r\n");
    metrics_write_info(&sample, METRICS_KEYSPACE, out);
    buf_add_text(out, "pubsub_channels:0\r\npubsub_patterns:0\r\nlatest_fork_usec:0\r\n"
                      "total_forks:0\r\n");
    metrics_write_info(&sample, METRICS_ERRORS, out);
    buf_printf(out,
               "io_threaded_reads_processed:%" PRIu64 "\r\nio_threaded_writes_processed:%" PRIu64
               "\r\n",
               sample.net.io_reads, sample.net.io_writes);
}

/* Offsets are indices of the log: they move with every write, and mean the same on all nodes. A
 * follower has read what is in its log, and taken what it has applied. */
static void add_slave(struct server *server, struct buf *out)
{
    const struct shard *shard = server_group(server);
    const struct raft *raft = shard_raft(shard);
    const struct cluster_node *leader = cluster_find(&server->cluster, shard_leader(shard));
    uint64_t silent_s = (server->now.mono_ms - raft_last_contact_ms(raft)) / 1000;
    buf_printf(out,
               "role:slave\r\nmaster_host:%s\r\nmaster_port:%u\r\nmaster_link_status:%s\r\n"
               "master_last_io_seconds_ago:%" PRId64
               "\r\nmaster_sync_in_progress:0\r\nslave_read_repl_offset:%" PRIu64
               "\r\nslave_repl_offset:%" PRIu64 "\r\n",
               leader ? cluster_client_ip(leader) : "?",
               leader ? (unsigned)cluster_client_port(leader) : 0, leader ? "up" : "down",
               leader ? (int64_t)silent_s : -1, raft_last_index(raft), shard_applied_index(shard));
    if (!leader)
        buf_printf(out, "master_link_down_since_seconds:%" PRIu64 "\r\n", silent_s);
    buf_add_text(out, "slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n");
}

size_t server_live_replicas(const struct server *server, struct raft_status *status)
{
    raft_status(shard_raft(server_group(server)), status);
    size_t count = 0;
    for (size_t i = 0; i < status->peer_count; i++)
        if (peers_link(server->peers, status->peers[i].id).connected &&
            cluster_find(&server->cluster, status->peers[i].id))
            status->peers[count++] = status->peers[i];
    return count;
}

static void add_slaves(struct server *server, struct buf *out)
{
    struct raft_status status;
    size_t count = 0;
    if (shard_is_leader(server_group(server)))
        count = server_live_replicas(server, &status);
    buf_printf(out, "connected_slaves:%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        const struct raft_peer_status *peer = &status.peers[i];
        const struct cluster_node *node = cluster_find(&server->cluster, peer->id);
        uint64_t silent_ms =
            peer->last_contact_ms ? server->now.mono_ms - peer->last_contact_ms : 0;
        buf_printf(out, "slave%zu:ip=%s,port=%u,state=%s,offset=%" PRIu64 ",lag=%" PRIu64 "\r\n", i,
                   cluster_client_ip(node), (unsigned)cluster_client_port(node),
                   peer->state == RAFT_SNAPSHOT ? "send_bulk" : "online", peer->match,
                   silent_ms / 1000);
    }
}

static void section_replication(struct server *server, struct buf *out)
{
    if (server_is_loading(server)) {
        buf_add_text(out, "role:slave\r\nmaster_link_status:down\r\nconnected_slaves:0\r\n");
        return;
    }
    const struct shard *shard = server_group(server);
    bool leads = shard_is_leader(shard);
    if (leads)
        buf_add_text(out, "role:master\r\n");
    else
        add_slave(server, out);
    add_slaves(server, out);
    buf_printf(out,
               "master_failover_state:no-failover\r\nmaster_replid:%s\r\n"
               "master_replid2:0000000000000000000000000000000000000000\r\n"
               "master_repl_offset:%" PRIu64
               "\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:0\r\nrepl_backlog_size:0\r\n"
               "repl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n",
               server->cluster.cluster_id,
               leads ? raft_last_index(shard_raft(shard)) : shard_applied_index(shard));
}

static void section_cpu(struct server *server, struct buf *out)
{
    (void)server;
    struct rusage own;
    struct rusage children;
    struct rusage loop; /* which is the thread that answers */
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_THREAD, &loop);
    getrusage(RUSAGE_CHILDREN, &children);
    buf_printf(
        out,
        "used_cpu_sys:%ld.%06ld\r\nused_cpu_user:%ld.%06ld\r\n"
        "used_cpu_sys_children:%ld.%06ld\r\nused_cpu_user_children:%ld.%06ld\r\n"
        "used_cpu_sys_main_thread:%ld.%06ld\r\nused_cpu_user_main_thread:%ld.%06ld\r\n",
        (long)own.ru_stime.tv_sec, (long)own.ru_stime.tv_usec, (long)own.ru_utime.tv_sec,
        (long)own.ru_utime.tv_usec, (long)children.ru_stime.tv_sec, (long)children.ru_stime.tv_usec,
        (long)children.ru_utime.tv_sec, (long)children.ru_utime.tv_usec, (long)loop.ru_stime.tv_sec,
        (long)loop.ru_stime.tv_usec, (long)loop.ru_utime.tv_sec, (long)loop.ru_utime.tv_usec);
}

static void section_modules(struct server *server, struct buf *out)
{
    (void)server;
    (void)out;
}

static void section_commandstats(struct server *server, struct buf *out)
{
    const struct net_command_stats *stats = net_command_stats(server->net);
    for (size_t id = 0; id < command_table_count(server->table); id++) {
        const struct net_command_stats *one = &stats[id];
        if (!one->calls && !one->rejected && !one->failed)
            continue;
        buf_printf(out,
                   "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64
                   ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
                   command_table_at(server->table, id)->fullname, one->calls, one->usec,
                   one->calls ? (double)one->usec / (double)one->calls : 0.0, one->rejected,
                   one->failed);
    }
}

static void add_error(void *context, struct span code, uint64_t count)
{
    buf_printf(context, "errorstat_%.*s:count=%" PRIu64 "\r\n", (int)code.len, code.ptr, count);
}

static void section_errorstats(struct server *server, struct buf *out)
{
    net_each_error(server->net, add_error, out);
}

static void section_cluster(struct server *server, struct buf *out)
{
    (void)server;
    buf_add_text(out, "cluster_enabled:1\r\n");
}

static void section_keyspace(struct server *server, struct buf *out)
{
    if (server_is_loading(server))
        return;
    const struct databases *databases = shard_databases(server_group(server));
    int64_t now_ms = shard_now_ms(server->shards[0], server->now);
    for (unsigned i = 0; i < DATABASES_MAX; i++) {
        const struct keyspace *keyspace = databases_find(databases, i);
        size_t keys = keyspace ? keyspace_count(keyspace) : 0;
        if (keys == 0)
            continue;
        int64_t mean = keyspace_mean_deadline(keyspace);
        int64_t ttl = mean > now_ms ? mean - now_ms : 0;
        buf_printf(out, "db%u:keys=%zu,expires=%zu,avg_ttl=%" PRId64 "\r\n", i, keys,
                   keyspace_count_with_deadline(keyspace), ttl);
    }
}

/* How a section takes part in the answer when it is not asked for by name. */
enum membership { IN_DEFAULT, IN_ALL };

static const struct {
    const char *name;
    const char *title;
    enum membership membership;
    void (*write)(struct server *server, struct buf *out);
} sections[] = {
    {"server", "Server", IN_DEFAULT, section_server},
    {"clients", "Clients", IN_DEFAULT, section_clients},
    {"memory", "Memory", IN_DEFAULT, section_memory},
    {"persistence", "Persistence", IN_DEFAULT, section_persistence},
    {"stats", "Stats", IN_DEFAULT, section_stats},
    {"replication", "Replication", IN_DEFAULT, section_replication},
    {"cpu", "CPU", IN_DEFAULT, section_cpu},
    {"modules", "Modules", IN_DEFAULT, section_modules},
    {"commandstats", "Commandstats", IN_ALL, section_commandstats},
    {"errorstats", "Errorstats", IN_DEFAULT, section_errorstats},
    {"latencystats", "Latencystats", IN_ALL, section_modules},
    {"cluster", "Cluster", IN_DEFAULT, section_cluster},
    {"keyspace", "Keyspace", IN_DEFAULT, section_keyspace},
    {"raft", "Raft", IN_DEFAULT, server_info_raft},
};

static bool wanted(const struct server_call *call, size_t section)
{
    bool by_default = sections[section].membership == IN_DEFAULT;
    if (call->argc == 1)
        return by_default;
    for (size_t i = 1; i < call->argc; i++) {
        if (span_is(call->args[i], sections[section].name) || span_is(call->args[i], "all") ||
            span_is(call->args[i], "everything") ||
            (by_default && span_is(call->args[i], "default")))
            return true;
    }
    return false;
}

void server_info(struct server *server, const struct server_call *call)
{
    struct buf text = {0};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!wanted(call, i))
            continue;
        buf_printf(&text, "%s# %s\r\n", text.len ? "\r\n" : "", sections[i].title);
        sections[i].write(server, &text);
    }
    resp_verbatim(call->reply, "txt", buf_span(&text));
    buf_close(&text);
}
