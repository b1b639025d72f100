#include "unit/raft/solo.h"

/* Node 1 leads term 2 of 1 to 3, and the learner 4; all hold its no-op, entry 2, which is
 * committed.
 */
static struct solo leader(uint32_t lease_drift_percent)
{
    struct raft_options options = solo_options(1, 3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    options.lease_drift_percent = lease_drift_percent;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 4; from++)
        solo_accepted(&solo, from, 2, 0);
    return solo;
}

static void assert_told(const struct solo *solo, uint64_t to)
{
    for (uint64_t id = 1; id <= 4; id++)
        assert_int_equal(solo_count(solo, RAFT_TIMEOUT_NOW, id), id == to);
}

static uint64_t target_of(const struct solo *solo)
{
    struct raft_status status;
    raft_status(solo->raft, &status);
    return status.transfer_target;
}

static void test_a_target_that_has_everything_is_told_at_once(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_transfer(&solo, 3);
    assert_told(&solo, 3);
    const struct raft_message *message = solo_sent(&solo, RAFT_TIMEOUT_NOW, 3);
    assert_int_equal(message->term, 2);
    assert_false(message->when_durable);
    assert_true(solo.update.role_changed); /* it takes no more entries */
    assert_false(solo.update.leadership_lost);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_int_equal(target_of(&solo), 3);
    assert_true(solo_marked(&solo, RAFT_MARK_TRANSFERRED));
    assert_int_equal(raft_counters(solo.raft).transfers_started, 1);
    solo_accepted(&solo, 3, 2, 0);
    assert_told(&solo, 0); /* once is enough */
    solo_close(&solo);
}

static void answer_without_room(struct solo *solo, uint64_t from)
{
    struct raft_message message = {.type = RAFT_APPEND_RESPONSE, .from = from, .term = 2};
    message.append_response.success = true;
    message.append_response.match = message.append_response.hint_index = 2;
    message.append_response.no_room = true;
    solo_receive(solo, message);
}

static void test_nobody_without_room_is_chosen(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    answer_without_room(&solo, 2);
    solo_transfer(&solo, 0);
    assert_int_equal(target_of(&solo), 3);
    solo_close(&solo);
    solo = leader(0);
    answer_without_room(&solo, 2);
    answer_without_room(&solo, 3);
    solo_transfer(&solo, 0);
    assert_int_equal(target_of(&solo), 0);
    solo_transfer(&solo, 2); /* by name */
    assert_int_equal(target_of(&solo), 2);
    solo_close(&solo);
}

static void test_a_leader_says_to_whom_it_would_hand_over(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    assert_true(raft_can_hand_over_to(solo.raft, 2));
    assert_true(raft_can_hand_over_to(solo.raft, 3));
    assert_false(raft_can_hand_over_to(solo.raft, 1)); /* itself */
    assert_false(raft_can_hand_over_to(solo.raft, 9));
    answer_without_room(&solo, 2);
    assert_false(raft_can_hand_over_to(solo.raft, 2));
    solo_close(&solo);
    solo = solo_new(3, 1, TERMS(1));
    assert_false(raft_can_hand_over_to(solo.raft, 2)); /* it does not lead */
    solo_close(&solo);
}

static void test_a_leader_that_hands_over_takes_no_entries(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    assert_true(raft_accepts(solo.raft));
    solo_transfer(&solo, 2);
    assert_false(raft_accepts(solo.raft));
    solo_close(&solo);
    solo = solo_new(3, 1, TERMS(1));
    assert_false(raft_accepts(solo.raft)); /* nor does a follower */
    solo_close(&solo);
}

static void test_a_target_gets_what_it_lacks_first(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_submit(&solo, 3);
    solo_all_durable(&solo);
    solo_accepted(&solo, 3, 5, 0);
    assert_int_equal(solo.update.commit_index, 5);
    solo_transfer(&solo, 2);
    assert_told(&solo, 0);
    solo_accepted(&solo, 2, 4, 0);
    assert_told(&solo, 0);
    solo_accepted(&solo, 3, 5, 0);
    assert_told(&solo, 0);
    solo_accepted(&solo, 2, 5, 0);
    assert_told(&solo, 2);
    solo_close(&solo);
}

