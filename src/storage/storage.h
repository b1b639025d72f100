/* One shard's persistent state: a snapshot and the log behind it, with term and vote, in a folder
 * that Redis itself can load (see wire/entry.h for the records, ARCHITECTURE.md for the folder).
 *
 * The log is a row of segments: files that are synced whole before the next one begins, so that
 * only the end of the last one can be torn. Writes are gathered by storage_append(), storage_vote()
 * and storage_truncate() and handed to the disk as one operation by storage_flush(): one write and
 * one sync for everything since the last flush. A ticket is durable when storage_completed() has
 * reported it or a later one; it covers all that was gathered or queued before the flush that
 * returned it.
 *
 * Entries stay in a cache in memory, bounded in bytes but for those the caller pins; older ones are
 * read back from their segment. */
#ifndef FLOTILLA_STORAGE_STORAGE_H
#define FLOTILLA_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/log.h"
#include "storage/disk.h"
#include "wire/entry.h"

struct storage;

enum storage_sync {
    STORAGE_SYNC_ALWAYS,   /* a ticket is durable after fdatasync */
    STORAGE_SYNC_EVERYSEC, /* synced by storage_tick() once a second; tickets complete after the
                              write */
    STORAGE_SYNC_NO,       /* left to the operating system */
};

/* A file that the manifest names. */
struct storage_part {
    const char *path;
    char type; /* of the manifest: b, h, i; s: raft.synced */
    uint64_t bytes;
};

/* A look at a folder of whoever's it is: storage_open() changes nothing in it. It says what a start
 * would do instead of doing it, and takes the identity that it finds. What is opened so is good for
 * reading only. */
struct storage_inspection {
    void *context;
    void (*part)(void *context, const struct storage_part *part); /* before what it holds */
    void (*leftover)(void *context, const char *path);            /* a start would remove it */
};

struct storage_options {
    const char *folder;          /* the shard's, e.g. "data/node-1/shard-0"; made if missing */
    const char *append_folder;   /* appenddirname */
    const char *append_filename; /* appendfilename */
    struct identity identity;
    const struct storage_inspection *inspection; /* NULL: a node's start */
    enum storage_sync sync;
    uint64_t cache_bytes_max;
    uint64_t segment_bytes_max; /* a segment of this size is followed by a new one; 0: never */
    uint64_t reserve_bytes;     /* of the disk, for votes: with less there is no room; 0: no such */
    const struct log *log;
};

/* The state machine as of entry `index`, in one file. index 0: there is none. */
struct storage_snapshot {
    uint64_t index;
    uint64_t term;
    uint64_t bytes;
};

/* What recovery found. */
struct storage_recovered {
    struct vote_record vote;
    struct storage_snapshot snapshot;
    uint64_t first_index; /* of the entries in the log, last_index + 1 if there are none */
    uint64_t prev_term;   /* of the entry before the first one */
    uint64_t last_index;
    uint64_t last_term;
    uint64_t cut_bytes;  /* a torn tail that was cut off (an inspection leaves it there) */
    uint64_t cut_offset; /* where in the last segment it began */
    struct identity identity;
};

/* Who gets what recovery reads. */
struct storage_visitor {
    void *context;
    /* The snapshot, if there is one: its bytes in order and in pieces, then an empty piece. An
     * error ends recovery; `message` (512 bytes) says why. */
    enum err (*load)(void *context, struct span piece, char *message);
    /* Then each entry of the log in order, also those that the snapshot covers. The spans are valid
     * during the call. */
    void (*visit)(void *context, const struct entry *entry);
    /* How far it is, now and then (after every STORAGE_PROGRESS_BYTES at the latest). May be NULL.
     */
    void (*progress)(void *context, uint64_t bytes, uint64_t total);
};

enum { STORAGE_PROGRESS_BYTES = 256 * 1024 };

/* Opens or creates. On failure *storage is NULL and `message` (512 bytes) holds one clear
 * line. ERR_CORRUPT: bytes that were synced are not what they were, a gap, a file that is missing
 * or none of these, a manifest that names other files; nothing was touched. ERR_FOREIGN: another
 * node's or cluster's folder. ERR_NOT_FOUND: there is nothing to inspect. ERR_IO, ERR_DENIED,
 * ERR_NO_SPACE: the system refused. */
MUST_CHECK enum err storage_open(const struct disk *disk, const struct storage_options *options,
                                 const struct storage_visitor *visitor, struct storage **storage,
                                 struct storage_recovered *recovered, char message[512]);
/* An orderly end is near: notes on the disk what is known to be synced. */
void storage_settle(struct storage *storage);
void storage_close(struct storage *storage); /* does not wait for operations under way */

/* What a folder is, without any change to it. */
struct storage_peek {
    bool empty;               /* nothing was ever kept in it: it may be missing altogether */
    struct identity identity; /* whose it is; node_id 0: not known */
};
/* ERR_CORRUPT: the manifest is none. Errors of the system as storage_open(). */
MUST_CHECK enum err storage_peek(const struct disk *disk, const struct storage_options *options,
                                 struct storage_peek *peek, char message[512]);

