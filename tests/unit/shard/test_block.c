/* Clients that wait for keys. Here nodes 2 and 3 are played. */
#include "unit/shard/fixture.h"

static void assert_sent(struct fixture *fixture, const char *expected)
{
    if (!span_equal(buf_span(&fixture->sent_forwards), span_text(expected)))
        fail_msg("sent '%.*s', expected '%s'", (int)fixture->sent_forwards.len,
                 fixture->sent_forwards.ptr, expected);
    fixture->sent_forwards.len = 0;
}

static void block_as(struct fixture *fixture, struct shard_client client, const char *line)
{
    struct span args[16];
    struct shard_request request = {.client = client, .protocol = 2, .args = args};
    request.argc = fixture_words(line, args);
    request.command = command_find(fixture->table, args, request.argc);
    assert_int_equal(shard_block(fixture->shard, &request, fixture->now), SHARD_ACCEPTED);
    fixture_turn(fixture);
}

static void block(struct fixture *fixture, uint32_t client, const char *line)
{
    block_as(fixture, (struct shard_client){client, 1, 0}, line);
}

static void unblock(struct fixture *fixture, uint32_t client, enum shard_unblock why)
{
    shard_unblock(fixture->shard, (struct shard_client){client, 1, 0}, why, fixture->now);
    fixture_turn(fixture);
}

static void take_before_turn(struct fixture *fixture, const struct wire_forward *message)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct wire_forward sent = *message;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    sent.cluster_id = span_text(fixture->cluster.cluster_id);
    sent.from = 2;
    sent.to = 1;
    sent.life = sent.life ? sent.life : fixture->life;
    sent.term = fixture_term(fixture);
    wire_encode_forward(&bytes, &sent);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    if (shard_message(fixture->shard, &(struct shard_peer){2, 1, 0}, parser.args, parser.argc,
                      fixture->now))
        fail_msg("refused: %s", shard_refusal(fixture->shard));
    resp_parser_close(&parser);
    buf_close(&bytes);
}

static void take(struct fixture *fixture, const struct wire_forward *message)
{
    take_before_turn(fixture, message);
    fixture_turn(fixture);
}

/* --- the follower --- */

/* Node 2 leads `term`, and has committed `records`. */
static void commit(struct fixture *fixture, uint64_t term, const struct buf *records, size_t count)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = term};
    uint64_t last = fixture_last(fixture);
    message.append_request.prev_index = last;
    message.append_request.prev_term = raft_term_of(shard_raft(fixture->shard), last);
    message.append_request.first_index = last + 1;
    message.append_request.entry_count = count;
    message.append_request.commit = last + count;
    message.append_request.time_ms = 6000;
    fixture_message(fixture, message, records);
    fixture_turn(fixture);
}

static void follow(struct fixture *fixture, uint64_t term)
{
    struct buf records = {0};
    fixture_noops(&records, fixture_last(fixture) + 1, 1, term);
    commit(fixture, term, &records, 1);
    buf_close(&records);
}

static void open_following(struct fixture *fixture)
{
    fixture_open(fixture, 3);
    follow(fixture, 4);
}

/* Node 2 leads `term`, of which no entry is here yet. */
static void hear(struct fixture *fixture, uint64_t term)
{
    commit(fixture, term, NULL, 0);
}

static void answer(struct fixture *fixture, uint64_t number, struct wire_wait wait)
{
    struct buf items = {0};
    struct wire_forward message = {.type = WIRE_WAITED, .wait = {number, 0}};
    wire_add_wait(&items, &wait);
    message.items = buf_span(&items);
    take(fixture, &message);
    buf_close(&items);
}

static void waits(struct fixture *fixture, uint64_t number, uint64_t id)
{
    answer(fixture, number, (struct wire_wait){WIRE_WAIT_BEGINS, id, 77, 0, span_of("", 0)});
}

static void left(struct fixture *fixture, uint64_t number, uint64_t id, uint64_t index)
{
    answer(fixture, number, (struct wire_wait){WIRE_WAIT_ENDS, id, index, 0, span_of("", 0)});
}

