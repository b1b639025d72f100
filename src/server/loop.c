/* The event loop. A turn: wait, read all that is ready, let waiting clients go on, drive the
 * shards, write to the nodes, write to the clients. The clock is read once. */
#include <signal.h>
#include <stdlib.h>

#include <event2/event.h>

#include "platform/clock.h"
#include "server/server.h"

enum { WAIT_MS_MAX = 100 };

struct shard *server_shard(const struct server *server, uint32_t number)
{
    return number < SERVER_SHARDS ? server->shards[number] : NULL;
}

struct shard *server_shard_of_slot(const struct server *server, unsigned slot)
{
    return server_shard(server, cluster_shard_of_slot(slot));
}

struct shard *server_group(const struct server *server)
{
    return server_shard_of_slot(server, 0);
}

static void on_disk(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct server *server = context;
    struct disk_completion completion;
    platform_disk_woken(server->disk);
    while (platform_disk_take(server->disk, &completion))
        shard_disk_completed(server_shard(server, completion.shard), &completion,
                             server_now(server));
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context; /* the turn does the work */
}

struct shard_time server_now(struct server *server)
{
    if (server->now_is_old) {
        server->now = platform_now();
        server->now_is_old = false;
    }
    return server->now;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)what;
    struct server *server = context;
    if (server->stopping) {
        log_line(&server->log, LOG_WARNING, "signal %d again: the end, at once", (int)number);
        _Exit(1);
    }
    log_line(&server->log, LOG_NOTICE, "signal %d: shutting down", (int)number);
    server_stop(server);
}

void server_clients_resume(struct server *server)
{
    struct net *sentinel = server_sentinel_net(server);
    net_tick(server->net);
    net_resume(server->net);
    if (!sentinel)
        return;
    net_tick(sentinel);
    net_resume(sentinel);
}

void server_clients_flush(struct server *server)
{
    struct net *sentinel = server_sentinel_net(server);
    net_flush(server->net);
    if (!sentinel)
        return;
    server_sentinel_tick(server);
    net_flush(sentinel);
}

uint32_t server_clients_wait_ms(const struct server *server, uint32_t most)
{
    const struct net *sentinel = server_sentinel_net(server);
    most = net_wait_ms(server->net, most);
    return sentinel ? net_wait_ms(sentinel, most) : most;
}

void server_watch_signals(struct server *server)
{
    static const int signals[] = {SIGTERM, SIGINT};
    _Static_assert(sizeof signals / sizeof *signals == SERVER_SIGNALS, "one slot for each");
    for (size_t i = 0; i < SERVER_SIGNALS; i++) {
        server->signal_events[i] = evsignal_new(server->base, signals[i], on_signal, server);
        event_add(server->signal_events[i], NULL);
    }
}

static void watch(struct server *server)
{
    server->disk_event = event_new(server->base, platform_disk_fd(server->disk),
                                   EV_READ | EV_PERSIST, on_disk, server);
    event_add(server->disk_event, NULL);
    server->timer_event = evtimer_new(server->base, on_timer, server);
}

void server_stop(struct server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    server_tell_stopping(server);
    server->stop_deadline_ms =
        server->now.mono_ms + (uint64_t)server->config.shutdown_timeout_seconds * 1000;
    net_close_listeners(server->net);
    if (server->sentinel)
        net_close_listeners(server_sentinel_net(server));
    if (server->http)
        http_stop(server->http);
    server_hand_over(server);
}

/* The end comes when another node leads and nothing waits for the cluster any more, or when the
 * time is over. */
static bool may_end(struct server *server)
{
    if (!server->stopping)
        return false;
    if (server->now.mono_ms >= server->stop_deadline_ms)
        return true;
    if (server_is_handing_over(server))
        return false;
    for (uint32_t number = 0; number < SERVER_SHARDS; number++) {
        struct shard_stats stats = shard_stats(server_shard(server, number));
        if (stats.pending_writes || stats.pending_reads)
            return false;
    }
    return !server->http || !http_is_busy(server->http); /* what was carried out is told */
}

static void wait_for_events(struct server *server)
{
    uint64_t deadline = server->watchdog_due_ms;
    for (uint32_t number = 0; number < SERVER_SHARDS; number++) {
        uint64_t due = shard_deadline_ms(server_shard(server, number));
        if (due < deadline)
            deadline = due;
    }
    uint64_t wait_ms = deadline > server->now.mono_ms ? deadline - server->now.mono_ms : 0;
    uint32_t most = wait_ms < WAIT_MS_MAX ? (uint32_t)wait_ms : WAIT_MS_MAX;
    most = server_clients_wait_ms(server, most);
    struct timeval timeout = {.tv_sec = most / 1000, .tv_usec = (most % 1000) * 1000};
    if (most)
        event_add(server->timer_event, &timeout);
    server->now_is_old = true;
    /* Without EVLOOP_ONCE it would go on for as long as anything is ready to be read. */
    event_base_loop(server->base, EVLOOP_ONCE | (most ? 0 : EVLOOP_NONBLOCK));
}

static void turn(struct server *server)
{
    wait_for_events(server);
    struct shard_time now = server_now(server);
    server_watchdog_tick(server, now.mono_ms);
    server_memory_tick(server);
    server_clients_resume(server);
    for (uint32_t number = 0; number < SERVER_SHARDS; number++) {
        shard_tick(server_shard(server, number), now);
        shard_drive(server_shard(server, number), now);
    }
    server_seek_tick(server);
    server_backup_tick(server);
    peers_flush(server->peers);
    server_clients_flush(server);
    histogram_add(&server->turn_us, platform_mono_us() - now.mono_us);
}

static void serve(struct server *server)
{
    watch(server);
    while (!may_end(server))
        turn(server);
    event_free(server->disk_event);
    event_free(server->timer_event);
}

enum err server_run(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    enum err err = server_has_begun(server) ? ERR_NONE : server_begin(server, message);
    if (!err && server_is_loading(server) && !server->stopping)
        err = server_open_shard(server, message);
    if (err)
        return err;
    if (!server_is_loading(server))
        serve(server);
    server_clients_flush(server);
    log_line(&server->log, LOG_NOTICE, "bye");
    for (size_t i = 0; i < SERVER_SIGNALS; i++)
        if (server->signal_events[i])
            event_free(server->signal_events[i]);
    return ERR_NONE;
}
