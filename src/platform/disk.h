/* The disk port on POSIX. One log thread writes and syncs what is queued, in order. Writes that
 * follow each other in the same file become one write and one fdatasync. */
#ifndef FLOTILLA_PLATFORM_DISK_H
#define FLOTILLA_PLATFORM_DISK_H

#include <stdbool.h>

#include "storage/disk.h"

struct platform_disk;

struct platform_disk *platform_disk_new(void);
void platform_disk_free(struct platform_disk *disk); /* finishes the queue first */
/* Fills in the port of one shard. Call it before the shard's first operation. The port is valid
 * until the disk is freed. Completions name the shard. */
void platform_disk_port(struct platform_disk *disk, uint32_t shard, struct disk *port);

/* An image fails with ERR_NO_SPACE if it would leave less than `bytes` free on its disk. */
void platform_disk_keep_free(struct platform_disk *disk, uint64_t bytes);

/* Memory of operations that are queued or being written. */
uint64_t platform_disk_memory(struct platform_disk *disk);
/* The descriptor is readable when there are completions. The caller calls platform_disk_woken()
 * once, then platform_disk_take() until it returns false. */
int platform_disk_fd(const struct platform_disk *disk);
void platform_disk_woken(struct platform_disk *disk);
bool platform_disk_take(struct platform_disk *disk, struct disk_completion *completion);

#endif
