/* Shared by the tests of values in RDB files and payloads. */
#ifndef FLOTILLA_TESTS_UNIT_KEYSPACE_RDB_VALUES_H
#define FLOTILLA_TESTS_UNIT_KEYSPACE_RDB_VALUES_H

#include <string.h>

#include "base/crc.h"
#include "base/number.h"
#include "keyspace/rdb.h"
#include "keyspace/stream.h"
#include "unit/keyspace/values.h"
#include "unit/support/only.h"
#include "unit/support/shown.h"

static inline struct keyspace *keyspace_with(int rules)
{
    struct keyspace *keyspace = keyspace_new((uint64_t)rules + 1);
    const struct value_rules of = rules_of(rules);
    keyspace_set_rules(keyspace, &of);
    return keyspace;
}

static inline void expect_shown(const struct item *item, const char *shown)
{
    struct buf text = {0};
    assert_non_null(item);
    shown_item(&text, item);
    buf_add_char(&text, '\0');
    assert_string_equal(text.ptr, shown);
    buf_close(&text);
}

static inline struct item *find(struct keyspace *keyspace, const char *key)
{
    return keyspace_find(keyspace, span_text(key), NO_DEADLINE);
}

/* A file with this between its head and its end. */
static inline struct buf file_of(struct span records)
{
    struct buf file = {0};
    buf_add_text(&file, "REDIS0011");
    buf_add_span(&file, records);
    buf_add_span(&file, SPAN("\xff\0\0\0\0\0\0\0\0"));
    return file;
}

/* The same body with this key. */
static inline void add_record(struct buf *out, const char *key, struct span body)
{
    buf_add_char(out, body.ptr[0]);
    rdb_add_length(out, strlen(key));
    buf_add_text(out, key);
    buf_add(out, body.ptr + 1, body.len - 1);
}

static inline enum rdb_outcome read_pieces(struct keyspace *into, struct span file, size_t piece,
                                           const struct rdb_reader_options *options)
{
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, options);
    enum rdb_outcome outcome = RDB_MORE;
    for (size_t at = 0; at < file.len; at += piece) {
        size_t len = file.len - at < piece ? file.len - at : piece;
        outcome = rdb_reader_feed(reader, span_of(file.ptr + at, len));
    }
    assert_int_equal(rdb_reader_message(reader)[0] != '\0',
                     outcome == RDB_BAD || outcome == RDB_UNSUPPORTED);
    rdb_reader_free(reader);
    only_close(&only);
    return outcome;
}

static inline struct buf payload_of(struct span body, unsigned version)
{
    struct buf payload = {0};
    buf_add_span(&payload, body);
    rdb_add_little_endian(&payload, version, 2);
    rdb_add_little_endian(&payload, crc64(0, payload.ptr, payload.len), 8);
    return payload;
}

/* The item, or NULL if the payload is refused. */
static inline struct item *restore(struct keyspace *keyspace, const char *key, struct span payload)
{
    struct rdb_value value;
    struct item *item = NULL;
    enum rdb_payload outcome = rdb_read_payload(payload, keyspace_rules(keyspace), &value);
    assert_true(outcome == RDB_PAYLOAD_FINE || outcome == RDB_PAYLOAD_BAD_FORMAT);
    if (outcome == RDB_PAYLOAD_FINE)
        item = rdb_store_value(keyspace, span_text(key), &value, NO_DEADLINE, 1);
    rdb_value_close(&value);
    return item;
}

static inline struct item *restore_body(struct keyspace *keyspace, const char *key,
                                        struct span body)
{
    struct buf payload = payload_of(body, 11);
    struct item *item = restore(keyspace, key, buf_span(&payload));
    buf_close(&payload);
    return item;
}

static inline void expect_sound(const struct keyspace *keyspace)
{
    assert_true(keyspace_sum(keyspace) == keyspace_sum_by_walk(keyspace));
}

/* What a payload has no place for: when a consumer of a stream was active. */
static inline bool is_more_than_a_payload(const struct item *item)
{
    if (item_type(item) != VALUE_STREAM)
        return false;
    const struct stream *stream = item_elements(item);
    for (size_t i = 0; i < stream->groups_count; i++) {
        const struct stream_group *group = stream->groups[i];
        for (size_t j = 0; j < group->consumers_count; j++) {
            if (group->consumers[j]->active_ms != group->consumers[j]->seen_ms)
                return true;
        }
    }
    return false;
}

/* A value that was taken is whole: it can be dumped, and comes back. */
static inline void expect_usable(struct keyspace *keyspace, const struct item *item)
{
    struct buf shown = {0};
    struct buf payload = {0};
    shown_item(&shown, item);
    buf_add_char(&shown, '\0');
    rdb_dump_value(item, &payload);
    struct item *again = restore(keyspace, "again", buf_span(&payload));
    assert_non_null(again);
    if (!is_more_than_a_payload(item))
        expect_shown(again, shown.ptr);
    expect_sound(keyspace);
    buf_close(&payload);
    buf_close(&shown);
}

static inline enum rdb_outcome outcome_of(struct span records, const char *message)
{
    struct buf file = file_of(records);
    struct keyspace *keyspace = keyspace_with(0);
    struct databases only = {.list = {keyspace}};
    struct rdb_reader *reader = rdb_reader_new(&only, NULL);
    enum rdb_outcome outcome = rdb_reader_feed(reader, buf_span(&file));
    assert_string_equal(rdb_reader_message(reader), message);
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(keyspace);
    buf_close(&file);
    return outcome;
}

#endif
