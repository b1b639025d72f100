/* Databases in entries: where a command runs, SELECT within a transaction, WATCH in several. */
#include "machine/transaction.h"

#include "resp/write.h"
#include "unit/support/test.h"

struct running {
    struct command_table *table;
    struct machine machine;
    struct buf reply;
    uint64_t index;
};

static void begin(struct running *r)
{
    *r = (struct running){.table = command_table_new()};
    machine_init(&r->machine, r->table, 1);
}

static void end(struct running *r)
{
    machine_close(&r->machine);
    command_table_free(r->table);
    buf_close(&r->reply);
}

/* Words are separated by blanks, commands by semicolons. */
static void add_commands(struct buf *out, const char *text)
{
    while (*text) {
        struct span args[8];
        size_t argc = 0;
        while (*text && *text != ';') {
            size_t len = strcspn(text, " ;");
            args[argc++] = span_of(text, len);
            text += len;
            text += *text == ' ';
        }
        text += *text == ';';
        resp_encode_command(out, args, argc);
    }
}

static void run_local(void *context, const struct command *command, const struct span *args,
                      size_t argc, struct resp_writer *reply)
{
    (void)context;
    (void)args;
    (void)argc;
    resp_status(reply, command->fullname);
}

static void apply_entry(struct running *r, struct entry entry, struct span script)
{
    struct machine_caller caller = {
        .reply = {.out = &r->reply, .protocol = 2}, .script = script, .run_local = run_local};
    struct buf record = {0};
    entry.index = ++r->index;
    entry_encode(&record, &entry);
    entry.record = buf_span(&record);
    assert_true(machine_entry_is_valid(&r->machine, &entry));
    r->reply.len = 0;
    machine_apply(&r->machine, &entry, &caller);
    buf_close(&record);
}

static void run_in(struct running *r, unsigned database, const char *command)
{
    struct buf payload = {0};
    add_commands(&payload, command);
    apply_entry(
        r,
        (struct entry){.kind = ENTRY_COMMAND, .database = database, .payload = buf_span(&payload)},
        span_of("", 0));
    buf_close(&payload);
}

static void assert_reply(struct running *r, const char *expected)
{
    if (!span_equal(buf_span(&r->reply), span_text(expected)))
        fail_msg("'%.*s', expected '%s'", (int)r->reply.len, r->reply.ptr, expected);
}

static void assert_value(struct running *r, unsigned database, const char *key, const char *value)
{
    char scratch[24];
    const struct item *item =
        keyspace_find(databases_at(r->machine.databases, database), span_text(key), NO_DEADLINE);
    assert_int_equal(item != NULL, value != NULL);
    if (item && !span_equal(item_string(item, scratch), span_text(value)))
        fail_msg("'%s' of database %u is not '%s'", key, database, value);
}

static void run_transaction(struct running *r, const struct machine_transaction *transaction)
{
    struct buf payload = {0};
    machine_transaction_encode(&r->machine, transaction, 0, &payload);
    apply_entry(r,
                (struct entry){.kind = ENTRY_TRANSACTION,
                               .database = transaction->database,
                               .payload = buf_span(&payload)},
                machine_transaction_has_local(&r->machine, transaction->commands)
                    ? transaction->commands
                    : span_of("", 0));
    buf_close(&payload);
}

static void test_a_command_runs_in_the_database_of_its_entry(void **state)
{
    (void)state;
    struct running r;
    begin(&r);
    run_in(&r, 0, "SET k zero");
    run_in(&r, 9, "SET k nine");
    run_in(&r, 9, "GET k");
    assert_reply(&r, "$4\r\nnine\r\n");
    run_in(&r, 9, "MOVE k 3");
    assert_reply(&r, ":1\r\n");
    run_in(&r, 3, "SWAPDB 3 0");
    assert_value(&r, 0, "k", "nine");
    assert_value(&r, 3, "k", "zero");
    run_in(&r, 3, "FLUSHDB");
    assert_value(&r, 3, "k", NULL);
    assert_value(&r, 0, "k", "nine");
    end(&r);
}

