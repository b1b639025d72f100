/* What a leader tells the others about each other's acknowledgements, and whom they believe. */
#include "unit/shard/fixture.h"
#include "wire/witness.h"

enum { INTERVAL_MS = 100, FULL_TERM = 5 };

static void open_with_witnesses(struct fixture *f, uint32_t interval_ms)
{
    char message[512];
    fixture_open(f, 3);
    fixture_end(f);
    f->digest_interval_ms = interval_ms;
    assert_int_equal(fixture_start(f, 3, message), ERR_NONE);
}

/* Those that were sent since the last call; the last one to each node. */
static size_t sent(struct fixture *f, struct wire_witness to[4])
{
    struct span rest = buf_span(&f->sent_witnesses);
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    size_t count = 0;
    for (; rest.len; count++) {
        struct wire_witness message;
        struct resp_parser parser = {0};
        assert_int_equal(resp_parse(&parser, rest, &limits), RESP_COMMAND);
        assert_int_equal(wire_parse_witness(parser.args, parser.argc, &message), ERR_NONE);
        assert_true(span_equal(message.cluster_id, span_text(f->cluster.cluster_id)));
        to[message.to] = message;
        rest = span_of(rest.ptr + parser.consumed, rest.len - parser.consumed);
        resp_parser_close(&parser);
    }
    f->sent_witnesses.len = 0;
    return count;
}

static void test_a_leader_tells_all_what_each_has_acknowledged(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_witness to[4];
    open_with_witnesses(&f, INTERVAL_MS);
    fixture_lead(&f);
    fixture_turn(&f);
    assert_int_equal(sent(&f, to), 2); /* at once */
    for (uint64_t id = 2; id <= 3; id++) {
        assert_int_equal(to[id].term, fixture_term(&f));
        assert_int_equal(to[id].from, 1);
        assert_int_equal(to[id].count, 2);
        assert_int_equal(to[id].members[0].id, 1);
        assert_int_equal(to[id].members[1].id, 2);
        assert_int_equal(to[id].members[1].incarnation, 1);
        assert_int_equal(to[id].members[1].index, 1);
    }
    fixture_turn(&f);
    assert_int_equal(sent(&f, to), 0);
    fixture_pass(&f, INTERVAL_MS);
    fixture_turn(&f);
    assert_int_equal(sent(&f, to), 2);
    fixture_close(&f);
}

static void test_without_an_interval_nobody_is_told(void **state)
{
    (void)state;
    struct fixture f;
    struct wire_witness to[4];
    open_with_witnesses(&f, 0);
    fixture_lead(&f);
    fixture_pass(&f, INTERVAL_MS);
    fixture_turn(&f);
    assert_int_equal(sent(&f, to), 0);
    fixture_close(&f);
}

static enum err receive(struct fixture *f, uint64_t from, struct wire_witness message)
{
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    if (!message.cluster_id.ptr)
        message.cluster_id = span_text(f->cluster.cluster_id);
    wire_encode_witness(&bytes, &message);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    enum err err =
        shard_message(f->shard, &(struct shard_peer){from, 1, 0}, parser.args, parser.argc, f->now);
    resp_parser_close(&parser);
    buf_close(&bytes);
    return err;
}

static struct wire_witness witness_of_3(uint64_t term, uint64_t index)
{
    return (struct wire_witness){.term = term,
                                 .from = 2,
                                 .to = 1,
                                 .count = 1,
                                 .members = {{.id = 3, .incarnation = 1, .index = index}}};
}

static void follow_2(struct fixture *f)
{
    struct raft_message append = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = FULL_TERM};
    append.append_request.first_index = 1;
    fixture_message(f, append, NULL);
}

/* Node 3, whose log ends at `last`, is a candidate that lacks nothing else. */
static bool votes_for_3(struct fixture *f, uint64_t last)
{
    struct raft_message request = {.type = RAFT_VOTE_REQUEST, .from = 3, .term = FULL_TERM + 1};
    shard_peer_lost(f->shard, 2, f->now);
    fixture_pass(f, 0);
    request.vote_request.transfer = true;
    request.vote_request.last_index = last;
    request.vote_request.last_term = FULL_TERM;
    fixture_message(f, request, NULL);
    fixture_turn(f);
    return raft_vote(shard_raft(f->shard)) == 3;
}

static void test_a_follower_believes_its_leader(void **state)
{
    (void)state;
    for (uint64_t last = 6; last <= 7; last++) {
        struct fixture f;
        open_with_witnesses(&f, INTERVAL_MS);
        follow_2(&f);
        assert_int_equal(receive(&f, 2, witness_of_3(FULL_TERM, 7)), ERR_NONE);
        assert_int_equal(votes_for_3(&f, last), last == 7);
        fixture_close(&f);
    }
}

static void test_a_follower_believes_nobody_else(void **state)
{
    (void)state;
    struct fixture f;
    open_with_witnesses(&f, INTERVAL_MS);
    assert_int_equal(receive(&f, 2, witness_of_3(0, 7)), ERR_NONE); /* not its leader yet */
    follow_2(&f);
    assert_int_equal(receive(&f, 2, witness_of_3(FULL_TERM - 1, 7)), ERR_NONE);
    struct wire_witness message = witness_of_3(FULL_TERM, 7);
    message.from = 3;
    assert_int_equal(receive(&f, 3, message), ERR_NONE);
    assert_int_equal(receive(&f, 2, message), ERR_FOREIGN);
    message = witness_of_3(FULL_TERM, 7);
    message.to = 3;
    assert_int_equal(receive(&f, 2, message), ERR_FOREIGN);
    message.to = 1;
    message.shard = 1;
    assert_int_equal(receive(&f, 2, message), ERR_FOREIGN);
    message.shard = 0;
    message.cluster_id = SPAN("another");
    assert_int_equal(receive(&f, 2, message), ERR_FOREIGN);
    message = witness_of_3(FULL_TERM, UINT64_MAX);
    assert_int_equal(receive(&f, 2, message), ERR_INVALID);
    assert_non_null(strstr(shard_refusal(f.shard), "cannot be"));
    assert_true(votes_for_3(&f, 6));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_tells_all_what_each_has_acknowledged),
        cmocka_unit_test(test_without_an_interval_nobody_is_told),
        cmocka_unit_test(test_a_follower_believes_its_leader),
        cmocka_unit_test(test_a_follower_believes_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
