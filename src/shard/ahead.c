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

static void ahead_add(const struct shard *shard, struct ahead *ahead, unsigned database,
                      struct span key)
{
    if (ahead->count && ahead->database != database)
        ahead_end(ahead);
    if (ahead->count == 0)
        ahead->keyspace = databases_find(shard->machine.databases, database);
    ahead->database = database;
    if (ahead->keyspace)
        ahead->keys[ahead->count++] = key;
}

void shard_look_ahead_reads(const struct shard *shard, size_t position)
{
    struct ahead ahead = {.count = 0};
    for (size_t i = position; i < shard->reads.count && i < position + KEYSPACE_AHEAD_MAX; i++) {
        const struct pending_read *read = read_queue_at(&shard->reads, i);
        struct span key;
        if (read->kind == PENDING_READ && read_queue_argument(&shard->reads, read, 1, &key))
            ahead_add(shard, &ahead, read->database, key);
    }
    ahead_end(&ahead);
}

void shard_look_ahead_entries(const struct shard *shard, uint64_t index, uint64_t last)
{
    struct ahead ahead = {.count = 0};
    if (last - index >= KEYSPACE_AHEAD_MAX)
        last = index + KEYSPACE_AHEAD_MAX - 1;
    for (; index <= last; index++) {
        struct entry entry;
        struct span key;
        if (storage_cached_entry(shard->storage, index, &entry) && entry.kind == ENTRY_COMMAND &&
            logged_first_argument(entry.payload, &key))
            ahead_add(shard, &ahead, entry.database, key);
    }
    ahead_end(&ahead);
}
