#include <stdlib.h>

#include "unit/shard/fixture.h"

/* More than one command holds. */
enum { MANY = MACHINE_WATCHES_PER_COMMAND + MACHINE_WATCHES_PER_COMMAND / 2 };

static void open_leader(struct fixture *fixture)
{
    fixture_open(fixture, 1);
    fixture_pass(fixture, 2 * ELECTION_MS);
    fixture_turn(fixture);
    assert_true(shard_is_leader(fixture->shard));
}

/* `count` watches of absent keys; the keys are in `names`. */
static struct machine_watch *watch_absent(struct fixture *fixture, size_t count, struct buf *names)
{
    enum { NAME_LEN = 8 };
    struct machine_watch *watches = test_calloc(count, sizeof *watches);
    for (size_t i = 0; i < count; i++)
        buf_printf(names, "w%07u", (unsigned)i);
    for (size_t i = 0; i < count; i++)
        watches[i] = (struct machine_watch){.key = span_of(names->ptr + i * NAME_LEN, NAME_LEN),
                                            .revision = shard_applied_index(fixture->shard)};
    return watches;
}

static void submit(struct fixture *fixture, const struct machine_watch *watches, size_t watch_count,
                   const char *line)
{
    struct span args[16];
    size_t argc = fixture_words(line, args);
    struct buf commands = {0};
    resp_encode_command(&commands, args, argc);
    resp_encode_command(&commands, &SPAN("PING"), 1);
    const struct shard_transaction transaction = {.client = {.slot = 1, .generation = 1},
                                                  .protocol = 2,
                                                  .commands = buf_span(&commands),
                                                  .count = 2,
                                                  .watches = watches,
                                                  .watch_count = watch_count};
    assert_int_equal(shard_transaction(fixture->shard, &transaction, fixture->now), SHARD_ACCEPTED);
    buf_close(&commands);
}

static void test_a_transaction_may_watch_more_keys_than_a_command_has_arguments(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    struct buf names = {0};
    struct machine_watch *watches = watch_absent(&fixture, MANY, &names);

    submit(&fixture, watches, MANY, "SET k v");
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:*2+OK+LOCAL ");
    submit(&fixture, watches, MANY, "GET k");
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:*2$1v+LOCAL ");

    test_free(watches);
    buf_close(&names);
    fixture_close(&fixture);
}

static void test_each_of_very_many_watched_keys_aborts_the_transaction(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    struct buf names = {0};
    struct machine_watch *watches = watch_absent(&fixture, MANY, &names);

    char last[32];
    snprintf(last, sizeof last, "SET w%07u v", (unsigned)MANY - 1);
    fixture_accept(&fixture, 2, last);
    fixture_turn(&fixture);
    submit(&fixture, watches, MANY, "SET k v");
    fixture_turn(&fixture);
    submit(&fixture, watches, MANY, "GET k");
    fixture_turn(&fixture);
    assert_answered(&fixture, "2:+OK 1:*-1 1:*-1 ");
    submit(&fixture, watches, MANY - 1, "SET k v");
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:*2+OK+LOCAL ");

    test_free(watches);
    buf_close(&names);
    fixture_close(&fixture);
}

static void test_a_transaction_of_calls_that_only_read_becomes_no_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 2, "SET k v");
    fixture_turn(&fixture);
    uint64_t applied = shard_applied_index(fixture.shard);
    submit(&fixture, NULL, 0, "GETEX k");
    fixture_turn(&fixture);
    assert_answered(&fixture, "2:+OK 1:*2$1v+LOCAL ");
    assert_int_equal(shard_applied_index(fixture.shard), applied);
    submit(&fixture, NULL, 0, "GETEX k PERSIST");
    fixture_turn(&fixture);
    assert_int_equal(shard_applied_index(fixture.shard), applied + 1);
    fixture_close(&fixture);
}

/* An older node appended it: it removes what has expired, as it did there. */
static void test_an_entry_that_only_reads_is_carried_out_as_ever(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 2, "SET k v");
    fixture_turn(&fixture);
    uint64_t applied = shard_applied_index(fixture.shard);
    struct span args[] = {SPAN("GETEX"), SPAN("k")};
    const struct shard_request request = {.client = {2, 1, 0},
                                          .protocol = 2,
                                          .command = command_find(fixture.table, args, 2),
                                          .args = args,
                                          .argc = 2};
    assert_int_equal(shard_write(fixture.shard, &request, fixture.now), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2:+OK 2:$1v ");
    assert_int_equal(shard_applied_index(fixture.shard), applied + 1);
    fixture_close(&fixture);
}