static void test_all_that_the_leader_took_is_committed_first(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 5);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 5; from++)
        solo_accepted(&solo, from, 2, 0);
    solo_submit(&solo, 1);
    solo_transfer(&solo, 2);
    solo_accepted(&solo, 2, 3, 0); /* two of five */
    assert_told(&solo, 0);
    solo_durable(&solo, 3, 2);
    assert_told(&solo, 0);
    solo_accepted(&solo, 5, 3, 0);
    assert_int_equal(solo.update.commit_index, 3);
    assert_told(&solo, 2);
    solo_close(&solo);
}

static void test_without_a_wish_the_nearest_voter_is_the_target(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_submit(&solo, 1);
    solo_all_durable(&solo);
    solo_accepted(&solo, 3, 3, 0);
    solo.now_ms += 10;
    solo_accepted(&solo, 4, 3, 0); /* a learner */
    solo.now_ms += 10;
    solo_accepted(&solo, 2, 2, 0); /* heard of last, but it lacks one */
    solo_transfer(&solo, 0);
    assert_told(&solo, 3);
    solo_close(&solo);
}

static void test_of_equal_voters_the_one_heard_of_last_is_the_target(void **state)
{
    (void)state;
    for (uint64_t last = 2; last <= 3; last++) {
        struct solo solo = leader(0);
        solo.now_ms += 10;
        solo_accepted(&solo, last, 2, 0);
        solo_transfer(&solo, 0);
        assert_told(&solo, last);
        solo_close(&solo);
    }
}

static void test_a_voter_that_never_answered_or_is_probed_is_no_candidate(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_transfer(&solo, 0);
    assert_int_equal(target_of(&solo), 0);
    solo_rejected(&solo, 2, 1, 0, 0); /* it answered, but it is not known what it holds */
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_PROBE);
    solo_transfer(&solo, 0);
    assert_int_equal(target_of(&solo), 0);
    assert_int_equal(raft_counters(solo.raft).transfers_started, 0);
    solo_transfer(&solo, 2); /* who is named may catch up yet */
    assert_int_equal(target_of(&solo), 2);
    solo_close(&solo);
}

static void test_only_another_voter_can_be_the_target(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    const uint64_t targets[] = {1, 4, 9};
    for (size_t i = 0; i < 3; i++) {
        solo_transfer(&solo, targets[i]);
        assert_told(&solo, 0);
        assert_int_equal(target_of(&solo), 0);
        assert_false(solo.update.role_changed);
    }
    assert_true(raft_accepts(solo.raft));
    assert_int_equal(raft_counters(solo.raft).transfers_started, 0);
    solo_close(&solo);
}

static void test_a_follower_hands_nothing_over(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 1, NO_ENTRIES);
    solo_transfer(&solo, 2);
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(target_of(&solo), 0);
    solo_close(&solo);
}

static void test_a_second_transfer_does_not_take_the_place_of_the_first(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_submit(&solo, 1);
    solo_transfer(&solo, 2);
    solo.now_ms += ELECTION_MS - 1;
    solo_accepted(&solo, 2, 2, 0);
    solo_transfer(&solo, 3);
    assert_int_equal(target_of(&solo), 2);
    assert_int_equal(raft_counters(solo.raft).transfers_started, 1);
    solo_tick(&solo, 1); /* nor does it put off the end */
    assert_int_equal(target_of(&solo), 0);
    solo_close(&solo);
}

static void test_a_transfer_is_given_up_after_one_timeout(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_submit(&solo, 1);
    solo_transfer(&solo, 2);
    solo_tick(&solo, ELECTION_MS - 1);
    solo_accepted(&solo, 3, 2, 0);
    assert_false(raft_accepts(solo.raft));
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms + 1);
    solo_tick(&solo, 1);
    assert_true(raft_accepts(solo.raft));
    assert_true(solo.update.role_changed); /* the host may take entries again */
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_int_equal(raft_counters(solo.raft).transfers_aborted, 1);
    assert_true(solo_marked(&solo, RAFT_MARK_TRANSFER_ABORTED));
    solo_accepted(&solo, 2, 3, 0);
    assert_told(&solo, 0);
    solo_close(&solo);
}

