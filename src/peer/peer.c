#include "peer/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "peer/internal.h"
#include "wire/message.h"

struct node *peers_find(const struct peers *peers, uint64_t id)
{
    for (size_t i = 0; i < peers->count; i++)
        if (peers->nodes[i]->id == id)
            return peers->nodes[i];
    return NULL;
}

static const char *cause_of(int error)
{
    return error ? strerror(error) : "it has closed the connection";
}

/* A process that ends may still take a connection, and drop it: the next attempt shows more. */
static bool is_worth_a_line(const struct link *link, int error)
{
    bool is_dropped = error == 0 || error == ECONNRESET;
    return !(is_dropped && (link->state == LINK_GREETING || link->state == LINK_PROVING) &&
             link->node->attempts < 2);
}

static void say_lost(const struct link *link, int error)
{
    if (is_worth_a_line(link, error))
        node_trouble(link->node, LOG_NOTICE, "%s: %s",
                     link->state == LINK_READY ? "is not connected any more" : "cannot be reached",
                     cause_of(error));
    else
        link->node->attempts++;
}

/* A refused or reset connection says that the process on the other side is gone, once until there
 * is a connection again. */
static void tell_death(struct node *node, int error)
{
    const struct peer_events *events = &node->out->peers->options.events;
    if ((error != ECONNREFUSED && error != ECONNRESET) || node->death_told || node->id == 0)
        return;
    node->death_told = true;
    events->lost(events->context, node->id);
}

/* The plain end of a connection may have other reasons than a death, so it is dialled again at
 * once: a dead process refuses that. */
void link_lost(struct link *link, int error)
{
    struct node *node = link->node;
    if (!node) {
        guest_lost(link);
        return;
    }
    if (link->dialled && dial_next(link))
        return;
    bool was_ready = link->state == LINK_READY;
    if (link->dialled && error != EPROTO)
        say_lost(link, error);
    link_close(link);
    if (link->dialled) {
        node_connected(node, false);
        /* What does not last is not dialled again at once: the other side may refuse each time. */
        if (was_ready && link_lasted(link)) {
            node->backoff_ms = BACKOFF_MIN_MS;
            node->hurried = false;
        }
        if (node->older_version)
            node_redial_later(node, 0);
        else if (was_ready && error != EPROTO && link_lasted(link))
            node_dial(node);
        else
            node_redial(node);
    }
    tell_death(node, error);
}

static void on_redial(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct node *node = context;
    if (node->out->state == LINK_DOWN)
        node_dial(node);
}

struct node *node_new(struct peers *peers, const struct cluster_node *address)
{
    struct node *node = mem_zalloc(sizeof *node);
    node->id = address->id;
    node->address = *address;
    node->backoff_ms = BACKOFF_MIN_MS;
    node->out = link_new(peers, node, true);
    node->redial = evtimer_new(peers->base, on_redial, node);
    node_redial_later(node, 0);
    return node;
}

static struct node *add_node(struct peers *peers, const struct cluster_node *address)
{
    return peers->nodes[peers->count++] = node_new(peers, address);
}

void node_free(struct node *node)
{
    link_free(node->out);
    link_free(node->in);
    event_free(node->redial);
    mem_free(node);
}

void node_begin_anew(struct node *node)
{
    link_close(node->out);
    if (node->in)
        link_close(node->in);
    node_connected(node, false);
    node->backoff_ms = BACKOFF_MIN_MS;
    node_redial_later(node, 0);
}

static bool is_listed(const struct peers *peers, const struct cluster_node *address)
{
    return address && address->id != peers->options.self;
}

void peers_follow(struct peers *peers)
{
    const struct cluster *cluster = peers->options.cluster;
    size_t kept = 0;
    for (size_t i = 0; i < peers->count; i++) {
        if (is_listed(peers, cluster_find(cluster, peers->nodes[i]->id)))
            peers->nodes[kept++] = peers->nodes[i];
        else
            node_free(peers->nodes[i]);
    }
    peers->count = kept;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *address = &cluster->nodes[i];
        struct node *node = peers_find(peers, address->id);
        if (!is_listed(peers, address))
            continue;
        if (!node) {
            add_node(peers, address);
        } else if (strcmp(node->address.host, address->host) != 0 ||
                   node->address.port != address->port) {
            node->address = *address;
            node_begin_anew(node);
        }
    }
}

