#include "keyspace/spine.h"

#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "unit/support/test.h"

/* The leaves in an array; everything is found by walking over it. */
enum { MODEL_LEAVES = 6000 };

struct leaf {
    size_t count;
    size_t position; /* only for searches: set by number_leaves() */
};

struct model {
    struct leaf *leaves[MODEL_LEAVES];
    size_t used;
};

static struct leaf *leaf_new(size_t count)
{
    struct leaf *leaf = mem_alloc(sizeof(*leaf));
    *leaf = (struct leaf){.count = count};
    return leaf;
}

static void model_insert(struct model *model, size_t at, struct leaf *leaf)
{
    memmove(model->leaves + at + 1, model->leaves + at,
            (model->used - at) * sizeof(model->leaves[0]));
    model->leaves[at] = leaf;
    model->used++;
}

static void model_remove(struct model *model, size_t at)
{
    model->used--;
    memmove(model->leaves + at, model->leaves + at + 1,
            (model->used - at) * sizeof(model->leaves[0]));
}

static size_t model_rank(const struct model *model, size_t at)
{
    size_t rank = 0;
    for (size_t i = 0; i < at; i++)
        rank += model->leaves[i]->count;
    return rank;
}

static void check_equal(const struct model *model, const struct spine *spine)
{
    assert_true(spine_is_sound(spine));
    assert_int_equal(spine->leaves, model->used);
    assert_int_equal(spine->count, model_rank(model, model->used));
    struct spine_place place;
    size_t at = 0;
    for (bool more = spine_first(spine, &place); more; more = spine_next(&place)) {
        assert_ptr_equal(place.leaf, model->leaves[at]);
        assert_int_equal(spine_leaf_count(&place), model->leaves[at]->count);
        at++;
    }
    assert_int_equal(at, model->used);
    for (bool more = spine_last(spine, &place); more; more = spine_previous(&place))
        assert_ptr_equal(place.leaf, model->leaves[--at]);
    assert_int_equal(at, 0);
}

/* Walks from the nearer end, so that finding a leaf in the spine does not depend on its sums. */
static void stand_at(const struct spine *spine, const struct model *model, size_t at,
                     struct spine_place *place)
{
    if (at < model->used / 2) {
        spine_first(spine, place);
        for (size_t i = 0; i < at; i++)
            spine_next(place);
    } else {
        spine_last(spine, place);
        for (size_t i = model->used - 1; i > at; i--)
            spine_previous(place);
    }
    assert_ptr_equal(place->leaf, model->leaves[at]);
}

static bool begins(const void *sought, const void *leaf)
{
    return ((const struct leaf *)leaf)->position <= *(const size_t *)sought;
}

static void check_searches(const struct model *model, const struct spine *spine, struct prng *prng)
{
    struct spine_place place;
    size_t offset;
    assert_false(spine_at_rank(spine, spine->count, &place, &offset));
    assert_null(place.leaf);
    for (size_t i = 0; i < model->used; i++)
        model->leaves[i]->position = 10 + i * 2;
    for (int i = 0; i < 20 && model->used; i++) {
        size_t at = prng_below(prng, model->used), before = model_rank(model, at);
        const struct leaf *leaf = model->leaves[at];
        if (leaf->count) {
            size_t wanted = prng_below(prng, leaf->count);
            assert_true(spine_at_rank(spine, before + wanted, &place, &offset));
            assert_ptr_equal(place.leaf, leaf);
            assert_int_equal(offset, wanted);
            assert_int_equal(spine_rank(&place), before);
        }
        size_t sought = leaf->position + prng_below(prng, 2);
        assert_true(spine_find(spine, begins, &sought, &place));
        assert_ptr_equal(place.leaf, leaf);
        assert_int_equal(spine_rank(&place), before);
    }
    size_t nothing = 0;
    assert_int_equal(spine_find(spine, begins, &nothing, &place), model->used > 0);
    assert_ptr_equal(place.leaf, model->used ? model->leaves[0] : NULL);
}

