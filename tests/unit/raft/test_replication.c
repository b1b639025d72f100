#include "unit/raft/solo.h"

/* Node 1 leads term 2 with entries of `terms` (all of term 1) and its durable no-op, and node 2
 * has it all. Node 3 was never heard of. */
static struct solo leader_of(size_t voters, const uint64_t *terms)
{
    struct solo solo = solo_new(voters, 1, terms);
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, raft_last_index(solo.raft), 0);
    return solo;
}

static const struct raft_message *append_to(const struct solo *solo, uint64_t to, size_t n)
{
    const struct raft_message *message = solo_nth(solo, RAFT_APPEND_REQUEST, to, n);
    assert_non_null(message);
    return message;
}

static void test_a_term_begins_with_a_noop(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1));
    solo_to_leader(&solo);
    assert_int_equal(solo.update.append_own, RAFT_OWN_NOOP);
    assert_int_equal(solo.update.append_first, 3);
    assert_int_equal(solo.update.append_count, 1);
    assert_int_equal(raft_term_of(solo.raft, 3), 2);
    for (uint64_t to = 2; to <= 3; to++) {
        const struct raft_message *request = append_to(&solo, to, 0);
        assert_int_equal(request->append_request.prev_index, 2);
        assert_int_equal(request->append_request.prev_term, 1);
        assert_int_equal(request->append_request.first_index, 3);
        assert_int_equal(request->append_request.entry_count, 1);
        assert_false(request->when_durable); /* its own sync runs at the same time */
    }
    solo_close(&solo);
}

static void test_entries_of_older_terms_commit_only_behind_one_of_this_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1)); /* paper, figure 8 */
    solo_to_leader(&solo);
    solo_accepted(&solo, 2, 2, 0);
    solo_accepted(&solo, 3, 2, 0);
    assert_int_equal(solo.update.commit_index, 0);
    solo_accepted(&solo, 2, 3, 0);
    solo_accepted(&solo, 3, 3, 0);
    assert_int_equal(solo.update.commit_index, 3);
    solo_close(&solo);
}

static void test_a_leader_counts_itself_only_when_durable(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_accepted(&solo, 2, 2, 0);
    assert_int_equal(solo.update.commit_index, 0);
    assert_int_equal(raft_holders(solo.raft, 2), 1);
    solo_durable(&solo, 2, 2);
    assert_int_equal(solo.update.commit_index, 2);
    assert_int_equal(raft_holders(solo.raft, 2), 2);
    solo_close(&solo);
}

static void test_a_new_leader_knows_that_what_it_was_elected_for_is_durable(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 3, 1, 1, 1, 0, TERMS(1, 1));
    assert_int_equal(raft_durable_index(solo.raft), 1);
    solo_to_leader(&solo); /* the requests for the votes waited for the disk */
    assert_int_equal(raft_durable_index(solo.raft), 3);
    solo_close(&solo);
}

static void test_the_followers_alone_can_commit(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_accepted(&solo, 2, 2, 0);
    solo_accepted(&solo, 3, 2, 0);
    assert_int_equal(solo.update.commit_index, 2);
    assert_int_equal(raft_durable_index(solo.raft), 1);
    solo_close(&solo);
}

static void test_learners_do_not_commit_but_hold(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 1, false, 2, true);
    solo_vote_response(&solo, 4, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 2, false, 2, true);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 4));
    solo_all_durable(&solo);
    solo_accepted(&solo, 4, 2, 0);
    assert_int_equal(solo.update.commit_index, 0);
    assert_int_equal(raft_holders(solo.raft, 2), 2);
    solo_close(&solo);
}

static void test_a_probe_waits_for_its_answer(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_submit(&solo, 2);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_PROBE);
    solo_accepted(&solo, 2, 2, 0);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.first_index, 3);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 2);
    solo_close(&solo);
}

static void test_a_lost_probe_is_followed_by_a_heartbeat_at_its_place(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 1);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 0);
    solo_accepted(&solo, 2, 1, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.first_index, 2);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 1);
    solo_close(&solo);
}

static void test_a_member_that_has_it_all_but_not_synced_is_sent_nothing_twice(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 2);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 4);
    solo_receive(&solo, (struct raft_message){
                            .type = RAFT_APPEND_RESPONSE,
                            .from = 2,
                            .term = 2,
                            .append_response = {.success = true, .match = 2, .hint_index = 4}});
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 0);
    assert_int_equal(solo_peer(&solo, 2).match, 2);
    assert_int_equal(solo_peer(&solo, 2).in_flight, 1);
    solo_close(&solo);
}

