/* The module's life: where it listens, what is set, what is counted. */
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/listener.h>

#include "base/assert.h"
#include "base/mem.h"

static void accept_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http *http = context;
    for (size_t i = 0; i < http->listener_count; i++)
        evconnlistener_enable(http->listeners[i]);
}

struct http *http_new(struct event_base *base, const struct http_options *options)
{
    struct http *http = mem_zalloc(sizeof *http);
    http->base = base;
    http->settings = *options->settings;
    http->table = options->table;
    http->log = options->log;
    http->host = options->host;
    http->accept_event = evtimer_new(base, accept_again, http);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http_stop(http);
    while (http->connections)
        http_connection_free(http->connections);
    http_health_close(http);
    http_backends_close(http);
    event_free(http->accept_event);
    mem_free(http);
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               127;
    if (address->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return v6->sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void on_accepted(struct evconnlistener *listener, evutil_socket_t fd,
                        struct sockaddr *address, int len, void *context)
{
    (void)listener;
    (void)len;
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a hint */
    http_accept(context, fd, is_loopback(address));
}

/* No descriptors are left: whoever waits at the socket would wake the loop again and again. */
static void on_error(struct evconnlistener *listener, void *context)
{
    (void)listener;
    struct http *http = context;
    log_line(http->log, LOG_WARNING, "http: cannot accept a connection: %s", strerror(errno));
    for (size_t i = 0; i < http->listener_count; i++)
        evconnlistener_disable(http->listeners[i]);
    struct timeval pause = {.tv_usec = HTTP_ACCEPT_PAUSE_MS * 1000};
    evtimer_add(http->accept_event, &pause);
}

void http_serve(struct http *http, int fd)
{
    ASSERT(http->listener_count < HTTP_LISTENERS_MAX);
    struct evconnlistener *listener = evconnlistener_new(
        http->base, on_accepted, http, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    ASSERT(listener);
    evconnlistener_set_error_cb(listener, on_error);
    http->listeners[http->listener_count++] = listener;
}

void http_stop(struct http *http)
{
    http->stopping = true;
    event_del(http->accept_event);
    while (http->listener_count)
        evconnlistener_free(http->listeners[--http->listener_count]);
    struct http_connection *next;
    for (struct http_connection *at = http->connections; at; at = next) {
        next = at->next;
        if (at->state == HTTP_HEAD && !at->began)
            http_connection_free(at);
    }
}

bool http_is_busy(const struct http *http)
{
    for (const struct http_connection *at = http->connections; at; at = at->next)
        if ((at->state == HTTP_RUNNING && !at->work.ends_node) || at->state == HTTP_WRITING)
            return true;
    return false;
}

void http_set_settings(struct http *http, const struct http_settings *settings)
{
    http->settings = *settings;
}

struct http_stats http_stats(const struct http *http)
{
    return http->stats;
}

uint64_t http_memory(const struct http *http)
{
    uint64_t bytes = 0;
    for (const struct http_connection *at = http->connections; at; at = at->next)
        bytes += http_connection_memory(at);
    return bytes;
}

/* Of a connection itself, and both ends of what carries its request out; what is idle, and health.
 */
unsigned http_descriptors(uint32_t connections_max)
{
    return 3 * connections_max + 2 * (2 * HTTP_IDLE_BACKENDS_MAX + 1);
}
