#include "platform/disk.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/calls.h"
#include "platform/clock.h"
#include "platform/failpoint.h"
#include "platform/files.h"
#include "platform/image.h"
#include "platform/signals.h"

enum {
    VECTORS_MAX = 64,
    ROOM_WAIT_MS = 100,
    NOW_BYTES_MAX = 256 * 1024, /* the loop writes no more in one piece */
    SLOW_US = 20 * 1000,        /* a write of the loop's that took so long … */
    SLOW_PAUSE_US = 1000 * 1000 /* … was its last one for this time */
};

struct ops {
    struct disk_op *items;
    size_t count;
    size_t cap;
};

struct completions {
    struct disk_completion *items;
    size_t count;
    size_t cap;
};

/* The context of a shard's port. */
struct shard_port {
    struct platform_disk *disk;
    uint32_t shard;
    struct shard_port *next;
};

struct platform_disk {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct ops queued;       /* under the mutex */
    uint64_t bytes;          /* under the mutex: size of queued operations */
    struct completions done; /* under the mutex */
    bool stop;               /* under the mutex */
    bool asleep;             /* under the mutex: the thread is waiting for work */
    int event;
    struct platform_image image;
    struct ops running;     /* only the log thread uses it */
    uint32_t running_shard; /* only the log thread: shard of the running operation */
    /* After a failure nothing more is carried out. Of the log thread; while that is asleep, of the
     * loop, which alone can wake it. */
    enum err failed;
    struct completions taken; /* only the loop uses it */
    size_t taken_at;
    uint64_t slow_until_us; /* only the loop: the log thread writes until then */
    struct shard_port *ports;
};

static void add_op(struct ops *ops, const struct disk_op *op)
{
    if (ops->count == ops->cap) {
        ops->cap = ops->cap ? ops->cap * 2 : 16;
        ops->items = mem_realloc(ops->items, ops->cap * sizeof *ops->items);
    }
    ops->items[ops->count++] = *op;
}

/* The loop is told once of all that it has not taken yet. */
static void complete(struct platform_disk *disk, const struct disk_completion *completion)
{
    pthread_mutex_lock(&disk->mutex);
    struct completions *done = &disk->done;
    if (done->count == done->cap) {
        done->cap = done->cap ? done->cap * 2 : 16;
        done->items = mem_realloc(done->items, done->cap * sizeof *done->items);
    }
    bool is_first = done->count == 0;
    done->items[done->count++] = *completion;
    pthread_mutex_unlock(&disk->mutex);
    uint64_t one = 1;
    if (is_first && write(disk->event, &one, sizeof one) != (ssize_t)sizeof one)
        FATAL("the log thread cannot reach the event loop");
}

/* An operation did not fit. Reports that once, then waits until it is time to retry. False: the
 * disk is being closed. */
static bool wait_for_room(struct platform_disk *disk, bool *told)
{
    if (!*told)
        complete(disk,
                 &(struct disk_completion){.shard = disk->running_shard, .waits_for_room = true});
    *told = true;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ROOM_WAIT_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&disk->mutex);
    int timed_out = 0;
    while (!disk->stop && !timed_out)
        timed_out = pthread_cond_timedwait(&disk->wake, &disk->mutex, &until);
    bool go_on = !disk->stop;
    pthread_mutex_unlock(&disk->mutex);
    return go_on;
}

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* Writes all vectors, however little the system takes at a time, and waits for room. */
static enum err write_vectors(struct platform_disk *disk, const struct disk_op *first,
                              struct iovec *vectors, int count, bool *told, bool *left_out)
{
    off_t offset = (off_t)first->offset;
    while (count) {
        ssize_t wrote = pwritev(first->file, vectors, count, offset);
        if (wrote < 0) {
            int error = errno;
            *left_out = is_full(error) && first->optional;
            if (*left_out)
                return ERR_NONE;
            if (error == EINTR || (is_full(error) && wait_for_room(disk, told)))
                continue;
            return platform_err(error);
        }
        offset += wrote;
        while (count && (size_t)wrote >= vectors->iov_len) {
            wrote -= (ssize_t)vectors->iov_len;
            vectors++;
            count--;
        }
        if (count) {
            vectors->iov_base = (char *)vectors->iov_base + wrote;
            vectors->iov_len -= (size_t)wrote;
        }
    }
    return ERR_NONE;
}