/* The log is this one's from the next segment on. */
void storage_set_identity(struct storage *storage, const struct identity *identity);

/* Adds entries (with their record) behind the last one. */
void storage_append(struct storage *storage, const struct entry *entries, size_t count);
void storage_vote(struct storage *storage, struct vote_record vote);

/* Drops every entry after `last`, not below the snapshot's. Survives a crash at any step with the
 * vote intact: the vote is first kept in a file of its own, since the record of it may stand behind
 * the cut; segments leave the manifest before they are touched. Flushes what was gathered. */
void storage_truncate(struct storage *storage, uint64_t last);

/* Hands everything gathered to the disk. 0: there was nothing, all that was handed over before is
 * covered by the last ticket. */
uint64_t storage_flush(struct storage *storage);
uint64_t storage_last_ticket(const struct storage *storage);

void storage_tick(struct storage *storage, uint64_t now_ms); /* STORAGE_SYNC_EVERYSEC */
void storage_set_sync(struct storage *storage, enum storage_sync sync);

/* To be called by the host for every disk_completion, in order. The caller handles completion->err.
 */
void storage_completed(struct storage *storage, const struct disk_completion *completion);

/* The records of [first, last], as many as fit into bytes_max (always at least one), appended to
 * `out`; the count comes back. The entries exist. */
MUST_CHECK enum err storage_read(struct storage *storage, uint64_t first, uint64_t last,
                                 size_t bytes_max, struct buf *out, size_t *count);

/* The record of one entry; the span is valid until the next call of a storage function. */
MUST_CHECK enum err storage_entry(struct storage *storage, uint64_t index, struct entry *entry);

/* Entries after `index` are not dropped from the cache (the applied index moves it on). */
void storage_pin(struct storage *storage, uint64_t index);

/* Whether `bytes` more fit on the disk without touching the reserve, as far as is known: the disk
 * is asked now and then (storage_tick), what was queued since is taken off. What does not fit all
 * the same waits until it does: nothing is lost, and nothing is durable meanwhile. */
bool storage_has_room(const struct storage *storage, uint64_t bytes);
/* Whether what frees room (deletions, and the snapshots behind which the log goes) may use the
 * reserve: half of it is left to votes. */
bool storage_may_free(const struct storage *storage, uint64_t bytes);

/* ---- snapshots ----
 *
 * A snapshot of this node's own: storage_cut() at the end of the log; when the state machine has
 * applied exactly that far, an image of it is written to storage_image_begin()'s path through
 * disk.image_begin() and its like, and then adopted. */

/* The open segment ends here, the next entry begins a new one. On failure (no descriptor, no space
 * for a name) the log goes on as it was. */
MUST_CHECK enum err storage_cut(struct storage *storage);

/* A new path for an image; valid until the image is adopted or dropped. */
const char *storage_image_begin(struct storage *storage);
void storage_image_drop(struct storage *storage); /* failed, or not wanted any more */

/* The image is the state as of (index, term), where a segment ends. It replaces the snapshot before
 * it; of the entries that it covers, whole segments of at least the newest keep_bytes stay. All in
 * queue order: rename, manifest, then the removal of what is not needed any more. */
MUST_CHECK enum err storage_image_adopt(struct storage *storage, uint64_t index, uint64_t term,
                                        uint64_t keep_bytes);

/* Appends bytes of the snapshot to `out`, as many as there are up to `len`. */
MUST_CHECK enum err storage_read_snapshot(struct storage *storage, uint64_t offset, size_t len,
                                          struct buf *out);

/* A snapshot that comes from elsewhere, beside the state that is there. Begin drops one that was
 * not finished. A write is covered by storage_last_ticket(), unsynced. Finish puts it in place of
 * the snapshot and of the whole log, which is empty at (index, term) then; if it fails nothing was
 * changed. Covered by the next flush. */
MUST_CHECK enum err storage_install_begin(struct storage *storage);
void storage_install_write(struct storage *storage, struct span bytes);
void storage_install_drop(struct storage *storage);
MUST_CHECK enum err storage_install_finish(struct storage *storage, uint64_t index, uint64_t term);

struct storage_status {
    uint64_t first_index;
    uint64_t last_index;
    struct storage_snapshot snapshot;
    uint64_t segments;
    uint64_t log_bytes;     /* of all segments, on disk */
    uint64_t history_bytes; /* of those that the snapshot covers */
    uint64_t cache_bytes;
    uint64_t cache_entries;
    uint64_t index_bytes; /* memory for finding entries in their segments */
    uint64_t syncs;
    uint64_t writes;
    uint64_t bytes_written;
    bool waits_for_room;
    uint64_t free_bytes; /* on the disk; UINT64_MAX: not known */
    uint64_t last_sync_us;
    const struct histogram *sync_us;
};
struct storage_status storage_status(const struct storage *storage);
/* Bytes that the log takes of memory: cache, buffers, positions of entries. */
uint64_t storage_memory(const struct storage *storage);
/* Once a second: frees large buffers that are empty, and most of the cache once no entry has come
 * for some seconds. */
void storage_trim(struct storage *storage);

#endif
