#include "keyspace/dense.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/prng.h"
#include "unit/support/test.h"

enum { IDS = 200000, ABSENT = -1 };

struct element {
    uint32_t hash;
    uint32_t id;
};

static struct span key_of(const void *element)
{
    const struct element *real = element;
    return span_of((const char *)&real->id, sizeof(real->id));
}

/* The ids in order, and where each is. */
struct model {
    int order[IDS];
    int position[IDS];
    int count;
};

struct run {
    struct model model;
    struct dense dense;
    struct prng prng;
    uint32_t hash_mask; /* a small one makes hashes collide */
};

static uint32_t hash_of(const struct run *run, uint32_t id)
{
    return dense_hash(span_of((const char *)&id, sizeof(id)), 7) & run->hash_mask;
}

static struct run *run_new(uint64_t seed, uint32_t hash_mask)
{
    struct run *run = calloc(1, sizeof(*run));
    for (int i = 0; i < IDS; i++)
        run->model.position[i] = ABSENT;
    prng_init(&run->prng, seed);
    run->hash_mask = hash_mask;
    return run;
}

static void run_free(struct run *run)
{
    dense_free_some(&run->dense, SIZE_MAX, mem_free);
    assert_null(run->dense.elements.first);
    free(run);
}

static void insert(struct run *run, int id)
{
    struct element *element = mem_alloc(sizeof(*element));
    *element = (struct element){hash_of(run, (uint32_t)id), (uint32_t)id};
    dense_insert(&run->dense, element);
    run->model.position[id] = run->model.count;
    run->model.order[run->model.count++] = id;
}

static void model_remove(struct model *model, int position)
{
    model->position[model->order[position]] = ABSENT;
    int last = model->count - 1;
    if (model->count <= DENSE_SHIFT_MAX) {
        for (int i = position; i < last; i++)
            model->order[i] = model->order[i + 1];
    } else {
        model->order[position] = model->order[last];
    }
    model->count--;
    int end = last < position + DENSE_SHIFT_MAX ? last : position + 1;
    for (int i = position; i < end; i++)
        model->position[model->order[i]] = i;
}

static void remove_at(struct run *run, int position)
{
    struct element *element = dense_at(&run->dense, (size_t)position);
    assert_int_equal(element->id, run->model.order[position]);
    dense_remove(&run->dense, (size_t)position);
    mem_free(element);
    model_remove(&run->model, position);
}

static void replace_at(struct run *run, int position)
{
    struct element *old = dense_at(&run->dense, (size_t)position);
    struct element *fresh = mem_alloc(sizeof(*fresh));
    *fresh = *old;
    dense_replace(&run->dense, (size_t)position, fresh);
    mem_free(old);
}

static void check_id(struct run *run, int id)
{
    uint32_t key = (uint32_t)id;
    const struct element *found = dense_find(&run->dense, span_of((const char *)&key, sizeof(key)),
                                             hash_of(run, key), key_of);
    if (run->model.position[id] == ABSENT) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_int_equal(found->id, id);
    assert_int_equal(dense_position(&run->dense, found), run->model.position[id]);
}

static void check_all(struct run *run, int ids)
{
    assert_int_equal(dense_count(&run->dense), run->model.count);
    for (int i = 0; i < ids; i++)
        check_id(run, i);
    for (int i = 0; i < run->model.count; i++) {
        const struct element *element = dense_at(&run->dense, (size_t)i);
        assert_int_equal(element->id, run->model.order[i]);
    }
}

/* Grows and shrinks in turn, so that it passes every size of the table in both directions. */
static void play(struct run *run, int ids, int steps)
{
    bool grows = true;
    for (int i = 0; i < steps; i++) {
        int id = (int)prng_below(&run->prng, (uint64_t)ids);
        if (run->model.count == 0 || run->model.count > ids * 9 / 10)
            grows = run->model.count == 0;
        if (prng_below(&run->prng, 8) < (grows ? 7 : 1)) {
            if (run->model.position[id] == ABSENT)
                insert(run, id);
        } else if (run->model.count) {
            remove_at(run, (int)prng_below(&run->prng, (uint64_t)run->model.count));
        }
        if (run->model.count && prng_below(&run->prng, 4) == 0)
            replace_at(run, (int)prng_below(&run->prng, (uint64_t)run->model.count));
        check_id(run, (int)prng_below(&run->prng, (uint64_t)ids));
        check_id(run, id);
    }
    check_all(run, ids);
}

