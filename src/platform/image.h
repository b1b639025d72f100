/* Writes an image beside the log, in a thread of low priority, as platform/paced.h says. */
#ifndef FLOTILLA_PLATFORM_IMAGE_H
#define FLOTILLA_PLATFORM_IMAGE_H

#include <pthread.h>
#include <stdbool.h>

#include "platform/paced.h"
#include "storage/disk.h"

/* A piece of an image, or the image's end. */
struct image_piece {
    struct buf bytes;
    bool ends;
    bool keep;
};

struct platform_image {
    uint64_t keep_free_bytes; /* the image fails if it would leave less free */
    /* Called on the thread. */
    void (*completed)(void *context, const struct disk_completion *completion);
    void *context;
    bool busy; /* from begin until the completion of the end is taken */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct image_piece *pieces; /* under the mutex, like the fields up to `stop` */
    size_t count;
    size_t cap;
    bool stop;
    uint32_t shard;              /* the shard that writes the image */
    struct platform_paced paced; /* only the thread uses this and what follows */
    enum err failed;
};

void platform_image_init(struct platform_image *image);
/* Discards pieces that are not written yet. */
void platform_image_close(struct platform_image *image);

/* These implement the port's functions of the same names. */
MUST_CHECK enum err platform_image_begin(struct platform_image *image, uint32_t shard,
                                         const char *path);
void platform_image_write(struct platform_image *image, struct buf *bytes);
void platform_image_end(struct platform_image *image, bool keep);

void platform_image_taken(struct platform_image *image); /* the completion of the end was taken */

#endif
