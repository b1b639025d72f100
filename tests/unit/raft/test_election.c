#include "unit/raft/solo.h"

static void test_timeouts_are_random_within_one_and_two_election_timeouts(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct raft_options options = solo_options(1, 3);
        options.seed = seed;
        struct solo solo = solo_open(&options, (struct raft_hard_state){0}, NO_ENTRIES);
        uint64_t wait = raft_deadline_ms(solo.raft) - solo.now_ms;
        assert_in_range(wait, ELECTION_MS, 2 * ELECTION_MS - 1);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        solo_close(&solo);
    }
    assert_true(most - least > ELECTION_MS / 2);
}

static void test_an_early_tick_starts_no_election(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_tick(&solo, ELECTION_MS - 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

static void test_prevote_changes_neither_term_nor_vote_of_the_candidate(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 4, TERMS(1, 3));
    solo_to_precandidate(&solo);
    assert_int_equal(raft_term(solo.raft), 4);
    assert_int_equal(raft_vote(solo.raft), 0);
    assert_false(solo.update.hard_state_changed);
    for (uint64_t to = 2; to <= 3; to++) {
        const struct raft_message *request = solo_sent(&solo, RAFT_VOTE_REQUEST, to);
        assert_non_null(request);
        assert_true(request->vote_request.pre);
        assert_int_equal(request->term, 5);
        assert_int_equal(request->vote_request.last_index, 2);
        assert_int_equal(request->vote_request.last_term, 3);
        assert_false(request->when_durable);
    }
    solo_close(&solo);
}

static void test_prevote_changes_neither_term_nor_vote_of_the_voter(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 4, TERMS(1));
    solo_vote_request(&solo, 2, true, 9, 1, 1);
    assert_true(solo_granted(&solo, 2));
    assert_int_equal(solo_sent(&solo, RAFT_VOTE_RESPONSE, 2)->term, 9);
    assert_int_equal(raft_term(solo.raft), 4);
    assert_int_equal(raft_vote(solo.raft), 0);
    assert_false(solo.update.hard_state_changed);
    solo_close(&solo);
}

static void test_a_real_election_follows_a_majority_of_prevotes(void **state)
{
    (void)state;
    struct solo solo = solo_new(5, 1, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 2, true, 2, true); /* twice the same */
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_vote_response(&solo, 3, true, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    assert_int_equal(raft_term(solo.raft), 2);
    assert_int_equal(raft_vote(solo.raft), 1);
    assert_true(solo.update.hard_state_changed);
    assert_int_equal(solo.update.hard_state.term, 2);
    assert_int_equal(solo.update.hard_state.vote, 1);
    solo_close(&solo);
}

static void test_prevotes_do_not_count_as_votes(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 3, true, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_close(&solo);
}

static void test_late_prevotes_of_an_earlier_round_do_not_count(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo); /* of term 2 */
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 3, true, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_close(&solo);
}

static void test_votes_are_asked_for_when_term_and_log_are_durable(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    for (uint64_t to = 2; to <= 3; to++) {
        const struct raft_message *request = solo_sent(&solo, RAFT_VOTE_REQUEST, to);
        assert_non_null(request);
        assert_false(request->vote_request.pre);
        assert_int_equal(request->term, 2);
        assert_true(request->when_durable);
    }
    solo_close(&solo);
}

static void test_a_candidates_own_vote_counts_when_it_is_durable(void **state)
{
    (void)state;
    struct solo solo = solo_new(1, 1, TERMS(1));
    solo_tick_at_deadline(&solo);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    const struct raft_message *own = solo_sent(&solo, RAFT_VOTE_RESPONSE, 1);
    assert_non_null(own);
    assert_true(own->when_durable);
    solo_receive(&solo, *own);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static void test_a_vote_is_sent_when_it_is_durable(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_vote_request(&solo, 2, false, 2, 1, 1);
    assert_true(solo_granted(&solo, 2));
    assert_true(solo_sent(&solo, RAFT_VOTE_RESPONSE, 2)->when_durable);
    assert_true(solo.update.hard_state_changed);
    assert_int_equal(solo.update.hard_state.term, 2);
    assert_int_equal(solo.update.hard_state.vote, 2);
    solo_close(&solo);
}

static void test_one_vote_per_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_vote_request(&solo, 2, false, 2, 1, 1);
    solo_vote_request(&solo, 3, false, 2, 1, 1);
    assert_non_null(solo_sent(&solo, RAFT_VOTE_RESPONSE, 3));
    assert_false(solo_granted(&solo, 3));
    solo_vote_request(&solo, 2, false, 2, 1, 1); /* its answer was lost */
    assert_true(solo_granted(&solo, 2));
    solo_close(&solo);
}

