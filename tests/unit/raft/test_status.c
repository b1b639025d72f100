#include "unit/raft/solo.h"

static struct raft_status status_of(const struct solo *solo)
{
    struct raft_status status;
    raft_status(solo->raft, &status);
    return status;
}

/* Node 2 of 1 to 3 and the learner 4 leads term 2; entry 2, its no-op, is committed. */
static struct solo leader(void)
{
    struct raft_options options = solo_options(2, 3);
    raft_membership_set(&options.membership, 4, RAFT_LEARNER);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    solo_to_precandidate(&solo);
    solo_vote_response(&solo, 1, true, 2, true);
    solo_vote_response(&solo, 2, false, 2, true);
    solo_vote_response(&solo, 1, false, 2, true);
    solo_all_durable(&solo);
    solo_accepted(&solo, 1, 2, 0);
    assert_int_equal(raft_commit_index(solo.raft), 2);
    return solo;
}

static void test_a_new_node_knows_nothing_but_itself(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 0, NO_ENTRIES);
    struct raft_status status = status_of(&solo);
    assert_int_equal(status.role, RAFT_FOLLOWER);
    assert_int_equal(status.term, 0);
    assert_int_equal(status.vote, 0);
    assert_int_equal(status.leader, 0);
    assert_int_equal(status.first_index, 1);
    assert_int_equal(status.last_index, 0);
    assert_int_equal(status.last_term, 0);
    assert_int_equal(status.durable_index, 0);
    assert_int_equal(status.commit_index, 0);
    assert_int_equal(status.snapshot.index, 0);
    assert_int_equal(status.receiving_index, 0);
    assert_true(status.self_is_voter);
    assert_false(status.joint);
    assert_int_equal(status.change_index, 0);
    assert_true(status.change_is_committed);
    assert_int_equal(status.transfer_target, 0);
    assert_int_equal(status.lease_until_ms, 0);
    assert_int_equal(status.last_contact_ms, 0);
    assert_int_equal(status.reads_waiting, 0);
    assert_int_equal(status.peer_count, 2);
    assert_int_equal(raft_id(solo.raft), 1);
    assert_int_equal(raft_marks(solo.raft), 0);
    solo_close(&solo);
}

static void test_a_follower_says_whom_it_follows_and_what_it_holds(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 4, TERMS(1, 1, 3));
    solo.now_ms += 7;
    solo_append(&solo, 3, 5, 3, 3, 2, TERMS(5));
    struct raft_status status = status_of(&solo);
    assert_int_equal(status.term, 5);
    assert_int_equal(status.leader, 3);
    assert_int_equal(status.last_index, 4);
    assert_int_equal(status.last_term, 5);
    assert_int_equal(status.durable_index, 3);
    assert_int_equal(status.commit_index, 2);
    assert_int_equal(status.last_contact_ms, solo.now_ms);
    assert_int_equal(raft_last_contact_ms(solo.raft), solo.now_ms);
    assert_int_equal(raft_holders(solo.raft, 1), 0); /* it does not know */
    solo_close(&solo);
}

static void test_a_leader_knows_what_all_that_keep_up_have_stored(void **state)
{
    (void)state;
    struct solo solo = leader();
    uint64_t start = solo.now_ms;
    solo_submit(&solo, 10); /* entries 3 to 12 */
    solo_all_durable(&solo);
    assert_int_equal(raft_stored_by_all(solo.raft, 0, start), 2); /* node 1; nobody else answered */
    solo.now_ms += 100;
    solo_accepted(&solo, 1, 9, 0);
    solo_accepted(&solo, 4, 5, 0);
    assert_int_equal(raft_stored_by_all(solo.raft, 0, start), 5); /* a learner counts */
    assert_int_equal(raft_stored_by_all(solo.raft, 5, start), 5);
    assert_int_equal(raft_stored_by_all(solo.raft, 6, start), 9);   /* it is too far behind */
    assert_int_equal(raft_stored_by_all(solo.raft, 10, start), 12); /* and so are all */
    solo.now_ms += 100;
    solo_accepted(&solo, 1, 11, 0);
    assert_int_equal(raft_stored_by_all(solo.raft, 0, solo.now_ms), 11); /* node 4 is silent */
    assert_int_equal(raft_stored_by_all(solo.raft, 0, solo.now_ms + 1), 12);
    solo_close(&solo);
}

static void test_a_follower_knows_of_no_others(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 4, TERMS(1, 1, 3));
    assert_int_equal(raft_stored_by_all(solo.raft, 0, 0), 3);
    solo_close(&solo);
}

