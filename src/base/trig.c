#include "base/trig.h"

#include <math.h>

#include "base/assert.h"

/* The angle is reduced to a multiple of a 64th of pi and a rest of at most half of that. The sines
 * of the multiples are in a table. Where it matters, a number is kept as the sum of two doubles, of
 * which the second is far smaller. */

enum { STEPS = 32, HALF_TURN = 2 * STEPS }; /* of a quarter turn */

struct pair {
    double high;
    double low;
};

/* Sines of n / 64 pi. */
static const struct pair sines[STEPS + 1] = {
    {0x0.0p+0, 0x0.0p+0},
    {0x1.91f65f10dd814p-5, -0x1.912bd0d569a90p-61},
    {0x1.917a6bc29b42cp-4, -0x1.e2718d26ed688p-60},
    {0x1.2c8106e8e613ap-3, 0x1.13000a89a11e0p-58},
    {0x1.8f8b83c69a60bp-3, -0x1.26d19b9ff8d82p-57},
    {0x1.f19f97b215f1bp-3, -0x1.42deef11da2c4p-57},
    {0x1.294062ed59f06p-2, -0x1.5d28da2c4612dp-56},
    {0x1.58f9a75ab1fddp-2, -0x1.efdc0d58cf620p-62},
    {0x1.87de2a6aea963p-2, -0x1.72cedd3d5a610p-57},
    {0x1.b5d1009e15cc0p-2, 0x1.5b362cb974183p-57},
    {0x1.e2b5d3806f63bp-2, 0x1.e0d891d3c6841p-58},
    {0x1.073879922ffeep-1, -0x1.a5a014347406cp-55},
    {0x1.1c73b39ae68c8p-1, 0x1.b25dd267f6600p-55},
    {0x1.30ff7fce17035p-1, -0x1.efcc626f74a6fp-57},
    {0x1.44cf325091dd6p-1, 0x1.8076a2cfdc6b3p-57},
    {0x1.57d69348ceca0p-1, -0x1.75720992bfbb2p-55},
    {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55},
    {0x1.7b5df226aafafp-1, -0x1.0f537acdf0ad7p-56},
    {0x1.8bc806b151741p-1, -0x1.2c5e12ed1336dp-55},
    {0x1.9b3e047f38741p-1, -0x1.30ee286712474p-55},
    {0x1.a9b66290ea1a3p-1, 0x1.9f630e8b6dac8p-60},
    {0x1.b728345196e3ep-1, -0x1.bc69f324e6d61p-55},
    {0x1.c38b2f180bdb1p-1, -0x1.6e0b1757c8d07p-56},
    {0x1.ced7af43cc773p-1, -0x1.e7b6bb5ab58aep-58},
    {0x1.d906bcf328d46p-1, 0x1.457e610231ac2p-56},
    {0x1.e212104f686e5p-1, -0x1.014c76c126527p-55},
    {0x1.e9f4156c62ddap-1, 0x1.760b1e2e3f81ep-55},
    {0x1.f0a7efb9230d7p-1, 0x1.52c7adc6b4989p-56},
    {0x1.f6297cff75cb0p-1, 0x1.562172a361fd3p-56},
    {0x1.fa7557f08a517p-1, -0x1.7a0a8ca13571fp-55},
    {0x1.fd88da3d12526p-1, -0x1.87df6378811c7p-55},
    {0x1.ff621e3796d7ep-1, -0x1.c57bc2e24aa15p-57},
    {0x1.0000000000000p+0, 0x0.0p+0},
};

/* A 64th of pi in three parts; a multiple of the first two by up to 64 is exact. */
static const double step_parts[3] = {0x1.921fb54442c00p-5, 0x1.18469898cc400p-49,
                                     0x1.1701b839a2520p-93};
static const struct pair step = {0x1.921fb54442d18p-5, 0x1.1a62633145c07p-59};
static const double steps_per_radian = 0x1.45f306dc9c883p+4;

/* Exact sum, if |a| >= |b|. */
static struct pair sum_of_ordered(double a, double b)
{
    double high = a + b;
    return (struct pair){high, b - (high - a)};
}

/* Exact sum (Knuth). */
static struct pair sum_of(double a, double b)
{
    double high = a + b;
    double b_in_high = high - a;
    double a_in_high = high - b_in_high;
    return (struct pair){high, (a - a_in_high) + (b - b_in_high)};
}

/* The upper half of the digits. */
static double upper(double a)
{
    double shifted = a * 134217729.0;
    return shifted - (shifted - a);
}

/* Exact product (Dekker). */
static struct pair product_of(double a, double b)
{
    double high = a * b;
    double a_up = upper(a);
    double b_up = upper(b);
    double a_down = a - a_up;
    double b_down = b - b_up;
    double low = ((a_up * b_up - high) + a_up * b_down + a_down * b_up) + a_down * b_down;
    return (struct pair){high, low};
}

