/* Learners that become voters when the group wants more voters, and which members count as alive.
 */
#include "unit/raft/solo.h"

enum { BOTH = RAFT_VOTER | RAFT_VOTER_INCOMING, INCOMING = RAFT_VOTER_INCOMING };

static void acknowledge(struct solo *solo, uint64_t from)
{
    solo_accepted(solo, from, raft_last_index(solo->raft), 0);
}

/* Node 1 leads term 2; its no-op, entry 2, is committed by the voters. No spare has answered. */
static struct solo leader_of(struct raft_membership membership, uint32_t voters_target)
{
    struct raft_options options = solo_options(1, 0);
    options.membership = membership;
    options.voters_target = voters_target;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_tick_at_deadline(&solo);
    for (size_t i = 0; i < membership.count; i++)
        solo_vote_response(&solo, membership.members[i].id, true, 2, true);
    for (size_t i = 0; i < membership.count; i++)
        solo_vote_response(&solo, membership.members[i].id, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_all_durable(&solo);
    for (size_t i = 0; i < membership.count; i++)
        if ((membership.members[i].roles & RAFT_VOTER) && membership.members[i].id != 1)
            acknowledge(&solo, membership.members[i].id);
    assert_int_equal(raft_commit_index(solo.raft), 2);
    return solo;
}

static struct raft_membership three_and_spares(size_t spares)
{
    struct raft_membership membership =
        MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_SPARE});
    for (uint64_t id = 5; id < 4 + spares; id++)
        solo_member_set(&membership, id, RAFT_SPARE);
    return membership;
}

/* ---- spares ---- */

static void test_three_voters_and_one_spare_stay_so(void **state)
{
    (void)state;
    struct solo solo = leader_of(three_and_spares(1), 5);
    acknowledge(&solo, 4);
    assert_int_equal(solo.update.append_count, 0);
    assert_membership(raft_membership(solo.raft), three_and_spares(1));
    assert_false(raft_may_append(solo.raft));
    solo_close(&solo);
}

static void test_two_spares_become_voters_in_one_change(void **state)
{
    (void)state;
    struct solo solo = leader_of(three_and_spares(2), 5);
    acknowledge(&solo, 4);
    assert_int_equal(solo.update.append_count, 0); /* waits for the other one */
    assert_true(raft_may_append(solo.raft));
    acknowledge(&solo, 5);
    assert_membership(raft_membership(solo.raft),
                      MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH}, {4, INCOMING}, {5, INCOMING}));
    assert_true(solo_marked(&solo, RAFT_MARK_LEARNER_PROMOTED));
    solo_close(&solo);
}

static void test_one_spare_makes_an_even_number_odd(void **state)
{
    (void)state;
    struct solo solo =
        leader_of(MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {4, RAFT_SPARE}, {5, RAFT_SPARE}), 3);
    acknowledge(&solo, 4);
    assert_membership(raft_membership(solo.raft),
                      MEMBERS({1, BOTH}, {2, BOTH}, {4, INCOMING}, {5, RAFT_SPARE}));
    solo_close(&solo);
}

static void test_no_spare_becomes_a_voter_beyond_the_target(void **state)
{
    (void)state;
    for (uint32_t target = 0; target <= 4; target++) {
        struct solo solo = leader_of(three_and_spares(3), target);
        for (uint64_t from = 4; from <= 6; from++)
            acknowledge(&solo, from);
        assert_int_equal(solo.update.append_count, 0);
        assert_false(raft_may_append(solo.raft));
        solo_close(&solo);
    }
}

static void test_as_many_spares_as_the_target_allows_are_promoted(void **state)
{
    (void)state;
    struct solo solo = leader_of(three_and_spares(3), 6);
    acknowledge(&solo, 4);
    acknowledge(&solo, 6);
    assert_membership(
        raft_membership(solo.raft),
        MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH}, {4, INCOMING}, {5, RAFT_SPARE}, {6, INCOMING}));
    solo_close(&solo);
}

static void test_a_target_that_was_raised_takes_effect(void **state)
{
    (void)state;
    struct solo solo = leader_of(three_and_spares(2), 3);
    acknowledge(&solo, 4);
    acknowledge(&solo, 5);
    assert_int_equal(solo.update.append_count, 0);
    raft_set_voters_target(solo.raft, 5);
    acknowledge(&solo, 5);
    assert_int_equal(solo.update.append_own, RAFT_OWN_MEMBERSHIP);
    solo_close(&solo);
}

