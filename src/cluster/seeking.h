/* How a node that knows only addresses finds its cluster (cluster-seeds, RAFT.CLUSTER JOIN): a
 * function from what is heard at those addresses to what this node stores and sends. Pure; the host
 * dials the addresses and carries the messages.
 *
 * A contact is an address that the host dials: one of the node's own seeds, or one that another
 * node has named. Behind several contacts may be one node; the incarnation tells.
 *
 *   - A cluster that has begun is behind a contact: the node asks to be taken in, once each of its
 *     seeds has answered or failed to. The leader makes it a member and answers with its id, the
 *     same one whenever it is asked for that incarnation.
 *   - Otherwise, with raft-bootstrap-expect N: when this node has reached all its seeds, and behind
 *     its contacts are exactly N - 1 others, all empty and with the same N, these N are its list of
 *     nodes. Their ids follow from their addresses, so equal sets have equal lists. The founders'
 *     rule (cluster/founding.h) does the rest: nobody draws a record before all have the same list.
 *   - A record that another node has drawn and that names this folder is stored, unless a cluster
 *     has begun.
 *
 * So a seed that does not answer, or has history, keeps the node from founding; and a cluster that
 * two nodes could begin in different ways is begun in none, since each stores at most one record.
 */
#ifndef FLOTILLA_CLUSTER_SEEKING_H
#define FLOTILLA_CLUSTER_SEEKING_H

#include "cluster/founding.h"

enum {
    SEEKING_CONTACTS_MAX = 32,
    SEEKING_TEXT_MAX = FOUNDING_TEXT_MAX,
    SEEKING_CAUSE_MAX = 160,
};

/* What a node says to another that it has found at an address, or by which it was found. */
struct seeking_said {
    /* While the node is empty its id is the one that it wishes for; 0: any. */
    struct founding_said node;
    unsigned expect;                   /* raft-bootstrap-expect; 0: it founds nothing */
    char address[CLUSTER_ADDRESS_MAX]; /* where it is reached; empty: it does not know yet */
    char joins[41]; /* the cluster into which it asks to be taken, or CLUSTER_NO_ID */
    uint64_t given; /* the id under which the leader has taken the other one in; 0: it has not */
    char refusal[SEEKING_CAUSE_MAX]; /* why not, one line; empty: it does not say */
};

/* RAFT.SEEK <id> <incarnation> <state> <cluster-id> <mark> <list> <asks 0|1> <record> <expect>
 * <address> <joins> <given> <refusal> <known>: the first arguments as those of RAFT.FOUND, an id of
 * 0 allowed. `known` are addresses at which nodes are, as of cluster-seeds. Arguments behind these
 * are of later versions. */
void seeking_encode(struct buf *out, const struct seeking_said *said,
                    const struct cluster_seeds *known);
bool seeking_is_message(const struct span *args, size_t argc);
MUST_CHECK bool seeking_parse(const struct span *args, size_t argc, struct seeking_said *said,
                              struct cluster_seeds *known);

struct seeking_contact {
    uint64_t key; /* given by the host; 0: the place is free */
    char address[CLUSTER_ADDRESS_MAX];
    bool seed; /* one of the node's own */
    bool reached;
    uint64_t incarnation;          /* at the other end of the connection */
    bool heard;                    /* it has spoken since it was reached */
    char cause[SEEKING_CAUSE_MAX]; /* why it is not reached; empty: not known yet */
    struct seeking_said said;
};

struct seeking {
    struct founding founding;
    uint64_t wish; /* node-id; 0: none */
    unsigned expect;
    bool begins_alone;                 /* RAFT.CLUSTER INIT */
    uint64_t alone_at_ms;              /* then the node begins alone, unless it finds a cluster */
    char address[CLUSTER_ADDRESS_MAX]; /* where this node is reached; empty: not known yet */
    char missing[SEEKING_CAUSE_MAX];   /* a seed of which no address is known, and why; or empty */
    struct seeking_contact contacts[SEEKING_CONTACTS_MAX];
};

/* `options->cluster`: NULL for an empty node, the founders for one that has stored a record. With
 * `options->alone` the node begins a cluster of its own, unless it finds one within
 * FOUNDING_ALONE_MS. */
void seeking_init(struct seeking *seeking, const struct founding_options *options, unsigned expect,
                  uint64_t now_ms);

/* Where this node is reached. */
void seeking_set_address(struct seeking *seeking, const char *address);
/* `text`: "seed b:1, which cannot be found: …" while one has no address; empty: all have, and are
 * contacts. Before the first call none has. */
void seeking_set_missing(struct seeking *seeking, const char *text);

/* The host dials this address; again: its `seed` may have changed. false: there is no room. */
bool seeking_contact(struct seeking *seeking, uint64_t key, const char *address, bool seed);
void seeking_forget(struct seeking *seeking, uint64_t key); /* it dials it no more */
void seeking_met(struct seeking *seeking, uint64_t key, uint64_t incarnation);
void seeking_lost(struct seeking *seeking, uint64_t key, const char *cause);
/* The node at that contact has spoken. It is ignored if that is another than the one met. */
void seeking_heard(struct seeking *seeking, uint64_t key, const struct seeking_said *said);

/* As founding_step(). `ask`: send seeking_say() to all contacts. */
void seeking_step(struct seeking *seeking, uint64_t now_ms, struct founding_update *update);

/* RAFT.CLUSTER INIT: the node begins a cluster alone with the next step. ERR_EXISTS: `why` has the
 * reason against it, as a sentence. */
MUST_CHECK enum err seeking_begin_alone(struct seeking *seeking, char why[SEEKING_TEXT_MAX]);

/* The description of this node, without an answer to the other one. */
void seeking_say(const struct seeking *seeking, struct seeking_said *said);
/* For what it waits, as founding_describe(). */
void seeking_describe(const struct seeking *seeking, char text[SEEKING_TEXT_MAX]);

#endif
