/* Nodes that ask at addresses who is there (cluster-seeds, RAFT.CLUSTER JOIN), and those that are
 * asked. cluster/seeking.h decides for an empty node. A member asks when it has no leader, because
 * the others may have moved. The leader takes empty nodes in. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/server.h"

enum { FORGET_LEARNED_MS = 10000, LEADERLESS_MS = 1000, MOVED_MS = 1000, MOVE_AGAIN_MS = 500 };

enum err server_read_seeds(struct server *server, char message[512])
{
    char why[256];
    if (cluster_seeds_parse(span_text(server->config.cluster_seeds), &server->seeds, why) ==
        ERR_NONE)
        return ERR_NONE;
    snprintf(message, 512, "cluster-seeds: %s", why);
    return ERR_INVALID;
}

/* ---- where this node is reached ---- */

/* As cluster-announce-… says. false: they do not. */
static bool write_announced(const struct server *server, char address[CLUSTER_ADDRESS_MAX])
{
    const struct config *config = &server->config;
    const char *host = config->cluster_announce_ip[0] ? config->cluster_announce_ip
                                                      : config->cluster_announce_hostname;
    int port = config->cluster_announce_port ? config->cluster_announce_port : config->port;
    if (host[0])
        cluster_address_write(host, (uint16_t)port, address);
    return host[0] != '\0';
}

static size_t count_contacts(const struct server *server)
{
    return server->peers ? peers_contact_count(server->peers) : 0;
}

/* The seed at which this node has found itself: by its name, if it stands for nothing else. */
static bool write_found(const struct server *server, char address[CLUSTER_ADDRESS_MAX])
{
    struct peer_contact contact;
    bool alone;
    for (size_t i = 0; i < server->seeds.count; i++)
        for (size_t at = 0; at < count_contacts(server); at++) {
            const struct cluster_seed *seed = &server->seeds.list[i];
            peers_contact_at(server->peers, at, &contact);
            if (!contact.self || !peers_seed_is(server->peers, seed, &contact.address, &alone))
                continue;
            cluster_address_write(alone ? seed->host : contact.address.host, seed->port, address);
            return true;
        }
    return false;
}

static bool is_wildcard(const char *bind)
{
    return strcmp(bind, "*") == 0 || strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0 ||
           strcmp(bind, "::*") == 0;
}

/* What the node listens to, if it does not listen to `host`. NULL: it does. */
static const char *other_bind(const struct config *config, const char *host)
{
    const char *first = NULL;
    for (size_t i = 0; i < config->bind_count; i++) {
        const char *bind = config->bind[i] + (config->bind[i][0] == '-');
        if (is_wildcard(bind) || strcmp(bind, host) == 0)
            return NULL;
        first = first ? first : bind;
    }
    return first;
}

static void write_listening(const struct server *server, const char *host,
                            char address[CLUSTER_ADDRESS_MAX])
{
    const char *other = other_bind(&server->config, host);
    cluster_address_write(other ? other : host, (uint16_t)server->config.port, address);
}

static bool write_local(const struct server *server, char address[CLUSTER_ADDRESS_MAX])
{
    struct peer_contact contact;
    for (size_t at = 0; at < count_contacts(server); at++) {
        peers_contact_at(server->peers, at, &contact);
        if (contact.local[0] == '\0')
            continue;
        write_listening(server, contact.local, address);
        return true;
    }
    return false;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 ||
           strncmp(address, "localhost:", 10) == 0;
}

static void take_own_address(struct server *server, const char *address)
{
    if (strcmp(address, server->own_address) == 0)
        return;
    if (server->own_address[0] && server_group(server))
        log_line(&server->log, LOG_NOTICE, "this node is at %s now, it was at %s", address,
                 server->own_address);
    snprintf(server->own_address, sizeof server->own_address, "%s", address);
    if (server_group(server))
        server_announce_change(server);
}

