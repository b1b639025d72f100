/* The node table: the nodes of the cluster, the addresses that clients use, and the shard of each
 * slot. Pure. */
#ifndef FLOTILLA_CLUSTER_CLUSTER_H
#define FLOTILLA_CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "raft/membership.h"

enum { CLUSTER_SLOTS = 16384, CLUSTER_HOST_MAX = 255, CLUSTER_NODE_NAME = 40 };

struct cluster_node {
    uint64_t id;
    char host[CLUSTER_HOST_MAX + 1];
    uint16_t port;
    char name[CLUSTER_NODE_NAME + 1]; /* 40 hexadecimal digits, as CLUSTER MYID shows them */
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
const struct cluster_node *cluster_find(const struct cluster *cluster, uint64_t id);

/* The only place that maps slots to shards. Today there is one shard: 0. */
uint32_t cluster_shard_of_slot(unsigned slot);

#endif
