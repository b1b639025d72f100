/* Splits the bytes that arrive on a connection between nodes into commands, which are RESP arrays
 * of bulk strings. The arguments point into the bytes; nothing is copied. A frame remembers how far
 * it has read an incomplete command, so that the pieces of a large command are not scanned
 * again. */
#ifndef FLOTILLA_WIRE_FRAME_H
#define FLOTILLA_WIRE_FRAME_H

#include <stddef.h>

#include "base/span.h"

enum { WIRE_FRAME_ARGS_MAX = 64 };

/* Zero-initialised is ready. */
struct wire_frame {
    struct span args[WIRE_FRAME_ARGS_MAX]; /* valid once the command is complete */
    size_t offsets[WIRE_FRAME_ARGS_MAX];
    size_t lens[WIRE_FRAME_ARGS_MAX];
    size_t argc;   /* of the command; 0: its first line is incomplete */
    size_t read;   /* complete arguments */
    size_t at;     /* offset after them within the bytes */
    size_t wanted; /* the next step needs this many bytes */
};

enum wire_frame_outcome {
    WIRE_FRAME_MORE,
    WIRE_FRAME_DONE,  /* the command took `at` bytes; the next one follows them */
    WIRE_FRAME_ERROR, /* like DONE, but for an error; its text is args[0] */
    WIRE_FRAME_BAD,   /* not a command, or beyond the limits */
};

/* `bytes` are all bytes since the last command, in one piece; they may move between calls. A
 * command may have at most `args_max` arguments with `bytes_max` bytes in total. */
enum wire_frame_outcome wire_frame_read(struct wire_frame *frame, struct span bytes,
                                        size_t args_max, size_t bytes_max);

/* Prepares for the next command. */
void wire_frame_next(struct wire_frame *frame);

#endif
