#include "base/bits.h"

#include "base/assert.h"

static uint64_t load(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof(word));
    return word;
}

static void store(char *to, uint64_t word)
{
    memcpy(to, &word, sizeof(word));
}

static unsigned byte_of(struct span bytes, size_t at)
{
    return at < bytes.len ? (unsigned char)bytes.ptr[at] : 0;
}

/* --- counting --- */

/* The processor's own instruction is not on every x86-64, and a call for each word would cost
 * more. */
static uint64_t ones_in(uint64_t word)
{
    const uint64_t each_2 = 0x5555555555555555;
    const uint64_t each_4 = 0x3333333333333333;
    const uint64_t each_8 = 0x0f0f0f0f0f0f0f0f;
    word -= word >> 1 & each_2;
    word = (word & each_4) + (word >> 2 & each_4);
    word = (word + (word >> 4)) & each_8;
    return word * 0x0101010101010101 >> 56;
}

/* Bits of one weight: adding a word to it gives bits of the next weight. */
static uint64_t carry(uint64_t *sum, uint64_t a, uint64_t b)
{
    uint64_t either = *sum ^ a;
    uint64_t over = (*sum & a) | (either & b);
    *sum = either ^ b;
    return over;
}

enum { GROUP_WORDS = 8, GROUP_BYTES = GROUP_WORDS * 8 };

/* Adds eight words in each step as columns of bits, and counts only the bits that weigh eight: one
 * count instead of eight. */
static uint64_t count_groups(const char *at, size_t groups)
{
    uint64_t ones = 0;
    uint64_t twos = 0;
    uint64_t fours = 0;
    uint64_t eights = 0;
    for (; groups; groups--, at += GROUP_BYTES) {
        uint64_t two_a = carry(&ones, load(at), load(at + 8));
        uint64_t two_b = carry(&ones, load(at + 16), load(at + 24));
        uint64_t four_a = carry(&twos, two_a, two_b);
        two_a = carry(&ones, load(at + 32), load(at + 40));
        two_b = carry(&ones, load(at + 48), load(at + 56));
        uint64_t four_b = carry(&twos, two_a, two_b);
        eights += ones_in(carry(&fours, four_a, four_b));
    }
    return 8 * eights + 4 * ones_in(fours) + 2 * ones_in(twos) + ones_in(ones);
}

static uint64_t count_bytes(const char *at, size_t len)
{
    size_t groups = len / GROUP_BYTES;
    uint64_t count = count_groups(at, groups);
    at += groups * GROUP_BYTES;
    len -= groups * GROUP_BYTES;
    for (; len >= 8; len -= 8, at += 8)
        count += ones_in(load(at));
    uint64_t rest = 0;
    memcpy(&rest, at, len);
    return count + ones_in(rest);
}

/* Masks for the first and the last byte of a range. */
static unsigned mask_from(uint64_t from)
{
    return 0xffu >> (from & 7);
}

static unsigned mask_to(uint64_t to)
{
    return 0xffu & (0xff00u >> ((to & 7) + 1));
}

uint64_t bits_count(struct span bytes, struct bit_range range)
{
    ASSERT(range.from <= range.to && range.to / 8 < bytes.len);
    size_t first = range.from / 8;
    size_t last = range.to / 8;
    uint64_t count = count_bytes(bytes.ptr + first, last - first + 1);
    count -= ones_in(byte_of(bytes, first) & ~mask_from(range.from));
    return count - ones_in(byte_of(bytes, last) & ~mask_to(range.to));
}

/* --- finding --- */

/* The first byte from `at` on that may have what is sought; the bytes before it are `flip`. */
static size_t skip(const char *bytes, size_t at, size_t end, uint64_t flip)
{
    while (end - at >= 32) {
        const char *four = bytes + at;
        uint64_t other = (load(four) ^ flip) | (load(four + 8) ^ flip) | (load(four + 16) ^ flip) |
                         (load(four + 24) ^ flip);
        if (other)
            break;
        at += 32;
    }
    while (end - at >= 8 && load(bytes + at) == flip)
        at += 8;
    return at;
}

