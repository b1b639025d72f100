#include "platform/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "platform/clock.h"
#include "platform/failpoint.h"
#include "platform/files.h"

enum {
    WRITE_BYTES = 1 << 20,
    /* What is synced bit by bit does not hold up the log's syncs in the end. */
    SYNC_BYTES = 4 << 20,
    IMAGE_FILE = 3,
    NICE_MAX = 19,
};

/* An image must not take the room that the log needs. */
static bool has_room(int file, uint64_t keep_free_bytes)
{
    struct statvfs status;
    return fstatvfs(file, &status) != 0 ||
           (uint64_t)status.f_bavail * status.f_frsize >= keep_free_bytes + SYNC_BYTES;
}

static enum err write_pieces(int file, uint64_t keep_free_bytes, disk_produce *produce,
                             void *producer)
{
    struct buf pieces = {0};
    size_t unsynced = 0;
    bool more = true;
    if (!has_room(file, keep_free_bytes))
        return ERR_NO_SPACE;
    while (more) {
        more = produce(producer, &pieces);
        if (more && pieces.len < WRITE_BYTES)
            continue;
        for (size_t at = 0; at < pieces.len;) {
            ssize_t wrote = write(file, pieces.ptr + at, pieces.len - at);
            if (wrote < 0 && errno != EINTR)
                return platform_err(errno);
            at += wrote > 0 ? (size_t)wrote : 0;
        }
        FAILPOINT("image:child-mid-write");
        unsynced += pieces.len;
        pieces.len = 0;
        if (unsynced < SYNC_BYTES && more)
            continue;
        unsynced = 0;
        if (fdatasync(file))
            return platform_err(errno);
        if (more && !has_room(file, keep_free_bytes))
            return ERR_NO_SPACE;
    }
    return ERR_NONE;
}

static _Noreturn void run_child(const struct image *image, pid_t parent, const char *path,
                                disk_produce *produce, void *producer)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(ERR_IO);
    /* Clients come first, with processors and disk: an image has time. */
    setpriority(PRIO_PROCESS, 0, NICE_MAX);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
    FAILPOINT("image:child-begins");
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0)
        _exit((int)platform_err(errno));
    /* Peers and clients shall see it at once when the parent dies. */
    if (file != IMAGE_FILE && dup2(file, IMAGE_FILE) < 0)
        _exit(ERR_IO);
    close_range(IMAGE_FILE + 1, ~0U, 0);
    signal(SIGXFSZ, SIG_IGN);
    FAILPOINT("image:child-opened");
    enum err err = write_pieces(IMAGE_FILE, image->keep_free_bytes, produce, producer);
    FAILPOINT("image:child-after-write");
    if (!err && (fsync(IMAGE_FILE) || close(IMAGE_FILE)))
        err = platform_err(errno);
    FAILPOINT("image:child-after-sync");
    _exit((int)err);
}

static void *wait_for_child(void *context)
{
    struct image *image = context;
    siginfo_t info = {.si_code = 0};
    int failed;
    do /* its number stays taken until image_finish() */
        failed = waitid(P_PID, (id_t)image->child, &info, WEXITED | WNOWAIT);
    while (failed && errno == EINTR);
    bool exited = !failed && info.si_code == CLD_EXITED;
    image->ended(image->context, exited ? (enum err)info.si_status : ERR_IO);
    return NULL;
}

enum err image_start(struct image *image, const char *path, disk_produce *produce, void *producer)
{
    if (image->running)
        return ERR_BUSY;
    pid_t parent = getpid();
    uint64_t started_us = platform_mono_us();
    FAILPOINT("image:before-fork");
    image->child = fork();
    if (image->child < 0)
        return ERR_IO;
    if (image->child == 0)
        run_child(image, parent, path, produce, producer);
    FAILPOINT("image:after-fork");
    image->running = true;
    image->forks++;
    image->fork_us = platform_mono_us() - started_us;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    int failed = pthread_create(&image->waiter, NULL, wait_for_child, image);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return ERR_NONE;
    kill(image->child, SIGKILL);
    waitpid(image->child, NULL, 0);
    image->running = false;
    return ERR_IO;
}

void image_finish(struct image *image)
{
    pthread_join(image->waiter, NULL);
    waitpid(image->child, NULL, 0);
    image->running = false;
    FAILPOINT("image:finished");
}

void image_kill(struct image *image)
{
    if (!image->running)
        return;
    kill(image->child, SIGKILL);
    image_finish(image);
}
