/* A shard's own snapshots: when they are taken, what they hold, what a start makes of them. */
#include "unit/shard/fixture.h"

/* The contexts of rounds are counted from 1: a large one confirms all that were asked. */
enum { ANY_ROUND = 1000 };

static void settle(struct fixture *fixture)
{
    fixture_turn(fixture);
    fixture_acknowledge(fixture, ANY_ROUND);
    fixture_turn(fixture);
}

static struct storage_snapshot snapshot_of(const struct fixture *fixture)
{
    return storage_status(shard_storage(fixture->shard)).snapshot;
}

/* Some keys, one with a deadline, one removed. */
static void write_keys(struct fixture *fixture)
{
    fixture_lead(fixture);
    static const char *const lines[] = {"SET a 1",           "INCR a",     "SET b text",
                                        "SET c v PX 100000", "SET gone v", "DEL gone"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fixture_accept(fixture, 1, lines[i]);
    settle(fixture);
}

static void test_a_snapshot_stands_for_what_was_applied_when_the_log_was_cut(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    fixture_accept(&fixture, 1, "SET d waits");
    fixture_turn(&fixture); /* in the log, not committed */
    uint64_t last = fixture_last(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    assert_true(shard_snapshot_goes_on(fixture.shard));
    assert_false(fixture.node.fake.image_running);
    fixture_accept(&fixture, 1, "SET e behind");
    settle(&fixture);
    assert_int_equal(shard_applied_index(fixture.shard), last + 1);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_int_equal(snapshot_of(&fixture).index, last);
    assert_int_equal(raft_snapshot(shard_raft(fixture.shard)).index, last);
    assert_int_equal(raft_first_index(shard_raft(fixture.shard)), last + 1);
    assert_false(shard_snapshot_goes_on(fixture.shard));
    fixture_close(&fixture);
}

static void test_a_snapshot_of_what_is_saved_already_moves_the_time_of_the_last_one(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    for (int i = 1; i <= 2; i++) {
        fixture.now.wall_ms += 1000;
        shard_snapshot(fixture.shard, fixture.now);
        if (i == 1)
            fixture_image_ends(&fixture, ERR_NONE);
        assert_false(shard_snapshot_goes_on(fixture.shard));
        assert_int_equal(shard_stats(fixture.shard).snapshot_wall_ms, fixture.now.wall_ms);
        assert_int_equal(shard_stats(fixture.shard).snapshots, 1);
    }
    fixture_close(&fixture);
}

static void test_a_node_comes_back_from_snapshot_and_log_as_it_was(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    uint64_t at_snapshot = shard_digest(fixture.shard);
    fixture_accept(&fixture, 1, "SET b other");
    settle(&fixture);
    uint64_t last = fixture_last(&fixture);
    uint64_t digest = keyspace_digest(shard_keyspace(fixture.shard, 0));
    fixture_end(&fixture);
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    assert_int_equal(shard_applied_index(fixture.shard), snapshot_of(&fixture).index);
    assert_true(shard_digest(fixture.shard) == at_snapshot);
    assert_int_equal(fixture_last(&fixture), last);
    fixture_lead(&fixture);
    assert_true(keyspace_digest(shard_keyspace(fixture.shard, 0)) == digest);
    fixture_close(&fixture);
}

enum { MANY_KEYS = 600, VALUE_BYTES = 1000 };

static void set_key(struct fixture *fixture, unsigned number, char byte, const char *more)
{
    char line[VALUE_BYTES + 64];
    char value[VALUE_BYTES + 1];
    memset(value, byte, VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    snprintf(line, sizeof line, "SET key%u %s%s", number, value, more);
    fixture_accept(fixture, 1, line);
    settle(fixture);
}

/* More than one turn's worth of an image. */
static void write_many_keys(struct fixture *fixture)
{
    fixture_lead(fixture);
    for (unsigned i = 0; i < MANY_KEYS; i++)
        set_key(fixture, i, 'v', i % 10 ? "" : " PX 90");
}

/* Goes on with the image a little. */
static void image_goes_on(struct fixture *fixture)
{
    struct fake *fake = &fixture->node.fake;
    for (; fake->image_pieces; fake->image_pieces--)
        fixture_image_completes(fixture, false, ERR_NONE);
    fixture->now.mono_ms++;
    fixture->now.mono_us += 1000;
    fixture_turn(fixture);
}

static void test_what_changes_while_it_is_written_is_not_in_the_snapshot(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_many_keys(&fixture);
    uint64_t digest = shard_digest(fixture.shard);
    shard_snapshot(fixture.shard, fixture.now);
    static const char *const changes[] = {
        "DEL key%u",       "APPEND key%u more", "PEXPIRE key%u 9",   "RENAME key%u new",
        "SET key%u short", "INCR other%u",      "COPY key%u copied", "PERSIST key%u"};
    unsigned turns = 0;
    for (unsigned i = 0; !fixture.node.fake.image_ended; i++, turns++) {
        char line[64];
        snprintf(line, sizeof line, changes[i % 8], i * 7 % MANY_KEYS);
        fixture_accept(&fixture, 1, line);
        settle(&fixture);
        image_goes_on(&fixture);
        if (i == 3) { /* what is due expires, in one entry */
            fixture_pass(&fixture, 100);
            settle(&fixture);
        }
    }
    assert_true(turns > 5);
    assert_true(shard_stats(fixture.shard).expired_keys > 10);
    fixture_image_ends(&fixture, ERR_NONE);
    fixture_end(&fixture);
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    assert_true(shard_digest(fixture.shard) == digest);
    fixture_close(&fixture);
}

static void test_a_snapshot_of_what_is_all_removed_begins_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_many_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    image_goes_on(&fixture);
    fixture_accept(&fixture, 1, "FLUSHALL");
    settle(&fixture);
    assert_true(fixture.node.fake.image_ended && !fixture.node.fake.image_kept);
    uint64_t index = shard_applied_index(fixture.shard);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_true(shard_snapshot_goes_on(fixture.shard)); /* of an empty state */
    fixture_image_ends(&fixture, ERR_NONE);
    assert_int_equal(snapshot_of(&fixture).index, index);
    assert_int_equal(shard_stats(fixture.shard).snapshots, 1);
    assert_false(shard_stats(fixture.shard).snapshot_failed);
    fixture_close(&fixture);
}

/* What is held for the snapshot is freed with the rest. */
static void test_a_node_ends_while_a_snapshot_keeps_what_was_cleared(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_many_keys(&fixture);
    fixture_accept(&fixture, 1, "MOVE key0 1");
    settle(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    image_goes_on(&fixture);
    fixture_accept(&fixture, 1, "FLUSHDB");
    settle(&fixture);
    assert_int_equal(databases_count(shard_databases(fixture.shard)), 1);
    assert_false(fixture.node.fake.image_ended);
    fixture_close(&fixture);
}

static void test_a_piece_that_cannot_be_written_ends_the_snapshot(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_many_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    assert_int_equal(fixture.node.fake.image_pieces, 1);
    fixture.node.fake.image_pieces--;
    fixture_image_completes(&fixture, false, ERR_NO_SPACE);
    assert_true(fixture.node.fake.image_ended && !fixture.node.fake.image_kept);
    fixture_image_ends(&fixture, ERR_NO_SPACE);
    assert_false(shard_snapshot_goes_on(fixture.shard));
    assert_true(shard_stats(fixture.shard).snapshot_failed);
    assert_int_equal(snapshot_of(&fixture).index, 0);
    fixture_close(&fixture);
}

static void test_an_image_waits_for_a_disk_that_is_slow(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_many_keys(&fixture);
    for (unsigned i = 0; i < 3 * MANY_KEYS; i++)
        set_key(&fixture, MANY_KEYS + i, 'w', "");
    shard_snapshot(fixture.shard, fixture.now);
    for (int i = 0; i < 100; i++) {
        fixture.now.mono_ms++;
        fixture_turn(&fixture);
    }
    assert_false(fixture.node.fake.image_ended);
    assert_int_equal(fixture.node.fake.image_pieces, 8);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_int_equal(snapshot_of(&fixture).index, shard_applied_index(fixture.shard));
    fixture_close(&fixture);
}

static void test_a_large_slot_is_saved_in_several_turns_before_it_changes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    for (int i = 0; i < 50; i++) {
        char line[64];
        snprintf(line, sizeof line, "SETRANGE {large}%d 100000 x", i);
        fixture_accept(&fixture, 1, line);
        settle(&fixture);
    }
    uint64_t last = shard_applied_index(fixture.shard);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_accept(&fixture, 1, "APPEND {large}7 y");
    fixture_accept(&fixture, 1, "SET small v");
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, ANY_ROUND);
    unsigned turns = 0;
    while (shard_applied_index(fixture.shard) == last) {
        assert_true(++turns < 20);
        assert_int_equal(shard_deadline_ms(fixture.shard), fixture.now.mono_ms); /* at once */
        fixture_turn(&fixture);
    }
    assert_true(turns >= 4);
    assert_int_equal(shard_applied_index(fixture.shard), last + 2);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_int_equal(snapshot_of(&fixture).index, last);
    fixture_close(&fixture);
}

static void test_a_node_comes_back_with_the_members_of_its_snapshot(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    struct raft_membership wanted = *raft_membership(shard_raft(fixture.shard));
    raft_membership_put(&wanted, &(struct raft_member){.id = 4,
                                                       .roles = RAFT_LEARNER,
                                                       .incarnation = 0xabcdef,
                                                       .address = "four.example:7000"});
    assert_int_equal(shard_change(fixture.shard, &wanted, fixture.now), RAFT_CHANGE_POSSIBLE);
    settle(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    fixture_end(&fixture);
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    assert_true(raft_membership_equal(raft_membership(shard_raft(fixture.shard)), &wanted));
    fixture_close(&fixture);
}

/* The log is empty behind the snapshot, and the wall clock of the machine was set back. */
static void test_the_clock_goes_on_from_the_snapshots(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    int64_t clock_ms = shard_clock_ms(fixture.shard);
    fixture_end(&fixture);
    fixture.now.wall_ms = 10;
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    assert_int_equal(shard_clock_ms(fixture.shard), clock_ms);
    fixture_lead(&fixture);
    fixture_accept(&fixture, 1, "SET a 1");
    settle(&fixture);
    assert_true(shard_clock_ms(fixture.shard) >= clock_ms);
    fixture_close(&fixture);
}

static void test_a_snapshot_that_could_not_be_written_changes_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NO_SPACE);
    assert_int_equal(snapshot_of(&fixture).index, 0);
    assert_int_equal(shard_stats(fixture.shard).snapshots_failed, 1);
    assert_int_equal(raft_first_index(shard_raft(fixture.shard)), 1);
    for (size_t i = 0; i < fixture.node.fake.file_count; i++)
        assert_null(strstr(fixture.node.fake.files[i].path, "temp-"));
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_true(snapshot_of(&fixture).index > 0);
    fixture_close(&fixture);
}

