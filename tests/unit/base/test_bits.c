#include "base/bits.h"

#include <stdlib.h>

#include "base/prng.h"
#include "unit/support/test.h"

enum { BYTES = 200, ROUNDS = 20000 };

struct row {
    struct prng prng;
    char bytes[BYTES];
    struct span span;
};

/* Rows that are random, or all zeros or ones but for a few bits, begin at any alignment. */
static void row_fill(struct row *row)
{
    size_t from = prng_below(&row->prng, 9);
    size_t len = 1 + prng_below(&row->prng, BYTES - from);
    uint64_t kind = prng_below(&row->prng, 3);
    for (size_t i = 0; i < BYTES; i++)
        row->bytes[i] = kind == 2 ? (char)prng_next(&row->prng) : (char)(kind ? 0xff : 0);
    row->bytes[from + prng_below(&row->prng, len)] ^= (char)(1 << prng_below(&row->prng, 8));
    row->span = span_of(row->bytes + from, len);
}

static struct bit_range row_range(struct row *row)
{
    uint64_t bits = row->span.len * 8;
    uint64_t from = prng_below(&row->prng, bits);
    return (struct bit_range){from, from + prng_below(&row->prng, bits - from)};
}

static bool bit_at(struct span bytes, uint64_t at)
{
    return at / 8 < bytes.len && (bytes.ptr[at / 8] >> (7 - at % 8) & 1);
}

static uint64_t naive_count(struct span bytes, struct bit_range range)
{
    uint64_t count = 0;
    for (uint64_t at = range.from; at <= range.to; at++)
        count += bit_at(bytes, at);
    return count;
}

static uint64_t naive_find(struct span bytes, bool value, struct bit_range range)
{
    for (uint64_t at = range.from; at <= range.to; at++)
        if (bit_at(bytes, at) == value)
            return at;
    return BITS_NONE;
}

static void test_counting_and_finding_do_as_bit_by_bit(void **state)
{
    (void)state;
    struct row row;
    prng_init(&row.prng, 1);
    for (int i = 0; i < ROUNDS; i++) {
        row_fill(&row);
        struct bit_range range = row_range(&row);
        assert_int_equal(bits_count(row.span, range), naive_count(row.span, range));
        assert_int_equal(bits_find(row.span, true, range), naive_find(row.span, true, range));
        assert_int_equal(bits_find(row.span, false, range), naive_find(row.span, false, range));
    }
}

static uint64_t naive_read(struct span bytes, uint64_t at, unsigned width)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++)
        number = number << 1 | bit_at(bytes, at + i);
    return number;
}

static void test_a_number_is_read_bit_by_bit_also_behind_the_end(void **state)
{
    (void)state;
    struct row row;
    prng_init(&row.prng, 2);
    for (int i = 0; i < ROUNDS; i++) {
        row_fill(&row);
        uint64_t at = prng_below(&row.prng, row.span.len * 8 + 100);
        unsigned width = 1 + (unsigned)prng_below(&row.prng, 64);
        assert_int_equal(bits_read(row.span, at, width), naive_read(row.span, at, width));
    }
}

static void test_a_patch_writes_the_number_and_nothing_else(void **state)
{
    (void)state;
    struct row row;
    prng_init(&row.prng, 3);
    for (int i = 0; i < ROUNDS; i++) {
        row_fill(&row);
        char after[BYTES + 32] = {0};
        struct span fresh = span_of(after, row.span.len + 16);
        memcpy(after, row.span.ptr, row.span.len);
        uint64_t at = prng_below(&row.prng, row.span.len * 8 + 32);
        unsigned width = 1 + (unsigned)prng_below(&row.prng, 64);
        uint64_t number = prng_next(&row.prng); /* higher bits than `width` do not count */
        struct bits_patch patch;
        bits_patch(row.span, at, width, number, &patch);
        memcpy(after + patch.offset, patch.bytes, patch.len);
        assert_int_equal(naive_read(fresh, at, width), number << (64 - width) >> (64 - width));
        for (uint64_t j = 0; j < fresh.len * 8; j++)
            if (j < at || j >= at + width)
                assert_int_equal(bit_at(fresh, j), bit_at(row.span, j));
    }
}

static void test_rows_are_combined_byte_by_byte(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 4);
    for (size_t len = 0; len < BYTES; len++) {
        char a[BYTES];
        char b[BYTES];
        char and[BYTES];
        char or [BYTES];
        char xor [BYTES];
        char not [BYTES];
        for (size_t i = 0; i < BYTES; i++) {
            a[i] = and[i] = or [i] = xor[i] = not [i] = (char)prng_next(&prng);
            b[i] = (char)prng_next(&prng);
        }
        bits_combine(BITS_AND, and, b, len);
        bits_combine(BITS_OR, or, b, len);
        bits_combine(BITS_XOR, xor, b, len);
        bits_invert(not, len);
        for (size_t i = 0; i < BYTES; i++) {
            assert_int_equal(and[i], i < len ? (char)(a[i] & b[i]) : a[i]);
            assert_int_equal(or [i], i < len ? (char)(a[i] | b[i]) : a[i]);
            assert_int_equal(xor[i], i < len ? (char)(a[i] ^ b[i]) : a[i]);
            assert_int_equal(not [i], i < len ? (char)~a[i] : a[i]);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting_and_finding_do_as_bit_by_bit),
        cmocka_unit_test(test_a_number_is_read_bit_by_bit_also_behind_the_end),
        cmocka_unit_test(test_a_patch_writes_the_number_and_nothing_else),
        cmocka_unit_test(test_rows_are_combined_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
