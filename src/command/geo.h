/* What the geo commands share. Private to command/. */
#ifndef FLOTILLA_COMMAND_GEO_H
#define FLOTILLA_COMMAND_GEO_H

#include "command/command.h"
#include "keyspace/geohash.h"

/* These write the error if an argument is wrong. */

/* A longitude and a latitude that are on the map. */
bool command_parse_point(struct command_context *context, const struct span *args,
                         struct geo_point *point);
/* A unit; metres in one of it. */
bool command_parse_unit(struct command_context *context, struct span text, double *unit_m);

void command_write_point(struct command_context *context, struct geo_point point);
void command_write_distance(struct command_context *context, double distance);

#endif
