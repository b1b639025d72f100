#include "raft/message.h"
#include "shard/clock.h"
#include "unit/support/test.h"

enum { SECOND = 1000000, HEARTBEAT_MS = 50 };

static const uint64_t start_us = 77 * (uint64_t)SECOND;
static const uint64_t fresh_us = SECOND;

static struct raft_membership voters(uint64_t count)
{
    struct raft_membership membership = {.count = 0};
    for (uint64_t id = 1; id <= count; id++)
        raft_membership_set(&membership, id, RAFT_VOTER);
    return membership;
}

static struct shard_clock_report report_of(uint64_t node, int64_t wall_ms, uint64_t mono_us)
{
    return (struct shard_clock_report){.node = node, .wall_ms = wall_ms, .mono_us = mono_us};
}

static struct shard_clock_vote vote_of(uint64_t node, int64_t wall_ms, int64_t time_ms,
                                       uint64_t ago_us)
{
    return (struct shard_clock_vote){.wall = report_of(node, wall_ms, start_us),
                                     .time_ms = time_ms,
                                     .heard_ago_us = ago_us,
                                     .heard_term = time_ms ? 1 : 0};
}

/* Node 1 leads, and its clock says `time_ms` at start_us. */
static struct shard_clock leading(int64_t time_ms)
{
    struct shard_clock clock;
    shard_clock_init(&clock, 0, HEARTBEAT_MS);
    shard_clock_hear(&clock, 1, time_ms, start_us);
    shard_clock_lead(&clock, 1, 0, start_us);
    return clock;
}

/* The three voters tell their wall clocks at each heartbeat for `seconds`; they run by true time.
 */
static uint64_t steer_for(struct shard_clock *clock, const int64_t wall_ms[3], unsigned seconds)
{
    struct raft_membership membership = voters(3);
    uint64_t now_us = start_us;
    for (unsigned i = 0; i < seconds * 20; i++) {
        now_us += 50000;
        int64_t passed_ms = (int64_t)(now_us - start_us) / 1000;
        for (uint64_t node = 2; node <= 3; node++) {
            struct shard_clock_report report =
                report_of(node, wall_ms[node - 1] + passed_ms, now_us);
            shard_clock_report(clock, &report);
        }
        struct shard_clock_report own = report_of(1, wall_ms[0] + passed_ms, now_us);
        shard_clock_steer(clock, &membership, &own, fresh_us);
    }
    return now_us;
}

static void test_a_clock_stands_at_the_newest_entry_until_a_leader_is_heard(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 5000, HEARTBEAT_MS);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 5000);
    shard_clock_entry(&clock, 6000);
    shard_clock_entry(&clock, 5500);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 6000);
    shard_clock_hear(&clock, 1, 9000, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 10000);
}

static void test_a_follower_counts_on_from_what_it_heard_last(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 0, HEARTBEAT_MS);
    shard_clock_hear(&clock, 1, 1000, start_us);
    shard_clock_hear(&clock, 1, 3000, start_us + SECOND);
    assert_int_equal(shard_clock_at(&clock, start_us + 3 * SECOND), 5000);
    assert_int_equal(shard_clock_estimate(&clock, start_us + 3 * SECOND).ago_us, 2 * SECOND);
}

static void test_messages_that_were_late_do_not_hold_a_follower_back(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 0, HEARTBEAT_MS);
    shard_clock_hear(&clock, 1, 10000, start_us);
    /* It stood still for three seconds; what waited is read at once, then come the newest. */
    for (uint64_t i = 0; i < 60; i++)
        shard_clock_hear(&clock, 1, 10000 + 50 * (int64_t)i, start_us + 3 * SECOND + i * 100);
    assert_int_equal(shard_clock_at(&clock, start_us + 3 * SECOND + 10000), 13010);
    assert_in_range(shard_clock_estimate(&clock, start_us + 3 * SECOND).ago_us, 2900000, 3000000);
    for (int i = 1; i < 100; i++) /* one in three is on time */
        shard_clock_hear(&clock, 1, 13000 + 50 * i - i % 3 * 400,
                         start_us + 3 * SECOND + (uint64_t)i * 50000);
    assert_int_equal(shard_clock_at(&clock, start_us + 8 * SECOND), 18000);
    assert_in_range(shard_clock_estimate(&clock, start_us + 8 * SECOND).ago_us, 0, 600000);
}

