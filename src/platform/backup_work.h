/* What the thread of backups does in their folder. Private to platform/backup*.c. */
#ifndef FLOTILLA_PLATFORM_BACKUP_WORK_H
#define FLOTILLA_PLATFORM_BACKUP_WORK_H

#include <stdatomic.h>

#include "platform/backup.h"

struct platform_backup_work {
    const char *folder;
    const char *temporary;
    atomic_bool *stop;            /* the copy is not wanted any more */
    atomic_uint_fast64_t *copied; /* bytes */
};

/* Does the job and fills in the result, but for its kind and id. */
void platform_backup_prepare(const struct platform_backup_work *work,
                             const struct platform_backup_job *job,
                             struct platform_backup_result *result);
void platform_backup_copy(const struct platform_backup_work *work,
                          const struct platform_backup_job *job,
                          struct platform_backup_result *result);
void platform_backup_list(const struct platform_backup_work *work,
                          struct platform_backup_result *result);

#endif
