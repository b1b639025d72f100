/* One shard's persistent state: a snapshot, the log after it, the term and the vote. The state is
 * kept in a folder that Redis itself can load (wire/entry.h describes the records,
 * architecture/disk.md the folder).
 *
 * The log is a list of files, the segments. Each segment is synced whole before the next one
 * begins, so only the end of the last one can be torn. storage_append(), storage_vote() and
 * storage_truncate() gather writes in memory. storage_flush() hands them to the disk as one
 * operation: one write and one sync for everything since the last flush. It returns a ticket. A
 * ticket covers everything that was gathered or queued before the flush that returned it. A ticket
 * is durable when storage_completed() has reported it or a later one.
 *
 * Recent entries stay in a memory cache for as long as somebody is likely to want them, up to a
 * limit. Entries that the caller pins stay even above the limit. Other entries are read from their
 * segment. */
#ifndef FLOTILLA_STORAGE_STORAGE_H
#define FLOTILLA_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/log.h"
#include "cluster/identity.h"
#include "storage/disk.h"
#include "wire/entry.h"

struct storage;

enum storage_sync {
    STORAGE_SYNC_ALWAYS,   /* a ticket is durable after fdatasync */
    STORAGE_SYNC_EVERYSEC, /* storage_tick() syncs once a second; the write completes a ticket */
    STORAGE_SYNC_NO,       /* the operating system decides when to sync */
};

/* A file that the manifest names. */
struct storage_part {
    const char *path;
    char type; /* type in the manifest: b, h, i; or s: raft.synced */
    uint64_t bytes;
};

/* Makes storage_open() read a folder of any node without changing it. storage_open() reports the
 * repairs that a start would make, and takes over the identity that it finds. A storage opened like
 * this supports only reads. */
struct storage_inspection {
    void *context;
    /* Called before the contents of the part */
    void (*part)(void *context, const struct storage_part *part);
    /* A start would remove this file */
    void (*leftover)(void *context, const char *path);
};

struct storage_options {
    /* The shard's folder, e.g. "data/node-1/shard-0"; created if missing */
    const char *folder;
    const char *append_folder;   /* the setting appenddirname */
    const char *append_filename; /* the setting appendfilename */
    struct identity identity;
    /* Segments may also carry the id of one of these clusters. NULL: of none. */
    const struct cluster_superseded *superseded;
    const struct storage_inspection *inspection; /* NULL: the start of a node */
    enum storage_sync sync;
    uint64_t cache_bytes_max;
    /* With STORAGE_SYNC_ALWAYS filler is written behind the log, in steps of up to so many bytes.
     * 0: none */
    uint64_t fill_bytes;
    uint64_t segment_bytes_max; /* a segment of this size ends and a new one begins; 0: no limit */
    uint64_t reserve_bytes;     /* disk space that only votes may use; 0: no reserve */
    const struct log *log;
};

/* The state machine as of entry `index`, in one file. index 0: there is no snapshot. */
struct storage_snapshot {
    uint64_t index;
    uint64_t term;
    uint64_t bytes;
};

/* What recovery found in the folder. */
struct storage_recovered {
    struct vote_record vote;
    struct storage_snapshot snapshot;
    uint64_t first_index; /* of the first entry in the log; last_index + 1 if there is none */
    uint64_t prev_term;   /* term of the entry before the first one */
    uint64_t last_index;
    uint64_t last_term;
    /* Length of a torn tail that was cut off (an inspection only reports it) */
    uint64_t cut_bytes;
    uint64_t cut_offset; /* where the torn tail began in the last segment */
    struct identity identity;
};

/* Receives the snapshot and the entries that recovery reads. */
struct storage_visitor {
    void *context;
    /* Receives the snapshot, if there is one: its bytes in order in pieces, then an empty piece. An
     * error ends recovery; `message` (512 bytes) says why. */
    enum err (*load)(void *context, struct span piece, char *message);
    /* Receives each entry of the log in order after the snapshot, including entries that the
     * snapshot covers. The spans are valid during the call. */
    void (*visit)(void *context, const struct entry *entry);
    /* Reports progress at least every STORAGE_PROGRESS_BYTES. May be NULL. */
    void (*progress)(void *context, uint64_t bytes, uint64_t total);
};

