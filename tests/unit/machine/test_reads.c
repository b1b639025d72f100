/* What a machine reads, it does not change. */
#include "machine/machine.h"

#include "unit/support/test.h"

struct reads {
    struct command_table *table;
    struct machine machine;
    struct prng prng;
};

static void apply(struct reads *reads, int64_t time_ms, const struct span *args, size_t argc)
{
    struct buf payload = {0};
    struct buf bytes = {0};
    struct record record;
    struct machine_caller caller = {.reply = {.protocol = 2}};
    struct entry entry = {.index = reads->machine.applied_index + 1,
                          .term = 1,
                          .kind = ENTRY_COMMAND,
                          .time_ms = time_ms};
    resp_encode_command(&payload, args, argc);
    entry.payload = buf_span(&payload);
    entry_encode(&bytes, &entry);
    assert_int_equal(record_parse(buf_span(&bytes), &record), RECORD_OK);
    machine_apply(&reads->machine, &record.entry, &caller);
    buf_close(&bytes);
    buf_close(&payload);
}

static void begin(struct reads *reads)
{
    reads->table = command_table_new();
    machine_init(&reads->machine, reads->table, 1);
    prng_init(&reads->prng, 1);
    apply(reads, 1000,
          (struct span[]){SPAN("SET"), SPAN("k"), SPAN("v"), SPAN("PXAT"), SPAN("2000")}, 5);
}

static void end(struct reads *reads)
{
    machine_close(&reads->machine);
    command_table_free(reads->table);
}

static void assert_reads(struct reads *reads, const struct span *args, size_t argc, int64_t now_ms,
                         const char *expected)
{
    struct buf out = {0};
    struct machine_caller caller = {.reply = {.out = &out, .protocol = 2}};
    const struct machine_view view = {.now_ms = now_ms, .prng = &reads->prng};
    uint64_t number = machine_digest_number(&reads->machine);
    machine_read(&reads->machine, command_find(reads->table, args, argc), args, argc, &view,
                 &caller);
    assert_true(span_equal(buf_span(&out), span_text(expected)));
    assert_true(machine_digest_number(&reads->machine) == number);
    buf_close(&out);
}

static void test_a_call_of_a_writing_command_leaves_alone_what_has_expired(void **state)
{
    (void)state;
    struct reads reads;
    const struct span getex[] = {SPAN("GETEX"), SPAN("k")};
    begin(&reads);
    assert_reads(&reads, getex, 2, 1999, "$1\r\nv\r\n");
    assert_reads(&reads, getex, 2, 2000, "$-1\r\n");
    assert_reads(&reads, getex, 2, 1999, "$1\r\nv\r\n");
    end(&reads);
}

/* An entry of it may remove the key, as it did where an older node carried it out. */
static void test_an_entry_of_the_same_call_removes_it(void **state)
{
    (void)state;
    struct reads reads;
    const struct span getex[] = {SPAN("GETEX"), SPAN("k")};
    begin(&reads);
    apply(&reads, 2000, getex, 2);
    assert_null(keyspace_find(databases_at(reads.machine.databases, 0), SPAN("k"), NO_DEADLINE));
    end(&reads);
}

static bool is_idle(const struct reads *reads, struct span key, unsigned database, int64_t now_ms)
{
    const struct span args[] = {SPAN("DEL"), key};
    const struct machine_view view = {.now_ms = now_ms, .database = database};
    return machine_is_idle(&reads->machine, command_find(reads->table, args, 2), args, 2, &view);
}

static void test_a_call_is_idle_in_its_database_at_its_time(void **state)
{
    (void)state;
    struct reads reads;
    begin(&reads);
    assert_true(is_idle(&reads, SPAN("none"), 0, 1000));
    assert_false(is_idle(&reads, SPAN("k"), 0, 1000));
    assert_true(is_idle(&reads, SPAN("k"), 0, 2000));
    assert_false(is_idle(&reads, SPAN("k"), 5, 1000)); /* nobody has used it yet */
    apply(&reads, 1000, (struct span[]){SPAN("SWAPDB"), SPAN("0"), SPAN("5")}, 3);
    assert_true(is_idle(&reads, SPAN("k"), 0, 1000));
    assert_false(is_idle(&reads, SPAN("k"), 5, 1000));
    const struct span incr[] = {SPAN("INCR"), SPAN("none")};
    const struct machine_view view = {.now_ms = 1000};
    assert_false(
        machine_is_idle(&reads.machine, command_find(reads.table, incr, 2), incr, 2, &view));
    end(&reads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_of_a_writing_command_leaves_alone_what_has_expired),
        cmocka_unit_test(test_an_entry_of_the_same_call_removes_it),
        cmocka_unit_test(test_a_call_is_idle_in_its_database_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
