/* A follower has the leader carry out what its clients ask; a leader carries out what others ask.
 * Here nodes 2 and 3 are played. */
#include "keyspace/item.h"
#include "unit/shard/fixture.h"
#include "wire/forward.h"

static void assert_sent(struct fixture *fixture, const char *expected)
{
    if (!span_equal(buf_span(&fixture->sent_forwards), span_text(expected)))
        fail_msg("sent '%.*s', expected '%s'", (int)fixture->sent_forwards.len,
                 fixture->sent_forwards.ptr, expected);
    fixture->sent_forwards.len = 0;
}

/* --- the follower --- */

/* Node 2 leads `term`. Its entries after `last` of this node's log are `records`, up to `commit`.
 */
static void hear_leader(struct fixture *fixture, uint64_t term, uint64_t commit,
                        const struct buf *records, size_t count)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = term};
    uint64_t last = fixture_last(fixture);
    message.append_request.prev_index = last;
    message.append_request.prev_term = raft_term_of(shard_raft(fixture->shard), last);
    message.append_request.first_index = last + 1;
    message.append_request.entry_count = count;
    message.append_request.commit = commit;
    message.append_request.time_ms = 6000;
    fixture_message(fixture, message, records);
    fixture_turn(fixture);
}

static void follow(struct fixture *fixture, uint64_t term)
{
    struct buf records = {0};
    fixture_noops(&records, fixture_last(fixture) + 1, 1, term);
    hear_leader(fixture, term, fixture_last(fixture) + 1, &records, 1);
    buf_close(&records);
    assert_int_equal(raft_leader(shard_raft(fixture->shard)), 2);
}

/* The next entry of the log: SET <key> <key>, for request `seq` of this life. */
static void add_set(struct fixture *fixture, struct buf *records, size_t offset, uint64_t term,
                    const char *key, uint64_t seq)
{
    struct span args[] = {SPAN("SET"), span_text(key), span_text(key)};
    struct entry entry = {.index = fixture_last(fixture) + 1 + offset,
                          .term = term,
                          .kind = ENTRY_COMMAND,
                          .time_ms = 6000,
                          .origin = {1, fixture->life, seq}};
    entry_encode_command(records, &entry, args, 3);
}

static void applies_set(struct fixture *fixture, uint64_t term, const char *key, uint64_t seq)
{
    struct buf records = {0};
    add_set(fixture, &records, 0, term, key, seq);
    hear_leader(fixture, term, fixture_last(fixture) + 1, &records, 1);
    buf_close(&records);
}

static void take(struct fixture *fixture, const struct wire_forward *message)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct wire_forward sent = *message;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    sent.cluster_id = span_text(fixture->cluster.cluster_id);
    sent.from = sent.from ? sent.from : 2;
    sent.to = 1;
    sent.life = sent.life ? sent.life : fixture->life;
    sent.term = sent.term ? sent.term : fixture_term(fixture);
    wire_encode_forward(&bytes, &sent);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    if (shard_message(fixture->shard, &(struct shard_peer){sent.from, 1, 0}, parser.args,
                      parser.argc, fixture->now))
        fail_msg("refused: %s", shard_refusal(fixture->shard));
    resp_parser_close(&parser);
    buf_close(&bytes);
    fixture_turn(fixture);
}

static void disposed_below(struct fixture *fixture, uint64_t next)
{
    take(fixture, &(struct wire_forward){.type = WIRE_FORWARDED, .forwarded = {next, 1000, 0}});
}

static void test_a_follower_answers_when_it_applies_what_the_leader_appended(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 2, "SET b 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:1,1,2 "); /* one message for a turn */
    disposed_below(&fixture, 3);
    assert_answered(&fixture, "");
    applies_set(&fixture, 4, "a", 1);
    assert_answered(&fixture, "1:+OK ");
    applies_set(&fixture, 4, "b", 2);
    assert_answered(&fixture, "2:+OK ");
    fixture_accept(&fixture, 1, "SET c 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:3,3,1 ");
    assert_int_equal(shard_stats(fixture.shard).forwarded, 3);
    fixture_close(&fixture);
}

