/* The disk port: what the storage ring needs from an operating system. platform/ implements it with
 * POSIX and a thread, the simulator with memory and faults.
 *
 * Two halves. The synchronous calls serve recovery at start and rare reads. The asynchronous queue
 * serves everything that happens while clients wait: operations are carried out in the order they
 * were queued, and complete in that order, each with one storage_completed() by the host, never
 * from inside the call. */
#ifndef FLOTILLA_STORAGE_DISK_H
#define FLOTILLA_STORAGE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum disk_op_kind {
    DISK_APPEND,   /* write `bytes` at the end of `file`; then sync if `sync` */
    DISK_TRUNCATE, /* cut `file` to `size` bytes; then sync */
    DISK_REPLACE,  /* write `bytes` to a temporary file, sync, rename to `path`, sync the folder */
};

struct disk_op {
    enum disk_op_kind kind;
    int file;
    struct buf bytes; /* owned by the operation: the port frees it */
    uint64_t size;
    const char *path; /* DISK_REPLACE; lives as long as the storage */
    bool sync;
    uint64_t ticket; /* strictly increasing; 0 means nobody waits for this one */
};

struct disk_completion {
    uint64_t ticket;
    enum err err; /* the first failure since the last completion; after one nothing more is carried
                     out */
    uint64_t sync_us; /* duration of the sync, 0 if none was needed */
};

struct disk {
    void *context;
    /* Paths are complete. Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_DENIED, ERR_NO_SPACE, ERR_IO. */
    enum err (*make_folder)(void *context, const char *path); /* parents too; existing is fine */
    enum err (*open)(void *context, const char *path, bool create, int *file); /* read and append */
    void (*close)(void *context, int file);
    enum err (*size)(void *context, int file, uint64_t *size);
    enum err (*read)(void *context, int file, uint64_t offset, void *bytes, size_t len,
                     size_t *got);
    enum err (*truncate)(void *context, int file, uint64_t size); /* and sync */
    enum err (*read_file)(void *context, const char *path, struct buf *out);
    enum err (*replace_file)(void *context, const char *path,
                             struct span bytes); /* as DISK_REPLACE */
    enum err (*sync_folder)(void *context, const char *path);
    /* Takes the operation over (the struct is copied). */
    void (*queue)(void *context, const struct disk_op *op);
};

#endif