static void test_one_vote_per_term_across_a_restart(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo =
        solo_open(&options, (struct raft_hard_state){.term = 2, .vote = 2}, TERMS(1));
    solo_vote_request(&solo, 3, false, 2, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_vote_request(&solo, 2, false, 2, 1, 1);
    assert_true(solo_granted(&solo, 2));
    assert_false(solo.update.hard_state_changed);
    solo_close(&solo);
}

static void test_no_vote_against_the_known_leader_of_the_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, NO_ENTRIES);
    solo.now_ms += ELECTION_MS;
    solo_vote_request(&solo, 3, false, 2, 9, 2);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_candidate_votes_for_no_other_in_its_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    solo_vote_request(&solo, 3, false, 2, 9, 1);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_stale_candidate_gets_no_vote(void **state)
{
    (void)state;
    const struct {
        uint64_t last_index, last_term;
        bool granted;
    } cases[] = {{3, 2, true},  {4, 2, true},  {1, 3, true},
                 {2, 2, false}, {9, 1, false}, {0, 0, false}};
    for (int pre = 0; pre <= 1; pre++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct solo solo = solo_new(3, 3, TERMS(1, 2, 2));
            solo_vote_request(&solo, 2, pre, 4, cases[i].last_index, cases[i].last_term);
            assert_int_equal(solo_granted(&solo, 2), cases[i].granted);
            solo_close(&solo);
        }
    }
}

static void test_a_granted_vote_restarts_the_timer_and_a_refused_one_does_not(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1));
    uint64_t deadline = raft_deadline_ms(solo.raft);
    solo.now_ms = deadline - 1;
    solo_vote_request(&solo, 2, false, 2, 1, 1);
    assert_int_equal(raft_deadline_ms(solo.raft), deadline);
    assert_int_equal(raft_term(solo.raft), 2);
    solo_vote_request(&solo, 3, false, 3, 2, 1);
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_close(&solo);
}

static void test_who_asks_in_an_older_term_learns_the_newer_one(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1));
    solo_vote_request(&solo, 2, false, 4, 9, 4);
    assert_false(solo_granted(&solo, 2));
    assert_int_equal(solo_sent(&solo, RAFT_VOTE_RESPONSE, 2)->term, 5);
    assert_int_equal(raft_vote(solo.raft), 0);
    solo_close(&solo);
}

static void test_a_prevote_refusal_carries_the_term(void **state)
{
    (void)state;
    struct solo behind = solo_new(3, 2, TERMS(1, 2)); /* the better log, the older term */
    struct raft_options options = solo_options(2, 3);
    struct solo ahead = solo_open(&options, (struct raft_hard_state){.term = 7}, TERMS(1));
    solo_to_precandidate(&behind);
    solo_receive(&ahead, *solo_sent(&behind, RAFT_VOTE_REQUEST, 2));
    assert_false(solo_granted(&ahead, 1));
    solo_receive(&behind, *solo_sent(&ahead, RAFT_VOTE_RESPONSE, 1));
    assert_int_equal(raft_term(behind.raft), 7);
    solo_to_precandidate(&behind);
    solo_receive(&ahead, *solo_sent(&behind, RAFT_VOTE_REQUEST, 2));
    assert_true(solo_granted(&ahead, 1));
    solo_close(&behind);
    solo_close(&ahead);
}

static void test_a_prevote_refusal_in_the_term_asked_for_is_no_grant(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, false);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_term(solo.raft), 2);
    solo_close(&solo);
}

