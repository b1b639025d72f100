/* Shared by the tests of collections: rules that keep the same value in different forms, a digest,
 * and a save in pieces. */
#ifndef FLOTILLA_TESTS_UNIT_KEYSPACE_VALUES_H
#define FLOTILLA_TESTS_UNIT_KEYSPACE_VALUES_H

#include <stdlib.h>

#include "base/prng.h"
#include "keyspace/rdb_code.h"
#include "keyspace/value.h"
#include "unit/support/test.h"

enum { RULES = 4 };

static inline struct value_rules rules_of(int which)
{
    struct value_rules rules = value_rules_default;
    static const size_t sizes[RULES] = {0, 0, 5, 100000};
    rules.seed = (uint64_t)which * 77;
    if (which == 0)
        return rules;
    rules.hash_packed_entries = rules.zset_packed_entries = sizes[which];
    rules.set_intset_entries = rules.set_packed_entries = sizes[which];
    rules.hash_packed_value = rules.set_packed_value = rules.zset_packed_value =
        which == 3 ? 100000 : 20;
    return rules;
}

/* All bytes of a digest, one after another. */
struct bytes_sink {
    struct value_sink sink;
    struct buf bytes;
};

static inline void bytes_sink_add(struct value_sink *sink, const void *bytes, size_t len)
{
    buf_add(&((struct bytes_sink *)sink)->bytes, bytes, len);
}

static inline struct buf digest_of(const struct value_ops *ops, const void *value)
{
    struct bytes_sink sink = {.sink.add = bytes_sink_add};
    ops->digest(value, &sink.sink);
    return sink.bytes;
}

static inline struct buf save_in_pieces(const struct value_ops *ops, const void *value, size_t most)
{
    struct buf out = {0};
    struct value_cursor cursor = {0};
    size_t before = 0;
    while (ops->save(value, &cursor, &out, most)) {
        assert_true(out.len > before && out.len <= before + most + RDB_LENGTH_BYTES);
        before = out.len;
    }
    return out;
}

static inline void assert_equal_bufs(struct buf a, struct buf b)
{
    assert_true(span_equal(buf_span(&a), buf_span(&b)));
    buf_close(&a);
    buf_close(&b);
}

/* Reads what save() wrote. The text is copied into `scratch` if it was an integer. */
static inline uint64_t take_length(struct span *in, bool *encoded)
{
    const unsigned char *bytes = (const unsigned char *)in->ptr;
    struct rdb_length length = rdb_length_of(bytes);
    unsigned count = rdb_length_bytes(bytes[0]);
    *in = span_of(in->ptr + count, in->len - count);
    *encoded = length.encoded;
    return length.value;
}

static inline struct span take_text(struct span *in, char scratch[NUMBER_I64_CHARS])
{
    bool encoded;
    uint64_t len = take_length(in, &encoded);
    struct span text;
    if (encoded) {
        unsigned bytes = rdb_integer_bytes(len);
        int64_t number = rdb_integer_of((const unsigned char *)in->ptr, bytes);
        text = span_of(scratch, number_format_i64(scratch, number));
        len = bytes;
    } else {
        text = span_of(in->ptr, len);
    }
    assert_true(len <= in->len);
    *in = span_of(in->ptr + len, in->len - len);
    return text;
}

#endif
