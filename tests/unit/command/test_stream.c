#include "command/stream_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "command/access.h"
#include "keyspace/stream.h"
#include "keyspace/value.h"
#include "unit/command/exchange.h"

/* What tests/compat/streams.txt cannot compare: exact times, and what Redis 7.0 does otherwise. */

static void check(struct fixture *fixture, const char *request, const char *expected)
{
    const char *reply = run(fixture, request);
    if (strcmp(reply, expected) != 0)
        print_error("%s\n", request);
    assert_string_equal(reply, expected);
}

#define NOW_ID "1700000000000"

static void test_new_ids_come_from_the_time(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    check(fixture, "XADD s * a 1", "$15\r\n" NOW_ID "-0\r\n");
    check(fixture, "XADD s * a 1", "$15\r\n" NOW_ID "-1\r\n");
    fixture->context.now_ms -= 1000; /* the clock of another leader */
    check(fixture, "XADD s * a 1", "$15\r\n" NOW_ID "-2\r\n");
    fixture->context.now_ms += 2000;
    check(fixture, "XADD s * a 1", "$15\r\n1700000001000-0\r\n");
    fixture_free(fixture);
}

/* 250 entries: about trimming removes 100 at a time, however many a node holds. */
static void check_about(size_t node_entries)
{
    struct fixture *fixture = fixture_new();
    struct value_rules rules = value_rules_default;
    rules.stream_node_entries = node_entries;
    rules.stream_node_bytes = 0;
    keyspace_set_rules(fixture->context.keyspace, &rules);
    for (int i = 1; i <= 250; i++) {
        char request[64];
        sprintf(request, "XADD s %d-1 a 1", i);
        run(fixture, request);
    }
    check(fixture, "XTRIM s MAXLEN ~ 151", ":0\r\n");
    check(fixture, "XTRIM s MAXLEN ~ 1 LIMIT 99", ":0\r\n");
    check(fixture, "XTRIM s MAXLEN ~ 1 LIMIT 199", ":100\r\n");
    check(fixture, "XRANGE s - + COUNT 1",
          "*1\r\n*2\r\n$5\r\n101-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    check(fixture, "XADD s MINID ~ 201 251-1 a 1", "$5\r\n251-1\r\n");
    check(fixture, "XLEN s", ":51\r\n");
    check(fixture, "XTRIM s MINID ~ 251", ":0\r\n");
    check(fixture, "XTRIM s MINID ~ 252", ":51\r\n");
    fixture_free(fixture);
}

static void test_about_trimming_does_not_depend_on_nodes(void **state)
{
    (void)state;
    check_about(100);
    check_about(7);
    check_about(0);
}

/* Without LIMIT, about trimming stops after 10000. */
static void test_about_trimming_has_a_limit(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    for (int i = 1; i <= 10150; i++) {
        char request[64];
        sprintf(request, "XADD s %d-1 a 1", i);
        run(fixture, request);
    }
    check(fixture, "XTRIM s MAXLEN ~ 1", ":10000\r\n");
    check(fixture, "XTRIM s MAXLEN ~ 1 LIMIT 0", ":100\r\n");
    check(fixture, "XTRIM s MAXLEN 1", ":49\r\n");
    fixture_free(fixture);
}

static void test_consumers_are_seen_and_active(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    check(fixture, "XGROUP CREATE s g 0 MKSTREAM", "+OK\r\n");
    /* A consumer exists once it has asked. */
    check(fixture, "XREADGROUP GROUP g asks STREAMS s >", "*-1\r\n");
    check(fixture, "XADD s 1-1 a 1", "$3\r\n1-1\r\n");
    fixture->context.now_ms += 100;
    run(fixture, "XREADGROUP GROUP g reads STREAMS s >");
    fixture->context.now_ms += 20;
    run(fixture, "XREADGROUP GROUP g reads STREAMS s 0");
    run(fixture, "XREADGROUP GROUP g forgets NOACK STREAMS s 0");
    run(fixture, "XCLAIM s g tries 1000 1-1");
    run(fixture, "XAUTOCLAIM s g tries 1000 0");
    fixture->context.now_ms += 3;
    check(fixture, "XINFO CONSUMERS s g",
          "*4\r\n"
          "*8\r\n$4\r\nname\r\n$4\r\nasks\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:123\r\n"
          "$8\r\ninactive\r\n:-1\r\n"
          "*8\r\n$4\r\nname\r\n$7\r\nforgets\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:3\r\n"
          "$8\r\ninactive\r\n:-1\r\n"
          "*8\r\n$4\r\nname\r\n$5\r\nreads\r\n$7\r\npending\r\n:1\r\n$4\r\nidle\r\n:3\r\n"
          "$8\r\ninactive\r\n:23\r\n"
          "*8\r\n$4\r\nname\r\n$5\r\ntries\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:3\r\n"
          "$8\r\ninactive\r\n:-1\r\n");
    check(fixture, "XPENDING s g - + 9", "*1\r\n*4\r\n$3\r\n1-1\r\n$5\r\nreads\r\n:3\r\n:2\r\n");
    run(fixture, "XCLAIM s g claims 3 1-1");
    check(fixture, "XPENDING s g - + 9", "*1\r\n*4\r\n$3\r\n1-1\r\n$6\r\nclaims\r\n:0\r\n:3\r\n");
    fixture->context.now_ms += 5;
    check(fixture, "XPENDING s g IDLE 6 - + 9", "*0\r\n");
    check(fixture, "XAUTOCLAIM s g auto 6 0", "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n");
    check(fixture, "XAUTOCLAIM s g auto 5 0 JUSTID",
          "*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n1-1\r\n*0\r\n");
    check(fixture, "XCLAIM s g claims 0 1-1 IDLE 40 JUSTID", "*1\r\n$3\r\n1-1\r\n");
    check(fixture, "XPENDING s g IDLE 40 - + 9",
          "*1\r\n*4\r\n$3\r\n1-1\r\n$6\r\nclaims\r\n:40\r\n:3\r\n");
    check(fixture, "XCLAIM s g claims 0 1-1 TIME 1700000000000 JUSTID", "*1\r\n$3\r\n1-1\r\n");
    check(fixture, "XPENDING s g - + 9", "*1\r\n*4\r\n$3\r\n1-1\r\n$6\r\nclaims\r\n:128\r\n:3\r\n");
    check(fixture, "XCLAIM s g claims 0 1-1 IDLE -9223372036854775808 JUSTID",
          "*1\r\n$3\r\n1-1\r\n");
    check(fixture, "XPENDING s g - + 9", "*1\r\n*4\r\n$3\r\n1-1\r\n$6\r\nclaims\r\n:0\r\n:3\r\n");
    fixture_free(fixture);
}

static void check_inactive(struct fixture *fixture, const char *consumer, int inactive)
{
    char expected[100];
    sprintf(expected,
            "\r\n%s\r\n$7\r\npending\r\n:%d\r\n$4\r\nidle\r\n:5\r\n$8\r\ninactive\r\n:%d\r\n",
            consumer, inactive >= 0, inactive);
    assert_non_null(strstr(run(fixture, "XINFO CONSUMERS s g"), expected));
}

static void test_who_gets_entries_is_active(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "XGROUP CREATE s g 0 MKSTREAM");
    for (int i = 1; i <= 4; i++) {
        char request[64];
        sprintf(request, "XADD s %d-1 a 1", i);
        run(fixture, request);
    }
    run(fixture, "XREADGROUP GROUP g reads COUNT 3 STREAMS s >");
    run(fixture, "XREADGROUP GROUP g forgets COUNT 1 NOACK STREAMS s >");
    run(fixture, "XCLAIM s g claims 0 1-1");
    run(fixture, "XAUTOCLAIM s g takes 0 2-1 COUNT 1 JUSTID");
    run(fixture, "XCLAIM s g fails 0 4-1");
    fixture->context.now_ms += 5;
    check_inactive(fixture, "reads", 5);
    check_inactive(fixture, "forgets", -1);
    check_inactive(fixture, "claims", 5);
    check_inactive(fixture, "takes", 5);
    check_inactive(fixture, "fails", -1);
    fixture_free(fixture);
}