static void test_a_transfer_can_be_tried_again(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_transfer(&solo, 2);
    solo_tick(&solo, ELECTION_MS - 1);
    solo_accepted(&solo, 3, 2, 0);
    solo_tick(&solo, 1);
    assert_int_equal(target_of(&solo), 0);
    solo_transfer(&solo, 2);
    assert_told(&solo, 2); /* the first message may have been lost */
    solo_close(&solo);
}

static void test_a_transfer_ends_with_the_leadership(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_submit(&solo, 1);
    solo_transfer(&solo, 2);
    solo_append(&solo, 3, 3, 2, 2, 2, NO_ENTRIES);
    assert_int_equal(target_of(&solo), 0);
    assert_true(solo.update.leadership_lost);
    assert_int_equal(raft_counters(solo.raft).transfers_aborted, 0);
    solo_close(&solo);
}

static void test_a_target_that_leaves_is_told_nothing(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_change(&solo, MEMBERS({1, RAFT_VOTER}, {3, RAFT_VOTER}));
    solo_transfer(&solo, 2);
    solo_all_durable(&solo);
    solo_accepted(&solo, 3, 3, 0); /* 2 leaves with the entry behind the joint one */
    assert_null(raft_membership_find(raft_membership(solo.raft), 2));
    solo_all_durable(&solo);
    solo_accepted(&solo, 3, 4, 0);
    assert_int_equal(solo.update.commit_index, 4);
    assert_told(&solo, 0);
    solo_tick(&solo, ELECTION_MS - 1);
    solo_accepted(&solo, 3, 4, 0);
    solo_tick(&solo, 1);
    assert_true(raft_accepts(solo.raft));
    solo_close(&solo);
}

/* ---- the target ---- */

/* Node 1 follows 2 in term 2 and holds two entries. */
static struct solo follower(struct raft_membership membership)
{
    struct raft_options options = solo_options(1, 0);
    options.membership = membership;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 2}, TERMS(1, 2));
    solo_append(&solo, 2, 2, 2, 2, 2, NO_ENTRIES);
    return solo;
}

static struct raft_membership three(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER});
}

static void test_timeout_now_begins_an_election_without_prevote(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    solo_timeout_now(&solo, 2, 2);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    assert_int_equal(raft_term(solo.raft), 3);
    assert_int_equal(raft_vote(solo.raft), 1);
    assert_int_equal(solo.update.hard_state.term, 3);
    for (uint64_t to = 2; to <= 3; to++) {
        const struct raft_message *request = solo_sent(&solo, RAFT_VOTE_REQUEST, to);
        assert_non_null(request);
        assert_false(request->vote_request.pre);
        assert_true(request->vote_request.transfer);
        assert_true(request->when_durable);
        assert_int_equal(request->term, 3);
    }
    assert_false(solo_marked(&solo, RAFT_MARK_TIMEOUT_NOW_STALE));
    solo_close(&solo);
}

