#include "bench/load/keys.h"

#include <math.h>

/* Zipf by rejection from the continuous curve x^-exponent (Hörmann and Derflinger, 1996): constant
 * time and memory for any number of keys. */

/* The area under the curve from 1 to x. */
static double area(const struct keys *keys, double x)
{
    double power = 1.0 - keys->exponent;
    double log_x = log(x);
    return fabs(power) < 1e-9 ? log_x : expm1(power * log_x) / power;
}

static double area_reaches(const struct keys *keys, double sum)
{
    double power = 1.0 - keys->exponent;
    return exp(fabs(power) < 1e-9 ? sum : log1p(power * sum) / power);
}

static double share(const struct keys *keys, double x)
{
    return exp(-keys->exponent * log(x));
}

void keys_init(struct keys *keys, enum key_order order, uint64_t count, double exponent)
{
    *keys = (struct keys){.order = order, .count = count, .exponent = exponent};
    if (order != KEYS_ZIPF)
        return;
    keys->low = area(keys, 1.5) - 1.0;
    keys->high = area(keys, (double)count + 0.5);
    keys->accepted = 2.0 - area_reaches(keys, area(keys, 2.5) - share(keys, 2.0));
}

static uint64_t zipf_next(const struct keys *keys, struct prng *prng)
{
    for (;;) {
        double random = (double)(prng_next(prng) >> 11) * 0x1p-53;
        double sum = keys->high + random * (keys->low - keys->high);
        double x = area_reaches(keys, sum);
        double k = floor(x + 0.5);
        if (k < 1.0)
            k = 1.0;
        if (k > (double)keys->count)
            k = (double)keys->count;
        if (k - x <= keys->accepted || sum >= area(keys, k + 0.5) - share(keys, k))
            return (uint64_t)k - 1;
    }
}

uint64_t keys_next(struct keys *keys, struct prng *prng)
{
    switch (keys->order) {
    case KEYS_UNIFORM:
        return prng_below(prng, keys->count);
    case KEYS_ZIPF:
        return zipf_next(keys, prng);
    case KEYS_SEQUENTIAL:
        break;
    }
    uint64_t key = keys->next++;
    if (keys->next == keys->count)
        keys->next = 0;
    return key;
}
