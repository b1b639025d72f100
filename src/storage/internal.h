/* The inside of storage/.
 *
 *   storage.c   open, close, appends, votes, flush, status
 *   segment.c   the list of segments: names, manifest, new segments, truncation
 *   fill.c      filler behind the end of the log
 *   snapshot.c  adopts images, installs snapshots, removes covered segments
 *   held.c      raft.synced: how much of the log is known to be synced
 *   room.c      how much room the disk has
 *   index.c     where entries stand in their segment
 *   cache.c     recent entries in memory
 *   memory.c    memory in use, and releasing it
 *   read.c      older entries from their segment
 *   peek.c      the owner of a folder, and whether the folder is empty
 *   recover.c   start: snapshot, segments, settling the folder
 *   folder.c    start: the manifest, and the other files in the folder
 *   scan.c      start: reading one segment, torn tails, corruption */
#ifndef FLOTILLA_STORAGE_INTERNAL_H
#define FLOTILLA_STORAGE_INTERNAL_H

#include "storage/storage.h"

enum { STORAGE_PATH_MAX = 2048 };

struct recovery;

/* A run of consecutive records as they stand in the log, without the annotations between them. */
struct chunk {
    uint64_t first;
    uint32_t count;
    uint32_t cap;
    uint32_t *offsets; /* offset of each record in `bytes` */
    struct buf bytes;
    uint64_t ticket; /* covers the newest record; 0: not flushed yet */
};

struct cache {
    struct chunk *chunks; /* oldest first, consecutive indices */
    size_t count;
    size_t cap;
    uint64_t bytes;
    uint64_t entries;
    size_t hint; /* index of the chunk of the last look-up */
};

void cache_add(struct cache *cache, uint64_t index, struct span record);
/* Sets the ticket of the records added since the last flush */
void cache_flushed(struct cache *cache, uint64_t ticket);
struct span cache_find(struct cache *cache, uint64_t index); /* ptr NULL: not there */
/* The records of [first, last] that stand together in the first record's chunk. */
struct span cache_run(struct cache *cache, uint64_t first, uint64_t last, size_t *count);
void cache_truncate(struct cache *cache, uint64_t last);

/* What decides which chunks may go: the oldest first, when they are on the disk and applied. */
struct cache_needs {
    uint64_t completed;    /* newest ticket that is durable */
    uint64_t pinned_after; /* later entries stay in any case */
    uint64_t wanted_after; /* later entries stay as far as bytes_max allows */
    uint64_t bytes_min;    /* at most so many bytes stay for nobody */
    uint64_t bytes_max;
};
void cache_evict(struct cache *cache, const struct cache_needs *needs);
void cache_close(struct cache *cache);

/* A place in a segment from which others are found: see index.c. */
struct waypoint {
    uint64_t index;
    uint64_t offset; /* of the record of this entry */
};

/* One file of the log. */
struct segment {
    uint64_t seq;
    int file;
    struct prev_record prev; /* the entry before the segment's first entry */
    size_t count;            /* entries */
    struct waypoint *waypoints;
    size_t waypoint_count;
    size_t waypoint_cap;
    uint64_t end;        /* size, including queued and gathered bytes */
    uint64_t synced_end; /* completed syncs cover the segment up to here */
    uint64_t marked_end; /* synced bytes according to the newest mark in the segment */
    uint64_t filled_end; /* filler follows up to here, written or queued; up to `end`: none */
    bool has_filler;     /* there may be some, even if less or more than that */
    unsigned database;   /* selected at the end */
};

/* Where the last look-up in a file ended: the next entry stands there, behind annotations. */
struct place {
    uint64_t seq; /* of the segment; 0: there is none */
    struct waypoint next;
};

enum { AHEAD_ENTRIES = 16 };

/* Entries from the window, parsed and checked before they are asked for: who reads one after the
 * other sees which come next. Each is parsed once, as without this. Any change of the window ends
 * it. */
struct ahead {
    uint64_t first;
    size_t count;
    struct entry entries[AHEAD_ENTRIES];
};

/* The offsets of the newest entries, which may not be on the disk yet. */
struct afloat {
    uint64_t first;
    uint64_t *offsets; /* [i]: of entry first + i, in its segment */
    size_t count;
    size_t cap;
    uint64_t flushed;      /* the newest ticket that covers entries here */
    uint64_t ticket;       /* when it completes, the entries up to ticket_index are on the disk */
    uint64_t ticket_index; /* with ticket 0, no ticket is waited for */
};

/* Entries from `first` up to the next run have this term. */
struct term_run {
    uint64_t first;
    uint64_t term;
};

/* When `ticket` completes, the segment `seq` is synced up to `end`. */
struct sync_note {
    uint64_t ticket;
    uint64_t seq;
    uint64_t end;
    uint64_t term; /* term of the newest vote before `end` */
};

