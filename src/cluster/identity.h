/* What a node knows of itself and of the begin of its cluster, as a text: the file
 * flotilla.identity in its data folder. Pure; storage/identity.h reads and writes the file.
 *
 *     #NODE:2:<cluster-id>:<node-id>:<incarnation>     forty zeros: no cluster yet
 *     #STATE:empty|founding|begun
 *     #PREVIOUS:<incarnation>                          only where one was given up for the place
 *     #PLACE:<inode>:<birth-ns>                        of the shard's folder; zeros: not known
 *     #LOG:begun                                       only where there was a log once
 *     #LIST:<id>@<host>:<port>,…                       cluster-nodes, as accepted
 *     #MARK:<mark>                                     of the data that --import is to bring
 *     #FOUNDERS:<cluster-id>:<mark>:<count>            only where this node knows them
 *     #MEMBER:<id>:<roles>:<incarnation>:<address>     one for each founder
 *     #END:<crc32c>                                    of all lines before
 *
 * Each line ends with CR and LF. Incarnations and marks are hexadecimal, other numbers decimal. */
#ifndef FLOTILLA_CLUSTER_IDENTITY_H
#define FLOTILLA_CLUSTER_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "cluster/cluster.h"

enum {
    CLUSTER_ADDRESS_MAX = 264, /* "host:port", "[v6]:port", and the NUL */
    CLUSTER_LIST_MAX = RAFT_MEMBERS_MAX * (CLUSTER_ADDRESS_MAX + 24),
};

#define CLUSTER_NO_ID "0000000000000000000000000000000000000000"

struct cluster_founder {
    uint64_t id;
    unsigned roles;       /* of enum raft_member_role */
    uint64_t incarnation; /* 0: not known; only of a learner */
    char address[CLUSTER_ADDRESS_MAX];
};

/* Who begins a cluster. Every founder stores the same record before anybody votes. */
struct cluster_founders {
    char cluster_id[41];
    uint64_t mark; /* of the data that the cluster begins with; 0: none */
    struct cluster_founder members[RAFT_MEMBERS_MAX]; /* ascending ids */
    size_t count;                                     /* 0: there is no record */
};

const struct cluster_founder *cluster_founders_find(const struct cluster_founders *founders,
                                                    uint64_t id);
bool cluster_founders_equal(const struct cluster_founders *a, const struct cluster_founders *b);
/* The lines #FOUNDERS and #MEMBER; nothing if there is no record. */
void cluster_founders_encode(struct buf *out, const struct cluster_founders *founders);
/* The whole of `text`; an empty one is no record. */
MUST_CHECK bool cluster_founders_parse(struct span text, struct cluster_founders *founders);

enum cluster_begin {
    CLUSTER_EMPTY,    /* the folder has promised nothing to anybody */
    CLUSTER_FOUNDING, /* it holds a founders' record, and does not know yet that all do */
    CLUSTER_BEGUN,    /* its node takes part */
};
const char *cluster_begin_name(enum cluster_begin begin); /* empty, founding, begun */
MUST_CHECK bool cluster_begin_parse(struct span name, enum cluster_begin *begin);

/* Where the shard's folder is on its file system. A copy has another place. */
struct cluster_place {
    uint64_t inode;
    uint64_t birth_ns; /* 0: the file system does not know */
};
bool cluster_place_equal(const struct cluster_place *a, const struct cluster_place *b);

struct cluster_identity {
    char cluster_id[41]; /* CLUSTER_NO_ID: none yet */
    uint64_t node_id;
    uint64_t incarnation; /* not 0 */
    uint64_t previous;    /* that was given up because the place had changed; 0: none */
    enum cluster_begin begin;
    struct cluster_place place; /* inode 0: not known */
    bool has_log;               /* a log was begun: if it is missing, it is lost */
    char list[CLUSTER_LIST_MAX];
    uint64_t mark;
    struct cluster_founders founders;
};

void cluster_identity_encode(struct buf *out, const struct cluster_identity *identity);
/* ERR_CORRUPT: the text ends early, or is not what was once written. ERR_FOREIGN: another version
 * wrote it. */
MUST_CHECK enum err cluster_identity_parse(struct span text, struct cluster_identity *identity);

/* The incarnation of a node whose folder was begun by the first version, which had none: all nodes
 * agree on it. Not 0. */
uint64_t cluster_derived_incarnation(const char cluster_id[41], uint64_t node_id);

/* "host:port" of a node; IPv6 in brackets. */
void cluster_address(const struct cluster_node *node, char address[CLUSTER_ADDRESS_MAX]);
/* The list of nodes in one form, whatever the order and the form it was configured in. */
void cluster_list_text(const struct cluster *cluster, char list[CLUSTER_LIST_MAX]);
/* The same of the members of a group. */
void cluster_members_text(const struct raft_membership *membership, char list[CLUSTER_LIST_MAX]);
/* Who belongs to the group at its begin. */
void cluster_founders_membership(const struct cluster_founders *founders,
                                 struct raft_membership *membership);

#endif
