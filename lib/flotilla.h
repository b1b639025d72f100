/* libflotilla: a client of a Flotilla cluster that outlives the loss of any of its nodes.
 *
 * A client knows a list of nodes, finds the leader, follows redirects, and sends again what was not
 * answered, until a deadline. Writes that are sent again count once: they have numbers in a session
 * (CLIENT SESSION). What cannot be known is told as FLOTILLA_UNKNOWN.
 *
 * Two ways to use it, over one implementation:
 *   blocking      flotilla_new() with no event base; flotilla_do(), flotilla_call() and their like
 *   asynchronous  flotilla_new() with a libevent base; flotilla_send() and its like, and callbacks
 *
 * Threads: a client belongs to one thread at a time, the asynchronous one to the thread that runs
 * its event base. Clients share nothing, so each thread may have its own. The library has no global
 * state, installs no signal handler, raises no SIGPIPE, never prints and never exits.
 * A client does not survive fork() in the child: make a new one there.
 *
 * Strings that are returned are owned by what returned them. Times are milliseconds. */
#ifndef FLOTILLA_H
#define FLOTILLA_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLOTILLA_VERSION "0.1.0"

#if defined(__GNUC__)
#define FLOTILLA_API      __attribute__((visibility("default")))
#define FLOTILLA_SENTINEL __attribute__((sentinel))
#else
#define FLOTILLA_API
#define FLOTILLA_SENTINEL
#endif

struct event_base;
struct flotilla;

/* ---- errors ---- */

/* What became of a call. "Not carried out" is a promise: it was not, and never will be. */
enum flotilla_status {
    FLOTILLA_OK = 0,   /* it has a reply */
    FLOTILLA_REPLY,    /* the reply is an error of the server's; the text says which */
    FLOTILLA_UNKNOWN,  /* the deadline passed, or the answer was lost: it may have been carried out
                        */
    FLOTILLA_PROTOCOL, /* the answer is no reply, or longer than allowed: as UNKNOWN */
    FLOTILLA_TIMEOUT,  /* the deadline passed; not carried out */
    FLOTILLA_REFUSED,  /* every node refused the password or user; not carried out */
    FLOTILLA_NO_SESSION, /* the cluster begins no session; not carried out */
    FLOTILLA_CANCELLED,  /* the client was freed before; not carried out */
    FLOTILLA_BUSY,     /* more is waiting than pending_max or pending_bytes_max; not carried out */
    FLOTILLA_ARGUMENT, /* the call or an option cannot be right; not carried out */
    FLOTILLA_MEMORY,   /* there is no memory or descriptor; not carried out */
};

enum { FLOTILLA_TEXT_MAX = 256 };

struct flotilla_error {
    enum flotilla_status status;
    char text[FLOTILLA_TEXT_MAX]; /* the cause, for people; empty if the status is OK */
};

/* The name of a status: "OK", "UNKNOWN", … */
FLOTILLA_API const char *flotilla_status_name(enum flotilla_status status);
FLOTILLA_API const char *flotilla_version(void);

/* ---- replies ---- */

enum flotilla_type {
    FLOTILLA_NIL,
    FLOTILLA_STRING, /* any bytes; length says how many, and a NUL stands behind them */
    FLOTILLA_SIMPLE, /* a status, such as OK */
    FLOTILLA_ERROR,  /* an error; within an array, of one command of a transaction */
    FLOTILLA_INTEGER,
    FLOTILLA_ARRAY,
};

struct flotilla_reply {
    enum flotilla_type type;
    long long integer;                /* INTEGER */
    size_t length;                    /* STRING, SIMPLE, ERROR */
    char *bytes;                      /* STRING, SIMPLE, ERROR */
    size_t count;                     /* ARRAY */
    struct flotilla_reply **elements; /* ARRAY */
};

/* Frees a reply with all its elements; NULL is allowed. */
FLOTILLA_API void flotilla_reply_free(struct flotilla_reply *reply);

/* ---- a client ---- */

/* Zero means the default. Strings are copied. */
struct flotilla_options {
    size_t size;          /* sizeof (struct flotilla_options): FLOTILLA_OPTIONS sets it */
    const char *nodes;    /* "host:port,host:port,[v6]:port"; names and addresses; at most 32 */
    const char *username; /* with the password: AUTH username password */
    const char *password;
    int database;           /* SELECT */
    bool one_node;          /* ask the listed nodes alone, and look for no leader */
    int timeout_ms;         /* the deadline of a call; 10000 */
    int connect_timeout_ms; /* until a node's connection stands and is greeted; 1000 */
    int answer_timeout_ms; /* a node that says nothing for so long is left; 2500, -1 never; twice as
                              long at each further attempt */
    int backoff_ms;        /* the pause when all nodes have failed once; 10. It doubles, and chance
                              takes up to half of it away */
    int backoff_max_ms;    /* the longest such pause; 1000 */
    int session_ttl_ms;    /* a session that is not used for so long is over; 600000 */
    size_t pending_max;    /* calls that wait for an answer; 65536 */
    size_t pending_bytes_max; /* their bytes; 1 GB */
    size_t reply_bytes_max;   /* of one reply, as it is kept in memory; 1 GB */
};

