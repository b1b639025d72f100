#include "base/histogram.h"

enum { SUB_COUNT = 1 << HISTOGRAM_SUB_BITS };

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return (unsigned)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = top - HISTOGRAM_SUB_BITS;
    unsigned bucket = (shift + 1) * SUB_COUNT + (unsigned)(value >> shift) - SUB_COUNT;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_bound(unsigned bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = bucket / SUB_COUNT - 1;
    return (((uint64_t)SUB_COUNT + bucket % SUB_COUNT + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[bucket_of(value)]++;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t rank = (uint64_t)(percent / 100.0 * (double)histogram->count + 0.5);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && seen >= rank) {
            uint64_t bound = upper_bound(i);
            return bound < histogram->max ? bound : histogram->max;
        }
    }
    return 0;
}

uint64_t histogram_count_below(const struct histogram *histogram, uint64_t limit)
{
    unsigned end = limit == UINT64_MAX ? HISTOGRAM_BUCKETS : bucket_of(limit);
    uint64_t count = 0;
    for (unsigned i = 0; i < end; i++)
        count += histogram->buckets[i];
    return count;
}
