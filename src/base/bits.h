/* Strings as rows of bits. Bit 0 is the highest bit of the first byte, as SETBIT counts. */
#ifndef FLOTILLA_BASE_BITS_H
#define FLOTILLA_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define BITS_NONE UINT64_MAX

/* Bit positions of a row, both included. */
struct bit_range {
    uint64_t from;
    uint64_t to;
};

/* The number of ones. The range lies within the bytes. */
uint64_t bits_count(struct span bytes, struct bit_range range);
/* The position of the first bit of this value; BITS_NONE if the range has none. The range lies
 * within the bytes. */
uint64_t bits_find(struct span bytes, bool value, struct bit_range range);

/* A number of 1 to 64 bits, the highest bit first. Bits behind the end read as zeros. */
uint64_t bits_read(struct span bytes, uint64_t at, unsigned width);

/* The bytes that a number of `width` bits at `at` is in. */
enum { BITS_WINDOW = 9 };
struct bits_patch {
    size_t offset;
    size_t len;
    char bytes[BITS_WINDOW];
};
/* What the bytes must become for bits_read() to give this number. */
void bits_patch(struct span bytes, uint64_t at, unsigned width, uint64_t number,
                struct bits_patch *patch);

enum bits_operation { BITS_AND, BITS_OR, BITS_XOR };

/* Combines each byte of `into` with that of `with`. They do not overlap. */
void bits_combine(enum bits_operation operation, char *into, const char *with, size_t len);
void bits_invert(char *bytes, size_t len);

#endif
