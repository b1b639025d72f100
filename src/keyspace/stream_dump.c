/* A stream as DUMP returns it: in the form of Redis 7.0, which holds all counters, and compressed.
 */
#include "keyspace/rdb_code.h"
#include "keyspace/rdb_lzf.h"
#include "keyspace/stream_rdb.h"

static void dump_nodes(const struct stream *stream, struct buf *out)
{
    struct spine_place place;
    rdb_add_length(out, stream->nodes.leaves);
    for (bool more = spine_first(&stream->nodes, &place); more; more = spine_next(&place)) {
        const struct stream_node *node = place.leaf;
        rdb_add_length(out, STREAM_ID_BYTES);
        stream_add_id_packed(out, node->id);
        rdb_add_text_packed(out, listpack_span(&node->pack));
    }
}

static void dump_consumer(const struct stream_group *group, const struct stream_consumer *consumer,
                          struct buf *out)
{
    struct stream_pending_walk walk;
    rdb_add_text_packed(out, stream_consumer_name(consumer));
    rdb_add_little_endian(out, (uint64_t)consumer->seen_ms, 8);
    rdb_add_length(out, stream_consumer_pending_count(consumer));
    const struct stream_pending *pending =
        stream_pending_seek(group, consumer, STREAM_ID_MIN, &walk);
    for (; pending; pending = stream_pending_next(&walk))
        stream_add_id_packed(out, pending->id);
}

static void dump_group(const struct stream_group *group, struct buf *out)
{
    struct stream_pending_walk walk;
    rdb_add_text_packed(out, stream_group_name(group));
    stream_add_id(out, group->last_id);
    rdb_add_length(out, (uint64_t)group->entries_read);
    rdb_add_length(out, stream_group_pending_count(group));
    const struct stream_pending *pending = stream_pending_seek(group, NULL, STREAM_ID_MIN, &walk);
    for (; pending; pending = stream_pending_next(&walk)) {
        stream_add_id_packed(out, pending->id);
        rdb_add_little_endian(out, (uint64_t)pending->delivered_ms, 8);
        rdb_add_length(out, pending->deliveries);
    }
    rdb_add_length(out, group->consumers_count);
    for (size_t i = 0; i < group->consumers_count; i++)
        dump_consumer(group, group->consumers[i], out);
}

void stream_dump(const struct stream *stream, struct buf *out)
{
    dump_nodes(stream, out);
    rdb_add_length(out, stream_length(stream));
    stream_add_id(out, stream->last_id);
    stream_add_id(out, stream->first_id);
    stream_add_id(out, stream->max_deleted_id);
    rdb_add_length(out, stream->entries_added);
    rdb_add_length(out, stream->groups_count);
    for (size_t i = 0; i < stream->groups_count; i++)
        dump_group(stream->groups[i], out);
}
