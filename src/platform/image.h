/* Writing an image beside the log, by a thread of its own that has time: its pieces go to the disk
 * bit by bit, so that the log's syncs hardly wait for them, and it never takes the last of the
 * room. */
#ifndef FLOTILLA_PLATFORM_IMAGE_H
#define FLOTILLA_PLATFORM_IMAGE_H

#include <pthread.h>
#include <stdbool.h>

#include "storage/disk.h"

/* A piece of an image, or its end. */
struct image_piece {
    struct buf bytes;
    bool ends;
    bool keep;
};

struct platform_image {
    uint64_t keep_free_bytes; /* on the disk: with less than that the image fails */
    void (*completed)(void *context, const struct disk_completion *completion); /* on the thread */
    void *context;
    bool busy; /* begun, and its end not yet taken */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct image_piece *pieces; /* under the mutex, as all that follows but the thread's own */
    size_t count;
    size_t cap;
    bool stop;
    uint32_t shard; /* whose image it is */
    int file;       /* the thread's own from here on */
    enum err failed;
    uint64_t written; /* bytes */
    uint64_t pushed;  /* of them the system has been told to write */
};

void platform_image_init(struct platform_image *image);
/* Drops what is not written yet. */
void platform_image_close(struct platform_image *image);

/* As the functions of the port. */
MUST_CHECK enum err platform_image_begin(struct platform_image *image, uint32_t shard,
                                         const char *path);
void platform_image_write(struct platform_image *image, struct buf *bytes);
void platform_image_end(struct platform_image *image, bool keep);

void platform_image_taken(
    struct platform_image *image); /* the completion of its end: another one may begin */

#endif
