/* Connections that others begin: guests until they have proved what they are. Guests cost a bounded
 * number of connections. A guest for whom there is no place is let in all the same, and another one
 * leaves: nobody is kept out by others who come from his address, as all nodes on one machine or
 * behind one gateway do. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "peer/internal.h"
#include "peer/proof.h"

static size_t position_of(const struct link *guest)
{
    const struct peers *peers = guest->peers;
    size_t at = 0;
    while (at < peers->guest_count && peers->guests[at] != guest)
        at++;
    ASSERT(at < peers->guest_count);
    return at;
}

/* The others stay in order of age. */
static void leave_table(struct link *guest)
{
    struct peers *peers = guest->peers;
    size_t at = position_of(guest);
    peers->guest_count--;
    memmove(&peers->guests[at], &peers->guests[at + 1],
            (peers->guest_count - at) * sizeof *peers->guests);
}

void guest_end(struct link *guest)
{
    leave_table(guest);
    link_free(guest);
}

/* It left, or said what is no RESP. */
void guest_lost(struct link *guest)
{
    guest->peers->stats.handshakes_refused++;
    guest_end(guest);
}

void guests_end(struct peers *peers)
{
    while (peers->guest_count)
        guest_end(peers->guests[peers->guest_count - 1]);
}

static size_t count_from(const struct peers *peers, const struct guard_key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < peers->guest_count; i++)
        count += memcmp(&peers->guests[i]->handshake.key, key, sizeof *key) == 0;
    return count;
}

/* Which of the guests from there leaves first: one whose proof was wrong, else any of them, so that
 * nobody who dials again and again can be kept out by a crowd from his own address. */
static struct link *who_leaves(struct peers *peers, const struct guard_key *key)
{
    size_t count = count_from(peers, key);
    ASSERT(count > 0);
    size_t chosen = (size_t)(peers->options.random() % count);
    struct link *leaves = NULL;
    for (size_t i = 0; i < peers->guest_count; i++) {
        struct link *guest = peers->guests[i];
        if (memcmp(&guest->handshake.key, key, sizeof *key) != 0)
            continue;
        if (guest->state == LINK_REFUSING)
            return guest;
        if (chosen-- == 0)
            leaves = guest;
    }
    return leaves;
}

static const struct guard_key *most_crowded(const struct peers *peers)
{
    const struct guard_key *crowded = &peers->guests[0]->handshake.key;
    size_t most = 0;
    for (size_t i = 0; i < peers->guest_count; i++) {
        size_t count = count_from(peers, &peers->guests[i]->handshake.key);
        if (count > most) {
            most = count;
            crowded = &peers->guests[i]->handshake.key;
        }
    }
    return crowded;
}

static void make_place(struct peers *peers, const struct guard_key *key)
{
    struct link *leaves = NULL;
    if (count_from(peers, key) >= GUESTS_PER_ADDRESS_MAX)
        leaves = who_leaves(peers, key);
    else if (peers->guest_count == GUESTS_MAX)
        leaves = who_leaves(peers, most_crowded(peers));
    if (!leaves)
        return;
    peers->stats.handshakes_refused++;
    guest_end(leaves);
}

static void say_refusal(struct link *guest, const char *text)
{
    char line[TROUBLE_MAX];
    int len = snprintf(line, sizeof line, "-%s\r\n", text);
    link_write(guest, span_of(line, (size_t)len));
}

/* The guest is told why, and ends. */
static bool refuse(struct link *guest, const char *text)
{
    guest->peers->stats.handshakes_refused++;
    say_refusal(guest, text);
    guest_end(guest);
    return false;
}

void guest_time_is_over(struct link *guest)
{
    if (guest->state == LINK_REFUSING) {
        say_refusal(guest, guest->handshake.refusal);
        guest_end(guest);
        return;
    }
    log_line(guest->peers->options.log, LOG_VERBOSE,
             "the connection from %s that said it is node "
             "%llu has proved nothing in time",
             guest->handshake.address, (unsigned long long)guest->handshake.hello.from);
    guest->peers->stats.handshakes_refused++;
    guest_end(guest);
}

