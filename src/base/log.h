/* Messages to the operator. The core writes no file: it hands finished lines to a sink that its
 * host gave it. Lower case, the subject quoted, the cause last. */
#ifndef FLOTILLA_BASE_LOG_H
#define FLOTILLA_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING, LOG_NOTHING };

struct log {
    enum log_level level; /* lines below it are not formatted */
    void (*write)(void *context, enum log_level level, const char *line);
    void *context;
};

/* `log` may be NULL: nothing is written. Lines are cut at 1023 bytes. */
void log_line(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
