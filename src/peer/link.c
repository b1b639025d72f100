/* Bytes of one connection. What comes in is read straight to where it stays until the command is
 * whole; what goes out is written at once as far as the system takes it, and the rest waits without
 * being copied. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "peer/internal.h"
#include "wire/message.h"

enum {
    PARTIAL_BYTES_MIN = 16 * 1024,
    READ_ROOM = 16 * 1024,    /* at least, for one read */
    KEPT_BYTES = 1024 * 1024, /* of an input buffer that is empty */
    COPY_BYTES_MAX = 64 * 1024,
};

uint64_t peer_mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_socket_options(evutil_socket_t fd)
{
    int on = 1;
    unsigned timeout_ms = USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

/* ---- in ---- */

static bool is_greeting(const struct link *link)
{
    return link->state != LINK_READY;
}

static enum wire_frame_outcome read_frame(struct link *link, struct span bytes)
{
    if (is_greeting(link))
        return wire_frame_read(&link->frame, bytes, WIRE_GREETING_ARGS_MAX,
                               WIRE_GREETING_BYTES_MAX);
    if (!link->node || link->node->id == 0) /* it may only ask who is here */
        return wire_frame_read(&link->frame, bytes, SEEK_ARGS_MAX, SEEK_BYTES_MAX);
    return wire_frame_read(&link->frame, bytes, WIRE_FRAME_ARGS_MAX, MESSAGE_BYTES_MAX);
}

static void say_not_resp(struct link *link)
{
    if (link->node && !is_greeting(link))
        link_refuse(link, "bytes that are no message");
    else if (link->node)
        node_trouble(link->node, LOG_WARNING, "answers in another language: is it a node?");
}

/* What is used up leaves the buffer when all of what came is handled. */
static void drop_consumed(struct link *link)
{
    buf_consume(&link->input, link->consumed);
    link->consumed = 0;
    if (link->input.len == 0 && link->input.cap > KEPT_BYTES)
        buf_close(&link->input);
}

bool link_consume(struct link *link)
{
    for (;;) {
        struct span bytes =
            span_of(link->input.ptr + link->consumed, link->input.len - link->consumed);
        enum wire_frame_outcome outcome = read_frame(link, bytes);
        if (outcome == WIRE_FRAME_MORE)
            break;
        if (outcome == WIRE_FRAME_BAD || (outcome == WIRE_FRAME_ERROR && !is_greeting(link))) {
            say_not_resp(link);
            link_lost(link, EPROTO);
            return false;
        }
        bool is_guest = !link->node;
        bool fine =
            is_greeting(link) ? handshake_take(link, outcome == WIRE_FRAME_ERROR) : link_take(link);
        if (!fine && (is_guest || link->fd < 0)) /* it has ended, or waits for its answer */
            return false;
        if (!fine) {
            link_lost(link, EPROTO);
            return false;
        }
        link->consumed += link->frame.at;
        wire_frame_next(&link->frame);
    }
    drop_consumed(link);
    return true;
}

/* A message larger than what came so far: heartbeats queue behind it, so that the pieces themselves
 * have to count as signs of life, for this node and, as RAFT.ALIVE, for the sender. */
static void note_partial(struct link *link)
{
    uint32_t shard;
    if (is_greeting(link) || link->node->id == 0 || link->input.len < PARTIAL_BYTES_MIN)
        return;
    uint64_t now_ms = peer_mono_ms();
    if (now_ms < link->alive_ms + ALIVE_INTERVAL_MS ||
        wire_frame_shard(&link->frame, link->input.ptr, &shard) != ERR_NONE)
        return;
    link->alive_ms = now_ms;
    const struct peer_events *events = &link->peers->options.events;
    events->alive(events->context, shard, &link->peer, 0);
    if (!link->dialled)
        wire_encode_alive(&link->pending, shard, 0);
}

/* Room for what is known to come, at once: a large message is not moved while it grows. */
static size_t make_room(struct link *link)
{
    size_t wanted = link->frame.wanted > link->input.len ? link->frame.wanted - link->input.len : 0;
    buf_reserve(&link->input, wanted > READ_ROOM ? wanted : READ_ROOM);
    size_t room = link->input.cap - link->input.len;
    return room < LINK_BYTES_PER_CALL ? room : LINK_BYTES_PER_CALL;
}

static void on_readable(struct link *link)
{
    size_t room = make_room(link);
    ssize_t got = recv(link->fd, link->input.ptr + link->input.len, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        link_lost(link, got < 0 ? errno : 0);
        return;
    }
    link->input.len += (size_t)got;
    link->heard_ms = peer_mono_ms();
    if (link->node)
        link->node->status.bytes_received += (uint64_t)got;
    if (link_consume(link))
        note_partial(link);
}

/* ---- out ---- */

static void pop_chunk(struct link *link)
{
    buf_close(&link->chunks[0]);
    link->chunk_count--;
    memmove(link->chunks, link->chunks + 1, link->chunk_count * sizeof *link->chunks);
    link->chunk_sent = 0;
}

static void note_written(struct link *link, size_t bytes)
{
    link->waiting -= bytes;
    while (bytes) {
        size_t left = link->chunks[0].len - link->chunk_sent;
        if (bytes < left) {
            link->chunk_sent += bytes;
            return;
        }
        bytes -= left;
        pop_chunk(link);
    }
}

static void on_writable(struct link *link)
{
    struct iovec pieces[WRITE_PIECES_MAX];
    int count = 0;
    for (; count < WRITE_PIECES_MAX && (size_t)count < link->chunk_count; count++) {
        const struct buf *chunk = &link->chunks[count];
        size_t sent = count ? 0 : link->chunk_sent;
        pieces[count] = (struct iovec){chunk->ptr + sent, chunk->len - sent};
    }
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t wrote = count ? sendmsg(link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
        link_lost(link, errno);
        return;
    }
    if (wrote > 0)
        note_written(link, (size_t)wrote);
    if (link->chunk_count == 0)
        event_del(link->write_event);
}

/* The rest of `pending`, from `sent` on, waits for the socket. */
static void queue_rest(struct link *link, size_t sent)
{
    size_t left = link->pending.len - sent;
    if (link->chunk_count == link->chunk_cap) {
        link->chunk_cap = link->chunk_cap ? link->chunk_cap * 2 : 4;
        link->chunks = mem_realloc(link->chunks, link->chunk_cap * sizeof *link->chunks);
    }
    struct buf *chunk = &link->chunks[link->chunk_count];
    *chunk = (struct buf){0};
    if (left <= COPY_BYTES_MAX) {
        buf_add(chunk, link->pending.ptr + sent, left);
        link->pending.len = 0;
    } else {
        *chunk = link->pending;
        link->pending = (struct buf){0};
        if (link->chunk_count == 0)
            link->chunk_sent = sent;
    }
    if (link->chunk_count++ == 0)
        event_add(link->write_event, NULL);
    link->waiting += left;
}

void link_flush(struct link *link)
{
    if (link->fd < 0 || link->pending.len == 0 || link->state == LINK_CONNECTING)
        return;
    ssize_t wrote = 0;
    if (link->chunk_count == 0)
        wrote = send(link->fd, link->pending.ptr, link->pending.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t sent = wrote > 0 ? (size_t)wrote : 0;
    if (link->node)
        link->node->status.bytes_sent += link->pending.len;
    if (sent == link->pending.len)
        link->pending.len = 0;
    else
        queue_rest(link, sent); /* an error shows when the socket is polled */
}

void link_write(struct link *link, struct span bytes)
{
    buf_add_span(&link->pending, bytes);
    link_flush(link);
}

size_t link_waiting(const struct link *link)
{
    return link->pending.len + link->waiting;
}

/* ---- the connection ---- */

static void on_read_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    on_readable(context);
}

static void on_write_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct link *link = context;
    if (link->state == LINK_CONNECTING)
        dial_connected(link);
    else
        on_writable(link);
}

