/* Whom a leader asks to confirm reads: as few as make a majority with it, and the others when those
 * do not answer in time. */
#include "unit/raft/solo.h"

/* How long the leader waits for one that answers at once, and for any. */
enum { ANSWER_MS = 2, ANSWER_MS_MAX = HEARTBEAT_MS / 8 };

/* Node 1 leads term 2 and its no-op, entry 2, is committed; all have just answered. */
static struct solo leader_of(const struct raft_options *options)
{
    struct solo solo = solo_open(options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= raft_membership(solo.raft)->count; from++)
        solo_accepted(&solo, from, 2, 0);
    assert_true(raft_can_read(solo.raft));
    solo_tick(&solo, HEARTBEAT_MS); /* which tells the commit index, too */
    for (uint64_t from = 2; from <= raft_membership(solo.raft)->count; from++)
        solo_accepted(&solo, from, 2, 0);
    return solo;
}

static struct solo leader(size_t voters)
{
    struct raft_options options = solo_options(1, voters);
    return leader_of(&options);
}

/* An answer to a heartbeat that left `ago_ms` before. */
static void answer(struct solo *solo, uint64_t from, uint64_t ago_ms, uint64_t context)
{
    uint64_t last = raft_last_index(solo->raft);
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                             .from = from,
                                             .term = raft_term(solo->raft),
                                             .append_response = {.success = true,
                                                                 .match = last,
                                                                 .hint_index = last,
                                                                 .sent_ms = solo->now_ms - ago_ms,
                                                                 .read_context = context}});
}

/* The members to which the last step sent heartbeats, as digits in order of their ids: 24. */
static uint64_t asked(const struct solo *solo)
{
    uint64_t ids = 0;
    for (uint64_t to = 1; to <= raft_membership(solo->raft)->count; to++) {
        const struct raft_message *request = solo_sent(solo, RAFT_APPEND_REQUEST, to);
        if (!request || request->append_request.entry_count > 0)
            continue;
        ids = ids * 10 + to;
        assert_false(request->when_durable);
    }
    return ids;
}

static void assert_asks(struct solo *solo, uint64_t context, uint64_t whom)
{
    solo_read(solo, context);
    assert_int_equal(asked(solo), whom);
    for (size_t i = 0; i < solo->update.message_count; i++)
        assert_int_equal(solo->update.messages[i].append_request.read_context, context);
}

/* Passes time in which these answer every heartbeat, and confirm what waits. */
static void pass(struct solo *solo, uint64_t ms, uint64_t answering, uint64_t context)
{
    for (uint64_t step = 10; ms > 0; ms -= step) {
        solo_tick(solo, step < ms ? step : ms);
        step = step < ms ? step : ms;
        for (uint64_t ids = answering; ids; ids /= 10)
            answer(solo, ids % 10, 0, context);
    }
}

static void test_a_read_asks_no_more_than_make_a_majority(void **state)
{
    (void)state;
    struct solo three = leader(3), five = leader(5);
    assert_asks(&three, 1, 2);
    assert_asks(&five, 1, 23);
    assert_true(solo_marked(&five, RAFT_MARK_READ_ASKED_FEW));
    solo_close(&three);
    solo_close(&five);
}

static void test_the_others_are_asked_when_no_answer_came_in_time(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    assert_asks(&solo, 1, 2);
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms + ANSWER_MS);
    solo_tick(&solo, ANSWER_MS - 1);
    assert_int_equal(asked(&solo), 0);
    solo_tick(&solo, 1);
    assert_int_equal(asked(&solo), 3);
    assert_true(solo_marked(&solo, RAFT_MARK_READ_ASKED_OTHERS));
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms - ANSWER_MS + HEARTBEAT_MS);
    solo_tick(&solo, ANSWER_MS);
    assert_int_equal(asked(&solo), 0);
    answer(&solo, 3, 0, 1);
    assert_int_equal(solo.update.read_count, 1);
    solo_close(&solo);
}

static void test_the_usual_time_of_an_answer_is_waited_for_twice(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    for (int i = 0; i < 40; i++) {
        answer(&solo, 2, 1, 0);
        answer(&solo, 3, 40, 0);
    }
    assert_asks(&solo, 1, 2);
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms + ANSWER_MS + 2);
    solo_tick(&solo, ANSWER_MS + 2);
    assert_int_equal(asked(&solo), 3);
    answer(&solo, 2, 0, 1);
    assert_asks(&solo, 2, 3);
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms + ANSWER_MS_MAX);
    solo_close(&solo);
}

static void test_nobody_else_is_asked_when_the_answer_came(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_read(&solo, 1);
    answer(&solo, 2, 0, 1);
    assert_int_equal(solo.update.read_count, 1);
    solo_tick(&solo, ANSWER_MS);
    assert_int_equal(asked(&solo), 0);
    assert_asks(&solo, 2, 2);
    solo_close(&solo);
}