/* Whether this node was reached where it says that it is. */
static bool is_where_it_says(const struct server *server)
{
    struct cluster_seed seed;
    struct peer_contact contact;
    bool alone;
    if (cluster_address_parse(span_text(server->own_address), seed.host, &seed.port))
        return false;
    for (size_t at = 0; at < peers_contact_count(server->peers); at++) {
        peers_contact_at(server->peers, at, &contact);
        if (contact.self && peers_seed_is(server->peers, &seed, &contact.address, &alone))
            return true;
    }
    return false;
}

/* A member without a leader may be the one that has moved: it had time to reach itself. */
static bool has_moved(struct server *server)
{
    return server_group(server) && server->peers && server->asks &&
           server_now(server).mono_ms >= server->asks_since_ms + MOVED_MS &&
           !is_where_it_says(server);
}

void server_find_own_address(struct server *server)
{
    char address[CLUSTER_ADDRESS_MAX] = "";
    if (!server->seeking)
        return;
    bool keeps = server->own_address[0] && !has_moved(server);
    bool found = write_announced(server, address) ||
                 ((!server_group(server) || !keeps) && write_found(server, address)) ||
                 (!keeps && write_local(server, address));
    if (found)
        take_own_address(server, address);
}

/* What the log says of this node is newer than the list with which it began. */
void server_seek_open(struct server *server)
{
    const struct raft_member *self =
        raft_membership_find(raft_membership(shard_raft(server_group(server))), server->self);
    if (server->seeking && self && self->address[0])
        memcpy(server->own_address, self->address, sizeof self->address);
    server_find_own_address(server);
}

/* It said that it is on this machine, and somebody has come from another one. */
static void note_called_at(struct server *server, const char *local)
{
    char address[CLUSTER_ADDRESS_MAX];
    if (!server->seeking || local[0] == '\0' || write_announced(server, address) ||
        (server->own_address[0] && !is_loopback(server->own_address)))
        return;
    cluster_address_write(local, (uint16_t)server->config.port, address);
    if (server->own_address[0] == '\0' || !is_loopback(address))
        take_own_address(server, address);
}

