/* What waits for an answer. Two queues, both in the order of arrival:
 *
 *   - writes, by the log index of their entry;
 *   - reads, by position: the last index of the log when they came. Answered ones may stand in the
 *     middle until everything before them is answered too.
 *
 * The arguments of reads are kept in one arena, so that a turn's reads cost no allocation. */
#ifndef FLOTILLA_SHARD_QUEUE_H
#define FLOTILLA_SHARD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "command/command.h"
#include "shard/shard.h"

struct pending_write {
    uint64_t index;
    uint64_t term;
    uint64_t driven_us; /* when it went to the core; 0 while it is in the open batch */
    struct shard_client client;
    uint32_t bytes;
    int protocol;
    char *script; /* of a transaction with local commands; owned */
    size_t script_len;
};

struct write_queue {
    struct pending_write *items; /* ring */
    size_t cap;                  /* a power of two */
    size_t head;
    size_t count;
};

struct pending_write *write_queue_push(struct write_queue *queue);
struct pending_write *write_queue_at(const struct write_queue *queue, size_t position);
void write_queue_pop(struct write_queue *queue); /* frees its script */
void write_queue_close(struct write_queue *queue);

enum pending_read_kind {
    PENDING_READ,        /* a command */
    PENDING_TRANSACTION, /* MULTI … EXEC without a write */
};

struct pending_read {
    enum pending_read_kind kind;
    bool done;
    int protocol;
    struct shard_client client;
    const struct command *command; /* PENDING_READ */
    uint64_t position;
    uint64_t after;        /* this client's last write: to be applied before */
    uint64_t context;      /* round that confirms it; 0: needs none */
    uint64_t expiry_index; /* it saw keys due: waits for this entry, is judged by its time; 0 */
    size_t argc;
    uint64_t bytes_at; /* place in the arena, counted since the arena was new */
    size_t bytes_len;
};

struct read_queue {
    struct pending_read *items; /* ring */
    size_t cap;                 /* a power of two */
    size_t head;
    size_t count;
    struct buf arena;
    uint64_t arena_base; /* what was consumed of it */
    struct span *args;   /* scratch of read_queue_args() */
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
/* Valid until the next call or push. */
const struct span *read_queue_args(struct read_queue *queue, const struct pending_read *read);

#endif
