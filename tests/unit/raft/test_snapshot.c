#include "unit/raft/solo.h"

enum { TOTAL = 2500, CHUNK = 1000, HALF_MS = ELECTION_MS / 2 };

/* ---- the leader's side ---- */

/* Node 1 leads term 2 of three with ten entries of term 1 and its no-op, which 2 holds too; the
 * first eight are in a snapshot. Of 3 nothing is known. */
static struct solo compacted_leader(void)
{
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 11, 0);
    assert_int_equal(solo.update.commit_index, 11);
    solo_compact(&solo, 8, TOTAL, 9);
    return solo;
}

/* And 3 turns out to hold nothing. */
static struct solo sending_leader(void)
{
    struct solo solo = compacted_leader();
    solo_rejected(&solo, 3, 10, 0, 0);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.prev_index, 8);
    solo_rejected(&solo, 3, 8, 0, 0);
    return solo;
}

static void assert_chunk(const struct solo *solo, uint64_t index, uint64_t offset, uint64_t bytes,
                         uint64_t total)
{
    assert_int_equal(solo_count(solo, RAFT_SNAPSHOT_REQUEST, 3), 1);
    const struct raft_message *request = solo_sent(solo, RAFT_SNAPSHOT_REQUEST, 3);
    assert_int_equal(request->term, 2);
    assert_int_equal(request->snapshot_request.index, index);
    assert_int_equal(request->snapshot_request.offset, offset);
    assert_int_equal(request->snapshot_request.bytes, bytes);
    assert_int_equal(request->snapshot_request.total, total);
    assert_false(request->when_durable);
}

static void assert_no_chunk(const struct solo *solo)
{
    assert_null(solo_sent(solo, RAFT_SNAPSHOT_REQUEST, 3));
}

static void test_a_follower_that_needs_what_is_gone_gets_the_first_chunk(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    assert_chunk(&solo, 8, 0, CHUNK, TOTAL);
    assert_int_equal(solo_sent(&solo, RAFT_SNAPSHOT_REQUEST, 3)->snapshot_request.term, 1);
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_SNAPSHOT);
    assert_int_equal(raft_counters(solo.raft).snapshots_sent, 1);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_NEEDED));
    assert_false(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RESTARTED));
    solo_close(&solo);
}

static void test_what_the_log_still_holds_is_sent_from_the_log(void **state)
{
    (void)state;
    struct solo solo = compacted_leader();
    solo_rejected(&solo, 3, 10, 8, 1); /* exactly what the snapshot stands for */
    assert_no_chunk(&solo);
    const struct raft_message *probe = solo_sent(&solo, RAFT_APPEND_REQUEST, 3);
    assert_int_equal(probe->append_request.prev_index, 8);
    assert_int_equal(probe->append_request.prev_term, 1);
    assert_int_equal(probe->append_request.entry_count, 3);
    solo_close(&solo);
}

static void test_each_answer_brings_the_next_chunk(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 1000);
    assert_chunk(&solo, 8, 1000, CHUNK, TOTAL);
    assert_int_equal(solo_peer(&solo, 3).snapshot_offset, 1000);
    solo_chunk_answer(&solo, 3, 8, 2000);
    assert_chunk(&solo, 8, 2000, 500, TOTAL);
    solo_chunk_answer(&solo, 3, 8, 2500);
    assert_int_equal(solo.update.message_count, 0); /* it is installing */
    assert_int_equal(raft_counters(solo.raft).snapshots_sent, 1);
    assert_false(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RESTARTED));
    solo_close(&solo);
}

static void test_a_small_snapshot_is_one_chunk(void **state)
{
    (void)state;
    struct solo solo = compacted_leader();
    solo_compact(&solo, 9, CHUNK, 10);
    solo_rejected(&solo, 3, 10, 0, 0);
    solo_rejected(&solo, 3, 9, 0, 0);
    assert_chunk(&solo, 9, 0, CHUNK, CHUNK);
    solo_close(&solo);
}

static void test_replication_goes_on_behind_an_installed_snapshot(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_submit(&solo, 2);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    assert_non_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 2));
    solo_chunk_answer(&solo, 3, 8, 2500);
    solo_accepted(&solo, 3, 8, 0);
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_REPLICATE);
    assert_int_equal(solo_peer(&solo, 3).match, 8);
    const struct raft_message *append = solo_sent(&solo, RAFT_APPEND_REQUEST, 3);
    assert_int_equal(append->append_request.first_index, 9);
    assert_int_equal(append->append_request.entry_count, 4);
    assert_int_equal(solo_peer(&solo, 3).snapshot_offset, 0);
    solo_close(&solo);
}

static void test_agreement_below_the_logs_base_does_not_end_a_snapshot(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_accepted(&solo, 3, 7, 0); /* a late answer */
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_SNAPSHOT);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

static void test_a_lost_chunk_is_sent_again_after_half_a_timeout(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 1000);
    uint64_t sent_ms = solo.now_ms;
    for (int i = 0; i < 3; i++) {
        while (solo.now_ms < sent_ms + HALF_MS) {
            solo_accepted(&solo, 2, 11, 0);
            assert_true(raft_deadline_ms(solo.raft) <= sent_ms + HALF_MS);
            solo_tick_at_deadline(&solo);
            if (solo.now_ms < sent_ms + HALF_MS)
                assert_no_chunk(&solo);
        }
        assert_int_equal(solo.now_ms, sent_ms + HALF_MS);
        assert_chunk(&solo, 8, 1000, CHUNK, TOTAL);
        sent_ms = solo.now_ms;
    }
    solo_close(&solo);
}

