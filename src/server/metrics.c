/* Taking the numbers, and showing them in INFO. */
#include "server/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SECOND_MS = 1000 };

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void take_process(const struct server *server, struct metrics_sample *sample)
{
    struct rusage own;
    struct rlimit limit = {.rlim_cur = 0};
    getrusage(RUSAGE_SELF, &own);
    getrlimit(RLIMIT_NOFILE, &limit);
    sample->cpu_system_seconds = seconds_of(own.ru_stime);
    sample->cpu_user_seconds = seconds_of(own.ru_utime);
    sample->descriptors_max = limit.rlim_cur;
    sample->uptime_seconds = (uint64_t)(server->now.wall_ms - server->start_wall_ms) / SECOND_MS;
    sample->started_seconds = (uint64_t)server->start_wall_ms / SECOND_MS;
}

static void take_memory(struct server *server, struct metrics_sample *sample)
{
    sample->usage = server_usage(server);
    sample->memory = server_memory();
    sample->memory_resident = server_resident();
    if (sample->usage.used > server->used_memory_peak)
        server->used_memory_peak = sample->usage.used;
    sample->memory_peak = server->used_memory_peak;
    sample->maxmemory = server->config.maxmemory;
    sample->memory_of_system = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (sample->usage.used)
        sample->fragmentation = (double)sample->memory_resident / (double)sample->usage.used;
}

static bool is_connected(const struct server *server, uint64_t id)
{
    return server->peers && peers_link(server->peers, id).connected;
}

static void take_members(const struct server *server, struct metrics_sample *sample)
{
    const struct raft_status *raft = &sample->raft;
    sample->voters = sample->voters_connected = raft->self_is_voter;
    for (size_t i = 0; i < raft->peer_count; i++) {
        bool connected = is_connected(server, raft->peers[i].id);
        sample->voters += raft->peers[i].voter;
        sample->voters_connected += raft->peers[i].voter && connected;
        sample->replicas_connected += sample->leads && connected;
    }
}

static void take_shard(struct server *server, struct metrics_sample *sample)
{
    const struct shard *shard = server_group(server);
    sample->is_up = true;
    sample->shard = shard_stats(shard);
    sample->storage = storage_status(shard_storage(shard));
    raft_status(shard_raft(shard), &sample->raft);
    sample->counters = raft_counters(shard_raft(shard));
    sample->leads = shard_is_leader(shard);
    sample->leader_id = shard_leader(shard);
    sample->has_leader = sample->link_up = sample->leader_id != 0;
    sample->applied_index = shard_applied_index(shard);
    sample->replication_offset = sample->leads ? sample->raft.last_index : sample->applied_index;
    sample->last_contact_ms = server->now.mono_ms - sample->raft.last_contact_ms;
    sample->log_entries = sample->storage.last_index + 1 - sample->storage.first_index;
    sample->log_file_bytes =
        sample->storage.snapshot.bytes + sample->storage.log_bytes - sample->storage.history_bytes;
    sample->dirty = sample->shard.dirty;
    sample->last_save_seconds = (uint64_t)server_last_save_ms(server) / SECOND_MS;
    sample->saves = shard_snapshot_goes_on(shard);
    sample->disk_full = !shard_has_room(shard);
    sample->disputed = shard_is_disputed(shard);
    sample->clock_offset_ms = server->now.wall_ms - shard_now_ms(shard, server->now);
    if (sample->storage.free_bytes != UINT64_MAX)
        sample->disk_free_bytes = sample->storage.free_bytes;
    take_members(server, sample);
}

void metrics_take(struct server *server, struct metrics_sample *sample)
{
    memset(sample, 0, sizeof *sample);
    server_now(server);
    sample->net = net_stats(server->net);
    if (server->peers)
        sample->peers = peers_stats(server->peers);
    if (server->http)
        sample->http = http_stats(server->http);
    sample->messages_without_shard = server->peer_messages_without_shard;
    sample->maxclients = (uint64_t)server->config.maxclients;
    sample->disk_reserve_bytes = server->config.raft_disk_reserve_bytes;
    for (size_t i = 0; i < server->cluster.count; i++)
        sample->cluster_connections += is_connected(server, server->cluster.nodes[i].id);
    take_memory(server, sample);
    take_process(server, sample);
    sample->loads = server_has_begun(server) && server_is_loading(server);
    sample->shard.commit_us = sample->storage.sync_us = &sample->no_durations;
    if (server_group(server))
        take_shard(server, sample);
}

/* --- INFO --- */

/* 1536 as "1.50K", as Redis prints sizes for people. */
void metrics_add_human(struct buf *out, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 2 < sizeof units; unit++)
        value /= 1024;
    if (unit == 0)
        buf_printf(out, "%s_human:%" PRIu64 "B\r\n", name, bytes);
    else
        buf_printf(out, "%s_human:%.2f%c\r\n", name, value, units[unit]);
}

static void write_row(const struct metrics_sample *sample, const struct metric *metric,
                      struct buf *out)
{
    const char *at = (const char *)sample + metric->offset;
    uint64_t number = 0;
    switch (metric->field) {
    case METRICS_U64:
        memcpy(&number, at, sizeof number);
        buf_printf(out, "%s:%" PRIu64 "\r\n", metric->info, number);
        break;
    case METRICS_I64:
        memcpy(&number, at, sizeof number);
        buf_printf(out, "%s:%" PRId64 "\r\n", metric->info, (int64_t)number);
        break;
    case METRICS_DOUBLE:
        buf_printf(out, "%s:%.2f\r\n", metric->info, *(const double *)(const void *)at);
        break;
    case METRICS_BOOL:
        buf_printf(out, "%s:%d\r\n", metric->info, *(const bool *)at);
        break;
    }
    if (metric->form == METRICS_WITH_HUMAN)
        metrics_add_human(out, metric->info, number);
}

void metrics_write_info(const struct metrics_sample *sample, enum metrics_group group,
                        struct buf *out)
{
    const struct metric *metric;
    for (size_t i = 0; (metric = metrics_at(i)) != NULL; i++)
        if (metric->group == group && metric->info)
            write_row(sample, metric, out);
}
