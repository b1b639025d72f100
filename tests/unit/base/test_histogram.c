#include "base/histogram.h"

#include "unit/support/test.h"

/* What a histogram of Prometheus needs: no sample on the wrong side of a limit. */
static void test_counts_below_a_power_of_two_are_exact(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 39; bit++) {
        struct histogram histogram = {0};
        uint64_t limit = (uint64_t)1 << bit;
        histogram_add(&histogram, limit - 1);
        assert_int_equal(histogram_count_below(&histogram, limit), 1);
        histogram_add(&histogram, limit);
        assert_int_equal(histogram_count_below(&histogram, limit), 1);
        assert_int_equal(histogram_count_below(&histogram, 2 * limit), 2);
    }
}

static void test_all_samples_are_below_infinity(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 0);
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram_count_below(&histogram, UINT64_MAX), 2);
    assert_int_equal(histogram_count_below(&histogram, 1 << 20), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_below_a_power_of_two_are_exact),
        cmocka_unit_test(test_all_samples_are_below_infinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
