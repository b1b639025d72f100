#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

bool number_parse_u64(struct span text, uint64_t *value)
{
    if (text.len == 0 || text.len > 20)
        return false;
    if (text.ptr[0] == '0' && text.len > 1)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)(text.ptr[i] - '0');
        if (digit > 9)
            return false;
        if (i == 19 && sum > (UINT64_MAX - digit) / 10) /* fewer digits always fit */
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool number_parse_i64(struct span text, int64_t *value)
{
    if (text.len == 0)
        return false;
    bool negative = text.ptr[0] == '-';
    uint64_t magnitude;
    if (!number_parse_u64(span_of(text.ptr + negative, text.len - negative), &magnitude))
        return false;
    if (negative) {
        if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1)
            return false;
        *value = magnitude > INT64_MAX ? INT64_MIN : -(int64_t)magnitude;
        return true;
    }
    if (magnitude > INT64_MAX)
        return false;
    *value = (int64_t)magnitude;
    return true;
}

/* All two-digit numbers in a row: formatting needs half the divisions. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value)
{
    size_t count = 1;
    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t number_format_u64(char *out, uint64_t value)
{
    if (value < 10) {
        out[0] = (char)('0' + value);
        return 1;
    }
    size_t len = value < 100 ? 2 : count_digits(value);
    char *at = out + len;
    for (; value >= 100; value /= 100)
        memcpy(at -= 2, pairs + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(out, pairs + 2 * value, 2);
    else
        out[0] = (char)('0' + value);
    return len;
}

size_t number_format_i64(char *out, int64_t value)
{
    if (value >= 0)
        return number_format_u64(out, (uint64_t)value);
    out[0] = '-';
    return 1 + number_format_u64(out + 1, 0 - (uint64_t)value);
}

/* strtold() needs a NUL at the end. Longer numbers are refused, as in Redis. */
enum { REAL_INPUT_MAX = 5 * 1024 };

static bool copy_for_strto(struct span text, char *copy)
{
    if (text.len == 0 || text.len >= REAL_INPUT_MAX)
        return false;
    char first = text.ptr[0];
    if (first == ' ' || (first >= '\t' && first <= '\r'))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return true;
}

bool number_parse_real(struct span text, long double *value)
{
    char copy[REAL_INPUT_MAX];
    if (!copy_for_strto(text, copy))
        return false;
    char *end;
    errno = 0;
    *value = strtold(copy, &end);
    if ((size_t)(end - copy) != text.len || isnan(*value))
        return false;
    return !(errno == ERANGE &&
             (*value == HUGE_VALL || *value == -HUGE_VALL || fpclassify(*value) == FP_ZERO));
}

bool number_parse_double(struct span text, double *value)
{
    char copy[REAL_INPUT_MAX];
    if (!copy_for_strto(text, copy))
        return false;
    char *end;
    errno = 0;
    *value = strtod(copy, &end);
    if ((size_t)(end - copy) != text.len || isnan(*value))
        return false;
    return !(errno == ERANGE &&
             (*value == HUGE_VAL || *value == -HUGE_VAL || fpclassify(*value) == FP_ZERO));
}

size_t number_format_real(char *out, long double value)
{
    ASSERT(!isnan(value) && !isinf(value));
    int printed = snprintf(out, NUMBER_REAL_CHARS, "%.17Lf", value);
    ASSERT(printed > 0 && printed < NUMBER_REAL_CHARS);
    size_t len = (size_t)printed;
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    if (len == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        len = 1;
    }
    return len;
}

size_t number_format_places(char *out, double value)
{
    ASSERT(!isnan(value) && !isinf(value));
    return (size_t)snprintf(out, 320, "%.4f", value);
}

size_t number_format_double(char *out, double value)
{
    if (isnan(value)) {
        memcpy(out, "nan", 3);
        return 3;
    }
    if (isinf(value)) {
        const char *text = value > 0 ? "inf" : "-inf";
        size_t len = strlen(text);
        memcpy(out, text, len);
        return len;
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value)
        return number_format_i64(out, (int64_t)value);
    for (int digits = 15; digits <= 17; digits++) {
        int len = snprintf(out, 40, "%.*g", digits, value);
        if (digits == 17 || strtod(out, NULL) == value)
            return (size_t)len;
    }
    return 0;
}

/* Printing whole numbers directly is several times faster. */
size_t number_format_score(char *out, double value)
{
    if (isnan(value) || isinf(value))
        return number_format_double(out, value);
    if (fabs(value) < 1e17 && value == (double)(int64_t)value && !(value == 0 && signbit(value)))
        return number_format_i64(out, (int64_t)value);
    return (size_t)snprintf(out, 40, "%.17g", value);
}
