#include "base/mem.h"
#include "keyspace/listpack_code.h"

static int64_t read_signed(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    return (int64_t)((value ^ sign) - sign);
}

/* Walking. */

size_t listpack_first(const struct listpack *pack)
{
    return pack->count ? PACK_HEADER_BYTES : 0;
}

size_t listpack_next(const struct listpack *pack, size_t at)
{
    at += listpack_bytes_at(pack->bytes + at);
    return pack->bytes[at] == PACK_END ? 0 : at;
}

size_t listpack_previous(const struct listpack *pack, size_t at)
{
    return at == PACK_HEADER_BYTES ? 0 : listpack_before(pack->bytes, at);
}

size_t listpack_last(const struct listpack *pack)
{
    return pack->count ? listpack_before(pack->bytes, listpack_bytes(pack) - PACK_END_BYTES) : 0;
}

size_t listpack_skip(const struct listpack *pack, size_t at, size_t count)
{
    const unsigned char *bytes = pack->bytes;
    while (count-- > 0) {
        at += listpack_bytes_at(bytes + at);
        if (bytes[at] == PACK_END)
            return 0;
    }
    return at;
}

size_t listpack_nth(const struct listpack *pack, size_t index)
{
    if (index >= pack->count)
        return 0;
    if (index <= pack->count / 2)
        return listpack_skip(pack, PACK_HEADER_BYTES, index);
    size_t at = listpack_last(pack);
    for (size_t i = pack->count - 1; i > index; i--)
        at = listpack_before(pack->bytes, at);
    return at;
}

uint32_t *listpack_places(const struct listpack *pack, size_t step)
{
    uint32_t *places = mem_alloc((pack->count / step + 1) * sizeof(*places));
    size_t count = 0;
    for (size_t at = listpack_first(pack); at; at = listpack_skip(pack, at, step))
        places[count++] = (uint32_t)at;
    return places;
}

/* Reading. */

static struct listpack_value decode(const unsigned char *at)
{
    unsigned first = at[0];
    const char *text = (const char *)at;
    if (first < PACK_STRING6)
        return (struct listpack_value){.is_integer = true, .number = first};
    if (first < PACK_INT13)
        return (struct listpack_value){.text = span_of(text + 1, first & 0x3f)};
    if (first < PACK_STRING12) {
        int64_t number = (int64_t)((first & 0x1f) << 8 | at[1]);
        return (struct listpack_value){.is_integer = true,
                                       .number = number < 4096 ? number : number - 8192};
    }
    if (first < PACK_STRING32)
        return (struct listpack_value){.text = span_of(text + 2, listpack_body_bytes(at) - 2)};
    if (first == PACK_STRING32)
        return (struct listpack_value){.text = span_of(text + 5, listpack_body_bytes(at) - 5)};
    unsigned bytes = first == PACK_INT16   ? 2
                     : first == PACK_INT24 ? 3
                     : first == PACK_INT32 ? 4
                                           : 8;
    return (struct listpack_value){.is_integer = true, .number = read_signed(at + 1, bytes)};
}

struct listpack_value listpack_value(const struct listpack *pack, size_t at)
{
    return decode(pack->bytes + at);
}

struct span listpack_text(const struct listpack *pack, size_t at, char scratch[NUMBER_I64_CHARS])
{
    struct listpack_value value = decode(pack->bytes + at);
    if (!value.is_integer)
        return value.text;
    return span_of(scratch, number_format_i64(scratch, value.number));
}

bool listpack_integer(const struct listpack *pack, size_t at, int64_t *number)
{
    struct listpack_value value = decode(pack->bytes + at);
    *number = value.number;
    return value.is_integer;
}

/* A text that elements are compared with. A loaded pack may hold an integer as a text too. */
struct wanted {
    struct span text;
    int64_t number;
    bool is_integer;
};

static struct wanted wanted_of(struct span text)
{
    struct wanted wanted = {.text = text};
    wanted.is_integer = number_parse_i64(text, &wanted.number);
    return wanted;
}

static bool equals(const unsigned char *at, const struct wanted *wanted)
{
    struct listpack_value value = decode(at);
    if (value.is_integer)
        return wanted->is_integer && value.number == wanted->number;
    return span_equal(value.text, wanted->text);
}

bool listpack_equal(const struct listpack *pack, size_t at, struct span text)
{
    struct wanted wanted = wanted_of(text);
    return equals(pack->bytes + at, &wanted);
}

static bool is_short_text(unsigned char first)
{
    return first >= PACK_STRING6 && first < PACK_INT13;
}

size_t listpack_find(const struct listpack *pack, size_t at, struct span text, size_t skip)
{
    if (at == 0)
        return 0;
    struct wanted wanted = wanted_of(text);
    const unsigned char *bytes = pack->bytes;
    while (bytes[at] != PACK_END) {
        if (is_short_text(bytes[at])) { /* nearly all are, and need no decoding */
            size_t len = bytes[at] - PACK_STRING6;
            if (len == text.len && (len == 0 || memcmp(bytes + at + 1, text.ptr, len) == 0))
                return at;
            at += len + 2;
        } else {
            if (equals(bytes + at, &wanted))
                return at;
            at += listpack_bytes_at(bytes + at);
        }
        for (size_t i = 0; i < skip && bytes[at] != PACK_END; i++)
            at += listpack_bytes_at(bytes + at);
    }
    return 0;
}

/* Bytes from elsewhere. */

/* The length of the element at `at` with `left` bytes up to the end; 0: it is damaged. */
static size_t checked_bytes(const unsigned char *at, size_t left)
{
    if (at[0] > PACK_INT64 || (at[0] == PACK_STRING32 && left < 5) || left < 2)
        return 0;
    size_t body = listpack_body_bytes(at);
    size_t trailer = listpack_trailer_bytes(body);
    if (body > left || trailer > left - body)
        return 0;
    unsigned char expected[PACK_TRAILER_MAX];
    listpack_write_trailer(expected, body);
    return memcmp(expected, at + body, trailer) == 0 ? body + trailer : 0;
}

bool listpack_count_valid(struct span bytes, size_t *count)
{
    const unsigned char *start = (const unsigned char *)bytes.ptr;
    if (bytes.len < PACK_EMPTY_BYTES || bytes.len > LISTPACK_BYTES_MAX)
        return false;
    const unsigned char *end = start + bytes.len - PACK_END_BYTES;
    if (listpack_read_u32(start) != bytes.len || *end != PACK_END)
        return false;
    *count = 0;
    for (const unsigned char *at = start + PACK_HEADER_BYTES; at < end; ++*count) {
        size_t element = checked_bytes(at, (size_t)(end - at));
        if (element == 0)
            return false;
        at += element;
    }
    size_t told = start[4] | (size_t)start[5] << 8;
    return told == PACK_COUNT_UNKNOWN || told == *count;
}

bool listpack_validate(struct span bytes)
{
    size_t count;
    return listpack_count_valid(bytes, &count);
}
