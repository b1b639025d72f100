/* INFO raft: the field names that RedisRaft made known, and what it lacks. */
#include <inttypes.h>

#include "server/server.h"

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

static void add_log(struct server *server, struct buf *out)
{
    struct storage_status storage = storage_status(shard_storage(server_group(server)));
    buf_printf(out,
               "raft_log_entries:%" PRIu64 "\r\nraft_first_log_index:%" PRIu64
               "\r\nraft_last_log_index:%" PRIu64 "\r\nraft_log_bytes:%" PRIu64
               "\r\nraft_cache_memory_size:%" PRIu64 "\r\nraft_cache_entries:%" PRIu64 "\r\n",
               storage.last_index + 1 - storage.first_index, storage.first_index,
               storage.last_index, storage.log_bytes, storage.cache_bytes, storage.cache_entries);
    buf_printf(out,
               "raft_log_segments:%" PRIu64 "\r\nraft_log_history_bytes:%" PRIu64
               "\r\nraft_snapshot_index:%" PRIu64 "\r\nraft_snapshot_term:%" PRIu64
               "\r\nraft_snapshot_bytes:%" PRIu64 "\r\n",
               storage.segments, storage.history_bytes, storage.snapshot.index,
               storage.snapshot.term, storage.snapshot.bytes);
    buf_printf(out, "raft_disk_full:%d\r\nraft_disk_free_bytes:%" PRId64 "\r\n",
               !shard_has_room(server_group(server)),
               storage.free_bytes == UINT64_MAX ? -1 : (int64_t)storage.free_bytes);
    buf_printf(out, "raft_fsync_last_usec:%" PRIu64 "\r\n", storage.last_sync_us);
    add_percentiles(out, "raft_fsync_usec", storage.sync_us);
}

static void add_activity(struct server *server, struct buf *out)
{
    struct shard_stats stats = shard_stats(server_group(server));
    struct raft_counters counters = raft_counters(shard_raft(server_group(server)));
    buf_printf(out,
               "raft_elections_started:%" PRIu64 "\r\nraft_prevotes_started:%" PRIu64
               "\r\nraft_elections_won:%" PRIu64 "\r\nraft_leader_changes:%" PRIu64
               "\r\nraft_transfers_started:%" PRIu64 "\r\nraft_transfers_aborted:%" PRIu64
               "\r\nraft_writes:%" PRIu64 "\r\nraft_reads:%" PRIu64 "\r\nraft_read_rounds:%" PRIu64
               "\r\nraft_pending_writes:%" PRIu64 "\r\nraft_pending_reads:%" PRIu64
               "\r\nraft_held_reads:%" PRIu64 "\r\nraft_forwarded_writes:%" PRIu64
               "\r\nraft_reissued_writes:%" PRIu64 "\r\nraft_unknown_outcomes:%" PRIu64
               "\r\nraft_sessions:%" PRIu64 "\r\nraft_session_bytes:%" PRIu64
               "\r\nraft_session_repeats:%" PRIu64 "\r\n",
               counters.elections_started, counters.prevotes_started, counters.elections_won,
               counters.leader_changes, counters.transfers_started, counters.transfers_aborted,
               stats.writes, stats.reads, stats.read_rounds, stats.pending_writes,
               stats.pending_reads, stats.held_reads, stats.forwarded, stats.reissued,
               stats.unknown_outcomes, stats.sessions, stats.session_bytes, stats.session_repeats);
    buf_printf(out,
               "raft_snapshot_in_progress:%d\r\nraft_snapshots:%" PRIu64
               "\r\nraft_snapshots_failed:%" PRIu64 "\r\nraft_snapshot_last_ms:%" PRIu64
               "\r\nraft_snapshots_sent:%" PRIu64 "\r\nraft_snapshots_installed:%" PRIu64 "\r\n",
               shard_snapshot_goes_on(server_group(server)), stats.snapshots,
               stats.snapshots_failed, stats.snapshot_ms, counters.snapshots_sent, stats.installs);
    buf_printf(out,
               "raft_digest_disputed:%d\r\nraft_digests_compared:%" PRIu64
               "\r\nraft_digest_agreed_index:%" PRIu64 "\r\nraft_data_digest:%016" PRIx64 "\r\n",
               shard_is_disputed(server_group(server)), stats.digests_compared, stats.digest_index,
               databases_sum(shard_databases(server_group(server))));
    struct peer_stats peers = peers_stats(server->peers);
    buf_printf(out,
               "peer_handshakes_refused:%" PRIu64 "\r\npeer_messages_refused:%" PRIu64
               "\r\npeer_messages_without_shard:%" PRIu64 "\r\n",
               peers.handshakes_refused, peers.messages_refused,
               server->peer_messages_without_shard);
    add_percentiles(out, "raft_commit_usec", stats.commit_us);
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
    add_log(server, out);
    for (size_t i = 0; i < status.peer_count; i++)
        add_node(server, i + 1, &status.peers[i], out);
    add_activity(server, out);
    server_info_seeds(server, out);
}
