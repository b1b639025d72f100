/* Sets, choices at random, and that nodes whose values have other forms answer alike. */
#include <stdio.h>

#include "command/sample.h"
#include "keyspace/value.h"
#include "unit/command/exchange.h"

static void check(struct fixture *fixture, const char *request, const char *reply)
{
    const char *got = run(fixture, request);
    if (strcmp(got, reply) != 0)
        print_error("%s\n", request);
    assert_string_equal(got, reply);
    const struct keyspace *keyspace = fixture->context.keyspace;
    assert_true(keyspace_sum(keyspace) == keyspace_sum_by_walk(keyspace));
}

static void add_numbers(struct fixture *fixture, const char *key, int count)
{
    char request[100];
    for (int i = 0; i < count; i++) {
        snprintf(request, sizeof(request), "SADD %s %d", key, i);
        check(fixture, request, ":1\r\n");
    }
}

static void test_members_come_in_order_of_insertion(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SADD s 3 1 2", ":3\r\n"},
        {"SMEMBERS s", "*3\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n"},
        {"SADD t 2 9 3", ":3\r\n"},
        {"SADD u 9 8 3 2 7", ":5\r\n"},
        {"SINTER s t", "*2\r\n$1\r\n3\r\n$1\r\n2\r\n"},
        {"SINTER t s", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"},
        {"SINTER u t", "*3\r\n$1\r\n2\r\n$1\r\n9\r\n$1\r\n3\r\n"}, /* that of the smaller one */
        {"SUNION s t", "*4\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n9\r\n"},
        {"SDIFF u s", "*3\r\n$1\r\n9\r\n$1\r\n8\r\n$1\r\n7\r\n"},
        {"SDIFF u s t none s", "*2\r\n$1\r\n8\r\n$1\r\n7\r\n"},
        {"SUNIONSTORE v s t", ":4\r\n"},
        {"SMEMBERS v", "*4\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n9\r\n"},
        {"SREM v 1", ":1\r\n"},
        {"SADD v 1", ":1\r\n"},
        {"SMEMBERS v", "*4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n9\r\n$1\r\n1\r\n"},
    };
    check_exchanges(exchanges);
}

/* Few other sets are searched one by one, many small ones are united before. */
static void test_differences_of_few_and_of_many_sets_are_the_same(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    add_numbers(fixture, "large", 300);
    check(fixture, "SADD a 0 1 2 500", ":4\r\n");
    check(fixture, "SADD b 2 3 4", ":3\r\n");
    check(fixture, "SADD c 297 298 299 5", ":4\r\n");
    check(fixture, "SDIFFSTORE d large a", ":297\r\n");
    check(fixture, "SDIFFSTORE d d b", ":295\r\n");
    check(fixture, "SDIFFSTORE d d c", ":291\r\n");
    check(fixture, "SDIFFSTORE e large a none b c", ":291\r\n");
    char *one_by_one = strdup(run(fixture, "SMEMBERS d"));
    check(fixture, "SMEMBERS e", one_by_one);
    check(fixture, "SDIFF large none a b c", one_by_one);
    free(one_by_one);
    check(fixture, "SDIFF large a large b", "*0\r\n");
    fixture_free(fixture);
}

static void test_dirty_counts_changes(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint64_t dirty;
    } steps[] = {
        {"SADD s a b a", 2},      {"SADD s a", 0},          {"SREM s a z", 1},
        {"SREM s z", 0},          {"SADD s c d e f", 4},    {"SPOP s", 1},
        {"SPOP s 2", 2},          {"SPOP s 0", 0},          {"SMOVE s t nothing", 0},
        {"SPOP s 9", 2},          {"SADD s a", 1},          {"SMOVE s t a", 2},
        {"SADD s a", 1},          {"SMOVE s t a", 1},       {"SUNIONSTORE u t", 1},
        {"SINTERSTORE u z t", 1}, {"SINTERSTORE u z t", 0}, {"SDIFFSTORE u t", 1},
        {"SINTER t u", 0},        {"SRANDMEMBER t", 0},     {"SSCAN t 0", 0},
    };
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint64_t before = fixture->context.dirty;
        run(fixture, steps[i].request);
        if (fixture->context.dirty - before != steps[i].dirty)
            print_error("%s\n", steps[i].request);
        assert_int_equal(fixture->context.dirty - before, steps[i].dirty);
    }
    fixture_free(fixture);
}

static void test_a_scan_passes_over_a_large_set_in_steps(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    add_numbers(fixture, "s", 600);
    check(fixture, "SSCAN s 0 COUNT 1", "*2\r\n$3\r\n599\r\n*1\r\n$3\r\n599\r\n");
    check(fixture, "SSCAN s 3", "*2\r\n$1\r\n0\r\n*3\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n0\r\n");
    check(fixture, "SSCAN s 3 COUNT 2", "*2\r\n$1\r\n1\r\n*2\r\n$1\r\n2\r\n$1\r\n1\r\n");
    check(fixture, "SSCAN s 0 COUNT 20 MATCH 5*9",
          "*2\r\n$3\r\n580\r\n*2\r\n$3\r\n599\r\n$3\r\n589\r\n");
    fixture_free(fixture);
}

