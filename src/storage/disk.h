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
    DISK_APPEND,   /* write `bytes` (maybe none) at the end of `file`; then sync if `sync` */
    DISK_TRUNCATE, /* cut `file` to `size` bytes; then sync */
    DISK_REPLACE,  /* write `bytes` to a temporary file, sync, rename to `path`, sync the folder */
    DISK_RENAME,   /* `path` to `to`, in one folder, which is synced then */
    DISK_REMOVE,   /* close `file` unless it is DISK_NO_FILE, remove `path`; missing is fine */
    DISK_SYNC_FOLDER, /* `path` */
    DISK_MEASURE,     /* how much room there is on the disk that `path` is on */
};

enum { DISK_NO_FILE = -1 };

/* The port takes over what an operation owns and frees it: the memory of `bytes`, `path` and `to`.
 */
struct disk_op {
    enum disk_op_kind kind;
    int file;
    struct buf bytes;
    uint64_t size;
    char *path;
    char *to;
    bool sync;
    uint32_t shard;  /* the port sets it */
    uint64_t ticket; /* strictly increasing; 0 means nobody waits for this one */
};

struct disk_completion {
    uint32_t shard;   /* whose port the operation came through */
    bool image;       /* of image_write() or image_end(), not of a queued operation */
    bool image_ended; /* of image_end() */
    uint64_t ticket;
    enum err err; /* the first failure since the last completion; after one nothing more is carried
                     out */
    uint64_t sync_us; /* duration of the sync, 0 if none was needed */
    /* The disk is full. What did not fit is tried again until it does, and all that is queued
     * behind it waits: the next completion says that it went on. */
    bool waits_for_room;
    bool measured; /* DISK_MEASURE */
    uint64_t free_bytes;
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
    enum err (*remove)(void *context, const char *path); /* missing is fine */
    /* The names in a folder, in any order. */
    enum err (*list)(void *context, const char *path, void (*add)(void *to, const char *name),
                     void *to);
    /* Takes the operation over (the struct is copied). */
    void (*queue)(void *context, const struct disk_op *op);
    /* An image is a file that is written beside the queue, by somebody who has time. One at a time
     * (ERR_BUSY until the completion of its end has been taken). Each write and the end complete in
     * order, with the first failure of this image, after which nothing more of it is carried out.
     * write takes over the memory of `bytes`; keep: the file is synced at the end. */
    enum err (*image_begin)(void *context, const char *path); /* anew */
    void (*image_write)(void *context, struct buf *bytes);
    void (*image_end)(void *context, bool keep);
};

#endif