static void test_pieces_of_a_chunk_put_off_sending_it_again(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    for (int i = 0; i < 5; i++) {
        solo_tick(&solo, HALF_MS - 1);
        assert_no_chunk(&solo);
        solo_peer_alive(&solo, 3);
        solo_accepted(&solo, 2, 11, 0);
    }
    solo_tick(&solo, HALF_MS - 1);
    assert_no_chunk(&solo);
    solo_tick(&solo, 1);
    assert_chunk(&solo, 8, 0, CHUNK, TOTAL);
    solo_close(&solo);
}

static void test_a_follower_that_has_all_chunks_is_asked_how_far_it_is(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, TOTAL);
    solo_tick(&solo, HALF_MS);
    assert_chunk(&solo, 8, TOTAL, 0, TOTAL);
    solo_close(&solo);
}

static void test_an_answer_that_comes_twice_sends_nothing_twice(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 1000);
    solo_chunk_answer(&solo, 3, 8, 1000);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

static void test_a_follower_that_lost_its_part_gets_it_again(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 2000);
    solo_chunk_answer(&solo, 3, 8, 0);
    assert_chunk(&solo, 8, 0, CHUNK, TOTAL);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RESTARTED));
    solo_chunk_answer(&solo, 3, 8, TOTAL);
    solo_chunk_answer(&solo, 3, 8, 0); /* it could not install it */
    assert_chunk(&solo, 8, 0, CHUNK, TOTAL);
    solo_close(&solo);
}

static void test_answers_about_another_snapshot_or_of_nobody_move_nothing(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 7, 1000);
    assert_int_equal(solo.update.message_count, 0);
    solo_chunk_answer(&solo, 3, 8, TOTAL + 1);
    assert_int_equal(solo.update.message_count, 0);
    solo_chunk_answer(&solo, 9, 8, 1000);
    assert_int_equal(solo.update.message_count, 0);
    solo_chunk_answer(&solo, 1, 8, 1000);
    assert_int_equal(solo.update.message_count, 0);
    solo_chunk_answer(&solo, 2, 8, 1000); /* it gets the log */
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(solo_peer(&solo, 3).snapshot_offset, 0);
    solo_close(&solo);
}

static void test_an_answer_about_more_of_a_snapshot_than_there_is_is_refused(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    struct raft_message answer = {.type = RAFT_SNAPSHOT_RESPONSE,
                                  .from = 3,
                                  .term = 2,
                                  .snapshot_response = {.index = 8, .offset = TOTAL}};
    assert_null(raft_message_refusal(solo.raft, &answer));
    answer.snapshot_response.offset = TOTAL + 1;
    assert_string_equal(raft_message_refusal(solo.raft, &answer),
                        "an answer about more of a snapshot than there is");
    answer.snapshot_response.index = 7; /* an older one */
    assert_null(raft_message_refusal(solo.raft, &answer));
    solo_close(&solo);
}

static void test_answers_of_an_older_term_move_nothing(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo.now_ms += 10;
    solo_receive(&solo, (struct raft_message){.type = RAFT_SNAPSHOT_RESPONSE,
                                              .from = 3,
                                              .term = 1,
                                              .snapshot_response = {.index = 8, .offset = 1000}});
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(solo_peer(&solo, 3).snapshot_offset, 0);
    assert_true(solo_peer(&solo, 3).last_contact_ms < solo.now_ms);
    solo_close(&solo);
}

static void test_a_refusal_with_a_newer_term_ends_the_leadership(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_receive(&solo,
                 (struct raft_message){.type = RAFT_SNAPSHOT_RESPONSE, .from = 3, .term = 5});
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_term(solo.raft), 5);
    solo_chunk_answer(&solo, 3, 8, 1000); /* late */
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

static void test_a_newer_snapshot_is_begun_anew(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 1000);
    solo_compact(&solo, 10, 3000, 9); /* the log still reaches back as far */
    assert_no_chunk(&solo);
    solo_chunk_answer(&solo, 3, 8, 2000);
    assert_chunk(&solo, 10, 0, CHUNK, 3000);
    assert_int_equal(raft_counters(solo.raft).snapshots_sent, 2);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RESTARTED));
    solo_chunk_answer(&solo, 3, 8, 1000); /* a late one, about the old snapshot */
    assert_int_equal(solo.update.message_count, 0);
    solo_chunk_answer(&solo, 3, 10, 1000);
    assert_chunk(&solo, 10, 1000, CHUNK, 3000);
    solo_close(&solo);
}

static void test_a_snapshot_whose_log_went_on_without_it_is_begun_anew_at_once(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 1000);
    solo_compact(&solo, 10, 3000, 11);
    assert_chunk(&solo, 10, 0, CHUNK, 3000);
    assert_int_equal(solo_peer(&solo, 3).next, 11);
    solo_tick(&solo, HEARTBEAT_MS); /* heartbeats name what the log begins behind */
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.prev_index, 10);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.prev_term, 1);
    solo_close(&solo);
}

