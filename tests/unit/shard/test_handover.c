/* A follower asks for leadership: whom it asks, and whom a leader gives it. */
#include "unit/shard/fixture.h"
#include "wire/handover.h"

static struct wire_handover question(const struct fixture *f)
{
    return (struct wire_handover){.cluster_id = span_text(f->cluster.cluster_id),
                                  .term = fixture_term(f),
                                  .from = 2,
                                  .to = 1};
}

static enum err ask(struct fixture *f, const struct wire_handover *asked, uint64_t incarnation)
{
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    wire_encode_handover(&bytes, asked);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    enum err err = shard_message(f->shard, &(struct shard_peer){2, incarnation, 0}, parser.args,
                                 parser.argc, f->now);
    resp_parser_close(&parser);
    buf_close(&bytes);
    fixture_turn(f);
    return err;
}

static uint64_t target(const struct fixture *f)
{
    struct raft_status status;
    raft_status(shard_raft(f->shard), &status);
    return status.transfer_target;
}

static void test_a_leader_hands_over_to_a_follower_that_asks(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 3);
    fixture_lead(&f);
    struct wire_handover asked = question(&f);
    assert_int_equal(ask(&f, &asked, 1), ERR_NONE);
    assert_int_equal(target(&f), 2);
    assert_int_equal(f.told_to_lead, 2);
    f.told_to_lead = 0;
    assert_int_equal(ask(&f, &asked, 1), ERR_NONE); /* again: once is enough */
    assert_int_equal(f.told_to_lead, 0);
    fixture_close(&f);
}

static void test_a_question_of_what_is_over_means_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 3);
    fixture_lead(&f);
    struct wire_handover asked = question(&f);
    assert_int_equal(ask(&f, &asked, 7), ERR_NONE); /* another folder than the member's */
    asked.term--;
    assert_int_equal(ask(&f, &asked, 1), ERR_NONE);
    asked.term += 2;
    assert_int_equal(ask(&f, &asked, 1), ERR_NONE);
    assert_int_equal(target(&f), 0);
    fixture_close(&f);

    fixture_open(&f, 3); /* no leader */
    asked = question(&f);
    assert_int_equal(ask(&f, &asked, 1), ERR_NONE);
    assert_int_equal(target(&f), 0);
    fixture_close(&f);
}

static void test_a_question_for_somebody_else_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 3);
    fixture_lead(&f);
    for (int i = 0; i < 4; i++) {
        struct wire_handover asked = question(&f);
        if (i == 0)
            asked.cluster_id = SPAN("another");
        if (i == 1)
            asked.from = 3;
        if (i == 2)
            asked.to = 2;
        if (i == 3)
            asked.shard = 1;
        assert_int_equal(ask(&f, &asked, 1), ERR_FOREIGN);
    }
    assert_int_equal(target(&f), 0);
    fixture_close(&f);
}

static void test_a_leader_hands_over_to_nobody_without_room(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 3);
    fixture_lead(&f);
    struct raft_message message = {
        .type = RAFT_APPEND_RESPONSE, .from = 2, .term = fixture_term(&f)};
    message.append_response.success = true;
    message.append_response.no_room = true;
    message.append_response.match = message.append_response.hint_index = fixture_last(&f);
    message.append_response.wall_ms = (uint64_t)f.now.wall_ms;
    fixture_message(&f, message, NULL);
    struct wire_handover asked = question(&f);
    assert_int_equal(ask(&f, &asked, 1), ERR_NONE);
    assert_int_equal(target(&f), 0);
    fixture_close(&f);
}

static void test_a_follower_asks_the_leader_that_it_knows(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 3);
    assert_false(shard_ask_to_lead(f.shard)); /* none is known */
    fixture_lead(&f);
    assert_false(shard_ask_to_lead(f.shard)); /* it leads itself */
    struct raft_message heartbeat = {
        .type = RAFT_APPEND_REQUEST, .from = 3, .term = fixture_term(&f) + 1};
    heartbeat.append_request.prev_index = fixture_last(&f);
    heartbeat.append_request.prev_term = raft_last_term(shard_raft(f.shard));
    fixture_message(&f, heartbeat, NULL);
    assert_true(shard_ask_to_lead(f.shard));
    assert_int_equal(f.asked_to_lead, 3);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_hands_over_to_a_follower_that_asks),
        cmocka_unit_test(test_a_question_of_what_is_over_means_nothing),
        cmocka_unit_test(test_a_question_for_somebody_else_is_refused),
        cmocka_unit_test(test_a_leader_hands_over_to_nobody_without_room),
        cmocka_unit_test(test_a_follower_asks_the_leader_that_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
