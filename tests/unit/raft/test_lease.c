#include "unit/raft/solo.h"

enum { DRIFT = 10, LEASE_MS = ELECTION_MS * (100 - DRIFT) / 100 };

static struct raft_options options_of(size_t voters)
{
    struct raft_options options = solo_options(1, voters);
    options.lease_drift_percent = DRIFT;
    return options;
}

/* An answer to an append that left at `sent_ms`. */
static void answer(struct solo *solo, uint64_t from, uint64_t sent_ms)
{
    solo_receive(
        solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                    .from = from,
                                    .term = raft_term(solo->raft),
                                    .append_response = {.success = true,
                                                        .match = raft_last_index(solo->raft),
                                                        .hint_index = raft_last_index(solo->raft),
                                                        .sent_ms = sent_ms}});
}

/* Node 1 leads term 2; its no-op, entry 2, is committed. Nobody has promised anything. */
static struct solo leader_with(const struct raft_options *options)
{
    struct solo solo = solo_open(options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= raft_membership(solo.raft)->count; from++)
        solo_accepted(&solo, from, 2, 0);
    return solo;
}

static struct solo leader(size_t voters)
{
    struct raft_options options = options_of(voters);
    return leader_with(&options);
}

static bool sent_any(const struct solo *solo)
{
    return solo->update.message_count > 0;
}

static void test_a_lease_answers_reads_at_once(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    answer(&solo, 2, solo.now_ms);
    solo_read(&solo, 1);
    assert_false(sent_any(&solo));
    assert_int_equal(solo.update.read_count, 1);
    assert_int_equal(solo.update.reads[0].context, 1);
    assert_int_equal(solo.update.reads[0].index, 2);
    assert_true(solo_marked(&solo, RAFT_MARK_LEASE_READ));
    solo_close(&solo);
}

static void test_a_lease_counts_from_when_the_append_left(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    uint64_t sent_ms = solo.now_ms;
    solo.now_ms += 100;
    answer(&solo, 3, sent_ms);
    assert_int_equal(raft_lease_until_ms(solo.raft), sent_ms + LEASE_MS);
    solo_close(&solo);
}

static void test_appends_carry_the_time_and_answers_bring_it_back(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)->append_request.sent_ms, solo.now_ms);
    solo_submit(&solo, 1);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)->append_request.sent_ms, solo.now_ms);
    solo_close(&solo);
}

static void receive_sent_at(struct solo *solo, uint64_t term, uint64_t prev, uint64_t sent_ms)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_REQUEST,
                                             .from = 2,
                                             .term = term,
                                             .append_request = {.prev_index = prev,
                                                                .prev_term = 1,
                                                                .first_index = prev + 1,
                                                                .sent_ms = sent_ms}});
}

static void test_followers_return_the_leaders_time_whether_they_accept_or_not(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 2}, TERMS(1));
    receive_sent_at(&solo, 2, 1, 77);
    assert_true(solo_response(&solo, 2)->append_response.success);
    assert_int_equal(solo_response(&solo, 2)->append_response.sent_ms, 77);
    receive_sent_at(&solo, 2, 5, 78);
    assert_false(solo_response(&solo, 2)->append_response.success);
    assert_int_equal(solo_response(&solo, 2)->append_response.sent_ms, 78);
    receive_sent_at(&solo, 1, 1, 79); /* nothing is promised to a leader of the past */
    assert_int_equal(solo_response(&solo, 2)->append_response.sent_ms, 0);
    solo_close(&solo);
}

static void test_a_rejection_renews_a_lease_too(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_receive(&solo, (struct raft_message){
                            .type = RAFT_APPEND_RESPONSE,
                            .from = 2,
                            .term = 2,
                            .append_response = {.rejected_prev = 9, .sent_ms = solo.now_ms}});
    assert_int_equal(raft_lease_until_ms(solo.raft), solo.now_ms + LEASE_MS);
    solo_close(&solo);
}

static void test_a_lease_ends_before_the_promises_do(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    answer(&solo, 2, solo.now_ms);
    solo.now_ms += LEASE_MS - 1;
    solo_read(&solo, 1);
    assert_false(sent_any(&solo));
    assert_int_equal(solo.update.read_count, 1);
    solo.now_ms += 1;
    solo_read(&solo, 2);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    assert_int_equal(solo.update.read_count, 0);
    solo_accepted(&solo, 3, 2, 2); /* a round, as without leases */
    assert_int_equal(solo.update.read_count, 1);
    solo_close(&solo);
}

static void test_a_lease_needs_the_promises_of_a_majority(void **state)
{
    (void)state;
    struct solo solo = leader(5);
    uint64_t start_ms = solo.now_ms;
    solo.now_ms += 60;
    answer(&solo, 2, start_ms + 50);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    answer(&solo, 3, start_ms + 20);
    assert_int_equal(raft_lease_until_ms(solo.raft), start_ms + 20 + LEASE_MS);
    answer(&solo, 4, start_ms + 40);
    assert_int_equal(raft_lease_until_ms(solo.raft), start_ms + 40 + LEASE_MS);
    answer(&solo, 3, start_ms + 10); /* late */
    answer(&solo, 4, start_ms + 10);
    assert_int_equal(raft_lease_until_ms(solo.raft), start_ms + 40 + LEASE_MS);
    solo_close(&solo);
}

