/* The replicated state machine: what a log of entries makes of an empty keyspace, and nothing else.
 * A shard drives one, a snapshot writes it, flotilla-check replays it. No part of the group, the
 * log or a client is in it.
 *
 *   machine.c      entries to the keyspace
 *   transaction.c  MULTI … EXEC as one payload and back
 *   state.c        the machine as a file and back
 *   replay.c       a machine that checks what it is fed
 *
 * Applying an entry uses the entry's time and seed, and the state. Equal entries therefore give
 * equal machines. */
#ifndef FLOTILLA_MACHINE_MACHINE_H
#define FLOTILLA_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "command/command.h"
#include "keyspace/keyspace.h"
#include "resp/parse.h"
#include "wire/entry.h"

/* Counted since the process began: no part of the state. */
struct machine_stats {
    uint64_t changes;
    uint64_t hits;
    uint64_t misses;
    uint64_t expired;
};

/* Who hears of changes before they happen: whoever writes the machine to a file while it goes on.
 * NULL: nobody. */
struct machine_watcher {
    void *context;
    void (*before_change)(void *context, struct span key);
    void (*before_clear)(void *context); /* all keys go */
};

struct machine {
    const struct command_table *table; /* borrowed */
    struct keyspace *keyspace;
    uint64_t applied_index;
    int64_t clock_ms; /* time of the last applied entry */
    uint64_t chain;   /* hash of all entries since chain_from and of the changes that they made */
    uint64_t chain_from;
    struct machine_stats stats;
    struct machine_watcher watcher;

    /* scratch */
    struct resp_parser parser;
    struct resp_parser script_parser; /* of a transaction's original commands */
};

/* Who waits for what is being carried out. All zeros: nobody, and no reply is written. */
struct machine_caller {
    struct resp_writer reply;
    int64_t wall_ms;    /* for TIME: a reply, and no part of the state */
    struct span script; /* of a transaction with commands that are not the machine's: all of its
                           commands as the client sent them; else empty */
    void *context;
    /* Such a command (PING, CLIENT …): carry it out, write its reply. */
    void (*run_local)(void *context, const struct command *command, const struct span *args,
                      size_t argc, struct resp_writer *reply);
    /* A command ran and wrote `reply`, which is empty if it is long (see resp_since()). May be
     * NULL. */
    void (*executed)(void *context, const struct command *command, const struct span *args,
                     size_t argc, struct span reply);
};

/* Empty, before entry 1. The machine stays where it is: it observes its keyspace. */
void machine_init(struct machine *machine, const struct command_table *table, uint64_t hash_seed);
void machine_close(struct machine *machine);

/* Applies the entry behind the last one. It was written by a node of this version or an older one,
 * see machine_entry_is_valid(). */
void machine_apply(struct machine *machine, const struct entry *entry,
                   struct machine_caller *caller);

/* A command that only reads, by a clock and a seed of the caller's own. */
struct machine_view {
    int64_t now_ms;
    struct prng *prng;
};
void machine_read(struct machine *machine, const struct command *command, const struct span *args,
                  size_t argc, const struct machine_view *view, struct machine_caller *caller);

/* The latest deadline behind machine->clock_ms, and not behind until_ms, of what the reading
 * command may look at; NO_DEADLINE: it sees the same at either time. */
int64_t machine_due(const struct machine *machine, const struct command *command,
                    const struct span *args, size_t argc, int64_t until_ms);

/* Whether the payload of the entry is one that a node writes, of commands that this version knows.
 */
bool machine_entry_is_valid(struct machine *machine, const struct entry *entry);

/* Another keyspace, as of another entry; the one of before comes back. */
struct keyspace *machine_replace_keyspace(struct machine *machine, struct keyspace *keyspace);

/* What nodes compare. None of it takes a walk over the keys. */
struct machine_digest {
    uint64_t index;
    uint64_t sum;        /* keyspace_sum(): whether the data is equal now */
    uint64_t chain;      /* whether all that led to it was */
    uint64_t chain_from; /* the entry behind which the chain begins: 0, or that of a snapshot that
                            was written before there were chains */
};
struct machine_digest machine_digest(const struct machine *machine);
/* Of the same entry, and nothing in them differs; chains are compared if they begin alike. */
bool machine_digest_equal(const struct machine_digest *a, const struct machine_digest *b);
/* All of it in one number, for people. */
uint64_t machine_digest_number(const struct machine *machine);

#endif
