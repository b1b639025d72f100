#include "unit/raft/solo.h"

enum { BOTH = RAFT_VOTER | RAFT_VOTER_INCOMING };

static void acknowledge(struct solo *solo, uint64_t from)
{
    solo_accepted(solo, from, raft_last_index(solo->raft), 0);
}

/* Node `id` begins with these members and one entry of term 1, and leads term 2 by the votes of all
 * others. Its no-op, entry 2, is committed, and held by everybody. */
static struct solo leader_of(uint64_t id, struct raft_membership membership)
{
    struct raft_options options = solo_options(id, 0);
    options.membership = membership;
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_tick_at_deadline(&solo);
    for (size_t i = 0; i < membership.count; i++)
        solo_vote_response(&solo, membership.members[i].id, true, 2, true);
    for (size_t i = 0; i < membership.count; i++)
        solo_vote_response(&solo, membership.members[i].id, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_all_durable(&solo);
    for (size_t i = 0; i < membership.count; i++) {
        if (membership.members[i].id != id)
            acknowledge(&solo, membership.members[i].id);
    }
    assert_int_equal(raft_commit_index(solo.raft), 2);
    return solo;
}

static struct raft_membership three(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER});
}

/* 4 and 5 hold everything. */
static struct raft_membership three_and_learners(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_LEARNER},
                   {5, RAFT_LEARNER});
}

/* Of three_and_learners() towards {1, 4, 5}. */
static struct raft_membership moved(void)
{
    return MEMBERS({1, RAFT_VOTER}, {4, RAFT_VOTER}, {5, RAFT_VOTER});
}

static struct raft_membership moving(void)
{
    return MEMBERS({1, BOTH}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_VOTER_INCOMING},
                   {5, RAFT_VOTER_INCOMING});
}

/* Entry 3, which is durable on the leader alone. */
static struct solo joint_leader(void)
{
    struct solo solo = leader_of(1, three_and_learners());
    solo_change(&solo, moved());
    assert_membership(raft_membership(solo.raft), moving());
    solo_all_durable(&solo);
    return solo;
}

static void assert_appended(const struct solo *solo, uint64_t index,
                            struct raft_membership membership)
{
    assert_int_equal(solo->update.append_first, index);
    assert_int_equal(solo->update.append_count, 1);
    assert_int_equal(solo->update.append_own, RAFT_OWN_MEMBERSHIP);
    assert_membership(solo->update.append_membership, membership);
    assert_membership(raft_membership(solo->raft), membership);
}

/* ---- refusals ---- */

static void test_only_a_leader_changes_the_membership(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NOT_LEADER);
    solo_change(&solo, moved());
    assert_int_equal(solo.update.append_count, 0);
    assert_membership(raft_membership(solo.raft), three());
    solo_close(&solo);
}

static void test_a_change_waits_for_a_commit_of_the_leaders_term(void **state)
{
    (void)state;
    struct raft_membership wanted = three_and_learners();
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_leader(&solo);
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_TOO_EARLY);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 1, 0); /* an entry of an older term */
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_TOO_EARLY);
    solo_accepted(&solo, 2, 2, 0);
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

static void test_one_change_at_a_time(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    solo_change(&solo, three_and_learners());
    assert_int_equal(solo_refusal(&solo, three()), RAFT_CHANGE_IN_PROGRESS);
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    assert_int_equal(solo_refusal(&solo, three()), RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);

    solo = joint_leader();
    assert_int_equal(solo_refusal(&solo, three()), RAFT_CHANGE_IN_PROGRESS);
    acknowledge(&solo, 2);
    acknowledge(&solo, 4); /* the joint one is committed, what it leads to is not */
    assert_false(raft_membership_is_joint(raft_membership(solo.raft)));
    assert_int_equal(solo_refusal(&solo, three()), RAFT_CHANGE_IN_PROGRESS);
    solo_all_durable(&solo);
    acknowledge(&solo, 4);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NONE);
    solo_close(&solo);
}

static void test_no_change_while_leadership_is_handed_over(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    solo_submit(&solo, 1);
    solo_transfer(&solo, 2);
    assert_int_equal(solo_refusal(&solo, three_and_learners()), RAFT_CHANGE_TRANSFERRING);
    solo_close(&solo);
}

static void test_unsound_memberships_are_refused(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    const struct raft_membership wanted[] = {
        {.count = 0},
        MEMBERS({1, RAFT_LEARNER}, {2, RAFT_LEARNER}),
        MEMBERS({1, RAFT_VOTER}, {4, RAFT_VOTER_INCOMING}),
        MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER | RAFT_STAYS}),
        MEMBERS({1, RAFT_VOTER}, {4, RAFT_VOTER | RAFT_PROMOTE}),
        MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_PROMOTE}),
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_int_equal(solo_refusal(&solo, wanted[i]), RAFT_CHANGE_UNSOUND);
    assert_int_equal(solo_refusal(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER},
                                                 {4, RAFT_PROMOTE}, {9, RAFT_PROMOTE})),
                     RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

