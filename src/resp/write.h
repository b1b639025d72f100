/* Replies, in RESP2 or RESP3, appended to a buffer. Types that RESP2 lacks are written as what
 * Redis writes to a RESP2 client (maps as flat arrays, doubles and big numbers as bulk strings,
 * booleans as 0 and 1, null as $-1 or *-1). */
#ifndef FLOTILLA_RESP_WRITE_H
#define FLOTILLA_RESP_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
    RESP_PIECE_BYTES = 64 * 1024, /* of one buffer that is handed over */
    RESP_LARGE_BYTES = 16 * 1024, /* a string of this size gets a buffer of its own */
    RESP_HEAD_BYTES = 32,         /* more than the start and the end of a string need */
};

/* Receives a long reply in pieces, so that no buffer grows by copying. take() empties the buffer,
 * usually by taking over its memory. */
struct resp_pieces {
    void *context;
    void (*take)(void *context, struct buf *out);
    uint64_t taken; /* number of pieces taken; resp_since() detects by it that bytes are gone */
};

struct resp_writer {
    struct buf *out;            /* NULL: the reply is discarded (a follower applies an entry) */
    int protocol;               /* 2 or 3 */
    struct resp_pieces *pieces; /* NULL: the whole reply stays in `out` */
};

/* A position in the replies, for resp_since(). */
struct resp_mark {
    size_t at;
    uint64_t taken;
};
struct resp_mark resp_mark(const struct resp_writer *writer);
/* The bytes written since the mark. Empty if pieces of them were taken: the reply is then long, and
 * not an error. */
struct span resp_since(const struct resp_writer *writer, struct resp_mark mark);

void resp_status(struct resp_writer *writer, const char *text); /* +text */
/* -text. The text begins with an error code ("ERR …"); CR and LF in it become spaces. */
void resp_error(struct resp_writer *writer, const char *text);
void resp_errorf(struct resp_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void resp_integer(struct resp_writer *writer, int64_t value);
void resp_bulk(struct resp_writer *writer, struct span bytes);
void resp_bulk_text(struct resp_writer *writer, const char *text);
void resp_bulk_i64(struct resp_writer *writer, int64_t value); /* the number as a bulk string */
void resp_null(struct resp_writer *writer);                    /* $-1 or _ */
void resp_null_array(struct resp_writer *writer);              /* *-1 or _ */
void resp_double(struct resp_writer *writer, double value);
void resp_number(struct resp_writer *writer,
                 struct span number); /* a double that is text already */
void resp_verbatim(struct resp_writer *writer, const char *format3, struct span bytes); /* "txt" */
void resp_array(struct resp_writer *writer, size_t count);
/* Then 2 * pairs items: key, value, key, value and so on. */
void resp_map(struct resp_writer *writer, size_t pairs);
void resp_set(struct resp_writer *writer, size_t count);
void resp_push(struct resp_writer *writer, size_t count);
void resp_raw(struct resp_writer *writer, struct span bytes); /* already encoded */

#endif
