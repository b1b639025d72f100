/* How much memory the log uses, and how it releases memory that large entries took. */
#include "base/mem.h"
#include "storage/internal.h"

enum { BUFFER_KEEP = 128 * 1024 }; /* an empty buffer keeps up to this */

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
                     mem_footprint(storage->window.cap) +
                     mem_footprint(storage->recent_cap * sizeof *storage->recent);
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
}
