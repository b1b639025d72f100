/* The inside of a set. Private to set.c and set_ops.c. */
#ifndef FLOTILLA_KEYSPACE_SET_FORM_H
#define FLOTILLA_KEYSPACE_SET_FORM_H

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

struct set_member {
    uint32_t hash;
    uint32_t len;
    char bytes[];
};

uint64_t set_digest_of(struct span member);

static inline struct span set_member_span(const struct set_member *member)
{
    return span_of(member->bytes, member->len);
}

#endif
