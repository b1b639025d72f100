/* Names the keys that are looked up next (keyspace_look_ahead()). A guess is enough: it is the
 * first argument. */
#include "machine/logged.h"
#include "shard/internal.h"

/* Keys that are looked up one after the other. */
struct ahead {
    const struct keyspace *keyspace;
    unsigned database;
    struct span keys[KEYSPACE_AHEAD_MAX];
    size_t count;
};

static void ahead_end(struct ahead *ahead)
{
    if (ahead->count > 1)
        keyspace_look_ahead(ahead->keyspace, ahead->keys, ahead->count);
    ahead->count = 0;
}

/* Makes place for a key of this database. False: nothing is gained by it. */
static bool ahead_wants(const struct shard *shard, struct ahead *ahead, unsigned database)
{
    if (ahead->count && ahead->database != database)
        ahead_end(ahead);
    if (ahead->count == 0) {
        ahead->keyspace = databases_find(shard->machine.databases, database);
        ahead->database = database;
    }
    return ahead->keyspace && keyspace_is_far(ahead->keyspace);
}

void shard_look_ahead_reads(const struct shard *shard, size_t position)
{
    struct ahead ahead = {.count = 0};
    size_t end = shard->reads.count - position < KEYSPACE_AHEAD_MAX ? shard->reads.count
                                                                    : position + KEYSPACE_AHEAD_MAX;
    for (size_t i = position; end - position > 1 && i < end; i++) {
        const struct pending_read *read = read_queue_at(&shard->reads, i);
        if (read->kind != PENDING_TRANSACTION && ahead_wants(shard, &ahead, read->database) &&
            read_queue_argument(&shard->reads, read, 1, &ahead.keys[ahead.count]))
            ahead.count++;
    }
    ahead_end(&ahead);
}

void shard_look_ahead_entries(const struct shard *shard, uint64_t index, uint64_t last)
{
    struct ahead ahead = {.count = 0};
    struct entry first;
    if (last - index >= KEYSPACE_AHEAD_MAX)
        last = index + KEYSPACE_AHEAD_MAX - 1;
    if (last == index || storage_entry(shard->storage, index, &first) != ERR_NONE)
        return; /* who needs the entry finds out what is wrong with it */
    for (uint64_t i = index; i <= last; i++) {
        struct entry entry;
        if (storage_cached_entry(shard->storage, i, &entry) && entry.kind == ENTRY_COMMAND &&
            ahead_wants(shard, &ahead, entry.database) &&
            logged_first_argument(entry.payload, &ahead.keys[ahead.count]))
            ahead.count++;
    }
    ahead_end(&ahead);
}
