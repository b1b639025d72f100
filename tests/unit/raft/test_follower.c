#include "unit/raft/solo.h"

static void assert_terms(const struct solo *solo, const uint64_t *terms)
{
    uint64_t last = 0;
    for (; terms[last] != 0; last++)
        assert_int_equal(raft_term_of(solo->raft, last + 1), terms[last]);
    assert_int_equal(raft_last_index(solo->raft), last);
}

static void test_new_entries_are_written_before_they_are_acknowledged(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    assert_terms(&solo, TERMS(1, 2, 2));
    assert_false(solo.update.truncate);
    assert_int_equal(solo.update.append_first, 2);
    assert_int_equal(solo.update.append_count, 2);
    assert_int_equal(solo.update.append_own, RAFT_OWN_NONE);
    const struct raft_message *response = solo_response(&solo, 2);
    assert_true(response->append_response.success);
    assert_int_equal(response->append_response.match, 3);
    assert_true(response->when_durable);
    solo_close(&solo);
}

static void test_an_append_of_an_older_term_is_refused_with_the_newer_one(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1));
    uint64_t deadline = raft_deadline_ms(solo.raft);
    solo.now_ms += 10;
    solo_append(&solo, 2, 4, 1, 1, 1, TERMS(4));
    assert_terms(&solo, TERMS(1));
    assert_int_equal(raft_leader(solo.raft), 0);
    assert_int_equal(raft_commit_index(solo.raft), 0);
    assert_int_equal(raft_deadline_ms(solo.raft), deadline);
    const struct raft_message *response = solo_response(&solo, 2);
    assert_false(response->append_response.success);
    assert_int_equal(response->term, 5);
    solo_close(&solo);
}

static void test_an_append_of_an_older_term_confirms_no_read(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1));
    solo_append(&solo, 2, 4, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(solo_response(&solo, 2)->append_response.read_context, 0);
    assert_int_equal(solo_response(&solo, 2)->append_response.rejected_prev, 0);
    solo_close(&solo);
}

static void test_the_leader_is_known_by_its_append(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_append(&solo, 2, 3, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(raft_leader(solo.raft), 2);
    assert_int_equal(raft_term(solo.raft), 3);
    assert_true(solo.update.role_changed);
    assert_true(solo.update.hard_state_changed);
    assert_int_equal(raft_last_contact_ms(solo.raft), solo.now_ms);
    assert_true(solo_response(&solo, 2)->when_durable); /* the term is not durable yet */
    solo_close(&solo);
}

static void test_each_append_holds_off_the_election(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    for (int i = 0; i < 30; i++) {
        solo_append(&solo, 2, 1, 1, 1, 0, NO_ENTRIES);
        solo_tick(&solo, ELECTION_MS - 1);
        assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    }
    solo_close(&solo);
}

static void test_a_gap_is_refused_with_a_hint(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1, 2));
    solo_append(&solo, 2, 2, 5, 2, 5, TERMS(2));
    assert_terms(&solo, TERMS(1, 2));
    assert_int_equal(raft_commit_index(solo.raft), 0);
    const struct raft_message *response = solo_response(&solo, 2);
    assert_false(response->append_response.success);
    assert_int_equal(response->append_response.rejected_prev, 5);
    assert_int_equal(response->append_response.hint_index, 2);
    assert_int_equal(response->append_response.hint_term, 2);
    assert_int_equal(response->append_response.read_context, 7);
    assert_false(response->when_durable);
    solo_close(&solo);
}

static void test_a_conflict_before_the_entries_is_refused_with_a_hint(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 6, TERMS(1, 1, 4, 4, 4));
    solo_append(&solo, 2, 6, 5, 3, 0, TERMS(6));
    assert_terms(&solo, TERMS(1, 1, 4, 4, 4));
    const struct raft_message *response = solo_response(&solo, 2);
    assert_false(response->append_response.success);
    assert_int_equal(response->append_response.hint_index, 2); /* skips all of term 4 */
    assert_int_equal(response->append_response.hint_term, 1);
    solo_close(&solo);
}

static void test_a_conflict_truncates_from_the_first_entry_that_differs(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 4, TERMS(1, 1, 2, 2, 2));
    solo_append(&solo, 2, 4, 1, 1, 0, TERMS(1, 3, 4));
    assert_true(solo.update.truncate);
    assert_int_equal(solo.update.truncate_after, 2);
    assert_int_equal(solo.update.append_first, 3);
    assert_int_equal(solo.update.append_count, 2);
    assert_int_equal(raft_durable_index(solo.raft), 2);
    assert_terms(&solo, TERMS(1, 1, 3, 4));
    solo_close(&solo);
}

