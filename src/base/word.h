/* The words of a line, as Redis splits inline commands and redis.conf: separated by spaces, with
 * 'single' and "double" quotes. */
#ifndef FLOTILLA_BASE_WORD_H
#define FLOTILLA_BASE_WORD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/* Moves *at to the next word; false: there is none. */
bool word_find(struct span line, size_t *at);
/* Appends the word at *at, without its quotes, and moves *at behind it. False: a quote is not
 * closed, or something other than a space follows it. */
bool word_read(struct buf *out, struct span line, size_t *at);

#endif
