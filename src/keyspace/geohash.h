/* Points on the earth as scores of sorted sets, as Redis keeps them.
 *
 * The map of the world is cut in half 26 times in each direction; which halves a point is in is
 * 26 bits for the longitude and 26 for the latitude. The bits of both take turns, the longitude's
 * first. So points in a square of the map have scores in one range. The map ends at 85 degrees, as
 * that of Mercator does.
 *
 * Scores and distances reach the replicated state. All functions are pure and give the same on
 * every processor (base/trig.h). */
#ifndef FLOTILLA_KEYSPACE_GEOHASH_H
#define FLOTILLA_KEYSPACE_GEOHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX  85.05112878

/* In degrees. */
struct geo_point {
    double longitude;
    double latitude;
};

bool geo_point_is_on_map(struct geo_point point);
double geo_score(struct geo_point point); /* must be on the map */
/* The middle of the square that the score stands for. Any score gives a point on the map. */
struct geo_point geo_point_of(double score);

/* The standard geohash, which reaches the poles. Its last character is always 0, because 52 bits
 * are not enough for it. */
enum { GEO_TEXT_LEN = 11 };
void geo_text(struct geo_point point, char text[GEO_TEXT_LEN]);

/* A point that distances are measured from. */
struct geo_origin {
    struct geo_point point;
    double longitude; /* in radians */
    double latitude;
    double cosine; /* of the latitude */
};
struct geo_origin geo_origin_of(struct geo_point point);
/* In metres, on a sphere. */
double geo_distance(const struct geo_origin *from, struct geo_point to);

/* A circle, or a box whose sides follow the meridians and parallels. */
struct geo_shape {
    struct geo_origin center;
    bool is_box;
    double radius_m;
    double width_m;
    double height_m;
};
/* Whether the point is inside, and its distance from the centre then. */
bool geo_shape_holds(const struct geo_shape *shape, struct geo_point point, double *distance_m);

/* Scores from `from` on and below `to`. */
struct geo_range {
    double from;
    double to;
};
enum { GEO_RANGES_MAX = 9 + 7 };
/* Ranges that together have all points of the shape and no point twice: the square of the centre
 * and its neighbours, in the order in which Redis visits them, then what is on the upper edges of
 * the map beside them. Returns their number. */
size_t geo_ranges(const struct geo_shape *shape, struct geo_range ranges[GEO_RANGES_MAX]);

#endif
