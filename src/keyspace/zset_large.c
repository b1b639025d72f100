/* Sorted sets of many members: a spine for the order, a dictionary for the members. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/zset_form.h"

/* A leaf with fewer elements joins a neighbour, if both do not nearly fill one. */
enum { LEAF_FEW = ZSET_LEAF_MAX / 4, LEAF_JOINED_MAX = ZSET_LEAF_MAX * 3 / 4 };

static struct span key_of(const void *element)
{
    return zset_element_text(element);
}

struct zset_large *zset_large_new(uint64_t seed)
{
    struct zset_large *large = mem_alloc(sizeof(*large));
    *large = (struct zset_large){.seed = seed};
    return large;
}

struct zset_element *zset_large_find(const struct zset_large *large, struct span member)
{
    return dense_find(&large->dense, member, dense_hash(member, large->seed), key_of);
}

/* Searching. */

struct sought {
    double score;
    struct span member;
    bool through; /* an equal element counts as one before */
};

static bool is_before(const struct zset_element *element, const struct sought *sought)
{
    if (element->score != sought->score)
        return element->score < sought->score;
    int order = span_compare(zset_element_text(element), sought->member);
    return order < 0 || (order == 0 && sought->through);
}

static bool score_is_before(const struct zset_element *element, const struct sought *sought)
{
    return element->score < sought->score || (sought->through && element->score == sought->score);
}

static bool member_is_before(const struct zset_element *element, const struct sought *sought)
{
    int order = span_compare(zset_element_text(element), sought->member);
    return order < 0 || (order == 0 && sought->through);
}

static bool leaf_is_before(const void *sought, const void *leaf)
{
    double score = ((const struct sought *)sought)->score;
    double first = ((const struct zset_leaf *)leaf)->first_score;
    return first == score ? is_before(((const struct zset_leaf *)leaf)->elements[0], sought)
                          : first < score;
}

static bool leaf_score_is_before(const void *sought, const void *leaf)
{
    const struct sought *wanted = sought;
    double first = ((const struct zset_leaf *)leaf)->first_score;
    return first < wanted->score || (wanted->through && first == wanted->score);
}

static bool leaf_member_is_before(const void *sought, const void *leaf)
{
    return member_is_before(((const struct zset_leaf *)leaf)->elements[0], sought);
}

typedef bool comparison(const struct zset_element *element, const struct sought *sought);