/* Behind a hole nothing is written that may be left out: the hole would read as zeros. */
static bool is_behind_a_hole(const struct disk_op *op)
{
    struct stat status;
    return op->optional && (fstat(op->file, &status) != 0 || (uint64_t)status.st_size < op->offset);
}

/* Carries out writes that follow each other in one file; returns how many. */
static size_t write_run(struct platform_disk *disk, const struct disk_op *ops, size_t count,
                        struct disk_completion *completion, bool *told)
{
    struct iovec vectors[VECTORS_MAX];
    int vector_count = 0;
    bool sync = false;
    uint64_t end = ops[0].offset;
    size_t run = 0;
    for (; run < count && run < VECTORS_MAX; run++) {
        const struct disk_op *op = &ops[run];
        if (op->kind != DISK_WRITE || op->file != ops[0].file || op->optional != ops[0].optional ||
            (op->bytes.len && op->offset != end))
            break;
        end += op->bytes.len;
        if (op->bytes.len)
            vectors[vector_count++] =
                (struct iovec){.iov_base = op->bytes.ptr, .iov_len = op->bytes.len};
        sync = sync || op->sync;
    }
    completion->left_out = is_behind_a_hole(&ops[0]);
    if (completion->left_out)
        return run;
    FAILPOINT("append:before-write");
    disk->failed = write_vectors(disk, &ops[0], vectors, vector_count, told, &completion->left_out);
    FAILPOINT("append:after-write");
    if (!disk->failed && sync)
        disk->failed = platform_sync_data(ops[0].file, &completion->sync_us);
    if (ops[0].optional)
        completion->sync_us = 0; /* nobody waited for it */
    FAILPOINT("append:after-sync");
    return run;
}

static enum err remove_file(const struct disk_op *op)
{
    enum err err = platform_remove_file(op->path);
    if (!err && op->file != DISK_NO_FILE) /* otherwise a retry is possible */
        close(op->file);
    return err;
}

static enum err sync_folder(const char *path)
{
    FAILPOINT("folder:before-sync");
    enum err err = platform_sync_folder(path);
    FAILPOINT("folder:after-sync");
    return err;
}

static enum err measure(const char *path, struct disk_completion *completion)
{
    struct statvfs status;
    completion->measured = true;
    completion->free_bytes = UINT64_MAX; /* in case it cannot be measured */
    if (statvfs(path, &status) == 0)
        completion->free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return ERR_NONE;
}

static enum err carry_out_one(const struct disk_op *op, struct disk_completion *completion)
{
    switch (op->kind) {
    case DISK_WRITE:
        return ERR_NONE; /* write_run() handles it */
    case DISK_TRUNCATE:
        return platform_truncate_file(op->file, op->size, &completion->sync_us);
    case DISK_REPLACE:
        return platform_replace_file(op->path, buf_span(&op->bytes));
    case DISK_RENAME:
        return platform_rename_file(op->path, op->to);
    case DISK_REMOVE:
        return remove_file(op);
    case DISK_SYNC_FOLDER:
        return sync_folder(op->path);
    case DISK_MEASURE:
        return measure(op->path, completion);
    }
    return ERR_NONE;
}

/* Returns how many of the operations it carried out. */
static size_t carry_out(struct platform_disk *disk, const struct disk_op *ops, size_t count,
                        struct disk_completion *completion, bool *told)
{
    if (ops[0].kind == DISK_WRITE)
        return write_run(disk, ops, count, completion, told);
    do
        disk->failed = carry_out_one(ops, completion);
    while (disk->failed == ERR_NO_SPACE && wait_for_room(disk, told));
    return 1;
}

