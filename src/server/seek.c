/* Nodes that ask at addresses who is there (cluster-seeds, RAFT.CLUSTER JOIN), and those that are
 * asked. cluster/seeking.h decides for an empty node. A member asks when it has no leader, because
 * the others may have moved. The leader takes empty nodes in. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/server.h"

enum { FORGET_LEARNED_MS = 10000, LEADERLESS_MS = 1000 };

enum err server_read_seeds(struct server *server, char message[512])
{
    char why[256];
    if (cluster_seeds_parse(span_text(server->config.cluster_seeds), &server->seeds, why) ==
        ERR_NONE)
        return ERR_NONE;
    snprintf(message, 512, "cluster-seeds: %s", why);
    return ERR_INVALID;
}

/* ---- whom this node asks ---- */

static void learn(struct server *server, const struct cluster_seed *seed)
{
    for (size_t i = 0; i < server->seeds.count; i++)
        if (server->seeds.list[i].port == seed->port &&
            strcmp(server->seeds.list[i].host, seed->host) == 0)
            return;
    if (server->seeds.count + server->learned.count < CLUSTER_SEEDS_MAX)
        cluster_seeds_add(&server->learned, seed);
}

static void learn_text(struct server *server, const char *address)
{
    struct cluster_seed seed;
    if (address[0] && !cluster_address_parse(span_text(address), seed.host, &seed.port) &&
        strcmp(address, server->own_address) != 0)
        learn(server, &seed);
}

/* What is still there is named again by those that know it. */
static void forget_learned(struct server *server)
{
    uint64_t now_ms = server_now(server).mono_ms;
    if (now_ms < server->learned_ms + FORGET_LEARNED_MS)
        return;
    server->learned_ms = now_ms;
    struct cluster_seeds kept = {.count = 0};
    struct peer_contact contact;
    for (size_t i = 0; i < server->learned.count; i++)
        for (size_t at = 0; at < peers_contact_count(server->peers); at++) {
            const struct cluster_seed *seed = &server->learned.list[i];
            bool alone;
            peers_contact_at(server->peers, at, &contact);
            if (contact.connected && peers_seed_is(server->peers, seed, &contact.address, &alone))
                cluster_seeds_add(&kept, seed);
        }
    server->learned = kept;
}

static void dial(struct server *server)
{
    static const struct cluster_seeds nobody = {.count = 0};
    bool begun = server->identity.begin == CLUSTER_BEGUN;
    if (!server->asks) {
        peers_seek(server->peers, &nobody, 0, CLUSTER_NO_ID);
        return;
    }
    struct cluster_seeds all = server->seeds;
    struct cluster_seed own;
    if (begun && !cluster_address_parse(span_text(server->own_address), own.host, &own.port))
        cluster_seeds_add(&all, &own);
    for (size_t i = 0; i < server->learned.count; i++)
        cluster_seeds_add(&all, &server->learned.list[i]);
    peers_seek(server->peers, &all, server->seeds.count,
               begun ? server->identity.cluster_id : CLUSTER_NO_ID);
}

static void forget_gone(struct server *server)
{
    struct peer_contact contact;
    for (size_t i = 0; i < SEEKING_CONTACTS_MAX; i++) {
        uint64_t key = server->seeking->contacts[i].key;
        bool there = false;
        for (size_t at = 0; key && at < peers_contact_count(server->peers); at++) {
            peers_contact_at(server->peers, at, &contact);
            there |= contact.key == key;
        }
        if (key && !there)
            seeking_forget(server->seeking, key);
    }
}

static void tell_contacts(struct server *server)
{
    struct peer_contact contact;
    for (size_t at = 0; at < peers_contact_count(server->peers); at++) {
        char address[CLUSTER_ADDRESS_MAX];
        peers_contact_at(server->peers, at, &contact);
        cluster_address_write(contact.address.host, contact.address.port, address);
        if (!seeking_contact(server->seeking, contact.key, address, contact.own))
            continue;
        if (contact.self || contact.connected)
            seeking_met(server->seeking, contact.key, contact.incarnation);
        else
            seeking_lost(server->seeking, contact.key, contact.cause);
    }
}

static void tell_missing(struct server *server)
{
    struct cluster_seed seed;
    char text[SEEKING_CAUSE_MAX] = "";
    const char *cause = peers_missing_seed(server->peers, &seed);
    if (cause)
        snprintf(text, sizeof text, "seed %.60s, which cannot be found: %.60s", seed.host, cause);
    seeking_set_missing(server->seeking, text);
}

void server_seek(struct server *server)
{
    if (!server->peers)
        return;
    forget_learned(server);
    dial(server);
    server_find_own_address(server);
    forget_gone(server);
    tell_contacts(server);
    tell_missing(server);
    seeking_set_address(server->seeking, server->own_address);
}

/* ---- messages ---- */

