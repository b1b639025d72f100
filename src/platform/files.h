/* Whole files, patterns, and the lock of a data folder. */
#ifndef FLOTILLA_PLATFORM_FILES_H
#define FLOTILLA_PLATFORM_FILES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum { PLATFORM_WHY_MAX = 256 };

enum err platform_err(int error); /* errno to enum err */

/* Appends the file's bytes to `out`; "-" is standard input. */
MUST_CHECK enum err platform_read_file(const char *path, struct buf *out);

/* Writes a temporary file beside `path`, syncs it, renames it, syncs the folder. */
MUST_CHECK enum err platform_replace_file(const char *path, struct span bytes);
/* The same for a file that an operator wrote: its mode and owner stay, and where they cannot, the
 * file stays as it is and `why` says what failed. One that is gone is made anew for its owner
 * alone. */
MUST_CHECK enum err platform_rewrite_file(const char *path, struct span bytes,
                                          char why[PLATFORM_WHY_MAX]);
/* A regular file that any user of the machine may read. */
bool platform_is_open_to_all(const char *path);
MUST_CHECK enum err platform_rename_file(const char *from,
                                         const char *to); /* syncs the folder too */
MUST_CHECK enum err platform_sync_folder(const char *path);
/* *sync_us grows by the time it took. A sync that fails is ERR_IO, whatever the reason. */
MUST_CHECK enum err platform_sync_data(int file, uint64_t *sync_us);
MUST_CHECK enum err platform_truncate_file(int file, uint64_t size,
                                           uint64_t *sync_us); /* and sync */
MUST_CHECK enum err platform_remove_file(const char *path);    /* missing is fine */
MUST_CHECK enum err platform_make_folder(const char *path);    /* parents too */

/* Which folder this is: a copy of it, or one made anew under its name, is another. The birth time
 * is 0 where the file system keeps none. */
MUST_CHECK enum err platform_folder_place(const char *path, uint64_t *inode, uint64_t *birth_ns);

/* Calls add for each path that matches, sorted. */
MUST_CHECK enum err platform_expand(const char *pattern, void (*add)(void *to, const char *path),
                                    void *to);

/* Takes the folder for this process until it ends: *lock is the descriptor that holds it. ERR_BUSY:
 * another process has it (*holder is its pid, 0 if not known). Nothing in the folder is changed but
 * that the lock file is there. */
MUST_CHECK enum err platform_lock_folder(const char *folder, int *lock, long *holder);

bool platform_folder_is_in_use(const char *folder); /* by another process */

/* Writes this process' pid into the lock file, for the message that another one gets. */
void platform_sign_lock(int lock);

#endif