static void test_the_version_rises_by_one_entry_and_never_falls(void **state)
{
    (void)state;
    struct raft_membership wanted = three();
    struct solo solo = leader_of(1, three());
    wanted.version = 3;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_POSSIBLE);
    solo_change(&solo, wanted);
    assert_appended(&solo, 3, wanted);
    assert_int_equal(raft_membership(solo.raft)->version, 3);
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    assert_int_equal(raft_commit_index(solo.raft), 3);
    assert_int_equal(solo_refusal(&solo, three()), RAFT_CHANGE_UNSOUND);
    wanted.version = 2;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_UNSOUND);
    solo_close(&solo);
}

static void test_a_stranger_does_not_become_a_voter_at_once(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NOT_CAUGHT_UP);
    solo_close(&solo);
}

static void test_a_new_voter_holds_nearly_all_entries(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_POSSIBLE);
    solo_submit(&solo, 4);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_POSSIBLE);
    solo_submit(&solo, 1);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NOT_CAUGHT_UP);
    solo_accepted(&solo, 4, 3, 0);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NOT_CAUGHT_UP);
    solo_accepted(&solo, 5, 3, 0);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_POSSIBLE);
    solo_rejected(&solo, 5, 6, 3, 2); /* a gap: it is probed again */
    assert_int_equal(solo_peer(&solo, 5).state, RAFT_PROBE);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NOT_CAUGHT_UP);
    solo_close(&solo);
}

static void test_a_new_voter_was_heard_of_within_a_timeout(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    solo_tick(&solo, ELECTION_MS - 1);
    acknowledge(&solo, 2);
    acknowledge(&solo, 5);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_POSSIBLE);
    solo_tick(&solo, 1);
    assert_int_equal(solo_refusal(&solo, moved()), RAFT_CHANGE_NOT_CAUGHT_UP);
    solo_close(&solo);
}

/* Between the last step and the question time has passed, which the step of the change will see. */
static void test_whether_a_change_can_begin_is_told_as_of_the_question(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    struct raft_membership wanted = moved();
    assert_int_equal(raft_change_refusal(solo.raft, &wanted, solo.now_ms), RAFT_CHANGE_POSSIBLE);
    assert_int_equal(raft_change_refusal(solo.raft, &wanted, solo.now_ms + ELECTION_MS),
                     RAFT_CHANGE_NOT_CAUGHT_UP);
    solo_close(&solo);
}

static void test_old_and_new_members_must_fit_into_one_membership(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    struct raft_membership wanted = MEMBERS({1, RAFT_VOTER});
    for (uint64_t id = 10; wanted.count < RAFT_MEMBERS_MAX; id++)
        solo_member_set(&wanted, id, RAFT_LEARNER);
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_TOO_MANY);
    wanted.count -= 2;
    assert_int_equal(solo_refusal(&solo, wanted), RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

/* Two of three are left, and one of the two is dead: nobody could commit anything any more. */
static void test_a_change_that_leaves_the_silent_in_charge_is_refused(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    for (int i = 0; i < 2 * ELECTION_MS / HEARTBEAT_MS; i++) {
        solo_tick(&solo, HEARTBEAT_MS);
        acknowledge(&solo, 2);
    }
    assert_int_equal(solo_refusal(&solo, MEMBERS({1, RAFT_VOTER}, {3, RAFT_VOTER})),
                     RAFT_CHANGE_OUT_OF_REACH);
    assert_int_equal(solo_refusal(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER})),
                     RAFT_CHANGE_POSSIBLE);
    solo_close(&solo);
}

static void test_the_membership_that_is_there_already_is_no_change(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    assert_int_equal(solo_refusal(&solo, three()), RAFT_CHANGE_NONE);
    solo_close(&solo);
}

static void test_to_begin_a_change_that_is_refused_is_a_bug(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    expect_assert_failure(solo_change(&solo, three()));
    expect_assert_failure(solo_change(&solo, moved()));
    solo_close(&solo);
}

/* ---- changes ---- */

static void test_a_learner_is_a_member_as_soon_as_its_entry_is_in_the_log(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three());
    struct raft_membership wanted = three();
    solo_member_set(&wanted, 4, RAFT_LEARNER);
    solo_change(&solo, wanted);
    assert_appended(&solo, 3, wanted);
    assert_int_equal(raft_counters(solo.raft).membership_changes, 1);
    const struct raft_message *request = solo_sent(&solo, RAFT_APPEND_REQUEST, 4);
    assert_non_null(request);
    assert_int_equal(request->append_request.prev_index, 3); /* it asks where the log ends */
    assert_int_equal(request->append_request.entry_count, 0);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)->append_request.first_index, 3);
    assert_false(solo_marked(&solo, RAFT_MARK_JOINT_ENTERED));
    solo_all_durable(&solo);
    acknowledge(&solo, 4); /* counts for nothing */
    assert_int_equal(solo.update.commit_index, 2);
    acknowledge(&solo, 3);
    assert_int_equal(solo.update.commit_index, 3);
    assert_int_equal(solo.update.append_count, 0); /* it is complete */
    solo_close(&solo);
}

