/* What members speak, and what may be used (shard/versions.h). */
#include "unit/shard/fixture.h"
#include "wire/forward.h"

static void open_disagreeing(struct fixture *fixture, size_t voters)
{
    char message[512];
    fixture_init(fixture);
    fixture->disagrees = true;
    if (fixture_start(fixture, voters, message))
        fail_msg("%s", message);
}

static void meet(struct fixture *fixture, uint64_t node, uint64_t incarnation, uint32_t version)
{
    shard_peer_met(fixture->shard, &(struct shard_peer){node, incarnation, version}, fixture->now);
}

static void pass(struct fixture *fixture)
{
    fixture_pass(fixture, 1);
    fixture_turn(fixture);
}

static uint32_t in_force(const struct fixture *fixture)
{
    return raft_membership(shard_raft(fixture->shard))->version;
}

static void follow(struct fixture *fixture)
{
    struct raft_message heartbeat = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 1};
    fixture_message(fixture, heartbeat, NULL);
    fixture_turn(fixture);
}

static void forward(struct fixture *fixture, const char *request)
{
    struct buf bytes = {0};
    struct buf items = {0};
    wire_add_request(&items, &(struct wire_request){ENTRY_COMMAND, 0, span_text(request)});
    struct wire_forward message = {.type = WIRE_FORWARD,
                                   .cluster_id = span_text(fixture->cluster.cluster_id),
                                   .term = fixture_term(fixture),
                                   .from = 2,
                                   .to = 1,
                                   .life = 77,
                                   .forward = {.answered = 1, .first = 1, .count = 1},
                                   .items = buf_span(&items)};
    wire_encode_forward(&bytes, &message);
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    assert_int_equal(shard_message(fixture->shard, &(struct shard_peer){2, 1, WIRE_VERSION},
                                   parser.args, parser.argc, fixture->now),
                     ERR_NONE);
    resp_parser_close(&parser);
    buf_close(&bytes);
    buf_close(&items);
    fixture_turn(fixture);
}

static void test_a_version_is_agreed_on_when_all_members_were_met_with_it(void **state)
{
    (void)state;
    struct fixture fixture;
    open_disagreeing(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture);
    assert_int_equal(shard_version(fixture.shard), WIRE_VERSION_OLDEST);
    meet(&fixture, 2, 1, WIRE_VERSION);
    pass(&fixture); /* node 3 was not met */
    meet(&fixture, 3, 1, WIRE_VERSION_OLDEST);
    pass(&fixture);
    assert_int_equal(fixture_last(&fixture), last);
    assert_false(shard_all_speak(fixture.shard, WIRE_VERSION));
    assert_true(shard_all_speak(fixture.shard, WIRE_VERSION_OLDEST));
    meet(&fixture, 3, 1, WIRE_VERSION);
    pass(&fixture);
    assert_int_equal(fixture_last(&fixture), last + 1);
    assert_int_equal(in_force(&fixture), WIRE_VERSION);
    assert_true(shard_will_forward(fixture.shard));
    assert_false(shard_forwards(fixture.shard)); /* it may yet be undone */
    assert_int_equal(shard_version(fixture.shard), WIRE_VERSION_OLDEST);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_true(shard_forwards(fixture.shard));
    assert_int_equal(shard_version(fixture.shard), WIRE_VERSION);
    pass(&fixture);
    assert_int_equal(fixture_last(&fixture), last + 1); /* once */
    fixture_close(&fixture);
}

static void test_what_another_incarnation_speaks_counts_for_nobody(void **state)
{
    (void)state;
    struct fixture fixture;
    open_disagreeing(&fixture, 3);
    fixture_lead(&fixture);
    meet(&fixture, 2, 1, WIRE_VERSION);
    meet(&fixture, 3, 9, WIRE_VERSION);
    assert_false(shard_all_speak(fixture.shard, WIRE_VERSION));
    pass(&fixture);
    assert_int_equal(in_force(&fixture), 0);
    fixture_close(&fixture);
}

