#include "base/crc.h"

#include <string.h>

#include "base/prng.h"
#include "unit/support/test.h"

enum { BYTES_MAX = 700 };

/* Bit by bit, as the definition says. */

static uint64_t reflected(uint64_t crc, uint64_t polynomial, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    return crc;
}

static uint16_t forward(const unsigned char *bytes, size_t len)
{
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
    return (uint16_t)crc;
}

static uint64_t slow_crc64(uint64_t crc, const unsigned char *bytes, size_t len)
{
    return reflected(crc, 0x95ac9329ac4bc9b5, bytes, len);
}

static uint32_t slow_crc32c(const unsigned char *bytes, size_t len)
{
    return ~(uint32_t)reflected(UINT32_MAX, 0x82f63b78, bytes, len);
}

static void fill(unsigned char *bytes, size_t len, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)prng_next(&prng);
}

static void test_the_check_values_of_the_catalogues_come_out(void **state)
{
    (void)state;
    assert_int_equal(crc16("123456789", 9), 0x31c3);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9ca);
}

static void test_every_length_gives_what_the_definition_gives(void **state)
{
    (void)state;
    unsigned char bytes[BYTES_MAX + 3];
    fill(bytes, sizeof bytes, 1);
    for (size_t len = 0; len <= BYTES_MAX; len++) {
        const unsigned char *at = bytes + len % 3;
        assert_int_equal(crc16(at, len), forward(at, len));
        assert_int_equal(crc32c(0, at, len), slow_crc32c(at, len));
        assert_int_equal(crc64(0, at, len), slow_crc64(0, at, len));
        assert_int_equal(crc64(UINT64_MAX, at, len), slow_crc64(UINT64_MAX, at, len));
    }
}

static void test_a_sum_goes_on_from_wherever_the_bytes_were_divided(void **state)
{
    (void)state;
    unsigned char bytes[BYTES_MAX];
    fill(bytes, sizeof bytes, 2);
    uint64_t whole64 = slow_crc64(7, bytes, sizeof bytes);
    uint32_t whole32 = slow_crc32c(bytes, sizeof bytes);
    for (size_t at = 0; at <= sizeof bytes; at++) {
        size_t rest = sizeof bytes - at;
        assert_int_equal(crc64(crc64(7, bytes, at), bytes + at, rest), whole64);
        assert_int_equal(crc32c(crc32c(0, bytes, at), bytes + at, rest), whole32);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_check_values_of_the_catalogues_come_out),
        cmocka_unit_test(test_every_length_gives_what_the_definition_gives),
        cmocka_unit_test(test_a_sum_goes_on_from_wherever_the_bytes_were_divided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
