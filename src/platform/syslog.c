#include "platform/syslog.h"

#include <syslog.h>

void platform_syslog_open(const char *ident, int facility)
{
    static const int facilities[] = {LOG_USER,   LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                     LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
    openlog(ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facilities[facility]);
}

void platform_syslog_write(enum platform_severity severity, const char *line)
{
    static const int priorities[] = {[PLATFORM_SEVERITY_DEBUG] = LOG_DEBUG,
                                     [PLATFORM_SEVERITY_INFO] = LOG_INFO,
                                     [PLATFORM_SEVERITY_NOTICE] = LOG_NOTICE,
                                     [PLATFORM_SEVERITY_WARNING] = LOG_WARNING};
    syslog(priorities[severity], "%s", line);
}
