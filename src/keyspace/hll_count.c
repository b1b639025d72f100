/* The estimate of a HyperLogLog, by Otmar Ertl's estimator ("New cardinality estimation algorithms
 * for HyperLogLog sketches", 2017, algorithm 6).
 *
 * Redis computes the same in the same order, so the last digit is the same. Only +, -, *, / and the
 * square root are used, which IEEE 754 defines exactly; the Makefile forbids fused ones. */
#include <math.h>

#include "keyspace/hll.h"

enum { VALUES = 64, HIGHEST = 51 /* that a hash can propose */, LANES = 4 };

struct histogram {
    unsigned counts[VALUES];
};

static double sigma(double x)
{
    if (x == 1.0)
        return INFINITY;
    double weight = 1.0;
    double sum = x;
    double before;
    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != before);
    return sum;
}

static double tau(double x)
{
    if (x == 0.0 || x == 1.0)
        return 0.0;
    double weight = 1.0;
    double sum = 1.0 - x;
    double before;
    do {
        x = sqrt(x);
        before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
    } while (sum != before);
    return sum / 3.0;
}

/* Half goes up. An estimate that no number can hold comes from registers that no hash gives. */
static uint64_t rounded(double estimate)
{
    if (!(estimate < 9e18))
        return INT64_MAX;
    uint64_t whole = (uint64_t)estimate;
    return whole + (estimate - (double)whole >= 0.5);
}

static uint64_t estimate(const struct histogram *histogram)
{
    const double half_over_ln2 = 0.721347520444481703680;
    const double registers = HLL_REGISTERS;
    const unsigned *counts = histogram->counts;
    double sum = registers * tau((registers - counts[HIGHEST]) / registers);
    for (unsigned value = HIGHEST - 1; value >= 1; value--) {
        sum += counts[value];
        sum *= 0.5;
    }
    sum += registers * sigma(counts[0] / registers);
    return rounded(half_over_ln2 * registers * registers / sum);
}

/* Neighbours often have the same value: counting them apart spares the processor from waiting for
 * its own store. */
uint64_t hll_count_registers(const struct hll_registers *registers)
{
    struct histogram lanes[LANES] = {{{0}}};
    for (unsigned i = 0; i < HLL_REGISTERS; i += LANES)
        for (unsigned lane = 0; lane < LANES; lane++)
            lanes[lane].counts[registers->values[i + lane]]++;
    for (unsigned lane = 1; lane < LANES; lane++)
        for (unsigned value = 0; value < VALUES; value++)
            lanes[0].counts[value] += lanes[lane].counts[value];
    return estimate(&lanes[0]);
}

uint64_t hll_count(struct span bytes)
{
    struct hll_registers registers = {{0}};
    hll_merge(&registers, bytes);
    return hll_count_registers(&registers);
}
