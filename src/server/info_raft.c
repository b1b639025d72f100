/* INFO raft: the field names that RedisRaft made known, and what it lacks. */
#include <inttypes.h>

#include "server/server.h"

static const char *role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_PRECANDIDATE:
        return "pre-candidate";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "unknown";
}

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
    const struct shard *shard = server->shards[0];
    const struct cluster_node *node = cluster_find(&server->cluster, peer->id);
    struct peer_link link = peers_link(server->peers, peer->id);
    buf_printf(out, "raft_node%zu:id=%" PRIu64 ",state=%s,voting=%s,addr=%s,port=%u", number,
               peer->id, link.connected ? "connected" : "disconnected", peer->voter ? "yes" : "no",
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
    struct storage_status storage = storage_status(shard_storage(server->shards[0]));
    buf_printf(out,
               "raft_log_entries:%" PRIu64 "\r\nraft_first_log_index:%" PRIu64
               "\r\nraft_last_log_index:%" PRIu64 "\r\nraft_log_bytes:%" PRIu64
               "\r\nraft_cache_memory_size:%" PRIu64 "\r\nraft_cache_entries:%" PRIu64 "\r\n",
               storage.last_index ? storage.last_index - storage.first_index + 1 : 0,
               storage.first_index, storage.last_index, storage.log_bytes, storage.cache_bytes,
               storage.cache_entries);
    add_percentiles(out, "raft_fsync_usec", storage.sync_us);
}

static void add_activity(struct server *server, struct buf *out)
{
    struct shard_stats stats = shard_stats(server->shards[0]);
    struct raft_counters counters = raft_counters(shard_raft(server->shards[0]));
    buf_printf(out,
               "raft_elections_started:%" PRIu64 "\r\nraft_prevotes_started:%" PRIu64
               "\r\nraft_elections_won:%" PRIu64 "\r\nraft_leader_changes:%" PRIu64
               "\r\nraft_writes:%" PRIu64 "\r\nraft_reads:%" PRIu64 "\r\nraft_read_rounds:%" PRIu64
               "\r\nraft_pending_writes:%" PRIu64 "\r\nraft_pending_reads:%" PRIu64
               "\r\nraft_unknown_outcomes:%" PRIu64 "\r\n",
               counters.elections_started, counters.prevotes_started, counters.elections_won,
               counters.leader_changes, stats.writes, stats.reads, stats.read_rounds,
               stats.pending_writes, stats.pending_reads, stats.unknown_outcomes);
    add_percentiles(out, "raft_commit_usec", stats.commit_us);
}

void info_raft(struct server *server, struct buf *out)
{
    const struct shard *shard = server->shards[0];
    const struct raft *raft = shard_raft(shard);
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(raft, peers);
    size_t voters = 1;
    for (size_t i = 0; i < count; i++)
        voters += peers[i].voter;
    buf_printf(out,
               "raft_role:%s\r\nraft_state:up\r\nraft_dbid:%s\r\nraft_node_id:%" PRIu64
               "\r\nraft_leader_id:%" PRIu64 "\r\nraft_is_voting:yes\r\n"
               "raft_current_term:%" PRIu64 "\r\nraft_voted_for:%" PRIu64
               "\r\nraft_num_nodes:%zu\r\nraft_num_voting_nodes:%zu\r\nraft_commit_index:%" PRIu64
               "\r\nraft_last_applied_index:%" PRIu64 "\r\nraft_durable_index:%" PRIu64
               "\r\nraft_last_contact_ms:%" PRIu64 "\r\n",
               role_name(raft_role(raft)), server->cluster.cluster_id, raft_id(raft),
               raft_leader(raft), raft_term(raft), raft_vote(raft), count + 1, voters,
               raft_commit_index(raft), shard_applied_index(shard), raft_durable_index(raft),
               server->now.mono_ms - raft_last_contact_ms(raft));
    add_log(server, out);
    for (size_t i = 0; i < count; i++)
        add_node(server, i + 1, &peers[i], out);
    add_activity(server, out);
}
