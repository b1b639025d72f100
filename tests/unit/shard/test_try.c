/* Writes that seem to change nothing are tried as reads. */
#include "unit/shard/fixture.h"

static void open_leader(struct fixture *fixture)
{
    fixture_open(fixture, 3);
    fixture_lead(fixture);
    fixture_accept(fixture, 9, "SET k v");
    fixture_turn(fixture);
    fixture_acknowledge(fixture, 0);
    fixture_turn(fixture);
    assert_answered(fixture, "9:+OK ");
}

static enum shard_admission ask_alone(struct fixture *fixture, uint32_t client, const char *line,
                                      bool alone, uint64_t number)
{
    struct span args[16];
    struct shard_request request = {
        .client = {client, 1, 0}, .protocol = 2, .args = args, .alone = alone};
    request.argc = fixture_words(line, args);
    request.command = command_find(fixture->table, args, request.argc);
    request.session.number = number;
    return shard_write(fixture->shard, &request, fixture->now);
}

static void try_one(struct fixture *fixture, uint32_t client, const char *line)
{
    assert_int_equal(ask_alone(fixture, client, line, true, 0), SHARD_TRIED);
}

/* Whoever is asked confirms the round. */
static void confirm(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, UINT64_MAX);
    fixture_turn(fixture);
}

static void test_what_changes_nothing_becomes_no_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    uint64_t last = fixture_last(&fixture);
    try_one(&fixture, 1, "LPOP none");
    try_one(&fixture, 2, "DEL none");
    try_one(&fixture, 3, "SET k w NX");
    fixture_turn(&fixture);
    assert_answered(&fixture, ""); /* not before its office is confirmed */
    confirm(&fixture);
    assert_answered(&fixture, "1:$-1 2::0 3:$-1 ");
    assert_int_equal(fixture_last(&fixture), last);
    fixture_close(&fixture);
}

static void test_what_seems_to_change_something_is_not_tried(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    assert_int_equal(ask_alone(&fixture, 1, "DEL k", true, 0), SHARD_ACCEPTED);
    assert_int_equal(ask_alone(&fixture, 2, "SET none x", true, 0), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1::1 2:+OK ");
    fixture_close(&fixture);
}

/* What a client asks behind it could overtake it. */
static void test_who_asks_for_more_gets_entries(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    uint64_t last = fixture_last(&fixture);
    assert_int_equal(ask_alone(&fixture, 1, "DEL none", false, 0), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_int_equal(fixture_last(&fixture), last + 1);
    fixture_close(&fixture);
}

/* Its reply is kept in the session. */
static void test_a_numbered_write_becomes_an_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    assert_int_not_equal(ask_alone(&fixture, 1, "DEL none", true, 1), SHARD_TRIED);
    fixture_close(&fixture);
}

static void test_long_requests_are_not_tried(void **state)
{
    (void)state;
    struct fixture fixture;
    struct span args[18] = {SPAN("DEL")};
    char key[5000];
    open_leader(&fixture);
    memset(key, 'k', sizeof key);
    for (size_t i = 1; i < 18; i++)
        args[i] = SPAN("none");
    struct shard_request request = {.client = {1, 1, 0},
                                    .protocol = 2,
                                    .args = args,
                                    .argc = 18,
                                    .alone = true,
                                    .command = command_find(fixture.table, args, 18)};
    assert_int_equal(shard_write(fixture.shard, &request, fixture.now), SHARD_ACCEPTED);
    args[1] = span_of(key, sizeof key);
    request.argc = 2;
    assert_int_equal(shard_write(fixture.shard, &request, fixture.now), SHARD_ACCEPTED);
    fixture_close(&fixture);
}

/* The entry was under way when it was tried. */
static void test_what_changes_something_after_all_becomes_an_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 2, "RPUSH l a b");
    try_one(&fixture, 1, "LPOP l");
    uint64_t last = fixture_last(&fixture);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, UINT64_MAX);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2::2 ");
    assert_int_equal(fixture_last(&fixture), last + 2); /* at once */
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:$1a ");
    fixture_accept(&fixture, 1, "LPOP l");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:$1b "); /* it was carried out once */
    fixture_close(&fixture);
}

/* The lock was taken when it was tried, and has expired: the entry is not behind another one. */
static void test_what_expires_meanwhile_makes_it_an_entry_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 2, "SET lock theirs PX 20");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    try_one(&fixture, 1, "SET lock mine NX PX 20");
    fixture_turn(&fixture);
    fixture.now.mono_ms += 30;
    fixture.now.mono_us += 30 * 1000;
    fixture_acknowledge(&fixture, UINT64_MAX);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2:+OK ");
    assert_int_equal(shard_stats(fixture.shard).pending_reads, 0);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:+OK ");
    fixture_close(&fixture);
}

/* As the answer to any read that came before an entry of the same leader. */
static void test_the_next_entry_confirms_it_too(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    try_one(&fixture, 1, "LPOP l");
    fixture_accept(&fixture, 2, "RPUSH l a");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:$-1 2::1 ");
    fixture_close(&fixture);
}

static void test_a_client_that_has_gone_gets_nothing_written(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    fixture_accept(&fixture, 2, "RPUSH l a");
    try_one(&fixture, 1, "LPOP l");
    fixture.left = true;
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, UINT64_MAX);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, UINT64_MAX);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2::1 ");
    assert_int_equal(shard_stats(fixture.shard).pending_writes, 0);
    fixture_close(&fixture);
}

static void test_it_outlives_the_office(void **state)
{
    (void)state;
    struct fixture fixture;
    open_leader(&fixture);
    try_one(&fixture, 1, "DEL none");
    fixture_turn(&fixture);
    fixture_depose(&fixture);
    fixture_turn(&fixture);
    assert_answered(&fixture, "");
    assert_int_equal(shard_stats(fixture.shard).pending_reads, 1);
    fixture_lead(&fixture);
    confirm(&fixture);
    confirm(&fixture);
    assert_answered(&fixture, "1::0 ");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_changes_nothing_becomes_no_entry),
        cmocka_unit_test(test_what_seems_to_change_something_is_not_tried),
        cmocka_unit_test(test_who_asks_for_more_gets_entries),
        cmocka_unit_test(test_a_numbered_write_becomes_an_entry),
        cmocka_unit_test(test_long_requests_are_not_tried),
        cmocka_unit_test(test_what_changes_something_after_all_becomes_an_entry),
        cmocka_unit_test(test_what_expires_meanwhile_makes_it_an_entry_at_once),
        cmocka_unit_test(test_the_next_entry_confirms_it_too),
        cmocka_unit_test(test_a_client_that_has_gone_gets_nothing_written),
        cmocka_unit_test(test_it_outlives_the_office),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