/* Client 1 waits. Term 5 begins, what term 4 did is known, and there is no leader to be told. */
static void open_waiting_without_leader(struct fixture *fixture)
{
    open_following(fixture);
    block(fixture, 1, "BLPOP k 0");
    waits(fixture, 1, 1);
    struct buf records = {0};
    fixture_noops(&records, fixture_last(fixture) + 1, 1, 5);
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 5};
    message.append_request.prev_index = fixture_last(fixture);
    message.append_request.prev_term = 4;
    message.append_request.first_index = message.append_request.commit = fixture_last(fixture) + 1;
    message.append_request.entry_count = 1;
    message.append_request.time_ms = 6000;
    fixture_message(fixture, message, &records);
    buf_close(&records);
    fixture_pass(fixture, 2 * ELECTION_MS);
    fixture_turn(fixture);
    assert_int_equal(raft_leader(shard_raft(fixture->shard)), 0);
    fixture->sent_forwards.len = 0;
}

/* It was told to the next leader as one that waits, and nothing ended that. */
static void test_who_leaves_while_no_leader_knows_of_it_is_answered_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    open_waiting_without_leader(&fixture);
    unblock(&fixture, 1, SHARD_TIMED_OUT);
    assert_answered(&fixture, "1:*-1 ");
    follow(&fixture, 6);
    assert_sent(&fixture, "");
    fixture_close(&fixture);
}

static void test_who_waits_on_is_told_to_the_next_leader(void **state)
{
    (void)state;
    struct fixture fixture;
    open_waiting_without_leader(&fixture);
    follow(&fixture, 6);
    assert_sent(&fixture, "WAIT@6:2,3,0 ");
    unblock(&fixture, 1, SHARD_TIMED_OUT);
    assert_answered(&fixture, "");
    assert_sent(&fixture, "WAIT@6:3,3,0 ");
    left(&fixture, 3, 1, fixture_last(&fixture));
    assert_answered(&fixture, "1:*-1 ");
    fixture_close(&fixture);
}

