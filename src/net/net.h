/* Clients: listening, connections, requests in, replies out. libevent tells what is ready; buffers
 * and system calls are our own: one read per ready socket and turn, one send per client and turn
 * for all its replies.
 *
 * A request is answered in one of three places:
 *   - connection commands (HELLO, AUTH, CLIENT, MULTI …) in net/ itself;
 *   - data commands by the shard, through the shard_host functions that net_shard_host() gives;
 *   - server commands (INFO, CONFIG, CLUSTER, SHUTDOWN …) by handlers that the server ring
 * registers.
 *
 * States of a connection. OPEN reads and parses. PARKED has a command that waits for a leader (its
 * bytes stay unconsumed in the query buffer). FULL waits because the shard said SHARD_BUSY. UNREAD
 * waits until the client has read enough of its replies; its input is still taken. PAUSED
 * waits for the end of CLIENT PAUSE. BARRIER has a command that must see all of its earlier
 * commands answered first (WAIT, QUIT, SHUTDOWN). BLOCKED waits in WAIT or SAVE. CLOSING is closed
 * once its output is written. While a connection is not OPEN nothing more is parsed. */
#ifndef FLOTILLA_NET_NET_H
#define FLOTILLA_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/span.h"
#include "cluster/cluster.h"
#include "command/command.h"
#include "resp/write.h"
#include "shard/shard.h"

#define NET_REDIS_VERSION "7.2.4" /* whose behaviour the connection commands follow */

/* Connections beyond maxclients that may still turn out to be nodes: each takes a descriptor. */
enum { NET_RESERVED = 32 };

struct event_base;
struct net;
struct client;

/* What a client hears while there is no shard yet, if nothing else is set. */
#define NET_LOADING "LOADING Redis is loading the dataset in memory"

/* Settings; the server ring fills them from its configuration and may change them while running.
 * Bytes and seconds; 0 is "no limit" where Redis says so. */
struct net_output_limit {
    uint64_t hard_bytes;
    uint64_t soft_bytes;
    uint32_t soft_seconds;
};

/* From where DEBUG is allowed: enable-debug-command. */
enum net_debug { NET_DEBUG_NO, NET_DEBUG_LOCAL, NET_DEBUG_YES };

/* follower-mode: what a node does that does not lead with what needs the leader. */
enum net_follower_mode {
    NET_FOLLOWER_AUTO, /* as REDIRECT for connections that have shown that they know clusters */
    NET_FOLLOWER_PROXY,
    NET_FOLLOWER_REDIRECT,
};

struct net_settings {
    enum cluster_endpoint_type endpoint_type; /* of what -MOVED names */
    enum net_follower_mode follower_mode;
    uint32_t maxclients;
    uint32_t timeout_seconds;
    uint32_t tcp_keepalive_seconds;
    uint32_t leader_wait_ms;
    uint32_t replica_max_lag_ms;
    uint64_t query_buffer_max; /* 0: no limit */
    uint64_t output_pause; /* unread bytes from which on a client is not executed; 0: no limit */
    uint64_t bulk_len_max;
    unsigned databases;             /* for SELECT; DATABASES_MAX at most */
    int64_t slowlog_slower_than_us; /* -1: nothing is kept */
    size_t slowlog_max_len;
    uint32_t slow_warning_ms; /* a command that took so long is worth a line; 0: none is */
    uint64_t maxmemory; /* with used_memory of the host below: -OOM before a write is proposed */
    bool protected_mode;
    enum net_debug debug;
    struct net_output_limit output_normal;
    struct net_output_limit output_pubsub; /* of connections that hear channels */
    char password[1024];                   /* empty: none */
};

struct net_host {
    void *context;
    /* A server command (command->run == NULL and not net's own). Writes exactly one reply. */
    void (*run)(void *context, struct client *client, const struct command *command,
                const struct span *args, size_t argc, struct resp_writer *reply);
    /* RAFT.*: see peers_accept(). Returns NULL if the descriptor was taken over. */
    const char *(*accept_peer)(void *context, int fd, const struct span *args, size_t argc,
                               struct span rest);
    uint64_t (*used_memory)(void *context); /* cheap: called once per turn */
    struct shard_time (*now)(void *context);
    int64_t (*wall_us)(void *context);
    uint64_t (*clock_us)(void *context,
                         bool coarse); /* monotonic; coarse: cheap, steps of some ms */
};

/* How threads are started and ended. `name` has up to 15 characters. */
struct net_threads {
    void *(*start)(void (*run)(void *context), void *context, const char *name); /* NULL: failed */
    void (*join)(void *thread);
};

/* Threads besides the loop's that read, parse and write for it. */
enum { NET_IO_THREADS_MAX = 127 };

struct net_options {
    const struct net_settings *settings; /* copied */
    const struct command_table *table;   /* borrowed, as are the next two */
    const struct cluster *cluster;
    const struct log *log;
    uint64_t self; /* node id */
    struct net_host host;
    unsigned io_threads;        /* 0: the loop reads and writes by itself */
    struct net_threads threads; /* .start NULL: nobody runs them but net_step_io() */
    bool sentinel;              /* HELLO says so, and no connection here is a node's */
    const char *redis_version;  /* that HELLO names; borrowed; NULL: NET_REDIS_VERSION */
};