/* A member that returns with an empty disk was a voter before, so it is one again. */
static void test_a_member_to_be_promoted_does_not_wait_for_the_target(void **state)
{
    (void)state;
    struct solo solo =
        leader_of(MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_PROMOTE}), 3);
    acknowledge(&solo, 4);
    assert_membership(raft_membership(solo.raft),
                      MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH}, {4, INCOMING}));
    solo_close(&solo);
}

static void test_spares_count_those_that_are_promoted_with_them(void **state)
{
    (void)state;
    struct solo solo = leader_of(MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER},
                                         {4, RAFT_LEARNER}, {5, RAFT_LEARNER}),
                                 5);
    acknowledge(&solo, 4);
    acknowledge(&solo, 5);
    solo_change(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_PROMOTE},
                               {5, RAFT_SPARE}));
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    assert_membership(raft_membership(solo.raft),
                      MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH}, {4, INCOMING}, {5, INCOMING}));
    solo_close(&solo);
}

static void test_a_spare_stays_one_over_a_joint_change(void **state)
{
    (void)state;
    struct raft_membership from = three_and_spares(1);
    struct raft_membership to = MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {4, RAFT_SPARE});
    struct raft_membership joint, after;
    assert_true(raft_membership_enter(&from, &to, &joint));
    assert_true(raft_membership_is_joint(&joint));
    raft_membership_leave(&joint, &after);
    assert_membership(&after, to);
}

static void test_a_voter_does_not_become_a_spare(void **state)
{
    (void)state;
    struct solo solo = leader_of(three_and_spares(1), 0);
    assert_int_equal(solo_refusal(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_SPARE},
                                                 {4, RAFT_SPARE})),
                     RAFT_CHANGE_UNSOUND);
    assert_int_equal(solo_refusal(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER},
                                                 {3, RAFT_LEARNER}, {4, RAFT_SPARE})),
                     RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

/* ---- who is alive ---- */

static struct raft_membership five(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_VOTER},
                   {5, RAFT_VOTER});
}

/* 4 and 5 have been dead for longer than the new leader leads: it knows nothing of them. */
static struct solo leader_of_five_with_two_dead(void)
{
    struct raft_options options = solo_options(1, 0);
    options.membership = five();
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_tick_at_deadline(&solo);
    for (int real = 0; real < 2; real++)
        for (uint64_t from = 1; from <= 3; from++)
            solo_vote_response(&solo, from, !real, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    acknowledge(&solo, 3);
    return solo;
}

static struct raft_membership four_left(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {4, RAFT_VOTER}, {5, RAFT_VOTER});
}

static void test_a_new_leader_counts_nobody_alive_before_it_answers(void **state)
{
    (void)state;
    struct solo solo = leader_of_five_with_two_dead();
    assert_int_equal(solo_refusal(&solo, four_left()), RAFT_CHANGE_OUT_OF_REACH);
    solo_rejected(&solo, 4, 1, 0, 0); /* alive, though behind */
    assert_int_equal(solo_refusal(&solo, four_left()), RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

static void test_dead_voters_are_removed_while_a_majority_lives(void **state)
{
    (void)state;
    struct solo solo = leader_of_five_with_two_dead();
    assert_int_equal(
        solo_refusal(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER})),
        RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

static void test_a_change_that_is_out_of_reach_can_be_forced(void **state)
{
    (void)state;
    struct solo solo = leader_of_five_with_two_dead();
    solo_change(&solo, four_left());
    assert_membership(raft_membership(solo.raft),
                      MEMBERS({1, BOTH}, {2, BOTH}, {3, RAFT_VOTER}, {4, BOTH}, {5, BOTH}));
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_voters_and_one_spare_stay_so),
        cmocka_unit_test(test_two_spares_become_voters_in_one_change),
        cmocka_unit_test(test_one_spare_makes_an_even_number_odd),
        cmocka_unit_test(test_no_spare_becomes_a_voter_beyond_the_target),
        cmocka_unit_test(test_as_many_spares_as_the_target_allows_are_promoted),
        cmocka_unit_test(test_a_target_that_was_raised_takes_effect),
        cmocka_unit_test(test_a_member_to_be_promoted_does_not_wait_for_the_target),
        cmocka_unit_test(test_spares_count_those_that_are_promoted_with_them),
        cmocka_unit_test(test_a_spare_stays_one_over_a_joint_change),
        cmocka_unit_test(test_a_voter_does_not_become_a_spare),
        cmocka_unit_test(test_a_new_leader_counts_nobody_alive_before_it_answers),
        cmocka_unit_test(test_dead_voters_are_removed_while_a_majority_lives),
        cmocka_unit_test(test_a_change_that_is_out_of_reach_can_be_forced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