enum { STORAGE_PROGRESS_BYTES = 256 * 1024 };

/* Opens or creates a shard's folder. On failure *storage is NULL and `message` (512 bytes) holds
 * one line. ERR_CORRUPT: synced bytes have changed, entries are missing, a named file is missing or
 * not one of these files, or the manifest names other files; nothing was changed. ERR_FOREIGN: the
 * folder belongs to another node or cluster. ERR_NOT_FOUND: there is nothing to inspect. ERR_IO,
 * ERR_DENIED, ERR_NO_SPACE: the system refused an operation. */
MUST_CHECK enum err storage_open(const struct disk *disk, const struct storage_options *options,
                                 const struct storage_visitor *visitor, struct storage **storage,
                                 struct storage_recovered *recovered, char message[512]);
/* Called before an orderly shutdown: writes to the disk how much of the log is known to be
 * synced. */
void storage_settle(struct storage *storage);
void storage_close(struct storage *storage); /* does not wait for queued operations */

/* The owner and emptiness of a folder, read without changing it. */
struct storage_peek {
    bool empty;               /* nothing was ever stored in it; it may not exist */
    struct identity identity; /* the owner; node_id 0: unknown */
};
/* ERR_CORRUPT: the manifest is not a manifest. Errors of the system: as storage_open(). */
MUST_CHECK enum err storage_peek(const struct disk *disk, const struct storage_options *options,
                                 struct storage_peek *peek, char message[512]);

/* Segments from the next one on carry this identity. */
void storage_set_identity(struct storage *storage, const struct identity *identity);

/* Adds entries after the last one: what their records say, and the records themselves. They are
 * not checked again when they are read from memory. */
void storage_append(struct storage *storage, const struct entry *entries, size_t count);
void storage_vote(struct storage *storage, struct vote_record vote);

/* Drops every entry after `last`, which is not below the snapshot's index. An error says that the
 * log could not be read where it is to be cut; nothing was changed. A crash at any step
 * leaves the vote intact: the vote is first written to a file of its own, because its record may be
 * in the part that is cut, and segments leave the manifest before they are changed. Flushes the
 * gathered writes. */
MUST_CHECK enum err storage_truncate(struct storage *storage, uint64_t last);

/* Hands all gathered writes to the disk and returns their ticket. Returns 0 if nothing was
 * gathered; the last ticket then covers everything handed over before. */
uint64_t storage_flush(struct storage *storage);
uint64_t storage_last_ticket(const struct storage *storage);
/* The newest ticket that is durable. A flush that needs no sync may be done when it returns. */
uint64_t storage_completed_ticket(const struct storage *storage);

void storage_tick(struct storage *storage, uint64_t now_ms); /* syncs for STORAGE_SYNC_EVERYSEC */
void storage_set_sync(struct storage *storage, enum storage_sync sync);

/* The host calls this for every disk_completion, in order. The host handles completion->err. */
void storage_completed(struct storage *storage, const struct disk_completion *completion);

/* Appends the records of [first, last] to `out`, as many as fit into bytes_max but at least one.
 * *count is their number. The entries must exist. */
MUST_CHECK enum err storage_read(struct storage *storage, uint64_t first, uint64_t last,
                                 size_t bytes_max, struct buf *out, size_t *count);

/* Gives the record of one entry. The span is valid until the next call of a storage function. */
MUST_CHECK enum err storage_entry(struct storage *storage, uint64_t index, struct entry *entry);

/* The same entry, if memory has it. The spans stay valid until another entry is read. After
 * storage_entry() the next ones are often there, also where entries come from the disk. */
bool storage_cached_entry(struct storage *storage, uint64_t index, struct entry *entry);
/* Gives entries from the first one on, up to the last one, as long as they were appended lately:
 * with what was found out about them then. Returns their number, perhaps 0. The spans are valid
 * until the log is appended to or cut, or its writes complete. */
size_t storage_recent_entries(struct storage *storage, uint64_t first, uint64_t last,
                              struct entry *entries);

/* Entries after `index` stay in the cache. The caller moves `index` on as it applies entries. */
void storage_pin(struct storage *storage, uint64_t index);
/* Of the entries that are not pinned, those after `index` are wanted: they stay as far as
 * cache_bytes_max allows. Of others the newest stay, at most spare_bytes of them. Counts from the
 * next storage_pin() on. Before the first call all are wanted. */