struct net *net_new(struct event_base *base, const struct net_options *options);
void net_free(struct net *net);
void net_set_self(struct net *net, uint64_t id);          /* once this node has one */
void net_set_shard(struct net *net, struct shard *shard); /* once there is one */
/* Why there is no shard, as an error reply; borrowed. NULL: NET_LOADING. */
void net_set_absence(struct net *net, const char *error);
const char *net_absence(const struct net *net);
void net_set_settings(struct net *net, const struct net_settings *settings);

/* Binds and listens; `message` (256 bytes) says what failed ("could not bind 127.0.0.1:7001:
 * address in use"). An address that begins with '-' may be absent on this machine, as in Redis:
 * ERR_NONE then, and the message says what is missing (else it is empty). */
MUST_CHECK enum err net_listen(struct net *net, const char *address, uint16_t port, int backlog,
                               char message[256]);
/* The same without listening: whether it would work. ERR_BUSY: somebody has the address. */
MUST_CHECK enum err net_can_bind(const char *address, uint16_t port, char message[256]);
MUST_CHECK enum err net_listen_unix(struct net *net, const char *path, unsigned mode, int backlog,
                                    char message[256]);
void net_close_listeners(struct net *net);

/* A client that came through no port of this module: `fd`, which net owns from then on, is one end
 * of a socket pair. It is forwarded like a plain client whatever follower-mode says, is not closed
 * for being idle, and `maxclients` does not refuse it. */
struct net_adoption {
    const char *address; /* what CLIENT LIST shows; shorter than 64 bytes */
    bool local;          /* it may do what needs a loopback address */
    bool trusted;        /* it needs no password until RESET */
};
void net_adopt(struct net *net, int fd, const struct net_adoption *adoption);

/* Binds without accepting: as net_listen(), but the caller owns the listening socket. *fd is -1
 * where an address that may be absent is. */
MUST_CHECK enum err net_open_port(const char *address, uint16_t port, int backlog, int *fd,
                                  char message[256]);

/* The shard's way back to its clients. */
struct shard_host net_shard_host(struct net *net);

/* A turn of the loop is: event_base_loop(EVLOOP_ONCE), net_resume(), shard_drive(), net_flush().
 * net_resume() lets clients go on that had to wait (for a leader, for room, for their own earlier
 * replies); true if that gave the shard something to do. net_flush() writes all replies and closes
 * what is to be closed. Replies of the drive may set clients free again: net_wait_ms() is 0 then.
 */
bool net_resume(struct net *net);
void net_flush(struct net *net);
/* Ten times a second or more: timeouts of idle, parked, paused and blocked clients. */
void net_tick(struct net *net);
/* Milliseconds until something of net's is due, at most `most`. */
uint32_t net_wait_ms(const struct net *net, uint32_t most);

/* A turn of an I/O thread that no thread runs: for tests, which choose the order. */
void net_step_io(struct net *net, unsigned number);

/* For server commands. */
int net_client_protocol(const struct client *client);
bool net_client_is_unix(const struct client *client);
void net_client_close(struct client *client); /* once its output is written */

/* A server command that takes its time (SAVE). Its handler asks net_client_waited(). NET_NOT_YET:
 * it begins the work, calls net_client_wait() and writes no reply. The client is blocked then, and
 * the handler is called once more: NET_WAITED after `is_over` said so, NET_UNBLOCKED after CLIENT
 * UNBLOCK. `is_over` is asked once a turn. */
enum net_waited { NET_NOT_YET, NET_WAITED, NET_UNBLOCKED };
enum net_waited net_client_waited(const struct client *client);
void net_client_wait(struct client *client, bool (*is_over)(void *context), void *context);

/* Sends a message to all connections that hear the channel; their number, as PUBLISH counts them.
 */
size_t net_publish(struct net *net, struct span channel, struct span message);

/* INFO clients, stats, commandstats, errorstats, latencystats. */
struct net_stats {
    uint64_t connected_clients;
    uint64_t blocked_clients;
    uint64_t max_query_buffer; /* largest now */
    uint64_t max_output_buffer;
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t commands_processed;
    uint64_t input_bytes;
    uint64_t output_bytes;
    unsigned io_threads; /* besides the loop */
    uint64_t io_reads;   /* of their sockets */
    uint64_t io_writes;
    uint64_t error_replies;
    uint64_t clients_memory;
    uint64_t io_memory; /* of I/O threads, beside that */
    uint64_t query_buffer_limit_disconnections;
    uint64_t output_buffer_limit_disconnections;
    double ops_per_second;
    double input_kbps;
    double output_kbps;
};
struct net_stats net_stats(const struct net *net);
/* Bytes that clients have sent since the start; costs no walk over the clients. */
uint64_t net_input_bytes(const struct net *net);

struct net_command_stats { /* indexed by command id */
    uint64_t calls;
    uint64_t usec;
    uint64_t rejected;
    uint64_t failed;
};
const struct net_command_stats *net_command_stats(const struct net *net);
void net_each_error(const struct net *net,
                    void (*visit)(void *context, struct span code, uint64_t count), void *context);
void net_reset_stats(struct net *net); /* CONFIG RESETSTAT */

/* SLOWLOG. The newest first; as in Redis each is an array of id, time, microseconds, arguments,
 * address and name of the client. */
size_t net_slowlog_len(const struct net *net);
void net_slowlog_reset(struct net *net);
void net_slowlog_write(const struct net *net, size_t count, struct resp_writer *reply);

#endif