/* clang-format off */
#define FLOTILLA_OPTIONS {sizeof(struct flotilla_options), NULL, NULL, NULL, 0, false, \
                          0, 0, 0, 0, 0, 0, 0, 0, 0}
/* clang-format on */

/* A client. It connects at its first call. Without `base` it is for blocking calls; with one it is
 * for callbacks, and `base` has to outlive it. NULL: `error`, which may be NULL, says why. */
FLOTILLA_API struct flotilla *flotilla_new(const struct flotilla_options *options,
                                           struct event_base *base, struct flotilla_error *error);

/* Ends a client. Calls without an answer hear CANCELLED or UNKNOWN first. It may be called from a
 * callback of the client's; NULL is allowed. */
FLOTILLA_API void flotilla_free(struct flotilla *client);

/* "host:port" of the node that the client uses now, or NULL. Valid until the next call. */
FLOTILLA_API const char *flotilla_node(const struct flotilla *client);

/* Counters since the client was made. */
struct flotilla_stats {
    unsigned long long connections; /* that were greeted */
    unsigned long long redirects;   /* -MOVED that were followed */
    unsigned long long repeats;     /* calls that were sent once more */
    unsigned long long sessions;    /* that were begun */
};
FLOTILLA_API void flotilla_stats(const struct flotilla *client, struct flotilla_stats *stats);

/* ---- calls ---- */

/* How often a call may be sent. */
enum flotilla_repeat {
    FLOTILLA_EXACTLY_ONCE = 0, /* in a session: it is sent again, and counts once */
    FLOTILLA_ANY_TIMES,        /* it is sent again, and counts each time: reads, SET of a value */
    FLOTILLA_AT_MOST_ONCE,     /* it is never sent again once a node may have carried it out */
};

/* One command. Commands that change the connection (SELECT, AUTH, MULTI, WATCH, SUBSCRIBE, MONITOR,
 * CLIENT SESSION and their like) are refused: the client has them as options and functions. */
struct flotilla_call {
    size_t argc;
    const char *const *argv;
    const size_t *lengths; /* of the arguments; NULL: they are strings */
    enum flotilla_repeat repeat;
    int timeout_ms; /* the deadline; 0: the client's */
};

/* Asks, and waits for the reply, at most until the deadline. The reply is the caller's, to be freed
 * with flotilla_reply_free(). NULL: `error`, which may be NULL, says why. An error of the server's
 * comes back as NULL too, with FLOTILLA_REPLY and its text. */
FLOTILLA_API struct flotilla_reply *flotilla_call(struct flotilla *client,
                                                  const struct flotilla_call *call,
                                                  struct flotilla_error *error);

/* The same with strings as arguments, the last one followed by (char *)NULL. Exactly once. */
FLOTILLA_API struct flotilla_reply *flotilla_do(struct flotilla *client,
                                                struct flotilla_error *error, const char *command,
                                                ...) FLOTILLA_SENTINEL;

/* What a pipeline writes for each call: a reply, or an error. */
struct flotilla_result {
    struct flotilla_reply *reply;
    struct flotilla_error error;
};

/* Sends `count` calls together and waits for all. `results` has `count` places; the replies in them
 * are the caller's. The number of calls that did not get a reply. Calls are carried out in their
 * order, unless a node refuses one in the middle of a change of leader: that one is sent again. */
FLOTILLA_API size_t flotilla_pipeline(struct flotilla *client, const struct flotilla_call *calls,
                                      size_t count, struct flotilla_result *results);

/* MULTI, the calls, EXEC: all or nothing, and under one number. The reply is the array of replies.
 * `repeat` and `timeout_ms` of the first call hold for all. A command that the server refuses to
 * queue gives FLOTILLA_REPLY with the reason, and nothing is carried out. */
FLOTILLA_API struct flotilla_reply *flotilla_transaction(struct flotilla *client,
                                                         const struct flotilla_call *calls,
                                                         size_t count,
                                                         struct flotilla_error *error);

/* Called once for each call that was sent. `reply` is the library's and gone afterwards, unless the
 * callback keeps it with flotilla_reply_keep(); NULL unless the status is OK or REPLY. */
typedef void flotilla_done(struct flotilla *client, struct flotilla_reply *reply,
                           const struct flotilla_error *error, void *context);

/* Queues a call; the arguments are copied. `done`, which may be NULL, is called from the event
 * base, never from here. FLOTILLA_OK, or ARGUMENT, BUSY, MEMORY: then it is not called. */
FLOTILLA_API enum flotilla_status flotilla_send(struct flotilla *client,
                                                const struct flotilla_call *call,
                                                flotilla_done *done, void *context);
FLOTILLA_API enum flotilla_status flotilla_send_transaction(struct flotilla *client,
                                                            const struct flotilla_call *calls,
                                                            size_t count, flotilla_done *done,
                                                            void *context);

/* In a callback: the reply that it was given becomes the caller's. */
FLOTILLA_API struct flotilla_reply *flotilla_reply_keep(struct flotilla *client);

#ifdef __cplusplus
}
#endif

#endif
