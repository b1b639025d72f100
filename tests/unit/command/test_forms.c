/* Nodes may keep a value in different forms, by their configuration and by how they came to it. The
 * same commands have to give the same replies and the same sums on all of them. */
#include <stdio.h>

#include "keyspace/rdb.h"
#include "keyspace/value.h"
#include "unit/command/exchange.h"

enum { NODES = 4, LOADED = 3, ARGS_MAX = 64, TEXT_MAX = 400 };

struct nodes {
    struct fixture *node[NODES];
    struct prng prng;
    char text[ARGS_MAX][TEXT_MAX];
    struct span args[ARGS_MAX];
    size_t argc;
};

static void set_rules(struct databases *databases, int node)
{
    struct value_rules rules = value_rules_default;
    if (node == 1) {
        rules.hash_packed_entries = rules.hash_packed_value = 0;
        rules.set_intset_entries = rules.set_packed_entries = 0;
        rules.zset_packed_entries = 0;
        rules.list_packed_size = 2;
    } else if (node == 2) {
        rules.hash_packed_entries = rules.hash_packed_value = 7;
        rules.set_intset_entries = rules.set_packed_entries = 9;
        rules.zset_packed_entries = 20;
        rules.zset_packed_value = 4;
        rules.list_packed_size = -5;
    }
    databases_set_rules(databases, &rules);
}

static void nodes_begin(struct nodes *nodes, uint64_t seed)
{
    memset(nodes, 0, sizeof(*nodes));
    prng_init(&nodes->prng, seed);
    for (int i = 0; i < NODES; i++) {
        nodes->node[i] = fixture_new();
        databases_free(nodes->node[i]->context.databases);
        nodes->node[i]->context.databases = databases_new(seed + (uint64_t)i);
        command_select(&nodes->node[i]->context, 0);
        nodes->node[i]->writer.protocol = 3;
        set_rules(nodes->node[i]->context.databases, i);
    }
}

static void nodes_end(struct nodes *nodes)
{
    for (int i = 0; i < NODES; i++)
        fixture_free(nodes->node[i]);
}

/* The last node gets the first one's keys from a file. */
static void load(struct nodes *nodes)
{
    static struct rdb_writer writer;
    struct fixture *to = nodes->node[LOADED];
    struct buf file = {0};
    rdb_writer_init(&writer, nodes->node[0]->context.databases, NULL, 0, NULL);
    while (rdb_writer_next(&writer, &file))
        continue;
    databases_free(to->context.databases);
    to->context.databases = databases_new(99);
    set_rules(to->context.databases, 2);
    command_select(&to->context, 0);
    struct rdb_reader *reader = rdb_reader_new(to->context.databases, NULL);
    assert_int_equal(rdb_reader_feed(reader, buf_span(&file)), RDB_DONE);
    rdb_reader_free(reader);
    buf_close(&file);
    to->context.revision = nodes->node[0]->context.revision;
}

static void add(struct nodes *nodes, const char *text)
{
    assert_true(nodes->argc < ARGS_MAX);
    char *copy = nodes->text[nodes->argc];
    int len = snprintf(copy, TEXT_MAX, "%s", text);
    assert_true(len >= 0 && len < TEXT_MAX);
    nodes->args[nodes->argc++] = span_of(copy, (size_t)len);
}

static int below(struct nodes *nodes, int bound)
{
    return (int)prng_below(&nodes->prng, (uint64_t)bound);
}

static void add_number(struct nodes *nodes, int from, int to)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", from + below(nodes, to - from));
    add(nodes, text);
}

/* Numbers, short and sometimes long texts. */
static void add_element(struct nodes *nodes, int kinds)
{
    char text[TEXT_MAX] = "";
    int kind = below(nodes, kinds), form = below(nodes, 40);
    if (form == 0)
        snprintf(text, sizeof(text), "%0*d", 70 + kind % 200, kind);
    else
        snprintf(text, sizeof(text), "%s%d", form % 4 ? "e" : "", kind);
    add(nodes, text);
}

/* A command with placeholders:
 *   K a key of the command's type     E an element, E* some     S a score
 *   N a number from 0 to 12           R one from -9 to 9        L an end of a range of members
 *   W a pair of score and member      P a field with a value */
static void add_word(struct nodes *nodes, const char *word, char type)
{
    static const char *const scores[] = {"0", "-0", "1", "2", "3", "2.5", "inf", "-inf", "1e9"};
    char text[TEXT_MAX];
    switch (strlen(word) == 1 ? *word : 0) {
    case 'K':
        snprintf(text, sizeof(text), "%c%d", type, below(nodes, 3));
        add(nodes, text);
        break;
    case 'E':
        add_element(nodes, 300);
        break;
    case 'S':
        add(nodes, scores[below(nodes, 9)]);
        break;
    case 'N':
        add_number(nodes, 0, 13);
        break;
    case 'R':
        add_number(nodes, -9, 10);
        break;
    case 'L':
        snprintf(text, sizeof(text), "%se%d", below(nodes, 2) ? "[" : "(", below(nodes, 300));
        add(nodes, text);
        break;
    case 'W':
        for (int i = below(nodes, 20); i >= 0; i--) {
            add_word(nodes, "S", type);
            add_element(nodes, 300);
        }
        break;
    case 'P':
        for (int i = below(nodes, 20) + 1; i >= 0; i--)
            add_element(nodes, 300);
        if (nodes->argc % 2)
            add_element(nodes, 300);
        break;
    default:
        if (strcmp(word, "E*") == 0)
            for (int i = below(nodes, 30); i >= 0; i--)
                add_element(nodes, 300);
        else
            add(nodes, word);
    }
}

