/* Messages to the operator. The core writes no file: it passes finished lines to a sink of its
 * host. A message is lower case, quotes its subject, and ends with the cause. */
#ifndef FLOTILLA_BASE_LOG_H
#define FLOTILLA_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING, LOG_NOTHING };

struct log {
    enum log_level level; /* lower levels are not formatted */
    void (*write)(void *context, enum log_level level, const char *line);
    void *context;
};

/* log NULL: writes nothing. Lines are cut at 1023 bytes. */
void log_line(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
