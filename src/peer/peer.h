/* Connections between nodes, which speak RESP (wire/hello.h, wire/message.h).
 *
 * For each other node there is one connection that this node dials (requests out, responses in),
 * redialled with backoff, and at most one that the other node dialled (requests in, responses out),
 * which net/ hands over when a client says RAFT.HELLO. Output beyond the limit is dropped: Raft
 * sends again what matters.
 *
 * Versions. A node names the newest version that it speaks (wire/hello.h). One that does not know
 * it answers with an error, and is greeted once more at once, in the version before. When such a
 * connection ends, or the other node comes with a newer version, the newest is tried again.
 *
 * Who is a node. Both sides prove that they have `secret` before anything else is said; the secret
 * never travels, and a proof is worth nothing on another connection. Without a secret a connection
 * is a node's only if both of its ends are loopback addresses, and none is while a password guards
 * the data (peers_set_guarded). Whoever has not proved anything costs a bounded number of
 * connections, bytes and seconds, is answered late when it guesses (peer/guard.h), and is told
 * nothing about the cluster but its id. */
#ifndef FLOTILLA_PEER_PEER_H
#define FLOTILLA_PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/span.h"
#include "cluster/cluster.h"
#include "cluster/identity.h"
#include "shard/shard.h"

struct event_base;
struct peers;

enum {
    PEER_CONTACTS_MAX = 32, /* addresses that are asked at the same time */
    PEER_CALLERS_MAX = 32,  /* connections of nodes that ask */
};

/* What contact `key` says, the answer to peers_ask(); or, with key 0, what another node asks. */
struct peer_question {
    uint64_t key;
    const struct shard_peer *from; /* its node is what the other side says; 0: it has no id */
    const struct span *args;
    size_t argc;
    const char *local;  /* the address of this node at which it was reached; empty: not known */
    struct buf *answer; /* to a question; else NULL */
};

struct peer_events {
    void *context;
    /* A message of node `from` for shard `shard` (arguments as in wire/message.h). NULL: fine, also
     * if the shard is not there. Else why it is refused, a static text: the connection is closed,
     * and the log says so once for each node and cause. */
    const char *(*message)(void *context, uint32_t shard, const struct shard_peer *from,
                           const struct span *args, size_t argc);
    /* A large message of `from` for `shard` is arriving, or `from` says that one of ours is, or
     * that it will be silent for up to `busy_ms`. */
    void (*alive)(void *context, uint32_t shard, const struct shard_peer *from, uint32_t busy_ms);
    /* The process of `node` refused or reset a connection. */
    void (*lost)(void *context, uint64_t node);
    /* A connection with `peer` is there: what both sides have proved, and the cluster that the
     * other one belongs to (zeros: none yet). Once for each connection; `dialled`: requests to the
     * other node go out on it. May be NULL. */
    void (*met)(void *context, const struct shard_peer *peer, const char *cluster_id, bool dialled);
    /* A message of the node itself, for no shard: its name is none of wire/message.h. false: close
     * the connection. NULL: there are none. */
    bool (*told)(void *context, const struct shard_peer *from, const struct span *args,
                 size_t argc);
    /* A message on a connection for which no node of the table is known. false: close it. NULL:
     * this node answers nobody. */
    bool (*sought)(void *context, const struct peer_question *question);
};

struct peer_options {
    uint64_t self;                 /* 0: it has no id yet */
    uint64_t incarnation;          /* of this node's data folder; not 0 */
    const struct cluster *cluster; /* borrowed; see peers_restart() and peers_follow() */
    const struct cluster_superseded *superseded; /* borrowed; NULL: none */
    struct span secret;                          /* borrowed; empty: none */
    bool guarded;                                /* see peers_set_guarded() */
    size_t output_bytes_max;                     /* per connection */
    uint64_t (*random)(void);                    /* of the system, unpredictable */
    const struct log *log;
    struct peer_events events;
};

