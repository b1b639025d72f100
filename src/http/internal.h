/* Private to http/: connections, what carries requests out, and routes.
 *
 * States of a connection. HEAD reads a request's head. BODY reads its body. RUNNING waits for what
 * carries it out. WRITING has the rest of a response to send; then HEAD again, or DRAINING: the
 * response was the last one, and what the client still sends is thrown away for a moment, because a
 * socket that is closed with unread bytes takes the response back. */
#ifndef FLOTILLA_HTTP_INTERNAL_H
#define FLOTILLA_HTTP_INTERNAL_H

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "http/http.h"
#include "http/parse.h"

struct bufferevent;
struct evconnlistener;

enum {
    HTTP_DRAIN_MS = 2000,
    HTTP_IDLE_BACKENDS_MAX = 16, /* of each kind */
    HTTP_LISTENERS_MAX = 16,
    HTTP_ACCEPT_PAUSE_MS = 100,
    HTTP_HEALTH_MS = 1000, /* for a read that a majority confirms */
    HTTP_HEALTH_MAX = 64,  /* that wait for one */
};

/* --- backend.c: a client of net/, for one request at a time --- */

/* All replies are there, borrowed until it returns. count 0: the connection was lost. */
typedef void http_replied(void *context, redisReply **replies, size_t count);

struct http_backend {
    struct http *http;
    int fd;
    bool local;
    bool trusted;
    bool writing;
    struct event *read_event;
    struct event *write_event;
    redisReader *reader;
    struct buf out;
    size_t sent;
    size_t expected;
    redisReply **replies;
    size_t count;
    size_t replies_cap;
    http_replied *replied; /* NULL: nobody waits, it goes back to the others when all have come */
    void *context;
    struct http_backend *next; /* of those that are idle */
    struct http_backend *all_next;
    struct http_backend *all_previous;
};

struct http_backend *http_backend_take(struct http *http, bool local, bool trusted);
void http_backend_add(struct http_backend *backend, const struct span *args, size_t argc);
void http_backend_send(struct http_backend *backend, http_replied *replied, void *context);
void http_backend_give_back(struct http_backend *backend); /* its replies are of no use */
void http_backends_close(struct http *http);

/* --- health.c: whether a linearizable read goes through --- */

struct http_connection;
void http_health_ask(struct http_connection *connection);
void http_health_forget(struct http_connection *connection); /* it is gone */
void http_health_close(struct http *http);

/* --- connection.c --- */

enum http_state { HTTP_HEAD, HTTP_BODY, HTTP_RUNNING, HTTP_WRITING, HTTP_DRAINING };
enum http_body {
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNK_LINE,
    HTTP_BODY_CHUNK,
    HTTP_BODY_CHUNK_END,
    HTTP_BODY_LAST
};

struct http_route;

/* What a request needs while it is carried out. */
struct http_work {
    struct http_backend *backend;
    size_t prefix;         /* replies before those of the route */
    struct buf memory;     /* of arguments while they are written */
    http_replied *replied; /* of the route */
    struct buf key;        /* of /kv/ */
    struct buf value;      /* what is to be written */
    uint32_t database;
    int64_t ttl_ms; /* 0: none */
    bool keeps_ttl;
    bool deletes;
    bool ends_node;    /* SHUTDOWN is among its commands */
    bool any_revision; /* If-Match: * */
    bool only_new;     /* If-None-Match: * */
    bool atomic;
    size_t operations;
    struct http_operation *list;
    unsigned tries;
};

struct http_connection {
    struct http *http;
    struct bufferevent *stream;
    struct event *timer;
    enum http_state state;
    bool local;
    bool closes; /* after this response */
    bool began;  /* a part of the request has come */
    char *head;  /* bytes of the request's head; NULL: none */
    size_t head_len;
    struct http_request request;
    bool is_head;
    const struct http_route *route;
    struct span argument; /* of the path, still percent-encoded */
    enum http_body body_state;
    uint64_t body_left; /* of the chunk, or of all */
    struct buf body;
    struct http_work work;
    bool waits_for_health;
    uint64_t health_until_ms;
    uint64_t health_number; /* of the read */
    struct http_connection *next;
    struct http_connection *previous;
};