static void test_compaction_sends_a_snapshot_to_whom_it_overtakes(void **state)
{
    (void)state;
    struct solo solo = solo_new(4, 1, TERMS(1, 1, 1, 1, 1, 1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_rejected(&solo, 4, 6, 2, 1); /* probed at 3 */
    solo_accepted(&solo, 2, 7, 0);
    solo_accepted(&solo, 3, 7, 0);
    assert_int_equal(solo.update.commit_index, 7);
    solo_compact(&solo, 5, TOTAL, 3);
    assert_int_equal(solo.update.message_count, 0);
    solo_compact(&solo, 5, TOTAL, 4);
    assert_int_equal(solo.update.message_count, 1);
    assert_int_equal(solo_count(&solo, RAFT_SNAPSHOT_REQUEST, 4), 1);
    assert_int_equal(solo_peer(&solo, 4).state, RAFT_SNAPSHOT);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    solo_compact(&solo, 7, TOTAL, 8); /* the others need 8 next: that comes from the log */
    assert_int_equal(solo_count(&solo, RAFT_SNAPSHOT_REQUEST, 2), 0);
    assert_int_equal(solo_peer(&solo, 2).state, RAFT_REPLICATE);
    solo_close(&solo);
}

static void test_appends_under_way_are_forgotten_when_a_snapshot_begins(void **state)
{
    (void)state;
    struct solo solo = compacted_leader();
    solo_accepted(&solo, 3, 11, 0);
    solo_submit(&solo, 8);
    assert_int_equal(solo_peer(&solo, 3).in_flight, 2);
    solo_rejected(&solo, 3, 19, 0, 0); /* it has lost all */
    solo_rejected(&solo, 3, 8, 0, 0);
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_SNAPSHOT);
    assert_int_equal(solo_peer(&solo, 3).in_flight, 0);
    assert_int_equal(solo_peer(&solo, 3).in_flight_bytes, 0);
    assert_true(solo_peer(&solo, 3).match < 8);
    assert_true(solo_marked(&solo, RAFT_MARK_MATCH_LOWERED));
    solo_close(&solo);
}

static void test_heartbeats_go_on_beside_the_chunks_and_their_refusals_change_nothing(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_tick(&solo, HEARTBEAT_MS);
    const struct raft_message *heartbeat = solo_sent(&solo, RAFT_APPEND_REQUEST, 3);
    assert_int_equal(heartbeat->append_request.prev_index, 8);
    assert_int_equal(heartbeat->append_request.prev_term, 1);
    assert_int_equal(heartbeat->append_request.entry_count, 0);
    assert_no_chunk(&solo);
    solo_rejected(&solo, 3, 8, 0, 0);
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(raft_counters(solo.raft).snapshots_sent, 1);
    solo_close(&solo);
}

static void test_answers_to_chunks_count_for_checkquorum(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    for (int i = 0; i < 20; i++) {
        solo_tick(&solo, 100);
        solo_chunk_answer(&solo, 3, 8, 0);
    }
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

static void test_a_follower_compacts_and_sends_nothing(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1, 1));
    solo_append(&solo, 2, 1, 4, 1, 3, NO_ENTRIES);
    solo_compact(&solo, 3, TOTAL, 3);
    assert_int_equal(solo.update.message_count, 0);
    assert_int_equal(raft_snapshot(solo.raft).index, 3);
    assert_int_equal(raft_snapshot(solo.raft).bytes, TOTAL);
    assert_int_equal(raft_first_index(solo.raft), 3);
    assert_int_equal(raft_term_of(solo.raft, 2), 1);
    assert_int_equal(raft_term_of(solo.raft, 1), 0);
    assert_int_equal(raft_last_index(solo.raft), 4);
    solo_close(&solo);
}

static void test_snapshots_stand_for_committed_entries_and_only_grow(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1, 1));
    solo_append(&solo, 2, 1, 4, 1, 3, NO_ENTRIES);
    expect_assert_failure(solo_compact(&solo, 4, TOTAL, 4)); /* not committed */
    expect_assert_failure(solo_compact(&solo, 2, TOTAL, 4)); /* entries that it does not hold */
    solo_compact(&solo, 3, TOTAL, 1);
    expect_assert_failure(solo_compact(&solo, 2, TOTAL, 1));
    solo_close(&solo);
}

/* ---- the follower's side ---- */

static const struct raft_snapshot AT_20 = {.index = 20, .term = 3, .bytes = TOTAL};

/* Node 1 of three in term 5 with three entries, of which two are committed; 2 leads. */
static struct solo follower(void)
{
    struct solo solo = solo_new(3, 5, TERMS(1, 1, 2));
    solo_append(&solo, 2, 5, 2, 1, 2, NO_ENTRIES);
    return solo;
}

static void assert_answer(const struct solo *solo, uint64_t index, uint64_t offset)
{
    assert_int_equal(solo->update.message_count, 1);
    const struct raft_message *response = solo_sent(solo, RAFT_SNAPSHOT_RESPONSE, 2);
    assert_non_null(response);
    assert_int_equal(response->term, 5);
    assert_int_equal(response->snapshot_response.index, index);
    assert_int_equal(response->snapshot_response.offset, offset);
    assert_true(response->when_durable);
}

static void receive_all(struct solo *solo, struct raft_snapshot snapshot)
{
    solo_chunk(solo, 2, 5, snapshot, 0, 1000);
    solo_chunk(solo, 2, 5, snapshot, 1000, 1000);
    solo_chunk(solo, 2, 5, snapshot, 2000, 500);
    assert_true(solo->update.chunk_received && solo->update.chunk.last);
}

static struct raft_membership voters(uint64_t count)
{
    return solo_options(1, count).membership;
}

static void test_chunks_are_written_in_order_and_answered_when_durable(void **state)
{
    (void)state;
    struct solo solo = follower();
    for (uint64_t offset = 0; offset < TOTAL; offset += CHUNK) {
        uint64_t bytes = offset + CHUNK < TOTAL ? CHUNK : TOTAL - offset;
        solo_chunk(&solo, 2, 5, AT_20, offset, bytes);
        assert_true(solo.update.chunk_received);
        assert_int_equal(solo.update.chunk.snapshot.index, 20);
        assert_int_equal(solo.update.chunk.snapshot.term, 3);
        assert_int_equal(solo.update.chunk.snapshot.bytes, TOTAL);
        assert_int_equal(solo.update.chunk.offset, offset);
        assert_int_equal(solo.update.chunk.bytes, bytes);
        assert_int_equal(solo.update.chunk.last, offset + bytes == TOTAL);
        assert_answer(&solo, 20, offset + bytes);
        assert_int_equal(solo_sent(&solo, RAFT_SNAPSHOT_RESPONSE, 2)->snapshot_response.term, 3);
    }
    assert_false(solo.update.install);
    assert_int_equal(raft_last_index(solo.raft), 3);
    assert_false(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RESUMED));
    solo_close(&solo);
}

