/* The databases together: what concerns all of them, SWAPDB, and what one does to another. */
#include <stdio.h>

#include "keyspace/databases.h"
#include "keyspace/value.h"
#include "unit/support/test.h"

static void set(struct databases *databases, unsigned number, const char *key, const char *value,
                uint64_t revision)
{
    keyspace_set_string(databases_at(databases, number), span_text(key), span_text(value), false,
                        revision);
}

static void expect(struct databases *databases, unsigned number, const char *key, const char *value)
{
    char scratch[24];
    const struct item *item =
        keyspace_find(databases_at(databases, number), span_text(key), NO_DEADLINE);
    assert_int_equal(item != NULL, value != NULL);
    if (item && !span_equal(item_string(item, scratch), span_text(value)))
        fail_msg("'%s' of database %u is not '%s'", key, number, value);
}

static void expect_sound(const struct databases *databases)
{
    assert_true(databases_sum(databases) == databases_sum_by_walk(databases));
}

static void test_each_database_has_keys_of_its_own(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    assert_null(databases_find(databases, 15));
    set(databases, 0, "k", "zero", 1);
    set(databases, 15, "k", "fifteen", 2);
    expect(databases, 0, "k", "zero");
    expect(databases, 15, "k", "fifteen");
    expect(databases, 7, "k", NULL);
    assert_int_equal(databases_count(databases), 2);
    expect_sound(databases);
    databases_free(databases);
}

static void test_database_0_alone_has_the_digests_that_it_had_before_there_were_others(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    set(databases, 0, "k", "v", 1);
    assert_true(databases_sum(databases) == keyspace_sum(databases_at(databases, 0)));
    assert_true(databases_digest(databases) == keyspace_digest(databases_at(databases, 0)));
    databases_at(databases, 3); /* only looked at */
    assert_true(databases_sum(databases) == keyspace_sum(databases_at(databases, 0)));
    assert_true(databases_digest(databases) == keyspace_digest(databases_at(databases, 0)));
    databases_free(databases);
}

static void test_digests_tell_in_which_database_a_key_is(void **state)
{
    (void)state;
    uint64_t sums[DATABASES_MAX], digests[DATABASES_MAX];
    for (unsigned i = 0; i < DATABASES_MAX; i++) {
        struct databases *databases = databases_new(1);
        set(databases, i, "k", "v", 1);
        sums[i] = databases_sum(databases);
        digests[i] = databases_digest(databases);
        for (unsigned j = 0; j < i; j++) {
            assert_true(sums[i] != sums[j]);
            assert_true(digests[i] != digests[j]);
        }
        databases_free(databases);
    }
}

static void test_swapped_databases_have_each_others_keys(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    set(databases, 2, "k", "two", 1);
    set(databases, 9, "k", "nine", 2);
    uint64_t sum = databases_sum(databases), digest = databases_digest(databases);
    databases_swap(databases, 2, 9, 3);
    expect(databases, 2, "k", "nine");
    expect(databases, 9, "k", "two");
    assert_true(databases_sum(databases) != sum);
    databases_swap(databases, 2, 9, 4);
    assert_true(databases_sum(databases) == sum);
    assert_true(databases_digest(databases) != digest); /* WATCH knows that it happened */
    expect_sound(databases);
    databases_free(databases);
}

static bool changed(struct databases *databases, unsigned number, const char *key, bool was_present,
                    uint64_t revision)
{
    return keyspace_changed_since(databases_at(databases, number), span_text(key), was_present,
                                  revision, 0);
}

static void test_a_swap_changes_watched_keys_that_are_there_before_or_behind_it(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    set(databases, 0, "both", "0", 1);
    set(databases, 1, "both", "1", 1);
    set(databases, 0, "before", "0", 1);
    set(databases, 1, "behind", "1", 1);
    databases_swap(databases, 0, 1, 5);
    assert_true(changed(databases, 0, "both", true, 4));
    assert_true(changed(databases, 0, "before", true, 4));
    assert_true(changed(databases, 0, "behind", false, 4));
    assert_false(changed(databases, 0, "neither", false, 4));
    assert_false(changed(databases, 0, "both", true, 5)); /* watched behind the swap */
    databases_free(databases);
}

/* The key came and went where it was watched, and then its database became another one. */
static void test_a_swap_hides_no_removal_from_who_watches(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    set(databases, 0, "k", "v", 5);
    keyspace_remove(databases_at(databases, 0), SPAN("k"), 6);
    databases_swap(databases, 0, 1, 7);
    assert_true(changed(databases, 0, "k", false, 4));
    assert_true(changed(databases, 1, "k", false, 4));
    databases_free(databases);
}

/* It came where it was watched, and the swap took it away. */
static void test_a_swap_hides_no_key_that_came_from_who_watches(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    set(databases, 0, "k", "v", 5);
    databases_swap(databases, 0, 1, 6);
    assert_true(changed(databases, 0, "k", false, 4));
    assert_false(changed(databases, 0, "k", false, 6));
    assert_false(changed(databases, 0, "of another slot", false, 4));
    databases_free(databases);
}

