/* The system's log. Its names collide with those of base/log.h, so nobody else includes both. */
#ifndef FLOTILLA_PLATFORM_SYSLOG_H
#define FLOTILLA_PLATFORM_SYSLOG_H

enum platform_severity {
    PLATFORM_SEVERITY_DEBUG,
    PLATFORM_SEVERITY_INFO,
    PLATFORM_SEVERITY_NOTICE,
    PLATFORM_SEVERITY_WARNING,
};

/* `ident` stays the caller's, and unchanged for as long as the process writes. `facility`: 0 is
 * user, 1 to 8 are local0 to local7. */
void platform_syslog_open(const char *ident, int facility);
void platform_syslog_write(enum platform_severity severity, const char *line);

#endif
