#include "peer/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/dns.h>
#include <openssl/crypto.h>

#include "base/mem.h"
#include "peer/internal.h"
#include "wire/message.h"

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct node *find_node(const struct peers *peers, uint64_t id)
{
    for (size_t i = 0; i < peers->count; i++)
        if (peers->nodes[i].id == id)
            return (struct node *)&peers->nodes[i];
    return NULL;
}

static void set_connected(struct node *node, bool connected)
{
    if (node->status.connected == connected)
        return;
    node->status.connected = connected;
    node->status.since_ms = wall_ms();
    if (connected)
        node->status.connects++;
    log_line(node->out.peers->options.log, LOG_VERBOSE, "node %llu at %s:%u is %s",
             (unsigned long long)node->id, node->address->host, (unsigned)node->address->port,
             connected ? "connected" : "not connected");
}

static void redial_later(struct node *node)
{
    struct timeval delay = {.tv_sec = node->backoff_ms / 1000,
                            .tv_usec = (node->backoff_ms % 1000) * 1000};
    event_add(node->redial, &delay);
    node->backoff_ms =
        node->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : node->backoff_ms * 2;
}

/* A refused or reset connection says that the process on the other side is gone. The plain end of a
 * connection may have other reasons, so it is dialled again at once: a dead process refuses that.
 */
void link_lost(struct link *link, int error)
{
    struct node *node = link->node;
    struct peers *peers = link->peers;
    bool was_ready = link->state == LINK_READY;
    bool dialled = link->dialled;
    link_close(link);
    if (dialled) {
        set_connected(node, false);
        if (was_ready && error != EPROTO)
            node_dial(node);
        else
            redial_later(node);
    }
    if (error == ECONNREFUSED || error == ECONNRESET)
        peers->options.events.lost(peers->options.events.context, node->id);
}

static void greet(struct node *node)
{
    const struct peer_options *options = &node->out.peers->options;
    struct wire_hello hello = {.cluster_id = span_text(options->cluster->cluster_id),
                               .secret = options->secret,
                               .from = options->self,
                               .to = node->id};
    wire_encode_hello(&node->out.pending, &hello);
}

void node_dial(struct node *node)
{
    struct peers *peers = node->out.peers;
    struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_MS / 1000};
    node->out.state = LINK_CONNECTING;
    if (!link_open(&node->out, -1)) {
        link_close(&node->out);
        redial_later(node);
        return;
    }
    greet(node);
    bufferevent_set_timeouts(node->out.bev, &timeout, &timeout);
    /* A failure to resolve or to connect shows as an event, perhaps before this returns. */
    bufferevent_socket_connect_hostname(node->out.bev, peers->dns, AF_UNSPEC, node->address->host,
                                        node->address->port);
}

static void on_redial(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct node *node = context;
    if (node->out.state == LINK_DOWN)
        node_dial(node);
}

struct peers *peers_new(struct event_base *base, const struct peer_options *options)
{
    struct peers *peers = mem_zalloc(sizeof *peers);
    peers->base = base;
    peers->options = *options;
    peers->dns =
        evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    for (size_t i = 0; i < options->cluster->count; i++) {
        const struct cluster_node *address = &options->cluster->nodes[i];
        if (address->id == options->self)
            continue;
        struct node *node = &peers->nodes[peers->count++];
        node->id = address->id;
        node->address = address;
        node->backoff_ms = BACKOFF_MIN_MS;
        node->out =
            (struct link){.peers = peers, .node = node, .peer = {node->id, 1}, .dialled = true};
        node->in = (struct link){.peers = peers, .node = node, .peer = {node->id, 1}};
        node->redial = evtimer_new(base, on_redial, node);
        node_dial(node);
    }
    return peers;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    for (size_t i = 0; i < peers->count; i++) {
        struct node *node = &peers->nodes[i];
        link_close(&node->out);
        link_close(&node->in);
        buf_close(&node->out.pending);
        buf_close(&node->in.pending);
        event_free(node->redial);
    }
    if (peers->dns)
        evdns_base_free(peers->dns, 0);
    mem_free(peers->args);
    mem_free(peers);
}

static bool reply_to_hello(struct link *link, const redisReply *reply)
{
    struct node *node = link->node;
    if (reply->type == REDIS_REPLY_STATUS) {
        link->state = LINK_READY;
        node->backoff_ms = BACKOFF_MIN_MS;
        set_connected(node, true);
        return true;
    }
    log_line(link->peers->options.log, LOG_WARNING, "node %llu at %s:%u refused this node: %s",
             (unsigned long long)node->id, node->address->host, (unsigned)node->address->port,
             reply->type == REDIS_REPLY_ERROR ? reply->str : "unexpected reply");
    node->backoff_ms = BACKOFF_MAX_MS;
    return false;
}

