/* The inside of storage/.
 *
 *   storage.c  appends, votes, truncation, flush, status
 *   cache.c    recent entries in memory
 *   read.c     older entries from the file
 *   recover.c  start: what the file holds, a torn tail, corruption */
#ifndef FLOTILLA_STORAGE_INTERNAL_H
#define FLOTILLA_STORAGE_INTERNAL_H

#include "storage/storage.h"

enum { STORAGE_PATH_MAX = 2048 };

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

struct storage {
    struct disk disk;
    struct storage_options options;
    char folder[STORAGE_PATH_MAX];
    char log_path[STORAGE_PATH_MAX];
    char vote_path[STORAGE_PATH_MAX];
    char manifest_path[STORAGE_PATH_MAX];
    int file;
    uint64_t file_end; /* with everything queued and gathered */
    uint64_t *offsets; /* of entry i at [i - 1] */
    size_t offset_count;
    size_t offset_cap;
    struct vote_record vote;
    struct buf gathered;
    uint64_t ticket;
    uint64_t completed;
    uint64_t pinned_after;
    bool unsynced; /* STORAGE_SYNC_EVERYSEC: something was written since the last sync */
    uint64_t synced_ms;
    struct cache cache;
    /* Window of the file for entries that the cache does not hold. */
    struct buf window;
    uint64_t window_at;
    /* Until this ticket completes the window may hold what a truncation takes away. 0: none. */
    uint64_t cut_ticket;
    struct storage_status status;
    struct histogram sync_us;
};

void storage_note_offset(struct storage *storage, uint64_t index, uint64_t offset);

/* read.c: the file's bytes from `offset` on, at least `need` of them if the file has them. */
MUST_CHECK enum err window_load(struct storage *storage, uint64_t offset, size_t need,
                                struct span *bytes);
void window_forget(struct storage *storage);

/* recover.c */
struct recovery {
    struct storage *storage;
    bool log_named; /* by the manifest, which is written after the log's first line */
    storage_visit *visit;
    void *context;
    struct storage_recovered *found;
    char *message; /* 512 bytes */
};
MUST_CHECK enum err recover(struct recovery *recovery);

#endif
