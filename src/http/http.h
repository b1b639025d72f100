/* HTTP: keys, commands and what watches a node, for programs that speak no RESP.
 *
 * Every request that touches data, or needs rights, is carried out over a connection of net/ like
 * any client's: the other end of a socket pair. So authentication, forwarding, limits and
 * transactions are those of net/, and hold here without being written twice.
 *
 * A connection has one request under way; what a client sends behind it waits in the socket. */
#ifndef FLOTILLA_HTTP_HTTP_H
#define FLOTILLA_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/span.h"
#include "command/command.h"

struct event_base;
struct http;

struct http_settings {
    uint32_t
        timeout_ms; /* for a whole request to come, and for a client to read a part of a reply */
    uint64_t body_bytes_max;
    uint32_t connections_max;
    bool protected_mode; /* only loopback addresses, unless there is a password */
    bool has_password;
};

/* What a node can tell without carrying out a command. Each writes a whole JSON object. */
enum http_page { HTTP_PAGE_STATUS, HTTP_PAGE_CLUSTER };

struct http_host {
    void *context;
    /* Makes a client of net/ of the descriptor, which it owns from then on. `local`: the request
     * came from a loopback address. `trusted`: needs no password. */
    void (*adopt)(void *context, int fd, bool local, bool trusted);
    const char *(*not_ready)(void *context); /* NULL: it serves clients */
    const char *(*no_leader)(void *context); /* NULL: there is one, as far as this node knows */
    bool (*is_name)(void *context, struct span host); /* a Host that means this node */
    void (*write_page)(void *context, enum http_page page, struct buf *json);
    void (*write_metrics)(void *context, struct buf *text);
    uint64_t (*now_ms)(void *context); /* monotonic */
};

struct http_options {
    const struct http_settings *settings; /* copied */
    const struct command_table *table;    /* borrowed, as is the next */
    const struct log *log;
    struct http_host host;
};

struct http_stats {
    uint64_t connections;          /* now */
    uint64_t connections_received; /* since the start, as the next ones */
    uint64_t connections_rejected;
    uint64_t requests;
    uint64_t requests_refused; /* before anything was carried out: bad, too large, from elsewhere */
    uint64_t timeouts;
    uint64_t responses[6]; /* by the first digit of the status */
};

struct http *http_new(struct event_base *base, const struct http_options *options);
void http_free(struct http *http);
/* Accepts at a listening socket, which it owns from then on. */
void http_serve(struct http *http, int fd);
/* No new connections; those that wait for a request are closed. */
void http_stop(struct http *http);
/* A request is carried out, or its response is not sent yet. One for SHUTDOWN, which has no answer,
 * does not count. */
bool http_is_busy(const struct http *http);
void http_set_settings(struct http *http, const struct http_settings *settings);
struct http_stats http_stats(const struct http *http);
uint64_t http_memory(const struct http *http); /* bytes of requests and replies under way */
/* Descriptors that so many connections need at most. */
unsigned http_descriptors(uint32_t connections_max);

#endif