/* The wrong proof: the answer waits, and nothing more is read meanwhile. */
static bool refuse_guess(struct link *guest)
{
    static const char text[] = "NOPERM wrong cluster-secret";
    struct peers *peers = guest->peers;
    struct guard_verdict verdict =
        guard_failed(&peers->guard, &guest->handshake.key, peer_mono_ms());
    if (verdict.say) {
        char before[64] = "";
        if (verdict.repeats)
            snprintf(before, sizeof before, " (and %llu times before)",
                     (unsigned long long)verdict.repeats);
        log_line(peers->options.log, LOG_WARNING,
                 "a connection from %s that said it is node %llu has another cluster-secret%s",
                 guest->handshake.address, (unsigned long long)guest->handshake.hello.from, before);
    }
    if (verdict.delay_ms == 0)
        return refuse(guest, text);
    peers->stats.handshakes_refused++;
    guest->state = LINK_REFUSING;
    guest->handshake.refusal = text;
    link_hear(guest, false);
    link_limit(guest, verdict.delay_ms);
    return false;
}

/* Once a minute: such a node dials again and again. */
static void say_foreign(const struct link *guest, const char *which)
{
    struct peers *peers = guest->peers;
    uint64_t now_ms = peer_mono_ms();
    if (peers->foreign_said_ms && now_ms < peers->foreign_said_ms + REFUSAL_SAY_MS)
        return;
    peers->foreign_said_ms = now_ms;
    log_line(peers->options.log, LOG_WARNING, "node %llu at %s is refused: it belongs to %s",
             (unsigned long long)guest->handshake.hello.from, guest->handshake.address, which);
}

/* Who is of the same cluster may be a member that this node has not heard of: it may even lead. */
static bool is_visitor(const struct peers *peers, const struct wire_hello *hello)
{
    return !wire_is_no_cluster(peers->options.cluster->cluster_id) &&
           !wire_is_no_cluster(hello->cluster_id) && hello->from != peers->options.self &&
           peers_has_place(peers);
}

/* Another folder under that id was heard a moment ago. One that is lost is silent. */
static bool is_held(const struct link *link, const struct wire_hello *hello)
{
    return link && link->state == LINK_READY && link->peer.incarnation != hello->incarnation &&
           peer_mono_ms() < link->heard_ms + LASTING_MS;
}

/* Who has the secret may know why it is refused. */
static const char *refusal_of_member(const struct link *guest)
{
    const struct peers *peers = guest->peers;
    const struct wire_hello *hello = &guest->handshake.hello;
    const char *own_id = peers->options.cluster->cluster_id;
    if (cluster_supersedes(peers->options.superseded, hello->cluster_id)) {
        say_foreign(guest, "a cluster that this one has superseded: " SUPERSEDED_WHAT_TO_DO);
        return "NOPERM the cluster of that node has been superseded (flotilla-check "
               "--recover-quorum): " SUPERSEDED_WHAT_TO_DO;
    }
    if (!wire_cluster_ids_agree(hello->cluster_id, own_id)) {
        say_foreign(guest, "another cluster");
        return "NOPERM this node belongs to another cluster";
    }
    if (hello->to == 0)
        return NULL; /* it asks who is here */
    if (peers->options.self == 0)
        return PEER_NO_ID_YET;
    if (hello->to != peers->options.self)
        return "NOPERM this is another node than the one that was dialled";
    if (hello->from == 0)
        return "NOPERM a node without an id may only ask who is here";
    const struct node *node = peers_find(peers, hello->from);
    if (node && (is_held(node->out, hello) || is_held(node->in, hello)))
        return "NOPERM that node is connected with another data folder: its id is in use";
    if (node || is_visitor(peers, hello))
        return NULL;
    return "NOPERM that node is no member of the cluster";
}

/* A node dials again when it has given up the old connection. */
static void take_node_place(struct link *guest)
{
    uint64_t id = guest->handshake.hello.from;
    struct node *node = peers_find(guest->peers, id);
    if (!node)
        node = peers_add_visitor(guest->peers, id);
    link_free(node->in);
    node->in = guest;
    guest->node = node;
}

