/* Connections that send requests and count what comes back.
 *
 * One thread, epoll. With a rate, requests are due at even distances from the beginning on,
 * whatever the replies do: one that finds no connection with room waits, and its latency counts
 * from when it was due. Without a rate, a connection sends a whole pipeline when it has all replies
 * to the last.
 *
 * A broken connection goes to the next node, 10 ms later; what it had under way is counted as lost,
 * for nobody knows whether it was carried out. -MOVED is followed, and the request is sent again:
 * it was not carried out. Any other error reply counts under its first word, is not sent again, and
 * keeps the connection still for 10 ms. After one that says that this node serves nobody now, the
 * connection goes to the next node. */
#ifndef FLOTILLA_BENCH_LOAD_H
#define FLOTILLA_BENCH_LOAD_H

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "bench/load/latency.h"
#include "bench/load/options.h"

enum {
    LOAD_NODES_MAX = 64,
    LOAD_ERRORS_MAX = 16,
    LOAD_ERROR_CHARS = 32,
    LOAD_GAPS_MAX = 1000,
    LOAD_NAME_CHARS = 128
};

struct node {
    char name[LOAD_NAME_CHARS]; /* host:port */
    struct sockaddr_storage address;
    socklen_t address_length;
};

struct error_count {
    char word[LOAD_ERROR_CHARS];
    uint64_t count;
};

/* A time without an acknowledged write. */
struct gap {
    uint64_t from_ns; /* CLOCK_MONOTONIC */
    uint64_t ns;
};

/* A request that is under way, or has to be sent again. */
struct request {
    uint64_t begin_ns; /* due, or sent */
    uint64_t key;
    enum request_kind kind;
};

struct results {
    struct latency reads;
    struct latency writes;
    struct latency late; /* with a rate: from when a request was due until it was written */
    struct error_count errors[LOAD_ERRORS_MAX]; /* the last one also counts all further words */
    struct gap gaps[LOAD_GAPS_MAX];
    unsigned gap_count;
    struct gap longest_gap;
    uint64_t gaps_not_listed;
    uint64_t begin_ns;
    uint64_t last_reply_ns;
    uint64_t sent;       /* in the time that is counted, as are all others */
    uint64_t missing;    /* reads that found nothing */
    uint64_t lost;       /* sent; the connection broke before the reply */
    uint64_t unanswered; /* sent; no reply while it was waited for */
    uint64_t unsent;     /* due, but no connection had room until the end of that */
    uint64_t reconnects;
    uint64_t redirects;
};

/* Set by a signal: the run ends early, with its results. */
extern volatile sig_atomic_t load_stops;

/* The name has to be host:port. False with a message on standard error. */
bool node_resolve(struct node *node, const char *name);

/* False with a message on standard error if there is nobody to speak to, or bytes come that are no
 * reply. */
bool load_run(const struct options *options, struct results *results);

#endif
