#include "platform/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/failpoint.h"
#include "platform/files.h"

static enum err call_make_folder(void *context, const char *path)
{
    (void)context;
    return platform_make_folder(path);
}

static enum err call_open(void *context, const char *path, bool create, int *file)
{
    (void)context;
    *file = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
    return *file < 0 ? platform_err(errno) : ERR_NONE;
}

static void call_close(void *context, int file)
{
    (void)context;
    close(file);
}

static enum err call_size(void *context, int file, uint64_t *size)
{
    (void)context;
    struct stat status;
    if (fstat(file, &status))
        return platform_err(errno);
    *size = (uint64_t)status.st_size;
    return ERR_NONE;
}

static enum err call_read(void *context, int file, uint64_t offset, void *bytes, size_t len,
                          size_t *got)
{
    (void)context;
    ssize_t count;
    do
        count = pread(file, bytes, len, (off_t)offset);
    while (count < 0 && errno == EINTR);
    *got = count > 0 ? (size_t)count : 0;
    return count < 0 ? platform_err(errno) : ERR_NONE;
}

static enum err call_truncate(void *context, int file, uint64_t size)
{
    (void)context;
    uint64_t sync_us = 0;
    FAILPOINT("recover:before-truncate");
    enum err err = platform_truncate_file(file, size, &sync_us);
    FAILPOINT("recover:after-truncate");
    return err;
}

static enum err call_read_file(void *context, const char *path, struct buf *out)
{
    (void)context;
    return platform_read_file(path, out);
}

static enum err call_replace_file(void *context, const char *path, struct span bytes)
{
    (void)context;
    FAILPOINT("recover:before-replace");
    enum err err = platform_replace_file(path, bytes);
    FAILPOINT("recover:after-replace");
    return err;
}

static enum err call_sync_folder(void *context, const char *path)
{
    (void)context;
    FAILPOINT("recover:before-folder-sync");
    enum err err = platform_sync_folder(path);
    FAILPOINT("recover:after-folder-sync");
    return err;
}

static enum err call_remove(void *context, const char *path)
{
    (void)context;
    FAILPOINT("recover:before-remove");
    enum err err = platform_remove_file(path);
    FAILPOINT("recover:after-remove");
    return err;
}

static enum err call_list(void *context, const char *path, void (*add)(void *to, const char *name),
                          void *to)
{
    (void)context;
    DIR *folder = opendir(path);
    if (!folder)
        return platform_err(errno);
    errno = 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        add(to, entry->d_name);
        errno = 0;
    }
    int failed = errno;
    closedir(folder);
    return platform_err(failed);
}

void platform_calls_port(struct disk *port)
{
    port->make_folder = call_make_folder;
    port->open = call_open;
    port->close = call_close;
    port->size = call_size;
    port->read = call_read;
    port->truncate = call_truncate;
    port->read_file = call_read_file;
    port->replace_file = call_replace_file;
    port->sync_folder = call_sync_folder;
    port->remove = call_remove;
    port->list = call_list;
}