static void test_a_follower_keeps_to_a_leader_whose_clock_is_slow(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 0, HEARTBEAT_MS);
    for (int i = 0; i <= 1000; i++)
        shard_clock_hear(&clock, 1, 10000 + 43 * i, start_us + 50000 * (uint64_t)i);
    int64_t time_ms = shard_clock_at(&clock, start_us + 50 * (uint64_t)SECOND);
    assert_in_range(time_ms, 10000 + 43000, 10000 + 43000 + 150);
}

static void test_an_entry_is_never_before_the_newest_one(void **state)
{
    (void)state;
    struct shard_clock clock = leading(1000);
    shard_clock_entry(&clock, 5000);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 5000);
    shard_clock_lead(&clock, 2, 0, start_us + SECOND);
    assert_int_equal(shard_clock_at(&clock, start_us + 2 * SECOND), 6000);
}

static void test_a_new_leader_goes_on_from_what_it_heard_and_what_passed_since(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    shard_clock_hear(&clock, 1, 5000, start_us);
    struct shard_clock_vote vote = vote_of(2, 900000, 0, 0);
    shard_clock_vote(&clock, 7, &vote);
    shard_clock_lead(&clock, 7, 900000, start_us + 400000);
    assert_int_equal(shard_clock_at(&clock, start_us + 400000), 5400);
    assert_int_equal(clock.begun_from_wall, 0);
}

static void test_a_new_leader_goes_by_who_heard_the_last_one_later(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct shard_clock clock;
        shard_clock_init(&clock, 100, HEARTBEAT_MS);
        shard_clock_hear(&clock, 1, 5000, start_us - 60 * (uint64_t)SECOND);
        struct shard_clock_vote fresh = vote_of(2, 0, 64000, 300000);
        struct shard_clock_vote older = vote_of(3, 0, 64080, 900000);
        shard_clock_vote(&clock, 7, order ? &fresh : &older);
        shard_clock_vote(&clock, 7, order ? &older : &fresh);
        shard_clock_lead(&clock, 7, 0, start_us + 200000);
        assert_int_equal(shard_clock_at(&clock, start_us + 200000), 64200);
    }
}

static void test_a_new_leader_is_not_held_back_by_a_voter_that_read_an_old_message(void **state)
{
    (void)state;
    for (int own = 0; own < 2; own++) {
        struct shard_clock clock;
        shard_clock_init(&clock, 100, HEARTBEAT_MS);
        /* It has just started, and what it read had been under way for a second and a half. */
        struct shard_clock_vote late = vote_of(2, 0, 62500, 20000);
        struct shard_clock_vote right = vote_of(3, 0, 64000, 1300000);
        shard_clock_vote(&clock, 7, &late);
        if (own)
            shard_clock_hear(&clock, 1, 62700, start_us - 1300000);
        else
            shard_clock_vote(&clock, 7, &right);
        shard_clock_lead(&clock, 7, 0, start_us);
        assert_int_equal(shard_clock_at(&clock, start_us), 64000);
    }
}

static void test_an_estimate_of_an_earlier_term_does_not_count(void **state)
{
    (void)state;
    /* All that voted for the leader of term 6 had started anew: it began from wall clocks. */
    struct shard_clock clock;
    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    shard_clock_hear(&clock, 5, 3600000, start_us - SECOND);
    struct shard_clock_vote later = vote_of(2, 0, 64000, 900000);
    later.heard_term = 6;
    shard_clock_vote(&clock, 7, &later);
    shard_clock_lead(&clock, 7, 0, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 64000);
    assert_int_equal(clock.heard_term, 7);

    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    shard_clock_hear(&clock, 6, 64000, start_us);
    later.heard_term = 5;
    later.time_ms = 3600000;
    shard_clock_vote(&clock, 7, &later);
    shard_clock_lead(&clock, 7, 0, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 64000);
}

static void test_a_line_that_is_lowered_is_the_later_leaders(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    shard_clock_hear(&clock, 5, 3600000, start_us);
    assert_int_equal(clock.heard_term, 5);
    shard_clock_hear(&clock, 6, 64000, start_us);
    assert_int_equal(clock.heard_term, 5); /* it may be late */
    for (int i = 1; i < 20; i++)
        shard_clock_hear(&clock, 6, 64000 + 50 * i, start_us + (uint64_t)i * 50000);
    assert_int_equal(clock.heard_term, 6);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 65000);
}

