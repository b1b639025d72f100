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

/* ---- taking in ---- */

static void meet(struct solo *solo, uint64_t peer, uint64_t incarnation)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_PEER_MET,
                                        .met = {.peer = peer, .incarnation = incarnation}});
}

/* Time passes in which 2 is heard of and 3 is not. */
static void without_3(struct solo *solo, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += HEARTBEAT_MS) {
        solo_tick(solo, HEARTBEAT_MS);
        if (solo->update.append_count == 0)
            solo_accepted(solo, 2, raft_last_index(solo->raft), 0);
    }
}

static struct solo settled_leader(void)
{
    struct solo solo = leader(0);
    solo_accepted(&solo, 2, 2, 0);
    solo_accepted(&solo, 3, 2, 0);
    assert_int_equal(solo.update.commit_index, 2);
    return solo;
}

static struct raft_member member_3(const struct solo *solo)
{
    return *raft_membership_find(raft_membership(solo->raft), 3);
}

static void test_a_lost_voter_is_taken_in_once_it_has_been_silent(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 3, SECOND_LIFE);
    without_3(&solo, ELECTION_MS - HEARTBEAT_MS);
    assert_int_equal(raft_membership(solo.raft)->count, 3);
    assert_false(raft_membership_is_joint(raft_membership(solo.raft)));
    solo_tick(&solo, HEARTBEAT_MS);
    assert_true(solo_marked(&solo, RAFT_MARK_TAKEN_IN));
    assert_true(solo_marked(&solo, RAFT_MARK_JOINT_ENTERED));
    assert_int_equal(solo.update.append_own, RAFT_OWN_MEMBERSHIP);
    assert_int_equal(member_3(&solo).incarnation, FIRST_LIFE);
    assert_int_equal(member_3(&solo).successor, SECOND_LIFE);
    assert_int_equal(member_3(&solo).roles, RAFT_VOTER | RAFT_STAYS);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0); /* 1 and 2 decide, also about the new set */
    assert_int_equal(solo.update.commit_index, 3);
    assert_int_equal(member_3(&solo).incarnation, SECOND_LIFE);
    assert_int_equal(member_3(&solo).roles, RAFT_PROMOTE);
    solo_close(&solo);
}

static void test_who_is_heard_of_is_not_replaced(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 3, SECOND_LIFE);
    for (int i = 0; i < 20; i++) {
        without_3(&solo, HEARTBEAT_MS);
        solo_accepted(&solo, 3, 2, 0);
    }
    assert_int_equal(raft_last_index(solo.raft), 2);
    solo_close(&solo);
}

/* What the lost folder acknowledged is not what the new one holds. */
static void test_nothing_of_the_lost_incarnation_counts_for_the_new_one(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 3, SECOND_LIFE);
    without_3(&solo, ELECTION_MS);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    struct raft_peer_status peer = solo_peer(&solo, 3);
    assert_int_equal(peer.incarnation, SECOND_LIFE);
    assert_int_equal(peer.match, 0);
    assert_int_equal(peer.last_contact_ms, 0);
    assert_int_equal(peer.state, RAFT_PROBE);
    solo_close(&solo);
}

static void test_nothing_is_sent_to_another_incarnation(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 3, SECOND_LIFE);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_read(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_submit(&solo, 1);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    assert_true(raft_deadline_ms(solo.raft) > solo.now_ms); /* nor is it waited for */
    meet(&solo, 3, FIRST_LIFE);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_close(&solo);
}

static void test_a_sign_of_life_of_another_incarnation_is_no_contact(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 3, SECOND_LIFE);
    solo_tick(&solo, HEARTBEAT_MS);
    uint64_t before = solo_peer(&solo, 3).last_contact_ms;
    solo_peer_alive(&solo, 3);
    assert_int_equal(solo_peer(&solo, 3).last_contact_ms, before);
    solo_close(&solo);
}

static void test_leadership_is_not_handed_to_another_incarnation(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 2, SECOND_LIFE);
    meet(&solo, 3, SECOND_LIFE);
    solo_transfer(&solo, 0);
    struct raft_status status;
    raft_status(solo.raft, &status);
    assert_int_equal(status.transfer_target, 0);
    solo_close(&solo);
}

static struct raft_membership with_unmet_4(void)
{
    struct raft_membership membership = three();
    raft_membership_set(&membership, 4, RAFT_PROMOTE);
    return membership;
}

