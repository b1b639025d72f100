/* Until the cluster has begun: nodes tell each other what they know (cluster/founding.h decides),
 * clients are told for whom this one waits. */
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "base/mem.h"
#include "platform/entropy.h"
#include "server/server.h"
#include "wire/hello.h"

enum { WAIT_MS_MAX = 100, SAY_AFTER_MS = 500 };

bool server_has_begun(const struct server *server)
{
    return server->founding && founding_has_begun(server->founding);
}

void server_begin_open(struct server *server)
{
    struct founding_options options = {
        .self = server->identity.node_id,
        .cluster = server->cluster.count ? &server->cluster : NULL,
        .cluster_id = server->config.cluster_id[0] ? server->config.cluster_id : NULL,
        .mark = server->import_mark,
        .alone = server->begin_alone,
        .drawn_incarnation = platform_draw_incarnation(),
        .stored = server->identity};
    platform_draw_cluster_id(options.drawn_id);
    if (!config_seeks(&server->config)) {
        server->founding = mem_zalloc(sizeof *server->founding);
        founding_init(server->founding, &options, server_now(server).mono_ms);
        return;
    }
    server->seeking = mem_zalloc(sizeof *server->seeking);
    server->founding = &server->seeking->founding;
    server->asks = true;
    seeking_init(server->seeking, &options, (unsigned)server->config.raft_bootstrap_expect,
                 server_now(server).mono_ms);
}

/* ---- messages ---- */

static void send_said(struct server *server, uint64_t to, bool response)
{
    struct founding_said said;
    struct buf bytes = {0};
    founding_say(server->founding, &said);
    said.asks = !response;
    founding_encode(&bytes, &said);
    peers_send(server->peers, to, response, buf_span(&bytes));
    buf_close(&bytes);
}

static void ask_all(struct server *server)
{
    if (server->seeking)
        server_seek_ask(server);
    for (size_t i = 0; i < server->cluster.count; i++)
        if (server->cluster.nodes[i].id != server->self)
            send_said(server, server->cluster.nodes[i].id, false);
}

void server_on_peer_met(void *context, const struct shard_peer *peer, const char *cluster_id,
                        bool dialled)
{
    static const struct cluster_announcement nothing = {.port = 0};
    struct server *server = context;
    (void)cluster_id; /* the node says it itself */
    if (dialled && peer->version >= WIRE_VERSION_ANNOUNCES)
        server_announce_to(server, peer->node);
    if (!dialled)
        cluster_set_announced(&server->cluster, peer->node, &nothing);
    founding_met(server->founding, peer->node, peer->incarnation);
    for (uint32_t number = 0; server_shard(server, number); number++)
        shard_peer_met(server_shard(server, number), peer, server_now(server));
}

/* Whom this node met before there was a shard. */
void server_begin_close(struct server *server)
{
    for (size_t i = 0; i < server->founding->peer_count; i++) {
        const struct founding_peer *met = &server->founding->peers[i];
        struct shard_peer peer = {.node = met->id, .incarnation = met->incarnation};
        if (met->reached)
            peer.version = peers_link(server->peers, met->id).version;
        for (uint32_t number = 0; met->reached && server_shard(server, number); number++)
            shard_peer_met(server_shard(server, number), &peer, server_now(server));
    }
}

bool server_on_peer_told(void *context, const struct shard_peer *from, const struct span *args,
                         size_t argc)
{
    struct server *server = context;
    if (cluster_announcement_is_message(args, argc))
        return server_hear_announcement(server, from, args, argc);
    struct founding_said said;
    if (!founding_parse(args, argc, &said) || said.id != from->node ||
        said.incarnation != from->incarnation)
        return false;
    founding_heard(server->founding, &said);
    if (said.asks)
        send_said(server, from->node, true);
    return true;
}

/* ---- what is stored ---- */

/* The data that the cluster begins with. A start after a crash needs no second import once it is
 * there. */
static enum err bring_data(struct server *server, char *message)
{
    if (!server->import || server->identity.founders.count == 0)
        return ERR_NONE;
    enum err err = server_write_import(server, message);
    if (!err)
        err = server_note_log(server, message);
    server->founding->stored.has_log = server->identity.has_log;
    return err;
}

/* The nodes that an identity names: those of the record, or this one alone. */
static void take_nodes(struct server *server)
{
    struct cluster cluster;
    char message[256];
    const char *list = server->identity.list;
    if (list[0] == '\0' || server->identity.begin == CLUSTER_EMPTY)
        server->cluster.count = 0;
    else if (cluster_parse(&cluster, span_text(list), CLUSTER_NO_ID, message) == ERR_NONE)
        server->cluster = cluster;
    const struct cluster_node *self = cluster_find(&server->cluster, server->self);
    if (self && server->own_address[0] == '\0')
        cluster_address(self, server->own_address);
    server_announce_open(server);
}

void server_become(struct server *server)
{
    const struct cluster_identity *identity = &server->identity;
    bool renamed = server->self != identity->node_id;
    server->self = identity->node_id;
    if (config_seeks(&server->config))
        take_nodes(server);
    cluster_set_id(&server->cluster, identity->cluster_id);
    if (renamed)
        net_set_self(server->net, server->self);
    if (renamed && server->sentinel)
        net_set_self(server_sentinel_net(server), server->self);
    if (!server->peers)
        return;
    peers_set_self(server->peers, server->self);
    peers_follow(server->peers);
}