static void test_a_client_in_the_place_of_one_that_left_is_not_forgotten(void **state)
{
    (void)state;
    struct fixture fixture;
    open_following(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    waits(&fixture, 1, 1);
    unblock(&fixture, 1, SHARD_GONE);
    block_as(&fixture, (struct shard_client){1, 2, 0}, "BLPOP k 0");
    waits(&fixture, 3, 2);
    left(&fixture, 2, 1, fixture_last(&fixture));
    fixture.answered.len = 0;
    shard_unblock(fixture.shard, (struct shard_client){1, 2, 0}, SHARD_TIMED_OUT, fixture.now);
    fixture_turn(&fixture);
    left(&fixture, 4, 2, fixture_last(&fixture));
    assert_answered(&fixture, "1:*-1 ");
    fixture_close(&fixture);
}

static void test_a_refusal_that_comes_late_is_not_believed(void **state)
{
    (void)state;
    struct fixture fixture;
    open_following(&fixture);
    block(&fixture, 1, "BLMOVE k l LEFT LEFT 0");
    fixture_pass(&fixture, 4 * HEARTBEAT_MS);
    fixture_turn(&fixture);
    assert_sent(&fixture, "WAIT@4:1,1,0 WAIT@4:2,1,0 ");
    const struct wire_wait refused = {WIRE_WAIT_REFUSED, 1, 0, 0, SPAN("OOM")};
    answer(&fixture, 1, refused);
    assert_answered(&fixture, "");
    answer(&fixture, 2, refused);
    assert_answered(&fixture, "1:-OOM ");
    fixture_close(&fixture);
}

static void assert_told_error(struct fixture *fixture, const char *beginning)
{
    if (fixture->answered.len < strlen(beginning) ||
        memcmp(fixture->answered.ptr, beginning, strlen(beginning)) != 0)
        fail_msg("answered '%.*s'", (int)fixture->answered.len, fixture->answered.ptr);
    fixture->answered.len = 0;
}

/* The leader would give elements to nobody. */
static void test_who_was_given_up_is_still_taken_out_by_the_leader(void **state)
{
    (void)state;
    struct fixture fixture;
    open_following(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    waits(&fixture, 1, 1);
    unblock(&fixture, 1, SHARD_TIMED_OUT);
    for (int i = 0; i < 2; i++) {
        fixture_pass(&fixture, LEADER_WAIT_MS / 2);
        hear(&fixture, 4);
    }
    assert_told_error(&fixture, "1:-UNKNOWN");
    fixture.sent_forwards.len = 0;
    fixture_pass(&fixture, 4 * HEARTBEAT_MS);
    hear(&fixture, 4);
    assert_int_equal(fixture.sent_forwards.len > 0, true);
    left(&fixture, fixture.context, 1, fixture_last(&fixture));
    assert_answered(&fixture, ""); /* it was answered before */
    assert_int_equal(shard_blocked_count(fixture.shard), 0);
    fixture_close(&fixture);
}

/* Nobody says when that is: a removed node hears nothing any more. */
static void pass_until_due(struct fixture *fixture)
{
    uint64_t due_ms = shard_deadline_ms(fixture->shard);
    if (due_ms == UINT64_MAX)
        fail_msg("nothing is due");
    fixture_pass(fixture, due_ms > fixture->now.mono_ms ? due_ms - fixture->now.mono_ms : 0);
    fixture_turn(fixture);
}

static void test_who_waits_where_no_leader_is_heard_gets_an_error(void **state)
{
    (void)state;
    struct fixture fixture;
    open_following(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    waits(&fixture, 1, 1);
    uint64_t begin_ms = fixture.now.mono_ms;
    while (fixture.answered.len == 0)
        pass_until_due(&fixture);
    assert_told_error(&fixture, "1:-UNKNOWN");
    assert_int_equal(fixture.now.mono_ms >= begin_ms + LEADER_WAIT_MS, true);
    assert_int_equal(fixture.now.mono_ms < begin_ms + LEADER_WAIT_MS + 10 * ELECTION_MS, true);
    fixture_close(&fixture);
}

static void test_who_waits_while_no_leader_knew_of_it_was_served_by_nobody(void **state)
{
    (void)state;
    struct fixture fixture;
    open_waiting_without_leader(&fixture);
    fixture_pass(&fixture, LEADER_WAIT_MS / 2);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    fixture_pass(&fixture, LEADER_WAIT_MS);
    fixture_turn(&fixture);
    assert_told_error(&fixture, "1:-CLUSTERDOWN");
    assert_int_equal(shard_blocked_count(fixture.shard), 0);
    fixture_close(&fixture);
}

static void test_a_leader_that_comes_back_in_time_loses_no_waiter(void **state)
{
    (void)state;
    struct fixture fixture;
    open_waiting_without_leader(&fixture);
    fixture_pass(&fixture, LEADER_WAIT_MS - 1);
    fixture_turn(&fixture);
    follow(&fixture, 6);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    hear(&fixture, 6);
    assert_answered(&fixture, "");
    assert_int_equal(shard_blocked_count(fixture.shard), 1);
    fixture_close(&fixture);
}

static void test_a_read_of_this_nodes_own_state_needs_no_leader(void **state)
{
    (void)state;
    struct fixture fixture;
    struct span args[16];
    struct shard_request request = {.client = {1, 1, 0}, .protocol = 2, .args = args};
    open_following(&fixture);
    request.argc = fixture_words("XREAD BLOCK 0 STREAMS k $", args);
    request.command = command_find(fixture.table, args, request.argc);
    shard_wait_local(fixture.shard, &request, fixture.now);
    fixture_pass(&fixture, 10 * ELECTION_MS);
    fixture_turn(&fixture);
    fixture_pass(&fixture, 2 * LEADER_WAIT_MS);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    assert_int_equal(shard_blocked_count(fixture.shard), 1);
    fixture_close(&fixture);
}

/* --- the leader --- */

static void open_leading(struct fixture *fixture)
{
    fixture_open(fixture, 3);
    fixture_lead(fixture);
    fixture->life = 9;
}

/* The majority has what this node has. */
static void goes_on(struct fixture *fixture)
{
    for (int i = 0; i < 4; i++) {
        fixture_turn(fixture);
        fixture_acknowledge(fixture, UINT64_MAX);
    }
    fixture_turn(fixture);
}

/* The time in which nodes say who waits is over. */
static void may_serve(struct fixture *fixture)
{
    fixture_pass(fixture, HEARTBEAT_MS);
    goes_on(fixture);
}

static void write_and_apply(struct fixture *fixture, const char *line)
{
    fixture_accept(fixture, 9, line);
    goes_on(fixture);
}

static void add_command(struct buf *records, uint64_t index, uint64_t seq, const char *line)
{
    struct span args[16];
    struct entry entry = {.index = index, .term = 4, .kind = ENTRY_COMMAND, .time_ms = 6000};
    if (seq)
        entry.origin = (struct entry_origin){2, 9, seq};
    entry_encode_command(records, &entry, args, fixture_words(line, args));
}

/* Client `id` of node 2 waits with this command; stamp 0: it is new. */
static void told_before_turn(struct fixture *fixture, uint64_t number, uint64_t id, uint64_t stamp,
                             const char *line)
{
    struct span args[16];
    struct buf text = {0};
    struct buf items = {0};
    resp_encode_command(&text, args, fixture_words(line, args));
    wire_add_wait(&items, &(struct wire_wait){WIRE_WAIT_BEGINS, id, stamp, 0, buf_span(&text)});
    struct wire_forward message = {
        .type = WIRE_WAIT, .life = 9, .wait = {number, 0}, .items = buf_span(&items)};
    take_before_turn(fixture, &message);
    buf_close(&text);
    buf_close(&items);
}

static void told(struct fixture *fixture, uint64_t number, uint64_t id, uint64_t stamp,
                 const char *line)
{
    told_before_turn(fixture, number, id, stamp, line);
    fixture_turn(fixture);
}

/* Node 2 is ahead of this node, which leads and has not applied all of the earlier term. By an
 * entry of that, the waiter seemed to be served by nothing any more, and was given a second entry.
 */
static void test_an_entry_of_an_earlier_term_ends_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    open_following(&fixture);
    fixture.life = 9;
    struct buf records = {0};
    uint64_t last = fixture_last(&fixture);
    add_command(&records, last + 1, 0, "RPUSH k gone");
    commit(&fixture, 4, &records, 1);
    records.len = 0;
    add_command(&records, last + 2, 0, "DEL k");
    add_command(&records, last + 3, WIRE_WAITER | 1, "BLPOP k 0");
    add_command(&records, last + 4, 0, "RPUSH k a b");
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 4};
    message.append_request.prev_index = message.append_request.commit = last + 1;
    message.append_request.prev_term = 4;
    message.append_request.first_index = last + 2;
    message.append_request.entry_count = 3;
    message.append_request.time_ms = 6000;
    fixture_message(&fixture, message, &records);
    fixture_turn(&fixture);
    buf_close(&records);
    fixture_win(&fixture);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, UINT64_MAX);
    assert_int_equal(shard_applied_index(fixture.shard), last + 1);
    told_before_turn(&fixture, 1, 1, 5, "BLPOP k 0");
    fixture_pass(&fixture, HEARTBEAT_MS);
    fixture_acknowledge(&fixture, UINT64_MAX); /* node 2 is heard */
    goes_on(&fixture);
    may_serve(&fixture);
    fixture.answered.len = 0;
    fixture_accept(&fixture, 3, "LRANGE k 0 -1");
    goes_on(&fixture);
    assert_answered(&fixture, "3:*1$1b ");
    fixture_close(&fixture);
}

