/* flotilla-check: inspects the data folder of a node that is not running.
 *
 *   main.c     the command line, the exit status
 *   say.c      messages to standard error
 *   folder.c   finds the folder, locks it, a read-only disk port, the cut of --repair
 *   identity.c flotilla.identity: check, --upgrade, --moved
 *   recover.c  --recover-quorum
 *   compare.c  --compare
 *   inspect.c  walks once over all data in the folder
 *   report.c   the findings as text
 *   dump.c     entries as text or as commands
 *   export.c   the state as an RDB file
 *   verify.c   --verify: a backup */
#ifndef FLOTILLA_CHECK_CHECK_H
#define FLOTILLA_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/identity.h"
#include "command/command.h"
#include "machine/replay.h"
#include "platform/disk.h"
#include "storage/storage.h"

enum { CHECK_PATH_MAX = 4096, CHECK_MESSAGE_MAX = 512, CHECK_KINDS = 6 };

struct check_kind {
    enum entry_kind kind;
    const char *one;
    const char *many;
};
extern const struct check_kind check_kinds[CHECK_KINDS];

enum check_status {
    CHECK_FINE = 0,
    CHECK_TORN = 1,
    CHECK_USAGE = 2,
    CHECK_CORRUPT = 3,
    CHECK_UNREADABLE = 4,
};

struct check_options {
    const char *path;
    const char *append_folder;
    const char *append_filename;
    const char *export_path;         /* NULL: none */
    const char *verify_path;         /* NULL: none */
    enum redis_release oldest_redis; /* that has to load what is exported */
    uint64_t from;                   /* first entry to dump */
    uint64_t to; /* last entry of dump and state; UINT64_MAX: the end of the log */
    bool repair;
    bool upgrade;
    bool moved;
    bool recover;
    bool compare;
    bool yes;
    bool force;
    bool dump;
    bool resp; /* dump as RESP commands */
};

/* A file that the manifest names, and how far it was read. */
struct check_part {
    char *name;
    char type;
    uint64_t bytes;
    uint64_t entries;
    uint64_t first;
    uint64_t last;
    uint64_t first_term;
    uint64_t last_term;
};

struct check {
    struct check_options options;
    char folder[CHECK_PATH_MAX];    /* the shard's folder */
    char append_folder[256];        /* its folder of log files */
    char lock_path[CHECK_PATH_MAX]; /* the file may not exist */
    int lock;                       /* -1: none */
    struct disk disk;
    struct command_table *table;
    struct machine_replay *replay;
    struct buf line;   /* scratch memory of the dump */
    unsigned selected; /* the database of the last command that was dumped for redis-cli */

    /* Findings. */
    struct check_part *parts;
    size_t part_count;
    char **leftovers;
    size_t leftover_count;
    uint64_t kinds[CHECK_KINDS]; /* number of entries per kind, indexed as check_kinds */
    uint64_t entries;
    uint64_t first_index;
    uint64_t first_term;
    uint64_t voids;    /* aborted transactions */
    uint64_t repeats;  /* entries that carry a number that was carried out, or of no session */
    uint64_t unjudged; /* dumped entries that may be one of both */
    struct storage_recovered found;
    struct cluster_identity identity;
    enum err identity_err; /* ERR_NOT_FOUND: there is no such file */
    char identity_message[CHECK_MESSAGE_MAX];
    enum err err;
    enum err state_err; /* from an entry that cannot be applied */
    char message[CHECK_MESSAGE_MAX];
    char state_message[CHECK_MESSAGE_MAX];
};

/* say.c: prints the program's name and one line to standard error. */
void check_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* folder.c: each function prints why it failed. */
bool check_folder_find(struct check *check);
bool check_folder_has_log(struct check *check); /* prints nothing */
/* Shares the lock with other readers; a repair takes it alone. A node that starts meanwhile is
 * refused. */
MUST_CHECK bool check_folder_lock(struct check *check, bool alone);
void check_folder_disk(struct platform_disk *platform, struct disk *disk);
void check_folder_unlock(struct check *check);
MUST_CHECK enum err check_folder_sync_file(const char *folder, const char *name);
bool check_folder_cut(const char *path, uint64_t offset, uint64_t bytes);

/* main.c: reads the answer to a question that was printed. */
bool check_confirm(const struct check *check);

/* identity.c */
void check_identity_load(struct check *check);
/* Whether the given folder has a flotilla.identity but no log yet. */
bool check_identity_find(struct check *check);
enum check_status check_identity_alone(struct check *check);
void check_identity_report(const struct check *check);
/* Asks the operator, and says that nothing was changed if the answer is no. */
bool check_is_wanted(const struct check *check, const char *question);
/* Replaces flotilla.identity; prints why it failed. */
enum check_status check_identity_store(struct platform_disk *platform, const struct check *check,
                                       const struct cluster_identity *identity);
/* These ask the operator first. */
enum check_status check_upgrade(struct platform_disk *platform, struct check *check);
enum check_status check_moved(struct platform_disk *platform, struct check *check);

/* recover.c: asks the operator first, and prints why the folder is refused. */
enum check_status check_recover(struct platform_disk *platform, struct check *check);
/* The folder was recovered and not started since: its identity alone says that the node is the only
 * member. */
bool check_recover_is_pending(const struct check *check);

/* compare.c: prints a table of the folders and which of them has most. `template` has the names of
 * files. */
enum check_status check_compare(const struct check *template, char *const *paths, size_t count);

/* inspect.c */
void check_inspect(struct check *check);
void check_inspect_close(struct check *check);
enum check_status check_inspect_status(const struct check *check);
const char *check_kind_name(enum entry_kind kind);
/* Path of the last segment, the only one that may be torn. The caller frees it. */
char *check_inspect_torn_path(const struct check *check);

/* report.c */
void check_report(const struct check *check);
void check_report_verdict(const struct check *check);
void check_format_time(int64_t time_ms, char out[40]);
/* The state that was read, in lines that end the report. */
void check_report_state(const struct machine_replay *replay);

/* dump.c */
/* `why`: nothing of it was carried out; NULL: it was. */
void check_dump_entry(struct check *check, const struct entry *entry, const char *why);
void check_dump_end(const struct check *check);

/* export.c */
bool check_export_may_write(const struct check *check); /* prints why not */
enum check_status check_export_state(const struct check *check);

/* verify.c: says what the file is, or prints why it is none. */
enum check_status check_verify(const char *path);

#endif
