#include "keyspace/hll.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "unit/support/test.h"

static struct span span_of_hll(const struct hll *hll)
{
    return span_of(hll->bytes, hll->len);
}

static void add_text(struct hll *hll, const char *text)
{
    hll_raise(hll, hll_propose(span_text(text)), NULL);
}

/* The bytes are those of redis-server 7.0.15 after PFADD foo bar zap. */
static void test_bytes_are_those_of_redis(void **state)
{
    (void)state;
    static const char expected[] = "HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80"
                                   "\x5c\xb3\x90\x42\x07\x84\x48\x58\x80\x58\xe7";
    struct hll hll;
    hll_init(&hll);
    assert_true(hll_is_valid(span_of_hll(&hll)));
    add_text(&hll, "foo");
    add_text(&hll, "bar");
    add_text(&hll, "zap");
    hll_forget_count(&hll);
    assert_int_equal(hll.len, sizeof(expected) - 1);
    assert_memory_equal(hll.bytes, expected, hll.len);
    assert_int_equal(hll_count(span_of_hll(&hll)), 3);
}

struct model {
    struct prng prng;
    struct hll sparse;
    struct hll dense;
    struct hll_registers registers;
};

static struct model *model_new(uint64_t seed)
{
    struct model *model = calloc(1, sizeof(*model));
    prng_init(&model->prng, seed);
    hll_init(&model->sparse);
    hll_init(&model->dense);
    hll_make_dense(&model->dense);
    return model;
}

/* Values as hashes propose them, and all others. */
static struct hll_proposal random_proposal(struct prng *prng)
{
    unsigned near = (unsigned)prng_below(prng, 3) ? 64 : HLL_REGISTERS;
    unsigned most = prng_below(prng, 200) ? 1 + (unsigned)prng_below(prng, 4) : 51;
    return (struct hll_proposal){
        .at = (unsigned)prng_below(prng, near),
        .value = 1 + (unsigned)prng_below(prng, most),
    };
}

static void model_raise(struct model *model, struct hll_proposal proposal)
{
    unsigned char *value = &model->registers.values[proposal.at];
    bool raises = proposal.value > *value;
    assert_int_equal(hll_raise(&model->sparse, proposal, NULL), raises);
    assert_int_equal(hll_raise(&model->dense, proposal, NULL), raises);
    if (raises)
        *value = (unsigned char)proposal.value;
}

static void model_check(const struct model *model)
{
    struct hll_registers merged = {{0}};
    assert_true(hll_is_valid(span_of_hll(&model->sparse)));
    hll_merge(&merged, span_of_hll(&model->sparse));
    assert_memory_equal(&merged, &model->registers, sizeof(merged));
    merged = (struct hll_registers){{0}};
    hll_merge(&merged, span_of_hll(&model->dense));
    assert_memory_equal(&merged, &model->registers, sizeof(merged));
    uint64_t count = hll_count_registers(&model->registers);
    assert_int_equal(hll_count(span_of_hll(&model->sparse)), count);
    assert_int_equal(hll_count(span_of_hll(&model->dense)), count);
}

static void test_every_representation_keeps_the_highest_values(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct model *model = model_new(seed);
        for (int i = 0; i < 3000; i++) {
            model_raise(model, random_proposal(&model->prng));
            if (i % 100 == 0)
                model_check(model);
            assert_true(hll_is_dense(span_of_hll(&model->sparse)) ||
                        model->sparse.len <= HLL_SPARSE_BYTES);
        }
        free(model);
    }
}

static void test_a_value_over_32_makes_it_dense(void **state)
{
    (void)state;
    struct model *model = model_new(1);
    model_raise(model, (struct hll_proposal){7, 32});
    assert_false(hll_is_dense(span_of_hll(&model->sparse)));
    model_raise(model, (struct hll_proposal){8, 33});
    assert_true(hll_is_dense(span_of_hll(&model->sparse)));
    model_check(model);
    free(model);
}

static void fill_with_runs(struct hll *hll, struct prng *prng)
{
    hll_init(hll);
    hll->len = HLL_HEAD_BYTES;
    for (unsigned left = HLL_REGISTERS; left;) {
        unsigned most = prng_below(prng, 3) ? 4 : 64;
        unsigned len = 1 + (unsigned)prng_below(prng, most < left ? most : left);
        unsigned value = (unsigned)prng_below(prng, 3);
        left -= len;
        hll->bytes[hll->len++] =
            (char)(len <= 4 && value ? 0x80 | (value - 1) << 2 | (len - 1) : len - 1);
    }
}

