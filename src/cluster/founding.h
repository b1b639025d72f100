/* How a cluster begins: a function from what the nodes say to what this one stores and says. Pure;
 * the host carries messages and stores the identity.
 *
 * Every node that has not begun tells the others of its list about itself, again and again. The
 * node with the lowest id draws the founders' record once all others have been reached, are empty,
 * and have the same list and the same data to import. Each founder that gets the record stores it
 * and passes it on. A founder that knows that all founders have stored it begins; so does a founder
 * that hears that another has begun.
 *
 * Why two records are never both begun: a record is begun only after every founder that it names
 * has stored it, a node stores at most one record in an incarnation, and it forgets none. So the
 * statement "this incarnation has stored this record" stays true for ever, however late it arrives.
 *
 * An empty node that hears of a cluster that has begun belongs to it from then on, without a vote:
 * the leader takes it in. */
#ifndef FLOTILLA_CLUSTER_FOUNDING_H
#define FLOTILLA_CLUSTER_FOUNDING_H

#include "cluster/identity.h"

enum {
    FOUNDING_ASK_MS = 200,
    /* --begin-cluster looks for a cluster that has begun for this long before it draws. */
    FOUNDING_ALONE_MS = 2000,
    FOUNDING_TEXT_MAX = 1024,
};

/* What a node says of itself. */
struct founding_said {
    uint64_t id;
    uint64_t incarnation;
    enum cluster_begin begin;
    char cluster_id[41]; /* while it is empty: the configured one; CLUSTER_NO_ID: none */
    uint64_t mark;
    uint64_t list; /* a hash of its list of nodes */
    bool asks;     /* it wants an answer */
    struct cluster_founders founders;
};

/* RAFT.FOUND <id> <incarnation> <state> <cluster-id> <mark> <list> <asks 0|1> <record>, as an array
 * of bulk strings. A response has the same form, and asks for nothing. */
void founding_encode(struct buf *out, const struct founding_said *said);
bool founding_is_message(const struct span *args, size_t argc);
MUST_CHECK bool founding_parse(const struct span *args, size_t argc, struct founding_said *said);

struct founding_options {
    uint64_t self;
    const struct cluster *cluster; /* the list of nodes, this one among them; copied */
    const char *cluster_id;        /* configured; NULL: to be drawn */
    uint64_t mark;                 /* of the data to import; 0: none */
    bool alone;                    /* --begin-cluster */
    /* Chance, drawn by the host: used if this node draws a record, or needs another incarnation. */
    char drawn_id[41];
    uint64_t drawn_incarnation;
    /* As stored. founders.count is 0 where none are known. */
    struct cluster_identity stored;
};

struct founding_peer {
    uint64_t id;
    char address[CLUSTER_ADDRESS_MAX];
    bool reached;
    uint64_t incarnation; /* of the connection */
    bool heard;           /* since it was reached */
    struct founding_said said;
    bool vouched; /* it has stored this node's record: stays true */
};

struct founding {
    struct cluster_identity stored; /* durable, as far as this module knows */
    struct cluster_identity next;   /* what the host is asked to store */
    bool storing;
    uint64_t list;
    char cluster_id[41]; /* configured, or CLUSTER_NO_ID */
    char drawn_id[41];
    uint64_t drawn_incarnation;
    uint64_t mark;
    bool alone;
    uint64_t alone_at_ms;
    uint64_t ask_at_ms;
    struct founding_peer peers[RAFT_MEMBERS_MAX];
    size_t peer_count;
};

void founding_init(struct founding *founding, const struct founding_options *options,
                   uint64_t now_ms);

/* A connection to a node is there, whose other end is this incarnation; or it is gone. */
void founding_met(struct founding *founding, uint64_t id, uint64_t incarnation);
void founding_lost(struct founding *founding, uint64_t id);

/* What a node said. Of another incarnation than the one that was met, or of no node of the list: it
 * is ignored. */
void founding_heard(struct founding *founding, const struct founding_said *said);

struct founding_update {
    bool ask; /* send what founding_say() gives to all others */
    /* Not NULL: store this durably (and write the data to import, if it holds a record for the
     * first time), then call founding_stored(). Until then the node says what it said before. */
    const struct cluster_identity *store;
};
void founding_step(struct founding *founding, uint64_t now_ms, struct founding_update *update);
void founding_stored(struct founding *founding);
uint64_t
founding_deadline_ms(const struct founding *founding); /* of the next step, at the latest */

bool founding_has_begun(const struct founding *founding); /* durably */
void founding_say(const struct founding *founding, struct founding_said *said);
/* For whom this node waits, and why: "waiting for node 3 at 10.0.0.3:6379, which is not reached".
 * Empty once the cluster has begun. */
void founding_describe(const struct founding *founding, char text[FOUNDING_TEXT_MAX]);

#endif
