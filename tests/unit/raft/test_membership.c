#include <string.h>

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

struct role {
    uint64_t id;
    unsigned roles;
};

/* Ended by id 0. */
static struct raft_membership of(const struct role *list)
{
    struct raft_membership membership = {0};
    for (; list->id != 0; list++)
        raft_membership_set(&membership, list->id, list->roles);
    return membership;
}

#define OF(...) of((const struct role[]){__VA_ARGS__, {0, 0}})

static void assert_change(struct raft_membership from, struct raft_membership to,
                          struct raft_membership between)
{
    struct raft_membership joint, after;
    assert_true(raft_membership_enter(&from, &to, &joint));
    assert_true(raft_membership_equal(&joint, &between));
    if (!raft_membership_is_joint(&joint)) {
        assert_true(raft_membership_equal(&joint, &to));
        return;
    }
    raft_membership_leave(&joint, &after);
    assert_true(raft_membership_equal(&after, &to));
}

static void test_memberships_are_equal_when_members_and_roles_are(void **state)
{
    (void)state;
    struct raft_membership three = voters(3), other = voters(3);
    assert_true(raft_membership_equal(&three, &other));
    raft_membership_set(&other, 3, RAFT_LEARNER);
    assert_false(raft_membership_equal(&three, &other));
    other = OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {4, RAFT_VOTER});
    assert_false(raft_membership_equal(&three, &other));
    other = voters(2);
    assert_false(raft_membership_equal(&three, &other));
    assert_false(raft_membership_equal(&other, &three));
}

static void test_only_a_voter_of_the_current_set_makes_voters(void **state)
{
    (void)state;
    struct raft_membership none = OF({1, RAFT_LEARNER}, {2, RAFT_PROMOTE});
    struct raft_membership one = OF({1, RAFT_LEARNER}, {2, RAFT_VOTER});
    assert_false(raft_membership_has_voters(&none));
    assert_true(raft_membership_has_voters(&one));
}

static void test_changes_of_learners_alone_need_no_joint_membership(void **state)
{
    (void)state;
    struct raft_membership from = OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {5, RAFT_LEARNER});
    struct raft_membership to = OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {6, RAFT_PROMOTE});
    assert_false(raft_membership_is_joint(&to));
    assert_change(from, to, to);
    assert_change(from, from, from);
}

static void test_a_voter_that_joins_votes_in_the_incoming_set_only(void **state)
{
    (void)state;
    unsigned both = RAFT_VOTER | RAFT_VOTER_INCOMING;
    assert_change(OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_LEARNER}),
                  OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}),
                  OF({1, both}, {2, both}, {3, RAFT_VOTER_INCOMING}));
}

static void test_a_voter_that_leaves_votes_in_the_old_set_only(void **state)
{
    (void)state;
    unsigned both = RAFT_VOTER | RAFT_VOTER_INCOMING;
    assert_change(voters(3), voters(2), OF({1, both}, {2, both}, {3, RAFT_VOTER}));
}

static void test_a_voter_that_becomes_a_learner_stays_through_the_change(void **state)
{
    (void)state;
    unsigned both = RAFT_VOTER | RAFT_VOTER_INCOMING;
    assert_change(voters(3), OF({1, RAFT_VOTER}, {2, RAFT_LEARNER}, {3, RAFT_VOTER}),
                  OF({1, both}, {2, RAFT_VOTER | RAFT_STAYS}, {3, both}));
}

static void test_learners_come_and_go_with_a_joint_change(void **state)
{
    (void)state;
    unsigned both = RAFT_VOTER | RAFT_VOTER_INCOMING;
    assert_change(
        OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {7, RAFT_LEARNER}, {8, RAFT_LEARNER}),
        OF({1, RAFT_VOTER}, {5, RAFT_LEARNER}, {6, RAFT_PROMOTE}, {8, RAFT_LEARNER}),
        OF({1, both}, {2, RAFT_VOTER}, {5, RAFT_LEARNER}, {6, RAFT_PROMOTE}, {8, RAFT_LEARNER}));
}

static struct raft_membership with(struct raft_membership membership, uint64_t id, unsigned roles,
                                   uint64_t incarnation, uint64_t successor)
{
    raft_membership_put(&membership, &(struct raft_member){.id = id,
                                                           .roles = roles,
                                                           .incarnation = incarnation,
                                                           .successor = successor});
    return membership;
}

