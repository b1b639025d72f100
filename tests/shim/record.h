/* The journal that disk_record.c writes and power_loss.c reads. */
#ifndef FLOTILLA_TESTS_SHIM_RECORD_H
#define FLOTILLA_TESTS_SHIM_RECORD_H

#include <stdint.h>

#define JOURNAL_MAGIC 0x52444b31u

enum journal_event {
    JOURNAL_CREATE = 1,  /* path is the new file `inode` */
    JOURNAL_WRITE,       /* data at offset `number` of `inode` */
    JOURNAL_TRUNCATE,    /* `inode` is `number` bytes long */
    JOURNAL_SYNC,        /* of `inode` */
    JOURNAL_SYNC_FOLDER, /* path */
    JOURNAL_RENAME,      /* path to data */
    JOURNAL_UNLINK,      /* path */
    JOURNAL_MKDIR,       /* path */
};

struct record_head {
    uint32_t magic;
    uint32_t kind;
    uint64_t inode;
    uint64_t number;
    uint64_t len; /* of the data, which follows the path */
    uint32_t path_len;
    uint32_t unused;
};

#endif
