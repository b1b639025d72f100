/* Which squares of the map a search looks at: that of the centre and its eight neighbours, of a
 * size at which they cover the shape.
 *
 * Redis chooses the size by the rules below, and clients see the order of the squares in the order
 * of a reply that is not sorted. Near the poles, and for shapes as large as a continent, its rules
 * give squares that do not cover the shape; here they then become larger until they do. */
#include <math.h>

#include "base/trig.h"
#include "keyspace/geohash_map.h"

#define RADIANS      (TRIG_PI / 180.0)
#define MERCATOR_MAX 20037726.37 /* half of the equator, in metres, as Redis has it */

struct bounds {
    double west;
    double south;
    double east;
    double north;
};

/* Half of the shape's extent, in radians. */
struct extent {
    double width;
    double height;
};

static struct extent extent_of(const struct geo_shape *shape)
{
    double width_m = shape->is_box ? shape->width_m / 2 : shape->radius_m;
    double height_m = shape->is_box ? shape->height_m / 2 : shape->radius_m;
    return (struct extent){width_m / GEO_EARTH_RADIUS_M, height_m / GEO_EARTH_RADIUS_M};
}

static struct bounds bounds_around(const struct geo_shape *shape, double longitudes,
                                   double latitudes)
{
    struct geo_point center = shape->center.point;
    return (struct bounds){
        .west = center.longitude - longitudes,
        .south = center.latitude - latitudes,
        .east = center.longitude + longitudes,
        .north = center.latitude + latitudes,
    };
}

/* The latitude nearest to a pole that the shape reaches, in radians; above a quarter turn it is
 * beyond the pole. */
static double farthest_latitude(const struct geo_shape *shape)
{
    return fabs(shape->center.latitude) + extent_of(shape).height;
}

/* What Redis takes for the bounds: as if the width were one along the farthest parallel. */
static struct bounds assumed_bounds(const struct geo_shape *shape)
{
    struct extent extent = extent_of(shape);
    double latitudes = extent.height / RADIANS;
    double farthest = farthest_latitude(shape);
    double longitudes = farthest < TRIG_PI / 2 ? extent.width / RADIANS / trig_cos(farthest)
                                               : 2 * GEO_LONGITUDE_MAX;
    return bounds_around(shape, longitudes, latitudes);
}

/* How many degrees of longitude the shape reaches to each side, or a little more. */
static double reach(const struct geo_shape *shape)
{
    const double margin = 1.000001;
    struct extent extent = extent_of(shape);
    double farthest = farthest_latitude(shape);
    if (!(farthest < TRIG_PI / 2) || !(extent.width < TRIG_PI / 2))
        return 2 * GEO_LONGITUDE_MAX;
    /* A circle touches its farthest meridian; the corner of a box is on its farthest parallel. */
    double sine = shape->is_box ? trig_sin(extent.width / 2) / trig_cos(farthest)
                                : trig_sin(extent.width) / shape->center.cosine;
    if (sine * margin >= 1)
        return 2 * GEO_LONGITUDE_MAX;
    return trig_asin(sine * margin) * (shape->is_box ? 2 : 1) / RADIANS * margin;
}

static struct bounds true_bounds(const struct geo_shape *shape)
{
    const double margin = 1.000001;
    return bounds_around(shape, reach(shape), extent_of(shape).height / RADIANS * margin);
}

/* --- squares --- */

struct square {
    uint64_t column;
    uint64_t row;
    unsigned steps;
};

static uint64_t last_index(unsigned steps)
{
    return (UINT64_C(1) << steps) - 1;
}

static uint64_t index_on_map(double value, double end, unsigned steps)
{
    uint64_t index = geo_index(value, end, steps);
    return index > last_index(steps) ? last_index(steps) : index;
}

static struct square square_of(struct geo_point point, unsigned steps)
{
    return (struct square){index_on_map(point.longitude, GEO_LONGITUDE_MAX, steps),
                           index_on_map(point.latitude, GEO_LATITUDE_MAX, steps), steps};
}

/* Beyond an edge the map begins anew on the other side. */
static uint64_t moved(uint64_t index, int by, unsigned steps)
{
    return (index + (uint64_t)(int64_t)by) & last_index(steps);
}

static struct square neighbour(struct square square, int east, int north)
{
    return (struct square){moved(square.column, east, square.steps),
                           moved(square.row, north, square.steps), square.steps};
}

static struct bounds bounds_of(struct square square)
{
    return (struct bounds){
        .west = geo_edge(square.column, GEO_LONGITUDE_MAX, square.steps),
        .south = geo_edge(square.row, GEO_LATITUDE_MAX, square.steps),
        .east = geo_edge(square.column + 1, GEO_LONGITUDE_MAX, square.steps),
        .north = geo_edge(square.row + 1, GEO_LATITUDE_MAX, square.steps),
    };
}

