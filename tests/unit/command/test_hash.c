#include <stdio.h>

#include "base/mem.h"
#include "command/data.h"
#include "unit/command/exchange.h"

static void check_sum(const struct fixture *fixture)
{
    const struct keyspace *keyspace = fixture->context.keyspace;
    assert_true(keyspace_sum(keyspace) == keyspace_sum_by_walk(keyspace));
}

static void check(struct fixture *fixture, const char *request, const char *reply)
{
    const char *got = run(fixture, request);
    if (strcmp(got, reply) != 0)
        print_error("%s\n", request);
    assert_string_equal(got, reply);
    check_sum(fixture);
}

/* A hash with the field "past", whose deadline has passed, and the field "stays". */
static struct fixture *with_past_field(void)
{
    struct fixture *fixture = fixture_new();
    check(fixture, "HSET h past 7 stays 8", ":2\r\n");
    check(fixture, "HPEXPIRE h 10 FIELDS 1 past", "*1\r\n:1\r\n");
    fixture->context.now_ms += 9;
    check(fixture, "HGET h past", "$1\r\n7\r\n");
    fixture->context.now_ms += 1;
    return fixture;
}

static void check_past(const struct exchange *exchanges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture *fixture = with_past_field();
        check(fixture, exchanges[i].request, exchanges[i].reply);
        fixture_free(fixture);
    }
}

static void test_a_field_past_its_deadline_is_absent_for_commands_that_read(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"HGET h past", "$-1\r\n"},
        {"HMGET h past stays", "*2\r\n$-1\r\n$1\r\n8\r\n"},
        {"HGETALL h", "*2\r\n$5\r\nstays\r\n$1\r\n8\r\n"},
        {"HKEYS h", "*1\r\n$5\r\nstays\r\n"},
        {"HVALS h", "*1\r\n$1\r\n8\r\n"},
        {"HLEN h", ":1\r\n"},
        {"HSTRLEN h past", ":0\r\n"},
        {"HEXISTS h past", ":0\r\n"},
        {"HSCAN h 0", "*2\r\n$1\r\n0\r\n*2\r\n$5\r\nstays\r\n$1\r\n8\r\n"},
        {"HSCAN h 0 NOVALUES", "*2\r\n$1\r\n0\r\n*1\r\n$5\r\nstays\r\n"},
        {"HRANDFIELD h", "$5\r\nstays\r\n"},
        {"HRANDFIELD h 5", "*1\r\n$5\r\nstays\r\n"},
        {"HRANDFIELD h -2", "*2\r\n$5\r\nstays\r\n$5\r\nstays\r\n"},
        {"HTTL h FIELDS 2 past stays", "*2\r\n:-2\r\n:-1\r\n"},
        {"HPTTL h FIELDS 2 past stays", "*2\r\n:-2\r\n:-1\r\n"},
        {"HEXPIRETIME h FIELDS 2 past stays", "*2\r\n:-2\r\n:-1\r\n"},
        {"HPEXPIRETIME h FIELDS 2 past stays", "*2\r\n:-2\r\n:-1\r\n"},
    };
    check_past(exchanges, sizeof(exchanges) / sizeof(exchanges[0]));
}

static void test_a_field_past_its_deadline_is_absent_for_commands_that_write(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"HSET h past 1", ":1\r\n"},
        {"HMSET h past 1", "+OK\r\n"},
        {"HSETNX h past 1", ":1\r\n"},
        {"HDEL h past", ":0\r\n"},
        {"HDEL h past stays", ":1\r\n"},
        {"HINCRBY h past 1", ":1\r\n"},
        {"HINCRBYFLOAT h past 1.5", "$3\r\n1.5\r\n"},
        {"HEXPIRE h 100 FIELDS 1 past", "*1\r\n:-2\r\n"},
        {"HPERSIST h FIELDS 1 past", "*1\r\n:-2\r\n"},
        {"HGETEX h PERSIST FIELDS 1 past", "*1\r\n$-1\r\n"},
        {"HGETDEL h FIELDS 2 past stays", "*2\r\n$-1\r\n$1\r\n8\r\n"},
        {"HSETEX h FNX FIELDS 1 past 1", ":1\r\n"},
        {"HSETEX h FXX FIELDS 1 past 1", ":0\r\n"},
        {"HSETEX h KEEPTTL FIELDS 1 past 1", ":1\r\n"},
    };
    check_past(exchanges, sizeof(exchanges) / sizeof(exchanges[0]));
}

