/* The disk port on POSIX: files by their descriptors, and one log thread that writes and syncs what
 * is queued, in order. Appends to the same file that wait together become one write and one
 * fdatasync. */
#ifndef FLOTILLA_PLATFORM_DISK_H
#define FLOTILLA_PLATFORM_DISK_H

#include <stdbool.h>

#include "storage/disk.h"

struct platform_disk;

struct platform_disk *platform_disk_new(void);
void platform_disk_free(struct platform_disk *disk); /* after all that is queued */
/* A port for each shard, from before the first operation to the end of the disk: completions name
 * the shard. */
void platform_disk_port(struct platform_disk *disk, uint32_t shard, struct disk *port);

/* Images end with ERR_NO_SPACE rather than leave less than so much on their disk. */
void platform_disk_keep_free(struct platform_disk *disk, uint64_t bytes);

/* Readable when there are completions to take: platform_disk_woken() once, then take until false.
 */
/* Bytes that are queued or being written. */
uint64_t platform_disk_memory(struct platform_disk *disk);
int platform_disk_fd(const struct platform_disk *disk);
void platform_disk_woken(struct platform_disk *disk);
bool platform_disk_take(struct platform_disk *disk, struct disk_completion *completion);

#endif
