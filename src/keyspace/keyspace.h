/* The data of one database: keys with their values, deadlines and revisions, one dictionary per
 * slot. The databases together are in databases.h. The state is a function of the calls made; it
 * depends on no clock, no randomness and no pointer order. Two keyspaces that received the same
 * calls are equal byte for byte, including their iteration order.
 *
 * A dictionary is a dense array of items in insertion order with an index table of 32-bit
 * positions. Removing an item moves the last item into its position. Choosing a random key takes
 * one array access. SCAN walks positions downwards: its cursor is its whole state, and it misses no
 * key that is present throughout.
 *
 * Deadlines are absolute wall-clock milliseconds. Nothing expires by itself. Callers pass the time;
 * when an entry is applied they remove expired keys, when they only read they ignore them.
 *
 * Every change of a key goes through a function of this header and is reported to one observer.
 *
 * A value is a string, or it has elements (value.h). The elements change between
 * keyspace_edit_begin() and keyspace_edit_end(). */
#ifndef FLOTILLA_KEYSPACE_KEYSPACE_H
#define FLOTILLA_KEYSPACE_KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "base/span.h"

enum { KEYSPACE_SLOTS = 16384 };

#define NO_DEADLINE INT64_MIN

/* Revisions are indices of a log: a million entries a second reach this in nine years. */
#define KEYSPACE_REVISION_MAX ((UINT64_C(1) << 48) - 1)

enum value_type { VALUE_STRING, VALUE_LIST, VALUE_SET, VALUE_ZSET, VALUE_HASH, VALUE_STREAM };
struct value_rules; /* value.h */

/* A key and its value. The keyspace owns it. It is valid until the key is removed or replaced. */
struct item;

struct keyspace;

/* `seed` is the key of the hash function, as a defence against chosen keys. It does not influence
 * any order. */
struct keyspace *keyspace_new(uint64_t seed);
void keyspace_free(struct keyspace *keyspace);
/* Frees up to `limit` keys and elements of values. Frees the keyspace with its last key and then
 * returns true. After the first call nothing else may be done with the keyspace. */
bool keyspace_free_some(struct keyspace *keyspace, size_t limit);

/* In which forms values are kept. New rules concern values that change from now on. */
const struct value_rules *keyspace_rules(const struct keyspace *keyspace);
void keyspace_set_rules(struct keyspace *keyspace,
                        const struct value_rules *rules); /* not the seed */

enum keyspace_event {
    KEYSPACE_SET,      /* a new key, or a new value of an existing key */
    KEYSPACE_DEADLINE, /* the deadline was changed or removed */
    KEYSPACE_REMOVED,
    KEYSPACE_EXPIRED, /* removed because its deadline has passed */
    KEYSPACE_CLEARED, /* all keys were removed; `key` is empty */
    KEYSPACE_SWAPPED, /* the database has other keys now; `key` is empty */
};

struct keyspace_change {
    enum keyspace_event event;
    unsigned database;
    struct span key; /* valid during the call */
    uint64_t key_digest;
    uint64_t revision;
};

/* Receives every change. These functions must not change the keyspace. Each may be NULL. */
struct keyspace_observer {
    void *context;
    /* Called before the key changes or is created. */
    void (*before_change)(void *context, const struct keyspace *keyspace, struct span key);
    /* All keys were removed: `aside` has them, as they were, and nobody finds them there. */
    void (*cleared)(void *context, const struct keyspace *keyspace, struct keyspace *aside);
    void (*changed)(void *context, const struct keyspace_change *change);
};

/* Sets the observer. Freeing the keyspace is not reported as a change. */
void keyspace_observe(struct keyspace *keyspace, const struct keyspace_observer *observer);

unsigned keyspace_slot_of(struct span key); /* CRC16, with {hash tags} */

/* Where a keyspace of one seed looks a key up. */
struct keyspace_place {
    uint32_t hash;
    uint16_t slot;
};
struct keyspace_place keyspace_place_of(const struct keyspace *keyspace, struct span key);
/* Until the end, look-ups of equal keys use this place, and do not work it out again. `place` is
 * that of the key; NULL: it is worked out now. The key's bytes stay as they are until then. */
void keyspace_expect(struct keyspace *keyspace, struct span key,
                     const struct keyspace_place *place);
void keyspace_expect_end(struct keyspace *keyspace);

