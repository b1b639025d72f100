#include "platform/paced.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "platform/files.h"

enum {
    /* At most this much of a file is on its way to the disk: a sync of the log may have to wait for
     * it. */
    PUSH_BYTES = 128 << 10,
    NICE = 10,
};

static bool has_room(const struct platform_paced *paced)
{
    struct statvfs status;
    return fstatvfs(paced->file, &status) != 0 ||
           (uint64_t)status.f_bavail * status.f_frsize >= paced->keep_free_bytes + PUSH_BYTES;
}

static enum err write_bytes(struct platform_paced *paced, struct span bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(paced->file, bytes.ptr, bytes.len);
        if (wrote < 0 && errno != EINTR)
            return platform_err(errno);
        if (wrote < 0)
            continue;
        paced->written += (uint64_t)wrote;
        bytes = span_of(bytes.ptr + wrote, bytes.len - (size_t)wrote);
    }
    return ERR_NONE;
}

/* Waits until the previous part is on the disk before it starts the next. */
static enum err push(struct platform_paced *paced)
{
    uint64_t len = paced->written - paced->pushed;
    if (len < PUSH_BYTES)
        return ERR_NONE;
    if (sync_file_range(paced->file, (off_t)paced->pushed, (off_t)len,
                        SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
        return platform_err(errno);
    paced->pushed = paced->written;
    return has_room(paced) ? ERR_NONE : ERR_NO_SPACE;
}

enum err platform_paced_write(struct platform_paced *paced, struct span bytes)
{
    if (paced->written == 0 && !has_room(paced))
        return ERR_NO_SPACE;
    enum err err = write_bytes(paced, bytes);
    return err ? err : push(paced);
}

void platform_lower_priority(void)
{
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}
