/* Clients that wait for keys (BLPOP, XREADGROUP with BLOCK …). Private to shard/.
 *
 *   block.c   the node that the clients are on
 *   blocked.c one of them: its place on the list, and its answer
 *   wake.c    the leader, which serves them
 *   waits.c   who waits for which key
 *
 * Waiting is no part of the state: no entry says who waits. The origin keeps the client; the leader
 * keeps the waiters of each key in the order of arrival, which it stamps. A waiter is served by an
 * ordinary entry, which runs its command as if it did not wait. The entry names the waiter as its
 * origin, so the origin answers its client when it applies the entry. Where the command finds
 * nothing, the waiter stays in its place. At most one entry of a waiter is in the log and not
 * applied.
 *
 * In another term nobody waits, until the origins say so again, each after it has applied an entry
 * of that term: then it is known what the entries of earlier terms did.
 *
 * A waiter that is to wait no more is taken out by the leader, which answers with the last index of
 * its log. The client is answered when this node has applied that, for an entry may have served it.
 *
 * Where no leader is followed for leader_wait_ms (a majority is down; this node was removed),
 * nobody waits on: who did gets an error. Reads of this node's own state need no leader, and wait
 * on.
 *
 * A client that cannot be told in time what became of its command hears so. The leader may still
 * have it, and would take elements for nobody: it is told that it waits no more until it answers,
 * or its term is over.
 */
#ifndef FLOTILLA_SHARD_BLOCK_H
#define FLOTILLA_SHARD_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "shard/shard.h"
#include "shard/waits.h"
#include "wire/forward.h"

enum block_state {
    BLOCK_NEW,     /* the leader of this term was not told */
    BLOCK_TOLD,    /* it was, in `term`, and has perhaps not answered */
    BLOCK_WAITS,   /* it has answered */
    BLOCK_LEAVING, /* it was told that the client waits no more */
    BLOCK_LEFT,    /* that was answered: decided once `index` is applied */
    BLOCK_READS,   /* a read, of which the leader knows nothing */
};

/* A client of this node. */
struct blocked {
    uint64_t id;
    struct shard_client client;
    int protocol;
    unsigned database;
    enum block_state state;
    bool abandoned; /* the client was answered: only the leader has to hear of it */
    bool local;     /* a read of what this node has applied: it needs no leader */
    bool ends;      /* it is to wait no more, for the reason `why` */
    enum shard_unblock why;
    uint64_t ended_ms; /* since then */
    uint64_t said_ms;  /* when the leader was told; 0: not yet */
    uint64_t stamp;    /* 0: no leader has given one */
    uint64_t term;     /* in which the leader was told last; 0: never */
    uint64_t number;   /* of the RAFT.WAIT that told it */
    uint64_t index;
    struct blocked *previous; /* on the list of those for whom something is to be done */
    struct blocked *next;
    char *text; /* the command, as RESP */
    size_t text_len;
};

struct shard_origin; /* forward.h */

struct shard_blocks {
    struct blocked **list; /* by ascending id */
    size_t count;
    size_t cap;
    size_t abandoned; /* of them */
    uint64_t next_id;
    struct blocked *first; /* of those for whom something is to be done: not WAITS or READS */
    struct blocked *last;
    uint64_t settled_term; /* of which all were told that a new term has begun */
    uint64_t lost_ms;      /* since when no leader is followed; 0: one is, or nobody waits */
    uint64_t number;       /* of the newest RAFT.WAIT */
    unsigned depth;        /* of entries that serve behind entries that serve */
    struct waits reads;    /* of this node, that wait */
    struct waits waiters;  /* of all nodes, that this node is to serve as the leader */
    uint64_t office_term;  /* in which it began to lead them … */
    uint64_t serve_ms;     /* … and not before this time, so that all can say that they wait */
    uint64_t again_ms;     /* every key is looked at again, not before this time … */
    bool serve_all;        /* … if this is set */
    uint64_t stamped;      /* the newest stamp given */
    struct buf scratch;    /* a reply that may be null */
};

/* blocked.c */
static inline struct span blocked_text(const struct blocked *blocked)
{
    return span_of(blocked->text, blocked->text_len);
}
struct waiter_id blocked_waiter_id(const struct shard *shard, const struct blocked *blocked);
struct blocked *blocked_find(const struct shard_blocks *blocks, uint64_t id);
struct blocked *blocked_add(struct shard *shard, const struct shard_request *request,
                            struct span text, enum block_state state);
void blocked_set_state(struct shard_blocks *blocks, struct blocked *blocked,
                       enum block_state state);
void blocked_drop(struct shard *shard, struct blocked *blocked);
void blocked_free(struct blocked *blocked); /* it is on no list any more */
/* These answer the client and drop it. It leaves the list first: the host may say that the client
 * is gone, of this client alone. */
void blocked_answer(struct shard *shard, struct blocked *blocked, struct span reply,
                    uint64_t index);
void blocked_answer_error(struct shard *shard, struct blocked *blocked, const char *text);
/* Nothing can serve it any more: it is answered as blocked->why says. */
void blocked_end(struct shard *shard, struct blocked *blocked);
/* Nobody knows what became of it: the client gets the error, and the leader is still to take it
 * out. */
void blocked_abandon(struct shard *shard, struct blocked *blocked, const char *text);

/* block.c */
void shard_open_blocks(struct shard *shard);
void shard_close_blocks(struct shard *shard);
void shard_drive_blocks(struct shard *shard);
uint64_t shard_blocks_due_ms(const struct shard *shard);
/* The entry may serve a waiter: its reply goes to shard_blocks.scratch. */
bool shard_entry_is_for_waiter(const struct entry *entry);
/* Whether anybody here wants to know the reply of that entry. */
bool shard_wants_waiter_reply(struct shard *shard, const struct entry *entry);
/* It is applied, and this is its reply. */
void shard_note_waiter_entry(struct shard *shard, const struct entry *entry, struct span reply);
/* The client of this node that the entry may serve; NULL: none. */
struct blocked *shard_blocked_for(struct shard *shard, const struct entry *entry);
void shard_take_waited(struct shard *shard, const struct wire_forward *message);
void shard_note_key_change(void *context, const struct keyspace_change *change);
void shard_forget_blocks(struct shard *shard); /* a snapshot was installed */
void shard_say_again(struct shard *shard);     /* the connection to the leader was lost */
/* The read found nothing, and waits. `local`: on a READONLY connection. */
void shard_block_read(struct shard *shard, const struct shard_request *request, bool local);
bool shard_reply_is_null(struct span reply);

/* wake.c */
/* A client waits. False: the command is refused, and `error` says why. */
bool shard_wait_begins(struct shard *shard, struct waiter_id id, uint64_t *stamp, unsigned database,
                       struct span text, const char **error);
/* Returns the index at which it is decided. */
uint64_t shard_wait_ends(struct shard *shard, struct waiter_id id);
MUST_CHECK enum err shard_serve_waits(struct shard *shard, const struct wire_forward *message,
                                      struct shard_origin *origin);
void shard_wake_waiters(struct shard *shard);
/* A write goes into the log: who waits for its keys may be served right behind it. */
void shard_wake_behind(struct shard *shard, unsigned database, const struct command *command,
                       const struct span *args, size_t argc);
/* The entry at this index was for the waiter. */
void shard_note_served(struct shard *shard, struct waiter_id id, bool served, uint64_t index);
void shard_forget_waiters(struct shard *shard);
/* Takes office for them in this term, if that was not done yet. */
void shard_begin_waking(struct shard *shard);

#endif