void storage_want(struct storage *storage, uint64_t index, uint64_t spare_bytes);
/* The entries after this one are in the cache. */
uint64_t storage_cached_after(const struct storage *storage);

/* Whether `bytes` more fit on the disk above the reserve, as far as is known. storage_tick()
 * measures the disk from time to time; bytes queued since then are subtracted. An operation that
 * does not fit waits until it does: nothing is lost, and nothing becomes durable meanwhile. */
bool storage_has_room(const struct storage *storage, uint64_t bytes);
/* Whether operations that free room (deletions, and snapshots that allow segments to be removed)
 * may use `bytes` of the reserve. They may use half of it; the other half is left for votes. */
bool storage_may_free(const struct storage *storage, uint64_t bytes);

/* ---- snapshots ----
 *
 * To make a snapshot, the caller calls storage_cut() at the end of the log. When the state machine
 * has applied exactly the entries before the cut, the caller writes an image of it to the path from
 * storage_image_begin(), with disk.image_begin(), image_write() and image_end().
 * storage_image_adopt() then makes the image the snapshot. */

/* Ends the open segment; the next entry begins a new one. On failure (no descriptor, no space for a
 * name) the log continues in the old segment. */
MUST_CHECK enum err storage_cut(struct storage *storage);

/* Returns a new path for an image. It is valid until the image is adopted or dropped. */
const char *storage_image_begin(struct storage *storage);
void storage_image_drop(struct storage *storage); /* the image failed or is no longer needed */

/* Makes the image the snapshot. It holds the state as of (index, term), where a segment ends. It
 * replaces the old snapshot. Of the segments that it covers, the newest ones with at least
 * keep_bytes in total stay. The queue order is: rename the image, write the manifest, remove the
 * old files. */
MUST_CHECK enum err storage_image_adopt(struct storage *storage, uint64_t index, uint64_t term,
                                        uint64_t keep_bytes);
/* Whether the manifest on the disk names the adopted image: only then a start finds it. */
bool storage_image_is_named(const struct storage *storage);

/* Appends up to `len` bytes of the snapshot from `offset` on to `out`; fewer at the snapshot's
 * end. */
MUST_CHECK enum err storage_read_snapshot(struct storage *storage, uint64_t offset, size_t len,
                                          struct buf *out);

/* The handle of the snapshot's file in the disk port; DISK_NO_FILE: there is none. It is the
 * storage's, and open until the next snapshot takes its place. A snapshot that another node sent is
 * complete in it when storage_last_ticket() is durable. */
int storage_snapshot_file(const struct storage *storage);

/* A snapshot that another node sends is written beside the present state. Begin drops an unfinished
 * one. storage_last_ticket() covers a write, but the write is not synced. Finish replaces the
 * snapshot and the whole log; the log is then empty at (index, term). If finish fails, nothing has
 * changed. The next flush covers a finish. */
MUST_CHECK enum err storage_install_begin(struct storage *storage);
void storage_install_write(struct storage *storage, struct span bytes);
void storage_install_drop(struct storage *storage);
MUST_CHECK enum err storage_install_finish(struct storage *storage, uint64_t index, uint64_t term);

struct storage_status {
    uint64_t first_index;
    uint64_t last_index;
    struct storage_snapshot snapshot;
    uint64_t segments;
    uint64_t log_bytes;     /* of all segments on disk */
    uint64_t history_bytes; /* of the segments that the snapshot covers */
    uint64_t cache_bytes;
    uint64_t cache_entries;
    uint64_t index_bytes; /* memory of the offsets of entries */
    uint64_t syncs;
    uint64_t writes;
    uint64_t bytes_written;
    bool waits_for_room;
    uint64_t free_bytes; /* free on the disk; UINT64_MAX: unknown */
    uint64_t last_sync_us;
    const struct histogram *sync_us;
};
struct storage_status storage_status(const struct storage *storage);
/* Bytes of memory that the log uses: cache, buffers, offsets of entries. */
uint64_t storage_memory(const struct storage *storage);
/* To be called once a second. Frees large empty buffers. */
void storage_trim(struct storage *storage);

#endif