static void test_a_leader_describes_its_peers_by_ascending_id(void **state)
{
    (void)state;
    struct solo solo = leader();
    solo.now_ms += 5;
    solo_accepted(&solo, 1, 2, 0);
    solo_submit(&solo, 5);
    struct raft_status status = status_of(&solo);
    assert_int_equal(status.role, RAFT_LEADER);
    assert_int_equal(status.leader, 2);
    assert_int_equal(status.vote, 2);
    assert_int_equal(status.peer_count, 3);
    const uint64_t ids[] = {1, 3, 4};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(status.peers[i].id, ids[i]);
    const struct raft_peer_status *first = &status.peers[0], *learner = &status.peers[2];
    assert_true(first->voter);
    assert_int_equal(first->roles, RAFT_VOTER);
    assert_int_equal(first->state, RAFT_REPLICATE);
    assert_int_equal(first->match, 2);
    assert_int_equal(first->next, 8);
    assert_int_equal(first->in_flight, 2);
    assert_int_equal(first->in_flight_bytes, 5 * ENTRY_BYTES);
    assert_int_equal(first->last_contact_ms, solo.now_ms);
    assert_false(learner->voter);
    assert_int_equal(learner->roles, RAFT_LEARNER);
    assert_int_equal(learner->state, RAFT_PROBE);
    assert_int_equal(learner->in_flight, 0);
    assert_int_equal(first->silent_since_ms, solo.now_ms);
    assert_int_equal(learner->last_contact_ms, 0); /* the election is no word of it */
    assert_true(learner->silent_since_ms > 0);     /* but begins its silence */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(raft_peer_contact_ms(solo.raft, ids[i]), status.peers[i].last_contact_ms);
    assert_int_equal(raft_peer_contact_ms(solo.raft, 2), 0);
    assert_int_equal(raft_peer_contact_ms(solo.raft, 5), 0);
    solo_close(&solo);
}

static void test_a_leaders_contact_is_that_of_a_majority(void **state)
{
    (void)state;
    struct solo solo = leader();
    uint64_t elected_ms = solo.now_ms;
    solo.now_ms += 10;
    solo_accepted(&solo, 4, 2, 0);
    assert_int_equal(status_of(&solo).last_contact_ms, elected_ms);
    solo_accepted(&solo, 3, 2, 0);
    assert_int_equal(status_of(&solo).last_contact_ms, solo.now_ms);
    solo_close(&solo);
}

static void test_holders_are_counted_with_the_leader_once_durable(void **state)
{
    (void)state;
    struct solo solo = leader();
    solo_submit(&solo, 1);
    assert_int_equal(raft_holders(solo.raft, 2), 2);
    assert_int_equal(raft_holders(solo.raft, 3), 0);
    solo_accepted(&solo, 4, 3, 0);
    assert_int_equal(raft_holders(solo.raft, 3), 1);
    solo_all_durable(&solo);
    assert_int_equal(raft_holders(solo.raft, 3), 2);
    solo_close(&solo);
}

static void test_reads_that_wait_are_counted_on_the_leader_alone(void **state)
{
    (void)state;
    struct solo solo = leader();
    solo_read(&solo, 1);
    solo_read(&solo, 2);
    assert_int_equal(status_of(&solo).reads_waiting, 2);
    solo_accepted(&solo, 3, 2, 1);
    assert_int_equal(status_of(&solo).reads_waiting, 1);
    solo_append(&solo, 3, 3, 2, 2, 2, NO_ENTRIES);
    assert_int_equal(status_of(&solo).reads_waiting, 0); /* lost with the leadership */
    solo_close(&solo);
}

static void test_a_change_is_told_from_its_entry_to_its_end(void **state)
{
    (void)state;
    struct solo solo = leader();
    solo_accepted(&solo, 4, 2, 0);
    solo_change(&solo, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {4, RAFT_VOTER}));
    struct raft_status status = status_of(&solo);
    assert_true(status.joint);
    assert_int_equal(status.change_index, 3);
    assert_false(status.change_is_committed);
    assert_int_equal(status.peers[1].id, 3);
    assert_true(status.peers[1].voter); /* in the set that is left */
    assert_int_equal(status.peers[2].roles, RAFT_VOTER_INCOMING);
    assert_true(status.peers[2].voter); /* in the set that is entered */
    solo_all_durable(&solo);
    solo_accepted(&solo, 1, 3, 0);
    status = status_of(&solo);
    assert_false(status.joint);
    assert_int_equal(status.change_index, 4);
    assert_false(status.change_is_committed);
    assert_int_equal(status.peer_count, 2);
    solo_all_durable(&solo);
    solo_accepted(&solo, 1, 4, 0);
    assert_true(status_of(&solo).change_is_committed);
    solo_close(&solo);
}

