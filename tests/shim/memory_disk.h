/* A folder in memory, and the disk port on it: what a start finds after a power loss. */
#ifndef FLOTILLA_TESTS_SHIM_MEMORY_DISK_H
#define FLOTILLA_TESTS_SHIM_MEMORY_DISK_H

#include "storage/disk.h"

struct memory_file {
    char *path; /* NULL: removed, maybe still open */
    struct buf bytes;
};

/* Handles are positions of files, which stay until the whole disk is cleared. */
struct memory_disk {
    struct memory_file *files;
    size_t count;
    size_t cap;
};

struct buf *memory_disk_add(struct memory_disk *disk, const char *path);
void memory_disk_clear(struct memory_disk *disk);
void memory_disk_port(struct memory_disk *disk, struct disk *port);

#endif
