/* Which key the next request is for: numbers from 0 on, below a count. */
#ifndef FLOTILLA_BENCH_KEYS_H
#define FLOTILLA_BENCH_KEYS_H

#include <stdint.h>

#include "base/prng.h"

enum key_order {
    KEYS_UNIFORM,
    KEYS_ZIPF,      /* number k comes up in proportion to 1 / (k + 1)^exponent */
    KEYS_SEQUENTIAL /* each in turn, again from 0 after the last one */
};

struct keys {
    enum key_order order;
    uint64_t count;
    uint64_t next;
    double exponent;
    double low; /* what the areas of all numbers span */
    double high;
    double accepted; /* how near a number a draw is accepted without a closer look */
};

/* `exponent` is that of Zipf: above 0. */
void keys_init(struct keys *keys, enum key_order order, uint64_t count, double exponent);
uint64_t keys_next(struct keys *keys, struct prng *prng);

#endif
