/* Where messages go: standard output or the log file, one line each, as Redis writes them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/server.h"

/* host_fatal() has no argument to find it by: the one global of the process, set once at start. */
static const struct log *fatal_log;

static void write_line(void *context, enum log_level level, const char *line)
{
    static const char marks[] = {[LOG_DEBUG] = '.',
                                 [LOG_VERBOSE] = '-',
                                 [LOG_NOTICE] = '*',
                                 [LOG_WARNING] = '#',
                                 [LOG_NOTHING] = '#'};
    const struct server *server = context;
    char text[1200];
    struct timeval now;
    gettimeofday(&now, NULL);
    struct tm local;
    localtime_r(&now.tv_sec, &local);
    char date[32];
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
    int len = snprintf(text, sizeof text, "%d:%c %s.%03d %c %s\n", (int)getpid(), 'M', date,
                       (int)(now.tv_usec / 1000), marks[level], line);
    int fd = STDOUT_FILENO;
    const char *path = server->config.logfile;
    if (path[0])
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, text, (size_t)len);
    (void)ignored;
    if (path[0])
        close(fd);
}

void server_log_open(struct server *server)
{
    server->log = (struct log){server->config.loglevel, write_line, server};
    fatal_log = &server->log;
}

void server_log_say(const char *text)
{
    fprintf(stderr, "flotilla-server: %s\n", text);
}

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    log_line(fatal_log, LOG_WARNING, "%s:%d: %s", file, line, message);
    fprintf(stderr, "flotilla-server: %s:%d: %s\n", file, line, message);
    abort();
}