static void test_full_info_has_times(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "XADD s 1-1 a 1");
    run(fixture, "XGROUP CREATE s g 0");
    run(fixture, "XREADGROUP GROUP g c STREAMS s >");
    fixture->context.now_ms += 7;
    run(fixture, "XREADGROUP GROUP g c STREAMS s >");
    const char *reply = run(fixture, "XINFO STREAM s FULL");
    assert_non_null(strstr(reply, "$9\r\nseen-time\r\n:1700000000007\r\n"
                                  "$11\r\nactive-time\r\n:1700000000000\r\n"
                                  "$9\r\npel-count\r\n:1\r\n$7\r\npending\r\n"
                                  "*1\r\n*3\r\n$3\r\n1-1\r\n:1700000000000\r\n:1\r\n"));
    fixture_free(fixture);
}

/* A clock that stands behind, and an entry that seems to come from the future. */
static void test_times_do_not_go_below_zero(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "XADD s 1-1 a 1");
    run(fixture, "XGROUP CREATE s g 0");
    run(fixture, "XREADGROUP GROUP g c STREAMS s >");
    fixture->context.now_ms -= 7;
    check(fixture, "XPENDING s g - + 9", "*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:0\r\n:1\r\n");
    check(fixture, "XCLAIM s g d 1 1-1", "*0\r\n");
    const char *reply = run(fixture, "XINFO CONSUMERS s g");
    assert_non_null(strstr(reply, "$4\r\nidle\r\n:0\r\n$8\r\ninactive\r\n:0\r\n"));
    fixture_free(fixture);
}

