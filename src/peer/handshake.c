/* What two nodes say before they are nodes to each other (wire/hello.h): the dialler's side, and
 * what both sides share. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "peer/internal.h"
#include "peer/proof.h"

void handshake_nonce(const struct peers *peers, unsigned char nonce[WIRE_NONCE_BYTES])
{
    for (size_t at = 0; at < WIRE_NONCE_BYTES; at += sizeof(uint64_t)) {
        uint64_t value = peers->options.random();
        memcpy(nonce + at, &value, sizeof value);
    }
}

static bool is_loopback(evutil_socket_t fd)
{
    struct sockaddr_storage here = {0};
    struct sockaddr_storage there = {0};
    socklen_t here_len = sizeof here;
    socklen_t there_len = sizeof there;
    return getsockname(fd, (struct sockaddr *)&here, &here_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_len) == 0 &&
           guard_is_loopback((struct sockaddr *)&here) &&
           guard_is_loopback((struct sockaddr *)&there);
}

const char *handshake_refusal(const struct peers *peers, evutil_socket_t fd)
{
    if (peers->options.secret.len)
        return NULL;
    if (peers->options.guarded)
        return "NOPERM a password guards the data, but no cluster-secret is set: no node is heard";
    if (!is_loopback(fd))
        return "NOPERM no cluster-secret is set: only nodes on this machine are heard";
    return NULL;
}

void handshake_greet(struct link *link)
{
    const struct peer_options *options = &link->peers->options;
    struct wire_hello *hello = &link->handshake.hello;
    *hello = (struct wire_hello){.version = hello->version,
                                 .from = options->self,
                                 .to = link->node->id,
                                 .incarnation = options->incarnation,
                                 .lane = WIRE_BULK};
    memcpy(hello->cluster_id, link->node->id ? options->cluster->cluster_id : link->peers->seek_id,
           sizeof hello->cluster_id);
    handshake_nonce(link->peers, hello->nonce);
    wire_encode_hello(&link->pending, hello);
}

static bool refused(struct link *link, const char *why)
{
    link->peers->stats.seeds_refused += link->node->key != 0;
    node_trouble(link->node, LOG_WARNING, "%s", why);
    link->node->backoff_ms = BACKOFF_REFUSED_MS;
    return false;
}

static bool take_challenge(struct link *link, const struct span *args, size_t argc)
{
    struct handshake *handshake = &link->handshake;
    const struct peer_options *options = &link->peers->options;
    if (wire_parse_challenge(args, argc, &handshake->challenge) != ERR_NONE)
        return refused(link, "answers in another language: is it a node of this version?");
    struct wire_proof proof;
    proof_make(&proof, options->secret, WIRE_DIALLER, &handshake->hello, &handshake->challenge);
    link->state = LINK_PROVING;
    wire_encode_proof(&link->pending, WIRE_DIALLER, &proof);
    link_flush(link);
    return true;
}

static bool take_welcome(struct link *link, const struct span *args, size_t argc)
{
    struct handshake *handshake = &link->handshake;
    const struct peer_options *options = &link->peers->options;
    struct wire_proof proof;
    if (wire_parse_proof(args, argc, WIRE_ACCEPTOR, &proof) != ERR_NONE)
        return refused(link, "answers in another language: is it a node of this version?");
    if (!proof_is_right(&proof, options->secret, WIRE_ACCEPTOR, &handshake->hello,
                        &handshake->challenge))
        return refused(link, "does not have the cluster-secret: it is no node of this cluster");
    if (!wire_cluster_ids_agree(handshake->challenge.cluster_id, handshake->hello.cluster_id))
        return refused(link, "belongs to another cluster");
    link->peer = (struct shard_peer){.node = link->node->id,
                                     .incarnation = handshake->challenge.incarnation,
                                     .version = handshake->hello.version};
    link_begin_ready(link);
    link->node->is_self = link->node->key != 0 && link->peer.incarnation == options->incarnation;
    if (link->node->is_self)
        return false;
    node_connected(link->node, true);
    return !node_catch_up(link->node);
}

/* A node of an older version answers the greeting with an error. Whatever the error says: if it has
 * another cause, the next answer has it too. */
static bool may_name_older(const struct link *link)
{
    uint32_t version = link->handshake.hello.version;
    return link->state == LINK_GREETING && version > WIRE_VERSION_OLDEST &&
           version > link->peers->version_min;
}

static bool take_error(struct link *link, struct span text)
{
    if (may_name_older(link)) {
        link->node->older_version = link->handshake.hello.version - 1;
        return false;
    }
    if (link->node->key && span_begins_with(text, SPAN("ERR unknown command")))
        return refused(link, "is no node of Flotilla: it answers as a Redis server does");
    if (link->node->key && span_begins_with(text, SPAN("NOPERM this is another node than")))
        return refused(link, "is of a version that does not know cluster-seeds");
    if (span_begins_with(text, SPAN(PEER_NO_ID_YET))) {
        node_trouble(link->node, LOG_NOTICE, "has no id yet");
        return false;
    }
    char why[TROUBLE_MAX];
    if (link->state == LINK_PROVING &&
        cluster_supersedes(link->peers->options.superseded, link->handshake.challenge.cluster_id))
        return refused(link,
                       "belongs to a cluster that this one has superseded: " SUPERSEDED_WHAT_TO_DO);
    int len = text.len < 200 ? (int)text.len : 200;
    snprintf(why, sizeof why, "refuses this node: %.*s", len, text.ptr);
    return refused(link, why);
}

bool handshake_take(struct link *link, bool is_error)
{
    const struct span *args = link->frame.args;
    size_t argc = link->frame.argc;
    switch (link->state) {
    case LINK_GREETING:
    case LINK_PROVING:
        if (is_error)
            return take_error(link, args[0]);
        return link->state == LINK_GREETING ? take_challenge(link, args, argc)
                                            : take_welcome(link, args, argc);
    case LINK_CHALLENGING:
        return guest_take_proof(link, args, is_error ? 0 : argc);
    case LINK_REFUSING:
    case LINK_RESOLVING:
    case LINK_CONNECTING:
    case LINK_DOWN:
    case LINK_READY:
        break;
    }
    return false;
}
