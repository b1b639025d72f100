/* Private to net/: commands that are not the shard's, and how one row says what they need. */
#ifndef FLOTILLA_NET_LOCAL_H
#define FLOTILLA_NET_LOCAL_H

#include "net/connection.h"

/* What a command that is not the shard's needs. */
struct net_request {
    const struct command *command;
    const struct span *args;
    size_t argc;
};

/* Whether it may change the data. Where Redis judges by the command's flag in a way that clients
 * see (READONLY connections, CLIENT PAUSE WRITE), the flag decides. */
static inline bool net_request_writes(const struct net_request *request)
{
    return command_writes(request->command, request->args, request->argc);
}

typedef void net_local_run(struct client *client, const struct net_request *request,
                           struct resp_writer *reply);
typedef enum net_verdict net_local_submit(struct client *client, const struct net_request *request);

/* A command that net/ carries out itself. */
struct net_local {
    const char *fullname;
    net_local_run *run;       /* writes one reply; also within a transaction */
    net_local_submit *submit; /* instead of run, outside of transactions: takes its time */
    bool barrier;             /* waits until all earlier replies of the connection are there */
    bool never_queued;        /* MULTI does not queue it */
    bool not_in_transaction;  /* MULTI refuses it */
    bool ends_transaction;    /* also when its arguments are wrong */
    bool needs_shard;         /* refused while that is being loaded */
    bool while_subscribed;    /* also on a RESP2 connection that hears channels */
    bool with_subcommands;    /* the row stands for all of them */
    bool numbers;             /* what follows counts on it: if it is refused, so is that */
};

/* Each ends with a row without a name. */
extern const struct net_local net_connection_commands[];
extern const struct net_local net_client_commands[];
extern const struct net_local net_failover_commands[];
extern const struct net_local net_kill_commands[];
extern const struct net_local net_session_commands[];
extern const struct net_local net_transaction_commands[];
extern const struct net_local net_wait_commands[];
extern const struct net_local net_subscribe_commands[];

enum client_type {
    CLIENT_TYPE_NORMAL,
    CLIENT_TYPE_MASTER,
    CLIENT_TYPE_REPLICA,
    CLIENT_TYPE_PUBSUB,
    CLIENT_TYPE_UNKNOWN
};
enum client_type client_type_of(struct span name);
bool client_name_is_valid(struct span name);
void client_describe(struct client *client, struct buf *out); /* its line of CLIENT LIST */

#endif
