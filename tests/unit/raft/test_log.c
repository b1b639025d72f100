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

/* Stretches of a log with one size, with similar and with very different ones. */
static uint32_t any_size(struct prng *prng, uint64_t index)
{
    static const uint64_t most[] = {1, 255, 256, 65535, 65536, UINT32_MAX, 1, 40};
    return (uint32_t)prng_below(prng, most[index / 3000 % 8] + (index % 7 == 0));
}

/* Against a plain array, over the limits of packs. */
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
            last++;
            struct raft_entry entry = {.index = last, .term = term, .bytes = any_size(&prng, last)};
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

/* Half a byte for each entry of similar size, nothing for equal ones. */
static void test_sizes_take_as_many_bits_as_they_differ_by(void **state)
{
    (void)state;
    static const struct {
        uint32_t least, most, bits;
    } cases[] = {{100, 100, 0},
                 {0, 0, 0},
                 {70000, 70001, 4},
                 {100, 115, 4},
                 {100, 116, 8},
                 {100, 355, 8},
                 {100, 356, 16},
                 {1, 65536, 16},
                 {1, 65537, 32},
                 {0, UINT32_MAX, 32},
                 {UINT32_MAX, UINT32_MAX, 0}};
    struct raft_options options = {.entries_per_append_max = 1, .bytes_per_append_max = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft_log log;
        raft_log_init(&log, 0, 0);
        for (uint64_t index = 1; index <= RAFT_LOG_PACK; index++) {
            uint32_t bytes = index % 2 ? cases[i].least : cases[i].most;
            raft_log_append(&log, &(struct raft_entry){.index = index, .term = 1, .bytes = bytes});
        }
        assert_int_equal(log.pack_count, 1);
        assert_int_equal(log.packs[0]->bits, cases[i].bits);
        for (uint64_t index = 1; index <= RAFT_LOG_PACK; index++) {
            uint64_t bytes;
            assert_int_equal(raft_log_batch(&log, index, &options, &bytes), 1);
            assert_int_equal(bytes, index % 2 ? cases[i].least : cases[i].most);
        }
        raft_log_close(&log);
    }
}

/* The model of a log: what was appended, truncated and forgotten, in plain arrays. */
enum { MODEL_MAX = 200000, PACK = RAFT_LOG_PACK };

struct model {
    struct raft_log log;
    uint64_t base, last, term;
    uint64_t terms[MODEL_MAX + 1]; /* [base] stays known */
    uint32_t bytes[MODEL_MAX + 1];
};

static struct model *model_new(void)
{
    static struct model model;
    model.base = model.last = 0;
    model.term = 1;
    raft_log_init(&model.log, 0, 0);
    return &model;
}

static void model_append(struct model *model, uint64_t count)
{
    for (; count > 0 && model->last < MODEL_MAX; count--) {
        uint64_t index = ++model->last;
        model->terms[index] = model->term;
        model->bytes[index] = (uint32_t)(index * 7 % 1000 + model->term % 5);
        struct raft_entry entry = {
            .index = index, .term = model->term, .bytes = model->bytes[index]};
        raft_log_append(&model->log, &entry);
    }
}

static void model_truncate(struct model *model, uint64_t last)
{
    model->last = last;
    raft_log_truncate(&model->log, last);
}

static void model_compact(struct model *model, uint64_t base)
{
    model->base = base;
    raft_log_compact(&model->log, base);
}

static void model_check(const struct model *model, uint64_t step)
{
    const struct raft_options one = {.entries_per_append_max = 1, .bytes_per_append_max = 1};
    const struct raft_log *log = &model->log;
    uint64_t size;
    assert_int_equal(log->base_index, model->base);
    assert_int_equal(log->last_index, model->last);
    if (model->base > 0)
        assert_int_equal(raft_log_term_of(log, model->base - 1), 0);
    assert_int_equal(raft_log_term_of(log, model->last + 1), 0);
    assert_int_equal(raft_log_last_term(log), model->last ? model->terms[model->last] : 0);
    if (model->base > 0)
        assert_int_equal(raft_log_term_of(log, model->base), model->terms[model->base]);
    for (uint64_t index = model->base + 1; index <= model->last;
         index += index + step < model->last ? step : 1) {
        assert_int_equal(raft_log_term_of(log, index), model->terms[index]);
        assert_int_equal(raft_log_batch(log, index, &one, &size), 1);
        assert_int_equal(size, model->bytes[index]);
    }
}

