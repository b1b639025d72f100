/* Values that hold elements: what the keyspace asks of each of their types. Strings are part of
 * their item (item.h); bitmaps and HyperLogLogs are strings, geo sets are sorted sets.
 *
 * A value knows nothing of its key, of deadlines of keys or of clients. It may have several forms;
 * value_rules decide which, and a node's configuration sets them. No client sees the form in the
 * order of elements or in a choice at random, so nodes with different rules stay equal. Only
 * OBJECT ENCODING and MEMORY USAGE tell forms apart.
 *
 * Order. Hashes and sets keep their elements in order of insertion, and a value that replaces
 * another keeps its place. Removing an element keeps the order of the others while there are at
 * most VALUE_ORDER_KEPT elements; in a larger value the last element takes the free place. The rule
 * looks at the count alone, because the form differs between nodes. Saving a value and loading it
 * keeps the order. */
#ifndef FLOTILLA_KEYSPACE_VALUE_H
#define FLOTILLA_KEYSPACE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "keyspace/keyspace.h"

enum { VALUE_ORDER_KEPT = 128 };

/* Up to which size a value is kept in a compact form, and the seed of hash functions. Sizes count
 * elements or bytes of one element. */
struct value_rules {
    uint64_t seed;
    size_t hash_packed_entries; /* hash-max-listpack-entries */
    size_t hash_packed_value;
    size_t set_intset_entries; /* set-max-intset-entries */
    size_t set_packed_entries;
    size_t set_packed_value;
    size_t zset_packed_entries; /* zset-max-listpack-entries */
    size_t zset_packed_value;
    int list_packed_size;     /* list-max-listpack-size: elements, or -1 to -5 for 4 to 64 KiB */
    size_t stream_node_bytes; /* stream-node-max-bytes; 0: no limit */
    size_t stream_node_entries;
};

/* Redis' defaults, seed 0. */
extern const struct value_rules value_rules_default;

/* Receives bytes. */
struct value_sink {
    void (*add)(struct value_sink *sink, const void *bytes, size_t len);
};

/* The oldest Redis that has to load what is saved. */
enum redis_release { REDIS_5_0, REDIS_7_0, REDIS_7_2 };

/* How far a value was saved. Zero-initialised is the beginning, for every Redis since 5.0; the type
 * decides what else `at` is. */
struct value_cursor {
    uint64_t at[4];
    enum redis_release oldest;
};

struct value_ops {
    const char *name;                   /* as TYPE says it */
    void *(*make)(void);                /* an empty value */
    size_t (*count)(const void *value); /* elements */
    /* A digest of the elements that is equal on all nodes and in all forms. Every change keeps it
     * up to date. sum_by_walk() computes it anew, for checks. */
    uint64_t (*sum)(const void *value);
    uint64_t (*sum_by_walk)(const void *value);
    /* All that a client could tell, in order. Equal values in different forms give equal bytes. */
    void (*digest)(const void *value, struct value_sink *sink);
    /* Bytes with what the allocator wastes. Estimated from so many elements; 0: from all. */
    size_t (*memory)(const void *value, size_t samples);
    const char *(*encoding)(const void *value); /* as OBJECT ENCODING says it */
    void *(*copy)(const void *value);
    /* Frees up to `limit` elements (at least 1); returns how many. It returns less than the limit
     * exactly when it has freed the value itself. After the first call no other may be made. */
    size_t (*free_some)(void *value, size_t limit);
    /* The earliest deadline of an element, NO_DEADLINE if none has one. NULL: elements of this type
     * have no deadlines. remove_due() removes up to `limit` elements past theirs, count_due()
     * counts them. */
    int64_t (*earliest)(const void *value);
    size_t (*remove_due)(void *value, int64_t now_ms, size_t limit);
    size_t (*count_due)(const void *value, int64_t now_ms, size_t limit);

    /* Saving in Redis' RDB format, in encodings that Redis 5.0 loads. newer_rdb_type: the type in
     * its place where the oldest reader is a newer Redis. NULL: the same for all. */
    unsigned (*rdb_type)(const void *value);
    unsigned (*newer_rdb_type)(enum redis_release oldest);
    /* Appends about `most` bytes of what follows the key. False after the last piece. */
    bool (*save)(const void *value, struct value_cursor *cursor, struct buf *out, size_t most);
    /* Appends the type and the body as DUMP returns them, in an encoding that Redis 7.0 knows.
     * NULL: those of rdb_type() and save(). */
    void (*dump)(const void *value, struct buf *out);
    /* What that encoding has no place for, as texts of at most VALUE_NOTE_MAX bytes. They stand
     * behind the value in AUX fields, which Redis skips. Appends one text; false: there is none any
     * more. note_take() does to a loaded value what one text says; false: it is none. Both NULL:
     * the encoding holds everything. */
    bool (*note)(const void *value, struct value_cursor *cursor, struct buf *out);
    bool (*note_take)(void *value, struct span text, const struct value_rules *rules);
};

enum { VALUE_NOTE_MAX = 4096 };

/* The table of a type other than VALUE_STRING. */
const struct value_ops *value_ops_of(enum value_type type);
/* As TYPE says it, also for strings. */
const char *value_type_name(enum value_type type);

void value_free(enum value_type type, void *value);

extern const struct value_ops list_ops;
extern const struct value_ops set_ops;
extern const struct value_ops zset_ops;
extern const struct value_ops hash_ops;
extern const struct value_ops stream_ops;

#endif
