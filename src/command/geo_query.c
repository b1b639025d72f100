#include "command/geo_query.h"

#include "base/assert.h"
#include "base/number.h"
#include "command/access.h"

struct parse {
    struct command_context *context;
    struct geo_query *query;
    const struct span *args;
    size_t argc;
    size_t at;
    struct geo_point center;
    bool from_member;
    bool from_point;
    bool by_radius;
    bool by_box;
    bool failed; /* the error was written */
};

static bool fail(struct parse *parse, const char *error)
{
    resp_error(parse->context->reply, error);
    parse->failed = true;
    return false;
}

static bool is_search(const struct parse *parse)
{
    enum geo_form form = parse->query->form;
    return form == GEO_SEARCH || form == GEO_SEARCH_STORE;
}

/* Whether the word at hand is this one and so many arguments come behind it. */
static bool is_word(const struct parse *parse, const char *word, size_t arguments)
{
    return span_is(parse->args[parse->at], word) && parse->argc - parse->at > arguments;
}

static bool read_number(struct parse *parse, size_t at, double *number, const char *error)
{
    return number_parse_double(parse->args[at], number) || fail(parse, error);
}

static bool read_unit(struct parse *parse, size_t at)
{
    parse->failed |= !command_parse_unit(parse->context, parse->args[at], &parse->query->unit_m);
    return !parse->failed;
}

static bool read_radius(struct parse *parse, size_t at)
{
    struct geo_shape *shape = &parse->query->shape;
    shape->is_box = false;
    if (!read_number(parse, at, &shape->radius_m, "ERR need numeric radius"))
        return false;
    if (shape->radius_m < 0)
        return fail(parse, "ERR radius cannot be negative");
    if (!read_unit(parse, at + 1))
        return false;
    shape->radius_m *= parse->query->unit_m;
    return true;
}

static bool read_box(struct parse *parse, size_t at)
{
    struct geo_shape *shape = &parse->query->shape;
    shape->is_box = true;
    if (!read_number(parse, at, &shape->width_m, "ERR need numeric width") ||
        !read_number(parse, at + 1, &shape->height_m, "ERR need numeric height"))
        return false;
    if (shape->width_m < 0 || shape->height_m < 0)
        return fail(parse, "ERR height or width cannot be negative");
    if (!read_unit(parse, at + 2))
        return false;
    shape->width_m *= parse->query->unit_m;
    shape->height_m *= parse->query->unit_m;
    return true;
}

static bool read_point(struct parse *parse, size_t at)
{
    parse->failed |= !command_parse_point(parse->context, parse->args + at, &parse->center);
    return !parse->failed;
}

static bool read_member(struct parse *parse, size_t at)
{
    double score;
    if (!parse->query->zset)
        return true;
    if (!zset_score(parse->query->zset, parse->args[at], &score))
        return fail(parse, "ERR could not decode requested zset member");
    parse->center = geo_point_of(score);
    return true;
}

/* --- options --- */

static bool take_flag(struct parse *parse)
{
    struct geo_query *query = parse->query;
    if (is_word(parse, "withdist", 0))
        query->with_distance = true;
    else if (is_word(parse, "withhash", 0))
        query->with_hash = true;
    else if (is_word(parse, "withcoord", 0))
        query->with_point = true;
    else if (is_word(parse, "any", 0))
        query->any = true;
    else if (is_word(parse, "asc", 0))
        query->sort = GEO_NEAREST_FIRST;
    else if (is_word(parse, "desc", 0))
        query->sort = GEO_FARTHEST_FIRST;
    else if (query->form == GEO_SEARCH_STORE && is_word(parse, "storedist", 0))
        query->store_distance = true;
    else
        return false;
    return true;
}

static bool take_count(struct parse *parse)
{
    int64_t count;
    if (!is_word(parse, "count", 1))
        return false;
    if (!command_parse_integer(parse->context, parse->args[++parse->at], &count)) {
        parse->failed = true;
        return false;
    }
    if (count <= 0)
        return fail(parse, "ERR COUNT must be > 0");
    parse->query->count = (uint64_t)count;
    return true;
}