static void test_a_transaction_selects_and_leaves_redis_where_it_was(void **state)
{
    (void)state;
    struct running r;
    struct buf commands = {0}, payload = {0}, expected = {0};
    begin(&r);
    add_commands(&commands, "SET a 1;SELECT 16;SET b 1;SELECT 7;SET c 1;SELECT x;PING;SET d 1");
    const struct machine_transaction transaction = {.commands = buf_span(&commands), .database = 2};
    machine_transaction_encode(&r.machine, &transaction, 0, &payload);
    add_commands(&expected, "MULTI;SET a 1;SET b 1;SELECT 7;SET c 1;SET d 1;SELECT 2;EXEC");
    assert_true(span_equal(buf_span(&payload), buf_span(&expected)));
    run_transaction(&r, &transaction);
    assert_reply(&r,
                 "*8\r\n+OK\r\n+select\r\n+OK\r\n+select\r\n+OK\r\n+select\r\n+ping\r\n+OK\r\n");
    assert_value(&r, 2, "a", "1");
    assert_value(&r, 2, "b", "1");
    assert_value(&r, 7, "c", "1");
    assert_value(&r, 7, "d", "1");
    buf_close(&commands);
    buf_close(&payload);
    buf_close(&expected);
    end(&r);
}

/* Other nodes, which have no client that waits, do the same. */
static void test_nodes_without_the_client_do_the_same(void **state)
{
    (void)state;
    struct running one, other;
    struct buf commands = {0}, payload = {0};
    begin(&one);
    begin(&other);
    add_commands(&commands, "SELECT 4;SET a 1;SELECT 0;SET b 1;SELECT 5;RPUSH l x");
    const struct machine_transaction transaction = {.commands = buf_span(&commands), .database = 1};
    run_transaction(&one, &transaction);
    machine_transaction_encode(&other.machine, &transaction, 0, &payload);
    apply_entry(
        &other,
        (struct entry){.kind = ENTRY_TRANSACTION, .database = 1, .payload = buf_span(&payload)},
        span_of("", 0));
    assert_value(&other, 4, "a", "1");
    assert_value(&other, 0, "b", "1");
    assert_true(databases_digest(one.machine.databases) ==
                databases_digest(other.machine.databases));
    struct machine_digest digests[] = {machine_digest(&one.machine),
                                       machine_digest(&other.machine)};
    assert_true(machine_digest_equal(&digests[0], &digests[1]));
    buf_close(&commands);
    buf_close(&payload);
    end(&one);
    end(&other);
}

static void test_the_directive_bounds_what_a_client_selects(void **state)
{
    (void)state;
    struct running r;
    struct buf commands = {0}, payload = {0}, expected = {0};
    begin(&r);
    r.machine.select_max = 4;
    add_commands(&commands, "SELECT 4;SET a 1;SELECT 3;SET b 1");
    const struct machine_transaction transaction = {.commands = buf_span(&commands)};
    machine_transaction_encode(&r.machine, &transaction, 0, &payload);
    add_commands(&expected, "MULTI;SET a 1;SELECT 3;SET b 1;SELECT 0;EXEC");
    assert_true(span_equal(buf_span(&payload), buf_span(&expected)));
    /* what another node allows its clients is carried out */
    payload.len = 0;
    add_commands(&payload, "MULTI;SELECT 9;SET c 1;SELECT 0;EXEC");
    apply_entry(&r, (struct entry){.kind = ENTRY_TRANSACTION, .payload = buf_span(&payload)},
                span_of("", 0));
    assert_value(&r, 9, "c", "1");
    buf_close(&commands);
    buf_close(&payload);
    buf_close(&expected);
    end(&r);
}

static void test_a_transaction_watches_keys_of_several_databases(void **state)
{
    (void)state;
    for (unsigned touched = 0; touched < 4; touched++) {
        struct running r;
        struct buf commands = {0};
        begin(&r);
        run_in(&r, 0, "SET k 0");
        run_in(&r, 5, "SET k 5");
        add_commands(&commands, "SET done 1");
        const struct machine_watch watches[] = {
            {.key = SPAN("k"), .revision = 2, .database = 0, .was_present = true},
            {.key = SPAN("k"), .revision = 2, .database = 5, .was_present = true},
            {.key = SPAN("l"), .revision = 2, .database = 5},
            {.key = SPAN("k"), .revision = 2, .database = 11},
        };
        const struct machine_transaction transaction = {
            .commands = buf_span(&commands), .watches = watches, .watch_count = 4};
        static const unsigned databases[] = {0, 5, 11, 7};
        run_in(&r, databases[touched], "SET k changed");
        run_transaction(&r, &transaction);
        assert_value(&r, 0, "done", databases[touched] == 7 ? "1" : NULL);
        struct buf packed = {0};
        machine_transaction_pack(&packed, &transaction);
        struct prng prng;
        prng_init(&prng, 1);
        const struct machine_view view = {.now_ms = 0, .prng = &prng};
        struct machine_caller caller = {.reply = {.out = &r.reply, .protocol = 2}};
        r.reply.len = 0;
        machine_read_transaction(&r.machine, buf_span(&packed), &view, &caller);
        assert_int_equal(span_equal(buf_span(&r.reply), SPAN("*-1\r\n")), databases[touched] != 7);
        buf_close(&packed);
        buf_close(&commands);
        end(&r);
    }
}

