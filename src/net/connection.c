/* A connection's life: its input, the loop over its commands, its waiting and its end. */
#include "net/connection.h"

#include "net/blocking.h"
#include "net/dispatch.h"
#include "net/io.h"
#include "net/listen.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"
#include "net/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

static void on_readable(evutil_socket_t fd, short what, void *context);
static void on_writable(evutil_socket_t fd, short what, void *context);

static void slot_take(struct net *net, struct client *client)
{
    if (net->first_free == 0) {
        uint32_t grown = net->slot_count ? net->slot_count * 2 : 64;
        net->slots = mem_realloc(net->slots, grown * sizeof *net->slots);
        for (uint32_t i = grown; i > net->slot_count; i--) {
            net->slots[i - 1] = (struct client_slot){.generation = 1, .next_free = net->first_free};
            net->first_free = i;
        }
        net->slot_count = grown;
    }
    uint32_t position = net->first_free - 1;
    struct client_slot *slot = &net->slots[position];
    net->first_free = slot->next_free;
    slot->client = client;
    client->handle = (struct shard_client){.slot = position, .generation = slot->generation};
}

/* Late replies still name the old generation and find nobody. */
static void slot_release(struct net *net, const struct client *client)
{
    struct client_slot *slot = &net->slots[client->handle.slot];
    slot->client = NULL;
    slot->generation++;
    slot->next_free = net->first_free;
    net->first_free = client->handle.slot + 1;
}

struct client *client_new(struct net *net, int fd)
{
    struct client *client = mem_zalloc(sizeof *client);
    client->net = net;
    client->fd = fd;
    client->state = CLIENT_OPEN;
    client->protocol = 2;
    client->authenticated = net->settings.password[0] == '\0';
    client->id = ++net->next_id;
    client->created_ms = client->last_active_ms = net_now(net)->mono_ms;
    list_init(&client->link);
    list_init(&client->resume_link);
    list_init(&client->flush_link);
    list_init(&client->go_on_link);
    list_init(&client->dead_link);
    slot_take(net, client);
    net->clients++;
    event_assign(&client->read_event, net->base, fd, EV_READ | EV_PERSIST, on_readable, client);
    event_assign(&client->write_event, net->base, fd, EV_WRITE | EV_PERSIST, on_writable, client);
    if (event_add(&client->read_event, NULL) == 0)
        client->reading = true;
    else
        client_kill(client);
    return client;
}

static void leave_lists(struct client *client)
{
    if (!list_is_alone(&client->link)) {
        list_remove(&client->link);
        client->net->waiting_count[client->state]--;
    }
    list_remove(&client->resume_link);
}

void client_stop_events(struct client *client)
{
    if (client->reading)
        event_del(&client->read_event);
    if (client->writing)
        event_del(&client->write_event);
    client->reading = client->writing = false;
}

void client_free(struct client *client)
{
    struct net *net = client->net;
    leave_lists(client);
    list_remove(&client->flush_link);
    list_remove(&client->go_on_link);
    list_remove(&client->dead_link);
    if (client->held_back && net->shard)
        shard_drop_held(net->shard, client->handle);
    client_stop_events(client);
    if (client->io_thread)
        net_io_leave(client);
    else if (client->fd >= 0)
        close(client->fd);
    if (client->refusal)
        client_leave_refused(client);
    client_blocking_close(client);
    client_transaction_close(client);
    client_subscriptions_close(client);
    resp_parser_close(&client->parser);
    buf_close(&client->in);
    net_output_close(&client->output);
    client_places_close(&client->places);
    mem_free(client->name);
    mem_free(client->lib_name);
    mem_free(client->lib_ver);
    slot_release(net, client);
    net->clients--;
    mem_free(client);
}

void client_kill(struct client *client)
{
    if (client->state == CLIENT_DEAD)
        return;
    leave_lists(client);
    list_remove(&client->go_on_link);
    client_stop_events(client);
    client->state = CLIENT_DEAD;
    client_stop_waiting(client);
    list_append(&client->net->dead, &client->dead_link);
}

void client_forget_descriptor(struct client *client)
{
    client_stop_events(client);
    client->fd = -1;
    client_kill(client);
}

void client_close_after_output(struct client *client)
{
    if (client->state == CLIENT_DEAD)
        return;
    leave_lists(client);
    client->state = CLIENT_CLOSING;
    if (client->reading)
        event_del(&client->read_event);
    client->reading = false;
    client_queue_flush(client);
}

/* --- waiting --- */

enum net_verdict client_hold(struct client *client, enum client_state state)
{
    ASSERT(client->state == CLIENT_OPEN);
    client->state = state;
    list_append(&client->net->waiting[state], &client->link);
    client->net->waiting_count[state]++;
    return NET_HOLD;
}

