#include <string.h>

#include "command/command.h"
#include "unit/support/test.h"

static bool matches(const char *pattern, const char *text)
{
    return command_glob(span_text(pattern), span_text(text), false);
}

static bool matches_nocase(const char *pattern, const char *text)
{
    return command_glob(span_text(pattern), span_text(text), true);
}

static void test_literals_match_themselves_only(void **state)
{
    (void)state;
    assert_true(matches("abc", "abc"));
    assert_false(matches("abc", "ab"));
    assert_false(matches("ab", "abc"));
    assert_false(matches("abc", "ABC"));
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
}

static void test_a_question_mark_is_one_byte(void **state)
{
    (void)state;
    assert_true(matches("a?c", "abc"));
    assert_true(matches("?", "\xff"));
    assert_false(matches("?", ""));
    assert_false(matches("??", "a"));
}

static void test_a_star_is_any_run_of_bytes(void **state)
{
    (void)state;
    assert_true(matches("*", "abc"));
    assert_true(matches("a*", "a"));
    assert_true(matches("*c", "abc"));
    assert_true(matches("a*b*c", "aXbXbXc"));
    assert_true(matches("**a**", "xay"));
    assert_false(matches("a*b*c", "aXcXb"));
    assert_false(matches("*a", "ab"));
}

static void test_only_the_plain_star_matches_the_empty_text(void **state)
{
    (void)state;
    assert_true(matches("*", ""));
    assert_false(matches("**", ""));
}

static void test_classes_have_members_ranges_and_negation(void **state)
{
    (void)state;
    assert_true(matches("h[ae]llo", "hello"));
    assert_false(matches("h[ae]llo", "hillo"));
    assert_true(matches("[a-c]", "b"));
    assert_false(matches("[a-c]", "d"));
    assert_true(matches("[c-a]", "b"));
    assert_true(matches("[^a]", "b"));
    assert_false(matches("[^a]", "a"));
    assert_true(matches("[*]", "*"));
    assert_false(matches("[*]", "a"));
}

static void test_empty_classes_match_nothing_and_their_negation_all(void **state)
{
    (void)state;
    assert_false(matches("[]", "a"));
    assert_false(matches("[]", "]"));
    assert_false(matches("[]a]", "a]"));
    assert_true(matches("[^]", "a"));
    assert_true(matches("[^]a", "xa"));
}

static void test_an_open_class_ends_with_the_pattern(void **state)
{
    (void)state;
    assert_true(matches("[ab", "b"));
    assert_true(matches("[a-", "-"));
    assert_false(matches("[", "["));
    assert_false(matches("[a", "aa"));
}

static void test_a_dash_before_the_bracket_is_a_range_up_to_it(void **state)
{
    (void)state;
    assert_true(matches("[Y-]", "Z"));
    assert_true(matches("[Y-]", "]"));
    assert_false(matches("[Y-]", "-"));
}

static void test_ranges_compare_signed_bytes(void **state)
{
    (void)state;
    assert_true(matches("[\x80-\xff]", "\x90"));
    assert_false(matches("[\x01-\xff]", "a"));
}

static void test_an_escape_takes_away_the_meaning(void **state)
{
    (void)state;
    assert_true(matches("\\*", "*"));
    assert_false(matches("\\*", "a"));
    assert_true(matches("[\\]]", "]"));
    assert_true(matches("\\", "\\"));
    assert_true(matches("a\\", "a\\"));
    assert_true(matches("[\\", "\\"));
}

static void test_case_can_be_disregarded_but_for_escapes_in_classes(void **state)
{
    (void)state;
    assert_true(matches_nocase("MAXMEM*", "maxmemory"));
    assert_true(matches_nocase("[A-C]x", "bX"));
    assert_true(matches_nocase("[abc]", "B"));
    assert_true(matches_nocase("\\A", "a"));
    assert_false(matches_nocase("[\\A]", "a"));
}

static void test_a_range_is_turned_round_before_case_is_disregarded(void **state)
{
    (void)state;
    assert_true(matches_nocase("[A-z]", "M"));
    assert_true(matches_nocase("[z-A]", "m"));
    assert_false(matches_nocase("[a-Z]", "m"));
    assert_false(matches_nocase("[X-a]", "x"));
}

static void test_a_nul_byte_is_a_byte_like_any_other(void **state)
{
    (void)state;
    assert_true(command_glob(SPAN("a?b"), SPAN("a\0b"), false));
    assert_true(command_glob(SPAN("a\0*"), SPAN("a\0b"), false));
    assert_false(command_glob(SPAN("a\0c"), SPAN("a\0b"), false));
}

/* The textbook recursion would not come back from this one. */
static void test_many_stars_do_not_take_exponential_time(void **state)
{
    (void)state;
    char text[4001];
    memset(text, 'a', 4000);
    text[4000] = '\0';
    assert_false(matches("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
    assert_true(matches("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a", text));
}

static void test_a_match_that_takes_too_long_is_given_up(void **state)
{
    (void)state;
    enum { LONG = 2000 };
    char text[LONG], pattern[LONG / 2 + 2];
    memset(text, 'a', sizeof text);
    memset(pattern, 'a', sizeof pattern);
    pattern[0] = '*';
    pattern[sizeof pattern - 1] = 'b';
    struct span key = span_of(text, sizeof text), hostile = span_of(pattern, sizeof pattern);
    uint64_t left = LONG * LONG;
    assert_false(command_glob_within(hostile, key, false, &left));
    assert_in_range(left, 1, LONG * LONG * 3 / 4);
    left = 10 * LONG;
    assert_false(command_glob_within(hostile, key, false, &left));
    assert_int_equal(left, 0);
    assert_false(command_glob_within(SPAN("*"), key, false, &left)); /* not matched any more */
    left = 10;
    for (int i = 0; i < 1000; i++)
        assert_true(command_glob_within(SPAN("user:*:name"), SPAN("user:1234:name"), false, &left));
    assert_int_equal(left, 10); /* what everybody does is free */
}

static void test_a_class_counts_with_its_length(void **state)
{
    (void)state;
    uint64_t left = 10;
    assert_false(command_glob_within(SPAN("[bcdefghijklmnopqrstuvwxyz]"), SPAN("a"), false, &left));
    assert_int_equal(left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals_match_themselves_only),
        cmocka_unit_test(test_a_question_mark_is_one_byte),
        cmocka_unit_test(test_a_star_is_any_run_of_bytes),
        cmocka_unit_test(test_only_the_plain_star_matches_the_empty_text),
        cmocka_unit_test(test_classes_have_members_ranges_and_negation),
        cmocka_unit_test(test_empty_classes_match_nothing_and_their_negation_all),
        cmocka_unit_test(test_an_open_class_ends_with_the_pattern),
        cmocka_unit_test(test_a_dash_before_the_bracket_is_a_range_up_to_it),
        cmocka_unit_test(test_ranges_compare_signed_bytes),
        cmocka_unit_test(test_an_escape_takes_away_the_meaning),
        cmocka_unit_test(test_case_can_be_disregarded_but_for_escapes_in_classes),
        cmocka_unit_test(test_a_range_is_turned_round_before_case_is_disregarded),
        cmocka_unit_test(test_a_nul_byte_is_a_byte_like_any_other),
        cmocka_unit_test(test_many_stars_do_not_take_exponential_time),
        cmocka_unit_test(test_a_match_that_takes_too_long_is_given_up),
        cmocka_unit_test(test_a_class_counts_with_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
