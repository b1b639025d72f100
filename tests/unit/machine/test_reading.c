/* What is found out about an entry when it is encoded or checked, and applying it by that. */
#include <stdio.h>

#include "machine/machine.h"
#include "unit/support/test.h"

struct fixture {
    struct command_table *table;
    struct machine machine;
    struct buf reply;
    struct buf record;
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
    buf_close(&f->record);
}

static size_t words(const char *line, struct span *args)
{
    size_t argc = 0;
    for (const char *at = line; *at;) {
        size_t len = strcspn(at, " ");
        args[argc++] = span_of(at, len);
        at += len + (at[len] == ' ');
    }
    return argc;
}

/* The next entry of the machine, as another node would send it. */
static struct entry received(struct fixture *f, const struct span *args, size_t argc)
{
    struct entry entry = {.index = f->machine.applied_index + 1,
                          .term = 1,
                          .kind = ENTRY_COMMAND,
                          .time_ms = 1000 * (int64_t)f->machine.applied_index,
                          .seed = 100 + f->machine.applied_index};
    struct record parsed;
    f->record.len = 0;
    memset(&parsed, 0xff, sizeof parsed); /* what parsing leaves alone */
    entry_encode_command(&f->record, &entry, args, argc);
    assert_int_equal(record_parse(buf_span(&f->record), &parsed), RECORD_OK);
    assert_int_equal(parsed.entry.reading.command, 0);
    return parsed.entry;
}

static void assert_reads(const struct entry *entry, const struct span *args, size_t argc)
{
    size_t shown = argc < ENTRY_ARGS_MAX ? argc : ENTRY_ARGS_MAX;
    assert_int_equal(entry->reading.argc, argc <= ENTRY_ARGS_MAX ? argc : 0);
    for (size_t i = 0; i < shown; i++)
        assert_true(span_equal(entry_argument(entry, i), args[i]));
}

static void test_who_checks_and_who_encodes_a_command_note_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *name;
        unsigned key;
    } cases[] = {
        {"SET key value", "set", 1},
        {"set key value PXAT 1000", "set", 1},
        {"FLUSHALL", "flushall", 0},
        {"BITOP AND to from", "bitop", 2},
        {"ZADD key 1 a 2 b", "zadd", 1},
        {"HSET key a 1 b 2 c 3", "hset", 1},
        {"LPUSH key 1 2 3 4 5 6 7 8 9", "lpush", 1},
        {"SWAPDB 0 1", "swapdb", 0},
        {"XGROUP CREATE key group 0", "xgroup|create", 2},
    };
    struct fixture f;
    open_fixture(&f, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span args[16];
        size_t argc = words(cases[i].line, args);
        struct entry checked = received(&f, args, argc);
        assert_true(machine_entry_is_valid(&f.machine, &checked));
        assert_reads(&checked, args, argc);
        const struct command *command =
            command_table_at(f.table, (size_t)checked.reading.command - 1);
        assert_string_equal(command->fullname, cases[i].name);
        assert_int_equal(checked.reading.key, cases[i].key);

        struct entry encoded = {.index = 1, .term = 1, .kind = ENTRY_COMMAND};
        struct buf out = {0};
        buf_add_text(&out, "before");
        assert_true(entry_encode_command(&out, &encoded, args, argc));
        machine_note_command(&encoded.reading, command, argc);
        assert_reads(&encoded, args, argc);
        assert_int_equal(encoded.reading.command, checked.reading.command);
        assert_int_equal(encoded.reading.key, checked.reading.key);
        buf_close(&out);
    }
    close_fixture(&f);
}

static void test_what_is_no_short_command_as_it_is_has_no_reading(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, 1);
    struct buf value = {0};
    for (size_t len = 65490; len < 65530; len++) {
        value.len = 0;
        memset(buf_reserve(&value, len), 'v', len);
        value.len = len;
        const struct span args[] = {SPAN("SET"), SPAN("k"), buf_span(&value)};
        struct entry entry = received(&f, args, 3);
        bool fits = entry.payload.len <= ENTRY_READ_BYTES_MAX;
        assert_true(machine_entry_is_valid(&f.machine, &entry));
        assert_int_equal(entry.reading.command != 0, fits);
        struct entry encoded = {.index = 1, .term = 1, .kind = ENTRY_COMMAND};
        struct buf out = {0};
        assert_int_equal(entry_encode_command(&out, &encoded, args, 3), fits);
        buf_close(&out);
    }
    buf_close(&value);
    static const char *const payloads[] = {
        "#COMMAND:0:HSETEX:k:FIELDS:1:f:v\r\n",
        "#SESSION:0123456789abcdef0123456789abcdef:1:0:2\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct entry entry = {.kind = ENTRY_COMMAND, .payload = span_text(payloads[i])};
        machine_entry_is_valid(&f.machine, &entry);
        assert_int_equal(entry.reading.command, 0);
    }
    struct entry transaction = {
        .kind = ENTRY_TRANSACTION,
        .payload =
            SPAN("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n")};
    assert_true(machine_entry_is_valid(&f.machine, &transaction));
    assert_int_equal(transaction.reading.command, 0);
    struct entry unknown = {.kind = ENTRY_COMMAND, .payload = SPAN("*1\r\n$4\r\nNONE\r\n")};
    assert_false(machine_entry_is_valid(&f.machine, &unknown));
    assert_int_equal(unknown.reading.command, 0);
    close_fixture(&f);
}

