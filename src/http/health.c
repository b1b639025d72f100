/* Whether this node can serve linearizable reads now: it tries one. Those who ask while one is
 * under way share the next, which begins after they asked. */
#include "http/internal.h"

#include "base/mem.h"

static const struct http_error is_slow = {503, "unhealthy",
                                          "a linearizable read was not answered within 1000 ms"};
static const struct http_error is_lost = {503, "unhealthy", "the read was not carried out"};
static const struct http_error too_many = {503, "unhealthy",
                                           "too many wait for a linearizable read"};

static void on_timer(evutil_socket_t fd, short what, void *context);
static void on_read(void *context, redisReply **replies, size_t count);

static void begin_read(struct http *http)
{
    if (!http->health)
        http->health = http_backend_take(http, true, true);
    if (!http->health)
        return; /* those who wait hear that it took too long */
    struct span command = SPAN("DBSIZE");
    http->health_sent++;
    http_backend_add(http->health, &command, 1);
    http_backend_send(http->health, on_read, http);
}

static void answer(struct http_connection *connection, const redisReply *reply)
{
    connection->waits_for_health = false;
    if (!reply)
        http_respond_error(connection, &is_lost);
    else if (reply->type == REDIS_REPLY_ERROR)
        http_respond_message(connection, 503, "unhealthy", http_reply_span(reply));
    else {
        struct buf body = {0};
        buf_add_text(&body, "{\"status\":\"ok\"}\n");
        http_respond(connection, 200, "application/json", &body, NULL);
    }
}

static void on_read(void *context, redisReply **replies, size_t count)
{
    struct http *http = context;
    http->health_done = http->health_sent;
    if (count == 0)
        http->health = NULL;
    bool more = false;
    for (struct http_connection *at = http->connections; at; at = at->next) {
        if (!at->waits_for_health)
            continue;
        if (at->health_number <= http->health_done)
            answer(at, count ? replies[0] : NULL);
        else
            more = true;
    }
    if (more)
        begin_read(http);
}

static void set_timer(struct http *http)
{
    struct timeval step = {.tv_usec = HTTP_HEALTH_MS * 1000 / 20};
    if (!http->health_timer)
        http->health_timer = evtimer_new(http->base, on_timer, http);
    if (!evtimer_pending(http->health_timer, NULL))
        evtimer_add(http->health_timer, &step);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http *http = context;
    uint64_t now_ms = http->host.now_ms(http->host.context);
    bool more = false;
    for (struct http_connection *at = http->connections; at; at = at->next) {
        if (!at->waits_for_health)
            continue;
        if (now_ms < at->health_until_ms) {
            more = true;
            continue;
        }
        at->waits_for_health = false;
        http_respond_error(at, &is_slow);
    }
    if (more)
        set_timer(http);
}

void http_health_ask(struct http_connection *connection)
{
    struct http *http = connection->http;
    size_t waiting = 0;
    for (const struct http_connection *at = http->connections; at; at = at->next)
        waiting += at->waits_for_health;
    if (waiting >= HTTP_HEALTH_MAX) {
        http_respond_error(connection, &too_many);
        return;
    }
    connection->waits_for_health = true;
    connection->health_until_ms = http->host.now_ms(http->host.context) + HTTP_HEALTH_MS;
    connection->health_number = http->health_sent + 1;
    set_timer(http);
    if (http->health_sent == http->health_done)
        begin_read(http);
}

void http_health_forget(struct http_connection *connection)
{
    connection->waits_for_health = false;
}

void http_health_close(struct http *http)
{
    if (http->health_timer)
        event_free(http->health_timer);
    http->health_timer = NULL;
    http->health = NULL; /* it is among all backends */
}