static void test_a_key_moves_to_another_database_with_its_deadline(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    struct keyspace *from = databases_at(databases, 0), *into = databases_at(databases, 3);
    set(databases, 0, "k", "v", 1);
    set(databases, 3, "l", "old", 1);
    keyspace_set_deadline(from, keyspace_find(from, SPAN("k"), NO_DEADLINE), 77, 1);
    keyspace_copy(into, keyspace_find(from, SPAN("k"), NO_DEADLINE), SPAN("k"), 2);
    keyspace_move(from, SPAN("k"), into, SPAN("l"), 3);
    assert_int_equal(keyspace_count(from), 0);
    expect(databases, 3, "k", "v");
    expect(databases, 3, "l", "v");
    assert_int_equal(item_deadline(keyspace_find(into, SPAN("l"), NO_DEADLINE)), 77);
    assert_int_equal(databases_count_with_deadline(databases), 2);
    expect_sound(databases);
    databases_free(databases);
}

static void test_expired_keys_are_removed_within_one_limit_for_all(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    for (unsigned i = 0; i < 6; i++) {
        set(databases, i, "k", "v", 1);
        struct keyspace *keyspace = databases_at(databases, i);
        keyspace_set_deadline(keyspace, keyspace_find(keyspace, SPAN("k"), NO_DEADLINE), 10, 1);
    }
    assert_int_equal(databases_count_due(databases, 10, 4), 4);
    assert_int_equal(databases_remove_expired(databases, 10, 4, 2), 4);
    assert_true(databases_has_deadlines(databases));
    assert_int_equal(databases_remove_expired(databases, 10, 4, 3), 2);
    assert_false(databases_has_deadlines(databases));
    assert_int_equal(databases_count(databases), 0);
    databases_free(databases);
}

static void test_rules_are_those_of_databases_to_come_too(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    struct value_rules rules = value_rules_default;
    rules.hash_packed_entries = 3;
    databases_at(databases, 1);
    databases_set_rules(databases, &rules);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(keyspace_rules(databases_at(databases, i))->hash_packed_entries, 3);
    databases_free(databases);
}

struct told {
    struct keyspace *aside;
    unsigned cleared;
    unsigned swapped;
};

static void on_cleared(void *context, const struct keyspace *keyspace, struct keyspace *aside)
{
    (void)keyspace;
    ((struct told *)context)->aside = aside;
}

static void on_change(void *context, const struct keyspace_change *change)
{
    struct told *told = context;
    if (change->event == KEYSPACE_CLEARED)
        told->cleared |= 1U << change->database;
    if (change->event == KEYSPACE_SWAPPED)
        told->swapped |= 1U << change->database;
}

static void test_the_observer_is_told_of_which_database_it_is(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    struct told told = {.aside = NULL};
    databases_observe(databases, &(struct keyspace_observer){&told, NULL, on_cleared, on_change});
    set(databases, 4, "k", "v", 1);
    databases_swap(databases, 4, 6, 2);
    assert_int_equal(told.swapped, 1U << 4 | 1U << 6);
    keyspace_clear(databases_at(databases, 6), 3);
    assert_int_equal(told.cleared, 1U << 6);
    set(databases, 5, "k", "v", 4);
    databases_at(databases, 7);
    databases_clear(databases, 5);
    assert_int_equal(told.cleared, 1U << 0 | 1U << 5 | 1U << 6); /* the same on each node */
    databases_free(databases);
}

static void test_what_is_held_is_freed_only_when_it_is_released(void **state)
{
    (void)state;
    struct databases *databases = databases_new(1);
    struct told told = {.aside = NULL};
    databases_observe(databases, &(struct keyspace_observer){&told, NULL, on_cleared, NULL});
    set(databases, 1, "k", "v", 1);
    keyspace_clear(databases_at(databases, 1), 2);
    keyspace_hold(told.aside);
    assert_false(databases_has_cleared(databases));
    databases_free_cleared(databases, SIZE_MAX);
    assert_int_equal(keyspace_count(told.aside), 1);
    char scratch[24];
    const struct item *item = keyspace_find(told.aside, SPAN("k"), NO_DEADLINE);
    assert_true(span_equal(item_string(item, scratch), SPAN("v")));
    keyspace_release(told.aside);
    assert_true(databases_has_cleared(databases));
    assert_true(databases_free_cleared(databases, SIZE_MAX));
    assert_false(databases_has_cleared(databases));
    databases_free(databases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_database_has_keys_of_its_own),
        cmocka_unit_test(
            test_database_0_alone_has_the_digests_that_it_had_before_there_were_others),
        cmocka_unit_test(test_digests_tell_in_which_database_a_key_is),
        cmocka_unit_test(test_swapped_databases_have_each_others_keys),
        cmocka_unit_test(test_a_swap_changes_watched_keys_that_are_there_before_or_behind_it),
        cmocka_unit_test(test_a_swap_hides_no_removal_from_who_watches),
        cmocka_unit_test(test_a_swap_hides_no_key_that_came_from_who_watches),
        cmocka_unit_test(test_a_key_moves_to_another_database_with_its_deadline),
        cmocka_unit_test(test_expired_keys_are_removed_within_one_limit_for_all),
        cmocka_unit_test(test_rules_are_those_of_databases_to_come_too),
        cmocka_unit_test(test_the_observer_is_told_of_which_database_it_is),
        cmocka_unit_test(test_what_is_held_is_freed_only_when_it_is_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