/* It can still be set back to an older version. */
static void test_a_node_that_is_alone_agrees_on_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    open_disagreeing(&fixture, 1);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    assert_true(shard_is_leader(fixture.shard));
    assert_true(shard_all_speak(fixture.shard, WIRE_VERSION));
    pass(&fixture);
    assert_int_equal(in_force(&fixture), 0);
    fixture_close(&fixture);
}

/* Node 2 was set back between the entry and its commit. */
static void test_who_cannot_read_the_log_is_sent_no_entries(void **state)
{
    (void)state;
    struct fixture fixture;
    open_disagreeing(&fixture, 3);
    fixture_lead(&fixture);
    meet(&fixture, 2, 1, WIRE_VERSION);
    meet(&fixture, 3, 1, WIRE_VERSION);
    shard_drive(fixture.shard, fixture.now); /* appends the entry */
    assert_int_equal(in_force(&fixture), WIRE_VERSION);
    memset(fixture.sent_to, 0, sizeof fixture.sent_to);
    meet(&fixture, 2, 1, WIRE_VERSION_OLDEST);
    fixture_accept(&fixture, 1, "SET k v");
    fixture_turn(&fixture);
    assert_int_equal(fixture.sent_to[2], 0);
    meet(&fixture, 2, 1, WIRE_VERSION);
    fixture_accept(&fixture, 1, "SET k w");
    fixture_turn(&fixture);
    assert_int_equal(fixture.sent_to[2], fixture_last(&fixture));
    fixture_close(&fixture);
}

static void test_a_follower_that_is_not_sure_holds_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    open_disagreeing(&fixture, 3);
    follow(&fixture);
    assert_int_equal(fixture_ask(&fixture, 1, "SET k v"), SHARD_NOT_LEADER);
    assert_int_equal(fixture_ask(&fixture, 1, "GET k"), SHARD_NOT_LEADER);
    assert_int_equal(fixture.forwards_sent, 0);
    fixture_close(&fixture);
    fixture_open(&fixture, 3); /* what it begins with is agreed */
    follow(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    fixture_turn(&fixture);
    assert_int_equal(fixture.forwards_sent, 1);
    fixture_close(&fixture);
}

static void test_a_leader_that_is_not_sure_ignores_what_is_forwarded(void **state)
{
    (void)state;
    static const char request[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    struct fixture fixture;
    open_disagreeing(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture);
    forward(&fixture, request);
    assert_int_equal(fixture_last(&fixture), last);
    assert_int_equal(fixture.forwards_sent, 0); /* nor answers it */
    fixture_close(&fixture);
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    last = fixture_last(&fixture);
    forward(&fixture, request);
    assert_int_equal(fixture_last(&fixture), last + 1);
    fixture_close(&fixture);
}

static void test_what_was_agreed_is_in_the_log(void **state)
{
    (void)state;
    struct fixture fixture;
    char message[512];
    open_disagreeing(&fixture, 3);
    fixture_lead(&fixture);
    meet(&fixture, 2, 1, WIRE_VERSION);
    meet(&fixture, 3, 1, WIRE_VERSION);
    pass(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    fixture_end(&fixture);
    if (fixture_start(&fixture, 3, message))
        fail_msg("%s", message);
    assert_int_equal(shard_version_of(fixture.shard, 3), 0); /* nobody was met yet */
    assert_true(shard_will_forward(fixture.shard));
    assert_false(shard_forwards(fixture.shard)); /* nothing is known to be committed */
    fixture_lead(&fixture);
    assert_true(shard_forwards(fixture.shard));
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_version_is_agreed_on_when_all_members_were_met_with_it),
        cmocka_unit_test(test_what_another_incarnation_speaks_counts_for_nobody),
        cmocka_unit_test(test_a_node_that_is_alone_agrees_on_nothing),
        cmocka_unit_test(test_who_cannot_read_the_log_is_sent_no_entries),
        cmocka_unit_test(test_a_follower_that_is_not_sure_holds_nothing),
        cmocka_unit_test(test_a_leader_that_is_not_sure_ignores_what_is_forwarded),
        cmocka_unit_test(test_what_was_agreed_is_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
