#include "platform/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/failpoint.h"
#include "platform/files.h"
#include "platform/signals.h"

enum {
    /* At most this much of an image is on its way to the disk: a sync of the log may have to wait
     * for it. */
    PUSH_BYTES = 128 << 10,
    NICE = 10,
};

static bool has_room(const struct platform_image *image)
{
    struct statvfs status;
    return fstatvfs(image->file, &status) != 0 ||
           (uint64_t)status.f_bavail * status.f_frsize >= image->keep_free_bytes + PUSH_BYTES;
}

static enum err write_bytes(struct platform_image *image, struct span bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(image->file, bytes.ptr, bytes.len);
        if (wrote < 0 && errno != EINTR)
            return platform_err(errno);
        if (wrote < 0)
            continue;
        image->written += (uint64_t)wrote;
        bytes = span_of(bytes.ptr + wrote, bytes.len - (size_t)wrote);
    }
    return ERR_NONE;
}

/* Waits until the previous part is on the disk before it starts the next. */
static enum err push(struct platform_image *image)
{
    uint64_t len = image->written - image->pushed;
    if (len < PUSH_BYTES)
        return ERR_NONE;
    if (sync_file_range(image->file, (off_t)image->pushed, (off_t)len,
                        SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
        return platform_err(errno);
    image->pushed = image->written;
    return has_room(image) ? ERR_NONE : ERR_NO_SPACE;
}

static void write_piece(struct platform_image *image, struct span bytes)
{
    if (image->failed)
        return;
    FAILPOINT("image:before-write");
    if (image->written == 0 && !has_room(image))
        image->failed = ERR_NO_SPACE;
    if (!image->failed)
        image->failed = write_bytes(image, bytes);
    if (!image->failed)
        image->failed = push(image);
    FAILPOINT("image:after-write");
}

static void finish(struct platform_image *image, bool keep)
{
    if (keep && !image->failed && fsync(image->file))
        image->failed = ERR_IO;
    FAILPOINT("image:after-sync");
    /* The queue may be waiting for the very room that the image takes, and the image's removal
     * waits in that queue. So the room is given back here. */
    bool given_back = (keep && !image->failed) || ftruncate(image->file, 0) == 0;
    (void)given_back;
    close(image->file);
}

static void carry_out(struct platform_image *image, struct image_piece *piece)
{
    if (piece->ends)
        finish(image, piece->keep);
    else
        write_piece(image, buf_span(&piece->bytes));
    buf_close(&piece->bytes);
    image->completed(image->context, &(struct disk_completion){.shard = image->shard,
                                                               .image = true,
                                                               .image_ended = piece->ends,
                                                               .err = image->failed});
}

static void *run(void *context)
{
    struct platform_image *image = context;
    platform_block_signals();
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* on Linux this affects only the thread */
    for (;;) {
        pthread_mutex_lock(&image->mutex);
        while (image->count == 0 && !image->stop)
            pthread_cond_wait(&image->wake, &image->mutex);
        bool stop = image->stop;
        struct image_piece piece = {.ends = false};
        if (!stop) {
            piece = image->pieces[0];
            memmove(image->pieces, image->pieces + 1, --image->count * sizeof *image->pieces);
        }
        pthread_mutex_unlock(&image->mutex);
        if (stop)
            return NULL;
        carry_out(image, &piece);
    }
}

static void add(struct platform_image *image, const struct image_piece *piece)
{
    pthread_mutex_lock(&image->mutex);
    if (image->count == image->cap) {
        image->cap = image->cap ? image->cap * 2 : 16;
        image->pieces = mem_realloc(image->pieces, image->cap * sizeof *image->pieces);
    }
    image->pieces[image->count++] = *piece;
    pthread_mutex_unlock(&image->mutex);
    pthread_cond_signal(&image->wake);
}

void platform_image_init(struct platform_image *image)
{
    pthread_mutex_init(&image->mutex, NULL);
    pthread_cond_init(&image->wake, NULL);
}

void platform_image_close(struct platform_image *image)
{
    pthread_mutex_lock(&image->mutex);
    image->stop = true;
    pthread_cond_signal(&image->wake);
    pthread_mutex_unlock(&image->mutex);
    if (image->has_thread)
        pthread_join(image->thread, NULL);
    for (size_t i = 0; i < image->count; i++)
        buf_close(&image->pieces[i].bytes);
    mem_free(image->pieces);
    pthread_mutex_destroy(&image->mutex);
    pthread_cond_destroy(&image->wake);
}

enum err platform_image_begin(struct platform_image *image, uint32_t shard, const char *path)
{
    if (image->busy)
        return ERR_BUSY;
    if (!image->has_thread && pthread_create(&image->thread, NULL, run, image))
        return ERR_IO;
    image->has_thread = true;
    image->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (image->file < 0)
        return platform_err(errno);
    image->shard = shard;
    image->failed = ERR_NONE;
    image->written = image->pushed = 0;
    image->busy = true;
    return ERR_NONE;
}

void platform_image_write(struct platform_image *image, struct buf *bytes)
{
    ASSERT(image->busy);
    add(image, &(struct image_piece){.bytes = *bytes});
    *bytes = (struct buf){0};
}

void platform_image_end(struct platform_image *image, bool keep)
{
    ASSERT(image->busy);
    add(image, &(struct image_piece){.ends = true, .keep = keep});
}

void platform_image_taken(struct platform_image *image)
{
    image->busy = false;
}