static void test_going_on_from_a_place_gives_the_same_bytes(void **state)
{
    (void)state;
    struct prng prng;
    for (uint64_t seed = 0; seed < 300; seed++) {
        static struct hll with;
        static struct hll without;
        prng_init(&prng, seed);
        if (seed % 2)
            fill_with_runs(&with, &prng);
        else
            hll_init(&with);
        without = with;
        struct hll_place place = {0};
        unsigned step = 1 + (unsigned)prng_below(&prng, seed % 3 ? 3 : 60);
        for (unsigned at = 0; at < HLL_REGISTERS; at += 1 + (unsigned)prng_below(&prng, step)) {
            struct hll_proposal proposal = {at, 1 + (unsigned)prng_below(&prng, 3)};
            assert_int_equal(hll_raise(&with, proposal, &place),
                             hll_raise(&without, proposal, NULL));
            assert_int_equal(with.len, without.len);
        }
        assert_memory_equal(with.bytes, without.bytes, with.len);
    }
}

static void test_the_estimate_is_near(void **state)
{
    (void)state;
    struct model *model = model_new(1);
    for (int i = 1; i <= 200000; i++) {
        char text[24];
        int len = snprintf(text, sizeof(text), "element %d", i);
        struct hll_proposal proposal = hll_propose(span_of(text, (size_t)len));
        hll_raise(&model->dense, proposal, NULL);
        if (i % 20000 == 0)
            assert_in_range(hll_count(span_of_hll(&model->dense)), i - i / 40, i + i / 40);
    }
    free(model);
}

static void test_counts_of_registers_that_no_hash_gives_are_numbers(void **state)
{
    (void)state;
    struct hll_registers registers;
    for (int value = 0; value < 64; value++) {
        memset(&registers, value, sizeof(registers));
        assert_true(hll_count_registers(&registers) <= INT64_MAX);
    }
}

static void test_the_head_says_what_it_is(void **state)
{
    (void)state;
    struct hll hll;
    uint64_t count;
    hll_init(&hll);
    assert_true(hll_kept_count(span_of_hll(&hll), &count));
    assert_int_equal(count, 0);
    hll.bytes[8] = 1;
    hll.bytes[14] = 2;
    assert_true(hll_kept_count(span_of_hll(&hll), &count));
    assert_int_equal(count, UINT64_C(2) << 48 | 1);
    hll_forget_count(&hll);
    assert_false(hll_kept_count(span_of_hll(&hll), &count));
    assert_true(hll_is_one(span_of_hll(&hll)));
    assert_false(hll_is_one(span_of(hll.bytes, HLL_HEAD_BYTES - 1)));
    hll.bytes[4] = 2;
    assert_false(hll_is_one(span_of_hll(&hll)));
    hll.bytes[4] = 0;
    assert_false(hll_is_one(span_of_hll(&hll)));
    hll.bytes[4] = 1;
    hll.bytes[0] = 'h';
    assert_false(hll_is_one(span_of_hll(&hll)));
}

/* Each value is in memory of its own, so that a sanitizer sees the smallest step behind its end. */
static void test_hostile_runs_are_refused(void **state)
{
    (void)state;
    static struct hll hll;
    struct prng prng;
    prng_init(&prng, 5);
    int valid = 0;
    for (int i = 0; i < 3000; i++) {
        if (i % 2)
            fill_with_runs(&hll, &prng);
        else
            hll_init(&hll);
        size_t at = HLL_HEAD_BYTES + prng_below(&prng, hll.len - HLL_HEAD_BYTES);
        if (i % 4 < 2)
            hll.bytes[at] = (char)prng_next(&prng);
        else
            hll.len = at;
        char *bytes = malloc(hll.len);
        memcpy(bytes, hll.bytes, hll.len);
        struct span span = span_of(bytes, hll.len);
        struct hll_registers registers = {{0}};
        if (hll_is_valid(span)) {
            valid++;
            hll_merge(&registers, span);
            hll_copy(&hll, span);
            hll_raise(&hll, random_proposal(&prng), NULL);
            assert_true(hll_is_valid(span_of_hll(&hll)));
        }
        free(bytes);
    }
    assert_in_range(valid, 1, 1500);
}

static void test_runs_are_printed(void **state)
{
    (void)state;
    struct hll hll;
    struct buf out = {0};
    hll_init(&hll);
    hll_raise(&hll, (struct hll_proposal){10, 3}, NULL);
    hll_raise(&hll, (struct hll_proposal){11, 3}, NULL);
    hll_print_runs(span_of_hll(&hll), &out);
    buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, "z:10 v:3,2 Z:16372");
    buf_close(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_those_of_redis),
        cmocka_unit_test(test_every_representation_keeps_the_highest_values),
        cmocka_unit_test(test_a_value_over_32_makes_it_dense),
        cmocka_unit_test(test_going_on_from_a_place_gives_the_same_bytes),
        cmocka_unit_test(test_the_estimate_is_near),
        cmocka_unit_test(test_counts_of_registers_that_no_hash_gives_are_numbers),
        cmocka_unit_test(test_the_head_says_what_it_is),
        cmocka_unit_test(test_hostile_runs_are_refused),
        cmocka_unit_test(test_runs_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
