/* A histogram of durations. Bucket widths grow with the value: relative error at most 1/16, fixed
 * memory, no allocation. Zero-initialised is empty. */
#ifndef FLOTILLA_BASE_HISTOGRAM_H
#define FLOTILLA_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 4,
    HISTOGRAM_BUCKETS = (40 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS
};

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* How many samples are below `limit`: exact for a power of two and for UINT64_MAX, which is above
 * all. */
uint64_t histogram_count_below(const struct histogram *histogram, uint64_t limit);

/* The value below which `percent` (0 to 100) of the samples lie; 0 if there are no samples. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
