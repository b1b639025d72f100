/* A single value: DUMP returns it, RESTORE takes it. */
#include "base/crc.h"
#include "base/number.h"
#include "keyspace/item.h"
#include "keyspace/rdb_code.h"

enum { FOOTER_BYTES = 2 + 8 }; /* version and checksum */

void rdb_dump_value(const struct item *item, struct buf *out)
{
    size_t begin = out->len;
    char scratch[NUMBER_I64_CHARS];
    buf_add_char(out, RDB_TYPE_STRING);
    buf_add_span(out, rdb_add_string_head(out, item, scratch));
    rdb_add_little_endian(out, RDB_VERSION_OF_PAYLOADS, 2);
    rdb_add_little_endian(out, crc64(0, out->ptr + begin, out->len - begin), 8);
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

static enum rdb_payload parse(struct span payload, struct buf *room, struct span *value)
{
    if (payload.len < FOOTER_BYTES)
        return RDB_PAYLOAD_WRONG_CHECKSUM;
    size_t len = payload.len - FOOTER_BYTES;
    const unsigned char *footer = (const unsigned char *)payload.ptr + len;
    if (rdb_little_endian(footer, 2) > RDB_VERSION_MAX ||
        rdb_little_endian(footer + 2, 8) != crc64(0, payload.ptr, len + 2))
        return RDB_PAYLOAD_WRONG_CHECKSUM;
    if (len == 0)
        return RDB_PAYLOAD_BAD_FORMAT;
    if (payload.ptr[0] != RDB_TYPE_STRING)
        return RDB_PAYLOAD_UNSUPPORTED;
    return parse_string(span_of(payload.ptr + 1, len - 1), room, value) ? RDB_PAYLOAD_FINE
                                                                        : RDB_PAYLOAD_BAD_FORMAT;
}

enum rdb_payload rdb_check_value(struct span payload)
{
    struct buf room = {0};
    struct span value;
    enum rdb_payload outcome = parse(payload, &room, &value);
    buf_close(&room);
    return outcome;
}

enum rdb_payload rdb_restore_value(struct keyspace *keyspace, struct span key, struct span payload,
                                   int64_t deadline_ms, uint64_t revision)
{
    struct buf room = {0};
    struct span value;
    enum rdb_payload outcome = parse(payload, &room, &value);
    if (outcome == RDB_PAYLOAD_FINE) {
        struct item *item = keyspace_set_string(keyspace, key, value, false, revision);
        if (deadline_ms != NO_DEADLINE)
            keyspace_set_deadline(keyspace, item, deadline_ms, revision);
    }
    buf_close(&room);
    return outcome;
}
