/* Durations in nanoseconds with a relative error of at most 1/128, in fixed memory. Finer than
 * base/histogram.h, which a server keeps for each command. Zero-initialised is empty. */
#ifndef FLOTILLA_BENCH_LATENCY_H
#define FLOTILLA_BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_SUB_BITS = 7,
    LATENCY_TOP_BITS = 42, /* more than an hour */
    LATENCY_BUCKETS = (LATENCY_TOP_BITS - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS
};

struct latency {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);

/* The duration that `percent` (0 to 100) of the samples do not exceed; 0 without samples. */
uint64_t latency_percentile(const struct latency *latency, double percent);

#endif
