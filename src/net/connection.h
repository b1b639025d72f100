/* Private to net/: one connection, its life and its waiting.
 *
 * A client is freed in one place only, net_reap() at the end of a turn: everything else marks it
 * CLIENT_DEAD, so that no pointer held during a turn dangles. */
#ifndef FLOTILLA_NET_CONNECTION_H
#define FLOTILLA_NET_CONNECTION_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "net/list.h"
#include "net/net.h"
#include "net/places.h"
#include "net/session.h"
#include "net/subscribe.h"
#include "net/transaction.h"
#include "resp/parse.h"

enum {
    NET_READ_MIN = 16 * 1024,         /* room for one read into a client's own buffer */
    NET_READ_MAX = 1024 * 1024,       /* the same for big arguments */
    NET_READ_AHEAD_MAX = 1024 * 1024, /* not parsed and not OPEN: reading stops */
    NET_UNAUTHENTICATED_MAX = 1024 * 1024,
    NET_ADDRESS_MAX = 128,
};

enum client_state { /* net.h says what they mean */
                    CLIENT_OPEN,
                    CLIENT_PARKED,
                    CLIENT_FULL,
                    CLIENT_UNREAD,
                    CLIENT_PAUSED,
                    CLIENT_BARRIER,
                    CLIENT_BLOCKED,
                    CLIENT_CLOSING,
                    CLIENT_DEAD, /* to be freed at the end of the turn */
                    CLIENT_STATES
};

/* CLIENT REPLY, for the command that is looked at: its place keeps what holds for its reply. */
enum client_reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP_THIS };

/* How a command that blocks its client stands. */
enum client_wait_phase { WAIT_NONE, WAIT_STARTED, WAIT_UNBLOCKED, WAIT_UNBLOCKED_WITH_ERROR };

/* Of a command that was looked at. */
enum net_verdict {
    NET_DONE, /* the command's bytes are consumed */
    NET_HOLD, /* they stay: the client waits and the command is looked at again */
};

/* A command that waits for its keys. */
struct client_blocking {
    bool waits;          /* its reply is owed; nothing behind it is looked at */
    uint64_t timeout_ms; /* 0: for ever */
    struct shard_client handle;
    struct event *timer; /* NULL: none was needed yet */
    bool ends;           /* CLIENT UNBLOCK came … */
    bool with_error;
};

struct client {
    struct net *net;
    int fd;
    enum client_state state;
    struct shard_client handle; /* its `place` is of no meaning: see client_expect_reply() */
    struct client_places places;
    uint8_t protocol;
    unsigned database;
    bool selects;  /* an EXEC that is owed may select another one */
    bool has_more; /* bytes behind the command that is looked at */
    bool tried;    /* what is owed was SHARD_TRIED */
    enum client_reply_mode reply_mode;
    bool authenticated;
    bool readonly;
    bool knows_clusters; /* it has asked for the nodes, or said what only cluster clients say */
    bool reading;        /* the read event is added */
    bool writing;        /* the write event is added */
    bool flush_queued;   /* on net->flush */
    bool end_of_input;
    bool is_unix;
    bool adopted;   /* net_adopt() */
    bool is_remote; /* adopted for somebody who is not on this machine */
    bool no_evict;
    bool no_touch;
    bool hears_failover; /* CLIENT MAINT_NOTIFICATIONS */
    bool in_failover;    /* the last that it heard of it */
    const char *refusal; /* may only become a node's connection: the error for all else */

    struct buf in; /* bytes that are not consumed, from in_start on */
    size_t in_start;
    struct resp_parser parser;
    struct net_output output;
    uint64_t owed_bytes;    /* at most, of the long replies that are owed */
    bool owed_lengthening;  /* a write that is owed may make a value long */
    uint64_t owed_unsure;   /* replies, at most, of which nobody knows how long they are */
    uint64_t longest_reply; /* of late, if it was long */
    bool held_back;         /* the shard holds reads until more is read */
    uint16_t io_thread;     /* that has the socket, from 1 on; 0: the loop has it */
    bool io_shrunk;         /* it was told to give back what is empty, and was idle since */
    bool io_raw;            /* it was told to leave the parsing to the loop */
    int64_t io_credit;      /* so many more bytes of input may come from there */
    size_t io_memory;       /* of its side of the connection, as last told */
    size_t io_held;         /* bytes there of a request that is not whole, as last told */
    uint64_t io_unwritten;  /* bytes that were handed over; that they were written is not told */
    uint64_t io_stuck;      /* of them: those that the socket did not take */
    uint64_t over_soft_limit_since_ms; /* 0: it is not */

    struct list_link link;        /* on the waiting list of its state */
    struct list_link resume_link; /* on net->resume */
    struct list_link flush_link;
    struct list_link go_on_link; /* held back, and has read enough */
    struct list_link dead_link;
    uint64_t park_until_ms; /* 0: the current command has not been parked yet */

    enum client_wait_phase wait_phase;
    bool (*wait_is_over)(void *context); /* CLIENT_BLOCKED */
    void *wait_context;
    uint64_t wait_until_ms; /* 0: for ever */
    int64_t wait_nodes;     /* WAIT: other nodes that shall hold wait_index */
    uint64_t wait_index;
    uint64_t last_index; /* of this connection's last write */

    struct client_blocking blocking;
    struct client_transaction transaction;
    struct client_subscriptions subscriptions;
    struct client_session session;

    uint64_t id;
    uint64_t created_ms;
    uint64_t last_active_ms;
    uint64_t end_of_input_ms;
    const struct command *last_command;
    char address[NET_ADDRESS_MAX];
    char local_address[NET_ADDRESS_MAX]; /* filled when first asked for */
    char *name;                          /* NULL: none; as are the next two */
    char *lib_name;
    char *lib_ver;
    struct event read_event;
    struct event write_event;
};

struct client *client_new(struct net *net, int fd);
void client_free(struct client *client);
void client_process(struct client *client); /* goes on with what is in its buffer */
void client_kill(struct client *client);    /* now; what it is still owed is dropped */
void client_close_after_output(struct client *client);
/* Like kill, but the descriptor belongs to somebody else now. */
void client_forget_descriptor(struct client *client);
/* Its current command waits: the bytes stay, and the command is looked at again after
 * client_wake(). */
enum net_verdict client_hold(struct client *client, enum client_state state);
void client_wake(struct client *client);
size_t client_input_len(const struct client *client);
/* It has not given the password yet. */
bool client_is_stranger(const struct client *client);
/* It waits until it has read enough of its replies, and nothing more is carried out. */
bool client_must_read(struct client *client);
void client_process_own(struct client *client);    /* what its own buffer has */
void client_after_commands(struct client *client); /* what follows from input that was taken */
/* The input that a client may send while it waits. */
uint64_t client_read_ahead_max(const struct client *client);
void client_stop_events(struct client *client);
size_t client_memory(const struct client *client);
void client_set_text(char **text, struct span value);

/* Requests that are not answered yet. */
static inline uint32_t client_owed(const struct client *client)
{
    return client_places_owed(&client->places);
}

static inline bool client_is_gone(const struct client *client)
{
    return client->state == CLIENT_DEAD;
}

#endif