static void test_a_compacted_log_forgets_the_prefix_and_keeps_the_rest(void **state)
{
    (void)state;
    struct raft_log log = log_of(0, 0, (const uint64_t[]){1, 1, 2, 4, 4, 4, 7, 0});
    raft_log_compact(&log, 5); /* in the middle of term 4 */
    assert_int_equal(log.base_index, 5);
    assert_int_equal(log.base_term, 4);
    assert_int_equal(log.run_count, 2);
    assert_int_equal(log.runs[0].first_index, 6);
    assert_int_equal(raft_log_term_of(&log, 4), 0);
    assert_int_equal(raft_log_term_of(&log, 5), 4);
    assert_int_equal(raft_log_term_of(&log, 6), 4);
    assert_int_equal(raft_log_term_of(&log, 7), 7);
    assert_int_equal(raft_log_find_agreement(&log, 7, 4), 6);
    assert_int_equal(raft_log_find_agreement(&log, 7, 3), 5);
    assert_int_equal(raft_log_find_agreement(&log, 2, 9), 5);
    raft_log_close(&log);
}

static void test_a_log_can_be_compacted_to_the_border_of_a_term(void **state)
{
    (void)state;
    struct raft_log log = log_of(0, 0, (const uint64_t[]){1, 1, 2, 4, 4, 0});
    raft_log_compact(&log, 2); /* all of term 1 */
    assert_int_equal(log.base_term, 1);
    assert_int_equal(log.run_count, 2);
    assert_int_equal(raft_log_term_of(&log, 2), 1);
    assert_int_equal(raft_log_term_of(&log, 3), 2);
    raft_log_compact(&log, 3);
    assert_int_equal(log.base_term, 2);
    assert_int_equal(log.run_count, 1);
    assert_int_equal(raft_log_term_of(&log, 4), 4);
    raft_log_close(&log);
}

static void test_a_log_that_is_compacted_to_its_end_goes_on_behind_it(void **state)
{
    (void)state;
    struct raft_log log = log_of(0, 0, (const uint64_t[]){1, 3, 3, 0});
    raft_log_compact(&log, 3);
    assert_int_equal(log.run_count, 0);
    assert_int_equal(raft_log_last_term(&log), 3);
    assert_int_equal(raft_log_term_of(&log, 3), 3);
    assert_int_equal(raft_log_find_agreement(&log, 3, 1), 3);
    struct raft_entry older = {.index = 4, .term = 2}, next = {.index = 4, .term = 3, .bytes = 10};
    expect_assert_failure(raft_log_append(&log, &older));
    raft_log_append(&log, &next);
    assert_int_equal(log.run_count, 1);
    assert_int_equal(raft_log_term_of(&log, 4), 3);
    raft_log_truncate(&log, 3);
    assert_int_equal(raft_log_last_term(&log), 3);
    raft_log_close(&log);
}

static void test_compacting_to_the_base_changes_nothing(void **state)
{
    (void)state;
    struct raft_log log = log_of(10, 3, (const uint64_t[]){3, 5, 0});
    raft_log_compact(&log, 10);
    assert_int_equal(log.base_term, 3);
    assert_int_equal(raft_log_term_of(&log, 12), 5);
    raft_log_close(&log);
}

static void test_only_what_is_in_the_log_can_be_compacted_or_kept(void **state)
{
    (void)state;
    struct raft_log log = log_of(10, 3, (const uint64_t[]){3, 5, 0});
    expect_assert_failure(raft_log_compact(&log, 9));
    expect_assert_failure(raft_log_compact(&log, 13));
    expect_assert_failure(raft_log_truncate(&log, 9));
    expect_assert_failure(raft_log_truncate(&log, 13));
    raft_log_close(&log);
}

