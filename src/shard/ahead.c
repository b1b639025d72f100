/* Names the keys that are looked up next (keyspace_look_ahead()), and says where they are. Of
 * entries that is their first key, of reads their first argument: a guess is enough. */
#include "machine/logged.h"
#include "shard/internal.h"

/* Keys that are looked up one after the other. */
struct named {
    const struct keyspace *keyspace;
    unsigned database;
    struct span keys[KEYSPACE_AHEAD_MAX];
    size_t whose[KEYSPACE_AHEAD_MAX]; /* positions in `ahead` */
    size_t count;
};

/* `ahead` NULL: nobody asks for the places. */
static void named_end(struct shard_ahead *ahead, struct named *named)
{
    struct keyspace_place places[KEYSPACE_AHEAD_MAX];
    if (named->count > 1) {
        keyspace_look_ahead(named->keyspace, named->keys, places, named->count);
        for (size_t i = 0; ahead && i < named->count; i++) {
            ahead->places[named->whose[i]] = places[i];
            ahead->has_place[named->whose[i]] = true;
        }
    }
    named->count = 0;
}

/* Makes room for a key of this database. False: nothing is gained by it. */
static bool wants(const struct shard *shard, struct shard_ahead *ahead, struct named *named,
                  unsigned database)
{
    if (named->count && named->database != database)
        named_end(ahead, named);
    if (named->count == 0) {
        named->keyspace = databases_find(shard->machine.databases, database);
        named->database = database;
    }
    return named->keyspace && keyspace_is_far(named->keyspace);
}

static void name(struct named *named, size_t position, struct span key)
{
    named->whose[named->count] = position;
    named->keys[named->count++] = key;
}

static void begin(struct shard_ahead *ahead, uint64_t first, size_t count)
{
    ahead->first = first;
    ahead->count = count;
    memset(ahead->has_place, 0, sizeof ahead->has_place);
}

void shard_look_ahead_reads(struct shard *shard, size_t position)
{
    struct shard_ahead *ahead = &shard->ahead;
    struct named named;
    struct span key;
    size_t left = shard->reads.count - position;
    named.count = 0;
    begin(ahead, position, left < KEYSPACE_AHEAD_MAX ? left : KEYSPACE_AHEAD_MAX);
    for (size_t i = 0; ahead->count > 1 && i < ahead->count; i++) {
        const struct pending_read *read = read_queue_at(&shard->reads, position + i);
        if (read->kind != PENDING_TRANSACTION && read->command->keys.first == 1 &&
            wants(shard, ahead, &named, read->database) &&
            read_queue_argument(&shard->reads, read, 1, &key))
            name(&named, i, key);
    }
    named_end(ahead, &named);
}

/* Entries that come from the disk. What they are is not known yet, so that their keys are guessed
 * at; and where they stand in memory is valid only until another one is read. */
static void look_ahead_older(struct shard *shard, uint64_t index, uint64_t last)
{
    struct named named;
    struct entry entry;
    struct span key;
    named.count = 0;
    if (last == index || storage_entry(shard->storage, index, &entry) != ERR_NONE)
        return; /* who needs the entry finds out what is wrong with it */
    for (uint64_t i = index; i <= last; i++)
        if (storage_cached_entry(shard->storage, i, &entry) && entry.kind == ENTRY_COMMAND &&
            wants(shard, NULL, &named, entry.database) &&
            logged_first_argument(entry.payload, &key))
            name(&named, (size_t)(i - index), key);
    named_end(NULL, &named);
}

void shard_look_ahead_entries(struct shard *shard, uint64_t index, uint64_t last)
{
    struct shard_ahead *ahead = &shard->ahead;
    struct named named;
    named.count = 0;
    if (last - index >= KEYSPACE_AHEAD_MAX)
        last = index + KEYSPACE_AHEAD_MAX - 1;
    begin(ahead, index, storage_recent_entries(shard->storage, index, last, ahead->entries));
    for (size_t i = 0; i < ahead->count; i++) {
        const struct entry *entry = &ahead->entries[i];
        if (entry->reading.command && entry->reading.key &&
            wants(shard, ahead, &named, entry->database))
            name(&named, i, entry_argument(entry, entry->reading.key));
    }
    named_end(ahead, &named);
    if (ahead->count == 0)
        look_ahead_older(shard, index, last);
}

const struct entry *shard_entry_ahead(const struct shard *shard, uint64_t index)
{
    const struct shard_ahead *ahead = &shard->ahead;
    return index - ahead->first < ahead->count ? &ahead->entries[index - ahead->first] : NULL;
}

const struct keyspace_place *shard_place_ahead(const struct shard *shard, uint64_t number)
{
    const struct shard_ahead *ahead = &shard->ahead;
    uint64_t at = number - ahead->first;
    return at < ahead->count && ahead->has_place[at] ? &ahead->places[at] : NULL;
}

void shard_end_ahead(struct shard *shard)
{
    shard->ahead.count = 0;
}
