/* The inside of storage/.
 *
 *   storage.c   open, close, appends, votes, flush, status
 *   segment.c   the row of segments: names, manifest, beginning one, cutting some off
 *   snapshot.c  images adopted, snapshots installed, history purged
 *   held.c      what the disk is known to hold, noted beside the log
 *   room.c      how much room the disk has
 *   cache.c     recent entries in memory
 *   read.c      older entries from their segment
 *   peek.c      whose folder it is, and whether it is empty
 *   recover.c   start: snapshot, segments, what has to be settled
 *   folder.c    start: the manifest, and what else the folder holds
 *   scan.c      start: what one segment holds, a torn tail, corruption */
#ifndef FLOTILLA_STORAGE_INTERNAL_H
#define FLOTILLA_STORAGE_INTERNAL_H

#include "storage/storage.h"

enum { STORAGE_PATH_MAX = 2048 };

struct recovery;

/* A run of records as they stand in the log, without the annotations between them. */
struct chunk {
    uint64_t first;
    uint32_t count;
    uint32_t cap;
    uint32_t *offsets; /* of each record in bytes */
    struct buf bytes;
    uint64_t ticket; /* of the newest record; 0: not flushed yet */
};

struct cache {
    struct chunk *chunks; /* oldest first, consecutive indices */
    size_t count;
    size_t cap;
    uint64_t bytes;
    uint64_t entries;
    size_t hint; /* chunk of the last look-up */
};

void cache_add(struct cache *cache, uint64_t index, struct span record);
void cache_flushed(struct cache *cache, uint64_t ticket); /* what was added since the last flush */
struct span cache_find(struct cache *cache, uint64_t index); /* ptr NULL: not there */
/* The records of [first, last] as far as they stand together in one chunk. */
struct span cache_run(struct cache *cache, uint64_t first, uint64_t last, size_t *count);
void cache_truncate(struct cache *cache, uint64_t last);
void cache_evict(struct cache *cache, uint64_t bytes_max, uint64_t pinned_after,
                 uint64_t completed);
void cache_close(struct cache *cache);

/* One file of the log. */
struct segment {
    uint64_t seq;
    int file;
    struct prev_record prev; /* the entry before its first one */
    uint64_t *offsets;       /* of entry prev.index + 1 + i at [i] */
    size_t count;
    size_t cap;
    uint64_t end;        /* with everything queued and gathered */
    uint64_t synced_end; /* up to here completed syncs have it */
    uint64_t marked_end; /* what the newest mark in it says of that */
};

/* Entries from `first` on, up to the next run, are of this term. */
struct term_run {
    uint64_t first;
    uint64_t term;
};

/* When `ticket` completes, the segment is synced up to `end`. */
struct sync_note {
    uint64_t ticket;
    uint64_t seq;
    uint64_t end;
    uint64_t term; /* of the newest vote before `end` */
};

/* A file under way: an image of this node's own, or a snapshot from elsewhere. */
struct temporary {
    char *path;     /* NULL: none */
    int file;       /* DISK_NO_FILE: not open */
    uint64_t bytes; /* written */
};

/* Of the disk, less what was queued since it was asked. */
struct room {
    bool waiting; /* an operation does not fit */
    bool lacking; /* less than the reserve */
    bool known;
    bool asked;
    uint64_t asked_ms;
    uint64_t free_bytes;
    uint64_t queued_before; /* it was asked last, and since the answer before that */
    uint64_t queued_since;
};

/* raft.synced: statements about the newest segment, the last one counts. */
struct held {
    int file;
    uint64_t bytes;          /* of the file */
    struct held_record told; /* the newest statement */
    uint64_t term;           /* of the newest vote that a completed sync covers */
    uint64_t told_ms;
};

struct storage {
    struct disk disk;
    struct storage_options options;
    char folder[STORAGE_PATH_MAX];
    struct segment *segments; /* oldest first; the last one is open for appends */
    size_t segment_count;
    size_t segment_cap;
    struct term_run *terms;
    size_t term_count;
    size_t term_cap;
    struct storage_snapshot snapshot;
    uint64_t base_seq; /* of the snapshot's file */
    int base_file;
    uint64_t next_seq;       /* of files; never used twice */
    uint64_t try_segment_at; /* after a failure to begin one: the size of the open segment */
    struct temporary image;
    struct temporary install;
    struct vote_record vote;
    struct buf gathered;
    uint64_t ticket;
    uint64_t completed;
    struct sync_note *notes;
    size_t note_count;
    size_t note_cap;
    uint64_t pinned_after;
    bool unsynced;      /* entries or votes were written since the last sync */
    bool tail_unsynced; /* anything was, a mark for instance */
    uint64_t synced_ms;
    uint64_t quiet_ticket; /* nothing was flushed behind it since quiet_ms */
    uint64_t quiet_ms;
    struct cache cache;
    uint64_t trimmed_at; /* last index then */
    unsigned quiet_trims;
    /* Window of a segment for entries that the cache does not hold. */
    struct buf window;
    uint64_t window_seq;
    uint64_t window_at;
    /* Until this ticket completes the window may hold what a truncation takes away. 0: none. */
    uint64_t cut_ticket;
    struct room room;
    struct held held;
    uint64_t flushed_term; /* of the newest vote that is not merely gathered */
    struct storage_status status;
    struct histogram sync_us;
};

