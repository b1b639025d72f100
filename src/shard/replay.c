#include "shard/replay.h"

#include <stdio.h>

#include "base/mem.h"
#include "shard/internal.h"
#include "wire/members.h"

/* A shard of which only the state machine is alive: entries are applied by the code that a node
 * applies them with, with nobody waiting for a reply. */
struct replay {
    struct shard shard;
    struct state_reader *reader; /* the snapshot that is coming */
    struct state_position snapshot;
    struct state_position position;
    uint64_t hash_seed;
};

struct replay *replay_new(const struct command_table *table, uint64_t hash_seed)
{
    struct replay *replay = mem_zalloc(sizeof *replay);
    replay->shard.options.table = table;
    replay->shard.keyspace = keyspace_new(hash_seed);
    replay->hash_seed = hash_seed;
    return replay;
}

void replay_free(struct replay *replay)
{
    if (!replay)
        return;
    state_reader_free(replay->reader);
    keyspace_free(replay->shard.keyspace);
    resp_parser_close(&replay->shard.parser);
    mem_free(replay);
}

static void take_state(struct replay *replay)
{
    struct shard *shard = &replay->shard;
    keyspace_free(shard->keyspace);
    shard->keyspace = replay->reader->keyspace;
    replay->reader->keyspace = NULL;
    replay->snapshot = replay->position = replay->reader->position;
    shard->applied_index = replay->position.index;
    shard->clock_ms = replay->position.clock_ms;
}

enum err replay_load(struct replay *replay, struct span piece, char *message)
{
    if (!replay->reader)
        replay->reader = state_reader_new(replay->hash_seed);
    if (piece.len)
        return state_reader_feed(replay->reader, piece, message);
    const struct state_position *own = &replay->reader->position;
    enum err err = state_reader_finish(replay->reader, own->index, own->term, message);
    if (!err)
        take_state(replay);
    return err;
}

enum err replay_check_snapshot(const struct replay *replay, uint64_t index, uint64_t term,
                               char *message)
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

static bool is_valid(struct replay *replay, const struct entry *entry,
                     struct raft_membership *membership)
{
    struct span rest = entry->payload;
    switch (entry->kind) {
    case ENTRY_NOOP:
    case ENTRY_EXPIRY:
        return true;
    case ENTRY_MEMBERSHIP:
        return members_parse(rest, membership) == ERR_NONE;
    case ENTRY_COMMAND:
        return take_command(&replay->shard, &rest) && rest.len == 0 && can_run(&replay->shard);
    case ENTRY_TRANSACTION:
        return transaction_is_valid(&replay->shard, rest);
    }
    return false;
}

enum err replay_apply(struct replay *replay, const struct entry *entry, char *message)
{
    struct state_position *position = &replay->position;
    unsigned long long index = entry->index;
    if (index <= position->index)
        return ERR_NONE;
    if (index != position->index + 1) {
        snprintf(message, 512, "entry %llu follows entry %llu: those between are missing", index,
                 (unsigned long long)position->index);
        return ERR_CORRUPT;
    }
    struct raft_membership membership = position->membership;
    if (!is_valid(replay, entry, &membership)) {
        snprintf(message, 512,
                 "entry %llu holds what this version does not know: it is older than the log, or "
                 "no node wrote that",
                 index);
        return ERR_CORRUPT;
    }
    apply_one(&replay->shard, entry);
    *position = (struct state_position){.index = entry->index,
                                        .term = entry->term,
                                        .clock_ms = entry->time_ms,
                                        .membership = membership};
    return ERR_NONE;
}

bool replay_is_void(struct replay *replay, const struct entry *entry)
{
    return entry->kind == ENTRY_TRANSACTION && entry->index == replay->position.index + 1 &&
           transaction_is_valid(&replay->shard, entry->payload) &&
           transaction_is_void(&replay->shard, entry);
}

const struct state_position *replay_position(const struct replay *replay)
{
    return &replay->position;
}

const struct state_position *replay_snapshot(const struct replay *replay)
{
    return &replay->snapshot;
}

const struct keyspace *replay_keyspace(const struct replay *replay)
{
    return replay->shard.keyspace;
}

uint64_t replay_digest(const struct replay *replay)
{
    return shard_digest(&replay->shard);
}
