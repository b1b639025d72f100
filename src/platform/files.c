#include "platform/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "platform/clock.h"
#include "platform/failpoint.h"

enum err platform_err(int error)
{
    switch (error) {
    case 0:
        return ERR_NONE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOTDIR:
        return ERR_INVALID;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case EMFILE:
    case ENFILE:
        return ERR_NO_DESCRIPTORS;
    default:
        return ERR_IO;
    }
}

static enum err read_all(int fd, struct buf *out)
{
    for (;;) {
        char *at = buf_reserve(out, 65536);
        ssize_t got = read(fd, at, 65536);
        if (got == 0)
            return ERR_NONE;
        if (got > 0)
            out->len += (size_t)got;
        else if (errno != EINTR)
            return platform_err(errno);
    }
}

enum err platform_read_file(const char *path, struct buf *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return platform_err(errno);
    enum err err = read_all(fd, out);
    close(fd);
    return err;
}

enum err platform_sync_data(int file, uint64_t *sync_us)
{
    uint64_t start = platform_mono_us();
    while (fdatasync(file))
        if (errno != EINTR)
            return ERR_IO; /* even for ENOSPC: nobody knows what is on the disk now */
    *sync_us += platform_mono_us() - start + 1;
    return ERR_NONE;
}

enum err platform_truncate_file(int file, uint64_t size, uint64_t *sync_us)
{
    FAILPOINT("truncate:before-cut");
    while (ftruncate(file, (off_t)size))
        if (errno != EINTR)
            return platform_err(errno);
    FAILPOINT("truncate:after-cut");
    enum err err = platform_sync_data(file, sync_us);
    FAILPOINT("truncate:after-sync");
    return err;
}

enum err platform_remove_file(const char *path)
{
    FAILPOINT("remove:before");
    if (unlink(path) && errno != ENOENT)
        return platform_err(errno);
    FAILPOINT("remove:after");
    return ERR_NONE;
}

enum err platform_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return platform_err(errno);
    bool failed = fsync(fd) != 0;
    close(fd);
    return failed ? ERR_IO : ERR_NONE;
}

static enum err write_all(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);
        if (wrote >= 0)
            bytes = span_of(bytes.ptr + wrote, bytes.len - (size_t)wrote);
        else if (errno != EINTR)
            return platform_err(errno);
    }
    return ERR_NONE;
}

static enum err write_synced(const char *path, struct span bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return platform_err(errno);
    FAILPOINT("replace:before-write");
    enum err err = write_all(fd, bytes);
    FAILPOINT("replace:after-write");
    if (!err && fsync(fd))
        err = platform_err(errno);
    FAILPOINT("replace:after-sync");
    if (close(fd) && !err)
        err = platform_err(errno);
    return err;
}

/* The folder of a path, as dirname() gives it; the path is not modified. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = mem_alloc(len + 1);
    memcpy(folder, slash ? path : ".", len);
    folder[len] = '\0';
    return folder;
}

static enum err sync_folder_of(const char *path)
{
    char *folder = folder_of(path);
    enum err err = platform_sync_folder(folder);
    mem_free(folder);
    return err;
}

enum err platform_rename_file(const char *from, const char *to)
{
    FAILPOINT("rename:before-rename");
    if (rename(from, to))
        return platform_err(errno);
    FAILPOINT("rename:after-rename");
    enum err err = sync_folder_of(to);
    FAILPOINT("rename:after-folder-sync");
    return err;
}

enum err platform_replace_file(const char *path, struct span bytes)
{
    size_t len = strlen(path);
    char *temporary = mem_alloc(len + sizeof ".tmp");
    memcpy(temporary, path, len);
    memcpy(temporary + len, ".tmp", sizeof ".tmp");
    enum err err = write_synced(temporary, bytes);
    if (!err && rename(temporary, path))
        err = platform_err(errno);
    if (err)
        unlink(temporary);
    mem_free(temporary);
    FAILPOINT("replace:after-rename");
    if (!err)
        err = sync_folder_of(path);
    FAILPOINT("replace:after-folder-sync");
    return err;
}

/* A new folder survives a power loss only once its parent folder is synced. Without that sync, the
 * log in it would be lost too. */
static enum err make_one_folder(const char *path)
{
    if (mkdir(path, 0755))
        return errno == EEXIST ? ERR_NONE : platform_err(errno);
    FAILPOINT("mkdir:after-mkdir");
    enum err err = sync_folder_of(path);
    FAILPOINT("mkdir:after-folder-sync");
    return err;
}

enum err platform_make_folder(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ? ERR_NONE : platform_err(ENOTDIR);
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    char *partial = mem_alloc(len + 1);
    enum err err = ERR_NONE;
    for (size_t i = 1; i <= len && !err; i++) {
        if ((i < len && path[i] != '/') || path[i - 1] == '/')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        err = make_one_folder(partial);
    }
    mem_free(partial);
    if (err)
        return err;
    if (stat(path, &status))
        return platform_err(errno);
    return S_ISDIR(status.st_mode) ? ERR_NONE : platform_err(ENOTDIR);
}

enum err platform_folder_place(const char *path, uint64_t *inode, uint64_t *birth_ns)
{
    struct statx status;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &status))
        return platform_err(errno);
    *inode = status.stx_ino;
    *birth_ns = 0;
    if (status.stx_mask & STATX_BTIME)
        *birth_ns =
            (uint64_t)status.stx_btime.tv_sec * 1000000000 + (uint64_t)status.stx_btime.tv_nsec;
    return ERR_NONE;
}

enum err platform_expand(const char *pattern, void (*add)(void *to, const char *path), void *to)
{
    glob_t found;
    int failed = glob(pattern, 0, NULL, &found);
    if (failed == GLOB_NOMATCH)
        return ERR_NONE;
    if (failed)
        return ERR_IO;
    for (size_t i = 0; i < found.gl_pathc; i++)
        add(to, found.gl_pathv[i]);
    globfree(&found);
    return ERR_NONE;
}

static long read_holder(int fd)
{
    char text[32] = "";
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

enum err platform_lock_folder(const char *folder, int *lock, long *holder)
{
    *holder = 0;
    size_t len = strlen(folder) + sizeof "/flotilla.lock";
    char *path = mem_alloc(len);
    snprintf(path, len, "%s/flotilla.lock", folder);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int failed = *lock < 0 ? errno : 0;
    mem_free(path);
    if (failed)
        return platform_err(failed);
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
        return ERR_NONE;
    enum err err = errno == EWOULDBLOCK ? ERR_BUSY : platform_err(errno);
    if (err == ERR_BUSY)
        *holder = read_holder(*lock);
    close(*lock);
    *lock = -1;
    return err;
}

bool platform_folder_is_in_use(const char *folder)
{
    size_t len = strlen(folder) + sizeof "/flotilla.lock";
    char *path = mem_alloc(len);
    snprintf(path, len, "%s/flotilla.lock", folder);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    mem_free(path);
    if (lock < 0)
        return false;
    bool in_use = flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(lock);
    return in_use;
}

void platform_sign_lock(int lock)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    bool fine = ftruncate(lock, 0) == 0 && pwrite(lock, text, (size_t)len, 0) == len;
    (void)fine; /* the lock holds even without the pid */
}