static void fill_known(const struct server *server, struct cluster_seeds *known)
{
    struct cluster_seed seed;
    *known = (struct cluster_seeds){.count = 0};
    for (size_t i = 0; i < server->cluster.count; i++) {
        const struct cluster_node *node = &server->cluster.nodes[i];
        memcpy(seed.host, node->host, sizeof seed.host);
        seed.port = node->port;
        cluster_seeds_add(known, &seed);
    }
    if (server_group(server))
        return;
    for (size_t i = 0; i < server->seeds.count; i++)
        cluster_seeds_add(known, &server->seeds.list[i]);
    for (size_t i = 0; i < server->learned.count; i++)
        cluster_seeds_add(known, &server->learned.list[i]);
}

/* A node with a list of nodes is asked, too. */
static void say(const struct server *server, struct seeking_said *said)
{
    const struct cluster_node *self = cluster_find(&server->cluster, server->self);
    if (server->seeking) {
        seeking_say(server->seeking, said);
        return;
    }
    *said = (struct seeking_said){.joins = CLUSTER_NO_ID};
    founding_say(server->founding, &said->node);
    if (self)
        cluster_address(self, said->address);
}

void server_seek_ask(struct server *server)
{
    struct seeking_said said;
    struct cluster_seeds known;
    struct buf bytes = {0};
    say(server, &said);
    said.node.asks = true;
    fill_known(server, &known);
    seeking_encode(&bytes, &said, &known);
    peers_ask(server->peers, buf_span(&bytes));
    buf_close(&bytes);
}

static void answer(struct server *server, const struct seeking_said *asker, struct buf *out)
{
    struct seeking_said said;
    struct cluster_seeds known;
    say(server, &said);
    server_take_in(server, asker, &said);
    fill_known(server, &known);
    seeking_encode(out, &said, &known);
}

/* Somebody who runs has said where it is. */
static void note_address(struct server *server, const struct seeking_said *said)
{
    if (server->asks)
        learn_text(server, said->address);
    if (said->node.begin == CLUSTER_BEGUN && said->node.id &&
        strcmp(said->node.cluster_id, server->identity.cluster_id) == 0)
        server_hear_address(server, said->node.id, said->node.incarnation, said->address);
}

bool server_on_sought(void *context, const struct peer_question *question)
{
    struct server *server = context;
    struct seeking_said said;
    struct cluster_seeds known;
    if (!seeking_parse(question->args, question->argc, &said, &known) ||
        said.node.incarnation != question->from->incarnation)
        return false;
    if (said.node.incarnation == server->identity.incarnation)
        return true; /* this node itself */
    note_address(server, &said);
    if (question->key == 0) {
        server_note_called_at(server, question->local);
        answer(server, &said, question->answer);
        return true;
    }
    if (server->seeking)
        seeking_heard(server->seeking, question->key, &said);
    for (size_t i = 0; server->asks && i < known.count; i++) {
        char address[CLUSTER_ADDRESS_MAX];
        cluster_address_write(known.list[i].host, known.list[i].port, address);
        learn_text(server, address);
    }
    return true;
}

/* ---- members ---- */

/* Without a leader for a while the others may be elsewhere: the seeds know more than the log. */
static bool may_have_moved(struct server *server)
{
    uint64_t now_ms = server_now(server).mono_ms;
    if (shard_leader(server_group(server)))
        server->led_ms = now_ms;
    return now_ms >= server->led_ms + LEADERLESS_MS;
}

void server_seek_tick(struct server *server)
{
    if (server->seeking) {
        uint64_t now_ms = server_now(server).mono_ms;
        bool asks = may_have_moved(server);
        if (asks || server->asks) {
            server->asks_since_ms = server->asks ? server->asks_since_ms : now_ms;
            server->asks = asks;
            server_seek(server);
        }
        if (asks && now_ms >= server->asked_ms + FOUNDING_ASK_MS) {
            server->asked_ms = now_ms;
            server_seek_ask(server);
        }
    }
    server_change_addresses(server);
}

void server_info_seeds(struct server *server, struct buf *out)
{
    size_t reached = 0;
    size_t count = server->peers ? peers_contact_count(server->peers) : 0;
    struct peer_contact contact;
    for (size_t at = 0; at < count; at++) {
        peers_contact_at(server->peers, at, &contact);
        reached += contact.connected || contact.self;
    }
    buf_printf(out,
               "raft_seeds:%zu\r\nraft_seed_addresses:%zu\r\nraft_seed_addresses_reached:%zu\r\n"
               "raft_seeds_refused:%" PRIu64 "\r\nraft_nodes_joined:%" PRIu64
               "\r\nraft_joins_refused:%" PRIu64 "\r\n",
               server->seeds.count, server->peers ? peers_contact_count(server->peers) : 0, reached,
               server->peers ? peers_stats(server->peers).seeds_refused : 0, server->nodes_joined,
               server->joins_refused);
}