static bool is_idle_visitor(const struct node *node)
{
    return node->address.port == 0 && (!node->in || node->in->state != LINK_READY);
}

bool peers_has_place(const struct peers *peers)
{
    bool has_place = peers->count < RAFT_MEMBERS_MAX;
    for (size_t i = 0; i < peers->count; i++)
        has_place |= is_idle_visitor(peers->nodes[i]);
    return has_place;
}

struct node *peers_add_visitor(struct peers *peers, uint64_t id)
{
    const struct cluster_node address = {.id = id, .host = "an address that is not known"};
    for (size_t i = 0; i < peers->count && peers->count == RAFT_MEMBERS_MAX; i++) {
        if (!is_idle_visitor(peers->nodes[i]))
            continue;
        node_free(peers->nodes[i]);
        peers->nodes[i] = peers->nodes[--peers->count];
    }
    return add_node(peers, &address);
}

struct peers *peers_new(struct event_base *base, const struct peer_options *options)
{
    struct peers *peers = mem_zalloc(sizeof *peers);
    peers->base = base;
    peers->options = *options;
    peers->version_min = WIRE_VERSION_OLDEST;
    peers->resolver = resolver_new(base, dial_resolved, peers);
    peers->options.guarded = false;
    peers_set_guarded(peers, options->guarded);
    peers_follow(peers);
    return peers;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    guests_end(peers);
    seek_end(peers);
    for (size_t i = 0; i < peers->count; i++)
        node_free(peers->nodes[i]);
    resolver_free(peers->resolver);
    mem_free(peers);
}

static void restart(struct peers *peers)
{
    peers->restart = false;
    guests_end(peers);
    for (size_t i = 0; i < peers->count; i++)
        node_begin_anew(peers->nodes[i]);
    contacts_restart(peers);
}

static bool is_older(const struct link *link, uint32_t version)
{
    return link && link->state == LINK_READY && link->peer.version < version;
}

static void drop_older(struct peers *peers)
{
    peers->drop_older = false;
    for (size_t i = 0; i < peers->count; i++)
        if (is_older(peers->nodes[i]->out, peers->version_min) ||
            is_older(peers->nodes[i]->in, peers->version_min))
            node_begin_anew(peers->nodes[i]);
}

void peers_require(struct peers *peers, uint32_t version)
{
    if (version <= peers->version_min)
        return;
    peers->version_min = version;
    peers->drop_older = true;
}

/* The other node was older when this one dialled it, or could not answer to the newest version. The
 * connection that it began may also be the one that is out of date: hence the backoff. */
bool node_catch_up(struct node *node)
{
    const struct link *in = node->in;
    if (!in || in->state != LINK_READY || !is_older(node->out, in->peer.version))
        return false;
    if (link_lasted(node->out))
        node->backoff_ms = BACKOFF_MIN_MS;
    link_close(node->out);
    node_connected(node, false);
    node_redial(node);
    return true;
}

void peers_set_self(struct peers *peers, uint64_t self)
{
    peers->options.self = self;
}

void peers_restart(struct peers *peers, uint64_t incarnation)
{
    peers->options.incarnation = incarnation;
    peers->restart = true; /* later: one of the connections may be what told this node to */
}

void peers_set_guarded(struct peers *peers, bool guarded)
{
    bool begins = guarded && !peers->options.guarded;
    peers->options.guarded = guarded;
    if (!begins || peers->options.secret.len || peers->options.cluster->count < 2)
        return;
    log_line(peers->options.log, LOG_WARNING,
             "a password guards the data, but cluster-secret is not set: this node hears no other "
             "node and none hears it; set cluster-secret, the same on all nodes");
    peers->restart = true;
}

/* The place of the cause, or the one to give up for it. */
static struct refusal *refusal_place(struct node *node, const char *why)
{
    struct refusal *oldest = &node->refusals[0];
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *place = &node->refusals[i];
        if (!place->why || place->why == why)
            return place;
        if (place->said_ms < oldest->said_ms)
            oldest = place;
    }
    return oldest;
}

/* Once for each node and cause, and then once a minute: a node that is wrong says so again at each
 * new connection, and may be wrong in several ways in turn. */
