/* The inside of peer/.
 *
 *   peer.c       the nodes: what is sent to them, what they say
 *   dial.c       connections that this node begins, and begins again
 *   accept.c     connections that others begin, until they have proved what they are
 *   handshake.c  what both sides say before they are nodes to each other
 *   link.c       bytes of one connection
 *   seek.c       addresses where it asks who is there, and nodes that ask
 *   guard.c      addresses from where somebody guesses
 *   proof.c      the proof of the secret */
#ifndef FLOTILLA_PEER_INTERNAL_H
#define FLOTILLA_PEER_INTERNAL_H

#include <event2/event.h>
#include <event2/util.h>
#include <sys/socket.h>

#include "peer/guard.h"
#include "peer/peer.h"
#include "peer/resolver.h"
#include "wire/frame.h"
#include "wire/hello.h"

enum {
    BACKOFF_MIN_MS = 20,
    BACKOFF_MAX_MS = 1000,
    BACKOFF_REFUSED_MS = 4000, /* seldom enough to be forgiven (guard.h) */
    CONNECT_TIMEOUT_MS = 2000,
    HANDSHAKE_TIMEOUT_MS = 3000,
    /* Unacknowledged data for this long ends the connection: half-open ones are noticed. */
    USER_TIMEOUT_MS = 5000,
    /* One read and one write move up to this much: large entries do not take thousands of turns. */
    LINK_BYTES_PER_CALL = 1024 * 1024,
    /* While a message arrives in pieces, the sender hears of it this often. */
    ALIVE_INTERVAL_MS = 20,
    WRITE_PIECES_MAX = 16,
    /* Connections that others began and that have proved nothing. */
    GUESTS_MAX = 64,
    GUESTS_PER_ADDRESS_MAX = 24,
    TROUBLE_MAX = 256,
    REFUSAL_SAY_MS = 60 * 1000,
    REFUSALS_MAX = 32,  /* causes remembered for each node */
    LASTING_MS = 1000,  /* a connection that was good */
    SEEK_ARGS_MAX = 64, /* of a question, and of its answer */
    SEEK_BYTES_MAX = 64 * 1024,
    PEER_WHERE_MAX = CLUSTER_ADDRESS_MAX + 32,
};

#define SUPERSEDED_WHAT_TO_DO "empty its data folder, then add it with RAFT.NODE ADD"

enum link_state {
    LINK_DOWN,        /* the backoff timer runs */
    LINK_RESOLVING,   /* the name is looked up */
    LINK_CONNECTING,  /* dialled, no answer yet */
    LINK_GREETING,    /* RAFT.HELLO sent, the challenge is awaited */
    LINK_PROVING,     /* RAFT.PROOF sent, the other side's is awaited */
    LINK_CHALLENGING, /* a guest: RAFT.CHALLENGE sent, the proof is awaited */
    LINK_REFUSING,    /* a guest: its error is held back for a while */
    LINK_READY,
};

/* A member that is being taken in, or founds: it will have one in a moment. */
#define PEER_NO_ID_YET "NOPERM this node has no id yet"

/* What was said on a connection before it is a node's. */
struct handshake {
    struct wire_hello hello;
    struct wire_challenge challenge;
    struct guard_key key; /* a guest's address, and as text */
    char address[64];
    const char *refusal; /* LINK_REFUSING: the error */
};

/* Of one message: an append with the largest entry that net/ lets in, and what is around it. */
#define MESSAGE_BYTES_MAX ((size_t)2 << 30)

/* One direction of the traffic with another node, or a guest. */
struct link {
    struct peers *peers;
    struct node *node; /* NULL: a guest */
    bool dialled;      /* by this node: requests out, responses in; else the reverse */
    enum link_state state;
    struct shard_peer peer; /* READY: the other side, as it has proved */
    evutil_socket_t fd;     /* -1: none */
    struct event *read_event;
    struct event *write_event;
    struct buf input;
    size_t consumed; /* of it, by commands that were handled */
    struct wire_frame frame;
    struct buf pending; /* of this turn */
    struct buf *chunks; /* of turns before, oldest first, for which the socket had no room */
    size_t chunk_count;
    size_t chunk_cap;
    size_t chunk_sent; /* of the oldest */
    size_t waiting;    /* bytes in them */
    uint64_t alive_ms; /* when the last sign of life for a partial message was given */
    struct handshake handshake;
    uint64_t ready_ms;   /* since then it is a node's */
    uint64_t heard_ms;   /* when bytes came in, last */
    struct event *limit; /* the end of what may not last */
};

/* Why messages of a node were refused, as it was logged. */
struct refusal {
    const char *why; /* NULL: a free place */
    uint64_t said_ms;
    uint64_t repeats; /* since then */
};

