/* A small pseudo-random generator (xoshiro256**, public domain, by Blackman and Vigna). Code that
 * needs randomness gets a seeded generator as an argument. */
#ifndef FLOTILLA_BASE_PRNG_H
#define FLOTILLA_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
uint64_t prng_below(struct prng *prng, uint64_t bound); /* uniform in [0, bound); bound > 0 */

#endif
