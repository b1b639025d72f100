/* What the bitmap commands share. Private to command/. */
#ifndef FLOTILLA_COMMAND_BIT_H
#define FLOTILLA_COMMAND_BIT_H

#include "command/command.h"

/* The cost of looking at a value's bytes one after the other, for command_context.work. */
enum { BIT_BYTES_PER_WORK = 8 };

/* Reads the position of a bit, within the longest string. With a `width` other than 0, "#n" counts
 * in fields of so many bits. bit_parse_offset() writes the error. */
bool bit_offset_of(struct span text, unsigned width, uint64_t *offset);
bool bit_parse_offset(struct command_context *context, struct span text, unsigned width,
                      uint64_t *offset);

#endif
