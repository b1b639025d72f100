/* INFO raft: the field names that RedisRaft made known, and what it lacks. */
#include <inttypes.h>

#include "server/metrics.h"

static const char *progress_name(enum raft_progress_state state)
{
    switch (state) {
    case RAFT_PROBE:
        return "probe";
    case RAFT_REPLICATE:
        return "replicate";
    case RAFT_SNAPSHOT:
        return "snapshot";
    }
    return "unknown";
}

static void add_percentiles(struct buf *out, const char *name, const struct histogram *histogram)
{
    buf_printf(out,
               "%s:count=%" PRIu64 ",p50=%" PRIu64 ",p99=%" PRIu64 ",p99.9=%" PRIu64 ",max=%" PRIu64
               "\r\n",
               name, histogram->count, histogram_percentile(histogram, 50),
               histogram_percentile(histogram, 99), histogram_percentile(histogram, 99.9),
               histogram->max);
}

static void add_node(struct server *server, size_t number, const struct raft_peer_status *peer,
                     struct buf *out)
{
    const struct shard *shard = server_group(server);
    const struct cluster_node *node = cluster_find(&server->cluster, peer->id);
    struct peer_link link = peers_link(server->peers, peer->id);
    buf_printf(out,
               "raft_node%zu:id=%" PRIu64 ",incarnation=%" PRIx64 ",version=%" PRIu32
               ",state=%s,voting=%s,addr=%s,port=%u",
               number, peer->id, peer->incarnation, shard_version_of(shard, peer->id),
               link.connected ? "connected" : "disconnected", peer->voter ? "yes" : "no",
               node ? node->host : "", node ? (unsigned)node->port : 0);
    if (shard_is_leader(shard)) {
        uint64_t last = raft_last_index(shard_raft(shard));
        buf_printf(out,
                   ",progress=%s,match=%" PRIu64 ",next=%" PRIu64 ",lag=%" PRIu64
                   ",in_flight=%u,in_flight_bytes=%" PRIu64 ",last_contact_ms=%" PRIu64,
                   progress_name(peer->state), peer->match, peer->next,
                   last > peer->match ? last - peer->match : 0, peer->in_flight,
                   peer->in_flight_bytes,
                   peer->last_contact_ms ? server->now.mono_ms - peer->last_contact_ms : 0);
    }
    buf_printf(out, ",connects=%" PRIu64 ",dropped=%" PRIu64 "\r\n", link.connects, link.dropped);
}

static void add_log(const struct metrics_sample *sample, struct buf *out)
{
    metrics_write_info(sample, METRICS_RAFT_LOG, out);
    metrics_write_info(sample, METRICS_RAFT_DISK, out);
    const struct storage_status *storage = &sample->storage;
    buf_printf(out, "raft_disk_free_bytes:%" PRId64 "\r\nraft_fsync_last_usec:%" PRIu64 "\r\n",
               storage->free_bytes == UINT64_MAX ? -1 : (int64_t)storage->free_bytes,
               storage->last_sync_us);
    add_percentiles(out, "raft_fsync_usec", storage->sync_us);
}

static void add_activity(const struct server *server, const struct metrics_sample *sample,
                         struct buf *out)
{
    metrics_write_info(sample, METRICS_RAFT_ACTIVITY, out);
    metrics_write_info(sample, METRICS_RAFT_SNAPSHOTS, out);
    buf_printf(out, "raft_data_digest:%016" PRIx64 "\r\n",
               databases_sum(shard_databases(server_group(server))));
    metrics_write_info(sample, METRICS_RAFT_PEERS, out);
    add_percentiles(out, "raft_commit_usec", sample->shard.commit_us);
    add_percentiles(out, "raft_turn_usec", &server->turn_us);
}

static void add_membership(const struct raft_status *status, struct buf *out)
{
    size_t voters = status->self_is_voter;
    for (size_t i = 0; i < status->peer_count; i++)
        voters += status->peers[i].voter;
    buf_printf(out,
               "raft_num_nodes:%zu\r\nraft_num_voting_nodes:%zu\r\nraft_is_voting:%s\r\n"
               "raft_membership_index:%" PRIu64 "\r\nraft_membership_state:%s\r\n"
               "raft_transfer_target:%" PRIu64 "\r\n",
               status->peer_count + 1, voters, status->self_is_voter ? "yes" : "no",
               status->change_index,
               status->joint                 ? "joint"
               : status->change_is_committed ? "stable"
                                             : "changing",
               status->transfer_target);
}

static void add_versions(const struct shard *shard, struct buf *out)
{
    buf_printf(out,
               "raft_version:%" PRIu32 "\r\nraft_version_agreed:%" PRIu32
               "\r\nraft_forwarding:%s\r\n",
               shard_version_of(shard, raft_id(shard_raft(shard))), shard_version(shard),
               shard_forwards(shard) ? "on" : "off");
}

void server_info_raft(struct server *server, struct buf *out)
{
    if (server_is_loading(server)) {
        buf_printf(
            out,
            "raft_role:follower\r\nraft_state:%s\r\nraft_dbid:%s\r\n"
            "raft_node_id:%" PRIu64 "\r\nraft_incarnation:%016" PRIx64 "\r\nraft_begin:%s\r\n",
            server_has_begun(server) ? "loading" : "beginning", server->cluster.cluster_id,
            server->self, server->identity.incarnation, cluster_begin_name(server->identity.begin));
        server_info_seeds(server, out);
        return;
    }
    const struct shard *shard = server_group(server);
    struct raft_status status;
    raft_status(shard_raft(shard), &status);
    uint64_t now_ms = server->now.mono_ms;
    buf_printf(out,
               "raft_role:%s\r\nraft_state:up\r\nraft_dbid:%s\r\nraft_node_id:%" PRIu64
               "\r\nraft_incarnation:%016" PRIx64 "\r\nraft_leader_id:%" PRIu64
               "\r\nraft_current_term:%" PRIu64 "\r\nraft_voted_for:%" PRIu64
               "\r\nraft_commit_index:%" PRIu64 "\r\nraft_last_applied_index:%" PRIu64
               "\r\nraft_durable_index:%" PRIu64 "\r\nraft_last_contact_ms:%" PRIu64
               "\r\nraft_lease_ms:%" PRIu64 "\r\n",
               raft_role_name(status.role), server->cluster.cluster_id, raft_id(shard_raft(shard)),
               server->identity.incarnation, status.leader, status.term, status.vote,
               status.commit_index, shard_applied_index(shard), status.durable_index,
               now_ms - status.last_contact_ms,
               status.lease_until_ms > now_ms ? status.lease_until_ms - now_ms : 0);
    int64_t clock_ms = shard_now_ms(shard, server->now);
    buf_printf(out, "raft_clock_ms:%" PRId64 "\r\nraft_clock_offset_ms:%" PRId64 "\r\n", clock_ms,
               server->now.wall_ms - clock_ms);
    add_membership(&status, out);
    add_versions(shard, out);
    struct metrics_sample sample;
    metrics_take(server, &sample);
    add_log(&sample, out);
    for (size_t i = 0; i < status.peer_count; i++)
        add_node(server, i + 1, &status.peers[i], out);
    add_activity(server, &sample, out);
    server_info_seeds(server, out);
}
