/* Digests of the machine: equal for equal histories, kept by a snapshot. */
#include <stdio.h>

#include "machine/machine.h"
#include "machine/state.h"
#include "unit/support/test.h"

struct fixture {
    struct command_table *table;
    struct machine machine;
    struct buf reply;
    struct machine_head head; /* of what write_and_read() has written, without its end */
    bool has_head;
    bool head_of_less; /* of its first bytes alone */
};

static void open_fixture(struct fixture *f, uint64_t hash_seed)
{
    *f = (struct fixture){.table = command_table_new()};
    machine_init(&f->machine, f->table, hash_seed);
}

static void close_fixture(struct fixture *f)
{
    machine_close(&f->machine);
    command_table_free(f->table);
    buf_close(&f->reply);
}

/* The next entry, as `kind` with words for a command. */
static void apply_kind(struct fixture *f, enum entry_kind kind, const char *line, bool replied)
{
    struct span args[8];
    size_t argc = 0;
    for (const char *at = line; *at;) {
        size_t len = strcspn(at, " ");
        args[argc++] = span_of(at, len);
        at += len + (at[len] == ' ');
    }
    struct entry entry = {.index = f->machine.applied_index + 1,
                          .term = 1,
                          .kind = kind,
                          .time_ms = 1000 * (int64_t)f->machine.applied_index,
                          .seed = 100};
    struct buf record = {0};
    struct record parsed;
    if (argc)
        entry_encode_command(&record, &entry, args, argc);
    else
        entry_encode(&record, &entry);
    assert_int_equal(record_parse(buf_span(&record), &parsed), RECORD_OK);
    struct machine_caller caller = {.reply = {.out = replied ? &f->reply : NULL, .protocol = 3}};
    machine_apply(&f->machine, &parsed.entry, &caller);
    buf_close(&record);
}

static void apply(struct fixture *f, const char *line)
{
    apply_kind(f, ENTRY_COMMAND, line, false);
}

static const char *const history[] = {
    "SET a 1",  "SET {b}1 x PXAT 5000", "INCR a", "APPEND {b}1 yy", "RENAME {b}1 {b}2",
    "COPY a c", "SETRANGE c 5 zzz",     "DEL a"};
enum { HISTORY = sizeof history / sizeof *history };

static void test_equal_entries_give_equal_digests_whoever_waits_for_replies(void **state)
{
    (void)state;
    struct fixture a, b;
    open_fixture(&a, 1);
    open_fixture(&b, 2);
    for (size_t i = 0; i < HISTORY; i++) {
        apply_kind(&a, ENTRY_COMMAND, history[i], true);
        apply(&b, history[i]);
        const struct machine_digest of_a = machine_digest(&a.machine);
        const struct machine_digest of_b = machine_digest(&b.machine);
        assert_true(machine_digest_equal(&of_a, &of_b));
        assert_true(of_a.sum == databases_sum_by_walk(a.machine.databases));
    }
    apply_kind(&a, ENTRY_EXPIRY, "", false);
    apply_kind(&b, ENTRY_EXPIRY, "", false);
    assert_int_equal(a.machine.stats.expired, 1);
    assert_true(machine_digest_number(&a.machine) == machine_digest_number(&b.machine));
    close_fixture(&a);
    close_fixture(&b);
}

static void test_another_order_of_keys_gives_the_same_sum_and_another_chain(void **state)
{
    (void)state;
    struct fixture a, b;
    open_fixture(&a, 1);
    open_fixture(&b, 1);
    apply(&a, "SET x 1");
    apply(&a, "SET y 2");
    apply(&b, "SET y 2");
    apply(&b, "SET x 1");
    const struct machine_digest of_a = machine_digest(&a.machine);
    const struct machine_digest of_b = machine_digest(&b.machine);
    assert_true(of_a.sum == of_b.sum);
    assert_true(of_a.chain != of_b.chain);
    assert_false(machine_digest_equal(&of_a, &of_b));
    close_fixture(&a);
    close_fixture(&b);
}

/* The state is equal, what led to it was not. */
static void test_a_chain_remembers_what_a_flush_removes(void **state)
{
    (void)state;
    struct fixture a, b;
    open_fixture(&a, 1);
    open_fixture(&b, 1);
    apply(&a, "SET x 1");
    apply(&b, "SET x 1");
    keyspace_set_string(databases_at(b.machine.databases, 0), SPAN("y"), SPAN("1"), false, 1);
    apply(&a, "FLUSHALL");
    apply(&b, "FLUSHALL");
    const struct machine_digest of_a = machine_digest(&a.machine);
    const struct machine_digest of_b = machine_digest(&b.machine);
    assert_true(of_a.sum == of_b.sum);
    assert_false(machine_digest_equal(&of_a, &of_b));
    close_fixture(&a);
    close_fixture(&b);
}

static void test_chains_that_begin_elsewhere_are_not_compared(void **state)
{
    (void)state;
    const struct machine_digest a = {.index = 9, .sum = 1, .chain = 2, .chain_from = 0};
    struct machine_digest b = {.index = 9, .sum = 1, .chain = 3, .chain_from = 5};
    assert_true(machine_digest_equal(&a, &b));
    b.chain_from = 0;
    assert_false(machine_digest_equal(&a, &b));
    b.chain = 2;
    b.index = 8;
    assert_false(machine_digest_equal(&a, &b));
}

