#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

enum { CHUNK_BYTES = 64 * 1024, CHUNK_ENTRIES_MIN = 16 };

static struct chunk *last_chunk(struct cache *cache)
{
    return cache->count ? &cache->chunks[cache->count - 1] : NULL;
}

static void close_chunk(struct cache *cache, struct chunk *chunk)
{
    cache->bytes -= chunk->bytes.len;
    cache->entries -= chunk->count;
    buf_close(&chunk->bytes);
    mem_free(chunk->offsets);
}

/* What has grown by doubling gives back what it does not need. */
static void seal_chunk(struct chunk *chunk)
{
    if (chunk->bytes.cap - chunk->bytes.len > CHUNK_BYTES / 8)
        buf_shrink(&chunk->bytes);
    if (chunk->cap == chunk->count)
        return;
    chunk->cap = chunk->count;
    chunk->offsets = mem_realloc(chunk->offsets, chunk->cap * sizeof *chunk->offsets);
}

static struct chunk *add_chunk(struct cache *cache, uint64_t first)
{
    if (cache->count)
        seal_chunk(last_chunk(cache));
    if (cache->count == cache->cap) {
        cache->cap = cache->cap ? cache->cap * 2 : 16;
        cache->chunks = mem_realloc(cache->chunks, cache->cap * sizeof *cache->chunks);
    }
    struct chunk *chunk = &cache->chunks[cache->count++];
    *chunk = (struct chunk){.first = first};
    return chunk;
}

void cache_add(struct cache *cache, uint64_t index, struct span record)
{
    struct chunk *chunk = last_chunk(cache);
    ASSERT(!chunk || chunk->first + chunk->count == index);
    if (!chunk || chunk->bytes.len + record.len > CHUNK_BYTES)
        chunk = add_chunk(cache, index);
    if (chunk->count == chunk->cap) {
        chunk->cap = chunk->cap ? chunk->cap * 2 : CHUNK_ENTRIES_MIN;
        chunk->offsets = mem_realloc(chunk->offsets, chunk->cap * sizeof *chunk->offsets);
    }
    chunk->offsets[chunk->count++] = (uint32_t)chunk->bytes.len;
    /* A large record gets a chunk of exactly its size; the first one may be all there is. */
    if (chunk->bytes.cap == 0 && (record.len > CHUNK_BYTES || cache->count > 1))
        buf_reserve_exact(&chunk->bytes, record.len > CHUNK_BYTES ? record.len : CHUNK_BYTES);
    buf_add_span(&chunk->bytes, record);
    chunk->ticket = 0;
    cache->bytes += record.len;
    cache->entries++;
}

void cache_flushed(struct cache *cache, uint64_t ticket)
{
    for (size_t i = cache->count; i > 0 && cache->chunks[i - 1].ticket == 0; i--)
        cache->chunks[i - 1].ticket = ticket;
}

static bool holds(const struct chunk *chunk, uint64_t index)
{
    return index >= chunk->first && index - chunk->first < chunk->count;
}

static struct chunk *chunk_of(struct cache *cache, uint64_t index)
{
    if (cache->count == 0 || index < cache->chunks[0].first)
        return NULL;
    if (cache->hint < cache->count && holds(&cache->chunks[cache->hint], index))
        return &cache->chunks[cache->hint];
    size_t low = 0;
    size_t high = cache->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (cache->chunks[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    cache->hint = low;
    return holds(&cache->chunks[low], index) ? &cache->chunks[low] : NULL;
}

static size_t end_of(const struct chunk *chunk, uint64_t index)
{
    uint64_t next = index - chunk->first + 1;
    return next < chunk->count ? chunk->offsets[next] : chunk->bytes.len;
}

struct span cache_run(struct cache *cache, uint64_t first, uint64_t last, size_t *count)
{
    const struct chunk *chunk = chunk_of(cache, first);
    if (!chunk) {
        *count = 0;
        return (struct span){NULL, 0};
    }
    uint64_t chunk_last = chunk->first + chunk->count - 1;
    if (last > chunk_last)
        last = chunk_last;
    *count = (size_t)(last - first + 1);
    size_t start = chunk->offsets[first - chunk->first];
    return span_of(chunk->bytes.ptr + start, end_of(chunk, last) - start);
}

struct span cache_find(struct cache *cache, uint64_t index)
{
    size_t count;
    return cache_run(cache, index, index, &count);
}

void cache_truncate(struct cache *cache, uint64_t last)
{
    while (cache->count && last_chunk(cache)->first > last) {
        close_chunk(cache, last_chunk(cache));
        cache->count--;
    }
    struct chunk *chunk = last_chunk(cache);
    if (!chunk || !holds(chunk, last + 1))
        return;
    size_t end = chunk->offsets[last + 1 - chunk->first];
    uint32_t kept = (uint32_t)(last + 1 - chunk->first);
    cache->bytes -= chunk->bytes.len - end;
    cache->entries -= chunk->count - kept;
    chunk->bytes.len = end;
    chunk->count = kept;
}

void cache_evict(struct cache *cache, const struct cache_needs *needs)
{
    size_t gone = 0;
    while (gone < cache->count) {
        struct chunk *chunk = &cache->chunks[gone];
        uint64_t last = chunk->first + chunk->count - 1;
        if (chunk->ticket == 0 || chunk->ticket > needs->completed || last > needs->pinned_after)
            break;
        bool is_wanted = last > needs->wanted_after || cache->bytes <= needs->bytes_min;
        if (is_wanted && cache->bytes <= needs->bytes_max)
            break;
        close_chunk(cache, chunk);
        gone++;
    }
    if (gone == 0)
        return;
    cache->count -= gone;
    cache->hint = 0;
    memmove(cache->chunks, cache->chunks + gone, cache->count * sizeof *cache->chunks);
}

void cache_close(struct cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        close_chunk(cache, &cache->chunks[i]);
    mem_free(cache->chunks);
    *cache = (struct cache){0};
}
