/* Commands that wait for keys: who waits for which, in the order of arrival. Private to shard/.
 *
 * A leader keeps here whom it is to serve (block.c), for clients of all nodes. A node also keeps
 * its own reads here that wait (XREAD).
 *
 * A key has one line for each type of value that is waited for, and of a stream one for each group
 * of consumers: those who stand in one line take the same elements, so that the first one comes
 * first.
 *
 *     key of a database -> line (list) -> waiter, waiter, …
 *                       -> line (stream, group "g") -> waiter, …
 *
 * A waiter stands in one line of each of its keys. Lines are ordered by stamp, then by who it is.
 */
#ifndef FLOTILLA_SHARD_WAITS_H
#define FLOTILLA_SHARD_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/command.h"
#include "keyspace/dense.h"

/* Who waits: request `id` of a life of a node. */
struct waiter_id {
    uint64_t node;
    uint64_t life;
    uint64_t id;
};

struct waiter;
struct wait_line;

/* Where a waiter stands. */
struct wait_place {
    struct wait_place *previous;
    struct wait_place *next;
    struct waiter *waiter;
    struct wait_line *line;
};

struct waiter {
    uint32_t hash; /* first: a dictionary finds it */
    bool under_way;
    struct waiter_id id;
    uint64_t stamp;    /* the order of arrival */
    uint64_t position; /* under_way: of the entry that is to serve it */
    unsigned database;
    char *text; /* the command, as RESP */
    size_t text_len;
    const struct command *command;
    struct span *args; /* into the text */
    size_t argc;
    size_t place_count;
    struct wait_place places[];
};

struct wait_line {
    struct wait_line *next; /* of the same key */
    struct wait_key *key;
    enum value_type type;
    struct span group; /* into the text of a waiter, or empty */
    struct wait_place *first;
    struct wait_place *last;
    size_t count;
    size_t under_way;            /* waiters in it that are being served */
    struct wait_place *from;     /* all before it are; NULL: nothing is known */
    const struct waiter *newest; /* who came to it last, while it is in it */
};

struct wait_key {
    uint32_t hash;
    bool is_ready;   /* on the list of keys that have changed … */
    size_t ready_at; /* … at this position */
    struct wait_line *lines;
    unsigned database;
    size_t len;
    char name[];
};

struct waits {
    const struct command_table *table; /* borrowed */
    uint64_t seed;
    struct dense waiters;
    struct dense keys[DATABASES_MAX];
    struct wait_key **ready; /* keys that have changed, in that order; NULL: it has gone since */
    size_t ready_first;
    size_t ready_end;
    size_t ready_cap;
};

void waits_init(struct waits *waits, const struct command_table *table, uint64_t seed);
void waits_close(struct waits *waits);
void waits_clear(struct waits *waits); /* nobody waits any more */

static inline size_t waits_count(const struct waits *waits)
{
    return dense_count(&waits->waiters);
}

/* The keys that a call waits for, as command_keys() finds them. */
size_t waits_keys(const struct command *command, const struct span *args, size_t argc,
                  size_t *positions, size_t max);

struct waiter *waits_find(const struct waits *waits, struct waiter_id id);
/* Copies the text. NULL: it is no command that may wait, or names no key. */
struct waiter *waits_add(struct waits *waits, struct waiter_id id, uint64_t stamp,
                         unsigned database, struct span text);
void waits_remove(struct waits *waits, struct waiter *waiter);
void waits_set_under_way(struct waiter *waiter, bool under_way, uint64_t position);
/* All keys of the waiter count as changed: what it was to get there may be another one's. */
void waits_note_keys(struct waits *waits, const struct waiter *waiter);

struct wait_key *waits_find_key(const struct waits *waits, unsigned database, struct span key);
/* The key has changed. Cheap if nobody waits for it. */
void waits_note_change(struct waits *waits, unsigned database, struct span key);
void waits_note_database(struct waits *waits, unsigned database); /* all its keys have changed */
void waits_note_all(struct waits *waits);                         /* of all databases */
/* Takes one off the list of changed keys; NULL: there is none. It is valid until waiters go. */
struct wait_key *waits_take_ready(struct waits *waits);

#endif
