#include "keyspace/row.h"

#include <stdbool.h>

#include "base/prng.h"
#include "unit/support/test.h"

enum { MOST = 3 * ROW_CHUNK };

static char targets[MOST];

static void expect_pointers(const struct row *row)
{
    for (size_t i = 0; i < row->count; i++)
        assert_ptr_equal(*row_slot(row, i), &targets[i]);
}

enum { SLACK = 64 }; /* of the smallest rows, and for the list of chunks */

static size_t with_reserve(size_t bytes)
{
    return bytes + 3 * ROW_CHUNK * sizeof(void *) / 2 + SLACK;
}

/* Beside the pointers: a quarter and a class of the allocator, or a chunk and a half. */
static size_t allowed_to_grown(size_t count)
{
    size_t bytes = count * sizeof(void *);
    return count < ROW_CHUNK ? bytes * 25 / 16 + SLACK : with_reserve(bytes);
}

/* A row that shrinks is half full at least. */
static size_t allowed_to_shrunk(size_t count)
{
    size_t bytes = count * sizeof(void *);
    return count <= ROW_CHUNK / 2 ? bytes * 5 / 2 + SLACK : with_reserve(bytes);
}

static void test_a_row_takes_little_more_than_its_pointers(void **state)
{
    (void)state;
    struct row row = {0};
    for (size_t count = 1; count <= MOST; count++) {
        row_push(&row, &targets[count - 1]);
        assert_true(row_memory(&row) <= allowed_to_grown(count));
    }
    expect_pointers(&row);
    for (size_t count = MOST - 1; count > 0; count--) {
        row_pop(&row);
        assert_true(row_memory(&row) <= allowed_to_shrunk(count));
    }
    expect_pointers(&row);
    row_close(&row);
    assert_int_equal(row_memory(&row), 0);
}

static void test_pointers_stay_whatever_comes_and_goes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct row row = {0};
        for (int turns = 0; turns < 60; turns++) {
            size_t more = (size_t)prng_below(&prng, prng_below(&prng, 2) ? 20 : ROW_CHUNK);
            bool grows = prng_below(&prng, 2) != 0;
            if (grows && prng_below(&prng, 2) && row.count + more <= MOST)
                row_reserve(&row, more);
            for (; more && (grows ? row.count < MOST : row.count > 0); more--) {
                if (grows)
                    row_push(&row, &targets[row.count]);
                else
                    row_pop(&row);
            }
            expect_pointers(&row);
        }
        row_close(&row);
    }
}

static void test_one_that_comes_and_goes_moves_nothing(void **state)
{
    (void)state;
    struct row row = {0};
    for (size_t count = 0; count < MOST; count++) {
        row_push(&row, &targets[count]);
        row_pop(&row);
        row_push(&row, &targets[count]);
        uint32_t capacity = row.capacity;
        for (int i = 0; i < 3; i++) {
            row_pop(&row);
            assert_int_equal(row.capacity, capacity);
            row_push(&row, &targets[count]);
            assert_int_equal(row.capacity, capacity);
        }
    }
    row_close(&row);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_takes_little_more_than_its_pointers),
        cmocka_unit_test(test_pointers_stay_whatever_comes_and_goes),
        cmocka_unit_test(test_one_that_comes_and_goes_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