static void test_new_voters_join_through_a_membership_of_both(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    solo_change(&solo, moved());
    assert_appended(&solo, 3, moving());
    assert_true(solo_marked(&solo, RAFT_MARK_JOINT_ENTERED));
    assert_false(solo_marked(&solo, RAFT_MARK_JOINT_LEFT));
    solo_close(&solo);
}

static void test_the_new_majority_alone_commits_nothing(void **state)
{
    (void)state;
    struct solo solo = joint_leader();
    acknowledge(&solo, 4);
    acknowledge(&solo, 5);
    assert_int_equal(solo.update.commit_index, 2);
    acknowledge(&solo, 3);
    assert_int_equal(solo.update.commit_index, 3);
    solo_close(&solo);
}

static void test_the_old_majority_alone_commits_nothing(void **state)
{
    (void)state;
    struct solo solo = joint_leader();
    acknowledge(&solo, 2);
    acknowledge(&solo, 3);
    assert_int_equal(solo.update.commit_index, 2);
    acknowledge(&solo, 5);
    assert_int_equal(solo.update.commit_index, 3);
    solo_close(&solo);
}

static void test_a_joint_membership_is_left_as_soon_as_it_is_committed(void **state)
{
    (void)state;
    struct solo solo = joint_leader();
    acknowledge(&solo, 2);
    assert_int_equal(solo.update.append_count, 0);
    acknowledge(&solo, 4);
    assert_appended(&solo, 4, moved());
    assert_true(solo_marked(&solo, RAFT_MARK_JOINT_LEFT));
    assert_false(solo_marked(&solo, RAFT_MARK_JOINT_INHERITED));
    assert_int_equal(raft_counters(solo.raft).membership_changes, 2);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2)); /* who left gets nothing more */
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 5)->append_request.commit, 3);
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    acknowledge(&solo, 3);
    assert_int_equal(solo.update.commit_index, 3);
    acknowledge(&solo, 5); /* the new set alone */
    assert_int_equal(solo.update.commit_index, 4);
    assert_int_equal(solo.update.append_count, 0);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static void test_a_read_needs_both_majorities(void **state)
{
    (void)state;
    struct solo solo = joint_leader();
    solo_read(&solo, 1);
    solo_accepted(&solo, 2, 2, 1);
    solo_accepted(&solo, 3, 2, 1);
    assert_int_equal(solo.update.read_count, 0);
    solo_accepted(&solo, 4, 2, 1);
    assert_int_equal(solo.update.read_count, 1);
    solo_read(&solo, 2);
    solo_accepted(&solo, 4, 2, 2);
    solo_accepted(&solo, 5, 2, 2);
    assert_int_equal(solo.update.read_count, 0);
    solo_accepted(&solo, 3, 2, 2);
    assert_int_equal(solo.update.read_count, 1);
    solo_close(&solo);
}

static void test_checkquorum_needs_both_majorities(void **state)
{
    (void)state;
    for (uint64_t silent = 2; silent <= 4; silent += 2) {
        struct solo solo = joint_leader();
        solo_tick(&solo, ELECTION_MS - 1);
        for (uint64_t from = 2; from <= 5; from++) {
            if (from / 2 != silent / 2) /* 2 and 3, or 4 and 5 */
                solo_accepted(&solo, from, 2, 0);
        }
        solo_tick(&solo, 1);
        assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
        assert_true(solo.update.leadership_lost);
        solo_close(&solo);
    }
    struct solo solo = joint_leader();
    solo_tick(&solo, ELECTION_MS - 1);
    solo_accepted(&solo, 2, 2, 0);
    solo_accepted(&solo, 4, 2, 0);
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

/* Node 1, which has the joint membership from the log. */
static struct solo joint_candidate(void)
{
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append_change(&solo, 2, 1, 1, 1, moving());
    assert_membership(raft_membership(solo.raft), moving());
    solo_all_durable(&solo);
    solo_to_precandidate(&solo);
    for (uint64_t to = 2; to <= 5; to++)
        assert_non_null(solo_sent(&solo, RAFT_VOTE_REQUEST, to));
    return solo;
}

static void test_an_election_needs_both_majorities(void **state)
{
    (void)state;
    struct solo solo = joint_candidate();
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 3, true, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_vote_response(&solo, 5, true, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 1, false, 2, true);
    solo_vote_response(&solo, 4, false, 2, true);
    solo_vote_response(&solo, 5, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 3, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static void test_one_lost_majority_of_two_is_a_lost_election(void **state)
{
    (void)state;
    struct solo solo = joint_candidate();
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 5, true, 2, true);
    solo_vote_response(&solo, 4, false, 2, false);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 5, false, 2, false);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_true(solo_marked(&solo, RAFT_MARK_SPLIT_VOTE));
    solo_close(&solo);
}

static void test_a_new_leader_finishes_a_joint_change(void **state)
{
    (void)state;
    struct solo solo = joint_candidate();
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 5, true, 2, true);
    for (uint64_t from = 1; from <= 5; from++)
        solo_vote_response(&solo, from, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    assert_int_equal(solo.update.append_count, 0);
    acknowledge(&solo, 4);
    assert_int_equal(solo.update.commit_index, 3);
    assert_appended(&solo, 4, moved());
    assert_true(solo_marked(&solo, RAFT_MARK_JOINT_INHERITED));
    assert_false(solo_marked(&solo, RAFT_MARK_JOINT_ENTERED));
    solo_close(&solo);
}

/* ---- the leader leaves ---- */

/* The leader of {1, 2, 3} moves the group to these; the joint membership is committed, and what it
 * leads to, entry 4, is durable on the leader. */
static struct solo leaving_leader(struct raft_membership wanted)
{
    struct raft_membership all = three_and_learners();
    struct solo solo = leader_of(1, all);
    solo_change(&solo, wanted);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 5; from++)
        solo_accepted(&solo, from, 3, 0);
    assert_membership(raft_membership(solo.raft), wanted);
    assert_int_equal(raft_last_index(solo.raft), 4);
    solo_all_durable(&solo);
    return solo;
}

