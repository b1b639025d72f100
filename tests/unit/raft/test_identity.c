/* Incarnations: who lost its disk is another member under the same id. */
#include "unit/raft/solo.h"

/* Node 1 in its second life; `membership` names the first one unless it says otherwise. */
static struct solo reborn(struct raft_membership membership)
{
    struct raft_options options = solo_options(1, 0);
    options.incarnation = SECOND_LIFE;
    options.membership = membership;
    return solo_open(&options, (struct raft_hard_state){.term = 1}, NO_ENTRIES);
}

static struct raft_membership three(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER});
}

static struct raft_membership three_with_second_life(unsigned roles)
{
    struct raft_membership membership = three();
    membership.members[0].roles = roles;
    membership.members[0].incarnation = SECOND_LIFE;
    return membership;
}

static void assert_votes(struct solo *solo, bool granted)
{
    solo_vote_request(solo, 2, true, 2, 9, 1);
    assert_int_equal(solo_granted(solo, 2), granted);
    solo_vote_request(solo, 2, false, 2, 9, 1);
    assert_int_equal(solo_granted(solo, 2), granted);
    assert_int_equal(raft_vote(solo->raft), granted ? 2 : 0);
    solo_close(solo);
}

static void test_who_knows_of_no_group_does_not_vote(void **state)
{
    (void)state;
    struct solo solo = reborn((struct raft_membership){0});
    assert_votes(&solo, false);
}

static void test_another_incarnation_of_a_voter_does_not_vote(void **state)
{
    (void)state;
    struct solo solo = reborn(three());
    assert_votes(&solo, false);
}

static void test_a_voter_votes_once_its_log_names_its_incarnation(void **state)
{
    (void)state;
    struct solo solo = reborn(three_with_second_life(RAFT_VOTER));
    assert_votes(&solo, true);
}

/* The entry that makes it a voter may be on its way, and the candidate that holds it needs the
 * vote. */
static void test_a_learner_that_the_log_names_votes(void **state)
{
    (void)state;
    struct solo solo = reborn(three_with_second_life(RAFT_PROMOTE));
    assert_votes(&solo, true);
}

static void test_another_incarnation_of_a_voter_does_not_stand(void **state)
{
    (void)state;
    struct solo solo = reborn(three());
    solo_tick(&solo, 10 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

/* What its first life may have left in the log does not make the second one a voter. */
static void test_another_incarnation_of_a_voter_is_not_handed_leadership(void **state)
{
    (void)state;
    struct solo solo = reborn(three());
    solo_append(&solo, 2, 1, 0, 0, 0, TERMS(1));
    solo_timeout_now(&solo, 2, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

static void answer_as(struct solo *solo, uint64_t incarnation, struct raft_message message)
{
    message.from = 2;
    message.from_incarnation = incarnation;
    message.term = raft_term(solo->raft);
    solo_receive(solo, message);
}

static const struct raft_message vote = {.type = RAFT_VOTE_RESPONSE,
                                         .vote_response = {.granted = true}};

static void test_a_vote_of_another_incarnation_does_not_count(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_precandidate(&solo);
    uint64_t term = raft_term(solo.raft);
    solo_receive(&solo, (struct raft_message){.type = RAFT_VOTE_RESPONSE,
                                              .from = 2,
                                              .from_incarnation = SECOND_LIFE,
                                              .term = term + 1,
                                              .vote_response = {.pre = true, .granted = true}});
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_vote_response(&solo, 2, true, term + 1, true);
    solo_vote_response(&solo, 1, false, term + 1, true);
    answer_as(&solo, SECOND_LIFE, vote);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    answer_as(&solo, FIRST_LIFE, vote);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static struct raft_message acknowledgement(uint64_t match, uint64_t read_context, uint64_t sent_ms)
{
    return (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                 .append_response = {.success = true,
                                                     .match = match,
                                                     .hint_index = match,
                                                     .read_context = read_context,
                                                     .sent_ms = sent_ms}};
}

static struct solo leader(uint32_t drift_percent)
{
    struct raft_options options = solo_options(1, 3);
    options.lease_drift_percent = drift_percent;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    return solo;
}

static void test_an_acknowledgement_of_another_incarnation_commits_nothing(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    answer_as(&solo, SECOND_LIFE, acknowledgement(2, 0, 0));
    assert_int_equal(solo.update.commit_index, 0);
    assert_int_equal(solo_peer(&solo, 2).match, 0);
    answer_as(&solo, FIRST_LIFE, acknowledgement(2, 0, 0));
    assert_int_equal(solo.update.commit_index, 2);
    solo_close(&solo);
}

static void test_an_echo_of_another_incarnation_confirms_no_read(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    solo_accepted(&solo, 2, 2, 0);
    solo_read(&solo, 1);
    answer_as(&solo, SECOND_LIFE, acknowledgement(2, 1, 0));
    assert_int_equal(solo.update.read_count, 0);
    answer_as(&solo, FIRST_LIFE, acknowledgement(2, 1, 0));
    assert_int_equal(solo.update.read_count, 1);
    solo_close(&solo);
}

static void test_a_promise_of_another_incarnation_is_no_lease(void **state)
{
    (void)state;
    struct solo solo = leader(10);
    answer_as(&solo, SECOND_LIFE, acknowledgement(2, 0, solo.now_ms));
    assert_int_equal(raft_lease_until_ms(solo.raft), 0);
    answer_as(&solo, FIRST_LIFE, acknowledgement(2, 0, solo.now_ms));
    assert_true(raft_lease_until_ms(solo.raft) > solo.now_ms);
    solo_close(&solo);
}

static void test_answers_of_another_incarnation_are_no_quorum(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    for (int i = 0; i < ELECTION_MS / HEARTBEAT_MS; i++) {
        solo_tick(&solo, HEARTBEAT_MS);
        answer_as(&solo, SECOND_LIFE, acknowledgement(2, 0, 0));
    }
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

static void test_a_chunk_that_another_incarnation_took_is_not_counted(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo = solo_open_snapshot(&options, 4, 1, 3000);
    solo_to_leader(&solo);
    solo_rejected(&solo, 2, 4, 0, 0);
    answer_as(&solo, SECOND_LIFE,
              (struct raft_message){.type = RAFT_SNAPSHOT_RESPONSE,
                                    .snapshot_response = {.index = 4, .offset = 1000}});
    assert_int_equal(solo_peer(&solo, 2).snapshot_offset, 0);
    solo_chunk_answer(&solo, 2, 4, 1000);
    assert_int_equal(solo_peer(&solo, 2).snapshot_offset, 1000);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_knows_of_no_group_does_not_vote),
        cmocka_unit_test(test_another_incarnation_of_a_voter_does_not_vote),
        cmocka_unit_test(test_a_voter_votes_once_its_log_names_its_incarnation),
        cmocka_unit_test(test_a_learner_that_the_log_names_votes),
        cmocka_unit_test(test_another_incarnation_of_a_voter_does_not_stand),
        cmocka_unit_test(test_another_incarnation_of_a_voter_is_not_handed_leadership),
        cmocka_unit_test(test_a_vote_of_another_incarnation_does_not_count),
        cmocka_unit_test(test_an_acknowledgement_of_another_incarnation_commits_nothing),
        cmocka_unit_test(test_an_echo_of_another_incarnation_confirms_no_read),
        cmocka_unit_test(test_a_promise_of_another_incarnation_is_no_lease),
        cmocka_unit_test(test_answers_of_another_incarnation_are_no_quorum),
        cmocka_unit_test(test_a_chunk_that_another_incarnation_took_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
