/* Private to net/: what a connection has queued since MULTI, and the keys that it watches. */
#ifndef FLOTILLA_NET_TRANSACTION_H
#define FLOTILLA_NET_TRANSACTION_H

#include "base/buf.h"
#include "shard/shard.h"

struct client;
struct net_request;

struct client_transaction {
    bool open;    /* between MULTI and EXEC */
    bool aborted; /* a command was refused: EXEC refuses too */
    struct buf commands;
    size_t count;
    size_t values;        /* of them: commands whose replies may be long */
    uint32_t flags;       /* of all queued commands */
    bool writes;          /* one of them does, see net_request_writes() */
    bool grows;           /* one of them writes and does not delete */
    bool needs_memory;    /* one of them writes and is refused when memory is short */
    bool has_data;        /* one of them concerns the keyspace */
    bool selects;         /* one of them is SELECT */
    bool needs_databases; /* one of them is not known by members that know only database 0 */
    bool of_node;         /* the reply of one depends on the node that carries it out */
    bool has_slot;
    unsigned slot;                 /* of the first key: where -MOVED points */
    struct machine_watch *watches; /* keys are owned */
    size_t watch_count;
    size_t watch_cap;
    size_t watch_bytes;
    size_t watches_asked; /* WATCH commands that were not carried out, or not yet */
};

void client_transaction_discard(struct client *client); /* with its watches */
void client_transaction_close(struct client *client);
void client_transaction_queue(struct client *client, const struct net_request *request);
/* With what its buffers have room for. */
size_t client_transaction_footprint(const struct client_transaction *transaction);
/* Gives back what an earlier one needed. */
void client_transaction_shrink(struct client_transaction *transaction);
static inline size_t client_transaction_memory(const struct client_transaction *transaction)
{
    return transaction->commands.len + transaction->watch_bytes;
}

#endif
