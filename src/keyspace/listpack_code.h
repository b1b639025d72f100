/* Elements of a listpack as bytes. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_LISTPACK_CODE_H
#define FLOTILLA_KEYSPACE_LISTPACK_CODE_H

#include "keyspace/listpack.h"

enum { PACK_HEADER_BYTES = 6, PACK_END_BYTES = 1, PACK_END = 0xff, PACK_COUNT_UNKNOWN = 0xffff };
enum { PACK_EMPTY_BYTES = PACK_HEADER_BYTES + PACK_END_BYTES };

/* The first byte of an element. */
enum {
    PACK_STRING6 = 0x80,  /* 10: the length in 6 bits */
    PACK_INT13 = 0xc0,    /* 110: the number in 5 bits and a byte */
    PACK_STRING12 = 0xe0, /* 1110: the length in 4 bits and a byte */
    PACK_STRING32 = 0xf0, /* the length in 4 bytes */
    PACK_INT16 = 0xf1,
    PACK_INT24 = 0xf2,
    PACK_INT32 = 0xf3,
    PACK_INT64 = 0xf4,
    PACK_TRAILER_MAX = 5,
    PACK_HEAD_MAX = 9,
};

static inline uint32_t listpack_read_u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The length of an element without its trailer. Reads up to 5 bytes. */
static inline size_t listpack_body_bytes(const unsigned char *at)
{
    unsigned first = at[0];
    if (first < PACK_STRING6)
        return 1;
    if (first < PACK_INT13)
        return 1 + (first & 0x3f);
    if (first < PACK_STRING12)
        return 2;
    if (first < PACK_STRING32)
        return 2 + ((size_t)(first & 0x0f) << 8 | at[1]);
    switch (first) {
    case PACK_STRING32:
        return 5 + (size_t)listpack_read_u32(at + 1);
    case PACK_INT16:
        return 3;
    case PACK_INT24:
        return 4;
    case PACK_INT32:
        return 5;
    default:
        return 9;
    }
}

/* The format takes one byte more than needed for the three lengths that fill their bytes. */
static inline size_t listpack_trailer_bytes(size_t body)
{
    if (body < 1 << 7)
        return 1;
    if (body < (1 << 14) - 1)
        return 2;
    if (body < (1 << 21) - 1)
        return 3;
    return body < (1 << 28) - 1 ? 4 : 5;
}

/* Groups of 7 bits, the highest first. All but the first byte have the top bit set, so that a
 * reader from the right knows where it ends. */
static inline size_t listpack_write_trailer(unsigned char *at, size_t body)
{
    size_t count = listpack_trailer_bytes(body);
    for (size_t i = count; i-- > 0; body >>= 7)
        at[i] = (unsigned char)((body & 0x7f) | (i ? 0x80 : 0));
    return count;
}

static inline size_t listpack_bytes_at(const unsigned char *at)
{
    size_t body = listpack_body_bytes(at);
    return body + listpack_trailer_bytes(body);
}

/* The place before `at`, which may be the end. */
static inline size_t listpack_before(const unsigned char *bytes, size_t at)
{
    size_t body = 0;
    unsigned shift = 0;
    size_t from = at;
    unsigned char byte;
    do {
        byte = bytes[--from];
        body |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return from - body;
}

/* Counts the elements. False: the bytes are no pack. */
bool listpack_count_valid(struct span bytes, size_t *count);

#endif
