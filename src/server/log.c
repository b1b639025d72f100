/* Where messages go: standard output or the log file, one line each, as Redis writes them or as
 * JSON; and the system's log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "platform/syslog.h"
#include "server/server.h"

/* host_fatal() has no argument to find it by: the one global of the process, set once at start. */
static const struct log *fatal_log;

enum {
    LINE_MAX = 1024,         /* what log_line() makes */
    JSON_MAX = LINE_MAX * 6, /* each byte as \u00XX */
};

/* How many bytes the UTF-8 character at `text` has, which ends with a zero byte. 0: it is none. */
static size_t character(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t len = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || (text[1] & 0xC0) != 0x80)
        return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/* A JSON string without its quotes. Bytes that are no UTF-8 become U+FFFD. */
static void add_json(char *out, const char *line)
{
    const unsigned char *at = (const unsigned char *)line;
    while (*at) {
        size_t len = character(at);
        if (len == 0) {
            memcpy(out, "\\ufffd", 6);
            out += 6;
            len = 1;
        } else if (*at == '"' || *at == '\\') {
            *out++ = '\\';
            *out++ = (char)*at;
        } else if (*at < 0x20) {
            out += snprintf(out, 7, "\\u%04x", *at);
        } else {
            memcpy(out, at, len);
            out += len;
        }
        at += len;
    }
    *out = '\0';
}

static int format_json(char *text, size_t size, const struct timeval *now, enum log_level level,
                       const char *line)
{
    static const char *const names[] = {[LOG_DEBUG] = "debug",
                                        [LOG_VERBOSE] = "verbose",
                                        [LOG_NOTICE] = "notice",
                                        [LOG_WARNING] = "warning",
                                        [LOG_NOTHING] = "warning"};
    struct tm utc;
    gmtime_r(&now->tv_sec, &utc);
    char date[32];
    char message[JSON_MAX];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    add_json(message, line);
    return snprintf(text, size,
                    "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"pid\":%d,\"message\":\"%s\"}\n",
                    date, (int)(now->tv_usec / 1000), names[level], (int)getpid(), message);
}

/* As Redis writes it. */
static int format_text(char *text, size_t size, const struct timeval *now, enum log_level level,
                       const char *line)
{
    static const char marks[] = {[LOG_DEBUG] = '.',
                                 [LOG_VERBOSE] = '-',
                                 [LOG_NOTICE] = '*',
                                 [LOG_WARNING] = '#',
                                 [LOG_NOTHING] = '#'};
    struct tm local;
    localtime_r(&now->tv_sec, &local);
    char date[32];
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
    return snprintf(text, size, "%d:%c %s.%03d %c %s\n", (int)getpid(), 'M', date,
                    (int)(now->tv_usec / 1000), marks[level], line);
}

static void write_syslog(enum log_level level, const char *line)
{
    static const enum platform_severity severities[] = {[LOG_DEBUG] = PLATFORM_SEVERITY_DEBUG,
                                                        [LOG_VERBOSE] = PLATFORM_SEVERITY_INFO,
                                                        [LOG_NOTICE] = PLATFORM_SEVERITY_NOTICE,
                                                        [LOG_WARNING] = PLATFORM_SEVERITY_WARNING,
                                                        [LOG_NOTHING] = PLATFORM_SEVERITY_WARNING};
    platform_syslog_write(severities[level], line);
}

/* The file is opened for each line: who renames or removes it gets a new one. */
static void write_line(void *context, enum log_level level, const char *line)
{
    const struct server *server = context;
    char text[JSON_MAX + 128];
    struct timeval now;
    gettimeofday(&now, NULL);
    int len = server->config.log_format == CONFIG_LOG_JSON
                  ? format_json(text, sizeof text, &now, level, line)
                  : format_text(text, sizeof text, &now, level, line);
    if (server->config.syslog_enabled)
        write_syslog(level, line);
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
    if (server->config.syslog_enabled)
        platform_syslog_open(server->config.syslog_ident, (int)server->config.syslog_facility);
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
