/* Values as texts that tests compare:
 *
 *     "string"   [list elements]   {set members}   <member=score …>   {field=value
 * field=value@deadline} (1-1 field=value; 2-0 … | last 2-0 added 5 deleted 0-0 | group name 1-1
 * read 1: 1-1 by c at 10 x2; consumer c seen 20 active 10)
 *
 * Elements are in the order that clients see. Of a text longer than SHOWN_MAX only its first byte
 * and its length are shown; bytes that are no letters, digits or '-', '.' appear as '?'. */
#ifndef FLOTILLA_TESTS_UNIT_SUPPORT_SHOWN_H
#define FLOTILLA_TESTS_UNIT_SUPPORT_SHOWN_H

#include "base/buf.h"
#include "keyspace/value.h"

enum { SHOWN_MAX = 24 };

void shown_value(struct buf *out, enum value_type type, const void *value);
void shown_item(struct buf *out, const struct item *item);

#endif