static void test_behind_a_lost_chunk_the_follower_says_where_to_go_on(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_chunk(&solo, 2, 5, AT_20, 0, 1000);
    solo_chunk(&solo, 2, 5, AT_20, 2000, 500);
    assert_false(solo.update.chunk_received);
    assert_answer(&solo, 20, 1000);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RESUMED));
    solo_chunk(&solo, 2, 5, AT_20, 1000, 1000);
    assert_true(solo.update.chunk_received);
    solo_close(&solo);
}

static void test_a_chunk_that_comes_twice_is_written_once(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_chunk(&solo, 2, 5, AT_20, 0, 1000);
    solo_chunk(&solo, 2, 5, AT_20, 1000, 1000);
    solo_chunk(&solo, 2, 5, AT_20, 0, 1000);
    assert_false(solo.update.chunk_received);
    assert_answer(&solo, 20, 2000);
    solo_close(&solo);
}

static void test_an_empty_chunk_only_asks(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_chunk(&solo, 2, 5, AT_20, TOTAL, 0);
    assert_false(solo.update.chunk_received);
    assert_answer(&solo, 20, TOTAL);
    solo_close(&solo);
}

static void test_a_newer_snapshot_takes_the_place_of_what_was_received(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot newer = {.index = 30, .term = 4, .bytes = 1500};
    solo_chunk(&solo, 2, 5, AT_20, 0, 1000);
    solo_chunk(&solo, 2, 5, newer, 0, 1000);
    assert_true(solo.update.chunk_received);
    assert_int_equal(solo.update.chunk.offset, 0);
    assert_int_equal(solo.update.chunk.snapshot.index, 30);
    assert_answer(&solo, 30, 1000);
    struct raft_status status;
    raft_status(solo.raft, &status);
    assert_int_equal(status.receiving_index, 30);
    assert_int_equal(status.receiving_offset, 1000);
    assert_int_equal(status.receiving_bytes, 1500);
    solo_close(&solo);
}

static void test_a_snapshot_of_another_term_is_another_snapshot(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot other = AT_20;
    other.term = 4;
    solo_chunk(&solo, 2, 5, AT_20, 0, 1000);
    solo_chunk(&solo, 2, 5, other, 1000, 1000);
    assert_false(solo.update.chunk_received);
    assert_answer(&solo, 20, 0);
    solo_close(&solo);
}

/* Two leaders' snapshots of the same entry need not be the same bytes. */
static void test_chunks_of_two_leaders_are_not_put_together(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_chunk(&solo, 2, 5, AT_20, 0, 1000);
    solo_chunk(&solo, 3, 6, AT_20, 1000, 1000);
    assert_false(solo.update.chunk_received);
    assert_int_equal(solo_sent(&solo, RAFT_SNAPSHOT_RESPONSE, 3)->snapshot_response.offset, 0);
    solo_chunk(&solo, 3, 6, AT_20, 0, 1000);
    assert_true(solo.update.chunk_received);
    assert_int_equal(solo.update.chunk.offset, 0);
    solo_close(&solo);
}

static void test_a_follower_that_restarted_asks_for_the_beginning(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_chunk(&solo, 2, 5, AT_20, 2000, 500);
    assert_false(solo.update.chunk_received);
    assert_answer(&solo, 20, 0);
    solo_close(&solo);
}

static void test_a_chunk_of_an_older_term_is_refused_with_the_newer_one(void **state)
{
    (void)state;
    struct solo solo = follower();
    uint64_t deadline_ms = raft_deadline_ms(solo.raft);
    solo.now_ms += 10;
    solo_chunk(&solo, 3, 4, AT_20, 0, 1000);
    assert_false(solo.update.chunk_received);
    const struct raft_message *response = solo_sent(&solo, RAFT_SNAPSHOT_RESPONSE, 3);
    assert_int_equal(response->term, 5);
    assert_int_equal(response->snapshot_response.index, 0);
    assert_int_equal(raft_leader(solo.raft), 2);
    assert_int_equal(raft_deadline_ms(solo.raft), deadline_ms);
    solo_close(&solo);
}

static void test_the_leader_is_known_by_its_chunk(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1));
    solo_to_candidate(&solo); /* of term 2 */
    solo.now_ms += 50;
    solo_chunk(&solo, 3, 2, AT_20, 0, 1000);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_leader(solo.raft), 3);
    assert_true(raft_deadline_ms(solo.raft) >= solo.now_ms + ELECTION_MS);
    solo_chunk(&solo, 2, 7, AT_20, 0, 1000);
    assert_int_equal(raft_leader(solo.raft), 2);
    assert_int_equal(raft_term(solo.raft), 7);
    assert_true(solo.update.hard_state_changed);
    solo_close(&solo);
}

static void test_a_chunk_for_the_leader_of_its_term_is_a_bug(void **state)
{
    (void)state;
    struct solo solo = compacted_leader();
    expect_assert_failure(solo_chunk(&solo, 3, 2, AT_20, 0, 1000));
    solo_close(&solo);
}

static void assert_has_it(const struct solo *solo, uint64_t match, uint64_t agreed)
{
    assert_false(solo->update.chunk_received);
    assert_int_equal(solo->update.message_count, 1);
    const struct raft_message *response = solo_response(solo, 2);
    assert_true(response->append_response.success);
    assert_int_equal(response->append_response.match, match);
    assert_int_equal(response->append_response.hint_index, agreed);
    assert_int_equal(response->append_response.read_context, 0);
}

