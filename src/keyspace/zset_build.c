/* Making a sorted set of many members at once. */
#include <math.h>

#include "base/assert.h"
#include "keyspace/zset_form.h"

struct zset *zset_build_begin(const struct value_rules *rules)
{
    struct zset *zset = zset_new();
    zset->is_large = true;
    zset->large = zset_large_new(rules->seed);
    return zset;
}

double *zset_build_score(struct zset *zset, struct span member, bool *is_new)
{
    struct zset_element *element = zset_large_find(zset->large, member);
    *is_new = !element;
    if (!element)
        element = zset_large_place(zset->large, member, 0);
    return &element->score;
}

/* All members are in order. False: they do not fit into a pack. */
static bool fill_pack(const struct zset *zset, const struct value_rules *rules,
                      struct listpack *pack)
{
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = zset_at(zset, 0, &place); more; more = zset_next(&place)) {
        struct span member = zset_place_member(&place, scratch);
        if (!zset_pack_has_room(pack, rules, member))
            return false;
        zset_pack_append(pack, member, zset_place_score(&place));
    }
    return true;
}

void zset_build_end(struct zset *zset, const struct value_rules *rules)
{
    struct zset_large *large = zset->large;
    for (size_t i = 0; i < dense_count(&large->dense); i++) {
        struct zset_element *element = dense_at(&large->dense, i);
        ASSERT(!isnan(element->score));
        element->score += 0.0; /* makes a negative zero positive */
        zset->sum += zset_sum_of(zset_element_text(element), element->score);
    }
    zset_large_sort(large);
    struct listpack pack = {0};
    if (zset_count(zset) > ZSET_SMALL || !fill_pack(zset, rules, &pack)) {
        listpack_close(&pack);
        return;
    }
    zset_large_free_some(large, SIZE_MAX);
    zset->is_large = false;
    zset->pack = pack;
}