/* The data is there before this node says that it has the record. */
static enum err store(struct server *server, const struct cluster_identity *identity, char *message)
{
    bool renamed = identity->incarnation != server->identity.incarnation;
    server->identity = *identity;
    enum err err = server_store_identity(server, message);
    if (err)
        return err;
    server_become(server);
    err = bring_data(server, message);
    if (err)
        return err;
    founding_stored(server->founding);
    server->founding->stored.has_log = server->identity.has_log;
    if (renamed)
        peers_restart(server->peers, identity->incarnation);
    return ERR_NONE;
}

static void say_begin(struct server *server)
{
    const struct cluster_identity *identity = &server->identity;
    switch (identity->begin) {
    case CLUSTER_EMPTY:
        break;
    case CLUSTER_FOUNDING:
        log_line(&server->log, LOG_NOTICE, "cluster %s: the founders' record is stored",
                 identity->cluster_id);
        break;
    case CLUSTER_BEGUN:
        log_line(&server->log, LOG_NOTICE, "cluster %s %s", identity->cluster_id,
                 identity->founders.count
                     ? "has begun"
                     : "has begun without this node: the leader will take it in");
        break;
    }
}

/* A node that founds a cluster with data needs the data as well. One that stopped between the
 * record and the data gets it before it says anything: what it says may be all that the others wait
 * for. */
static enum err complete_data(struct server *server, char *message)
{
    const struct cluster_identity *identity = &server->identity;
    if (identity->begin == CLUSTER_BEGUN || identity->founders.count == 0 ||
        identity->founders.mark == 0 || identity->has_log)
        return ERR_NONE;
    if (server->import)
        return bring_data(server, message);
    snprintf(message, 512,
             "this node founds a cluster that begins with data: start it with the same --import "
             "once more");
    return ERR_INVALID;
}

static enum err step(struct server *server, char *message)
{
    struct founding_update update;
    do {
        uint64_t now_ms = server_now(server).mono_ms;
        if (server->seeking) {
            server_seek(server);
            seeking_step(server->seeking, now_ms, &update);
        } else {
            founding_step(server->founding, now_ms, &update);
        }
        if (update.ask && server->peers)
            ask_all(server);
        if (!update.store)
            continue;
        enum err err = store(server, update.store, message);
        if (err)
            return err;
        say_begin(server);
    } while (update.store);
    return ERR_NONE;
}

/* To clients at once; in the log once it has stayed so for a while: most states pass in a moment.
 */
static void describe(struct server *server)
{
    static const char prefix[] = "CLUSTERDOWN the cluster has not begun: ";
    char text[sizeof server->begin_text];
    memcpy(text, prefix, sizeof prefix);
    if (server->seeking)
        seeking_describe(server->seeking, text + sizeof prefix - 1);
    else
        founding_describe(server->founding, text + sizeof prefix - 1);
    uint64_t now_ms = server_now(server).mono_ms;
    if (strcmp(text, server->begin_text) != 0) {
        memcpy(server->begin_text, text, sizeof text);
        net_set_absence(server->net, server->begin_text);
        server->begin_text_ms = now_ms;
        server->begin_text_said = false;
    }
    if (server->begin_text_said || now_ms < server->begin_text_ms + SAY_AFTER_MS)
        return;
    server->begin_text_said = true;
    log_line(&server->log, LOG_NOTICE, "%s", text + strlen("CLUSTERDOWN "));
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

static void wait_for_events(struct server *server, struct event *timer)
{
    uint64_t deadline = founding_deadline_ms(server->founding);
    uint64_t now_ms = server_now(server).mono_ms;
    if (server->watchdog_due_ms < deadline)
        deadline = server->watchdog_due_ms;
    uint64_t wait_ms = deadline > now_ms ? deadline - now_ms : 0;
    uint32_t most =
        server_clients_wait_ms(server, wait_ms < WAIT_MS_MAX ? (uint32_t)wait_ms : WAIT_MS_MAX);
    struct timeval timeout = {.tv_sec = most / 1000, .tv_usec = (most % 1000) * 1000};
    if (most)
        event_add(timer, &timeout);
    server->now_is_old = true;
    event_base_loop(server->base, EVLOOP_ONCE | (most ? 0 : EVLOOP_NONBLOCK));
}

enum err server_begin_single(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    enum err err = ERR_NONE;
    if (server->cluster.count == 1 && !server_has_begun(server))
        err = complete_data(server, message);
    while (!err && server->cluster.count == 1 && !server_has_begun(server))
        err = step(server, message);
    return err;
}

enum err server_begin(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    struct event *timer = evtimer_new(server->base, on_timer, NULL);
    enum err err = complete_data(server, message);
    while (!err && !server->stopping) {
        err = step(server, message);
        peers_flush(server->peers);
        if (server_has_begun(server))
            break;
        describe(server);
        server_clients_flush(server);
        wait_for_events(server, timer);
        server_watchdog_tick(server, server_now(server).mono_ms);
        server_clients_resume(server);
    }
    event_free(timer);
    net_set_absence(server->net, NULL);
    server->begin_text[0] = '\0';
    return err;
}
