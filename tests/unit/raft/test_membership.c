#include "raft/membership.h"
#include "unit/support/test.h"

static struct raft_membership voters(size_t count)
{
    struct raft_membership membership = {0};
    for (uint64_t id = count; id >= 1; id--)
        raft_membership_set(&membership, id, RAFT_VOTER);
    return membership;
}

static void test_members_are_kept_in_order_and_replaced(void **state)
{
    (void)state;
    struct raft_membership membership = voters(3);
    raft_membership_set(&membership, 2, RAFT_LEARNER);
    assert_int_equal(membership.count, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(membership.members[i].id, i + 1);
    assert_int_equal(raft_membership_find(&membership, 2)->roles, RAFT_LEARNER);
    assert_null(raft_membership_find(&membership, 4));
}

static void test_a_full_membership_takes_no_more(void **state)
{
    (void)state;
    struct raft_membership membership = voters(RAFT_MEMBERS_MAX);
    expect_assert_failure(raft_membership_set(&membership, RAFT_MEMBERS_MAX + 1, RAFT_VOTER));
}

static void test_a_majority_is_more_than_half_of_the_voters(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 7; count++) {
        struct raft_membership membership = voters(count);
        bool yes[RAFT_MEMBERS_MAX] = {false};
        for (size_t agreed = 0; agreed <= count; agreed++) {
            assert_int_equal(raft_membership_has_majority(&membership, yes), 2 * agreed > count);
            if (agreed < count)
                yes[agreed] = true;
        }
    }
}

static void test_nobody_is_no_majority(void **state)
{
    (void)state;
    struct raft_membership membership = {0};
    bool yes[RAFT_MEMBERS_MAX] = {true};
    uint64_t values[RAFT_MEMBERS_MAX] = {9};
    assert_false(raft_membership_has_majority(&membership, yes));
    assert_int_equal(raft_membership_majority_value(&membership, values), 0);
}

static void test_learners_do_not_count(void **state)
{
    (void)state;
    struct raft_membership membership = voters(3);
    raft_membership_set(&membership, 4, RAFT_LEARNER);
    raft_membership_set(&membership, 5, RAFT_LEARNER);
    bool yes[RAFT_MEMBERS_MAX] = {true, false, false, true, true};
    uint64_t values[RAFT_MEMBERS_MAX] = {9, 1, 2, 9, 9};
    assert_false(raft_membership_has_majority(&membership, yes));
    assert_int_equal(raft_membership_majority_value(&membership, values), 2);
}

static void test_a_joint_membership_needs_both_majorities(void **state)
{
    (void)state;
    struct raft_membership membership = voters(3); /* from {1 2 3} to {3 4 5} */
    raft_membership_set(&membership, 3, RAFT_VOTER | RAFT_VOTER_INCOMING);
    raft_membership_set(&membership, 4, RAFT_VOTER_INCOMING);
    raft_membership_set(&membership, 5, RAFT_VOTER_INCOMING);
    assert_true(raft_membership_is_joint(&membership));
    bool old_only[RAFT_MEMBERS_MAX] = {true, true, true};
    bool new_only[RAFT_MEMBERS_MAX] = {false, false, true, true, true};
    bool both[RAFT_MEMBERS_MAX] = {true, false, true, true};
    assert_false(raft_membership_has_majority(&membership, old_only));
    assert_false(raft_membership_has_majority(&membership, new_only));
    assert_true(raft_membership_has_majority(&membership, both));
    uint64_t old_ahead[RAFT_MEMBERS_MAX] = {9, 8, 7, 2, 3};
    uint64_t new_ahead[RAFT_MEMBERS_MAX] = {1, 2, 9, 9, 9};
    assert_int_equal(raft_membership_majority_value(&membership, old_ahead), 3);
    assert_int_equal(raft_membership_majority_value(&membership, new_ahead), 2);
}

static void test_the_majority_value_is_what_a_majority_reaches(void **state)
{
    (void)state;
    struct raft_membership three = voters(3), four = voters(4), five = voters(5);
    uint64_t values[RAFT_MEMBERS_MAX] = {5, 3, 4, 1, 9};
    assert_int_equal(raft_membership_majority_value(&three, values), 4);
    assert_int_equal(raft_membership_majority_value(&four, values), 3);
    assert_int_equal(raft_membership_majority_value(&five, values), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_kept_in_order_and_replaced),
        cmocka_unit_test(test_a_full_membership_takes_no_more),
        cmocka_unit_test(test_a_majority_is_more_than_half_of_the_voters),
        cmocka_unit_test(test_nobody_is_no_majority),
        cmocka_unit_test(test_learners_do_not_count),
        cmocka_unit_test(test_a_joint_membership_needs_both_majorities),
        cmocka_unit_test(test_the_majority_value_is_what_a_majority_reaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