struct node {
    uint64_t id;  /* 0: a contact or a caller (seek.c) */
    uint64_t key; /* a contact's; else 0 */
    bool is_self; /* this node was found there: it is not dialled again */
    bool wanted;
    struct cluster_node address;
    struct link *out;
    struct link *in;          /* NULL: it has not dialled */
    struct resolved resolved; /* of its name, at the last dial */
    size_t tried;             /* of those addresses */
    uint64_t ticket;          /* of the question to the resolver */
    struct event *redial;
    uint32_t backoff_ms;
    uint32_t older_version;    /* that the next greeting names; 0: the newest */
    bool death_told;           /* of the process that was there */
    bool hurried;              /* since a connection lasted, it was dialled once before its time */
    char trouble[TROUBLE_MAX]; /* why there is no connection, as it was logged; empty: none */
    uint64_t attempts;         /* that failed in that way */
    struct refusal refusals[REFUSALS_MAX];
    struct peer_link status;
};

/* An address that is asked, by name or number. */
struct seed {
    struct cluster_seed place;
    bool own;
    uint64_t ticket;   /* of the question to the resolver; 0: none yet */
    uint64_t again_ms; /* when it is looked up again */
    struct resolved resolved;
    char cause[128]; /* why its name is not known */
};

struct peers {
    struct event_base *base;
    struct resolver *resolver;
    uint64_t tickets;
    struct peer_options options;
    struct node *nodes[RAFT_MEMBERS_MAX];
    size_t count;
    struct seed *seeds;
    size_t seed_count;
    struct node *contacts[PEER_CONTACTS_MAX];
    size_t contact_count;
    uint64_t contact_keys;
    char seek_id[WIRE_CLUSTER_ID + 1]; /* what contacts are told of the cluster */
    struct node *callers[PEER_CALLERS_MAX];
    size_t caller_count;
    struct link *guests[GUESTS_MAX];
    size_t guest_count;
    struct guard guard;
    uint32_t version_min; /* of all connections */
    bool drop_older;      /* with the next flush: connections of a lower version */
    struct peer_stats stats;
    uint64_t foreign_said_ms; /* a node of another cluster was refused; 0: never */
    bool restart;             /* with the next flush */
    bool taking;              /* a message is being handled */
};

/* link.c */
struct link *link_new(struct peers *peers, struct node *node, bool dialled);
void link_free(struct link *link);
void link_open(struct link *link, evutil_socket_t fd);
void link_hear(struct link *link, bool hears); /* whether it is read from */
void link_close(struct link *link);
size_t link_waiting(const struct link *link);          /* bytes to be written */
void link_write(struct link *link, struct span bytes); /* at once */
void link_flush(struct link *link);
/* Handles what was received. false: the link was closed, and a guest's is gone. */
bool link_consume(struct link *link);
void link_begin_ready(struct link *link);        /* the greeting is over */
bool link_lasted(const struct link *link);       /* it was a node's for a while */
void link_limit(struct link *link, uint32_t ms); /* what it does now may last so long */
uint64_t peer_mono_ms(void);

/* handshake.c */
void handshake_greet(struct link *link); /* the dialler's first words */
/* The next words of the other side. false: the link is to be closed (or was, see accept.c). */
bool handshake_take(struct link *link, bool is_error);
/* Whether this connection may be a node's, as far as the socket shows. NULL: yes. */
const char *handshake_refusal(const struct peers *peers, evutil_socket_t fd);
void handshake_nonce(const struct peers *peers, unsigned char nonce[WIRE_NONCE_BYTES]);

/* accept.c */
bool guest_take_proof(struct link *guest, const struct span *args, size_t argc);
void guest_end(struct link *guest); /* frees it */
void guest_time_is_over(struct link *guest);
void guest_lost(struct link *guest);
void guests_end(struct peers *peers);

/* seek.c */
void seeds_resolved(struct peers *peers, uint64_t ticket, const struct resolved *resolved);
void contacts_restart(struct peers *peers);
void caller_begin(struct link *guest);
void callers_sweep(struct peers *peers);
void seek_end(struct peers *peers);
const char *seek_take(struct link *link);
void node_say_where(const struct node *node, char text[PEER_WHERE_MAX]);

/* dial.c */
void node_dial(struct node *node);
void node_hurry(struct node *node);
/* A connection attempt has ended: well, or not. */
void dial_connected(struct link *link);
/* The name has another address that was not tried: the attempt goes on there. */
bool dial_next(struct link *link);
void dial_resolved(void *peers, uint64_t ticket, const struct resolved *resolved);
void node_redial_later(struct node *node, uint32_t ms);
void node_redial(struct node *node); /* after the backoff */
/* Logs a change of state, counts what stays as it is. */
void node_trouble(struct node *node, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void node_connected(struct node *node, bool connected);

/* peer.c */
struct node *peers_find(const struct peers *peers, uint64_t id);
struct node *node_new(struct peers *peers, const struct cluster_node *address);
void node_free(struct node *node);
void node_begin_anew(struct node *node); /* closes what there is and dials again */
/* A visitor has connected and is not in the table: it is answered, and not dialled. */
bool peers_has_place(const struct peers *peers);
/* If the node has connected with a newer version than this node's own connection to it speaks, that
 * one is closed and made anew. Whether it is. */
bool node_catch_up(struct node *node);
struct node *peers_add_visitor(struct peers *peers, uint64_t id);
void link_lost(struct link *link, int error); /* error: errno of the connection, 0 at its end */
/* The command in link->frame. */
bool link_take(struct link *link);
void link_refuse(struct link *link, const char *why); /* counts it and says so */

#endif
