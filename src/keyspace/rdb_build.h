/* Builds a value with elements from its encoding in an RDB file, part by part as it is read.
 * Private to keyspace/.
 *
 * rdb_build_pattern() says what follows the key in the language of rdb_pattern.c. Each capital
 * letter in it is an event: the parts read since the last one are handed to rdb_build_event(). */
#ifndef FLOTILLA_KEYSPACE_RDB_BUILD_H
#define FLOTILLA_KEYSPACE_RDB_BUILD_H

#include "keyspace/rdb_seen.h"
#include "keyspace/stream_rdb.h"
#include "keyspace/value.h"

enum { RDB_PARTS_STRINGS = 2, RDB_PARTS_NUMBERS = 8 };

struct rdb_parts {
    struct span strings[RDB_PARTS_STRINGS];
    uint64_t numbers[RDB_PARTS_NUMBERS];
    double score; /* of a sorted set's element, as text */
    unsigned char id[16];
    size_t total; /* how many elements the value has, by its own account */
};

/* Zero-initialised is no value. */
struct rdb_build {
    const struct value_rules *rules;
    unsigned rdb_type;
    enum value_type type;
    void *value;
    const char *error;
    /* The first string of a pair that comes in two parts: a field, or a member. */
    struct buf first;
    bool has_first;
    struct rdb_seen seen;
    struct stream_group *group;
    struct stream_consumer *consumer;
};

/* What follows the key of a value of this type; NULL: no such type. */
const char *rdb_build_pattern(unsigned rdb_type);
/* The name of the type; for a string too. */
const char *rdb_build_name(unsigned rdb_type);
/* Whether the type is that of a value with elements. */
bool rdb_build_can(unsigned rdb_type);

void rdb_build_begin(struct rdb_build *build, unsigned rdb_type, const struct value_rules *rules);
/* False: the parts fit no such value; build->error says why. */
bool rdb_build_event(struct rdb_build *build, char event, const struct rdb_parts *parts);
/* Whether the value is complete and without a fault. */
bool rdb_build_finish(struct rdb_build *build);
void *rdb_build_take(struct rdb_build *build); /* the value; the caller then owns it */
void rdb_build_close(struct rdb_build *build);

#endif
