/* A leader whose disk is full or stalls. */
#include "unit/shard/fixture.h"

enum { RESERVE = 1000, STALL_MS = 5 * ELECTION_MS };

static void open_with_reserve(struct fixture *fixture)
{
    fixture_open(fixture, 3);
    fixture_end(fixture);
    fixture->node.options.reserve_bytes = RESERVE;
    fixture->node.fake.free_bytes = 1 << 20;
    char message[512];
    assert_int_equal(fixture_start(fixture, 3, message), ERR_NONE);
    fixture_lead(fixture);
}

/* Both others answer a heartbeat; `full` has no room. */
static void answer(struct fixture *fixture, uint64_t full)
{
    for (uint64_t id = 2; id <= 3; id++) {
        struct raft_message message = {
            .type = RAFT_APPEND_RESPONSE, .from = id, .term = fixture_term(fixture)};
        message.append_response.success = true;
        message.append_response.match = fixture_last(fixture);
        message.append_response.hint_index = message.append_response.match;
        message.append_response.no_room = id == full || full == 23;
        fixture_message(fixture, message, NULL);
    }
}

/* Time goes by, with heartbeats. */
static void pass(struct fixture *fixture, int ms, uint64_t full)
{
    for (int passed = 0; passed < ms; passed += 100) {
        fixture_pass(fixture, 100);
        answer(fixture, full);
    }
}

/* The disk is asked and answers. */
static void fill(struct fixture *fixture, uint64_t free_bytes, uint64_t full)
{
    fixture->node.fake.free_bytes = free_bytes;
    for (int i = 0; i < 10; i++) {
        pass(fixture, 100, full);
        fixture_turn(fixture);
    }
}

static uint64_t target(const struct fixture *fixture)
{
    struct raft_status status;
    raft_status(shard_raft(fixture->shard), &status);
    return status.transfer_target;
}

static void test_a_leader_without_room_hands_over_to_a_node_with_room(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with_reserve(&fixture);
    fill(&fixture, 1 << 20, 2);
    assert_false(shard_refuses_writes(fixture.shard));
    assert_int_equal(target(&fixture), 0);
    fill(&fixture, RESERVE - 1, 23);
    assert_true(shard_refuses_writes(fixture.shard));
    pass(&fixture, 100, 2);                /* node 3 has room */
    assert_int_equal(target(&fixture), 0); /* but may just not know that it has none */
    pass(&fixture, 1300, 2);
    assert_int_equal(target(&fixture), 3);
    assert_false(shard_refuses_writes(fixture.shard)); /* the next leader is asked */
    fixture_close(&fixture);
}

static void test_a_leader_stays_where_nobody_has_room(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with_reserve(&fixture);
    fill(&fixture, 0, 23);
    assert_int_equal(target(&fixture), 0);
    assert_true(shard_is_leader(fixture.shard));
    assert_true(shard_refuses_writes(fixture.shard));
    fixture_accept(&fixture, 1, "GET k");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 1000);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:$-1 ");
    fill(&fixture, 1 << 20, 23);
    assert_false(shard_refuses_writes(fixture.shard));
    assert_true(shard_has_room(fixture.shard));
    fixture_close(&fixture);
}

static void test_nothing_expires_through_a_leader_without_room(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with_reserve(&fixture);
    fixture_accept(&fixture, 1, "SET k v PX 1500");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    fill(&fixture, 0, 23);
    uint64_t last = fixture_last(&fixture);
    fill(&fixture, 0, 23);
    assert_int_equal(fixture_last(&fixture), last);
    fill(&fixture, 1 << 20, 23);
    assert_true(fixture_last(&fixture) > last);
    fixture_close(&fixture);
}

/* The others have an entry that this node's disk does not take. */
static void stall(struct fixture *fixture)
{
    fixture_accept(fixture, 1, "SET k v");
    shard_drive(fixture->shard, fixture->now);
    answer(fixture, 0);
    assert_true(fixture->node.fake.queued_count > 0);
}

static void test_a_leader_whose_disk_stalls_hands_over(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    stall(&fixture);
    pass(&fixture, STALL_MS - 100, 0);
    assert_int_equal(target(&fixture), 0);
    pass(&fixture, 100, 0);
    assert_int_not_equal(target(&fixture), 0);
    fixture_close(&fixture);
}

static void test_a_stall_that_all_share_moves_nobody(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    shard_drive(fixture.shard, fixture.now);
    for (int passed = 0; passed < 2 * STALL_MS; passed += 100) {
        fixture_pass(&fixture, 100);
        for (uint64_t id = 2; id <= 3; id++) {
            struct raft_message message = {
                .type = RAFT_APPEND_RESPONSE, .from = id, .term = fixture_term(&fixture)};
            message.append_response.success = true;
            message.append_response.match = fixture_last(&fixture) - 1;
            message.append_response.hint_index = fixture_last(&fixture);
            fixture_message(&fixture, message, NULL);
        }
    }
    assert_true(shard_is_leader(fixture.shard));
    assert_int_equal(target(&fixture), 0);
    fixture_close(&fixture);
}

static void test_a_disk_that_goes_on_is_no_stall(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    stall(&fixture);
    pass(&fixture, STALL_MS - 100, 0);
    fixture_turn(&fixture);
    stall(&fixture);
    pass(&fixture, 200, 0);
    assert_int_equal(target(&fixture), 0);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_without_room_hands_over_to_a_node_with_room),
        cmocka_unit_test(test_a_leader_stays_where_nobody_has_room),
        cmocka_unit_test(test_nothing_expires_through_a_leader_without_room),
        cmocka_unit_test(test_a_leader_whose_disk_stalls_hands_over),
        cmocka_unit_test(test_a_stall_that_all_share_moves_nobody),
        cmocka_unit_test(test_a_disk_that_goes_on_is_no_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