static void test_a_snapshot_at_or_below_the_commit_index_is_not_needed(void **state)
{
    (void)state;
    struct solo solo = follower();
    for (uint64_t index = 1; index <= 2; index++) {
        struct raft_snapshot late = {.index = index, .term = 1, .bytes = TOTAL};
        solo_chunk(&solo, 2, 5, late, 0, 1000);
        assert_has_it(&solo, index, index);
        assert_false(solo_response(&solo, 2)->when_durable);
        assert_int_equal(raft_commit_index(solo.raft), 2);
    }
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_LATE));
    assert_false(solo_marked(&solo, RAFT_MARK_SNAPSHOT_IN_LOG));
    solo_close(&solo);
}

static void test_what_is_not_durable_is_not_acknowledged_by_a_late_snapshot(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_append(&solo, 2, 5, 3, 2, 5, TERMS(5, 5)); /* committed, not on this disk yet */
    assert_int_equal(raft_commit_index(solo.raft), 5);
    struct raft_snapshot late = {.index = 5, .term = 5, .bytes = TOTAL};
    solo_chunk(&solo, 2, 5, late, 0, 1000);
    assert_has_it(&solo, 3, 5);
    solo_close(&solo);
}

static void test_a_log_that_holds_the_snapshots_last_entry_keeps_all(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_append(&solo, 2, 5, 3, 2, 0, TERMS(5, 5, 5));
    solo_durable(&solo, 4, 5);
    struct raft_snapshot held = {.index = 5, .term = 5, .bytes = TOTAL};
    solo_chunk(&solo, 2, 5, held, 0, 1000);
    assert_has_it(&solo, 4, 5);
    assert_int_equal(solo.update.commit_index, 5);
    assert_int_equal(raft_last_index(solo.raft), 6);
    assert_int_equal(raft_first_index(solo.raft), 1);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_IN_LOG));
    solo_close(&solo);
}

static void test_an_entry_of_another_term_at_the_same_index_is_not_the_snapshots(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot other = {.index = 3, .term = 4, .bytes = TOTAL};
    solo_chunk(&solo, 2, 5, other, 0, 1000);
    assert_true(solo.update.chunk_received);
    assert_int_equal(raft_commit_index(solo.raft), 2);
    solo_close(&solo);
}

static void test_an_installed_snapshot_takes_the_place_of_the_log(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    struct raft_membership membership =
        MEMBERS({1, RAFT_VOTER}, {2, RAFT_VOTER}, {5, RAFT_VOTER}, {6, RAFT_LEARNER});
    solo_installed(&solo, AT_20, membership);
    assert_true(solo.update.install);
    assert_false(solo.update.truncate);
    assert_int_equal(solo.update.append_count, 0);
    assert_int_equal(solo.update.commit_index, 20);
    assert_int_equal(raft_first_index(solo.raft), 21);
    assert_int_equal(raft_last_index(solo.raft), 20);
    assert_int_equal(raft_last_term(solo.raft), 3);
    assert_int_equal(raft_term_of(solo.raft, 20), 3);
    assert_int_equal(raft_term_of(solo.raft, 3), 0);
    assert_int_equal(raft_snapshot(solo.raft).index, 20);
    assert_int_equal(raft_snapshot(solo.raft).bytes, TOTAL);
    assert_membership(raft_membership(solo.raft), membership);
    assert_membership(raft_membership_at(solo.raft, 20), membership);
    assert_int_equal(raft_counters(solo.raft).snapshots_installed, 1);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_INSTALLED));
    assert_false(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RACED));
    solo_close(&solo);
}

static void test_an_install_is_acknowledged_when_it_is_durable(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_installed(&solo, AT_20, voters(3));
    assert_has_it(&solo, 20, 20);
    assert_true(solo_response(&solo, 2)->when_durable);
    assert_int_equal(raft_durable_index(solo.raft), 0);
    solo_append(&solo, 2, 5, 20, 3, 20, NO_ENTRIES);
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 0);
    assert_false(solo_response(&solo, 2)->when_durable);
    solo_append(&solo, 2, 5, 20, 3, 20, TERMS(5));
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 21);
    assert_true(solo_response(&solo, 2)->when_durable);
    solo_durable(&solo, 21, 5);
    assert_int_equal(raft_durable_index(solo.raft), 21);
    solo_close(&solo);
}

static void test_reports_of_writes_before_an_install_are_not_believed(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_append(&solo, 2, 5, 3, 2, 0, TERMS(2, 3));
    receive_all(&solo, AT_20);
    solo_installed(&solo, AT_20, voters(3));
    solo_durable(&solo, 5, 3);
    assert_int_equal(raft_durable_index(solo.raft), 0);
    solo_durable(&solo, 20, 4);
    assert_int_equal(raft_durable_index(solo.raft), 0);
    solo_durable(&solo, 20, 3);
    assert_int_equal(raft_durable_index(solo.raft), 20);
    solo_append(&solo, 2, 5, 20, 3, 0, TERMS(4));
    solo_durable(&solo, 21, 4); /* may be of an entry 21 that was there before */
    assert_int_equal(raft_durable_index(solo.raft), 20);
    assert_true(solo_marked(&solo, RAFT_MARK_LATE_DURABLE));
    solo_append(&solo, 2, 5, 21, 4, 0, TERMS(5));
    solo_durable(&solo, 22, 5);
    assert_int_equal(raft_durable_index(solo.raft), 22);
    solo_close(&solo);
}

static void test_an_install_drops_entries_that_do_not_belong_behind_it(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot other = {.index = 3, .term = 4, .bytes = TOTAL};
    solo_append(&solo, 2, 5, 3, 2, 0, TERMS(2, 2));
    receive_all(&solo, other);
    solo_installed(&solo, other, voters(3));
    assert_true(solo.update.install);
    assert_int_equal(raft_last_index(solo.raft), 3);
    assert_int_equal(raft_last_term(solo.raft), 4);
    solo_append(&solo, 2, 5, 3, 4, 0, TERMS(5));
    assert_int_equal(raft_last_index(solo.raft), 4);
    solo_close(&solo);
}

