/* How a cluster begins: a function from the messages of the nodes to what this node stores and
 * sends. Pure; the host carries messages and stores the identity.
 *
 * A node whose cluster has not begun describes itself to the other nodes of its list, repeatedly.
 * The node with the lowest id draws the founders' record. It does so when it has reached all other
 * nodes, all are empty, and all have the same list and the same data to import. A founder that
 * receives the record stores it and passes it on. A founder begins when it knows that all founders
 * have stored the record, or when it hears that another founder has begun.
 *
 * Two different records can never both begin. A record begins only after every founder that it
 * names has stored it; a node stores at most one record per incarnation and never forgets it. So
 * the statement "this incarnation has stored this record" stays true for ever, however late it
 * arrives.
 *
 * An empty node that hears of a cluster that has begun joins it without a vote; the leader takes it
 * in.
 *
 * A node without a list of nodes draws nothing and stores nothing. cluster/seeking.h finds one. */
#ifndef FLOTILLA_CLUSTER_FOUNDING_H
#define FLOTILLA_CLUSTER_FOUNDING_H

#include "cluster/identity.h"

enum {
    FOUNDING_ASK_MS = 200,
    /* With --begin-cluster a node looks this long for a cluster that has begun before it draws a
     * record. */
    FOUNDING_ALONE_MS = 2000,
    FOUNDING_TEXT_MAX = 1024,
};

/* A node's description of itself. */
struct founding_said {
    uint64_t id;
    uint64_t incarnation;
    enum cluster_begin begin;
    char cluster_id[41]; /* while the node is empty: the configured id, or CLUSTER_NO_ID */
    uint64_t mark;
    uint64_t list; /* hash of the node's list */
    bool asks;     /* the node asks for an answer */
    struct cluster_founders founders;
};

/* RAFT.FOUND <id> <incarnation> <state> <cluster-id> <mark> <list> <asks 0|1> <record>, an array of
 * bulk strings. A response has the same form with asks = 0. */
void founding_encode(struct buf *out, const struct founding_said *said);
bool founding_is_message(const struct span *args, size_t argc);
MUST_CHECK bool founding_parse(const struct span *args, size_t argc, struct founding_said *said);

struct founding_options {
    uint64_t self;                 /* as in `stored` */
    const struct cluster *cluster; /* the list including this node; copied; NULL: none yet */
    const char *cluster_id;        /* the configured id; NULL: draw one */
    uint64_t mark;                 /* identifies the data to import; 0: none */
    bool alone;                    /* --begin-cluster */
    /* Random values drawn by the host. Used if this node draws a record, or needs a new
     * incarnation. */
    char drawn_id[41];
    uint64_t drawn_incarnation;
    /* The identity as loaded. founders.count is 0 if the founders are unknown. */
    struct cluster_identity stored;
};

struct founding_peer {
    uint64_t id;
    char address[CLUSTER_ADDRESS_MAX];
    bool reached;
    uint64_t incarnation; /* incarnation at the other end of the connection */
    bool heard;           /* it has spoken since it was reached */
    struct founding_said said;
    bool vouched; /* it has stored this node's record; never becomes false */
};

struct founding {
    struct cluster_identity stored; /* the identity that is durable, as far as this module knows */
    struct cluster_identity next;   /* the identity that the host was asked to store */
    bool storing;
    bool listed; /* there is a list of nodes */
    bool seeks;  /* it is not configured: see cluster/seeking.h */
    uint64_t list;
    char cluster_id[41]; /* the configured id, or CLUSTER_NO_ID */
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

/* While the node is empty: these are the nodes, and `self` is this one's id among them. NULL: there
 * is no list. What was heard from others is forgotten. */
void founding_set_list(struct founding *founding, const struct cluster *cluster, uint64_t self);
/* The empty node is to join the cluster of `said` as node `id`. The identity to store, as in
 * founding_update; founding_stored() follows. */
const struct cluster_identity *founding_join(struct founding *founding,
                                             const struct founding_said *said, uint64_t id);

/* A connection to node `id` was made, with this incarnation at its other end; or the connection was
 * lost. */
void founding_met(struct founding *founding, uint64_t id, uint64_t incarnation);
void founding_lost(struct founding *founding, uint64_t id);

/* A node's description arrived. It is ignored if the node is not in the list or has another
 * incarnation than the connected one. */
void founding_heard(struct founding *founding, const struct founding_said *said);

struct founding_update {
    bool ask; /* send founding_say() to all other nodes */
    /* Not NULL: store this durably, then call founding_stored(). If it has a record for the first
     * time, write the data to import too. Until then the node repeats its old description. */
    const struct cluster_identity *store;
};
void founding_step(struct founding *founding, uint64_t now_ms, struct founding_update *update);
void founding_stored(struct founding *founding);
uint64_t founding_deadline_ms(const struct founding *founding); /* latest time of the next step */

bool founding_has_begun(const struct founding *founding); /* and that is durable */
void founding_say(const struct founding *founding, struct founding_said *said);
/* Which node this node waits for, and why: "waiting for node 3 at 10.0.0.3:6379, which is not
 * reached". Empty once the cluster has begun. */
void founding_describe(const struct founding *founding, char text[FOUNDING_TEXT_MAX]);

#endif