/* NULL if the key is absent or its deadline is <= now_ms. now_ms = NO_DEADLINE ignores
 * deadlines. */
struct item *keyspace_find(const struct keyspace *keyspace, struct span key, int64_t now_ms);

enum { KEYSPACE_AHEAD_MAX = 16 };
/* Whether look-ups wait for memory, so that looking ahead is worth it. */
bool keyspace_is_far(const struct keyspace *keyspace);
/* These keys are looked up next: says where, and fetches to the processor's cache what that will
 * read, for all of them at once. Nothing else happens. */
void keyspace_look_ahead(const struct keyspace *keyspace, const struct span *keys,
                         struct keyspace_place *places, size_t count);

/* Creates the key or replaces its value with a string of these bytes. An existing deadline stays if
 * `keep_deadline`, otherwise it is removed. The key gets `revision`. Pointers to an existing item
 * become invalid, but `value` may point into that item. */
struct item *keyspace_set_string(struct keyspace *keyspace, struct span key, struct span value,
                                 bool keep_deadline, uint64_t revision);
/* These set a new value of an existing item. They do not move it. */
void keyspace_set_integer(struct keyspace *keyspace, struct item *item, int64_t value,
                          uint64_t revision);
void keyspace_set_text(struct keyspace *keyspace, struct item *item, struct span value,
                       uint64_t revision); /* never stored as an integer */
/* Writes the bytes into the value at `offset`; zeros fill a gap between the value's end and the
 * offset. The encoding becomes raw. `bytes` must not point into the item. */
void keyspace_write(struct keyspace *keyspace, struct item *item, size_t offset, struct span bytes,
                    uint64_t revision);

bool keyspace_remove(struct keyspace *keyspace, struct span key, uint64_t revision);
void keyspace_remove_item(struct keyspace *keyspace, struct item *item, uint64_t revision);
/* Removes all keys at once for every reader. keyspace_free_cleared() frees their memory later, and
 * that of large values whose keys were removed. */
void keyspace_clear(struct keyspace *keyspace, uint64_t revision);
/* Frees up to `limit` of these keys and elements; true if none are left. */
bool keyspace_free_cleared(struct keyspace *keyspace, size_t limit);
/* Whether the next call of it frees a long string, which is one piece however long it is. */
bool keyspace_frees_string_next(const struct keyspace *keyspace);
bool keyspace_has_cleared(const struct keyspace *keyspace); /* that may be freed now */
/* What was set aside (keyspace_observer.cleared) is not freed between these two. */
void keyspace_hold(struct keyspace *aside);
void keyspace_release(struct keyspace *aside);

/* Moves value and deadline to another key, `to` of `into`, which is replaced. `from` must exist.
 * Both keyspaces must have the same seed. */
void keyspace_move(struct keyspace *keyspace, struct span from, struct keyspace *into,
                   struct span to, uint64_t revision);
void keyspace_rename(struct keyspace *keyspace, struct span from, struct span to,
                     uint64_t revision);

/* Like keyspace_move(), but `from` stays: an item of this keyspace or another. */
void keyspace_copy(struct keyspace *keyspace, const struct item *from, struct span to,
                   uint64_t revision);

/* NO_DEADLINE removes the deadline. Returns the item: its first deadline moves it in memory. */
struct item *keyspace_set_deadline(struct keyspace *keyspace, struct item *item,
                                   int64_t deadline_ms, uint64_t revision);

/* A change of the elements of one value. `value` is what the functions of its type change. Other
 * keys may be changed meanwhile, this one not. */
struct keyspace_edit {
    void *value; /* NULL after the end */
    enum value_type type;
    /* The rest is private. */
    struct keyspace *keyspace;
    struct item *item; /* NULL: a new key; after the end also if the key was removed */
    struct span key;   /* of a new key: the caller's bytes, until the end */
    uint64_t key_digest;
};
void keyspace_edit_begin(struct keyspace_edit *edit, struct keyspace *keyspace, struct item *item);
/* The key is absent, and gets an empty value of this type. */
void keyspace_edit_begin_new(struct keyspace_edit *edit, struct keyspace *keyspace, struct span key,
                             enum value_type type);
/* changed false: the value is what it was, and so are the keyspace and the revision. Removes a key
 * whose last element has gone; a stream may be empty. */
