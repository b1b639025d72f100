/* Sorted sets of points: adding them, and telling where they are. */
#include "command/geo.h"

#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "keyspace/zset.h"

enum { ELEMENT_ARGS = 3, LONG_DISTANCE_CHARS = 320 };

bool command_parse_point(struct command_context *context, const struct span *args,
                         struct geo_point *point)
{
    if (!number_parse_double(args[0], &point->longitude) ||
        !number_parse_double(args[1], &point->latitude)) {
        resp_error(context->reply, ERROR_NOT_FLOAT);
        return false;
    }
    if (geo_point_is_on_map(*point))
        return true;
    resp_errorf(context->reply, "ERR invalid longitude,latitude pair %f,%f", point->longitude,
                point->latitude);
    return false;
}

bool command_parse_unit(struct command_context *context, struct span text, double *unit_m)
{
    static const struct {
        const char *name;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (span_is(text, units[i].name)) {
            *unit_m = units[i].metres;
            return true;
        }
    }
    resp_error(context->reply, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

static void write_coordinate(struct command_context *context, double degrees)
{
    char text[NUMBER_REAL_CHARS];
    resp_number(context->reply, span_of(text, number_format_real(text, degrees)));
}

void command_write_point(struct command_context *context, struct geo_point point)
{
    resp_array(context->reply, 2);
    write_coordinate(context, point.longitude);
    write_coordinate(context, point.latitude);
}

void command_write_distance(struct command_context *context, double distance)
{
    char text[LONG_DISTANCE_CHARS];
    resp_bulk(context->reply, span_of(text, number_format_places(text, distance)));
}

/* --- GEOADD --- */

struct add_options {
    unsigned flags; /* enum zset_flag */
    bool counts_changes;
    size_t first; /* element */
};

static bool parse_add(struct command_context *context, const struct span *args, size_t argc,
                      struct add_options *options)
{
    *options = (struct add_options){.first = 2};
    for (; options->first < argc; options->first++) {
        struct span word = args[options->first];
        if (span_is(word, "nx"))
            options->flags |= ZSET_NX;
        else if (span_is(word, "xx"))
            options->flags |= ZSET_XX;
        else if (span_is(word, "ch"))
            options->counts_changes = true;
        else
            break;
    }
    bool both = (options->flags & ZSET_NX) && (options->flags & ZSET_XX);
    if (!both && options->first < argc && (argc - options->first) % ELEMENT_ARGS == 0)
        return true;
    resp_error(context->reply, ERROR_SYNTAX);
    return false;
}

/* All points are read before the first is added. */
static bool check_points(struct command_context *context, const struct span *args, size_t argc,
                         size_t first)
{
    struct geo_point point;
    for (size_t i = first; i < argc; i += ELEMENT_ARGS)
        if (!command_parse_point(context, args + i, &point))
            return false;
    return true;
}

void command_geoadd_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct add_options options;
    struct keyspace_edit edit;
    if (!parse_add(context, args, argc, &options) ||
        !check_points(context, args, argc, options.first) ||
        !command_edit_or_new(context, args[1], VALUE_ZSET, &edit))
        return;
    uint64_t added = 0;
    uint64_t updated = 0;
    for (size_t i = options.first; i < argc; i += ELEMENT_ARGS) {
        struct geo_point point;
        command_parse_point(context, args + i, &point);
        double score = geo_score(point);
        enum zset_outcome outcome =
            zset_add(edit.value, command_rules(context), args[i + 2], &score, options.flags);
        added += outcome == ZSET_ADDED;
        updated += outcome == ZSET_UPDATED;
    }
    command_edit_end(context, &edit, added + updated);
    resp_integer(context->reply, (int64_t)(added + (options.counts_changes ? updated : 0)));
}

/* --- where members are --- */

static bool find(const struct zset *zset, struct span member, struct geo_point *point)
{
    double score;
    if (!zset || !zset_score(zset, member, &score))
        return false;
    *point = geo_point_of(score);
    return true;
}

static bool read_key(struct command_context *context, struct span key, const struct zset **zset)
{
    const void *value;
    if (!command_read(context, key, VALUE_ZSET, &value))
        return false;
    *zset = value;
    return true;
}

void command_geodist_run(struct command_context *context, const struct span *args, size_t argc)
{
    double unit_m = 1;
    const struct zset *zset;
    struct geo_point from;
    struct geo_point to;
    if (argc > 5) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if (argc == 5 && !command_parse_unit(context, args[4], &unit_m))
        return;
    if (!read_key(context, args[1], &zset))
        return;
    if (!find(zset, args[2], &from) || !find(zset, args[3], &to)) {
        resp_null(context->reply);
        return;
    }
    struct geo_origin origin = geo_origin_of(from);
    command_write_distance(context, geo_distance(&origin, to) / unit_m);
}

void command_geohash_run(struct command_context *context, const struct span *args, size_t argc)
{
    const struct zset *zset;
    if (!read_key(context, args[1], &zset))
        return;
    resp_array(context->reply, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        struct geo_point point;
        char text[GEO_TEXT_LEN];
        if (!find(zset, args[i], &point)) {
            resp_null(context->reply);
            continue;
        }
        geo_text(point, text);
        resp_bulk(context->reply, span_of(text, GEO_TEXT_LEN));
    }
}

void command_geopos_run(struct command_context *context, const struct span *args, size_t argc)
{
    const struct zset *zset;
    if (!read_key(context, args[1], &zset))
        return;
    resp_array(context->reply, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        struct geo_point point;
        if (find(zset, args[i], &point))
            command_write_point(context, point);
        else
            resp_null_array(context->reply);
    }
}