struct http {
    struct event_base *base;
    struct http_settings settings;
    const struct command_table *table;
    const struct log *log;
    struct http_host host;
    struct evconnlistener *listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    struct event *accept_event; /* accepts again after descriptors had run out */
    struct http_connection *connections;
    struct http_backend *idle[2]; /* by `local` */
    size_t idle_count[2];
    struct http_backend *backends; /* all */
    struct http_backend *health;
    struct event *health_timer;
    uint64_t health_sent;
    uint64_t health_done;
    bool stopping;
    struct http_stats stats;
};

void http_accept(struct http *http, int fd, bool local);
void http_connection_free(struct http_connection *connection);
size_t http_connection_memory(const struct http_connection *connection);
bool http_has_json(const struct http_connection *connection); /* says its Content-Type */
/* Takes `body` over. `more` is further headers, each with CR LF; NULL: none. */
void http_respond(struct http_connection *connection, int status, const char *type,
                  struct buf *body, const char *more);
void http_respond_error(struct http_connection *connection, const struct http_error *error);
void http_respond_message(struct http_connection *connection, int status, const char *code,
                          struct span message);

/* --- access.c --- */

/* Whether the request may be looked at: its Host and Origin. */
bool http_is_welcome(const struct http_connection *connection, struct http_error *error);
/* The name and the password that the request carries. False: *error says what is wrong. has false:
 * it carries none. Appends both to `out`, the password from *password_at on. */
struct http_credentials {
    bool has;
    struct buf text;
    size_t password_at;
};
bool http_read_credentials(const struct http_request *request, struct http_credentials *credentials,
                           struct http_error *error);

/* --- routes.c --- */

typedef void http_handler(struct http_connection *connection);

enum http_body_kind { HTTP_NO_BODY, HTTP_JSON_BODY, HTTP_ANY_BODY };

struct http_route {
    const char *method;
    const char *path;
    const char *argument; /* the name of what follows the path; NULL: nothing may */
    enum http_body_kind body;
    bool open; /* for those without a password too */
    http_handler *run;
};

const struct http_route *http_route_at(size_t index); /* NULL: past the end */
const struct http_route *http_find_route(struct http_connection *connection,
                                         struct http_error *error, const char **allowed);

/* --- call.c: the way of a request to net/ and back --- */

/* Begins to talk: what clears the connection, and who the caller is. False: responded. */
bool http_call_begin(struct http_connection *connection);
void http_call_add(struct http_connection *connection, const struct span *args, size_t argc);
/* `replied` gets the replies to what was added; not called where the caller has no rights, or the
 * connection is lost: that is responded. It calls one of http_respond…(), or adds and sends again.
 */
void http_call_send(struct http_connection *connection, http_replied *replied);
void http_call_end(struct http_connection *connection); /* with the response, or without */
/* The response for an error reply. */
void http_respond_reply_error(struct http_connection *connection, const redisReply *reply);
struct span http_reply_span(const redisReply *reply);
void http_write_reply(struct buf *json, const redisReply *reply);

/* query.c: one parameter of the query, whose value is decoded to `out`. */
enum http_parameter { HTTP_ABSENT, HTTP_PRESENT, HTTP_TWICE, HTTP_MALFORMED };
enum http_parameter http_query_get(struct span query, const char *name, struct buf *out);
/* Whether a parameter has a name that is not among these; the last is NULL. */
bool http_query_has_others(struct span query, const char *const *names);

/* Routes. */
http_handler http_run_get, http_run_put, http_run_delete, http_run_command, http_run_batch,
    http_run_health, http_run_ready, http_run_status, http_run_cluster, http_run_stats,
    http_run_metrics;

#endif