static void test_a_snapshot_that_the_log_caught_up_with_is_not_installed(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot soon = {.index = 4, .term = 5, .bytes = TOTAL};
    receive_all(&solo, soon);
    solo_append(&solo, 2, 5, 3, 2, 0, TERMS(5, 5));
    solo_installed(&solo, soon, voters(3));
    assert_false(solo.update.install);
    assert_int_equal(raft_last_index(solo.raft), 5);
    assert_int_equal(raft_commit_index(solo.raft), 2);
    assert_int_equal(raft_first_index(solo.raft), 1);
    assert_int_equal(raft_snapshot(solo.raft).index, 0);
    assert_true(solo_marked(&solo, RAFT_MARK_SNAPSHOT_RACED));
    assert_false(solo_marked(&solo, RAFT_MARK_SNAPSHOT_INSTALLED));
    solo_close(&solo);
}

static void test_a_snapshot_that_the_commit_index_passed_is_not_installed(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot soon = {.index = 3, .term = 4, .bytes = TOTAL};
    receive_all(&solo, soon);
    solo_append(&solo, 2, 5, 2, 1, 3, TERMS(5)); /* cannot be: but nothing committed is dropped */
    solo_installed(&solo, soon, voters(3));
    assert_false(solo.update.install);
    assert_int_equal(raft_term_of(solo.raft, 3), 5);
    solo_close(&solo);
}

static void test_a_snapshot_that_nobody_waits_for_is_not_installed(void **state)
{
    (void)state;
    const struct raft_snapshot others[] = {
        {.index = 21, .term = 3}, {.index = 20, .term = 2}, {.index = 0, .term = 0}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct solo solo = follower();
        receive_all(&solo, AT_20);
        solo_installed(&solo, others[i], voters(3));
        assert_false(solo.update.install);
        assert_int_equal(raft_last_index(solo.raft), 3);
        solo_close(&solo);
    }
    struct solo solo = follower();
    solo_installed(&solo, AT_20, voters(3)); /* nothing was received */
    assert_false(solo.update.install);
    receive_all(&solo, AT_20);
    solo_installed(&solo, AT_20, voters(3));
    assert_true(solo.update.install);
    solo_installed(&solo, AT_20, voters(3)); /* twice */
    assert_false(solo.update.install);
    solo_close(&solo);
}

static void test_a_leader_installs_nothing(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo.now_ms += ELECTION_MS;
    solo_to_leader(&solo);
    solo_installed(&solo, AT_20, voters(3));
    assert_false(solo.update.install);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_int_equal(raft_last_index(solo.raft), 4);
    solo_close(&solo);
}

static void test_without_a_leader_an_install_is_told_to_nobody(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_peer_lost(&solo, 2);
    solo_installed(&solo, AT_20, voters(3));
    assert_true(solo.update.install);
    assert_int_equal(solo.update.message_count, 0);
    solo_close(&solo);
}

static void test_an_install_is_told_to_the_leader_of_today(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_append(&solo, 3, 6, 2, 1, 0, NO_ENTRIES);
    solo_installed(&solo, AT_20, voters(3));
    assert_true(solo.update.install);
    assert_int_equal(solo.update.message_count, 1);
    assert_int_equal(solo_response(&solo, 3)->append_response.match, 20);
    assert_int_equal(solo_response(&solo, 3)->term, 6);
    solo_close(&solo);
}

static void test_a_chunk_behind_an_install_learns_that_it_is_done(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_installed(&solo, AT_20, voters(3));
    solo_chunk(&solo, 2, 5, AT_20, TOTAL, 0);
    assert_has_it(&solo, 0, 20); /* it is not said to be durable */
    solo_close(&solo);
}

static void test_a_failed_install_begins_anew(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_install_failed(&solo, (struct raft_snapshot){.index = 19, .term = 3, .bytes = TOTAL});
    solo_install_failed(&solo, (struct raft_snapshot){0}); /* of another one: changes nothing */
    solo_chunk(&solo, 2, 5, AT_20, TOTAL, 0);
    assert_answer(&solo, 20, TOTAL);
    solo_install_failed(&solo, AT_20);
    assert_int_equal(solo.update.message_count, 0);
    assert_false(solo.update.install);
    solo_installed(&solo, AT_20, voters(3));
    assert_false(solo.update.install);
    solo_chunk(&solo, 2, 5, AT_20, TOTAL, 0); /* the leader asks how far it is */
    assert_answer(&solo, 20, 0);
    receive_all(&solo, AT_20);
    solo_installed(&solo, AT_20, voters(3));
    assert_true(solo.update.install);
    solo_close(&solo);
}

static void test_a_node_starts_behind_its_snapshot(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct solo solo = solo_open_snapshot(&options, 20, 3, TOTAL);
    assert_int_equal(raft_commit_index(solo.raft), 20);
    assert_int_equal(raft_last_index(solo.raft), 20);
    assert_int_equal(raft_last_term(solo.raft), 3);
    assert_int_equal(raft_durable_index(solo.raft), 20);
    assert_int_equal(raft_first_index(solo.raft), 21);
    solo_append(&solo, 2, 3, 20, 3, 20, NO_ENTRIES);
    assert_int_equal(solo_response(&solo, 2)->append_response.match, 20);
    assert_false(solo_response(&solo, 2)->when_durable);
    solo_close(&solo);
}

/* The hard state may have been written before the leader's term was known. */
static void test_a_term_that_only_the_snapshot_proves_is_taken_from_it(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    struct raft_start start = {.hard_state = {.term = 2, .vote = 3},
                               .base_index = 20,
                               .base_term = 4,
                               .snapshot = {.index = 20, .term = 4, .bytes = TOTAL}};
    struct solo solo = {.now_ms = 1000};
    solo.raft = solo_raft(&options, &start, solo.now_ms);
    assert_int_equal(raft_term(solo.raft), 4);
    assert_int_equal(raft_vote(solo.raft), 0);
    solo_tick(&solo, 0);
    assert_true(solo.update.hard_state_changed);
    solo_close(&solo);
}