/* A loaded file may hold any time. */
static void test_times_of_any_size(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    struct stream *stream = stream_new();
    struct stream_group *group = stream_add_group(stream, SPAN("g"), STREAM_ID_MIN, INT64_MIN);
    struct stream_consumer *consumer = stream_group_add_consumer(group, SPAN("c"), INT64_MIN);
    stream_consumer_touch(group, consumer, INT64_MIN, INT64_MIN);
    stream_group_deliver(group, &(struct stream_pending){{1, 1}, INT64_MIN, UINT64_MAX, consumer});
    stream_set_counters(stream, UINT64_MAX, STREAM_ID_MAX);
    keyspace_set_value(fixture->context.keyspace, SPAN("s"), VALUE_STREAM, stream, 1);
    check(fixture, "XPENDING s g - + 9",
          "*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:9223372036854775807\r\n:-1\r\n");
    check(fixture, "XPENDING s g IDLE 9223372036854775807 - + 9",
          "*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:9223372036854775807\r\n:-1\r\n");
    assert_non_null(strstr(run(fixture, "XINFO CONSUMERS s g"),
                           "$4\r\nidle\r\n:9223372036854775807\r\n"
                           "$8\r\ninactive\r\n:9223372036854775807\r\n"));
    run(fixture, "XINFO GROUPS s");
    run(fixture, "XINFO STREAM s FULL");
    check(fixture, "XADD s * a 1", "$15\r\n" NOW_ID "-0\r\n");
    run(fixture, "XREADGROUP GROUP g c STREAMS s >");
    run(fixture, "XREADGROUP GROUP g c STREAMS s 0");
    check(fixture, "XAUTOCLAIM s g d 9223372036854775807 0",
          "*3\r\n$3\r\n0-0\r\n*0\r\n*1\r\n$3\r\n1-1\r\n");
    run(fixture, "XINFO GROUPS s");
    assert_int_equal(keyspace_sum(fixture->context.keyspace),
                     keyspace_sum_by_walk(fixture->context.keyspace));
    fixture_free(fixture);
}

static void test_what_is_read_is_a_change_only_if_it_is_one(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "XADD s 1-1 a 1");
    run(fixture, "XGROUP CREATE s g 0");
    uint64_t sum = keyspace_sum(fixture->context.keyspace);
    fixture->context.dirty = 0;
    static const char *const requests[] = {
        "XADD s 1-1 a 1",
        "XADD n 0-0 a 1",
        "XADD n NOMKSTREAM 1-1 a 1",
        "XDEL s 5-5",
        "XTRIM s MAXLEN 5",
        "XSETID s 0-1",
        "XGROUP CREATE s g 0",
        "XGROUP SETID s h 0",
        "XGROUP DESTROY s h",
        "XACK s g 1-1",
        "XGROUP CREATE n g x MKSTREAM",
        "XREAD STREAMS s 0",
        "XREADGROUP GROUP h c STREAMS s >",
        "XCLAIM s h c 0 1-1",
        "XAUTOCLAIM s h c 0 0",
        "XGROUP DELCONSUMER s g c",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        run(fixture, requests[i]);
        assert_int_equal(fixture->context.dirty, 0);
        assert_int_equal(keyspace_sum(fixture->context.keyspace), sum);
        assert_int_equal(keyspace_count(fixture->context.keyspace), 1);
    }
    run(fixture, "XREADGROUP GROUP g c STREAMS s >");
    assert_int_equal(fixture->context.dirty, 1);
    assert_true(keyspace_sum(fixture->context.keyspace) != sum);
    assert_int_equal(keyspace_sum(fixture->context.keyspace),
                     keyspace_sum_by_walk(fixture->context.keyspace));
    fixture_free(fixture);
}

