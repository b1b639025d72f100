/* Numbers to and from text, in one way everywhere: replicas must print the same digits. */
#ifndef FLOTILLA_BASE_NUMBER_H
#define FLOTILLA_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    NUMBER_I64_CHARS = 24,    /* enough for any 64-bit number */
    NUMBER_REAL_CHARS = 5120, /* enough for any long double printed without an exponent */
};

/* Strict decimal: no spaces, plus sign, leading zeros or "-0"; reads the whole span. Redis stores
 * exactly these strings as integers. */
bool number_parse_i64(struct span text, int64_t *value);
bool number_parse_u64(struct span text, uint64_t *value);

/* Writes no NUL; returns the number of characters, and writes no byte behind them. */
size_t number_format_i64(char *out, int64_t value);
size_t number_format_u64(char *out, uint64_t value);
/* 0 to 15, of either case; -1: it is no hexadecimal digit. */
int number_hex_digit(char c);
/* The number's eight lower-case hexadecimal digits, the first one in the lowest byte. */
uint64_t number_hex_word(uint32_t value);

/* Accepts the floats that Redis accepts: no leading space, the whole span, no NaN. "inf" and "-inf"
 * are accepted. */
bool number_parse_real(struct span text, long double *value);
bool number_parse_double(struct span text, double *value);

/* INCRBYFLOAT's format: up to 17 digits after the point, no trailing zeros, no exponent. `out` has
 * room for NUMBER_REAL_CHARS. */
size_t number_format_real(char *out, long double value);

/* As Redis prints scores: 17 significant digits without trailing zeros ("0.10000000000000001", "3",
 * "1e+17", "-0", "inf", "-inf"). `out` has room for 40 characters. */
size_t number_format_score(char *out, double value);

/* With four digits after the point, as Redis prints distances. `out` has room for 320 characters.
 */
size_t number_format_places(char *out, double value);

/* The shortest text that reads back as the same double ("0.1", "3", "1e+100", "inf", "-inf",
 * "nan"). `out` has room for 40 characters. */
size_t number_format_double(char *out, double value);

#endif