static void test_prevote_is_refused_while_the_leader_is_heard(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    solo.now_ms += ELECTION_MS - 1;
    solo_vote_request(&solo, 3, true, 2, 1, 1);
    assert_false(solo_granted(&solo, 3));
    assert_non_null(solo_sent(&solo, RAFT_VOTE_RESPONSE, 3));
    solo.now_ms += 1;
    solo_vote_request(&solo, 3, true, 2, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_vote_request_is_ignored_while_the_leader_is_heard(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    solo.now_ms += ELECTION_MS - 1;
    solo_vote_request(&solo, 3, false, 9, 9, 8);
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(raft_term(solo.raft), 1);
    solo.now_ms += 1;
    solo_vote_request(&solo, 3, false, 9, 9, 8);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_leader_listens_to_no_vote_request(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_vote_request(&solo, 3, false, 9, 9, 8);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_vote_request(&solo, 3, true, 9, 9, 8);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_candidate_yields_to_the_leader_of_its_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    solo_append(&solo, 3, 2, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(solo.raft), 3);
    assert_int_equal(raft_vote(solo.raft), 1);
    assert_true(solo.update.role_changed);
    solo_close(&solo);
}

static void test_a_candidate_that_wins_nothing_tries_again_with_prevote(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    assert_in_range(raft_deadline_ms(solo.raft) - solo.now_ms, ELECTION_MS, 2 * ELECTION_MS - 1);
    solo_to_precandidate(&solo);
    assert_int_equal(raft_term(solo.raft), 2);
    solo_close(&solo);
}

static void test_a_candidate_refused_by_a_majority_gives_up(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    solo_vote_response(&solo, 2, false, 2, false);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 3, false, 2, false);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_vote_response(&solo, 1, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

static void test_votes_of_another_term_or_of_strangers_do_not_count(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo);
    solo_vote_response(&solo, 2, false, 1, true);
    solo_vote_response(&solo, 8, false, 2, true);
    solo_vote_response(&solo, 9, false, 2, true);
    solo_vote_response(&solo, 1, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_close(&solo);
}

static void test_a_learner_neither_stands_nor_is_asked(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_precandidate(&solo);
    assert_null(solo_sent(&solo, RAFT_VOTE_REQUEST, 4));
    solo_close(&solo);

    options.id = 4;
    solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    for (int i = 0; i < 5; i++)
        solo_tick(&solo, ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

static void test_a_leader_steps_down_at_a_higher_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_append(&solo, 3, 3, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_term(solo.raft), 3);
    assert_int_equal(raft_vote(solo.raft), 0);
    assert_true(solo.update.hard_state_changed);
    assert_true(solo.update.leadership_lost);
    solo_close(&solo);
}

static void test_a_leader_steps_down_when_an_answer_has_a_higher_term(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo.now_ms += 10 * ELECTION_MS;
    solo_receive(&solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE, .from = 3, .term = 6});
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_term(solo.raft), 6);
    assert_int_equal(raft_leader(solo.raft), 0);
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_close(&solo);
}

static void test_two_leaders_in_one_term_are_a_bug(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    expect_assert_failure(solo_append(&solo, 3, 2, 1, 1, 0, NO_ENTRIES));
    solo_close(&solo);
}

static void test_checkquorum_steps_down_after_silence(void **state)
{
    (void)state;
    struct solo solo = solo_new(5, 1, TERMS(1));
    solo_to_leader(&solo);
    uint64_t elected_ms = solo.now_ms;
    solo.now_ms += 100;
    solo_accepted(&solo, 2, 2, 0); /* one of four is not enough */
    while (solo.now_ms < elected_ms + ELECTION_MS) {
        assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
        solo_tick_at_deadline(&solo);
    }
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(solo.raft), 0);
    assert_int_equal(raft_term(solo.raft), 2);
    assert_true(solo.update.leadership_lost);
    solo_close(&solo);
}

static void test_checkquorum_is_content_with_a_majority(void **state)
{
    (void)state;
    struct solo solo = solo_new(5, 1, TERMS(1));
    solo_to_leader(&solo);
    for (int i = 0; i < 20; i++) {
        solo_tick(&solo, 100);
        solo_accepted(&solo, 2, 2, 0);
        solo_rejected(&solo, 3, 0, 0, 0); /* a rejection is an answer */
    }
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_int_equal(raft_last_contact_ms(solo.raft), solo.now_ms);
    solo_close(&solo);
}

static void test_pieces_of_a_message_count_for_checkquorum(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    for (int i = 0; i < 20; i++) {
        solo_tick(&solo, 100);
        solo_peer_alive(&solo, 2);
    }
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static void test_pieces_of_a_message_confirm_no_read(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 2, 0); /* the no-op is committed */
    assert_true(raft_can_read(solo.raft));
    solo_read(&solo, 1);
    solo_peer_alive(&solo, 2);
    solo_peer_alive(&solo, 3);
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

static void test_pieces_of_the_leaders_message_put_off_an_election(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    for (int i = 0; i < 20; i++) {
        solo.now_ms += ELECTION_MS - 1;
        solo_peer_alive(&solo, 2);
        solo_tick(&solo, 0);
    }
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(solo.raft), 2);
    solo_close(&solo);
}

static void test_pieces_of_another_nodes_message_put_off_nothing(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    uint64_t deadline_ms = raft_deadline_ms(solo.raft);
    solo.now_ms += 10;
    solo_peer_alive(&solo, 3);
    assert_int_equal(raft_deadline_ms(solo.raft), deadline_ms);
    solo_close(&solo);
}

static void test_the_only_voter_stands_at_once(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 1);
    raft_membership_set(&options.membership, 2, RAFT_LEARNER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms);
    solo_tick(&solo, 0);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE); /* until its vote is durable */
    assert_true(raft_deadline_ms(solo.raft) > solo.now_ms);
    solo_close(&solo);

    options.lease_drift_percent = 1; /* an earlier leader may have been promised patience */
    solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_close(&solo);

    solo = solo_new(2, 1, TERMS(1));
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_close(&solo);
}