void keyspace_edit_end(struct keyspace_edit *edit, bool changed, uint64_t revision);
/* Creates the key or replaces what it was; it has no deadline then. Takes the value over, which
 * must not be empty unless it is a stream. */
struct item *keyspace_set_value(struct keyspace *keyspace, struct span key, enum value_type type,
                                void *value, uint64_t revision);

/* WATCH: has the key changed after `revision`? was_present: whether the key was present at WATCH. A
 * key that was absent and still is counts as changed if any key of its slot was removed since. EXEC
 * may therefore abort without need; it never succeeds wrongly. */
bool keyspace_changed_since(const struct keyspace *keyspace, struct span key, bool was_present,
                            uint64_t revision, int64_t now_ms);

/* Removes up to `limit` keys and elements whose deadline is <= now_ms, in order of deadline, then
 * key; returns how many. */
size_t keyspace_remove_expired(struct keyspace *keyspace, int64_t now_ms, size_t limit,
                               uint64_t revision);
/* Counts what keyspace_remove_expired() would remove, up to `limit`. */
size_t keyspace_count_due(const struct keyspace *keyspace, int64_t now_ms, size_t limit);
/* Counts the keys whose deadline is <= now_ms. */
size_t keyspace_count_expired(const struct keyspace *keyspace, int64_t now_ms);
bool keyspace_has_deadlines(const struct keyspace *keyspace); /* of keys or elements */

/* Items. */
struct span item_key(const struct item *item);
enum value_type item_type(const struct item *item);
int64_t item_deadline(const struct item *item); /* NO_DEADLINE if there is none */
/* The earliest deadline of one of its elements; NO_DEADLINE if there is none. */
int64_t item_element_deadline(const struct item *item);
uint64_t item_revision(const struct item *item);
/* Bytes, as MEMORY USAGE reports them; a value's elements are estimated from so many, 0: all. */
size_t item_memory(const struct item *item, size_t samples);
const char *item_encoding(const struct item *item); /* as OBJECT ENCODING says it */
const void *item_elements(const struct item *item); /* the value; not of a string */

/* The time of last use is not part of the state: each node keeps its own. */
void item_touch(struct item *item, int64_t now_ms);
int64_t item_idle_seconds(const struct item *item, int64_t now_ms);

/* Strings. An integer is stored as a number; item_string() prints it into `scratch`. */
struct span item_string(const struct item *item, char scratch[24]);
/* True if the value is stored as an integer. */
bool item_integer(const struct item *item, int64_t *value);
size_t item_string_len(const struct item *item); /* 0: another type */

/* No value is longer. Removing a long value does not lower this bound; removing all keys does. */
size_t keyspace_longest(const struct keyspace *keyspace);

/* Counting and iterating. */
size_t keyspace_count(const struct keyspace *keyspace);
size_t keyspace_count_with_deadline(const struct keyspace *keyspace);
int64_t keyspace_mean_deadline(
    const struct keyspace *keyspace); /* mean of the deadlines (avg_ttl); 0 if there are none */
size_t keyspace_slot_count(const struct keyspace *keyspace, unsigned slot);
/* The item at a position of a slot; 0 <= position < keyspace_slot_count(). */
struct item *keyspace_slot_item(const struct keyspace *keyspace, unsigned slot, size_t position);
struct item *keyspace_random(const struct keyspace *keyspace,
                             struct prng *prng); /* uniform; NULL if there are no keys */

/* SCAN: calls visit for about `count` items from `cursor` on; 0 starts a scan. Returns the next
 * cursor, 0 at the end. Every key that is present from the first call to the last is visited at
 * least once. */
uint64_t keyspace_scan(const struct keyspace *keyspace, uint64_t cursor, size_t count,
                       void (*visit)(void *context, struct item *item), void *context);

/* 64-bit digest of keys, values, deadlines and revisions in iteration order, and of the removals
 * that keyspace_changed_since() uses. */
uint64_t keyspace_digest(const struct keyspace *keyspace);

/* A sum of hashes of each key with its value and deadline, independent of their order. Every change
 * updates it; editing a long value costs only as much as the edited part. It is equal on all nodes,
 * because it does not depend on the seed of the dictionaries. */
uint64_t keyspace_sum(const struct keyspace *keyspace);
/* Computes the same sum from all items, for checks. */
uint64_t keyspace_sum_by_walk(const struct keyspace *keyspace);

#endif
