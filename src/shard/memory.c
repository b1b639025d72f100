/* What a group takes of memory besides its data, and giving back what a large entry made grow. */
#include "base/mem.h"
#include "shard/internal.h"

enum { BUFFER_KEEP = 1 << 20, TRIM_MS = 1000 };

uint64_t shard_memory(const struct shard *shard)
{
    const size_t sizes[] = {
        shard->batch.cap,
        shard->image.piece.cap,
        shard->records.cap,
        shard->encoded.cap,
        shard->incoming.unpacked.cap,
        shard->unread.cap,
        shard->reads.arena.bytes.cap,
        shard->writes.arena.bytes.cap,
        shard->writes.cap * sizeof *shard->writes.items,
        shard->reads.cap * sizeof *shard->reads.items,
        shard->notes_cap * sizeof *shard->notes,
        shard->batch_cap * sizeof *shard->entries,
    };
    uint64_t bytes = storage_memory(shard->storage) + sessions_memory(&shard->machine.sessions) +
                     shard->held.bytes;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        bytes += mem_footprint(sizes[i]);
    return bytes;
}

static void trim(struct buf *buf)
{
    if (buf->len == 0 && buf->cap > BUFFER_KEEP)
        buf_close(buf);
}

/* Between two messages: what is scratch holds nothing then. */
static void trim_scratch(struct buf *buf)
{
    if (buf->cap > BUFFER_KEEP)
        buf_close(buf);
}

void shard_trim(struct shard *shard)
{
    if (shard->now.mono_ms < shard->trim_ms)
        return;
    shard->trim_ms = shard->now.mono_ms + TRIM_MS;
    trim(&shard->batch);
    trim(&shard->image.piece);
    trim(&shard->reads.arena.bytes);
    trim(&shard->writes.arena.bytes);
    trim_scratch(&shard->encoded);
    trim_scratch(&shard->unread);
    trim_scratch(&shard->incoming.unpacked);
    if (shard->records.cap > BUFFER_KEEP) {
        buf_close(&shard->records);
        shard->records_first = 0;
    }
    storage_trim(shard->storage);
}
