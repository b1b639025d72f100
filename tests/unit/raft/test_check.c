/* What no correct member can have sent, and what one can. */
#include "unit/raft/solo.h"

#define refuses(solo, message, expected)                                                           \
    assert_string_equal(raft_message_refusal((solo)->raft, &(message)), expected)
#define takes(solo, message) assert_null(raft_message_refusal((solo)->raft, &(message)))

/* Node 2 leads term 5; entries 1 to 4 are here, of terms 1, 1, 3, 5; the first three are committed.
 */
static struct solo follower(void)
{
    struct solo solo = solo_new(3, 5, TERMS(1, 1, 3, 5));
    struct raft_message heartbeat = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 5};
    heartbeat.append_request.prev_index = 4;
    heartbeat.append_request.prev_term = 5;
    heartbeat.append_request.commit = 3;
    solo_receive(&solo, heartbeat);
    assert_int_equal(raft_commit_index(solo.raft), 3);
    return solo;
}

static struct raft_message append_of(uint64_t term, uint64_t prev, uint64_t prev_term,
                                     const struct raft_entry *entries, size_t count)
{
    struct raft_message append = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = term};
    append.append_request.prev_index = prev;
    append.append_request.prev_term = prev_term;
    append.append_request.first_index = prev + 1;
    append.append_request.entries = entries;
    append.append_request.entry_count = count;
    return append;
}

static void test_a_term_that_leaps_is_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_message request = {.type = RAFT_VOTE_REQUEST, .from = 3, .term = UINT64_MAX};
    refuses(&solo, request, "a term beyond all reason");
    request.term = 5 + (UINT64_C(1) << 32);
    takes(&solo, request);
    request.term++;
    refuses(&solo, request, "a term that leaps");
    solo_close(&solo);
    solo = solo_new(3, UINT64_C(1) << 62, TERMS(1));
    request.term = UINT64_C(1) << 62;
    takes(&solo, request);
    request.term++;
    refuses(&solo, request, "a term beyond all reason");
    solo_close(&solo);
}

static void test_a_second_leader_of_a_term_is_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    static const enum raft_message_type types[] = {RAFT_APPEND_REQUEST, RAFT_TIMEOUT_NOW,
                                                   RAFT_SNAPSHOT_REQUEST};
    for (size_t i = 0; i < 3; i++) {
        struct raft_message message = {.type = types[i], .from = 3, .term = 5};
        if (types[i] == RAFT_SNAPSHOT_REQUEST) {
            message.snapshot_request.index = 9;
            message.snapshot_request.term = 5;
            message.snapshot_request.total = 1;
        }
        refuses(&solo, message, "two leaders of one term");
        message.from = 2;
        takes(&solo, message);
        message.from = 3;
        message.term = 6;
        takes(&solo, message);
        message.term = 0;
        if (types[i] != RAFT_SNAPSHOT_REQUEST)
            refuses(&solo, message, "a leader of no term");
    }
    solo_close(&solo);
}

static void test_entries_against_what_is_committed_are_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    const struct raft_entry third = {.index = 3, .term = 2};
    struct raft_message append = append_of(5, 2, 1, &third, 1);
    refuses(&solo, append, "another entry than the one that is committed");
    append.term = 4; /* a leader that was deposed since: it does not know better */
    takes(&solo, append);
    const struct raft_entry fourth = {.index = 4, .term = 4};
    append = append_of(5, 3, 3, &fourth, 1);
    takes(&solo, append); /* not committed: a leader may well overwrite it */
    solo_close(&solo);
}

static void test_entries_against_a_snapshots_end_are_refused(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo = solo_open_snapshot(&options, 10, 4, 100);
    struct raft_entry entries[3] = {
        {.index = 9, .term = 1}, {.index = 10, .term = 1}, {.index = 11, .term = 2}};
    struct raft_message append = append_of(5, 8, 1, entries, 3);
    refuses(&solo, append, "another entry than the one that is committed");
    entries[1].term = entries[2].term = 4;
    takes(&solo, append);
    solo_close(&solo);
}

static void test_entries_that_cannot_follow_each_other_are_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_entry entries[2] = {{.index = 5, .term = 5}, {.index = 7, .term = 5}};
    struct raft_message append = append_of(5, 4, 5, entries, 2);
    refuses(&solo, append, "entries out of order");
    entries[1].index = 6;
    takes(&solo, append);
    entries[1].term = 4;
    refuses(&solo, append, "entries out of order");
    entries[1].term = 6;
    refuses(&solo, append, "an entry of a later term than its sender's");
    append = append_of(6, 0, 0, entries, 1);
    entries[0] = (struct raft_entry){.index = 1, .term = 0};
    refuses(&solo, append, "an entry of no term");
    const struct raft_membership nobody = {.count = 0};
    entries[0] = (struct raft_entry){.index = 5, .term = 5, .membership = &nobody};
    append = append_of(5, 4, 5, entries, 1);
    refuses(&solo, append, "a membership without voters");
    solo_close(&solo);
}

