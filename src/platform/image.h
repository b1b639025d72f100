/* Writing a frozen view of this process' memory to a file, by a child that fork() makes: the kernel
 * copies a page when one of the two changes it, so that the view costs nothing but what changes
 * meanwhile, and the page tables. The child has nothing of the parent's descriptors and dies with
 * it. */
#ifndef FLOTILLA_PLATFORM_IMAGE_H
#define FLOTILLA_PLATFORM_IMAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "storage/disk.h"

struct image {
    bool running;             /* begun, and its end not yet taken */
    uint64_t keep_free_bytes; /* on the disk: with less than that the image fails */
    pid_t child;
    pthread_t waiter;
    void (*ended)(void *context, enum err err); /* on the waiter's thread */
    void *context;
};

/* ERR_BUSY: one is running. ERR_IO: no child or no thread could be made. */
MUST_CHECK enum err image_start(struct image *image, const char *path, disk_produce *produce,
                                void *producer);
void image_finish(struct image *image); /* ended() was called: another one may start */
void image_kill(struct image *image);   /* waits for the child's end */

#endif
