/* Reads of a client that has not read what is there for it. Client 1 becomes full. */
#include "unit/shard/fixture.h"

static const struct shard_client client_one = {.slot = 1, .generation = 1};

static void open_leader(struct fixture *fixture)
{
    fixture_open(fixture, 3);
    fixture_lead(fixture);
    fixture_accept(fixture, 2, "SET k v");
    fixture_turn(fixture);
    fixture_acknowledge(fixture, 0);
    fixture_turn(fixture);
    assert_answered(fixture, "2:+OK ");
    fixture->fills = true;
}

/* Whoever is asked confirms the round. */
static void confirm(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, UINT64_MAX);
    fixture_turn(fixture);
}

static void make_room(struct fixture *fixture, unsigned replies)
{
    fixture->room = replies;
    shard_go_on(fixture->shard, client_one);
    fixture_turn(fixture);
}

static void test_read_of_a_full_client_waits_and_those_of_others_do_not(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture.room = 1;
    for (int i = 0; i < 3; i++)
        fixture_accept(&fixture, 1, "GET k");
    fixture_accept(&fixture, 2, "GET k");
    confirm(&fixture);
    assert_answered(&fixture, "1:$1v 2:$1v ");
    assert_true(fixture.holds);
    assert_int_equal(shard_stats(fixture.shard).held_reads, 2);
    assert_int_equal(shard_stats(fixture.shard).pending_reads, 0); /* nobody waits behind them */
    make_room(&fixture, 1);
    assert_answered(&fixture, "1:$1v ");
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    make_room(&fixture, 5);
    assert_answered(&fixture, "1:$1v ");
    assert_false(fixture.holds);
    assert_int_equal(shard_stats(fixture.shard).held_reads, 0);
    fixture_close(&fixture);
}

static void test_held_read_sees_what_others_wrote_meanwhile(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_accept(&fixture, 2, "SET k w");
    confirm(&fixture);
    assert_answered(&fixture, "2:+OK ");
    make_room(&fixture, 1);
    assert_answered(&fixture, "1:$1w ");
    fixture_close(&fixture);
}

static void test_read_before_a_write_of_its_client_is_not_held(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_accept(&fixture, 1, "SET k w");
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    assert_answered(&fixture, "1:$1v 1:+OK ");
    make_room(&fixture, 1);
    assert_answered(&fixture, "1:$1w ");
    fixture_close(&fixture);
}

static void test_no_write_of_a_client_is_admitted_while_its_reads_are_held(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    assert_int_equal(fixture_ask(&fixture, 1, "SET k w"), SHARD_BUSY);
    fixture_accept(&fixture, 2, "SET k x");
    make_room(&fixture, 1);
    fixture_accept(&fixture, 1, "SET k w");
    fixture_acknowledge(&fixture, 0);
    confirm(&fixture);
    assert_answered(&fixture, "1:$1v 2:+OK 1:+OK ");
    fixture_close(&fixture);
}

static void test_read_that_comes_while_others_are_held_stays_behind_them(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "STRLEN k");
    confirm(&fixture);
    fixture.room = 9; /* and nobody said so yet */
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    assert_answered(&fixture, "");
    make_room(&fixture, 9);
    assert_answered(&fixture, "1::1 1:$1v ");
    fixture_close(&fixture);
}

static void test_held_reads_outlive_the_office(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    fixture_depose(&fixture);
    fixture_pass(&fixture, 2 * LEADER_WAIT_MS);
    fixture_turn(&fixture);
    make_room(&fixture, 2);
    assert_answered(&fixture, "1:$1v 1:$1v ");
    fixture_close(&fixture);
}

/* By the group's time when it is carried out, and no reader saw the key after another did not. */
static void test_held_read_waits_for_the_entry_that_makes_its_key_expire(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 2, "SET t v PX 500");
    confirm(&fixture);
    fixture_accept(&fixture, 1, "GET t");
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    assert_answered(&fixture, "2:+OK ");
    for (int i = 0; i < 6; i++) {
        fixture_pass(&fixture, 100);
        fixture_acknowledge(&fixture, 0); /* a leader that hears nothing gives up */
    }
    make_room(&fixture, 2);
    assert_answered(&fixture, "");
    confirm(&fixture);
    assert_answered(&fixture, "1:$-1 1:$1v ");
    fixture_close(&fixture);
}

static void test_held_reads_of_a_client_that_has_gone_are_forgotten(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    uint64_t memory = shard_memory(fixture.shard);
    assert_int_equal(shard_stats(fixture.shard).held_reads, 2);
    shard_go_on(fixture.shard, client_one);
    shard_drop_held(fixture.shard, client_one);
    assert_int_equal(shard_stats(fixture.shard).held_reads, 0);
    assert_true(shard_memory(fixture.shard) < memory);
    make_room(&fixture, 2);
    assert_answered(&fixture, "");
    fixture_close(&fixture);
}

static void test_place_of_a_client_that_has_gone_holds_nothing_for_the_next(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 1, "GET k");
    confirm(&fixture);
    const struct shard_client next = {.slot = 1, .generation = 2};
    shard_go_on(fixture.shard, client_one);
    shard_go_on(fixture.shard, next);
    assert_int_equal(shard_stats(fixture.shard).held_reads, 0);
    fixture_close(&fixture);
}

static void test_held_transaction_that_only_reads_goes_on(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    const struct shard_transaction transaction = {
        .client = client_one,
        .protocol = 2,
        .commands = SPAN("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$6\r\nSTRLEN\r\n$1\r\nk\r\n"),
        .count = 2};
    assert_int_equal(shard_transaction(fixture.shard, &transaction, fixture.now), SHARD_ACCEPTED);
    confirm(&fixture);
    assert_answered(&fixture, "");
    make_room(&fixture, 1);
    assert_answered(&fixture, "1:*2$1v:1 ");
    fixture_close(&fixture);
}

static void test_values_may_lengthen_while_a_long_entry_is_under_way(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    assert_false(shard_may_lengthen(fixture.shard));
    fixture_accept(&fixture, 2, "APPEND k w");
    assert_false(shard_may_lengthen(fixture.shard));
    fixture_accept(&fixture, 2, "SETRANGE k 100000 w");
    assert_true(shard_may_lengthen(fixture.shard));
    confirm(&fixture);
    assert_false(shard_may_lengthen(fixture.shard));
    fixture_depose(&fixture);
    assert_true(shard_may_lengthen(fixture.shard)); /* the leader knows more */
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_of_a_full_client_waits_and_those_of_others_do_not),
        cmocka_unit_test(test_held_read_sees_what_others_wrote_meanwhile),
        cmocka_unit_test(test_read_before_a_write_of_its_client_is_not_held),
        cmocka_unit_test(test_no_write_of_a_client_is_admitted_while_its_reads_are_held),
        cmocka_unit_test(test_read_that_comes_while_others_are_held_stays_behind_them),
        cmocka_unit_test(test_held_reads_outlive_the_office),
        cmocka_unit_test(test_held_read_waits_for_the_entry_that_makes_its_key_expire),
        cmocka_unit_test(test_held_reads_of_a_client_that_has_gone_are_forgotten),
        cmocka_unit_test(test_place_of_a_client_that_has_gone_holds_nothing_for_the_next),
        cmocka_unit_test(test_held_transaction_that_only_reads_goes_on),
        cmocka_unit_test(test_values_may_lengthen_while_a_long_entry_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
