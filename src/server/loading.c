/* While the data folder is read, clients are answered with -LOADING, INFO and a few others work,
 * and the log says how far it is. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "platform/clock.h"
#include "server/server.h"

enum { TURN_MS = 10, SAY_MS = 1000 };

bool server_is_loading(const struct server *server)
{
    return server_group(server) == NULL;
}

void server_loading_begin(struct server *server)
{
    struct shard_time now = platform_now();
    server->loading = (struct loading){.started_wall_s = now.wall_ms / 1000,
                                       .started_ms = now.mono_ms,
                                       .turned_ms = now.mono_ms,
                                       .said_ms = now.mono_ms};
}

/* Nothing was changed yet, nobody waits for anything: the end may come at once. */
static _Noreturn void stop(const struct server *server)
{
    if (server->config.unixsocket[0])
        unlink(server->config.unixsocket);
    log_line(&server->log, LOG_NOTICE, "bye");
    exit(0);
}

static void turn(struct server *server)
{
    server->now_is_old = true;
    event_base_loop(server->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    server_clients_resume(server);
    server_clients_flush(server);
    if (server->stopping)
        stop(server);
}

void server_loading_progress(void *context, uint64_t bytes, uint64_t total)
{
    struct server *server = context;
    struct loading *loading = &server->loading;
    loading->bytes = bytes;
    loading->total = total;
    uint64_t now_ms = platform_now().mono_ms;
    if (now_ms < loading->turned_ms + TURN_MS)
        return;
    loading->turned_ms = now_ms;
    turn(server);
    server_watchdog_tick(server, now_ms);
    if (now_ms < loading->said_ms + SAY_MS)
        return;
    loading->said_ms = now_ms;
    server_tell_loading(server, 100.0 * (double)bytes / (double)total);
    log_line(&server->log, LOG_NOTICE, "loading: %.0f%% of %" PRIu64 " bytes",
             100.0 * (double)bytes / (double)total, total);
}

void server_loading_end(const struct server *server)
{
    log_line(&server->log, LOG_NOTICE, "data loaded: %" PRIu64 " bytes in %.3f seconds",
             server->loading.total,
             (double)(platform_now().mono_ms - server->loading.started_ms) / 1000);
}