static void free_op(struct platform_disk *disk, struct disk_op *op)
{
    if (op->bytes.cap) {
        pthread_mutex_lock(&disk->mutex);
        disk->bytes -= mem_footprint(op->bytes.cap);
        pthread_mutex_unlock(&disk->mutex);
    }
    buf_close(&op->bytes);
    mem_free(op->path);
    mem_free(op->to);
}

static void run_ops(struct platform_disk *disk)
{
    struct ops *ops = &disk->running;
    for (size_t at = 0; at < ops->count;) {
        struct disk_completion completion = {.shard = ops->items[at].shard};
        disk->running_shard = completion.shard;
        size_t run = 1;
        bool told = false; /* the lack of room was reported; its end is reported too */
        if (!disk->failed)
            run = carry_out(disk, &ops->items[at], ops->count - at, &completion, &told);
        for (size_t i = at; i < at + run; i++) {
            if (ops->items[i].ticket)
                completion.ticket = ops->items[i].ticket;
            free_op(disk, &ops->items[i]);
        }
        completion.err = disk->failed;
        if (completion.ticket || completion.err || completion.sync_us || completion.measured ||
            completion.left_out || told)
            complete(disk, &completion);
        at += run;
    }
    ops->count = 0;
}

static void *run_thread(void *context)
{
    platform_block_signals();
    struct platform_disk *disk = context;
    for (;;) {
        pthread_mutex_lock(&disk->mutex);
        disk->asleep = true;
        while (disk->queued.count == 0 && !disk->stop)
            pthread_cond_wait(&disk->wake, &disk->mutex);
        disk->asleep = false;
        struct ops queued = disk->queued;
        disk->queued = disk->running;
        disk->running = queued;
        pthread_mutex_unlock(&disk->mutex);
        if (disk->running.count == 0)
            return NULL;
        run_ops(disk);
    }
}

static void image_completed(void *context, const struct disk_completion *completion)
{
    complete(context, completion);
}