static void test_who_wants_no_replies_gets_the_commands_carried_out(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture.silent = true;
    submit(&fixture, NULL, 0, "SET k v");
    fixture_turn(&fixture);
    assert_int_equal(fixture.locals_run, 1);
    submit(&fixture, NULL, 0, "GET k");
    fixture_turn(&fixture);
    assert_int_equal(fixture.locals_run, 2);
    assert_answered(&fixture, "1: 1: ");
    fixture_close(&fixture);
}

static void test_commands_of_who_wants_no_replies_are_counted(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture.silent = true;
    fixture_accept(&fixture, 1, "SET k v");
    fixture_accept(&fixture, 1, "GET k");
    fixture_turn(&fixture);
    assert_int_equal(fixture.executed, 2);
    assert_int_equal(fixture.executed_errors, 0);
    fixture_accept(&fixture, 1, "INCR k");
    fixture_turn(&fixture);
    assert_int_equal(fixture.executed, 3);
    assert_int_equal(fixture.executed_errors, 1);
    assert_int_equal(shard_stats(fixture.shard).keyspace_hits, 1);
    fixture_close(&fixture);
}

static void set_two_long_strings(struct fixture *fixture)
{
    fixture_accept(fixture, 1, "SETRANGE a 5600 x");
    fixture_accept(fixture, 1, "SETRANGE b 5600 x");
    fixture_turn(fixture);
    assert_answered(fixture, "1::5601 1::5601 ");
}

static void test_slow_reads_share_no_turn(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    set_two_long_strings(&fixture);
    fixture_accept(&fixture, 1, "LCS a b LEN");
    fixture_accept(&fixture, 2, "LCS a b LEN");
    fixture_accept(&fixture, 3, "LCS a b LEN");
    fixture_turn(&fixture);
    assert_answered(&fixture, "1::5601 ");
    assert_true(shard_deadline_ms(fixture.shard) <= fixture.now.mono_ms);
    fixture_accept(&fixture, 4, "SET c 1"); /* its entry waits for the reads before it */
    fixture_turn(&fixture);                 /* two, because the disk completes */
    assert_answered(&fixture, "2::5601 3::5601 4:+OK ");
    fixture_close(&fixture);
}

static void test_slow_reads_behind_slow_commands_of_a_transaction_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    set_two_long_strings(&fixture);
    struct span read[] = {SPAN("LCS"), SPAN("a"), SPAN("b"), SPAN("LEN")};
    struct span write[] = {SPAN("SET"), SPAN("c"), SPAN("1")};
    struct buf commands = {0};
    for (int i = 0; i < 3; i++)
        resp_encode_command(&commands, read, 4);
    resp_encode_command(&commands, write, 3);
    const struct shard_transaction transaction = {.client = {.slot = 1, .generation = 1},
                                                  .protocol = 2,
                                                  .commands = buf_span(&commands),
                                                  .count = 4};
    assert_int_equal(shard_transaction(fixture.shard, &transaction, fixture.now), SHARD_ACCEPTED);
    buf_close(&commands);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:*4:5601:5601-ERR the commands of the transaction before this one "
                              "took too long: nothing was read+OK ");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transaction_may_watch_more_keys_than_a_command_has_arguments),
        cmocka_unit_test(test_each_of_very_many_watched_keys_aborts_the_transaction),
        cmocka_unit_test(test_commands_of_who_wants_no_replies_are_counted),
        cmocka_unit_test(test_a_transaction_of_calls_that_only_read_becomes_no_entry),
        cmocka_unit_test(test_an_entry_that_only_reads_is_carried_out_as_ever),
        cmocka_unit_test(test_who_wants_no_replies_gets_the_commands_carried_out),
        cmocka_unit_test(test_slow_reads_share_no_turn),
        cmocka_unit_test(test_slow_reads_behind_slow_commands_of_a_transaction_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
