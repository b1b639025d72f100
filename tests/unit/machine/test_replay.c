/* The state machine alone: it comes to the same state as a node, and survives what no node wrote.
 */
#include "machine/replay.h"

#include "unit/shard/fixture.h"

struct replaying {
    struct machine_replay *replay;
    enum err err;
    char message[512];
    unsigned voids;
};

static enum err load(void *context, struct span piece, char *message)
{
    struct replaying *replaying = context;
    return machine_replay_load(replaying->replay, piece, message);
}

static void visit(void *context, const struct entry *entry)
{
    struct replaying *replaying = context;
    replaying->voids += machine_replay_is_void(replaying->replay, entry);
    if (!replaying->err)
        replaying->err = machine_replay_apply(replaying->replay, entry, replaying->message);
}

static void ignore_part(void *context, const struct storage_part *part)
{
    (void)context;
    (void)part;
}

static void ignore_leftover(void *context, const char *path)
{
    (void)context;
    (void)path;
}

/* What is on the shard's disk, while the shard stands still. */
static void replay_disk(struct fixture *fixture, struct replaying *replaying)
{
    const struct storage_inspection inspection = {.part = ignore_part, .leftover = ignore_leftover};
    struct storage_options options = fixture->node.options;
    options.inspection = &inspection;
    const struct storage_visitor visitor = {.context = replaying, .load = load, .visit = visit};
    struct storage *storage;
    struct storage_recovered found;
    *replaying = (struct replaying){.replay = machine_replay_new(fixture->table, 7)};
    if (storage_open(&fixture->node.port, &options, &visitor, &storage, &found, replaying->message))
        fail_msg("%s", replaying->message);
    storage_close(storage);
    assert_int_equal(replaying->err, ERR_NONE);
    assert_int_equal(machine_replay_check_snapshot(replaying->replay, found.snapshot.index,
                                                   found.snapshot.term, replaying->message),
                     ERR_NONE);
}

static void assert_replays(struct fixture *fixture)
{
    struct replaying replaying;
    replay_disk(fixture, &replaying);
    assert_int_equal(machine_replay_position(replaying.replay)->index,
                     shard_applied_index(fixture->shard));
    assert_true(machine_replay_digest(replaying.replay) == shard_digest(fixture->shard));
    machine_replay_free(replaying.replay);
}

/* A group of one: what is driven is committed. */
static void lead_alone(struct fixture *fixture)
{
    fixture_open(fixture, 1);
    fixture_pass(fixture, 2 * ELECTION_MS);
    fixture_turn(fixture);
    fixture_turn(fixture);
    assert_true(shard_is_leader(fixture->shard));
}

