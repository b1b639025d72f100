#include "base/span.h"

#include "unit/support/test.h"

static void test_spans_of_literals_hold_zero_bytes(void **state)
{
    (void)state;
    assert_int_equal(SPAN("a\0b").len, 3);
    assert_int_equal(span_text("a\0b").len, 1);
    assert_int_equal(span_of("abc", 2).len, 2);
}

static void test_equal_means_the_same_bytes(void **state)
{
    (void)state;
    assert_true(span_equal(SPAN("a\0b"), SPAN("a\0b")));
    assert_false(span_equal(SPAN("a\0b"), SPAN("a\0c")));
    assert_false(span_equal(SPAN("a"), SPAN("ab")));
    assert_false(span_equal(SPAN("a"), SPAN("A")));
    assert_true(span_equal(SPAN(""), (struct span){0}));
}

static void test_what_a_text_begins_with(void **state)
{
    (void)state;
    assert_true(span_begins_with(SPAN("abc"), SPAN("ab")));
    assert_true(span_begins_with(SPAN("ab"), SPAN("ab")));
    assert_false(span_begins_with(SPAN("a"), SPAN("ab")));
    assert_false(span_begins_with(SPAN("abc"), SPAN("AB")));
    assert_true(span_begins_with(SPAN("a"), SPAN("")));
    assert_true(span_begins_with((struct span){0}, SPAN("")));
    assert_false(span_begins_with((struct span){0}, SPAN("a")));
}

static void test_case_is_that_of_ascii_letters_alone(void **state)
{
    (void)state;
    assert_true(span_equal_nocase(SPAN("GeT-1"), SPAN("gEt-1")));
    assert_true(span_is(SPAN("SET"), "set"));
    assert_false(span_is(SPAN("SETX"), "set"));
    assert_false(span_is(SPAN("SE"), "set"));
    /* Neighbours of the letters differ in the same bit, and so do letters of Latin-1. */
    assert_false(span_equal_nocase(SPAN("@"), SPAN("`")));
    assert_false(span_equal_nocase(SPAN("["), SPAN("{")));
    assert_false(span_equal_nocase(SPAN("\xc4"), SPAN("\xe4")));
    assert_true(span_equal_nocase((struct span){0}, SPAN("")));
}

static void test_order_is_by_unsigned_bytes_then_by_length(void **state)
{
    (void)state;
    static const char *const ascending[] = {"", "A", "a", "ab", "abc", "b", "\x7f", "\x80", "\xff"};
    size_t count = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int order = span_compare(span_text(ascending[i]), span_text(ascending[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_int_equal(span_compare((struct span){0}, SPAN("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_of_literals_hold_zero_bytes),
        cmocka_unit_test(test_equal_means_the_same_bytes),
        cmocka_unit_test(test_what_a_text_begins_with),
        cmocka_unit_test(test_case_is_that_of_ascii_letters_alone),
        cmocka_unit_test(test_order_is_by_unsigned_bytes_then_by_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