static void test_entries_of_others_answer_nobody(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_turn(&fixture);
    fixture.life++; /* another run of this process */
    applies_set(&fixture, 4, "a", 1);
    fixture.life--;
    assert_answered(&fixture, "");
    applies_set(&fixture, 4, "a", 2); /* a request that this one never was */
    fixture_close(&fixture);
}

static void test_what_is_not_disposed_of_is_sent_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 1, "SET b 1");
    fixture_turn(&fixture);
    disposed_below(&fixture, 2);
    fixture.sent_forwards.len = 0;
    shard_peer_met(fixture.shard, &(struct shard_peer){3, 1, 0}, fixture.now);
    fixture_turn(&fixture);
    assert_sent(&fixture, "");
    shard_peer_met(fixture.shard, &(struct shard_peer){2, 1, 0}, fixture.now);
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:1,2,1 ");
    hear_leader(&fixture, 4, 0, NULL, 0);
    fixture_pass(&fixture, HEARTBEAT_MS * 4);
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:1,2,1 ");
    hear_leader(&fixture, 4, 0, NULL, 0);
    fixture_pass(&fixture, HEARTBEAT_MS * 4); /* it may be large: twice as long, the next time */
    fixture_turn(&fixture);
    assert_sent(&fixture, "");
    hear_leader(&fixture, 4, 0, NULL, 0);
    fixture_pass(&fixture, HEARTBEAT_MS * 4);
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:1,2,1 ");
    disposed_below(&fixture, 3);
    fixture_pass(&fixture, HEARTBEAT_MS * 4);
    fixture_turn(&fixture);
    assert_sent(&fixture, "");
    fixture_close(&fixture);
}

static void test_what_the_leader_has_left_out_is_sent_again_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 1, "SET b 1");
    fixture_accept(&fixture, 2, "GET a");
    fixture_turn(&fixture);
    fixture.sent_forwards.len = 0;
    take(&fixture, &(struct wire_forward){.type = WIRE_FORWARDED, .forwarded = {2, 1000, 1}});
    assert_sent(&fixture, "READ@4:1,0,0 FORWARD@4:1,2,1 ");
    fixture_close(&fixture);
}

static void test_what_nobody_waits_for_is_not_carried_out_late(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:1,1,1 ");
    assert_int_equal(fixture.wanted, 1);
    fixture.left = true;
    shard_peer_met(fixture.shard, &(struct shard_peer){2, 1, 0}, fixture.now);
    fixture_turn(&fixture);
    assert_sent(&fixture, "");
    assert_int_equal(shard_stats(fixture.shard).pending_writes, 0);
    fixture.left = false;
    fixture_accept(&fixture, 2, "SET b 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:2,2,1 "); /* what had number 1 needs no answer */
    fixture_close(&fixture);
}

static void test_a_refused_request_is_answered_with_the_leaders_words(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 2, "SET b 1");
    fixture_turn(&fixture);
    struct buf items = {0};
    wire_add_refusal(&items, 2, SPAN("OOM no memory"));
    const struct wire_forward answer = {
        .type = WIRE_FORWARDED, .forwarded = {3, 1000, 0}, .items = buf_span(&items)};
    take(&fixture, &answer);
    assert_answered(&fixture, "2:-OOM no memory ");
    take(&fixture, &answer); /* the leader repeats itself */
    assert_answered(&fixture, "");
    applies_set(&fixture, 4, "a", 1);
    assert_answered(&fixture, "1:+OK ");
    assert_int_equal(shard_stats(fixture.shard).pending_writes, 0);
    buf_close(&items);
    fixture_close(&fixture);
}

static void test_what_an_applied_request_has_overtaken_was_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 1, "GET b");
    fixture_accept(&fixture, 1, "SET b 1");
    fixture_turn(&fixture);
    applies_set(&fixture, 4, "b", 2);
    assert_answered(&fixture,
                    "1:-MISCONF the leader refused the write, and was lost before it could "
                    "say why: nothing was executed 1:$-1 1:+OK ");
    fixture_close(&fixture);
}

