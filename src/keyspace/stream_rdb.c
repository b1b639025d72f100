#include "keyspace/stream_rdb.h"

#include "base/number.h"
#include "keyspace/rdb_code.h"

/* Writing. cursor->at[0] is the stage and, from CONSUMER on, the consumer's position above it;
 * at[1] is the offset in a node, later the position of the group; at[2] and at[3] are the ID to go
 * on with, or at[2] is the offset in a name. */

enum stage { HEAD, NODES, TOTALS, GROUP, PENDING, CONSUMER, CONSUMER_PENDING, END };

enum { STAGE_BITS = 8 };

static enum stage stage_of(const struct value_cursor *cursor)
{
    return (enum stage)(cursor->at[0] & ((1 << STAGE_BITS) - 1));
}

static void go_to(struct value_cursor *cursor, enum stage stage, uint64_t position,
                  struct stream_id from)
{
    cursor->at[0] = (uint64_t)stage | position << STAGE_BITS;
    cursor->at[2] = from.ms;
    cursor->at[3] = from.seq;
}

static struct stream_id from_of(const struct value_cursor *cursor)
{
    return (struct stream_id){cursor->at[2], cursor->at[3]};
}

void stream_add_id_packed(struct buf *out, struct stream_id id)
{
    unsigned char packed[STREAM_ID_BYTES];
    stream_id_pack(packed, id);
    buf_add(out, packed, sizeof(packed));
}

void stream_add_id(struct buf *out, struct stream_id id)
{
    rdb_add_length(out, id.ms);
    rdb_add_length(out, id.seq);
}

/* Writes up to `room` bytes of a name; cursor->at[2] counts those that were written before. False:
 * there are more. */
static bool save_name(struct span name, struct value_cursor *cursor, struct buf *out, size_t room)
{
    size_t offset = (size_t)cursor->at[2];
    if (offset == 0)
        rdb_add_length(out, name.len);
    size_t len = name.len - offset < room ? name.len - offset : room;
    buf_add_span(out, span_of(name.ptr + offset, len));
    cursor->at[2] += len;
    return cursor->at[2] == name.len;
}

static bool node_begins(const void *sought, const void *leaf)
{
    const struct stream_node *node = leaf;
    return stream_id_compare(node->id, *(const struct stream_id *)sought) <= 0;
}

static void save_head(const struct stream *stream, struct value_cursor *cursor, struct buf *out)
{
    struct spine_place place;
    rdb_add_length(out, stream->nodes.leaves);
    cursor->at[1] = 0;
    if (spine_first(&stream->nodes, &place))
        go_to(cursor, NODES, 0, ((const struct stream_node *)place.leaf)->id);
    else
        go_to(cursor, TOTALS, 0, STREAM_ID_MIN);
}

static void save_node(const struct stream *stream, struct value_cursor *cursor, struct buf *out,
                      size_t room)
{
    struct spine_place place;
    struct stream_id id = from_of(cursor);
    spine_find(&stream->nodes, node_begins, &id, &place);
    const struct stream_node *node = place.leaf;
    struct span pack = listpack_span(&node->pack);
    size_t offset = (size_t)cursor->at[1];
    if (offset == 0) {
        rdb_add_length(out, STREAM_ID_BYTES);
        stream_add_id_packed(out, node->id);
        rdb_add_length(out, pack.len);
    }
    size_t len = pack.len - offset < room ? pack.len - offset : room;
    buf_add(out, pack.ptr + offset, len);
    cursor->at[1] = offset + len;
    if (offset + len < pack.len)
        return;
    cursor->at[1] = 0;
    if (spine_next(&place))
        go_to(cursor, NODES, 0, ((const struct stream_node *)place.leaf)->id);
    else
        go_to(cursor, TOTALS, 0, STREAM_ID_MIN);
}

static void save_totals(const struct stream *stream, struct value_cursor *cursor, struct buf *out)
{
    rdb_add_length(out, stream_length(stream));
    stream_add_id(out, stream->last_id);
    if (cursor->oldest != REDIS_5_0) {
        stream_add_id(out, stream->first_id);
        stream_add_id(out, stream->max_deleted_id);
        rdb_add_length(out, stream->entries_added);
    }
    rdb_add_length(out, stream->groups_count);
    cursor->at[1] = 0;
    go_to(cursor, stream->groups_count ? GROUP : END, 0, STREAM_ID_MIN);
}

static void save_group(const struct stream_group *group, struct value_cursor *cursor,
                       struct buf *out, size_t room)
{
    if (!save_name(stream_group_name(group), cursor, out, room))
        return;
    stream_add_id(out, group->last_id);
    if (cursor->oldest != REDIS_5_0)
        rdb_add_length(out, (uint64_t)group->entries_read);
    rdb_add_length(out, stream_group_pending_count(group));
    go_to(cursor, PENDING, 0, STREAM_ID_MIN);
}

/* Writes pending entries up to `room` bytes. False: there are more, the cursor is there. */
static bool save_pending(const struct stream_group *group, const struct stream_consumer *consumer,
                         struct value_cursor *cursor, struct buf *out, size_t room)
{
    struct stream_pending_walk walk;
    size_t start = out->len;
    const struct stream_pending *pending =
        stream_pending_seek(group, consumer, from_of(cursor), &walk);
    for (; pending && out->len - start < room; pending = stream_pending_next(&walk)) {
        stream_add_id_packed(out, pending->id);
        if (consumer)
            continue;
        rdb_add_little_endian(out, (uint64_t)pending->delivered_ms, 8);
        rdb_add_length(out, pending->deliveries);
    }
    if (pending)
        go_to(cursor, stage_of(cursor), cursor->at[0] >> STAGE_BITS, pending->id);
    return pending == NULL;
}