static void make_command(struct nodes *nodes, const char *pattern)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", pattern + 2);
    nodes->argc = 0;
    char *rest = copy;
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;)
        add_word(nodes, word, pattern[0]);
}

/* The type, then the command. What shrinks comes up less often than what grows. */
static const char *const patterns[] = {
    "l RPUSH K E*",
    "l LPUSH K E*",
    "l RPUSH K E*",
    "l LPOP K N",
    "l RPOP K N",
    "l LSET K R E",
    "l LINSERT K BEFORE E E",
    "l LINSERT K AFTER E E",
    "l LREM K R E",
    "l LRANGE K R R",
    "l LINDEX K R",
    "l LPOS K E RANK -1 COUNT 0",
    "l LTRIM K 1 -2",
    "l LMOVE K K LEFT RIGHT",
    "l LMPOP 2 K K RIGHT COUNT N",
    "l COPY K K REPLACE",
    "z ZADD K W",
    "z ZADD K CH W",
    "z ZADD K GT W",
    "z ZADD K INCR S E",
    "z ZREM K E E E",
    "z ZINCRBY K S E",
    "z ZPOPMIN K N",
    "z ZMPOP 2 K K MAX COUNT N",
    "z ZREMRANGEBYRANK K R 3",
    "z ZREMRANGEBYSCORE K 3 4",
    "z ZREMRANGEBYLEX K L L", /* the scores differ: what goes means nothing, but has to be one */
    "z ZLEXCOUNT K L L",
    "z ZRANGE K R R WITHSCORES",
    "z ZRANGE K 0 -1 WITHSCORES",
    "z ZREVRANGEBYSCORE K S S LIMIT 1 N",
    "z ZRANK K E",
    "z ZSCAN K 0 COUNT N",
    "z ZSCAN K 55 COUNT N",
    "z ZRANDMEMBER K N WITHSCORES",
    "z ZRANDMEMBER K R",
    "z ZUNIONSTORE K 2 K K",
    "z ZINTERSTORE K 2 K K AGGREGATE MAX",
    "z ZDIFFSTORE K 2 K K",
    "z ZUNION 3 K K s1 WITHSCORES",
    "z ZRANGESTORE K K 0 200",
    "z COPY K K REPLACE",
    "s SADD K E*",
    "s SADD K E*",
    "s SREM K E E E",
    "s SMEMBERS K",
    "s SPOP K N",
    "s SRANDMEMBER K R",
    "s SUNIONSTORE K K K",
    "s SINTERSTORE K K K",
    "s SDIFF K K",
    "s SMOVE K K E",
    "s SSCAN K 0 COUNT N",
    "s SSCAN K 55 COUNT N",
    "h HSCAN K 0 COUNT N",
    "h HSCAN K 55 COUNT N",
    "h HSET K P",
    "h HDEL K E E E",
    "h HGETALL K",
    "h HRANDFIELD K N WITHVALUES",
    "h HINCRBY K E N",
    "h COPY K K REPLACE",
};

static void run_everywhere(struct nodes *nodes, const char *pattern)
{
    uint64_t seed = prng_next(&nodes->prng);
    make_command(nodes, pattern);
    const struct command *command = command_find(nodes->node[0]->table, nodes->args, nodes->argc);
    assert_non_null(command);
    for (int i = 0; i < NODES; i++) {
        struct fixture *node = nodes->node[i];
        node->reply.len = 0;
        node->context.revision++;
        prng_init(&node->prng, seed);
        command->run(&node->context, nodes->args, nodes->argc);
        if (!span_equal(buf_span(&node->reply), buf_span(&nodes->node[0]->reply)) ||
            keyspace_sum(node->context.keyspace) !=
                keyspace_sum(nodes->node[0]->context.keyspace)) {
            fail_msg("node %d differs after: %s", i, pattern);
        }
    }
}

static void play(uint64_t seed, int steps)
{
    static struct nodes nodes;
    nodes_begin(&nodes, seed);
    for (int i = 0; i < steps; i++) {
        if (i % 300 == 0)
            load(&nodes);
        run_everywhere(&nodes, patterns[below(&nodes, sizeof(patterns) / sizeof(patterns[0]))]);
        if (i % 100 == 0)
            for (int j = 0; j < NODES; j++)
                assert_int_equal(keyspace_sum(nodes.node[j]->context.keyspace),
                                 keyspace_sum_by_walk(nodes.node[j]->context.keyspace));
    }
    nodes_end(&nodes);
}

static void test_forms_make_no_difference(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        play(seed, 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
