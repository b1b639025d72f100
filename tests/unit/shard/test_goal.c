/* A goal is reached when all that was acknowledged before it is applied here. */
#include "unit/shard/fixture.h"

enum { ANY_ROUND = 1000 };

static void assert_goal(struct fixture *fixture, enum shard_goal_state state)
{
    assert_int_equal(shard_goal_state(fixture->shard), state);
}

/* Node 2 leads `term` and has one entry more, which it has committed. */
static void hear_entry(struct fixture *fixture, uint64_t term)
{
    struct buf records = {0};
    uint64_t last = fixture_last(fixture);
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = term};
    message.append_request.prev_index = last;
    message.append_request.prev_term = raft_term_of(shard_raft(fixture->shard), last);
    message.append_request.first_index = last + 1;
    message.append_request.entry_count = 1;
    message.append_request.commit = last + 1;
    message.append_request.time_ms = 6000;
    fixture_noops(&records, last + 1, 1, term);
    fixture_message(fixture, message, &records);
    fixture_turn(fixture);
    buf_close(&records);
}

/* Node 2 says what was committed when it was asked. */
static void hear_index(struct fixture *fixture, uint64_t context, uint64_t index)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct wire_forward answer = {.type = WIRE_READ_INDEX, .read_index = {context, index, 6000}};
    struct resp_parser parser = {0};
    struct buf bytes = {0};
    answer.cluster_id = span_text(fixture->cluster.cluster_id);
    answer.from = 2;
    answer.to = 1;
    answer.life = fixture->life;
    answer.term = fixture_term(fixture);
    wire_encode_forward(&bytes, &answer);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    assert_int_equal(shard_message(fixture->shard, &(struct shard_peer){2, 1, 0}, parser.args,
                                   parser.argc, fixture->now),
                     ERR_NONE);
    resp_parser_close(&parser);
    buf_close(&bytes);
    fixture_turn(fixture);
}

static void test_a_follower_asks_the_leader_and_applies_as_much(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    hear_entry(&fixture, 4);
    assert_goal(&fixture, SHARD_GOAL_WAITS);
    shard_set_goal(fixture.shard, fixture.now);
    fixture_turn(&fixture);
    assert_goal(&fixture, SHARD_GOAL_WAITS); /* what it has heard may be old */
    hear_index(&fixture, fixture.context, fixture_last(&fixture) + 1);
    assert_goal(&fixture, SHARD_GOAL_WAITS);
    hear_entry(&fixture, 4);
    assert_goal(&fixture, SHARD_GOAL_REACHED);
    shard_set_goal(fixture.shard, fixture.now); /* the next one is reached by its own round */
    assert_goal(&fixture, SHARD_GOAL_WAITS);
    fixture_close(&fixture);
}

static void test_a_leader_confirms_that_it_still_leads(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    shard_set_goal(fixture.shard, fixture.now);
    fixture_turn(&fixture);
    assert_goal(&fixture, SHARD_GOAL_WAITS);
    fixture_acknowledge(&fixture, ANY_ROUND);
    fixture_turn(&fixture);
    assert_goal(&fixture, SHARD_GOAL_REACHED);
    fixture_close(&fixture);
}

static void test_the_next_leader_is_asked_anew(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    hear_entry(&fixture, 4);
    shard_set_goal(fixture.shard, fixture.now);
    fixture_turn(&fixture);
    uint64_t asked = fixture.context;
    hear_entry(&fixture, 5);
    fixture_turn(&fixture);
    assert_true(fixture.context > asked);
    hear_index(&fixture, asked, fixture_last(&fixture));
    assert_goal(&fixture, SHARD_GOAL_WAITS);
    hear_index(&fixture, fixture.context, fixture_last(&fixture));
    assert_goal(&fixture, SHARD_GOAL_REACHED);
    fixture_close(&fixture);
}

static void test_a_leader_whose_data_is_disputed_refuses_it(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    hear_entry(&fixture, 4);
    shard_set_goal(fixture.shard, fixture.now);
    fixture_turn(&fixture);
    hear_index(&fixture, fixture.context, 0);
    assert_goal(&fixture, SHARD_GOAL_REFUSED);
    shard_set_goal(fixture.shard, fixture.now);
    fixture_turn(&fixture);
    hear_index(&fixture, fixture.context, fixture_last(&fixture));
    assert_goal(&fixture, SHARD_GOAL_REACHED);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_follower_asks_the_leader_and_applies_as_much),
        cmocka_unit_test(test_a_leader_confirms_that_it_still_leads),
        cmocka_unit_test(test_the_next_leader_is_asked_anew),
        cmocka_unit_test(test_a_leader_whose_data_is_disputed_refuses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
