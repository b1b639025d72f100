#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "check/check.h"

void check_say(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("flotilla-check: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    check_say("%s:%d: %s", file, line, message);
    abort();
}