static void test_what_a_waiter_is_served_with_is_its_own_command(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    told(&fixture, 1, 1, 0, "BLPOP k 0");
    may_serve(&fixture);
    fixture.ran[0] = '\0';
    write_and_apply(&fixture, "RPUSH k a");
    assert_string_equal(fixture.ran, "9:rpush 1:blpop ");
    write_and_apply(&fixture, "RPUSH k b");
    assert_string_equal(fixture.ran, "9:rpush 1:blpop 9:rpush ");
    assert_string_equal(fixture.asked_by, "-");
    write_and_apply(&fixture, "XADD s 1-1 f v");
    fixture.ran[0] = '\0';
    fixture_accept(&fixture, 3, "XREAD BLOCK 0 STREAMS s 0");
    goes_on(&fixture);
    assert_string_equal(fixture.ran, "3:xread ");
    fixture_close(&fixture);
}

static void test_a_leader_refuses_what_no_node_lets_wait(void **state)
{
    (void)state;
    static const char *const lines[] = {"XREAD BLOCK 0 STREAMS k 0", "GET k", "BLPOP",
                                        "BLMPOP 0 0 LEFT", "BLMPOP 0 x k LEFT"};
    struct fixture fixture;
    open_leading(&fixture);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        told(&fixture, i + 1, i + 1, 0, lines[i]);
    goes_on(&fixture);
    write_and_apply(&fixture, "XADD k 1-1 a b");
    may_serve(&fixture);
    assert_answered(&fixture, "9:$31-1 ");
    fixture_close(&fixture);
}

