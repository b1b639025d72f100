/* Writes the parts of commands between nodes, which are RESP arrays of bulk strings. The caller
 * reserves the room; each function returns the end of what it wrote. */
#ifndef FLOTILLA_WIRE_WRITE_H
#define FLOTILLA_WIRE_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum {
    WIRE_COUNT_BYTES = 8,   /* room for a count of up to 99999 arguments */
    WIRE_NUMBER_BYTES = 32, /* room for a number */
    WIRE_TEXT_BYTES = 32,   /* room for a text, besides its own bytes */
};

char *wire_write_count(char *at, size_t argc); /* begins a command */
char *wire_write_number(char *at, uint64_t number);
char *wire_write_text(char *at, struct span text);

#endif
