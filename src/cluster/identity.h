/* What a node knows about itself and about the begin of its cluster, as the text of the file
 * flotilla.identity in its data folder. Pure; storage/identity.h reads and writes the file.
 *
 *     #NODE:<version>:<cluster-id>:<node-id>:<incarnation>   id of forty zeros: no cluster yet;
 *                                                      node id 0: the cluster gives one
 *     #STATE:empty|founding|begun
 *     #PREVIOUS:<incarnation>                          optional: given up because the place changed
 *     #PLACE:<inode>:<birth-ns>                        of the shard's folder; zeros: unknown
 *     #LOG:begun                                       optional: a log was begun once
 *     #LIST:<id>@<host>:<port>,…                       cluster-nodes as accepted
 *     #MARK:<mark>                                     identifies the data that --import reads
 *     #SUPERSEDED:<cluster-id>:<index>:<term>          optional, oldest first: see below
 *     #FOUNDERS:<cluster-id>:<mark>:<count>            optional: if the node knows the founders
 *     #MEMBER:<id>:<roles>:<incarnation>:<address>     one for each founder
 *     #END:<crc32c>                                    covers all lines before
 *
 * The version is that of what the folder may hold (wire/hello.h): a node that does not know it
 * refuses the folder. Each line ends with CR and LF. Incarnations and marks are hexadecimal, other
 * numbers decimal.
 *
 * A cluster that lost its majority goes on from one folder under a new cluster id, which supersedes
 * the old one (flotilla-check --recover-quorum). The log up to entry <index> of term <term> was
 * written under the old id. The founders' record has this node alone: it is the membership that
 * takes effect behind that entry. */
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
    CLUSTER_VERSION_OLDEST = 2, /* of a folder that is understood; numbers as in wire/hello.h */
    CLUSTER_VERSION = 5,
    CLUSTER_VERSION_SUPERSEDES = 3, /* the first one that knows #SUPERSEDED */
    CLUSTER_LIST_MAX = RAFT_MEMBERS_MAX * (CLUSTER_ADDRESS_MAX + 24),
    CLUSTER_SUPERSEDED_MAX = 16,
};

#define CLUSTER_NO_ID "0000000000000000000000000000000000000000"

struct cluster_founder {
    uint64_t id;
    unsigned roles;       /* bits of enum raft_member_role */
    uint64_t incarnation; /* 0: unknown, allowed only for a learner */
    char address[CLUSTER_ADDRESS_MAX];
};

/* The nodes that begin a cluster. Every founder stores the same record before any founder votes. */
struct cluster_founders {
    char cluster_id[41];
    uint64_t mark; /* identifies the data that the cluster begins with; 0: none */
    struct cluster_founder members[RAFT_MEMBERS_MAX]; /* ascending ids */
    size_t count;                                     /* 0: no record */
};

const struct cluster_founder *cluster_founders_find(const struct cluster_founders *founders,
                                                    uint64_t id);
bool cluster_founders_equal(const struct cluster_founders *a, const struct cluster_founders *b);
/* Appends the lines #FOUNDERS and #MEMBER; nothing if there is no record. */
void cluster_founders_encode(struct buf *out, const struct cluster_founders *founders);
/* Parses the whole of `text`; an empty text is no record. */
MUST_CHECK bool cluster_founders_parse(struct span text, struct cluster_founders *founders);

enum cluster_begin {
    CLUSTER_EMPTY,    /* the node has stored no record */
    CLUSTER_FOUNDING, /* the node has stored a founders' record, but does not know that all founders
                         have */
    CLUSTER_BEGUN,    /* the node is part of a cluster */
};
const char *cluster_begin_name(enum cluster_begin begin); /* empty, founding, begun */
MUST_CHECK bool cluster_begin_parse(struct span name, enum cluster_begin *begin);

/* Where the shard's folder is on its file system. A copy of the folder has another place. */
struct cluster_place {
    uint64_t inode;
    uint64_t birth_ns; /* 0: the file system does not record it */
};
bool cluster_place_equal(const struct cluster_place *a, const struct cluster_place *b);

/* A cluster that this one goes on from. */
struct cluster_predecessor {
    char cluster_id[41];
    uint64_t last_index; /* the newest entry that was written under that id; 0: there is none */
    uint64_t last_term;
};

struct cluster_superseded {
    struct cluster_predecessor items[CLUSTER_SUPERSEDED_MAX]; /* oldest first */
    size_t count;
};
/* NULL allowed: nothing is superseded. */
bool cluster_supersedes(const struct cluster_superseded *superseded, const char *cluster_id);

struct cluster_identity {
    uint32_t version;     /* 0 counts as the oldest */
    char cluster_id[41];  /* CLUSTER_NO_ID: none yet */
    uint64_t node_id;     /* 0: none yet, only while the node is empty */
    uint64_t incarnation; /* never 0 */
    /* The last incarnation, given up because the place had changed; 0: none. */
    uint64_t previous;
    enum cluster_begin begin;
    struct cluster_place place; /* inode 0: unknown */
    bool has_log;               /* a log was begun here once; if it is missing, it was lost */
    char list[CLUSTER_LIST_MAX];
    uint64_t mark;
    struct cluster_superseded superseded;
    struct cluster_founders founders;
};

/* What a recovery draws and finds. */
struct cluster_recovery {
    char cluster_id[41];        /* drawn */
    uint64_t incarnation;       /* drawn, not 0 */
    struct cluster_place place; /* of the shard's folder as it is now */
    const char *address;        /* of this node among the members */
    uint64_t last_index;        /* the end of the log */
    uint64_t last_term;
};
/* Turns the identity into that of the only member of a new cluster, which supersedes the present
 * one. ERR_RANGE: too many were superseded already; the identity stays as it was. */
MUST_CHECK enum err cluster_identity_recover(struct cluster_identity *identity,
                                             const struct cluster_recovery *recovery);
/* The entry behind which the founders' record takes effect: the last one of the cluster that was
 * superseded last. NULL: the record is the begin of the log, or the folder has begun a new
 * incarnation since, to which the record gives no vote. */
const struct cluster_predecessor *
cluster_identity_recovered(const struct cluster_identity *identity);

void cluster_identity_encode(struct buf *out, const struct cluster_identity *identity);
/* ERR_CORRUPT: the text is incomplete or damaged. ERR_FOREIGN: another version wrote it. */
MUST_CHECK enum err cluster_identity_parse(struct span text, struct cluster_identity *identity);

/* The incarnation of a folder written by version 1, which had no incarnations. All nodes derive the
 * same one. Never 0. */
uint64_t cluster_derived_incarnation(const char cluster_id[41], uint64_t node_id);

/* The list of nodes in canonical form, independent of the order and form in the configuration. */
void cluster_list_text(const struct cluster *cluster, char list[CLUSTER_LIST_MAX]);
/* The members of a group in the same form. */
void cluster_members_text(const struct raft_membership *membership, char list[CLUSTER_LIST_MAX]);
/* The membership with which the group begins. */
void cluster_founders_membership(const struct cluster_founders *founders,
                                 struct raft_membership *membership);

#endif
