/* One shard's persistent state: the log with term and vote, in the append-only file of
 * DIR/appendonlydir that Redis itself can load (see wire/entry.h for the records, ARCHITECTURE.md
 * for the folder).
 *
 * Writes are gathered by storage_append(), storage_vote() and storage_truncate() and handed to the
 * disk as one operation by storage_flush(): one write and one sync for everything since the last
 * flush. A ticket is durable when storage_completed() has reported it or a later one; it covers all
 * that was gathered before the flush that returned it. storage_truncate() flushes what was gathered
 * before it; the cut itself is covered by the next flush's ticket.
 *
 * Entries stay in a cache in memory, bounded in bytes but for those the caller pins; older ones are
 * read back from the file. */
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

struct storage_options {
    const char *folder;          /* the shard's, e.g. "data/node-1/shard-0"; made if missing */
    const char *append_folder;   /* appenddirname */
    const char *append_filename; /* appendfilename */
    struct identity identity;
    enum storage_sync sync;
    uint64_t cache_bytes_max;
    const struct log *log;
};

/* What recovery found. */
struct storage_recovered {
    struct vote_record vote;
    uint64_t last_index;
    uint64_t last_term;
    uint64_t cut_bytes; /* a torn tail that was cut off */
};

/* Called for each entry of the log in order while recovering. The entry's spans are valid during
 * the call. */
typedef void storage_visit(void *context, const struct entry *entry);

/* Opens or creates. On failure *storage is NULL and `message` (512 bytes) holds one clear
 * line. ERR_CORRUPT: a bad record with valid ones after it, a gap, a log that is missing or none
 * of these, a manifest that names other files; nothing was touched.
 * ERR_FOREIGN: another node's or cluster's folder. ERR_IO, ERR_DENIED, ERR_NO_SPACE: the system
 * refused. */
MUST_CHECK enum err storage_open(const struct disk *disk, const struct storage_options *options,
                                 storage_visit *visit, void *context, struct storage **storage,
                                 struct storage_recovered *recovered, char message[512]);
void storage_close(struct storage *storage); /* does not wait for operations under way */

/* Adds entries (with their record) behind the last one. */
void storage_append(struct storage *storage, const struct entry *entries, size_t count);
void storage_vote(struct storage *storage, struct vote_record vote);

/* Drops every entry after `last`. Survives a crash at any step with the vote intact: the vote is
 * first kept in a file of its own, since the record of it may stand behind the cut. */
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

struct storage_status {
    uint64_t first_index;
    uint64_t last_index;
    uint64_t log_bytes; /* on disk */
    uint64_t cache_bytes;
    uint64_t cache_entries;
    uint64_t syncs;
    uint64_t writes;
    uint64_t bytes_written;
    const struct histogram *sync_us;
};
struct storage_status storage_status(const struct storage *storage);

#endif
