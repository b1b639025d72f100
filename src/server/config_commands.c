#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "platform/files.h"
#include "server/server.h"

struct matching {
    const struct server_call *call;
    struct span name; /* of the directive that matched last, as it is to be answered */
    struct buf pairs;
    size_t count;
    int protocol;
};

/* As Redis: what was asked for without a pattern is answered under the name it was asked by. */
static bool is_literal(struct span pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (strchr("*?[\\", pattern.ptr[i]))
            return false;
    return true;
}

static bool matches(void *context, const char *name)
{
    struct matching *matching = context;
    matching->name = span_text(name);
    for (size_t i = 2; i < matching->call->argc; i++) {
        struct span asked = matching->call->args[i];
        if (!command_glob(asked, span_text(name), true))
            continue;
        if (is_literal(asked))
            matching->name = asked;
        return true;
    }
    return false;
}

static void collect(void *context, const char *name, struct span value)
{
    struct matching *matching = context;
    struct resp_writer writer = {.out = &matching->pairs, .protocol = matching->protocol};
    (void)name;
    resp_bulk(&writer, matching->name);
    resp_bulk(&writer, value);
    matching->count++;
}

void server_config_get(struct server *server, const struct server_call *call)
{
    struct matching matching = {.call = call, .protocol = call->reply->protocol};
    config_get(&server->config, matches, &matching, collect);
    resp_map(call->reply, matching.count);
    resp_raw(call->reply, buf_span(&matching.pairs));
    buf_close(&matching.pairs);
}

static bool named_twice(const struct server_call *call, size_t at)
{
    for (size_t i = 2; i < at; i += 2)
        if (span_equal_nocase(call->args[i], call->args[at]))
            return true;
    return false;
}

/* Sets one directive of the copy; false: the error is written. */
static bool set_one(struct config *copy, const struct server_call *call, size_t at)
{
    struct config_error error;
    int len = call->args[at].len > 128 ? 128 : (int)call->args[at].len;
    const char *name = call->args[at].ptr;
    if (named_twice(call, at)) {
        resp_errorf(call->reply,
                    "ERR CONFIG SET failed (possibly related to argument '%.*s') - duplicate "
                    "parameter",
                    len, name);
        return false;
    }
    switch (config_set(copy, call->args[at], call->args[at + 1], &error)) {
    case CONFIG_SET_OK:
        return true;
    case CONFIG_SET_UNKNOWN:
        resp_errorf(call->reply,
                    "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", len, name);
        return false;
    case CONFIG_SET_IMMUTABLE:
    case CONFIG_SET_INVALID:
        resp_errorf(call->reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
                    len, name, error.message);
        return false;
    }
    return false;
}

static void apply(struct server *server, const struct config *old)
{
    struct net_settings settings = server_net_settings(server);
    net_set_settings(server->net, &settings);
    if (server->peers)
        peers_set_guarded(server->peers, server->config.requirepass[0] != '\0');
    server_sentinel_settings(server);
    server_http_settings(server);
    server_announce_change(server);
    server->log.level = server->config.loglevel;
    if (server_is_loading(server))
        return; /* the shard begins with these */
    shard_set_leader_wait(server_group(server), (uint32_t)server->config.leader_wait_ms);
    const struct session_terms terms = server_session_terms(&server->config);
    shard_set_sessions(server_group(server), &terms);
    server->rules = server_value_rules(&server->config);
    shard_set_rules(server_group(server), &server->rules);
    shard_set_voters_target(server_group(server), (uint32_t)server->config.raft_target_voters);
    if (old->appendfsync != server->config.appendfsync)
        server_apply_fsync(server);
}

static bool clients_fit(const struct server *server, const struct config *copy,
                        const struct server_call *call)
{
    if (copy->maxclients <= server->config.maxclients)
        return true;
    int fits = server_clients_that_fit(server, copy->maxclients);
    if (fits == copy->maxclients)
        return true;
    resp_errorf(call->reply,
                "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating "
                "system is not able to handle the specified number of clients, try with %d",
                fits);
    return false;
}

/* All or none: a copy is changed, and taken if every change was fine. */
void server_config_set(struct server *server, const struct server_call *call)
{
    if (call->argc % 2) {
        resp_errorf(call->reply, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    struct config *copy = mem_alloc(sizeof *copy);
    struct config *old = mem_alloc(sizeof *old);
    *copy = *old = server->config;
    bool fine = true;
    for (size_t i = 2; i < call->argc && fine; i += 2)
        fine = set_one(copy, call, i);
    struct config_error error;
    if (fine && config_check(copy, &error)) {
        resp_errorf(call->reply, "ERR CONFIG SET failed - %s", error.message);
        fine = false;
    }
    fine = fine && clients_fit(server, copy, call);
    if (fine) {
        server->config = *copy;
        apply(server, old);
        resp_status(call->reply, "OK");
    }
    mem_free(copy);
    mem_free(old);
}

void server_config_rewrite(struct server *server, const struct server_call *call)
{
    if (server->config_path[0] == '\0') {
        resp_error(call->reply, "ERR The server is running without a config file");
        return;
    }
    struct buf before = {0};
    struct buf after = {0};
    char why[PLATFORM_WHY_MAX] = "";
    enum err err = platform_read_file(server->config_path, &before);
    if (err == ERR_NOT_FOUND)
        err = ERR_NONE;
    if (!err) {
        config_rewrite(&server->config, buf_span(&before), &after);
        err = platform_rewrite_file(server->config_path, buf_span(&after), why);
    } else {
        snprintf(why, sizeof why, "cannot read it: %s", err_text(err));
    }
    buf_close(&before);
    buf_close(&after);
    if (err) {
        log_line(&server->log, LOG_WARNING, "CONFIG REWRITE of '%s' failed: %s",
                 server->config_path, why);
        resp_errorf(call->reply, "ERR Rewriting config file: %s", why);
        return;
    }
    log_line(&server->log, LOG_NOTICE, "CONFIG REWRITE of '%s'", server->config_path);
    resp_status(call->reply, "OK");
}

void server_config_resetstat(struct server *server, const struct server_call *call)
{
    net_reset_stats(server->net);
    resp_status(call->reply, "OK");
}