static void test_one_call_of_a_scan_looks_at_so_many_members_at_most(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    char request[100];
    for (int i = 0; i < 50100; i++) {
        snprintf(request, sizeof(request), "SADD s %d", i);
        run(fixture, request);
    }
    check(fixture, "SSCAN s 0 COUNT 9223372036854775807 MATCH 50099",
          "*2\r\n$3\r\n100\r\n*1\r\n$5\r\n50099\r\n");
    fixture_free(fixture);
}

static void test_a_refused_move_changes_nothing(void **state)
{
    (void)state;
    static const char error[] =
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    struct fixture *fixture = fixture_new();
    check(fixture, "SADD s a b", ":2\r\n");
    check(fixture, "SET string x", "+OK\r\n");
    uint64_t digest = keyspace_digest(fixture->context.keyspace);
    check(fixture, "SMOVE s string a", error);
    check(fixture, "SMOVE s string z", error);
    check(fixture, "SMOVE string s a", error);
    check(fixture, "SMOVE s none z", ":0\r\n");
    check(fixture, "SMOVE s s a", ":1\r\n");
    assert_true(keyspace_digest(fixture->context.keyspace) == digest);
    check(fixture, "SPOP s 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"); /* all: in their order */
    fixture_free(fixture);
}

/* A few bytes of a request get no reply of gigabytes. */
static void test_repeated_choices_have_a_bound(void **state)
{
    (void)state;
    static const char error[] = "-ERR value is out of range\r\n";
    struct fixture *fixture = fixture_new();
    check(fixture, "SADD s a", ":1\r\n");
    check(fixture, "HSET h a b", ":1\r\n");
    check(fixture, "SRANDMEMBER s -1000001", error);
    check(fixture, "SRANDMEMBER s -9223372036854775807", error);
    check(fixture, "HRANDFIELD h -1000001", error);
    check(fixture, "HRANDFIELD h -1000001 WITHVALUES", error);
    char *member = malloc(600);
    memset(member, 'x', 599);
    member[599] = '\0';
    char request[700];
    snprintf(request, sizeof(request), "SADD long %s", member);
    check(fixture, request, ":1\r\n");
    check(fixture, "SRANDMEMBER long -1000000", error);
    struct prng before = fixture->prng;
    assert_int_equal(strncmp(run(fixture, "SRANDMEMBER long -2000"), "*2000\r\n", 7), 0);
    assert_true(memcmp(&before, &fixture->prng, sizeof(before)) != 0);
    free(member);
    fixture_free(fixture);
}

/* Choosing. */

static void check_different(uint64_t size, int64_t count)
{
    struct prng prng;
    prng_init(&prng, size * 1000 + (uint64_t)count);
    struct sample sample;
    bool *drawn = calloc(size + 1, 1);
    sample_begin(&sample, &prng, size, count);
    uint64_t expected = (uint64_t)count < size ? (uint64_t)count : size;
    assert_int_equal(sample.left, expected);
    uint64_t got = 0;
    for (size_t position; sample_next(&sample, &position); got++) {
        assert_true(position < size && !drawn[position]);
        drawn[position] = true;
    }
    assert_int_equal(got, expected);
    sample_end(&sample);
    free(drawn);
}

static void test_a_sample_has_so_many_different_positions(void **state)
{
    (void)state;
    for (uint64_t size = 0; size < 40; size++)
        for (int64_t count = 0; count < 45; count++)
            check_different(size, count);
    check_different(100000, 5);
    check_different(100000, 30000);
    check_different(100000, 60000);
    check_different(100000, INT64_MAX);
}

static void test_each_position_has_the_same_chance(void **state)
{
    (void)state;
    enum { SIZE = 20, ROUNDS = 20000 };
    static const int64_t counts[] = {3, 6, 7, 15, 19, -5};
    struct prng prng;
    prng_init(&prng, 3);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int times[SIZE] = {0};
        for (int round = 0; round < ROUNDS; round++) {
            struct sample sample;
            sample_begin(&sample, &prng, SIZE, counts[i]);
            for (size_t position; sample_next(&sample, &position);)
                times[position]++;
            sample_end(&sample);
        }
        int expected = (int)llabs(counts[i]) * ROUNDS / SIZE;
        for (int at = 0; at < SIZE; at++)
            assert_in_range(times[at], expected - expected / 10, expected + expected / 10);
    }
}

static void test_spop_takes_each_member_with_the_same_chance(void **state)
{
    (void)state;
    enum { SIZE = 8, ROUNDS = 4000 };
    struct fixture *fixture = fixture_new();
    int times[SIZE] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        add_numbers(fixture, "s", SIZE);
        times[run(fixture, "SPOP s")[4] - '0']++;
        const char *two = run(fixture, "SPOP s 2");
        times[two[8] - '0']++;
        times[two[15] - '0']++;
        run(fixture, "DEL s");
    }
    for (int at = 0; at < SIZE; at++)
        assert_in_range(times[at], 3 * ROUNDS / SIZE * 9 / 10, 3 * ROUNDS / SIZE * 11 / 10);
    fixture_free(fixture);
}