static struct raft_membership without_1(void)
{
    return MEMBERS({2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_VOTER});
}

static void test_a_leader_outside_the_new_set_leads_until_that_is_committed(void **state)
{
    (void)state;
    struct solo solo = leaving_leader(without_1());
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_true(raft_accepts(solo.raft));
    solo_submit(&solo, 1);
    acknowledge(&solo, 3); /* it does not count itself */
    assert_int_equal(solo.update.commit_index, 3);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_tick(&solo, HEARTBEAT_MS);
    for (uint64_t to = 2; to <= 4; to++)
        assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, to));
    solo_close(&solo);
}

static void test_a_leader_that_left_steps_down_and_tells_who_is_nearest(void **state)
{
    (void)state;
    struct solo solo = leaving_leader(without_1());
    acknowledge(&solo, 3);
    solo.now_ms += 5;
    acknowledge(&solo, 4);
    assert_int_equal(solo.update.commit_index, 4);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_true(solo.update.role_changed);
    assert_true(solo.update.leadership_lost);
    assert_int_equal(raft_leader(solo.raft), 0);
    assert_int_equal(solo_count(&solo, RAFT_TIMEOUT_NOW, 4), 1); /* equal: the one heard of last */
    assert_int_equal(solo_count(&solo, RAFT_TIMEOUT_NOW, 3), 0);
    assert_true(solo_marked(&solo, RAFT_MARK_LEADER_REMOVED));
    assert_true(solo_marked(&solo, RAFT_MARK_TRANSFERRED));
    for (int i = 0; i < 5; i++) {
        solo_tick_at_deadline(&solo);
        assert_int_equal(solo.update.message_count, 0); /* and does not stand again */
    }
    assert_int_equal(raft_term(solo.raft), 2);
    solo_close(&solo);
}

static void test_the_last_voter_lets_a_leader_that_leaves_finish(void **state)
{
    (void)state;
    struct solo solo = solo_new(2, 1, TERMS(1));
    solo_append_change(&solo, 2, 1, 1, 1, MEMBERS({1, RAFT_VOTER}));
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(solo.raft), 2);
    assert_true(raft_deadline_ms(solo.raft) > solo.now_ms);
    solo_close(&solo);
}

static void test_a_leader_that_becomes_a_learner_steps_down_too(void **state)
{
    (void)state;
    struct raft_membership wanted = without_1();
    solo_member_set(&wanted, 1, RAFT_LEARNER);
    struct solo solo = leaving_leader(wanted);
    acknowledge(&solo, 2);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    acknowledge(&solo, 3);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(
        solo_count(&solo, RAFT_TIMEOUT_NOW, 3) + solo_count(&solo, RAFT_TIMEOUT_NOW, 2), 1);
    solo_tick_at_deadline(&solo);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

/* Nobody is told to follow while it lacks an entry. */
static struct solo leaver_that_waits(void)
{
    struct solo solo = leaving_leader(without_1());
    solo_submit(&solo, 1);
    solo_accepted(&solo, 3, 4, 0);
    solo_accepted(&solo, 4, 4, 0);
    assert_int_equal(solo.update.commit_index, 4);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_false(raft_accepts(solo.raft));
    for (uint64_t to = 2; to <= 4; to++)
        assert_int_equal(solo_count(&solo, RAFT_TIMEOUT_NOW, to), 0);
    return solo;
}

static void test_a_leader_that_left_waits_until_its_successor_has_all(void **state)
{
    (void)state;
    struct solo solo = leaver_that_waits();
    solo_accepted(&solo, 3, 5, 0); /* committed by 3 and 4 alone */
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_accepted(&solo, 4, 5, 0);
    assert_int_equal(solo.update.commit_index, 5);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(
        solo_count(&solo, RAFT_TIMEOUT_NOW, 3) + solo_count(&solo, RAFT_TIMEOUT_NOW, 4), 1);
    solo_close(&solo);
}

static void test_a_leader_that_left_waits_for_one_timeout_at_most(void **state)
{
    (void)state;
    struct solo solo = leaver_that_waits();
    solo_tick(&solo, ELECTION_MS - 1);
    solo_accepted(&solo, 3, 4, 0);
    solo_accepted(&solo, 4, 4, 0);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_false(solo_marked(&solo, RAFT_MARK_TRANSFERRED));
    solo_close(&solo);
}

static void test_a_node_that_left_votes_but_does_not_stand(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append_change(&solo, 2, 1, 1, 1, without_1());
    solo_append(&solo, 2, 1, 2, 1, 2, NO_ENTRIES); /* it is committed */
    solo_all_durable(&solo);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raft_deadline_ms(solo.raft), solo.now_ms + ELECTION_MS);
        solo_tick_at_deadline(&solo);
        assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    }
    solo_tick(&solo, ELECTION_MS);
    solo_vote_request(&solo, 3, false, 2, 2, 1); /* who asks may not know of the change yet */
    assert_true(solo_granted(&solo, 3));
    solo_close(&solo);
}

