/* The inside of the keyspace. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_INTERNAL_H
#define FLOTILLA_KEYSPACE_INTERNAL_H

#include "keyspace/deadline.h"
#include "keyspace/dict.h"

/* Slots in a group. Walks and random choices skip an empty group at once. */
enum { GROUP_SLOTS = 128, GROUPS = KEYSPACE_SLOTS / GROUP_SLOTS };

struct slot {
    struct dict dict;
    uint64_t removed_revision; /* revision of the last removal; 0: none */
};

struct keyspace {
    uint64_t seed;
    size_t count;
    size_t longest; /* no value is longer */
    struct deadlines deadlines;
    uint64_t sum; /* keyspace_sum() */
    struct keyspace_observer observer;
    uint64_t group_counts[GROUPS];
    unsigned freed_slots;     /* next slot for keyspace_free_some() */
    struct keyspace *cleared; /* list of keyspaces that FLUSHALL left to free; NULL: none */
    struct slot slots[KEYSPACE_SLOTS];
};

#endif
