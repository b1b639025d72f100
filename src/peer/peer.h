/* Connections between nodes: libevent bufferevents that speak RESP with hiredis as the codec
 * (wire/message.h).
 *
 * For each other node there is one connection that this node dials (requests out, responses in),
 * redialled with backoff, and at most one that the other node dialled (requests in, responses out),
 * which net/ hands over when a client says RAFT.HELLO. Output beyond the limit is dropped: Raft
 * sends again what matters. */
#ifndef FLOTILLA_PEER_PEER_H
#define FLOTILLA_PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/span.h"
#include "cluster/cluster.h"
#include "shard/shard.h"

struct event_base;
struct peers;

struct peer_events {
    void *context;
    /* A message of node `from` for shard `shard` (arguments as in wire/message.h). false: it is
     * malformed, close the connection. A shard that is not there is no fault of the sender. */
    bool (*message)(void *context, uint32_t shard, const struct shard_peer *from,
                    const struct span *args, size_t argc);
    /* A large message of `from` for `shard` is arriving, or `from` says that one of ours is. */
    void (*alive)(void *context, uint32_t shard, const struct shard_peer *from);
    /* The process of `node` refused or reset a connection. */
    void (*lost)(void *context, uint64_t node);
};

struct peer_options {
    uint64_t self;
    const struct cluster *cluster; /* borrowed */
    struct span secret;            /* borrowed */
    size_t output_bytes_max;       /* per connection */
    const struct log *log;
    struct peer_events events;
};

struct peers *peers_new(struct event_base *base, const struct peer_options *options);
void peers_free(struct peers *peers);

/* Queues one encoded message; peers_flush() writes all of a turn with one system call per node. */
void peers_send(struct peers *peers, uint64_t to, bool response, struct span bytes);

void peers_flush(struct peers *peers);

/* A client connection said RAFT.HELLO (args). Checks cluster, secret and node; on success takes
 * over `fd` (which the caller must no longer touch) with `rest`, the bytes that were read behind
 * the command, answers +OK and returns NULL. Otherwise returns the error to reply with ("NOPERM
 * …"), and the connection stays the caller's. */
const char *peers_accept(struct peers *peers, int fd, const struct span *args, size_t argc,
                         struct span rest);

struct peer_link {
    bool connected;
    uint64_t connects; /* successful ones since start */
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t dropped;    /* messages beyond output_bytes_max or without a connection */
    size_t output_bytes; /* waiting to be written */
    int64_t since_ms;    /* wall clock of the last change of `connected` */
};
struct peer_link peers_link(const struct peers *peers, uint64_t node);

#endif
