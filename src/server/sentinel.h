/* Private to server/: a second port whose connections speak what Redis Sentinel speaks, so that its
 * clients find the leader and follow it.
 *
 * Nothing is decided here: each node answers from what it knows of the group at this moment. A node
 * that misses the leader names none (get-master-addr-by-name answers null), so that clients ask the
 * next Sentinel, and ask again; to name the last one would send the clients of a node that is cut
 * off to a leader that is none any more. The other answers go on to describe the last leader, with
 * the flags s_down and o_down, which clients skip. */
#ifndef FLOTILLA_SERVER_SENTINEL_H
#define FLOTILLA_SERVER_SENTINEL_H

#include "server/server.h"

enum { SENTINEL_LINE_MAX = 1024, SENTINEL_NAME_MAX = CLUSTER_HOST_MAX + 16 };

/* A node as subscribers were last told of it. */
struct sentinel_node {
    uint64_t id;
    bool down;
    uint64_t changed_ms; /* `down` did */
};

struct sentinel {
    struct net *net;
    struct command_table *table;
    server_handler **handlers;       /* by command id; NULL: net's own */
    uint64_t master;                 /* the node that led last; 0: none since the start */
    char host[CLUSTER_HOST_MAX + 1]; /* where clients were told that it is */
    uint16_t port;
    bool down;                                    /* it is missed now */
    uint64_t changed_ms;                          /* `down` did, or another node began to lead */
    struct sentinel_node nodes[RAFT_MEMBERS_MAX]; /* all others but the master */
    size_t count;
    uint64_t looked_ms;
};

/* What clients connect to: the host of a node, by cluster-preferred-endpoint-type. */
const char *server_sentinel_host(const struct server *server, const struct cluster_node *node);
/* "host:port", an IPv6 address in brackets. */
void server_sentinel_name(const struct server *server, const struct cluster_node *node,
                          char name[SENTINEL_NAME_MAX]);
/* The node that led last, and still belongs to the cluster; NULL: none is known. */
const struct cluster_node *server_sentinel_master(const struct server *server);
/* A node is this one, or connected; on the leader it has also answered within an election
 * timeout. */
bool server_sentinel_sees(const struct server *server, const struct cluster_node *node);
/* How many nodes have a vote, and for how many of them this node can vouch: without a leader for
 * itself alone, as an open connection does not prove that the other side is there. */
void server_sentinel_count(const struct server *server, size_t *voters, size_t *seen);
/* Since when a node is missed or not, in milliseconds. */
uint64_t server_sentinel_since_ms(const struct server *server, const struct cluster_node *node);

/* sentinel_commands.c */
void server_sentinel_find_handlers(struct server *server);
void server_sentinel_run(void *server, struct client *client, const struct command *command,
                         const struct span *args, size_t argc, struct resp_writer *reply);

#endif
