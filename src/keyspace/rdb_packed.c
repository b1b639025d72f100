#include "keyspace/rdb_packed.h"

#include <string.h>

#include "base/number.h"
#include "keyspace/listpack.h"
#include "keyspace/rdb_code.h"

enum { END_BYTE = 0xff, ZIPLIST_HEADER = 10, INTSET_HEADER = 8 };

typedef bool each_element(void *context, struct span text);

struct walk {
    const unsigned char *bytes;
    size_t len;
    size_t at;
    each_element *element;
    void *context;
};

static size_t left(const struct walk *walk)
{
    return walk->len - walk->at;
}

static bool give(const struct walk *walk, size_t at, size_t len)
{
    return walk->element(walk->context, span_of((const char *)walk->bytes + at, len));
}

static bool give_number(const struct walk *walk, int64_t number)
{
    char text[NUMBER_I64_CHARS];
    return walk->element(walk->context, span_of(text, number_format_i64(text, number)));
}

/* ---- listpack ---- */

static bool each_of_listpack(struct walk *walk)
{
    struct span bytes = span_of((const char *)walk->bytes, walk->len);
    struct listpack pack = {0};
    if (!listpack_load(&pack, bytes))
        return false;
    bool goes_on = true;
    for (size_t at = listpack_first(&pack); at && goes_on; at = listpack_next(&pack, at)) {
        char scratch[NUMBER_I64_CHARS];
        goes_on = walk->element(walk->context, listpack_text(&pack, at, scratch));
    }
    listpack_close(&pack);
    return goes_on;
}

/* ---- ziplist ---- */

/* The entry before is told in one byte, or in four after the byte 254. It is never the end byte,
 * which the caller has looked for. */
static bool take_previous(struct walk *walk, size_t expected)
{
    enum { LONG_MARK = 254 };
    if (left(walk) < 1)
        return false;
    size_t len = walk->bytes[walk->at++];
    if (len == LONG_MARK) {
        if (left(walk) < 4)
            return false;
        len = (size_t)rdb_little_endian(walk->bytes + walk->at, 4);
        walk->at += 4;
    }
    return len == expected;
}

static bool give_string(struct walk *walk, size_t head, size_t len)
{
    if (left(walk) < head || left(walk) - head < len)
        return false;
    walk->at += head + len;
    return give(walk, walk->at - len, len);
}

static size_t big_endian(const unsigned char *bytes, unsigned count)
{
    size_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool give_ziplist_number(struct walk *walk, unsigned bytes)
{
    if (left(walk) < 1 + (size_t)bytes)
        return false;
    int64_t number = rdb_integer_of(walk->bytes + walk->at + 1, bytes);
    walk->at += 1 + (size_t)bytes;
    return give_number(walk, number);
}

/* The encoding byte: 00 and 01 begin string lengths of 6 and 14 bits, 10 one of 32 bits. */
static bool take_ziplist_entry(struct walk *walk)
{
    const unsigned char *at = walk->bytes + walk->at;
    if (left(walk) < 1)
        return false;
    switch (at[0] >> 6) {
    case 0:
        return give_string(walk, 1, at[0] & 0x3f);
    case 1:
        return left(walk) >= 2 && give_string(walk, 2, (size_t)(at[0] & 0x3f) << 8 | at[1]);
    case 2:
        return at[0] == 0x80 && left(walk) >= 5 && give_string(walk, 5, big_endian(at + 1, 4));
    default:
        break;
    }
    switch (at[0]) {
    case 0xc0:
        return give_ziplist_number(walk, 2);
    case 0xd0:
        return give_ziplist_number(walk, 4);
    case 0xe0:
        return give_ziplist_number(walk, 8);
    case 0xf0:
        return give_ziplist_number(walk, 3);
    case 0xfe:
        return give_ziplist_number(walk, 1);
    default:
        if (at[0] < 0xf1 || at[0] > 0xfd) /* 0 to 12 are in the byte itself */
            return false;
        walk->at++;
        return give_number(walk, (at[0] & 0xf) - 1);
    }
}

static bool each_of_ziplist(struct walk *walk)
{
    if (walk->len < ZIPLIST_HEADER + 1 || rdb_little_endian(walk->bytes, 4) != walk->len)
        return false;
    uint64_t told = rdb_little_endian(walk->bytes + 8, 2);
    uint64_t last = rdb_little_endian(walk->bytes + 4, 4);
    uint64_t count = 0;
    size_t previous = 0;
    size_t last_at = ZIPLIST_HEADER;
    walk->at = ZIPLIST_HEADER;
    while (left(walk) && walk->bytes[walk->at] != END_BYTE) {
        last_at = walk->at;
        if (!take_previous(walk, previous) || !take_ziplist_entry(walk))
            return false;
        previous = walk->at - last_at;
        count++;
    }
    return left(walk) == 1 && last == last_at && (told == count || told == UINT16_MAX);
}

/* ---- zipmap ---- */

static bool take_zipmap_len(struct walk *walk, size_t *len)
{
    enum { LONG_MARK = 254 };
    if (left(walk) < 1)
        return false;
    *len = walk->bytes[walk->at++];
    if (*len < LONG_MARK)
        return true;
    if (*len == END_BYTE || left(walk) < 4)
        return false;
    *len = (size_t)rdb_little_endian(walk->bytes + walk->at, 4);
    walk->at += 4;
    return true;
}

static bool take_zipmap_pair(struct walk *walk)
{
    size_t len = 0;
    if (!take_zipmap_len(walk, &len) || !give_string(walk, 0, len) ||
        !take_zipmap_len(walk, &len) || left(walk) < 1)
        return false;
    size_t spare = walk->bytes[walk->at++];
    if (!give_string(walk, 0, len) || left(walk) < spare)
        return false;
    walk->at += spare;
    return true;
}

static bool each_of_zipmap(struct walk *walk)
{
    enum { COUNT_UNKNOWN = 254 };
    if (walk->len < 2)
        return false;
    unsigned told = walk->bytes[0];
    unsigned count = 0;
    walk->at = 1;
    while (left(walk) && walk->bytes[walk->at] != END_BYTE) {
        if (!take_zipmap_pair(walk))
            return false;
        count += count < COUNT_UNKNOWN;
    }
    return left(walk) == 1 && (told >= COUNT_UNKNOWN || told == count);
}

/* ---- intset ---- */

static bool each_of_intset(struct walk *walk)
{
    if (walk->len < INTSET_HEADER)
        return false;
    uint64_t bytes = rdb_little_endian(walk->bytes, 4);
    uint64_t count = rdb_little_endian(walk->bytes + 4, 4);
    if ((bytes != 2 && bytes != 4 && bytes != 8) || walk->len - INTSET_HEADER != count * bytes)
        return false;
    int64_t last = 0;
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *at = walk->bytes + INTSET_HEADER + i * bytes;
        int64_t number = rdb_integer_of(at, (unsigned)bytes);
        if ((i > 0 && number <= last) || !give_number(walk, number))
            return false;
        last = number;
    }
    return true;
}

bool rdb_packed_each(enum rdb_packing packing, struct span bytes, each_element *element,
                     void *context)
{
    struct walk walk = {(const unsigned char *)bytes.ptr, bytes.len, 0, element, context};
    switch (packing) {
    case RDB_LISTPACK:
        return each_of_listpack(&walk);
    case RDB_ZIPLIST:
        return each_of_ziplist(&walk);
    case RDB_ZIPMAP:
        return each_of_zipmap(&walk);
    case RDB_INTSET:
        return each_of_intset(&walk);
    }
    return false;
}