bool link_reply(struct link *link, const redisReply *reply)
{
    struct peers *peers = link->peers;
    if (link->state != LINK_READY)
        return reply_to_hello(link, reply);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return false;
    if (peers->args_cap < reply->elements) {
        peers->args_cap = reply->elements;
        peers->args = mem_realloc(peers->args, peers->args_cap * sizeof *peers->args);
    }
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
        peers->args[i] = span_of(reply->element[i]->str, (size_t)reply->element[i]->len);
    }
    const struct peer_events *events = &peers->options.events;
    uint32_t shard;
    if (wire_parse_alive(peers->args, reply->elements, &shard) == ERR_NONE) {
        events->alive(events->context, shard, &link->peer);
        return true;
    }
    if (wire_message_shard(peers->args, reply->elements, &shard) != ERR_NONE)
        return false;
    return events->message(events->context, shard, &link->peer, peers->args, reply->elements);
}

void peers_send(struct peers *peers, uint64_t to, bool response, struct span bytes)
{
    struct node *node = find_node(peers, to);
    if (!node)
        return;
    struct link *link = response ? &node->in : &node->out;
    if (link->state != LINK_READY) {
        node->status.dropped++;
        return;
    }
    size_t waiting = link->pending.len + evbuffer_get_length(bufferevent_get_output(link->bev));
    if (waiting > peers->options.output_bytes_max) {
        node->status.dropped++;
        return;
    }
    buf_add_span(&link->pending, bytes);
}

void peers_flush(struct peers *peers)
{
    for (size_t i = 0; i < peers->count; i++) {
        link_flush(&peers->nodes[i].out);
        link_flush(&peers->nodes[i].in);
    }
}

static const char *refusal(const struct peers *peers, const struct wire_hello *hello)
{
    const struct peer_options *options = &peers->options;
    if (hello->secret.len != options->secret.len ||
        CRYPTO_memcmp(hello->secret.ptr ? hello->secret.ptr : "",
                      options->secret.ptr ? options->secret.ptr : "", options->secret.len) != 0)
        return "NOPERM wrong cluster-secret";
    struct span own_id = span_text(options->cluster->cluster_id);
    if (!span_equal(hello->cluster_id, own_id) &&
        cluster_same_but_mark(hello->cluster_id, own_id)) {
        log_line(options->log, LOG_WARNING,
                 "node %llu is refused: it and this node did not begin with the same data; one of "
                 "them was bootstrapped with another file, or with none (--import)",
                 (unsigned long long)hello->from);
        return "NOPERM the two nodes did not begin with the same data: one of them was "
               "bootstrapped with another file, or with none (--import)";
    }
    if (!span_equal(hello->cluster_id, own_id))
        return "NOPERM this node belongs to another cluster";
    if (hello->to != options->self)
        return "NOPERM this is another node than the one that was dialled";
    if (!find_node(peers, hello->from))
        return "NOPERM that node is no member of the cluster";
    return NULL;
}

const char *peers_accept(struct peers *peers, int fd, const struct span *args, size_t argc,
                         struct span rest)
{
    struct wire_hello hello;
    if (wire_parse_hello(args, argc, &hello) != ERR_NONE)
        return "NOPERM malformed RAFT.HELLO, or of another version";
    const char *refused = refusal(peers, &hello);
    if (refused)
        return refused;
    struct link *link = &find_node(peers, hello.from)->in;
    link_close(link); /* a node dials again when it has given up the old connection */
    if (!link_open(link, fd)) {
        link_close(link);
        return NULL; /* the descriptor is closed with the bufferevent */
    }
    link->state = LINK_READY;
    link_write(link, SPAN("+OK\r\n"));
    if (rest.len && redisReaderFeed(link->reader, rest.ptr, rest.len) == REDIS_OK)
        link_consume(link);
    return NULL;
}

struct peer_link peers_link(const struct peers *peers, uint64_t id)
{
    const struct node *node = find_node(peers, id);
    if (!node)
        return (struct peer_link){0};
    struct peer_link status = node->status;
    status.output_bytes = node->out.pending.len;
    if (node->out.bev)
        status.output_bytes += evbuffer_get_length(bufferevent_get_output(node->out.bev));
    return status;
}
