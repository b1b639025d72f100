#include "wire/write.h"

#include <string.h>

#include "base/assert.h"
#include "base/number.h"

static char *write_end(char *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

static char *write_line(char *at, char type, uint64_t number)
{
    *at++ = type;
    at += number_format_u64(at, number);
    return write_end(at);
}

char *wire_write_count(char *at, size_t argc)
{
    ASSERT(argc <= 99999);
    return write_line(at, '*', argc);
}

char *wire_write_number(char *at, uint64_t number)
{
    char digits[NUMBER_I64_CHARS];
    size_t len = number_format_u64(digits, number);
    return wire_write_text(at, span_of(digits, len));
}

char *wire_write_text(char *at, struct span text)
{
    at = write_line(at, '$', text.len);
    if (text.len)
        memcpy(at, text.ptr, text.len);
    return write_end(at + text.len);
}
