/* Addresses at which this node asks who is there (cluster-seeds), and nodes that ask it. Neither
 * side knows the id of the other when it dials, so these connections belong to no node of the
 * table. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "peer/internal.h"

enum { LOOK_UP_AGAIN_MS = 2000 };

/* ---- contacts: this node asks ---- */

static void numeric(const struct resolved *resolved, size_t at, struct cluster_seed *seed)
{
    char host[NI_MAXHOST] = "";
    char port[NI_MAXSERV] = "";
    const struct sockaddr *address = (const struct sockaddr *)&resolved->addresses[at];
    if (getnameinfo(address, resolved->lens[at], host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    snprintf(seed->host, sizeof seed->host, "%.255s", host);
}

static struct node *find_contact(const struct peers *peers, const struct cluster_seed *seed)
{
    for (size_t i = 0; i < peers->contact_count; i++) {
        struct node *contact = peers->contacts[i];
        if (contact->address.port == seed->port && strcmp(contact->address.host, seed->host) == 0)
            return contact;
    }
    return NULL;
}

static void want(struct peers *peers, const struct cluster_seed *seed)
{
    struct node *contact = find_contact(peers, seed);
    if (!contact) {
        if (peers->contact_count == PEER_CONTACTS_MAX)
            return;
        struct cluster_node address = {.port = seed->port};
        memcpy(address.host, seed->host, sizeof address.host);
        contact = peers->contacts[peers->contact_count++] = node_new(peers, &address);
        contact->key = ++peers->contact_keys;
    }
    contact->wanted = true;
}

/* The contacts become the addresses of all seeds. */
static void follow(struct peers *peers)
{
    size_t kept = 0;
    for (size_t i = 0; i < peers->contact_count; i++)
        peers->contacts[i]->wanted = false;
    for (size_t i = 0; i < peers->seed_count; i++) {
        const struct seed *seed = &peers->seeds[i];
        for (size_t at = 0; at < seed->resolved.count; at++) {
            struct cluster_seed address = seed->place;
            numeric(&seed->resolved, at, &address);
            want(peers, &address);
        }
    }
    for (size_t i = 0; i < peers->contact_count; i++) {
        if (peers->contacts[i]->wanted)
            peers->contacts[kept++] = peers->contacts[i];
        else
            node_free(peers->contacts[i]);
    }
    peers->contact_count = kept;
}

/* A name is asked for again and again: what it stands for may change while nodes start. */
static void look_up(struct peers *peers, struct seed *seed)
{
    const struct cluster_seed *place = &seed->place;
    seed->again_ms = UINT64_MAX;
    if (seed->ticket == 0 && resolver_is_address(place->host, place->port, &seed->resolved))
        return;
    seed->again_ms = peer_mono_ms() + LOOK_UP_AGAIN_MS;
    seed->ticket = ++peers->tickets;
    if (!resolver_ask(peers->resolver, seed->ticket, place->host, place->port))
        seed->ticket = 1; /* not an address, and not asked for yet */
}

void seeds_resolved(struct peers *peers, uint64_t ticket, const struct resolved *resolved)
{
    for (size_t i = 0; i < peers->seed_count; i++) {
        struct seed *seed = &peers->seeds[i];
        if (seed->ticket != ticket)
            continue;
        memcpy(seed->cause, resolved->cause, sizeof seed->cause);
        if (resolved->count == 0)
            return; /* those that it had may still be right */
        seed->cause[0] = '\0';
        seed->resolved = *resolved;
        follow(peers);
        return;
    }
}

static struct seed *find_seed(struct peers *peers, const struct cluster_seed *place)
{
    for (size_t i = 0; i < peers->seed_count; i++)
        if (peers->seeds[i].place.port == place->port &&
            strcmp(peers->seeds[i].place.host, place->host) == 0)
            return &peers->seeds[i];
    return NULL;
}

/* The list, with what is known already of those that were on it. */
static void take_list(struct peers *peers, const struct cluster_seeds *seeds, size_t own)
{
    struct seed *list = mem_zalloc((seeds->count + 1) * sizeof *list);
    for (size_t i = 0; i < seeds->count; i++) {
        const struct seed *before = find_seed(peers, &seeds->list[i]);
        if (before)
            list[i] = *before;
        list[i].place = seeds->list[i];
        list[i].own = i < own;
    }
    mem_free(peers->seeds);
    peers->seeds = list;
    peers->seed_count = seeds->count;
}

void peers_seek(struct peers *peers, const struct cluster_seeds *seeds, size_t own,
                const char *cluster_id)
{
    uint64_t now_ms = peer_mono_ms();
    snprintf(peers->seek_id, sizeof peers->seek_id, "%s", cluster_id);
    take_list(peers, seeds, own);
    for (size_t i = 0; i < peers->seed_count; i++)
        if (now_ms >= peers->seeds[i].again_ms)
            look_up(peers, &peers->seeds[i]);
    follow(peers);
}

void contacts_restart(struct peers *peers)
{
    for (size_t i = 0; i < peers->contact_count; i++) {
        peers->contacts[i]->is_self = false;
        node_begin_anew(peers->contacts[i]);
    }
}

void peers_ask(struct peers *peers, struct span bytes)
{
    for (size_t i = 0; i < peers->contact_count; i++) {
        struct link *link = peers->contacts[i]->out;
        if (link->state == LINK_READY && link_waiting(link) < peers->options.output_bytes_max)
            buf_add_span(&link->pending, bytes);
    }
}

const char *peers_missing_seed(const struct peers *peers, struct cluster_seed *seed)
{
    for (size_t i = 0; i < peers->seed_count; i++) {
        const struct seed *at = &peers->seeds[i];
        if (!at->own || at->resolved.count)
            continue;
        *seed = at->place;
        return at->cause[0] ? at->cause : "it is being looked up";
    }
    return NULL;
}

static bool is_there(const struct resolved *resolved, size_t at, const struct node *contact)
{
    struct cluster_seed place = {.port = contact->address.port};
    numeric(resolved, at, &place);
    return strcmp(place.host, contact->address.host) == 0;
}

/* All addresses of that kind that the seed's name has are reached, and there is one. */
static bool is_complete(const struct peers *peers, const struct seed *seed, int family)
{
    size_t count = 0;
    for (size_t at = 0; at < seed->resolved.count; at++) {
        struct cluster_seed place = seed->place;
        if (seed->resolved.addresses[at].ss_family != family)
            continue;
        numeric(&seed->resolved, at, &place);
        const struct node *contact = find_contact(peers, &place);
        if (!contact || (contact->out->state != LINK_READY && !contact->is_self))
            return false;
        count++;
    }
    return count > 0;
}

/* Whether an own seed is not reached without this contact. A name with IPv4 and IPv6 is reached
 * when one of the two is: most such names mean the same nodes twice, and a node may listen to one
 * kind. */
static bool is_required(const struct peers *peers, const struct node *contact)
{
    for (size_t i = 0; i < peers->seed_count; i++) {
        const struct seed *seed = &peers->seeds[i];
        for (size_t at = 0; seed->own && at < seed->resolved.count; at++) {
            int family = seed->resolved.addresses[at].ss_family;
            int other = family == AF_INET ? AF_INET6 : AF_INET;
            if (seed->place.port == contact->address.port &&
                is_there(&seed->resolved, at, contact) &&
                (contact->out->state == LINK_READY || !is_complete(peers, seed, other)))
                return true;
        }
    }
    return false;
}

size_t peers_contact_count(const struct peers *peers)
{
    return peers->contact_count;
}

static void write_local(const struct link *link, char local[CLUSTER_HOST_MAX + 1])
{
    struct resolved here = {.count = 1};
    struct cluster_seed seed = {.port = 0};
    here.lens[0] = sizeof here.addresses[0];
    if (link->fd < 0 || getsockname(link->fd, (struct sockaddr *)&here.addresses[0], &here.lens[0]))
        return;
    numeric(&here, 0, &seed);
    memcpy(local, seed.host, sizeof seed.host);
}

void peers_contact_at(const struct peers *peers, size_t at, struct peer_contact *contact)
{
    const struct node *node = peers->contacts[at];
    *contact = (struct peer_contact){.key = node->key,
                                     .own = is_required(peers, node),
                                     .self = node->is_self,
                                     .connected = node->out->state == LINK_READY,
                                     .incarnation = node->out->peer.incarnation,
                                     .cause = node->trouble};
    memcpy(contact->address.host, node->address.host, sizeof contact->address.host);
    contact->address.port = node->address.port;
    if (contact->connected)
        write_local(node->out, contact->local);
}

bool peers_seed_is(const struct peers *peers, const struct cluster_seed *place,
                   const struct cluster_seed *address, bool *alone)
{
    for (size_t i = 0; i < peers->seed_count; i++) {
        const struct seed *seed = &peers->seeds[i];
        if (seed->place.port != place->port || strcmp(seed->place.host, place->host) != 0)
            continue;
        *alone = seed->resolved.count == 1;
        for (size_t at = 0; at < seed->resolved.count; at++) {
            struct cluster_seed there = seed->place;
            numeric(&seed->resolved, at, &there);
            if (there.port == address->port && strcmp(there.host, address->host) == 0)
                return true;
        }
    }
    return false;
}

/* ---- callers: others ask ---- */

static void drop_caller(struct peers *peers, size_t at)
{
    node_free(peers->callers[at]);
    memmove(&peers->callers[at], &peers->callers[at + 1],
            (--peers->caller_count - at) * sizeof *peers->callers);
}

void callers_sweep(struct peers *peers)
{
    for (size_t i = peers->caller_count; i-- > 0;)
        if (peers->callers[i]->in->state != LINK_READY)
            drop_caller(peers, i);
}

/* It has proved the secret. When there are too many, the one that came first leaves: it dials
 * again. */
void caller_begin(struct link *guest)
{
    struct peers *peers = guest->peers;
    const struct cluster_node address = {.host = "an address that is not known"};
    if (peers->caller_count == PEER_CALLERS_MAX)
        drop_caller(peers, 0);
    struct node *node = node_new(peers, &address);
    peers->callers[peers->caller_count++] = node;
    node->in = guest;
    guest->node = node;
}

void seek_end(struct peers *peers)
{
    while (peers->caller_count)
        drop_caller(peers, 0);
    peers->seed_count = 0;
    follow(peers);
    mem_free(peers->seeds);
}

/* NULL: fine. Else why it is refused. */
const char *seek_take(struct link *link)
{
    const struct peer_events *events = &link->peers->options.events;
    struct buf answer = {0};
    char local[CLUSTER_HOST_MAX + 1] = "";
    if (!events->sought)
        return "a question that nobody answers";
    write_local(link, local);
    const struct peer_question question = {.key = link->node->key,
                                           .from = &link->peer,
                                           .args = link->frame.args,
                                           .argc = link->frame.argc,
                                           .local = local,
                                           .answer = link->dialled ? NULL : &answer};
    bool fine = events->sought(events->context, &question);
    buf_add_span(&link->pending, buf_span(&answer));
    buf_close(&answer);
    return fine ? NULL : "a message that a node without a known id may not send";
}

void node_say_where(const struct node *node, char text[PEER_WHERE_MAX])
{
    char address[CLUSTER_ADDRESS_MAX];
    cluster_address_write(node->address.host, node->address.port, address);
    if (node->id)
        snprintf(text, PEER_WHERE_MAX, "node %llu at %s", (unsigned long long)node->id, address);
    else if (node->key)
        snprintf(text, PEER_WHERE_MAX, "the node at %s", address);
    else
        snprintf(text, PEER_WHERE_MAX, "a node that asks who is here");
}
