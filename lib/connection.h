/* A connection to one node: its greeting, and which reply belongs to what. It knows nothing of what
 * replies mean; that is the client's (client.h). */
#ifndef FLOTILLA_LIB_CONNECTION_H
#define FLOTILLA_LIB_CONNECTION_H

#include <stdint.h>

#include "nodes.h"
#include "reply.h"
#include "transport.h"

struct flotilla;
struct request;

/* What a reply answers. */
enum expect {
    EXPECT_AUTH,
    EXPECT_SELECT,
    EXPECT_PING,    /* the greeting of a client that stays with its nodes */
    EXPECT_ROLE,    /* who leads */
    EXPECT_BEGIN,   /* CLIENT SESSION BEGIN */
    EXPECT_USE,     /* CLIENT SESSION USE */
    EXPECT_NUMBER,  /* CLIENT SESSION SEQ */
    EXPECT_ACK,     /* CLIENT SESSION ACK */
    EXPECT_REQUEST, /* `left` replies of a request, the last one is its answer */
};

struct expected {
    enum expect what;
    unsigned left;
    struct request *request; /* NULL: nobody waits for it any more */
};

enum connection_state { CONNECTION_DIALS, CONNECTION_GREETS, CONNECTION_READY };

struct connection {
    struct flotilla *client;
    struct transport *transport;
    struct reader *reader;
    struct node node;
    enum connection_state state;
    bool draining;    /* nothing more is sent; it is left when all is answered */
    bool asks_role;   /* a ROLE is on its way */
    bool leads;       /* as its last ROLE said */
    bool failed;      /* there was no memory: nothing more is sent */
    char cause[160];  /* why it is to be given up */
    uint64_t session; /* the session that it uses; 0: none */
    int64_t heard_ms; /* when something came last, or began to be waited for */
    struct expected *ring;
    size_t capacity; /* a power of two */
    size_t head;
    size_t waiting; /* replies, those of one request counted once */
};

/* Begins to connect; NULL: no memory. */
struct connection *connection_new(struct flotilla *client, const struct node *node);
void connection_free(struct connection *connection);

/* Sends bytes whose `replies` replies answer `what`. false: there was no memory, now or before; the
 * connection is to be given up. */
bool connection_send(struct connection *connection, const char *bytes, size_t count,
                     enum expect what, unsigned replies, struct request *request);
/* The same with words, and one reply. */
bool connection_ask(struct connection *connection, enum expect what, struct request *request,
                    const char *const *words, size_t count);
/* Nobody waits for the request any more. */
void connection_forget(struct connection *connection, const struct request *request);

#endif
