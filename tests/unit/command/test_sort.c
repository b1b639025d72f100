/* What tests/compat cannot show of SORT and of searches for points. */
#include <stdio.h>
#include <string.h>

#include "unit/command/exchange.h"

static void runf(struct fixture *fixture, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void runf(struct fixture *fixture, const char *format, ...)
{
    char request[256];
    va_list args;
    va_start(args, format);
    vsnprintf(request, sizeof(request), format, args);
    va_end(args);
    run(fixture, request);
}

/* The bulk strings of an array, one after the other. */
struct texts {
    char text[400][32];
    size_t count;
};

static void read_texts(const char *reply, struct texts *texts)
{
    texts->count = 0;
    assert_int_equal(*reply, '*');
    for (const char *at = strchr(reply, '\n') + 1; *at;) {
        size_t len = strtoul(at + 1, NULL, 10);
        at = strchr(at, '\n') + 1;
        assert_true(len < sizeof(texts->text[0]) && texts->count < 400);
        memcpy(texts->text[texts->count], at, len);
        texts->text[texts->count++][len] = '\0';
        at += len + 2;
    }
}

/* `part` is what the whole result has from `from` on. */
static void check_part(struct fixture *fixture, const char *whole, const char *part, size_t from,
                       size_t count)
{
    static struct texts all;
    static struct texts some;
    read_texts(run(fixture, whole), &all);
    read_texts(run(fixture, part), &some);
    size_t expected = from >= all.count ? 0 : all.count - from < count ? all.count - from : count;
    assert_int_equal(some.count, expected);
    for (size_t i = 0; i < expected; i++)
        assert_string_equal(some.text[i], all.text[from + i]);
}

static void test_limits_give_a_part_of_the_whole_order(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 300; i++) {
        int number = (int)prng_below(&prng, 90);
        runf(fixture, "RPUSH l %d", number);
        runf(fixture, "SET w_%d %d", number, (int)prng_below(&prng, 5));
    }
    static const char *const orders[] = {
        "", " DESC", " ALPHA", " BY w_* ALPHA", " BY w_* ALPHA DESC", " BY w_*", " BY nosort DESC"};
    for (int i = 0; i < 700; i++) {
        const char *order = orders[i % 7];
        size_t from = prng_below(&prng, 310);
        size_t count = prng_below(&prng, 310);
        char whole[64];
        char part[128];
        snprintf(whole, sizeof(whole), "SORT l%s", order);
        snprintf(part, sizeof(part), "SORT l LIMIT %zu %zu%s", from, count, order);
        check_part(fixture, whole, part, from, count);
    }
    fixture_free(fixture);
}

/* Each element names the same megabyte, which is in memory once. */
static void test_results_far_longer_than_all_keys_are_refused(void **state)
{
    (void)state;
    static const char error[] =
        "-ERR the values are longer than 512 MB in sum: ask for fewer with LIMIT\r\n";
    struct fixture *fixture = fixture_new();
    run(fixture, "SETRANGE v_a 1048575 x");
    for (int i = 0; i < 600; i++)
        run(fixture, "RPUSH l a");
    assert_string_equal(run(fixture, "SORT l BY nosort GET v_* STORE d"), error);
    assert_string_equal(run(fixture, "SORT l BY nosort GET v_*"), error);
    assert_string_equal(run(fixture, "EXISTS d"), ":0\r\n");
    assert_string_equal(run(fixture, "SORT l BY nosort GET v_* LIMIT 0 3 STORE d"), ":3\r\n");
    fixture_free(fixture);
}

static void test_what_is_stored_is_in_the_sum(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "RPUSH l 3 1 2",
        "SORT l STORE d",
        "SORT l DESC STORE l",
        "SORT none STORE d",
        "GEOADD g 1 1 a 2 2 b 3 3 c",
        "GEOADD g CH 1.5 1 a",
        "GEOSEARCHSTORE h g FROMLONLAT 1 1 BYRADIUS 200 km STOREDIST",
        "GEOSEARCHSTORE g g FROMLONLAT 1 1 BYBOX 300 300 km",
        "GEORADIUS g 1 1 1 m STORE h",
    };
    struct fixture *fixture = fixture_new();
    uint64_t before = 0;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        assert_int_not_equal(*run(fixture, requests[i]), '-');
        uint64_t sum = keyspace_sum(fixture->context.keyspace);
        assert_int_equal(sum, keyspace_sum_by_walk(fixture->context.keyspace));
        assert_int_not_equal(sum, before);
        before = sum;
    }
    fixture_free(fixture);
}

static void test_counts_give_the_nearest_or_farthest(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    struct prng prng;
    prng_init(&prng, 2);
    for (int i = 0; i < 300; i++) /* some are at the same place */
        runf(fixture, "GEOADD g %d.%d %d.5 m%d", (int)prng_below(&prng, 6),
             (int)prng_below(&prng, 10), (int)prng_below(&prng, 6), i);
    for (int i = 0; i < 300; i++) {
        const char *order = i % 2 ? "ASC" : "DESC";
        char whole[128];
        char part[160];
        int size = 1 + (int)prng_below(&prng, 1000);
        int count = 1 + (int)prng_below(&prng, 300);
        snprintf(whole, sizeof(whole), "GEOSEARCH g FROMLONLAT 3 3 BYRADIUS %d km %s", size, order);
        snprintf(part, sizeof(part), "%s COUNT %d", whole, count);
        check_part(fixture, whole, part, 0, (size_t)count);
    }
    fixture_free(fixture);
}

/* Scores that no place has are places nevertheless, and never an error of the server. */
static void test_searches_take_any_scores(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture,
        "ZADD z -1 a 0.5 b 1e300 c -inf d inf e 9007199254740993 f 18446744073709551615 g");
    assert_int_equal(*run(fixture, "GEOPOS z a b c d e f g"), '*');
    assert_int_equal(*run(fixture, "GEOHASH z a b c d e f g"), '*');
    assert_int_equal(*run(fixture, "GEODIST z d e"), '$');
    for (char member = 'a'; member <= 'g'; member++) {
        runf(fixture, "GEOSEARCH z FROMMEMBER %c BYRADIUS 1e300 m WITHDIST WITHHASH ASC", member);
        assert_int_equal(fixture->reply.ptr[0], '*');
        runf(fixture, "GEOSEARCH z FROMMEMBER %c BYBOX inf 0 m WITHCOORD", member);
        assert_int_equal(fixture->reply.ptr[0], '*');
    }
    fixture_free(fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_give_a_part_of_the_whole_order),
        cmocka_unit_test(test_results_far_longer_than_all_keys_are_refused),
        cmocka_unit_test(test_what_is_stored_is_in_the_sum),
        cmocka_unit_test(test_counts_give_the_nearest_or_farthest),
        cmocka_unit_test(test_searches_take_any_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