static void insert_somewhere(struct model *model, struct spine *spine, struct prng *prng)
{
    struct leaf *leaf = leaf_new(prng_below(prng, 5));
    struct spine_place place;
    switch (model->used ? prng_below(prng, 4) : prng_below(prng, 2)) {
    case 0:
        model_insert(model, 0, leaf);
        spine_prepend(spine, leaf, leaf->count, &place);
        break;
    case 1:
        model_insert(model, model->used, leaf);
        spine_append(spine, leaf, leaf->count, &place);
        break;
    case 2: {
        size_t at = prng_below(prng, model->used);
        stand_at(spine, model, at, &place);
        model_insert(model, at, leaf);
        spine_insert_before(spine, &place, leaf, leaf->count);
        break;
    }
    default: {
        size_t at = prng_below(prng, model->used);
        stand_at(spine, model, at, &place);
        model_insert(model, at + 1, leaf);
        spine_insert_after(spine, &place, leaf, leaf->count);
        break;
    }
    }
    assert_ptr_equal(place.leaf, leaf);
    assert_int_equal(spine_leaf_count(&place), leaf->count);
}

/* Removes up to `most` leaves from one on, each time at the place that the removal before left. */
static void remove_some(struct model *model, struct spine *spine, struct prng *prng, size_t most)
{
    if (!model->used)
        return;
    size_t at = prng_below(prng, model->used);
    struct spine_place place;
    stand_at(spine, model, at, &place);
    for (size_t i = 0; i <= prng_below(prng, most); i++) {
        mem_free(model->leaves[at]);
        model_remove(model, at);
        bool more = spine_remove(spine, &place);
        assert_int_equal(more, at < model->used);
        assert_ptr_equal(place.leaf, more ? model->leaves[at] : NULL);
        if (!more)
            return;
        assert_int_equal(spine_leaf_count(&place), model->leaves[at]->count);
    }
}

static void change_one(struct model *model, struct spine *spine, struct prng *prng)
{
    if (!model->used)
        return;
    size_t at = prng_below(prng, model->used);
    struct spine_place place;
    stand_at(spine, model, at, &place);
    struct leaf *moved = leaf_new(prng_below(prng, 9));
    mem_free(model->leaves[at]);
    model->leaves[at] = moved;
    spine_set_leaf(&place, moved);
    spine_set_count(spine, &place, moved->count);
    assert_ptr_equal(place.leaf, moved);
}

static void free_all(struct model *model, struct spine *spine)
{
    struct leaf *leaf;
    while ((leaf = spine_take(spine)) != NULL) {
        assert_ptr_equal(leaf, model->leaves[--model->used]);
        mem_free(leaf);
    }
    assert_int_equal(model->used, 0);
    assert_null(spine->root);
    assert_int_equal(spine->leaves + spine->count, 0);
}

/* The spine grows for a while, then shrinks for a while, more and more slowly. */
static void play(uint64_t seed, int steps)
{
    static struct model model;
    struct spine spine = {0};
    struct prng prng;
    prng_init(&prng, seed);
    for (int i = 0; i < steps; i++) {
        bool growing = i / (200 + i / 4) % 2 == 0;
        uint64_t what = prng_below(&prng, 10);
        if (model.used < MODEL_LEAVES && (growing ? what < 7 : what < 2))
            insert_somewhere(&model, &spine, &prng);
        else if (what < 9)
            remove_some(&model, &spine, &prng, growing ? 1 : 3);
        else
            change_one(&model, &spine, &prng);
        if (i % 16 == 0) {
            check_equal(&model, &spine);
            check_searches(&model, &spine, &prng);
        }
    }
    check_equal(&model, &spine);
    free_all(&model, &spine);
}

static void test_it_agrees_with_a_plain_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        play(seed, 5000);
}

/* Inserting in the middle and at both ends until there are several levels, then taking out all of
 * it, from the front, the back or the middle. */
