/* A temporary folder for tests that need the real file system. */
#ifndef FLOTILLA_TESTS_UNIT_PLATFORM_FOLDER_H
#define FLOTILLA_TESTS_UNIT_PLATFORM_FOLDER_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/support/test.h"

enum { FOLDER_PATH_MAX = 256 };

static inline void folder_make(char folder[FOLDER_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, FOLDER_PATH_MAX, "%.200s/flotilla-unit-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline int folder_remove_one(const char *path, const struct stat *status, int type,
                                    struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void folder_remove(const char *folder)
{
    assert_int_equal(nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline bool folder_has(const char *folder, const char *name)
{
    char path[FOLDER_PATH_MAX + 64];
    snprintf(path, sizeof path, "%.255s/%.60s", folder, name);
    return access(path, F_OK) == 0;
}

#endif
