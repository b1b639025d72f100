/* What tests/compat cannot show of the bitmap commands and HyperLogLogs: where Redis differs, what
 * the keyspace is told, and what a command will cost. */
#include <stdio.h>

#include "unit/command/exchange.h"

/* Redis 7.0 computes the distance to the highest number in 64 bits, where it overflows, and gives
 * the highest number. */
static void test_saturation_takes_the_nearer_end(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"BITFIELD k OVERFLOW SAT SET i8 0 -9223372036854775808 GET i8 0", "*2\r\n:0\r\n:-128\r\n"},
        {"BITFIELD k OVERFLOW SAT SET i63 0 -9223372036854775808 GET i63 0",
         "*2\r\n:-4611686018427387904\r\n:-4611686018427387904\r\n"},
        {"BITFIELD k OVERFLOW FAIL SET i8 0 -9223372036854775808", "*1\r\n$-1\r\n"},
    };
    check_exchanges(exchanges);
}

static void test_no_string_grows_beyond_the_longest(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"SETBIT k 4294967296 1", "-ERR bit offset is not an integer or out of range\r\n"},
        {"BITFIELD k SET u8 4294967289 1",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
        {"BITFIELD k SET i64 #67108864 1", "-ERR bit offset is not an integer or out of range\r\n"},
        {"BITFIELD k GET i64 #9223372036854775807",
         "-ERR bit offset is not an integer or out of range\r\n"},
        {"BITFIELD k GET u8 4294967289", "*1\r\n:0\r\n"},
        {"EXISTS k", ":0\r\n"},
    };
    check_exchanges(exchanges);
}

/* Two conditions for each: the reply, and that the sum over all keys is what a walk gives. */
static void test_every_change_is_in_the_sum(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "SETBIT k 12345 1",
        "SETBIT k 12346 1",
        "SETBIT k 20000 0",
        "SET n 12",
        "SETBIT n 3 0",
        "BITOP OR d k n",
        "BITOP AND d k n",
        "BITOP NOT n n",
        "BITOP AND n nokey",
        "BITFIELD d SET u8 9000 200 INCRBY i33 100 -7 OVERFLOW FAIL SET u2 90000 9",
        "PFADD a x y z",
        "PFADD a q",
        "PFDEBUG TODENSE a",
        "PFADD a more and more and yet more",
        "PFMERGE b a",
        "PFMERGE b c",
        "PFDEBUG GETREG b",
    };
    struct fixture *fixture = fixture_new();
    uint64_t before = 0;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        run(fixture, requests[i]);
        uint64_t sum = keyspace_sum(fixture->context.keyspace);
        assert_int_equal(sum, keyspace_sum_by_walk(fixture->context.keyspace));
        if (i < 15)
            assert_int_not_equal(sum, before);
        before = sum;
    }
    fixture_free(fixture);
}

static uint64_t revision_of(const struct fixture *fixture, const char *key)
{
    struct item *item = keyspace_find(fixture->context.keyspace, span_text(key), NO_DEADLINE);
    assert_non_null(item);
    return item_revision(item);
}

static void test_what_changes_nothing_is_no_change(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "SETBIT k 100 1", "BITFIELD k GET u8 0", "PFADD a x", "PFADD a", "PFCOUNT a", "PFCOUNT a b",
    };
    struct fixture *fixture = fixture_new();
    run(fixture, "SETBIT k 100 1");
    run(fixture, "PFADD a x");
    uint64_t of_k = revision_of(fixture, "k");
    uint64_t of_a = revision_of(fixture, "a");
    uint64_t dirty = fixture->context.dirty;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        run(fixture, requests[i]);
    assert_int_equal(revision_of(fixture, "k"), of_k);
    assert_int_equal(revision_of(fixture, "a"), of_a);
    assert_int_equal(fixture->context.dirty, dirty);
    fixture_free(fixture);
}

static size_t work_of(struct fixture *fixture, const char *request)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(request, args);
    const struct command *command = command_find(fixture->table, args, argc);
    assert_non_null(command->work);
    return command->work(fixture->context.keyspace, args, argc);
}

static void test_long_work_is_told_beforehand(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    assert_int_equal(work_of(fixture, "SETBIT k 800000 1"), 100000);
    assert_int_equal(work_of(fixture, "BITFIELD k GET u8 8000 SET u8 800000 1"), 100000);
    assert_int_equal(work_of(fixture, "BITFIELD k INCRBY u16 #50000 800000"), 100000);
    assert_int_equal(work_of(fixture, "BITCOUNT k"), 0);
    run(fixture, "SETBIT k 800000 1");
    run(fixture, "SETBIT l 8000 1");
    assert_int_equal(work_of(fixture, "SETBIT k 800000 1"), 0);
    assert_int_equal(work_of(fixture, "BITFIELD k SET u8 800 1"), 0);
    assert_int_equal(work_of(fixture, "BITCOUNT k"), 100001);
    assert_int_equal(work_of(fixture, "BITPOS k 1"), 100001);
    assert_int_equal(work_of(fixture, "BITOP OR d k l nokey k"), 201003);
    assert_int_equal(work_of(fixture, "SETBIT k x 1"), 0);
    fixture_free(fixture);
}

/* It was charged for walking over the registers, so that some reads behind 1,600 of it in a
 * transaction were refused. */
static void test_adding_to_a_dense_hyperloglog_is_no_long_work(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new();
    run(fixture, "PFADD a x y z");
    run(fixture, "PFDEBUG TODENSE a");
    fixture->context.work = 0;
    assert_string_equal(run(fixture, "PFADD a more"), ":1\r\n");
    assert_int_equal(fixture->context.work, 0);
    run(fixture, "PFCOUNT a");
    assert_true(fixture->context.work > 20000);
    fixture_free(fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saturation_takes_the_nearer_end),
        cmocka_unit_test(test_no_string_grows_beyond_the_longest),
        cmocka_unit_test(test_every_change_is_in_the_sum),
        cmocka_unit_test(test_what_changes_nothing_is_no_change),
        cmocka_unit_test(test_long_work_is_told_beforehand),
        cmocka_unit_test(test_adding_to_a_dense_hyperloglog_is_no_long_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
