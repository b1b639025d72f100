/* A client's life, and how calls come in and go out. */
#include "client.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DATABASES_MAX = 1000000 };
static const size_t gigabyte = (size_t)1 << 30;

const char *flotilla_version(void)
{
    return FLOTILLA_VERSION;
}

const char *flotilla_status_name(enum flotilla_status status)
{
    switch (status) {
    case FLOTILLA_OK:
        return "OK";
    case FLOTILLA_REPLY:
        return "REPLY";
    case FLOTILLA_UNKNOWN:
        return "UNKNOWN";
    case FLOTILLA_PROTOCOL:
        return "PROTOCOL";
    case FLOTILLA_TIMEOUT:
        return "TIMEOUT";
    case FLOTILLA_REFUSED:
        return "REFUSED";
    case FLOTILLA_NO_SESSION:
        return "NO_SESSION";
    case FLOTILLA_CANCELLED:
        return "CANCELLED";
    case FLOTILLA_BUSY:
        return "BUSY";
    case FLOTILLA_ARGUMENT:
        return "ARGUMENT";
    case FLOTILLA_MEMORY:
        return "MEMORY";
    }
    return "?";
}

int64_t client_now(const struct flotilla *client)
{
    struct timespec now;
    (void)client;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- options ---- */

static bool read_time(int given, int normal, bool can_be_off, const char *name, int64_t *time,
                      struct flotilla_error *error)
{
    *time = given ? given : normal;
    if (given >= 0 || (can_be_off && given == -1))
        return true;
    error_set(error, FLOTILLA_ARGUMENT, "%s is %d", name, given);
    return false;
}

static bool read_times(struct flotilla *client, const struct flotilla_options *options,
                       struct flotilla_error *error)
{
    return read_time(options->timeout_ms, 10000, false, "timeout_ms", &client->timeout_ms, error) &&
           read_time(options->connect_timeout_ms, 1000, false, "connect_timeout_ms",
                     &client->connect_timeout_ms, error) &&
           read_time(options->answer_timeout_ms, 2500, true, "answer_timeout_ms",
                     &client->answer_timeout_ms, error) &&
           read_time(options->backoff_ms, 10, false, "backoff_ms", &client->backoff_ms, error) &&
           read_time(options->backoff_max_ms, 1000, false, "backoff_max_ms",
                     &client->backoff_max_ms, error) &&
           read_time(options->session_ttl_ms, 600000, false, "session_ttl_ms",
                     &client->session_ttl_ms, error);
}

static bool read_options(struct flotilla *client, const struct flotilla_options *options,
                         struct flotilla_error *error)
{
    char cause[FLOTILLA_TEXT_MAX];
    if (!options || options->size != sizeof *options) {
        error_set(error, FLOTILLA_ARGUMENT, "the options do not begin as FLOTILLA_OPTIONS");
        return false;
    }
    if (!options->nodes) {
        error_set(error, FLOTILLA_ARGUMENT, "no nodes are named");
        return false;
    }
    if (!nodes_parse(&client->nodes, options->nodes, cause, sizeof cause)) {
        error_set(error, FLOTILLA_ARGUMENT, "%s", cause);
        return false;
    }
    if (options->database < 0 || options->database > DATABASES_MAX) {
        error_set(error, FLOTILLA_ARGUMENT, "database is %d", options->database);
        return false;
    }
    if (options->username && !options->password) {
        error_set(error, FLOTILLA_ARGUMENT, "a username needs a password");
        return false;
    }
    client->database = options->database;
    client->one_node = options->one_node;
    client->pending_max = options->pending_max ? options->pending_max : 65536;
    client->pending_bytes_max = options->pending_bytes_max ? options->pending_bytes_max : gigabyte;
    client->reply_bytes_max = options->reply_bytes_max ? options->reply_bytes_max : gigabyte;
    return read_times(client, options, error);
}

static bool copy_text(const char *text, char **copy)
{
    *copy = text ? strdup(text) : NULL;
    return !text || *copy;
}

/* ---- life ---- */

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct flotilla *client = context;
    (void)fd;
    (void)what;
    client->timer_ms = INT64_MAX;
    client_settle(client);
}

static void on_pump(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    client_settle(context);
}

static bool make_base(struct flotilla *client)
{
    struct event_config *config = event_config_new();
    if (!config)
        return false;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    client->base = event_base_new_with_config(config);
    event_config_free(config);
    client->owns_base = client->base;
    return client->base;
}

static void destroy(struct flotilla *client)
{
    connection_free(client->active);
    connection_free(client->candidate);
    if (client->timer)
        event_free(client->timer);
    if (client->pump)
        event_free(client->pump);
    transport_names_free(client->names);
    if (client->owns_base) {
        if (client->names)
            event_base_loop(client->base, EVLOOP_NONBLOCK); /* the resolver's last words */
        event_base_free(client->base);
    }
    free(client->username);
    if (client->password)
        explicit_bzero(client->password, strlen(client->password));
    free(client->password);
    free(client);
}

