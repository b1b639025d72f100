/* Whole files, file name patterns, and the lock of a data folder. */
#ifndef FLOTILLA_PLATFORM_FILES_H
#define FLOTILLA_PLATFORM_FILES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum { PLATFORM_WHY_MAX = 256 };

enum err platform_err(int error); /* errno to enum err */

/* Appends the file's bytes to `out`; "-" is standard input. */
MUST_CHECK enum err platform_read_file(const char *path, struct buf *out);

/* Writes a temporary file beside `path`, syncs it, renames it to `path` and syncs the folder. */
MUST_CHECK enum err platform_replace_file(const char *path, struct span bytes);
/* Like platform_replace_file(), for a file that an operator wrote. The new file keeps the old one's
 * mode and owner. If that fails, the old file stays and `why` says what failed. A missing file is
 * created readable and writable by its owner alone. */
MUST_CHECK enum err platform_rewrite_file(const char *path, struct span bytes,
                                          char why[PLATFORM_WHY_MAX]);
/* Whether `path` is a regular file that every user of the machine may read. */
bool platform_is_open_to_all(const char *path);
MUST_CHECK enum err platform_rename_file(const char *from,
                                         const char *to); /* syncs the folder too */
MUST_CHECK enum err platform_sync_folder(const char *path);
/* Adds the duration to *sync_us. A failed sync is always ERR_IO. */
MUST_CHECK enum err platform_sync_data(int file, uint64_t *sync_us);
MUST_CHECK enum err platform_truncate_file(int file, uint64_t size,
                                           uint64_t *sync_us); /* syncs too */
MUST_CHECK enum err platform_remove_file(const char *path);    /* a missing file is fine */
MUST_CHECK enum err platform_make_folder(const char *path);    /* makes parents too */

/* Identifies the folder itself: a copy, or a folder made anew under the same name, has other
 * numbers. The birth time is 0 where the file system records none. */
MUST_CHECK enum err platform_folder_place(const char *path, uint64_t *inode, uint64_t *birth_ns);

/* Calls `add` for each path that matches the pattern, sorted. */
MUST_CHECK enum err platform_expand(const char *pattern, void (*add)(void *to, const char *path),
                                    void *to);

/* Locks the folder for this process until the process ends. *lock is the descriptor that holds the
 * lock. ERR_BUSY: another process holds it; *holder is its pid, 0 if unknown. Creates the lock file
 * if it is missing; changes nothing else in the folder. */
MUST_CHECK enum err platform_lock_folder(const char *folder, int *lock, long *holder);

bool platform_folder_is_in_use(const char *folder); /* whether another process holds the lock */

/* Writes this process' pid into the lock file, for the error message of another process. */
void platform_sign_lock(int lock);

#endif
