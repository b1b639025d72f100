/* What waits for an answer. Two queues, both in the order of arrival:
 *
 *   - writes. Those in front have been issued: proposed here, or forwarded to the leader. The ones
 *     behind them are held until they can be;
 *   - reads. Answered ones may stand in the middle until everything before them is answered too.
 *
 * Writes are numbered by arrival, and a read remembers the newest number when it came. That gives
 * the order between the two, whatever leader carries them out.
 *
 * The texts of both are kept in arenas, so that a turn's requests cost no allocation. */
#ifndef FLOTILLA_SHARD_QUEUE_H
#define FLOTILLA_SHARD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "command/command.h"
#include "shard/shard.h"
#include "wire/entry.h"

/* Texts, of which the oldest are dropped first. */
struct arena {
    struct buf bytes;
    uint64_t base; /* what was dropped, counted since the arena was new: texts are found by that */
};

struct pending_write {
    uint64_t arrival;
    uint64_t index;      /* of its entry; 0: it was not proposed here */
    uint64_t seq;        /* under which it was forwarded; 0: it was not */
    uint64_t arrived_ms; /* monotonic */
    uint64_t driven_us;  /* when it went to the core; 0 while it is in the open batch */
    struct shard_client client;
    bool done;      /* answered, but others before it are not */
    uint32_t bytes; /* of its record, or of its text */
    int protocol;
    unsigned database;
    enum entry_kind kind;
    /* What to propose or to forward: a payload of `kind`. Not kept while the log has it. */
    uint64_t text_at;
    size_t text_len;
    char *script; /* of a transaction with local commands; owned */
    size_t script_len;
};

struct write_queue {
    struct pending_write *items; /* ring */
    size_t cap;                  /* a power of two */
    size_t head;
    size_t count;
    size_t issued;
    struct arena arena;
    uint64_t arrivals; /* the newest number given */
};

struct pending_write *write_queue_push(struct write_queue *queue);
struct pending_write *write_queue_at(const struct write_queue *queue, size_t position);
void write_queue_pop(struct write_queue *queue);       /* the oldest one; frees its script */
void write_queue_drop_done(struct write_queue *queue); /* from the front */
/* The number of the oldest write that is not answered; UINT64_MAX: there is none. */
uint64_t write_queue_oldest(const struct write_queue *queue);
/* Keeps a text for the write, which must be the newest that has one. */
void write_queue_keep(struct write_queue *queue, struct pending_write *write, struct span text);
struct span write_queue_text(const struct write_queue *queue, const struct pending_write *write);
void write_queue_close(struct write_queue *queue);

enum pending_read_kind {
    PENDING_READ,        /* a command */
    PENDING_TRY,         /* one that writes, and perhaps changes nothing */
    PENDING_TRANSACTION, /* MULTI … EXEC without a write */
};

struct pending_read {
    enum pending_read_kind kind;
    bool done;
    int protocol;
    unsigned database;
    struct shard_client client;
    const struct command *command; /* PENDING_READ, PENDING_TRY */
    uint64_t arrived_ms;
    uint64_t arrival;  /* of the newest write when it came */
    uint64_t position; /* the leader: the last index of the log then */
    uint64_t after;    /* arrival of this client's last write, which has to be answered before */
    uint64_t context;  /* round that confirms it; 0: needs none */
    int64_t due_ms;    /* it saw keys due then: waits for an entry of that time; NO_DEADLINE */
    size_t argc;
    uint64_t bytes_at; /* place in the arena */
    size_t bytes_len;
    const char *bytes; /* where they are instead; NULL: in the arena */
};

struct read_queue {
    struct pending_read *items; /* ring */
    size_t cap;                 /* a power of two */
    size_t head;
    size_t count;
    struct arena arena;
    struct span *args; /* scratch of read_queue_args() */
    size_t args_cap;
};

struct pending_read *read_queue_push(struct read_queue *queue);
struct pending_read *read_queue_at(const struct read_queue *queue, size_t position);
void read_queue_drop_done(struct read_queue *queue); /* from the front */
void read_queue_close(struct read_queue *queue);

/* Keeps bytes, or arguments, for the read that was pushed last. */
void read_queue_keep(struct read_queue *queue, struct pending_read *read, struct span bytes);
void read_queue_keep_args(struct read_queue *queue, struct pending_read *read,
                          const struct span *args, size_t argc);
struct span read_queue_bytes(const struct read_queue *queue, const struct pending_read *read);
/* One of the arguments; valid until the next push. False: there are fewer. */
bool read_queue_argument(const struct read_queue *queue, const struct pending_read *read,
                         size_t number, struct span *argument);
/* Valid until the next call or push. */
const struct span *read_queue_args(struct read_queue *queue, const struct pending_read *read);

#endif