static void grow_and_empty(uint64_t seed)
{
    static struct model model;
    struct spine spine = {0};
    struct prng prng;
    prng_init(&prng, seed);
    while (model.used < MODEL_LEAVES)
        insert_somewhere(&model, &spine, &prng);
    check_equal(&model, &spine);
    check_searches(&model, &spine, &prng);
    for (size_t i = 0; model.used; i++) {
        size_t at = seed % 3 == 0 ? 0 : seed % 3 == 1 ? model.used - 1 : model.used / 2;
        struct spine_place place;
        stand_at(&spine, &model, at, &place);
        mem_free(model.leaves[at]);
        model_remove(&model, at);
        spine_remove(&spine, &place);
        assert_ptr_equal(place.leaf, at < model.used ? model.leaves[at] : NULL);
        if (i % 100 == 0 || model.used < 100)
            check_equal(&model, &spine);
    }
    assert_null(spine.root);
    assert_int_equal(spine_memory(&spine), 0);
}

static void test_it_empties_from_everywhere(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++)
        grow_and_empty(seed);
}

static size_t comparisons;

static bool begins_counted(const void *sought, const void *leaf)
{
    comparisons++;
    return begins(sought, leaf);
}

/* A million leaves with ten elements each. Leaves need no memory of their own here. */
static void grow_large(struct spine *spine, struct leaf *leaves, size_t count, bool backwards)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = backwards ? count - 1 - i : i;
        leaves[at] = (struct leaf){.count = 10, .position = at};
        if (backwards)
            spine_prepend(spine, &leaves[at], 10, NULL);
        else
            spine_append(spine, &leaves[at], 10, NULL);
    }
    assert_int_equal(spine->count, count * 10);
}

static void check_large(const struct spine *spine, const struct leaf *leaves, size_t count)
{
    struct prng prng;
    prng_init(&prng, 7);
    for (int i = 0; i < 10000; i++) {
        size_t rank = prng_below(&prng, count * 10), offset, sought = rank / 10;
        struct spine_place place;
        assert_true(spine_at_rank(spine, rank, &place, &offset));
        assert_ptr_equal(place.leaf, &leaves[sought]);
        assert_int_equal(offset, rank % 10);
        assert_int_equal(spine_rank(&place), sought * 10);
        comparisons = 0;
        assert_true(spine_find(spine, begins_counted, &sought, &place));
        assert_ptr_equal(place.leaf, &leaves[sought]);
        /* log2(1e6) is 20; a node costs one more at most */
        assert_in_range(comparisons, 10, 30);
    }
}

static void test_ten_million_elements(void **state)
{
    (void)state;
    enum { COUNT = 1000 * 1000 };
    struct leaf *leaves = mem_alloc(COUNT * sizeof(*leaves));
    for (int backwards = 0; backwards < 2; backwards++) {
        struct spine spine = {0};
        grow_large(&spine, leaves, COUNT, backwards);
        assert_true(spine_is_sound(&spine));
        /* 24 bytes each in nodes that are full, and little more. */
        assert_in_range(spine_memory(&spine), COUNT * 24, COUNT * (backwards ? 30 : 28));
        check_large(&spine, leaves, COUNT);
        size_t taken = 0;
        while (spine_take(&spine))
            taken++;
        assert_int_equal(taken, COUNT);
    }
    mem_free(leaves);
}

/* A queue whose one end grows while the other one shrinks. */
static void test_a_queue_stays_shallow(void **state)
{
    (void)state;
    enum { COUNT = 3000, ROUNDS = 300 * 1000 };
    struct leaf *leaves = mem_alloc(COUNT * sizeof(*leaves));
    struct spine spine = {0};
    grow_large(&spine, leaves, COUNT, false);
    size_t bytes = spine_memory(&spine);
    for (size_t i = 0; i < ROUNDS; i++) {
        struct spine_place place;
        assert_true(spine_first(&spine, &place));
        struct leaf *leaf = place.leaf;
        assert_ptr_equal(leaf, &leaves[i % COUNT]);
        assert_true(spine_remove(&spine, &place));
        spine_append(&spine, leaf, 10, NULL);
    }
    assert_true(spine_is_sound(&spine));
    assert_in_range(spine_memory(&spine), 1, bytes + bytes / 5);
    while (spine_take(&spine))
        ;
    mem_free(leaves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_agrees_with_a_plain_array),
        cmocka_unit_test(test_it_empties_from_everywhere),
        cmocka_unit_test(test_ten_million_elements),
        cmocka_unit_test(test_a_queue_stays_shallow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
