/* A small pseudo-random generator (xoshiro256**, public domain, by Blackman and Vigna). Code that
 * needs randomness gets a seeded generator as an argument. */
#ifndef FLOTILLA_BASE_PRNG_H
#define FLOTILLA_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state[4];
    bool is_seed; /* state[0] is one that nobody has drawn by */
};

void prng_init(struct prng *prng, uint64_t seed);
/* The same for one who mostly draws nothing: the work is done at the first number. */
static inline void prng_init_late(struct prng *prng, uint64_t seed)
{
    prng->state[0] = seed;
    prng->is_seed = true;
}
uint64_t prng_next(struct prng *prng);
uint64_t prng_below(struct prng *prng, uint64_t bound); /* uniform in [0, bound); bound > 0 */

#endif
