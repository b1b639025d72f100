/* The inside of a set. Private to set.c and set_ops.c. */
#ifndef FLOTILLA_KEYSPACE_SET_FORM_H
#define FLOTILLA_KEYSPACE_SET_FORM_H

#include <string.h>

#include "keyspace/dense.h"
#include "keyspace/ints.h"
#include "keyspace/listpack.h"
#include "keyspace/set.h"

enum set_form { SET_INTS, SET_PACKED, SET_DENSE };

struct set_table {
    struct dense dense;
    uint64_t seed;
};

struct set {
    uint64_t sum;
    enum set_form form;
    union {
        struct ints ints;
        struct listpack pack;
        struct set_table *table;
    };
};

/* Most members are short: their length takes one byte, so that those of up to eleven bytes take
 * sixteen together with it. */
struct set_member {
    uint32_t hash;
    unsigned char len[]; /* one byte, or SET_MEMBER_LONG and a uint32_t; then the member */
};

enum { SET_MEMBER_LONG = 255, SET_MEMBER_LONG_BYTES = 1 + sizeof(uint32_t) };

uint64_t set_digest_of(struct span member);

static inline struct span set_member_span(const struct set_member *member)
{
    const char *bytes = (const char *)member->len;
    uint32_t len = member->len[0];
    if (len < SET_MEMBER_LONG)
        return span_of(bytes + 1, len);
    memcpy(&len, bytes + 1, sizeof(len));
    return span_of(bytes + SET_MEMBER_LONG_BYTES, len);
}

/* Of the allocation of a member of so many bytes. */
static inline size_t set_member_bytes(size_t len)
{
    return sizeof(struct set_member) + (len < SET_MEMBER_LONG ? 1 : SET_MEMBER_LONG_BYTES) + len;
}

#endif