static struct machine_reader *write_and_read(struct fixture *f, const char *without, char *message,
                                             enum err *err)
{
    struct machine_position position = {.index = f->machine.applied_index,
                                        .term = 1,
                                        .clock_ms = f->machine.clock_ms,
                                        .chain = f->machine.chain,
                                        .chain_from = f->machine.chain_from};
    raft_membership_set(&position.membership, 1, RAFT_VOTER);
    struct machine_writer writer;
    struct buf file = {0};
    machine_writer_init(&writer, f->machine.databases, NULL, &position);
    for (size_t i = 0; without && i < STATE_FIELDS; i++)
        if (span_is(writer.aux[i].name, without))
            writer.aux[i].name = SPAN("other-field");
    while (machine_writer_next(&writer, &file))
        continue;
    machine_writer_close(&writer);
    struct machine_reader *reader = machine_reader_new(77, NULL);
    f->has_head = machine_read_head(span_of(file.ptr, file.len - 1), &f->head);
    f->head_of_less = machine_read_head(span_of(file.ptr, 40), &(struct machine_head){.digest = 0});
    *err = machine_reader_feed(reader, buf_span(&file), message);
    if (!*err)
        *err = machine_reader_finish(reader, position.index, position.term, message);
    buf_close(&file);
    return reader;
}

static void test_a_snapshot_keeps_the_digests(void **state)
{
    (void)state;
    struct fixture a, b;
    char message[512];
    enum err err;
    open_fixture(&a, 1);
    open_fixture(&b, 2);
    for (size_t i = 0; i < HISTORY; i++)
        apply(&a, history[i]);
    struct machine_reader *reader = write_and_read(&a, NULL, message, &err);
    assert_int_equal(err, ERR_NONE);
    databases_free(machine_take_state(&b.machine, reader));
    machine_reader_free(reader);
    assert_true(machine_digest_number(&a.machine) == machine_digest_number(&b.machine));
    apply(&a, "SET after 1");
    apply(&b, "SET after 1");
    assert_true(machine_digest_number(&a.machine) == machine_digest_number(&b.machine));
    close_fixture(&a);
    close_fixture(&b);
}

static void test_the_beginning_of_a_snapshot_says_what_it_is_of(void **state)
{
    (void)state;
    struct fixture f;
    char message[512];
    enum err err;
    open_fixture(&f, 1);
    for (size_t i = 0; i < HISTORY; i++)
        apply(&f, history[i]);
    machine_reader_free(write_and_read(&f, NULL, message, &err));
    assert_true(f.has_head);
    assert_int_equal(f.head.position.index, f.machine.applied_index);
    assert_int_equal(f.head.position.clock_ms, f.machine.clock_ms);
    assert_int_equal(f.head.digest, machine_digest_number(&f.machine));
    assert_false(f.head_of_less);
    machine_reader_free(write_and_read(&f, "raft-index", message, &err));
    assert_int_equal(err, ERR_CORRUPT);
    assert_false(f.has_head);
    close_fixture(&f);
}

static void test_a_snapshot_without_digests_begins_the_chain(void **state)
{
    (void)state;
    struct fixture a;
    char message[512];
    enum err err;
    open_fixture(&a, 1);
    apply(&a, "SET a 1");
    struct machine_reader *reader = write_and_read(&a, "raft-digest", message, &err);
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(reader->position.chain_from, 1);
    machine_reader_free(reader);
    close_fixture(&a);
}

static void test_a_snapshot_whose_keys_are_not_those_of_its_sum_is_damaged(void **state)
{
    (void)state;
    struct fixture a;
    char message[512] = "";
    enum err err;
    open_fixture(&a, 1);
    apply(&a, "SET a 1");
    struct machine_reader *reader = write_and_read(&a, NULL, message, &err);
    keyspace_set_string(databases_at(reader->databases, 0), SPAN("a"), SPAN("2"), false, 1);
    assert_int_equal(machine_reader_finish(reader, 1, 1, message), ERR_CORRUPT);
    assert_non_null(strstr(message, "its keys are not those"));
    machine_reader_free(reader);
    close_fixture(&a);
}

static void test_a_read_that_nobody_waits_for_is_not_executed(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, 1);
    apply(&f, "SET a 1");
    apply(&f, "GET a"); /* as a part of a transaction */
    assert_int_equal(f.machine.stats.hits, 0);
    apply_kind(&f, ENTRY_COMMAND, "GET a", true);
    assert_int_equal(f.machine.stats.hits, 1);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_entries_give_equal_digests_whoever_waits_for_replies),
        cmocka_unit_test(test_another_order_of_keys_gives_the_same_sum_and_another_chain),
        cmocka_unit_test(test_a_chain_remembers_what_a_flush_removes),
        cmocka_unit_test(test_chains_that_begin_elsewhere_are_not_compared),
        cmocka_unit_test(test_a_snapshot_keeps_the_digests),
        cmocka_unit_test(test_the_beginning_of_a_snapshot_says_what_it_is_of),
        cmocka_unit_test(test_a_snapshot_without_digests_begins_the_chain),
        cmocka_unit_test(test_a_snapshot_whose_keys_are_not_those_of_its_sum_is_damaged),
        cmocka_unit_test(test_a_read_that_nobody_waits_for_is_not_executed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
