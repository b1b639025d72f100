/* The folder of backups, and the thread of low priority that alone uses it: the disk of that folder
 * may be slow or gone, and the event loop never waits for it.
 *
 * A backup is a copy of an RDB file. It is written under a temporary name, which begins with a dot,
 * and checked against the checksum at its end while it is copied. Then it is synced, gets its name
 * if no other file has that, and the folder is synced. So a file without a dot is always complete.
 */
#ifndef FLOTILLA_PLATFORM_BACKUP_H
#define FLOTILLA_PLATFORM_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    PLATFORM_BACKUP_NAME_MAX = 200,
    PLATFORM_BACKUP_WHY_MAX = 256,
    PLATFORM_BACKUP_HEAD_BYTES = 16 * 1024,
};

struct platform_backups;

enum platform_backup_kind {
    PLATFORM_BACKUP_PREPARE, /* says whether a copy could be made; removes what a crash has left */
    PLATFORM_BACKUP_COPY,
    PLATFORM_BACKUP_LIST,
};

struct platform_backup_job {
    enum platform_backup_kind kind;
    uint64_t id; /* the result has it, too */
    /* PREPARE and COPY */
    char name[PLATFORM_BACKUP_NAME_MAX + 1]; /* of the new file; empty: only what is left goes */
    uint64_t bytes;                          /* of the source; PREPARE: about so many */
    uint64_t keep_free_bytes;                /* on the disk of the folder */
    /* COPY */
    int source; /* open for reading; the thread closes it */
    /* Rotation, once the copy is there: of the files whose names begin so, the last `keep` in the
     * order of names stay. 0: all. */
    char own[PLATFORM_BACKUP_NAME_MAX + 1];
    unsigned keep;
};

struct platform_backup_file {
    char name[PLATFORM_BACKUP_NAME_MAX + 1];
    uint64_t bytes;
    struct buf head; /* the first PLATFORM_BACKUP_HEAD_BYTES; empty: it could not be read */
};

struct platform_backup_result {
    enum platform_backup_kind kind;
    uint64_t id;
    /* ERR_EXISTS: a file has the name. ERR_CORRUPT: the source is damaged. */
    enum err err;
    char why[PLATFORM_BACKUP_WHY_MAX]; /* what failed, and the cause; empty: nothing did */
    /* COPY */
    unsigned removed; /* by rotation */
    bool stuck;       /* rotation failed; `why` says how */
    struct buf head;  /* the beginning, PLATFORM_BACKUP_HEAD_BYTES or more, if there is so much */
    /* LIST: all files whose names end in .rdb, by name. The taker frees them. */
    struct platform_backup_file *files;
    size_t count;
};

/* The folder is made if it is missing. `temporary` is this node's own name for what is not
 * complete; it begins with a dot. */
MUST_CHECK enum err platform_backups_open(const char *folder, const char *temporary,
                                          struct platform_backups **backups);
/* Ends a copy that is under way. Waits a while for a folder that does not answer, not for ever.
 * NULL is allowed. */
void platform_backups_close(struct platform_backups *backups);

/* Jobs are done one after the other, and their results come in that order. */
void platform_backups_begin(struct platform_backups *backups,
                            const struct platform_backup_job *job);
/* Readable when there are results: platform_backups_take() until it returns false. */
int platform_backups_fd(const struct platform_backups *backups);
bool platform_backups_take(struct platform_backups *backups, struct platform_backup_result *result);
void platform_backup_result_close(struct platform_backup_result *result);
/* Bytes that the copy under way, or the last one, has written. */
uint64_t platform_backups_copied(struct platform_backups *backups);

#endif