static void test_a_later_leaders_time_counts_although_it_is_behind_the_own(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    shard_clock_hear(&clock, 5, 60000, start_us);
    assert_int_equal(shard_clock_estimate(&clock, start_us).term, 5);
    /* The third message was under way for the shortest time. */
    shard_clock_hear(&clock, 7, 60030, start_us + 100000);
    shard_clock_hear(&clock, 7, 60090, start_us + 150000);
    shard_clock_hear(&clock, 7, 60190, start_us + 200000);
    shard_clock_hear(&clock, 7, 60190, start_us + 250000);
    const struct shard_clock_estimate estimate = shard_clock_estimate(&clock, start_us + SECOND);
    assert_int_equal(estimate.term, 7);
    assert_int_equal(estimate.time_us, 60990000);
    assert_int_equal(estimate.ago_us, 800000);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 61000);
    /* Who was cut off while the leader of term 7 was there says less of it, however late it is. */
    struct shard_clock_vote earlier = vote_of(2, 0, 3600000, 0);
    earlier.heard_term = 6;
    shard_clock_vote(&clock, 8, &earlier);
    shard_clock_lead(&clock, 8, 0, start_us + SECOND);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 60990);
}

static void test_votes_of_an_earlier_term_do_not_count(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    struct shard_clock_vote old = vote_of(2, 0, 99000, 0);
    struct shard_clock_vote vote = vote_of(3, 0, 64000, 300000);
    shard_clock_vote(&clock, 6, &old);
    shard_clock_vote(&clock, 7, &vote);
    shard_clock_lead(&clock, 7, 0, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 64000);
    shard_clock_vote(&clock, 8, &old);
    shard_clock_follow(&clock);
    shard_clock_lead(&clock, 9, 0, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 64000);
}

static void test_where_nobody_heard_a_leader_the_wall_clocks_lower_median_counts(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    struct shard_clock_vote vote = vote_of(2, 50000, 0, 0);
    shard_clock_vote(&clock, 1, &vote);
    shard_clock_lead(&clock, 1, 3600000, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 50000);
    assert_int_equal(clock.begun_from_wall, 1);

    shard_clock_init(&clock, 100, HEARTBEAT_MS);
    struct shard_clock_vote behind = vote_of(3, 1000, 0, 0);
    shard_clock_vote(&clock, 1, &vote);
    shard_clock_vote(&clock, 1, &behind);
    shard_clock_lead(&clock, 1, 3600000, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 50000);
}

static void test_wall_clocks_never_take_a_new_leader_back(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 3600000, HEARTBEAT_MS);
    shard_clock_lead(&clock, 1, 5000, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 3600000);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), 3601000);
}

static void test_time_is_drawn_toward_the_median_by_a_twentieth(void **state)
{
    (void)state;
    const int64_t ahead[3] = {3600000, 3600000, 0};
    struct shard_clock clock = leading(0);
    uint64_t now_us = steer_for(&clock, ahead, 10);
    assert_in_range(shard_clock_at(&clock, now_us), 10400, 10500);
    const int64_t behind[3] = {-3600000, -3600000, 0};
    clock = leading(0);
    now_us = steer_for(&clock, behind, 10);
    assert_in_range(shard_clock_at(&clock, now_us), 9500, 9600);
}

static void test_one_wall_clock_of_three_draws_nothing(void **state)
{
    (void)state;
    for (int node = 0; node < 3; node++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            int64_t walls[3] = {1000000, 1000000, 1000000};
            walls[node] += sign * 3600000;
            struct shard_clock clock = leading(1000000);
            uint64_t now_us = steer_for(&clock, walls, 20);
            assert_in_range(shard_clock_at(&clock, now_us), 1019999, 1020001);
        }
    }
}

static void test_time_settles_at_the_wall_clocks(void **state)
{
    (void)state;
    const int64_t walls[3] = {1002000, 1002000, 1002000};
    struct shard_clock clock = leading(1000000);
    uint64_t now_us = steer_for(&clock, walls, 120);
    assert_in_range(shard_clock_at(&clock, now_us), 1121990, 1122000);
}

static void test_without_a_majority_of_fresh_reports_nothing_draws(void **state)
{
    (void)state;
    struct raft_membership membership = voters(3);
    raft_membership_set(&membership, 4, RAFT_LEARNER);
    struct shard_clock clock = leading(0);
    struct shard_clock_report stale = report_of(2, 3600000, start_us);
    struct shard_clock_report learner = report_of(4, 3600000, start_us + 2 * SECOND);
    shard_clock_report(&clock, &stale);
    shard_clock_report(&clock, &learner);
    struct shard_clock_report own = report_of(1, 3600000, start_us + 2 * SECOND);
    shard_clock_steer(&clock, &membership, &own, fresh_us);
    assert_int_equal(shard_clock_at(&clock, start_us + 12 * (uint64_t)SECOND), 12000);
    stale.mono_us = own.mono_us;
    shard_clock_report(&clock, &stale);
    shard_clock_steer(&clock, &membership, &own, fresh_us);
    assert_int_equal(shard_clock_at(&clock, start_us + 12 * (uint64_t)SECOND), 12500);
}

