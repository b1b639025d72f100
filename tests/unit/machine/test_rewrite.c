/* Requests of other nodes become payloads of entries. */
#include "machine/transaction.h"

#include "resp/parse.h"
#include "unit/support/test.h"

struct rewriting {
    struct command_table *table;
    struct machine machine;
    struct buf out;
    const char *error;
    const char *refused; /* the name of a command that is; NULL: none */
    unsigned in_transactions;
};

static const char *refusal(void *context, const struct command *command, const struct span *args,
                           size_t argc, bool in_transaction)
{
    struct rewriting *r = context;
    assert_true(argc > 0 && args);
    r->in_transactions += in_transaction;
    return r->refused && strcmp(command->fullname, r->refused) == 0 ? "ERR refused" : NULL;
}

static void begin(struct rewriting *r)
{
    *r = (struct rewriting){.table = command_table_new()};
    machine_init(&r->machine, r->table, 1);
    buf_add_text(&r->out, "before ");
}

static void end(struct rewriting *r)
{
    machine_close(&r->machine);
    command_table_free(r->table);
    buf_close(&r->out);
}

static bool rewrite(struct rewriting *r, enum entry_kind kind, struct span payload)
{
    const struct machine_judge judge = {.context = r, .refusal = refusal};
    return machine_rewrite(&r->machine, &(struct machine_request){kind, 0, payload}, 1000, &judge,
                           &r->out, &r->error);
}

static void assert_out(const struct rewriting *r, const char *expected)
{
    if (!span_equal(buf_span(&r->out), span_text(expected)))
        fail_msg("'%.*s', expected '%s'", (int)r->out.len, r->out.ptr, expected);
}

static void test_relative_times_of_a_command_become_absolute(void **state)
{
    (void)state;
    struct rewriting r;
    begin(&r);
    assert_true(
        rewrite(&r, ENTRY_COMMAND, SPAN("*3\r\n$7\r\nPEXPIRE\r\n$1\r\nk\r\n$3\r\n500\r\n")));
    assert_null(r.error);
    assert_out(&r, "before *3\r\n$9\r\nPEXPIREAT\r\n$1\r\nk\r\n$4\r\n1500\r\n");
    r.out.len = 0;
    assert_true(rewrite(&r, ENTRY_COMMAND, SPAN("*2\r\n$4\r\nincr\r\n$1\r\nk\r\n")));
    assert_out(&r, "*2\r\n$4\r\nincr\r\n$1\r\nk\r\n");
    end(&r);
}

static void test_a_transaction_keeps_what_its_client_had_seen(void **state)
{
    (void)state;
    struct rewriting r;
    struct buf payload = {0}, commands = {0};
    begin(&r);
    struct span args[] = {SPAN("PEXPIRE"), SPAN("k"), SPAN("500")};
    resp_encode_command(&commands, args, 3);
    const struct machine_watch watch = {.key = SPAN("w"), .revision = 7, .was_present = true};
    const struct machine_transaction content = {buf_span(&commands), &watch, 1, 0};
    machine_transaction_encode(&r.machine, &content, NO_DEADLINE, &payload);
    assert_true(rewrite(&r, ENTRY_TRANSACTION, buf_span(&payload)));
    assert_null(r.error);
    assert_int_equal(r.in_transactions, 1);
    struct buf expected = {0};
    buf_add_text(&expected, "before ");
    machine_transaction_encode(&r.machine, &content, 1000, &expected);
    assert_true(span_equal(buf_span(&r.out), buf_span(&expected)));
    buf_close(&expected);
    buf_close(&payload);
    buf_close(&commands);
    end(&r);
}

static void test_a_refused_command_leaves_nothing(void **state)
{
    (void)state;
    struct rewriting r;
    begin(&r);
    r.refused = "set";
    assert_true(rewrite(&r, ENTRY_COMMAND, SPAN("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")));
    assert_string_equal(r.error, "ERR refused");
    assert_true(
        rewrite(&r, ENTRY_TRANSACTION,
                SPAN("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n"
                     "$1\r\nk\r\n$1\r\nv\r\n*1\r\n$4\r\nEXEC\r\n")));
    assert_string_equal(r.error, "ERR refused");
    assert_out(&r, "before ");
    end(&r);
}

static void test_what_no_node_forwards_is_found(void **state)
{
    (void)state;
    static const struct {
        enum entry_kind kind;
        const char *payload;
    } bad[] = {
        {ENTRY_NOOP, ""},
        {ENTRY_EXPIRY, ""},
        {ENTRY_MEMBERSHIP, "#MEMBER:1:1:1:0:a:1\r\n"},
        {ENTRY_COMMAND, ""},
        {ENTRY_COMMAND, "INCR k\r\n"},
        {ENTRY_COMMAND, "*1\r\n$4\r\nPING\r\n"},
        {ENTRY_COMMAND, "*1\r\n$4\r\nINCR\r\n"},
        {ENTRY_COMMAND, "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"},
        {ENTRY_TRANSACTION, "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"},
        {ENTRY_TRANSACTION, "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"},
        {ENTRY_TRANSACTION, "#WATCH:1\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n"},
    };
    struct rewriting r;
    begin(&r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rewrite(&r, bad[i].kind, span_text(bad[i].payload)));
    assert_out(&r, "before ");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relative_times_of_a_command_become_absolute),
        cmocka_unit_test(test_a_transaction_keeps_what_its_client_had_seen),
        cmocka_unit_test(test_a_refused_command_leaves_nothing),
        cmocka_unit_test(test_what_no_node_forwards_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