static void test_a_member_that_is_not_known_yet_gets_the_incarnation_that_is_met(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    solo_change(&solo, with_unmet_4());
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 4));
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    meet(&solo, 4, 77);
    assert_int_equal(solo.update.append_own, RAFT_OWN_MEMBERSHIP);
    assert_int_equal(raft_membership_find(raft_membership(solo.raft), 4)->incarnation, 77);
    assert_int_equal(raft_membership_find(raft_membership(solo.raft), 4)->roles, RAFT_PROMOTE);
    assert_false(raft_membership_is_joint(raft_membership(solo.raft)));
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 4));
    solo_close(&solo);
}

/* Where an older snapshot is all that it has, its own log does not say that it may vote: as a voter
 * it would be missed. */
static void test_nobody_is_promoted_before_its_log_names_it(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    solo_change(&solo, with_unmet_4());
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    meet(&solo, 4, 77);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 4, 0);
    assert_int_equal(solo.update.commit_index, 4);
    for (uint64_t match = 3; match <= 4; match++) {
        solo_receive(&solo,
                     (struct raft_message){
                         .type = RAFT_APPEND_RESPONSE,
                         .from = 4,
                         .from_incarnation = 77,
                         .term = raft_term(solo.raft),
                         .append_response = {.success = true, .match = match, .hint_index = 4}});
        assert_int_equal(solo.update.append_own, match == 4 ? RAFT_OWN_MEMBERSHIP : RAFT_OWN_NONE);
    }
    solo_close(&solo);
}

static void test_a_node_that_was_met_before_it_became_a_member_is_known(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 4, 77);
    solo_change(&solo, with_unmet_4());
    assert_true(raft_may_append(solo.raft));
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    assert_int_equal(raft_membership_find(raft_membership(solo.raft), 4)->incarnation, 77);
    solo_close(&solo);
}

static void test_many_strangers_are_met_and_no_member_is_forgotten(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    meet(&solo, 3, SECOND_LIFE);
    for (uint64_t id = 10; id < 100; id++)
        meet(&solo, id, 1);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_close(&solo);
}

static void test_a_leader_that_may_take_somebody_in_may_append(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    assert_false(raft_may_append(solo.raft));
    meet(&solo, 3, SECOND_LIFE);
    assert_true(raft_may_append(solo.raft));
    solo_close(&solo);
}

static void test_the_roles_of_another_incarnation_have_to_be_sound(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    struct raft_membership wanted = three();
    wanted.members[2].incarnation = SECOND_LIFE;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_UNSOUND); /* a voter at once */
    wanted.members[2].roles = RAFT_LEARNER;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_UNSOUND);
    wanted.members[2].roles = RAFT_PROMOTE;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_POSSIBLE);
    wanted.members[2].incarnation = 0;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_UNSOUND);
    wanted = three();
    wanted.members[2].successor = SECOND_LIFE;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_UNSOUND);
    wanted = three();
    wanted.members[0].roles = RAFT_PROMOTE;
    wanted.members[0].incarnation = SECOND_LIFE;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_UNSOUND); /* the leader itself */
    solo_close(&solo);
}

static void test_the_host_learns_that_another_membership_is_in_force(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    assert_false(solo.update.membership_changed);
    solo_change(&solo, with_unmet_4());
    assert_true(solo.update.membership_changed);
    solo_tick(&solo, 1);
    assert_false(solo.update.membership_changed);
    solo_close(&solo);
}

/* ---- a folder that has less than it vouched for ---- */

static void test_an_append_says_what_its_receiver_has_acknowledged(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    solo_submit(&solo, 2);
    solo_all_durable(&solo);
    const struct raft_message *request = solo_sent(&solo, RAFT_APPEND_REQUEST, 3);
    assert_null(request);
    solo_accepted(&solo, 3, 4, 0);
    solo_tick(&solo, HEARTBEAT_MS);
    request = solo_sent(&solo, RAFT_APPEND_REQUEST, 3);
    assert_int_equal(request->append_request.to_incarnation, FIRST_LIFE);
    assert_int_equal(request->append_request.acknowledged, 4);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)->append_request.acknowledged, 2);
    solo_rejected(&solo, 3, 4, 1, 1); /* it has lost three of them */
    request = solo_sent(&solo, RAFT_APPEND_REQUEST, 3);
    assert_int_equal(request->append_request.prev_index, 1);
    assert_int_equal(request->append_request.acknowledged, 4);
    solo_close(&solo);
}

static void append_acknowledged(struct solo *solo, uint64_t incarnation, uint64_t acknowledged)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_REQUEST,
                                             .from = 2,
                                             .term = 1,
                                             .append_request = {.prev_index = 3,
                                                                .prev_term = 1,
                                                                .first_index = 4,
                                                                .to_incarnation = incarnation,
                                                                .acknowledged = acknowledged}});
}

