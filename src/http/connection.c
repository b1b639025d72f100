/* A connection: requests in, responses out, and the time that both may take. */
#include "http/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/text.h"

enum { INPUT_BYTES_MAX = 64 * 1024, REFUSAL_MAX = 256 };

static void process(struct http_connection *connection);

/* --- time --- */

static void set_timer(struct http_connection *connection, uint32_t ms)
{
    struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(connection->timer, &timeout);
}

static void wait_for_request(struct http_connection *connection)
{
    connection->state = HTTP_HEAD;
    connection->began = false;
    set_timer(connection, connection->http->settings.timeout_ms);
}

/* --- responses --- */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {431, "Request Header Fields Too Large"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

static void add_date(struct evbuffer *out)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[64];
    /* The process never sets a locale: the names are English. */
    if (gmtime_r(&now, &parts) && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts))
        evbuffer_add_printf(out, "Date: %s\r\n", text);
}

static void free_body(const void *bytes, size_t len, void *context)
{
    (void)bytes;
    (void)len;
    mem_free(context);
}

static void add_body(struct evbuffer *out, struct buf *body)
{
    char *bytes = body->ptr;
    if (body->len && evbuffer_add_reference(out, bytes, body->len, free_body, bytes) == 0)
        *body = (struct buf){0};
}

void http_respond(struct http_connection *connection, int status, const char *type,
                  struct buf *body, const char *more)
{
    ASSERT(connection->state < HTTP_WRITING);
    struct http *http = connection->http;
    http->stats.responses[status / 100]++;
    http_call_end(connection);
    if (http->stopping || !connection->request.keep_alive)
        connection->closes = true;
    /* What made a large response may have taken as long as a client may: its time begins now. */
    event_base_update_cache_time(http->base);
    struct evbuffer *out = bufferevent_get_output(connection->stream);
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    add_date(out);
    if (status != 304)
        evbuffer_add_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body->len);
    evbuffer_add_printf(out,
                        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s%s\r\n",
                        status == 401 ? "WWW-Authenticate: Basic realm=\"flotilla\"\r\n" : "",
                        more ? more : "", connection->closes ? "Connection: close\r\n" : "");
    if (!connection->is_head && status != 304)
        add_body(out, body);
    buf_close(body);
    event_del(connection->timer);
    bufferevent_disable(connection->stream, EV_READ);
    connection->state = HTTP_WRITING;
}