static void say_refusal(struct node *node, const char *why)
{
    uint64_t now_ms = peer_mono_ms();
    struct refusal *refusal = refusal_place(node, why);
    if (refusal->why != why)
        *refusal = (struct refusal){.why = why, .said_ms = 0};
    if (refusal->said_ms && now_ms < refusal->said_ms + REFUSAL_SAY_MS) {
        refusal->repeats++;
        return;
    }
    char before[64] = "";
    if (refusal->repeats)
        snprintf(before, sizeof before, " (and %llu messages before)",
                 (unsigned long long)refusal->repeats);
    char where[PEER_WHERE_MAX];
    node_say_where(node, where);
    log_line(node->out->peers->options.log, LOG_WARNING, "%s sent what no correct node sends: %s%s",
             where, why, before);
    refusal->said_ms = now_ms;
    refusal->repeats = 0;
}

/* NULL: the message is fine. */
static const char *take(struct link *link)
{
    static const char unknown[] = "a message that this version does not know";
    const struct peer_events *events = &link->peers->options.events;
    const struct span *args = link->frame.args;
    size_t argc = link->frame.argc;
    uint32_t shard;
    uint32_t busy_ms;
    if (link->node->id == 0)
        return seek_take(link);
    if (wire_parse_alive(args, argc, &shard, &busy_ms) == ERR_NONE) {
        events->alive(events->context, shard, &link->peer, busy_ms);
        return NULL;
    }
    if (!wire_is_message(args[0])) {
        bool fine = events->told && events->told(events->context, &link->peer, args, argc);
        return fine ? NULL : unknown;
    }
    if (wire_message_shard(args, argc, &shard) != ERR_NONE)
        return "a message for no shard";
    return events->message(events->context, shard, &link->peer, args, argc);
}

bool link_take(struct link *link)
{
    link->peers->taking = true;
    const char *refusal = take(link);
    link->peers->taking = false;
    if (!refusal)
        return true;
    link_refuse(link, refusal);
    return false;
}

void link_refuse(struct link *link, const char *why)
{
    link->peers->stats.messages_refused++;
    say_refusal(link->node, why);
}

void peers_send(struct peers *peers, uint64_t to, bool response, struct span bytes)
{
    struct node *node = peers_find(peers, to);
    if (!node)
        return;
    struct link *link = response ? node->in : node->out;
    if (!link || link->state != LINK_READY) {
        node->status.dropped++;
        return;
    }
    if (link_waiting(link) > peers->options.output_bytes_max) {
        node->status.dropped++;
        return;
    }
    buf_add_span(&link->pending, bytes);
}

void peers_flush(struct peers *peers)
{
    if (peers->restart && !peers->taking) /* else the bytes of what is being taken would go */
        restart(peers);
    if (peers->drop_older && !peers->taking)
        drop_older(peers);
    for (size_t i = 0; i < peers->count; i++) {
        link_flush(peers->nodes[i]->out);
        if (peers->nodes[i]->in)
            link_flush(peers->nodes[i]->in);
    }
    for (size_t i = 0; i < peers->contact_count; i++)
        link_flush(peers->contacts[i]->out);
    for (size_t i = 0; i < peers->caller_count; i++)
        link_flush(peers->callers[i]->in);
    if (!peers->taking)
        callers_sweep(peers);
}

struct peer_link peers_link(const struct peers *peers, uint64_t id)
{
    const struct node *node = peers_find(peers, id);
    if (!node)
        return (struct peer_link){0};
    struct peer_link status = node->status;
    status.output_bytes = link_waiting(node->out);
    return status;
}

static uint64_t memory_of(const struct link *link)
{
    return link ? sizeof *link + mem_footprint(link->input.cap) + mem_footprint(link->pending.cap) +
                      link->waiting
                : 0;
}

uint64_t peers_memory(const struct peers *peers)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < peers->count; i++)
        bytes += memory_of(peers->nodes[i]->out) + memory_of(peers->nodes[i]->in);
    for (size_t i = 0; i < peers->guest_count; i++)
        bytes += memory_of(peers->guests[i]);
    for (size_t i = 0; i < peers->contact_count; i++)
        bytes += memory_of(peers->contacts[i]->out);
    for (size_t i = 0; i < peers->caller_count; i++)
        bytes += memory_of(peers->callers[i]->in);
    return bytes;
}

struct peer_stats peers_stats(const struct peers *peers)
{
    return peers->stats;
}
