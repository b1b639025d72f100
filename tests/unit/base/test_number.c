#include "base/number.h"

#include <stdio.h>

#include "base/crc.h"
#include "base/histogram.h"
#include "base/prng.h"
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

/* As tried with INCRBYFLOAT of redis-server 7.0.15. */
static void test_reals_are_read_as_redis_reads_them(void **state)
{
    (void)state;
    static char text[NUMBER_REAL_CHARS];
    static const struct {
        const char *in, *out;
    } fine[] = {
        {"3.0e3", "3000"},   {"0x10", "16"},
        {"1e-5", "0.00001"}, {".5", "0.5"},
        {"5.", "5"},         {"+1", "1"},
        {"-0.25", "-0.25"},  {"0.1", "0.1"},
        {"-1e-30", "0"},     {"1e18", "1000000000000000000"},
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        long double value;
        assert_true(number_parse_real(span_text(fine[i].in), &value));
        size_t len = number_format_real(text, value);
        text[len] = '\0';
        assert_string_equal(text, fine[i].out);
    }
    static const char *const refused[] = {"",    " ",      " 1",  "1 ", "1x",
                                          "nan", "1e5000", "--1", "e",  "\n1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        long double value;
        double number;
        assert_false(number_parse_real(span_text(refused[i]), &value));
        assert_false(number_parse_double(span_text(refused[i]), &number));
    }
    long double value;
    assert_false(number_parse_real(SPAN("1\0"), &value));
    assert_true(number_parse_real(SPAN("-inf"), &value));
    expect_assert_failure(number_format_real(text, value));
}

static void test_doubles_print_short_and_read_back(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {0.1, "0.1"},
        {3, "3"},
        {-17.5, "-17.5"},
        {1e100, "1e+100"},
        {5e-324, "4.94065645841247e-324"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789012345.0, "123456789012345"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[40];
        double back;
        size_t len = number_format_double(text, cases[i].value);
        text[len] = '\0';
        assert_string_equal(text, cases[i].text);
        /* The smallest ones cannot: strtod calls them out of range, and so does Redis. */
        if (cases[i].value == 0 || cases[i].value > 1e-300 || cases[i].value < -1e-300) {
            assert_true(number_parse_double(span_of(text, len), &back));
            assert_true(back == cases[i].value);
        }
    }
}

static void test_unsigned_integers_reach_further(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(number_parse_u64(SPAN("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_false(number_parse_u64(SPAN("18446744073709551616"), &value));
    assert_false(number_parse_u64(SPAN("-1"), &value));
    char text[NUMBER_I64_CHARS];
    assert_int_equal(number_format_u64(text, UINT64_MAX), 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

static void test_checksums_have_their_published_check_values(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(crc16("123456789", 9), 0x31c3);
}

/* Bit by bit. */
static unsigned slow_crc16(const char *bytes, size_t len)
{
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return crc;
}

static void test_the_sum_of_keys_is_that_of_each_bit(void **state)
{
    (void)state;
    char bytes[70];
    struct prng prng;
    prng_init(&prng, 1);
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)prng_next(&prng);
        size_t len = (size_t)round % sizeof bytes;
        assert_int_equal(crc16(bytes, len), slow_crc16(bytes, len));
    }
}

/* As printf() writes them, and nothing behind. */
static void test_numbers_of_every_length_are_printed(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int round = 0; round < 200000; round++) {
        char text[NUMBER_I64_CHARS + 1], expected[NUMBER_I64_CHARS + 1];
        uint64_t value = round < 1000 ? (uint64_t)round : prng_next(&prng) >> round % 64;
        if (round % 7 == 0)
            for (int digits = round % 20; value && digits; digits--)
                value = value * 10 / 10 == value ? value * 10 : value;
        memset(expected, '#', sizeof expected);
        int len = snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
        expected[len] = '#';
        memset(text, '#', sizeof text);
        assert_int_equal(number_format_u64(text, value), len);
        assert_memory_equal(text, expected, sizeof text);
    }
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
        cmocka_unit_test(test_reals_are_read_as_redis_reads_them),
        cmocka_unit_test(test_doubles_print_short_and_read_back),
        cmocka_unit_test(test_unsigned_integers_reach_further),
        cmocka_unit_test(test_checksums_have_their_published_check_values),
        cmocka_unit_test(test_the_sum_of_keys_is_that_of_each_bit),
        cmocka_unit_test(test_numbers_of_every_length_are_printed),
        cmocka_unit_test(test_percentiles_stay_within_a_sixteenth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