static void test_random_calls_do_what_a_simple_model_does(void **state)
{
    (void)state;
    static const uint32_t hash_masks[] = {UINT32_MAX, 0xffff0000, 15, 0};
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct run *run = run_new(seed, hash_masks[seed % 4]);
        for (int round = 0; round < 30; round++)
            play(run, 300, 200);
        run_free(run);
    }
}

static void test_a_large_table_changes_its_size_step_by_step(void **state)
{
    (void)state;
    struct run *run = run_new(3, UINT32_MAX);
    for (int i = 0; i < IDS; i++)
        insert(run, i);
    check_all(run, IDS);
    size_t most = dense_memory(&run->dense);
    bool stepwise = false;
    bool ends = false; /* the removals alone move all elements to a large table */
    while (run->model.count > 100) {
        remove_at(run, (int)prng_below(&run->prng, (uint64_t)run->model.count));
        ends |= stepwise && !run->dense.old_index && run->dense.mask > 1 << 15;
        stepwise |= run->dense.old_index != NULL;
        check_id(run, (int)prng_below(&run->prng, IDS));
        if (run->model.count % 9973 == 0)
            check_all(run, IDS);
    }
    assert_true(stepwise && ends);
    assert_true(dense_memory(&run->dense) < most / 100);
    check_all(run, IDS);
    play(run, IDS, 600000);
    run_free(run);
}

/* A table that is still moving when the next size is due. */
static void test_sizes_that_change_again_at_once(void **state)
{
    (void)state;
    struct run *run = run_new(4, UINT32_MAX);
    for (int i = 0; i < 30000; i++) {
        insert(run, i);
        if (i % 4000 == 3999)
            dense_reserve(&run->dense, (size_t)i * 2);
        if (i % 4000 == 3998)
            check_all(run, IDS);
    }
    check_all(run, IDS);
    run_free(run);
}

static void count_visit(void *context, void *element)
{
    int *visits = context;
    visits[((struct element *)element)->id]++;
}

static void test_a_scan_misses_nothing_while_elements_go(void **state)
{
    (void)state;
    for (int size = 20; size < 1000; size = size * 3 / 2) {
        struct run *run = run_new((uint64_t)size, UINT32_MAX);
        int *visits = calloc((size_t)size * 2, sizeof(int));
        for (int i = 0; i < size; i++)
            insert(run, i);
        int next = size;
        uint64_t cursor = 0;
        do {
            cursor = dense_scan(&run->dense, cursor, 7, count_visit, visits);
            remove_at(run, (int)prng_below(&run->prng, (uint64_t)run->model.count));
            if (next < size * 2 && prng_below(&run->prng, 2))
                insert(run, next++);
        } while (cursor);
        for (int i = 0; i < size; i++)
            assert_true(visits[i] > 0 || run->model.position[i] == ABSENT);
        free(visits);
        run_free(run);
    }
}

static void test_a_scan_of_what_stays_sees_each_element_once_from_the_last_on(void **state)
{
    (void)state;
    struct run *run = run_new(1, UINT32_MAX);
    for (int i = 0; i < 25; i++)
        insert(run, i);
    int visits[25] = {0};
    assert_int_equal(dense_scan(&run->dense, 0, 10, count_visit, visits), 15);
    assert_int_equal(visits[24] + visits[15], 2);
    assert_int_equal(visits[14], 0);
    assert_int_equal(dense_scan(&run->dense, 15, 10, count_visit, visits), 5);
    assert_int_equal(dense_scan(&run->dense, 5, 10, count_visit, visits), 0);
    for (int i = 0; i < 25; i++)
        assert_int_equal(visits[i], 1);
    assert_int_equal(dense_scan(&run->dense, 1000, 25, count_visit, visits), 0);
    assert_int_equal(visits[24], 2);
    run_free(run);
}

static void test_it_is_freed_in_pieces(void **state)
{
    (void)state;
    struct run *run = run_new(1, UINT32_MAX);
    for (int i = 0; i < 100; i++)
        insert(run, i);
    assert_int_equal(dense_free_some(&run->dense, 60, mem_free), 60);
    assert_int_equal(dense_count(&run->dense), 40);
    assert_int_equal(dense_free_some(&run->dense, 60, mem_free), 40);
    assert_null(run->dense.index);
    run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_calls_do_what_a_simple_model_does),
        cmocka_unit_test(test_a_large_table_changes_its_size_step_by_step),
        cmocka_unit_test(test_sizes_that_change_again_at_once),
        cmocka_unit_test(test_a_scan_misses_nothing_while_elements_go),
        cmocka_unit_test(test_a_scan_of_what_stays_sees_each_element_once_from_the_last_on),
        cmocka_unit_test(test_it_is_freed_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