static void test_who_has_less_than_it_acknowledged_is_another_folder(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    append_acknowledged(&solo, FIRST_LIFE, 3);
    assert_false(solo.update.incarnation_is_void);
    append_acknowledged(&solo, SECOND_LIFE, 4); /* that was somebody else */
    assert_false(solo.update.incarnation_is_void);
    append_acknowledged(&solo, FIRST_LIFE, 4);
    assert_true(solo.update.incarnation_is_void);
    solo_tick(&solo, 1);
    assert_false(solo.update.incarnation_is_void);
    solo_close(&solo);
}

static void begin_anew(struct solo *solo)
{
    solo_step(solo,
              (struct raft_event){.type = RAFT_EVENT_INCARNATION, .incarnation = SECOND_LIFE});
}

static void test_a_folder_that_begins_anew_keeps_its_log_and_loses_its_vote(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    begin_anew(&solo);
    assert_int_equal(raft_incarnation(solo.raft), SECOND_LIFE);
    assert_int_equal(raft_last_index(solo.raft), 3);
    solo_tick(&solo, 10 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_votes(&solo, false);
}

static void test_a_leader_whose_folder_begins_anew_leads_no_more(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    begin_anew(&solo);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(solo.raft), 0);
    assert_true(solo.update.role_changed);
    assert_true(solo.update.leadership_lost);
    solo_close(&solo);
}

static void acknowledged_entries_are_not_committed(struct solo *solo)
{
    solo_submit(solo, 2); /* this leader's own disk is slow */
    solo_accepted(solo, 3, 4, 0);
    assert_int_equal(solo->update.commit_index, 2);
}

static void test_what_is_acknowledged_and_not_committed_is_held_against_nobody(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    struct raft_witness list[RAFT_MEMBERS_MAX];
    acknowledged_entries_are_not_committed(&solo);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.acknowledged, 2);
    assert_int_equal(raft_witnesses(solo.raft, list), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list[i].id, i + 1);
        assert_int_equal(list[i].incarnation, FIRST_LIFE);
        assert_int_equal(list[i].index, 2);
    }
    solo_close(&solo);
}

/* ---- witnesses ---- */

static void test_a_leader_knows_what_each_member_has_acknowledged(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    struct raft_witness list[RAFT_MEMBERS_MAX];
    solo_submit(&solo, 2);
    solo_all_durable(&solo);
    solo_accepted(&solo, 3, 3, 0);
    assert_int_equal(raft_witnesses(solo.raft, list), 3);
    assert_int_equal(list[0].index, 3);
    assert_int_equal(list[1].index, 2);
    assert_int_equal(list[2].index, 3);
    solo_append(&solo, 2, 9, 0, 0, 0, NO_ENTRIES);
    assert_int_equal(raft_witnesses(solo.raft, list), 0); /* no leader any more */
    solo_close(&solo);
}

static void test_holders_of_the_term_are_counted_once_it_is_committed(void **state)
{
    (void)state;
    struct solo solo = leader(0);
    assert_int_equal(raft_term_holders(solo.raft), 0);
    solo_accepted(&solo, 2, 2, 0);
    assert_int_equal(raft_term_holders(solo.raft), 2);
    solo_accepted(&solo, 3, 1, 0);
    assert_int_equal(raft_term_holders(solo.raft), 2);
    solo_accepted(&solo, 3, 2, 0);
    assert_int_equal(raft_term_holders(solo.raft), 3);
    solo_close(&solo);
}

static void ask_for_vote(struct solo *solo, uint64_t incarnation, bool pre, uint64_t last_index)
{
    solo_receive(solo, (struct raft_message){
                           .type = RAFT_VOTE_REQUEST,
                           .from = 2,
                           .from_incarnation = incarnation,
                           .term = 5,
                           .vote_request = {.pre = pre, .last_index = last_index, .last_term = 4}});
}

static void test_a_folder_that_was_set_back_gets_no_vote(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    raft_witness(solo.raft, 2, FIRST_LIFE, 7);
    for (int pre = 1; pre >= 0; pre--) {
        ask_for_vote(&solo, FIRST_LIFE, pre, 6);
        const struct raft_message *answer = solo_sent(&solo, RAFT_VOTE_RESPONSE, 2);
        assert_false(answer->vote_response.granted);
        assert_int_equal(answer->vote_response.pre, pre);
        assert_int_equal(answer->vote_response.to_incarnation, FIRST_LIFE);
        assert_int_equal(answer->vote_response.witnessed, 7);
        assert_int_equal(answer->vote_response.last_index, 1);
        assert_int_equal(raft_vote(solo.raft), 0);
    }
    solo_close(&solo);
}

