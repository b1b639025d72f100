/* What a shard takes for the time: of entries, of reads, of leases. */
#include "unit/shard/fixture.h"

enum { ANY_ROUND = 1000 };

static void settle(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, ANY_ROUND);
    fixture_turn(fixture);
}

/* Time passes; the leader's entries stay as they are. */
static void pass_quietly(struct fixture *fixture, uint64_t ms)
{
    fixture->now.mono_ms += ms;
    fixture->now.mono_us += ms * 1000;
    fixture->now.wall_ms += (int64_t)ms;
}

static void lead_with_a_key(struct fixture *fixture, const char *line)
{
    fixture_open(fixture, 3);
    fixture_lead(fixture);
    fixture_accept(fixture, 1, line);
    settle(fixture);
    fixture->answered.len = 0;
}

static void test_a_read_that_sees_a_key_expired_waits_for_an_entry_that_says_so(void **state)
{
    (void)state;
    static const char *const reads[] = {"GET k", "EXISTS a k", "KEYS *", "SCAN 0", "DBSIZE"};
    static const char *const replies[] = {"2:$-1 ", "2::0 ", "2:*0 ", "2:*2$10*0 ", "2::0 "};
    for (size_t i = 0; i < 5; i++) {
        struct fixture fixture;
        lead_with_a_key(&fixture, "SET k v PX 100");
        uint64_t last = fixture_last(&fixture);
        pass_quietly(&fixture, 101);
        fixture_accept(&fixture, 2, reads[i]);
        fixture_turn(&fixture);
        fixture_acknowledge(&fixture, ANY_ROUND);
        shard_drive(fixture.shard, fixture.now);
        assert_answered(&fixture, "");
        assert_int_equal(fixture_last(&fixture), last + 1);
        settle(&fixture);
        assert_answered(&fixture, replies[i]);
        assert_int_equal(fixture_last(&fixture), last + 1);
        fixture_close(&fixture);
    }
}

static void test_a_read_of_keys_that_live_needs_no_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "SET k v PX 100");
    fixture_accept(&fixture, 1, "SET other v PX 5000");
    settle(&fixture);
    fixture.answered.len = 0;
    uint64_t last = fixture_last(&fixture);
    pass_quietly(&fixture, 101);
    fixture_accept(&fixture, 2, "GET other");
    fixture_accept(&fixture, 2, "PTTL other");
    fixture_accept(&fixture, 2, "TIME");
    settle(&fixture);
    assert_int_equal(fixture_last(&fixture), last);
    char expected[100];
    snprintf(expected, sizeof expected, "2:$1v 2::4899 2:*2$1%d$6%d ",
             (int)(fixture.now.wall_ms / 1000), (int)(fixture.now.wall_ms % 1000 * 1000));
    assert_answered(&fixture, expected);
    fixture_close(&fixture);
}

static void set_wall(struct fixture *fixture, int64_t ms, unsigned us)
{
    fixture->now.wall_ms = ms;
    fixture->now.wall_us = us;
    fixture->answered.len = 0;
    fixture_accept(fixture, 2, "TIME");
    fixture_accept(fixture, 2, "TIME");
    settle(fixture);
}

static void test_time_tells_no_moment_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "SET k v");
    set_wall(&fixture, 7000, 998);
    assert_answered(&fixture, "2:*2$17$3998 2:*2$17$3999 ");
    set_wall(&fixture, 7000, 999); /* both replies before were of the same turn */
    assert_answered(&fixture, "2:*2$17$41000 2:*2$17$41001 ");
    set_wall(&fixture, 7007, 5);
    assert_answered(&fixture, "2:*2$17$47005 2:*2$17$47006 ");
    set_wall(&fixture, 6007, 7); /* set back by hardly a second */
    assert_answered(&fixture, "2:*2$17$47007 2:*2$17$47008 ");
    set_wall(&fixture, 6006, 999);
    assert_answered(&fixture, "2:*2$16$46999 2:*2$16$47000 ");
    fixture_close(&fixture);
}

static void test_one_entry_serves_all_reads_and_their_order_stays(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "MSET live 1 live2 2");
    fixture_accept(&fixture, 1, "SET k v PX 100");
    settle(&fixture);
    fixture.answered.len = 0;
    uint64_t last = fixture_last(&fixture);
    pass_quietly(&fixture, 101);
    fixture_accept(&fixture, 2, "GET k");
    fixture_accept(&fixture, 2, "GET live");
    fixture_accept(&fixture, 3, "GET live2");
    fixture_accept(&fixture, 3, "GET k");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, ANY_ROUND);
    shard_drive(fixture.shard, fixture.now);
    assert_answered(&fixture, "3:$12 ");
    settle(&fixture);
    assert_answered(&fixture, "2:$-1 2:$11 3:$-1 ");
    assert_int_equal(fixture_last(&fixture), last + 1);
    fixture_close(&fixture);
}

