/* The databases of SELECT: keyspaces with numbers. They are one state: each function of this header
 * that concerns keys concerns those of all databases, in the order of their numbers.
 *
 * A database takes memory from its first use on. An unused one and an empty one are the same. */
#ifndef FLOTILLA_KEYSPACE_DATABASES_H
#define FLOTILLA_KEYSPACE_DATABASES_H

#include "keyspace/keyspace.h"

/* All nodes must agree on it, because MOVE, COPY and SWAPDB refuse other numbers. */
enum { DATABASES_MAX = 16 };

struct databases;

/* `seed`: see keyspace_new(). */
struct databases *databases_new(uint64_t seed);
void databases_free(struct databases *databases); /* NULL is allowed */
/* Frees up to `limit` keys and elements; with the last one everything, and then returns true. After
 * the first call nothing else may be done with the databases. */
bool databases_free_some(struct databases *databases, size_t limit);

/* The database with that number, which is below DATABASES_MAX. It belongs to `databases`. SWAPDB
 * gives it another number. */
struct keyspace *databases_at(struct databases *databases, unsigned number);
/* NULL: nobody has used it. */
const struct keyspace *databases_find(const struct databases *databases, unsigned number);

/* For all databases, also those to come; see keyspace.h. */
void databases_set_rules(struct databases *databases, const struct value_rules *rules);
const struct value_rules *databases_rules(const struct databases *databases);
void databases_observe(struct databases *databases, const struct keyspace_observer *observer);

size_t databases_count(const struct databases *databases);
size_t databases_count_with_deadline(const struct databases *databases);
bool databases_has_deadlines(const struct databases *databases);
size_t databases_count_due(const struct databases *databases, int64_t now_ms, size_t limit);
size_t databases_remove_expired(struct databases *databases, int64_t now_ms, size_t limit,
                                uint64_t revision);

/* FLUSHALL. */
void databases_clear(struct databases *databases, uint64_t revision);
bool databases_free_cleared(struct databases *databases, size_t limit);
bool databases_frees_string_next(const struct databases *databases); /* see keyspace.h */
bool databases_has_cleared(const struct databases *databases);

/* SWAPDB: each gets the other's keys. The numbers must differ. */
void databases_swap(struct databases *databases, unsigned one, unsigned other, uint64_t revision);

/* If only database 0 was ever changed, these equal what keyspace.h returns for it. */
uint64_t databases_digest(const struct databases *databases);
uint64_t databases_sum(const struct databases *databases);
uint64_t databases_sum_by_walk(const struct databases *databases);

#endif
