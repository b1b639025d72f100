/* The packed forms in which Redis writes small values to RDB files: one string that holds all
 * elements. Private to keyspace/.
 *
 *     listpack   total: 4 | count: 2 | (encoding, data, length from the right) … | ff  (since 7.0)
 *     ziplist    total: 4 | offset of the last: 4 | count: 2 | (length of the one before, encoding,
 *                data) … | ff                                                       (up to 6.2)
 *     zipmap     count: 1 | (length, field, length, spare: 1, value, spare bytes) … | ff
 *                                                                                    (up to 2.4)
 *     intset     bytes of a number: 4 | count: 4 | numbers in ascending order
 *
 * All numbers are little-endian, except lengths of ziplist strings. The bytes may come from
 * anywhere: nothing is read beyond them, and nothing is allocated but one copy of a listpack. */
#ifndef FLOTILLA_KEYSPACE_RDB_PACKED_H
#define FLOTILLA_KEYSPACE_RDB_PACKED_H

#include "base/span.h"

enum rdb_packing { RDB_LISTPACK, RDB_ZIPLIST, RDB_ZIPMAP, RDB_INTSET };

/* Calls `element` with each element, a number as its text. It returns false to stop. False: it
 * stopped, or the bytes are not whole and without a fault. */
bool rdb_packed_each(enum rdb_packing packing, struct span bytes,
                     bool (*element)(void *context, struct span text), void *context);

#endif