static void test_who_answered_late_is_not_asked_first_for_a_while(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_read(&solo, 1);
    solo_tick(&solo, ANSWER_MS);
    answer(&solo, 2, ANSWER_MS, 1);
    answer(&solo, 3, 0, 1);
    assert_asks(&solo, 2, 3);
    answer(&solo, 3, 0, 2);
    pass(&solo, ELECTION_MS - 1, 23, 2);
    assert_asks(&solo, 3, 3);
    answer(&solo, 3, 0, 3);
    pass(&solo, HEARTBEAT_MS, 23, 3);
    assert_asks(&solo, 4, 2);
    solo_close(&solo);
}

static void test_who_is_silent_is_not_asked_first(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    pass(&solo, 2 * HEARTBEAT_MS - 1, 3, 0);
    assert_asks(&solo, 1, 2);
    answer(&solo, 3, 0, 1);
    solo_tick(&solo, 1);
    assert_asks(&solo, 2, 3);
    answer(&solo, 2, 0, 2);
    assert_asks(&solo, 3, 2);
    solo_close(&solo);
}

static void test_who_answers_fastest_is_asked(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    for (int i = 0; i < 20; i++) {
        answer(&solo, 2, 3, 0);
        answer(&solo, 3, 1, 0);
        solo_tick(&solo, 1);
    }
    assert_asks(&solo, 1, 3);
    for (int i = 0; i < 40; i++) {
        solo_tick(&solo, 1);
        answer(&solo, 2, 0, 1);
        answer(&solo, 3, 1, 1);
    }
    assert_asks(&solo, 2, 2);
    solo_close(&solo);
}

static void test_an_answer_that_was_delayed_says_nothing_of_now(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    for (int i = 0; i < 20; i++) {
        answer(&solo, 2, 0, 0);
        answer(&solo, 2, 40, 0); /* overtaken */
        answer(&solo, 3, 1, 0);
    }
    assert_asks(&solo, 1, 2);
    solo_close(&solo);
}

static void test_one_slow_answer_is_soon_forgotten(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_tick(&solo, 10 * HEARTBEAT_MS / 2);
    answer(&solo, 2, 5 * HEARTBEAT_MS, 0);
    for (int i = 0; i < 40; i++) {
        answer(&solo, 2, 0, 0);
        answer(&solo, 3, 1, 0);
    }
    assert_asks(&solo, 1, 2);
    solo_close(&solo);
}

static void test_all_are_asked_at_once_when_too_few_are_prompt(void **state)
{
    (void)state;
    struct solo solo = leader(5);
    pass(&solo, 2 * HEARTBEAT_MS, 4, 0);
    assert_asks(&solo, 1, 2345);
    assert_true(raft_deadline_ms(solo.raft) > solo.now_ms + ANSWER_MS);
    answer(&solo, 5, 0, 1);
    assert_asks(&solo, 2, 45);
    solo_close(&solo);
}

static void test_who_said_that_it_is_busy_is_not_asked_first(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_peer_busy(&solo, 2, 1000);
    assert_asks(&solo, 1, 3);
    solo_peer_busy(&solo, 2, 0);
    assert_asks(&solo, 2, 2);
    solo_close(&solo);
}

static void test_who_may_be_behind_is_not_asked_first(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_rejected(&solo, 2, 2, 1, 1);
    assert_asks(&solo, 1, 3);
    solo_close(&solo);
}

static void test_who_came_back_with_another_disk_is_not_asked(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_step(&solo, (struct raft_event){.type = RAFT_EVENT_PEER_MET,
                                         .met = {.peer = 2, .incarnation = SECOND_LIFE}});
    assert_asks(&solo, 1, 3);
    solo_tick(&solo, ANSWER_MS);
    assert_int_equal(asked(&solo), 0);
    solo_close(&solo);
}

static void test_the_others_are_asked_at_once_when_a_process_died(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_read(&solo, 1);
    solo_peer_lost(&solo, 3); /* the one that was not asked */
    assert_int_equal(asked(&solo), 0);
    solo_peer_lost(&solo, 2);
    assert_int_equal(asked(&solo), 3);
    solo_close(&solo);
}

static void test_whose_process_died_is_not_asked_first(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_peer_lost(&solo, 2);
    assert_int_equal(asked(&solo), 0);
    solo_peer_lost(&solo, 9); /* no member */
    assert_asks(&solo, 1, 3);
    solo_close(&solo);
}

/* Both followers of three count as late only from the first round that they left unanswered. */
static void test_a_later_round_gives_nobody_more_time(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    assert_asks(&solo, 1, 2);
    solo_tick(&solo, ANSWER_MS - 1);
    assert_asks(&solo, 2, 2);
    solo_tick(&solo, 1);
    assert_int_equal(asked(&solo), 3);
    assert_asks(&solo, 3, 3);
    solo_close(&solo);
}

