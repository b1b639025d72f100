#include "keyspace/geohash.h"

#include <math.h>

#include "base/prng.h"
#include "unit/support/test.h"

static double random_between(struct prng *prng, double low, double high)
{
    return low + (high - low) * ((double)(prng_next(prng) >> 11) / 0x1p53);
}

static struct geo_point random_point(struct prng *prng)
{
    struct geo_point point = {random_between(prng, -180, 180),
                              random_between(prng, -GEO_LATITUDE_MAX, GEO_LATITUDE_MAX)};
    if (prng_below(prng, 4) == 0) /* near the date line */
        point.longitude = random_between(prng, 170, 190);
    if (point.longitude > 180)
        point.longitude -= 360;
    if (prng_below(prng, 4) == 0) /* near a pole */
        point.latitude = random_between(prng, 80, GEO_LATITUDE_MAX);
    return point;
}

/* Scores and points of redis-server 7.0.15. */
static void test_scores_are_those_of_redis(void **state)
{
    (void)state;
    assert_true(geo_score((struct geo_point){13.361389, 38.115556}) == 3479099956230698);
    assert_true(geo_score((struct geo_point){15.087269, 37.502669}) == 3479447370796909);
    assert_true(geo_score((struct geo_point){-180, -GEO_LATITUDE_MAX}) == 0);
    assert_true(geo_score((struct geo_point){180, GEO_LATITUDE_MAX}) == 0x30000000000000);
    struct geo_point point = geo_point_of(3479099956230698);
    assert_true(point.longitude == 13.36138933897018433);
    assert_true(point.latitude == 38.11555639549629859);
}

static void test_a_point_comes_back_from_its_score(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 100000; i++) {
        struct geo_point point = random_point(&prng);
        struct geo_point back = geo_point_of(geo_score(point));
        assert_true(fabs(back.longitude - point.longitude) <= 360 / 0x1p27);
        assert_true(fabs(back.latitude - point.latitude) <= 180 / 0x1p27);
        assert_true(geo_score(back) == geo_score(point));
    }
}

static void test_every_score_is_a_point_on_the_map(void **state)
{
    (void)state;
    static const double scores[] = {-1,   -0.5,   0.5,    1e300,   -1e300,    INFINITY,
                                    1e18, 0x1p63, 0x1p64, -0x1p63, -INFINITY, 0x1p54};
    for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++) {
        struct geo_point point = geo_point_of(scores[i]);
        assert_true(geo_point_is_on_map(point));
        struct geo_origin origin = geo_origin_of(point);
        assert_true(geo_distance(&origin, (struct geo_point){0, 0}) >= 0);
    }
    assert_false(geo_point_is_on_map((struct geo_point){NAN, 0}));
    assert_false(geo_point_is_on_map((struct geo_point){0, NAN}));
    assert_false(geo_point_is_on_map((struct geo_point){180.0000001, 0}));
    assert_false(geo_point_is_on_map((struct geo_point){0, -85.06}));
}

static double distance(struct geo_point a, struct geo_point b)
{
    struct geo_origin origin = geo_origin_of(a);
    return geo_distance(&origin, b);
}

/* The values are computed with 300 bits from the same formula. */
static void test_distances(void **state)
{
    (void)state;
    struct geo_point palermo = geo_point_of(3479099956230698);
    struct geo_point catania = geo_point_of(3479447370796909);
    assert_true(fabs(distance(palermo, catania) - 166274.15156960033) < 1e-8);
    assert_true(distance(palermo, palermo) == 0);
    assert_true(fabs(distance((struct geo_point){0, 0}, (struct geo_point){180, 0}) -
                     20020734.0000001622) < 1e-6);
    assert_true(fabs(distance((struct geo_point){-90, 45}, (struct geo_point){90, 45}) -
                     10010367.0000000811) < 1e-6);
    assert_true(distance((struct geo_point){7, 0}, (struct geo_point){7, 1}) ==
                distance((struct geo_point){-7, 1}, (struct geo_point){-7, 2}));
}

static struct geo_shape random_shape(struct prng *prng)
{
    struct geo_shape shape = {.center = geo_origin_of(random_point(prng))};
    double size = pow(10, random_between(prng, 2, 7.4));
    shape.is_box = prng_below(prng, 2);
    shape.radius_m = size;
    shape.width_m = size * random_between(prng, 0, 2);
    shape.height_m = size * random_between(prng, 0, 2);
    return shape;
}

/* A point of the map that is probably within the shape. */
static struct geo_point point_near(struct prng *prng, const struct geo_shape *shape)
{
    if (prng_below(prng, 8) == 0)
        return random_point(prng);
    double size = shape->is_box ? fmax(shape->width_m, shape->height_m) : shape->radius_m;
    double degrees = size / 111000;
    struct geo_point center = shape->center.point;
    struct geo_point point = {
        center.longitude + random_between(prng, -degrees, degrees) / shape->center.cosine,
        center.latitude + random_between(prng, -degrees, degrees),
    };
    point.longitude = remainder(point.longitude, 360);
    if (prng_below(prng, 40) == 0)
        point.longitude = 180;
    point.latitude = fmax(-GEO_LATITUDE_MAX, fmin(GEO_LATITUDE_MAX, point.latitude));
    return point;
}

