/* Streams saved and loaded, for tests. */
#ifndef FLOTILLA_TESTS_UNIT_SUPPORT_STREAM_H
#define FLOTILLA_TESTS_UNIT_SUPPORT_STREAM_H

#include "keyspace/stream_rdb.h"

/* The body of type 15, 19 or 21 as a stream; NULL: it is not one. */
struct stream *stream_test_load(struct span body, int type);
/* Saves in small pieces, loads that, and takes the notes. */
struct stream *stream_test_reload(const struct stream *stream);
uint64_t stream_test_digest(const struct stream *stream); /* of all that a client could tell */

#endif
