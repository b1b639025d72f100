/* A stream as a value of the keyspace. */
#include "keyspace/stream.h"
#include "keyspace/stream_rdb.h"

static void *make(void)
{
    return stream_new();
}

static size_t count(const void *value)
{
    return stream_length(value);
}

static uint64_t sum(const void *value)
{
    return stream_sum(value);
}

static uint64_t sum_by_walk(const void *value)
{
    return stream_sum_by_walk(value);
}

static void add_number(struct value_sink *sink, uint64_t number)
{
    sink->add(sink, &number, sizeof(number));
}

static void add_id(struct value_sink *sink, struct stream_id id)
{
    add_number(sink, id.ms);
    add_number(sink, id.seq);
}

static void add_text(struct value_sink *sink, struct span text)
{
    add_number(sink, text.len);
    if (text.len)
        sink->add(sink, text.ptr, text.len);
}

static void digest_entries(const struct stream *stream, struct value_sink *sink)
{
    struct stream_walk walk;
    struct stream_entry entry;
    bool more = stream_walk_begin(stream, STREAM_ID_MIN, STREAM_ID_MAX, &walk, &entry);
    for (; more; more = stream_walk_next(&walk, &entry)) {
        struct stream_field_walk fields;
        struct stream_field field;
        add_id(sink, entry.id);
        add_number(sink, entry.field_count);
        stream_entry_fields(&entry, &fields);
        while (stream_field_next(&fields, &field)) {
            add_text(sink, field.name);
            add_text(sink, field.value);
        }
    }
}

static void digest_group(const struct stream_group *group, struct value_sink *sink)
{
    add_text(sink, stream_group_name(group));
    add_id(sink, group->last_id);
    add_number(sink, (uint64_t)group->entries_read);
    add_number(sink, group->consumers_count);
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        add_text(sink, stream_consumer_name(consumer));
        add_number(sink, (uint64_t)consumer->seen_ms);
        add_number(sink, (uint64_t)consumer->active_ms);
    }
    struct stream_pending_walk walk;
    const struct stream_pending *pending = stream_pending_seek(group, NULL, STREAM_ID_MIN, &walk);
    add_number(sink, stream_group_pending_count(group));
    for (; pending; pending = stream_pending_next(&walk)) {
        add_id(sink, pending->id);
        add_text(sink, stream_consumer_name(pending->owner));
        add_number(sink, (uint64_t)pending->delivered_ms);
        add_number(sink, pending->deliveries);
    }
}

static void digest(const void *value, struct value_sink *sink)
{
    const struct stream *stream = value;
    digest_entries(stream, sink);
    add_id(sink, stream->last_id);
    add_id(sink, stream->max_deleted_id);
    add_number(sink, stream->entries_added);
    for (size_t i = 0; i < stream->groups_count; i++)
        digest_group(stream->groups[i], sink);
}

/* Maintained by each change, so it is exact whatever `samples` says. */
static size_t memory(const void *value, size_t samples)
{
    (void)samples;
    return stream_memory(value);
}

static const char *encoding(const void *value)
{
    (void)value;
    return "stream";
}

static void *copy(const void *value)
{
    return stream_copy(value);
}

static size_t free_some(void *value, size_t limit)
{
    return stream_free_some(value, limit);
}

static unsigned newer_rdb_type(enum redis_release oldest)
{
    return oldest == REDIS_7_0 ? STREAM_DUMP_TYPE : STREAM_NEWEST_TYPE;
}

static unsigned rdb_type(const void *value)
{
    (void)value;
    return STREAM_RDB_TYPE;
}

static bool save(const void *value, struct value_cursor *cursor, struct buf *out, size_t most)
{
    return stream_save(value, cursor, out, most);
}

static void dump(const void *value, struct buf *out)
{
    buf_add_char(out, STREAM_DUMP_TYPE);
    stream_dump(value, out);
}

static bool note(const void *value, struct value_cursor *cursor, struct buf *out)
{
    return stream_note(value, cursor, out);
}

static bool note_take(void *value, struct span text, const struct value_rules *rules)
{
    (void)rules;
    return stream_note_take(value, text);
}

const struct value_ops stream_ops = {
    .name = "stream",
    .make = make,
    .count = count,
    .sum = sum,
    .sum_by_walk = sum_by_walk,
    .digest = digest,
    .memory = memory,
    .encoding = encoding,
    .copy = copy,
    .free_some = free_some,
    .rdb_type = rdb_type,
    .newer_rdb_type = newer_rdb_type,
    .save = save,
    .dump = dump,
    .note = note,
    .note_take = note_take,
};
