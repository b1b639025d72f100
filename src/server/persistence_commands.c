/* Snapshots on request. A snapshot is base and log in one, so that BGSAVE and BGREWRITEAOF are the
 * same here. */
#include "server/server.h"

static bool is_schedule(const struct server_call *call)
{
    return call->argc == 2 && span_equal_nocase(call->args[1], SPAN("schedule"));
}

static bool save_is_over(void *context)
{
    const struct server *server = context;
    return !shard_snapshot_goes_on(server_group(server));
}

static void answer_save(const struct shard *shard, const struct server_call *call)
{
    struct shard_stats stats = shard_stats(shard);
    if (!stats.snapshot_failed)
        resp_status(call->reply, "OK");
    else
        resp_errorf(call->reply, "ERR the snapshot could not be written: %s",
                    stats.snapshot_err ? err_text(stats.snapshot_err)
                                       : "entries of the log that it was to hold were replaced");
}

void server_save(struct server *server, const struct server_call *call)
{
    struct shard *shard = server_group(server);
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        if (shard_snapshot_goes_on(shard)) {
            resp_error(call->reply, "ERR Background save already in progress");
            return;
        }
        shard_snapshot(shard, server_now(server));
        net_client_wait(call->client, save_is_over, server);
        return;
    case NET_WAITED:
        answer_save(shard, call);
        return;
    case NET_UNBLOCKED:
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        return;
    }
}

void server_bgsave(struct server *server, const struct server_call *call)
{
    struct shard *shard = server_group(server);
    if (call->argc > 1 && !is_schedule(call)) {
        resp_error(call->reply, "ERR syntax error");
        return;
    }
    bool busy = shard_snapshot_goes_on(shard);
    if (busy && !is_schedule(call)) {
        resp_error(call->reply, "ERR Background save already in progress");
        return;
    }
    shard_snapshot(shard, server_now(server));
    resp_status(call->reply, busy ? "Background saving scheduled" : "Background saving started");
}

void server_bgrewriteaof(struct server *server, const struct server_call *call)
{
    struct shard *shard = server_group(server);
    bool busy = shard_snapshot_goes_on(shard);
    shard_snapshot(shard, server_now(server));
    resp_status(call->reply, busy ? "Background append only file rewriting scheduled"
                                  : "Background append only file rewriting started");
}

void server_lastsave(struct server *server, const struct server_call *call)
{
    resp_integer(call->reply, server_last_save_ms(server) / 1000);
}

/* As Redis: before the first one the start of the process. */
int64_t server_last_save_ms(const struct server *server)
{
    int64_t saved_ms = shard_stats(server_group(server)).snapshot_wall_ms;
    return saved_ms ? saved_ms : server->start_wall_ms;
}
