/* The inside of peer/. */
#ifndef FLOTILLA_PEER_INTERNAL_H
#define FLOTILLA_PEER_INTERNAL_H

#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "peer/peer.h"

enum {
    BACKOFF_MIN_MS = 20,
    BACKOFF_MAX_MS = 1000,
    CONNECT_TIMEOUT_MS = 2000,
    /* Unacknowledged data for this long ends the connection: half-open ones are noticed. */
    USER_TIMEOUT_MS = 5000,
    /* One read and one write move up to this much: large entries do not take thousands of turns. */
    LINK_BYTES_PER_CALL = 1024 * 1024,
    /* While a message arrives in pieces, the sender hears of it this often. */
    ALIVE_INTERVAL_MS = 20,
};

enum link_state {
    LINK_DOWN,       /* the backoff timer runs */
    LINK_CONNECTING, /* dialled, no answer yet */
    LINK_GREETING,   /* RAFT.HELLO sent */
    LINK_READY,
};

/* One direction of the traffic with another node. */
struct link {
    struct peers *peers;
    struct node *node;
    bool dialled; /* by this node: requests out, responses in; else the reverse */
    enum link_state state;
    struct shard_peer peer; /* the other side */
    struct bufferevent *bev;
    redisReader *reader;
    struct buf pending; /* of this turn */
    uint64_t alive_ms;  /* when the last sign of life for a partial message was given */
};

struct node {
    uint64_t id;
    const struct cluster_node *address;
    struct link out;
    struct link in;
    struct event *redial;
    uint32_t backoff_ms;
    struct peer_link status;
};

struct peers {
    struct event_base *base;
    struct evdns_base *dns; /* names are resolved without blocking the loop */
    struct peer_options options;
    struct node nodes[RAFT_MEMBERS_MAX];
    size_t count;
    struct span *args; /* scratch */
    size_t args_cap;
};

/* link.c */
bool link_open(struct link *link, evutil_socket_t fd); /* fd -1: to be connected */
void link_close(struct link *link);
void link_write(struct link *link, struct span bytes); /* at once */
void link_flush(struct link *link);
/* Handles what was received. false: malformed, the link was closed. */
bool link_consume(struct link *link);

/* peer.c */
void node_dial(struct node *node);
void link_lost(struct link *link, int error); /* error: errno of the connection, 0 at its end */
bool link_reply(struct link *link, const redisReply *reply);

#endif
