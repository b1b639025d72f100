/* From a configuration to a node that serves: each step fails with one clear line, and those that
 * could clash with another process come before the data folder is touched. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/mem.h"
#include "import/import.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/files.h"
#include "platform/thread.h"
#include "server/server.h"

enum {
    MESSAGE_MAX = 512,
    DEFAULT_PORT = 6379,
    PEER_OUTPUT_BYTES_MAX = 64 * 1024 * 1024,
    PENDING_BYTES_MAX = 64 * 1024 * 1024, /* of writes that are not committed yet */
    APPLY_ENTRIES_MAX = 4096,
    EXIT_CONTRADICTED = 3, /* as flotilla-check says corrupt */
};

static enum err fail(char *message, enum err err, const char *what, const char *subject)
{
    snprintf(message, MESSAGE_MAX, "%s '%.250s': %s", what, subject, err_text(err));
    return err;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

/* Without a secret anybody who reaches the port could speak as a node. */
static enum err check_secret(const struct server *server, char *message)
{
    if (server->cluster.count == 1 || server->config.cluster_secret[0])
        return ERR_NONE;
    for (size_t i = 0; i < server->cluster.count; i++) {
        if (is_loopback(server->cluster.nodes[i].host))
            continue;
        snprintf(message, MESSAGE_MAX,
                 "cluster-secret is not set: with nodes on other machines (node %" PRIu64
                 " at %.200s) it is needed, the same on all nodes",
                 server->cluster.nodes[i].id, server->cluster.nodes[i].host);
        return ERR_INVALID;
    }
    return ERR_NONE;
}

static enum err check_cluster_id(const char *id, char *message)
{
    if (strlen(id) == 40 && strspn(id, "0123456789abcdef") == 40 && strcmp(id, CLUSTER_NO_ID) != 0)
        return ERR_NONE;
    snprintf(message, MESSAGE_MAX,
             "cluster-id: '%.80s' is not 40 hexadecimal digits in lower case, with one that is not "
             "0",
             id);
    return ERR_INVALID;
}

/* Who belongs to the cluster is not known yet. */
static enum err read_seeking(struct server *server, char *message)
{
    const struct config *config = &server->config;
    memcpy(server->cluster.cluster_id, CLUSTER_NO_ID, sizeof server->cluster.cluster_id);
    enum err err = server_read_seeds(server, message);
    if (!err && config->cluster_id[0])
        err = check_cluster_id(config->cluster_id, message);
    for (size_t i = 0; !err && i < server->seeds.count; i++) {
        if (config->cluster_secret[0] || is_loopback(server->seeds.list[i].host))
            continue;
        snprintf(message, MESSAGE_MAX,
                 "cluster-secret is not set: with seeds on other machines (%.200s) it is needed, "
                 "the same on all nodes",
                 server->seeds.list[i].host);
        err = ERR_INVALID;
    }
    return err;
}

enum err server_read_cluster(struct server *server, char message[512])
{
    const struct config *config = &server->config;
    char alone[64];
    const char *nodes = config->cluster_nodes;
    server->self = config_node_id(config);
    if (config_seeks(config))
        return read_seeking(server, message);
    if (nodes[0] == '\0') {
        /* Without a port (Unix socket alone) nobody will call this node by its address. */
        snprintf(alone, sizeof alone, "%" PRIu64 "@127.0.0.1:%d", server->self,
                 config->port ? config->port : DEFAULT_PORT);
        nodes = alone;
    }
    enum err err = cluster_parse(&server->cluster, span_text(nodes), CLUSTER_NO_ID, message);
    if (!err && config->cluster_id[0])
        err = check_cluster_id(config->cluster_id, message);
    if (err)
        return err;
    if (!cluster_find(&server->cluster, server->self)) {
        snprintf(message, MESSAGE_MAX, "node-id %" PRIu64 " is not among cluster-nodes",
                 server->self);
        return ERR_INVALID;
    }
    server_announce_open(server);
    return check_secret(server, message);
}

static struct shard_time host_now(void *context)
{
    return server_now(context);
}

static int64_t host_wall_us(void *context)
{
    (void)context;
    return platform_wall_us();
}

static uint64_t host_clock_us(void *context, bool coarse)
{
    (void)context;
    return coarse ? platform_coarse_us() : platform_mono_us();
}

static uint64_t host_used_memory(void *context)
{
    return server_counted_memory(context);
}

static const char *host_accept_peer(void *context, int fd, const struct span *args, size_t argc,
                                    struct span rest)
{
    struct server *server = context;
    if (!server->peers)
        return NET_LOADING;
    return peers_accept(server->peers, fd, args, argc, rest);
}

struct net_host server_net_host(struct server *server)
{
    return (struct net_host){.context = server,
                             .run = server_run_command,
                             .accept_peer = host_accept_peer,
                             .used_memory = host_used_memory,
                             .now = host_now,
                             .wall_us = host_wall_us,
                             .clock_us = host_clock_us};
}

_Static_assert((int)CONFIG_IO_THREADS_MAX == (int)NET_IO_THREADS_MAX + 1, "with the loop's own");

static enum err open_net(struct server *server, char *message)
{
    struct net_settings settings = server_net_settings(server);
    struct net_options options = {.settings = &settings,
                                  .table = server->table,
                                  .cluster = &server->cluster,
                                  .log = &server->log,
                                  .self = server->self,
                                  .redis_version = FLOTILLA_REDIS_VERSION,
                                  .io_threads = (unsigned)server->config.io_threads - 1,
                                  .threads = {platform_thread_start, platform_thread_join},
                                  .host = server_net_host(server)};
    const struct config *config = &server->config;
    server->net = net_new(server->base, &options);
    enum err err = ERR_NONE;
    for (size_t i = 0; i < config->bind_count && config->port && !err; i++) {
        message[0] = '\0';
        err = net_listen(server->net, config->bind[i], (uint16_t)config->port, config->tcp_backlog,
                         message);
        if (!err && message[0])
            log_line(&server->log, LOG_WARNING, "%s", message);
    }
    if (!err && config->unixsocket[0])
        err = net_listen_unix(server->net, config->unixsocket, config->unixsocketperm,
                              config->tcp_backlog, message);
    if (!err)
        err = server_sentinel_open(server, message);
    return err ? err : server_http_open(server, message);
}

static enum err claim_folder(struct server *server, char *message)
{
    const char *dir = server->config.dir;
    enum err err = platform_make_folder(dir);
    if (err)
        return fail(message, err, "cannot use data folder", dir);
    long holder;
    err = platform_lock_folder(dir, &server->lock, &holder);
    if (err == ERR_BUSY) {
        snprintf(message, MESSAGE_MAX, "data folder '%.250s' is in use by process %ld", dir,
                 holder);
        return err;
    }
    return err ? fail(message, err, "cannot lock data folder", dir) : ERR_NONE;
}

static void host_send(void *context, uint64_t to, bool response, struct span bytes)
{
    struct server *server = context;
    peers_send(server->peers, to, response, bytes);
}

static void host_sent(void *context)
{
    struct server *server = context;
    peers_flush(server->peers);
}

/* At once: nothing that this node would still answer can be trusted. */
static void host_contradicted(void *context, const char *text)
{
    const struct server *server = context;
    log_line(&server->log, LOG_WARNING, "fatal: %s", text);
    _Exit(EXIT_CONTRADICTED);
}

static void say_hello(const struct server *server)
{
    const struct raft *raft = shard_raft(server_group(server));
    log_line(&server->log, LOG_NOTICE, "Flotilla %s, node %" PRIu64 " of %zu, cluster %s",
             FLOTILLA_VERSION, server->self, server->cluster.count, server->cluster.cluster_id);
    log_line(&server->log, LOG_NOTICE,
             "data folder '%s': %" PRIu64 " entries, term %" PRIu64 "; ready on port %d",
             server->config.dir, raft_last_index(raft), raft_term(raft), server->config.port);
}

static uint64_t host_clock(void *context)
{
    (void)context;
    return platform_mono_us();
}

_Static_assert((int)CONFIG_DATABASES_MAX == (int)DATABASES_MAX, "all of them");

enum err server_open_shard(struct server *server, char message[512])
{
    const struct config *config = &server->config;
    char folder[sizeof config->dir + 16];
    struct shard_options options = {.raft = server_raft_options(server),
                                    .storage =
                                        server_storage_options(server, folder, sizeof folder),
                                    .recovered = cluster_identity_recovered(&server->identity),
                                    .cluster = &server->cluster,
                                    .table = server->table,
                                    .host = net_shard_host(server->net),
                                    .disk = &server->disk_port,
                                    .log = &server->log,
                                    .seed = platform_random(),
                                    .hash_seed = platform_random(),
                                    .databases = (unsigned)config->databases,
                                    .leader_wait_ms = (uint32_t)config->leader_wait_ms,
                                    .sessions = server_session_terms(config),
                                    .apply_entries_max = APPLY_ENTRIES_MAX,
                                    .digest_interval_ms = (uint32_t)config->raft_digest_interval_ms,
                                    .digest_entries = (uint32_t)config->raft_digest_entries,
                                    .snapshot_log_bytes = config->raft_snapshot_log_bytes,
                                    .snapshot_keep_bytes = config->raft_snapshot_keep_bytes,
                                    .snapshot_bytes_per_s = config->raft_snapshot_bytes_per_second,
                                    .batch_bytes_max = PENDING_BYTES_MAX};
    options.host.clock = host_clock;
    options.host.send = host_send;
    options.host.sent = host_sent;
    options.host.contradicted = host_contradicted;
    options.host.membership_changed = server_follow_members;
    options.host.incarnation_is_void = server_incarnation_is_void;
    options.host.send_context = server;
    options.progress_context = server;
    options.progress = server_loading_progress;
    server->rules = server_value_rules(config);
    options.rules = &server->rules;
    server_loading_begin(server);
    struct shard *shard;
    enum err err = shard_open(&options, server->now, &shard, message);
    if (err)
        return err;
    server->shards[options.number] = shard;
    server_loading_end(server);
    net_set_shard(server->net, server_group(server));
    server_apply_fsync(server);
    err = server_note_log(server, message);
    if (!err)
        err = server_check_members(server, message);
    if (err)
        return err;
    server_follow_members(server);
    server_seek_open(server);
    say_hello(server);
    server_begin_close(server);
    return ERR_NONE;
}

static const char *on_peer_message(void *context, uint32_t number, const struct shard_peer *from,
                                   const struct span *args, size_t argc)
{
    struct server *server = context;
    struct shard *shard = server_shard(server, number);
    if (!shard) {
        server->peer_messages_without_shard++;
        return NULL;
    }
    enum err err = shard_message(shard, from, args, argc, server_now(server));
    return err ? shard_refusal(shard) : NULL;
}

static void on_peer_lost(void *context, uint64_t node)
{
    struct server *server = context;
    founding_lost(server->founding, node);
    for (uint32_t number = 0; server_shard(server, number); number++)
        shard_peer_lost(server_shard(server, number), node, server_now(server));
}

static void on_peer_alive(void *context, uint32_t number, const struct shard_peer *from,
                          uint32_t busy_ms)
{
    struct server *server = context;
    struct shard *shard = server_shard(server, number);
    if (shard)
        shard_peer_alive(shard, from->node, busy_ms, server_now(server));
}

static void open_peers(struct server *server)
{
    struct peer_options options = {.self = server->self,
                                   .cluster = &server->cluster,
                                   .secret = span_text(server->config.cluster_secret),
                                   .incarnation = server->identity.incarnation,
                                   .superseded = &server->identity.superseded,
                                   .guarded = server->config.requirepass[0] != '\0',
                                   .random = platform_random,
                                   .output_bytes_max = PEER_OUTPUT_BYTES_MAX,
                                   .log = &server->log,
                                   .events = {.context = server,
                                              .message = on_peer_message,
                                              .alive = on_peer_alive,
                                              .lost = on_peer_lost,
                                              .met = server_on_peer_met,
                                              .sought = server_on_sought,
                                              .told = server_on_peer_told}};
    server->peers = peers_new(server->base, &options);
    if (server_group(server))
        peers_require(server->peers, shard_version(server_group(server)));
}

/* As Redis, a node that has its data serves without: the disk may just be full. */
static void write_pidfile(const struct server *server)
{
    const char *path = server->config.pidfile;
    if (path[0] == '\0')
        return;
    FILE *file = fopen(path, "we");
    bool written = file && fprintf(file, "%d\n", (int)getpid()) > 0;
    if (file && fclose(file))
        written = false;
    if (!written)
        log_line(&server->log, LOG_WARNING, "cannot write pidfile '%s': %s", path, strerror(errno));
}

static void open_disk(struct server *server)
{
    server->disk = platform_disk_new();
    platform_disk_port(server->disk, 0, &server->disk_port);
    /* Half of the reserve: the other half is for votes, see storage_may_free(). */
    platform_disk_keep_free(server->disk, server->config.raft_disk_reserve_bytes / 2);
}

enum err server_check_import(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    server_log_open(server);
    server->table = command_table_new();
    open_disk(server);
    enum err err = server_read_import(server, message);
    import_free(server->import);
    platform_disk_free(server->disk);
    command_table_free(server->table);
    return err;
}

enum err server_open(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    server->now = platform_now();
    server->start_wall_ms = server->now.wall_ms;
    snprintf(server->run_id, sizeof server->run_id, "%016" PRIx64 "%016" PRIx64 "%08" PRIx64,
             platform_random(), platform_random(), platform_random() & 0xffffffff);
    server_log_open(server);
    server_watchdog_open(server);
    server->table = command_table_new();
    server_handlers_open(server);
    enum err err = server_read_cluster(server, message);
    open_disk(server);
    if (!err)
        err = server_fit_descriptors(server, message);
    if (!err)
        err = server_read_import(server, message);
    if (err)
        return err;
    server->base = event_base_new();
    err = open_net(server, message);
    if (!err)
        err = claim_folder(server, message);
    if (!err)
        err = server_open_identity(server, message);
    if (!err)
        err = server_backup_open(server, message);
    if (err)
        return err;
    server_watch_signals(server);
    server_begin_open(server);
    err = server_begin_single(server, message);
    if (!err && server_has_begun(server))
        err = server_open_shard(server, message);
    if (err)
        return err;
    write_pidfile(server);
    platform_sign_lock(server->lock);
    open_peers(server);
    return ERR_NONE;
}

void server_close(struct server *server)
{
    peers_free(server->peers);
    server_backup_close(server);
    for (uint32_t number = 0; server_shard(server, number); number++)
        shard_settle(server_shard(server, number));
    platform_disk_free(server->disk); /* writes what is queued */
    net_set_shard(server->net, NULL); /* clients that still wait end after it */
    for (uint32_t number = 0; number < SERVER_SHARDS; number++)
        shard_close(server_shard(server, number));
    if (server->seeking)
        mem_free(server->seeking);
    else
        mem_free(server->founding);
    import_free(server->import);
    server_http_close(server);
    server_sentinel_close(server);
    net_free(server->net);
    event_base_free(server->base);
    command_table_free(server->table);
    mem_free(server->handlers);
    if (server->config.pidfile[0])
        unlink(server->config.pidfile);
    if (server->config.unixsocket[0])
        unlink(server->config.unixsocket);
}