static void test_more_than_the_window_is_held_back(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_turn(&fixture);
    take(&fixture, &(struct wire_forward){.type = WIRE_FORWARDED, .forwarded = {2, 1, 0}});
    fixture.sent_forwards.len = 0;
    fixture_accept(&fixture, 1, "SET b 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, "");
    applies_set(&fixture, 4, "a", 1);
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:2,2,1 ");
    fixture_close(&fixture);
}

static void test_what_a_later_term_does_not_hold_is_forwarded_again_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 1, "SET b 1");
    fixture_turn(&fixture);
    fixture.sent_forwards.len = 0;
    applies_set(&fixture, 4, "a", 1);
    assert_answered(&fixture, "1:+OK ");
    hear_leader(&fixture, 5, 0, NULL, 0); /* node 2 again, in another term */
    fixture_accept(&fixture, 1, "SET c 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, ""); /* what became of b is not known */
    follow(&fixture, 5);
    assert_sent(&fixture, "FORWARD@5:1,1,2 ");
    assert_int_equal(shard_stats(fixture.shard).reissued, 1);
    applies_set(&fixture, 5, "b", 1);
    applies_set(&fixture, 5, "c", 2);
    assert_answered(&fixture, "1:+OK 1:+OK ");
    fixture_close(&fixture);
}

static void test_a_request_that_the_next_term_holds_is_answered_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_turn(&fixture);
    fixture.sent_forwards.len = 0;
    hear_leader(&fixture, 5, 0, NULL, 0);
    struct buf records = {0};
    add_set(&fixture, &records, 0, 4, "a", 1); /* it came from the last leader */
    fixture_noops(&records, fixture_last(&fixture) + 2, 1, 5);
    hear_leader(&fixture, 5, fixture_last(&fixture) + 2, &records, 2);
    buf_close(&records);
    assert_answered(&fixture, "1:+OK ");
    assert_sent(&fixture, "");
    fixture_close(&fixture);
}

static void test_a_read_is_answered_when_the_leaders_index_is_applied(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "GET a");
    fixture_turn(&fixture);
    fixture_accept(&fixture, 2, "GET a");
    fixture_turn(&fixture);
    assert_sent(&fixture, "READ@4:1,0,0 "); /* the second one shares the next round */
    uint64_t next = fixture_last(&fixture) + 1;
    take(&fixture, &(struct wire_forward){.type = WIRE_READ_INDEX, .read_index = {1, next, 6000}});
    assert_answered(&fixture, "");
    applies_set(&fixture, 4, "a", 99);
    assert_answered(&fixture, "1:$1a ");
    assert_sent(&fixture, "READ@4:2,0,0 ");
    take(&fixture, &(struct wire_forward){.type = WIRE_READ_INDEX, .read_index = {1, next, 6000}});
    assert_answered(&fixture, ""); /* of the round before */
    take(&fixture, &(struct wire_forward){.type = WIRE_READ_INDEX, .read_index = {2, next, 6000}});
    assert_answered(&fixture, "2:$1a ");
    fixture_close(&fixture);
}

static void test_a_command_of_the_connection_takes_its_turn_as_a_read(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "WATCH a");
    fixture_turn(&fixture);
    assert_int_equal(fixture.locals_run, 0);
    const struct wire_forward index = {
        .type = WIRE_READ_INDEX, .read_index = {fixture.context, fixture_last(&fixture), 6000}};
    take(&fixture, &index);
    assert_int_equal(fixture.locals_run, 1);
    fixture_close(&fixture);
}

static void test_a_read_before_a_write_is_answered_just_before_its_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "GET a");
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 1, "GET a");
    fixture_turn(&fixture);
    applies_set(&fixture, 4, "a", 1);
    assert_answered(&fixture, "1:$-1 1:+OK ");
    fixture_close(&fixture);
}