static void save_consumer(const struct stream *stream, struct value_cursor *cursor, struct buf *out,
                          size_t room)
{
    const struct stream_group *group = stream->groups[cursor->at[1]];
    uint64_t position = cursor->at[0] >> STAGE_BITS;
    if (position == group->consumers_count) {
        cursor->at[1]++;
        go_to(cursor, cursor->at[1] == stream->groups_count ? END : GROUP, 0, STREAM_ID_MIN);
        return;
    }
    const struct stream_consumer *consumer = group->consumers[position];
    if (!save_name(stream_consumer_name(consumer), cursor, out, room))
        return;
    rdb_add_little_endian(out, (uint64_t)consumer->seen_ms, 8);
    if (cursor->oldest == REDIS_7_2)
        rdb_add_little_endian(out, (uint64_t)consumer->active_ms, 8);
    rdb_add_length(out, stream_consumer_pending_count(consumer));
    go_to(cursor, CONSUMER_PENDING, position, STREAM_ID_MIN);
}

static void save_part_of_group(const struct stream *stream, struct value_cursor *cursor,
                               struct buf *out, size_t room)
{
    const struct stream_group *group = stream->groups[cursor->at[1]];
    uint64_t position = cursor->at[0] >> STAGE_BITS;
    switch (stage_of(cursor)) {
    case GROUP:
        save_group(group, cursor, out, room);
        break;
    case PENDING:
        if (save_pending(group, NULL, cursor, out, room)) {
            rdb_add_length(out, group->consumers_count);
            go_to(cursor, CONSUMER, 0, STREAM_ID_MIN);
        }
        break;
    case CONSUMER:
        save_consumer(stream, cursor, out, room);
        break;
    case CONSUMER_PENDING:
        if (save_pending(group, group->consumers[position], cursor, out, room))
            go_to(cursor, CONSUMER, position + 1, STREAM_ID_MIN);
        break;
    case HEAD:
    case NODES:
    case TOTALS:
    case END:
        break;
    }
}

bool stream_save(const struct stream *stream, struct value_cursor *cursor, struct buf *out,
                 size_t most)
{
    size_t start = out->len;
    while (stage_of(cursor) != END) {
        size_t written = out->len - start;
        if (written >= most)
            return true;
        switch (stage_of(cursor)) {
        case HEAD:
            save_head(stream, cursor, out);
            break;
        case NODES:
            save_node(stream, cursor, out, most - written);
            break;
        case TOTALS:
            save_totals(stream, cursor, out);
            break;
        case GROUP:
        case PENDING:
        case CONSUMER:
        case CONSUMER_PENDING:
            save_part_of_group(stream, cursor, out, most - written);
            break;
        case END:
            break;
        }
    }
    return false;
}

/* Loading. */

static bool unpack_id(struct span bytes, struct stream_id *id)
{
    if (bytes.len != STREAM_ID_BYTES)
        return false;
    *id = stream_id_unpack((const unsigned char *)bytes.ptr);
    return true;
}

bool stream_load_node(struct stream *stream, struct span id, struct span pack)
{
    struct stream_id node_id;
    if (!unpack_id(id, &node_id))
        return false;
    return stream_add_node(stream, stream_node_load(node_id, pack));
}

bool stream_load_totals(struct stream *stream, const struct stream_totals *totals)
{
    struct stream_entry last;
    if (totals->length != stream_length(stream))
        return false;
    if (stream_last(stream, &last) && stream_id_compare(last.id, totals->last_id) > 0)
        return false;
    stream_set_last_id(stream, totals->last_id);
    if (!totals->has_counters) {
        stream_set_counters(stream, totals->length, STREAM_ID_MIN);
        return true;
    }
    stream_set_counters(stream, totals->entries_added, totals->max_deleted_id);
    return true;
}

struct stream_group *stream_load_group(struct stream *stream, struct span name,
                                       struct stream_id last_id, const uint64_t *entries_read)
{
    size_t count = stream->groups_count;
    if (count && span_compare(stream_group_name(stream->groups[count - 1]), name) >= 0)
        return NULL;
    int64_t read = entries_read ? (int64_t)*entries_read : stream_added_until(stream, last_id);
    return stream_add_group(stream, name, last_id, read);
}

bool stream_load_pending(struct stream_group *group, struct span id, int64_t delivered_ms,
                         uint64_t deliveries)
{
    struct stream_pending pending = {.delivered_ms = delivered_ms, .deliveries = deliveries};
    return unpack_id(id, &pending.id) && stream_group_add_ownerless(group, &pending);
}

struct stream_consumer *stream_load_consumer(struct stream_group *group, struct span name,
                                             int64_t seen_ms, const int64_t *active_ms)
{
    size_t count = group->consumers_count;
    if (name.len > UINT32_MAX ||
        (count && span_compare(stream_consumer_name(group->consumers[count - 1]), name) >= 0))
        return NULL;
    struct stream_consumer *consumer = stream_group_add_consumer(group, name, seen_ms);
    stream_consumer_touch(group, consumer, seen_ms, active_ms ? *active_ms : seen_ms);
    return consumer;
}

bool stream_load_consumer_pending(struct stream_group *group, struct stream_consumer *consumer,
                                  struct span id)
{
    struct stream_id pending;
    return unpack_id(id, &pending) && stream_group_set_owner(group, pending, consumer);
}

bool stream_load_finish(const struct stream *stream)
{
    for (size_t i = 0; i < stream->groups_count; i++) {
        const struct stream_group *group = stream->groups[i];
        size_t owned = 0;
        for (size_t j = 0; j < group->consumers_count; j++)
            owned += stream_consumer_pending_count(group->consumers[j]);
        if (owned != stream_group_pending_count(group))
            return false;
    }
    return true;
}