static void test_the_version_stays_through_a_joint_change(void **state)
{
    (void)state;
    struct raft_membership from = voters(3), to = voters(2), joint, after;
    from.version = to.version = 3;
    assert_true(raft_membership_enter(&from, &to, &joint));
    assert_true(raft_membership_is_joint(&joint));
    assert_int_equal(joint.version, 3);
    raft_membership_leave(&joint, &after);
    assert_int_equal(after.version, 3);
    assert_true(raft_membership_equal(&after, &to));
    to.version = 0;
    assert_false(raft_membership_equal(&after, &to));
}

static void test_memberships_with_another_incarnation_or_address_differ(void **state)
{
    (void)state;
    struct raft_membership three = voters(3), other = with(voters(3), 2, RAFT_VOTER, 7, 0);
    assert_false(raft_membership_equal(&three, &other));
    other = with(voters(3), 2, RAFT_VOTER, 0, 7);
    assert_false(raft_membership_equal(&three, &other));
    other = voters(3);
    strcpy(other.members[1].address, "n2:7002");
    assert_false(raft_membership_equal(&three, &other));
}

static void test_a_voter_that_is_set_keeps_its_incarnation_and_address(void **state)
{
    (void)state;
    struct raft_membership membership = with(voters(3), 2, RAFT_PROMOTE, 7, 0);
    strcpy(membership.members[1].address, "n2:7002");
    raft_membership_set(&membership, 2, RAFT_VOTER);
    assert_int_equal(membership.members[1].roles, RAFT_VOTER);
    assert_int_equal(membership.members[1].incarnation, 7);
    assert_string_equal(membership.members[1].address, "n2:7002");
}

static void test_who_is_dropped_is_no_member(void **state)
{
    (void)state;
    struct raft_membership membership = voters(3);
    raft_membership_drop(&membership, 2);
    raft_membership_drop(&membership, 9);
    assert_int_equal(membership.count, 2);
    assert_null(raft_membership_find(&membership, 2));
    assert_int_equal(membership.members[1].id, 3);
}

static void test_an_address_changes_without_a_joint_membership(void **state)
{
    (void)state;
    struct raft_membership from = voters(3), to = voters(3);
    strcpy(to.members[1].address, "n2:7002");
    assert_change(from, to, to);
    assert_false(raft_membership_is_joint(&to));
}

static void test_another_incarnation_of_a_voter_is_another_voter(void **state)
{
    (void)state;
    unsigned both = RAFT_VOTER | RAFT_VOTER_INCOMING;
    struct raft_membership from = with(voters(3), 2, RAFT_VOTER, 7, 0);
    struct raft_membership to = with(voters(3), 2, RAFT_PROMOTE, 8, 0);
    struct raft_membership between =
        with(OF({1, both}, {3, both}), 2, RAFT_VOTER | RAFT_STAYS, 7, 8);
    assert_change(from, to, between);
}

static void test_the_successor_of_a_lost_voter_does_not_vote_in_the_joint_membership(void **state)
{
    (void)state;
    struct raft_membership from = with(voters(3), 2, RAFT_VOTER, 7, 0), joint;
    struct raft_membership to = with(voters(3), 2, RAFT_PROMOTE, 8, 0);
    assert_true(raft_membership_enter(&from, &to, &joint));
    assert_int_equal(raft_membership_find(&joint, 2)->incarnation, 7);
    bool without[RAFT_MEMBERS_MAX] = {true, false, true};
    bool with_two[RAFT_MEMBERS_MAX] = {true, true, false};
    assert_true(raft_membership_has_majority(&joint, without));
    assert_false(raft_membership_has_majority(&joint, with_two));
}

static void test_another_incarnation_of_a_learner_needs_no_joint_membership(void **state)
{
    (void)state;
    struct raft_membership from = with(voters(3), 4, RAFT_PROMOTE, 0, 0);
    struct raft_membership to = with(voters(3), 4, RAFT_PROMOTE, 8, 0);
    assert_change(from, to, to);
    assert_false(raft_membership_is_joint(&to));
}

static void test_all_voters_can_be_replaced_at_once(void **state)
{
    (void)state;
    unsigned in = RAFT_VOTER_INCOMING;
    assert_change(OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_LEARNER},
                     {5, RAFT_LEARNER}, {6, RAFT_LEARNER}),
                  OF({4, RAFT_VOTER}, {5, RAFT_VOTER}, {6, RAFT_VOTER}),
                  OF({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, in}, {5, in}, {6, in}));
}

