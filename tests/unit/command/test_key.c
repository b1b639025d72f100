#include <stdio.h>
#include <stdlib.h>

#include "unit/command/exchange.h"

static void test_keys_are_counted_and_removed(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"DBSIZE", ":0\r\n"},
        {"MSET a 1 b 2 c 3", "+OK\r\n"},
        {"DBSIZE", ":3\r\n"},
        {"EXISTS a b a nokey", ":3\r\n"},
        {"TOUCH a nokey b", ":2\r\n"},
        {"DEL a nokey a", ":1\r\n"},
        {"EXISTS a", ":0\r\n"},
        {"UNLINK b c d", ":2\r\n"},
        {"DBSIZE", ":0\r\n"},
        {"TYPE a", "+none\r\n"},
        {"SET a 1", "+OK\r\n"},
        {"TYPE a", "+string\r\n"},
        {"FLUSHALL", "+OK\r\n"},
        {"DBSIZE", ":0\r\n"},
        {"MSET a 1 b 2", "+OK\r\n"},
        {"FLUSHDB ASYNC", "+OK\r\n"},
        {"DBSIZE", ":0\r\n"},
        {"FLUSHALL SYNC", "+OK\r\n"},
        {"FLUSHALL FOO", "-ERR syntax error\r\n"},
        {"FLUSHALL ASYNC SYNC", "-ERR syntax error\r\n"},
        {"FLUSHDB FOO", "-ERR syntax error\r\n"},
        {"EXISTS", "-ERR wrong number of arguments for 'exists' command\r\n"},
        {"DEL", "-ERR wrong number of arguments for 'del' command\r\n"},
        {"RANDOMKEY", "$-1\r\n"},
        {"SET only 1", "+OK\r\n"},
        {"RANDOMKEY", "$4\r\nonly\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_rename_moves_value_and_deadline(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"RENAME nokey k", "-ERR no such key\r\n"},
        {"SET a 1 EX 100", "+OK\r\n"},
        {"RENAME a b", "+OK\r\n"},
        {"EXISTS a", ":0\r\n"},
        {"GET b", "$1\r\n1\r\n"},
        {"TTL b", ":100\r\n"},
        {"SET c 2", "+OK\r\n"},
        {"RENAME c b", "+OK\r\n"},
        {"GET b", "$1\r\n2\r\n"},
        {"TTL b", ":-1\r\n"},
        {"RENAME b b", "+OK\r\n"},
        {"GET b", "$1\r\n2\r\n"},
        {"RENAMENX b b", ":0\r\n"},
        {"RENAMENX nokey nokey", "-ERR no such key\r\n"},
        {"SET c 3", "+OK\r\n"},
        {"RENAMENX b c", ":0\r\n"},
        {"RENAMENX b d", ":1\r\n"},
        {"MGET b c d", "*3\r\n$-1\r\n$1\r\n3\r\n$1\r\n2\r\n"},
        {"RENAME a", "-ERR wrong number of arguments for 'rename' command\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_copy_leaves_the_source(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"COPY nokey k", ":0\r\n"},
        {"SET a 1 EX 100", "+OK\r\n"},
        {"COPY a b", ":1\r\n"},
        {"MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n1\r\n"},
        {"TTL b", ":100\r\n"},
        {"SET a 2", "+OK\r\n"},
        {"COPY a b", ":0\r\n"},
        {"GET b", "$1\r\n1\r\n"},
        {"COPY a b REPLACE", ":1\r\n"},
        {"GET b", "$1\r\n2\r\n"},
        {"TTL b", ":-1\r\n"},
        {"COPY a c DB 0", ":1\r\n"},
        {"COPY a c DB 0 replace", ":1\r\n"},
        {"GET c", "$1\r\n2\r\n"},
        {"COPY a a", "-ERR source and destination objects are the same\r\n"},
        {"COPY a a REPLACE", "-ERR source and destination objects are the same\r\n"},
        {"COPY a d DB abc", "-ERR value is not an integer or out of range\r\n"},
        {"COPY a d DB 99", "-ERR DB index is out of range\r\n"},
        {"COPY a d DB 99999999999",
         "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"},
        {"COPY a d DB", "-ERR syntax error\r\n"},
        {"COPY a d FOO", "-ERR syntax error\r\n"},
        {"COPY nokey d FOO", "-ERR syntax error\r\n"},
        {"COPY a", "-ERR wrong number of arguments for 'copy' command\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_what_is_known_about_a_value(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"OBJECT ENCODING nokey", "$-1\r\n"},
        {"OBJECT REFCOUNT nokey", "$-1\r\n"},
        {"OBJECT IDLETIME nokey", "$-1\r\n"},
        {"OBJECT FREQ nokey", "$-1\r\n"},
        {"SET k v", "+OK\r\n"},
        {"OBJECT REFCOUNT k", ":1\r\n"},
        {"OBJECT IDLETIME k", ":0\r\n"},
        {"OBJECT FREQ k", "-ERR An LFU maxmemory policy is not selected, access frequency not "
                          "tracked. Please note that when switching between policies at runtime "
                          "LRU and LFU data will take some time to adjust.\r\n"},
        {"OBJECT ENCODING", "-ERR wrong number of arguments for 'object|encoding' command\r\n"},
        {"MEMORY USAGE nokey", "$-1\r\n"},
        {"MEMORY USAGE k SAMPLES -1", "-ERR syntax error\r\n"},
        {"MEMORY USAGE k SAMPLES a", "-ERR value is not an integer or out of range\r\n"},
        {"MEMORY USAGE k SAMPLES", "-ERR syntax error\r\n"},
        {"MEMORY USAGE k FOO", "-ERR syntax error\r\n"},
        {"MEMORY USAGE k FOO BAR", "-ERR syntax error\r\n"},
        {"MEMORY USAGE nokey SAMPLES 0", "$-1\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_scan_and_keys_read_their_arguments(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"KEYS *", "*0\r\n"},
        {"SET k v", "+OK\r\n"},
        {"SCAN 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN ''", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN +0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN 00", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN abc", "-ERR invalid cursor\r\n"},
        {"SCAN ' 0'", "-ERR invalid cursor\r\n"},
        {"SCAN 0x", "-ERR invalid cursor\r\n"},
        {"SCAN +", "-ERR invalid cursor\r\n"},
        {"SCAN -", "-ERR invalid cursor\r\n"},
        {"SCAN 18446744073709551616", "-ERR invalid cursor\r\n"},
        {"SCAN 0 COUNT 0", "-ERR syntax error\r\n"},
        {"SCAN 0 COUNT -1", "-ERR syntax error\r\n"},
        {"SCAN 0 COUNT abc", "-ERR value is not an integer or out of range\r\n"},
        {"SCAN 0 COUNT", "-ERR syntax error\r\n"},
        {"SCAN 0 MATCH", "-ERR syntax error\r\n"},
        {"SCAN 0 FOO 1", "-ERR syntax error\r\n"},
        {"SCAN 0 FOO", "-ERR syntax error\r\n"},
        {"SCAN 0 COUNT 100 MATCH k TYPE string", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN 0 TYPE STRING", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN 0 TYPE list", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"SCAN 0 TYPE foo", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"SCAN 0 MATCH *", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"SCAN 0 MATCH x*", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"SCAN 0 MATCH ''", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"SCAN 0 COUNT 1 COUNT 100", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"},
        {"KEYS k", "*1\r\n$1\r\nk\r\n"},
        {"KEYS x", "*0\r\n"},
        {"KEYS ''", "*0\r\n"},
        {"KEYS", "-ERR wrong number of arguments for 'keys' command\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_help_names_every_subcommand_of_object(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    const char *reply = run(fixture, "OBJECT HELP");
    static const char *const words[] = {"ENCODING", "FREQ", "IDLETIME", "REFCOUNT", "HELP"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_non_null(strstr(reply, words[i]));
    fixture_free(fixture);
}

static void test_memory_usage_grows_with_the_value(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "SET k 1");
    long small = strtol(run(fixture, "MEMORY USAGE k") + 1, NULL, 10);
    run(fixture, "SETRANGE k 100000 x");
    long big = strtol(run(fixture, "MEMORY USAGE k") + 1, NULL, 10);
    assert_in_range(small, 30, 60);
    assert_in_range(big, 100000, 400000);
    fixture_free(fixture);
}

static void test_idle_time_ends_with_use(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "SET k v");
    fixture->context.now_ms += 5000;
    assert_string_equal(run(fixture, "EXISTS k"), ":1\r\n");
    assert_string_equal(run(fixture, "TTL k"), ":-1\r\n");
    assert_string_equal(run(fixture, "TYPE k"), "+string\r\n");
    assert_string_equal(run(fixture, "OBJECT IDLETIME k"), ":5\r\n");
    run(fixture, "GET k");
    assert_string_equal(run(fixture, "OBJECT IDLETIME k"), ":0\r\n");
    fixture->context.now_ms += 7000;
    run(fixture, "TOUCH k");
    assert_string_equal(run(fixture, "OBJECT IDLETIME k"), ":0\r\n");
    fixture_free(fixture);
}

static void test_time_is_the_wall_clock_not_that_of_the_keys(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    fixture->context.now_ms = 1600000000456;
    struct command_clock wall = {.ms = 1700000000123, .us = 999};
    fixture->context.wall = &wall;
    assert_string_equal(run(fixture, "TIME"), "*2\r\n$10\r\n1700000000\r\n$6\r\n123999\r\n");
    assert_string_equal(run(fixture, "TIME"), "*2\r\n$10\r\n1700000000\r\n$6\r\n124000\r\n");
    wall.stands = true;
    assert_string_equal(run(fixture, "TIME"), "*2\r\n$10\r\n1700000000\r\n$6\r\n124001\r\n");
    assert_string_equal(run(fixture, "TIME"), "*2\r\n$10\r\n1700000000\r\n$6\r\n124001\r\n");
    fixture->context.wall = NULL;
    fixture_free(fixture);
}

static void test_changes_and_look_ups_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint64_t dirty, hits, misses;
    } steps[] = {
        {"MSET a 1 b 2 c 3", 3, 0, 0},
        {"EXISTS a nokey a", 0, 2, 1},
        {"TOUCH a nokey", 0, 1, 1},
        {"TYPE a", 0, 1, 0},
        {"TYPE nokey", 0, 0, 1},
        {"TTL a", 0, 1, 0},
        {"RENAME a a2", 1, 0, 0},
        {"RENAME a2 a2", 0, 0, 0},
        {"RENAMENX a2 b", 0, 0, 0},
        {"COPY a2 a3", 1, 1, 0},
        {"COPY a2 a3", 0, 1, 0},
        {"COPY nokey x", 0, 0, 1},
        {"OBJECT ENCODING b", 0, 1, 0},
        {"MEMORY USAGE b", 0, 0, 0},
        {"KEYS *", 0, 0, 0},
        {"SCAN 0", 0, 0, 0},
        {"RANDOMKEY", 0, 0, 0},
        {"DEL a2 a3 nokey", 2, 0, 0},
        {"FLUSHALL", 2, 0, 0},
        {"FLUSHALL", 0, 0, 0},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        fixture->context.dirty = fixture->context.hits = fixture->context.misses = 0;
        run(fixture, steps[i].request);
        if (fixture->context.dirty != steps[i].dirty)
            print_error("%s\n", steps[i].request);
        assert_int_equal(fixture->context.dirty, steps[i].dirty);
        assert_int_equal(fixture->context.hits, steps[i].hits);
        assert_int_equal(fixture->context.misses, steps[i].misses);
    }
    fixture_free(fixture);
}

static size_t scan_all(struct fixture *fixture, const char *options)
{
    size_t keys = 0;
    char cursor[32] = "0";
    do {
        char request[100];
        snprintf(request, sizeof(request), "SCAN %s %s", cursor, options);
        const char *reply = strchr(run(fixture, request), '\n') + 1; /* behind "*2" */
        reply = strchr(reply, '\n') + 1; /* behind the cursor's length */
        snprintf(cursor, sizeof(cursor), "%.*s", (int)strcspn(reply, "\r"), reply);
        reply = strchr(reply, '\n') + 2; /* behind '*' */
        keys += strtoul(reply, NULL, 10);
    } while (strcmp(cursor, "0") != 0);
    return keys;
}

static void test_scan_reaches_every_key(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    char request[100];
    for (int i = 0; i < 1000; i++) {
        snprintf(request, sizeof(request), i % 2 ? "SET key%d v" : "SET {tag}%d v", i);
        run(fixture, request);
    }
    assert_int_equal(scan_all(fixture, ""), 1000);
    assert_int_equal(scan_all(fixture, "COUNT 1"), 1000);
    assert_int_equal(scan_all(fixture, "COUNT 333 MATCH {tag}*"), 500);
    assert_int_equal(scan_all(fixture, "COUNT 100000 TYPE string"), 1000);
    assert_int_equal(scan_all(fixture, "TYPE hash"), 0);
    assert_memory_equal(run(fixture, "KEYS key*"), "*500\r\n", 6);
    fixture_free(fixture);
}

static void test_keys_past_their_deadline_are_not_listed(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "SET old v PX 10");
    run(fixture, "SET young v PX 1000");
    fixture->context.now_ms += 10;
    assert_string_equal(run(fixture, "KEYS *"), "*1\r\n$5\r\nyoung\r\n");
    assert_string_equal(run(fixture, "SCAN 0"), "*2\r\n$1\r\n0\r\n*1\r\n$5\r\nyoung\r\n");
    for (int i = 0; i < 50; i++)
        assert_string_equal(run(fixture, "RANDOMKEY"), "$5\r\nyoung\r\n");
    fixture->context.now_ms += 1000;
    assert_string_equal(run(fixture, "RANDOMKEY"), "$-1\r\n");
    assert_string_equal(run(fixture, "DBSIZE"), ":0\r\n");
    fixture_free(fixture);
}

static void test_the_one_living_key_among_many_dead_is_found(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    char request[64];
    for (int i = 0; i < 5000; i++) {
        snprintf(request, sizeof(request), "SET dead%d v PX 1", i);
        run(fixture, request);
    }
    run(fixture, "SET alive v");
    fixture->context.now_ms += 1;
    for (int i = 0; i < 20; i++)
        assert_string_equal(run(fixture, "RANDOMKEY"), "$5\r\nalive\r\n");
    fixture_free(fixture);
}

static void test_rename_and_copy_do_not_see_what_is_past_its_deadline(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "SET old v PX 10");
    run(fixture, "SET k v");
    fixture->context.now_ms += 10;
    assert_string_equal(run(fixture, "RENAMENX k old"), ":1\r\n");
    assert_string_equal(run(fixture, "PTTL old"), ":-1\r\n");
    run(fixture, "SET dead v PX 10");
    fixture->context.now_ms += 10;
    assert_string_equal(run(fixture, "COPY old dead"), ":1\r\n");
    run(fixture, "SET dead v PX 10");
    fixture->context.now_ms += 10;
    assert_string_equal(run(fixture, "RENAME dead k"), "-ERR no such key\r\n");
    assert_string_equal(run(fixture, "COPY dead k"), ":0\r\n");
    assert_string_equal(run(fixture, "DEL dead"), ":0\r\n");
    assert_string_equal(run(fixture, "DBSIZE"), ":1\r\n");
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_counted_and_removed),
        cmocka_unit_test(test_rename_moves_value_and_deadline),
        cmocka_unit_test(test_copy_leaves_the_source),
        cmocka_unit_test(test_what_is_known_about_a_value),
        cmocka_unit_test(test_scan_and_keys_read_their_arguments),
        cmocka_unit_test(test_help_names_every_subcommand_of_object),
        cmocka_unit_test(test_memory_usage_grows_with_the_value),
        cmocka_unit_test(test_idle_time_ends_with_use),
        cmocka_unit_test(test_time_is_the_wall_clock_not_that_of_the_keys),
        cmocka_unit_test(test_changes_and_look_ups_are_counted),
        cmocka_unit_test(test_scan_reaches_every_key),
        cmocka_unit_test(test_keys_past_their_deadline_are_not_listed),
        cmocka_unit_test(test_the_one_living_key_among_many_dead_is_found),
        cmocka_unit_test(test_rename_and_copy_do_not_see_what_is_past_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
