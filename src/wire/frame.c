#include "wire/frame.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/number.h"

enum {
    LINE_MAX = 32,    /* a count or a length, with the line's end */
    ERROR_MAX = 1024, /* the text of an error */
};

enum line { LINE_WHOLE, LINE_MORE, LINE_BAD };

/* Takes the line at `at`, without its end. */
static enum line take_line(struct span bytes, size_t at, size_t max, struct span *line)
{
    size_t left = bytes.len - at;
    size_t seen = left < max ? left : max;
    const char *start = bytes.ptr + at;
    const char *end = seen ? memchr(start, '\n', seen) : NULL;
    if (!end)
        return seen < max ? LINE_MORE : LINE_BAD;
    if (end == start || end[-1] != '\r')
        return LINE_BAD;
    *line = span_of(start, (size_t)(end - start) - 1);
    return LINE_WHOLE;
}

/* Takes the number after the type: "*3", "$12". */
static enum line take_number(struct wire_frame *frame, struct span bytes, char type,
                             uint64_t *number)
{
    struct span line;
    enum line outcome = take_line(bytes, frame->at, LINE_MAX, &line);
    if (outcome != LINE_WHOLE)
        return outcome;
    if (line.len < 2 || line.ptr[0] != type ||
        !number_parse_u64(span_of(line.ptr + 1, line.len - 1), number))
        return LINE_BAD;
    frame->at += line.len + 2;
    return LINE_WHOLE;
}

static enum wire_frame_outcome read_error(struct wire_frame *frame, struct span bytes)
{
    struct span line;
    switch (take_line(bytes, 0, ERROR_MAX, &line)) {
    case LINE_MORE:
        return WIRE_FRAME_MORE;
    case LINE_BAD:
        return WIRE_FRAME_BAD;
    case LINE_WHOLE:
        break;
    }
    frame->args[0] = span_of(line.ptr + 1, line.len - 1);
    frame->at = line.len + 2;
    return WIRE_FRAME_ERROR;
}

static enum wire_frame_outcome read_count(struct wire_frame *frame, struct span bytes,
                                          size_t args_max)
{
    uint64_t count = 0;
    switch (take_number(frame, bytes, '*', &count)) {
    case LINE_MORE:
        return WIRE_FRAME_MORE;
    case LINE_BAD:
        return WIRE_FRAME_BAD;
    case LINE_WHOLE:
        break;
    }
    if (count == 0 || count > args_max || count > WIRE_FRAME_ARGS_MAX)
        return WIRE_FRAME_BAD;
    frame->argc = (size_t)count;
    return WIRE_FRAME_DONE;
}

/* Each piece reads the length again; it is only a few bytes. */
static enum wire_frame_outcome read_argument(struct wire_frame *frame, struct span bytes,
                                             size_t bytes_max)
{
    size_t start = frame->at;
    uint64_t len = 0;
    switch (take_number(frame, bytes, '$', &len)) {
    case LINE_MORE:
        return WIRE_FRAME_MORE;
    case LINE_BAD:
        return WIRE_FRAME_BAD;
    case LINE_WHOLE:
        break;
    }
    if (frame->at > bytes_max || len > bytes_max - frame->at)
        return WIRE_FRAME_BAD;
    size_t end = frame->at + (size_t)len;
    if (bytes.len < end + 2) {
        frame->wanted = end + 2;
        frame->at = start;
        return WIRE_FRAME_MORE;
    }
    if (bytes.ptr[end] != '\r' || bytes.ptr[end + 1] != '\n')
        return WIRE_FRAME_BAD;
    frame->offsets[frame->read] = frame->at;
    frame->lens[frame->read++] = (size_t)len;
    frame->at = end + 2;
    return WIRE_FRAME_DONE;
}

/* Sets the spans only when the command is complete, because its bytes may move until then. */
static void point_to_bytes(struct wire_frame *frame, const char *start)
{
    for (size_t i = 0; i < frame->argc; i++)
        frame->args[i] = span_of(start + frame->offsets[i], frame->lens[i]);
}

enum wire_frame_outcome wire_frame_read(struct wire_frame *frame, struct span bytes,
                                        size_t args_max, size_t bytes_max)
{
    ASSERT(frame->at <= bytes.len);
    if (bytes.len == 0)
        return WIRE_FRAME_MORE;
    if (frame->argc == 0 && bytes.ptr[0] == '-')
        return read_error(frame, bytes);
    enum wire_frame_outcome outcome = WIRE_FRAME_DONE;
    if (frame->argc == 0)
        outcome = read_count(frame, bytes, args_max);
    while (outcome == WIRE_FRAME_DONE && frame->read < frame->argc)
        outcome = read_argument(frame, bytes, bytes_max);
    if (outcome == WIRE_FRAME_DONE)
        point_to_bytes(frame, bytes.ptr);
    return outcome;
}

void wire_frame_next(struct wire_frame *frame)
{
    frame->argc = frame->read = frame->at = frame->wanted = 0;
}