static void on_limit(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct link *link = context;
    if (link->node)
        link_lost(link, ETIMEDOUT);
    else
        guest_time_is_over(link);
}

void link_limit(struct link *link, uint32_t ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(link->limit, &time);
}

struct link *link_new(struct peers *peers, struct node *node, bool dialled)
{
    struct link *link = mem_zalloc(sizeof *link);
    link->peers = peers;
    link->node = node;
    link->dialled = dialled;
    link->fd = -1;
    link->limit = evtimer_new(peers->base, on_limit, link);
    return link;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    link_close(link);
    buf_close(&link->pending);
    event_free(link->limit);
    mem_free(link->chunks);
    mem_free(link);
}

void link_open(struct link *link, evutil_socket_t fd)
{
    struct event_base *base = link->peers->base;
    ASSERT(link->fd < 0);
    link->fd = fd;
    link->read_event = event_new(base, fd, EV_READ | EV_PERSIST, on_read_event, link);
    link->write_event = event_new(base, fd, EV_WRITE | EV_PERSIST, on_write_event, link);
    set_socket_options(fd);
}

void link_hear(struct link *link, bool hears)
{
    if (hears)
        event_add(link->read_event, NULL);
    else
        event_del(link->read_event);
}

void link_begin_ready(struct link *link)
{
    const struct peer_events *events = &link->peers->options.events;
    event_del(link->limit);
    link->state = LINK_READY;
    link->ready_ms = peer_mono_ms();
    link->node->death_told = false;
    link->node->status.version = link->peer.version;
    if (!events->met || link->node->id == 0)
        return;
    const struct handshake *said = &link->handshake;
    events->met(events->context, &link->peer,
                link->dialled ? said->challenge.cluster_id : said->hello.cluster_id, link->dialled);
}

bool link_lasted(const struct link *link)
{
    return peer_mono_ms() >= link->ready_ms + LASTING_MS;
}

void link_close(struct link *link)
{
    event_del(link->limit);
    link->state = LINK_DOWN;
    if (link->fd < 0)
        return;
    event_free(link->read_event);
    event_free(link->write_event);
    close(link->fd);
    link->fd = -1;
    while (link->chunk_count)
        pop_chunk(link);
    buf_close(&link->input);
    link->consumed = link->waiting = 0;
    link->pending.len = 0;
    wire_frame_next(&link->frame);
}
