#include "unit/shard/fixture.h"

static void test_expiry_entries_do_not_fill_the_budget_of_writes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 1);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    assert_true(shard_is_leader(fixture.shard));

    for (int i = 0; i < 2 * BATCH_BYTES_MAX / 50; i++) {
        fixture_accept(&fixture, 1, "SET k v PX 1");
        fixture_turn(&fixture);
        fixture_pass(&fixture, 200);
        fixture_turn(&fixture);
        assert_answered(&fixture, "1:+OK ");
        assert_int_equal(keyspace_count(shard_keyspace(fixture.shard, 0)), 0);
    }
    fixture_close(&fixture);
}

static void test_writes_beyond_the_budget_wait_until_others_are_applied(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 1);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);

    int accepted = 0;
    while (fixture_ask(&fixture, 1, "SET k v") == SHARD_ACCEPTED)
        accepted++;
    assert_in_range(accepted, 10, BATCH_BYTES_MAX);
    assert_int_equal(fixture_ask(&fixture, 2, "SET k v"), SHARD_BUSY);
    fixture_turn(&fixture);
    fixture_accept(&fixture, 2, "SET k v");
    fixture_close(&fixture);
}

static void test_a_lost_leadership_frees_the_budget_of_writes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    while (fixture_ask(&fixture, 1, "SET k v") == SHARD_ACCEPTED)
        ;
    fixture_depose(&fixture);
    fixture_win(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expiry_entries_do_not_fill_the_budget_of_writes),
        cmocka_unit_test(test_writes_beyond_the_budget_wait_until_others_are_applied),
        cmocka_unit_test(test_a_lost_leadership_frees_the_budget_of_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
