/* Commands on points, which are members of sorted sets. table.h explains the columns. */
#include "command/data.h"
#include "command/table.h"

#define UNIT "unit(M | KM | FT | MI)"
#define FROM_AND_BY                                                                                \
    "from(FROMMEMBER member | FROMLONLAT longitude_latitude{longitude:double latitude:double}) "   \
    "by(circle{BYRADIUS radius:double " UNIT "} | "                                                \
    "box{BYBOX width:double height:double " UNIT "})"
#define ORDER         "[order(ASC | DESC)]"
#define COUNT         "[count{COUNT count:integer [ANY]}]"
#define COUNT_ANY_6_2 "[count{COUNT count:integer [ANY@6.2.0]}]"
#define WITH          "[WITHCOORD] [WITHDIST] [WITHHASH]"
#define SEARCH_COMPLEXITY                                                                          \
    "O(log(N)+M) for N members of the sorted set and M points in the squares of the map that the " \
    "shape touches; with K results in order, O(K*log(K)) more."

static const struct command_docs rows[] = {
    {
        .fullname = "geoadd",
        .run = command_geoadd_run,
        .arity = -5,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RW | KEY_UPDATE, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 [condition(NX | XX)@6.2.0] [change=CH@6.2.0] "
                  "longitude_latitude_member{longitude:double latitude:double member}...",
        .group = "geo",
        .since = "3.2.0",
        .complexity = "O(log(N)) for each point, for N members of the sorted set.",
        .history = "6.2.0 New options `CH`, `NX` and `XX`.",
        .summary = "Adds points to a sorted set, or moves them.",
    },
    {
        .fullname = "geodist",
        .run = command_geodist_run,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 member1 member2 [" UNIT "]",
        .group = "geo",
        .since = "3.2.0",
        .complexity = "O(1)",
        .summary = "Tells how far two points of a sorted set are apart.",
    },
    {
        .fullname = "geohash",
        .run = command_geohash_run,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 member...",
        .group = "geo",
        .since = "3.2.0",
        .complexity = "O(1) for each member.",
        .summary = "Tells the standard geohashes of points of a sorted set.",
    },
    {
        .fullname = "geopos",
        .run = command_geopos_run,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 member...",
        .group = "geo",
        .since = "3.2.0",
        .complexity = "O(1) for each member.",
        .summary = "Tells longitudes and latitudes of points of a sorted set.",
    },
    {
        .fullname = "geosearch",
        .run = command_geosearch_run,
        .work = command_geosearch_work,
        .arity = -7,
        .flags = COMMAND_VALUE_REPLY | COMMAND_READONLY,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 " FROM_AND_BY " " ORDER " " COUNT " " WITH,
        .group = "geo",
        .since = "6.2.0",
        .complexity = SEARCH_COMPLEXITY,
        .history = "7.0.0 Names of units in capitals.",
        .summary = "Finds the points of a sorted set within a circle or box.",
    },
    {
        .fullname = "geosearchstore",
        .run = command_geosearchstore_run,
        .work = command_geosearchstore_work,
        .arity = -8,
        .flags = COMMAND_LENGTHENS | COMMAND_WRITE | COMMAND_DENYOOM,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_OW | KEY_UPDATE, .first = 1, .last = 0, .step = 1},
                 {.flags = KEY_RO | KEY_ACCESS, .first = 2, .last = 0, .step = 1}},
        .syntax = "destination#0 source#1 " FROM_AND_BY " " ORDER " " COUNT " [STOREDIST]",
        .group = "geo",
        .since = "6.2.0",
        .complexity = SEARCH_COMPLEXITY,
        .history = "7.0.0 Names of units in capitals.",
        .summary = "Finds the points of a sorted set within a circle or box and stores them under "
                   "another key.",
    },
    {
        .fullname = "georadius",
        .run = command_georadius_run,
        .reading = &command_georadius_reading,
        .work = command_georadius_work,
        .reply = command_value_reply,
        .get_keys = command_georadius_keys,
        .arity = -6,
        .flags = COMMAND_VALUE_REPLY | COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .categories = CATEGORY_GEO,
        .keys =
            {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1},
             {.flags = KEY_OW | KEY_UPDATE, .first = 6, .last = 0, .step = 1, .keyword = "STORE"},
             {.flags = KEY_OW | KEY_UPDATE,
              .first = 6,
              .last = 0,
              .step = 1,
              .keyword = "STOREDIST"}},
        .syntax = "key#0 longitude:double latitude:double radius:double " UNIT " " WITH
                  " " COUNT_ANY_6_2 " " ORDER " [STORE key#1] [STOREDIST key#2]",
        .group = "geo",
        .since = "3.2.0",
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`",
        .complexity = SEARCH_COMPLEXITY,
        .history = "6.2.0 New option `ANY` of `COUNT`.\n"
                   "7.0.0 Names of units in capitals.",
        .summary =
            "Finds the points of a sorted set within a circle around a place, and may store them.",
    },
    {
        .fullname = "georadius_ro",
        .run = command_georadius_ro_run,
        .work = command_georadius_work,
        .arity = -6,
        .flags = COMMAND_VALUE_REPLY | COMMAND_READONLY,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 longitude:double latitude:double radius:double " UNIT " " WITH
                  " " COUNT_ANY_6_2 " " ORDER,
        .group = "geo",
        .since = "3.2.10",
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` with `BYRADIUS`",
        .complexity = SEARCH_COMPLEXITY,
        .history = "6.2.0 New option `ANY` of `COUNT`.",
        .summary = "Finds the points of a sorted set within a circle around a place.",
    },
    {
        .fullname = "georadiusbymember",
        .run = command_georadiusbymember_run,
        .reading = &command_georadiusbymember_reading,
        .work = command_georadiusbymember_work,
        .reply = command_value_reply,
        .get_keys = command_georadiusbymember_keys,
        .arity = -5,
        .flags = COMMAND_VALUE_REPLY | COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .categories = CATEGORY_GEO,
        .keys =
            {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1},
             {.flags = KEY_OW | KEY_UPDATE, .first = 5, .last = 0, .step = 1, .keyword = "STORE"},
             {.flags = KEY_OW | KEY_UPDATE,
              .first = 5,
              .last = 0,
              .step = 1,
              .keyword = "STOREDIST"}},
        .syntax = "key#0 member radius:double " UNIT " " WITH " " COUNT " " ORDER
                  " [STORE key#1] [STOREDIST key#2]",
        .group = "geo",
        .since = "3.2.0",
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with `FROMMEMBER` and `BYRADIUS`",
        .complexity = SEARCH_COMPLEXITY,
        .history = "7.0.0 Names of units in capitals.",
        .summary =
            "Finds the points of a sorted set within a circle around a member, and may store them.",
    },
    {
        .fullname = "georadiusbymember_ro",
        .run = command_georadiusbymember_ro_run,
        .work = command_georadiusbymember_work,
        .arity = -5,
        .flags = COMMAND_VALUE_REPLY | COMMAND_READONLY,
        .categories = CATEGORY_GEO,
        .keys = {{.flags = KEY_RO | KEY_ACCESS, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 member radius:double " UNIT " " WITH " " COUNT " " ORDER,
        .group = "geo",
        .since = "3.2.10",
        .deprecated_since = "6.2.0",
        .replaced_by = "`GEOSEARCH` with `FROMMEMBER` and `BYRADIUS`",
        .complexity = SEARCH_COMPLEXITY,
        .summary = "Finds the points of a sorted set within a circle around a member.",
    },
};

const struct command_group command_group_geo = {rows, sizeof(rows) / sizeof(rows[0])};