static void test_who_has_all_that_was_witnessed_gets_the_vote(void **state)
{
    (void)state;
    for (int pre = 0; pre < 2; pre++) {
        struct solo solo = solo_new(3, 1, TERMS(1));
        raft_witness(solo.raft, 2, FIRST_LIFE, 7);
        ask_for_vote(&solo, FIRST_LIFE, pre, 7);
        assert_true(solo_granted(&solo, 2));
        solo_close(&solo);
        solo = solo_new(3, 1, TERMS(1));
        raft_witness(solo.raft, 2, FIRST_LIFE, 7);
        ask_for_vote(&solo, SECOND_LIFE, pre, 6); /* nothing is known of this folder */
        assert_true(solo_granted(&solo, 2));
        assert_int_equal(solo_sent(&solo, RAFT_VOTE_RESPONSE, 2)->vote_response.witnessed, 0);
        solo_close(&solo);
    }
}

static void refuse_vote(struct solo *solo, uint64_t incarnation, uint64_t witnessed)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_VOTE_RESPONSE,
                                             .from = 2,
                                             .term = raft_term(solo->raft),
                                             .vote_response = {.pre = true,
                                                               .to_incarnation = incarnation,
                                                               .witnessed = witnessed}});
}

static void test_a_candidate_that_a_witness_refuses_begins_anew(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    refuse_vote(&solo, FIRST_LIFE, 4); /* it has not asked */
    assert_false(solo.update.incarnation_is_void);
    solo_to_precandidate(&solo);
    refuse_vote(&solo, FIRST_LIFE, 3); /* it has that: the answer was late */
    assert_false(solo.update.incarnation_is_void);
    refuse_vote(&solo, SECOND_LIFE, 4); /* about another folder */
    assert_false(solo.update.incarnation_is_void);
    refuse_vote(&solo, FIRST_LIFE, 4);
    assert_true(solo.update.incarnation_is_void);
    solo_close(&solo);
}

static void test_the_vote_of_a_folder_that_was_set_back_does_not_count(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    raft_witness(solo.raft, 2, FIRST_LIFE, 7);
    for (int pre = 1; pre >= 0; pre--) {
        struct raft_message answer = {
            .type = RAFT_VOTE_RESPONSE, .from = 2, .vote_response = {.pre = pre, .granted = true}};
        if (pre)
            solo_to_precandidate(&solo);
        else
            solo_vote_response(&solo, 1, false, raft_term(solo.raft), true);
        enum raft_role role = raft_role(solo.raft);
        answer.term = raft_term(solo.raft) + (uint64_t)pre;
        answer.vote_response.last_index = 6;
        solo_receive(&solo, answer);
        assert_int_equal(raft_role(solo.raft), role);
        answer.vote_response.last_index = 7;
        solo_receive(&solo, answer);
        assert_int_equal(raft_role(solo.raft), pre ? RAFT_CANDIDATE : RAFT_LEADER);
    }
    solo_close(&solo);
}

static void test_a_leader_that_steps_down_is_a_witness(void **state)
{
    (void)state;
    struct solo solo = settled_leader();
    solo_append(&solo, 2, 4, 0, 0, 0, NO_ENTRIES);
    solo_peer_lost(&solo, 2);
    solo_receive(&solo, (struct raft_message){.type = RAFT_VOTE_REQUEST,
                                              .from = 3,
                                              .term = 5,
                                              .vote_request = {.last_index = 1, .last_term = 4}});
    assert_false(solo_granted(&solo, 3));
    assert_int_equal(solo_sent(&solo, RAFT_VOTE_RESPONSE, 3)->vote_response.witnessed, 2);
    solo_tick(&solo, 10 * ELECTION_MS);
    solo_vote_response(&solo, 2, true, raft_term(solo.raft) + 1, true);
    const struct raft_message *own = solo_sent(&solo, RAFT_VOTE_RESPONSE, 1);
    assert_int_equal(own->vote_response.last_index, 2); /* its own vote counts as well */
    solo_close(&solo);
}

static void test_a_new_leader_names_what_was_acknowledged_to_the_last_one(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    raft_witness(solo.raft, 3, FIRST_LIFE, 3);
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 4, 0);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.acknowledged, 3);
    assert_int_equal(solo_peer(&solo, 3).match, 0);
    solo_close(&solo);
}

