/* Bytes of one connection: bufferevent for the I/O, hiredis' reader for the protocol. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "base/mem.h"
#include "peer/internal.h"
#include "wire/message.h"

enum {
    PARTIAL_BYTES_MIN = 16 * 1024,
    REFERENCE_BYTES_MIN = 256 * 1024, /* handed over instead of copied */
};

static void set_socket_options(evutil_socket_t fd)
{
    int on = 1;
    unsigned timeout_ms = USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

bool link_consume(struct link *link)
{
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            log_line(link->peers->options.log, LOG_WARNING, "node %llu sent what is not RESP: %s",
                     (unsigned long long)link->node->id, link->reader->errstr);
            link_lost(link, EPROTO);
            return false;
        }
        if (!reply)
            return true;
        bool fine = link_reply(link, reply);
        freeReplyObject(reply);
        if (!fine) {
            if (link->bev)
                link_lost(link, EPROTO);
            return false;
        }
    }
}

static uint64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum { SHARD_ARGUMENT = 2 };

/* The shard that the message is for whose beginning hiredis has read. */
static bool partial_shard(const redisReader *reader, uint32_t *shard)
{
    const redisReply *message = reader->reply;
    struct span args[SHARD_ARGUMENT + 1];
    if (!message || message->type != REDIS_REPLY_ARRAY || message->elements <= SHARD_ARGUMENT)
        return false;
    for (size_t i = 0; i <= SHARD_ARGUMENT; i++) {
        const redisReply *argument = message->element[i];
        if (!argument || argument->type != REDIS_REPLY_STRING)
            return false;
        args[i] = span_of(argument->str, argument->len);
    }
    return wire_message_shard(args, SHARD_ARGUMENT + 1, shard) == ERR_NONE;
}

/* A message larger than what came so far: heartbeats queue behind it, so that the pieces themselves
 * have to count as signs of life, for this node and, as RAFT.ALIVE, for the sender. */
static void note_partial(struct link *link)
{
    if (link->state != LINK_READY || link->reader->len - link->reader->pos < PARTIAL_BYTES_MIN)
        return;
    uint64_t now_ms = mono_ms();
    if (now_ms < link->alive_ms + ALIVE_INTERVAL_MS)
        return;
    uint32_t shard;
    if (!partial_shard(link->reader, &shard))
        return;
    link->alive_ms = now_ms;
    const struct peer_events *events = &link->peers->options.events;
    events->alive(events->context, shard, &link->peer);
    if (!link->dialled)
        wire_encode_alive(&link->pending, shard);
}

static void on_read(struct bufferevent *bev, void *context)
{
    struct link *link = context;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t len;
    while ((len = evbuffer_get_contiguous_space(input)) > 0) {
        const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)len);
        link->node->status.bytes_received += len;
        if (redisReaderFeed(link->reader, bytes, len) != REDIS_OK) {
            link_lost(link, EPROTO);
            return;
        }
        evbuffer_drain(input, len);
    }
    if (link_consume(link))
        note_partial(link);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
    struct link *link = context;
    if (what & BEV_EVENT_CONNECTED) {
        set_socket_options(bufferevent_getfd(bev));
        link->state = LINK_GREETING;
        bufferevent_set_timeouts(bev, NULL, NULL);
        link_flush(link);
        return;
    }
    int error = 0;
    if (what & BEV_EVENT_ERROR)
        error = EVUTIL_SOCKET_ERROR();
    if (what & BEV_EVENT_TIMEOUT)
        error = ETIMEDOUT;
    link_lost(link, error);
}

bool link_open(struct link *link, evutil_socket_t fd)
{
    link->bev = bufferevent_socket_new(link->peers->base, fd, BEV_OPT_CLOSE_ON_FREE);
    link->reader = redisReaderCreate();
    if (!link->bev || !link->reader)
        return false;
    link->reader->maxbuf = 0; /* keep the buffer: the next message needs it again */
    if (fd >= 0)
        set_socket_options(fd);
    bufferevent_set_max_single_read(link->bev, LINK_BYTES_PER_CALL);
    bufferevent_set_max_single_write(link->bev, LINK_BYTES_PER_CALL);
    bufferevent_setcb(link->bev, on_read, NULL, on_event, link);
    return bufferevent_enable(link->bev, EV_READ | EV_WRITE) == 0;
}

void link_close(struct link *link)
{
    if (link->bev)
        bufferevent_free(link->bev);
    if (link->reader)
        redisReaderFree(link->reader);
    link->bev = NULL;
    link->reader = NULL;
    link->pending.len = 0;
    link->state = LINK_DOWN;
}

static void free_reference(const void *bytes, size_t len, void *memory)
{
    (void)bytes;
    (void)len;
    mem_free(memory);
}

/* Writes straight to the socket as long as nothing waits before it; the rest goes through the
 * bufferevent. */
void link_flush(struct link *link)
{
    if (!link->bev || link->pending.len == 0 || link->state == LINK_CONNECTING)
        return;
    size_t sent = 0;
    if (evbuffer_get_length(bufferevent_get_output(link->bev)) == 0) {
        ssize_t wrote = send(bufferevent_getfd(link->bev), link->pending.ptr, link->pending.len,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (wrote > 0)
            sent = (size_t)wrote;
    }
    link->node->status.bytes_sent += link->pending.len;
    if (link->pending.len - sent > REFERENCE_BYTES_MIN) {
        evbuffer_add_reference(bufferevent_get_output(link->bev), link->pending.ptr + sent,
                               link->pending.len - sent, free_reference, link->pending.ptr);
        link->pending = (struct buf){0};
        return;
    }
    if (sent < link->pending.len)
        bufferevent_write(link->bev, link->pending.ptr + sent, link->pending.len - sent);
    link->pending.len = 0;
}

void link_write(struct link *link, struct span bytes)
{
    buf_add_span(&link->pending, bytes);
    link_flush(link);
}