/* What a command sets in such a field has no deadline, and comes last. */
static void test_a_field_that_is_set_after_its_deadline_is_a_new_one(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "HSET h past 5",
        "HMSET h past 5",
        "HSETNX h past 5",
        "HINCRBY h past 5",
        "HINCRBYFLOAT h past 5",
        "HSETEX h FIELDS 1 past 5",
        "HSETEX h KEEPTTL FIELDS 1 past 5",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct fixture *fixture = with_past_field();
        run(fixture, requests[i]);
        check(fixture, "HPTTL h FIELDS 1 past", "*1\r\n:-1\r\n");
        check(fixture, "HGETALL h", "*4\r\n$5\r\nstays\r\n$1\r\n8\r\n$4\r\npast\r\n$1\r\n5\r\n");
        fixture_free(fixture);
    }
}

static void test_fields_expire_and_the_key_goes_with_the_last(void **state)
{
    (void)state;
    struct fixture *fixture = with_past_field();
    struct keyspace *keyspace = fixture->context.keyspace;
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 9, 10), 0);
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 10, 10), 1);
    assert_int_equal(keyspace_remove_expired(keyspace, EXCHANGE_NOW_MS + 10, 10, 100), 1);
    check(fixture, "HGETALL h", "*2\r\n$5\r\nstays\r\n$1\r\n8\r\n");
    check(fixture, "HPEXPIRE h 10 FIELDS 1 stays", "*1\r\n:1\r\n");
    assert_int_equal(keyspace_remove_expired(keyspace, EXCHANGE_NOW_MS + 20, 10, 101), 1);
    check(fixture, "EXISTS h", ":0\r\n");
    assert_int_equal(keyspace_count_due(keyspace, INT64_MAX, 10), 0);
    fixture_free(fixture);
}

/* The leader proposes as many entries as remove them all. */
static void test_all_fields_that_are_due_are_counted(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    struct keyspace *keyspace = fixture->context.keyspace;
    check(fixture, "HSET h a 1 b 2 c 3 d 4", ":4\r\n");
    check(fixture, "HPEXPIRE h 10 FIELDS 3 a b c", "*3\r\n:1\r\n:1\r\n:1\r\n");
    check(fixture, "HPEXPIRE h 20 FIELDS 1 d", "*1\r\n:1\r\n");
    check(fixture, "SET k v PX 10", "+OK\r\n");
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 9, 100), 0);
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 10, 100), 4);
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 10, 3), 3);
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 10, 1), 1);
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 20, 100), 5);
    check(fixture, "PEXPIRE h 15", ":1\r\n"); /* with the key go all fields at once */
    assert_int_equal(keyspace_count_due(keyspace, EXCHANGE_NOW_MS + 20, 100), 2);
    fixture_free(fixture);
}

static void test_a_deadline_in_the_past_removes_the_field_at_once(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "HEXPIRE h 0 FIELDS 1 a",
        "HPEXPIRE h 0 FIELDS 1 a",
        "HEXPIREAT h 1 FIELDS 1 a",
        "HPEXPIREAT h 1 FIELDS 1 a",
        "HPEXPIREAT h 1700000000000 FIELDS 1 a",
        "HGETEX h PXAT 1 FIELDS 1 a",
        "HSETEX h PXAT 1 FIELDS 1 a 5",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct fixture *fixture = fixture_new();
        check(fixture, "HSET h a 1 b 2", ":2\r\n");
        run(fixture, requests[i]);
        check(fixture, "HGETALL h", "*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
        check(fixture, "HDEL h b", ":1\r\n");
        check(fixture, "HSET h a 1", ":1\r\n");
        run(fixture, requests[i]);
        check(fixture, "EXISTS h", ":0\r\n");
        fixture_free(fixture);
    }
}

