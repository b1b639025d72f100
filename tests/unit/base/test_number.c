#include "base/number.h"

#include "base/crc.h"
#include "base/histogram.h"
#include "unit/support/test.h"

static bool parses(const char *text, int64_t expected)
{
    int64_t value;
    return number_parse_i64(span_text(text), &value) && value == expected;
}

static bool refuses(const char *text)
{
    int64_t value;
    return !number_parse_i64(span_text(text), &value);
}

static void test_integers_at_the_limits_are_parsed(void **state)
{
    (void)state;
    assert_true(parses("0", 0));
    assert_true(parses("9223372036854775807", INT64_MAX));
    assert_true(parses("-9223372036854775808", INT64_MIN));
}

static void test_what_would_not_print_the_same_is_no_integer(void **state)
{
    (void)state;
    const char *refused[] = {"",
                             "-",
                             "+1",
                             "01",
                             "-0",
                             "1 ",
                             " 1",
                             "9223372036854775808",
                             "-9223372036854775809",
                             "99999999999999999999999",
                             "1a"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_true(refuses(refused[i]));
}

static void test_integers_print_as_they_parse(void **state)
{
    (void)state;
    char text[NUMBER_I64_CHARS];
    int64_t values[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int64_t back;
        size_t len = number_format_i64(text, values[i]);
        assert_true(number_parse_i64(span_of(text, len), &back));
        assert_int_equal(back, values[i]);
    }
}

static void test_reals_print_without_trailing_zeros(void **state)
{
    (void)state;
    static char text[NUMBER_REAL_CHARS];
    long double value;
    assert_true(number_parse_real(SPAN("10.50"), &value));
    assert_int_equal(number_format_real(text, value), 4);
    assert_memory_equal(text, "10.5", 4);
    assert_int_equal(number_format_real(text, -0.0L), 1);
    assert_memory_equal(text, "0", 1);
}

static void test_checksums_have_their_published_check_values(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(crc16("123456789", 9), 0x31c3);
}

static void test_percentiles_stay_within_a_sixteenth(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i);
    uint64_t median = histogram_percentile(&histogram, 50);
    assert_in_range(median, 50000, 50000 + 50000 / 16);
    assert_int_equal(histogram_percentile(&histogram, 100), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_at_the_limits_are_parsed),
        cmocka_unit_test(test_what_would_not_print_the_same_is_no_integer),
        cmocka_unit_test(test_integers_print_as_they_parse),
        cmocka_unit_test(test_reals_print_without_trailing_zeros),
        cmocka_unit_test(test_checksums_have_their_published_check_values),
        cmocka_unit_test(test_percentiles_stay_within_a_sixteenth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