static uint64_t find_in_byte(size_t at, unsigned byte)
{
    unsigned zeros = (unsigned)__builtin_clz(byte) - 24;
    return (uint64_t)at * 8 + zeros;
}

uint64_t bits_find(struct span bytes, bool value, struct bit_range range)
{
    ASSERT(range.from <= range.to && range.to / 8 < bytes.len);
    uint64_t flip = value ? 0 : UINT64_MAX;
    size_t at = range.from / 8;
    size_t last = range.to / 8;
    unsigned mask = mask_from(range.from);
    while (at <= last) {
        unsigned byte = (byte_of(bytes, at) ^ (unsigned)(flip & 0xff)) & mask;
        if (at == last)
            byte &= mask_to(range.to);
        if (byte)
            return find_in_byte(at, byte);
        mask = 0xff;
        at++;
        if (at < last)
            at = skip(bytes.ptr, at, last, flip);
    }
    return BITS_NONE;
}

/* --- numbers of some bits --- */

static uint64_t high_bits(unsigned width)
{
    return UINT64_MAX << (64 - width);
}

uint64_t bits_read(struct span bytes, uint64_t at, unsigned width)
{
    ASSERT(width >= 1 && width <= 64);
    size_t offset = at / 8;
    unsigned shift = at & 7;
    uint64_t window = 0;
    for (size_t i = 0; i < 8; i++)
        window = window << 8 | byte_of(bytes, offset + i);
    if (shift)
        window = window << shift | byte_of(bytes, offset + 8) >> (8 - shift);
    return window >> (64 - width);
}

void bits_patch(struct span bytes, uint64_t at, unsigned width, uint64_t number,
                struct bits_patch *patch)
{
    ASSERT(width >= 1 && width <= 64);
    unsigned shift = at & 7;
    patch->offset = at / 8;
    patch->len = (shift + width + 7) / 8;
    uint64_t bits = number << (64 - width);
    uint64_t mask = high_bits(width);
    for (size_t i = 0; i < patch->len; i++) {
        unsigned from = i == 0 ? shift : 0;
        unsigned changed = (unsigned)(mask >> 56) >> from;
        unsigned fresh = (unsigned)(bits >> 56) >> from;
        unsigned old = byte_of(bytes, patch->offset + i);
        patch->bytes[i] = (char)((old & ~changed) | fresh);
        mask <<= 8 - from;
        bits <<= 8 - from;
    }
}

/* --- rows together --- */

static uint64_t combined(enum bits_operation operation, uint64_t a, uint64_t b)
{
    switch (operation) {
    case BITS_AND:
        return a & b;
    case BITS_OR:
        return a | b;
    case BITS_XOR:
        break;
    }
    return a ^ b;
}

/* Inlined with a constant operation, so that the loop has no choice in it. */
static inline __attribute__((always_inline)) void
combine(enum bits_operation operation, char *restrict into, const char *restrict with, size_t len)
{
    size_t at = 0;
    for (; len - at >= 32; at += 32)
        for (size_t word = 0; word < 32; word += 8)
            store(into + at + word,
                  combined(operation, load(into + at + word), load(with + at + word)));
    for (; at < len; at++)
        into[at] = (char)combined(operation, (unsigned char)into[at], (unsigned char)with[at]);
}

void bits_combine(enum bits_operation operation, char *into, const char *with, size_t len)
{
    switch (operation) {
    case BITS_AND:
        combine(BITS_AND, into, with, len);
        break;
    case BITS_OR:
        combine(BITS_OR, into, with, len);
        break;
    case BITS_XOR:
        combine(BITS_XOR, into, with, len);
        break;
    }
}

void bits_invert(char *bytes, size_t len)
{
    size_t at = 0;
    for (; len - at >= 8; at += 8)
        store(bytes + at, ~load(bytes + at));
    for (; at < len; at++)
        bytes[at] = (char)~bytes[at];
}