/* ---- promotion ---- */

static struct raft_membership three_and_promoted(void)
{
    return MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_PROMOTE},
                   {5, RAFT_PROMOTE});
}

/* 4 and 5 come new, to be promoted; their entry, 3, is committed. */
static struct solo promoting_leader(void)
{
    struct solo solo = leader_of(1, three());
    solo_submit(&solo, 5);
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    acknowledge(&solo, 3);
    solo_change(&solo, three_and_promoted());
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    acknowledge(&solo, 3);
    assert_int_equal(raft_commit_index(solo.raft), 8);
    assert_membership(raft_membership(solo.raft), three_and_promoted());
    return solo;
}

static void test_a_learner_is_promoted_when_it_has_caught_up(void **state)
{
    (void)state;
    struct solo solo = promoting_leader();
    assert_true(raft_may_append(solo.raft));
    solo_submit(&solo, 5);
    solo_rejected(&solo, 4, 8, 0, 0);
    solo_accepted(&solo, 4, 8, 0); /* one more than a message behind */
    assert_int_equal(solo.update.append_count, 0);
    solo_accepted(&solo, 4, 9, 0);
    assert_appended(
        &solo, 14,
        MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH}, {4, RAFT_VOTER_INCOMING}, {5, RAFT_PROMOTE}));
    assert_true(solo_marked(&solo, RAFT_MARK_LEARNER_PROMOTED));
    solo_close(&solo);
}

static void test_who_caught_up_meanwhile_is_promoted_by_the_next_change(void **state)
{
    (void)state;
    struct solo solo = promoting_leader();
    acknowledge(&solo, 4);
    acknowledge(&solo, 5);
    assert_int_equal(solo.update.append_count, 0); /* one change at a time */
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 4; from++)
        solo_accepted(&solo, from, 9, 0);
    assert_int_equal(raft_last_index(solo.raft), 10);
    solo_all_durable(&solo);
    for (uint64_t from = 2; from <= 4; from++)
        solo_accepted(&solo, from, 10, 0);
    assert_int_equal(raft_commit_index(solo.raft), 10);
    assert_membership(raft_membership(solo.raft), MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH},
                                                          {4, BOTH}, {5, RAFT_VOTER_INCOMING}));
    solo_close(&solo);
}

static void test_all_who_have_caught_up_are_promoted_at_once(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    solo_change(&solo, three_and_promoted());
    assert_false(raft_membership_is_joint(raft_membership(solo.raft)));
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    assert_appended(&solo, 4,
                    MEMBERS({1, BOTH}, {2, BOTH}, {3, BOTH}, {4, RAFT_VOTER_INCOMING},
                            {5, RAFT_VOTER_INCOMING}));
    solo_close(&solo);
}

static void test_a_learner_that_is_not_to_be_promoted_stays_one(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, three_and_learners());
    for (int i = 0; i < 3; i++) {
        acknowledge(&solo, 4);
        assert_int_equal(solo.update.append_count, 0);
    }
    assert_false(raft_may_append(solo.raft));
    solo_close(&solo);
}

static void test_nobody_is_promoted_while_leadership_is_handed_over(void **state)
{
    (void)state;
    struct solo solo = promoting_leader();
    solo_submit(&solo, 1);
    solo_transfer(&solo, 2);
    acknowledge(&solo, 4);
    assert_int_equal(solo.update.append_count, 0);
    solo.now_ms += ELECTION_MS - 1;
    acknowledge(&solo, 3);
    acknowledge(&solo, 4);
    solo_tick(&solo, 1); /* given up */
    assert_int_equal(solo.update.append_count, 1);
    assert_int_equal(solo.update.append_own, RAFT_OWN_MEMBERSHIP);
    solo_close(&solo);
}