static void write_lines(struct fixture *fixture)
{
    static const char *const lines[] = {
        "SET a 1",          "INCR a",      "SET b text", "APPEND b s", "SET c v PX 50",
        "SET d v PX 90000", "SET gone v",  "DEL gone",   "RENAME a e", "INCRBYFLOAT e 0.5",
        "SETRANGE b 9 x",   "GETDEL nope", "INCR b",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fixture_accept(fixture, 1, lines[i]);
    fixture_turn(fixture);
}

static void take_snapshot(struct fixture *fixture)
{
    shard_snapshot(fixture->shard, fixture->now);
    fixture_image_ends(fixture, ERR_NONE);
}

static void test_a_replay_comes_to_the_digest_of_the_shard(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_alone(&fixture);
    assert_replays(&fixture);
    write_lines(&fixture);
    assert_replays(&fixture);
    for (unsigned i = 0; i < 20; i++) { /* c expires */
        fixture_pass(&fixture, 50);
        fixture_turn(&fixture);
    }
    fixture_turn(&fixture);
    assert_int_equal(keyspace_count_with_deadline(shard_keyspace(fixture.shard, 0)), 1);
    assert_replays(&fixture);
    fixture_close(&fixture);
}

static void test_a_replay_goes_on_from_the_snapshot(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_alone(&fixture);
    write_lines(&fixture);
    take_snapshot(&fixture);
    assert_replays(&fixture);
    fixture_accept(&fixture, 1, "SET behind it");
    fixture_accept(&fixture, 1, "INCR counter");
    fixture_turn(&fixture);
    assert_replays(&fixture);
    struct replaying replaying;
    replay_disk(&fixture, &replaying);
    assert_int_equal(machine_replay_snapshot(replaying.replay)->index,
                     shard_applied_index(fixture.shard) - 2);
    assert_int_equal(machine_replay_position(replaying.replay)->membership.count, 1);
    assert_int_equal(machine_replay_check_snapshot(replaying.replay, 1, 1, replaying.message),
                     ERR_CORRUPT);
    machine_replay_free(replaying.replay);
    fixture_close(&fixture);
}

static void run_transaction(struct fixture *fixture, const struct machine_watch *watch)
{
    static const struct span set[] = {{"SET", 3}, {"k", 1}, {"in", 2}};
    struct buf commands = {0};
    resp_encode_command(&commands, set, 3);
    struct shard_transaction transaction = {.client = {.slot = 1, .generation = 1},
                                            .protocol = 2,
                                            .commands = buf_span(&commands),
                                            .count = 1,
                                            .watches = watch,
                                            .watch_count = watch ? 1 : 0};
    assert_int_equal(shard_transaction(fixture->shard, &transaction, fixture->now), SHARD_ACCEPTED);
    fixture_turn(fixture);
    buf_close(&commands);
}

static void test_a_replay_decides_watched_transactions_as_the_shard_does(void **state)
{
    (void)state;
    struct fixture fixture;
    lead_alone(&fixture);
    fixture_accept(&fixture, 1, "SET w 1");
    fixture_turn(&fixture);
    struct machine_watch watch = {SPAN("w"), shard_applied_index(fixture.shard), 0, true};
    run_transaction(&fixture, &watch);
    run_transaction(&fixture, NULL);
    fixture_accept(&fixture, 1, "SET w 2");
    fixture_turn(&fixture);
    run_transaction(&fixture, &watch);
    assert_answered(&fixture, "1:+OK 1:*1+OK 1:*1+OK 1:+OK 1:*-1 ");
    struct replaying replaying;
    replay_disk(&fixture, &replaying);
    assert_int_equal(replaying.voids, 1);
    assert_true(machine_replay_digest(replaying.replay) == shard_digest(fixture.shard));
    machine_replay_free(replaying.replay);
    fixture_close(&fixture);
}

static void test_what_no_node_wrote_is_refused_and_not_applied(void **state)
{
    (void)state;
    static const struct {
        enum entry_kind kind;
        const char *payload;
    } bad[] = {
        {ENTRY_COMMAND, ""},
        {ENTRY_COMMAND, "*1\r\n"},
        {ENTRY_COMMAND, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9999999999\r\nv"},
        {ENTRY_COMMAND, "*1\r\n$3\r\nSET\r\n"}, /* arguments are missing */
        {ENTRY_COMMAND, "*1\r\n$5\r\nBOGUS\r\n"},
        {ENTRY_COMMAND, "*1\r\n$4\r\nPING\r\n"}, /* no command of the data */
        {ENTRY_COMMAND, "*0\r\n"},
        {ENTRY_COMMAND, "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\nmore"},
        {ENTRY_MEMBERSHIP, "#MEMBER:nobody\r\n"},
        {ENTRY_TRANSACTION, ""},
        {ENTRY_TRANSACTION, "*1\r\n$5\r\nMULTI\r\n"},
        {ENTRY_TRANSACTION, "*1\r\n$4\r\nEXEC\r\n"},
        {ENTRY_TRANSACTION, "*1\r\n$5\r\nMULTI\r\n*1\r\n$3\r\nSET\r\n*1\r\n$4\r\nEXEC\r\n"},
        {ENTRY_TRANSACTION, "*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n*1\r\n$4\r\nEXEC\r\n"},
        {ENTRY_TRANSACTION, "#"},
        {ENTRY_TRANSACTION, "#\r"},
        {ENTRY_TRANSACTION, "#\r\n"},
        {ENTRY_TRANSACTION, "#WATCH:1:1"},
        {ENTRY_TRANSACTION, "#WATCH:1:1\r\n"},
        {ENTRY_TRANSACTION, "#WATCH:1:x\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n*1\r\n$5\r\nMULTI\r\n"
                            "*1\r\n$4\r\nEXEC\r\n"},
        {ENTRY_TRANSACTION, "#WATCH:1:1:2:1\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n*1\r\n$5\r\nMULTI"
                            "\r\n*1\r\n$4\r\nEXEC\r\n"},
        {ENTRY_TRANSACTION, "#WATCH:1:1\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n"},
    };
    struct command_table *table = command_table_new();
    struct machine_replay *replay = machine_replay_new(table, 0);
    uint64_t digest = machine_replay_digest(replay);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct span payload = span_text(bad[i].payload);
        char *exact = memcpy(test_malloc(payload.len + 1), payload.ptr, payload.len);
        struct entry entry = {
            .index = 1, .term = 1, .kind = bad[i].kind, .payload = span_of(exact, payload.len)};
        char message[512] = "";
        assert_false(machine_replay_is_void(replay, &entry));
        if (machine_replay_apply(replay, &entry, message) != ERR_CORRUPT)
            fail_msg("'%s' was applied", bad[i].payload);
        assert_non_null(strstr(message, "entry 1 "));
        assert_true(machine_replay_digest(replay) == digest);
        test_free(exact);
    }
    struct entry fine = {.index = 1,
                         .term = 1,
                         .kind = ENTRY_COMMAND,
                         .payload = SPAN("*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n")};
    struct buf record = {0};
    entry_encode(&record, &fine);
    fine.record = buf_span(&record);
    char message[512] = "";
    assert_int_equal(machine_replay_apply(replay, &fine, message), ERR_NONE);
    fine.index = 3;
    assert_int_equal(machine_replay_apply(replay, &fine, message), ERR_CORRUPT);
    buf_close(&record);
    assert_non_null(strstr(message, "missing"));
    assert_int_equal(keyspace_count(databases_find(machine_replay_databases(replay), 0)), 1);
    machine_replay_free(replay);
    command_table_free(table);
}

static void test_a_damaged_snapshot_is_refused(void **state)
{
    (void)state;
    struct command_table *table = command_table_new();
    struct machine_replay *replay = machine_replay_new(table, 0);
    char message[512] = "";
    enum err err = machine_replay_load(replay, SPAN("REDIS0009\xff"), message);
    if (!err)
        err = machine_replay_load(replay, span_of("", 0), message);
    assert_int_equal(err, ERR_CORRUPT);
    assert_true(message[0] != '\0');
    machine_replay_free(replay);
    command_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replay_comes_to_the_digest_of_the_shard),
        cmocka_unit_test(test_a_replay_goes_on_from_the_snapshot),
        cmocka_unit_test(test_a_replay_decides_watched_transactions_as_the_shard_does),
        cmocka_unit_test(test_what_no_node_wrote_is_refused_and_not_applied),
        cmocka_unit_test(test_a_damaged_snapshot_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
