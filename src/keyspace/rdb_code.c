#include "keyspace/rdb_code.h"

#include "base/number.h"
#include "keyspace/item.h"

/* The first byte of a length: 6 bits; or 14 bits with the next byte; or a mark. Source: Redis, "RDB
 * file format", "Length encoding". */
enum { LENGTH_SHORT, LENGTH_MEDIUM, LENGTH_LONG, LENGTH_ENCODED, MARK_32 = 0x80, MARK_64 = 0x81 };

static void add_big_endian(struct buf *out, uint64_t value, unsigned count)
{
    while (count--)
        buf_add_char(out, (char)(value >> (8 * count) & 0xff));
}

void rdb_add_length(struct buf *out, uint64_t length)
{
    if (length < 1 << 6) {
        buf_add_char(out, (char)length);
    } else if (length < 1 << 14) {
        add_big_endian(out, length | LENGTH_MEDIUM << 14, 2);
    } else if (length <= UINT32_MAX) {
        buf_add_char(out, (char)MARK_32);
        add_big_endian(out, length, 4);
    } else {
        buf_add_char(out, (char)MARK_64);
        add_big_endian(out, length, 8);
    }
}

void rdb_add_little_endian(struct buf *out, uint64_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        buf_add_char(out, (char)(value >> (8 * i) & 0xff));
}

/* Appends a string that is this integer in short form. False, and nothing appended, if it has
 * none: it takes more than 32 bits. */
static bool add_integer(struct buf *out, int64_t value)
{
    enum rdb_encoding encoding;
    if (value >= INT8_MIN && value <= INT8_MAX)
        encoding = RDB_ENCODING_INT8;
    else if (value >= INT16_MIN && value <= INT16_MAX)
        encoding = RDB_ENCODING_INT16;
    else if (value >= INT32_MIN && value <= INT32_MAX)
        encoding = RDB_ENCODING_INT32;
    else
        return false;
    buf_add_char(out, (char)(LENGTH_ENCODED << 6 | encoding));
    rdb_add_little_endian(out, (uint64_t)value, rdb_integer_bytes(encoding));
    return true;
}

struct span rdb_add_string_head(struct buf *out, const struct item *item, char scratch[24])
{
    return rdb_add_text_head(out,
                             item_string(item, scratch)); /* as Redis: an integer, if it is one */
}

struct span rdb_add_text_head(struct buf *out, struct span text)
{
    int64_t number;
    if (number_parse_i64(text, &number) && add_integer(out, number))
        return span_of(NULL, 0);
    rdb_add_length(out, text.len);
    return text;
}

void rdb_add_packed_head(struct buf *out, size_t packed, size_t unpacked)
{
    buf_add_char(out, (char)(LENGTH_ENCODED << 6 | RDB_ENCODING_LZF));
    rdb_add_length(out, packed);
    rdb_add_length(out, unpacked);
}

bool rdb_add_text_until(struct buf *out, struct span text, uint64_t *done, size_t until)
{
    if (*done == 0) {
        if (rdb_add_text_head(out, text).len == 0)
            return true;
        *done = 1;
    }
    size_t at = (size_t)*done - 1;
    size_t piece = text.len - at;
    size_t room = until > out->len ? until - out->len : 0;
    if (piece > room)
        piece = room;
    buf_add(out, text.ptr + at, piece);
    *done += piece;
    if (at + piece < text.len)
        return false;
    *done = 0;
    return true;
}

uint64_t rdb_little_endian(const unsigned char *bytes, unsigned count)
{
    uint64_t value = 0;
    while (count--)
        value = value << 8 | bytes[count];
    return value;
}

unsigned rdb_length_bytes(unsigned char first)
{
    static const unsigned char bytes[] = {1, 2, 0, 1};
    if (first == MARK_32)
        return 5;
    if (first == MARK_64)
        return 9;
    return bytes[first >> 6];
}

struct rdb_length rdb_length_of(const unsigned char *bytes)
{
    bool encoded = bytes[0] >> 6 == LENGTH_ENCODED;
    unsigned count = rdb_length_bytes(bytes[0]);
    uint64_t value = count > 2 ? 0 : bytes[0] & 0x3f;
    for (unsigned i = 1; i < count; i++)
        value = value << 8 | bytes[i];
    return (struct rdb_length){value, encoded};
}

unsigned rdb_integer_bytes(uint64_t encoding)
{
    return encoding < RDB_ENCODING_LZF ? 1u << encoding : 0;
}

int64_t rdb_integer_of(const unsigned char *bytes, unsigned count)
{
    uint64_t sign = (uint64_t)1 << (8 * count - 1);
    return (int64_t)((rdb_little_endian(bytes, count) ^ sign) - sign);
}
