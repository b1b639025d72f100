/* How long requests wait while this node knows of no leader. */
#include "unit/shard/fixture.h"

#define NO_LEADER                                                                                  \
    "-CLUSTERDOWN leadership was lost before the command was proposed: nothing was executed, try " \
    "again "

#define UNKNOWN                                                                                    \
    "-UNKNOWN it could not be found out within leader-wait-ms whether the write was committed: "   \
    "it may still take effect "

enum { STOPPED_MS = 2 * LEADER_WAIT_MS, HELD_MAX = 2048 };

static uint64_t clock_of(void *context)
{
    return ((struct fixture *)context)->clock_us;
}

/* Node 2 leads `term`, and has committed nothing in it. */
static void hear_leader(struct fixture *fixture, uint64_t term)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = term};
    message.append_request.first_index = 1;
    message.append_request.time_ms = 6000;
    fixture_message(fixture, message, NULL);
    fixture_turn(fixture);
}

/* One write was issued in term 4, which is over: what became of it is open. */
static void open_in_doubt(struct fixture *fixture, uint64_t stopped_ms)
{
    fixture_open(fixture, 3);
    fixture->clock = clock_of;
    fixture->batch_bytes_max = 10 * 1024 * 1024;
    fixture_end(fixture);
    char message[512];
    assert_int_equal(fixture_start(fixture, 3, message), ERR_NONE);
    fixture->clock_us = fixture->now.mono_us;
    hear_leader(fixture, 4);
    fixture_accept(fixture, 1, "SET a 1");
    fixture_turn(fixture);
    fixture->clock_us += stopped_ms * 1000;
    hear_leader(fixture, 5);
}

/* The turn that began before the process stood still is over. */
static void goes_on(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_pass(fixture, STOPPED_MS);
    fixture_turn(fixture);
}

static void waits_as_long_again(struct fixture *fixture)
{
    fixture->clock_us += LEADER_WAIT_MS * 1000;
    fixture_pass(fixture, LEADER_WAIT_MS);
    fixture_turn(fixture);
}

static void test_the_wait_begins_when_the_clock_has_been_read_again(void **state)
{
    (void)state;
    struct fixture fixture;
    open_in_doubt(&fixture, STOPPED_MS);
    goes_on(&fixture);
    assert_answered(&fixture, "");
    waits_as_long_again(&fixture);
    assert_answered(&fixture, "1:" UNKNOWN);
    fixture_close(&fixture);
}

static void comes_after_others(const char *command)
{
    struct fixture fixture;
    open_in_doubt(&fixture, 0);
    fixture.clock_us += STOPPED_MS * 1000;
    fixture_accept(&fixture, 2, command);
    goes_on(&fixture);
    assert_answered(&fixture, "1:" UNKNOWN);
    waits_as_long_again(&fixture);
    assert_answered(&fixture, "2:" NO_LEADER);
    fixture_close(&fixture);
}

static void test_who_comes_after_others_waits_as_long_as_they_do(void **state)
{
    (void)state;
    comes_after_others("SET a 2");
    comes_after_others("GET a");
}

/* One client's pipeline is not in everybody's way, nor in that of a node that begins to lead. */
static void test_so_many_requests_are_held_and_no_more(void **state)
{
    (void)state;
    struct fixture fixture;
    open_in_doubt(&fixture, 0);
    size_t held = 0;
    while (fixture_ask(&fixture, 2, "SET a 2") == SHARD_ACCEPTED)
        held++;
    assert_int_equal(held, HELD_MAX);
    assert_int_equal(fixture_ask(&fixture, 3, "SET a 2"), SHARD_BUSY);
    fixture_close(&fixture);
}

static size_t count_answers(struct fixture *fixture)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->answered.len; i++)
        count += fixture->answered.ptr[i] == '+';
    fixture->answered.len = 0;
    return count;
}

/* A former leader has the requests of a whole batch, and leads again. */
static void test_a_leader_issues_what_it_holds_in_turns(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture.batch_bytes_max = 10 * 1024 * 1024;
    fixture_end(&fixture);
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    fixture_lead(&fixture);
    for (int i = 0; i < 3 * HELD_MAX; i++)
        fixture_accept(&fixture, 1, "SET a 1");
    fixture_depose(&fixture); /* the batch went nowhere */
    fixture_win(&fixture);
    uint64_t before = fixture_last(&fixture);
    shard_drive(fixture.shard, fixture.now);
    assert_in_range(fixture_last(&fixture) - before, 1, 2 * HELD_MAX + 1);
    assert_int_equal(shard_deadline_ms(fixture.shard), fixture.now.mono_ms);
    size_t answers = 0;
    for (int turns = 0; answers < 3 * HELD_MAX && turns < 20; turns++) {
        fixture_turn(&fixture);
        fixture_acknowledge(&fixture, 1000);
        answers += count_answers(&fixture);
    }
    assert_int_equal(answers, 3 * HELD_MAX);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wait_begins_when_the_clock_has_been_read_again),
        cmocka_unit_test(test_who_comes_after_others_waits_as_long_as_they_do),
        cmocka_unit_test(test_so_many_requests_are_held_and_no_more),
        cmocka_unit_test(test_a_leader_issues_what_it_holds_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