static unsigned ranges_with(const struct geo_range *ranges, size_t count, double score)
{
    unsigned with = 0;
    for (size_t i = 0; i < count; i++)
        with += score >= ranges[i].from && score < ranges[i].to;
    return with;
}

static void test_ranges_have_every_point_of_a_shape_once(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 2);
    int inside = 0;
    for (int i = 0; i < 20000; i++) {
        struct geo_shape shape = random_shape(&prng);
        struct geo_range ranges[GEO_RANGES_MAX];
        size_t count = geo_ranges(&shape, ranges);
        assert_in_range(count, 1, GEO_RANGES_MAX);
        for (int j = 0; j < 20; j++) {
            double score = geo_score(point_near(&prng, &shape));
            double distance_m;
            unsigned with = ranges_with(ranges, count, score);
            assert_true(with <= 1);
            if (!geo_shape_holds(&shape, geo_point_of(score), &distance_m))
                continue;
            inside++;
            assert_int_equal(with, 1);
        }
    }
    assert_true(inside > 50000);
}

/* There a box reaches farther than Redis assumes. */
static void test_ranges_have_every_point_of_a_box_near_a_pole(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 4);
    for (int i = 0; i < 100000; i++) {
        struct geo_point center = {random_between(&prng, -180, 180), random_between(&prng, 78, 80)};
        struct geo_shape shape = {.center = geo_origin_of(center),
                                  .is_box = true,
                                  .width_m = random_between(&prng, 1e6, 2.5e6),
                                  .height_m = random_between(&prng, 1e6, 2e6)};
        struct geo_range ranges[GEO_RANGES_MAX];
        size_t count = geo_ranges(&shape, ranges);
        double score = geo_score(
            (struct geo_point){random_between(&prng, -180, 180), random_between(&prng, 84, 85)});
        double distance_m;
        if (geo_shape_holds(&shape, geo_point_of(score), &distance_m))
            assert_int_equal(ranges_with(ranges, count, score), 1);
    }
}

/* A search must not look at much more than the shape. */
static void test_ranges_are_not_much_larger_than_the_shape(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 3);
    for (int i = 0; i < 20000; i++) {
        struct geo_shape shape = {.radius_m = pow(10, random_between(&prng, 1, 5))};
        shape.center = geo_origin_of(
            (struct geo_point){random_between(&prng, -170, 170), random_between(&prng, -60, 60)});
        struct geo_range ranges[GEO_RANGES_MAX];
        size_t count = geo_ranges(&shape, ranges);
        double squares = 0;
        for (size_t j = 0; j < count; j++)
            squares += ranges[j].to - ranges[j].from;
        double side_m = 40041e3 * shape.center.cosine / 0x1p26;
        double area = squares * side_m * side_m * 0.9449; /* the map's rows are lower than wide */
        assert_true(area < 100 * shape.radius_m * shape.radius_m + 1);
    }
}

static void test_a_shape_holds_what_is_in_it(void **state)
{
    (void)state;
    struct geo_shape shape = {.center = geo_origin_of((struct geo_point){10, 0}),
                              .radius_m = 111227,
                              .width_m = 222453,
                              .height_m = 222453};
    double distance_m;
    assert_true(geo_shape_holds(&shape, (struct geo_point){11, 0}, &distance_m));
    assert_true(fabs(distance_m - 111226.3) < 0.1);
    assert_true(geo_shape_holds(&shape, (struct geo_point){10, -1}, &distance_m));
    assert_false(geo_shape_holds(&shape, (struct geo_point){11.00002, 0}, &distance_m));
    assert_false(geo_shape_holds(&shape, (struct geo_point){10, 1.00002}, &distance_m));
    assert_false(geo_shape_holds(&shape, (struct geo_point){10.9, 0.9}, &distance_m));
    shape.is_box = true;
    assert_true(geo_shape_holds(&shape, (struct geo_point){10.9, 0.9}, &distance_m));
    assert_false(geo_shape_holds(&shape, (struct geo_point){11.01, 0.9}, &distance_m));
    assert_false(geo_shape_holds(&shape, (struct geo_point){10.9, 1.01}, &distance_m));
}

static void test_text_is_the_standard_geohash(void **state)
{
    (void)state;
    char text[GEO_TEXT_LEN];
    geo_text((struct geo_point){-5.6, 42.6}, text);
    assert_memory_equal(text, "ezs42e44yx0", GEO_TEXT_LEN);
    geo_text((struct geo_point){13.361389, 38.115556}, text);
    assert_memory_equal(text, "sqc8b49rny0", GEO_TEXT_LEN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_are_those_of_redis),
        cmocka_unit_test(test_a_point_comes_back_from_its_score),
        cmocka_unit_test(test_every_score_is_a_point_on_the_map),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_ranges_have_every_point_of_a_shape_once),
        cmocka_unit_test(test_ranges_have_every_point_of_a_box_near_a_pole),
        cmocka_unit_test(test_ranges_are_not_much_larger_than_the_shape),
        cmocka_unit_test(test_a_shape_holds_what_is_in_it),
        cmocka_unit_test(test_text_is_the_standard_geohash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