/* --- their size --- */

static unsigned estimated_steps(const struct geo_shape *shape)
{
    double radius_m = shape->radius_m;
    if (shape->is_box)
        radius_m = sqrt(shape->width_m / 2 * (shape->width_m / 2) +
                        shape->height_m / 2 * (shape->height_m / 2));
    if (radius_m == 0)
        return GEO_STEPS;
    int steps = -1;
    while (radius_m < MERCATOR_MAX) {
        radius_m *= 2;
        steps++;
    }
    double latitude = fabs(shape->center.point.latitude);
    steps -= (latitude > 66) + (latitude > 80);
    if (steps < 1)
        return 1;
    return steps > GEO_STEPS ? GEO_STEPS : (unsigned)steps;
}

/* As Redis looks: a neighbour on the other side of the map reaches nowhere near. */
static bool seems_to_cover(struct square square, const struct geo_shape *shape)
{
    struct bounds bounds = assumed_bounds(shape);
    return bounds_of(neighbour(square, 0, 1)).north >= bounds.north &&
           bounds_of(neighbour(square, 0, -1)).south <= bounds.south &&
           bounds_of(neighbour(square, 1, 0)).east >= bounds.east &&
           bounds_of(neighbour(square, -1, 0)).west <= bounds.west;
}

static bool covers(struct square square, const struct geo_shape *shape)
{
    struct bounds bounds = true_bounds(shape);
    struct bounds center = bounds_of(square);
    double width = center.east - center.west;
    double height = center.north - center.south;
    double north = center.north + height;
    double south = center.south - height;
    return (north >= bounds.north || north >= GEO_LATITUDE_MAX) &&
           (south <= bounds.south || south <= -GEO_LATITUDE_MAX) &&
           center.east + width >= bounds.east && center.west - width <= bounds.west;
}

/* With one step the squares are the whole map. */
static struct square center_square(const struct geo_shape *shape)
{
    unsigned steps = estimated_steps(shape);
    struct square square = square_of(shape->center.point, steps);
    if (steps > 1 && !seems_to_cover(square, shape))
        square = square_of(shape->center.point, --steps);
    while (steps > 1 && !covers(square, shape))
        square = square_of(shape->center.point, --steps);
    return square;
}

/* --- ranges --- */

/* Scores above 2^53 are even: the range of the smallest square must not become empty there. */
static struct geo_range range_of(struct square square)
{
    uint64_t bits = geo_interleave(square.column, square.row);
    unsigned shift = 2 * (GEO_STEPS - square.steps);
    double from = (double)(bits << shift);
    double to = (double)((bits + 1) << shift);
    return (struct geo_range){from, to > from ? to : from + 2};
}

struct ranges {
    struct geo_range *at;
    size_t count;
};

static void add(struct ranges *ranges, struct square square)
{
    struct geo_range range = range_of(square);
    for (size_t i = 0; i < ranges->count; i++)
        if (ranges->at[i].from == range.from)
            return;
    ranges->at[ranges->count++] = range;
}

struct direction {
    int east;
    int north;
};

/* Whether the shape ends before the neighbours on this side. */
static bool is_needless(struct square square, struct direction direction,
                        const struct bounds *bounds)
{
    struct bounds center = bounds_of(square);
    if (square.steps < 2)
        return false;
    return (direction.north < 0 && center.south < bounds->south) ||
           (direction.north > 0 && center.north > bounds->north) ||
           (direction.east < 0 && center.west < bounds->west) ||
           (direction.east > 0 && center.east > bounds->east);
}

/* Points on the upper edges of the map are one square beyond it. Redis does not find them. */
static void add_edges(struct ranges *ranges, struct square square)
{
    uint64_t last = last_index(square.steps);
    if (square.column == last)
        add(ranges, (struct square){last + 1, square.row, square.steps});
    if (square.row == last)
        add(ranges, (struct square){square.column, last + 1, square.steps});
    if (square.column == last && square.row == last)
        add(ranges, (struct square){last + 1, last + 1, square.steps});
}

size_t geo_ranges(const struct geo_shape *shape, struct geo_range ranges[GEO_RANGES_MAX])
{
    static const struct direction directions[] = {
        {0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
    };
    enum { DIRECTIONS = sizeof(directions) / sizeof(directions[0]) };
    struct square center = center_square(shape);
    struct bounds bounds = true_bounds(shape);
    struct square squares[DIRECTIONS];
    size_t count = 0;
    for (size_t i = 0; i < DIRECTIONS; i++)
        if (!is_needless(center, directions[i], &bounds))
            squares[count++] = neighbour(center, directions[i].east, directions[i].north);
    struct ranges found = {.at = ranges};
    for (size_t i = 0; i < count; i++)
        add(&found, squares[i]);
    for (size_t i = 0; i < count; i++)
        add_edges(&found, squares[i]);
    return found.count;
}
