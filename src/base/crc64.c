/* CRC-64 of RDB files, with the polynomial of D. Jones, "An Improved 64-bit Cyclic Redundancy Check
 * for Protein Sequences" (0xad93d23594c935a9, reflected, initial value 0).
 *
 * Processes eight bytes at a time (Kounavis and Berry, "A Systematic Approach to Building High
 * Performance Software-based CRC Generators"). Where the processor multiplies without carries, long
 * spans are folded first: the bytes become 16 others, further on, with the same CRC (Gopal et al.,
 * "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction"). */
#include "base/crc.h"
#include "base/crc_sums.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define T0_0 UINT64_C(0x7ad870c830358979)
#define T0_1 UINT64_C(0xf5b0e190606b12f2)
#define T0_2 UINT64_C(0xc038e5739841b68f)
#define T0_3 UINT64_C(0xab28ecb46814fe75)
#define T0_4 UINT64_C(0x7d08ff3b88be6f81)
#define T0_5 UINT64_C(0xfa11fe77117cdf02)
#define T0_6 UINT64_C(0xdf7adabd7a6e2d6f)
#define T0_7 UINT64_C(0x95ac9329ac4bc9b5)
#define T1_0 UINT64_C(0x89e99ffd73bddf69)
#define T1_1 UINT64_C(0x388a19a9bfec2db9)
#define T1_2 UINT64_C(0x711433537fd85b72)
#define T1_3 UINT64_C(0xe22866a6ffb0b6e4)
#define T1_4 UINT64_C(0xef09eb1ea7f6fea3)
#define T1_5 UINT64_C(0xf54af06e177a6e2d)
#define T1_6 UINT64_C(0xc1ccc68f76634f31)
#define T1_7 UINT64_C(0xa8c0ab4db4510d09)
#define T2_0 UINT64_C(0xf4125129ce4038be)
#define T2_1 UINT64_C(0xc37d8400c417e217)
#define T2_2 UINT64_C(0xada22e52d0b85745)
#define T2_3 UINT64_C(0x701d7af6f9e73de1)
#define T2_4 UINT64_C(0xe03af5edf3ce7bc2)
#define T2_5 UINT64_C(0xeb2ccd88bf0b64ef)
#define T2_6 UINT64_C(0xfd00bd4226815ab5)
#define T2_7 UINT64_C(0xd1585cd715952601)
#define T3_0 UINT64_C(0x8ce168638c796306)
#define T3_1 UINT64_C(0x329bf69440655567)
#define T3_2 UINT64_C(0x6537ed2880caaace)
#define T3_3 UINT64_C(0xca6fda510195559c)
#define T3_4 UINT64_C(0xbf8692f15bbd3853)
#define T3_5 UINT64_C(0x545403b1efede3cd)
#define T3_6 UINT64_C(0xa8a80763dfdbc79a)
#define T3_7 UINT64_C(0x7a092894e7201c5f)
#define T4_0 UINT64_C(0x3504e58b9ba6dd1e)
#define T4_1 UINT64_C(0x6a09cb17374dba3c)
#define T4_2 UINT64_C(0xd413962e6e9b7478)
#define T4_3 UINT64_C(0x837e0a0f85a17b9b)
#define T4_4 UINT64_C(0x2da5324c53d5645d)
#define T4_5 UINT64_C(0x5b4a6498a7aac8ba)
#define T4_6 UINT64_C(0xb694c9314f559174)
#define T4_7 UINT64_C(0x4670b431c63cb183)
#define T5_0 UINT64_C(0xe39d1389931b9354)
#define T5_1 UINT64_C(0xec6301407ea0b5c3)
#define T5_2 UINT64_C(0xf39f24d3a5d6f8ed)
#define T5_3 UINT64_C(0xcc676ff4133a62b1)
#define T5_4 UINT64_C(0xb397f9bb7ee35609)
#define T5_5 UINT64_C(0x4c76d525a5513f79)
#define T5_6 UINT64_C(0x98edaa4b4aa27ef2)
#define T5_7 UINT64_C(0x1a8272c5cdd36e8f)
#define T6_0 UINT64_C(0x62a95de6e302eff2)
#define T6_1 UINT64_C(0xc552bbcdc605dfe4)
#define T6_2 UINT64_C(0xa1fc51c8d49c2ca3)
#define T6_3 UINT64_C(0x68a185c2f1afca2d)
#define T6_4 UINT64_C(0xd1430b85e35f945a)
#define T6_5 UINT64_C(0x89df31589e28bbdf)
#define T6_6 UINT64_C(0x38e744e264c6e4d5)
#define T6_7 UINT64_C(0x71ce89c4c98dc9aa)
#define T7_0 UINT64_C(0x381d0015c96f4444)
#define T7_1 UINT64_C(0x703a002b92de8888)
#define T7_2 UINT64_C(0xe074005725bd1110)
#define T7_3 UINT64_C(0xebb126fd13edb14b)
#define T7_4 UINT64_C(0xfc3b6ba97f4cf1fd)
#define T7_5 UINT64_C(0xd32ff101a60e7091)
#define T7_6 UINT64_C(0x8d06c450148b7249)
#define T7_7 UINT64_C(0x3154aef3718177f9)

