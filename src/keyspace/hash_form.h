/* The inside of a hash. Private to hash.c, hash_field.c, hash_times.c and hash_ops.c. */
#ifndef FLOTILLA_KEYSPACE_HASH_FORM_H
#define FLOTILLA_KEYSPACE_HASH_FORM_H

#include "base/mem.h"
#include "keyspace/dense.h"
#include "keyspace/hash.h"
#include "keyspace/listpack.h"

enum hash_form { HASH_PACKED, HASH_DENSE };

/* One allocation: the header, a struct hash_field_time if the field has a deadline, the field, the
 * value. */
struct hash_field {
    uint32_t hash;
    uint32_t field_len : 31;
    uint32_t is_timed : 1;
    uint32_t value_len;
    char bytes[];
};

struct hash_field_time {
    uint32_t heap_position;
    uint32_t low; /* of the deadline; in halves, because it stands behind 12 bytes */
    uint32_t high;
};

struct hash_times_entry {
    int64_t deadline_ms;
    struct hash_field *field;
};

/* The fields that have a deadline: a binary heap, the earliest first, then by field. */
struct hash_times {
    struct hash_times_entry *entries;
    uint32_t count;
    uint32_t capacity;
};

struct hash_table {
    struct dense dense;
    uint64_t seed;
    struct hash_times times;
};

struct hash {
    uint64_t sum;
    enum hash_form form;
    union {
        struct listpack pack; /* field, value, field, value and so on */
        struct hash_table *table;
    };
};

/* hash_field.c */
struct hash_field *hash_field_new(uint32_t hash, const struct hash_entry *entry);
struct span hash_field_name(const struct hash_field *field);
struct span hash_field_value(const struct hash_field *field);
int64_t hash_field_deadline(const struct hash_field *field);
size_t hash_field_memory(const struct hash_field *field);
/* Writes this value and deadline into the field. False: it has not the room, and is unchanged. */
bool hash_field_try_set(struct hash_field *field, struct span value, int64_t deadline_ms);
uint64_t hash_digest_of(struct span field, struct span value, int64_t deadline_ms);

static inline struct hash_field_time *hash_field_time(struct hash_field *field)
{
    return (struct hash_field_time *)(void *)field->bytes;
}

/* hash_times.c */
/* Enters a field with a deadline; moves one whose deadline has changed. */
void hash_times_add(struct hash_times *times, struct hash_field *field);
void hash_times_move(struct hash_times *times, struct hash_field *field);
void hash_times_remove(struct hash_times *times, struct hash_field *field);
void hash_times_close(struct hash_times *times);
/* Counts up to `limit` of those whose deadline is <= now_ms. */
size_t hash_times_count_past(const struct hash_times *times, int64_t now_ms, size_t limit);

/* hash.c */
void hash_make_dense(struct hash *hash, size_t more, const struct value_rules *rules);
/* Gives a field of the table another value and deadline. The field may then be another
 * allocation. */
void hash_table_set(struct hash_table *table, struct hash_field *field, struct span value,
                    int64_t deadline_ms);

#endif
