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

/* What the limits count. What an I/O thread has not tried to write yet is not the client's fault.
 */
static size_t limited_len(const struct client *client)
{
    return client_output_len(client) - client->io_unwritten + client->io_stuck;
}

static void over_limit(struct client *client)
{
    log_line(client->net->log, LOG_WARNING,
             "closed client %llu at %s: its output buffer of %zu bytes is over the limit",
             (unsigned long long)client->id, client->address, limited_len(client));
    client->net->statistics.output_buffer_limit_disconnections++;
    client_kill(client);
}

static const struct net_output_limit *output_limit(const struct client *client)
{
    const struct net_settings *settings = &client->net->settings;
    return client_is_subscriber(client) ? &settings->output_pubsub : &settings->output_normal;
}

/* True if it was, and the client is closed. */
bool client_over_hard_limit(struct client *client)
{
    uint64_t hard = output_limit(client)->hard_bytes;
    if (hard == 0 || limited_len(client) <= hard)
        return false;
    over_limit(client);
    return true;
}

/* What came early does not leave before the head has its reply. */
bool client_is_full(const struct client *client, uint32_t place)
{
    uint64_t most = client->net->settings.output_pause;
    uint64_t unread = net_output_len(&client->output) + client->io_unwritten;
    if (!client_places_is_head(&client->places, place))
        unread += client->places.kept_bytes;
    if (client->state == CLIENT_DEAD)
        return client->held_back; /* what was held goes with the client */
    return most && unread >= most;
}

/* Half of the limit, so that a client that reads slowly goes on in large steps. */
static void check_held(struct client *client)
{
    uint64_t most = client->net->settings.output_pause;
    uint64_t unread = net_output_len(&client->output) + client->io_unwritten;
    bool enough = most == 0 || unread <= most / 2;
    if (enough && client->state != CLIENT_DEAD && list_is_alone(&client->go_on_link))
        list_append(&client->net->go_on, &client->go_on_link);
}

void client_check_unread(struct client *client)
{
    if (client->held_back) {
        check_held(client);
        return;
    }
    if (client->state != CLIENT_UNREAD)
        return;
    uint64_t most = client->net->settings.output_pause;
    if (most == 0 || client_output_len(client) + client->owed_bytes <= most / 2)
        client_wake(client);
}

void client_check_soft_limit(struct client *client)
{
    const struct net_output_limit *limit = output_limit(client);
    if (client->state == CLIENT_DEAD)
        return;
    if (limit->soft_bytes == 0 || limited_len(client) <= limit->soft_bytes) {
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
}

static void all_written(struct client *client)
{
    if (client->writing)
        event_del(&client->write_event);
    client->writing = false;
    if (client->state == CLIENT_CLOSING && client_owed(client) == 0)
        client_kill(client);
}

/* One system call for all that is there, up to NET_PIECES_PER_CALL chunks. */
static ssize_t send_some(const struct client *client)
{
    struct iovec pieces[NET_PIECES_PER_CALL];
    int count = net_output_gather(&client->output, pieces, NET_PIECES_PER_CALL);
    if (count == 1)
        return send(client->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    return sendmsg(client->fd, &message, MSG_NOSIGNAL);
}

void client_write(struct client *client)
{
    if (client->state == CLIENT_DEAD || client_over_hard_limit(client))
        return;
    if (net_output_len(&client->output)) {
        ssize_t sent = send_some(client);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            client_kill(client);
            return;
        }
        if (sent > 0) {
            net_output_written(&client->output, (size_t)sent);
            client->net->statistics.output_bytes += (uint64_t)sent;
            client->last_active_ms = net_now(client->net)->mono_ms;
        }
    }
    if (net_output_len(&client->output))
        wait_until_writable(client);
    else
        all_written(client);
    client_check_soft_limit(client);
    client_check_unread(client);
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

/* Where a reply goes that is in its turn, or not. */
static struct net_output *output_for(struct client *client, bool in_turn)
{
    struct net *net = client->net;
    if (in_turn)
        return &client->output;
    net->early.tail.len = 0; /* of a reply whose client was closed meanwhile */
    net_chunks_close(&net->early.chunks);
    return &net->early;
}

static void seal_if_full(struct net_output *output)
{
    if (output->tail.len >= RESP_PIECE_BYTES)
        net_output_seal(output);
}

void client_take_piece(void *context, struct buf *out)
{
    (void)context;
    net_output_seal(LIST_OWNER(out, struct net_output, tail));
}

struct buf *client_begin_place(struct client *client, uint32_t place)
{
    struct net *net = client->net;
    if (client_places_state(&client->places, place) == PLACE_SILENT)
        return NULL;
    bool in_turn = client_places_is_head(&client->places, place);
    struct net_output *output = output_for(client, in_turn);
    net->reply = (struct resp_writer){&output->tail, 2, &net->pieces};
    net->reply_start = net_output_len(output);
    net->reply_mark = resp_mark(&net->reply);
    return net->reply.out;
}

/* Nothing that the client asked for is under way. */
void client_owes_nothing(struct client *client)
{
    client->owed_bytes = client->owed_unsure = 0;
    client->owed_lengthening = false;
    client->longest_reply /= 2;
}

static void note_length(struct client *client)
{
    const struct net *net = client->net;
    if (net->reply.out == NULL)
        return;
    const struct net_output *output = LIST_OWNER(net->reply.out, struct net_output, tail);
    size_t len = net_output_len(output) - net->reply_start;
    if (len > NET_SHORT_REPLY_BYTES && len > client->longest_reply)
        client->longest_reply = len;
}

void client_end_place(struct client *client, uint32_t place)
{
    struct net *net = client->net;
    note_length(client);
    if (client_places_is_head(&client->places, place)) {
        client_places_pass(&client->places, &client->output);
        seal_if_full(&client->output);
    } else {
        bool written = net->reply.out == &net->early.tail;
        client_places_keep(&client->places, place, written ? &net->early : NULL);
    }
    net->reply.out = NULL;
    if (client_owed(client) == 0)
        client_owes_nothing(client);
}

struct resp_writer client_begin_reply(struct client *client)
{
    struct net *net = client->net;
    struct resp_writer reply = {NULL, client->protocol, &net->pieces};
    if (client->state == CLIENT_DEAD || !wants_reply(client))
        return reply;
    struct net_output *output = output_for(client, client_owed(client) == 0);
    reply.out = &output->tail;
    net->local_start = net_output_len(output);
    net->local_mark = resp_mark(&reply);
    return reply;
}

bool client_end_reply(struct client *client, const struct resp_writer *reply)
{
    struct net *net = client->net;
    if (reply->out == NULL)
        return false;
    struct net_output *output = LIST_OWNER(reply->out, struct net_output, tail);
    if (net_output_len(output) == net->local_start)
        return false;
    struct span written = resp_since(reply, net->local_mark);
    bool error = written.len && written.ptr[0] == '-';
    if (error)
        net_stats_error(net, written.ptr, written.len);
    if (output == &net->early) {
        uint32_t place = client_places_take(&client->places, false);
        client_places_keep(&client->places, place, output);
        return error;
    }
    seal_if_full(output);
    client_queue_flush(client);
    client_over_hard_limit(client);
    return error;
}

struct resp_writer client_begin_push(struct client *client)
{
    return (struct resp_writer){&client->output.tail, client->protocol, &client->net->pieces};
}

void client_end_push(struct client *client)
{
    seal_if_full(&client->output);
    client_queue_flush(client);
    client_over_hard_limit(client);
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