static void test_a_leader_says_when_it_may_append_on_its_own(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    assert_true(raft_may_append(solo.raft)); /* it may win an election */
    solo_close(&solo);
    solo = leader_of(1, three_and_learners());
    assert_false(raft_may_append(solo.raft));
    solo_change(&solo, moved());
    assert_true(raft_may_append(solo.raft));
    solo_all_durable(&solo);
    acknowledge(&solo, 2);
    acknowledge(&solo, 4);
    assert_true(raft_may_append(solo.raft));
    solo_all_durable(&solo);
    acknowledge(&solo, 4);
    assert_int_equal(raft_commit_index(solo.raft), 4);
    assert_false(raft_may_append(solo.raft));
    solo_close(&solo);
}

/* ---- the log and the configurations ---- */

static void test_a_truncated_change_is_taken_back(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    struct raft_membership four = three();
    solo_member_set(&four, 4, RAFT_LEARNER);
    solo_append_change(&solo, 2, 1, 1, 1, four);
    solo_append_change(&solo, 2, 1, 2, 1, moving());
    assert_membership(raft_membership(solo.raft), moving());
    solo_append(&solo, 3, 2, 2, 1, 0, TERMS(2));
    assert_int_equal(solo.update.truncate_after, 2);
    assert_membership(raft_membership(solo.raft), four);
    assert_true(solo_marked(&solo, RAFT_MARK_CHANGE_TAKEN_BACK));
    solo_append(&solo, 2, 3, 1, 1, 0, TERMS(3));
    assert_membership(raft_membership(solo.raft), three());
    solo_close(&solo);
}

static void test_truncating_other_entries_takes_no_change_back(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append_change(&solo, 2, 1, 1, 1, moving());
    solo_append(&solo, 2, 1, 2, 1, 0, TERMS(1, 1));
    solo_append(&solo, 3, 2, 2, 1, 0, TERMS(2));
    assert_true(solo.update.truncate);
    assert_membership(raft_membership(solo.raft), moving());
    assert_false(solo_marked(&solo, RAFT_MARK_CHANGE_TAKEN_BACK));
    solo_close(&solo);
}

static void test_a_deposed_leader_takes_its_change_back(void **state)
{
    (void)state;
    struct solo solo = leader_of(5, MEMBERS({5, RAFT_VOTER}, {6, RAFT_VOTER}, {7, RAFT_VOTER}));
    solo_change(&solo,
                MEMBERS({1, RAFT_LEARNER}, {5, RAFT_VOTER}, {6, RAFT_VOTER}, {7, RAFT_VOTER}));
    solo_submit(&solo, 4);
    solo_append(&solo, 7, 3, 2, 2, 2, TERMS(3));
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_membership(raft_membership(solo.raft),
                      MEMBERS({5, RAFT_VOTER}, {6, RAFT_VOTER}, {7, RAFT_VOTER}));
    solo_all_durable(&solo);
    solo_to_precandidate(&solo);
    assert_null(solo_sent(&solo, RAFT_VOTE_REQUEST, 1));
    solo_vote_response(&solo, 6, true, 4, true);
    solo_vote_response(&solo, 5, false, 4, true);
    solo_vote_response(&solo, 6, false, 4, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 6));
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 7));
    solo_close(&solo);
}

static void test_what_is_known_of_members_moves_with_them(void **state)
{
    (void)state;
    struct solo solo = leader_of(5, MEMBERS({5, RAFT_VOTER}, {6, RAFT_VOTER}, {7, RAFT_VOTER}));
    solo_submit(&solo, 3);
    solo_all_durable(&solo);
    solo_accepted(&solo, 6, 5, 0);
    solo_accepted(&solo, 7, 3, 0);
    struct raft_peer_status six = solo_peer(&solo, 6), seven = solo_peer(&solo, 7);
    struct raft_membership wanted =
        MEMBERS({1, RAFT_LEARNER}, {5, RAFT_VOTER}, {6, RAFT_VOTER}, {7, RAFT_VOTER});
    solo_change(&solo, wanted);
    assert_int_equal(solo_peer(&solo, 6).match, six.match);
    assert_int_equal(solo_peer(&solo, 7).match, seven.match);
    assert_int_equal(solo_peer(&solo, 6).state, RAFT_REPLICATE);
    assert_int_equal(solo_peer(&solo, 6).next, 7);
    assert_int_equal(solo_peer(&solo, 7).in_flight, seven.in_flight + 1);
    assert_int_equal(solo_peer(&solo, 1).state, RAFT_PROBE);
    assert_int_equal(solo_peer(&solo, 1).match, 0);
    assert_int_equal(solo_peer(&solo, 1).last_contact_ms, 0);
    solo_all_durable(&solo);
    acknowledge(&solo, 7);
    solo_change(&solo, MEMBERS({5, RAFT_VOTER}, {6, RAFT_VOTER}, {7, RAFT_VOTER}));
    assert_int_equal(solo_peer(&solo, 7).match, 6);
    assert_int_equal(solo_peer(&solo, 6).match, 5);
    solo_close(&solo);
}

static void test_a_new_member_gets_a_timeout_before_it_counts_as_silent(void **state)
{
    (void)state;
    struct solo solo = leader_of(1, MEMBERS({1, RAFT_VOTER}, {2, RAFT_LEARNER}));
    solo_change(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}));
    solo_all_durable(&solo);
    assert_int_equal(raft_commit_index(solo.raft), 2); /* both sets: 2 has to hold it */
    solo_tick(&solo, ELECTION_MS - 1);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

