#include "keyspace/geohash.h"

#include <math.h>

#include "base/assert.h"
#include "base/trig.h"
#include "keyspace/geohash_map.h"

enum { TEXT_BITS = 5 };

#define RADIANS (TRIG_PI / 180.0)

/* --- squares of the map --- */

/* Puts a zero before each of the 32 bits. */
static uint64_t spread(uint64_t bits)
{
    bits = (bits | bits << 16) & 0x0000ffff0000ffff;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits << 2) & 0x3333333333333333;
    return (bits | bits << 1) & 0x5555555555555555;
}

static uint64_t gather(uint64_t bits)
{
    bits &= 0x5555555555555555;
    bits = (bits | bits >> 1) & 0x3333333333333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff00ff00ff;
    bits = (bits | bits >> 8) & 0x0000ffff0000ffff;
    return (bits | bits >> 16) & 0x00000000ffffffff;
}

uint64_t geo_interleave(uint64_t column, uint64_t row)
{
    return spread(column) << 1 | spread(row);
}

uint64_t geo_index(double value, double end, unsigned steps)
{
    double part = (value + end) / (end + end);
    return (uint64_t)(part * (double)(UINT64_C(1) << steps));
}

double geo_edge(uint64_t index, double end, unsigned steps)
{
    return -end + (double)index / (double)(UINT64_C(1) << steps) * (end + end);
}

bool geo_point_is_on_map(struct geo_point point)
{
    return point.longitude >= -GEO_LONGITUDE_MAX && point.longitude <= GEO_LONGITUDE_MAX &&
           point.latitude >= -GEO_LATITUDE_MAX && point.latitude <= GEO_LATITUDE_MAX;
}

double geo_score(struct geo_point point)
{
    ASSERT(geo_point_is_on_map(point));
    return (double)geo_interleave(geo_index(point.longitude, GEO_LONGITUDE_MAX, GEO_STEPS),
                                  geo_index(point.latitude, GEO_LATITUDE_MAX, GEO_STEPS));
}

/* Scores that GEOADD did not make. Processors do not agree on what C leaves open here. */
static uint64_t bits_of(double score)
{
    if (score >= 0 && score < 0x1p64)
        return (uint64_t)score;
    if (score < 0 && score > -9223372036854775808.0)
        return (uint64_t)(int64_t)score;
    return UINT64_C(1) << 63;
}

static double within(double value, double end)
{
    if (value > end)
        return end;
    return value < -end ? -end : value;
}

static double middle_of(uint64_t index, double end)
{
    double low = geo_edge(index, end, GEO_STEPS);
    double high = geo_edge(index + 1, end, GEO_STEPS);
    return within((low + high) / 2, end);
}

struct geo_point geo_point_of(double score)
{
    uint64_t bits = bits_of(score);
    return (struct geo_point){
        .longitude = middle_of(gather(bits >> 1), GEO_LONGITUDE_MAX),
        .latitude = middle_of(gather(bits), GEO_LATITUDE_MAX),
    };
}

void geo_text(struct geo_point point, char text[GEO_TEXT_LEN])
{
    static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = geo_interleave(geo_index(point.longitude, GEO_LONGITUDE_MAX, GEO_STEPS),
                                   geo_index(point.latitude, 90.0, GEO_STEPS));
    for (unsigned i = 0; i < GEO_TEXT_LEN - 1; i++)
        text[i] = digits[bits >> (2 * GEO_STEPS - TEXT_BITS * (i + 1)) & 31];
    text[GEO_TEXT_LEN - 1] = digits[0];
}

/* --- distances --- */

struct geo_origin geo_origin_of(struct geo_point point)
{
    return (struct geo_origin){
        .point = point,
        .longitude = point.longitude * RADIANS,
        .latitude = point.latitude * RADIANS,
        .cosine = trig_cos(point.latitude * RADIANS),
    };
}

static double parallels_apart(double latitude_a, double latitude_b)
{
    return GEO_EARTH_RADIUS_M * fabs(latitude_b - latitude_a);
}

/* By the haversine formula. */
static double distance_between(const struct geo_origin *from, const struct geo_origin *to)
{
    double v = trig_sin((to->longitude - from->longitude) / 2);
    if (v == 0.0)
        return parallels_apart(from->latitude, to->latitude);
    double u = trig_sin((to->latitude - from->latitude) / 2);
    double a = u * u + from->cosine * to->cosine * v * v;
    double root = sqrt(a);
    return 2.0 * GEO_EARTH_RADIUS_M * trig_asin(root > 1.0 ? 1.0 : root);
}

double geo_distance(const struct geo_origin *from, struct geo_point to)
{
    struct geo_origin end = geo_origin_of(to);
    return distance_between(from, &end);
}

/* No point is nearer than its parallel is; the margin is far more than what rounding may do. */
static bool is_far_off(const struct geo_shape *shape, double latitude)
{
    const double margin = 1.000001;
    double apart = parallels_apart(shape->center.latitude, latitude * RADIANS);
    return apart > (shape->is_box ? shape->height_m / 2 : shape->radius_m) * margin;
}

static bool box_holds(const struct geo_shape *shape, const struct geo_origin *point)
{
    if (parallels_apart(point->latitude, shape->center.latitude) > shape->height_m / 2)
        return false;
    struct geo_origin beside = *point; /* on the centre's meridian */
    beside.point.longitude = shape->center.point.longitude;
    beside.longitude = shape->center.longitude;
    return distance_between(point, &beside) <= shape->width_m / 2;
}

bool geo_shape_holds(const struct geo_shape *shape, struct geo_point point, double *distance_m)
{
    if (is_far_off(shape, point.latitude))
        return false;
    struct geo_origin end = geo_origin_of(point);
    if (shape->is_box && !box_holds(shape, &end))
        return false;
    *distance_m = distance_between(&shape->center, &end);
    return shape->is_box || *distance_m <= shape->radius_m;
}