struct platform_disk *platform_disk_new(void)
{
    struct platform_disk *disk = mem_zalloc(sizeof *disk);
    platform_image_init(&disk->image);
    disk->image.completed = image_completed;
    disk->image.context = disk;
    disk->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* not affected when the date is set */
    pthread_cond_init(&disk->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (disk->event < 0 || pthread_create(&disk->thread, NULL, run_thread, disk))
        FATAL("the log thread cannot be started");
    return disk;
}

void platform_disk_free(struct platform_disk *disk)
{
    if (!disk)
        return;
    pthread_mutex_lock(&disk->mutex);
    disk->stop = true;
    pthread_cond_signal(&disk->wake);
    pthread_mutex_unlock(&disk->mutex);
    pthread_join(disk->thread, NULL);
    platform_image_close(&disk->image);
    close(disk->event);
    pthread_mutex_destroy(&disk->mutex);
    pthread_cond_destroy(&disk->wake);
    mem_free(disk->queued.items);
    mem_free(disk->running.items);
    mem_free(disk->done.items);
    mem_free(disk->taken.items);
    while (disk->ports) {
        struct shard_port *next = disk->ports->next;
        mem_free(disk->ports);
        disk->ports = next;
    }
    mem_free(disk);
}

void platform_disk_keep_free(struct platform_disk *disk, uint64_t bytes)
{
    disk->image.keep_free_bytes = bytes;
}

uint64_t platform_disk_memory(struct platform_disk *disk)
{
    pthread_mutex_lock(&disk->mutex);
    uint64_t bytes = disk->bytes;
    pthread_mutex_unlock(&disk->mutex);
    return bytes;
}

int platform_disk_fd(const struct platform_disk *disk)
{
    return disk->event;
}

bool platform_disk_take(struct platform_disk *disk, struct disk_completion *completion)
{
    if (disk->taken_at == disk->taken.count) {
        pthread_mutex_lock(&disk->mutex);
        struct completions done = disk->done;
        disk->done = disk->taken;
        disk->done.count = 0;
        disk->taken = done;
        pthread_mutex_unlock(&disk->mutex);
        disk->taken_at = 0;
        if (disk->taken.count == 0)
            return false;
    }
    *completion = disk->taken.items[disk->taken_at++];
    if (completion->image_ended)
        platform_image_taken(&disk->image);
    return true;
}

void platform_disk_woken(struct platform_disk *disk)
{
    uint64_t count;
    ssize_t ignored = read(disk->event, &count, sizeof count);
    (void)ignored; /* nothing was there to read: the caller just checks the list again */
}

static void port_queue(void *context, const struct disk_op *op)
{
    const struct shard_port *port = context;
    struct platform_disk *disk = port->disk;
    struct disk_op numbered = *op;
    numbered.shard = port->shard;
    pthread_mutex_lock(&disk->mutex);
    add_op(&disk->queued, &numbered);
    disk->bytes += mem_footprint(op->bytes.cap);
    bool asleep = disk->asleep;
    disk->asleep = false;
    pthread_mutex_unlock(&disk->mutex);
    if (asleep) /* outside of the mutex, which the thread would wait for */
        pthread_cond_signal(&disk->wake);
}

static bool is_idle(struct platform_disk *disk)
{
    pthread_mutex_lock(&disk->mutex);
    bool idle = disk->asleep;
    pthread_mutex_unlock(&disk->mutex);
    return idle;
}

/* Writes all that the system takes; `op` keeps the rest. A lack of room is the log thread's to wait
 * for. */
static bool write_all(struct platform_disk *disk, struct disk_op *op)
{
    while (op->bytes.len) {
        ssize_t wrote = pwrite(op->file, op->bytes.ptr, op->bytes.len, (off_t)op->offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            disk->failed = is_full(errno) ? ERR_NONE : platform_err(errno);
            return false;
        }
        buf_consume(&op->bytes, (size_t)wrote);
        op->offset += (uint64_t)wrote;
    }
    return true;
}

/* While the log thread sleeps, nothing is before these bytes and no sync holds their file. So the
 * loop writes them itself: that saves waking the thread, and being woken by it. Who writes much may
 * have to wait in the system until the disk follows; then the thread is the one to wait. */
static bool port_write_now(void *context, struct disk_op *op)
{
    struct platform_disk *disk = ((const struct shard_port *)context)->disk;
    uint64_t began_us = platform_coarse_us();
    if (op->bytes.len > NOW_BYTES_MAX || began_us < disk->slow_until_us || !is_idle(disk) ||
        disk->failed)
        return false;
    FAILPOINT("append:before-write");
    bool written = write_all(disk, op);
    FAILPOINT("append:after-write");
    uint64_t ended_us = platform_coarse_us();
    if (ended_us - began_us >= SLOW_US)
        disk->slow_until_us = ended_us + SLOW_PAUSE_US;
    return written;
}

static enum err port_image_begin(void *context, const char *path)
{
    const struct shard_port *port = context;
    return platform_image_begin(&port->disk->image, port->shard, path);
}

static void port_image_write(void *context, struct buf *bytes)
{
    platform_image_write(&((struct shard_port *)context)->disk->image, bytes);
}

static void port_image_end(void *context, bool keep)
{
    platform_image_end(&((struct shard_port *)context)->disk->image, keep);
}

void platform_disk_port(struct platform_disk *disk, uint32_t shard, struct disk *port)
{
    struct shard_port *own = mem_alloc(sizeof *own);
    *own = (struct shard_port){.disk = disk, .shard = shard, .next = disk->ports};
    disk->ports = own;
    *port = (struct disk){.context = own,
                          .queue = port_queue,
                          .write_now = port_write_now,
                          .image_begin = port_image_begin,
                          .image_write = port_image_write,
                          .image_end = port_image_end};
    platform_calls_port(port);
}
