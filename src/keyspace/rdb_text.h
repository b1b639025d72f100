/* Long strings of an RDB file in pieces. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_RDB_TEXT_H
#define FLOTILLA_KEYSPACE_RDB_TEXT_H

#include "keyspace/rdb_code.h"

/* Appends a string of which *done bytes are written already, until `out` has about `end` bytes.
 * False: it goes on in the next piece, *done says where. True: it is complete and *done is 0. */
bool rdb_add_some_text(struct buf *out, struct span text, uint64_t *done, size_t end);

#endif
