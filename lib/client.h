/* The client: calls that wait, at most one connection in use and one that is being made, a session,
 * and one timer.
 *
 * Whatever comes from libevent changes the state and ends with client_settle(), which sends what
 * can be sent, sets the timer, and calls the callbacks of what is done. Nothing else calls them.
 *
 *   client.c   life, options, calls           engine.c   connect, send, time, loss
 *   answer.c   what replies mean              blocking.c calls that wait */
#ifndef FLOTILLA_LIB_CLIENT_H
#define FLOTILLA_LIB_CLIENT_H

#include <stdint.h>

#include "connection.h"
#include "flotilla.h"
#include "nodes.h"
#include "request.h"

struct event;
struct evdns_base;

enum {
    CLIENT_CAUSE_MAX = 200,
    CLIENT_IN_FLIGHT_MAX = 4096,     /* calls on the connection */
    CLIENT_OUTPUT_MAX = 1024 * 1024, /* bytes that the socket has not taken; what is more waits */
    CLIENT_ROLE_MS = 1000,           /* a busy connection asks so often who leads */
    CLIENT_HINT_MS = 1000, /* a leader that could not be reached is not tried for so long */
    SESSION_ID_LENGTH = 32,
};

struct session {
    uint64_t generation; /* of this one; 0: there is none */
    uint64_t begun;      /* how many there were */
    char id[SESSION_ID_LENGTH + 1];
    uint64_t next_number;
    uint64_t replies_max; /* so many numbered calls may be on their way */
    uint64_t acknowledged;
    int64_t ttl_ms;
    int64_t used_ms;
    bool asks_no_ttl; /* the cluster grants less than was asked for: it shall say how much */
    bool beginning;
};

struct flotilla {
    struct event_base *base;
    bool owns_base;
    struct evdns_base *names;
    struct event *timer;
    struct event *pump; /* calls were made since the last turn */
    int64_t timer_ms;   /* when it is set to; INT64_MAX: it is not */

    char *username;
    char *password;
    int database;
    bool one_node;
    int64_t timeout_ms;
    int64_t connect_timeout_ms;
    int64_t answer_timeout_ms; /* -1: never */
    int64_t backoff_ms;
    int64_t backoff_max_ms;
    int64_t session_ttl_ms;
    size_t pending_max;
    size_t pending_bytes_max;
    size_t reply_bytes_max;

    struct nodes nodes;
    struct connection *active;
    struct connection *candidate;
    bool seeks_leader; /* the node in use says that it follows this one */
    struct node leader;
    bool has_hint;
    struct node hint;      /* where to connect next */
    int64_t hint_after_ms; /* not before */
    int64_t role_ms;       /* when to ask again who leads */
    unsigned failures;     /* of this round: one after the other, fewer than there are nodes */
    unsigned rounds;       /* in which all nodes failed, one after the other */
    bool greeting_refused; /* by one of the nodes that failed since something worked */
    int64_t retry_ms;      /* no connection before */
    char cause[CLIENT_CAUSE_MAX];
    uint64_t chance;

    struct request_queue waiting; /* all without an outcome, in order */
    struct request *unsent;       /* the first one that is not on the connection */
    size_t pending;
    size_t pending_bytes;
    size_t in_flight;
    size_t numbered_in_flight;
    int64_t deadline_ms; /* no call's deadline is earlier */
    struct request_queue done;
    struct request *delivered; /* whose callback runs */
    bool delivering;
    bool freed;

    struct session session;
    struct flotilla_stats stats;
    char node_name[NODE_NAME_MAX];
};

int64_t client_now(const struct flotilla *client);

/* --- engine.c --- */

/* Sends, connects, sets the timer, calls back. The client may be gone afterwards. */
void client_settle(struct flotilla *client);
/* A connection is open: says who the client is. */
void client_greet(struct connection *connection);
/* The connection is of no use; it is freed. */
void client_lost(struct connection *connection, const char *cause);
/* What came is no reply. `first`: what it would have answered, or NULL. */
void client_broken(struct connection *connection, const struct expected *first, const char *cause);
/* All that came is taken. */
void client_heard(struct connection *connection);
void client_note_cause(const struct connection *connection, const char *cause);
/* The connection is left as soon as all is answered. `hint`: for that node, or NULL. */
void client_leave(struct connection *connection, const struct node *hint);
/* The node in use follows that one: a connection to it is tried beside. */
void client_hint(struct flotilla *client, const struct node *leader);
/* The pause after the nth round in which all nodes failed: doubled each time, less up to a half. */
int64_t client_pause_ms(struct flotilla *client, unsigned round);

/* --- what becomes of a call --- */

void client_complete(struct flotilla *client, struct request *request, enum flotilla_status status,
                     const char *text);
/* It is not on the connection any more. */
void client_unsend(struct flotilla *client, struct request *request);
/* It was answered that a higher number was carried out before its own. */
void client_renumber(struct flotilla *client, struct request *request);

/* --- answer.c --- */

/* Owns the reply. false: the connection is to be given up; its cause says why. */
bool client_take(struct connection *connection, const struct expected *expected,
                 struct flotilla_reply *reply);

/* --- client.c --- */

enum flotilla_status client_submit(struct flotilla *client, const struct flotilla_call *calls,
                                   size_t count, bool transaction, flotilla_done *done,
                                   void *context, struct flotilla_error *error);
void client_deliver(struct flotilla *client);

#endif