static void test_a_snapshot_goes_on_until_a_start_would_find_it(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    settle(&fixture);
    fixture_image_is_written(&fixture);
    fixture_image_completes(&fixture, true, ERR_NONE);
    assert_true(snapshot_of(&fixture).index > 0);
    assert_true(shard_snapshot_goes_on(fixture.shard)); /* renaming it is only queued */
    fixture_turn(&fixture);
    assert_false(shard_snapshot_goes_on(fixture.shard));
    fixture_close(&fixture);
}

static void test_who_asks_during_a_snapshot_gets_one_of_what_is_there_now(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    settle(&fixture);
    fixture_accept(&fixture, 1, "SET d later");
    settle(&fixture);
    uint64_t last = fixture_last(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_true(snapshot_of(&fixture).index < last);
    for (int i = 0; i < 10 && !shard_snapshot_goes_on(fixture.shard); i++) {
        fixture_pass(&fixture, 100);
        fixture_turn(&fixture);
    }
    fixture_image_ends(&fixture, ERR_NONE);
    assert_true(snapshot_of(&fixture).index >= last);
    for (int i = 0; i < 10; i++) {
        fixture_pass(&fixture, 100);
        fixture_turn(&fixture);
    }
    assert_false(shard_snapshot_goes_on(fixture.shard)); /* and nobody else asked */
    fixture_close(&fixture);
}

static void test_a_cut_whose_entries_are_truncated_brings_no_snapshot(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    uint64_t kept = fixture_last(&fixture);
    fixture_accept(&fixture, 1, "SET d lost");
    fixture_accept(&fixture, 1, "SET d lost");
    fixture_turn(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_overwrite_after(&fixture, kept);
    assert_false(shard_snapshot_goes_on(fixture.shard));
    assert_true(shard_stats(fixture.shard).snapshot_failed); /* for whoever waits in SAVE */
    fixture_win(&fixture);
    settle(&fixture);
    assert_false(fixture.node.fake.image_running);
    assert_int_equal(snapshot_of(&fixture).index, 0);
    fixture_close(&fixture);
}

/* Enough log behind the last one, and not less than that one itself. */
static void test_a_snapshot_begins_by_itself_when_the_log_has_grown(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_end(&fixture);
    fixture.snapshot_log_bytes = 3000;
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    write_keys(&fixture);
    fixture_pass(&fixture, 150);
    settle(&fixture);
    assert_false(shard_snapshot_goes_on(fixture.shard));
    for (int i = 0; i < 60; i++) {
        fixture_accept(&fixture, 1, "SET key-of-some-length value-of-some-length");
        settle(&fixture);
    }
    fixture_pass(&fixture, 150);
    settle(&fixture);
    assert_true(shard_snapshot_goes_on(fixture.shard));
    fixture_image_ends(&fixture, ERR_NONE);
    fixture_pass(&fixture, 150);
    settle(&fixture);
    assert_false(shard_snapshot_goes_on(fixture.shard));
    fixture_close(&fixture);
}

static void test_a_damaged_snapshot_stops_the_start_and_is_named(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    fixture_end(&fixture);
    struct fake_file *base = NULL;
    for (size_t i = 0; i < fixture.node.fake.file_count; i++)
        if (strstr(fixture.node.fake.files[i].path, ".base.rdb"))
            base = &fixture.node.fake.files[i];
    assert_non_null(base);
    for (size_t at = 0; at < base->bytes.len; at++) {
        char message[512] = "";
        base->bytes.ptr[at] ^= 8;
        assert_int_equal(fixture_start(&fixture, 3, message), ERR_CORRUPT);
        assert_non_null(strstr(message, "snapshot is damaged"));
        assert_non_null(strstr(message, FOLDER));
        base->bytes.ptr[at] ^= 8;
        fixture.node.fake.handle_count = 0;
    }
    fixture_close(&fixture);
}

/* The manifest has no checksum: which segments the snapshot covers is told by two letters. */
static void test_a_manifest_that_lies_about_what_is_covered_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_end(&fixture);
    fixture.node.options.segment_bytes_max = 400;
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    write_keys(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_image_ends(&fixture, ERR_NONE);
    for (int i = 0; i < 10; i++) {
        fixture_accept(&fixture, 1, "SET key-of-some-length value-of-some-length");
        settle(&fixture);
    }
    fixture_end(&fixture);
    struct buf *manifest = &fake_find(&fixture.node.fake, MANIFEST)->bytes;
    char *type = memmem(manifest->ptr, manifest->len, "type i", 6);
    assert_non_null(type);
    type[5] = 'h';
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_CORRUPT);
    assert_non_null(strstr(message, "another entry than the log says"));
    fixture.node.fake.handle_count = 0;
    type[5] = 'i';
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_snapshot_stands_for_what_was_applied_when_the_log_was_cut),
        cmocka_unit_test(test_a_snapshot_of_what_is_saved_already_moves_the_time_of_the_last_one),
        cmocka_unit_test(test_a_node_comes_back_from_snapshot_and_log_as_it_was),
        cmocka_unit_test(test_a_large_slot_is_saved_in_several_turns_before_it_changes),
        cmocka_unit_test(test_a_node_comes_back_with_the_members_of_its_snapshot),
        cmocka_unit_test(test_the_clock_goes_on_from_the_snapshots),
        cmocka_unit_test(test_a_snapshot_that_could_not_be_written_changes_nothing),
        cmocka_unit_test(test_a_snapshot_goes_on_until_a_start_would_find_it),
        cmocka_unit_test(test_who_asks_during_a_snapshot_gets_one_of_what_is_there_now),
        cmocka_unit_test(test_a_cut_whose_entries_are_truncated_brings_no_snapshot),
        cmocka_unit_test(test_a_snapshot_begins_by_itself_when_the_log_has_grown),
        cmocka_unit_test(test_a_damaged_snapshot_stops_the_start_and_is_named),
        cmocka_unit_test(test_a_manifest_that_lies_about_what_is_covered_is_refused),
        cmocka_unit_test(test_what_changes_while_it_is_written_is_not_in_the_snapshot),
        cmocka_unit_test(test_a_snapshot_of_what_is_all_removed_begins_again),
        cmocka_unit_test(test_a_node_ends_while_a_snapshot_keeps_what_was_cleared),
        cmocka_unit_test(test_a_piece_that_cannot_be_written_ends_the_snapshot),
        cmocka_unit_test(test_an_image_waits_for_a_disk_that_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
