#include "unit/raft/solo.h"

/* Node 1 leads term 2; its no-op (entry 2) is committed. */
static struct solo reading_leader(size_t voters)
{
    struct solo solo = solo_new(voters, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    for (uint64_t voter = 2; voter <= voters; voter++)
        solo_accepted(&solo, voter, 2, 0);
    assert_true(raft_can_read(solo.raft));
    return solo;
}

static void assert_ready(const struct solo *solo, uint64_t first, uint64_t last, uint64_t index)
{
    assert_int_equal(solo->update.read_count, last - first + 1);
    for (uint64_t i = 0; i < solo->update.read_count; i++) {
        assert_int_equal(solo->update.reads[i].context, first + i);
        assert_int_equal(solo->update.reads[i].index, index);
    }
}

static void test_a_majority_of_echoes_confirms_a_read(void **state)
{
    (void)state;
    struct solo solo = reading_leader(5);
    solo_read(&solo, 1);
    solo_accepted(&solo, 2, 2, 1);
    solo_accepted(&solo, 2, 2, 1); /* twice the same */
    assert_int_equal(solo.update.read_count, 0);
    solo_accepted(&solo, 4, 2, 1);
    assert_ready(&solo, 1, 1, 2);
    solo_accepted(&solo, 5, 2, 1);
    assert_int_equal(solo.update.read_count, 0); /* only once */
    solo_close(&solo);
}

static void test_an_answer_to_what_was_sent_before_the_read_confirms_nothing(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 1);
    solo_read(&solo, 2);
    solo_accepted(&solo, 2, 2, 0);
    assert_int_equal(solo.update.read_count, 0);
    solo_accepted(&solo, 2, 2, 1);
    assert_ready(&solo, 1, 1, 2);
    solo_accepted(&solo, 2, 2, 2);
    assert_ready(&solo, 2, 2, 2);
    solo_close(&solo);
}

static void test_confirming_one_read_confirms_those_before(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    for (uint64_t context = 1; context <= 40; context++)
        solo_read(&solo, context);
    solo_accepted(&solo, 3, 2, 40);
    assert_ready(&solo, 1, 40, 2);
    solo_close(&solo);
}

static void test_a_read_takes_the_commit_index_of_its_arrival(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 1);
    solo_submit(&solo, 1);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    assert_int_equal(solo.update.commit_index, 3);
    solo_read(&solo, 2);
    solo_accepted(&solo, 3, 3, 2);
    assert_int_equal(solo.update.read_count, 2);
    assert_int_equal(solo.update.reads[0].index, 2);
    assert_int_equal(solo.update.reads[1].index, 3);
    solo_close(&solo);
}

static void test_a_read_waits_for_a_commit_in_this_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 1, NO_ENTRIES); /* it knows of a commit, of an older term */
    solo_to_leader(&solo);
    assert_false(raft_can_read(solo.raft));
    solo_read(&solo, 1);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_accepted(&solo, 3, 1, 1); /* confirms the leader, but not the no-op */
    assert_int_equal(solo.update.read_count, 0);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 2, 0);
    assert_ready(&solo, 1, 1, 2);
    solo_close(&solo);
}

static void test_a_read_that_waited_for_the_noop_waits_for_its_echo_too(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_read(&solo, 1);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 2, 0);
    assert_true(raft_can_read(solo.raft));
    assert_int_equal(solo.update.read_count, 0);
    solo_accepted(&solo, 3, 1, 1);
    assert_ready(&solo, 1, 1, 2);
    solo_close(&solo);
}

static void test_a_rejection_of_this_term_confirms_too(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 1);
    solo_receive(&solo,
                 (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                       .from = 3,
                                       .term = 2,
                                       .append_response = {.rejected_prev = 2, .read_context = 1}});
    assert_ready(&solo, 1, 1, 2);
    solo_close(&solo);
}

