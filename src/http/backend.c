/* A client of net/, whose other end this is. */
#include "http/internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

enum { READ_BYTES = 64 * 1024 };

static void on_readable(evutil_socket_t fd, short what, void *context);
static void on_writable(evutil_socket_t fd, short what, void *context);

static struct http_backend *backend_new(struct http *http, bool local, bool trusted)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
        return NULL;
    struct http_backend *backend = mem_zalloc(sizeof *backend);
    backend->http = http;
    backend->fd = ends[0];
    backend->local = local;
    backend->trusted = trusted;
    backend->reader = redisReaderCreate();
    backend->read_event =
        event_new(http->base, ends[0], EV_READ | EV_PERSIST, on_readable, backend);
    backend->write_event = event_new(http->base, ends[0], EV_WRITE, on_writable, backend);
    ASSERT(backend->reader && backend->read_event && backend->write_event);
    event_add(backend->read_event, NULL);
    backend->all_next = http->backends;
    if (backend->all_next)
        backend->all_next->all_previous = backend;
    http->backends = backend;
    http->host.adopt(http->host.context, ends[1], local, trusted);
    return backend;
}

static void free_replies(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
    mem_free(replies);
}

static void backend_free(struct http_backend *backend)
{
    if (backend->all_next)
        backend->all_next->all_previous = backend->all_previous;
    if (backend->all_previous)
        backend->all_previous->all_next = backend->all_next;
    else
        backend->http->backends = backend->all_next;
    event_free(backend->read_event);
    event_free(backend->write_event);
    close(backend->fd);
    redisReaderFree(backend->reader);
    free_replies(backend->replies, backend->count);
    buf_close(&backend->out);
    mem_free(backend);
}

struct http_backend *http_backend_take(struct http *http, bool local, bool trusted)
{
    struct http_backend *backend = trusted ? NULL : http->idle[local];
    if (!backend)
        return backend_new(http, local, trusted);
    http->idle[local] = backend->next;
    http->idle_count[local]--;
    backend->next = NULL;
    return backend;
}

static void make_idle(struct http_backend *backend)
{
    struct http *http = backend->http;
    if (backend->trusted || http->idle_count[backend->local] == HTTP_IDLE_BACKENDS_MAX) {
        backend_free(backend);
        return;
    }
    buf_close(&backend->out);
    backend->next = http->idle[backend->local];
    http->idle[backend->local] = backend;
    http->idle_count[backend->local]++;
}

/* One that is idle and was closed by net/ (CLIENT KILL). */
static void forget_idle(struct http_backend *backend)
{
    struct http *http = backend->http;
    if (http->health == backend)
        http->health = NULL;
    for (struct http_backend **at = &http->idle[backend->local]; *at; at = &(*at)->next) {
        if (*at != backend)
            continue;
        *at = backend->next;
        http->idle_count[backend->local]--;
        break;
    }
    backend_free(backend);
}

void http_backends_close(struct http *http)
{
    while (http->backends)
        backend_free(http->backends);
}

void http_backend_add(struct http_backend *backend, const struct span *args, size_t argc)
{
    buf_printf(&backend->out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        buf_printf(&backend->out, "$%zu\r\n", args[i].len);
        buf_add_span(&backend->out, args[i]);
        buf_add(&backend->out, "\r\n", 2);
    }
    backend->expected++;
}

static void lose(struct http_backend *backend)
{
    http_replied *replied = backend->replied;
    void *context = backend->context;
    if (backend->expected == 0) {
        forget_idle(backend);
        return;
    }
    backend_free(backend);
    if (replied)
        replied(context, NULL, 0);
}

static void write_on(struct http_backend *backend)
{
    while (backend->sent < backend->out.len) {
        ssize_t sent = send(backend->fd, backend->out.ptr + backend->sent,
                            backend->out.len - backend->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            /* Of a connection that is gone the read event tells. */
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                event_add(backend->write_event, NULL);
            return;
        }
        backend->sent += (size_t)sent;
    }
    backend->out.len = backend->sent = 0;
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    write_on(context);
}

void http_backend_send(struct http_backend *backend, http_replied *replied, void *context)
{
    ASSERT(backend->expected > 0);
    backend->replied = replied;
    backend->context = context;
    write_on(backend);
}

void http_backend_give_back(struct http_backend *backend)
{
    backend->replied = NULL;
    if (backend->expected == 0)
        make_idle(backend);
}

/* The backend may be gone afterwards. */
static void deliver(struct http_backend *backend)
{
    redisReply **replies = backend->replies;
    size_t count = backend->count;
    http_replied *replied = backend->replied;
    backend->replies = NULL;
    backend->count = backend->replies_cap = backend->expected = 0;
    backend->replied = NULL;
    if (replied)
        replied(backend->context, replies, count);
    else
        make_idle(backend);
    free_replies(replies, count);
}

/* False: what came is no reply. */
static bool take_replies(struct http_backend *backend)
{
    void *reply = NULL;
    while (redisReaderGetReply(backend->reader, &reply) == REDIS_OK) {
        if (!reply)
            return true;
        if (backend->count == backend->replies_cap) {
            backend->replies_cap = backend->replies_cap ? backend->replies_cap * 2 : 8;
            backend->replies =
                mem_realloc(backend->replies, backend->replies_cap * sizeof *backend->replies);
        }
        backend->replies[backend->count++] = reply;
        if (backend->count > backend->expected)
            return false;
        reply = NULL;
    }
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct http_backend *backend = context;
    char bytes[READ_BYTES];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got <= 0 || redisReaderFeed(backend->reader, bytes, (size_t)got) != REDIS_OK ||
        !take_replies(backend)) {
        lose(backend);
        return;
    }
    if (backend->expected && backend->count == backend->expected)
        deliver(backend);
}
