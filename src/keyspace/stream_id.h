/* The IDs of stream entries: two numbers, compared one after the other. */
#ifndef FLOTILLA_KEYSPACE_STREAM_ID_H
#define FLOTILLA_KEYSPACE_STREAM_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct stream_id {
    uint64_t ms;
    uint64_t seq;
};

#define STREAM_ID_MIN ((struct stream_id){0, 0})
#define STREAM_ID_MAX ((struct stream_id){UINT64_MAX, UINT64_MAX})

enum { STREAM_ID_CHARS = 41, STREAM_ID_BYTES = 16 };

static inline int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq == b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

static inline bool stream_id_is_zero(struct stream_id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* Moves to the neighbour; false: there is none, the ID stays. */
bool stream_id_increment(struct stream_id *id);
bool stream_id_decrement(struct stream_id *id);

/* Reads "ms-seq" or "ms", as tolerantly as Redis: leading zeros, spaces and plus signs are allowed.
 * An ID without a second number gets missing_seq. */
bool stream_id_parse(struct span text, uint64_t missing_seq, struct stream_id *id);
/* Reads "ms-*"; false: the text has another form. */
bool stream_id_parse_auto_seq(struct span text, uint64_t *ms);
/* The same as stream_id_parse(), and "-" and "+" for the smallest and the greatest ID. */
bool stream_id_parse_bound(struct span text, uint64_t missing_seq, struct stream_id *id);

/* Writes no NUL; returns the number of characters, at most STREAM_ID_CHARS. */
size_t stream_id_format(char *out, struct stream_id id);

/* Both numbers with the highest byte first, as in RDB files. */
void stream_id_pack(unsigned char out[STREAM_ID_BYTES], struct stream_id id);
struct stream_id stream_id_unpack(const unsigned char bytes[STREAM_ID_BYTES]);

#endif