static void test_a_start_with_a_log_behind_its_snapshot_is_refused(void **state)
{
    (void)state;
    struct raft_options options = solo_options(1, 3);
    const struct raft_start starts[] = {
        {.base_index = 5, .base_term = 1},
        {.base_index = 5, .base_term = 1, .snapshot = {.index = 4, .term = 1, .bytes = 1}},
        {.base_index = 5, .snapshot = {.index = 5, .term = 1, .bytes = 1}},
        {.base_term = 5, .snapshot = {.index = 5, .term = 1, .bytes = 1}},
        {.snapshot = {.index = 5, .bytes = 1}},
        {.snapshot = {.term = 5, .bytes = 1}}};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        expect_assert_failure(raft_new(&options, &starts[i], 1000));
}

/* Votes are for the log and the members of the time when they were asked for: by position. */
static void test_an_install_ends_a_candidacy(void **state)
{
    (void)state;
    for (int real = 0; real <= 1; real++) {
        struct raft_options options = solo_options(1, 5);
        struct solo solo = solo_open(&options, (struct raft_hard_state){.term = 5}, TERMS(1));
        receive_all(&solo, AT_20);
        solo_to_precandidate(&solo);
        if (real) {
            solo_vote_response(&solo, 2, true, 6, true);
            solo_vote_response(&solo, 3, true, 6, true);
            assert_int_equal(raft_role(solo.raft), RAFT_CANDIDATE);
        }
        uint64_t term = raft_term(solo.raft);
        solo_vote_response(&solo, 2, !real, real ? term : term + 1, true);
        solo_installed(&solo, AT_20, MEMBERS({1, RAFT_VOTER}, {3, RAFT_VOTER}, {6, RAFT_VOTER}));
        assert_true(solo.update.install);
        assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
        assert_int_equal(raft_term(solo.raft), term);
        solo_vote_response(&solo, 1, !real, real ? term : term + 1, true);
        assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
        solo_close(&solo);
    }
}

static void test_a_late_chunk_of_an_older_snapshot_takes_nothing_away(void **state)
{
    (void)state;
    struct solo solo = follower();
    struct raft_snapshot newer = {.index = 30, .term = 4, .bytes = TOTAL};
    solo_chunk(&solo, 2, 5, newer, 0, CHUNK);
    solo_chunk(&solo, 2, 5, AT_20, 0, CHUNK); /* the same leader's, behind the commit index */
    assert_false(solo.update.chunk_received);
    assert_int_equal(solo.update.message_count, 0);
    solo_chunk(&solo, 2, 5, newer, CHUNK, CHUNK);
    assert_true(solo.update.chunk_received);
    assert_int_equal(solo.update.chunk.offset, CHUNK);
    solo_chunk(&solo, 2, 5, (struct raft_snapshot){.index = 1, .term = 1, .bytes = TOTAL}, 0,
               CHUNK); /* one that it has in its log */
    solo_chunk(&solo, 2, 5, newer, 2 * CHUNK, TOTAL - 2 * CHUNK);
    assert_true(solo.update.chunk.last);
    solo_close(&solo);
}

static void test_a_newer_snapshot_waits_for_the_install_of_the_one_that_came(void **state)
{
    (void)state;
    struct solo solo = sending_leader();
    solo_chunk_answer(&solo, 3, 8, 2000);
    solo_compact(&solo, 10, 1500, 9); /* it is smaller than what came already */
    solo_chunk_answer(&solo, 3, 8, TOTAL);
    assert_no_chunk(&solo);
    solo_accepted(&solo, 3, 8, 0);
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_REPLICATE);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.first_index, 9);
    solo_close(&solo);
}

static void test_a_chunk_beyond_the_end_is_a_bug(void **state)
{
    (void)state;
    struct solo solo = follower();
    expect_assert_failure(solo_chunk(&solo, 2, 5, AT_20, 0, TOTAL + 1));
    expect_assert_failure(solo_chunk(&solo, 2, 5, AT_20, TOTAL + 1, 0));
    solo_close(&solo);
}

static void test_there_is_one_snapshot_per_index(void **state)
{
    (void)state;
    struct solo solo = compacted_leader();
    solo_compact(&solo, 8, TOTAL, 9);
    expect_assert_failure(solo_compact(&solo, 8, TOTAL + 1, 9));
    solo_close(&solo);
}

static void test_an_install_of_an_older_term_is_believed_to_be_durable(void **state)
{
    (void)state;
    struct solo solo = follower();
    receive_all(&solo, AT_20);
    solo_installed(&solo, AT_20, voters(3));
    assert_true(solo.update.install);
    assert_true(AT_20.term < raft_term(solo.raft));
    solo_durable(&solo, 20, AT_20.term);
    assert_int_equal(raft_durable_index(solo.raft), 20);
    solo_close(&solo);
}

