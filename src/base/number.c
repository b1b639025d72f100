#include "base/number.h"

#include <endian.h>
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

enum { EIGHT_DIGITS = 100000000 };

/* The eight digits of a number below EIGHT_DIGITS, the first one in the lowest byte. All are worked
 * out side by side: a number below 10,000 is split into two pairs by a multiplication, and a pair
 * into two digits. */
static uint64_t digits_of(uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007f;
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f;
    return tens | (twos - 10 * tens) << 8;
}

int number_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Each step spreads the halves of what is there. */
uint64_t number_hex_word(uint32_t value)
{
    uint64_t digits = (value >> 16 | (uint64_t)value << 32) & 0x0000ffff0000ffff;
    digits = (digits >> 8 | digits << 16) & 0x00ff00ff00ff00ff;
    digits = (digits >> 4 | digits << 8) & 0x0f0f0f0f0f0f0f0f;
    uint64_t letters = (digits + 0x0606060606060606) >> 4 & 0x0101010101010101;
    return digits + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

static void put8(char *out, uint64_t word)
{
    word = htole64(word);
    memcpy(out, &word, sizeof word);
}

static void put4(char *out, uint64_t word)
{
    uint32_t half = htole32((uint32_t)word);
    memcpy(out, &half, sizeof half);
}

static void put2(char *out, uint64_t word)
{
    uint16_t quarter = htole16((uint16_t)word);
    memcpy(out, &quarter, sizeof quarter);
}

/* A number from 10 on, without zeros before it and without a byte too many: two stores that
 * overlap. */
static size_t put_short(char *out, uint32_t value)
{
    uint64_t digits = digits_of(value);
    unsigned zeros = (unsigned)__builtin_ctzll(digits) / 8;
    uint64_t text = (digits | 0x3030303030303030) >> 8 * zeros;
    size_t len = 8 - zeros;
    if (len < 4) {
        put2(out, text);
        put2(out + len - 2, text >> 8 * (len - 2));
    } else {
        put4(out, text);
        put4(out + len - 4, text >> 8 * (len - 4));
    }
    return len;
}

size_t number_format_u64(char *out, uint64_t value)
{
    if (value < 10) {
        out[0] = (char)('0' + value);
        return 1;
    }
    if (value < 100) { /* most lengths */
        out[0] = (char)('0' + value / 10);
        out[1] = (char)('0' + value % 10);
        return 2;
    }
    if (value < EIGHT_DIGITS)
        return put_short(out, (uint32_t)value);
    size_t len = number_format_u64(out, value / EIGHT_DIGITS);
    put8(out + len, digits_of((uint32_t)(value % EIGHT_DIGITS)) | 0x3030303030303030);
    return len + 8;
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