static void test_a_read_is_judged_by_the_leaders_time(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    struct span args[] = {SPAN("SET"), SPAN("a"), SPAN("1"), SPAN("PXAT"), SPAN("9000")};
    struct entry entry = {
        .index = fixture_last(&fixture) + 1, .term = 4, .kind = ENTRY_COMMAND, .time_ms = 6000};
    struct buf records = {0};
    entry_encode_command(&records, &entry, args, 5);
    hear_leader(&fixture, 4, entry.index, &records, 1);
    fixture.now.mono_us += 60000000; /* by its own clock the key is long gone */
    fixture_accept(&fixture, 1, "GET a");
    fixture_turn(&fixture);
    fixture.sent_forwards.len = 0;
    uint64_t index = fixture_last(&fixture);
    const struct wire_forward early = {.type = WIRE_READ_INDEX,
                                       .read_index = {fixture.context, index, 8999}};
    take(&fixture, &early);
    assert_answered(&fixture, "1:$11 ");
    fixture_accept(&fixture, 1, "GET a");
    fixture_turn(&fixture);
    fixture.sent_forwards.len = 0;
    const struct wire_forward late = {.type = WIRE_READ_INDEX,
                                      .read_index = {fixture.context, index, 9001}};
    take(&fixture, &late);
    assert_answered(&fixture, ""); /* no entry says so yet: the leader is asked for one */
    assert_sent(&fixture, "READ@4:3,9000,0 ");
    shard_peer_met(fixture.shard, &(struct shard_peer){2, 1, 0}, fixture.now);
    fixture_turn(&fixture);
    assert_sent(&fixture, "READ@4:3,9000,0 "); /* the question may have been lost */
    records.len = 0;
    entry = (struct entry){
        .index = index + 1, .term = 4, .kind = ENTRY_EXPIRY, .time_ms = 9002, .seed = 10};
    entry_encode(&records, &entry);
    hear_leader(&fixture, 4, entry.index, &records, 1);
    assert_answered(&fixture, "1:$-1 ");
    buf_close(&records);
    fixture_close(&fixture);
}

static void test_a_follower_asks_who_holds_an_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    uint64_t index = fixture_last(&fixture);
    assert_int_equal(shard_holders(fixture.shard, index), 2); /* it is applied */
    assert_int_equal(shard_holders(fixture.shard, index + 1), 0);
    shard_want_holders(fixture.shard);
    fixture_turn(&fixture);
    fixture_turn(&fixture);
    assert_sent(&fixture, "HOLDERS@4:0,0,0 ");
    struct buf items = {0};
    wire_add_index(&items, index);
    wire_add_index(&items, index + 1);
    wire_add_index(&items, index);
    take(&fixture, &(struct wire_forward){.type = WIRE_HELD, .items = buf_span(&items)});
    buf_close(&items);
    assert_int_equal(shard_holders(fixture.shard, index), 3);
    assert_int_equal(shard_holders(fixture.shard, index + 1), 1);
    fixture_close(&fixture);
}

static void test_reads_of_a_round_do_not_wait_for_the_index_of_the_next(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "GET a");
    fixture_turn(&fixture);
    uint64_t last = fixture_last(&fixture);
    fixture.sent_forwards.len = 0;
    take(&fixture,
         &(struct wire_forward){.type = WIRE_READ_INDEX, .read_index = {1, last + 1, 6000}});
    fixture_accept(&fixture, 2, "GET a");
    fixture_turn(&fixture);
    assert_sent(&fixture, ""); /* this node lags */
    follow(&fixture, 4);
    assert_answered(&fixture, "1:$-1 ");
    assert_sent(&fixture, "READ@4:2,0,0 ");
    fixture_close(&fixture);
}

static void test_who_is_heard_and_does_not_answer_is_waited_for_no_longer(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_accept(&fixture, 2, "GET a");
    fixture_turn(&fixture);
    for (int i = 0; i < 3 * LEADER_WAIT_MS / 100; i++) { /* its own connection carries heartbeats */
        hear_leader(&fixture, 4, 0, NULL, 0);
        fixture_pass(&fixture, 100);
        fixture_turn(&fixture);
    }
    assert_answered(&fixture,
                    "1:-UNKNOWN it could not be found out within leader-wait-ms whether the write "
                    "was committed: it may still take effect 2:-CLUSTERDOWN leadership was "
                    "lost before the command was proposed: nothing was executed, try again ");
    fixture_close(&fixture);
}