/* A file that is being written: an image of this node's state, or a snapshot from another node. */
struct temporary {
    char *path;     /* NULL: none */
    int file;       /* DISK_NO_FILE: not open */
    uint64_t bytes; /* bytes written */
};

/* Free room on the disk, less what was queued since the disk was measured. */
struct room {
    bool waiting; /* an operation does not fit */
    bool lacking; /* less room than the reserve */
    bool known;
    bool asked;
    uint64_t asked_ms;
    uint64_t free_bytes;
    uint64_t queued_before; /* queued before the last request and not yet in the last answer */
    uint64_t queued_since;
};

/* State of raft.synced. The file holds statements about the newest segment; the last one counts. */
struct held {
    int file;
    uint64_t bytes;          /* size of the file */
    struct held_record told; /* the newest statement */
    uint64_t term;           /* term of the newest vote that a completed sync covers */
    uint64_t told_ms;
};

struct storage {
    struct disk disk;
    struct storage_options options;
    char folder[STORAGE_PATH_MAX];
    struct segment *segments; /* oldest first; appends go to the last one */
    size_t segment_count;
    size_t segment_cap;
    struct term_run *terms;
    size_t term_count;
    size_t term_cap;
    struct storage_snapshot snapshot;
    uint64_t base_seq; /* number of the snapshot's file */
    int base_file;
    uint64_t next_seq;       /* number of the next file; a number is never used twice */
    uint64_t try_segment_at; /* after a failed segment_begin(): the size at which to retry */
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
    uint64_t wanted_after;
    uint64_t spare_bytes;
    bool unsynced;      /* entries or votes were written since the last sync */
    bool tail_unsynced; /* anything was written since the last sync, even a mark */
    uint64_t synced_ms;
    uint64_t quiet_ticket; /* nothing was flushed after this ticket since quiet_ms */
    uint64_t quiet_ms;
    struct afloat afloat;
    struct place place;
    struct cache cache;
    /* What is known of the newest entries, so that who applies them need not parse and check again
     * what was encoded or checked before it was appended. The cache has the bytes: of spans only
     * the lengths are valid. Place: index % recent_cap, a power of 2. */
    struct entry *recent;
    size_t recent_cap;
    /* A window on a segment, for entries that the cache does not hold. */
    struct buf window;
    uint64_t window_seq;
    uint64_t window_at;
    struct ahead ahead;
    uint64_t usual_batch;    /* bytes of a flush, about */
    uint64_t adopted_ticket; /* of the manifest that names the newest image */
    /* Until this ticket completes, the window may hold bytes that a truncation removes. 0: no such
     * ticket. */
    uint64_t cut_ticket;
    struct room room;
    struct held held;
    uint64_t
        fill_again_at; /* after a lack of room: the size of the open segment at which to retry */
    uint64_t flushed_term; /* term of the newest vote that was handed to the disk */
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

/* Returns the path of a file; the caller frees it. `seq` is used only for files that have a
 * number. */
char *storage_file_path(const struct storage *storage, enum storage_file file, uint64_t seq);
const char *storage_file_name(const char *path);

struct segment *segment_add(struct storage *storage, uint64_t seq, int file,
                            const struct prev_record *prev);
struct segment *segments_open(const struct storage *storage);
struct segment *segment_of(const struct storage *storage, uint64_t index); /* NULL: removed */
void segment_note(struct storage *storage, struct segment *segment, uint64_t offset, uint64_t term);
uint64_t segment_last(const struct segment *segment);
struct prev_record segments_end(const struct storage *storage);
void segment_put_header(struct buf *out, const struct storage *storage,
                        const struct prev_record *prev);
void manifest_put(struct buf *out, const struct storage *storage);
/* Flushes and opens a new file as the last segment. Queues its header, the sync of its name and the
 * manifest. */
MUST_CHECK enum err segment_begin(struct storage *storage);
void segment_queue_header(struct storage *storage, struct segment *segment);
void manifest_queue(struct storage *storage);
uint64_t manifest_queue_awaited(struct storage *storage); /* returns its ticket */
void storage_queue_removal(struct storage *storage, int file, char *path);
void segments_queue_removals(struct storage *storage, const struct segment *segments, size_t count);
void storage_queue_folder(struct storage *storage, enum disk_op_kind kind);
void segment_queue_sync(struct storage *storage, const struct segment *segment);
void segments_forget(struct storage *storage, size_t from, size_t to);

/* storage.c: storage_flush() where a segment ends: no filler is wanted behind. */
uint64_t storage_flush_last(struct storage *storage);
/* Checks and copies the folder's path. */
MUST_CHECK enum err storage_name_folder(struct storage *storage, char message[512]);
/* When the ticket completes, the segment is synced up to `end`. */
void segment_note_sync(struct storage *storage, const struct segment *segment, uint64_t end,
                       uint64_t ticket);

/* ---- index.c ---- */

/* The segment has one more entry, whose record stands at `offset`. */
void index_note(struct segment *segment, uint64_t offset);
void index_note_afloat(struct afloat *afloat, uint64_t index, uint64_t offset);
/* `ticket` covers all entries up to now. */
void index_flushed(struct afloat *afloat, uint64_t ticket);
void index_completed(struct afloat *afloat, uint64_t completed, bool gathering);
void index_forget_afloat(struct afloat *afloat);
/* The entries after `last` go, which stood in this segment and later ones. */
void index_truncate(struct storage *storage, struct segment *segment, uint64_t last);
/* Reads an entry from its segment. It must be on the disk. */
MUST_CHECK enum err index_read(struct storage *storage, uint64_t index, struct record *record,
                               uint64_t *offset);
/* The same, for who reads one entry after the other. The spans are valid until the window changes.
 */
MUST_CHECK enum err index_read_next(struct storage *storage, uint64_t index, struct entry *entry);
/* NULL: the entry was not read yet. */
const struct entry *index_find_ahead(const struct storage *storage, uint64_t index);
/* Where the record of an entry stands in its segment. */
MUST_CHECK enum err index_find(struct storage *storage, uint64_t index, uint64_t *offset);
uint64_t index_memory(const struct storage *storage);

/* read.c: the record at `offset`, whatever it is. Valid until the next one is loaded. */
MUST_CHECK enum err window_record(struct storage *storage, const struct segment *segment,
                                  uint64_t offset, struct record *record);
/* read.c: gives the segment's bytes from `offset` on, at least `need` of them if the file has
 * them. */
MUST_CHECK enum err window_load(struct storage *storage, const struct segment *segment,
                                uint64_t offset, size_t need, struct span *bytes);
void window_forget(struct storage *storage);

/* In the order of the log. */
void storage_note_recent(struct storage *storage, const struct entry *entry);
/* Makes room for what is appended and for as much before it, within a bound. */
void storage_grow_recent(struct storage *storage, size_t count);

/* ---- fill.c ---- */

/* Whether the bytes at this offset of a segment begin like filler; are all filler. */
bool fill_begins(struct span bytes, uint64_t offset);
bool fill_is_whole(struct span bytes, uint64_t offset);

void fill_make_way(struct storage *storage); /* before what was gathered is flushed */
void fill_note_batch(struct storage *storage, size_t bytes); /* so much is flushed */
void fill_ahead(struct storage *storage);    /* after a flush: queues filler if little is left */
void fill_left_out(struct storage *storage); /* there was no room for filler */
void fill_end(struct storage *storage,
              struct segment *segment); /* takes it away: nothing follows */

/* ---- held.c ---- */

/* Reads raft.synced before any other file. A line that cannot be parsed is ignored. */
MUST_CHECK enum err held_read(struct recovery *recovery);
/* After all files are read: checks that the log holds everything that raft.synced says was
 * synced. */
MUST_CHECK enum err held_check(struct recovery *recovery);
MUST_CHECK enum err held_open(struct recovery *recovery); /* for appends */
void held_tick(struct storage *storage, uint64_t now_ms);
void held_note(struct storage *storage); /* writes a statement at once */
/* Called before the segment is cut to `end`, or the segments after it are removed. */
void held_lower(struct storage *storage, uint64_t seq, uint64_t end);

/* ---- room.c ---- */

void room_used(struct storage *storage, uint64_t bytes); /* `bytes` were queued */
void room_completed(struct storage *storage, const struct disk_completion *completion);
void room_tick(struct storage *storage, uint64_t now_ms);

/* ---- recover.c ---- */

/* A file that the manifest names. */
struct named_file {
    uint64_t seq;
    char type; /* type in the manifest: b (base), h (history), i (incremental) */
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
void recovery_read(struct recovery *recovery, uint64_t bytes); /* counts bytes for progress */

/* ---- folder.c ---- */

MUST_CHECK enum err manifest_read(struct recovery *recovery);

/* The files of the folder that the manifest does not name. Initialise with zeros and `recovery`. */
struct listing {
    struct recovery *recovery;
    char **unnamed; /* paths of data files that the manifest does not name */
    size_t unnamed_count;
    char **temporary;
    size_t temporary_count;
};
MUST_CHECK enum err listing_read(struct recovery *recovery, struct listing *listing);
void listing_report(const struct recovery *recovery, const struct listing *listing);
MUST_CHECK enum err listing_remove(struct recovery *recovery, struct listing *listing);
void listing_close(struct listing *listing);

/* scan.c: visits the entries of the newest segment in the list, which has `size` bytes. `last`: it
 * is the last segment of the log, so its end may be torn. */
MUST_CHECK enum err segment_scan(struct recovery *recovery, bool last, uint64_t size);

#endif