static bool take_store(struct parse *parse)
{
    bool as_distance = is_word(parse, "storedist", 1);
    if (!parse->query->may_store || (!as_distance && !is_word(parse, "store", 1)))
        return false;
    parse->query->store = &parse->args[++parse->at];
    parse->query->store_distance = as_distance;
    return true;
}

static bool take_center(struct parse *parse)
{
    if (!parse->from_point && is_word(parse, "frommember", 1)) {
        parse->from_member = true;
        parse->at += 1;
        return read_member(parse, parse->at);
    }
    if (!parse->from_member && is_word(parse, "fromlonlat", 2)) {
        parse->from_point = true;
        parse->at += 2;
        return read_point(parse, parse->at - 1);
    }
    return false;
}

static bool take_shape(struct parse *parse)
{
    if (!parse->by_box && is_word(parse, "byradius", 2)) {
        parse->by_radius = true;
        parse->at += 2;
        return read_radius(parse, parse->at - 1);
    }
    if (!parse->by_radius && is_word(parse, "bybox", 3)) {
        parse->by_box = true;
        parse->at += 3;
        return read_box(parse, parse->at - 2);
    }
    return false;
}

static bool take_options(struct parse *parse)
{
    for (; parse->at < parse->argc; parse->at++) {
        bool taken = take_flag(parse) || take_count(parse);
        if (!taken && !parse->failed)
            taken = is_search(parse) ? take_center(parse) || (!parse->failed && take_shape(parse))
                                     : take_store(parse);
        if (!taken)
            return parse->failed ? false : fail(parse, ERROR_SYNTAX);
    }
    return true;
}

/* --- all together --- */

/* What comes before the options. */
static bool take_first(struct parse *parse)
{
    switch (parse->query->form) {
    case GEO_AROUND_POINT:
        parse->at = 6;
        return read_point(parse, 2) && read_radius(parse, 4);
    case GEO_AROUND_MEMBER:
        /* Without the key Redis does not look at the radius. */
        parse->at = 5;
        return !parse->query->zset || (read_member(parse, 2) && read_radius(parse, 3));
    case GEO_SEARCH:
        parse->at = 2;
        return true;
    case GEO_SEARCH_STORE:
        break;
    }
    parse->query->store = &parse->args[1];
    parse->at = 3;
    return true;
}

static bool lacks(struct parse *parse, const char *what)
{
    struct span name = parse->args[0];
    resp_errorf(parse->context->reply, "ERR exactly one of %s can be specified for %.*s", what,
                (int)name.len, name.ptr);
    return false;
}

static bool check(struct parse *parse)
{
    const struct geo_query *query = parse->query;
    if (query->store && (query->with_distance || query->with_hash || query->with_point)) {
        resp_errorf(parse->context->reply,
                    "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                    query->form == GEO_SEARCH_STORE ? "GEOSEARCHSTORE"
                                                    : "STORE option in GEORADIUS");
        return false;
    }
    if (is_search(parse) && !parse->from_member && !parse->from_point)
        return lacks(parse, "FROMMEMBER or FROMLONLAT");
    if (is_search(parse) && !parse->by_radius && !parse->by_box)
        return lacks(parse, "BYRADIUS and BYBOX");
    if (query->any && query->count == UINT64_MAX)
        return fail(parse, "ERR the ANY argument requires COUNT argument");
    return true;
}

bool geo_query_parse(struct command_context *context, const struct span *args, size_t argc,
                     struct geo_query *query)
{
    struct parse parse = {.context = context, .query = query, .args = args, .argc = argc};
    ASSERT(args && argc > 0);
    query->count = UINT64_MAX;
    if (!take_first(&parse) || !take_options(&parse) || !check(&parse))
        return false;
    query->shape.center = geo_origin_of(parse.center);
    /* The nearest are meant if there may be more. */
    if (query->count != UINT64_MAX && query->sort == GEO_UNSORTED && !query->any)
        query->sort = GEO_NEAREST_FIRST;
    return true;
}