static void test_an_echo_of_an_older_term_confirms_nothing(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 1);
    solo_receive(&solo, (struct raft_message){
                            .type = RAFT_APPEND_RESPONSE,
                            .from = 2,
                            .term = 1,
                            .append_response = {.success = true, .match = 1, .read_context = 1}});
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

static void test_reads_of_a_lost_leadership_never_become_ready(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 1);
    solo_append(&solo, 3, 3, 1, 1, 0, NO_ENTRIES);
    assert_true(solo.update.leadership_lost);
    solo.now_ms += ELECTION_MS;
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, raft_last_index(solo.raft), 1);
    solo_accepted(&solo, 3, raft_last_index(solo.raft), 1);
    assert_true(raft_can_read(solo.raft));
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

static void test_echoes_of_an_earlier_leadership_do_not_count_in_the_next(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 5);
    solo_accepted(&solo, 2, 2, 5);
    solo_append(&solo, 3, 3, 1, 1, 0, NO_ENTRIES);
    solo.now_ms += ELECTION_MS;
    solo_to_leader(&solo);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)->append_request.read_context, 0);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, raft_last_index(solo.raft), 0);
    solo_read(&solo, 6);
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

static void test_a_read_context_is_never_used_twice(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 4);
    expect_assert_failure(solo_read(&solo, 4));
    expect_assert_failure(solo_read(&solo, 3));
    solo_close(&solo);
}

static void test_a_follower_confirms_no_read(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_read(&solo, 1);
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

static void test_a_read_round_is_not_held_by_a_full_window(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_submit(&solo, 40);
    solo_submit(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_read(&solo, 1);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_close(&solo);
}

static void test_a_lost_round_is_carried_by_the_next_heartbeat(void **state)
{
    (void)state;
    struct solo solo = reading_leader(3);
    solo_read(&solo, 1);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)->append_request.read_context, 1);
    solo_accepted(&solo, 2, 2, 1);
    assert_ready(&solo, 1, 1, 2);
    solo_close(&solo);
}

static void test_a_lone_leader_confirms_at_once(void **state)
{
    (void)state;
    struct solo solo = solo_new(1, 0, NO_ENTRIES);
    solo_to_leader(&solo);
    solo_read(&solo, 1);
    assert_int_equal(solo.update.read_count, 0);
    solo_all_durable(&solo);
    assert_ready(&solo, 1, 1, 1);
    solo_read(&solo, 2);
    assert_ready(&solo, 2, 2, 1);
    solo_close(&solo);
}

static void test_a_learner_confirms_nothing(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 2, false, 2, true);
    solo_vote_response(&solo, 3, false, 2, true);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 2, 0);
    solo_read(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 4));
    solo_accepted(&solo, 4, 2, 1);
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_majority_of_echoes_confirms_a_read),
        cmocka_unit_test(test_an_answer_to_what_was_sent_before_the_read_confirms_nothing),
        cmocka_unit_test(test_confirming_one_read_confirms_those_before),
        cmocka_unit_test(test_a_read_takes_the_commit_index_of_its_arrival),
        cmocka_unit_test(test_a_read_waits_for_a_commit_in_this_term),
        cmocka_unit_test(test_a_read_that_waited_for_the_noop_waits_for_its_echo_too),
        cmocka_unit_test(test_a_rejection_of_this_term_confirms_too),
        cmocka_unit_test(test_an_echo_of_an_older_term_confirms_nothing),
        cmocka_unit_test(test_reads_of_a_lost_leadership_never_become_ready),
        cmocka_unit_test(test_echoes_of_an_earlier_leadership_do_not_count_in_the_next),
        cmocka_unit_test(test_a_read_context_is_never_used_twice),
        cmocka_unit_test(test_a_follower_confirms_no_read),
        cmocka_unit_test(test_a_read_round_is_not_held_by_a_full_window),
        cmocka_unit_test(test_a_lost_round_is_carried_by_the_next_heartbeat),
        cmocka_unit_test(test_a_lone_leader_confirms_at_once),
        cmocka_unit_test(test_a_learner_confirms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
