#include "bench/load/latency.h"

#include <math.h>

enum { SUB_COUNT = 1 << LATENCY_SUB_BITS };

static unsigned bucket_of(uint64_t ns)
{
    if (ns < SUB_COUNT)
        return (unsigned)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - LATENCY_SUB_BITS;
    uint64_t bucket = (uint64_t)shift * SUB_COUNT + (ns >> shift);
    return bucket < LATENCY_BUCKETS ? (unsigned)bucket : LATENCY_BUCKETS - 1;
}

static uint64_t longest_of(unsigned bucket)
{
    if (bucket < 2 * SUB_COUNT)
        return bucket;
    unsigned shift = bucket / SUB_COUNT - 1;
    return ((uint64_t)(bucket - shift * SUB_COUNT + 1) << shift) - 1;
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->count++;
    latency->sum_ns += ns;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
    latency->buckets[bucket_of(ns)]++;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t latency_percentile(const struct latency *latency, double percent)
{
    if (latency->count == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil(percent / 100.0 * (double)latency->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > 0 && seen >= rank) {
            uint64_t longest = longest_of(i);
            return longest < latency->max_ns ? longest : latency->max_ns;
        }
    }
    return latency->max_ns;
}