static enum shard_admission ask_in_exec(struct fixture *fixture, const char *line)
{
    struct span args[16];
    size_t argc = fixture_words(line, args);
    struct buf commands = {0};
    resp_encode_command(&commands, args, argc);
    struct shard_transaction transaction = {.client = {.slot = 2, .generation = 1},
                                            .protocol = 2,
                                            .commands = buf_span(&commands),
                                            .count = 1};
    enum shard_admission admission = shard_transaction(fixture->shard, &transaction, fixture->now);
    buf_close(&commands);
    return admission;
}

static void test_a_read_in_a_transaction_waits_for_an_entry_too(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "SET k v PX 100");
    uint64_t last = fixture_last(&fixture);
    pass_quietly(&fixture, 101);
    assert_int_equal(ask_in_exec(&fixture, "GET k"), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, ANY_ROUND);
    shard_drive(fixture.shard, fixture.now);
    assert_answered(&fixture, "");
    assert_int_equal(fixture_last(&fixture), last + 1);
    settle(&fixture);
    assert_answered(&fixture, "2:*1$-1 ");
    fixture_close(&fixture);
}

/* The entry behind the read proves the office at its time, not at the time of its commit. */
static void test_a_read_before_an_entry_is_judged_by_that_entrys_time(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "SET k v PX 100");
    fixture_accept(&fixture, 2, "GET k");
    fixture_accept(&fixture, 2, "SET other v");
    fixture_turn(&fixture);
    pass_quietly(&fixture, 101);
    fixture_acknowledge(&fixture, 0);
    shard_drive(fixture.shard, fixture.now);
    assert_answered(&fixture, "2:$1v 2:+OK ");
    fixture_close(&fixture);
}

/* Node 2 leads in a later term by a clock that is behind, and this node after it. */
static void test_what_was_seen_expired_stays_so_under_a_leader_whose_clock_is_behind(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "SET k v PX 100");
    pass_quietly(&fixture, 101);
    fixture_accept(&fixture, 2, "GET k");
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "2:$-1 ");
    fixture.now.wall_ms -= 4000;
    fixture_depose(&fixture);
    fixture_win(&fixture);
    settle(&fixture);
    fixture_accept(&fixture, 2, "GET k");
    settle(&fixture);
    assert_answered(&fixture, "2:$-1 ");
    fixture_close(&fixture);
}

static void test_a_stepped_wall_clock_changes_no_time_to_live(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct fixture fixture;
        fixture_open(&fixture, 1);
        fixture_pass(&fixture, 2 * ELECTION_MS);
        fixture_turn(&fixture);
        fixture.now.wall_ms = 3700000 + sign * 3600000;
        fixture_accept(&fixture, 1, "SET k v PX 1000");
        fixture_turn(&fixture);
        fixture.now.wall_ms -= sign * 3600000;
        fixture_pass(&fixture, 990);
        fixture_accept(&fixture, 1, "GET k");
        fixture_turn(&fixture);
        assert_answered(&fixture, "1:+OK 1:$1v ");
        fixture_pass(&fixture, 70);
        fixture_accept(&fixture, 1, "GET k");
        fixture_turn(&fixture);
        fixture_turn(&fixture);
        assert_answered(&fixture, "1:$-1 ");
        fixture_close(&fixture);
    }
}

static void test_a_local_read_is_judged_by_what_is_applied(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_with_a_key(&fixture, "SET k v PX 100");
    pass_quietly(&fixture, 200);
    struct span args[] = {SPAN("GET"), SPAN("k")};
    struct shard_request request = {
        .protocol = 2, .command = command_find(fixture.table, args, 2), .args = args, .argc = 2};
    struct buf out = {0};
    struct resp_writer reply = {.out = &out, .protocol = 2};
    shard_read_local(fixture.shard, &request, &reply, fixture.now);
    assert_true(span_is(buf_span(&out), "$1\r\nv\r\n"));
    out.len = 0;
    fixture_pass(&fixture, 0);
    settle(&fixture);
    shard_read_local(fixture.shard, &request, &reply, fixture.now);
    assert_true(span_is(buf_span(&out), "$-1\r\n"));
    buf_close(&out);
    fixture_close(&fixture);
}

/* More at a time than one entry removes, at every interval. */
static void test_expiry_keeps_up_with_what_is_written(void **state)
{
    (void)state;
    enum { PER_ROUND = 1500, ROUNDS = 6 };
    struct fixture fixture;
    fixture_open(&fixture, 1);
    fixture.silent = true;
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PER_ROUND; i++) {
            char line[64];
            snprintf(line, sizeof line, "SET k-%d-%d v PX 90", round, i);
            while (fixture_ask(&fixture, 1, line) == SHARD_BUSY)
                fixture_turn(&fixture);
            fixture.answered.len = 0;
        }
        fixture_turn(&fixture);
        fixture_pass(&fixture, 100);
        fixture_turn(&fixture);
        assert_int_equal(keyspace_count(shard_keyspace(fixture.shard, 0)), 0);
    }
    assert_int_equal(shard_stats(fixture.shard).expired_keys, PER_ROUND * ROUNDS);
    fixture_close(&fixture);
}

/* --- clocks that are read late --- */

static uint64_t clock_of(void *context)
{
    return ((struct fixture *)context)->clock_us;
}