/* The number of elements of a leaf that are before. */
static size_t count_before(const struct zset_leaf *leaf, comparison *before,
                           const struct sought *sought)
{
    size_t low = 0, high = leaf->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (before(leaf->elements[middle], sought))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where an element is. The spine is not empty. */
static size_t find_place(const struct zset_large *large, const struct zset_element *element,
                         struct spine_place *place)
{
    struct sought sought = {element->score, zset_element_text(element), true};
    spine_find(&large->spine, leaf_is_before, &sought, place);
    sought.through = false;
    size_t index = count_before(place->leaf, is_before, &sought);
    const struct zset_leaf *leaf = place->leaf;
    ASSERT(index < leaf->count && leaf->elements[index] == element);
    return index;
}

size_t zset_large_rank(const struct zset_large *large, const struct zset_element *element)
{
    struct spine_place place;
    size_t index = find_place(large, element, &place);
    return spine_rank(&place) + index;
}

size_t zset_large_rank_of_score(const struct zset_large *large, double score, bool through)
{
    struct spine_place place;
    struct sought sought = {.score = score, .through = through};
    if (!spine_find(&large->spine, leaf_score_is_before, &sought, &place))
        return 0;
    return spine_rank(&place) + count_before(place.leaf, score_is_before, &sought);
}

size_t zset_large_rank_of_member(const struct zset_large *large, struct span member, bool through)
{
    struct spine_place place;
    struct sought sought = {.member = member, .through = through};
    if (!spine_find(&large->spine, leaf_member_is_before, &sought, &place))
        return 0;
    return spine_rank(&place) + count_before(place.leaf, member_is_before, &sought);
}

/* Changing the order. */

static void recount(struct zset_large *large, const struct spine_place *place)
{
    spine_set_count(&large->spine, place, ((const struct zset_leaf *)place->leaf)->count);
}

static void leaf_insert(struct zset_leaf *leaf, size_t index, struct zset_element *element)
{
    memmove(leaf->elements + index + 1, leaf->elements + index,
            (leaf->count - index) * sizeof(element));
    leaf->elements[index] = element;
    leaf->count++;
    if (index == 0)
        leaf->first_score = element->score;
}

static void leaf_remove(struct zset_leaf *leaf, size_t index, size_t count)
{
    leaf->count -= count;
    memmove(leaf->elements + index, leaf->elements + index + count,
            (leaf->count - index) * sizeof(leaf->elements[0]));
    if (index == 0 && leaf->count)
        leaf->first_score = leaf->elements[0]->score;
}

static struct zset_leaf *leaf_new(struct zset_element *const *elements, size_t count)
{
    ASSERT(count > 0 && count <= ZSET_LEAF_MAX);
    struct zset_leaf *leaf = mem_alloc(sizeof(*leaf));
    leaf->count = count;
    leaf->first_score = elements[0]->score;
    memcpy(leaf->elements, elements, count * sizeof(elements[0]));
    return leaf;
}

/* Adds to a full leaf. At an end of the set the leaf stays full, so that members that come in order
 * fill all leaves. */
static void insert_full(struct zset_large *large, struct spine_place *place, size_t index,
                        struct zset_element *element)
{
    struct zset_leaf *leaf = place->leaf;
    struct spine_place next = *place;
    if (index == leaf->count && !spine_next(&next)) {
        spine_append(&large->spine, leaf_new(&element, 1), 1, NULL);
        return;
    }
    if (index == 0) { /* it is the first leaf: other ones begin at or before what is sought */
        spine_prepend(&large->spine, leaf_new(&element, 1), 1, NULL);
        return;
    }
    size_t keep = leaf->count / 2;
    struct zset_leaf *right = leaf_new(leaf->elements + keep, leaf->count - keep);
    leaf->count = keep;
    if (index <= keep)
        leaf_insert(leaf, index, element);
    else
        leaf_insert(right, index - keep, element);
    recount(large, place);
    spine_insert_after(&large->spine, place, right, right->count);
}

static void order_insert(struct zset_large *large, struct zset_element *element)
{
    struct spine_place place;
    struct sought sought = {element->score, zset_element_text(element), true};
    if (!spine_find(&large->spine, leaf_is_before, &sought, &place)) {
        spine_append(&large->spine, leaf_new(&element, 1), 1, NULL);
        return;
    }
    struct zset_leaf *leaf = place.leaf;
    size_t index = count_before(leaf, is_before, &sought);
    if (leaf->count == ZSET_LEAF_MAX) {
        insert_full(large, &place, index, element);
        return;
    }
    leaf_insert(leaf, index, element);
    recount(large, &place);
}

/* Moves the elements of the leaf at `right` behind those of the leaf before it. */
static bool join(struct zset_large *large, struct spine_place *right)
{
    struct spine_place left = *right;
    if (!spine_previous(&left))
        return false;
    struct zset_leaf *to = left.leaf, *from = right->leaf;
    if (to->count + from->count > LEAF_JOINED_MAX)
        return false;
    memcpy(to->elements + to->count, from->elements, from->count * sizeof(from->elements[0]));
    to->count += from->count;
    recount(large, &left);
    spine_remove(&large->spine, right);
    mem_free(from);
    return true;
}

/* Elements have been removed from the leaf. */
static void leaf_shrunk(struct zset_large *large, struct spine_place *place)
{
    struct zset_leaf *leaf = place->leaf;
    if (leaf->count == 0) {
        spine_remove(&large->spine, place);
        mem_free(leaf);
        return;
    }
    recount(large, place);
    if (leaf->count >= LEAF_FEW || join(large, place))
        return;
    struct spine_place next = *place;
    if (spine_next(&next))
        join(large, &next);
}

static void order_remove(struct zset_large *large, struct spine_place *place, size_t index)
{
    leaf_remove(place->leaf, index, 1);
    leaf_shrunk(large, place);
}

/* Changing members. */

static struct zset_element *element_new(struct zset_large *large, struct span member, double score)
{
    ASSERT(member.len < UINT32_MAX);
    struct zset_element *element = mem_alloc(sizeof(*element) + member.len);
    *element = (struct zset_element){dense_hash(member, large->seed), (uint32_t)member.len, score};
    if (member.len)
        memcpy(element->text, member.ptr, member.len);
    return element;
}

/* Each element gets its rank as its position. */
static void reorder(struct zset_large *large)
{
    struct zset_element *elements[ZSET_SMALL];
    size_t count = 0;
    struct spine_place place;
    for (bool more = spine_first(&large->spine, &place); more; more = spine_next(&place)) {
        const struct zset_leaf *leaf = place.leaf;
        ASSERT(count + leaf->count <= ZSET_SMALL);
        memcpy(elements + count, leaf->elements, leaf->count * sizeof(elements[0]));
        count += leaf->count;
    }
    while (dense_count(&large->dense))
        dense_remove(&large->dense, dense_count(&large->dense) - 1);
    for (size_t i = 0; i < count; i++)
        dense_insert(&large->dense, elements[i]);
}

void zset_large_insert(struct zset_large *large, struct span member, double score)
{
    struct zset_element *element = element_new(large, member, score);
    if (dense_count(&large->dense) == ZSET_SMALL)
        reorder(large);
    dense_insert(&large->dense, element);
    order_insert(large, element);
}

struct zset_large *zset_large_from(struct listpack *pack, uint64_t seed)
{
    struct zset_large *large = zset_large_new(seed);
    char scratch[NUMBER_I64_CHARS];
    for (size_t at = listpack_first(pack); at; at = listpack_skip(pack, at, 2))
        zset_large_insert(large, listpack_text(pack, at, scratch), zset_pack_score(pack, at));
    listpack_close(pack);
    return large;
}

struct zset_element *zset_large_place(struct zset_large *large, struct span member, double score)
{
    struct zset_element *element = element_new(large, member, score);
    dense_insert(&large->dense, element);
    return element;
}

/* The score is at hand when elements are compared. */
struct sorted {
    double score;
    struct zset_element *element;
};

static int compare_sorted(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return span_compare(zset_element_text(x->element), zset_element_text(y->element));
}

/* Sorting once is several times faster than finding the place of each element. */
void zset_large_sort(struct zset_large *large)
{
    enum { FILLED = ZSET_LEAF_MAX - ZSET_LEAF_MAX / 8 };
    size_t count = dense_count(&large->dense);
    if (count == 0)
        return;
    struct sorted *sorted = mem_alloc(count * sizeof(*sorted));
    for (size_t i = 0; i < count; i++) {
        struct zset_element *element = dense_at(&large->dense, i);
        sorted[i] = (struct sorted){element->score, element};
    }
    qsort(sorted, count, sizeof(*sorted), compare_sorted);
    struct zset_element *elements[FILLED] = {0};
    for (size_t at = 0; at < count; at += FILLED) {
        size_t some = count - at < FILLED ? count - at : FILLED;
        for (size_t i = 0; i < some; i++)
            elements[i] = sorted[at + i].element;
        spine_append(&large->spine, leaf_new(elements, some), some, NULL);
    }
    mem_free(sorted);
}

void zset_large_sort_like(struct zset_large *large, const struct zset_large *from)
{
    struct spine_place place;
    for (bool more = spine_first(&from->spine, &place); more; more = spine_next(&place)) {
        const struct zset_leaf *leaf = place.leaf;
        struct zset_element *elements[ZSET_LEAF_MAX] = {0};
        for (size_t i = 0; i < leaf->count; i++)
            elements[i] = dense_at(&large->dense, dense_position(&from->dense, leaf->elements[i]));
        spine_append(&large->spine, leaf_new(elements, leaf->count), leaf->count, NULL);
    }
}

/* A small change of the score often leaves the element between its neighbours. */
void zset_large_set_score(struct zset_large *large, struct zset_element *element, double score)
{
    struct spine_place place;
    size_t index = find_place(large, element, &place);
    const struct zset_leaf *leaf = place.leaf;
    struct sought sought = {score, zset_element_text(element), true};
    if (index > 0 && index + 1 < leaf->count && is_before(leaf->elements[index - 1], &sought) &&
        !is_before(leaf->elements[index + 1], &sought)) {
        element->score = score;
        return;
    }
    order_remove(large, &place, index);
    element->score = score;
    order_insert(large, element);
}

static void element_remove(struct zset_large *large, struct zset_element *element)
{
    dense_remove(&large->dense, dense_position(&large->dense, element));
    mem_free(element);
}

void zset_large_remove(struct zset_large *large, struct zset_element *element)
{
    struct spine_place place;
    size_t index = find_place(large, element, &place);
    order_remove(large, &place, index);
    element_remove(large, element);
}

uint64_t zset_large_remove_ranks(struct zset_large *large, size_t rank, size_t count)
{
    uint64_t sum = 0;
    while (count) {
        struct spine_place place;
        size_t offset;
        spine_at_rank(&large->spine, rank, &place, &offset);
        struct zset_leaf *leaf = place.leaf;
        size_t some = leaf->count - offset < count ? leaf->count - offset : count;
        for (size_t i = offset; i < offset + some; i++) {
            struct zset_element *element = leaf->elements[i];
            sum += zset_sum_of(zset_element_text(element), element->score);
            element_remove(large, element);
        }
        leaf_remove(leaf, offset, some);
        leaf_shrunk(large, &place);
        count -= some;
    }
    return sum;
}

size_t zset_large_free_some(struct zset_large *large, size_t limit)
{
    size_t freed = 0;
    struct zset_leaf *leaf;
    while (freed < limit && (leaf = spine_take(&large->spine)) != NULL) {
        mem_free(leaf);
        freed++;
    }
    freed += dense_free_some(&large->dense, limit - freed, mem_free);
    if (freed < limit)
        mem_free(large);
    return freed;
}