static void test_appends_follow_each_other_up_to_the_window(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    for (int i = 0; i < 3; i++) {
        solo_submit(&solo, 1);
        assert_int_equal(append_to(&solo, 2, 0)->append_request.first_index, 3 + (uint64_t)i);
    }
    solo_submit(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    assert_int_equal(solo_peer(&solo, 2).in_flight, 3);
    solo_accepted(&solo, 2, 3, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.first_index, 6);
    assert_int_equal(solo_peer(&solo, 2).in_flight, 3);
    solo_accepted(&solo, 2, 6, 0);
    assert_int_equal(solo_peer(&solo, 2).in_flight, 0);
    assert_int_equal(solo_peer(&solo, 2).in_flight_bytes, 0);
    solo_close(&solo);
}

static void test_the_window_is_also_bounded_in_bytes(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    options.bytes_in_flight_max = 2 * ENTRY_BYTES;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_accepted(&solo, 2, 2, 0);
    solo_submit(&solo, 1);
    solo_submit(&solo, 1);
    assert_int_equal(solo_peer(&solo, 2).in_flight_bytes, 2 * ENTRY_BYTES);
    solo_submit(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_accepted(&solo, 2, 3, 0);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_close(&solo);
}

static void test_one_append_always_fits_the_window(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    options.bytes_in_flight_max = 1;
    options.bytes_per_append_max = 1;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_accepted(&solo, 2, 2, 0);
    solo_submit(&solo, 2);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 1);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 1);
    solo_close(&solo);
}

static void test_one_step_sends_several_bounded_appends(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 10);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 3);
    const uint64_t counts[] = {4, 4, 2};
    uint64_t first = 3;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(append_to(&solo, 2, i)->append_request.first_index, first);
        assert_int_equal(append_to(&solo, 2, i)->append_request.prev_index, first - 1);
        assert_int_equal(append_to(&solo, 2, i)->append_request.entry_count, counts[i]);
        first += counts[i];
    }
    solo_close(&solo);
}

static void test_a_rejection_leads_to_one_probe_at_the_hint(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1, 1, 1, 1));
    solo_submit(&solo, 1);
    solo_rejected(&solo, 3, 4, 2, 1);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 3), 1);
    assert_int_equal(append_to(&solo, 3, 0)->append_request.prev_index, 2);
    assert_int_equal(append_to(&solo, 3, 0)->append_request.entry_count, 4);
    solo_submit(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_close(&solo);
}

static void test_a_hint_skips_a_whole_term_of_the_leader(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1, 4, 4, 4, 5));
    solo_to_leader(&solo);
    solo_rejected(&solo, 2, 5, 5, 3); /* the other has 1 3 3 3 3 */
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 1);
    solo_close(&solo);
}

static void test_a_hint_that_helps_nothing_still_moves_back(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    solo_to_leader(&solo);
    solo_rejected(&solo, 2, 3, 99, 99);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 2);
    solo_close(&solo);
}

static void test_a_gap_found_while_replicating_is_probed_once(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 1); /* lost */
    solo_submit(&solo, 1);
    solo_submit(&solo, 1);
    solo_rejected(&solo, 2, 3, 2, 2);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_PROBE);
    assert_int_equal(solo_peer(&solo, 2).in_flight, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 2);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 3);
    solo_rejected(&solo, 2, 4, 2, 2); /* that of the third */
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_accepted(&solo, 2, 5, 0);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    solo_close(&solo);
}

static void test_a_lost_append_is_found_by_the_next_heartbeat(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 2); /* lost */
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 4);
    solo_rejected(&solo, 2, 4, 2, 2);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.first_index, 3);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 2);
    solo_close(&solo);
}

static void test_an_old_rejection_is_ignored(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1, 1, 1));
    solo_submit(&solo, 1);
    solo_rejected(&solo, 2, 3, 1, 1); /* below match */
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_close(&solo);
}

static void test_a_member_that_lost_its_log_is_served_again_and_not_counted(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1, 1, 1));
    assert_int_equal(solo_peer(&solo, 2).match, 4);
    solo_rejected(&solo, 2, 4, 0, 0);
    assert_int_equal(solo_peer(&solo, 2).match, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.prev_index, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 4);
    solo_close(&solo);
}

static void test_answers_of_older_terms_and_of_strangers_are_ignored(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 1);
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                              .from = 2,
                                              .term = 1,
                                              .append_response = {.success = true, .match = 3}});
    assert_int_equal(solo_peer(&solo, 2).match, 2);
    solo_accepted(&solo, 9, 3, 0);
    solo_accepted(&solo, 2, 77, 0); /* more than there is */
    assert_int_equal(solo_peer(&solo, 2).match, 2);
    solo_close(&solo);
}

