/* The arguments of the commands that search for points. Private to command/. */
#ifndef FLOTILLA_COMMAND_GEO_QUERY_H
#define FLOTILLA_COMMAND_GEO_QUERY_H

#include "command/geo.h"
#include "keyspace/zset.h"

/* How a command names the place around which it searches. */
enum geo_form {
    GEO_AROUND_POINT,  /* GEORADIUS */
    GEO_AROUND_MEMBER, /* GEORADIUSBYMEMBER */
    GEO_SEARCH,        /* GEOSEARCH */
    GEO_SEARCH_STORE,
};

enum geo_sort { GEO_UNSORTED, GEO_NEAREST_FIRST, GEO_FARTHEST_FIRST };

struct geo_query {
    enum geo_form form;
    bool may_store;          /* STORE and STOREDIST are options */
    const struct zset *zset; /* NULL: the key is absent */

    struct geo_shape shape;
    double unit_m;
    bool with_distance;
    bool with_hash;
    bool with_point;
    bool any; /* the first that are found will do */
    enum geo_sort sort;
    uint64_t count;           /* at most; UINT64_MAX: all */
    const struct span *store; /* the key; NULL: the results are the reply */
    bool store_distance;      /* as scores, instead of places */
};

/* Reads the arguments. The first three members are set. Without a zset a member's place is not
 * known, and the shape means nothing. Writes the error. */
bool geo_query_parse(struct command_context *context, const struct span *args, size_t argc,
                     struct geo_query *query);

#endif