static void test_a_learners_promise_makes_no_lease(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    struct solo solo = leader_with(&options);
    answer(&solo, 4, solo.now_ms);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_close(&solo);
}

static void test_a_lease_needs_both_majorities(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    raft_membership_set(&options.membership, 5, RAFT_LEARNER);
    struct solo solo = leader_with(&options);
    answer(&solo, 2, solo.now_ms);
    assert_int_equal(raft_lease_until_ms(solo.raft), solo.now_ms + LEASE_MS);
    solo_change(&solo, MEMBERS({1, RAFT_VOTER}, {4, RAFT_VOTER}, {5, RAFT_VOTER}));
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_accepted(&solo, 4, 2, 0);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                              .from = 4,
                                              .term = 2,
                                              .append_response = {.success = true,
                                                                  .match = 2,
                                                                  .hint_index = 2,
                                                                  .sent_ms = solo.now_ms}});
    assert_int_equal(raft_lease_until_ms(solo.raft), solo.now_ms + LEASE_MS);
    solo_close(&solo);
}

static void test_a_leader_that_leaves_counts_on_others_only(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    struct solo solo = leader_with(&options);
    solo_change(&solo, MEMBERS({2, RAFT_VOTER}, {3, RAFT_VOTER}));
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    solo_accepted(&solo, 3, 3, 0);
    assert_int_equal(raft_membership(solo.raft)->count, 2);
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                              .from = 2,
                                              .term = 2,
                                              .append_response = {.success = true,
                                                                  .match = 3,
                                                                  .hint_index = 3,
                                                                  .sent_ms = solo.now_ms}});
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0); /* 3 has promised nothing yet */
    solo_close(&solo);
}

static void test_a_lone_voter_always_has_a_lease(void **state)
{
    (void)state;
    struct solo solo = leader(1);
    solo.now_ms += 10 * ELECTION_MS;
    solo_read(&solo, 1);
    assert_int_equal(solo.update.read_count, 1);
    assert_int_equal(raft_lease_until_ms(solo.raft), solo.now_ms + LEASE_MS);
    solo_close(&solo);
}

static void test_without_leases_every_read_is_a_round(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    answer(&solo, 2, solo.now_ms);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_read(&solo, 1);
    assert_int_equal(solo.update.read_count, 0);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    assert_false(solo_marked(&solo, RAFT_MARK_LEASE_READ));
    solo_close(&solo);
}

static void test_a_lease_waits_for_the_noop(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                              .from = 2,
                                              .term = 2,
                                              .append_response = {.success = true,
                                                                  .match = 1,
                                                                  .hint_index = 1,
                                                                  .sent_ms = solo.now_ms}});
    assert_true(raft_lease_until_ms(solo.raft) > solo.now_ms);
    solo_read(&solo, 1);
    assert_int_equal(solo.update.read_count, 0);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 2, 0);
    assert_int_equal(solo.update.read_count, 1);
    assert_int_equal(solo.update.reads[0].index, 2);
    solo_close(&solo);
}

static void test_a_lease_ends_with_the_leadership_and_does_not_come_back(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    answer(&solo, 2, solo.now_ms);
    solo_append(&solo, 3, 3, 2, 2, 2, NO_ENTRIES);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_to_leader(&solo);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0); /* promises are to a leader of a term */
    solo_close(&solo);
}

static void test_a_transfer_makes_a_lease_void_for_the_rest_of_the_term(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    answer(&solo, 2, solo.now_ms);
    solo_transfer(&solo, 3);
    assert_int_equal(solo_count(&solo, RAFT_TIMEOUT_NOW, 3), 1);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_read(&solo, 1);
    assert_int_equal(solo.update.read_count, 0);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_tick(&solo, ELECTION_MS - 1);
    answer(&solo, 2, solo.now_ms);
    solo_tick(&solo, 1); /* given up, but the message may arrive yet */
    assert_true(raft_accepts(solo.raft));
    answer(&solo, 3, solo.now_ms);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_append(&solo, 3, 3, 2, 2, 2, NO_ENTRIES);
    solo_to_leader(&solo);
    answer(&solo, 2, solo.now_ms); /* another term */
    assert_int_equal(raft_lease_until_ms(solo.raft), solo.now_ms + LEASE_MS);
    solo_close(&solo);
}

static void test_a_transfer_that_told_nobody_gives_the_lease_back(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    answer(&solo, 2, solo.now_ms);
    solo_submit(&solo, 1);
    solo_transfer(&solo, 3);
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    solo_tick(&solo, ELECTION_MS - 1);
    solo_accepted(&solo, 2, 2, 0);
    solo_tick(&solo, 1);
    assert_true(raft_accepts(solo.raft));
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                              .from = 2,
                                              .term = 2,
                                              .append_response = {.success = true,
                                                                  .match = 2,
                                                                  .hint_index = 2,
                                                                  .sent_ms = solo.now_ms}});
    assert_int_equal(raft_lease_until_ms(solo.raft), solo.now_ms + LEASE_MS);
    solo_close(&solo);
}

