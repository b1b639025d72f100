#include "base/prng.h"
#include "raft/log.h"
#include "unit/support/test.h"

static struct raft_log log_of(uint64_t base_index, uint64_t base_term, const uint64_t *terms)
{
    struct raft_log log;
    raft_log_init(&log, base_index, base_term);
    for (size_t i = 0; terms[i] != 0; i++) {
        struct raft_entry entry = {.index = base_index + 1 + i, .term = terms[i], .bytes = 10};
        raft_log_append(&log, &entry);
    }
    return log;
}

static void test_a_log_knows_the_term_of_each_entry(void **state)
{
    (void)state;
    const uint64_t terms[] = {1, 1, 2, 4, 4, 4, 7, 0};
    struct raft_log log = log_of(0, 0, terms);
    for (uint64_t index = 1; index <= 7; index++)
        assert_int_equal(raft_log_term_of(&log, index), terms[index - 1]);
    assert_int_equal(raft_log_term_of(&log, 0), 0);
    assert_int_equal(raft_log_term_of(&log, 8), 0);
    assert_int_equal(log.run_count, 4);
    raft_log_close(&log);
}

static void test_a_log_behind_a_snapshot_knows_its_last_term(void **state)
{
    (void)state;
    const uint64_t terms[] = {3, 5, 0};
    struct raft_log log = log_of(10, 3, terms);
    assert_int_equal(raft_log_term_of(&log, 9), 0);
    assert_int_equal(raft_log_term_of(&log, 10), 3);
    assert_int_equal(raft_log_term_of(&log, 12), 5);
    raft_log_truncate(&log, 10);
    assert_int_equal(raft_log_last_term(&log), 3);
    assert_int_equal(raft_log_find_agreement(&log, 99, 1), 10);
    raft_log_close(&log);
}

static void test_a_log_takes_neither_gaps_nor_falling_terms(void **state)
{
    (void)state;
    const uint64_t terms[] = {2, 3, 0};
    struct raft_log log = log_of(0, 0, terms);
    struct raft_entry gap = {.index = 4, .term = 3}, older = {.index = 3, .term = 2};
    expect_assert_failure(raft_log_append(&log, &gap));
    expect_assert_failure(raft_log_append(&log, &older));
    raft_log_close(&log);
}

static void test_agreement_is_the_last_entry_of_no_later_term(void **state)
{
    (void)state;
    const uint64_t terms[] = {1, 1, 1, 3, 3, 6, 6, 0};
    struct raft_log log = log_of(0, 0, terms);
    assert_int_equal(raft_log_find_agreement(&log, 7, 6), 7);
    assert_int_equal(raft_log_find_agreement(&log, 99, 5), 5);
    assert_int_equal(raft_log_find_agreement(&log, 7, 2), 3);
    assert_int_equal(raft_log_find_agreement(&log, 2, 9), 2);
    assert_int_equal(raft_log_find_agreement(&log, 7, 0), 0);
    raft_log_close(&log);
}

static void test_a_batch_ends_at_either_limit_but_holds_one_entry(void **state)
{
    (void)state;
    struct raft_options options = {.entries_per_append_max = 3, .bytes_per_append_max = 25};
    const uint64_t terms[] = {1, 1, 1, 1, 1, 0};
    struct raft_log log = log_of(0, 0, terms);
    uint64_t bytes;
    assert_int_equal(raft_log_batch(&log, 1, &options, &bytes), 2);
    assert_int_equal(bytes, 20);
    options.bytes_per_append_max = 1000;
    assert_int_equal(raft_log_batch(&log, 1, &options, &bytes), 3);
    assert_int_equal(raft_log_batch(&log, 5, &options, &bytes), 1);
    assert_int_equal(raft_log_batch(&log, 6, &options, &bytes), 0);
    options.bytes_per_append_max = 1;
    assert_int_equal(raft_log_batch(&log, 1, &options, &bytes), 1);
    assert_int_equal(bytes, 10);
    raft_log_close(&log);
}

/* Against a plain array, over the limits of chunks. */
static void test_a_long_log_survives_random_growth_and_truncation(void **state)
{
    (void)state;
    enum { ENTRIES_MAX = 100000 };
    static uint64_t terms[ENTRIES_MAX + 1];
    static uint32_t bytes[ENTRIES_MAX + 1];
    struct raft_options options = {.entries_per_append_max = 1, .bytes_per_append_max = 1};
    struct prng prng;
    prng_init(&prng, 5);
    struct raft_log log;
    raft_log_init(&log, 0, 0);
    uint64_t last = 0, term = 1;
    for (int round = 0; round < 60; round++) {
        if (prng_below(&prng, 3) == 0) {
            last = prng_below(&prng, last + 1);
            raft_log_truncate(&log, last);
        }
        term += prng_below(&prng, 3);
        for (uint64_t n = prng_below(&prng, 9000); n > 0 && last < ENTRIES_MAX; n--) {
            struct raft_entry entry = {
                .index = ++last, .term = term, .bytes = (uint32_t)prng_below(&prng, 1000)};
            terms[last] = term;
            bytes[last] = entry.bytes;
            raft_log_append(&log, &entry);
        }
        assert_int_equal(log.last_index, last);
        for (uint64_t index = 1; index <= last; index += 1 + prng_below(&prng, 50)) {
            uint64_t size;
            assert_int_equal(raft_log_term_of(&log, index), terms[index]);
            raft_log_batch(&log, index, &options, &size);
            assert_int_equal(size, bytes[index]);
        }
    }
    raft_log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_knows_the_term_of_each_entry),
        cmocka_unit_test(test_a_log_behind_a_snapshot_knows_its_last_term),
        cmocka_unit_test(test_a_log_takes_neither_gaps_nor_falling_terms),
        cmocka_unit_test(test_agreement_is_the_last_entry_of_no_later_term),
        cmocka_unit_test(test_a_batch_ends_at_either_limit_but_holds_one_entry),
        cmocka_unit_test(test_a_long_log_survives_random_growth_and_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
