/* The data: keys with their values, deadlines and revisions, one dictionary per slot. Everything
 * here is a function of the calls made: no clock, no chance, no pointer order. Two keyspaces that
 * saw the same calls are equal byte for byte, iteration order included.
 *
 * A dictionary is a dense array of items in insertion order with an index table of 32-bit
 * positions; removing moves the last item into the hole. A random key is one array access; SCAN
 * walks positions downwards, so that its cursor is all its state and no key that is present
 * throughout is missed.
 *
 * Deadlines are absolute wall-clock milliseconds. Nothing expires by itself: callers pass the time
 * and remove (at apply) or ignore (when reading) what is past its deadline.
 *
 * Every change of a key goes through a function of this header, and one observer hears of it. */
#ifndef FLOTILLA_KEYSPACE_KEYSPACE_H
#define FLOTILLA_KEYSPACE_KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "base/span.h"

enum { KEYSPACE_SLOTS = 16384 };

#define NO_DEADLINE INT64_MIN

enum value_type { VALUE_STRING };

/* A key and its value. Owned by the keyspace; valid until the key is removed or replaced. */
struct item;

struct keyspace;

/* `seed` keys the hash function (defence against chosen keys); it does not influence any order. */
struct keyspace *keyspace_new(uint64_t seed);
void keyspace_free(struct keyspace *keyspace);
/* Frees up to `limit` keys, and with the last one the keyspace: true then. Nothing else may be done
 * with it from the first call on. */
bool keyspace_free_some(struct keyspace *keyspace, size_t limit);

enum keyspace_event {
    KEYSPACE_SET,      /* a new value, of a new key or of one that was there */
    KEYSPACE_DEADLINE, /* another deadline, or none any more */
    KEYSPACE_REMOVED,
    KEYSPACE_EXPIRED, /* removed since its deadline was over */
    KEYSPACE_CLEARED, /* all keys are gone; there is no key to name */
};

struct keyspace_change {
    enum keyspace_event event;
    struct span key; /* valid during the call */
    uint64_t key_digest;
    uint64_t revision;
};

/* Who hears of every change. None of these may change the keyspace. Each may be NULL. */
struct keyspace_observer {
    void *context;
    /* The key, there or not, is still as it was. */
    void (*before_change)(void *context, struct span key);
    void (*before_clear)(void *context);
    void (*changed)(void *context, const struct keyspace_change *change);
};

/* The observer from now on; freeing the keyspace is no change. */
void keyspace_observe(struct keyspace *keyspace, const struct keyspace_observer *observer);

unsigned keyspace_slot_of(struct span key); /* CRC16 with {hash tags} */

/* NULL if there is no such key, or if its deadline is <= now_ms. now_ms = NO_DEADLINE looks at all.
 */
struct item *keyspace_find(const struct keyspace *keyspace, struct span key, int64_t now_ms);

/* Creates the key or replaces its value (a string of these bytes); a deadline that was there stays
 * unless `keep_deadline` is false. The revision of the key becomes `revision`. An item that was
 * there is not valid any more, but `value` may point into it. */
struct item *keyspace_set_string(struct keyspace *keyspace, struct span key, struct span value,
                                 bool keep_deadline, uint64_t revision);
/* A new value for an item that is there; it does not move. */
void keyspace_set_integer(struct keyspace *keyspace, struct item *item, int64_t value,
                          uint64_t revision);
void keyspace_set_text(struct keyspace *keyspace, struct item *item, struct span value,
                       uint64_t revision); /* never an integer */
/* Writes the bytes into the value at an offset; zeros fill what is between its end and the offset.
 * The encoding becomes raw. `bytes` does not point into the item. */
void keyspace_write(struct keyspace *keyspace, struct item *item, size_t offset, struct span bytes,
                    uint64_t revision);

bool keyspace_remove(struct keyspace *keyspace, struct span key, uint64_t revision);
void keyspace_remove_item(struct keyspace *keyspace, struct item *item, uint64_t revision);
/* At once for everybody who looks; the memory is freed by keyspace_free_cleared(). */
void keyspace_clear(struct keyspace *keyspace, uint64_t revision);
/* Frees up to `limit` keys that were cleared; true if none are left. */
bool keyspace_free_cleared(struct keyspace *keyspace, size_t limit);
bool keyspace_has_cleared(const struct keyspace *keyspace);