/* ---- segment.c ---- */

enum storage_file {
    FILE_SEGMENT,
    FILE_BASE,
    FILE_MANIFEST,
    FILE_VOTE,
    FILE_HELD,
    FILE_IMAGE,
    FILE_INSTALL
};

/* The path of a file; its owner frees it. `seq` only where there are several. */
char *storage_file_path(const struct storage *storage, enum storage_file file, uint64_t seq);
const char *storage_file_name(const char *path);

struct segment *segment_add(struct storage *storage, uint64_t seq, int file,
                            const struct prev_record *prev);
struct segment *segments_open(const struct storage *storage);
struct segment *segment_of(const struct storage *storage, uint64_t index); /* NULL: purged */
void segment_note(struct storage *storage, struct segment *segment, uint64_t offset, uint64_t term);
uint64_t segment_last(const struct segment *segment);
struct prev_record segments_end(const struct storage *storage);
void segment_put_header(struct buf *out, const struct storage *storage,
                        const struct prev_record *prev);
void manifest_put(struct buf *out, const struct storage *storage);
/* Flushes, opens a new file behind the others; its header, its name and the manifest are queued. */
MUST_CHECK enum err segment_begin(struct storage *storage);
void segment_queue_header(struct storage *storage, struct segment *segment);
void manifest_queue(struct storage *storage);
void storage_queue_removal(struct storage *storage, int file, char *path);
void segments_queue_removals(struct storage *storage, const struct segment *segments, size_t count);
void storage_queue_folder(struct storage *storage, enum disk_op_kind kind);
void segment_queue_sync(struct storage *storage, const struct segment *segment);
void segments_forget(struct storage *storage, size_t from, size_t to);

/* storage.c */
MUST_CHECK enum err storage_name_folder(struct storage *storage, char message[512]);
/* When the ticket completes, the segment is synced up to `end`. */
void segment_note_sync(struct storage *storage, const struct segment *segment, uint64_t end,
                       uint64_t ticket);

/* read.c: the segment's bytes from `offset` on, at least `need` of them if the file has them. */
MUST_CHECK enum err window_load(struct storage *storage, const struct segment *segment,
                                uint64_t offset, size_t need, struct span *bytes);
void window_forget(struct storage *storage);

/* ---- held.c ---- */

/* Before anything else is read. What cannot be read of it says nothing. */
MUST_CHECK enum err held_read(struct recovery *recovery);
/* Behind all files: does the log hold what the statement says? */
MUST_CHECK enum err held_check(struct recovery *recovery);
MUST_CHECK enum err held_open(struct recovery *recovery); /* to be written to */
void held_tick(struct storage *storage, uint64_t now_ms);
void held_note(struct storage *storage); /* now */
/* Before the segment, or the log behind it, is cut to `end`. */
void held_lower(struct storage *storage, uint64_t seq, uint64_t end);

/* ---- room.c ---- */

void room_used(struct storage *storage, uint64_t bytes); /* queued */
void room_completed(struct storage *storage, const struct disk_completion *completion);
void room_tick(struct storage *storage, uint64_t now_ms);

/* ---- recover.c ---- */

/* What the manifest names. */
struct named_file {
    uint64_t seq;
    char type; /* of the manifest: b, h, i */
};

struct recovery {
    struct storage *storage;
    const struct storage_visitor *visitor;
    struct named_file *files;
    size_t file_count;
    bool has_manifest;
    struct storage_recovered *found;
    uint64_t total; /* bytes of all files */
    uint64_t read;
    uint64_t reported;
    char *message; /* 512 bytes */
};
MUST_CHECK enum err recovery_run(struct recovery *recovery);
enum err recovery_cannot(struct recovery *recovery, const char *what, const char *path,
                         enum err err);
void recovery_read(struct recovery *recovery, uint64_t bytes); /* so many more */

/* ---- folder.c ---- */

MUST_CHECK enum err manifest_read(struct recovery *recovery);

/* What is there beside the files of the manifest. Zero but for `recovery` is ready. */
struct listing {
    struct recovery *recovery;
    char **unnamed; /* paths of data that the manifest does not name */
    size_t unnamed_count;
    char **temporary;
    size_t temporary_count;
};
MUST_CHECK enum err listing_read(struct recovery *recovery, struct listing *listing);
void listing_report(const struct recovery *recovery, const struct listing *listing);
MUST_CHECK enum err listing_remove(struct recovery *recovery, struct listing *listing);
void listing_close(struct listing *listing);

/* scan.c: visits what the segment holds, the last one in the list, `size` bytes long. `last`: its
 * end may be torn. */
MUST_CHECK enum err segment_scan(struct recovery *recovery, bool last, uint64_t size);

#endif
