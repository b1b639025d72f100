/* Calls that would change nothing now. */
#include <stdio.h>

#include "unit/command/exchange.h"

static const char *const data[] = {
    "SET s value",         "SET late value PXAT 1800000000000",
    "RPUSH l a b",         "SADD set a b 1",
    "HSET h f 1 g 2",      "ZADD z 1 a 2 b",
    "HSET fields f 1 g 2",
};

static const struct {
    const char *call;
    bool is_idle;
} calls[] = {
    {"LPOP none", true},
    {"LPOP none 2", true},
    {"LPOP none 0", true},
    {"LPOP none -1", false},
    {"LPOP none x", false},
    {"LPOP none 1 2", false},
    {"LPOP l", false},
    {"LPOP s", false},
    {"RPOP none", true},
    {"RPOP none 3", true},
    {"RPOP l 1", false},
    {"RPOPLPUSH none l", true},
    {"RPOPLPUSH none none", true},
    {"RPOPLPUSH l none", false},
    {"LPUSHX none a", true},
    {"LPUSHX l a", false},
    {"RPUSHX none a b", true},
    {"RPUSHX s a", false},
    {"SPOP none", true},
    {"SPOP none 5", true},
    {"SPOP none -5", false},
    {"SPOP none 1 1", false},
    {"SPOP set", false},
    {"SADD set a b", true},
    {"SADD set 1", true},
    {"SADD set a c", false},
    {"SADD none a", false},
    {"SADD l a", false},
    {"SREM set c d", true},
    {"SREM none a", true},
    {"SREM set c a", false},
    {"SREM l a", false},
    {"ZPOPMIN none", true},
    {"ZPOPMIN none 2", true},
    {"ZPOPMAX none", true},
    {"ZPOPMAX none -1", false},
    {"ZPOPMAX z", false},
    {"ZREM z c", true},
    {"ZREM none c", true},
    {"ZREM z c b", false},
    {"ZREM s a", false},
    {"HDEL h x y", true},
    {"HDEL none x", true},
    {"HDEL h x f", false},
    {"HDEL l x", false},
    {"HSETNX h f 5", true},
    {"HSETNX h x 5", false},
    {"HSETNX none f 5", false},
    {"HSETNX s f 5", false},
    {"DEL none", true},
    {"DEL none nil nothing", true},
    {"DEL none s", false},
    {"UNLINK none", true},
    {"UNLINK s", false},
    {"GETDEL none", true},
    {"GETDEL s", false},
    {"GETDEL l", false},
    {"SETNX s x", true},
    {"SETNX l x", true},
    {"SETNX none x", false},
    {"SET s x NX", true},
    {"SET s x NX PX 100", true},
    {"SET s x EX 10 NX", true},
    {"SET l x NX", true},
    {"SET none x XX", true},
    {"SET none x XX KEEPTTL", true},
    {"SET s x", false},
    {"SET none x NX", false},
    {"SET s x XX", false},
    {"SET s x NX GET", false},
    {"SET s x NX XX", false},
    {"SET s x NX EX 0", false},
    {"SET s x NX EX y", false},
    {"SET s x IFEQ y", false},
    {"SET s x EX 10", false},
    {"EXPIRE none 10", true},
    {"EXPIRE none 10 XX", true},
    {"EXPIRE s 10", false},
    {"EXPIRE s 10 XX", true},
    {"EXPIRE s 10 GT", true},
    {"EXPIRE s 10 LT", false},
    {"EXPIRE late 10 NX", true},
    {"EXPIRE none x", false},
    {"EXPIRE none 10 NX XX", false},
    {"EXPIRE none 9223372036854775807", false},
    {"PEXPIRE none 10", true},
    {"PEXPIRE none 9223372036854775807", false},
    {"PEXPIRE s 10", false},
    {"EXPIREAT none 10", true},
    {"EXPIREAT late 1800000001 LT", true},
    {"EXPIREAT s 10", false},
    {"PEXPIREAT none 10", true},
    {"PEXPIREAT late 1800000000001 LT", true},
    {"PEXPIREAT late 1799999999999 LT", false},
    {"PERSIST none", true},
    {"PERSIST s", true},
    {"PERSIST late", false},
    {"PFADD none a", false},
    {"PFADD s a", false},
};

enum { CALLS = sizeof calls / sizeof *calls };

static struct fixture *filled(int protocol)
{
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        assert_true(run(f, data[i])[0] != '-');
    f->writer.protocol = protocol;
    return f;
}