static void test_dirty_counts_changes(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint64_t dirty;
    } steps[] = {
        {"HSET h a 1 b 2 a 3", 3},
        {"HSETNX h a 1", 0},
        {"HSETNX h c 1", 1},
        {"HDEL h z", 0},
        {"HDEL h c z", 1},
        {"HINCRBY h a x", 0},
        {"HINCRBY h a 1", 1},
        {"HEXPIRE h 100 FIELDS 3 a b z", 2},
        {"HEXPIRE h 100 NX FIELDS 2 a b", 0},
        {"HPERSIST h FIELDS 2 a z", 1},
        {"HPERSIST h FIELDS 2 a z", 0},
        {"HGETEX h FIELDS 2 a b", 0},
        {"HGETEX h EX 10 FIELDS 2 a b", 2},
        {"HGETEX h PERSIST FIELDS 2 a b", 2},
        {"HGETEX h PERSIST FIELDS 2 a b", 0},
        {"HSETEX h FNX FIELDS 1 a 1", 0},
        {"HSETEX h FIELDS 2 a 1 b 1", 2},
        {"HGETDEL h FIELDS 2 a z", 1},
        {"HGETALL h", 0},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint64_t before = fixture->context.dirty;
        run(fixture, steps[i].request);
        if (fixture->context.dirty - before != steps[i].dirty)
            print_error("%s\n", steps[i].request);
        assert_int_equal(fixture->context.dirty - before, steps[i].dirty);
        check_sum(fixture);
    }
    fixture_free(fixture);
}

/* A command that changes nothing leaves the revision alone, so that WATCH does not notice it. */
static void test_no_change_is_none_for_watch(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "HSETNX h a 1",
        "HDEL h z",
        "HINCRBY h t 1",
        "HINCRBYFLOAT h t 1",
        "HGETALL h",
        "HINCRBY h m 1",
        "HGETEX h FIELDS 1 a",
        "HPERSIST h FIELDS 1 a",
        "HSETEX h NX FIELDS 1 a 1",
        "HEXPIRE h 1 XX FIELDS 1 a",
        "HGETDEL h FIELDS 1 z",
        "HSETEX h EX x FIELDS 1 a 1",
    };
    struct fixture *fixture = fixture_new();
    check(fixture, "HSET h a 1 t text m 9223372036854775807", ":3\r\n");
    uint64_t revision = fixture->context.revision;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        run(fixture, requests[i]);
        assert_false(keyspace_changed_since(fixture->context.keyspace, SPAN("h"), true, revision,
                                            EXCHANGE_NOW_MS));
        check_sum(fixture);
    }
    fixture_free(fixture);
}

static void check_logged(const struct fixture *fixture, const char *request, const char *logged)
{
    struct span args[EXCHANGE_ARGS_MAX];
    struct span expected[EXCHANGE_ARGS_MAX];
    size_t argc = split(request, args);
    size_t count = split(logged, expected);
    struct command_rewritten rewritten = {.argc = 0};
    const struct command *command = command_find(fixture->table, args, argc);
    if (command->rewrite)
        command->rewrite(args, argc, EXCHANGE_NOW_MS, &rewritten);
    struct span *memory;
    const struct span *got = command_logged_args(&rewritten, args, &argc, &memory);
    assert_int_equal(argc, count);
    for (size_t i = 0; i < count; i++)
        assert_true(span_equal(got[i], expected[i]));
    mem_free(memory);
}