static void become_ready(struct link *guest)
{
    struct peers *peers = guest->peers;
    const struct wire_hello *hello = &guest->handshake.hello;
    struct wire_proof proof;
    proof_make(&proof, peers->options.secret, WIRE_ACCEPTOR, hello, &guest->handshake.challenge);
    leave_table(guest);
    if (hello->to)
        take_node_place(guest);
    else
        caller_begin(guest);
    guest->peer = (struct shard_peer){
        .node = hello->from, .incarnation = hello->incarnation, .version = hello->version};
    wire_encode_proof(&guest->pending, WIRE_ACCEPTOR, &proof);
    link_flush(guest);
    link_begin_ready(guest);
    if (hello->to == 0)
        return;
    if (!node_catch_up(guest->node))
        node_hurry(guest->node);
}

bool guest_take_proof(struct link *guest, const struct span *args, size_t argc)
{
    struct peers *peers = guest->peers;
    struct wire_proof proof;
    if (wire_parse_proof(args, argc, WIRE_DIALLER, &proof) != ERR_NONE)
        return refuse(guest, "NOPERM malformed RAFT.PROOF");
    if (!proof_is_right(&proof, peers->options.secret, WIRE_DIALLER, &guest->handshake.hello,
                        &guest->handshake.challenge))
        return refuse_guess(guest);
    const char *refusal = refusal_of_member(guest);
    if (refusal)
        return refuse(guest, refusal);
    become_ready(guest);
    return true;
}

static void challenge(struct link *guest)
{
    const struct peer_options *options = &guest->peers->options;
    struct wire_challenge *own = &guest->handshake.challenge;
    own->incarnation = options->incarnation;
    memcpy(own->cluster_id, options->cluster->cluster_id, sizeof own->cluster_id);
    handshake_nonce(guest->peers, own->nonce);
    guest->state = LINK_CHALLENGING;
    wire_encode_challenge(&guest->pending, own);
    link_flush(guest);
}

static void write_address(struct link *guest, const struct sockaddr *address, socklen_t len)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (getnameinfo(address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    bool is_ipv6 = address->sa_family == AF_INET6;
    snprintf(guest->handshake.address, sizeof guest->handshake.address,
             is_ipv6 ? "[%.50s]:%.6s" : "%.50s:%.6s", host, port);
}

static const char *refusal_at_the_door(struct peers *peers, int fd, const struct sockaddr *from,
                                       struct guard_key *key)
{
    if (!guard_key_of(from, key))
        return "NOPERM nodes connect by TCP";
    return handshake_refusal(peers, fd);
}

static const char *refusal_of_hello(const struct peers *peers, const struct span *args, size_t argc,
                                    struct wire_hello *hello)
{
    enum err err = wire_parse_hello(args, argc, hello);
    if (err == ERR_FOREIGN)
        return "NOPERM this node does not speak the version of that RAFT.HELLO";
    if (err)
        return "NOPERM malformed RAFT.HELLO";
    if (hello->version < peers->version_min)
        return "NOPERM the nodes of this cluster speak a later version: that node needs a newer "
               "Flotilla";
    return NULL;
}

const char *peers_accept(struct peers *peers, int fd, const struct span *args, size_t argc,
                         struct span rest)
{
    struct wire_hello hello;
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    struct guard_key key = {0};
    const char *refusal = refusal_of_hello(peers, args, argc, &hello);
    if (!refusal && rest.len)
        refusal = "NOPERM nothing may follow RAFT.HELLO before the challenge";
    else if (!refusal && getpeername(fd, (struct sockaddr *)&from, &len))
        refusal = "NOPERM this connection has ended";
    else if (!refusal)
        refusal = refusal_at_the_door(peers, fd, (struct sockaddr *)&from, &key);
    if (refusal) {
        peers->stats.handshakes_refused++;
        return refusal;
    }
    make_place(peers, &key);
    struct link *guest = link_new(peers, NULL, false);
    peers->guests[peers->guest_count++] = guest;
    guest->handshake = (struct handshake){.hello = hello, .key = key};
    write_address(guest, (struct sockaddr *)&from, len);
    link_open(guest, fd);
    link_hear(guest, true);
    link_limit(guest, HANDSHAKE_TIMEOUT_MS);
    challenge(guest);
    return NULL;
}