static void test_a_read_of_a_transaction_selects_too(void **state)
{
    (void)state;
    struct running r;
    struct buf packed = {0};
    struct prng prng;
    begin(&r);
    prng_init(&prng, 1);
    run_in(&r, 3, "SET k three");
    run_in(&r, 8, "SET k eight");
    add_commands(&packed, "GET k;SELECT 8;GET k;SELECT 16;GET k");
    const struct machine_view view = {.now_ms = 0, .prng = &prng, .database = 3};
    struct machine_caller caller = {.reply = {.out = &r.reply, .protocol = 2},
                                    .run_local = run_local};
    r.reply.len = 0;
    machine_read_transaction(&r.machine, buf_span(&packed), &view, &caller);
    assert_reply(&r, "*5\r\n$5\r\nthree\r\n+select\r\n$5\r\neight\r\n+select\r\n$5\r\neight\r\n");
    buf_close(&packed);
    end(&r);
}

static void test_what_is_due_is_due_in_its_database(void **state)
{
    (void)state;
    struct running r;
    struct buf packed = {0};
    begin(&r);
    run_in(&r, 5, "SET k v PXAT 100");
    const struct span args[] = {SPAN("GET"), SPAN("k")};
    const struct command *get = command_find(r.table, args, 2);
    assert_int_equal(machine_due(&r.machine, 5, get, args, 2, 200), 100);
    assert_int_equal(machine_due(&r.machine, 0, get, args, 2, 200), NO_DEADLINE);
    assert_int_equal(machine_due(&r.machine, 9, get, args, 2, 200), NO_DEADLINE);
    add_commands(&packed, "GET k;SELECT 5;GET k");
    assert_int_equal(machine_due_in_transaction(&r.machine, 0, buf_span(&packed), 200), 100);
    packed.len = 0;
    add_commands(&packed, "SELECT 4;GET k");
    assert_int_equal(machine_due_in_transaction(&r.machine, 5, buf_span(&packed), 200),
                     NO_DEADLINE);
    packed.len = 0;
    buf_add_text(&packed, "#WATCH5:1:1\r\n");
    add_commands(&packed, "WATCH k;PING");
    assert_int_equal(machine_due_in_transaction(&r.machine, 0, buf_span(&packed), 200), 100);
    buf_close(&packed);
    end(&r);
}

static void test_what_no_node_writes_is_refused(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "MULTI;SELECT 5;SET a 1;EXEC",   /* it does not go back */
        "MULTI;SELECT 16;SELECT 0;EXEC", /* no such database */
        "MULTI;SELECT x;SELECT 0;EXEC",         "MULTI;SELECT;SELECT 0;EXEC",
        "MULTI;SELECT 5;SELECT 00;EXEC",        "MULTI;SELECT 5 5;SELECT 0;EXEC",
        "SELECT 5;MULTI;SET a 1;SELECT 0;EXEC",
    };
    struct running r;
    begin(&r);
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct buf payload = {0};
        add_commands(&payload, payloads[i]);
        struct entry entry = {.kind = ENTRY_TRANSACTION, .payload = buf_span(&payload)};
        assert_false(machine_entry_is_valid(&r.machine, &entry));
        buf_close(&payload);
    }
    static const char *const notes[] = {"#WATCH16:1:1\r\n", "#WATCH0:1:1\r\n",
                                        "#WATCHx:1:1\r\n",  "#WATCH05:1:1\r\n",
                                        "#WATCH-1:1:1\r\n", "#WATCH5:1:1\r\n#WATCH6:\r\n",
                                        "#WATCH5:1\r\n"};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        struct buf payload = {0};
        buf_add_text(&payload, notes[i]);
        add_commands(&payload, "WATCH k;MULTI;SET a 1;EXEC");
        struct entry entry = {.kind = ENTRY_TRANSACTION, .payload = buf_span(&payload)};
        assert_false(machine_entry_is_valid(&r.machine, &entry));
        buf_close(&payload);
    }
    struct buf payload = {0};
    add_commands(&payload, "SELECT 5");
    struct entry entry = {.kind = ENTRY_COMMAND, .payload = buf_span(&payload)};
    assert_false(machine_entry_is_valid(&r.machine, &entry));
    buf_close(&payload);
    end(&r);
}