static void test_each_read_waits_its_own_time(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_read(&solo, 1);
    solo_tick(&solo, ANSWER_MS - 1);
    solo_read(&solo, 2);
    answer(&solo, 2, 0, 1);
    assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms + ANSWER_MS);
    solo_tick(&solo, ANSWER_MS - 1);
    assert_int_equal(asked(&solo), 0);
    solo_tick(&solo, 1);
    assert_int_equal(asked(&solo), 3);
    solo_close(&solo);
}

static void test_who_answered_the_earlier_round_is_not_late(void **state)
{
    (void)state;
    struct solo solo = leader(5);
    assert_asks(&solo, 1, 23);
    solo_tick(&solo, ANSWER_MS - 1);
    assert_asks(&solo, 2, 23);
    answer(&solo, 2, ANSWER_MS - 1, 1);
    solo_tick(&solo, 1);
    assert_int_equal(asked(&solo), 45);
    pass(&solo, 2, 2345, 2);
    assert_asks(&solo, 3, 24);
    solo_close(&solo);
}

static void test_a_learner_is_never_asked(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    raft_membership_set(&options.membership, 2, RAFT_LEARNER);
    raft_membership_set(&options.membership, 4, RAFT_VOTER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 3, true, 2, true);
    solo_vote_response(&solo, 1, false, 2, true);
    solo_vote_response(&solo, 3, false, 2, true);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 4; from++)
        solo_accepted(&solo, from, 2, 0);
    assert_asks(&solo, 1, 3);
    solo_tick(&solo, ANSWER_MS);
    assert_int_equal(asked(&solo), 4);
    answer(&solo, 2, 0, 1);
    assert_int_equal(solo.update.read_count, 0);
    solo_close(&solo);
}

/* 1 2 3 become 1 4 5. */
static void test_a_change_needs_a_majority_of_both_sets_asked(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    raft_membership_set(&options.membership, 5, RAFT_LEARNER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 1, false, 2, true);
    solo_vote_response(&solo, 2, false, 2, true);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 5; from++)
        solo_accepted(&solo, from, 2, 0);
    assert_asks(&solo, 1, 2);
    solo_change(&solo, MEMBERS({1, RAFT_VOTER}, {4, RAFT_VOTER}, {5, RAFT_VOTER}));
    answer(&solo, 2, 0, 1);
    assert_int_equal(solo.update.read_count, 0); /* the round began before the change */
    solo_tick(&solo, ANSWER_MS);
    assert_int_equal(asked(&solo), 345);
    answer(&solo, 4, 0, 1);
    assert_int_equal(solo.update.read_count, 1);
    assert_asks(&solo, 2, 24);
    answer(&solo, 2, 0, 2);
    answer(&solo, 3, 0, 2);
    assert_int_equal(solo.update.read_count, 0);
    answer(&solo, 4, 0, 2);
    assert_int_equal(solo.update.read_count, 1);
    solo_close(&solo);
}

/* What was asked of others in one term says nothing of the next. */
static void test_a_new_term_asks_anew(void **state)
{
    (void)state;
    struct solo solo = leader(3);
    solo_read(&solo, 1);
    solo_append(&solo, 3, 3, 1, 1, 0, NO_ENTRIES);
    assert_true(solo.update.leadership_lost);
    solo.now_ms += ELECTION_MS;
    solo_to_leader(&solo);
    assert_asks(&solo, 2, 23); /* nobody has answered yet */
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_asks_no_more_than_make_a_majority),
        cmocka_unit_test(test_the_others_are_asked_when_no_answer_came_in_time),
        cmocka_unit_test(test_the_usual_time_of_an_answer_is_waited_for_twice),
        cmocka_unit_test(test_nobody_else_is_asked_when_the_answer_came),
        cmocka_unit_test(test_who_answered_late_is_not_asked_first_for_a_while),
        cmocka_unit_test(test_who_is_silent_is_not_asked_first),
        cmocka_unit_test(test_who_answers_fastest_is_asked),
        cmocka_unit_test(test_an_answer_that_was_delayed_says_nothing_of_now),
        cmocka_unit_test(test_one_slow_answer_is_soon_forgotten),
        cmocka_unit_test(test_all_are_asked_at_once_when_too_few_are_prompt),
        cmocka_unit_test(test_who_said_that_it_is_busy_is_not_asked_first),
        cmocka_unit_test(test_who_may_be_behind_is_not_asked_first),
        cmocka_unit_test(test_who_came_back_with_another_disk_is_not_asked),
        cmocka_unit_test(test_the_others_are_asked_at_once_when_a_process_died),
        cmocka_unit_test(test_whose_process_died_is_not_asked_first),
        cmocka_unit_test(test_a_later_round_gives_nobody_more_time),
        cmocka_unit_test(test_each_read_waits_its_own_time),
        cmocka_unit_test(test_who_answered_the_earlier_round_is_not_late),
        cmocka_unit_test(test_a_learner_is_never_asked),
        cmocka_unit_test(test_a_change_needs_a_majority_of_both_sets_asked),
        cmocka_unit_test(test_a_new_term_asks_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
