#include "machine/replay.h"

#include <stdio.h>

#include "base/mem.h"
#include "machine/state.h"
#include "machine/transaction.h"
#include "wire/members.h"

struct machine_replay {
    struct machine machine;
    struct machine_reader *reader; /* the snapshot that is being fed */
    struct machine_position snapshot;
    struct machine_position position;
    uint64_t hash_seed;
};

struct machine_replay *machine_replay_new(const struct command_table *table, uint64_t hash_seed)
{
    struct machine_replay *replay = mem_zalloc(sizeof *replay);
    machine_init(&replay->machine, table, hash_seed);
    replay->hash_seed = hash_seed;
    return replay;
}

void machine_replay_free(struct machine_replay *replay)
{
    if (!replay)
        return;
    machine_reader_free(replay->reader);
    machine_close(&replay->machine);
    mem_free(replay);
}

static void take_state(struct machine_replay *replay)
{
    databases_free(machine_take_state(&replay->machine, replay->reader));
    replay->snapshot = replay->position = replay->reader->position;
}

enum err machine_replay_load(struct machine_replay *replay, struct span piece, char *message)
{
    if (!replay->reader)
        replay->reader = machine_reader_new(replay->hash_seed, NULL);
    if (piece.len)
        return machine_reader_feed(replay->reader, piece, message);
    const struct machine_position *own = &replay->reader->position;
    enum err err = machine_reader_finish(replay->reader, own->index, own->term, message);
    if (!err)
        take_state(replay);
    return err;
}

enum err machine_replay_check_snapshot(const struct machine_replay *replay, uint64_t index,
                                       uint64_t term, char *message)
{
    if (replay->snapshot.index == index && replay->snapshot.term == term)
        return ERR_NONE;
    snprintf(message, 512,
             "the snapshot stands for entry %llu of term %llu, but the log goes on behind entry "
             "%llu of term %llu",
             (unsigned long long)replay->snapshot.index, (unsigned long long)replay->snapshot.term,
             (unsigned long long)index, (unsigned long long)term);
    return ERR_CORRUPT;
}

enum err machine_replay_apply(struct machine_replay *replay, const struct entry *entry,
                              char *message)
{
    struct machine_position *position = &replay->position;
    unsigned long long index = entry->index;
    if (index <= position->index)
        return ERR_NONE;
    if (index != position->index + 1) {
        snprintf(message, 512, "entry %llu follows entry %llu: those between are missing", index,
                 (unsigned long long)position->index);
        return ERR_CORRUPT;
    }
    struct raft_membership membership = position->membership;
    struct entry read = *entry;
    if (!machine_entry_is_valid(&replay->machine, &read) ||
        (entry->kind == ENTRY_MEMBERSHIP && members_parse(entry->payload, &membership))) {
        snprintf(message, 512,
                 "entry %llu holds what this version does not know: it is older than the log, or "
                 "no node wrote that",
                 index);
        return ERR_CORRUPT;
    }
    struct machine_caller nobody = {.reply = {.protocol = 2}};
    machine_apply(&replay->machine, &read, &nobody);
    databases_free_cleared(replay->machine.databases, SIZE_MAX); /* no client waits: all at once */
    *position = (struct machine_position){.index = entry->index,
                                          .term = entry->term,
                                          .clock_ms = entry->time_ms,
                                          .membership = membership};
    return ERR_NONE;
}

bool machine_replay_is_void(struct machine_replay *replay, const struct entry *entry)
{
    struct entry read = *entry;
    return entry->kind == ENTRY_TRANSACTION && entry->index == replay->position.index + 1 &&
           machine_entry_is_valid(&replay->machine, &read) &&
           machine_transaction_is_void(&replay->machine, entry);
}

bool machine_replay_is_repeated(const struct machine_replay *replay, const struct entry *entry)
{
    return entry->index == replay->position.index + 1 &&
           machine_is_repeated(&replay->machine, entry);
}

const struct machine_position *machine_replay_position(const struct machine_replay *replay)
{
    return &replay->position;
}

const struct machine_position *machine_replay_snapshot(const struct machine_replay *replay)
{
    return &replay->snapshot;
}

bool machine_replay_snapshot_has_sum(const struct machine_replay *replay)
{
    return replay->reader && replay->reader->has_sum;
}

const struct databases *machine_replay_databases(const struct machine_replay *replay)
{
    return replay->machine.databases;
}

const struct sessions *machine_replay_sessions(const struct machine_replay *replay)
{
    return &replay->machine.sessions;
}

uint64_t machine_replay_digest(const struct machine_replay *replay)
{
    return machine_digest_number(&replay->machine);
}
