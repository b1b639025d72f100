/* The value of a set: its members in order of insertion. Private to keyspace/ and command/.
 *
 * A set is kept as packed integers while all members are integers and they are few, else packed
 * while its members are few and short, else as a dictionary. Each member adds its hash to the sum.
 */
#ifndef FLOTILLA_KEYSPACE_SET_H
#define FLOTILLA_KEYSPACE_SET_H

#include "base/number.h"
#include "keyspace/value.h"

struct set;

struct set *set_new(void);
void set_free(struct set *set); /* at once; NULL is allowed */
size_t set_count(const struct set *set);
bool set_contains(const struct set *set, struct span member);
/* False: it is a member already. The bytes must not be those of a member of this set. */
bool set_add(struct set *set, struct span member, const struct value_rules *rules);
/* For loading: adds a member that is known to be absent, without a search. */
void set_load(struct set *set, struct span member, const struct value_rules *rules);
bool set_remove(struct set *set, struct span member); /* false: it is no member */
/* The member at a position, 0 <= position < set_count(). An integer is printed into `scratch`. */
struct span set_at(const struct set *set, size_t position, char scratch[NUMBER_I64_CHARS]);
void set_remove_at(struct set *set, size_t position);

/* For many accesses by position: one costs the same in every form. The set must not change
 * meanwhile. */
struct set_index {
    const struct set *set;
    uint32_t *places; /* of a packed set; private */
};
struct set_index set_index(const struct set *set);
struct span set_index_at(const struct set_index *index, size_t position,
                         char scratch[NUMBER_I64_CHARS]);
void set_index_close(struct set_index *index);

/* All members in order. The set must not change meanwhile. */
struct set_walk {
    const struct set *set;
    size_t position; /* of the next member */
    size_t place;    /* private */
    char scratch[NUMBER_I64_CHARS];
};
struct set_walk set_walk(const struct set *set);
struct set_walk set_walk_from(const struct set *set, size_t position);
/* False: there are no more. The member is valid until the next call. */
bool set_walk_next(struct set_walk *walk, struct span *member);

/* SSCAN: visits up to `count` members by descending position, or all of a set of at most
 * VALUE_ORDER_KEPT, in order. The form makes no difference. Cursor 0 starts; returns the next
 * cursor, 0 at the end. */
uint64_t set_scan(const struct set *set, uint64_t cursor, size_t count,
                  void (*visit)(void *context, struct span member), void *context);

#endif
