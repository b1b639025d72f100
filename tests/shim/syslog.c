/* LD_PRELOAD: the system's log as a file of the tests'. FLOTILLA_SYSLOG names it; a line is the
 * facility and priority as one number, the name under which the program writes, and the message. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

static const char *name = "?";
static int default_facility = LOG_USER;

void openlog(const char *ident, int options, int facility)
{
    (void)options;
    name = ident;
    default_facility = facility;
}

static void put(int priority, const char *format, va_list args)
{
    const char *path = getenv("FLOTILLA_SYSLOG");
    FILE *file = path ? fopen(path, "ae") : NULL;
    if (!file)
        return;
    fprintf(file, "%d %s ", default_facility | priority, name);
    vfprintf(file, format, args);
    fputc('\n', file);
    fclose(file);
}

void syslog(int priority, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(priority, format, args);
    va_end(args);
}

/* What a program calls that is built with -D_FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *format, ...);
void __syslog_chk(int priority, int flag, const char *format, ...)
{
    (void)flag;
    va_list args;
    va_start(args, format);
    put(priority, format, args);
    va_end(args);
}