static void test_match_never_goes_back_by_a_late_answer(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 1);
    solo_submit(&solo, 1);
    solo_accepted(&solo, 2, 4, 0);
    solo_accepted(&solo, 2, 3, 0);
    assert_int_equal(solo_peer(&solo, 2).match, 4);
    assert_int_equal(solo_peer(&solo, 2).next, 5);
    solo_close(&solo);
}

static void test_what_a_late_answer_proves_is_not_sent_again(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_submit(&solo, 30);
    solo_accepted(&solo, 2, 14, 0); /* 15 to 26 are sent */
    solo_rejected(&solo, 2, 26, 2, 2);
    solo_accepted(&solo, 2, 6, 0); /* 7 to 18 are sent */
    solo_accepted(&solo, 2, 26, 0);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.first_index, 27);
    assert_int_equal(solo_peer(&solo, 2).in_flight, 2);
    solo_close(&solo);
}

static void test_submitted_entries_continue_the_log_in_this_term(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    for (uint64_t term = 1; term <= 3; term += 2) {
        struct raft_entry entry = {.index = 3, .term = term, .bytes = 1};
        struct raft_event event = {.type = RAFT_EVENT_SUBMIT,
                                   .submit = {.entries = &entry, .count = 1}};
        expect_assert_failure(solo_step(&solo, event));
    }
    solo_close(&solo);
    solo = solo_new(3, 1, TERMS(1));
    expect_assert_failure(solo_submit(&solo, 1)); /* a follower */
    solo_close(&solo);
}

static void test_heartbeats_go_only_where_nothing_else_went(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_accepted(&solo, 3, 2, 0);
    solo_tick(&solo, HEARTBEAT_MS);
    solo_accepted(&solo, 2, 2, 0);
    solo_accepted(&solo, 3, 2, 0);
    solo.now_ms += HEARTBEAT_MS - 5;
    solo_submit(&solo, 1);
    solo_accepted(&solo, 2, 3, 0);
    solo_accepted(&solo, 3, 3, 0);
    solo_tick(&solo, 5);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 0);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 3), 0);
    solo_tick(&solo, HEARTBEAT_MS - 5);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 1);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 3), 1);
    solo_close(&solo);
}

static void test_an_answer_does_not_put_off_the_next_heartbeat(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_tick(&solo, HEARTBEAT_MS);
    solo.now_ms += HEARTBEAT_MS - 1;
    solo_accepted(&solo, 2, 2, 0);
    solo_tick(&solo, 1);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 1);
    solo_close(&solo);
}

static void test_a_member_that_acknowledges_nothing_gets_heartbeats_among_the_entries(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    options.appends_in_flight_max = 1000;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 2, 0);
    size_t heartbeats = 0;
    for (int i = 0; i < 20; i++) {
        solo.now_ms += 10;
        solo_submit(&solo, 1);
        solo_tick(&solo, 0);
        heartbeats += solo_count(&solo, RAFT_APPEND_REQUEST, 2);
    }
    assert_in_range(heartbeats, 3, 4);
    solo_close(&solo);
}

static void test_idle_followers_learn_the_commit_soon(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_accepted(&solo, 3, 2, 0);
    solo_tick(&solo, HEARTBEAT_MS);
    solo_submit(&solo, 1);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    assert_int_equal(solo.update.commit_index, 3);
    assert_in_range(raft_deadline_ms(solo.raft), solo.now_ms, solo.now_ms + 10);
    solo_tick_at_deadline(&solo);
    for (uint64_t to = 2; to <= 3; to++) {
        assert_int_equal(append_to(&solo, to, 0)->append_request.commit, 3);
        assert_int_equal(append_to(&solo, to, 0)->append_request.entry_count, 0);
    }
    assert_true(raft_deadline_ms(solo.raft) > solo.now_ms + 10);
    solo_close(&solo);
}

static void test_followers_that_know_the_commit_are_not_told_again(void **state)
{
    (void)state;
    struct solo solo = leader_of(3, TERMS(1));
    solo_accepted(&solo, 3, 2, 0);
    solo_submit(&solo, 1);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    solo_submit(&solo, 1); /* carries it */
    assert_int_equal(append_to(&solo, 2, 0)->append_request.commit, 3);
    solo_tick(&solo, 10);
    assert_int_equal(solo_count(&solo, RAFT_APPEND_REQUEST, 2), 0);
    solo_close(&solo);
}