static void test_an_old_append_that_comes_late_truncates_nothing(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1, 2, 2, 2));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2));
    assert_false(solo.update.truncate);
    assert_int_equal(solo.update.append_count, 0);
    assert_terms(&solo, TERMS(1, 2, 2, 2));
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 2);
    solo_append(&solo, 2, 2, 1, 1, 0, NO_ENTRIES);
    assert_terms(&solo, TERMS(1, 2, 2, 2));
    solo_close(&solo);
}

static void test_match_is_prev_plus_count_of_that_message(void **state)
{
    (void)state;
    /* Entries 3 and 4 may differ from the leader's: only what the message covers is agreed on. */
    struct solo solo = solo_new(3, 2, TERMS(1, 1, 1, 1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(1));
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 2);
    assert_int_equal(solo_response(&solo, 2)->append_response.hint_index, 2);
    solo_append(&solo, 2, 2, 1, 1, 0, NO_ENTRIES);
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 1);
    solo_close(&solo);
}

static void test_a_duplicate_is_acknowledged_again_and_written_once(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    assert_int_equal(solo.update.append_count, 0);
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 3);
    assert_true(solo_response(&solo, 2)->when_durable); /* the first write may still be under way */
    solo_durable(&solo, 3, 2);
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    assert_false(solo_response(&solo, 2)->when_durable);
    solo_close(&solo);
}

static void test_an_overlapping_append_writes_only_what_is_new(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1, 2));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2, 2));
    assert_false(solo.update.truncate);
    assert_int_equal(solo.update.append_first, 3);
    assert_int_equal(solo.update.append_count, 2);
    solo_close(&solo);
}

static void test_a_follower_commits_no_further_than_the_last_new_entry(void **state)
{
    (void)state;
    /* Entries 3 and 4 are of a dead leader, the new one has committed others there. */
    struct solo solo = solo_new(3, 3, TERMS(1, 1, 2, 2));
    solo_append(&solo, 2, 3, 1, 1, 4, TERMS(1));
    assert_int_equal(solo.update.commit_index, 2);
    solo_append(&solo, 2, 3, 1, 1, 4, NO_ENTRIES);
    assert_int_equal(solo.update.commit_index, 2);
    solo_append(&solo, 2, 3, 2, 1, 3, TERMS(3, 3));
    assert_int_equal(solo.update.commit_index, 3);
    solo_close(&solo);
}

static void test_commit_does_not_go_back(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    solo_append(&solo, 2, 1, 3, 1, 3, NO_ENTRIES);
    solo_append(&solo, 2, 1, 1, 1, 1, TERMS(1)); /* an old one, late */
    assert_int_equal(solo.update.commit_index, 3);
    solo_close(&solo);
}

static void test_truncating_a_committed_entry_is_a_bug(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    solo_append(&solo, 2, 1, 3, 1, 2, NO_ENTRIES);
    expect_assert_failure(solo_append(&solo, 3, 2, 1, 1, 0, TERMS(2)));
    solo_close(&solo);
}

static void test_an_uncommitted_entry_right_behind_commit_can_be_replaced(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1));
    solo_append(&solo, 2, 1, 3, 1, 2, NO_ENTRIES);
    solo_append(&solo, 3, 2, 2, 1, 0, TERMS(2));
    assert_terms(&solo, TERMS(1, 1, 2));
    solo_close(&solo);
}

static void test_a_heartbeat_is_answered_while_the_disk_is_busy(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    solo_append(&solo, 2, 2, 3, 2, 0, NO_ENTRIES);
    const struct raft_message *response = solo_response(&solo, 2);
    assert_true(response->append_response.success);
    assert_false(response->when_durable);
    assert_int_equal(response->append_response.read_context, 7);
    assert_int_equal(response->append_response.match, 1);
    assert_int_equal(response->append_response.hint_index, 3);
    solo_durable(&solo, 2, 2);
    solo_append(&solo, 2, 2, 3, 2, 0, NO_ENTRIES);
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 2);
    solo_close(&solo);
}