static void open_with_a_lease(struct fixture *fixture)
{
    fixture_open(fixture, 3);
    fixture->clock = clock_of;
    fixture->lease_drift_percent = 10;
    fixture_end(fixture);
    fixture->node.fake.handle_count = 0;
    char message[512];
    assert_int_equal(fixture_start(fixture, 3, message), ERR_NONE);
    fixture_lead(fixture);
    struct raft_message message_of_2 = {
        .type = RAFT_APPEND_RESPONSE, .from = 2, .term = fixture_term(fixture)};
    message_of_2.append_response.success = true;
    message_of_2.append_response.match = fixture_last(fixture);
    message_of_2.append_response.hint_index = message_of_2.append_response.match;
    message_of_2.append_response.sent_ms = fixture->now.mono_ms;
    fixture_message(fixture, message_of_2, NULL);
}

static void test_a_lease_is_judged_when_the_reply_is_released(void **state)
{
    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        struct fixture fixture = {0};
        open_with_a_lease(&fixture);
        fixture.clock_us = fixture.now.mono_us + (stops ? ELECTION_MS * 1000 : 1000);
        fixture_accept(&fixture, 1, "GET k");
        fixture_turn(&fixture);
        assert_answered(&fixture, stops ? "" : "1:$-1 ");
        fixture_close(&fixture);
    }
}

static void test_a_promise_not_to_vote_counts_from_when_the_message_was_read(void **state)
{
    (void)state;
    enum { STOPPED_MS = 200 };
    struct fixture fixture = {0};
    open_with_a_lease(&fixture);
    uint64_t last = fixture_last(&fixture);
    fixture.clock_us = fixture.now.mono_us + STOPPED_MS * 1000;
    struct raft_message append = {
        .type = RAFT_APPEND_REQUEST, .from = 2, .term = fixture_term(&fixture) + 1};
    append.append_request.prev_index = last;
    append.append_request.prev_term = raft_term_of(shard_raft(fixture.shard), last);
    append.append_request.first_index = last + 1;
    fixture_message(&fixture, append, NULL);
    uint64_t term = fixture_term(&fixture);

    pass_quietly(&fixture, ELECTION_MS + STOPPED_MS / 2);
    fixture.clock_us = fixture.now.mono_us;
    struct raft_message vote = {.type = RAFT_VOTE_REQUEST, .from = 3, .term = term + 1};
    vote.vote_request.last_index = last + 10;
    vote.vote_request.last_term = term;
    fixture_message(&fixture, vote, NULL);
    assert_int_equal(fixture_term(&fixture), term);

    pass_quietly(&fixture, STOPPED_MS / 2);
    fixture.clock_us = fixture.now.mono_us;
    fixture_message(&fixture, vote, NULL);
    assert_int_equal(fixture_term(&fixture), term + 1);
    fixture_close(&fixture);
}

static void test_a_time_to_live_counts_from_when_the_request_was_read(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    open_with_a_lease(&fixture);
    fixture.clock_us = fixture.now.mono_us + 200000; /* the turn began so long ago */
    fixture_accept(&fixture, 1, "SET k v PX 100");
    settle(&fixture);
    fixture.clock_us += 50000;
    fixture_accept(&fixture, 1, "PTTL k");
    settle(&fixture);
    assert_answered(&fixture, "1:+OK 1::50 ");
    fixture_close(&fixture);
}

/* --- what is said of it --- */

static void test_a_wall_clock_that_leaps_is_logged_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 1);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    fixture_pass(&fixture, 100);
    unsigned lines = fixture.lines;
    fixture.now.wall_ms += 60000;
    for (int i = 0; i < 50; i++) /* it shrinks by five seconds meanwhile */
        fixture_pass(&fixture, 2000);
    assert_int_equal(fixture.lines, lines + 1);
    fixture.now.wall_ms += 60000;
    for (int i = 0; i < 10; i++)
        fixture_pass(&fixture, 100);
    assert_int_equal(fixture.lines, lines + 2);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_that_sees_a_key_expired_waits_for_an_entry_that_says_so),
        cmocka_unit_test(test_a_read_of_keys_that_live_needs_no_entry),
        cmocka_unit_test(test_time_tells_no_moment_twice),
        cmocka_unit_test(test_one_entry_serves_all_reads_and_their_order_stays),
        cmocka_unit_test(test_a_read_in_a_transaction_waits_for_an_entry_too),
        cmocka_unit_test(test_a_read_before_an_entry_is_judged_by_that_entrys_time),
        cmocka_unit_test(test_what_was_seen_expired_stays_so_under_a_leader_whose_clock_is_behind),
        cmocka_unit_test(test_a_stepped_wall_clock_changes_no_time_to_live),
        cmocka_unit_test(test_a_local_read_is_judged_by_what_is_applied),
        cmocka_unit_test(test_expiry_keeps_up_with_what_is_written),
        cmocka_unit_test(test_a_lease_is_judged_when_the_reply_is_released),
        cmocka_unit_test(test_a_promise_not_to_vote_counts_from_when_the_message_was_read),
        cmocka_unit_test(test_a_time_to_live_counts_from_when_the_request_was_read),
        cmocka_unit_test(test_a_wall_clock_that_leaps_is_logged_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
