/* Replies over changes of role: each exactly once, in the order of the client's requests. */
#include "unit/shard/fixture.h"

static const char unknown[] = "1:-UNKNOWN leadership was lost before the write was known to be "
                              "committed: it may still take effect ";

/* The contexts of rounds are counted from 1: a large one confirms all that were asked. */
enum { ANY_ROUND = 1000 };

static void settle(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, ANY_ROUND);
    fixture_turn(fixture);
}

static void test_a_read_does_not_wait_for_a_write_that_was_cut_off(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    for (int i = 0; i < 5; i++)
        fixture_accept(&fixture, 2, "SET other v");
    fixture_accept(&fixture, 1, "SET k lost");
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, 1);
    fixture.answered.len = 0;

    fixture_win(&fixture);
    settle(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    settle(&fixture);
    assert_answered(&fixture, "1:$-1 ");
    fixture_close(&fixture);
}

static void test_a_write_that_was_cut_off_is_answered_as_unknown(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET k lost");
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, 1);
    assert_answered(&fixture, unknown);
    fixture_win(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "");
    fixture_close(&fixture);
}

static void test_a_leader_can_begin_anew_with_a_batch_that_the_core_has_not_seen(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t last = fixture_last(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    shard_set_incarnation(fixture.shard, 999, fixture.now);
    assert_false(shard_is_leader(fixture.shard));
    assert_answered(&fixture, "1:-CLUSTERDOWN leadership was lost before the command was proposed: "
                              "nothing was executed, try again ");
    fixture_turn(&fixture);
    assert_int_equal(fixture_last(&fixture), last);
    fixture_close(&fixture);
}

static void test_a_stranded_read_is_answered_once_this_node_leads_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET k lost");
    fixture_accept(&fixture, 1, "GET k");
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, 1);
    assert_answered(&fixture, unknown);

    fixture_win(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    settle(&fixture);
    assert_answered(&fixture, "1:$-1 ");
    fixture_close(&fixture);
}

static void test_an_election_leaves_the_order_of_requests_behind_it_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_depose(&fixture);

    fixture_win(&fixture);
    fixture_accept(&fixture, 2, "SET k new");
    fixture_accept(&fixture, 2, "GET k");
    fixture_accept(&fixture, 1, "SET k newer");
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "1:$-1 2:+OK 2:$3new 1:+OK ");
    fixture_close(&fixture);
}

static void test_order_survives_a_leadership_that_was_lost_in_the_turn_it_was_won(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    for (int i = 0; i < 5; i++)
        fixture_accept(&fixture, 2, "SET other v");
    fixture_turn(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_overwrite_after(&fixture, 1);
    fixture.answered.len = 0;

    fixture_win(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    fixture_depose(&fixture);
    static const char refused[] = "1:-CLUSTERDOWN leadership was lost before the command was "
                                  "proposed: nothing was executed, try again ";
    struct buf twice = {0};
    buf_printf(&twice, "%s%s%c", refused, refused, '\0');
    assert_answered(&fixture, twice.ptr);
    buf_close(&twice);
    assert_int_equal(shard_stats(fixture.shard).pending_reads, 0);
    fixture_close(&fixture);
}

static void test_a_stranded_read_is_given_up_when_no_leader_is_found(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_depose(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    fixture_pass(&fixture, LEADER_WAIT_MS);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:-CLUSTERDOWN leadership was lost before the command was proposed: "
                              "nothing was executed, try again ");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_does_not_wait_for_a_write_that_was_cut_off),
        cmocka_unit_test(test_a_write_that_was_cut_off_is_answered_as_unknown),
        cmocka_unit_test(test_a_leader_can_begin_anew_with_a_batch_that_the_core_has_not_seen),
        cmocka_unit_test(test_a_stranded_read_is_answered_once_this_node_leads_again),
        cmocka_unit_test(test_an_election_leaves_the_order_of_requests_behind_it_alone),
        cmocka_unit_test(test_order_survives_a_leadership_that_was_lost_in_the_turn_it_was_won),
        cmocka_unit_test(test_a_stranded_read_is_given_up_when_no_leader_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
