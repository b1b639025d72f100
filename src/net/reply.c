#include "net/reply.h"
#include "net/module.h"
#include "net/statistics.h"

#include <errno.h>
#include <sys/socket.h>

static bool wants_reply(const struct client *client)
{
    switch (client->reply_mode) {
    case REPLY_ON:
    case REPLY_SKIP_NEXT:
        return true;
    case REPLY_OFF:
    case REPLY_SKIP_THIS:
        return false;
    }
    return true;
}

void client_queue_flush(struct client *client)
{
    if (client->flush_queued)
        return;
    client->flush_queued = true;
    list_append(&client->net->flush, &client->flush_link);
}

static void over_limit(struct client *client)
{
    log_line(client->net->log, LOG_WARNING,
             "closed client %llu at %s: its output buffer of %zu bytes is over the limit",
             (unsigned long long)client->id, client->address, client_output_len(client));
    client->net->statistics.output_buffer_limit_disconnections++;
    client_kill(client);
}

/* True if it was, and the client is closed. */
bool client_over_hard_limit(struct client *client)
{
    uint64_t hard = client->net->settings.output_normal.hard_bytes;
    if (hard == 0 || client_output_len(client) <= hard)
        return false;
    over_limit(client);
    return true;
}

void client_check_soft_limit(struct client *client)
{
    const struct net_output_limit *limit = &client->net->settings.output_normal;
    if (client->state == CLIENT_DEAD)
        return;
    if (limit->soft_bytes == 0 || client_output_len(client) <= limit->soft_bytes) {
        client->over_soft_limit_since_ms = 0;
        return;
    }
    uint64_t now_ms = net_now(client->net)->mono_ms;
    if (client->over_soft_limit_since_ms == 0)
        client->over_soft_limit_since_ms = now_ms;
    else if (now_ms - client->over_soft_limit_since_ms > (uint64_t)limit->soft_seconds * 1000)
        over_limit(client);
}

static void wait_until_writable(struct client *client)
{
    if (!client->writing && event_add(&client->write_event, NULL) == 0)
        client->writing = true;
    /* What was written is dropped when that moves less than it drops. */
    if (client->out_start > client->out.len / 2) {
        buf_consume(&client->out, client->out_start);
        client->out_start = 0;
    }
}

static void all_written(struct client *client)
{
    client->out.len = client->out_start = 0;
    if (client->out.cap > NET_OUTPUT_KEEP)
        buf_close(&client->out);
    if (client->writing)
        event_del(&client->write_event);
    client->writing = false;
    if (client->state == CLIENT_CLOSING && client_owed(client) == 0)
        client_kill(client);
}

void client_write(struct client *client)
{
    if (client->state == CLIENT_DEAD || client_over_hard_limit(client))
        return;
    size_t len = client_output_len(client);
    if (len) {
        ssize_t sent = send(client->fd, client->out.ptr + client->out_start, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            client_kill(client);
            return;
        }
        if (sent > 0) {
            client->out_start += (size_t)sent;
            client->net->statistics.output_bytes += (uint64_t)sent;
            client->last_active_ms = net_now(client->net)->mono_ms;
        }
    }
    if (client_output_len(client))
        wait_until_writable(client);
    else
        all_written(client);
    client_check_soft_limit(client);
}

/* --- places --- */

struct shard_client client_expect_reply(struct client *client)
{
    struct shard_client handle = client->handle;
    handle.place = client_places_take(&client->places, !wants_reply(client));
    return handle;
}

void client_expect_no_reply(struct client *client)
{
    client_places_take_back(&client->places);
}

struct buf *client_begin_place(struct client *client, uint32_t place)
{
    struct net *net = client->net;
    if (client_places_state(&client->places, place) == PLACE_SILENT)
        return NULL;
    bool in_turn = client_places_is_head(&client->places, place);
    if (!in_turn)
        net->early.len = 0;
    net->reply_out = in_turn ? &client->out : &net->early;
    net->reply_start = net->reply_out->len;
    return net->reply_out;
}

void client_end_place(struct client *client, uint32_t place)
{
    struct net *net = client->net;
    if (client_places_is_head(&client->places, place)) {
        client_places_pass(&client->places, &client->out);
    } else {
        bool written = net->reply_out == &net->early;
        client_places_keep(&client->places, place,
                           written ? buf_span(&net->early) : span_of(NULL, 0));
    }
    net->reply_out = NULL;
}

struct resp_writer client_begin_reply(struct client *client)
{
    struct net *net = client->net;
    struct resp_writer reply = {NULL, client->protocol};
    if (client->state == CLIENT_DEAD || !wants_reply(client))
        return reply;
    bool in_turn = client_owed(client) == 0;
    if (!in_turn)
        net->early.len = 0;
    reply.out = in_turn ? &client->out : &net->early;
    net->local_start = reply.out->len;
    return reply;
}

bool client_end_reply(struct client *client, const struct resp_writer *reply)
{
    struct net *net = client->net;
    if (reply->out == NULL || reply->out->len == net->local_start)
        return false;
    struct span written =
        span_of(reply->out->ptr + net->local_start, reply->out->len - net->local_start);
    bool error = written.ptr[0] == '-';
    if (error)
        net_stats_error(net, written.ptr, written.len);
    if (reply->out == &net->early) {
        uint32_t place = client_places_take(&client->places, false);
        client_places_keep(&client->places, place, written);
        return error;
    }
    client_queue_flush(client);
    client_over_hard_limit(client);
    return error;
}

void client_error(struct client *client, const char *text)
{
    struct resp_writer reply = client_begin_reply(client);
    resp_error(&reply, text);
    client_end_reply(client, &reply);
}

void client_status(struct client *client, const char *text)
{
    struct resp_writer reply = client_begin_reply(client);
    resp_status(&reply, text);
    client_end_reply(client, &reply);
}