/* Nodes of version 4 wrote it, and refused it. */
static void
test_a_copy_to_another_database_counts_only_behind_the_agreement_on_databases(void **state)
{
    (void)state;
    struct running r;
    begin(&r);
    run_in(&r, 0, "SET k v");
    run_in(&r, 0, "COPY k l DB 3");
    assert_reply(&r, "-ERR Copying to another database is not allowed in cluster mode\r\n");
    run_in(&r, 0, "COPY k l DB 0");
    assert_reply(&r, ":1\r\n");
    apply_entry(&r,
                (struct entry){.kind = ENTRY_MEMBERSHIP,
                               .payload = SPAN("#VERSION:5\r\n#MEMBER:1:1:0:0:\r\n")},
                span_of("", 0));
    run_in(&r, 0, "COPY k l DB 3");
    assert_reply(&r, ":1\r\n");
    assert_value(&r, 3, "l", "v");
    end(&r);
}

static bool note_key(void *context, unsigned database, struct span key)
{
    buf_printf(context, "%u:%.*s ", database, (int)key.len, key.ptr);
    return true;
}

static void test_an_entry_names_its_keys_with_their_databases(void **state)
{
    (void)state;
    static const struct {
        enum entry_kind kind;
        const char *note;
        const char *commands;
        const char *keys;
    } entries[] = {
        {ENTRY_COMMAND, "", "MSET a 1 b 2", "3:a 3:b "},
        {ENTRY_COMMAND, "", "FLUSHDB", ""},
        {ENTRY_COMMAND, "#COMMAND:1:HSETEX:=1:PXAT:1700000000000:FIELDS:1:=2-3\r\n", "HSET k f v",
         "3:k "},
        {ENTRY_TRANSACTION, "#WATCH5:1:1\r\n",
         "WATCH w;MULTI;SET a 1;SELECT 7;SET b 1;SELECT 3;SET c 1;EXEC", "3:a 7:b 3:c "},
        {ENTRY_EXPIRY, "", "", ""},
        {ENTRY_NOOP, "", "", ""},
    };
    struct running r;
    begin(&r);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct buf payload = {0}, keys = {0};
        buf_add_text(&payload, entries[i].note);
        add_commands(&payload, entries[i].commands);
        struct entry entry = {
            .kind = entries[i].kind, .database = 3, .payload = buf_span(&payload)};
        assert_true(machine_entry_is_valid(&r.machine, &entry));
        assert_true(machine_each_key(&r.machine, &entry, note_key, &keys));
        if (!span_equal(buf_span(&keys), span_text(entries[i].keys)))
            fail_msg("'%.*s', expected '%s'", (int)keys.len, keys.ptr, entries[i].keys);
        buf_close(&payload);
        buf_close(&keys);
    }
    end(&r);
}

static void test_an_expiry_removes_keys_of_all_databases(void **state)
{
    (void)state;
    struct running r;
    begin(&r);
    run_in(&r, 0, "SET k v PXAT 100");
    run_in(&r, 15, "SET k v PXAT 100");
    apply_entry(&r, (struct entry){.kind = ENTRY_EXPIRY, .time_ms = 100, .seed = 10},
                span_of("", 0));
    assert_int_equal(databases_count(r.machine.databases), 0);
    assert_int_equal(r.machine.stats.expired, 2);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_runs_in_the_database_of_its_entry),
        cmocka_unit_test(test_a_transaction_selects_and_leaves_redis_where_it_was),
        cmocka_unit_test(test_nodes_without_the_client_do_the_same),
        cmocka_unit_test(test_the_directive_bounds_what_a_client_selects),
        cmocka_unit_test(test_a_transaction_watches_keys_of_several_databases),
        cmocka_unit_test(test_a_read_of_a_transaction_selects_too),
        cmocka_unit_test(test_what_is_due_is_due_in_its_database),
        cmocka_unit_test(test_what_no_node_writes_is_refused),
        cmocka_unit_test(
            test_a_copy_to_another_database_counts_only_behind_the_agreement_on_databases),
        cmocka_unit_test(test_an_entry_names_its_keys_with_their_databases),
        cmocka_unit_test(test_an_expiry_removes_keys_of_all_databases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