static void test_a_window_of_nothing_lets_one_request_through(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "SET a 1");
    fixture_turn(&fixture);
    take(&fixture, &(struct wire_forward){.type = WIRE_FORWARDED, .forwarded = {2, 0, 0}});
    applies_set(&fixture, 4, "a", 1);
    fixture.sent_forwards.len = 0;
    fixture_accept(&fixture, 1, "SET b 1");
    fixture_accept(&fixture, 1, "SET c 1");
    fixture_turn(&fixture);
    assert_sent(&fixture, "FORWARD@4:2,2,1 ");
    fixture_close(&fixture);
}

static void test_a_leader_whose_data_is_disputed_answers_no_reads_of_others(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture, 4);
    fixture_accept(&fixture, 1, "GET a");
    fixture_turn(&fixture);
    take(&fixture, &(struct wire_forward){.type = WIRE_READ_INDEX, .read_index = {1, 0, 6000}});
    assert_answered(&fixture, "1:-" SHARD_IS_DISPUTED " ");
    fixture_close(&fixture);
}

/* --- the leader --- */

static enum err forward_from(struct fixture *fixture, const struct shard_peer *peer,
                             const struct wire_forward *message)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct wire_forward sent = *message;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    sent.cluster_id = span_text(fixture->cluster.cluster_id);
    sent.from = peer->node;
    sent.to = 1;
    sent.term = sent.term ? sent.term : fixture_term(fixture);
    wire_encode_forward(&bytes, &sent);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    enum err err = shard_message(fixture->shard, peer, parser.args, parser.argc, fixture->now);
    resp_parser_close(&parser);
    buf_close(&bytes);
    fixture_turn(fixture);
    return err;
}

/* Requests `first` to `last` of a life of node 3: each appends its number to key k. */
static enum err forward(struct fixture *fixture, uint64_t life, uint64_t answered, uint64_t first,
                        uint64_t last)
{
    struct buf items = {0}, text = {0};
    struct wire_forward message = {
        .type = WIRE_FORWARD, .life = life, .forward = {answered, first, last - first + 1}};
    for (uint64_t seq = first; seq <= last; seq++) {
        char digit = (char)('0' + seq);
        struct span args[] = {SPAN("APPEND"), SPAN("k"), span_of(&digit, 1)};
        text.len = 0;
        resp_encode_command(&text, args, 3);
        wire_add_request(&items, &(struct wire_request){ENTRY_COMMAND, 0, buf_span(&text)});
    }
    message.items = buf_span(&items);
    enum err err = forward_from(fixture, &(struct shard_peer){3, 1, 0}, &message);
    buf_close(&items);
    buf_close(&text);
    return err;
}

static void assert_k_is(struct fixture *fixture, const char *expected)
{
    fixture_acknowledge(fixture, 1000);
    fixture_turn(fixture);
    fixture->answered.len = 0;
    fixture_accept(fixture, 1, "GET k");
    fixture_turn(fixture);
    fixture_acknowledge(fixture, 1000);
    fixture_turn(fixture);
    assert_answered(fixture, expected);
}

static void test_each_request_becomes_one_entry_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture), term = fixture_term(&fixture);
    char expected[64];
    assert_int_equal(forward(&fixture, 77, 1, 1, 3), ERR_NONE);
    assert_int_equal(fixture_last(&fixture), last + 3);
    snprintf(expected, sizeof expected, "FORWARDED@%d:4,65536,0 ", (int)term);
    assert_sent(&fixture, expected);
    assert_int_equal(forward(&fixture, 77, 1, 2, 4), ERR_NONE); /* two of them once more */
    assert_int_equal(forward(&fixture, 77, 1, 6, 6), ERR_NONE); /* one is missing */
    assert_int_equal(fixture_last(&fixture), last + 4);
    assert_k_is(&fixture, "1:$41234 ");
    assert_int_equal(forward(&fixture, 78, 1, 1, 1), ERR_NONE); /* a process that was restarted */
    assert_int_equal(forward(&fixture, 77, 1, 1, 4), ERR_NONE); /* and what the last one left */
    assert_k_is(&fixture, "1:$512341 ");
    fixture_close(&fixture);
}