struct peers *peers_new(struct event_base *base, const struct peer_options *options);
void peers_free(struct peers *peers);

/* A password guards the data from clients: without a secret there are no other nodes then. */
void peers_set_guarded(struct peers *peers, bool guarded);

/* All connections are closed and dialled again: each greets with what this node is now. */
void peers_restart(struct peers *peers, uint64_t incarnation);
/* The cluster has given this node an id: it greets with that from now on. */
void peers_set_self(struct peers *peers, uint64_t self);

/* ---- addresses at which this node asks who is there (seek.c) ---- */

/* These addresses are dialled, by name or number, each on all addresses that its name has; the
 * first `own` of them are the node's own seeds. Those that were there before and are not on the
 * list are left. `cluster_id`: of this node's cluster, zeros while it has not begun. To be called
 * again, for names are looked up again after a while. */
void peers_seek(struct peers *peers, const struct cluster_seeds *seeds, size_t own,
                const char *cluster_id);
void peers_ask(struct peers *peers, struct span bytes); /* to all contacts that are connected */

/* An own seed of which no address is known: why. NULL: there is none. */
const char *peers_missing_seed(const struct peers *peers, struct cluster_seed *seed);

struct peer_contact {
    uint64_t key;                /* never 0, never used again */
    struct cluster_seed address; /* by number */
    bool own;                    /* an own seed is not reached without it */
    bool self;                   /* this node itself was found there */
    bool connected;
    uint64_t incarnation;             /* of the other side, if connected */
    char local[CLUSTER_HOST_MAX + 1]; /* from where this node connects; empty: not known */
    const char *cause; /* borrowed: why it is not connected, as the end of a sentence; or empty */
};
size_t peers_contact_count(const struct peers *peers);
void peers_contact_at(const struct peers *peers, size_t at, struct peer_contact *contact);
/* Whether the seed `place` stands for `address`; *alone: and for no other one. */
bool peers_seed_is(const struct peers *peers, const struct cluster_seed *place,
                   const struct cluster_seed *address, bool *alone);

/* The nodes of `options.cluster` have changed: new ones are dialled, those that are gone are left,
 * those with another address are dialled there. */
void peers_follow(struct peers *peers);

/* From now on all connections speak `version` or a later one: nodes that do not are refused, and
 * told why. It only rises. */
void peers_require(struct peers *peers, uint32_t version);

/* Queues one encoded message; peers_flush() writes all of a turn with one system call per node. */
void peers_send(struct peers *peers, uint64_t to, bool response, struct span bytes);

void peers_flush(struct peers *peers);

/* A client connection said RAFT.HELLO (args). If that may be a node, takes over `fd` (which the
 * caller must no longer touch) with `rest`, the bytes that were read behind the command, and
 * returns NULL; the rest of the greeting is peer/'s business. Otherwise returns the error to reply
 * with ("NOPERM …"), and the connection stays the caller's. */
const char *peers_accept(struct peers *peers, int fd, const struct span *args, size_t argc,
                         struct span rest);

struct peer_link {
    bool connected;
    uint32_t version;  /* that the newest connection speaks; 0: there was none */
    uint64_t connects; /* successful ones since start */
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t dropped;    /* messages beyond output_bytes_max or without a connection */
    size_t output_bytes; /* waiting to be written */
    int64_t since_ms;    /* wall clock of the last change of `connected` */
};
struct peer_link peers_link(const struct peers *peers, uint64_t node);

struct peer_stats {
    uint64_t handshakes_refused; /* connections of others that did not become a node's */
    uint64_t seeds_refused;      /* greetings of contacts that ended in a refusal */
    uint64_t messages_refused;   /* of nodes; each closed its connection */
};
/* Bytes of all connections' buffers. */
uint64_t peers_memory(const struct peers *peers);
struct peer_stats peers_stats(const struct peers *peers);

#endif
