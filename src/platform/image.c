#include "platform/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/failpoint.h"
#include "platform/files.h"
#include "platform/signals.h"

static void write_piece(struct platform_image *image, struct span bytes)
{
    if (image->failed)
        return;
    FAILPOINT("image:before-write");
    image->failed = platform_paced_write(&image->paced, bytes);
    FAILPOINT("image:after-write");
}

static void finish(struct platform_image *image, bool keep)
{
    if (keep && !image->failed && fsync(image->paced.file))
        image->failed = ERR_IO;
    FAILPOINT("image:after-sync");
    /* The queue may be waiting for the very room that the image takes, and the image's removal
     * waits in that queue. So the room is given back here. */
    bool given_back = (keep && !image->failed) || ftruncate(image->paced.file, 0) == 0;
    (void)given_back;
    close(image->paced.file);
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
    platform_lower_priority();
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
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return platform_err(errno);
    image->paced = (struct platform_paced){.file = file, .keep_free_bytes = image->keep_free_bytes};
    image->shard = shard;
    image->failed = ERR_NONE;
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
