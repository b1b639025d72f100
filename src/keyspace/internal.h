/* The inside of the keyspace. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_INTERNAL_H
#define FLOTILLA_KEYSPACE_INTERNAL_H

#include "keyspace/databases.h"
#include "keyspace/deadline.h"
#include "keyspace/dict.h"
#include "keyspace/value.h"

/* Slots in a group. Walks and random choices skip an empty group at once. */
enum { GROUP_SLOTS = 128, GROUPS = KEYSPACE_SLOTS / GROUP_SLOTS };

struct slot {
    struct dict dict;
    uint64_t removed_revision; /* revision of the last removal; 0: none */
};

struct discarded {
    struct discarded *next;
    enum value_type type;
    void *value;
};

struct keyspace {
    unsigned number; /* of its database */
    size_t count;
    size_t longest; /* no value is longer */
    struct deadlines deadlines;
    uint64_t sum;              /* keyspace_sum() */
    uint64_t swapped_revision; /* of the last SWAPDB that made it this database; 0: none */
    struct keyspace_observer observer;
    uint64_t group_counts[GROUPS];
    unsigned freed_slots;        /* next slot for keyspace_free_some() */
    bool held;                   /* set aside, and not to be freed yet */
    struct keyspace *cleared;    /* list of keyspaces that were set aside to free; NULL: none */
    struct discarded *discarded; /* large values of removed keys, to be freed; NULL: none */
    struct value_rules rules;
    struct span expected; /* keyspace_expect(); ptr NULL: none */
    struct keyspace_place expected_place;
    struct slot slots[KEYSPACE_SLOTS];
};

struct databases {
    struct keyspace *list[DATABASES_MAX]; /* NULL: nobody has used it */
    unsigned end;                         /* from here on nobody has used any */
    struct value_rules rules;
    struct keyspace_observer observer;
};

/* A change of one key. All code that changes a key does so between change_begin() and
 * change_end(). */
struct change {
    struct keyspace *keyspace;
    uint64_t key_digest;
};

/* keyspace.c */
struct change change_begin(struct keyspace *keyspace, struct span key);
void change_end(const struct change *change, struct span key, enum keyspace_event event,
                uint64_t revision);
void change_take_out(const struct change *change, struct item *item, enum keyspace_event event,
                     uint64_t revision);
/* `fresh` becomes the item of its key, with this deadline. Returns it; it may have moved. */
struct item *change_put(const struct change *change, struct item *fresh, int64_t deadline_ms);
/* Sets the item's deadline and that of its elements. Returns it; it may have moved. */
struct item *keyspace_set_times(struct keyspace *keyspace, struct item *item, int64_t deadline_ms);

/* clear.c: frees the item. A large value is put aside. */
void keyspace_discard(struct keyspace *keyspace, struct item *item);

#endif
