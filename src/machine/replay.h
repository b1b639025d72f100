/* Replays a snapshot and the log after it, without Raft, clients or a disk. The result is the state
 * of a node that has applied exactly as much.
 *
 * The input may come from anywhere, so entries are checked before they are applied. */
#ifndef FLOTILLA_MACHINE_REPLAY_H
#define FLOTILLA_MACHINE_REPLAY_H

#include "base/err.h"
#include "command/command.h"
#include "keyspace/keyspace.h"
#include "machine/state.h"
#include "wire/entry.h"

struct machine_replay;

/* Makes an empty machine, before entry 1. */
struct machine_replay *machine_replay_new(const struct command_table *table, uint64_t hash_seed);
void machine_replay_free(struct machine_replay *replay);

/* Feeds the snapshot in pieces, before any entry; an empty piece ends it. ERR_CORRUPT: `message`
 * (512 bytes) says why. */
MUST_CHECK enum err machine_replay_load(struct machine_replay *replay, struct span piece,
                                        char *message);

/* Checks that the snapshot is complete and has the state as of (index, term). Without a snapshot
 * that is entry 0. */
MUST_CHECK enum err machine_replay_check_snapshot(const struct machine_replay *replay,
                                                  uint64_t index, uint64_t term, char *message);

/* Skips entries that the snapshot covers. ERR_CORRUPT: an entry is missing, no node wrote the
 * payload, or a newer version did; nothing was applied. */
MUST_CHECK enum err machine_replay_apply(struct machine_replay *replay, const struct entry *entry,
                                         char *message);

/* Whether applying the transaction would abort it, because a watched key has changed. Only for the
 * next entry. */
bool machine_replay_is_void(struct machine_replay *replay, const struct entry *entry);

/* See machine_is_repeated(). Only for the next entry. */
bool machine_replay_is_repeated(const struct machine_replay *replay, const struct entry *entry);

/* The position of the last applied entry. Its membership is empty if neither the snapshot nor the
 * log has one. */
const struct machine_position *machine_replay_position(const struct machine_replay *replay);
const struct machine_position *
machine_replay_snapshot(const struct machine_replay *replay); /* index 0: no snapshot */
/* Whether the snapshot says what its keys amount to: then that was compared with what it holds. */
bool machine_replay_snapshot_has_sum(const struct machine_replay *replay);
const struct databases *machine_replay_databases(const struct machine_replay *replay);
const struct sessions *machine_replay_sessions(const struct machine_replay *replay);
/* Equals DEBUG DIGEST of such a node. */
uint64_t machine_replay_digest(const struct machine_replay *replay);

#endif