static void test_a_lone_node_leads_and_stays_leader(void **state)
{
    (void)state;
    struct solo solo = solo_new(1, 0, NO_ENTRIES);
    solo_to_leader(&solo);
    assert_int_equal(solo.update.append_own, RAFT_OWN_NOOP);
    solo_all_durable(&solo);
    assert_int_equal(solo.update.commit_index, 1);
    for (int i = 0; i < 10; i++)
        solo_tick(&solo, ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static void test_a_lost_leader_is_replaced_within_a_heartbeat(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    solo_peer_lost(&solo, 2);
    assert_int_equal(raft_leader(solo.raft), 0);
    assert_true(solo.update.role_changed);
    assert_in_range(raft_deadline_ms(solo.raft) - solo.now_ms, 1, HEARTBEAT_MS);
    solo_to_precandidate(&solo);
    assert_in_range(raft_deadline_ms(solo.raft) - solo.now_ms, HEARTBEAT_MS, 2 * HEARTBEAT_MS);
    solo_close(&solo);
}

static void test_prevote_is_granted_at_once_when_the_leader_is_lost(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    solo_peer_lost(&solo, 2);
    solo_vote_request(&solo, 3, true, 2, 1, 1);
    assert_true(solo_granted(&solo, 3));
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + HEARTBEAT_MS);
    solo_vote_request(&solo, 3, false, 2, 1, 1);
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_losing_another_follower_means_nothing(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    uint64_t deadline = raft_deadline_ms(solo.raft);
    solo_peer_lost(&solo, 3);
    assert_int_equal(raft_deadline_ms(solo.raft), deadline);
    assert_int_equal(raft_leader(solo.raft), 2);
    solo_vote_request(&solo, 3, true, 2, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_leader_that_was_not_lost_after_all_is_followed_again(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    solo_peer_lost(&solo, 2);
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(raft_leader(solo.raft), 2);
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_vote_request(&solo, 3, true, 2, 1, 1);
    assert_false(solo_granted(&solo, 3));
    solo_to_precandidate(&solo); /* it falls silent later, which is no evidence of death */
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_close(&solo);
}

static void test_a_leader_only_notes_a_lost_peer(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_peer_lost(&solo, 2);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_false(solo.update.role_changed);
    solo_close(&solo);
}

static void test_elections_are_counted(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    struct raft_counters counters = raft_counters(solo.raft);
    assert_int_equal(counters.prevotes_started, 1);
    assert_int_equal(counters.elections_started, 1);
    assert_int_equal(counters.elections_won, 1);
    assert_int_equal(counters.leader_changes, 1);
    solo_close(&solo);
}

static void test_a_term_that_only_the_log_proves_is_taken_from_it(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo =
        solo_open(&options, (struct raft_hard_state){.term = 2, .vote = 3}, TERMS(1, 2, 4));
    assert_int_equal(raft_term(solo.raft), 4);
    assert_int_equal(raft_vote(solo.raft), 0);
    solo_tick(&solo, 0);
    assert_true(solo.update.hard_state_changed);
    assert_int_equal(solo.update.hard_state.term, 4);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeouts_are_random_within_one_and_two_election_timeouts),
        cmocka_unit_test(test_an_early_tick_starts_no_election),
        cmocka_unit_test(test_prevote_changes_neither_term_nor_vote_of_the_candidate),
        cmocka_unit_test(test_prevote_changes_neither_term_nor_vote_of_the_voter),
        cmocka_unit_test(test_a_real_election_follows_a_majority_of_prevotes),
        cmocka_unit_test(test_prevotes_do_not_count_as_votes),
        cmocka_unit_test(test_late_prevotes_of_an_earlier_round_do_not_count),
        cmocka_unit_test(test_votes_are_asked_for_when_term_and_log_are_durable),
        cmocka_unit_test(test_a_candidates_own_vote_counts_when_it_is_durable),
        cmocka_unit_test(test_a_vote_is_sent_when_it_is_durable),
        cmocka_unit_test(test_one_vote_per_term),
        cmocka_unit_test(test_one_vote_per_term_across_a_restart),
        cmocka_unit_test(test_no_vote_against_the_known_leader_of_the_term),
        cmocka_unit_test(test_a_candidate_votes_for_no_other_in_its_term),
        cmocka_unit_test(test_stale_candidate_gets_no_vote),
        cmocka_unit_test(test_a_granted_vote_restarts_the_timer_and_a_refused_one_does_not),
        cmocka_unit_test(test_who_asks_in_an_older_term_learns_the_newer_one),
        cmocka_unit_test(test_a_prevote_refusal_carries_the_term),
        cmocka_unit_test(test_a_prevote_refusal_in_the_term_asked_for_is_no_grant),
        cmocka_unit_test(test_prevote_is_refused_while_the_leader_is_heard),
        cmocka_unit_test(test_a_vote_request_is_ignored_while_the_leader_is_heard),
        cmocka_unit_test(test_a_leader_listens_to_no_vote_request),
        cmocka_unit_test(test_a_candidate_yields_to_the_leader_of_its_term),
        cmocka_unit_test(test_a_candidate_that_wins_nothing_tries_again_with_prevote),
        cmocka_unit_test(test_a_candidate_refused_by_a_majority_gives_up),
        cmocka_unit_test(test_votes_of_another_term_or_of_strangers_do_not_count),
        cmocka_unit_test(test_a_learner_neither_stands_nor_is_asked),
        cmocka_unit_test(test_a_leader_steps_down_at_a_higher_term),
        cmocka_unit_test(test_a_leader_steps_down_when_an_answer_has_a_higher_term),
        cmocka_unit_test(test_two_leaders_in_one_term_are_a_bug),
        cmocka_unit_test(test_checkquorum_steps_down_after_silence),
        cmocka_unit_test(test_checkquorum_is_content_with_a_majority),
        cmocka_unit_test(test_pieces_of_a_message_count_for_checkquorum),
        cmocka_unit_test(test_pieces_of_a_message_confirm_no_read),
        cmocka_unit_test(test_pieces_of_the_leaders_message_put_off_an_election),
        cmocka_unit_test(test_pieces_of_another_nodes_message_put_off_nothing),
        cmocka_unit_test(test_the_only_voter_stands_at_once),
        cmocka_unit_test(test_a_lone_node_leads_and_stays_leader),
        cmocka_unit_test(test_a_lost_leader_is_replaced_within_a_heartbeat),
        cmocka_unit_test(test_prevote_is_granted_at_once_when_the_leader_is_lost),
        cmocka_unit_test(test_losing_another_follower_means_nothing),
        cmocka_unit_test(test_a_leader_that_was_not_lost_after_all_is_followed_again),
        cmocka_unit_test(test_a_leader_only_notes_a_lost_peer),
        cmocka_unit_test(test_elections_are_counted),
        cmocka_unit_test(test_a_term_that_only_the_log_proves_is_taken_from_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