static void test_an_acknowledgement_that_may_be_lost_is_given_again(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    solo_append(&solo, 2, 2, 3, 2, 0, NO_ENTRIES);
    assert_int_equal(solo.update.message_count, 1);
    solo.now_ms += HEARTBEAT_MS;
    for (int i = 0; i < 3; i++) {
        solo_append(&solo, 2, 2, 3, 2, 0, NO_ENTRIES);
        assert_false(solo_response(&solo, 2)->when_durable);
        assert_int_equal(solo.update.message_count, i == 0 ? 2 : 1);
        if (i > 0)
            continue;
        const struct raft_message *again = solo_nth(&solo, RAFT_APPEND_RESPONSE, 2, 1);
        assert_true(again->when_durable);
        assert_int_equal(again->append_response.match, 3);
    }
    solo_close(&solo);
}

static void test_durable_reports_must_match_the_log(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2, 2));
    solo_durable(&solo, 3, 1);
    assert_int_equal(raft_durable_index(solo.raft), 1);
    solo_durable(&solo, 9, 2);
    assert_int_equal(raft_durable_index(solo.raft), 1);
    solo_durable(&solo, 3, 2);
    assert_int_equal(raft_durable_index(solo.raft), 3);
    solo_durable(&solo, 2, 2);
    assert_int_equal(raft_durable_index(solo.raft), 3);
    solo_close(&solo);
}

/* Entry (2, 2) is written, replaced by (2, 3), and written again. The report of the first write
 * says nothing about the disk that has the second and not yet the third. */
static void test_a_late_report_of_a_write_that_was_undone_is_not_believed(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 2, TERMS(1));
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(2));
    solo_append(&solo, 3, 3, 1, 1, 0, TERMS(3));
    solo_append(&solo, 2, 4, 1, 1, 0, TERMS(2));
    solo_durable(&solo, 2, 2);
    assert_int_equal(raft_durable_index(solo.raft), 1);
    solo_append(&solo, 2, 4, 2, 2, 0, TERMS(4));
    solo_durable(&solo, 3, 4);
    assert_int_equal(raft_durable_index(solo.raft), 3);
    solo_close(&solo);
}

static void test_an_append_that_overlaps_the_snapshot_is_taken(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo = solo_open_snapshot(&options, 5, 2, 100);
    solo_append(&solo, 2, 2, 3, 1, 0, TERMS(1, 2, 2));
    assert_false(solo.update.truncate);
    assert_int_equal(solo.update.append_first, 6);
    assert_int_equal(solo.update.append_count, 1);
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 6);
    solo_append(&solo, 2, 2, 1, 1, 0, TERMS(1));
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 2);
    assert_int_equal(raft_last_index(solo.raft), 6);
    solo_close(&solo);
}

static void test_messages_to_another_node_are_ignored(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .to = 3, .term = 9};
    solo_step(&solo, (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message});
    assert_int_equal(raft_term(solo.raft), 1);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_entries_are_written_before_they_are_acknowledged),
        cmocka_unit_test(test_an_append_of_an_older_term_is_refused_with_the_newer_one),
        cmocka_unit_test(test_an_append_of_an_older_term_confirms_no_read),
        cmocka_unit_test(test_the_leader_is_known_by_its_append),
        cmocka_unit_test(test_each_append_holds_off_the_election),
        cmocka_unit_test(test_a_gap_is_refused_with_a_hint),
        cmocka_unit_test(test_a_conflict_before_the_entries_is_refused_with_a_hint),
        cmocka_unit_test(test_a_conflict_truncates_from_the_first_entry_that_differs),
        cmocka_unit_test(test_an_old_append_that_comes_late_truncates_nothing),
        cmocka_unit_test(test_match_is_prev_plus_count_of_that_message),
        cmocka_unit_test(test_a_duplicate_is_acknowledged_again_and_written_once),
        cmocka_unit_test(test_an_overlapping_append_writes_only_what_is_new),
        cmocka_unit_test(test_a_follower_commits_no_further_than_the_last_new_entry),
        cmocka_unit_test(test_commit_does_not_go_back),
        cmocka_unit_test(test_truncating_a_committed_entry_is_a_bug),
        cmocka_unit_test(test_an_uncommitted_entry_right_behind_commit_can_be_replaced),
        cmocka_unit_test(test_a_heartbeat_is_answered_while_the_disk_is_busy),
        cmocka_unit_test(test_an_acknowledgement_that_may_be_lost_is_given_again),
        cmocka_unit_test(test_durable_reports_must_match_the_log),
        cmocka_unit_test(test_a_late_report_of_a_write_that_was_undone_is_not_believed),
        cmocka_unit_test(test_an_append_that_overlaps_the_snapshot_is_taken),
        cmocka_unit_test(test_messages_to_another_node_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
