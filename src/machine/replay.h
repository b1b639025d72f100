/* The state machine without a group: no Raft, no clients, no disk. It is fed a snapshot and the log
 * behind it, and holds then what a node holds that has applied exactly that far.
 *
 * What it is fed may come from anywhere: entries are checked before they are applied. */
#ifndef FLOTILLA_MACHINE_REPLAY_H
#define FLOTILLA_MACHINE_REPLAY_H

#include "base/err.h"
#include "command/command.h"
#include "keyspace/keyspace.h"
#include "machine/state.h"
#include "wire/entry.h"

struct machine_replay;

/* Empty, before entry 1. */
struct machine_replay *machine_replay_new(const struct command_table *table, uint64_t hash_seed);
void machine_replay_free(struct machine_replay *replay);

/* The snapshot in pieces, before any entry; an empty piece is the end. ERR_CORRUPT: `message` (512
 * bytes) says why. */
MUST_CHECK enum err machine_replay_load(struct machine_replay *replay, struct span piece,
                                        char *message);

/* Was it loaded whole, and is it the state as of (index, term)? No snapshot: as of entry 0. */
MUST_CHECK enum err machine_replay_check_snapshot(const struct machine_replay *replay,
                                                  uint64_t index, uint64_t term, char *message);

/* Entries that the snapshot covers are passed over. ERR_CORRUPT: a gap, or a payload that no node
 * wrote, or one of a newer version; nothing was applied. */
MUST_CHECK enum err machine_replay_apply(struct machine_replay *replay, const struct entry *entry,
                                         char *message);

/* A transaction that applying would give up, since a key that it watches has changed. Only of the
 * entry that is next. */
bool machine_replay_is_void(struct machine_replay *replay, const struct entry *entry);

/* As of the last entry applied. Without a membership in snapshot or log it is empty. */
const struct machine_position *machine_replay_position(const struct machine_replay *replay);
const struct machine_position *
machine_replay_snapshot(const struct machine_replay *replay); /* index 0: none */
const struct keyspace *machine_replay_keyspace(const struct machine_replay *replay);
uint64_t machine_replay_digest(const struct machine_replay *replay); /* DEBUG DIGEST of that node */

#endif