static void test_an_append_at_a_place_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_message append = append_of(5, 4, 6, NULL, 0);
    refuses(&solo, append, "an entry before the first one that cannot be");
    append = append_of(5, 0, 1, NULL, 0);
    refuses(&solo, append, "an entry before the first one that cannot be");
    append = append_of(5, 1, 0, NULL, 0);
    refuses(&solo, append, "an entry before the first one that cannot be");
    append = append_of(5, UINT64_MAX - 1, 5, NULL, 0);
    refuses(&solo, append, "an index beyond all reason");
    append = append_of(5, 4, 5, NULL, 0);
    append.append_request.commit = UINT64_MAX;
    refuses(&solo, append, "an index beyond all reason");
    solo_close(&solo);
}

static void test_a_candidate_with_a_log_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_message request = {.type = RAFT_VOTE_REQUEST, .from = 3, .term = 6};
    takes(&solo, request); /* an empty log */
    request.vote_request.last_index = 1;
    refuses(&solo, request, "a last entry that cannot be");
    request.vote_request.last_term = 7;
    refuses(&solo, request, "a last entry that cannot be");
    request.vote_request.last_term = 5;
    takes(&solo, request);
    request.vote_request.last_index = UINT64_MAX;
    refuses(&solo, request, "a last entry that cannot be");
    request.term = 0;
    refuses(&solo, request, "a candidate of no term");
    solo_close(&solo);
}

static void test_a_vote_that_was_not_asked_for_is_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_message vote = {.type = RAFT_VOTE_RESPONSE, .from = 3, .term = 6};
    takes(&solo, vote); /* a refusal tells this node that it is behind */
    vote.vote_response.granted = true;
    refuses(&solo, vote, "a vote that was not asked for");
    vote.vote_response.pre = true;
    takes(&solo, vote);
    vote.vote_response.pre = false;
    vote.term = 5;
    takes(&solo, vote);
    solo_close(&solo);
}

static void test_a_snapshot_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_message chunk = {.type = RAFT_SNAPSHOT_REQUEST, .from = 2, .term = 5};
    chunk.snapshot_request.index = 9;
    chunk.snapshot_request.term = 6;
    chunk.snapshot_request.total = 100;
    chunk.snapshot_request.bytes = 10;
    refuses(&solo, chunk, "a snapshot of an entry that cannot be");
    chunk.snapshot_request.term = 0;
    refuses(&solo, chunk, "a snapshot of an entry that cannot be");
    chunk.snapshot_request.term = 5;
    takes(&solo, chunk);
    chunk.snapshot_request.offset = 91;
    refuses(&solo, chunk, "a piece that is not of its snapshot");
    chunk.snapshot_request.offset = 0;
    solo_receive(&solo, chunk);
    chunk.snapshot_request.offset = 10;
    takes(&solo, chunk);
    chunk.snapshot_request.total = 1000;
    refuses(&solo, chunk, "a snapshot whose size has changed");
    chunk.snapshot_request.total = chunk.snapshot_request.offset = chunk.snapshot_request.bytes = 0;
    refuses(&solo, chunk, "a piece that is not of its snapshot");
    solo_close(&solo);
}

static void test_answers_about_what_a_leader_does_not_have_are_refused(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1, 1, 3, 5));
    solo_to_leader(&solo);
    uint64_t last = raft_last_index(solo.raft);
    struct raft_message append = append_of(raft_term(solo.raft), 4, 5, NULL, 0);
    refuses(&solo, append, "another leader of the term that this node leads");
    struct raft_message answer = {
        .type = RAFT_APPEND_RESPONSE, .from = 2, .term = raft_term(solo.raft)};
    answer.append_response.success = true;
    answer.append_response.match = last;
    takes(&solo, answer);
    answer.append_response.match = last + 1;
    refuses(&solo, answer, "an answer about entries that this node does not have");
    answer.term--; /* old news */
    takes(&solo, answer);
    answer.term++;
    answer.append_response.match = 0;
    answer.append_response.hint_index = last + 1;
    refuses(&solo, answer, "an answer about entries that this node does not have");
    answer.append_response.hint_index = 0;
    answer.append_response.rejected_prev = last + 1;
    refuses(&solo, answer, "an answer about entries that this node does not have");
    answer.append_response.rejected_prev = 0;
    answer.append_response.read_context = 1;
    refuses(&solo, answer, "an answer to a round that was not begun");
    answer.append_response.read_context = 0;
    answer.append_response.sent_ms = solo.now_ms + 1;
    refuses(&solo, answer, "an answer to what was not sent yet");
    answer.append_response.sent_ms = solo.now_ms;
    takes(&solo, answer);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_term_that_leaps_is_refused),
        cmocka_unit_test(test_a_second_leader_of_a_term_is_refused),
        cmocka_unit_test(test_entries_against_what_is_committed_are_refused),
        cmocka_unit_test(test_entries_against_a_snapshots_end_are_refused),
        cmocka_unit_test(test_entries_that_cannot_follow_each_other_are_refused),
        cmocka_unit_test(test_an_append_at_a_place_that_cannot_be_is_refused),
        cmocka_unit_test(test_a_candidate_with_a_log_that_cannot_be_is_refused),
        cmocka_unit_test(test_a_vote_that_was_not_asked_for_is_refused),
        cmocka_unit_test(test_a_snapshot_that_cannot_be_is_refused),
        cmocka_unit_test(test_answers_about_what_a_leader_does_not_have_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
