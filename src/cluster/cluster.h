/* The node table: the nodes of the cluster, the addresses that clients use, and the shard of each
 * slot. Pure. */
#ifndef FLOTILLA_CLUSTER_CLUSTER_H
#define FLOTILLA_CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/membership.h"

enum {
    CLUSTER_SLOTS = 16384,
    CLUSTER_HOST_MAX = 255,
    CLUSTER_NODE_NAME = 40,
    CLUSTER_IP_MAX = 45,       /* the longest IPv6 address as text */
    CLUSTER_ADDRESS_MAX = 264, /* "host:port" or "[v6]:port", with the NUL */
    CLUSTER_SEEDS_MAX = 32,
};

/* What a node says of itself: where clients shall look for it if not at its address among the
 * members. Empty texts and 0: nothing. */
struct cluster_announcement {
    char ip[CLUSTER_IP_MAX + 1];
    char hostname[CLUSTER_HOST_MAX + 1];
    uint16_t port;
    uint16_t sentinel_port; /* 0: there is none */
    /* Where the other nodes reach it, if it knows that by itself (cluster-seeds); else empty. */
    char address[CLUSTER_ADDRESS_MAX];
};

struct cluster_node {
    uint64_t id;
    char host[CLUSTER_HOST_MAX + 1]; /* where the other nodes reach it */
    uint16_t port;
    char name[CLUSTER_NODE_NAME + 1]; /* 40 hexadecimal digits, as CLUSTER MYID shows them */
    struct cluster_announcement announced;
};

struct cluster {
    struct cluster_node nodes[RAFT_MEMBERS_MAX]; /* ascending ids */
    size_t count;
    char cluster_id[41];
};

/* Parses "1@host:port,2@host:port,…" (IPv6 as [::1]:port). Fills the nodes and their names. A name
 * is derived from cluster_id (forty hexadecimal digits) and the node's id, so that all nodes
 * compute the same one. ERR_INVALID: `message` says what is wrong. */
MUST_CHECK enum err cluster_parse(struct cluster *cluster, struct span text,
                                  const char cluster_id[41], char message[256]);
/* Sets the cluster id (forty digits) and the node names derived from it. */
void cluster_set_id(struct cluster *cluster, const char id[41]);
/* Another random id, from a random one. */
void cluster_derive_id(char id[41]);
const struct cluster_node *cluster_find(const struct cluster *cluster, uint64_t id);

/* What clients are told of a node. */
const char *cluster_client_ip(const struct cluster_node *node);
uint16_t cluster_client_port(const struct cluster_node *node);

/* How a node names itself and the others to clients (cluster-preferred-endpoint-type). */
enum cluster_endpoint_type {
    CLUSTER_ENDPOINT_IP,
    CLUSTER_ENDPOINT_HOSTNAME,
    CLUSTER_ENDPOINT_UNKNOWN
};
/* The host that clients shall connect to. As in Redis "?" is a node without a host name, and ""
 * says: where you are already. */
const char *cluster_endpoint(const struct cluster_node *node, enum cluster_endpoint_type type);

/* address.c: "host:port", IPv6 as "[::1]:port". NULL: `host` and `port` are filled. Otherwise what
 * is wrong with the text, as the end of a sentence about it. */
const char *cluster_address_parse(struct span text, char host[CLUSTER_HOST_MAX + 1],
                                  uint16_t *port);
bool cluster_address_is_sound(struct span address);
void cluster_address_write(const char *host, uint16_t port, char address[CLUSTER_ADDRESS_MAX]);
void cluster_address(const struct cluster_node *node, char address[CLUSTER_ADDRESS_MAX]);

/* An address at which some node may be. */
struct cluster_seed {
    char host[CLUSTER_HOST_MAX + 1];
    uint16_t port;
};

struct cluster_seeds {
    struct cluster_seed list[CLUSTER_SEEDS_MAX]; /* each once, in the order of the text */
    size_t count;
};

/* "host:port,host:port,…", or nothing. ERR_INVALID: `message` says what is wrong. */
MUST_CHECK enum err cluster_seeds_parse(struct span text, struct cluster_seeds *seeds,
                                        char message[256]);
/* false: there is no room. */
bool cluster_seeds_add(struct cluster_seeds *seeds, const struct cluster_seed *seed);

/* announcement.c: RAFT.ANNOUNCE <ip> <hostname> <port> <sentinel port> [<address>], a message from
 * node to node. It has no format of its own on disk: who connects says it anew. Arguments behind
 * these are of later versions. */
bool cluster_announcement_is_set(const struct cluster_announcement *announcement);
void cluster_announcement_encode(struct buf *out, const struct cluster_announcement *announcement);
bool cluster_announcement_is_message(const struct span *args, size_t argc);
/* false: malformed, or with what no client may be told. */
bool cluster_announcement_parse(const struct span *args, size_t argc,
                                struct cluster_announcement *announcement);
/* Stores what node `id` said; a node that is not in the table is forgotten. */
void cluster_set_announced(struct cluster *cluster, uint64_t id,
                           const struct cluster_announcement *announcement);
/* The nodes of `cluster` keep what was announced in `before`. */
void cluster_keep_announced(struct cluster *cluster, const struct cluster *before);

/* The only place that maps slots to shards. Today there is one shard: 0. */
uint32_t cluster_shard_of_slot(unsigned slot);

#endif
