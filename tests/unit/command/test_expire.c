#include "base/mem.h"
#include "command/data.h"
#include "unit/command/exchange.h"

static void test_expire_sets_a_deadline(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"EXPIRE nokey 100", ":0\r\n"},
        {"TTL nokey", ":-2\r\n"},
        {"PTTL nokey", ":-2\r\n"},
        {"EXPIRETIME nokey", ":-2\r\n"},
        {"PEXPIRETIME nokey", ":-2\r\n"},
        {"SET k v", "+OK\r\n"},
        {"TTL k", ":-1\r\n"},
        {"PTTL k", ":-1\r\n"},
        {"EXPIRETIME k", ":-1\r\n"},
        {"PEXPIRETIME k", ":-1\r\n"},
        {"PERSIST k", ":0\r\n"},
        {"PERSIST nokey", ":0\r\n"},
        {"EXPIRE k 100", ":1\r\n"},
        {"TTL k", ":100\r\n"},
        {"PEXPIRE k 200000", ":1\r\n"},
        {"TTL k", ":200\r\n"},
        {"EXPIREAT k 9999999999", ":1\r\n"},
        {"EXPIRETIME k", ":9999999999\r\n"},
        {"PEXPIRETIME k", ":9999999999000\r\n"},
        {"PEXPIREAT k 9999999999499", ":1\r\n"},
        {"EXPIRETIME k", ":9999999999\r\n"},
        {"PEXPIREAT k 9999999999500", ":1\r\n"},
        {"EXPIRETIME k", ":10000000000\r\n"},
        {"PEXPIRETIME k", ":9999999999500\r\n"},
        {"PERSIST k", ":1\r\n"},
        {"TTL k", ":-1\r\n"},
        {"PEXPIREAT k 9223372036854775807", ":1\r\n"},
        {"PEXPIRETIME k", ":9223372036854775807\r\n"},
        {"GET k", "$1\r\nv\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_a_deadline_in_the_past_removes_the_key(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v", "+OK\r\n"},     {"EXPIRE k 0", ":1\r\n"},
        {"EXISTS k", ":0\r\n"},     {"SET k v", "+OK\r\n"},
        {"EXPIRE k -1", ":1\r\n"},  {"EXISTS k", ":0\r\n"},
        {"SET k v", "+OK\r\n"},     {"PEXPIRE k -9223372036854775808", ":1\r\n"},
        {"EXISTS k", ":0\r\n"},     {"SET k v", "+OK\r\n"},
        {"EXPIREAT k 1", ":1\r\n"}, {"EXISTS k", ":0\r\n"},
        {"SET k v", "+OK\r\n"},     {"PEXPIREAT k -5", ":1\r\n"},
        {"EXISTS k", ":0\r\n"},     {"DBSIZE", ":0\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_expire_refuses_what_it_cannot_do(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v", "+OK\r\n"},
        {"EXPIRE k abc", "-ERR value is not an integer or out of range\r\n"},
        {"EXPIRE k 1.5", "-ERR value is not an integer or out of range\r\n"},
        {"EXPIRE nokey abc", "-ERR value is not an integer or out of range\r\n"},
        {"EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"},
        {"EXPIRE k -9223372036854775808", "-ERR invalid expire time in 'expire' command\r\n"},
        {"EXPIRE k 9223372036854775", "-ERR invalid expire time in 'expire' command\r\n"},
        {"PEXPIRE k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"},
        {"EXPIREAT k 9223372036854775807", "-ERR invalid expire time in 'expireat' command\r\n"},
        {"PEXPIREAT k 9223372036854775808", "-ERR value is not an integer or out of range\r\n"},
        {"EXPIRE k 10 FOO", "-ERR Unsupported option FOO\r\n"},
        {"EXPIRE k abc FOO", "-ERR Unsupported option FOO\r\n"},
        {"EXPIRE k 10 NX FOO", "-ERR Unsupported option FOO\r\n"},
        {"EXPIRE k 10 NX XX",
         "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
        {"EXPIRE k 10 GT NX",
         "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
        {"EXPIRE k 10 NX LT",
         "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
        {"EXPIRE k 10 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"},
        {"EXPIRE k 10 XX GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"},
        {"EXPIRE k abc NX XX",
         "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
        {"TTL k", ":-1\r\n"},
        {"EXPIRE k", "-ERR wrong number of arguments for 'expire' command\r\n"},
        {"TTL", "-ERR wrong number of arguments for 'ttl' command\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_expire_goes_on_only_if_its_options_allow_it(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SET k v", "+OK\r\n"},
        {"EXPIRE k 100 XX", ":0\r\n"},
        {"EXPIRE k 100 GT", ":0\r\n"},
        {"TTL k", ":-1\r\n"},
        {"EXPIRE k 100 NX", ":1\r\n"},
        {"EXPIRE k 200 NX", ":0\r\n"},
        {"TTL k", ":100\r\n"},
        {"EXPIRE k 50 GT", ":0\r\n"},
        {"EXPIRE k 200 LT", ":0\r\n"},
        {"EXPIRE k 200 GT", ":1\r\n"},
        {"TTL k", ":200\r\n"},
        {"EXPIRE k 100 LT", ":1\r\n"},
        {"TTL k", ":100\r\n"},
        {"EXPIRE k 300 XX GT", ":1\r\n"},
        {"TTL k", ":300\r\n"},
        {"EXPIRE k 200 XX LT", ":1\r\n"},
        {"TTL k", ":200\r\n"},
        {"EXPIRE k 200 xx xx", ":1\r\n"},
        {"PERSIST k", ":1\r\n"},
        {"EXPIRE k 100 LT", ":1\r\n"},
        {"TTL k", ":100\r\n"},
        {"PERSIST k", ":1\r\n"},
        {"EXPIRE k 100 XX LT", ":0\r\n"},
        {"EXPIRE k 0 GT", ":0\r\n"},
        {"EXISTS k", ":1\r\n"},
        {"EXPIRE k 0 LT", ":1\r\n"},
        {"EXISTS k", ":0\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_seconds_are_rounded_to_the_nearest(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "SET k v PX 2000");
    static const struct {
        int64_t later_ms;
        const char *ttl;
    } steps[] = {
        {0, ":2\r\n"}, {500, ":2\r\n"}, {501, ":1\r\n"}, {1500, ":1\r\n"}, {1501, ":0\r\n"}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        fixture->context.now_ms = EXCHANGE_NOW_MS + steps[i].later_ms;
        assert_string_equal(run(fixture, "TTL k"), steps[i].ttl);
    }
    assert_string_equal(run(fixture, "PTTL k"), ":499\r\n");
    fixture_free(fixture);
}

static void test_a_key_is_gone_from_its_deadline_on(void **state)
{
    (void)state;
    static const struct exchange afterwards[] = {
        {"GET k", "$-1\r\n"},          {"EXISTS k", ":0\r\n"},  {"TTL k", ":-2\r\n"},
        {"STRLEN k", ":0\r\n"},        {"TYPE k", "+none\r\n"}, {"OBJECT ENCODING k", "$-1\r\n"},
        {"MEMORY USAGE k", "$-1\r\n"}, {"TOUCH k", ":0\r\n"},   {"MGET k", "*1\r\n$-1\r\n"},
        {"DBSIZE", ":0\r\n"},
    };
    struct fixture *fixture = fixture_new();
    run(fixture, "SET k v PX 100");
    fixture->context.now_ms += 99;
    assert_string_equal(run(fixture, "GET k"), "$1\r\nv\r\n");
    fixture->context.now_ms += 1;
    for (size_t i = 0; i < sizeof(afterwards) / sizeof(afterwards[0]); i++)
        assert_string_equal(run(fixture, afterwards[i].request), afterwards[i].reply);
    assert_int_equal(keyspace_count(fixture->context.keyspace), 1);
    assert_string_equal(run(fixture, "PERSIST k"), ":0\r\n");
    assert_int_equal(keyspace_count(fixture->context.keyspace), 0);
    fixture_free(fixture);
}

static void test_a_write_begins_anew_on_a_key_past_its_deadline(void **state)
{
    (void)state;
    static const struct exchange writes[] = {
        {"INCR k", ":1\r\n"},         {"APPEND k ab", ":2\r\n"},
        {"SETRANGE k 1 b", ":2\r\n"}, {"SET k w KEEPTTL", "+OK\r\n"},
        {"SET k w NX", "+OK\r\n"},    {"SET k w GET", "$-1\r\n"},
        {"SETNX k w", ":1\r\n"},      {"MSETNX k w", ":1\r\n"},
        {"GETSET k w", "$-1\r\n"},    {"INCRBYFLOAT k 1.5", "$3\r\n1.5\r\n"},
        {"MSET k w", "+OK\r\n"},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        run(fixture, "SET k 41 PX 100");
        fixture->context.now_ms += 100;
        assert_string_equal(run(fixture, writes[i].request), writes[i].reply);
        assert_string_equal(run(fixture, "TTL k"), ":-1\r\n");
    }
    fixture_free(fixture);
}

static void test_a_write_that_only_changes_removes_a_key_past_its_deadline(void **state)
{
    (void)state;
    static const struct exchange writes[] = {
        {"GETDEL k", "$-1\r\n"},
        {"GETEX k PERSIST", "$-1\r\n"},
        {"EXPIRE k 100", ":0\r\n"},
        {"SET k w XX", "$-1\r\n"},
        {"PERSIST k", ":0\r\n"},
        {"DEL k", ":0\r\n"},
        {"RENAME k x", "-ERR no such key\r\n"},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        run(fixture, "SET k 41 PX 100");
        fixture->context.now_ms += 100;
        fixture->context.dirty = 0;
        assert_string_equal(run(fixture, writes[i].request), writes[i].reply);
        assert_string_equal(run(fixture, "DBSIZE"), ":0\r\n");
        assert_int_equal(fixture->context.dirty, 0);
    }
    fixture_free(fixture);
}

/* What enters the log, with spaces between; "" if the command is left alone. */
static const char *rewrite(struct fixture *fixture, const char *request)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(request, args);
    const struct command *command = command_find(fixture->table, args, argc);
    struct command_rewritten out = {0};
    if (command->rewrite)
        command->rewrite(args, argc, EXCHANGE_NOW_MS, &out);
    fixture->reply.len = 0;
    struct span *memory;
    const struct span *logged = command_logged_args(&out, args, &argc, &memory);
    for (size_t i = 0; out.argc && i < argc; i++) {
        if (i > 0)
            buf_add_char(&fixture->reply, ' ');
        buf_add_span(&fixture->reply, logged[i]);
    }
    mem_free(memory);
    buf_add_char(&fixture->reply, '\0');
    return fixture->reply.ptr;
}

static const struct exchange rewrites[] = {
    {"SET k v EX 10", "SET k v PXAT 1700000010000"},
    {"set k v px 10", "SET k v PXAT 1700000000010"},
    {"SET k v EXAT 1800000000", "SET k v PXAT 1800000000000"},
    {"SET k v EX 10 NX GET", "SET k v NX GET PXAT 1700000010000"},
    {"SET k v XX PX 1 GET GET", "SET k v XX GET PXAT 1700000000001"},
    {"SET k v EX 10 EX 20", "SET k v PXAT 1700000020000"},
    {"SET k v IFEQ w EX 10", "SET k v IFEQ w PXAT 1700000010000"},
    {"SET k v GET ifeq x PX 10", "SET k v IFEQ x GET PXAT 1700000000010"},
    {"MSETEX 1 k v EX 10", "MSETEX 1 k v PXAT 1700000010000"},
    {"msetex 2 k v l w px 10 xx", "msetex 2 k v l w XX PXAT 1700000000010"},
    {"MSETEX 2 k v l w NX EX 1 EX 10", "MSETEX 2 k v l w NX PXAT 1700000010000"},
    {"MSETEX 1 k v EXAT 1800000000", "MSETEX 1 k v PXAT 1800000000000"},
    {"SETEX k 10 v", "SET k v PXAT 1700000010000"},
    {"PSETEX k 10 v", "SET k v PXAT 1700000000010"},
    {"GETEX k EX 10", "GETEX k PXAT 1700000010000"},
    {"GETEX k PX 10", "GETEX k PXAT 1700000000010"},
    {"GETEX k EXAT 1800000000", "GETEX k PXAT 1800000000000"},
    {"EXPIRE k 10", "PEXPIREAT k 1700000010000"},
    {"EXPIRE k 10 XX GT", "PEXPIREAT k 1700000010000 XX GT"},
    {"EXPIRE k 10 lt lt", "PEXPIREAT k 1700000010000 LT"},
    {"PEXPIRE k 10 NX", "PEXPIREAT k 1700000000010 NX"},
    {"EXPIREAT k 1800000000", "PEXPIREAT k 1800000000000"},
    {"EXPIRE k -1800000000", "PEXPIREAT k 0"},
};

static void test_relative_times_become_absolute(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(rewrites) / sizeof(rewrites[0]); i++)
        assert_string_equal(rewrite(fixture, rewrites[i].request), rewrites[i].reply);
    fixture_free(fixture);
}

static void test_a_moment_before_1970_enters_the_log_as_1970(void **state)
{
    (void)state;
    struct command_rewritten out = {0};
    const struct span args[] = {SPAN("PEXPIREAT"), SPAN("k"), SPAN("-5"), SPAN("GT")};
    command_pexpireat_rewrite(args, 4, EXCHANGE_NOW_MS, &out);
    assert_int_equal(out.argc, 4);
    assert_true(span_equal(out.args[2], SPAN("0")));
    assert_true(span_equal(out.args[3], SPAN("GT")));
}

static void test_a_rewritten_command_answers_and_does_the_same(void **state)
{
    (void)state;
    static const char *const before[] = {"FLUSHALL", "SET k w", "SET k w PX 5000",
                                         "SET k w PXAT 1700000011000"};
    struct fixture *plain = fixture_new();
    struct fixture *rewritten = fixture_new();
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        for (size_t j = 0; j < sizeof(rewrites) / sizeof(rewrites[0]); j++) {
            run(plain, "FLUSHALL");
            run(rewritten, "FLUSHALL");
            run(plain, before[i]);
            run(rewritten, before[i]);
            const char *expected = run(plain, rewrites[j].request);
            assert_string_equal(run(rewritten, rewrites[j].reply), expected);
            assert_true(keyspace_digest(plain->context.keyspace) ==
                        keyspace_digest(rewritten->context.keyspace));
        }
    }
    fixture_free(plain);
    fixture_free(rewritten);
}

static void test_what_is_absolute_or_wrong_enters_the_log_as_it_is(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "SET k v",
        "SET k v NX",
        "SET k v KEEPTTL",
        "SET k v PXAT 1800000000000",
        "SET k v EX",
        "SET k v EX 0",
        "SET k v EX abc",
        "SET k v EX 10 FOO",
        "SET k v EX 1 NX XX",
        "SET k v PX 9223372036854775807",
        "SET k v IFEQ w",
        "SET k v IFEQ w NX EX 10",
        "MSETEX 1 k v",
        "MSETEX 1 k v KEEPTTL",
        "MSETEX 2 k v EX 10",
        "MSETEX 0 k v EX 10",
        "MSETEX 9223372036854775807 k v EX 10",
        "MSETEX 1 k v EX 0",
        "MSETEX 1 k v PXAT 1800000000000",
        "SETEX k 0 v",
        "SETEX k abc v",
        "PSETEX k -1 v",
        "GETEX k",
        "GETEX k PERSIST",
        "GETEX k EX 0",
        "GETEX k EX 1 NX",
        "GETEX k PXAT 1800000000000",
        "EXPIRE k abc",
        "EXPIRE k 1 FOO",
        "EXPIRE k 1 NX XX",
        "EXPIRE k 9223372036854775807",
        "PEXPIRE k 1 GT LT",
        "EXPIREAT k 1.5",
        "PEXPIREAT k 1800000000000",
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        assert_string_equal(rewrite(fixture, requests[i]), "");
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expire_sets_a_deadline),
        cmocka_unit_test(test_a_deadline_in_the_past_removes_the_key),
        cmocka_unit_test(test_expire_refuses_what_it_cannot_do),
        cmocka_unit_test(test_expire_goes_on_only_if_its_options_allow_it),
        cmocka_unit_test(test_seconds_are_rounded_to_the_nearest),
        cmocka_unit_test(test_a_key_is_gone_from_its_deadline_on),
        cmocka_unit_test(test_a_write_begins_anew_on_a_key_past_its_deadline),
        cmocka_unit_test(test_a_write_that_only_changes_removes_a_key_past_its_deadline),
        cmocka_unit_test(test_relative_times_become_absolute),
        cmocka_unit_test(test_a_moment_before_1970_enters_the_log_as_1970),
        cmocka_unit_test(test_a_rewritten_command_answers_and_does_the_same),
        cmocka_unit_test(test_what_is_absolute_or_wrong_enters_the_log_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
