/* Searching for points around a place. */
#include "base/mem.h"
#include "command/access.h"
#include "command/data.h"
#include "command/geo_query.h"
#include "command/zset.h"

/* The cost of looking at one point, and of one comparison. */
enum { WORK_PER_POINT = 150, WORK_PER_RESULT = 100, FIRST_CAPACITY = 16 };

/* The same for those who are told before a search how much it looks at. It includes the order of
 * the results. */
enum { BYTES_PER_POINT = 64 };

struct found {
    double distance_m;
    double score;
    size_t number; /* in the order of finding */
    struct zset_place place;
};

struct search {
    struct command_context *context;
    const struct geo_query *query;
    struct found *found;
    size_t count;
    size_t capacity;
    size_t seen; /* results that were found, kept or not */
    size_t most; /* that are wanted */
    bool is_heap;
};

/* --- the results that are wanted, while they are found --- */

static bool is_before(const struct search *search, const struct found *a, const struct found *b)
{
    if (a->distance_m != b->distance_m)
        return (a->distance_m < b->distance_m) == (search->query->sort == GEO_NEAREST_FIRST);
    return a->number < b->number;
}

/* A heap whose top is the last in order. */
static void sink(struct search *search, size_t at, size_t count)
{
    struct found *found = search->found;
    struct found moving = found[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_before(search, &found[child], &found[child + 1]))
            child++;
        if (!is_before(search, &moving, &found[child]))
            break;
        found[at] = found[child];
        at = child;
    }
    found[at] = moving;
}

static void make_heap(struct search *search)
{
    if (search->is_heap)
        return;
    for (size_t i = search->count / 2; i > 0; i--)
        sink(search, i - 1, search->count);
    search->is_heap = true;
}

static void sort(struct search *search)
{
    make_heap(search);
    for (size_t end = search->count; end > 1; end--) {
        struct found last = search->found[0];
        search->found[0] = search->found[end - 1];
        search->found[end - 1] = last;
        sink(search, 0, end - 1);
    }
}

static void append(struct search *search, const struct found *found)
{
    if (search->count == search->capacity) {
        search->capacity = search->capacity ? search->capacity * 2 : FIRST_CAPACITY;
        search->found = mem_realloc(search->found, search->capacity * sizeof(*search->found));
    }
    search->found[search->count++] = *found;
}

/* Keeps at most as many as are wanted. */
static void keep(struct search *search, const struct found *found)
{
    if (search->count < search->most) {
        append(search, found);
        return;
    }
    make_heap(search);
    if (is_before(search, found, &search->found[0])) {
        search->found[0] = *found;
        sink(search, 0, search->count);
    }
}

/* --- finding --- */

static bool is_enough(const struct search *search)
{
    return search->query->any && search->count == search->most;
}

static void look_at(struct search *search, const struct zset_place *place)
{
    struct found found = {.score = zset_place_score(place), .number = search->seen};
    search->context->work += WORK_PER_POINT;
    if (!geo_shape_holds(&search->query->shape, geo_point_of(found.score), &found.distance_m))
        return;
    found.place = *place;
    search->seen++;
    keep(search, &found);
}

static void look_in(struct search *search, struct geo_range range)
{
    const struct zset *zset = search->query->zset;
    struct zset_place place;
    bool there = zset_at(zset, zset_rank_of_score(zset, range.from, false), &place);
    for (; there && !is_enough(search); there = zset_next(&place)) {
        if (zset_place_score(&place) >= range.to)
            return;
        look_at(search, &place);
    }
}

static void run(struct search *search)
{
    struct geo_range ranges[GEO_RANGES_MAX];
    size_t count = geo_ranges(&search->query->shape, ranges);
    for (size_t i = 0; i < count && !is_enough(search); i++)
        look_in(search, ranges[i]);
    if (search->query->sort != GEO_UNSORTED)
        sort(search);
    search->context->work += search->count * WORK_PER_RESULT;
}

/* --- what becomes of the results --- */

static void write_one(const struct search *search, const struct found *found)
{
    const struct geo_query *query = search->query;
    struct command_context *context = search->context;
    size_t more = (size_t)query->with_distance + query->with_hash + query->with_point;
    char scratch[NUMBER_I64_CHARS];
    if (more)
        resp_array(context->reply, more + 1);
    resp_bulk(context->reply, zset_place_member(&found->place, scratch));
    if (query->with_distance)
        command_write_distance(context, found->distance_m / query->unit_m);
    if (query->with_hash)
        resp_integer(context->reply, (int64_t)found->score);
    if (query->with_point)
        command_write_point(context, geo_point_of(found->score));
}