/* One before, at and behind each border of the chunks of sizes: compaction, truncation behind it
 * and growth. */
static void test_sizes_survive_compaction_at_the_borders_of_packs(void **state)
{
    (void)state;
    const uint64_t near[] = {1, 2, PACK - 1, PACK, PACK + 1, 2 * PACK - 1, 2 * PACK};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        for (size_t j = 0; j < sizeof near / sizeof *near; j++) {
            struct model *model = model_new();
            model_append(model, 2 * PACK + 10);
            model_compact(model, near[i]);
            model_check(model, 500);
            model_truncate(model, near[j] > near[i] ? near[j] : near[i]);
            model_check(model, 500);
            model->term++;
            model_append(model, 2 * PACK);
            model_check(model, 500);
            model_compact(model, model->last);
            assert_true(model->log.pack_count <= 1);
            model_append(model, PACK + 1);
            model_check(model, 500);
            raft_log_close(&model->log);
        }
    }
}

static void test_compaction_frees_the_packs_that_nothing_needs(void **state)
{
    (void)state;
    struct model *model = model_new();
    model_append(model, 5 * PACK);
    assert_int_equal(model->log.pack_count, 5);
    model_compact(model, 2 * PACK - 1);
    assert_int_equal(model->log.pack_count, 4);
    model_compact(model, 2 * PACK);
    assert_int_equal(model->log.pack_count, 3);
    model_compact(model, 5 * PACK);
    assert_int_equal(model->log.pack_count, 0);
    model_append(model, 1);
    assert_int_equal(model->log.pack_count, 0); /* it is in the open one */
    model_check(model, 1);
    raft_log_close(&model->log);
}

static void model_change(struct model *model, struct prng *prng)
{
    uint64_t held = model->last - model->base;
    switch (prng_below(prng, 4)) {
    case 0:
        model_truncate(model, model->base + prng_below(prng, held + 1));
        return;
    case 1:
        model_compact(model, model->base + prng_below(prng, held + 1));
        return;
    default:
        model->term += prng_below(prng, 3);
        model_append(model, prng_below(prng, 20000));
        return;
    }
}

static void test_a_long_log_survives_random_growth_truncation_and_compaction(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct model *model = model_new();
        while (model->last < MODEL_MAX) {
            model_change(model, &prng);
            model_check(model, 1 + prng_below(&prng, 400));
        }
        raft_log_close(&model->log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_knows_the_term_of_each_entry),
        cmocka_unit_test(test_a_log_behind_a_snapshot_knows_its_last_term),
        cmocka_unit_test(test_a_log_takes_neither_gaps_nor_falling_terms),
        cmocka_unit_test(test_agreement_is_the_last_entry_of_no_later_term),
        cmocka_unit_test(test_a_batch_ends_at_either_limit_but_holds_one_entry),
        cmocka_unit_test(test_sizes_take_as_many_bits_as_they_differ_by),
        cmocka_unit_test(test_a_long_log_survives_random_growth_and_truncation),
        cmocka_unit_test(test_a_compacted_log_forgets_the_prefix_and_keeps_the_rest),
        cmocka_unit_test(test_a_log_can_be_compacted_to_the_border_of_a_term),
        cmocka_unit_test(test_a_log_that_is_compacted_to_its_end_goes_on_behind_it),
        cmocka_unit_test(test_compacting_to_the_base_changes_nothing),
        cmocka_unit_test(test_only_what_is_in_the_log_can_be_compacted_or_kept),
        cmocka_unit_test(test_sizes_survive_compaction_at_the_borders_of_packs),
        cmocka_unit_test(test_compaction_frees_the_packs_that_nothing_needs),
        cmocka_unit_test(test_a_long_log_survives_random_growth_truncation_and_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
