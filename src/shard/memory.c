/* What a group takes of memory besides its data, and giving back what a large entry made grow. */
#include "base/mem.h"
#include "shard/internal.h"

enum {
    BUFFER_KEEP = 128 * 1024,
    TRIM_MS = 1000,
    SPARE_BYTES = 1 << 20, /* of recent entries that all members have, as far as is known */
    ALONE_BYTES = 1 << 16, /* where there are no others: so that each turn need not begin anew */
};

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

/* The log keeps in memory what is not applied and what members that keep up have not stored. One
 * that is silent, or whose next entry has left the memory already, is sent entries from the disk.
 * A follower may become the leader of others that are slightly behind, so it keeps a little. */
void shard_keep_recent(struct shard *shard)
{
    uint64_t recently = shard->options.raft.election_timeout_ms;
    uint64_t since_ms = shard->now.mono_ms > recently ? shard->now.mono_ms - recently : 0;
    bool is_alone = raft_membership(shard->raft)->count <= 1;
    uint64_t stored =
        raft_stored_by_all(shard->raft, storage_cached_after(shard->storage), since_ms);
    storage_want(shard->storage, stored, is_alone ? ALONE_BYTES : SPARE_BYTES);
    storage_pin(shard->storage, shard->machine.applied_index);
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