static void test_a_number_without_a_request_is_disposed_of(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture);
    const struct wire_forward nothing = {
        .type = WIRE_FORWARD, .life = 77, .forward = {1, 1, 1}, .items = SPAN("N0\r\n")};
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &nothing), ERR_NONE);
    assert_int_equal(fixture_last(&fixture), last);
    assert_int_equal(forward(&fixture, 77, 1, 1, 2), ERR_NONE);
    assert_k_is(&fixture, "1:$12 ");
    const struct wire_forward something = {
        .type = WIRE_FORWARD, .life = 77, .forward = {3, 3, 1}, .items = SPAN("N1\r\nx")};
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &something),
                     ERR_INVALID);
    fixture_close(&fixture);
}

static void test_requests_of_another_term_are_not_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_depose(&fixture);
    fixture_win(&fixture);
    fixture_turn(&fixture);
    uint64_t last = fixture_last(&fixture);
    struct buf items = {0};
    wire_add_request(
        &items, &(struct wire_request){ENTRY_COMMAND, 0, SPAN("*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n")});
    struct wire_forward message = {
        .type = WIRE_FORWARD, .life = 5, .forward = {1, 1, 1}, .items = buf_span(&items)};
    message.term = fixture_term(&fixture) - 1;
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    message.term = fixture_term(&fixture) + 1;
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    message.term = 0;
    /* Nor of a folder that is no member. */
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 9, 0}, &message), ERR_NONE);
    assert_int_equal(fixture_last(&fixture), last);
    assert_sent(&fixture, "");
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    assert_int_equal(fixture_last(&fixture), last + 1);
    buf_close(&items);
    fixture_close(&fixture);
}

static void test_a_refusal_is_repeated_until_it_is_acknowledged(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture), term = fixture_term(&fixture);
    char refused[64], forgotten[64];
    fixture.refusal = "OOM none";
    assert_int_equal(forward(&fixture, 77, 1, 1, 1), ERR_NONE);
    fixture.refusal = NULL;
    snprintf(refused, sizeof refused, "FORWARDED@%d:2,65536,0 ", (int)term);
    assert_sent(&fixture, refused);
    assert_int_equal(fixture.refusals, 1);
    assert_int_equal(forward(&fixture, 77, 1, 1, 1), ERR_NONE);
    assert_sent(&fixture, refused);
    assert_int_equal(fixture.refusals, 1);
    assert_int_equal(fixture_last(&fixture), last); /* it was disposed of, there is room or not */
    assert_int_equal(forward(&fixture, 77, 2, 2, 2), ERR_NONE);
    snprintf(forgotten, sizeof forgotten, "FORWARDED@%d:3,65536,0 ", (int)term);
    assert_sent(&fixture, forgotten);
    assert_int_equal(fixture.refusals, 0);
    fixture_close(&fixture);
}

static void test_requests_that_were_given_up_are_not_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    assert_int_equal(forward(&fixture, 77, 3, 3, 3), ERR_NONE);
    assert_int_equal(forward(&fixture, 77, 1, 1, 2), ERR_NONE); /* they were on the way for long */
    assert_k_is(&fixture, "1:$13 ");
    fixture_close(&fixture);
}

