/* What load.c (when to send, what a reply means) and connection.c (sockets) share. */
#ifndef FLOTILLA_BENCH_INTERNAL_H
#define FLOTILLA_BENCH_INTERNAL_H

#include "base/buf.h"
#include "base/prng.h"
#include "bench/load/load.h"

enum { STAYS = -1 };

enum connection_state { CONNECTION_CLOSED, CONNECTION_CONNECTING, CONNECTION_OPEN };

struct connection {
    int fd;
    enum connection_state state;
    unsigned node;
    int moves_to;    /* a node, when all replies are there; or STAYS */
    bool was_broken; /* opening it again counts */
    bool greets;     /* waits for the reply to AUTH */
    bool is_ready;   /* stands in the queue of those that may have room */
    bool is_dirty;   /* stands in the list of those that have bytes to write */
    bool waits_for_room;
    uint64_t still_until_ns; /* sends nothing, or is not opened, before; 0: no matter */
    struct buf out;
    size_t written;
    struct parser parser;
    struct request *requests; /* under way, a ring of `pipeline` */
    unsigned first;
    unsigned count;
};

struct load {
    const struct options *options;
    struct results *results;
    struct prng prng;
    struct keys keys;
    char *values;
    struct node nodes[LOAD_NODES_MAX];
    unsigned node_count;
    struct connection *connections;
    unsigned *ready; /* a ring */
    unsigned ready_first;
    unsigned ready_count;
    unsigned *dirty;
    unsigned dirty_count;
    struct request *again; /* the last one is sent first */
    size_t again_count;
    size_t again_capacity;
    unsigned open_count;
    int epoll;
    int timer;
    uint64_t timer_ns;
    uint64_t wake_ns;       /* when the first connection's stillness ends */
    uint64_t nobody_ns;     /* since when no connection is open */
    uint64_t count_from_ns; /* requests that begin earlier do not count */
    uint64_t end_ns;        /* nothing begins from then on */
    uint64_t next;          /* number of the next request */
    uint64_t total;         /* how many there are to be */
    uint64_t under_way;
    uint64_t last_write_ns; /* acknowledged */
    bool has_begun;
    bool has_failed;
};

uint64_t load_clock_ns(void);

/* --- connection.c --- */

void connection_open(struct load *load, struct connection *connection, uint64_t now);
/* Closes it, to be opened at `node` at `when`; nothing may be under way. */
void connection_reopen(struct load *load, struct connection *connection, unsigned node,
                       uint64_t when);
void connection_mark_dirty(struct load *load, struct connection *connection);
void connection_flush_all(struct load *load);
void connection_event(struct load *load, struct connection *connection, uint32_t events);
void connection_close(struct connection *connection);

/* --- load.c --- */

void load_take_reply(struct load *load, struct connection *connection, enum reply_kind kind,
                     uint64_t now);
/* The connection is open, and may have room. */
void load_make_ready(struct load *load, struct connection *connection);
/* What was under way is lost. */
void load_forget(struct load *load, struct connection *connection);
void load_wake_at(struct load *load, uint64_t when);

#endif