struct flotilla *flotilla_new(const struct flotilla_options *options, struct event_base *base,
                              struct flotilla_error *error)
{
    struct flotilla *client = calloc(1, sizeof *client);
    if (!client) {
        error_set(error, FLOTILLA_MEMORY, "no memory for a client");
        return NULL;
    }
    client->base = base;
    client->timer_ms = INT64_MAX;
    client->deadline_ms = INT64_MAX;
    if (!read_options(client, options, error)) {
        destroy(client);
        return NULL;
    }
    /* Chance spreads the pauses of clients that failed together; a clock is enough without any. */
    if (getentropy(&client->chance, sizeof client->chance) != 0 || client->chance == 0)
        client->chance = (uint64_t)client_now(client) | 1;
    bool fine = copy_text(options->username, &client->username) &&
                copy_text(options->password, &client->password) && (base || make_base(client));
    if (fine) {
        client->timer = event_new(client->base, -1, 0, on_timer, client);
        client->pump = event_new(client->base, -1, 0, on_pump, client);
    }
    if (!fine || !client->timer || !client->pump) {
        destroy(client);
        error_set(error, FLOTILLA_MEMORY, "no memory or descriptor for a client");
        return NULL;
    }
    if (error)
        *error = (struct flotilla_error){.status = FLOTILLA_OK};
    return client;
}

static void end_session(struct flotilla *client)
{
    static const char *const words[] = {"CLIENT", "SESSION", "END"};
    struct connection *connection = client->active;
    if (!connection || !client->session.generation ||
        connection->session != client->session.generation || client->in_flight > 0)
        return;
    connection_ask(connection, EXPECT_ACK, NULL, words, 3);
    transport_flush(connection->transport);
}

void flotilla_free(struct flotilla *client)
{
    if (!client || client->freed)
        return;
    client->freed = true;
    while (client->waiting.first) {
        struct request *request = client->waiting.first;
        bool unknown = request->sent || request->maybe;
        if (request->sent && client->active)
            connection_forget(client->active, request);
        client_complete(client, request, unknown ? FLOTILLA_UNKNOWN : FLOTILLA_CANCELLED,
                        "the client was freed");
    }
    end_session(client);
    client_deliver(client);
}

const char *flotilla_node(const struct flotilla *client)
{
    struct flotilla *named = (struct flotilla *)(uintptr_t)client; /* the text is its own */
    if (!client->active)
        return NULL;
    node_name(&client->active->node, named->node_name);
    return client->node_name;
}

void flotilla_stats(const struct flotilla *client, struct flotilla_stats *stats)
{
    *stats = client->stats;
}

/* ---- calls in and out ---- */

enum flotilla_status client_submit(struct flotilla *client, const struct flotilla_call *calls,
                                   size_t count, bool transaction, flotilla_done *done,
                                   void *context, struct flotilla_error *error)
{
    struct flotilla_error local;
    if (!error)
        error = &local;
    if (client->freed) {
        error_set(error, FLOTILLA_ARGUMENT, "the client was freed");
        return error->status;
    }
    if (client->pending >= client->pending_max) {
        error_set(error, FLOTILLA_BUSY, "%zu calls wait (pending_max)", client->pending);
        return error->status;
    }
    struct request *request = request_new(calls, count, transaction, error);
    if (!request)
        return error->status;
    if (calls[0].timeout_ms < 0) {
        request_free(request);
        error_set(error, FLOTILLA_ARGUMENT, "timeout_ms is %d", calls[0].timeout_ms);
        return error->status;
    }
    if (request->bytes > client->pending_bytes_max - client->pending_bytes) {
        request_free(request);
        error_set(error, FLOTILLA_BUSY, "more than %zu bytes would wait (pending_bytes_max)",
                  client->pending_bytes_max);
        return error->status;
    }
    request->done = done;
    request->context = context;
    int64_t timeout_ms = calls[0].timeout_ms ? calls[0].timeout_ms : client->timeout_ms;
    request->deadline_ms = client_now(client) + timeout_ms;
    if (request->deadline_ms < client->deadline_ms)
        client->deadline_ms = request->deadline_ms;
    request_append(&client->waiting, request);
    client->pending++;
    client->pending_bytes += request->bytes;
    if (!client->unsent)
        client->unsent = request;
    event_active(client->pump, EV_TIMEOUT, 0);
    return FLOTILLA_OK;
}

enum flotilla_status flotilla_send(struct flotilla *client, const struct flotilla_call *call,
                                   flotilla_done *done, void *context)
{
    return client_submit(client, call, 1, false, done, context, NULL);
}

enum flotilla_status flotilla_send_transaction(struct flotilla *client,
                                               const struct flotilla_call *calls, size_t count,
                                               flotilla_done *done, void *context)
{
    return client_submit(client, calls, count, true, done, context, NULL);
}

struct flotilla_reply *flotilla_reply_keep(struct flotilla *client)
{
    struct flotilla_reply *reply = client->delivered ? client->delivered->reply : NULL;
    if (reply)
        client->delivered->reply = NULL;
    return reply;
}

void client_deliver(struct flotilla *client)
{
    if (client->delivering)
        return;
    client->delivering = true;
    while (client->done.first) {
        struct request *request = client->done.first;
        request_remove(&client->done, request);
        client->delivered = request;
        if (request->done)
            request->done(client, request->reply, &request->error, request->context);
        request_free(request);
    }
    client->delivered = NULL;
    client->delivering = false;
    if (client->freed)
        destroy(client);
}