static void test_requests_that_no_node_makes_close_the_connection(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture);
    static const char *const bad[] = {"C3\r\nabc",
                                      "C14\r\n*1\r\n$4\r\nPING\r\n",
                                      "C22\r\n*1\r\n$8\r\nFLUSHALLX\r\n\r\n",
                                      "T14\r\n*1\r\n$4\r\nEXEC\r\n",
                                      "C5\r\nab",
                                      "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct wire_forward message = {.type = WIRE_FORWARD,
                                             .life = 100 + i,
                                             .forward = {1, 1, 1},
                                             .items = span_text(bad[i])};
        assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message),
                         ERR_INVALID);
    }
    const struct wire_forward trailing = {.type = WIRE_FORWARD,
                                          .life = 200,
                                          .forward = {1, 1, 1},
                                          .items = SPAN("C22\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\nx")};
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &trailing), ERR_INVALID);
    assert_in_range(fixture_last(&fixture), last, last + 1);
    fixture_close(&fixture);
}

static void test_relative_times_count_from_when_the_leader_appends(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    struct buf items = {0};
    wire_add_request(
        &items, &(struct wire_request){
                    ENTRY_COMMAND, 0,
                    SPAN("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nPX\r\n$4\r\n1000\r\n")});
    const struct wire_forward message = {
        .type = WIRE_FORWARD, .life = 5, .forward = {1, 1, 1}, .items = buf_span(&items)};
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    const struct item *item =
        keyspace_find(shard_keyspace(fixture.shard, 0), SPAN("k"), NO_DEADLINE);
    assert_non_null(item);
    assert_int_equal(item_deadline(item), shard_clock_ms(fixture.shard) + 1000);
    buf_close(&items);
    fixture_close(&fixture);
}

static void assert_says(struct fixture *fixture, unsigned next, unsigned again)
{
    char expected[64];
    snprintf(expected, sizeof expected, "FORWARDED@%d:%u,65536,%u ", (int)fixture_term(fixture),
             next, again);
    assert_sent(fixture, expected);
}

static void test_a_leader_says_once_that_requests_are_missing(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    assert_int_equal(forward(&fixture, 77, 1, 2, 2), ERR_NONE);
    assert_says(&fixture, 1, 1);
    assert_int_equal(forward(&fixture, 77, 1, 3, 3), ERR_NONE);
    assert_says(&fixture, 1, 0); /* they may be on their way by now */
    assert_int_equal(forward(&fixture, 77, 1, 1, 2), ERR_NONE);
    assert_says(&fixture, 3, 0);
    assert_int_equal(forward(&fixture, 77, 1, 4, 4), ERR_NONE);
    assert_says(&fixture, 3, 1);
    assert_int_equal(forward(&fixture, 77, 1, 3, 4), ERR_NONE);
    assert_says(&fixture, 5, 0);
    assert_k_is(&fixture, "1:$41234 ");
    fixture_close(&fixture);
}

static void test_what_came_during_a_transfer_is_asked_for_when_that_is_over(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture);
    shard_transfer(fixture.shard, 2, fixture.now);
    assert_int_equal(forward(&fixture, 77, 1, 1, 1), ERR_NONE);
    assert_sent(&fixture, "");
    assert_int_equal(fixture_last(&fixture), last);
    for (int i = 0; i < 2; i++) { /* node 2 does not stand: this node leads on */
        fixture_pass(&fixture, ELECTION_MS / 2);
        fixture_acknowledge(&fixture, 1000);
    }
    fixture_turn(&fixture);
    assert_says(&fixture, 1, 1);
    fixture_turn(&fixture);
    assert_sent(&fixture, "");
    fixture_close(&fixture);
}

static void test_a_reader_elsewhere_gets_an_index_after_a_round(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    const struct wire_forward message = {.type = WIRE_READ, .life = 5, .read = {12, 0}};
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    assert_sent(&fixture, "");
    fixture_acknowledge(&fixture, 1000);
    fixture_turn(&fixture);
    char expected[80];
    snprintf(expected, sizeof expected, "READINDEX@%d:12,%d,%lld ", (int)fixture_term(&fixture),
             (int)fixture_last(&fixture), (long long)shard_now_ms(fixture.shard, fixture.now));
    assert_sent(&fixture, expected);
    fixture_close(&fixture);
}

