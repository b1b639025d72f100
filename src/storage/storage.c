#include "storage/storage.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

enum { SYNC_INTERVAL_MS = 1000, QUIET_MS = 500 };

enum err storage_name_folder(struct storage *storage, char message[512])
{
    const struct storage_options *options = &storage->options;
    int len = snprintf(storage->folder, sizeof storage->folder, "%s/%s", options->folder,
                       options->append_folder);
    if (len >= 0 && (size_t)len < sizeof storage->folder)
        return ERR_NONE;
    snprintf(message, 512, "the path of the data folder '%.150s' is too long", options->folder);
    return ERR_INVALID;
}

enum err storage_open(const struct disk *disk, const struct storage_options *options,
                      const struct storage_visitor *visitor, struct storage **storage,
                      struct storage_recovered *recovered, char message[512])
{
    struct storage *opened = mem_zalloc(sizeof *opened);
    opened->disk = *disk;
    opened->options = *options;
    opened->base_file = opened->image.file = opened->install.file = DISK_NO_FILE;
    opened->held.file = DISK_NO_FILE;
    storage_grow_recent(opened, 0);
    *recovered = (struct storage_recovered){.last_index = 0};
    message[0] = '\0';
    *storage = NULL;
    struct recovery recovery = {
        .storage = opened, .visitor = visitor, .found = recovered, .message = message};
    enum err err = storage_name_folder(opened, message);
    if (!err)
        err = recovery_run(&recovery);
    mem_free(recovery.files);
    if (err) {
        storage_close(opened);
        return err;
    }
    *storage = opened;
    return ERR_NONE;
}

static void close_file(struct storage *storage, int file)
{
    if (file != DISK_NO_FILE)
        storage->disk.close(storage->disk.context, file);
}

void storage_close(struct storage *storage)
{
    if (!storage)
        return;
    for (size_t i = 0; i < storage->segment_count; i++)
        close_file(storage, storage->segments[i].file);
    segments_forget(storage, 0, storage->segment_count);
    close_file(storage, storage->base_file);
    close_file(storage, storage->image.file);
    close_file(storage, storage->install.file);
    close_file(storage, storage->held.file);
    mem_free(storage->image.path);
    mem_free(storage->install.path);
    cache_close(&storage->cache);
    index_forget_afloat(&storage->afloat);
    mem_free(storage->recent);
    buf_close(&storage->gathered);
    buf_close(&storage->window);
    mem_free(storage->segments);
    mem_free(storage->terms);
    mem_free(storage->notes);
    mem_free(storage);
}

/* Gathered writes begin with a mark: how much of the segment is known to be synced. Recovery uses
 * it to tell a tail that a power loss may tear from bytes that must be there. */
static void begin_gathering(struct storage *storage, struct segment *segment)
{
    if (storage->gathered.len || segment->synced_end <= segment->marked_end)
        return;
    entry_encode_sync(&storage->gathered,
                      &(struct sync_record){.synced = segment->synced_end, .at = segment->end});
    segment->marked_end = segment->synced_end;
    segment->end += storage->gathered.len;
}

static struct segment *segment_for_append(struct storage *storage)
{
    struct segment *segment = segments_open(storage);
    uint64_t bytes_max = storage->options.segment_bytes_max;
    bool full = bytes_max && segment->end >= bytes_max && segment->count;
    if (full && segment->end >= storage->try_segment_at) {
        if (segment_begin(storage)) /* on failure, not again for each entry */
            storage->try_segment_at = segment->end + bytes_max / 8;
        else
            storage->try_segment_at = 0;
        segment = segments_open(storage);
    }
    begin_gathering(storage, segment);
    return segment;
}

void storage_set_identity(struct storage *storage, const struct identity *identity)
{
    storage->options.identity = *identity;
}

/* Redis begins each file in database 0, and applies what follows to the one that was selected. */
static void select_database(struct storage *storage, struct segment *segment, unsigned database)
{
    if (segment->database == database)
        return;
    size_t before = storage->gathered.len;
    entry_encode_select(&storage->gathered, database);
    segment->end += storage->gathered.len - before;
    segment->database = database;
}

