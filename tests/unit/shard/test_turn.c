/* What one turn of the loop does when the disk does not have to be waited for. */
#include "unit/shard/fixture.h"

static void open_without_syncs(struct fixture *fixture, size_t voters)
{
    fixture_init(fixture);
    fixture->node.port.write_now = fake_write_now;
    fixture->node.options.sync = STORAGE_SYNC_NO;
    char message[512];
    assert_int_equal(fixture_start(fixture, voters, message), ERR_NONE);
}

static void test_a_node_alone_answers_in_the_turn_that_asked(void **state)
{
    (void)state;
    struct fixture fixture;
    open_without_syncs(&fixture, 1);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    assert_true(shard_is_leader(fixture.shard));
    fixture_accept(&fixture, 1, "SET k v");
    fixture_accept(&fixture, 2, "GET k");
    fixture_accept(&fixture, 3, "APPEND k w");
    assert_answered(&fixture, "");
    shard_drive(fixture.shard, fixture.now);
    assert_int_equal(fixture.node.fake.queued_count, 0);
    assert_answered(&fixture, "1:+OK 2:$1v 3::2 ");
    fixture_close(&fixture);
}

/* The others' disks have to be waited for. */
static void test_one_of_three_answers_when_another_has_the_write(void **state)
{
    (void)state;
    struct fixture fixture;
    open_without_syncs(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    shard_drive(fixture.shard, fixture.now);
    assert_int_equal(raft_durable_index(shard_raft(fixture.shard)), fixture_last(&fixture));
    assert_answered(&fixture, "");
    fixture_acknowledge(&fixture, 0);
    shard_drive(fixture.shard, fixture.now);
    assert_answered(&fixture, "1:+OK ");
    fixture_close(&fixture);
}

/* The disk has no room: the log thread waits for it, and so do the clients. */
static void test_what_is_not_written_is_not_answered(void **state)
{
    (void)state;
    struct fixture fixture;
    open_without_syncs(&fixture, 1);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    fixture.node.fake.now_max = 10;
    fixture_accept(&fixture, 1, "SET k v");
    for (int i = 0; i < 3; i++)
        shard_drive(fixture.shard, fixture.now);
    assert_int_equal(fixture.node.fake.queued_count, 1);
    assert_answered(&fixture, "");
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:+OK ");
    fixture_close(&fixture);
}

static void settle(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, 1000);
    shard_drive(fixture->shard, fixture->now);
}

/* Each turn frees one of them. */
static void test_others_hear_of_long_strings_until_the_last_is_freed(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    for (int i = 0; i < 5; i++) {
        char line[40];
        snprintf(line, sizeof line, "SETRANGE k%d 5000000 x", i);
        fixture_accept(&fixture, 1, line);
    }
    settle(&fixture);
    const struct databases *databases = shard_databases(fixture.shard);
    for (int i = 0; i < 3; i++)
        shard_tick(fixture.shard, fixture.now);
    assert_int_equal(fixture.told_busy_ms, 0);
    fixture_accept(&fixture, 1, "DEL k0 k1 k2 k3 k4");
    settle(&fixture);
    int turns = 0;
    while (databases_frees_string_next(databases)) {
        assert_true(fixture.told_busy_ms > 0);
        shard_tick(fixture.shard, fixture.now);
        shard_drive(fixture.shard, fixture.now);
        turns++;
    }
    assert_true(turns > 1);
    for (int i = 0; i < 3; i++)
        shard_tick(fixture.shard, fixture.now);
    assert_int_equal(fixture.told_busy_ms, 0);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_alone_answers_in_the_turn_that_asked),
        cmocka_unit_test(test_one_of_three_answers_when_another_has_the_write),
        cmocka_unit_test(test_what_is_not_written_is_not_answered),
        cmocka_unit_test(test_others_hear_of_long_strings_until_the_last_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
