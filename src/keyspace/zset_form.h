/* The inside of a sorted set. Private to zset*.c. */
#ifndef FLOTILLA_KEYSPACE_ZSET_FORM_H
#define FLOTILLA_KEYSPACE_ZSET_FORM_H

#include "keyspace/dense.h"
#include "keyspace/zset.h"

struct zset {
    uint64_t sum;
    bool is_large;
    union {
        struct listpack pack; /* member, score, member, score … */
        struct zset_large *large;
    };
};

/* A member and its score. */
struct zset_element {
    uint32_t hash; /* dense.h wants it first */
    uint32_t len;
    double score;
    char text[];
};

/* A leaf of the spine: 512 bytes. */
enum { ZSET_LEAF_MAX = 62 };

struct zset_leaf {
    size_t count;       /* never 0 */
    double first_score; /* of the first element; a search often needs no more of a leaf */
    struct zset_element *elements[ZSET_LEAF_MAX];
};

struct zset_large {
    uint64_t seed;
    struct spine spine;
    struct dense dense;
};

static inline struct span zset_element_text(const struct zset_element *element)
{
    return span_of(element->text, element->len);
}

uint64_t zset_sum_of(struct span member, double score);

/* zset_pack.c: places are those of members. */
double zset_pack_score(const struct listpack *pack, size_t at);
size_t zset_pack_find(const struct listpack *pack, struct span member); /* 0: none */
void zset_pack_insert(struct listpack *pack, struct span member, double score);
void zset_pack_append(struct listpack *pack, struct span member, double score); /* it is the last */
bool zset_pack_has_room(const struct listpack *pack, const struct value_rules *rules,
                        struct span member);
size_t zset_pack_rank_of_score(const struct listpack *pack, double score, bool through);

/* zset_large.c */
struct zset_large *zset_large_new(uint64_t seed);
/* The members of a pack in order. Empties the pack. */
struct zset_large *zset_large_from(struct listpack *pack, uint64_t seed);
struct zset_element *zset_large_find(const struct zset_large *large, struct span member);
/* The member is absent. */
void zset_large_insert(struct zset_large *large, struct span member, double score);
/* The same while a set is loaded or copied: the member only gets its position. Nothing may be done
 * then but to add more, to put all of them in order, or to free the set. */
struct zset_element *zset_large_place(struct zset_large *large, struct span member, double score);
void zset_large_sort(struct zset_large *large);
/* Puts the members in order like those of the set that they are copies of. */
void zset_large_sort_like(struct zset_large *large, const struct zset_large *from);
void zset_large_set_score(struct zset_large *large, struct zset_element *element, double score);
void zset_large_remove(struct zset_large *large, struct zset_element *element);
/* Returns the sum of what it removed. */
uint64_t zset_large_remove_ranks(struct zset_large *large, size_t rank, size_t count);
size_t zset_large_rank(const struct zset_large *large, const struct zset_element *element);
size_t zset_large_rank_of_score(const struct zset_large *large, double score, bool through);
size_t zset_large_rank_of_member(const struct zset_large *large, struct span member, bool through);
/* As value_ops.free_some(). */
size_t zset_large_free_some(struct zset_large *large, size_t limit);

#endif