static void read_on(struct client *client)
{
    if (client->reading || client->end_of_input || client->state >= CLIENT_CLOSING)
        return;
    if (event_add(&client->read_event, NULL) == 0)
        client->reading = true;
}

void client_wake(struct client *client)
{
    leave_lists(client);
    client->state = CLIENT_OPEN;
    list_append(&client->net->resume, &client->resume_link);
}

/* --- input --- */

size_t client_input_len(const struct client *client)
{
    return client->in.len - client->in_start;
}

static void protocol_error(struct client *client)
{
    log_line(client->net->log, LOG_VERBOSE, "closed client %llu at %s: '%s'",
             (unsigned long long)client->id, client->address, client->parser.error);
    struct resp_writer reply = client_begin_reply(client);
    resp_errorf(&reply, "ERR %s", client->parser.error);
    client_end_reply(client, &reply);
    client_close_after_output(client);
}

bool client_is_stranger(const struct client *client)
{
    return client->net->settings.password[0] && !client->authenticated;
}

static bool has_unread(const struct client *client)
{
    uint64_t most = client->net->settings.output_pause;
    if (client->held_back)
        return true;
    return most && client_output_len(client) + client->owed_bytes >= most;
}

bool client_must_read(struct client *client)
{
    if (!has_unread(client))
        return false;
    client_hold(client, CLIENT_UNREAD);
    if (client->io_thread)
        client_queue_flush(client); /* its thread is asked to tell */
    return true;
}

/* Carries out the commands in `bytes`; what is left over comes back. */
static struct span run_commands(struct client *client, struct span bytes)
{
    struct resp_limits limits = {.bulk_len_max = client->net->settings.bulk_len_max};
    struct resp_parser *parser = &client->parser;
    while (client->state == CLIENT_OPEN && bytes.len) {
        if (client_must_read(client))
            break;
        limits.authenticated = !client_is_stranger(client);
        enum resp_outcome outcome = resp_parse(parser, bytes, &limits);
        if (outcome == RESP_INCOMPLETE)
            break;
        if (outcome == RESP_ERROR) {
            protocol_error(client);
            break;
        }
        size_t used = parser->consumed;
        struct span rest = span_of(bytes.ptr + used, bytes.len - used);
        client->has_more = rest.len > 0;
        if (parser->argc &&
            client_dispatch(client, parser->args, parser->argc, used, rest) == NET_HOLD)
            break;
        client->park_until_ms = 0;
        bytes = rest;
    }
    return client->state >= CLIENT_CLOSING ? span_of(NULL, 0) : bytes;
}

static void check_query_limit(struct client *client)
{
    const struct net_settings *settings = &client->net->settings;
    size_t held = client_input_len(client) + client->io_held +
                  client_transaction_memory(&client->transaction);
    uint64_t most = settings->query_buffer_max ? settings->query_buffer_max : UINT64_MAX;
    if (client_is_stranger(client) && most > NET_UNAUTHENTICATED_MAX)
        most = NET_UNAUTHENTICATED_MAX;
    if (held <= most)
        return;
    log_line(client->net->log, LOG_WARNING,
             "closed client %llu at %s: its query buffer of %zu bytes is over the limit",
             (unsigned long long)client->id, client->address, held);
    client->net->statistics.query_buffer_limit_disconnections++;
    client_kill(client);
}

/* Some clients write a whole pipeline before they read: one that is held back for its unread
 * replies may send as much as a query buffer holds. */
uint64_t client_read_ahead_max(const struct client *client)
{
    uint64_t most = client->net->settings.query_buffer_max;
    if (client->state == CLIENT_UNREAD)
        return most == 0 ? UINT64_MAX : most > 2 * NET_READ_MAX ? most - NET_READ_MAX : most / 2;
    return most == 0 || most / 2 > NET_READ_AHEAD_MAX ? NET_READ_AHEAD_MAX : most / 2;
}

/* Nothing more is read while the client waits and has sent enough ahead. */
static void check_read_ahead(struct client *client)
{
    if (client->state == CLIENT_OPEN || !client->reading)
        return;
    if (client_input_len(client) < client_read_ahead_max(client))
        return;
    event_del(&client->read_event);
    client->reading = false;
}

/* The client sent all it had to send. It may have closed only its half: what it asked is answered,
 * as `printf … | nc` expects, but nobody that left waits for a leader or for others. */
static void check_end(struct client *client)
{
    if (!client->end_of_input || client->state >= CLIENT_CLOSING)
        return;
    if (client->blocking.waits) {
        client_kill(client);
        return;
    }
    switch (client->state) {
    case CLIENT_OPEN:
        if (list_is_alone(&client->resume_link))
            client_close_after_output(client);
        return;
    case CLIENT_FULL:
    case CLIENT_UNREAD:
    case CLIENT_BARRIER:
        return;
    case CLIENT_PARKED:
    case CLIENT_PAUSED:
    case CLIENT_BLOCKED:
        client_kill(client);
        return;
    case CLIENT_CLOSING:
    case CLIENT_DEAD:
    case CLIENT_STATES:
        return;
    }
}