/* Nodes with other thresholds. */

enum { NODES = 3 };

static void set_rules(struct fixture *fixture, int node)
{
    struct value_rules rules = value_rules_default;
    static const size_t sizes[NODES] = {0, 4, 100000};
    if (node == 0)
        return;
    rules.hash_packed_entries = rules.set_packed_entries = rules.set_intset_entries = sizes[node];
    rules.hash_packed_value = rules.set_packed_value = node == 1 ? 5 : 1000;
    keyspace_set_rules(fixture->context.keyspace, &rules);
}

/* @k, @m and @n are drawn: a key, a member, a number. */
static const char *const patterns[] = {
    "SADD @k @m @m @m",
    "SADD @k @m",
    "SREM @k @m",
    "SPOP @k",
    "SPOP @k @n",
    "SRANDMEMBER @k @n",
    "SRANDMEMBER @k -@n",
    "SMOVE @k @k @m",
    "SUNIONSTORE @k @k @k",
    "SINTERSTORE @k @k @k",
    "SDIFFSTORE @k @k @k",
    "SINTER @k @k",
    "SUNION @k @k @k",
    "SDIFF @k @k @k @k",
    "SMEMBERS @k",
    "SMISMEMBER @k @m @m",
    "DEL @k",
    "COPY @k @k REPLACE",
    "RENAME @k @k",
    "HSET h@k @m @m @m @n",
    "HSET h@k @m @m",
    "HDEL h@k @m @m",
    "HINCRBY h@k @m @n",
    "HGETALL h@k",
    "HRANDFIELD h@k @n WITHVALUES",
    "HRANDFIELD h@k -@n",
    "HPEXPIRE h@k @n FIELDS 2 @m @m",
    "HPERSIST h@k FIELDS 1 @m",
    "HSETEX h@k PX @n FIELDS 1 @m @m",
    "HGETDEL h@k FIELDS 1 @m",
    "HPEXPIRETIME h@k FIELDS 2 @m @m",
    "HLEN h@k",
    "COPY h@k h@k REPLACE",
};

static void draw(struct prng *prng, bool many, char request[300])
{
    const char *pattern = patterns[prng_below(prng, sizeof(patterns) / sizeof(patterns[0]))];
    if (many && prng_below(prng, 2))
        pattern = prng_below(prng, 2) ? patterns[0] : patterns[19];
    char *out = request;
    for (; *pattern; pattern++) {
        if (*pattern != '@') {
            *out++ = *pattern;
            continue;
        }
        unsigned id = (unsigned)prng_below(prng, 400);
        pattern++;
        if (*pattern == 'k')
            out += sprintf(out, "%c", (char)('a' + id % 4));
        else if (*pattern == 'm')
            out += sprintf(out, id % 3 ? "%u" : id % 2 ? "text%u" : "a-longer-text-%u", id);
        else
            out += sprintf(out, "%u", id % 40);
    }
    *out = '\0';
}

static void play(uint64_t seed)
{
    struct fixture *nodes[NODES];
    struct prng prng;
    prng_init(&prng, seed);
    for (int i = 0; i < NODES; i++) {
        nodes[i] = fixture_new();
        set_rules(nodes[i], i);
    }
    for (int step = 0; step < 2500; step++) {
        char request[300];
        draw(&prng, step / 500 % 2 == 0, request);
        char *reply = strdup(run(nodes[0], request));
        for (int i = 1; i < NODES; i++)
            check(nodes[i], request, reply);
        free(reply);
        int64_t now_ms = nodes[0]->context.now_ms += (int64_t)prng_below(&prng, 3);
        size_t limit = prng_below(&prng, 3);
        for (int i = 0; i < NODES; i++) {
            nodes[i]->context.now_ms = now_ms;
            keyspace_remove_expired(nodes[i]->context.keyspace, now_ms, limit, 9999999);
        }
        for (int i = 1; i < NODES && step % 20 == 0; i++)
            assert_true(keyspace_digest(nodes[i]->context.keyspace) ==
                        keyspace_digest(nodes[0]->context.keyspace));
    }
    for (int i = 0; i < NODES; i++)
        fixture_free(nodes[i]);
}

static void test_nodes_with_other_thresholds_stay_equal(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        play(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_come_in_order_of_insertion),
        cmocka_unit_test(test_differences_of_few_and_of_many_sets_are_the_same),
        cmocka_unit_test(test_dirty_counts_changes),
        cmocka_unit_test(test_a_scan_passes_over_a_large_set_in_steps),
        cmocka_unit_test(test_one_call_of_a_scan_looks_at_so_many_members_at_most),
        cmocka_unit_test(test_a_refused_move_changes_nothing),
        cmocka_unit_test(test_repeated_choices_have_a_bound),
        cmocka_unit_test(test_a_sample_has_so_many_different_positions),
        cmocka_unit_test(test_each_position_has_the_same_chance),
        cmocka_unit_test(test_spop_takes_each_member_with_the_same_chance),
        cmocka_unit_test(test_nodes_with_other_thresholds_stay_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