static void test_a_membership_is_known_as_of_each_entry(void **state)
{
    (void)state;
    struct solo solo = joint_leader();
    acknowledge(&solo, 2);
    acknowledge(&solo, 4);
    solo_all_durable(&solo);
    assert_membership(raft_membership_at(solo.raft, 0), three_and_learners());
    assert_membership(raft_membership_at(solo.raft, 2), three_and_learners());
    assert_membership(raft_membership_at(solo.raft, 3), moving());
    assert_membership(raft_membership_at(solo.raft, 4), moved());
    assert_membership(raft_membership_at(solo.raft, 99), moved());
    solo_close(&solo);
}

static void test_compaction_keeps_the_membership_as_of_the_snapshot(void **state)
{
    (void)state;
    struct solo solo = joint_leader();
    acknowledge(&solo, 2);
    acknowledge(&solo, 4);
    solo_all_durable(&solo);
    acknowledge(&solo, 4);
    solo_submit(&solo, 1);
    solo_all_durable(&solo);
    acknowledge(&solo, 4);
    assert_int_equal(raft_commit_index(solo.raft), 5);
    solo_compact(&solo, 2, 1000, 3);
    assert_membership(raft_membership_at(solo.raft, 2), three_and_learners());
    solo_compact(&solo, 3, 1000, 3);
    assert_membership(raft_membership_at(solo.raft, 3), moving());
    assert_membership(raft_membership_at(solo.raft, 4), moved());
    solo_compact(&solo, 5, 1000, 6);
    assert_membership(raft_membership_at(solo.raft, 5), moved());
    assert_membership(raft_membership(solo.raft), moved());
    solo_close(&solo);
}

static void test_a_start_finds_the_newest_membership_in_the_log(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct raft_start start = {.hard_state = {.term = 2},
                               .base_index = 1,
                               .base_term = 1,
                               .snapshot = {.index = 3, .term = 1, .bytes = 1000}};
    struct solo solo = {.now_ms = 1000, .raft = solo_raft(&options, &start, 1000)};
    struct raft_membership before = MEMBERS({1, RAFT_VOTER}, {9, RAFT_VOTER});
    struct raft_membership joint = moving(), after = moved();
    const struct raft_membership *in_log[] = {NULL, &before, NULL, &joint, &after};
    for (uint64_t i = 0; i < 5; i++) {
        struct raft_entry entry = {
            .index = i + 2, .term = 1, .bytes = ENTRY_BYTES, .membership = in_log[i]};
        raft_load_entry(solo.raft, &entry);
        /* what the snapshot stands for is in its membership already */
        assert_membership(raft_membership(solo.raft), i < 3 ? three() : *in_log[i]);
    }
    assert_membership(raft_membership_at(solo.raft, 3), three());
    assert_membership(raft_membership_at(solo.raft, 5), moving());
    assert_membership(raft_membership_at(solo.raft, 6), moved());
    solo_close(&solo);
}

static void test_a_node_that_is_to_join_waits_for_the_log_to_name_it(void **state)
{
    (void)state;
    struct raft_options options = solo_options(4, 0);
    struct solo solo = solo_open(&options, (struct raft_hard_state){0}, NO_ENTRIES);
    for (int i = 0; i < 3; i++) {
        solo_tick_at_deadline(&solo);
        assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
        assert_int_equal(solo.update.message_count, 0);
    }
    solo_append_change(
        &solo, 1, 2, 0, 0,
        MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {3, RAFT_VOTER}, {4, RAFT_LEARNER}));
    assert_true(solo_response(&solo, 1)->append_response.success);
    solo_tick(&solo, 2 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_append_change(&solo, 1, 2, 1, 2, moving());
    solo_tick_at_deadline(&solo);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE); /* in the incoming set */
    solo_close(&solo);
}

static void test_memberships_come_in_the_order_of_the_log(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    for (uint64_t i = 1; i <= 12; i++) { /* more than are expected at once */
        struct raft_membership membership = three();
        solo_member_set(&membership, 10 + i, RAFT_LEARNER);
        solo_append_change(&solo, 2, 1, i, 1, membership);
    }
    for (uint64_t i = 1; i <= 12; i++)
        assert_non_null(raft_membership_find(raft_membership_at(solo.raft, i + 1), 10 + i));
    assert_int_equal(raft_membership(solo.raft)->count, 4);
    solo_close(&solo);
}

static void test_a_new_leader_appends_its_noop_before_it_finishes_a_change(void **state)
{
    (void)state;
    struct solo solo = joint_candidate();
    solo_append(&solo, 2, 1, 2, 1, 2, NO_ENTRIES); /* the joint membership is committed */
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    solo_vote_response(&solo, 5, true, 2, true);
    for (uint64_t from = 1; from <= 5; from++)
        solo_vote_response(&solo, from, false, 2, true);
    assert_int_equal(solo.update.append_count, 0);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(solo.update.append_count, 0);
    assert_int_equal(raft_last_index(solo.raft), 3);
    solo_close(&solo);
}