static void test_a_member_behind_the_snapshot_gets_heartbeats_only(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo = solo_open_snapshot(&options, 5, 2, 100);
    solo_to_leader(&solo);
    solo_rejected(&solo, 2, 5, 3, 1);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_SNAPSHOT);
    solo_submit(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(append_to(&solo, 2, 0)->append_request.entry_count, 0);
    solo_rejected(&solo, 2, 5, 3, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_accepted(&solo, 2, 5, 0); /* it has got it by other means */
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_close(&solo);
}

static void test_a_lone_leader_commits_when_its_disk_has_it(void **state)
{
    (void)state;
    struct solo solo = solo_new(1, 0, NO_ENTRIES);
    solo_to_leader(&solo);
    assert_int_equal(solo.update.commit_index, 0);
    solo_submit(&solo, 2);
    solo_durable(&solo, 2, 1);
    assert_int_equal(solo.update.commit_index, 2);
    solo_durable(&solo, 3, 1);
    assert_int_equal(solo.update.commit_index, 3);
    solo_close(&solo);
}

static void test_nothing_submitted_is_nothing_sent(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_submit(&solo, 0);
    assert_int_equal(solo.update.append_count, 0);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

static void test_pieces_of_a_strangers_message_or_of_its_own_are_nothing_to_a_leader(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo.now_ms += ELECTION_MS - 1;
    solo_peer_alive(&solo, 9);
    solo_peer_alive(&solo, 1);
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

/* The two are of one message, but what is durable is never more than what agrees. */
static void test_what_is_durable_agrees(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                              .from = 2,
                                              .term = 2,
                                              .append_response = {.success = true, .match = 2}});
    assert_int_equal(solo_peer(&solo, 2).match, 2);
    assert_int_equal(solo_peer(&solo, 2).next, 3);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_term_begins_with_a_noop),
        cmocka_unit_test(test_entries_of_older_terms_commit_only_behind_one_of_this_term),
        cmocka_unit_test(test_a_leader_counts_itself_only_when_durable),
        cmocka_unit_test(test_a_new_leader_knows_that_what_it_was_elected_for_is_durable),
        cmocka_unit_test(test_the_followers_alone_can_commit),
        cmocka_unit_test(test_learners_do_not_commit_but_hold),
        cmocka_unit_test(test_a_probe_waits_for_its_answer),
        cmocka_unit_test(test_a_lost_probe_is_followed_by_a_heartbeat_at_its_place),
        cmocka_unit_test(test_a_member_that_has_it_all_but_not_synced_is_sent_nothing_twice),
        cmocka_unit_test(test_appends_follow_each_other_up_to_the_window),
        cmocka_unit_test(test_the_window_is_also_bounded_in_bytes),
        cmocka_unit_test(test_one_append_always_fits_the_window),
        cmocka_unit_test(test_one_step_sends_several_bounded_appends),
        cmocka_unit_test(test_a_rejection_leads_to_one_probe_at_the_hint),
        cmocka_unit_test(test_a_hint_skips_a_whole_term_of_the_leader),
        cmocka_unit_test(test_a_hint_that_helps_nothing_still_moves_back),
        cmocka_unit_test(test_a_gap_found_while_replicating_is_probed_once),
        cmocka_unit_test(test_a_lost_append_is_found_by_the_next_heartbeat),
        cmocka_unit_test(test_an_old_rejection_is_ignored),
        cmocka_unit_test(test_a_member_that_lost_its_log_is_served_again_and_not_counted),
        cmocka_unit_test(test_answers_of_older_terms_and_of_strangers_are_ignored),
        cmocka_unit_test(test_match_never_goes_back_by_a_late_answer),
        cmocka_unit_test(test_what_a_late_answer_proves_is_not_sent_again),
        cmocka_unit_test(test_submitted_entries_continue_the_log_in_this_term),
        cmocka_unit_test(test_heartbeats_go_only_where_nothing_else_went),
        cmocka_unit_test(test_an_answer_does_not_put_off_the_next_heartbeat),
        cmocka_unit_test(test_a_member_that_acknowledges_nothing_gets_heartbeats_among_the_entries),
        cmocka_unit_test(test_idle_followers_learn_the_commit_soon),
        cmocka_unit_test(test_followers_that_know_the_commit_are_not_told_again),
        cmocka_unit_test(test_a_member_behind_the_snapshot_gets_heartbeats_only),
        cmocka_unit_test(test_a_lone_leader_commits_when_its_disk_has_it),
        cmocka_unit_test(test_nothing_submitted_is_nothing_sent),
        cmocka_unit_test(test_pieces_of_a_strangers_message_or_of_its_own_are_nothing_to_a_leader),
        cmocka_unit_test(test_what_is_durable_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
