#include "keyspace/zset.h"

#include <math.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/zset_form.h"

struct zset *zset_new(void)
{
    struct zset *zset = mem_alloc(sizeof(*zset));
    *zset = (struct zset){0};
    return zset;
}

void zset_free(struct zset *zset)
{
    value_free(VALUE_ZSET, zset);
}

size_t zset_count(const struct zset *zset)
{
    return zset->is_large ? dense_count(&zset->large->dense) : listpack_count(&zset->pack) / 2;
}

uint64_t zset_sum_of(struct span member, double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    return XXH3_64bits_withSeed(member.ptr, member.len, bits);
}

/* Changing. */

static void make_large(struct zset *zset, const struct value_rules *rules)
{
    if (zset->is_large)
        return;
    struct listpack pack = zset->pack;
    zset->large = zset_large_from(&pack, rules->seed);
    zset->is_large = true;
}

static void insert(struct zset *zset, const struct value_rules *rules, struct span member,
                   double score)
{
    if (!zset->is_large && !zset_pack_has_room(&zset->pack, rules, member))
        make_large(zset, rules);
    if (zset->is_large)
        zset_large_insert(zset->large, member, score);
    else
        zset_pack_insert(&zset->pack, member, score);
    zset->sum += zset_sum_of(member, score);
}

/* Where a member is; both 0 if it is not there. */
struct found {
    size_t at;
    struct zset_element *element;
};

static bool find(const struct zset *zset, struct span member, struct found *found, double *score)
{
    *found = (struct found){0};
    if (zset->is_large) {
        found->element = zset_large_find(zset->large, member);
        if (found->element)
            *score = found->element->score;
        return found->element != NULL;
    }
    found->at = zset_pack_find(&zset->pack, member);
    if (found->at)
        *score = zset_pack_score(&zset->pack, found->at);
    return found->at != 0;
}

static void update(struct zset *zset, const struct found *found, struct span member, double score)
{
    if (found->element) {
        zset_large_set_score(zset->large, found->element, score);
        return;
    }
    listpack_delete(&zset->pack, found->at, 2);
    zset_pack_insert(&zset->pack, member, score);
}

enum zset_outcome zset_add(struct zset *zset, const struct value_rules *rules, struct span member,
                           double *score, unsigned flags)
{
    double wanted = *score + 0.0; /* makes a negative zero positive */
    struct found found;
    double present;
    ASSERT(!isnan(wanted));
    if (!find(zset, member, &found, &present)) {
        if (flags & ZSET_XX)
            return ZSET_REFUSED;
        insert(zset, rules, member, wanted);
        *score = wanted;
        return ZSET_ADDED;
    }
    if (flags & ZSET_NX)
        return ZSET_REFUSED;
    if (flags & ZSET_INCR)
        wanted = wanted + present + 0.0;
    if (isnan(wanted))
        return ZSET_NAN;
    if (((flags & ZSET_GT) && wanted <= present) || ((flags & ZSET_LT) && wanted >= present))
        return ZSET_REFUSED;
    *score = wanted;
    if (wanted == present)
        return ZSET_SAME;
    update(zset, &found, member, wanted);
    zset->sum += zset_sum_of(member, wanted) - zset_sum_of(member, present);
    return ZSET_UPDATED;
}

void zset_load_absent(struct zset *zset, const struct value_rules *rules, struct span member,
                      double score, size_t total)
{
    ASSERT(!isnan(score));
    score += 0.0;
    if (total <= ZSET_SMALL) {
        insert(zset, rules, member, score);
        return;
    }
    make_large(zset, rules);
    zset_large_place(zset->large, member, score);
    zset->sum += zset_sum_of(member, score);
    if (zset_count(zset) == total)
        zset_large_sort(zset->large);
}

bool zset_load(struct zset *zset, const struct value_rules *rules, struct span member, double score,
               size_t total)
{
    struct found found;
    double present;
    if (isnan(score) || find(zset, member, &found, &present))
        return false;
    zset_load_absent(zset, rules, member, score, total);
    return true;
}

bool zset_remove(struct zset *zset, struct span member)
{
    struct found found;
    double score;
    if (!find(zset, member, &found, &score))
        return false;
    zset->sum -= zset_sum_of(member, score);
    if (found.element)
        zset_large_remove(zset->large, found.element);
    else
        listpack_delete(&zset->pack, found.at, 2);
    return true;
}

