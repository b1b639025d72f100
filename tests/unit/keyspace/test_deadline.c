#include <stdio.h>

#include "keyspace/internal.h"
#include "unit/support/test.h"

static struct item *set(struct keyspace *keyspace, const char *key, int64_t deadline_ms)
{
    struct item *item = keyspace_set_string(keyspace, span_text(key), SPAN("v"), false, 1);
    return keyspace_set_deadline(keyspace, item, deadline_ms, 1);
}

static bool is_there(const struct keyspace *keyspace, const char *key)
{
    return keyspace_find(keyspace, span_text(key), NO_DEADLINE) != NULL;
}

static void test_the_earliest_goes_first_then_the_smallest_key(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    set(keyspace, "c", 10);
    set(keyspace, "b", 20);
    set(keyspace, "a", 20);
    set(keyspace, "ab", 20);
    set(keyspace, "d", 5);
    static const char *const order[] = {"d", "c", "a", "ab", "b"};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_true(is_there(keyspace, order[i]));
        assert_int_equal(keyspace_remove_expired(keyspace, 20, 1, 2), 1);
        assert_false(is_there(keyspace, order[i]));
    }
    assert_int_equal(keyspace_remove_expired(keyspace, 20, 1, 2), 0);
    keyspace_free(keyspace);
}

static void test_what_is_not_due_stays(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    set(keyspace, "due", 100);
    set(keyspace, "later", 101);
    keyspace_set_string(keyspace, SPAN("never"), SPAN("v"), false, 1);
    assert_int_equal(keyspace_count_due(keyspace, 99, 10), 0);
    assert_int_equal(keyspace_count_due(keyspace, 100, 10), 1);
    assert_int_equal(keyspace_remove_expired(keyspace, 100, 10, 2), 1);
    assert_true(is_there(keyspace, "later") && is_there(keyspace, "never"));
    assert_int_equal(keyspace_count_with_deadline(keyspace), 1);
    keyspace_free(keyspace);
}

static void test_a_key_is_not_found_from_its_deadline_on(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    set(keyspace, "k", 100);
    assert_non_null(keyspace_find(keyspace, SPAN("k"), 99));
    assert_null(keyspace_find(keyspace, SPAN("k"), 100));
    assert_non_null(keyspace_find(keyspace, SPAN("k"), NO_DEADLINE));
    keyspace_free(keyspace);
}

static void test_counting_stops_at_the_limit(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        set(keyspace, key, i);
    }
    assert_int_equal(keyspace_count_due(keyspace, 499, 10000), 500);
    assert_int_equal(keyspace_count_due(keyspace, 499, 37), 37);
    assert_int_equal(keyspace_count_due(keyspace, 499, 0), 0);
    assert_int_equal(keyspace_remove_expired(keyspace, 499, 300, 2), 300);
    assert_int_equal(keyspace_count_due(keyspace, 499, 10000), 200);
    keyspace_free(keyspace);
}

static void test_the_mean_is_exact_and_does_not_overflow(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    assert_int_equal(keyspace_mean_deadline(keyspace), 0);
    set(keyspace, "a", 1700000000000);
    set(keyspace, "b", 1700000001000);
    assert_int_equal(keyspace_mean_deadline(keyspace), 1700000000500);
    struct item *c = set(keyspace, "c", INT64_MAX);
    set(keyspace, "d", INT64_MAX);
    assert_true(keyspace_mean_deadline(keyspace) > INT64_MAX / 2);
    keyspace_set_deadline(keyspace, c, NO_DEADLINE, 1);
    keyspace_remove(keyspace, SPAN("d"), 1);
    assert_int_equal(keyspace_mean_deadline(keyspace), 1700000000500);
    keyspace_clear(keyspace, 1);
    assert_int_equal(keyspace_mean_deadline(keyspace), 0);
    keyspace_free(keyspace);
}

static void test_a_replaced_value_keeps_its_deadline_only_if_asked(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    set(keyspace, "k", 100);
    char big[500] = {0};
    struct item *item = keyspace_set_string(keyspace, SPAN("k"), span_of(big, 200), true, 2);
    assert_int_equal(item_deadline(item), 100);
    assert_int_equal(keyspace_count_due(keyspace, 100, 10), 1);
    item = keyspace_set_string(keyspace, SPAN("k"), span_of(big, 500), false, 3);
    assert_true(item_deadline(item) == NO_DEADLINE);
    assert_int_equal(keyspace_count_with_deadline(keyspace), 0);
    keyspace_free(keyspace);
}

static void test_the_heap_takes_little_more_than_its_entries_also_when_most_are_gone(void **state)
{
    (void)state;
    enum { KEYS = 20000, LEAST = 16 };
    struct keyspace *keyspace = keyspace_new(1);
    const struct deadlines *deadlines = &keyspace->deadlines;
    char key[16];
    for (int i = 1; i <= KEYS; i++) {
        snprintf(key, sizeof(key), "%d", i);
        set(keyspace, key, i);
        assert_true(deadlines->capacity <= deadlines->count * 25 / 16 + LEAST);
    }
    for (int i = 1; i <= KEYS; i++) {
        assert_int_equal(keyspace_remove_expired(keyspace, i, 1, 2), 1);
        assert_true(deadlines->capacity <= deadlines->count * 2 + LEAST);
    }
    assert_int_equal(deadlines->capacity, 0);
    keyspace_free(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_earliest_goes_first_then_the_smallest_key),
        cmocka_unit_test(test_what_is_not_due_stays),
        cmocka_unit_test(test_a_key_is_not_found_from_its_deadline_on),
        cmocka_unit_test(test_counting_stops_at_the_limit),
        cmocka_unit_test(test_the_mean_is_exact_and_does_not_overflow),
        cmocka_unit_test(test_a_replaced_value_keeps_its_deadline_only_if_asked),
        cmocka_unit_test(test_the_heap_takes_little_more_than_its_entries_also_when_most_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
