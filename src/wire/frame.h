/* What comes in on a connection between nodes, cut into commands: arrays of bulk strings, as RESP.
 * The bytes stay where they are: the arguments point into them. While a command is not whole, the
 * frame remembers how far it was read, so that a large one costs no more than a small one with each
 * piece that comes. */
#ifndef FLOTILLA_WIRE_FRAME_H
#define FLOTILLA_WIRE_FRAME_H

#include <stddef.h>

#include "base/span.h"

enum { WIRE_FRAME_ARGS_MAX = 64 };

/* Zero-initialised is ready. */
struct wire_frame {
    struct span args[WIRE_FRAME_ARGS_MAX]; /* once it is whole */
    size_t offsets[WIRE_FRAME_ARGS_MAX];
    size_t lens[WIRE_FRAME_ARGS_MAX];
    size_t argc;   /* of the command; 0: its first line has not come */
    size_t read;   /* arguments that are whole */
    size_t at;     /* behind them, within the bytes */
    size_t wanted; /* so many bytes make the next step possible */
};

enum wire_frame_outcome {
    WIRE_FRAME_MORE,
    WIRE_FRAME_DONE,  /* `at` bytes are used up; the next call begins with those behind them */
    WIRE_FRAME_ERROR, /* the same; it is an error, whose text is args[0] */
    WIRE_FRAME_BAD,   /* no command, or one beyond the limits */
};

/* `bytes`: all that came since the last command, in one piece; may lie elsewhere at each call. At
 * most `args_max` arguments of `bytes_max` bytes together are taken. */
enum wire_frame_outcome wire_frame_read(struct wire_frame *frame, struct span bytes,
                                        size_t args_max, size_t bytes_max);

/* The next command begins. */
void wire_frame_next(struct wire_frame *frame);

#endif
