#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "check/check.h"
#include "platform/files.h"

/* ---- which folder ---- */

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

/* Removes the last name from an absolute path; false if there is none. */
static bool parent_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash[1] == '\0')
        return false;
    slash[slash == path] = '\0';
    return true;
}

static bool join(char out[CHECK_PATH_MAX], const char *folder, const char *name)
{
    int len = snprintf(out, CHECK_PATH_MAX, "%s/%s", folder, name);
    return len >= 0 && len < CHECK_PATH_MAX;
}

/* The path may be the log folder itself, under any name (a copy, say). */
static bool is_log(const struct check *check, const char *path)
{
    char name[300];
    char manifest[CHECK_PATH_MAX];
    snprintf(name, sizeof name, "%s.manifest", check->options.append_filename);
    if (join(manifest, path, name) && exists(manifest))
        return true;
    const char *slash = strrchr(path, '/');
    return slash && strcmp(slash + 1, check->options.append_folder) == 0;
}

static bool take_log(struct check *check, const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    snprintf(check->append_folder, sizeof check->append_folder, "%s", name);
    snprintf(check->folder, sizeof check->folder, "%s", path);
    char node[CHECK_PATH_MAX];
    return parent_of(check->folder) && snprintf(node, sizeof node, "%s", check->folder) > 0 &&
           parent_of(node) && join(check->lock_path, node, "flotilla.lock");
}

static bool take_shard(struct check *check, const char *path)
{
    char log[CHECK_PATH_MAX];
    return join(log, path, check->options.append_folder) && is_folder(log) && take_log(check, log);
}

bool check_folder_has_log(struct check *check)
{
    char path[PATH_MAX];
    char shard[CHECK_PATH_MAX];
    if (!realpath(check->options.path, path))
        return false;
    return (is_log(check, path) && take_log(check, path)) || take_shard(check, path) ||
           (join(shard, path, "shard-0") && take_shard(check, shard));
}

bool check_folder_find(struct check *check)
{
    char path[PATH_MAX];
    const char *given = check->options.path;
    if (!realpath(given, path)) {
        check_say("cannot open '%s': %s", given, strerror(errno));
        return false;
    }
    if (check_folder_has_log(check))
        return true;
    check_say("there is no log in '%s': neither shard-0/%s nor %s is there", given,
              check->options.append_folder, check->options.append_folder);
    return false;
}

/* ---- its lock ---- */

bool check_folder_lock(struct check *check, bool alone)
{
    check->lock = open(check->lock_path, (alone ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (check->lock < 0 && (errno == ENOENT || errno == ENOTDIR))
        return true; /* a copy: no node has run in it */
    if (check->lock < 0) {
        check_say("cannot open '%s': %s", check->lock_path, strerror(errno));
        return false;
    }
    if (flock(check->lock, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK) {
        check_say("cannot lock '%s': %s", check->lock_path, strerror(errno));
        return false;
    }
    char holder[32] = "";
    ssize_t got = pread(check->lock, holder, sizeof holder - 1, 0);
    holder[got > 0 ? strspn(holder, "0123456789") : 0] = '\0';
    check_say("data folder '%s' is in use by process %s: stop the node first, or copy the folder",
              check->folder, holder[0] ? holder : "(unknown)");
    return false;
}

void check_folder_unlock(struct check *check)
{
    if (check->lock >= 0)
        close(check->lock);
    check->lock = -1;
}

/* ---- a read-only disk port ---- */

static enum err require_file(const struct stat *status)
{
    return S_ISREG(status->st_mode) ? ERR_NONE : ERR_INVALID;
}

static enum err open_file(void *context, const char *path, bool create, int *file)
{
    (void)context;
    ASSERT(!create);
    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a pipe must not block */
    if (*file < 0)
        return platform_err(errno);
    struct stat status;
    enum err err = fstat(*file, &status) ? platform_err(errno) : require_file(&status);
    if (err)
        close(*file);
    return err;
}

static enum err read_file(void *context, const char *path, struct buf *out)
{
    (void)context;
    struct stat status;
    enum err err = stat(path, &status) ? platform_err(errno) : require_file(&status);
    return err ? err : platform_read_file(path, out);
}

void check_folder_disk(struct platform_disk *platform, struct disk *disk)
{
    struct disk port;
    platform_disk_port(platform, 0, &port);
    /* Functions that change files stay NULL: a call would be a bug. */
    *disk = (struct disk){.context = platform,
                          .open = open_file,
                          .close = port.close,
                          .size = port.size,
                          .read = port.read,
                          .read_file = read_file,
                          .list = port.list};
}

/* ---- the cut, and what was not synced ---- */

enum err check_folder_sync_file(const char *folder, const char *name)
{
    char path[CHECK_PATH_MAX];
    if (!join(path, folder, name))
        return ERR_INVALID;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return platform_err(errno);
    enum err err = fsync(file) ? platform_err(errno) : ERR_NONE;
    close(file);
    return err;
}

bool check_folder_cut(const char *path, uint64_t offset, uint64_t bytes)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    struct stat status;
    bool done = file >= 0 && fstat(file, &status) == 0;
    if (done && (uint64_t)status.st_size != offset + bytes) {
        check_say("'%s' has changed meanwhile: nothing was cut", path);
        close(file);
        return false;
    }
    done = done && ftruncate(file, (off_t)offset) == 0 && fsync(file) == 0;
    if (!done)
        check_say("cannot cut '%s': %s", path, strerror(errno));
    if (file >= 0)
        close(file);
    return done;
}
