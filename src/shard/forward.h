/* Requests of one node's clients, carried out by another. Private to shard/.
 *
 *   forward.c      the follower that the clients are on
 *   serve.c        the leader */
#ifndef FLOTILLA_SHARD_FORWARD_H
#define FLOTILLA_SHARD_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "shard/shard.h"
#include "wire/forward.h"

/* What this node has forwarded in shard_issue.term. */
struct shard_forwarding {
    uint64_t life;         /* of this run of the process */
    uint64_t next_seq;     /* of the next request that is issued */
    uint64_t unsent_seq;   /* all below have been sent */
    uint64_t disposed_seq; /* all below have been appended or refused */
    uint64_t window;       /* bytes that may be issued and not answered */
    uint64_t bytes;        /* that are */
    uint64_t answered_ms;  /* the leader answered, or there was nothing to answer */
    uint64_t sent_ms;      /* when requests were sent last, or the leader came further */
    unsigned resends;      /* since then */
    uint64_t read_sent_ms;
    bool wants_holders; /* clients want to know who holds what */
    uint64_t wait_asked_ms;
    uint64_t held[RAFT_MEMBERS_MAX]; /* up to where the members have the log, as the leader said */
    size_t held_count;
    bool waits_for_entry; /* reads do, that the leader was asked for */
    int64_t due_ms;       /* reads wait for an entry of that time, which the next round asks for */
    int64_t round_due_ms; /* that the round under way asks for */
};

/* A waiter that was served by an entry which its node has perhaps not applied. */
struct shard_served {
    uint64_t id;
    uint64_t index;
};

/* A run of another node's process that has forwarded something in this term. */
struct shard_origin {
    uint64_t node;
    uint64_t life;
    uint64_t next_seq;
    struct buf refusals;  /* that it has not acknowledged, as items of wire/forward.h */
    uint64_t last_index;  /* of its newest entry: it waits to learn that it is committed */
    uint64_t told_commit; /* what it was told */
    bool answer_due;
    bool missed;           /* it sent what was left out, and is to send it once more */
    uint64_t missed_at;    /* the number that was waited for when it last overtook itself */
    uint64_t read_context; /* that it asked for; 0: none */
    uint64_t read_round;   /* of this node, that confirms it */
    uint64_t wait_number;  /* of its newest RAFT.WAIT; 0: there was none */
    struct shard_served *served;
    size_t served_count;
    size_t served_cap;
};

struct shard_origins {
    uint64_t term;
    struct shard_origin *list;
    size_t count;
    size_t cap;
};

/* forward.c */
void shard_begin_forwarding(struct shard *shard); /* in another term */
void shard_forward_held(struct shard *shard);     /* numbers them */
size_t shard_known_holders(const struct shard *shard, uint64_t index);
void shard_forward(struct shard *shard);                      /* sends what is to be sent */
void shard_forward_again(struct shard *shard, uint64_t node); /* a connection with it was lost */
bool shard_may_ask_again(const struct shard *shard);          /* for reads */
/* The leader is heard, and has not answered for leader_wait_ms. */
bool shard_forward_is_silent(const struct shard *shard);
uint64_t shard_forward_due_ms(const struct shard *shard);
/* The write that the entry carries out; NULL: it is of no client that waits here. */
struct pending_write *shard_forwarded_as(struct shard *shard, const struct entry *entry);
/* A message to the leader, without its numbers and items. */
struct wire_forward shard_forward_message(const struct shard *shard, enum wire_forward_type type);
void shard_send_forward(struct shard *shard, const struct wire_forward *message, bool response);
MUST_CHECK enum err shard_take_forward(struct shard *shard, const struct shard_peer *from,
                                       const struct span *args, size_t argc);

/* serve.c */
MUST_CHECK enum err shard_serve(struct shard *shard, const struct shard_peer *from,
                                const struct wire_forward *message);
void shard_answer_origins(struct shard *shard);
void shard_forget_origins(struct shard *shard);
/* NULL: it has sent nothing in this term. */
struct shard_origin *shard_find_origin(struct shard *shard, uint64_t node, uint64_t life);

#endif