/* A set can keep its size and still be another: each side is looked up in the other. */
static void test_voters_that_only_leave_or_only_join_make_another_set(void **state)
{
    (void)state;
    struct raft_membership joint, two = voters(2), three = voters(3);
    assert_true(raft_membership_enter(&two, &three, &joint));
    assert_true(raft_membership_is_joint(&joint));
    assert_true(raft_membership_enter(&three, &two, &joint));
    assert_true(raft_membership_is_joint(&joint));
}

static void test_old_and_new_members_together_must_fit(void **state)
{
    (void)state;
    struct raft_membership full = voters(RAFT_MEMBERS_MAX), joint;
    struct raft_membership fewer = voters(RAFT_MEMBERS_MAX - 1);
    assert_true(raft_membership_enter(&full, &fewer, &joint));
    assert_int_equal(joint.count, RAFT_MEMBERS_MAX);
    struct raft_membership other = fewer;
    raft_membership_set(&other, RAFT_MEMBERS_MAX + 1, RAFT_LEARNER);
    assert_false(raft_membership_enter(&full, &other, &joint));
}

/* Every pair of sets of up to four voters: no majority of the joint one leaves out a majority of
 * either, and leaving it brings what was wanted. */
static void test_each_joint_majority_contains_both(void **state)
{
    (void)state;
    enum { NODES = 4, SETS = 1 << NODES };
    struct raft_membership sets[SETS] = {0};
    for (unsigned set = 1; set < SETS; set++) {
        for (unsigned node = 0; node < NODES; node++)
            if (set >> node & 1)
                raft_membership_set(&sets[set], node + 1, RAFT_VOTER);
    }
    for (unsigned a = 1; a < SETS; a++) {
        for (unsigned b = 1; b < SETS; b++) {
            struct raft_membership joint, after;
            assert_true(raft_membership_enter(&sets[a], &sets[b], &joint));
            assert_int_equal(raft_membership_is_joint(&joint), a != b);
            raft_membership_leave(&joint, &after);
            if (a != b)
                assert_true(raft_membership_equal(&after, &sets[b]));
            for (unsigned agreed = 0; agreed < SETS; agreed++) {
                bool yes[RAFT_MEMBERS_MAX] = {false};
                for (size_t i = 0; i < joint.count; i++)
                    yes[i] = agreed >> (joint.members[i].id - 1) & 1;
                bool both = __builtin_popcount(agreed & a) * 2 > __builtin_popcount(a) &&
                            __builtin_popcount(agreed & b) * 2 > __builtin_popcount(b);
                assert_int_equal(raft_membership_has_majority(&joint, yes), both);
            }
        }
    }
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
        cmocka_unit_test(test_memberships_are_equal_when_members_and_roles_are),
        cmocka_unit_test(test_only_a_voter_of_the_current_set_makes_voters),
        cmocka_unit_test(test_changes_of_learners_alone_need_no_joint_membership),
        cmocka_unit_test(test_a_voter_that_joins_votes_in_the_incoming_set_only),
        cmocka_unit_test(test_a_voter_that_leaves_votes_in_the_old_set_only),
        cmocka_unit_test(test_a_voter_that_becomes_a_learner_stays_through_the_change),
        cmocka_unit_test(test_learners_come_and_go_with_a_joint_change),
        cmocka_unit_test(test_the_version_stays_through_a_joint_change),
        cmocka_unit_test(test_memberships_with_another_incarnation_or_address_differ),
        cmocka_unit_test(test_a_voter_that_is_set_keeps_its_incarnation_and_address),
        cmocka_unit_test(test_who_is_dropped_is_no_member),
        cmocka_unit_test(test_an_address_changes_without_a_joint_membership),
        cmocka_unit_test(test_another_incarnation_of_a_voter_is_another_voter),
        cmocka_unit_test(test_the_successor_of_a_lost_voter_does_not_vote_in_the_joint_membership),
        cmocka_unit_test(test_another_incarnation_of_a_learner_needs_no_joint_membership),
        cmocka_unit_test(test_all_voters_can_be_replaced_at_once),
        cmocka_unit_test(test_voters_that_only_leave_or_only_join_make_another_set),
        cmocka_unit_test(test_old_and_new_members_together_must_fit),
        cmocka_unit_test(test_each_joint_majority_contains_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
