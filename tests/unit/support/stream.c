#include "unit/support/stream.h"

#include <string.h>

#include "keyspace/rdb_code.h"
#include "unit/support/test.h"

/* A reader over the body; `is_bad` stays once the bytes are not enough. */
struct reader {
    struct span rest;
    bool is_bad;
};

static struct span take_bytes(struct reader *reader, uint64_t count)
{
    if (count > reader->rest.len) {
        reader->is_bad = true;
        return span_of("                ", count <= 16 ? (size_t)count : 0);
    }
    struct span taken = span_of(reader->rest.ptr, (size_t)count);
    reader->rest = span_of(reader->rest.ptr + count, reader->rest.len - (size_t)count);
    return taken;
}

static uint64_t take_length(struct reader *reader)
{
    if (reader->rest.len == 0) {
        reader->is_bad = true;
        return 0;
    }
    unsigned bytes = rdb_length_bytes((unsigned char)reader->rest.ptr[0]);
    struct span taken = take_bytes(reader, bytes);
    if (bytes == 0 || reader->is_bad) {
        reader->is_bad = true;
        return 0;
    }
    struct rdb_length length = rdb_length_of((const unsigned char *)taken.ptr);
    reader->is_bad = length.encoded;
    return length.value;
}

static struct span take_text(struct reader *reader)
{
    return take_bytes(reader, take_length(reader));
}

static int64_t take_i64(struct reader *reader)
{
    struct span bytes = take_bytes(reader, 8);
    return (int64_t)rdb_little_endian((const unsigned char *)bytes.ptr, 8);
}

static struct stream_id take_id(struct reader *reader)
{
    struct stream_id id;
    id.ms = take_length(reader);
    id.seq = take_length(reader);
    return id;
}

static bool load_consumer(struct reader *reader, struct stream_group *group, int type)
{
    struct span name = take_text(reader);
    int64_t seen_ms = take_i64(reader), active_ms = 0;
    if (type == 21)
        active_ms = take_i64(reader);
    struct stream_consumer *consumer =
        stream_load_consumer(group, name, seen_ms, type == 21 ? &active_ms : NULL);
    for (uint64_t left = take_length(reader); consumer && left > 0 && !reader->is_bad; left--) {
        if (!stream_load_consumer_pending(group, consumer, take_bytes(reader, 16)))
            return false;
    }
    return consumer && !reader->is_bad;
}

static bool load_group(struct reader *reader, struct stream *stream, int type)
{
    struct span name = take_text(reader);
    struct stream_id last_id = take_id(reader);
    uint64_t read = type >= 19 ? take_length(reader) : 0;
    struct stream_group *group =
        stream_load_group(stream, name, last_id, type >= 19 ? &read : NULL);
    if (!group)
        return false;
    for (uint64_t left = take_length(reader); left > 0 && !reader->is_bad; left--) {
        struct span id = take_bytes(reader, 16);
        int64_t delivered_ms = take_i64(reader);
        if (!stream_load_pending(group, id, delivered_ms, take_length(reader)))
            return false;
    }
    for (uint64_t left = take_length(reader); left > 0 && !reader->is_bad; left--) {
        if (!load_consumer(reader, group, type))
            return false;
    }
    return !reader->is_bad;
}

static bool load(struct reader *reader, struct stream *stream, int type)
{
    for (uint64_t left = take_length(reader); left > 0 && !reader->is_bad; left--) {
        struct span id = take_text(reader);
        if (!stream_load_node(stream, id, take_text(reader)))
            return false;
    }
    struct stream_totals totals = {.length = take_length(reader)};
    totals.last_id = take_id(reader);
    totals.has_counters = type >= 19;
    if (totals.has_counters) {
        take_id(reader);
        totals.max_deleted_id = take_id(reader);
        totals.entries_added = take_length(reader);
    }
    if (reader->is_bad || !stream_load_totals(stream, &totals))
        return false;
    for (uint64_t left = take_length(reader); left > 0 && !reader->is_bad; left--) {
        if (!load_group(reader, stream, type))
            return false;
    }
    return !reader->is_bad && reader->rest.len == 0 && stream_load_finish(stream);
}

struct stream *stream_test_load(struct span body, int type)
{
    struct reader reader = {body, false};
    struct stream *stream = stream_new();
    if (load(&reader, stream, type))
        return stream;
    stream_free(stream);
    return NULL;
}

/* Saves it in pieces for this Redis and its successors, and loads that. */
static struct stream *reload_for(const struct stream *stream, enum redis_release oldest, int type)
{
    struct buf body = {0}, whole = {0};
    struct value_cursor cursor = {.oldest = oldest};
    size_t most = 1 + (size_t)(stream_sum(stream) % 500);
    bool more = true;
    while (more) {
        size_t before = body.len;
        more = stream_save(stream, &cursor, &body, most);
        assert_in_range(body.len - before, more ? 1 : 0, most + 300);
    }
    cursor = (struct value_cursor){.oldest = oldest};
    assert_false(stream_save(stream, &cursor, &whole, SIZE_MAX));
    assert_true(span_equal(buf_span(&body), buf_span(&whole)));
    struct stream *loaded = stream_test_load(buf_span(&body), type);
    assert_non_null(loaded);
    buf_close(&body);
    buf_close(&whole);
    return loaded;
}

static void take_notes(const struct stream *stream, struct stream *loaded)
{
    struct buf note = {0};
    struct value_cursor cursor = {0};
    while (stream_note(stream, &cursor, &note)) {
        assert_in_range(note.len, 1, VALUE_NOTE_MAX);
        assert_true(stream_note_take(loaded, buf_span(&note)));
        note.len = 0;
    }
    buf_close(&note);
}

static void check_same(const struct stream *loaded, const struct stream *stream)
{
    assert_int_equal(stream_sum(loaded), stream_sum(stream));
    assert_int_equal(stream_sum_by_walk(loaded), stream_sum(stream));
    assert_int_equal(stream_test_digest(loaded), stream_test_digest(stream));
}

struct stream *stream_test_reload(const struct stream *stream)
{
    struct stream *newer = reload_for(stream, REDIS_7_0, 19);
    assert_int_equal(newer->entries_added, stream->entries_added);
    assert_int_equal(stream_id_compare(newer->max_deleted_id, stream->max_deleted_id), 0);
    for (size_t i = 0; i < stream->groups_count; i++)
        assert_int_equal(newer->groups[i]->entries_read, stream->groups[i]->entries_read);
    take_notes(stream, newer);
    check_same(newer, stream);
    stream_free(newer);
    newer = reload_for(stream, REDIS_7_2, 21); /* nothing is left to be noted */
    check_same(newer, stream);
    stream_free(newer);
    struct stream *loaded = reload_for(stream, REDIS_5_0, 15);
    take_notes(stream, loaded);
    check_same(loaded, stream);
    return loaded;
}

struct hashing_sink {
    struct value_sink sink;
    uint64_t hash;
};

static void add_to_hash(struct value_sink *sink, const void *bytes, size_t len)
{
    struct hashing_sink *hashing = (struct hashing_sink *)sink;
    for (size_t i = 0; i < len; i++)
        hashing->hash = (hashing->hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
}

uint64_t stream_test_digest(const struct stream *stream)
{
    struct hashing_sink hashing = {{add_to_hash}, 0xcbf29ce484222325};
    stream_ops.digest(stream, &hashing.sink);
    return hashing.hash;
}
