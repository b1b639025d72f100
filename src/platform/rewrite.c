/* Rewrites a file that an operator owns: the new file gets the mode and owner of the old one. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "platform/files.h"

enum { MODE_BITS = 07777, MODE_OF_A_NEW_FILE = 0600 };

static enum err failed(char why[PLATFORM_WHY_MAX], const char *what)
{
    enum err err = platform_err(errno);
    snprintf(why, PLATFORM_WHY_MAX, "%s: %s", what, strerror(errno));
    return err;
}

static bool write_all(int file, struct span bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        ssize_t count = write(file, bytes.ptr + at, bytes.len - at);
        if (count < 0 && errno != EINTR)
            return false;
        at += count < 0 ? 0 : (size_t)count;
    }
    return fsync(file) == 0;
}

/* Sets the owner first, because fchown() clears some bits of the mode. Nobody else can read the
 * file before it has the old file's mode. */
static enum err fill(int file, const struct stat *old, struct span bytes,
                     char why[PLATFORM_WHY_MAX])
{
    struct stat own;
    if (fstat(file, &own))
        return failed(why, "cannot look at the new file");
    bool is_same = own.st_uid == old->st_uid && own.st_gid == old->st_gid;
    if (!is_same && fchown(file, old->st_uid, old->st_gid)) {
        enum err err = platform_err(errno);
        snprintf(why, PLATFORM_WHY_MAX, "cannot keep its owner (user %u, group %u): %s",
                 (unsigned)old->st_uid, (unsigned)old->st_gid, strerror(errno));
        return err;
    }
    if (fchmod(file, old->st_mode & MODE_BITS))
        return failed(why, "cannot keep its mode");
    return write_all(file, bytes) ? ERR_NONE : failed(why, "cannot write the new file");
}

static enum err replace(const char *path, const char *temporary, struct span bytes,
                        char why[PLATFORM_WHY_MAX])
{
    struct stat old = {.st_mode = MODE_OF_A_NEW_FILE, .st_uid = geteuid(), .st_gid = getegid()};
    if (stat(path, &old) && errno != ENOENT)
        return failed(why, "cannot look at it");
    /* A file that a crashed rewrite left behind may have any mode and owner. */
    (void)unlink(temporary);
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE_OF_A_NEW_FILE);
    if (file < 0)
        return failed(why, "cannot create a file beside it");
    enum err err = fill(file, &old, bytes, why);
    if (close(file) && !err)
        err = failed(why, "cannot write the new file");
    if (!err && rename(temporary, path))
        err = failed(why, "cannot rename the new file");
    if (err)
        (void)unlink(temporary);
    return err;
}

enum err platform_rewrite_file(const char *path, struct span bytes, char why[PLATFORM_WHY_MAX])
{
    size_t len = strlen(path);
    char *temporary = mem_alloc(len + sizeof ".tmp");
    memcpy(temporary, path, len);
    memcpy(temporary + len, ".tmp", sizeof ".tmp");
    enum err err = replace(path, temporary, bytes, why);
    if (!err) {
        char *slash = strrchr(temporary, '/');
        *(slash == NULL || slash == temporary ? temporary + (slash != NULL) : slash) = '\0';
        err = platform_sync_folder(temporary[0] == '\0' ? "." : temporary);
        if (err)
            snprintf(why, PLATFORM_WHY_MAX, "cannot sync its folder: %s", err_text(err));
    }
    mem_free(temporary);
    return err;
}

bool platform_is_open_to_all(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
}