void storage_append(struct storage *storage, const struct entry *entries, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += entries[i].record.len;
    buf_reserve(&storage->gathered, bytes);
    if (count > storage->recent_cap / 2)
        storage_grow_recent(storage, count);
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &entries[i];
        struct segment *segment = segment_for_append(storage);
        ASSERT(entry->index == segment_last(segment) + 1);
        select_database(storage, segment, entry->database);
        segment_note(storage, segment, segment->end, entry->term);
        index_note_afloat(&storage->afloat, entry->index, segment->end);
        buf_add_span(&storage->gathered, entry->record);
        cache_add(&storage->cache, entry->index, entry->record);
        storage_note_recent(storage, entry);
        segment->end += entry->record.len;
    }
}

void storage_vote(struct storage *storage, struct vote_record vote)
{
    struct segment *segment = segments_open(storage);
    begin_gathering(storage, segment);
    size_t before = storage->gathered.len;
    entry_encode_vote(&storage->gathered, &vote);
    segment->end += storage->gathered.len - before;
    storage->vote = vote;
}

void segment_note_sync(struct storage *storage, const struct segment *segment, uint64_t end,
                       uint64_t ticket)
{
    if (storage->note_count == storage->note_cap) {
        storage->note_cap = storage->note_cap ? storage->note_cap * 2 : 16;
        storage->notes = mem_realloc(storage->notes, storage->note_cap * sizeof *storage->notes);
    }
    storage->notes[storage->note_count++] = (struct sync_note){
        .ticket = ticket, .seq = segment->seq, .end = end, .term = storage->flushed_term};
}

/* Who syncs each write has the queue's thread do both, and is not held up by either. */
static void hand_over(struct storage *storage, struct disk_op *op)
{
    const struct disk *disk = &storage->disk;
    if (storage->options.sync != STORAGE_SYNC_ALWAYS && !op->sync && disk->write_now &&
        disk->write_now(disk->context, op)) {
        storage->gathered.len = 0;
        storage_completed(storage, &(struct disk_completion){.ticket = op->ticket});
        return;
    }
    storage->gathered = (struct buf){0};
    disk->queue(disk->context, op);
}

static uint64_t flush(struct storage *storage, bool sync)
{
    if (storage->gathered.len == 0)
        return 0;
    fill_make_way(storage);
    const struct segment *segment = segments_open(storage);
    struct disk_op op = {.kind = DISK_WRITE,
                         .file = segment->file,
                         .bytes = storage->gathered,
                         .offset = segment->end - storage->gathered.len,
                         .sync = sync,
                         .ticket = ++storage->ticket};
    fill_note_batch(storage, op.bytes.len);
    storage->status.writes++;
    storage->status.bytes_written += op.bytes.len;
    room_used(storage, op.bytes.len);
    storage->unsynced = storage->tail_unsynced = !sync;
    storage->flushed_term = storage->vote.term;
    if (sync)
        segment_note_sync(storage, segment, segment->end, op.ticket);
    cache_flushed(&storage->cache, op.ticket);
    index_flushed(&storage->afloat, op.ticket);
    hand_over(storage, &op);
    return op.ticket;
}

uint64_t storage_flush_last(struct storage *storage)
{
    return flush(storage, storage->options.sync == STORAGE_SYNC_ALWAYS);
}

uint64_t storage_flush(struct storage *storage)
{
    uint64_t ticket = storage_flush_last(storage);
    if (ticket)
        fill_ahead(storage);
    return ticket;
}

uint64_t storage_last_ticket(const struct storage *storage)
{
    return storage->ticket;
}

uint64_t storage_completed_ticket(const struct storage *storage)
{
    return storage->completed;
}

/* When no write has come for a while, a mark says how much of the log is synced. Damage to the last
 * records can then be told from a torn write. The mark itself is synced with the next write. */
static void mark_quiet_log(struct storage *storage, uint64_t now_ms)
{
    if (storage->ticket != storage->quiet_ticket || storage->gathered.len) {
        storage->quiet_ticket = storage->ticket;
        storage->quiet_ms = now_ms;
        return;
    }
    if (now_ms < storage->quiet_ms + QUIET_MS)
        return;
    bool unsynced = storage->unsynced;
    begin_gathering(storage, segments_open(storage));
    flush(storage, false);
    held_note(storage);
    storage->unsynced = unsynced; /* a mark alone needs no sync */
    storage->quiet_ticket = storage->ticket;
}