static void test_a_reader_that_asks_again_waits_for_the_same_round(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    const struct wire_forward message = {.type = WIRE_READ, .life = 5, .read = {12, 0}};
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    uint64_t round = fixture.round;
    assert_int_equal(forward_from(&fixture, &(struct shard_peer){3, 1, 0}, &message), ERR_NONE);
    fixture_acknowledge(&fixture, round);
    fixture_turn(&fixture);
    assert_true(fixture.sent_forwards.len > 0);
    fixture_close(&fixture);
}

static void test_a_refused_request_leaves_the_clock_where_it_was(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET e v PX 500");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    fixture.answered.len = 0;
    fixture.now.mono_us += 600000; /* before the tick that would remove the key */
    fixture.now.mono_ms += 600;
    fixture.refusal = "OOM none";
    uint64_t last = fixture_last(&fixture);
    assert_int_equal(forward(&fixture, 77, 1, 1, 1), ERR_NONE);
    assert_int_equal(fixture_last(&fixture), last);
    fixture_accept(&fixture, 1, "GET e");
    for (int i = 0; i < 3; i++) {
        fixture_turn(&fixture);
        fixture_acknowledge(&fixture, 1000);
    }
    fixture_turn(&fixture);
    assert_int_equal(fixture_last(&fixture), last + 1); /* the entry that says that it expired */
    assert_answered(&fixture, "1:$-1 ");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_follower_answers_when_it_applies_what_the_leader_appended),
        cmocka_unit_test(test_entries_of_others_answer_nobody),
        cmocka_unit_test(test_what_is_not_disposed_of_is_sent_again),
        cmocka_unit_test(test_what_the_leader_has_left_out_is_sent_again_at_once),
        cmocka_unit_test(test_what_nobody_waits_for_is_not_carried_out_late),
        cmocka_unit_test(test_a_refused_request_is_answered_with_the_leaders_words),
        cmocka_unit_test(test_what_an_applied_request_has_overtaken_was_refused),
        cmocka_unit_test(test_more_than_the_window_is_held_back),
        cmocka_unit_test(test_what_a_later_term_does_not_hold_is_forwarded_again_in_order),
        cmocka_unit_test(test_a_request_that_the_next_term_holds_is_answered_once),
        cmocka_unit_test(test_a_read_is_answered_when_the_leaders_index_is_applied),
        cmocka_unit_test(test_a_command_of_the_connection_takes_its_turn_as_a_read),
        cmocka_unit_test(test_a_read_before_a_write_is_answered_just_before_its_entry),
        cmocka_unit_test(test_a_read_is_judged_by_the_leaders_time),
        cmocka_unit_test(test_a_follower_asks_who_holds_an_entry),
        cmocka_unit_test(test_reads_of_a_round_do_not_wait_for_the_index_of_the_next),
        cmocka_unit_test(test_who_is_heard_and_does_not_answer_is_waited_for_no_longer),
        cmocka_unit_test(test_a_window_of_nothing_lets_one_request_through),
        cmocka_unit_test(test_a_leader_whose_data_is_disputed_answers_no_reads_of_others),
        cmocka_unit_test(test_each_request_becomes_one_entry_in_order),
        cmocka_unit_test(test_a_number_without_a_request_is_disposed_of),
        cmocka_unit_test(test_requests_of_another_term_are_not_taken),
        cmocka_unit_test(test_a_refusal_is_repeated_until_it_is_acknowledged),
        cmocka_unit_test(test_requests_that_were_given_up_are_not_waited_for),
        cmocka_unit_test(test_requests_that_no_node_makes_close_the_connection),
        cmocka_unit_test(test_relative_times_count_from_when_the_leader_appends),
        cmocka_unit_test(test_a_leader_says_once_that_requests_are_missing),
        cmocka_unit_test(test_what_came_during_a_transfer_is_asked_for_when_that_is_over),
        cmocka_unit_test(test_a_reader_elsewhere_gets_an_index_after_a_round),
        cmocka_unit_test(test_a_reader_that_asks_again_waits_for_the_same_round),
        cmocka_unit_test(test_a_refused_request_leaves_the_clock_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