static void test_a_write_that_is_refused_is_tried_again(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    may_serve(&fixture);
    may_serve(&fixture);
    fixture.refusal = "OOM";
    fixture_accept(&fixture, 2, "RPUSH k a");
    goes_on(&fixture);
    assert_answered(&fixture, "2::1 ");
    fixture.refusal = NULL;
    assert_true(shard_deadline_ms(fixture.shard) <= fixture.now.mono_ms + HEARTBEAT_MS);
    fixture_pass(&fixture, HEARTBEAT_MS);
    goes_on(&fixture);
    assert_answered(&fixture, "1:*2$1k$1a ");
    fixture_close(&fixture);
}

/* The node did nothing but come back at once. */
static void test_a_leader_rests_when_nobody_waits_any_more(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    unblock(&fixture, 1, SHARD_TIMED_OUT);
    goes_on(&fixture);
    may_serve(&fixture);
    assert_answered(&fixture, "1:*-1 ");
    assert_true(shard_deadline_ms(fixture.shard) > fixture.now.mono_ms);
    fixture_close(&fixture);
}

static void test_others_are_served_at_once_while_a_node_is_not_heard(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    may_serve(&fixture);
    told(&fixture, 1, 1, 5, "BLPOP k 0"); /* it came first */
    block(&fixture, 1, "BLPOP k 0");
    block(&fixture, 2, "BLPOP k 0");
    may_serve(&fixture);
    fixture_accept(&fixture, 3, "RPUSH k a b c");
    goes_on(&fixture);
    assert_answered(&fixture, "3::3 1:*2$1k$1b 2:*2$1k$1c ");
    fixture_close(&fixture);
}

static void test_the_node_of_who_is_served_hears_of_the_commit_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    told(&fixture, 1, 1, 0, "BLPOP k 0");
    may_serve(&fixture);
    write_and_apply(&fixture, "RPUSH k a");
    struct raft_status status;
    raft_status(shard_raft(fixture.shard), &status);
    assert_int_equal(fixture.told_commit[2], status.commit_index);
    fixture_close(&fixture);
}

static void test_what_has_to_run_at_once_runs_under_the_next_leader_too(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    write_and_apply(&fixture, "XGROUP CREATE k g 0 MKSTREAM");
    uint64_t last = fixture_last(&fixture);
    told(&fixture, 1, 1, 5, "XREADGROUP GROUP g c BLOCK 0 STREAMS k 0"); /* its own entries: none */
    assert_int_equal(fixture_last(&fixture), last + 1);
    fixture_close(&fixture);
}