/* The first address that it listens on, for a node that nobody has called yet. */
static void assume_own_address(struct server *server)
{
    server_find_own_address(server);
    if (server->own_address[0] == '\0')
        write_listening(server, "127.0.0.1", server->own_address);
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
        note_called_at(server, question->local);
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

/* ---- the leader takes nodes in ---- */

/* Under another folder than the one that asks. */
static bool is_alive(struct server *server, uint64_t id)
{
    struct raft_status status;
    if (id == server->self)
        return true;
    raft_status(shard_raft(server_group(server)), &status);
    uint64_t silent_ms = (uint64_t)server->config.raft_election_timeout_ms;
    for (size_t i = 0; i < status.peer_count; i++)
        if (status.peers[i].id == id)
            return status.peers[i].last_contact_ms &&
                   server_now(server).mono_ms < status.peers[i].last_contact_ms + silent_ms;
    return false;
}

static void refuse(struct server *server, const struct seeking_said *asker, const char *why,
                   struct seeking_said *said)
{
    snprintf(said->refusal, sizeof said->refusal, "%.150s", why);
    server->joins_refused++;
    if (strcmp(server->join_refusal, said->refusal) == 0)
        return;
    memcpy(server->join_refusal, said->refusal, sizeof said->refusal);
    log_line(&server->log, LOG_WARNING, "the node at %s is not taken in: %s", asker->address, why);
}

static void begin_to_take_in(struct server *server, const struct seeking_said *asker,
                             const struct raft_membership *wanted, uint64_t id,
                             struct seeking_said *said)
{
    enum raft_refusal refusal = shard_change(server_group(server), wanted, server_now(server));
    if (refusal == RAFT_CHANGE_POSSIBLE) {
        server->nodes_joined++;
        log_line(&server->log, LOG_NOTICE, "node %" PRIu64 " at %s joins, incarnation %016" PRIx64,
                 id, asker->address, asker->node.incarnation);
    } else if (refusal == RAFT_CHANGE_TOO_MANY) {
        refuse(server, asker, cluster_refusal_text(refusal), said);
    }
}

void server_take_in(struct server *server, const struct seeking_said *asker,
                    struct seeking_said *said)
{
    struct shard *shard = server_group(server);
    if (!shard || !shard_is_leader(shard) || asker->node.begin != CLUSTER_EMPTY ||
        strcmp(asker->joins, server->identity.cluster_id) != 0 || asker->address[0] == '\0')
        return;
    struct raft_status status;
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t id;
    const struct raft_membership *members = raft_membership(shard_raft(shard));
    const struct cluster_guest guest = {.incarnation = asker->node.incarnation,
                                        .wish = asker->node.id,
                                        .highest = server->highest_id,
                                        .address = span_text(asker->address)};
    raft_status(shard_raft(shard), &status);
    enum err err = cluster_member_admit(members, &guest, &wanted, &id, message);
    if (err == ERR_EXISTS && is_alive(server, id)) {
        snprintf(message, sizeof message, "node %" PRIu64 " is alive at that address", id);
        err = ERR_INVALID;
    }
    if (err && err != ERR_EXISTS)
        refuse(server, asker, message, said);
    else if (!raft_membership_equal(members, &wanted))
        begin_to_take_in(server, asker, &wanted, id, said);
    else if (status.change_is_committed)
        said->given = id;
}

/* ---- members that have moved ---- */

static struct server_claim *claim_of(struct server *server, uint64_t id)
{
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
        if (server->claims[i].id == id)
            return &server->claims[i];
    return NULL;
}

/* Those of nodes that are members no more make room. */
static struct server_claim *place_for(struct server *server, uint64_t id)
{
    const struct raft_membership *members = raft_membership(shard_raft(server_group(server)));
    struct server_claim *claim = claim_of(server, id);
    for (size_t i = 0; i < RAFT_MEMBERS_MAX && !claim; i++)
        if (!raft_membership_find(members, server->claims[i].id))
            claim = &server->claims[i];
    return claim;
}

/* Other nodes dial it there from now on. The leader also changes the membership: later, because a
 * change may be under way. */
void server_hear_address(struct server *server, uint64_t id, uint64_t incarnation,
                         const char *address)
{
    const struct shard *shard = server_group(server);
    const struct raft_member *member =
        shard ? raft_membership_find(raft_membership(shard_raft(shard)), id) : NULL;
    if (!member || id == server->self || member->incarnation != incarnation || address[0] == '\0')
        return;
    struct server_claim *claim = place_for(server, id);
    if (!claim || (claim->id == id && claim->incarnation == incarnation &&
                   strcmp(claim->address, address) == 0))
        return;
    *claim = (struct server_claim){.id = id, .incarnation = incarnation};
    snprintf(claim->address, sizeof claim->address, "%s", address);
    if (strcmp(member->address, address) == 0)
        return;
    log_line(&server->log, LOG_NOTICE, "node %" PRIu64 " says that it is at %s, and not at %s", id,
             address, member->address);
    server_follow_members(server);
}

void server_fill_claims(const struct server *server, struct raft_membership *membership)
{
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        const struct server_claim *claim = &server->claims[i];
        struct raft_membership wanted;
        char message[CLUSTER_MESSAGE_MAX];
        const struct raft_member *member = raft_membership_find(membership, claim->id);
        const struct cluster_change change = {.id = claim->id,
                                              .address = span_text(claim->address)};
        if (claim->id && member && member->incarnation == claim->incarnation &&
            cluster_member_move(membership, &change, &wanted, message) == ERR_NONE)
            *membership = wanted;
    }
}

/* Of this node too, if it knows by itself where it is. */
static void fill_own(const struct server *server, struct raft_membership *membership)
{
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    const struct cluster_change change = {.id = server->self,
                                          .address = span_text(server->own_address)};
    if (server->seeking && server->own_address[0] &&
        cluster_member_move(membership, &change, &wanted, message) == ERR_NONE)
        *membership = wanted;
}

