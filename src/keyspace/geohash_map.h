/* The map of the world as squares. Private to keyspace/geohash*.c. */
#ifndef FLOTILLA_KEYSPACE_GEOHASH_MAP_H
#define FLOTILLA_KEYSPACE_GEOHASH_MAP_H

#include "keyspace/geohash.h"

/* How often the map is cut in each direction for a score. */
enum { GEO_STEPS = 26 };

#define GEO_EARTH_RADIUS_M 6372797.560856

/* Where a coordinate is on a map from -end to end that was cut so often: 0 is the first square. A
 * point on the upper end is one beyond the last square, as in Redis. */
uint64_t geo_index(double value, double end, unsigned steps);
/* The lower edge of a square. */
double geo_edge(uint64_t index, double end, unsigned steps);
uint64_t geo_interleave(uint64_t column, uint64_t row);

#endif
