/* Private to net/: what belongs to the module as a whole. */
#ifndef FLOTILLA_NET_MODULE_H
#define FLOTILLA_NET_MODULE_H

#include "net/connection.h"
#include "net/list.h"
#include "net/net.h"
#include "net/slowlog.h"
#include "net/statistics.h"

enum {
    NET_READ_BYTES = 64 * 1024, /* the read buffer that clients share */
    NET_IDLE_MS = 2000,         /* then a client's buffers are given back */
    NET_LINGER_MS = 10 * 1000,  /* for replies after the client stopped sending */
    NET_RESERVED_MS = 1000,     /* how long they may take to say so */
};

struct net_io;
struct net_local;
struct net_listener;

/* A place in the table of connections. */
struct client_slot {
    struct client *client; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* slot + 1, 0: none */
};

struct net {
    struct event_base *base;
    struct net_settings settings;
    const struct command_table *table;
    const struct cluster *cluster;
    const struct log *log;
    uint64_t self;
    struct net_host host;
    struct shard *shard;
    const char *absence;             /* why there is none; NULL: it is loading */
    const struct net_local **locals; /* by command id; NULL: not net's */
    size_t command_count;
    const char *redis_version;
    bool sentinel;

    struct client_slot *slots;
    uint32_t slot_count;
    uint32_t first_free; /* slot + 1 */
    uint32_t clients;
    uint32_t reserved; /* of them: beyond maxclients, or from where clients are refused */
    struct client *refused[NET_RESERVED]; /* those, in no order */
    uint64_t refused_dropped;             /* for others that came */
    uint64_t next_id;

    struct net_io *io; /* NULL: there are no I/O threads */
    unsigned io_threads;

    struct net_listener *listeners;
    int spare_fd;             /* given up for a moment when there are no descriptors left */
    uint64_t accept_again_ms; /* 0: listening */

    struct shard_time now; /* of this turn */
    bool now_known;
    uint64_t used_memory; /* of this turn */
    bool used_memory_known;

    struct list_link waiting[CLIENT_STATES]; /* PARKED, FULL, PAUSED, BLOCKED */
    uint32_t waiting_count[CLIENT_STATES];
    uint32_t waiting_for_keys; /* clients; they are on no list */
    struct list_link resume;
    struct list_link flush;
    struct list_link go_on; /* clients whose reads the shard held */
    struct list_link dead;
    uint64_t due_ms; /* no parked or blocked client is due earlier; UINT64_MAX: none */
    bool role_changed;
    bool replies_came;
    bool submitted;
    uint32_t next_visited; /* slot: net_tick() looks at a part of the clients each time */
    uint64_t visited_ms;

    uint64_t http_clients;
    uint64_t http_said_ms; /* 0: never */

    bool failing_over; /* no leader is known, or it hands over */
    bool failover_listeners_changed;
    uint64_t failover_messages; /* so many times that has changed */

    bool paused;
    bool pause_all;
    uint64_t pause_until_ms;

    struct resp_writer reply; /* between reply_begin and reply_end */
    struct resp_mark reply_mark;
    size_t reply_start; /* in its output */
    size_t local_start; /* of a reply of net's own, in its output */
    struct resp_mark local_mark;
    struct net_output early; /* a reply that has to wait for its turn, while it is written */
    struct resp_pieces pieces;
    struct net_statistics statistics;
    struct net_slowlog slowlog;
    char read_buffer[NET_READ_BYTES];
};

const struct shard_time *net_now(struct net *net);
struct client *net_find_client(const struct net *net, struct shard_client handle);
struct client *net_next_client(const struct net *net, uint32_t *position); /* from 0; NULL: end */
struct client *net_client_by_id(const struct net *net, uint64_t id);
void net_reap(struct net *net);
void net_visit_clients(struct net *net); /* see visit.c */
void net_due(struct net *net, uint64_t at_ms);
void net_wake_all(struct net *net, enum client_state state);

#endif
