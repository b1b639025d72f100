#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RECEIVE_BYTES = 65536, PIECES_MAX = 64, CAUSE_MAX = 160 };

struct transport {
    struct event_base *base;
    const struct transport_events *events;
    void *context;
    struct lookup *lookup; /* while a name is resolved */
    struct event *readable;
    struct event *writable; /* while it connects, or has more to send than the socket takes */
    struct event *failing;  /* tells an error from the loop */
    struct evbuffer *output;
    int fd;
    bool open;
    unsigned turn;
    uint16_t port;
    char cause[CAUSE_MAX];
};

/* Outlives the transport until the resolver has called back. */
struct lookup {
    struct transport *owner;
    struct evdns_getaddrinfo_request *request;
};

static void fail(struct transport *transport, const char *cause)
{
    snprintf(transport->cause, sizeof transport->cause, "%s", cause);
    event_active(transport->failing, EV_TIMEOUT, 0);
}

static void on_failing(evutil_socket_t fd, short what, void *context)
{
    struct transport *transport = context;
    (void)fd;
    (void)what;
    transport->events->lost(transport->context, transport->cause);
}

/* ---- sending and receiving ---- */

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* MSG_NOSIGNAL: a node that is gone is no reason for a SIGPIPE. */
void transport_flush(struct transport *transport)
{
    while (transport->open && evbuffer_get_length(transport->output) > 0) {
        struct evbuffer_iovec pieces[PIECES_MAX];
        struct msghdr message = {0};
        int count = evbuffer_peek(transport->output, -1, NULL, pieces, PIECES_MAX);
        message.msg_iov = pieces;
        message.msg_iovlen = (size_t)(count < PIECES_MAX ? count : PIECES_MAX);
        ssize_t sent = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            evbuffer_drain(transport->output, (size_t)sent);
        } else if (would_block(errno)) {
            event_add(transport->writable, NULL);
            return;
        } else {
            fail(transport, strerror(errno));
            return;
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct transport *transport = context;
    char bytes[RECEIVE_BYTES];
    (void)what;
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    if (count > 0)
        transport->events->received(transport->context, bytes, (size_t)count);
    else if (count == 0)
        transport->events->lost(transport->context, "the node closed the connection");
    else if (!would_block(errno))
        transport->events->lost(transport->context, strerror(errno));
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct transport *transport = context;
    int error = 0;
    socklen_t size = sizeof error;
    (void)what;
    if (transport->open) {
        transport_flush(transport);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error) {
        transport->events->lost(transport->context, strerror(error));
        return;
    }
    transport->open = true;
    event_add(transport->readable, NULL);
    transport->events->opened(transport->context);
}

/* ---- connecting ---- */

static void dial(struct transport *transport, const struct sockaddr *address, socklen_t length)
{
    int yes = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(transport, strerror(errno));
        return;
    }
    transport->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    transport->readable =
        event_new(transport->base, fd, EV_READ | EV_PERSIST, on_readable, transport);
    transport->writable = event_new(transport->base, fd, EV_WRITE, on_writable, transport);
    if (!transport->readable || !transport->writable)
        fail(transport, "no memory");
    else if (connect(fd, address, length) != 0 && errno != EINPROGRESS)
        fail(transport, strerror(errno));
    else
        event_add(transport->writable, NULL);
}

static bool is_address(const char *host, uint16_t port, struct sockaddr_storage *address,
                       socklen_t *length)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(address, &v4, sizeof v4);
        *length = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(address, &v6, sizeof v6);
        *length = sizeof v6;
        return true;
    }
    return false;
}

static void dial_one_of(struct transport *transport, const struct evutil_addrinfo *found)
{
    unsigned count = 0;
    for (const struct evutil_addrinfo *one = found; one; one = one->ai_next)
        count++;
    if (count == 0) {
        fail(transport, "the name has no address");
        return;
    }
    for (unsigned skip = transport->turn % count; skip > 0; skip--)
        found = found->ai_next;
    dial(transport, found->ai_addr, (socklen_t)found->ai_addrlen);
}

static void on_resolved(int result, struct evutil_addrinfo *found, void *context)
{
    struct lookup *lookup = context;
    struct transport *transport = lookup->owner;
    if (transport) {
        transport->lookup = NULL;
        if (result)
            fail(transport, evutil_gai_strerror(result));
        else
            dial_one_of(transport, found);
    }
    if (found)
        evutil_freeaddrinfo(found);
    free(lookup);
}

static bool make_names(struct event_base *base, struct evdns_base **names)
{
    if (*names)
        return true;
    *names = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (*names) /* without the file, only /etc/hosts is known; a question then fails by itself */
        evdns_base_resolv_conf_parse(*names, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    return *names;
}

static void resolve(struct transport *transport, struct evdns_base **names, const char *host)
{
    char port[8];
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup || !make_names(transport->base, names)) {
        free(lookup);
        fail(transport, "no memory for the resolver");
        return;
    }
    snprintf(port, sizeof port, "%u", (unsigned)transport->port);
    lookup->owner = transport;
    transport->lookup = lookup;
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(*names, host, port, &hints, on_resolved, lookup);
    /* It may have called back already: then the lookup is gone. */
    if (transport->lookup)
        transport->lookup->request = request;
}

struct transport *transport_open(struct event_base *base, struct evdns_base **names,
                                 const char *host, uint16_t port, unsigned turn,
                                 const struct transport_events *events, void *context)
{
    struct sockaddr_storage address;
    socklen_t length;
    struct transport *transport = calloc(1, sizeof *transport);
    if (!transport)
        return NULL;
    transport->base = base;
    transport->events = events;
    transport->context = context;
    transport->fd = -1;
    transport->port = port;
    transport->turn = turn;
    transport->output = evbuffer_new();
    transport->failing = event_new(base, -1, 0, on_failing, transport);
    if (!transport->output || !transport->failing) {
        transport_close(transport);
        return NULL;
    }
    if (is_address(host, port, &address, &length))
        dial(transport, (const struct sockaddr *)&address, length);
    else
        resolve(transport, names, host);
    return transport;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void transport_close(struct transport *transport)
{
    if (!transport)
        return;
    if (transport->lookup) {
        struct lookup *lookup = transport->lookup;
        lookup->owner = NULL;
        if (lookup->request)
            evdns_getaddrinfo_cancel(lookup->request);
    }
    free_event(transport->readable);
    free_event(transport->writable);
    free_event(transport->failing);
    if (transport->output)
        evbuffer_free(transport->output);
    if (transport->fd >= 0)
        close(transport->fd);
    free(transport);
}

bool transport_write(struct transport *transport, const void *bytes, size_t count)
{
    return evbuffer_add(transport->output, bytes, count) == 0;
}

size_t transport_queued(const struct transport *transport)
{
    return evbuffer_get_length(transport->output);
}

void transport_names_free(struct evdns_base *names)
{
    if (names)
        evdns_base_free(names, 1);
}
