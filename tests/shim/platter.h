/* Files and names as a recorded run left them at some moment, both as the system showed them and as
 * they were synced, and what a power loss can leave of that.
 *
 * A file keeps what was synced. Of what changed since, each block is the new one or the old one
 * (zeros where there was none), and its size anything between the two. A folder keeps its names as
 * they were synced; each later change of a name may be there or not. */
#ifndef FLOTILLA_TESTS_SHIM_PLATTER_H
#define FLOTILLA_TESTS_SHIM_PLATTER_H

#include "base/buf.h"
#include "base/span.h"
#include "shim/memory_disk.h"
#include "shim/record.h"

struct platter_file {
    uint64_t inode;
    bool is_folder;
    struct buf now;
    struct buf synced;
};

struct platter_name {
    char *path;
    int now; /* the file, -1: none */
    int synced;
};

struct platter {
    struct platter_file *files;
    size_t file_count;
    struct platter_name *names;
    size_t name_count;
};

/* One event of the journal; of a write only the first `len` bytes of its data. */
void platter_take(struct platter *platter, const struct record_head *head, struct span path,
                  struct span data);
void platter_close(struct platter *platter);

enum loss_kind {
    LOSS_NOTHING,
    LOSS_ALL,   /* of the bytes that were not synced */
    LOSS_BLOCK, /* number `block` of those of `block_bytes` that changed */
    LOSS_SOME,  /* a random choice, and random sizes */
};

struct loss {
    enum loss_kind kind;
    size_t block_bytes;
    size_t block;
    unsigned percent;    /* LOSS_SOME */
    bool names_are_lost; /* all that were not synced; LOSS_SOME: a random choice */
    uint64_t random;
};

/* How many blocks of this size a power loss could take. */
size_t platter_dirty_blocks(const struct platter *platter, size_t block_bytes);
size_t platter_dirty_names(const struct platter *platter);

/* What is left below the folder. */
void platter_lose(const struct platter *platter, struct loss *loss, const char *folder,
                  struct memory_disk *left);

uint64_t platter_random(uint64_t *state);

#endif
