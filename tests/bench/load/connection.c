#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/load/internal.h"

enum { READ_BYTES = 1 << 18, RETRY_NS = 10 * 1000 * 1000 };

bool node_resolve(struct node *node, const char *name)
{
    char host[LOAD_NAME_CHARS];
    const char *colon = strrchr(name, ':');
    if (!colon || strlen(name) >= sizeof(node->name)) {
        fprintf(stderr, "flotilla-load: '%s' is no host:port\n", name);
        return false;
    }
    strcpy(node->name, name);
    size_t length = (size_t)(colon - name);
    bool in_brackets = length > 2 && name[0] == '[' && name[length - 1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(in_brackets ? length - 2 : length),
             name + in_brackets);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error) {
        fprintf(stderr, "flotilla-load: '%s': %s\n", name, gai_strerror(error));
        return false;
    }
    memcpy(&node->address, found->ai_addr, found->ai_addrlen);
    node->address_length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void watch(struct load *load, struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)(connection - load->connections)};
    epoll_ctl(load->epoll, operation, connection->fd, &event);
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

void connection_reopen(struct load *load, struct connection *connection, unsigned node,
                       uint64_t when)
{
    if (connection->state == CONNECTION_OPEN && --load->open_count == 0)
        load->nobody_ns = load_clock_ns();
    connection_close(connection);
    connection->state = CONNECTION_CLOSED;
    connection->node = node;
    connection->moves_to = STAYS;
    connection->greets = false;
    connection->waits_for_room = false;
    connection->still_until_ns = when;
    connection->out.len = 0;
    connection->written = 0;
    load_wake_at(load, when);
}

static void give_up(struct load *load, struct connection *connection)
{
    load_forget(load, connection);
    connection->was_broken = true;
    connection_reopen(load, connection, (connection->node + 1) % load->node_count,
                      load_clock_ns() + RETRY_NS);
}

void connection_open(struct load *load, struct connection *connection, uint64_t now)
{
    const struct node *node = &load->nodes[connection->node];
    connection->still_until_ns = 0;
    connection->fd = socket(node->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        fprintf(stderr, "flotilla-load: a socket: %s\n", strerror(errno));
        connection_reopen(load, connection, connection->node, now + RETRY_NS);
        return;
    }
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connection->state = CONNECTION_CONNECTING;
    parser_init(&connection->parser, load->options->protocol);
    watch(load, connection, EPOLL_CTL_ADD, EPOLLOUT);
    if (connect(connection->fd, (const struct sockaddr *)&node->address, node->address_length) <
            0 &&
        errno != EINPROGRESS)
        give_up(load, connection);
}

void connection_mark_dirty(struct load *load, struct connection *connection)
{
    if (connection->is_dirty || connection->waits_for_room)
        return;
    connection->is_dirty = true;
    load->dirty[load->dirty_count++] = (unsigned)(connection - load->connections);
}

static void flush(struct load *load, struct connection *connection)
{
    struct buf *out = &connection->out;
    while (connection->written < out->len) {
        ssize_t done = send(connection->fd, out->ptr + connection->written,
                            out->len - connection->written, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno != EAGAIN) {
            give_up(load, connection);
            return;
        }
        if (done < 0) {
            if (!connection->waits_for_room)
                watch(load, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            connection->waits_for_room = true;
            return;
        }
        connection->written += (size_t)done;
    }
    out->len = 0;
    connection->written = 0;
    if (connection->waits_for_room)
        watch(load, connection, EPOLL_CTL_MOD, EPOLLIN);
    connection->waits_for_room = false;
}

void connection_flush_all(struct load *load)
{
    for (unsigned i = 0; i < load->dirty_count; i++) {
        struct connection *connection = &load->connections[load->dirty[i]];
        connection->is_dirty = false;
        if (connection->state == CONNECTION_OPEN)
            flush(load, connection);
    }
    load->dirty_count = 0;
}

static void has_connected(struct load *load, struct connection *connection)
{
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        give_up(load, connection);
        return;
    }
    connection->state = CONNECTION_OPEN;
    load->open_count++;
    if (connection->was_broken && load->has_begun)
        load->results->reconnects++;
    connection->was_broken = false;
    watch(load, connection, EPOLL_CTL_MOD, EPOLLIN);
    const char *password = load->options->password;
    if (password) {
        connection->greets = true;
        buf_printf(&connection->out, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password),
                   password);
        connection_mark_dirty(load, connection);
    } else {
        load_make_ready(load, connection);
    }
}

static void read_replies(struct load *load, struct connection *connection)
{
    static char bytes[READ_BYTES];
    ssize_t got = recv(connection->fd, bytes, sizeof(bytes), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        give_up(load, connection);
        return;
    }
    uint64_t now = load_clock_ns();
    const char *at = bytes;
    while (at < bytes + got && connection->state == CONNECTION_OPEN && !load->has_failed) {
        enum reply_kind kind = parser_feed(&connection->parser, &at, bytes + got);
        if (kind != REPLY_NONE)
            load_take_reply(load, connection, kind, now);
    }
}

void connection_event(struct load *load, struct connection *connection, uint32_t events)
{
    if (connection->state == CONNECTION_CONNECTING) {
        has_connected(load, connection);
        return;
    }
    if (connection->state == CONNECTION_OPEN && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_replies(load, connection);
    if (connection->state == CONNECTION_OPEN && events & EPOLLOUT && connection->waits_for_room)
        flush(load, connection);
}