/* ---- what a follower promises ---- */

static struct solo follower(void)
{
    struct raft_options options = options_of(3);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 2}, TERMS(1));
    solo.now_ms += ELECTION_MS;
    solo_append(&solo, 2, 2, 1, 1, 1, NO_ENTRIES);
    return solo;
}

static void test_no_vote_is_given_within_the_promise(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo.now_ms += ELECTION_MS - 1;
    solo_vote_request(&solo, 3, false, 3, 1, 1);
    assert_false(solo_granted(&solo, 3));
    assert_int_equal(raft_term(solo.raft), 2);
    solo_vote_request(&solo, 3, true, 3, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo.now_ms += 1;
    solo_vote_request(&solo, 3, false, 3, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_promise_is_kept_though_the_leaders_process_died(void **state)
{
    (void)state;
    struct solo solo = follower();
    uint64_t deadline_ms = raft_deadline_ms(solo.raft);
    solo_peer_lost(&solo, 2);
    assert_int_equal(raft_leader(solo.raft), 2);
    assert_int_equal(raft_deadline_ms(solo.raft), deadline_ms); /* it stands no earlier */
    solo_vote_request(&solo, 3, true, 3, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_vote_request(&solo, 3, false, 3, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_promise_is_kept_though_the_term_went_on(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_rejected(&solo, 3, 0, 0, 0);
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE, .from = 3, .term = 5});
    assert_int_equal(raft_term(solo.raft), 5);
    solo_vote_request(&solo, 3, false, 5, 1, 1); /* of this term: no disturber */
    assert_non_null(solo_sent(&solo, RAFT_VOTE_RESPONSE, 3));
    assert_false(solo_granted(&solo, 3));
    solo.now_ms += ELECTION_MS;
    solo_vote_request(&solo, 3, false, 5, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_promise_may_have_been_given_before_the_start(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 2}, TERMS(1));
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo.now_ms += ELECTION_MS - 1;
    solo_vote_request(&solo, 3, true, 3, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_vote_request(&solo, 3, false, 3, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_vote_request(&solo, 3, false, 2, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo.now_ms += 1;
    solo_vote_request(&solo, 3, true, 3, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_vote_request(&solo, 3, false, 3, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_without_leases_a_vote_is_given_right_after_the_start(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_vote_request(&solo, 3, false, 3, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_leader_that_hands_over_releases_from_the_promise(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_receive(&solo, (struct raft_message){
                            .type = RAFT_VOTE_REQUEST,
                            .from = 3,
                            .term = 3,
                            .vote_request = {.transfer = true, .last_index = 1, .last_term = 1}});
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_clock_share_of_all_or_more_is_a_bug(void **state)
{
    (void)state;
    struct raft_options options = options_of(3);
    options.lease_drift_percent = 100;
    struct raft_start start = {0};
    expect_assert_failure(raft_new(&options, &start, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_answers_reads_at_once),
        cmocka_unit_test(test_a_lease_counts_from_when_the_append_left),
        cmocka_unit_test(test_appends_carry_the_time_and_answers_bring_it_back),
        cmocka_unit_test(test_followers_return_the_leaders_time_whether_they_accept_or_not),
        cmocka_unit_test(test_a_rejection_renews_a_lease_too),
        cmocka_unit_test(test_a_lease_ends_before_the_promises_do),
        cmocka_unit_test(test_a_lease_needs_the_promises_of_a_majority),
        cmocka_unit_test(test_a_learners_promise_makes_no_lease),
        cmocka_unit_test(test_a_lease_needs_both_majorities),
        cmocka_unit_test(test_a_leader_that_leaves_counts_on_others_only),
        cmocka_unit_test(test_a_lone_voter_always_has_a_lease),
        cmocka_unit_test(test_without_leases_every_read_is_a_round),
        cmocka_unit_test(test_a_lease_waits_for_the_noop),
        cmocka_unit_test(test_a_lease_ends_with_the_leadership_and_does_not_come_back),
        cmocka_unit_test(test_a_transfer_makes_a_lease_void_for_the_rest_of_the_term),
        cmocka_unit_test(test_a_transfer_that_told_nobody_gives_the_lease_back),
        cmocka_unit_test(test_no_vote_is_given_within_the_promise),
        cmocka_unit_test(test_a_promise_is_kept_though_the_leaders_process_died),
        cmocka_unit_test(test_a_promise_is_kept_though_the_term_went_on),
        cmocka_unit_test(test_a_promise_may_have_been_given_before_the_start),
        cmocka_unit_test(test_without_leases_a_vote_is_given_right_after_the_start),
        cmocka_unit_test(test_a_leader_that_hands_over_releases_from_the_promise),
        cmocka_unit_test(test_a_clock_share_of_all_or_more_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
