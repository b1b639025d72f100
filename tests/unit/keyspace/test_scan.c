#include <stdio.h>
#include <stdlib.h>

#include "keyspace/keyspace.h"
#include "unit/support/test.h"

enum { KEYS = 600, STABLE = 200 }; /* the first STABLE keys stay throughout */

struct seen {
    unsigned visits[KEYS];
    size_t total;
};

static struct span key_of(int id, char text[32])
{
    return span_of(text, (size_t)snprintf(text, 32, id % 2 ? "{same}%d" : "%d", id));
}

static int id_of(struct span key)
{
    return atoi(key.ptr[0] == '{' ? key.ptr + 6 : key.ptr);
}

static void note(void *context, struct item *item)
{
    struct seen *seen = context;
    char text[32] = {0};
    struct span key = item_key(item);
    memcpy(text, key.ptr, key.len);
    seen->visits[id_of(span_text(text))]++;
    seen->total++;
}

static void set(struct keyspace *keyspace, int id)
{
    char text[32];
    keyspace_set_string(keyspace, key_of(id, text), SPAN("v"), false, 1);
}

static void toggle(struct keyspace *keyspace, int id)
{
    char text[32];
    if (!keyspace_remove(keyspace, key_of(id, text), 1))
        set(keyspace, id);
}

static void test_a_quiet_keyspace_is_visited_exactly_once(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    for (int i = 0; i < KEYS; i++)
        set(keyspace, i);
    static const size_t counts[] = {1, 2, 7, 100, KEYS - 1, KEYS, KEYS + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct seen seen = {0};
        uint64_t cursor = 0;
        size_t calls = 0;
        do {
            size_t before = seen.total;
            cursor = keyspace_scan(keyspace, cursor, counts[i], note, &seen);
            assert_true(seen.total - before <= counts[i]);
            calls++;
        } while (cursor);
        assert_true(calls <= KEYS / counts[i] + 2);
        for (int id = 0; id < KEYS; id++)
            assert_int_equal(seen.visits[id], 1);
    }
    keyspace_free(keyspace);
}

static void scan_while_changing(uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed);
    struct keyspace *keyspace = keyspace_new(seed);
    for (int i = 0; i < KEYS; i++)
        if (i < STABLE || prng_below(&prng, 2))
            set(keyspace, i);
    uint64_t churn = prng_below(&prng, 60);
    struct seen seen = {0};
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(keyspace, cursor, 1 + prng_below(&prng, 20), note, &seen);
        for (uint64_t i = 0; i < churn; i++)
            toggle(keyspace, STABLE + (int)prng_below(&prng, KEYS - STABLE));
    } while (cursor);
    for (int id = 0; id < STABLE; id++)
        assert_true(seen.visits[id] > 0);
    keyspace_free(keyspace);
}

static void test_no_key_that_stays_is_missed_while_others_come_and_go(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        scan_while_changing(seed);
}

static void test_any_cursor_is_survived(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    for (int i = 0; i < KEYS; i++)
        set(keyspace, i);
    static const uint64_t cursors[] = {1,          UINT32_MAX,           UINT64_MAX,
                                       1ull << 63, 16383ull << 32 | 999, 16384ull << 32};
    struct seen seen = {0};
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++)
        keyspace_scan(keyspace, cursors[i], 10, note, &seen);
    assert_int_equal(keyspace_scan(keyspace, 16384ull << 32, 10, note, &seen), 0);
    keyspace_free(keyspace);
}

static void test_an_empty_keyspace_ends_at_once(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    struct seen seen = {0};
    assert_int_equal(keyspace_scan(keyspace, 0, 1, note, &seen), 0);
    assert_int_equal(seen.total, 0);
    keyspace_free(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quiet_keyspace_is_visited_exactly_once),
        cmocka_unit_test(test_no_key_that_stays_is_missed_while_others_come_and_go),
        cmocka_unit_test(test_any_cursor_is_survived),
        cmocka_unit_test(test_an_empty_keyspace_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