static bool is_idle(struct fixture *f, const char *call, int64_t now_ms, struct buf *reply)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(call, args);
    const struct command *command = command_find(f->table, args, argc);
    struct resp_writer writer = {.out = reply, .protocol = f->writer.protocol};
    struct command_context context = f->context;
    context.reply = &writer;
    context.now_ms = now_ms;
    uint64_t sum = databases_sum(f->context.databases);
    assert_non_null(command->idle);
    assert_true(command_arity_is_valid(command, argc));
    bool idle = command->idle(&context, args, argc);
    if (databases_sum(f->context.databases) != sum)
        fail_msg("a look at '%s' changes the data", call);
    return idle;
}

static void test_a_call_is_idle_by_the_data(void **state)
{
    (void)state;
    struct fixture *f = filled(2);
    for (size_t i = 0; i < CALLS; i++)
        if (is_idle(f, calls[i].call, EXCHANGE_NOW_MS, NULL) != calls[i].is_idle)
            fail_msg("'%s' is taken for one that %s", calls[i].call,
                     calls[i].is_idle ? "may change something" : "changes nothing");
    fixture_free(f);
}

static void test_an_idle_call_replies_what_the_command_does_and_changes_nothing(void **state)
{
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        for (size_t i = 0; i < CALLS; i++) {
            struct fixture *f = filled(protocol);
            struct buf reply = {0};
            uint64_t sum = databases_sum(f->context.databases);
            if (is_idle(f, calls[i].call, EXCHANGE_NOW_MS, &reply)) {
                buf_add_char(&reply, '\0');
                assert_string_equal(run(f, calls[i].call), reply.ptr);
                assert_true(databases_sum(f->context.databases) == sum);
            } else if (reply.len) {
                fail_msg("'%s' got a reply", calls[i].call);
            }
            buf_close(&reply);
            fixture_free(f);
        }
    }
}

/* Its deadline has passed, and no entry has removed it yet. */
static void test_what_has_expired_is_not_there(void **state)
{
    (void)state;
    struct fixture *f = filled(2);
    const int64_t later_ms = INT64_C(1800000000001);
    assert_true(is_idle(f, "SETNX late x", EXCHANGE_NOW_MS, NULL));
    assert_false(is_idle(f, "SETNX late x", later_ms, NULL));
    assert_false(is_idle(f, "DEL late", EXCHANGE_NOW_MS, NULL));
    assert_true(is_idle(f, "DEL late", later_ms, NULL));
    assert_string_equal(run(f, "HPEXPIREAT fields 1800000000000 FIELDS 1 f"), "*1\r\n:1\r\n");
    assert_true(is_idle(f, "HSETNX fields f x", EXCHANGE_NOW_MS, NULL));
    assert_false(is_idle(f, "HSETNX fields f x", later_ms, NULL));
    assert_false(is_idle(f, "HDEL fields f", later_ms, NULL)); /* it is removed with the call */
    fixture_free(f);
}

static void test_a_dense_hyperloglog_tells_whether_an_element_counts(void **state)
{
    (void)state;
    enum { ELEMENTS = 4000 };
    struct fixture *f = filled(2);
    char line[64];
    size_t idle = 0;
    for (int i = 0; i < ELEMENTS; i++) {
        snprintf(line, sizeof line, "PFADD hll e%d", i);
        struct buf reply = {0};
        bool is = is_idle(f, line, EXCHANGE_NOW_MS, &reply);
        idle += is;
        const char *ran = run(f, line);
        if (is && strcmp(ran, ":0\r\n") != 0)
            fail_msg("'%s' is idle, and answers %s", line, ran);
        buf_close(&reply);
    }
    assert_true(idle > 0);
    assert_true(is_idle(f, "PFADD hll e1 e2 e3", EXCHANGE_NOW_MS, NULL));
    assert_string_equal(run(f, "SET hll HYLL"), "+OK\r\n");
    assert_false(is_idle(f, "PFADD hll e1", EXCHANGE_NOW_MS, NULL));
    fixture_free(f);
}

static void test_only_writing_commands_say_that_they_are_idle(void **state)
{
    (void)state;
    struct command_table *table = command_table_new();
    for (size_t i = 0; i < command_table_count(table); i++) {
        const struct command *command = command_table_at(table, i);
        assert_true(!command->idle || (command->flags & COMMAND_WRITE));
        assert_true(!command->idle || !command->blocking);
    }
    command_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_is_idle_by_the_data),
        cmocka_unit_test(test_an_idle_call_replies_what_the_command_does_and_changes_nothing),
        cmocka_unit_test(test_what_has_expired_is_not_there),
        cmocka_unit_test(test_a_dense_hyperloglog_tells_whether_an_element_counts),
        cmocka_unit_test(test_only_writing_commands_say_that_they_are_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