/* Its log may be the longest: nobody else could win then (dissertation §4.2.2). */
static void test_who_leaves_by_an_uncommitted_entry_may_be_needed_to_lead(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append_change(&solo, 2, 1, 1, 1, MEMBERS({2, RAFT_VOTER}));
    solo_all_durable(&solo);
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 2, true, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 1, false, 2, true); /* its own vote does not count */
    assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
    solo_vote_response(&solo, 2, false, 2, true);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 3, 0);
    assert_int_equal(solo.update.commit_index, 3);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(solo_count(&solo, RAFT_TIMEOUT_NOW, 2), 1);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_a_leader_changes_the_membership),
        cmocka_unit_test(test_a_change_waits_for_a_commit_of_the_leaders_term),
        cmocka_unit_test(test_one_change_at_a_time),
        cmocka_unit_test(test_no_change_while_leadership_is_handed_over),
        cmocka_unit_test(test_unsound_memberships_are_refused),
        cmocka_unit_test(test_the_version_rises_by_one_entry_and_never_falls),
        cmocka_unit_test(test_a_stranger_does_not_become_a_voter_at_once),
        cmocka_unit_test(test_a_new_voter_holds_nearly_all_entries),
        cmocka_unit_test(test_a_new_voter_was_heard_of_within_a_timeout),
        cmocka_unit_test(test_whether_a_change_can_begin_is_told_as_of_the_question),
        cmocka_unit_test(test_old_and_new_members_must_fit_into_one_membership),
        cmocka_unit_test(test_a_change_that_leaves_the_silent_in_charge_is_refused),
        cmocka_unit_test(test_the_membership_that_is_there_already_is_no_change),
        cmocka_unit_test(test_to_begin_a_change_that_is_refused_is_a_bug),
        cmocka_unit_test(test_a_learner_is_a_member_as_soon_as_its_entry_is_in_the_log),
        cmocka_unit_test(test_new_voters_join_through_a_membership_of_both),
        cmocka_unit_test(test_the_new_majority_alone_commits_nothing),
        cmocka_unit_test(test_the_old_majority_alone_commits_nothing),
        cmocka_unit_test(test_a_joint_membership_is_left_as_soon_as_it_is_committed),
        cmocka_unit_test(test_a_read_needs_both_majorities),
        cmocka_unit_test(test_checkquorum_needs_both_majorities),
        cmocka_unit_test(test_an_election_needs_both_majorities),
        cmocka_unit_test(test_one_lost_majority_of_two_is_a_lost_election),
        cmocka_unit_test(test_a_new_leader_finishes_a_joint_change),
        cmocka_unit_test(test_a_leader_outside_the_new_set_leads_until_that_is_committed),
        cmocka_unit_test(test_a_leader_that_left_steps_down_and_tells_who_is_nearest),
        cmocka_unit_test(test_the_last_voter_lets_a_leader_that_leaves_finish),
        cmocka_unit_test(test_a_leader_that_becomes_a_learner_steps_down_too),
        cmocka_unit_test(test_a_leader_that_left_waits_until_its_successor_has_all),
        cmocka_unit_test(test_a_leader_that_left_waits_for_one_timeout_at_most),
        cmocka_unit_test(test_a_node_that_left_votes_but_does_not_stand),
        cmocka_unit_test(test_a_learner_is_promoted_when_it_has_caught_up),
        cmocka_unit_test(test_who_caught_up_meanwhile_is_promoted_by_the_next_change),
        cmocka_unit_test(test_all_who_have_caught_up_are_promoted_at_once),
        cmocka_unit_test(test_a_learner_that_is_not_to_be_promoted_stays_one),
        cmocka_unit_test(test_nobody_is_promoted_while_leadership_is_handed_over),
        cmocka_unit_test(test_a_leader_says_when_it_may_append_on_its_own),
        cmocka_unit_test(test_a_truncated_change_is_taken_back),
        cmocka_unit_test(test_truncating_other_entries_takes_no_change_back),
        cmocka_unit_test(test_a_deposed_leader_takes_its_change_back),
        cmocka_unit_test(test_what_is_known_of_members_moves_with_them),
        cmocka_unit_test(test_a_new_member_gets_a_timeout_before_it_counts_as_silent),
        cmocka_unit_test(test_a_membership_is_known_as_of_each_entry),
        cmocka_unit_test(test_compaction_keeps_the_membership_as_of_the_snapshot),
        cmocka_unit_test(test_a_start_finds_the_newest_membership_in_the_log),
        cmocka_unit_test(test_a_node_that_is_to_join_waits_for_the_log_to_name_it),
        cmocka_unit_test(test_memberships_come_in_the_order_of_the_log),
        cmocka_unit_test(test_a_new_leader_appends_its_noop_before_it_finishes_a_change),
        cmocka_unit_test(test_who_leaves_by_an_uncommitted_entry_may_be_needed_to_lead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
