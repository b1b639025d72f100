/* What a value that is being loaded holds already: digests of its fields or members. A search in a
 * packed value looks at all of them, so each new element would cost more than the one before.
 * Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_RDB_SEEN_H
#define FLOTILLA_KEYSPACE_RDB_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Zero-initialised is empty. */
struct rdb_seen {
    uint64_t *digests; /* 0: a free place */
    size_t places;
    size_t count;
};

/* True: the text is new. False: it was seen already, or nothing can be said of it. */
bool rdb_seen_new(struct rdb_seen *seen, struct span text, uint64_t seed);
void rdb_seen_clear(struct rdb_seen *seen); /* for the next value */
void rdb_seen_close(struct rdb_seen *seen);

#endif