static void test_the_next_election_of_a_target_speaks_for_itself_alone(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    solo_timeout_now(&solo, 2, 2);
    solo_to_precandidate(&solo);
    assert_false(solo_sent(&solo, RAFT_VOTE_REQUEST, 3)->vote_request.transfer);
    solo_vote_response(&solo, 3, true, 4, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    assert_false(solo_sent(&solo, RAFT_VOTE_REQUEST, 3)->vote_request.transfer);
    solo_close(&solo);
}

static void assert_stale(struct solo *solo, uint64_t from, uint64_t term)
{
    enum raft_role role = raft_role(solo->raft);
    solo_timeout_now(solo, from, term);
    assert_int_equal(raft_role(solo->raft), role);
    assert_int_equal(solo->update.message_count, 0);
    assert_true(solo_marked(solo, RAFT_MARK_TIMEOUT_NOW_STALE));
    solo_close(solo);
}

static void test_timeout_now_of_an_older_term_means_nothing(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    assert_stale(&solo, 2, 1);
}

static void test_timeout_now_of_nobody_who_leads_means_nothing(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    assert_stale(&solo, 3, 2);
    solo = follower(three());
    assert_stale(&solo, 3, 3); /* a leader that this node never heard of */
    solo = solo_new(3, 2, TERMS(1, 2));
    assert_stale(&solo, 2, 2);
}

static void test_timeout_now_makes_no_voter_of_a_learner_or_a_stranger(void **state)
{
    (void)state;
    struct solo solo = follower(MEMBERS({1, RAFT_LEARNER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}));
    assert_stale(&solo, 2, 2);
    solo = follower(MEMBERS({2, RAFT_VOTER}, {3, RAFT_VOTER}));
    assert_stale(&solo, 2, 2);
}

static void test_timeout_now_means_nothing_to_who_stands_or_leads_already(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    solo_to_precandidate(&solo);
    assert_stale(&solo, 2, 2);
    solo = leader(0);
    assert_stale(&solo, 1, 2);
}

/* ---- the voters ---- */

static void ask_on_behalf(struct solo *solo, uint64_t from, uint64_t term, uint64_t last_index)
{
    solo_receive(solo,
                 (struct raft_message){
                     .type = RAFT_VOTE_REQUEST,
                     .from = from,
                     .term = term,
                     .vote_request = {.transfer = true, .last_index = last_index, .last_term = 2}});
}

static void test_a_vote_on_the_leaders_behalf_is_given_while_it_is_alive(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    ask_on_behalf(&solo, 3, 3, 2);
    assert_true(solo_granted(&solo, 3));
    assert_true(solo_sent(&solo, RAFT_VOTE_RESPONSE, 3)->when_durable);
    assert_false(solo_marked(&solo, RAFT_MARK_DISTURBER_IGNORED));
    solo_close(&solo);
    solo = follower(three());
    solo_vote_request(&solo, 3, false, 3, 2, 2); /* and only then */
    assert_false(solo_granted(&solo, 3));
    assert_int_equal(raft_term(solo.raft), 2);
    solo_close(&solo);
}

static void test_a_vote_on_the_leaders_behalf_needs_a_current_log_too(void **state)
{
    (void)state;
    struct solo solo = follower(three());
    ask_on_behalf(&solo, 3, 3, 1);
    assert_int_equal(raft_term(solo.raft), 3);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_the_leader_itself_votes_for_its_successor(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_transfer(&solo, 3);
    ask_on_behalf(&solo, 3, 3, 2);
    assert_true(solo_granted(&solo, 3));
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_true(solo.update.leadership_lost);
    assert_int_equal(target_of(&solo), 0);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_target_that_has_everything_is_told_at_once),
        cmocka_unit_test(test_nobody_without_room_is_chosen),
        cmocka_unit_test(test_a_leader_says_to_whom_it_would_hand_over),
        cmocka_unit_test(test_a_leader_that_hands_over_takes_no_entries),
        cmocka_unit_test(test_a_target_gets_what_it_lacks_first),
        cmocka_unit_test(test_all_that_the_leader_took_is_committed_first),
        cmocka_unit_test(test_without_a_wish_the_nearest_voter_is_the_target),
        cmocka_unit_test(test_of_equal_voters_the_one_heard_of_last_is_the_target),
        cmocka_unit_test(test_a_voter_that_never_answered_or_is_probed_is_no_candidate),
        cmocka_unit_test(test_only_another_voter_can_be_the_target),
        cmocka_unit_test(test_a_follower_hands_nothing_over),
        cmocka_unit_test(test_a_second_transfer_does_not_take_the_place_of_the_first),
        cmocka_unit_test(test_a_transfer_is_given_up_after_one_timeout),
        cmocka_unit_test(test_a_transfer_can_be_tried_again),
        cmocka_unit_test(test_a_transfer_ends_with_the_leadership),
        cmocka_unit_test(test_a_target_that_leaves_is_told_nothing),
        cmocka_unit_test(test_timeout_now_begins_an_election_without_prevote),
        cmocka_unit_test(test_the_next_election_of_a_target_speaks_for_itself_alone),
        cmocka_unit_test(test_timeout_now_of_an_older_term_means_nothing),
        cmocka_unit_test(test_timeout_now_of_nobody_who_leads_means_nothing),
        cmocka_unit_test(test_timeout_now_makes_no_voter_of_a_learner_or_a_stranger),
        cmocka_unit_test(test_timeout_now_means_nothing_to_who_stands_or_leads_already),
        cmocka_unit_test(test_a_vote_on_the_leaders_behalf_is_given_while_it_is_alive),
        cmocka_unit_test(test_a_vote_on_the_leaders_behalf_needs_a_current_log_too),
        cmocka_unit_test(test_the_leader_itself_votes_for_its_successor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