static void change_addresses(struct server *server)
{
    struct shard *shard = server_group(server);
    uint64_t now_ms = server_now(server).mono_ms;
    if (!shard_is_leader(shard) || now_ms < server->moved_ms + MOVE_AGAIN_MS)
        return;
    server->moved_ms = now_ms;
    const struct raft_membership *members = raft_membership(shard_raft(shard));
    struct raft_membership wanted = *members;
    server_fill_claims(server, &wanted);
    fill_own(server, &wanted);
    if (!raft_membership_equal(members, &wanted) &&
        shard_change(shard, &wanted, server_now(server)) == RAFT_CHANGE_POSSIBLE)
        log_line(&server->log, LOG_NOTICE, "members have moved: the membership says where to");
}

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
    change_addresses(server);
}

/* ---- RAFT.CLUSTER ---- */

/* False: the error is written. */
static bool is_fresh(const struct server *server, struct resp_writer *reply)
{
    if (server->identity.begin != CLUSTER_EMPTY)
        resp_errorf(reply, "ERR this node belongs to cluster %s already",
                    server->identity.cluster_id);
    else if (!server->seeking)
        resp_error(reply, "ERR cluster-nodes names the nodes of the cluster that this node founds: "
                          "leave it out, and set raft-bootstrap-expect or cluster-seeds");
    else
        return true;
    return false;
}

static bool wait_is_over(void *context)
{
    const struct server *server = context;
    return !server_is_loading(server) || server->now.mono_ms >= server->join_until_ms;
}

static void answer_wait(struct server *server, const struct server_call *call)
{
    char text[SEEKING_TEXT_MAX];
    if (server->identity.begin == CLUSTER_BEGUN) {
        resp_status(call->reply, "OK");
        return;
    }
    seeking_describe(server->seeking, text);
    resp_errorf(call->reply, "ERR not done within %d ms, and it goes on: %s", SERVER_JOIN_WAIT_MS,
                text);
}

/* True: the call is answered. */
static bool go_on(struct server *server, const struct server_call *call)
{
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        return false;
    case NET_WAITED:
        answer_wait(server, call);
        return true;
    case NET_UNBLOCKED:
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK: this node goes on");
        return true;
    }
    return true;
}

static void wait(struct server *server, const struct server_call *call)
{
    server->join_until_ms = server_now(server).mono_ms + SERVER_JOIN_WAIT_MS;
    net_client_wait(call->client, wait_is_over, server);
}

void server_raft_cluster_init(struct server *server, const struct server_call *call)
{
    char why[SEEKING_TEXT_MAX];
    if (go_on(server, call) || !is_fresh(server, call->reply))
        return;
    if (seeking_begin_alone(server->seeking, why)) {
        resp_errorf(call->reply, "ERR %s", why);
        return;
    }
    assume_own_address(server);
    wait(server, call);
}

static enum err parse_seeds(const struct server_call *call, struct cluster_seeds *seeds,
                            char message[256])
{
    struct buf list = {0};
    for (size_t i = 2; i < call->argc; i++) {
        buf_add_text(&list, i > 2 ? "," : "");
        buf_add_span(&list, call->args[i]);
    }
    enum err err = cluster_seeds_parse(buf_span(&list), seeds, message);
    buf_close(&list);
    return err;
}

void server_raft_cluster_join(struct server *server, const struct server_call *call)
{
    struct cluster_seeds seeds;
    char message[256];
    if (go_on(server, call) || !is_fresh(server, call->reply))
        return;
    if (server->config.cluster_seeds[0]) {
        resp_error(call->reply, "ERR cluster-seeds is set: this node asks those already");
        return;
    }
    if (parse_seeds(call, &seeds, message)) {
        resp_errorf(call->reply, "ERR %s", message);
        return;
    }
    server->seeds = seeds;
    wait(server, call);
}

void server_info_seeds(struct server *server, struct buf *out)
{
    size_t reached = 0;
    struct peer_contact contact;
    for (size_t at = 0; at < count_contacts(server); at++) {
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