size_t zset_remove_ranks(struct zset *zset, size_t rank, size_t count)
{
    size_t has = zset_count(zset);
    if (rank >= has)
        return 0;
    if (count > has - rank)
        count = has - rank;
    if (zset->is_large) {
        zset->sum -= zset_large_remove_ranks(zset->large, rank, count);
        return count;
    }
    struct zset_place place;
    bool more = zset_at(zset, rank, &place);
    char scratch[NUMBER_I64_CHARS];
    for (size_t i = 0; more && i < count; i++, more = zset_next(&place))
        zset->sum -= zset_sum_of(zset_place_member(&place, scratch), zset_place_score(&place));
    listpack_delete_range(&zset->pack, rank * 2, count * 2);
    return count;
}

/* Reading. */

bool zset_score(const struct zset *zset, struct span member, double *score)
{
    struct found found;
    return find(zset, member, &found, score);
}

bool zset_rank(const struct zset *zset, struct span member, size_t *rank, double *score)
{
    struct found found;
    if (!find(zset, member, &found, score))
        return false;
    if (found.element) {
        *rank = zset_large_rank(zset->large, found.element);
        return true;
    }
    *rank = 0;
    for (size_t at = listpack_first(&zset->pack); at != found.at;
         at = listpack_skip(&zset->pack, at, 2))
        ++*rank;
    return true;
}

size_t zset_rank_of_score(const struct zset *zset, double score, bool through)
{
    return zset->is_large ? zset_large_rank_of_score(zset->large, score, through)
                          : zset_pack_rank_of_score(&zset->pack, score, through);
}

static bool is_member_before(const struct zset *zset, size_t rank, struct span member, bool through)
{
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    if (!zset_at(zset, rank, &place))
        return false;
    int order = span_compare(zset_place_member(&place, scratch), member);
    return order < 0 || (order == 0 && through);
}

static bool has_one_score(const struct zset *zset)
{
    struct zset_place first, last;
    return zset_at(zset, 0, &first) && zset_at(zset, zset_count(zset) - 1, &last) &&
           zset_place_score(&first) == zset_place_score(&last);
}

/* The members of different scores are in no order. The bisection then ends somewhere, but it is
 * everywhere the same place: it looks at ranks, and not at leaves. */
size_t zset_rank_of_member(const struct zset *zset, struct span member, bool through)
{
    if (zset->is_large && has_one_score(zset))
        return zset_large_rank_of_member(zset->large, member, through);
    size_t low = 0, high = zset_count(zset);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_member_before(zset, middle, member, through))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool zset_at(const struct zset *zset, size_t rank, struct zset_place *place)
{
    if (rank >= zset_count(zset))
        return false;
    *place = (struct zset_place){0};
    if (zset->is_large) {
        spine_at_rank(&zset->large->spine, rank, &place->leaf, &place->at);
    } else {
        place->pack = &zset->pack;
        place->at = listpack_nth(&zset->pack, rank * 2);
    }
    return true;
}

static const struct zset_leaf *leaf_of(const struct zset_place *place)
{
    return place->leaf.leaf;
}

bool zset_next(struct zset_place *place)
{
    if (place->pack) {
        place->at = listpack_skip(place->pack, place->at, 2);
        return place->at != 0;
    }
    if (++place->at < leaf_of(place)->count)
        return true;
    place->at = 0;
    return spine_next(&place->leaf);
}

bool zset_previous(struct zset_place *place)
{
    if (place->pack) {
        place->at = listpack_previous(place->pack, place->at);
        if (place->at)
            place->at = listpack_previous(place->pack, place->at);
        return place->at != 0;
    }
    if (place->at-- > 0)
        return true;
    if (!spine_previous(&place->leaf))
        return false;
    place->at = leaf_of(place)->count - 1;
    return true;
}

struct span zset_place_member(const struct zset_place *place, char scratch[NUMBER_I64_CHARS])
{
    return place->pack ? listpack_text(place->pack, place->at, scratch)
                       : zset_element_text(leaf_of(place)->elements[place->at]);
}

double zset_place_score(const struct zset_place *place)
{
    return place->pack ? zset_pack_score(place->pack, place->at)
                       : leaf_of(place)->elements[place->at]->score;
}

struct visit {
    zset_visit *visit;
    void *context;
};

static void visit_element(void *context, void *element)
{
    const struct visit *visit = context;
    const struct zset_element *found = element;
    visit->visit(visit->context, zset_element_text(found), found->score);
}

uint64_t zset_scan(const struct zset *zset, uint64_t cursor, size_t count, zset_visit *visit,
                   void *context)
{
    if (zset_count(zset) > ZSET_SMALL) {
        struct visit visitor = {visit, context};
        return dense_scan(&zset->large->dense, cursor, count, visit_element, &visitor);
    }
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = zset_at(zset, 0, &place); more; more = zset_next(&place))
        visit(context, zset_place_member(&place, scratch), zset_place_score(&place));
    return 0;
}
