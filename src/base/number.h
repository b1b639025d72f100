/* Numbers to and from text, one way everywhere: replicas must print the same digits. */
#ifndef FLOTILLA_BASE_NUMBER_H
#define FLOTILLA_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    NUMBER_I64_CHARS = 24,    /* enough for any 64-bit number */
    NUMBER_REAL_CHARS = 5120, /* enough for any long double printed without an exponent */
};

/* Strict decimal: no spaces, no plus sign, no leading zeros, no "-0"; the whole span. These are the
 * strings that Redis keeps as integers. */
bool number_parse_i64(struct span text, int64_t *value);
bool number_parse_u64(struct span text, uint64_t *value);

/* No NUL is written; the count of characters comes back. */
size_t number_format_i64(char *out, int64_t value);
size_t number_format_u64(char *out, uint64_t value);

/* As Redis accepts floats: no leading space, the whole span, no NaN; "inf" and "-inf" are accepted.
 */
bool number_parse_real(struct span text, long double *value);
bool number_parse_double(struct span text, double *value);

/* INCRBYFLOAT's form: 17 digits after the point without trailing zeros, no exponent. out has
 * NUMBER_REAL_CHARS of room. */
size_t number_format_real(char *out, long double value);

/* The shortest form that reads back as the same double ("0.1", "3", "1e+100", "inf", "-inf",
 * "nan"). out has 40 characters of room. */
size_t number_format_double(char *out, double value);

#endif
