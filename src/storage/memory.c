/* How much memory the log uses, and how it releases memory that large entries took. */
#include "base/mem.h"
#include "storage/internal.h"

enum {
    BUFFER_KEEP = 1 << 20, /* an empty buffer keeps up to this */
    QUIET_TRIMS = 5, /* after this many trims without a new entry no follower is slightly behind */
    QUIET_CACHE_BYTES = 1 << 20,
};

static uint64_t cache_capacity(const struct cache *cache)
{
    uint64_t bytes = cache->cap * sizeof *cache->chunks;
    for (size_t i = 0; i < cache->count; i++)
        bytes += mem_footprint(cache->chunks[i].bytes.cap) +
                 mem_footprint(cache->chunks[i].cap * sizeof(uint32_t));
    return bytes;
}

uint64_t storage_memory(const struct storage *storage)
{
    uint64_t bytes = cache_capacity(&storage->cache) + mem_footprint(storage->gathered.cap) +
                     mem_footprint(storage->window.cap) + mem_footprint(sizeof *storage->recent);
    return bytes + index_memory(storage);
}

static void trim(struct buf *buf)
{
    if (buf->len == 0 && buf->cap > BUFFER_KEEP)
        buf_close(buf);
}

void storage_trim(struct storage *storage)
{
    trim(&storage->gathered);
    if (storage->window.cap > BUFFER_KEEP) {
        window_forget(storage);
        buf_close(&storage->window);
    }
    uint64_t last_index = storage_status(storage).last_index;
    storage->quiet_trims = last_index == storage->trimmed_at ? storage->quiet_trims + 1 : 0;
    storage->trimmed_at = last_index;
    if (storage->quiet_trims >= QUIET_TRIMS)
        cache_evict(&storage->cache, QUIET_CACHE_BYTES, storage->pinned_after, storage->completed);
}
