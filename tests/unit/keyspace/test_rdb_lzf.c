/* Compressed strings. What they are compared with was made by the library of LZF that redis-server
 * 7.0.15 uses on Debian (liblzf 3.6), from the same texts. */
#include "keyspace/rdb_lzf.h"

#include <stdlib.h>

#include "base/crc.h"
#include "base/prng.h"
#include "unit/support/test.h"

enum { TEXT_MAX = 40000 };

/* Words in any order, letters of a small alphabet, a text that repeats itself, and bytes by chance.
 */
static size_t random_text(struct prng *prng, char *text)
{
    static const size_t lengths[] = {60, 400, 4000, TEXT_MAX};
    uint64_t kind = prng_below(prng, 4);
    uint64_t length = prng_below(prng, 50);
    size_t len = 5 + (size_t)prng_below(prng, lengths[length < 2 ? 3 : length % 3] - 5);
    uint64_t letters = kind == 3 ? 256 : kind == 0 ? 200 : 2 + prng_below(prng, 20);
    size_t period = kind == 2 ? 1 + (size_t)prng_below(prng, 45) : len;
    for (size_t i = 0; i < len; i++) {
        char letter = (char)prng_below(prng, letters);
        text[i] = i < period ? letter : text[i - period];
    }
    for (size_t at = 30; kind == 0 && at + 25 < len;) {
        size_t word = 1 + (size_t)prng_below(prng, 25);
        memmove(text + at, text + prng_below(prng, at - 24), word);
        at += word;
    }
    return len;
}

static void test_the_bytes_are_those_of_redis(void **state)
{
    (void)state;
    struct prng prng;
    char *text = malloc(TEXT_MAX);
    struct buf packed = {0};
    struct buf unpacked = {0};
    uint64_t sum = 0;
    size_t fitted = 0;
    prng_init(&prng, 1);
    for (int i = 0; i < 3000; i++) {
        size_t len = random_text(&prng, text);
        packed.len = 0;
        buf_add_char(&packed, 'x'); /* what is there stays */
        if (rdb_pack(span_of(text, len), &packed)) {
            fitted++;
            struct span alone = span_of(packed.ptr + 1, packed.len - 1);
            assert_true(alone.len <= len - RDB_LZF_SPARED);
            assert_true(rdb_packed_plausible(alone.len, len));
            assert_true(rdb_unpack(alone, len, &unpacked));
            assert_true(span_equal(buf_span(&unpacked), span_of(text, len)));
        }
        assert_int_equal(packed.ptr[0], 'x');
        sum = crc64(sum, packed.ptr + (packed.len > 1), packed.len - (packed.len > 1));
    }
    assert_int_equal(fitted, 1430);
    assert_true(sum == UINT64_C(0xb82b5a02fde999d0));
    buf_close(&packed);
    buf_close(&unpacked);
    free(text);
}

static void expect(struct span text, struct span wanted)
{
    struct buf packed = {0};
    assert_int_equal(rdb_pack(text, &packed), wanted.len > 0);
    assert_true(packed.len == wanted.len &&
                (wanted.len == 0 || memcmp(packed.ptr, wanted.ptr, wanted.len) == 0));
    buf_close(&packed);
}

static void test_what_becomes_hardly_shorter_stays(void **state)
{
    (void)state;
    expect(SPAN(""), SPAN(""));
    expect(SPAN("aaaa"), SPAN(""));
    expect(SPAN("aaaaaaaa"), SPAN(""));
    expect(SPAN("abcdefghijklmnopqrstuvwxyz"), SPAN(""));
    expect(SPAN("aaaaaaaaaaaaa"), SPAN(""));
    expect(SPAN("aaaaaaaaaaaaaa"), SPAN("\x01"
                                        "aa\xe0\x01\x00\x01"
                                        "aa"));
}

/* The last two bytes are no part of a match, unless the match is of 19 bytes. */
static void test_the_end_of_the_text_is_told_apart(void **state)
{
    (void)state;
    expect(SPAN("aaaaaaaaaaaaaaaaaaaa"), SPAN("\x01"
                                              "aa\xe0\x07\x00\x01"
                                              "aa"));
    expect(SPAN("aaaaaaaaaaaaaaaaaaaaa"), SPAN("\x01"
                                               "aa\xe0\x0a\x00"));
    expect(SPAN("aaaaaaaaaaaaaaaaaaaaaa"), SPAN("\x01"
                                                "aa\xe0\x0a\x00\x00"
                                                "a"));
    expect(SPAN("aaaaaaaaaaaaaaaaaaaaaaaa"), SPAN("\x01"
                                                  "aa\xe0\x0b\x00\x01"
                                                  "aa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_bytes_are_those_of_redis),
        cmocka_unit_test(test_what_becomes_hardly_shorter_stays),
        cmocka_unit_test(test_the_end_of_the_text_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
