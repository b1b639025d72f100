/* Splits a line into words as Redis splits inline commands and redis.conf: spaces separate words;
 * words may have 'single' or "double" quotes. */
#ifndef FLOTILLA_BASE_WORD_H
#define FLOTILLA_BASE_WORD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/* Moves *at to the next word; false if there is none. */
bool word_find(struct span line, size_t *at);
/* Appends the word at *at without its quotes and moves *at past it. False: a quote is not closed,
 * or the closing quote is not followed by a space. */
bool word_read(struct buf *out, struct span line, size_t *at);

#endif
