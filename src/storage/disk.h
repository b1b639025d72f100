/* The disk port: the operations that storage/ needs from an operating system. platform/ implements
 * it with POSIX and a thread, the simulator with memory and faults.
 *
 * The port has two halves. The synchronous calls serve recovery at start and rare reads. The
 * asynchronous queue serves everything that happens while clients wait. The port carries out queued
 * operations in the order in which they were queued, and they complete in that order. The host
 * calls storage_completed() once for each completion, never from inside the call that queued the
 * operation. What needs no sync may also be written without the queue, when that is empty. */
#ifndef FLOTILLA_STORAGE_DISK_H
#define FLOTILLA_STORAGE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum disk_op_kind {
    DISK_WRITE,    /* write `bytes` (may be empty) to `file` at `offset`, then sync if `sync` */
    DISK_TRUNCATE, /* cut `file` to `size` bytes; then sync */
    DISK_REPLACE,  /* write `bytes` to a temporary file, sync, rename to `path`, sync the folder */
    DISK_RENAME,   /* rename `path` to `to` in the same folder, then sync the folder */
    DISK_REMOVE,   /* close `file` unless it is DISK_NO_FILE, remove `path`; missing is fine */
    DISK_SYNC_FOLDER, /* sync the folder `path` */
    DISK_MEASURE,     /* measure the free bytes of the disk that holds `path` */
};

enum { DISK_NO_FILE = -1 };

/* The port takes ownership of the memory of `bytes`, `path` and `to`, and frees it. */
struct disk_op {
    enum disk_op_kind kind;
    int file;
    struct buf bytes;
    uint64_t offset; /* the end of the file, or before it */
    uint64_t size;
    char *path;
    char *to;
    bool sync;
    /* A DISK_WRITE: left out, whole or in part, if there is no room for it or if the file ends
     * before `offset`. Its sync is not told. */
    bool optional;
    uint32_t shard;  /* the port sets it */
    uint64_t ticket; /* strictly increasing; 0: nobody waits for this operation */
};

struct disk_completion {
    uint32_t shard;   /* the shard whose port queued the operation */
    bool image;       /* for image_write() or image_end(), not for a queued operation */
    bool image_ended; /* for image_end() */
    uint64_t ticket;
    /* The first failure since the last completion; after a failure the queue carries out nothing
     * more */
    enum err err;
    uint64_t sync_us; /* duration of the sync, 0 if none was needed */
    /* The disk is full. The port retries the operation until it fits; the operations behind it
     * wait. The next completion reports that the port went on. */
    bool waits_for_room;
    bool left_out; /* an optional write, or a part of it */
    bool measured; /* DISK_MEASURE: free_bytes is set */
    uint64_t free_bytes;
};

struct disk {
    void *context;
    /* Every path includes its folder. Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_DENIED, ERR_NO_SPACE,
     * ERR_IO. */
    /* Makes parents too; an existing folder is fine */
    enum err (*make_folder)(void *context, const char *path);
    /* For reads and writes */
    enum err (*open)(void *context, const char *path, bool create, int *file);
    void (*close)(void *context, int file);
    enum err (*size)(void *context, int file, uint64_t *size);
    enum err (*read)(void *context, int file, uint64_t offset, void *bytes, size_t len,
                     size_t *got);
    enum err (*truncate)(void *context, int file, uint64_t size); /* then syncs */
    enum err (*read_file)(void *context, const char *path, struct buf *out);
    enum err (*replace_file)(void *context, const char *path,
                             struct span bytes); /* like DISK_REPLACE */
    enum err (*sync_folder)(void *context, const char *path);
    enum err (*remove)(void *context, const char *path); /* a missing file is fine */
    /* Calls `add` for each name in the folder, in any order. */
    enum err (*list)(void *context, const char *path, void (*add)(void *to, const char *name),
                     void *to);
    /* Takes ownership of what the operation owns; copies the struct. */
    void (*queue)(void *context, const struct disk_op *op);
    /* Carries out a write that needs no sync at once, if everything that was queued before is
     * done and the system takes the bytes without a wait. Its memory stays the caller's, and no
     * completion follows. False: the caller queues the operation, with what is left in `bytes`.
     * NULL: the port cannot do that. */
    bool (*write_now)(void *context, struct disk_op *op);
    /* An image is a file that a thread of low priority writes beside the queue. There is one image
     * at a time: image_begin() returns ERR_BUSY until the host has taken the completion of the last
     * image's end. Writes and the end complete in order. A completion carries the first failure of
     * this image; after a failure the port writes nothing more of it. image_write() takes ownership
     * of the memory of `bytes`. image_end() syncs the file if `keep`. */
    enum err (*image_begin)(void *context, const char *path); /* creates or empties the file */
    void (*image_write)(void *context, struct buf *bytes);
    void (*image_end)(void *context, bool keep);
};

#endif