void client_after_commands(struct client *client)
{
    check_end(client);
    if (client->state >= CLIENT_CLOSING)
        return;
    check_query_limit(client);
    if (client->state == CLIENT_DEAD)
        return;
    if (client->io_thread) {
        client_grant(client);
        return;
    }
    if (client->state == CLIENT_OPEN)
        read_on(client);
    else
        check_read_ahead(client);
    if (client->net->io)
        client_move_to_thread(client);
}

/* What a big argument or a long pipeline needed is given back with its last byte. */
static void shrink_input(struct client *client)
{
    if (client->in.cap <= NET_READ_MAX || client_input_len(client) >= NET_READ_MAX / 2)
        return;
    if (client->in_start)
        buf_consume(&client->in, client->in_start);
    client->in_start = 0;
    buf_shrink(&client->in);
}

/* The bytes are the client's own buffer. */
void client_process_own(struct client *client)
{
    if (client_input_len(client) == 0)
        return;
    struct span bytes = span_of(client->in.ptr + client->in_start, client_input_len(client));
    struct span rest = run_commands(client, bytes);
    client->in_start = client->in.len - rest.len;
    if (rest.len == 0)
        client->in.len = client->in_start = 0;
    shrink_input(client);
}

void client_process(struct client *client)
{
    if (client->state == CLIENT_OPEN)
        client_process_own(client);
    client_after_commands(client);
}

static bool reads_into_own(const struct client *client)
{
    return client->state != CLIENT_OPEN || client_input_len(client) > NET_READ_MIN;
}

static char *room_in_own(struct client *client, size_t *room)
{
    size_t wanted = resp_parser_wanted(&client->parser, client_input_len(client));
    if (client->net->shard)
        shard_expect(client->net->shard, client_input_len(client) + wanted, *net_now(client->net));
    *room = wanted < NET_READ_MIN ? NET_READ_MIN : wanted;
    if (*room > NET_READ_MAX)
        *room = NET_READ_MAX;
    if (client->in_start && client->in.cap - client->in.len < *room) {
        buf_consume(&client->in, client->in_start);
        client->in_start = 0;
    }
    return buf_reserve(&client->in, *room);
}

/* A short rest of the last read goes before the new bytes in the shared buffer. */
static char *room_in_shared(struct client *client, size_t *room)
{
    size_t kept = client_input_len(client);
    char *shared = client->net->read_buffer;
    if (kept)
        memcpy(shared, client->in.ptr + client->in_start, kept);
    *room = NET_READ_BYTES - kept;
    return shared + kept;
}

static void process_shared(struct client *client, size_t got)
{
    size_t len = client_input_len(client) + got;
    client->in.len = client->in_start = 0;
    struct span rest = run_commands(client, span_of(client->net->read_buffer, len));
    buf_add_span(&client->in, rest);
}

static void read_failed(struct client *client, ssize_t got)
{
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got < 0) {
        client_kill(client);
        return;
    }
    client->end_of_input = true;
    client->end_of_input_ms = net_now(client->net)->mono_ms;
    event_del(&client->read_event);
    client->reading = false;
    check_end(client);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct client *client = context;
    (void)what;
    bool own = reads_into_own(client);
    size_t room;
    char *into = own ? room_in_own(client, &room) : room_in_shared(client, &room);
    ssize_t got = read(fd, into, room);
    if (got <= 0) {
        read_failed(client, got);
        return;
    }
    client->net->statistics.input_bytes += (uint64_t)got;
    client->last_active_ms = net_now(client->net)->mono_ms;
    if (!own) {
        process_shared(client, (size_t)got);
    } else {
        client->in.len += (size_t)got;
        if (client->state == CLIENT_OPEN)
            client_process_own(client);
    }
    client_after_commands(client);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    client_write(context);
}

/* --- for others --- */

size_t client_memory(const struct client *client)
{
    return sizeof *client + mem_footprint(client->in.cap) + resp_parser_memory(&client->parser) +
           client->io_memory + client->io_unwritten - client->io_stuck +
           net_output_memory(&client->output) + client_places_memory(&client->places) +
           client_subscriptions_memory(client) + client_transaction_footprint(&client->transaction);
}

void client_set_text(char **text, struct span value)
{
    mem_free(*text);
    *text = NULL;
    if (value.len == 0)
        return;
    *text = mem_alloc(value.len + 1);
    memcpy(*text, value.ptr, value.len);
    (*text)[value.len] = '\0';
}

int net_client_protocol(const struct client *client)
{
    return client->protocol;
}

bool net_client_is_unix(const struct client *client)
{
    return client->is_unix;
}

void net_client_close(struct client *client)
{
    client_close_after_output(client);
}
