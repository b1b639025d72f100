/* Replies over changes of role: each exactly once, in the order of the client's requests. */
#include "unit/shard/fixture.h"

static const char unknown[] = "1:-UNKNOWN it could not be found out within leader-wait-ms whether "
                              "the write was committed: it may still take effect ";

static const char no_leader[] = "-CLUSTERDOWN leadership was lost before the command was proposed: "
                                "nothing was executed, try again ";

/* The contexts of rounds are counted from 1: a large one confirms all that were asked. */
enum { ANY_ROUND = 1000 };

static void settle(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, ANY_ROUND);
    fixture_turn(fixture);
}

/* The client was told, once, that nothing was executed. */
static void assert_gets_no_leader(struct fixture *fixture, unsigned client)
{
    char expected[200];
    snprintf(expected, sizeof expected, "%u:%s", client, no_leader);
    assert_answered(fixture, expected);
}

static void test_a_write_that_was_cut_off_is_carried_out_by_the_next_leader(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    for (int i = 0; i < 5; i++)
        fixture_accept(&fixture, 2, "APPEND other v");
    fixture_accept(&fixture, 1, "APPEND k lost");
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, 1);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");

    fixture_win(&fixture);
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "2::1 2::2 2::3 2::4 2::5 1::4 ");
    assert_int_equal(shard_stats(fixture.shard).reissued, 6);
    fixture_accept(&fixture, 1, "GET k");
    settle(&fixture);
    assert_answered(&fixture, "1:$4lost ");
    fixture_close(&fixture);
}

/* It stays in the log of the node that is deposed, and of one that is elected next. */
static void test_a_write_that_survives_a_change_of_leader_is_carried_out_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "APPEND k kept");
    fixture_turn(&fixture);
    fixture_depose(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    fixture_win(&fixture);
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "1::4 ");
    assert_int_equal(shard_stats(fixture.shard).reissued, 0);
    fixture_close(&fixture);
}

static void test_what_nobody_waits_for_is_not_carried_out_a_second_time(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "APPEND k lost");
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, 1);
    fixture.left = true;
    fixture_win(&fixture);
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "");
    fixture.left = false;
    fixture_accept(&fixture, 1, "GET k");
    settle(&fixture);
    assert_answered(&fixture, "1:$-1 ");
    fixture_close(&fixture);
}

static void test_what_is_not_known_when_the_wait_is_over_is_unknown(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "APPEND k sent");
    fixture_turn(&fixture);
    fixture_accept(&fixture, 2, "APPEND k batched");
    fixture_accept(&fixture, 2, "GET k");
    fixture_depose(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    fixture_pass(&fixture, LEADER_WAIT_MS);
    fixture_turn(&fixture);
    struct buf all = {0};
    buf_printf(&all, "%s2:%s2:%s%c", unknown, no_leader, no_leader, '\0');
    assert_answered(&fixture, all.ptr);
    buf_close(&all);
    /* What was said to be unknown is not carried out again. */
    fixture_win(&fixture);
    settle(&fixture);
    settle(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    settle(&fixture);
    assert_answered(&fixture, "1:$4sent ");
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
    fixture_turn(&fixture);
    assert_int_equal(fixture_last(&fixture), last);
    assert_answered(&fixture, "");
    fixture_pass(&fixture, LEADER_WAIT_MS);
    fixture_turn(&fixture);
    assert_gets_no_leader(&fixture, 1);
    fixture_close(&fixture);
}

static void test_a_read_behind_a_write_that_was_cut_off_comes_after_it(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET k lost");
    fixture_accept(&fixture, 1, "GET k");
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, 1);

    fixture_win(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "1:+OK 1:$4lost ");
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

    fixture_win(&fixture);
    fixture_accept(&fixture, 1, "SET k v");
    fixture_depose(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    fixture_win(&fixture);
    settle(&fixture);
    settle(&fixture);
    assert_answered(&fixture, "2:+OK 2:+OK 2:+OK 2:+OK 2:+OK 1:$-1 1:+OK ");
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
    assert_gets_no_leader(&fixture, 1);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_that_was_cut_off_is_carried_out_by_the_next_leader),
        cmocka_unit_test(test_a_write_that_survives_a_change_of_leader_is_carried_out_once),
        cmocka_unit_test(test_what_nobody_waits_for_is_not_carried_out_a_second_time),
        cmocka_unit_test(test_what_is_not_known_when_the_wait_is_over_is_unknown),
        cmocka_unit_test(test_a_leader_can_begin_anew_with_a_batch_that_the_core_has_not_seen),
        cmocka_unit_test(test_a_read_behind_a_write_that_was_cut_off_comes_after_it),
        cmocka_unit_test(test_an_election_leaves_the_order_of_requests_behind_it_alone),
        cmocka_unit_test(test_order_survives_a_leadership_that_was_lost_in_the_turn_it_was_won),
        cmocka_unit_test(test_a_stranded_read_is_given_up_when_no_leader_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
