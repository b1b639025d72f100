#include "keyspace/rdb_seen.h"

#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

/* COUNT_MAX: a value that has more is a dictionary, which finds its elements at once. */
enum { PLACES_MIN = 64, PLACES_KEPT = 2048, COUNT_MAX = 16384 };

static uint64_t *place_of(const struct rdb_seen *seen, uint64_t digest)
{
    size_t mask = seen->places - 1;
    size_t at = (size_t)digest & mask;
    while (seen->digests[at] && seen->digests[at] != digest)
        at = (at + 1) & mask;
    return &seen->digests[at];
}

static void grow(struct rdb_seen *seen)
{
    struct rdb_seen old = *seen;
    seen->places = old.places ? 2 * old.places : PLACES_MIN;
    seen->digests = mem_zalloc(seen->places * sizeof(*seen->digests));
    for (size_t i = 0; i < old.places; i++) {
        if (old.digests[i])
            *place_of(seen, old.digests[i]) = old.digests[i];
    }
    mem_free(old.digests);
}

bool rdb_seen_new(struct rdb_seen *seen, struct span text, uint64_t seed)
{
    uint64_t digest = XXH3_64bits_withSeed(text.ptr, text.len, seed);
    if (seen->count == COUNT_MAX || digest == 0)
        return false;
    if (2 * seen->count >= seen->places)
        grow(seen);
    uint64_t *place = place_of(seen, digest);
    if (*place)
        return false;
    *place = digest;
    seen->count++;
    return true;
}

void rdb_seen_clear(struct rdb_seen *seen)
{
    if (seen->places > PLACES_KEPT)
        rdb_seen_close(seen);
    else if (seen->count)
        memset(seen->digests, 0, seen->places * sizeof(*seen->digests));
    seen->count = 0;
}

void rdb_seen_close(struct rdb_seen *seen)
{
    mem_free(seen->digests);
    *seen = (struct rdb_seen){0};
}
