/* Calls of writing commands that only read. */
#include <stdio.h>

#include "unit/command/exchange.h"

static const struct {
    const char *call;
    bool writes;
} calls[] = {
    {"GET s", false},
    {"SET s 1", true},
    {"SORT l", false},
    {"SORT l BY w* GET # LIMIT 0 5 DESC ALPHA", false},
    {"SORT store", false},
    {"SORT l STORE", true},
    {"SORT l ALPHA store d", true},
    {"SORT l STORE d STORE e", true},
    {"SORT_RO l", false},
    {"GEORADIUS g 15 37 200 km", false},
    {"GEORADIUS g 15 37 200 km WITHDIST COUNT 1 ASC", false},
    {"GEORADIUS g 15 37 200 km STORE d", true},
    {"GEORADIUS g 15 37 200 km storedist d", true},
    {"GEORADIUSBYMEMBER g m 100 km", false},
    {"GEORADIUSBYMEMBER g m 100 km STORE d", true},
    {"BITFIELD s GET u8 0 GET i4 #1", false},
    {"BITFIELD s", false},
    {"BITFIELD s OVERFLOW SAT GET u8 0", false},
    {"BITFIELD set GET u8 0", false},
    {"BITFIELD s GET u8 0 SET u8 0 1", true},
    {"BITFIELD s incrby u8 0 1", true},
    {"GETEX s", false},
    {"GETEX s PERSIST", true},
    {"GETEX s EX 10", true},
    {"HGETEX h FIELDS 1 f", false},
    {"HGETEX h fields 2 f PERSIST", false},
    {"HGETEX h PERSIST FIELDS 1 f", true},
    {"HGETEX h EX 10 FIELDS 1 f", true},
};

enum { CALLS = sizeof calls / sizeof *calls };

static void test_a_call_writes_by_its_arguments(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < CALLS; i++) {
        struct span args[EXCHANGE_ARGS_MAX];
        size_t argc = split(calls[i].call, args);
        const struct command *command = command_find(f->table, args, argc);
        if (command_writes(command, args, argc) != calls[i].writes)
            fail_msg("'%s' is taken for a %s", calls[i].call, calls[i].writes ? "read" : "write");
    }
    fixture_free(f);
}

static void fill(struct fixture *f)
{
    run(f, "SET s value");
    run(f, "RPUSH l 3 1 2");
    run(f, "MSET w1 9 w2 8 w3 7");
    run(f, "GEOADD g 13.361389 38.115556 m 15.087269 37.502669 n");
    run(f, "HSET h f 1 g 2");
}

/* As of a later time, and as a machine runs what it was asked to read. */
static void read_as(struct fixture *f, const char *call, int64_t now_ms, struct buf *reply)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(call, args);
    const struct command *command = command_find(f->table, args, argc);
    struct resp_writer writer = {.out = reply, .protocol = 2};
    struct command_context context = f->context;
    context.reply = &writer;
    context.now_ms = now_ms;
    (command->reading ? command->reading->run : command->run)(&context, args, argc);
}

static void test_a_read_answers_what_the_command_answers(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "SORT h",
        "SORT l LIMIT 0",
        "SORT s",
        "GEORADIUS s 15 37 200 km",
        "BITFIELD l GET u8 0",
        "BITFIELD s GET u99 0",
        "BITFIELD s GET",
        "BITFIELD s OVERFLOW x",
        "GETEX l",
        "HGETEX s FIELDS 1 f",
        "HGETEX h FIELDS 2 f",
        "HGETEX h FIELDS 0 f",
        "GEORADIUSBYMEMBER g none 100 km",
        "GEORADIUS g 15 37 200 km WITHDIST x",
        "HGETEX none FIELDS 2 f g",
        "GETEX none",
        "SORT none",
        "BITFIELD none GET u8 0",
    };
    for (size_t i = 0; i < CALLS + sizeof wrong / sizeof *wrong; i++) {
        const char *call = i < CALLS ? calls[i].call : wrong[i - CALLS];
        struct fixture *f = fixture_new();
        struct buf reply = {0};
        fill(f);
        uint64_t sum = databases_sum(f->context.databases);
        if (i >= CALLS || !calls[i].writes) {
            read_as(f, call, EXCHANGE_NOW_MS, &reply);
            assert_true(databases_sum(f->context.databases) == sum);
            buf_add_char(&reply, '\0');
            assert_string_equal(run(f, call), reply.ptr);
        }
        buf_close(&reply);
        fixture_free(f);
    }
}

static void test_a_read_leaves_alone_what_has_expired(void **state)
{
    (void)state;
    static const char *const expires[] = {"s", "l", "g", "h"};
    struct fixture *f = fixture_new();
    fill(f);
    for (size_t i = 0; i < sizeof expires / sizeof *expires; i++) {
        char line[64];
        snprintf(line, sizeof line, "PEXPIREAT %s %lld", expires[i],
                 (long long)EXCHANGE_NOW_MS + 1000);
        assert_string_equal(run(f, line), ":1\r\n");
    }
    uint64_t sum = databases_sum(f->context.databases);
    for (size_t i = 0; i < CALLS; i++) {
        struct buf reply = {0};
        if (calls[i].writes)
            continue;
        read_as(f, calls[i].call, EXCHANGE_NOW_MS + 2000, &reply);
        assert_true(reply.len > 0 && reply.ptr[0] != '-');
        if (databases_sum(f->context.databases) != sum)
            fail_msg("'%s' has removed what has expired", calls[i].call);
        buf_close(&reply);
    }
    fixture_free(f);
}

/* A mistake of what tells reads from writes must not make a read that writes. */
static void test_what_runs_instead_never_writes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    fill(f);
    uint64_t sum = databases_sum(f->context.databases);
    for (size_t i = 0; i < CALLS; i++) {
        struct span args[EXCHANGE_ARGS_MAX];
        size_t argc = split(calls[i].call, args);
        struct buf reply = {0};
        if (!command_find(f->table, args, argc)->reading)
            continue;
        read_as(f, calls[i].call, EXCHANGE_NOW_MS, &reply);
        if (databases_sum(f->context.databases) != sum)
            fail_msg("'%s' writes when it is read", calls[i].call);
        buf_close(&reply);
    }
    fixture_free(f);
}

static void test_only_writing_commands_say_which_calls_read(void **state)
{
    (void)state;
    struct command_table *table = command_table_new();
    for (size_t i = 0; i < command_table_count(table); i++) {
        const struct command *command = command_table_at(table, i);
        assert_true(!command->reading || (command->flags & COMMAND_WRITE));
    }
    command_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_writes_by_its_arguments),
        cmocka_unit_test(test_a_read_answers_what_the_command_answers),
        cmocka_unit_test(test_a_read_leaves_alone_what_has_expired),
        cmocka_unit_test(test_what_runs_instead_never_writes),
        cmocka_unit_test(test_only_writing_commands_say_which_calls_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