/* No parser would take the payload. */
static void test_applying_does_not_parse_again(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, 1);
    const struct span set[] = {SPAN("SET"), SPAN("k"), SPAN("v")};
    struct entry entry = {.index = 1, .term = 1, .kind = ENTRY_COMMAND, .payload = SPAN("SETkvw")};
    entry_encode(&f.record, &entry);
    entry.record = buf_span(&f.record);
    entry.reading.argc = 3;
    entry.reading.args[0].len = 3;
    entry.reading.args[1].at = 3;
    entry.reading.args[1].len = 1;
    entry.reading.args[2].at = 4;
    entry.reading.args[2].len = 2;
    machine_note_command(&entry.reading, command_find(f.table, set, 3), 3);
    struct machine_caller caller = {.reply = {.out = &f.reply, .protocol = 2}};
    machine_apply(&f.machine, &entry, &caller);
    assert_true(span_is(buf_span(&f.reply), "+OK\r\n"));
    const struct keyspace *keyspace = databases_at(f.machine.databases, 0);
    const struct item *item = keyspace_find(keyspace, SPAN("k"), 0);
    char scratch[24];
    assert_non_null(item);
    assert_true(span_is(item_string(item, scratch), "vw"));
    close_fixture(&f);
}

static const char *const lines[] = {"SET %s %s",         "INCR %s",         "DEL %s",
                                    "APPEND %s %s",      "LPUSH %s %s a b", "HSET %s f %s g h i j",
                                    "HSET %s f %s a 1",  "ZADD %s 5 %s",    "SADD %s %s",
                                    "RPOPLPUSH %s %s",   "RENAME %s %s",    "COPY %s %s",
                                    "PEXPIREAT %s 4000", "SPOP %s",         "GETDEL %s",
                                    "GETSET %s %s",      "MOVE %s 1",       "PERSIST %s",
                                    "SETRANGE %s 3 %s",  "BITOP NOT %s %s", "MSET %s %s k5 1"};
enum { LINES = sizeof lines / sizeof *lines };

/* One machine parses each entry when it applies it, the other one knows all about it, with the
 * place of its key or without. */
static void test_entries_do_the_same_whether_they_were_read_before_or_not(void **state)
{
    (void)state;
    struct fixture parses, knows;
    struct prng prng;
    open_fixture(&parses, 1);
    open_fixture(&knows, 2);
    prng_init(&prng, 5);
    for (int step = 0; step < 20000; step++) {
        char key[8], other[8], line[64];
        struct span args[16];
        snprintf(key, sizeof key, "k%d", (int)prng_below(&prng, 20));
        snprintf(other, sizeof other, "k%d", (int)prng_below(&prng, 20));
        snprintf(line, sizeof line, lines[prng_below(&prng, LINES)], key, other);
        size_t argc = words(line, args);
        struct entry plain = received(&parses, args, argc);
        struct entry read = received(&knows, args, argc);
        if (!machine_entry_is_valid(&knows.machine, &read))
            continue;
        assert_true(read.reading.command != 0);
        parses.reply.len = knows.reply.len = 0;
        struct machine_caller caller = {.reply = {.out = &parses.reply, .protocol = 2}};
        machine_apply(&parses.machine, &plain, &caller);
        const struct keyspace *keyspace = databases_at(knows.machine.databases, 0);
        const struct keyspace_place place =
            keyspace_place_of(keyspace, entry_argument(&read, read.reading.key));
        caller = (struct machine_caller){.reply = {.out = &knows.reply, .protocol = 2}};
        if (step % 3)
            caller.place = &place;
        machine_apply(&knows.machine, &read, &caller);
        assert_true(span_equal(buf_span(&parses.reply), buf_span(&knows.reply)));
        const struct machine_digest one = machine_digest(&parses.machine);
        const struct machine_digest two = machine_digest(&knows.machine);
        assert_true(machine_digest_equal(&one, &two));
    }
    assert_true(databases_sum_by_walk(knows.machine.databases) ==
                databases_sum_by_walk(parses.machine.databases));
    close_fixture(&parses);
    close_fixture(&knows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_checks_and_who_encodes_a_command_note_the_same),
        cmocka_unit_test(test_what_is_no_short_command_as_it_is_has_no_reading),
        cmocka_unit_test(test_applying_does_not_parse_again),
        cmocka_unit_test(test_entries_do_the_same_whether_they_were_read_before_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