static void test_who_has_no_vote_says_so(void **state)
{
    (void)state;
    struct raft_options options = solo_options(4, 3);
    struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 1}, TERMS(1));
    assert_false(status_of(&solo).self_is_voter); /* a stranger */
    assert_int_equal(status_of(&solo).peer_count, 3);
    solo_append_change(&solo, 1, 1, 1, 1, MEMBERS({1, RAFT_VOTER}, {4, RAFT_LEARNER}));
    assert_false(status_of(&solo).self_is_voter);
    assert_int_equal(status_of(&solo).peer_count, 1);
    solo_append_change(&solo, 1, 1, 2, 1, MEMBERS({1, RAFT_VOTER}, {4, RAFT_VOTER_INCOMING}));
    assert_true(status_of(&solo).self_is_voter);
    solo_close(&solo);
}

static void test_snapshots_are_told_on_both_sides(void **state)
{
    (void)state;
    struct solo solo = leader();
    solo_compact(&solo, 2, 2500, 3);
    solo_rejected(&solo, 3, 2, 0, 0);
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_SNAPSHOT);
    solo_chunk_answer(&solo, 3, 2, 1000);
    assert_int_equal(solo_peer(&solo, 3).snapshot_offset, 1000);
    struct raft_status status = status_of(&solo);
    assert_int_equal(status.first_index, 3);
    assert_int_equal(status.snapshot.index, 2);
    assert_int_equal(status.snapshot.term, 2);
    assert_int_equal(status.snapshot.bytes, 2500);
    assert_int_equal(raft_snapshot(solo.raft).index, 2);
    solo_close(&solo);

    solo = solo_new(3, 5, TERMS(1));
    struct raft_snapshot snapshot = {.index = 20, .term = 4, .bytes = 2500};
    solo_chunk(&solo, 2, 5, snapshot, 0, 1000);
    status = status_of(&solo);
    assert_int_equal(status.receiving_index, 20);
    assert_int_equal(status.receiving_offset, 1000);
    assert_int_equal(status.receiving_bytes, 2500);
    solo_chunk(&solo, 2, 5, snapshot, 1000, 1000);
    solo_chunk(&solo, 2, 5, snapshot, 2000, 500);
    solo_installed(&solo, snapshot, MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}));
    status = status_of(&solo);
    assert_int_equal(status.receiving_index, 0);
    assert_int_equal(status.receiving_offset, 0);
    assert_int_equal(status.receiving_bytes, 0);
    assert_int_equal(status.snapshot.index, 20);
    assert_int_equal(status.first_index, 21);
    assert_int_equal(status.change_index, 20);
    assert_int_equal(raft_counters(solo.raft).snapshots_installed, 1);
    solo_close(&solo);
}

static void test_leaders_are_counted_when_they_change(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(raft_counters(solo.raft).leader_changes, 1);
    solo_append(&solo, 2, 2, 1, 1, 0, NO_ENTRIES); /* again the same */
    assert_int_equal(raft_counters(solo.raft).leader_changes, 1);
    solo_append(&solo, 3, 3, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(raft_counters(solo.raft).leader_changes, 2);
    solo_close(&solo);
}

static void test_every_mark_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int mark = 0; mark < RAFT_MARKS; mark++) {
        const char *name = raft_mark_name((enum raft_mark)mark);
        assert_non_null(name);
        for (int other = 0; other < mark; other++)
            assert_string_not_equal(name, raft_mark_name((enum raft_mark)other));
    }
    assert_true(RAFT_MARKS <= 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_node_knows_nothing_but_itself),
        cmocka_unit_test(test_a_follower_says_whom_it_follows_and_what_it_holds),
        cmocka_unit_test(test_a_leader_knows_what_all_that_keep_up_have_stored),
        cmocka_unit_test(test_a_follower_knows_of_no_others),
        cmocka_unit_test(test_a_leader_describes_its_peers_by_ascending_id),
        cmocka_unit_test(test_a_leaders_contact_is_that_of_a_majority),
        cmocka_unit_test(test_holders_are_counted_with_the_leader_once_durable),
        cmocka_unit_test(test_reads_that_wait_are_counted_on_the_leader_alone),
        cmocka_unit_test(test_a_change_is_told_from_its_entry_to_its_end),
        cmocka_unit_test(test_who_has_no_vote_says_so),
        cmocka_unit_test(test_snapshots_are_told_on_both_sides),
        cmocka_unit_test(test_leaders_are_counted_when_they_change),
        cmocka_unit_test(test_every_mark_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