static void test_times_beyond_reason_stay_within_bounds(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, INT64_MAX, HEARTBEAT_MS);
    assert_int_equal(shard_clock_at(&clock, UINT64_MAX), RAFT_TIME_MS_MAX);
    shard_clock_init(&clock, INT64_MIN, HEARTBEAT_MS);
    shard_clock_hear(&clock, 1, INT64_MAX, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us + SECOND), RAFT_TIME_MS_MAX);
    shard_clock_init(&clock, 0, HEARTBEAT_MS);
    shard_clock_lead(&clock, 1, INT64_MIN, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 0);
}

static void test_the_wall_clocks_of_many_members_that_came_and_went_fit(void **state)
{
    (void)state;
    struct shard_clock clock = leading(0);
    for (uint64_t node = 2; node < 100; node++) {
        struct shard_clock_report report = report_of(node, 1, start_us + node);
        shard_clock_report(&clock, &report);
        struct shard_clock_vote vote = vote_of(node, 1, 0, 0);
        shard_clock_vote(&clock, 2, &vote);
    }
    assert_int_equal(clock.report_count, RAFT_MEMBERS_MAX);
    assert_int_equal(clock.vote_count, RAFT_MEMBERS_MAX);
    struct raft_membership membership = voters(1);
    raft_membership_set(&membership, 98, RAFT_VOTER);
    raft_membership_set(&membership, 99, RAFT_VOTER);
    struct shard_clock_report own = report_of(1, 3600000, start_us + 100);
    shard_clock_steer(&clock, &membership, &own, fresh_us);
    assert_int_equal(clock.rate_ppm, 100); /* a millisecond ahead */
}

/* A deposed leader's entry was never committed: its time binds nobody. */
static void test_the_time_of_an_entry_that_was_cut_off_binds_nobody(void **state)
{
    (void)state;
    struct shard_clock clock;
    shard_clock_init(&clock, 1000, HEARTBEAT_MS);
    shard_clock_entry(&clock, 7200000);
    shard_clock_cut(&clock, 1000);
    shard_clock_hear(&clock, 2, 5000, start_us);
    shard_clock_lead(&clock, 3, 0, start_us);
    assert_int_equal(shard_clock_at(&clock, start_us), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_stands_at_the_newest_entry_until_a_leader_is_heard),
        cmocka_unit_test(test_a_follower_counts_on_from_what_it_heard_last),
        cmocka_unit_test(test_messages_that_were_late_do_not_hold_a_follower_back),
        cmocka_unit_test(test_a_follower_keeps_to_a_leader_whose_clock_is_slow),
        cmocka_unit_test(test_an_entry_is_never_before_the_newest_one),
        cmocka_unit_test(test_a_new_leader_goes_on_from_what_it_heard_and_what_passed_since),
        cmocka_unit_test(test_a_new_leader_goes_by_who_heard_the_last_one_later),
        cmocka_unit_test(test_a_new_leader_is_not_held_back_by_a_voter_that_read_an_old_message),
        cmocka_unit_test(test_an_estimate_of_an_earlier_term_does_not_count),
        cmocka_unit_test(test_a_line_that_is_lowered_is_the_later_leaders),
        cmocka_unit_test(test_a_later_leaders_time_counts_although_it_is_behind_the_own),
        cmocka_unit_test(test_votes_of_an_earlier_term_do_not_count),
        cmocka_unit_test(test_where_nobody_heard_a_leader_the_wall_clocks_lower_median_counts),
        cmocka_unit_test(test_wall_clocks_never_take_a_new_leader_back),
        cmocka_unit_test(test_time_is_drawn_toward_the_median_by_a_twentieth),
        cmocka_unit_test(test_one_wall_clock_of_three_draws_nothing),
        cmocka_unit_test(test_time_settles_at_the_wall_clocks),
        cmocka_unit_test(test_without_a_majority_of_fresh_reports_nothing_draws),
        cmocka_unit_test(test_times_beyond_reason_stay_within_bounds),
        cmocka_unit_test(test_the_wall_clocks_of_many_members_that_came_and_went_fit),
        cmocka_unit_test(test_the_time_of_an_entry_that_was_cut_off_binds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