static void test_a_read_whose_client_has_gone_waits_for_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    fixture_accept(&fixture, 1, "XREAD BLOCK 0 STREAMS k $");
    fixture.left = true;
    goes_on(&fixture);
    assert_int_equal(shard_blocked_count(fixture.shard), 0);
    fixture.left = false;
    fixture_accept(&fixture, 2, "XREAD BLOCK 0 STREAMS k $");
    goes_on(&fixture);
    assert_int_equal(shard_blocked_count(fixture.shard), 1);
    fixture_close(&fixture);
}

static void test_a_read_waits_on_while_its_key_is_none_of_its_type(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    fixture_accept(&fixture, 1, "XREAD BLOCK 0 STREAMS k $");
    goes_on(&fixture);
    write_and_apply(&fixture, "SET k a");
    write_and_apply(&fixture, "DEL k");
    assert_answered(&fixture, "9:+OK 9::1 ");
    write_and_apply(&fixture, "XADD k 1-1 a b");
    assert_answered(&fixture, "9:$31-1 1:*1*2$1k*1*2$31-1*2$1a$1b ");
    fixture_close(&fixture);
}

static void test_who_was_to_be_served_and_got_nothing_is_served_later(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    block(&fixture, 1, "BLPOP k 0");
    may_serve(&fixture);
    uint64_t last = fixture_last(&fixture);
    write_and_apply(&fixture, "RPUSHX k a"); /* it may add, and does not */
    assert_answered(&fixture, "9::0 ");
    assert_int_equal(fixture_last(&fixture), last + 2);
    write_and_apply(&fixture, "RPUSH k b");
    assert_answered(&fixture, "9::1 1:*2$1k$1b ");
    fixture_close(&fixture);
}

static void test_a_move_does_not_stand_where_it_puts(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leading(&fixture);
    block(&fixture, 1, "BLMOVE source k LEFT RIGHT 0");
    block(&fixture, 2, "BLPOP k 0");
    may_serve(&fixture);
    write_and_apply(&fixture, "RPUSH k a");
    assert_answered(&fixture, "9::1 2:*2$1k$1a ");
    write_and_apply(&fixture, "RPUSH source b");
    assert_answered(&fixture, "9::1 1:$1b ");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_leaves_while_no_leader_knows_of_it_is_answered_at_once),
        cmocka_unit_test(test_who_waits_on_is_told_to_the_next_leader),
        cmocka_unit_test(test_a_client_in_the_place_of_one_that_left_is_not_forgotten),
        cmocka_unit_test(test_a_refusal_that_comes_late_is_not_believed),
        cmocka_unit_test(test_who_was_given_up_is_still_taken_out_by_the_leader),
        cmocka_unit_test(test_who_waits_where_no_leader_is_heard_gets_an_error),
        cmocka_unit_test(test_who_waits_while_no_leader_knew_of_it_was_served_by_nobody),
        cmocka_unit_test(test_a_leader_that_comes_back_in_time_loses_no_waiter),
        cmocka_unit_test(test_a_read_of_this_nodes_own_state_needs_no_leader),
        cmocka_unit_test(test_an_entry_of_an_earlier_term_ends_nothing),
        cmocka_unit_test(test_what_a_waiter_is_served_with_is_its_own_command),
        cmocka_unit_test(test_a_leader_refuses_what_no_node_lets_wait),
        cmocka_unit_test(test_a_write_that_is_refused_is_tried_again),
        cmocka_unit_test(test_a_leader_rests_when_nobody_waits_any_more),
        cmocka_unit_test(test_others_are_served_at_once_while_a_node_is_not_heard),
        cmocka_unit_test(test_the_node_of_who_is_served_hears_of_the_commit_at_once),
        cmocka_unit_test(test_what_has_to_run_at_once_runs_under_the_next_leader_too),
        cmocka_unit_test(test_a_read_whose_client_has_gone_waits_for_nothing),
        cmocka_unit_test(test_a_read_waits_on_while_its_key_is_none_of_its_type),
        cmocka_unit_test(test_who_was_to_be_served_and_got_nothing_is_served_later),
        cmocka_unit_test(test_a_move_does_not_stand_where_it_puts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