/* tables[n][i]: the CRC of byte i followed by n zero bytes */
static const uint64_t tables[8][256] = {
    {SUMS_8(0, T0_)}, {SUMS_8(0, T1_)}, {SUMS_8(0, T2_)}, {SUMS_8(0, T3_)},
    {SUMS_8(0, T4_)}, {SUMS_8(0, T5_)}, {SUMS_8(0, T6_)}, {SUMS_8(0, T7_)},
};

static uint64_t little_endian(const unsigned char *bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static uint64_t by_table(uint64_t crc, const unsigned char *at, size_t len)
{
    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word = crc ^ little_endian(at);
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= tables[7 - i][word >> (8 * i) & 0xff];
    }
    for (; len; len--, at++)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    return crc;
}

#if defined(__x86_64__)
enum { BLOCK = 16, LANES = 4, STRIDE = LANES * BLOCK, FOLDED_MIN = 2 * STRIDE };

/* x^(distance + 63) and x^(distance - 1) modulo the polynomial, reflected; distances in bits */
#define FOLD_BLOCK _mm_set_epi64x(0x381d0015c96f4444, (long long)UINT64_C(0xd9d7be7d505da32c))
#define FOLD_STRIDE                                                                                \
    _mm_set_epi64x((long long)UINT64_C(0xf49784a634f014e4), (long long)UINT64_C(0xaf86efb16d9ab4fb))

/* The block `by` further on that has the same CRC, and what stands there. */
__attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i block, __m128i by,
                                                             __m128i there)
{
    __m128i low = _mm_clmulepi64_si128(block, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(block, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

/* `len` is FOLDED_MIN or more. */
__attribute__((target("pclmul,sse4.1"))) static uint64_t
by_folding(uint64_t crc, const unsigned char *at, size_t len)
{
    __m128i lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + i * BLOCK));
    lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, (long long)crc));
    for (at += STRIDE, len -= STRIDE; len >= STRIDE; at += STRIDE, len -= STRIDE)
        for (int i = 0; i < LANES; i++)
            lanes[i] = fold(lanes[i], FOLD_STRIDE,
                            _mm_loadu_si128((const __m128i *)(const void *)(at + i * BLOCK)));
    for (int i = 1; i < LANES; i++)
        lanes[0] = fold(lanes[0], FOLD_BLOCK, lanes[i]);
    unsigned char last[BLOCK];
    memcpy(last, &lanes[0], sizeof last);
    return by_table(by_table(0, last, sizeof last), at, len);
}
#endif

uint64_t crc64(uint64_t crc, const void *bytes, size_t len)
{
#if defined(__x86_64__)
    if (len >= FOLDED_MIN && __builtin_cpu_supports("pclmul"))
        return by_folding(crc, bytes, len);
#endif
    return by_table(crc, bytes, len);
}
