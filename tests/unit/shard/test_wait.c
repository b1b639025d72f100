/* How long requests wait while this node knows of no leader. */
#include "unit/shard/fixture.h"

#define NO_LEADER                                                                                  \
    "-CLUSTERDOWN leadership was lost before the command was proposed: nothing was executed, try " \
    "again "

#define UNKNOWN                                                                                    \
    "-UNKNOWN leadership was lost before the write was known to be committed: it may still take "  \
    "effect "

enum { STOPPED_MS = 2 * LEADER_WAIT_MS };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wait_begins_when_the_clock_has_been_read_again),
        cmocka_unit_test(test_who_comes_after_others_waits_as_long_as_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
