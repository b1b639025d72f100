/* A single value: DUMP returns it, RESTORE takes it. */
#include "base/crc.h"
#include "base/number.h"
#include "keyspace/hash.h"
#include "keyspace/item.h"
#include "keyspace/rdb_lzf.h"
#include "keyspace/rdb_reader.h"

enum { FOOTER_BYTES = 2 + 8 }; /* version and checksum */

void rdb_add_text_packed(struct buf *out, struct span text)
{
    enum { PACKED_FROM = 21 };
    struct buf packed = {0};
    if (text.len >= PACKED_FROM && rdb_pack(text, &packed)) {
        rdb_add_packed_head(out, packed.len, text.len);
        buf_add_span(out, buf_span(&packed));
    } else {
        buf_add_span(out, rdb_add_text_head(out, text));
    }
    buf_close(&packed);
}

/* As Valkey 9 writes it: no Redis whose version this server has knows deadlines of fields. */
static void add_hash_with_deadlines(const struct hash *hash, struct buf *out)
{
    struct hash_walk walk = hash_walk(hash);
    rdb_add_length(out, hash_count(hash));
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);) {
        buf_add_span(out, rdb_add_text_head(out, entry.field));
        buf_add_span(out, rdb_add_text_head(out, entry.value));
        int64_t deadline_ms = entry.deadline_ms == NO_DEADLINE ? -1 : entry.deadline_ms;
        rdb_add_little_endian(out, (uint64_t)deadline_ms, 8);
    }
}

static void add_elements(enum value_type type, const void *value, struct buf *out)
{
    const struct value_ops *ops = value_ops_of(type);
    struct value_cursor cursor = {.at = {0}};
    if (ops->dump) {
        ops->dump(value, out);
        return;
    }
    buf_add_char(out, (char)ops->rdb_type(value));
    while (ops->save(value, &cursor, out, SIZE_MAX / 2))
        continue;
}

/* Returns the version that a reader has to know. */
static unsigned add_body(const struct item *item, struct buf *out)
{
    if (item->form != FORM_VALUE) {
        buf_add_char(out, RDB_TYPE_STRING);
        char scratch[NUMBER_I64_CHARS];
        rdb_add_text_packed(out, item_string(item, scratch));
    } else if (item_type(item) == VALUE_HASH && hash_has_deadlines(item_value(item))) {
        buf_add_char(out, RDB_TYPE_HASH_2);
        add_hash_with_deadlines(item_value(item), out);
        return RDB_VERSION_OF_VALKEY;
    } else {
        add_elements(item_type(item), item_value(item), out);
    }
    return RDB_VERSION_OF_PAYLOADS;
}

static void add_footer(struct buf *out, size_t begin, unsigned version)
{
    rdb_add_little_endian(out, version, 2);
    rdb_add_little_endian(out, crc64(0, out->ptr + begin, out->len - begin), 8);
}

void rdb_dump_value(const struct item *item, struct buf *out)
{
    size_t begin = out->len;
    add_footer(out, begin, add_body(item, out));
}

static bool is_version_known(uint64_t version)
{
    return version <= RDB_VERSION_MAX || version == RDB_VERSION_OF_VALKEY;
}

static bool take_length(struct span *in, struct rdb_length *length)
{
    const unsigned char *at = (const unsigned char *)in->ptr;
    unsigned count = in->len ? rdb_length_bytes(*at) : 0;
    if (count == 0 || count > in->len)
        return false;
    *length = rdb_length_of(at);
    *in = span_of(in->ptr + count, in->len - count);
    return true;
}

static bool unpack(struct span in, struct buf *room, struct span *value)
{
    struct rdb_length packed;
    struct rdb_length unpacked;
    if (!take_length(&in, &packed) || !take_length(&in, &unpacked) || packed.encoded ||
        unpacked.encoded || packed.value > in.len || unpacked.value > RDB_STRING_MAX ||
        !rdb_packed_plausible(packed.value, unpacked.value))
        return false;
    if (!rdb_unpack(span_of(in.ptr, (size_t)packed.value), (size_t)unpacked.value, room))
        return false;
    *value = buf_span(room);
    return true;
}

/* `value` points into `in`, or into `room` for an integer or a compressed string. Bytes after the
 * string are ignored, as in Redis. */
