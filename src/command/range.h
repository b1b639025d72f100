/* Positions that clients give: from 0, or negative from the end. Private to command/. */
#ifndef FLOTILLA_COMMAND_RANGE_H
#define FLOTILLA_COMMAND_RANGE_H

#include "command/command.h"

/* Elements [first, first + count) of a sequence. */
struct range {
    size_t first;
    size_t count;
};

/* From position `from` to position `to`, both included, of a sequence of this length. What is
 * beyond the ends is left out. */
static inline struct range range_of(int64_t from, int64_t to, size_t len)
{
    int64_t size = (int64_t)len;
    if (from < 0)
        from = from + size < 0 ? 0 : from + size;
    if (to < 0)
        to += size;
    if (to >= size)
        to = size - 1;
    if (from > to)
        return (struct range){0, 0};
    return (struct range){(size_t)from, (size_t)(to - from + 1)};
}

#endif