static void test_the_highest_index_of_each_folder_is_kept(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    raft_witness(solo.raft, 2, FIRST_LIFE, 7);
    raft_witness(solo.raft, 2, FIRST_LIFE, 5);
    raft_witness(solo.raft, 2, SECOND_LIFE, 3);
    for (uint64_t incarnation = 10; incarnation < 200; incarnation++)
        raft_witness(solo.raft, 3, incarnation, 1); /* more than there is room for */
    ask_for_vote(&solo, FIRST_LIFE, true, 6);
    assert_int_equal(solo_sent(&solo, RAFT_VOTE_RESPONSE, 2)->vote_response.witnessed, 7);
    raft_witness(solo.raft, 2, FIRST_LIFE, 8);
    ask_for_vote(&solo, FIRST_LIFE, true, 6);
    assert_int_equal(solo_sent(&solo, RAFT_VOTE_RESPONSE, 2)->vote_response.witnessed, 8);
    solo_close(&solo);
}

static void test_a_witness_of_what_cannot_be_is_refused(void **state)
{
    (void)state;
    const uint64_t most = UINT64_C(1) << 62;
    assert_null(raft_witness_refusal(&(struct raft_witness){2, FIRST_LIFE, most}));
    assert_non_null(raft_witness_refusal(&(struct raft_witness){2, FIRST_LIFE, most + 1}));
    assert_non_null(raft_witness_refusal(&(struct raft_witness){2, FIRST_LIFE, 0}));
    assert_non_null(raft_witness_refusal(&(struct raft_witness){2, 0, 1}));
    assert_non_null(raft_witness_refusal(&(struct raft_witness){0, FIRST_LIFE, 1}));
    struct solo solo = solo_new(3, 1, TERMS(1));
    struct raft_message answer = {.type = RAFT_VOTE_RESPONSE, .from = 2, .to = 1, .term = 1};
    answer.vote_response.last_index = answer.vote_response.witnessed = most;
    assert_null(raft_message_refusal(solo.raft, &answer));
    answer.vote_response.last_index = most + 1;
    assert_non_null(raft_message_refusal(solo.raft, &answer));
    answer.vote_response.last_index = 0;
    answer.vote_response.witnessed = most + 1;
    assert_non_null(raft_message_refusal(solo.raft, &answer));
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
        cmocka_unit_test(test_a_lost_voter_is_taken_in_once_it_has_been_silent),
        cmocka_unit_test(test_who_is_heard_of_is_not_replaced),
        cmocka_unit_test(test_nothing_of_the_lost_incarnation_counts_for_the_new_one),
        cmocka_unit_test(test_nothing_is_sent_to_another_incarnation),
        cmocka_unit_test(test_a_sign_of_life_of_another_incarnation_is_no_contact),
        cmocka_unit_test(test_leadership_is_not_handed_to_another_incarnation),
        cmocka_unit_test(test_a_member_that_is_not_known_yet_gets_the_incarnation_that_is_met),
        cmocka_unit_test(test_nobody_is_promoted_before_its_log_names_it),
        cmocka_unit_test(test_a_node_that_was_met_before_it_became_a_member_is_known),
        cmocka_unit_test(test_many_strangers_are_met_and_no_member_is_forgotten),
        cmocka_unit_test(test_a_leader_that_may_take_somebody_in_may_append),
        cmocka_unit_test(test_the_roles_of_another_incarnation_have_to_be_sound),
        cmocka_unit_test(test_the_host_learns_that_another_membership_is_in_force),
        cmocka_unit_test(test_an_append_says_what_its_receiver_has_acknowledged),
        cmocka_unit_test(test_who_has_less_than_it_acknowledged_is_another_folder),
        cmocka_unit_test(test_a_folder_that_begins_anew_keeps_its_log_and_loses_its_vote),
        cmocka_unit_test(test_a_leader_whose_folder_begins_anew_leads_no_more),
        cmocka_unit_test(test_what_is_acknowledged_and_not_committed_is_held_against_nobody),
        cmocka_unit_test(test_a_leader_knows_what_each_member_has_acknowledged),
        cmocka_unit_test(test_holders_of_the_term_are_counted_once_it_is_committed),
        cmocka_unit_test(test_a_folder_that_was_set_back_gets_no_vote),
        cmocka_unit_test(test_who_has_all_that_was_witnessed_gets_the_vote),
        cmocka_unit_test(test_a_candidate_that_a_witness_refuses_begins_anew),
        cmocka_unit_test(test_the_vote_of_a_folder_that_was_set_back_does_not_count),
        cmocka_unit_test(test_a_leader_that_steps_down_is_a_witness),
        cmocka_unit_test(test_a_new_leader_names_what_was_acknowledged_to_the_last_one),
        cmocka_unit_test(test_the_highest_index_of_each_folder_is_kept),
        cmocka_unit_test(test_a_witness_of_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