void http_respond_message(struct http_connection *connection, int status, const char *code,
                          struct span message)
{
    struct buf body = {0};
    buf_printf(&body, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    if (http_is_utf8(message))
        http_write_string(&body, message);
    else /* an error may repeat what it was given */
        http_write_string(&body, SPAN("the command failed; its error is no UTF-8"));
    buf_add_text(&body, "}}\n");
    http_respond(connection, status, "application/json", &body, NULL);
}

void http_respond_error(struct http_connection *connection, const struct http_error *error)
{
    http_respond_message(connection, error->status, error->code, span_text(error->message));
}

/* Nothing was carried out. What the client still sends is not read as a request. */
static void refuse(struct http_connection *connection, const struct http_error *error)
{
    connection->http->stats.requests_refused++;
    connection->closes = true;
    http_respond_error(connection, error);
}

/* --- a request --- */

static const struct http_error too_large = {413, "body_too_large",
                                            "the body is longer than 'http-max-body-bytes' allows"};
static const struct http_error bad_chunk = {400, "bad_request",
                                            "the body's chunks are not as they have to be"};
static const struct http_error needs_password = {
    401, "unauthorized", "authentication required: 'Authorization: Basic …' or 'Bearer …'"};
static const struct http_error head_too_large = {
    431, "headers_too_large", "the request line and the headers are longer than 16384 bytes"};
static const struct http_error is_too_slow = {
    408, "timeout", "the request did not come within 'http-timeout' seconds"};
static const struct http_error needs_json = {415, "not_json",
                                             "'Content-Type' has to be 'application/json'"};

static bool says_json(struct span type)
{
    static const struct span json = {"application/json", 16};
    return type.len >= json.len && span_equal_nocase(span_of(type.ptr, json.len), json) &&
           (type.len == json.len || type.ptr[json.len] == ';' || type.ptr[json.len] == ' ');
}

bool http_has_json(const struct http_connection *connection)
{
    return says_json(connection->request.content_type);
}

/* 405 names the methods that there are. */
static void refuse_route(struct http_connection *connection, const struct http_error *error,
                         const char *allowed)
{
    struct buf body = {0};
    char more[64];
    snprintf(more, sizeof more, "Allow: %s\r\n", allowed);
    buf_printf(&body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", error->code,
               error->message);
    connection->http->stats.requests_refused++;
    connection->closes = true;
    http_respond(connection, error->status, "application/json", &body, more);
}

/* What can be said before the body has come. False: refused. */
static bool admit(struct http_connection *connection)
{
    struct http *http = connection->http;
    struct http_request *request = &connection->request;
    struct http_error error;
    const char *allowed = NULL;
    if (!http_is_welcome(connection, &error)) {
        refuse(connection, &error);
        return false;
    }
    connection->route = http_find_route(connection, &error, &allowed);
    if (!connection->route && allowed) {
        refuse_route(connection, &error, allowed);
        return false;
    }
    const struct http_route *route = connection->route;
    if (route) {
        error.status = 0;
        if (!route->open && http->settings.has_password && !request->authorization.ptr)
            error = needs_password;
        else if (route->body == HTTP_JSON_BODY && !says_json(request->content_type))
            error = needs_json;
        else if (request->length > http->settings.body_bytes_max)
            error = too_large;
        if (error.status == 0)
            return true;
    }
    refuse(connection, &error);
    return false;
}

static void run(struct http_connection *connection)
{
    connection->http->stats.requests++;
    connection->state = HTTP_RUNNING;
    event_del(connection->timer);
    bufferevent_disable(connection->stream, EV_READ);
    connection->route->run(connection);
}

static void begin_body(struct http_connection *connection)
{
    const struct http_request *request = &connection->request;
    connection->state = HTTP_BODY;
    connection->body_state = request->chunked ? HTTP_BODY_CHUNK_LINE : HTTP_BODY_LENGTH;
    connection->body_left = request->chunked ? 0 : request->length;
    if (request->expects_continue && (request->chunked || request->length))
        bufferevent_write(connection->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* False: more has to come. */
static bool read_head(struct http_connection *connection)
{
    struct evbuffer *in = bufferevent_get_input(connection->stream);
    size_t len = evbuffer_get_length(in);
    if (len && !connection->began) {
        connection->began = true;
        set_timer(connection, connection->http->settings.timeout_ms);
    }
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    if (end.pos < 0 ? len > HTTP_HEAD_MAX : end.pos + 4 > HTTP_HEAD_MAX) {
        refuse(connection, &head_too_large);
        return true;
    }
    if (end.pos < 0)
        return false;
    connection->head_len = (size_t)end.pos + 4;
    connection->head = mem_alloc(connection->head_len);
    evbuffer_remove(in, connection->head, connection->head_len);
    struct http_error error;
    if (!http_parse_head(span_of(connection->head, connection->head_len), &connection->request,
                         &error)) {
        refuse(connection, &error);
        return true;
    }
    connection->is_head = span_equal(connection->request.method, SPAN("HEAD"));
    if (admit(connection))
        begin_body(connection);
    return true;
}

static bool take_bytes(struct http_connection *connection)
{
    struct evbuffer *in = bufferevent_get_input(connection->stream);
    size_t len = evbuffer_get_length(in);
    if (len > connection->body_left)
        len = (size_t)connection->body_left;
    if (len == 0)
        return false;
    buf_reserve(&connection->body, len);
    evbuffer_remove(in, connection->body.ptr + connection->body.len, len);
    connection->body.len += len;
    connection->body_left -= len;
    return true;
}

/* A line of at most HTTP_CHUNK_LINE_MAX bytes. 0: more has to come; -1: it is longer. */
static int take_line(struct http_connection *connection, char line[HTTP_CHUNK_LINE_MAX])
{
    struct evbuffer *in = bufferevent_get_input(connection->stream);
    struct evbuffer_ptr end = evbuffer_search(in, "\n", 1, NULL);
    if (end.pos < 0)
        return evbuffer_get_length(in) >= HTTP_CHUNK_LINE_MAX ? -1 : 0;
    if (end.pos >= HTTP_CHUNK_LINE_MAX)
        return -1;
    return evbuffer_remove(in, line, (size_t)end.pos + 1);
}

static bool read_chunk_line(struct http_connection *connection)
{
    char line[HTTP_CHUNK_LINE_MAX];
    int len = take_line(connection, line);
    if (len == 0)
        return false;
    uint64_t size = 0;
    if (len < 0 || !http_parse_chunk_line(span_of(line, (size_t)len), &size))
        refuse(connection, &bad_chunk);
    else if (connection->body.len + size > connection->http->settings.body_bytes_max)
        refuse(connection, &too_large);
    else {
        connection->body_left = size;
        connection->body_state = size ? HTTP_BODY_CHUNK : HTTP_BODY_LAST;
    }
    return true;
}

/* The empty line behind a chunk, or behind the last one: trailers are not taken. */
static bool read_chunk_end(struct http_connection *connection)
{
    char line[HTTP_CHUNK_LINE_MAX];
    int len = take_line(connection, line);
    if (len == 0)
        return false;
    if (len != 2 || line[0] != '\r')
        refuse(connection, &bad_chunk);
    else if (connection->body_state == HTTP_BODY_LAST)
        run(connection);
    else
        connection->body_state = HTTP_BODY_CHUNK_LINE;
    return true;
}

static bool read_body(struct http_connection *connection)
{
    switch (connection->body_state) {
    case HTTP_BODY_LENGTH:
        if (connection->body_left)
            return take_bytes(connection);
        run(connection);
        return true;
    case HTTP_BODY_CHUNK_LINE:
        return read_chunk_line(connection);
    case HTTP_BODY_CHUNK:
        if (connection->body_left)
            return take_bytes(connection);
        connection->body_state = HTTP_BODY_CHUNK_END;
        return true;
    case HTTP_BODY_CHUNK_END:
    case HTTP_BODY_LAST:
        return read_chunk_end(connection);
    }
    return false;
}

static void process(struct http_connection *connection)
{
    bool goes_on = true;
    while (goes_on && connection->state < HTTP_RUNNING)
        goes_on = connection->state == HTTP_HEAD ? read_head(connection) : read_body(connection);
    if (connection->state == HTTP_DRAINING) {
        struct evbuffer *in = bufferevent_get_input(connection->stream);
        evbuffer_drain(in, evbuffer_get_length(in));
    }
}

/* --- events --- */

static void on_read(struct bufferevent *stream, void *context)
{
    (void)stream;
    process(context);
}

static void forget_request(struct http_connection *connection)
{
    mem_free(connection->head);
    connection->head = NULL;
    buf_close(&connection->body);
    connection->request = (struct http_request){.length = 0};
    connection->route = NULL;
    connection->is_head = false;
}

/* All of the response was given to the system. */
static void on_written(struct bufferevent *stream, void *context)
{
    struct http_connection *connection = context;
    if (connection->state != HTTP_WRITING)
        return; /* "100 Continue" */
    forget_request(connection);
    bufferevent_enable(stream, EV_READ);
    if (connection->closes) {
        shutdown(bufferevent_getfd(stream), SHUT_WR);
        connection->state = HTTP_DRAINING;
        set_timer(connection, HTTP_DRAIN_MS);
    } else
        wait_for_request(connection);
    process(connection);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    (void)stream;
    (void)what; /* the end, an error, or nobody reads the response: the same */
    http_connection_free(context);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_connection *connection = context;
    if (connection->state == HTTP_DRAINING ||
        (connection->state == HTTP_HEAD && !connection->began)) {
        http_connection_free(connection);
        return;
    }
    connection->http->stats.timeouts++;
    refuse(connection, &is_too_slow);
}

/* --- life --- */

static void refuse_connection(struct http *http, int fd)
{
    static const char text[] =
        "{\"error\":{\"code\":\"too_many_connections\",\"message\":\"there are as many connections "
        "as 'http-max-connections' allows\"}}\n";
    char response[sizeof text + REFUSAL_MAX];
    int len = snprintf(response, sizeof response,
                       "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                       sizeof text - 1, text);
    ssize_t sent = send(fd, response, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a courtesy */
    evutil_closesocket(fd);
    http->stats.connections_rejected++;
}

void http_accept(struct http *http, int fd, bool local)
{
    http->stats.connections_received++;
    if (http->stats.connections >= http->settings.connections_max) {
        refuse_connection(http, fd);
        return;
    }
    struct http_connection *connection = mem_zalloc(sizeof *connection);
    connection->http = http;
    connection->local = local;
    connection->stream = bufferevent_socket_new(http->base, fd, BEV_OPT_CLOSE_ON_FREE);
    connection->timer = evtimer_new(http->base, on_timer, connection);
    ASSERT(connection->stream && connection->timer);
    connection->next = http->connections;
    if (connection->next)
        connection->next->previous = connection;
    http->connections = connection;
    http->stats.connections++;
    uint32_t ms = http->settings.timeout_ms;
    struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    bufferevent_set_timeouts(connection->stream, NULL, &timeout);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, INPUT_BYTES_MAX);
    bufferevent_setcb(connection->stream, on_read, on_written, on_event, connection);
    bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
    wait_for_request(connection);
}

void http_connection_free(struct http_connection *connection)
{
    struct http *http = connection->http;
    http_call_end(connection);
    http_health_forget(connection);
    forget_request(connection);
    bufferevent_free(connection->stream);
    event_free(connection->timer);
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        http->connections = connection->next;
    http->stats.connections--;
    mem_free(connection);
}

size_t http_connection_memory(const struct http_connection *connection)
{
    return sizeof *connection + connection->head_len + connection->body.cap +
           evbuffer_get_length(bufferevent_get_output(connection->stream)) +
           evbuffer_get_length(bufferevent_get_input(connection->stream)) +
           (connection->work.backend ? connection->work.backend->out.cap : 0);
}