/* A command that waits gets fixed IDs, and finds what came since. */
static void test_waiting_with_fixed_ids(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    struct span args[EXCHANGE_ARGS_MAX];
    struct stream_read read;
    struct buf resolved = {0};
    run(fixture, "XADD s 5-1 a 1");
    size_t argc = split("XREAD COUNT 3 BLOCK 100 STREAMS s n t $ $ 7", args);
    assert_true(command_stream_read_parse(&fixture->context, args, argc, &read));
    assert_int_equal(read.timeout_ms, 100);
    assert_int_equal(read.streams, 3);
    assert_true(command_stream_read_check(&fixture->context, &read));
    fixture->reply.len = 0;
    assert_false(command_stream_read_serve(&fixture->context, &read));
    assert_int_equal(fixture->reply.len, 0);
    command_stream_read_resolve(&fixture->context, &read, args, argc, &resolved);
    assert_true(span_equal(buf_span(&resolved),
                           SPAN("*12\r\n$5\r\nXREAD\r\n$5\r\nCOUNT\r\n$1\r\n3\r\n$5\r\nBLOCK\r\n"
                                "$3\r\n100\r\n$7\r\nSTREAMS\r\n$1\r\ns\r\n$1\r\nn\r\n$1\r\nt\r\n"
                                "$3\r\n5-1\r\n$3\r\n0-0\r\n$1\r\n7\r\n")));
    buf_close(&resolved);
    run(fixture, "XADD n 1-1 a 1");
    check(fixture, "XREAD COUNT 3 BLOCK 100 STREAMS s n t 5-1 0-0 7",
          "*1\r\n*2\r\n$1\r\nn\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    fixture_free(fixture);
}

static void test_a_follower_writes_no_reply(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    struct fixture *silent = fixture_new();
    static const char *const requests[] = {
        "XADD s 1-1 a 1",
        "XADD s 1-2 a 1",
        "XADD t 1-1 a 1",
        "XGROUP CREATE s g 0",
        "XGROUP CREATE t g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS s t > >",
        "XREADGROUP GROUP g c STREAMS s t > 0",
        "XREADGROUP GROUP g c STREAMS s 0",
        "XDEL s 1-1",
        "XCLAIM s g d 0 1-1 1-2",
        "XAUTOCLAIM t g d 0 0",
        "XACK t g 1-1",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        run(fixture, requests[i]);
        silent->writer.out = NULL;
        run(silent, requests[i]);
        assert_int_equal(silent->reply.len, 1); /* what run() adds */
    }
    assert_int_equal(keyspace_sum(silent->context.keyspace),
                     keyspace_sum(fixture->context.keyspace));
    fixture_free(fixture);
    fixture_free(silent);
}

static size_t work_of(struct fixture *fixture, const char *request)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(request, args);
    const struct command *command = command_find(fixture->table, args, argc);
    return command->work ? command->work(fixture->context.keyspace, args, argc) : 0;
}

static void test_commands_that_may_look_at_everything_say_so(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "XGROUP CREATE s g 0 MKSTREAM");
    for (int i = 1; i <= 1000; i++) {
        char request[64];
        sprintf(request, "XADD s %d-1 a 1", i);
        run(fixture, request);
    }
    run(fixture, "XREADGROUP GROUP g c STREAMS s >");
    run(fixture, "SET k 1");
    static const char *const long_ones[] = {
        "XRANGE s - +",
        "XREVRANGE s + - COUNT 100000",
        "XTRIM s MAXLEN 0",
        "XREAD STREAMS k s 0 0",
        "XREADGROUP GROUP g c STREAMS s 0",
        "XGROUP DESTROY s g",
        "XGROUP DELCONSUMER s g c",
        "XPENDING s g IDLE 9 - + 9",
        "XAUTOCLAIM s g c 0 0 COUNT 100000",
        "XINFO STREAM s FULL COUNT 0",
    };
    static const char *const short_ones[] = {
        "XRANGE s - + COUNT 10",     "XRANGE nothing - +",   "XRANGE k - +",
        "XREAD COUNT 5 STREAMS s 0", "XREAD STREAMS k 0",    "XGROUP DESTROY s nothing",
        "XPENDING s g - + 9",        "XAUTOCLAIM s g c 0 0", "XAUTOCLAIM s g c 0 0 COUNT 5",
        "XINFO STREAM s FULL",       "XINFO STREAM s",       "XADD s 2000-1 a 1",
    };
    for (size_t i = 0; i < sizeof(long_ones) / sizeof(long_ones[0]); i++)
        assert_in_range(work_of(fixture, long_ones[i]), 5000, 200000);
    for (size_t i = 0; i < sizeof(short_ones) / sizeof(short_ones[0]); i++)
        assert_int_equal(work_of(fixture, short_ones[i]), 0);
    fixture_free(fixture);
}

static const char *draw(struct prng *prng, const char *const *from, size_t count)
{
    return from[prng_below(prng, count)];
}

