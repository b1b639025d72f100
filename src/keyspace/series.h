/* The sum of a sequence of texts, which depends on their order. Private to keyspace/.
 *
 *     sum of a, b, c = hash(a) + hash(b) * K + hash(c) * K²     modulo 2^64
 *
 * With the power of K for its length next to it, the sum of two sequences one after the other
 * follows from their sums, and so does that of what is left if one end is taken off. So an edit
 * costs as much as the texts that it concerns, wherever it is. */
#ifndef FLOTILLA_KEYSPACE_SERIES_H
#define FLOTILLA_KEYSPACE_SERIES_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "base/span.h"

struct series {
    uint64_t sum;
    uint64_t power; /* K to the power of the length; always odd, so that it has an inverse */
};

#define SERIES_K UINT64_C(0x9e3779b97f4a7c15)

static inline struct series series_empty(void)
{
    return (struct series){0, 1};
}

static inline struct series series_one(struct span text)
{
    return (struct series){XXH3_64bits(text.ptr, text.len), SERIES_K};
}

static inline struct series series_join(struct series front, struct series back)
{
    return (struct series){front.sum + front.power * back.sum, front.power * back.power};
}

/* The inverse of an odd number modulo 2^64. It begins with five right bits; each step doubles
 * them. */
static inline uint64_t series_inverse(uint64_t power)
{
    uint64_t inverse = power * 3 ^ 2;
    for (int bits = 5; bits < 64; bits *= 2)
        inverse *= 2 - power * inverse;
    return inverse;
}

/* What is left of `whole` without its beginning, `front`. */
static inline struct series series_without_front(struct series whole, struct series front)
{
    uint64_t inverse = series_inverse(front.power);
    return (struct series){(whole.sum - front.sum) * inverse, whole.power * inverse};
}

/* What is left of `whole` without its end, `back`. */
static inline struct series series_without_back(struct series whole, struct series back)
{
    uint64_t power = whole.power * series_inverse(back.power);
    return (struct series){whole.sum - power * back.sum, power};
}

static inline uint64_t series_power(size_t length)
{
    uint64_t power = 1, square = SERIES_K;
    for (; length; length >>= 1, square *= square) {
        if (length & 1)
            power *= square;
    }
    return power;
}

#endif
