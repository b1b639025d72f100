/* The value of a hash: fields with their values in order of insertion. Private to keyspace/ and
 * command/.
 *
 * A hash is kept packed while its fields and values are few and short, else as a dictionary. Each
 * field adds a hash of its name, value and deadline to the sum.
 *
 * A field may have a deadline. A hash is a dictionary from its first deadline on; fields without
 * one pay nothing for it. A field past its deadline stays until it is removed: functions that take
 * a time ignore it, all others do not. */
#ifndef FLOTILLA_KEYSPACE_HASH_H
#define FLOTILLA_KEYSPACE_HASH_H

#include "base/number.h"
#include "keyspace/value.h"

struct hash;

/* One field. The texts are valid until the hash changes or the entry is used again. */
struct hash_entry {
    struct span field;
    struct span value;
    int64_t deadline_ms; /* NO_DEADLINE: none */
    /* Integers of a packed hash are printed here; private. */
    char field_scratch[NUMBER_I64_CHARS];
    char value_scratch[NUMBER_I64_CHARS];
};

static inline bool hash_is_past(const struct hash_entry *entry, int64_t now_ms)
{
    return entry->deadline_ms <= now_ms && entry->deadline_ms != NO_DEADLINE;
}

struct hash *hash_new(void);
void hash_free(struct hash *hash); /* at once; NULL is allowed */
size_t hash_count(const struct hash *hash);
/* Without the fields past their deadlines; the cost grows with their number. */
size_t hash_count_at(const struct hash *hash, int64_t now_ms);

/* False: there is no such field. */
bool hash_find(const struct hash *hash, struct span field, int64_t now_ms,
               struct hash_entry *entry);
/* The field at a position, 0 <= position < hash_count(). */
void hash_at(const struct hash *hash, size_t position, struct hash_entry *entry);

/* For many accesses by position: one costs the same in every form. The hash must not change
 * meanwhile. */
struct hash_index {
    const struct hash *hash;
    uint32_t *places; /* of a packed hash; private */
};
struct hash_index hash_index(const struct hash *hash);
void hash_index_at(const struct hash_index *index, size_t position, struct hash_entry *entry);
void hash_index_close(struct hash_index *index);

/* Sets a value, and removes the deadline of the field. True: the field is new. Neither text may
 * point into the hash. */
bool hash_set(struct hash *hash, struct span field, struct span value,
              const struct value_rules *rules);
/* The same, but a deadline stays. */
bool hash_set_value(struct hash *hash, struct span field, struct span value,
                    const struct value_rules *rules);
/* The same, and it gets this deadline. */
bool hash_set_until(struct hash *hash, const struct hash_entry *entry,
                    const struct value_rules *rules);
/* For loading: adds a field that is known to be absent, without a search. */
void hash_load(struct hash *hash, const struct hash_entry *entry, const struct value_rules *rules);
bool hash_remove(struct hash *hash, struct span field); /* false: there is no such field */
void hash_remove_at(struct hash *hash, size_t position);

/* Deadlines. */
bool hash_has_deadlines(const struct hash *hash);
/* NO_DEADLINE removes it. False: there is no such field. */
bool hash_set_deadline(struct hash *hash, struct span field, int64_t deadline_ms,
                       const struct value_rules *rules);
int64_t hash_earliest(const struct hash *hash); /* NO_DEADLINE if there are none */
/* Removes up to `limit` fields whose deadline is <= now_ms, in order of deadline, then field;
 * returns how many. */
size_t hash_remove_expired(struct hash *hash, int64_t now_ms, size_t limit);
/* Removes the field if its deadline is <= now_ms. */
bool hash_remove_if_past(struct hash *hash, struct span field, int64_t now_ms);

/* All fields in order. The hash must not change meanwhile. */
struct hash_walk {
    const struct hash *hash;
    size_t position; /* of the next field */
    size_t place;    /* private */
};
struct hash_walk hash_walk(const struct hash *hash);
struct hash_walk hash_walk_from(const struct hash *hash, size_t position);
bool hash_walk_next(struct hash_walk *walk, struct hash_entry *entry); /* false: no more */

/* HSCAN: visits up to `count` fields by descending position, or all of a hash of at most
 * VALUE_ORDER_KEPT, in order. The form makes no difference. Cursor 0 starts; returns the next
 * cursor, 0 at the end. */
uint64_t hash_scan(const struct hash *hash, uint64_t cursor, size_t count,
                   void (*visit)(void *context, const struct hash_entry *entry), void *context);

#endif