static bool parse_string(struct span in, struct buf *room, struct span *value)
{
    struct rdb_length length;
    if (!take_length(&in, &length))
        return false;
    if (!length.encoded) {
        if (length.value > in.len || length.value > RDB_STRING_MAX)
            return false;
        *value = span_of(in.ptr, (size_t)length.value);
        return true;
    }
    if (length.value == RDB_ENCODING_LZF)
        return unpack(in, room, value);
    unsigned count = rdb_integer_bytes(length.value);
    if (count == 0 || count > in.len)
        return false;
    buf_add_i64(room, rdb_integer_of((const unsigned char *)in.ptr, count));
    *value = buf_span(room);
    return true;
}

/* A value without elements is none, but for a stream. */
static bool read_elements(unsigned rdb_type, struct span body, const struct value_rules *rules,
                          struct rdb_value *value)
{
    struct rdb_build build = {0};
    rdb_build_begin(&build, rdb_type, rules);
    bool valid = rdb_read_value(body, rdb_type, &build) &&
                 (build.type == VALUE_STREAM || value_ops_of(build.type)->count(build.value) > 0);
    if (valid) {
        value->type = build.type;
        value->value = rdb_build_take(&build);
    }
    rdb_build_close(&build);
    return valid;
}

enum rdb_payload rdb_read_payload(struct span payload, const struct value_rules *rules,
                                  struct rdb_value *value)
{
    *value = (struct rdb_value){.type = VALUE_STRING};
    if (payload.len < FOOTER_BYTES)
        return RDB_PAYLOAD_WRONG_CHECKSUM;
    size_t len = payload.len - FOOTER_BYTES;
    const unsigned char *footer = (const unsigned char *)payload.ptr + len;
    if (!is_version_known(rdb_little_endian(footer, 2)) ||
        rdb_little_endian(footer + 2, 8) != crc64(0, payload.ptr, len + 2))
        return RDB_PAYLOAD_WRONG_CHECKSUM;
    if (len == 0)
        return RDB_PAYLOAD_BAD_FORMAT;
    unsigned rdb_type = (unsigned char)payload.ptr[0];
    struct span body = span_of(payload.ptr + 1, len - 1);
    bool valid = rdb_type == RDB_TYPE_STRING
                     ? parse_string(body, &value->room, &value->text)
                     : rdb_build_can(rdb_type) && read_elements(rdb_type, body, rules, value);
    return valid ? RDB_PAYLOAD_FINE : RDB_PAYLOAD_BAD_FORMAT;
}

/* Whether Redis 7.0 has no place for something of the value. */
static bool is_more_than_redis_7_0_has(const struct rdb_value *value)
{
    if (value->type == VALUE_HASH)
        return hash_has_deadlines(value->value);
    return value->type == VALUE_STREAM;
}

bool rdb_payload_for_redis_7_0(struct span payload, struct buf *out, bool *is_exact)
{
    struct rdb_value value;
    if (payload.len <= FOOTER_BYTES)
        return false;
    size_t len = payload.len - FOOTER_BYTES;
    unsigned rdb_type = (unsigned char)payload.ptr[0];
    if (rdb_little_endian((const unsigned char *)payload.ptr + len, 2) <= RDB_VERSION_OF_PAYLOADS)
        return false;
    bool is_sound = rdb_read_payload(payload, &value_rules_default, &value) == RDB_PAYLOAD_FINE;
    *is_exact = rdb_type <= RDB_TYPE_STREAM_2 || !is_sound || !is_more_than_redis_7_0_has(&value);
    size_t begin = out->len;
    if (is_sound && rdb_type <= RDB_TYPE_STREAM_2)
        buf_add(out, payload.ptr, len);
    else if (is_sound)
        add_elements(value.type, value.value, out);
    if (is_sound)
        add_footer(out, begin, RDB_VERSION_OF_PAYLOADS);
    rdb_value_close(&value);
    return is_sound;
}

struct item *rdb_store_value(struct keyspace *keyspace, struct span key, struct rdb_value *value,
                             int64_t deadline_ms, uint64_t revision)
{
    struct item *item;
    if (value->type == VALUE_STRING) {
        item = keyspace_set_string(keyspace, key, value->text, false, revision);
    } else {
        item = keyspace_set_value(keyspace, key, value->type, value->value, revision);
        value->value = NULL;
    }
    if (deadline_ms != NO_DEADLINE)
        item = keyspace_set_deadline(keyspace, item, deadline_ms, revision);
    return item;
}

void rdb_value_close(struct rdb_value *value)
{
    buf_close(&value->room);
    if (value->value)
        value_free(value->type, value->value);
    value->value = NULL;
}
