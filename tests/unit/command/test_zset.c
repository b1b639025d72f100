/* What compat cannot show of sorted sets, and of lists. */
#include <stdio.h>

#include "unit/command/exchange.h"

/* A packed set could not tell -0 from 0, so there is none in any form. */
static void test_a_negative_zero_is_zero(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"ZADD z -0 a", ":1\r\n"},
        {"ZSCORE z a", "$1\r\n0\r\n"},
        {"ZADD z 1 "
         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
         ":1\r\n"},
        {"OBJECT ENCODING z", "$8\r\nskiplist\r\n"},
        {"ZSCORE z a", "$1\r\n0\r\n"},
        {"ZADD z CH -0 a", ":0\r\n"},
        {"ZINCRBY z -1 a", "$2\r\n-1\r\n"},
        {"ZUNION 1 z WEIGHTS -0 WITHSCORES",
         "*4\r\n$1\r\na\r\n$1\r\n0\r\n$80\r\n"
         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
         "$1\r\n0\r\n"},
    };
    check_exchanges(exchanges);
}

static void add_members(struct fixture *fixture, int count)
{
    char request[64];
    for (int i = 0; i < count; i++) {
        snprintf(request, sizeof(request), "ZADD z %d member%d", i, i);
        run(fixture, request);
    }
}

/* Marks the members of a reply. */
static void mark(const char *reply, char *seen, int count)
{
    for (const char *at = reply; (at = strstr(at, "member")) != NULL; at++) {
        int number = atoi(at + 6);
        assert_in_range(number, 0, count - 1);
        seen[number]++;
    }
}

static void test_a_scan_meets_every_member_once(void **state)
{
    (void)state;
    static const int counts[] = {128, 129, 500};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct fixture *fixture = fixture_new();
        add_members(fixture, counts[i]);
        char seen[500] = {0}, request[64];
        unsigned long cursor = 0;
        int calls = 0;
        do {
            snprintf(request, sizeof(request), "ZSCAN z %lu COUNT 50", cursor);
            const char *reply = run(fixture, request);
            cursor = strtoul(strstr(reply, "\r\n") + 2 + strcspn(strstr(reply, "\r\n") + 2, "\n"),
                             NULL, 10);
            mark(reply, seen, counts[i]);
            calls++;
        } while (cursor);
        for (int j = 0; j < counts[i]; j++)
            assert_int_equal(seen[j], 1);
        assert_int_equal(calls, counts[i] <= 128 ? 1 : (counts[i] + 49) / 50);
        fixture_free(fixture);
    }
}

static void test_members_at_random_are_different_ones(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    add_members(fixture, 300);
    static const int wanted[] = {1, 20, 150, 299, 300, 1000};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        char seen[300] = {0}, request[64];
        snprintf(request, sizeof(request), "ZRANDMEMBER z %d", wanted[i]);
        mark(run(fixture, request), seen, 300);
        int sum = 0;
        for (int j = 0; j < 300; j++) {
            assert_in_range(seen[j], 0, 1);
            sum += seen[j];
        }
        assert_int_equal(sum, wanted[i] < 300 ? wanted[i] : 300);
    }
    assert_string_equal(run(fixture, "ZRANDMEMBER z -9000000000000"),
                        "-ERR value is out of range\r\n");
    fixture_free(fixture);
}

static size_t work_of(struct fixture *fixture, const char *request)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(request, args);
    const struct command *command = command_find(fixture->table, args, argc);
    return command->work ? command->work(fixture->context.keyspace, args, argc) : 0;
}

static void test_long_commands_are_announced(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        size_t work;
    } cases[] = {
        {"ZREMRANGEBYRANK z 0 99", 3200},
        {"ZREMRANGEBYRANK z x 99", 0},
        {"ZREMRANGEBYRANK l 0 99", 0},
        {"ZREMRANGEBYSCORE z (0 50", 1600},
        {"ZREMRANGEBYSCORE z x 50", 0},
        {"ZREMRANGEBYLEX z - +", 6400},
        {"ZREMRANGEBYLEX z x +", 0},
        {"ZREMRANGEBYLEX nothing - +", 0},
        {"ZPOPMIN z 10", 320},
        {"ZPOPMAX z 100000", 6400},
        {"ZPOPMAX z -1", 0},
        {"ZPOPMIN z", 0},
        {"ZUNIONSTORE d 2 z z", 12800},
        {"ZUNIONSTORE d 3 z z", 12800},
        {"ZUNIONSTORE d x z z", 0},
        {"ZINTER 1 z", 6400},
        {"ZRANGESTORE d z 0 9", 320},
        {"ZRANGESTORE d z 0 (inf BYSCORE LIMIT 0 5", 160},
        {"ZRANGESTORE d z 0 9 WHAT", 0},
        {"ZRANGESTORE d nothing 0 9", 0},
        {"ZMPOP 2 nothing z MIN COUNT 10", 320},
        {"ZMPOP 1 z MAX", 32},
        {"ZMPOP 1 z MAX COUNT x", 0},
        {"ZMPOP 1 l MIN COUNT 10", 0},
        {"BZMPOP 0 2 nothing z MIN COUNT 100000", 6400},
        {"GEOSEARCH g FROMLONLAT 10 50 BYRADIUS 1 km", 128},
        {"GEOSEARCH g FROMMEMBER a BYBOX 1 1 km COUNT 1", 128},
        {"GEOSEARCH g FROMMEMBER c BYRADIUS 1 km", 64},
        {"GEOSEARCH g FROMMEMBER none BYRADIUS 1 km", 0},
        {"GEOSEARCH l FROMLONLAT 10 50 BYRADIUS 1 km", 0},
        {"GEOSEARCH g FROMLONLAT 10 50 BYRADIUS -1 km", 0},
        {"GEOSEARCHSTORE d g FROMLONLAT 10 50 BYRADIUS 1 km", 128},
        {"GEORADIUS g 10 50 1 km STORE d", 128},
        {"GEORADIUS_RO g 10 50 1 km", 128},
        {"GEORADIUSBYMEMBER g c 1 km STORE d", 64},
        {"GEORADIUSBYMEMBER_RO g c 1 km", 64},
        {"LREM l 0 x", 3},
        {"LINSERT l BEFORE a x", 3},
        {"LPOS z a", 0},
        {"LTRIM l 0 1", 0},
    };
    struct fixture *fixture = fixture_new();
    add_members(fixture, 200);
    run(fixture, "RPUSH l a b c");
    run(fixture, "GEOADD g 10 50 a 10.001 50 b 100 -50 c");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t work = work_of(fixture, cases[i].request);
        if (work != cases[i].work)
            fail_msg("%s: %zu", cases[i].request, work);
    }
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_negative_zero_is_zero),
        cmocka_unit_test(test_a_scan_meets_every_member_once),
        cmocka_unit_test(test_members_at_random_are_different_ones),
        cmocka_unit_test(test_long_commands_are_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
