/* The replicated state machine: applies the entries of a log to empty databases.
 * A shard drives one, a snapshot stores one, flotilla-check replays one. It knows nothing of the
 * Raft group, the log or clients.
 *
 *   machine.c      applies entries to the databases
 *   numbered.c     sessions of clients, and commands that are carried out once (session.h)
 *   transaction.c  encodes MULTI … EXEC as one payload, and runs it
 *   watch.c        the watched keys in it
 *   keys.c         the keys that an entry names
 *   logged.c       commands as they stand in payloads, which Redis 7.0 can load
 *   state.c        writes the machine to a file and reads it back
 *   replay.c       a machine that checks entries before it applies them
 *
 * Applying an entry depends only on the state and on the entry, with its time and seed. So equal
 * logs give equal machines. */
#ifndef FLOTILLA_MACHINE_MACHINE_H
#define FLOTILLA_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "command/command.h"
#include "keyspace/databases.h"
#include "machine/logged.h"
#include "machine/session.h"
#include "resp/parse.h"
#include "wire/entry.h"

/* Counters since the process started. They are not part of the state. */
struct machine_stats {
    uint64_t changes;
    uint64_t hits;
    uint64_t misses;
    uint64_t expired;
    uint64_t work;    /* command_context.work, of all */
    uint64_t repeats; /* numbered commands that were carried out before */
};

/* Is told of changes before they happen, for a writer that saves the machine while it changes.
 * NULL: no watcher. */
struct machine_watcher {
    void *context;
    void (*before_change)(void *context, const struct keyspace *keyspace, struct span key);
    /* All keys of a database were removed; see keyspace_observer. */
    void (*cleared)(void *context, const struct keyspace *keyspace, struct keyspace *aside);
};

/* Is told of every change of a key. NULL: nobody is. */
struct machine_listener {
    void *context;
    void (*changed)(void *context, const struct keyspace_change *change);
};

struct machine {
    const struct command_table *table; /* borrowed */
    struct databases *databases;
    unsigned select_max; /* SELECT of this node's clients is valid below it */
    struct sessions sessions;
    uint64_t applied_index;
    /* The wire version (wire/hello.h) that the members had agreed on before the next entry. The
     * owner sets that of a group's first members. */
    uint32_t version;
    int64_t clock_ms; /* time of the last applied entry */
    uint64_t chain;   /* hash over all entries after chain_from and the changes they made */
    uint64_t chain_from;
    struct machine_stats stats;
    struct machine_watcher watcher;
    struct machine_listener listener;

    /* scratch memory */
    struct logged logged;             /* reads the commands of payloads */
    struct resp_parser parser;        /* commands of clients */
    struct resp_parser script_parser; /* parses a transaction's original commands */
};

/* The client that waits for the entry's reply. All zeros: no client; no reply is written. */
struct machine_caller {
    struct resp_writer reply;
    /* What TIME tells: the clock of this node, which is no part of the state. A numbered TIME tells
     * the entry's time instead, because its reply is kept. NULL: nobody reads a reply of TIME. */
    struct command_clock *wall;
    /* If a transaction has commands that the machine does not run: all of its commands as the
     * client sent them; else empty. */
    struct span script;
    /* Where the first key of the entry's or the reader's one command is looked up. NULL: nobody has
     * worked that out. */
    const struct keyspace_place *place;
    void *context;
    /* Runs such a command (PING, CLIENT …) and writes its reply. */
    void (*run_local)(void *context, const struct command *command, const struct span *args,
                      size_t argc, struct resp_writer *reply);
    /* The next command works on about so many bytes in one piece. Nothing may be done to the
     * machine or its entry meanwhile. May be NULL. */
    void (*expect)(void *context, size_t bytes);
    /* A command ran and wrote `reply`. A long reply is not passed: `reply` is then empty (see
     * resp_since()). May be NULL. */
    void (*executed)(void *context, const struct command *command, const struct span *args,
                     size_t argc, struct span reply);
};

/* Makes an empty machine, before entry 1. The machine must not move in memory, because it observes
 * its databases. */
void machine_init(struct machine *machine, const struct command_table *table, uint64_t hash_seed);
void machine_close(struct machine *machine);

/* Adds the command, in the form of command_logged_args(), to the payload of an entry of now_ms. */
void machine_add_command(struct buf *payload, const struct command *command,
                         const struct span *args, size_t argc, int64_t now_ms);

/* Applies the entry that follows the last one. A node of this version or an older one wrote it, see
 * machine_entry_is_valid(). */
void machine_apply(struct machine *machine, const struct entry *entry,
                   struct machine_caller *caller);

/* Runs a command that only reads, with a clock and a seed of the caller. */
struct machine_view {
    int64_t now_ms;
    struct prng *prng;
    unsigned database; /* selected when the command or transaction begins */
};
void machine_read(struct machine *machine, const struct command *command, const struct span *args,
                  size_t argc, const struct machine_view *view, struct machine_caller *caller);

/* Whether the call of a writing command would change nothing now (command_idle). The second is for
 * commands that can say so, and replies if it is so. */
bool machine_is_idle(const struct machine *machine, const struct command *command,
                     const struct span *args, size_t argc, const struct machine_view *view);
bool machine_read_idle(struct machine *machine, const struct command *command,
                       const struct span *args, size_t argc, const struct machine_view *view,
                       struct machine_caller *caller);

/* Of the keys that the reading command, in this database, may look at: the latest deadline after
 * machine->clock_ms and up to until_ms. NO_DEADLINE: the command sees the same at both times. */
int64_t machine_due(const struct machine *machine, unsigned database, const struct command *command,
                    const struct span *args, size_t argc, int64_t until_ms);

/* Whether applying the entry now would not run its command, because it carries a number of a
 * session that was carried out, or of no session. */
bool machine_is_repeated(const struct machine *machine, const struct entry *entry);

/* Calls `visit` for the keys that the entry's commands name, with their databases, until it returns
 * false; then returns false. The entry is valid. */
bool machine_each_key(struct machine *machine, const struct entry *entry,
                      bool (*visit)(void *context, unsigned database, struct span key),
                      void *context);

/* Whether a node could have written the entry's payload, with commands that this version knows.
 * What it finds out about a command goes into entry->reading, and applying the entry then takes
 * that for granted. */
bool machine_entry_is_valid(struct machine *machine, struct entry *entry);
/* Notes the command in a reading that has its arguments. */
void machine_note_command(struct entry_reading *reading, const struct command *command,
                          size_t argc);

/* Replaces the databases by those as of another entry; returns the old ones. */
struct databases *machine_replace_databases(struct machine *machine, struct databases *databases);

/* The digest that nodes compare. Computing it does not walk over the keys. */
struct machine_digest {
    uint64_t index;
    uint64_t sum;   /* of keys and sessions: equal if the data is equal now */
    uint64_t chain; /* equal if the histories after chain_from are equal */
    /* The chain covers the entries after this one: 0, or the index of a snapshot written by a
     * version without chains. */
    uint64_t chain_from;
};
struct machine_digest machine_digest(const struct machine *machine);
uint64_t machine_digest_sum(const struct machine *machine); /* its sum alone */
/* Whether both digests are of the same entry and equal. Chains are compared only if both have the
 * same chain_from. */
bool machine_digest_equal(const struct machine_digest *a, const struct machine_digest *b);
/* The digest as one number, for people. */
uint64_t machine_digest_number(const struct machine *machine);

#endif