/* Moves value and deadline to `to`, another key, which is replaced. `from` exists. */
void keyspace_rename(struct keyspace *keyspace, struct span from, struct span to,
                     uint64_t revision);

/* The same, but `from` stays as it is. */
void keyspace_copy(struct keyspace *keyspace, const struct item *from, struct span to,
                   uint64_t revision);

/* NO_DEADLINE takes the deadline away. */
void keyspace_set_deadline(struct keyspace *keyspace, struct item *item, int64_t deadline_ms,
                           uint64_t revision);

/* WATCH: has the key changed after `revision`? was_present: whether it was there when it was
 * watched. A key that was and is absent counts as changed if any key of its slot was removed since:
 * rather one abort too many. */
bool keyspace_changed_since(const struct keyspace *keyspace, struct span key, bool was_present,
                            uint64_t revision, int64_t now_ms);

/* Removes up to `limit` keys whose deadline is <= now_ms, earliest (then smallest key) first; the
 * count comes back. */
size_t keyspace_remove_expired(struct keyspace *keyspace, int64_t now_ms, size_t limit,
                               uint64_t revision);
/* How many keys a call of keyspace_remove_expired would find, counted up to `limit`. */
size_t keyspace_count_expired(const struct keyspace *keyspace, int64_t now_ms, size_t limit);

/* item */
struct span item_key(const struct item *item);
enum value_type item_type(const struct item *item);
int64_t item_deadline(const struct item *item); /* NO_DEADLINE if none */
uint64_t item_revision(const struct item *item);
size_t item_memory(const struct item *item);        /* bytes, as MEMORY USAGE reports */
const char *item_encoding(const struct item *item); /* "int", "embstr", "raw" */

/* When an item was last used is no part of the state: every node has its own view. */
void item_touch(struct item *item, int64_t now_ms);
int64_t item_idle_seconds(const struct item *item, int64_t now_ms);

/* Strings. An integer is kept as a number; item_string() prints it into `scratch` then. */
struct span item_string(const struct item *item, char scratch[24]);
/* True if the value is kept as an integer. */
bool item_integer(const struct item *item, int64_t *value);
size_t item_string_len(const struct item *item);

/* No value is longer. The bound does not go down when a long value is removed, but when all are. */
size_t keyspace_longest(const struct keyspace *keyspace);

/* Counting and walking. */
size_t keyspace_count(const struct keyspace *keyspace);
size_t keyspace_count_with_deadline(const struct keyspace *keyspace);
int64_t keyspace_mean_deadline(
    const struct keyspace *keyspace); /* mean of the deadlines; 0 if none: avg_ttl */
size_t keyspace_slot_count(const struct keyspace *keyspace, unsigned slot);
/* The item at a position of a slot, 0 <= position < keyspace_slot_count(). */
struct item *keyspace_slot_item(const struct keyspace *keyspace, unsigned slot, size_t position);
struct item *keyspace_random(const struct keyspace *keyspace,
                             struct prng *prng); /* NULL if empty; uniform */

/* SCAN: calls visit for about `count` items from `cursor` on (0 begins); the next cursor comes
 * back, 0 at the end. Every key that is present from the first call to the last is visited at least
 * once. */
uint64_t keyspace_scan(const struct keyspace *keyspace, uint64_t cursor, size_t count,
                       void (*visit)(void *context, struct item *item), void *context);

/* 64-bit digest of keys, values, deadlines and revisions in iteration order, and of what
 * keyspace_changed_since() knows of removals. */
uint64_t keyspace_digest(const struct keyspace *keyspace);

/* A sum of one hash for each key with its value and deadline, whatever their order. Every change
 * keeps it up; an edit of a long value costs what the edit touches. Equal on all nodes: it does not
 * depend on the seed of the dictionaries. */
uint64_t keyspace_sum(const struct keyspace *keyspace);
uint64_t
keyspace_sum_by_walk(const struct keyspace *keyspace); /* the same, counted anew: for checks */

#endif
