/* From the configuration to the options of what the server is made of. */
#include <stdio.h>
#include <string.h>

#include "platform/entropy.h"
#include "server/server.h"

static enum net_debug debug_of(enum config_debug debug)
{
    switch (debug) {
    case CONFIG_DEBUG_NO:
        return NET_DEBUG_NO;
    case CONFIG_DEBUG_LOCAL:
        return NET_DEBUG_LOCAL;
    case CONFIG_DEBUG_YES:
        return NET_DEBUG_YES;
    }
    return NET_DEBUG_NO;
}

static enum net_follower_mode follower_mode_of(enum config_follower_mode mode)
{
    switch (mode) {
    case CONFIG_FOLLOWER_AUTO:
        return NET_FOLLOWER_AUTO;
    case CONFIG_FOLLOWER_PROXY:
        return NET_FOLLOWER_PROXY;
    case CONFIG_FOLLOWER_REDIRECT:
        return NET_FOLLOWER_REDIRECT;
    }
    return NET_FOLLOWER_REDIRECT;
}

struct session_terms server_session_terms(const struct config *config)
{
    return (struct session_terms){.ttl_ms = config->session_ttl_ms,
                                  .sessions_max = (uint32_t)config->session_max,
                                  .replies_max = (uint32_t)config->session_replies_max,
                                  .bytes_max = (uint32_t)config->session_bytes_max};
}

struct value_rules server_value_rules(const struct config *config)
{
    const struct config_forms *forms = &config->forms;
    return (struct value_rules){.hash_packed_entries = (size_t)forms->hash_entries,
                                .hash_packed_value = (size_t)forms->hash_value,
                                .set_intset_entries = (size_t)forms->intset_entries,
                                .set_packed_entries = (size_t)forms->set_entries,
                                .set_packed_value = (size_t)forms->set_value,
                                .zset_packed_entries = (size_t)forms->zset_entries,
                                .zset_packed_value = (size_t)forms->zset_value,
                                .list_packed_size = forms->list_size,
                                .stream_node_bytes = (size_t)forms->stream_bytes,
                                .stream_node_entries = (size_t)forms->stream_entries};
}

struct net_settings server_net_settings(const struct server *server)
{
    const struct config *config = &server->config;
    const struct config_output_limit *normal = &config->output_limits[CONFIG_CLIENT_NORMAL];
    const struct config_output_limit *pubsub = &config->output_limits[CONFIG_CLIENT_PUBSUB];
    struct net_settings settings = {
        .follower_mode = follower_mode_of(config->follower_mode),
        .endpoint_type = server_endpoint_type(server),
        .maxclients = (uint32_t)config->maxclients,
        .timeout_seconds = (uint32_t)config->timeout_seconds,
        .tcp_keepalive_seconds = (uint32_t)config->tcp_keepalive_seconds,
        .leader_wait_ms = (uint32_t)config->leader_wait_ms,
        .replica_max_lag_ms = (uint32_t)config->replica_max_lag_ms,
        .query_buffer_max = config->client_query_buffer_limit,
        .slowlog_slower_than_us = config->slowlog_log_slower_than,
        .slowlog_max_len = (size_t)config->slowlog_max_len,
        .slow_warning_ms = (uint32_t)config->raft_election_timeout_ms / 2,
        .output_pause = config->client_output_buffer_pause,
        .bulk_len_max = config->proto_max_bulk_len,
        .databases = (unsigned)config->databases,
        .maxmemory = config->maxmemory,
        .protected_mode = config->protected_mode,
        .debug = debug_of(config->enable_debug_command),
        .output_normal = {normal->hard_bytes, normal->soft_bytes, normal->soft_seconds},
        .output_pubsub = {pubsub->hard_bytes, pubsub->soft_bytes, pubsub->soft_seconds},
    };
    snprintf(settings.password, sizeof settings.password, "%s", config->requirepass);
    return settings;
}

struct raft_options server_raft_options(const struct server *server)
{
    const struct config *config = &server->config;
    struct raft_options options = {
        .id = server->self,
        .incarnation = server->identity.incarnation,
        .heartbeat_ms = (uint32_t)config->raft_heartbeat_ms,
        .election_timeout_ms = (uint32_t)config->raft_election_timeout_ms,
        .entries_per_append_max = (uint32_t)config->raft_max_entries_per_append,
        .bytes_per_append_max = (uint32_t)config->raft_max_append_bytes,
        .appends_in_flight_max = (uint32_t)config->raft_max_appends_in_flight,
        .bytes_in_flight_max = config->raft_max_append_bytes * 8,
        .snapshot_chunk_bytes = (uint32_t)config->raft_snapshot_chunk_bytes,
        .lease_drift_percent = (uint32_t)config->raft_lease_drift_percent,
        .voters_target = (uint32_t)config->raft_target_voters,
        .seed = platform_random(),
    };
    cluster_founders_membership(&server->identity.founders, &options.membership);
    return options;
}

static enum storage_sync sync_of(enum config_fsync fsync)
{
    switch (fsync) {
    case CONFIG_FSYNC_ALWAYS:
        return STORAGE_SYNC_ALWAYS;
    case CONFIG_FSYNC_EVERYSEC:
        return STORAGE_SYNC_EVERYSEC;
    case CONFIG_FSYNC_NO:
        return STORAGE_SYNC_NO;
    }
    return STORAGE_SYNC_ALWAYS;
}

void server_apply_fsync(struct server *server)
{
    shard_set_sync(server_group(server), sync_of(server->config.appendfsync));
    if (server->config.appendfsync != CONFIG_FSYNC_ALWAYS)
        log_line(
            &server->log, LOG_WARNING,
            "appendfsync is not 'always': writes are acknowledged before they are on a disk; a "
            "power loss of a majority loses up to %s",
            server->config.appendfsync == CONFIG_FSYNC_EVERYSEC
                ? "a second of them, and a vote may be forgotten"
                : "all that the system had not written, and a vote may be forgotten");
}

struct storage_options server_storage_options(const struct server *server, char *folder,
                                              size_t size)
{
    const struct config *config = &server->config;
    snprintf(folder, size, "%s/shard-0", config->dir);
    struct storage_options options = {
        .folder = folder,
        .append_folder = config->appenddirname,
        .append_filename = config->appendfilename,
        .identity = {.node_id = server->self, .incarnation = server->identity.incarnation},
        .superseded = &server->identity.superseded,
        .sync = sync_of(config->appendfsync),
        .cache_bytes_max = config->raft_entry_cache_bytes,
        .segment_bytes_max = config->raft_segment_bytes,
        .fill_bytes = config->raft_fill_bytes,
        .reserve_bytes = config->raft_disk_reserve_bytes,
        .log = &server->log};
    memcpy(options.identity.cluster_id, server->cluster.cluster_id,
           sizeof options.identity.cluster_id);
    return options;
}