void storage_settle(struct storage *storage)
{
    storage_flush(storage);
    held_note(storage);
}

void storage_tick(struct storage *storage, uint64_t now_ms)
{
    mark_quiet_log(storage, now_ms);
    held_tick(storage, now_ms);
    room_tick(storage, now_ms);
    if (storage->options.sync != STORAGE_SYNC_EVERYSEC || !storage->unsynced ||
        now_ms < storage->synced_ms + SYNC_INTERVAL_MS)
        return;
    storage->synced_ms = now_ms;
    storage->unsynced = false;
    segment_queue_sync(storage, segments_open(storage));
}

void storage_set_sync(struct storage *storage, enum storage_sync sync)
{
    storage->options.sync = sync;
    if (sync != STORAGE_SYNC_ALWAYS || !storage->unsynced)
        return;
    storage->unsynced = false; /* syncs what was acknowledged without a sync */
    segment_queue_sync(storage, segments_open(storage));
}

static void take_notes(struct storage *storage)
{
    size_t taken = 0;
    while (taken < storage->note_count && storage->notes[taken].ticket <= storage->completed) {
        const struct sync_note *note = &storage->notes[taken++];
        struct segment *segment = segments_open(storage); /* only this one needs it */
        if (segment->seq == note->seq && segment->synced_end < note->end)
            segment->synced_end = note->end;
        if (storage->held.term < note->term)
            storage->held.term = note->term;
    }
    storage->note_count -= taken;
    memmove(storage->notes, storage->notes + taken, storage->note_count * sizeof *storage->notes);
}

void storage_completed(struct storage *storage, const struct disk_completion *completion)
{
    if (completion->ticket > storage->completed)
        storage->completed = completion->ticket;
    room_completed(storage, completion);
    if (completion->left_out)
        fill_left_out(storage);
    if (storage->note_count && storage->notes[0].ticket <= storage->completed)
        take_notes(storage);
    /* The window may have read entries between queueing and completion of a truncation. */
    if (storage->cut_ticket) {
        window_forget(storage);
        if (storage->completed >= storage->cut_ticket)
            storage->cut_ticket = 0;
    }
    if (completion->sync_us) {
        histogram_add(&storage->sync_us, completion->sync_us);
        storage->status.last_sync_us = completion->sync_us;
        storage->status.syncs++;
    }
    index_completed(&storage->afloat, storage->completed, storage->gathered.len > 0);
    storage_pin(storage, storage->pinned_after);
}

void storage_pin(struct storage *storage, uint64_t index)
{
    storage->pinned_after = index;
    cache_evict(&storage->cache,
                &(struct cache_needs){.completed = storage->completed,
                                      .pinned_after = index,
                                      .wanted_after = storage->wanted_after,
                                      .bytes_min = storage->spare_bytes,
                                      .bytes_max = storage->options.cache_bytes_max});
}

void storage_want(struct storage *storage, uint64_t index, uint64_t spare_bytes)
{
    storage->wanted_after = index;
    storage->spare_bytes = spare_bytes;
}

uint64_t storage_cached_after(const struct storage *storage)
{
    return segment_last(segments_open(storage)) - storage->cache.entries;
}

struct storage_status storage_status(const struct storage *storage)
{
    struct storage_status status = storage->status;
    status.first_index = storage->segments[0].prev.index + 1;
    status.last_index = segment_last(segments_open(storage));
    status.snapshot = storage->snapshot;
    status.segments = storage->segment_count;
    for (size_t i = 0; i < storage->segment_count; i++) {
        const struct segment *segment = &storage->segments[i];
        status.log_bytes += segment->end;
        if (segment->prev.index < storage->snapshot.index)
            status.history_bytes += segment->end;
    }
    status.waits_for_room = storage->room.waiting;
    status.free_bytes = storage->room.known ? storage->room.free_bytes : UINT64_MAX;
    status.index_bytes = index_memory(storage);
    status.cache_bytes = storage->cache.bytes;
    status.cache_entries = storage->cache.entries;
    status.sync_us = &storage->sync_us;
    return status;
}
