#include "base/prng.h"

#include "unit/support/test.h"

/* The reference implementation's output from the state 1, 2, 3, 4. */
static void test_output_is_that_of_xoshiro256starstar(void **state)
{
    (void)state;
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        1215971899390074240,
                                        1216172134540287360,
                                        607988272756665600,
                                        16172922978634559625u,
                                        8476171486693032832,
                                        10595114339597558777u,
                                        2904607092377533576};
    struct prng prng = {.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(prng_next(&prng) == expected[i]);
}

/* The reference output of splitmix64 from 0. */
static void test_seed_is_spread_by_splitmix64(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 0);
    assert_true(prng.state[0] == 0xe220a8397b1dcdaf);
    assert_true(prng.state[1] == 0x6e789e6aa1b965f4);
    assert_true(prng.state[2] == 0x06c45d188009454f);
    assert_true(prng.state[3] == 0xf88bb8a8724c81ec);
}

static void test_a_seed_that_is_spread_late_gives_the_same_numbers(void **state)
{
    (void)state;
    struct prng prng, late;
    for (uint64_t seed = 0; seed < 100; seed++) {
        prng_init(&prng, seed);
        prng_init_late(&late, seed);
        assert_true(prng_below(&late, 1000) == prng_below(&prng, 1000));
        for (int i = 0; i < 3; i++)
            assert_true(prng_next(&late) == prng_next(&prng));
    }
}

static void test_equal_seeds_give_equal_numbers(void **state)
{
    (void)state;
    struct prng a, b, other;
    prng_init(&a, 42);
    prng_init(&b, 42);
    prng_init(&other, 43);
    size_t differ = 0;
    for (size_t i = 0; i < 100; i++) {
        uint64_t value = prng_next(&a);
        assert_true(value == prng_next(&b));
        differ += value != prng_next(&other);
    }
    assert_int_equal(differ, 100);
}

static void test_below_stays_below(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    static const uint64_t bounds[] = {
        1, 2, 3, 10, 1ull << 32, (1ull << 63) + 1, UINT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (size_t j = 0; j < 1000; j++)
            assert_true(prng_below(&prng, bounds[i]) < bounds[i]);
    expect_assert_failure(prng_below(&prng, 0));
}

static void test_below_is_uniform(void **state)
{
    (void)state;
    enum { FACES = 6, THROWS = 60000 };
    struct prng prng;
    prng_init(&prng, 1);
    size_t counts[FACES] = {0};
    for (size_t i = 0; i < THROWS; i++)
        counts[prng_below(&prng, FACES)]++;
    /* Chi-squared, five degrees of freedom: above 20.5 in one of a thousand seeds. */
    double sum = 0, mean = (double)THROWS / FACES;
    for (size_t i = 0; i < FACES; i++)
        sum += ((double)counts[i] - mean) * ((double)counts[i] - mean) / mean;
    assert_true(sum < 20.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_is_that_of_xoshiro256starstar),
        cmocka_unit_test(test_seed_is_spread_by_splitmix64),
        cmocka_unit_test(test_a_seed_that_is_spread_late_gives_the_same_numbers),
        cmocka_unit_test(test_equal_seeds_give_equal_numbers),
        cmocka_unit_test(test_below_stays_below),
        cmocka_unit_test(test_below_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