static void store(const struct search *search)
{
    const struct geo_query *query = search->query;
    struct command_context *context = search->context;
    struct zset *zset = zset_new();
    for (size_t i = 0; i < search->count; i++) {
        const struct found *found = &search->found[i];
        char scratch[NUMBER_I64_CHARS];
        double score = query->store_distance ? found->distance_m / query->unit_m : found->score;
        zset_add(zset, command_rules(context), zset_place_member(&found->place, scratch), &score,
                 0);
    }
    if (command_store_value(context, *query->store, VALUE_ZSET, zset))
        context->dirty += search->count ? search->count : 1;
    resp_integer(context->reply, (int64_t)search->count);
}

static void finish(const struct search *search)
{
    if (search->query->store) {
        store(search);
        return;
    }
    resp_array(search->context->reply, search->count);
    for (size_t i = 0; i < search->count; i++)
        write_one(search, &search->found[i]);
}

static void search(struct command_context *context, const struct span *args, size_t argc,
                   struct geo_query *query)
{
    const void *value;
    size_t key = query->form == GEO_SEARCH_STORE ? 2 : 1;
    if (!command_read(context, args[key], VALUE_ZSET, &value))
        return;
    query->zset = value;
    if (!geo_query_parse(context, args, argc, query))
        return;
    struct search search = {.context = context, .query = query};
    search.most = query->count < SIZE_MAX ? (size_t)query->count : SIZE_MAX;
    if (query->zset)
        run(&search);
    finish(&search);
    mem_free(search.found);
}

/* About what a search looks at, in the measure of command_work. Errors are written for nobody here,
 * and again by the command. */
static size_t work_of(const struct keyspace *keyspace, const struct span *args, size_t argc,
                      enum geo_form form)
{
    size_t key = form == GEO_SEARCH_STORE ? 2 : 1;
    const struct zset *zset = key < argc ? command_peek_zset(keyspace, args[key]) : NULL;
    struct resp_writer nobody = {.protocol = 2};
    struct command_context context = {.reply = &nobody};
    struct geo_query query = {.form = form, .may_store = true, .zset = zset};
    if (!zset || !geo_query_parse(&context, args, argc, &query))
        return 0;
    struct geo_range ranges[GEO_RANGES_MAX];
    size_t count = geo_ranges(&query.shape, ranges);
    size_t points = 0;
    for (size_t i = 0; i < count; i++)
        points += zset_rank_of_score(zset, ranges[i].to, false) -
                  zset_rank_of_score(zset, ranges[i].from, false);
    return points * BYTES_PER_POINT;
}

size_t command_georadius_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return work_of(keyspace, args, argc, GEO_AROUND_POINT);
}

size_t command_georadiusbymember_work(const struct keyspace *keyspace, const struct span *args,
                                      size_t argc)
{
    return work_of(keyspace, args, argc, GEO_AROUND_MEMBER);
}

size_t command_geosearch_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return work_of(keyspace, args, argc, GEO_SEARCH);
}

size_t command_geosearchstore_work(const struct keyspace *keyspace, const struct span *args,
                                   size_t argc)
{
    return work_of(keyspace, args, argc, GEO_SEARCH_STORE);
}

void command_georadius_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct geo_query query = {.form = GEO_AROUND_POINT, .may_store = true};
    search(context, args, argc, &query);
}

void command_georadius_ro_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct geo_query query = {.form = GEO_AROUND_POINT};
    search(context, args, argc, &query);
}

void command_georadiusbymember_run(struct command_context *context, const struct span *args,
                                   size_t argc)
{
    struct geo_query query = {.form = GEO_AROUND_MEMBER, .may_store = true};
    search(context, args, argc, &query);
}

void command_georadiusbymember_ro_run(struct command_context *context, const struct span *args,
                                      size_t argc)
{
    struct geo_query query = {.form = GEO_AROUND_MEMBER};
    search(context, args, argc, &query);
}

void command_geosearch_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct geo_query query = {.form = GEO_SEARCH};
    search(context, args, argc, &query);
}

void command_geosearchstore_run(struct command_context *context, const struct span *args,
                                size_t argc)
{
    struct geo_query query = {.form = GEO_SEARCH_STORE};
    search(context, args, argc, &query);
}

static size_t keys_with_store(const struct span *args, size_t argc, size_t first, size_t *positions,
                              size_t max)
{
    size_t store = 0;
    for (size_t i = first; i + 1 < argc; i++)
        if (span_is(args[i], "store") || span_is(args[i], "storedist"))
            store = ++i;
    if (max > 0)
        positions[0] = 1;
    if (store && max > 1)
        positions[1] = store;
    return store ? 2 : 1;
}

/* The last STORE counts. */
size_t command_georadius_keys(const struct span *args, size_t argc, size_t *positions, size_t max)
{
    return keys_with_store(args, argc, 6, positions, max);
}

size_t command_georadiusbymember_keys(const struct span *args, size_t argc, size_t *positions,
                                      size_t max)
{
    return keys_with_store(args, argc, 5, positions, max);
}
