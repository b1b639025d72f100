/* A sorted set: members with scores, ordered by score and then by the members' bytes.
 *
 * A small one is a packed sequence of members and scores in this order. A large one has an
 * allocation for each member, which two structures point to: a spine of arrays in order, and a
 * dense dictionary that finds members. The form depends on the rules of the node and shows only in
 * OBJECT ENCODING.
 *
 * A rank counts from 0, from the lowest score. Finding a member takes O(1) in a large set; a rank,
 * and the element of a rank, O(log n).
 *
 * The order in which a scan visits members must not depend on the form either, nor be disturbed
 * when scores change. A set of up to ZSET_SMALL members is visited at once, in order. The members
 * of a larger one are visited by their position in the dictionary: when the set grows beyond
 * ZSET_SMALL they get positions in order, and from then on new ones come last, and the last one
 * takes the place of one that is removed. So no set with more members is packed, whatever the rules
 * are. Saving and loading keeps the positions. */
#ifndef FLOTILLA_KEYSPACE_ZSET_H
#define FLOTILLA_KEYSPACE_ZSET_H

#include "base/number.h"
#include "base/span.h"
#include "keyspace/listpack.h"
#include "keyspace/spine.h"
#include "keyspace/value.h"

enum { ZSET_SMALL = VALUE_ORDER_KEPT };

struct zset;

struct zset *zset_new(void);
void zset_free(struct zset *zset);
size_t zset_count(const struct zset *zset);

/* Conditions for zset_add(), and whether the score is added to the present one. */
enum zset_flag {
    ZSET_NX = 1 << 0, /* only a new member */
    ZSET_XX = 1 << 1, /* only a present one */
    ZSET_GT = 1 << 2, /* a present member: only a higher score */
    ZSET_LT = 1 << 3, /* a present member: only a lower score */
    ZSET_INCR = 1 << 4,
};

enum zset_outcome {
    ZSET_ADDED,
    ZSET_UPDATED,
    ZSET_SAME,    /* the member has this score already */
    ZSET_REFUSED, /* by a condition */
    ZSET_NAN,     /* the sum is not a number */
};

/* Sets a member's score. *score becomes the one that it has afterwards if it is added, updated or
 * the same. It must not be NaN. A negative zero becomes zero, because a packed set could not tell
 * them apart. The member must not point into the set. */
enum zset_outcome zset_add(struct zset *zset, const struct value_rules *rules, struct span member,
                           double *score, unsigned flags);
bool zset_remove(struct zset *zset, struct span member);
/* Removes up to `count` elements from this rank on; returns how many. */
size_t zset_remove_ranks(struct zset *zset, size_t rank, size_t count);

/* For loading: adds members in the order in which they were saved. `total` is the number of all
 * that will be added. False: the member is there already, or the score is NaN. Until the last one
 * is added nothing else may be done with the set but to free it. */
bool zset_load(struct zset *zset, const struct value_rules *rules, struct span member, double score,
               size_t total);
/* The same for a member that is known to be absent, without a search. The score is a number. */
void zset_load_absent(struct zset *zset, const struct value_rules *rules, struct span member,
                      double score, size_t total);

/* For making a set of many members at once, which is several times faster than adding them one by
 * one. Between begin and end nothing else may be done with the set but to free it. */
struct zset *zset_build_begin(const struct value_rules *rules);
/* The score of a member, to be set or changed; it must not be NaN. *is_new: the member was added
 * just now. The pointer is valid until the next call. */
double *zset_build_score(struct zset *zset, struct span member, bool *is_new);
void zset_build_end(struct zset *zset, const struct value_rules *rules);

bool zset_score(const struct zset *zset, struct span member, double *score);
bool zset_rank(const struct zset *zset, struct span member, size_t *rank, double *score);

/* The number of elements whose score is below this one, or not above it (`through`). */
size_t zset_rank_of_score(const struct zset *zset, double score, bool through);
/* The same for members, in a set in which all scores are equal. If they are not, the number means
 * nothing, but it does not depend on the form. */
size_t zset_rank_of_member(const struct zset *zset, struct span member, bool through);

/* Walking in order. A change invalidates all places. */
struct zset_place {
    const struct listpack *pack; /* NULL: a large set */
    size_t at;                   /* in the pack, or in the leaf */
    struct spine_place leaf;
};

/* These return false if there is no such element; the place is not valid then. */
bool zset_at(const struct zset *zset, size_t rank, struct zset_place *place);
bool zset_next(struct zset_place *place);
bool zset_previous(struct zset_place *place);

/* An integer is printed into `scratch`. */
struct span zset_place_member(const struct zset_place *place, char scratch[NUMBER_I64_CHARS]);
double zset_place_score(const struct zset_place *place);

/* SCAN: visits about `count` members. Cursor 0 starts; returns the next cursor, 0 at the end. */
typedef void zset_visit(void *context, struct span member, double score);
uint64_t zset_scan(const struct zset *zset, uint64_t cursor, size_t count, zset_visit *visit,
                   void *context);

#endif