/* Fills in the marks of a request: # a small number, @ an ID, ? a group, ! a consumer. */
static void fill_in(struct prng *prng, const char *pattern, char *request)
{
    static const char *const groups[] = {"g", "h"};
    static const char *const consumers[] = {"alice", "bob", "carol"};
    for (; *pattern; pattern++) {
        if (*pattern == '#')
            request += sprintf(request, "%d", (int)prng_below(prng, 12));
        else if (*pattern == '@')
            request +=
                sprintf(request, "%d-%d", (int)prng_below(prng, 600), (int)prng_below(prng, 4));
        else if (*pattern == '?')
            request += sprintf(request, "%s", draw(prng, groups, 2));
        else if (*pattern == '!')
            request += sprintf(request, "%s", draw(prng, consumers, 3));
        else
            *request++ = *pattern;
    }
    *request = '\0';
}

/* Nodes whose configurations differ reply alike and hold the same. */
static void test_nodes_with_other_rules_agree(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "XADD s * a # b 'some text'",
        "XADD s * a #",
        "XADD s MAXLEN ~ # * c 1 d #",
        "XADD s MAXLEN 20# * c 1",
        "XADD s MINID ~ @ * c 1",
        "XADD s @ e 5",
        "XDEL s @ @ @",
        "XTRIM s MAXLEN ~ 11#",
        "XTRIM s MINID @",
        "XRANGE s @ @",
        "XREVRANGE s + @ COUNT #",
        "XREAD COUNT # STREAMS s @",
        "XREADGROUP GROUP ? ! COUNT # STREAMS s >",
        "XREADGROUP GROUP ? ! STREAMS s @",
        "XACK s ? @ @ @ @",
        "XPENDING s ?",
        "XPENDING s ? IDLE # - + 5",
        "XCLAIM s ? ! # @ @ @",
        "XAUTOCLAIM s ? ! # @ COUNT 5",
        "XAUTOCLAIM s ? ! 0 -",
        "XINFO STREAM s",
        "XINFO STREAM s FULL COUNT #",
        "XINFO GROUPS s",
        "XINFO CONSUMERS s ?",
        "XGROUP SETID s ? @",
        "XGROUP CREATE s ? 0 MKSTREAM",
        "XGROUP DELCONSUMER s ? !",
    };
    enum { NODES = 3 };
    static const size_t limits[NODES] = {100, 3, 0};
    struct fixture *nodes[NODES];
    struct prng prng;
    prng_init(&prng, 3);
    for (int i = 0; i < NODES; i++) {
        struct value_rules rules = value_rules_default;
        nodes[i] = fixture_new();
        rules.stream_node_entries = limits[i];
        keyspace_set_rules(nodes[i]->context.keyspace, &rules);
        nodes[i]->context.now_ms = 1;
        run(nodes[i], "XGROUP CREATE s g 0 MKSTREAM");
        run(nodes[i], "XGROUP CREATE s h 0");
    }
    for (int step = 0; step < 5000; step++) {
        char request[200];
        size_t choice = prng_below(&prng, sizeof(patterns) / sizeof(patterns[0]));
        fill_in(&prng, patterns[step % 3 ? choice : 0], request);
        for (int i = 0; i < NODES; i++)
            nodes[i]->context.now_ms += step % 5 == 0;
        const char *reply = run(nodes[0], request);
        for (int i = 0; i < NODES; i++) {
            if (i > 0)
                assert_string_equal(run(nodes[i], request), reply);
            assert_int_equal(keyspace_sum(nodes[i]->context.keyspace),
                             keyspace_sum(nodes[0]->context.keyspace));
        }
    }
    uint64_t sum = keyspace_sum(nodes[0]->context.keyspace);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(keyspace_sum_by_walk(nodes[i]->context.keyspace), sum);
        fixture_free(nodes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_ids_come_from_the_time),
        cmocka_unit_test(test_about_trimming_does_not_depend_on_nodes),
        cmocka_unit_test(test_about_trimming_has_a_limit),
        cmocka_unit_test(test_consumers_are_seen_and_active),
        cmocka_unit_test(test_who_gets_entries_is_active),
        cmocka_unit_test(test_full_info_has_times),
        cmocka_unit_test(test_times_do_not_go_below_zero),
        cmocka_unit_test(test_times_of_any_size),
        cmocka_unit_test(test_what_is_read_is_a_change_only_if_it_is_one),
        cmocka_unit_test(test_waiting_with_fixed_ids),
        cmocka_unit_test(test_a_follower_writes_no_reply),
        cmocka_unit_test(test_commands_that_may_look_at_everything_say_so),
        cmocka_unit_test(test_nodes_with_other_rules_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
