/* --import: which files, read them, begin the data folder with them. */
#ifndef FLOTILLA_SERVER_IMPORT_H
#define FLOTILLA_SERVER_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* In the order in which they are to be read. */
struct import_files {
    char **paths;
    size_t count;
    uint64_t bytes;
};

/* An RDB file, an AOF, or a folder with a manifest as Redis 7 writes it. ERR_CORRUPT, ERR_INVALID
 * or the system's: one line in `message`. */
MUST_CHECK enum err import_files_find(struct import_files *files, const char *path,
                                      char message[512]);
void import_files_close(struct import_files *files);

#endif