static void test_relative_times_become_absolute(void **state)
{
    (void)state;
    static const struct exchange cases[] = {
        {"HEXPIRE h 5 FIELDS 1 a", "HPEXPIREAT h 1700000005000 FIELDS 1 a"},
        {"HPEXPIRE h 5 NX FIELDS 2 a b", "HPEXPIREAT h 1700000000005 NX FIELDS 2 a b"},
        {"HEXPIREAT h 5 GT FIELDS 1 a", "HPEXPIREAT h 5000 GT FIELDS 1 a"},
        {"HPEXPIREAT h 5 GT FIELDS 1 a", "HPEXPIREAT h 5 GT FIELDS 1 a"},
        {"HEXPIRE h x FIELDS 1 a", "HEXPIRE h x FIELDS 1 a"},
        {"HEXPIRE h -1 FIELDS 1 a", "HEXPIRE h -1 FIELDS 1 a"},
        {"HEXPIRE h 9223372036854775807 FIELDS 1 a", "HEXPIRE h 9223372036854775807 FIELDS 1 a"},
        {"HGETEX h EX 5 FIELDS 2 a b", "HGETEX h PXAT 1700000005000 FIELDS 2 a b"},
        {"HGETEX h PX 5 PX 6 FIELDS 1 a", "HGETEX h PXAT 1700000000006 FIELDS 1 a"},
        {"HGETEX h EXAT 5 FIELDS 1 a", "HGETEX h PXAT 5000 FIELDS 1 a"},
        {"HGETEX h PXAT 5 FIELDS 1 a", "HGETEX h PXAT 5 FIELDS 1 a"},
        {"HGETEX h PERSIST FIELDS 1 a", "HGETEX h PERSIST FIELDS 1 a"},
        {"HGETEX h EX 5 PERSIST FIELDS 1 a", "HGETEX h EX 5 PERSIST FIELDS 1 a"},
        {"HGETEX h FIELDS 1 EX 5", "HGETEX h FIELDS 1 EX 5"},
        {"HSETEX h EX 5 FIELDS 1 a 1", "HSETEX h PXAT 1700000005000 FIELDS 1 a 1"},
        {"HSETEX h EX 5 FNX NX FIELDS 1 a EX", "HSETEX h NX FNX PXAT 1700000005000 FIELDS 1 a EX"},
        {"HSETEX h FXX PX 5 XX FIELDS 1 a 1", "HSETEX h XX FXX PXAT 1700000000005 FIELDS 1 a 1"},
        {"HSETEX h KEEPTTL FIELDS 1 a 1", "HSETEX h KEEPTTL FIELDS 1 a 1"},
        {"HSETEX h EX 5 KEEPTTL FIELDS 1 a 1", "HSETEX h EX 5 KEEPTTL FIELDS 1 a 1"},
        {"HSETEX h EX -5 FIELDS 1 a 1", "HSETEX h EX -5 FIELDS 1 a 1"},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_logged(fixture, cases[i].request, cases[i].reply);
    fixture_free(fixture);
}

static void test_a_scan_passes_over_a_large_hash_in_steps(void **state)
{
    (void)state;
    enum { FIELDS = 1000 };
    struct fixture *fixture = fixture_new();
    char request[100];
    for (int i = 0; i < FIELDS; i++) {
        snprintf(request, sizeof(request), "HSET h field%d %d", i, i);
        check(fixture, request, ":1\r\n");
    }
    check(fixture, "HSCAN h 3 COUNT 10",
          "*2\r\n$1\r\n0\r\n*6\r\n$6\r\nfield2\r\n$1\r\n2\r\n$6\r\n"
          "field1\r\n$1\r\n1\r\n$6\r\nfield0\r\n$1\r\n0\r\n");
    check(fixture, "HSCAN h 5 COUNT 2 NOVALUES",
          "*2\r\n$1\r\n3\r\n*2\r\n$6\r\nfield4\r\n$6\r\nfield3\r\n");
    check(fixture, "HSCAN h 0 COUNT 2 MATCH *9 NOVALUES",
          "*2\r\n$3\r\n998\r\n*1\r\n$8\r\nfield999\r\n");
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_field_past_its_deadline_is_absent_for_commands_that_read),
        cmocka_unit_test(test_a_field_past_its_deadline_is_absent_for_commands_that_write),
        cmocka_unit_test(test_a_field_that_is_set_after_its_deadline_is_a_new_one),
        cmocka_unit_test(test_fields_expire_and_the_key_goes_with_the_last),
        cmocka_unit_test(test_all_fields_that_are_due_are_counted),
        cmocka_unit_test(test_a_deadline_in_the_past_removes_the_field_at_once),
        cmocka_unit_test(test_dirty_counts_changes),
        cmocka_unit_test(test_no_change_is_none_for_watch),
        cmocka_unit_test(test_relative_times_become_absolute),
        cmocka_unit_test(test_a_scan_passes_over_a_large_hash_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