static double sum_of_three(double first, struct pair second, double rest)
{
    struct pair sum = sum_of(first, second.high);
    return sum.high + (sum.low + (second.low + rest));
}

/* --- sine and cosine --- */

struct angle {
    unsigned steps; /* up to HALF_TURN */
    struct pair rest;
};

static struct angle reduce(double x)
{
    unsigned steps = (unsigned)(x * steps_per_radian + 0.5);
    double count = steps;
    double near = x - count * step_parts[0];
    struct pair rest = sum_of(near, -(count * step_parts[1]));
    rest.low -= count * step_parts[2];
    return (struct angle){steps, sum_of_ordered(rest.high, rest.low)};
}

static struct pair sine_of_steps(unsigned steps)
{
    return sines[steps <= STEPS ? steps : HALF_TURN - steps];
}

static struct pair cosine_of_steps(unsigned steps)
{
    struct pair sine = sines[steps <= STEPS ? STEPS - steps : steps - STEPS];
    return steps <= STEPS ? sine : (struct pair){-sine.high, -sine.low};
}

/* sin(r) - r and cos(r) - 1 for a small rest. */
static double sine_beyond(double r)
{
    double square = r * r;
    return r * square *
           (-1.0 / 6 + square * (1.0 / 120 + square * (-1.0 / 5040 + square * (1.0 / 362880))));
}

static double cosine_beyond(double r)
{
    double square = r * r;
    return square * (-0.5 + square * (1.0 / 24 + square * (-1.0 / 720 + square * (1.0 / 40320))));
}

/* a cos(r) + b sin(r), in which a is 0 or not far smaller than b r. */
static double turned(struct pair a, struct pair b, struct pair rest)
{
    struct pair main = product_of(b.high, rest.high);
    double small = a.low + b.high * rest.low + b.low * rest.high +
                   a.high * (cosine_beyond(rest.high) - rest.high * rest.low) +
                   b.high * sine_beyond(rest.high);
    return sum_of_three(a.high, main, small);
}

double trig_sin(double x)
{
    ASSERT(x >= -TRIG_PI && x <= TRIG_PI);
    struct angle angle = reduce(fabs(x));
    double sine = turned(sine_of_steps(angle.steps), cosine_of_steps(angle.steps), angle.rest);
    return x < 0 ? -sine : sine;
}

double trig_cos(double x)
{
    ASSERT(x >= -TRIG_PI && x <= TRIG_PI);
    struct angle angle = reduce(fabs(x));
    struct pair sine = sine_of_steps(angle.steps);
    return turned(cosine_of_steps(angle.steps), (struct pair){-sine.high, -sine.low}, angle.rest);
}

/* --- arc sine --- */

/* The square root of 1 - y * y. */
static struct pair cosine_for_sine(double y)
{
    struct pair square = product_of(y, y);
    struct pair left = sum_of(1.0, -square.high);
    left.low -= square.low;
    double root = sqrt(left.high);
    if (root == 0)
        return (struct pair){0, 0};
    struct pair back = product_of(root, root);
    double missing = (left.high - back.high) - back.low + left.low;
    return sum_of_ordered(root, missing / (2 * root));
}

/* The number of steps whose sine is nearest, or next to it. */
static unsigned steps_of_sine(double y)
{
    unsigned low = 0;
    unsigned high = STEPS;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (y < sines[middle].high)
            high = middle;
        else
            low = middle;
    }
    return sines[high].high - y < y - sines[low].high ? high : low;
}

static struct pair product_of_pairs(struct pair a, struct pair b)
{
    struct pair product = product_of(a.high, b.high);
    product.low += a.high * b.low + a.low * b.high;
    return sum_of_ordered(product.high, product.low);
}

/* asin(d) - d for a small d. */
static double arc_beyond(double d)
{
    double square = d * d;
    return d * square *
           (1.0 / 6 +
            square * (3.0 / 40 +
                      square * (15.0 / 336 + square * (105.0 / 3456 + square * (945.0 / 42240)))));
}

/* asin(y) = a + asin(sin(asin(y) - a)) for the multiple a that is nearest. */
double trig_asin(double y)
{
    ASSERT(y >= 0 && y <= 1);
    unsigned steps = steps_of_sine(y);
    if (steps == 0)
        return y + arc_beyond(y);
    struct pair near = product_of_pairs((struct pair){y, 0}, sines[STEPS - steps]);
    struct pair far = product_of_pairs(cosine_for_sine(y), sines[steps]);
    struct pair off = sum_of(near.high, -far.high);
    off.low += near.low - far.low;
    struct pair angle = product_of(step.high, steps);
    angle.low += step.low * steps;
    struct pair sum = sum_of(angle.high, off.high);
    return sum.high + (sum.low + (angle.low + off.low + arc_beyond(off.high)));
}