static void test_entries_dropped_under_a_snapshot_on_its_way_are_not_sent_from_the_log(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 1, TERMS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    solo_to_leader(&solo);
    solo_all_durable(&solo);
    solo_accepted(&solo, 2, 11, 0);
    solo_compact(&solo, 10, 2500, 5); /* the log keeps 5 to 10 */
    solo_rejected(&solo, 3, 10, 0, 0);
    solo_rejected(&solo, 3, 4, 0, 0);
    assert_int_equal(solo_peer(&solo, 3).state, RAFT_SNAPSHOT);
    assert_int_equal(solo_peer(&solo, 3).next, 5);
    solo_compact(&solo, 10, 2500, 9); /* the same snapshot */
    assert_int_equal(solo_peer(&solo, 3).next, 9);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(solo_sent(&solo, RAFT_APPEND_REQUEST, 3)->append_request.prev_term, 1);
    solo_accepted(&solo, 3, 4, 0);
    assert_null(solo_sent(&solo, RAFT_APPEND_REQUEST, 3));
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_follower_that_needs_what_is_gone_gets_the_first_chunk),
        cmocka_unit_test(test_what_the_log_still_holds_is_sent_from_the_log),
        cmocka_unit_test(test_each_answer_brings_the_next_chunk),
        cmocka_unit_test(test_a_small_snapshot_is_one_chunk),
        cmocka_unit_test(test_replication_goes_on_behind_an_installed_snapshot),
        cmocka_unit_test(test_agreement_below_the_logs_base_does_not_end_a_snapshot),
        cmocka_unit_test(test_a_lost_chunk_is_sent_again_after_half_a_timeout),
        cmocka_unit_test(test_pieces_of_a_chunk_put_off_sending_it_again),
        cmocka_unit_test(test_a_follower_that_has_all_chunks_is_asked_how_far_it_is),
        cmocka_unit_test(test_an_answer_that_comes_twice_sends_nothing_twice),
        cmocka_unit_test(test_a_follower_that_lost_its_part_gets_it_again),
        cmocka_unit_test(test_answers_about_another_snapshot_or_of_nobody_move_nothing),
        cmocka_unit_test(test_an_answer_about_more_of_a_snapshot_than_there_is_is_refused),
        cmocka_unit_test(test_answers_of_an_older_term_move_nothing),
        cmocka_unit_test(test_a_refusal_with_a_newer_term_ends_the_leadership),
        cmocka_unit_test(test_a_newer_snapshot_is_begun_anew),
        cmocka_unit_test(test_a_snapshot_whose_log_went_on_without_it_is_begun_anew_at_once),
        cmocka_unit_test(test_compaction_sends_a_snapshot_to_whom_it_overtakes),
        cmocka_unit_test(test_appends_under_way_are_forgotten_when_a_snapshot_begins),
        cmocka_unit_test(test_heartbeats_go_on_beside_the_chunks_and_their_refusals_change_nothing),
        cmocka_unit_test(test_answers_to_chunks_count_for_checkquorum),
        cmocka_unit_test(test_a_follower_compacts_and_sends_nothing),
        cmocka_unit_test(test_snapshots_stand_for_committed_entries_and_only_grow),
        cmocka_unit_test(test_chunks_are_written_in_order_and_answered_when_durable),
        cmocka_unit_test(test_behind_a_lost_chunk_the_follower_says_where_to_go_on),
        cmocka_unit_test(test_a_chunk_that_comes_twice_is_written_once),
        cmocka_unit_test(test_an_empty_chunk_only_asks),
        cmocka_unit_test(test_a_newer_snapshot_takes_the_place_of_what_was_received),
        cmocka_unit_test(test_a_snapshot_of_another_term_is_another_snapshot),
        cmocka_unit_test(test_chunks_of_two_leaders_are_not_put_together),
        cmocka_unit_test(test_a_follower_that_restarted_asks_for_the_beginning),
        cmocka_unit_test(test_a_chunk_of_an_older_term_is_refused_with_the_newer_one),
        cmocka_unit_test(test_the_leader_is_known_by_its_chunk),
        cmocka_unit_test(test_a_chunk_for_the_leader_of_its_term_is_a_bug),
        cmocka_unit_test(test_a_snapshot_at_or_below_the_commit_index_is_not_needed),
        cmocka_unit_test(test_what_is_not_durable_is_not_acknowledged_by_a_late_snapshot),
        cmocka_unit_test(test_a_log_that_holds_the_snapshots_last_entry_keeps_all),
        cmocka_unit_test(test_an_entry_of_another_term_at_the_same_index_is_not_the_snapshots),
        cmocka_unit_test(test_an_installed_snapshot_takes_the_place_of_the_log),
        cmocka_unit_test(test_an_install_is_acknowledged_when_it_is_durable),
        cmocka_unit_test(test_reports_of_writes_before_an_install_are_not_believed),
        cmocka_unit_test(test_an_install_drops_entries_that_do_not_belong_behind_it),
        cmocka_unit_test(test_a_snapshot_that_the_log_caught_up_with_is_not_installed),
        cmocka_unit_test(test_a_snapshot_that_the_commit_index_passed_is_not_installed),
        cmocka_unit_test(test_a_snapshot_that_nobody_waits_for_is_not_installed),
        cmocka_unit_test(test_a_leader_installs_nothing),
        cmocka_unit_test(test_without_a_leader_an_install_is_told_to_nobody),
        cmocka_unit_test(test_an_install_is_told_to_the_leader_of_today),
        cmocka_unit_test(test_a_chunk_behind_an_install_learns_that_it_is_done),
        cmocka_unit_test(test_a_failed_install_begins_anew),
        cmocka_unit_test(test_a_node_starts_behind_its_snapshot),
        cmocka_unit_test(test_a_term_that_only_the_snapshot_proves_is_taken_from_it),
        cmocka_unit_test(test_a_start_with_a_log_behind_its_snapshot_is_refused),
        cmocka_unit_test(test_an_install_ends_a_candidacy),
        cmocka_unit_test(test_a_late_chunk_of_an_older_snapshot_takes_nothing_away),
        cmocka_unit_test(test_a_newer_snapshot_waits_for_the_install_of_the_one_that_came),
        cmocka_unit_test(test_a_chunk_beyond_the_end_is_a_bug),
        cmocka_unit_test(test_there_is_one_snapshot_per_index),
        cmocka_unit_test(test_an_install_of_an_older_term_is_believed_to_be_durable),
        cmocka_unit_test(
            test_entries_dropped_under_a_snapshot_on_its_way_are_not_sent_from_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
