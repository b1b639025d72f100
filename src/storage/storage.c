#include "storage/storage.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

enum { SYNC_INTERVAL_MS = 1000 };

void storage_note_offset(struct storage *storage, uint64_t index, uint64_t offset)
{
    ASSERT(index == storage->offset_count + 1);
    if (storage->offset_count == storage->offset_cap) {
        storage->offset_cap = storage->offset_cap ? storage->offset_cap * 2 : 1024;
        storage->offsets =
            mem_realloc(storage->offsets, storage->offset_cap * sizeof *storage->offsets);
    }
    storage->offsets[storage->offset_count++] = offset;
}

static enum err name_files(struct storage *storage, char message[512])
{
    const struct storage_options *options = &storage->options;
    int len = snprintf(storage->folder, sizeof storage->folder, "%s/%s", options->folder,
                       options->append_folder);
    size_t longest = (size_t)len + strlen(options->append_filename) + sizeof "/.manifest.incr.aof";
    if (longest > sizeof storage->folder) {
        snprintf(message, 512, "the path of the data folder '%.150s' is too long", options->folder);
        return ERR_INVALID;
    }
    const char *name = options->append_filename;
    strcpy(storage->log_path, storage->folder);
    snprintf(storage->log_path + len, sizeof storage->log_path - (size_t)len, "/%s.1.incr.aof",
             name);
    strcpy(storage->manifest_path, storage->folder);
    snprintf(storage->manifest_path + len, sizeof storage->manifest_path - (size_t)len,
             "/%s.manifest", name);
    strcpy(storage->vote_path, storage->folder);
    snprintf(storage->vote_path + len, sizeof storage->vote_path - (size_t)len, "/raft.vote");
    return ERR_NONE;
}

static enum err say(char message[512], const char *what, const char *path, enum err err)
{
    if (err)
        snprintf(message, 512, "%s '%.180s': %s", what, path, err_text(err));
    return err;
}

/* The manifest names one growing segment, as Redis 7 writes it. */
static void put_manifest(struct buf *out, const struct storage *storage)
{
    buf_printf(out, "file %s.1.incr.aof seq 1 type i\n", storage->options.append_filename);
}

static enum err read_manifest(struct storage *storage, struct recovery *recovery)
{
    struct buf expected = {0};
    struct buf found = {0};
    put_manifest(&expected, storage);
    struct disk *disk = &storage->disk;
    enum err err = disk->read_file(disk->context, storage->manifest_path, &found);
    bool same = span_equal(buf_span(&found), buf_span(&expected));
    buf_close(&expected);
    buf_close(&found);
    recovery->log_named = !err;
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    if (err)
        return say(recovery->message, "cannot read", storage->manifest_path, err);
    if (same)
        return ERR_NONE;
    snprintf(recovery->message, 512, "manifest '%.150s' does not name the log of this node",
             storage->manifest_path);
    return ERR_CORRUPT;
}

static enum err write_manifest(struct storage *storage, struct recovery *recovery)
{
    if (recovery->log_named)
        return ERR_NONE;
    struct buf text = {0};
    put_manifest(&text, storage);
    struct disk *disk = &storage->disk;
    enum err err = disk->replace_file(disk->context, storage->manifest_path, buf_span(&text));
    buf_close(&text);
    return say(recovery->message, "cannot write", storage->manifest_path, err);
}

/* A log that is empty, or whose very first line was torn, gets its first line. */
static enum err begin_log(struct storage *storage, char message[512])
{
    if (storage->file_end > 0)
        return ERR_NONE;
    struct disk *disk = &storage->disk;
    struct buf first = {0};
    entry_encode_identity(&first, &storage->options.identity);
    disk->close(disk->context, storage->file);
    storage->file = -1;
    enum err err = disk->replace_file(disk->context, storage->log_path, buf_span(&first));
    if (!err)
        err = disk->open(disk->context, storage->log_path, false, &storage->file);
    storage->file_end = first.len;
    buf_close(&first);
    return say(message, "cannot write", storage->log_path, err);
}

static enum err open_log(struct storage *storage, struct recovery *recovery)
{
    struct disk *disk = &storage->disk;
    int file;
    enum err err = disk->open(disk->context, storage->log_path, !recovery->log_named, &file);
    if (err == ERR_NOT_FOUND && recovery->log_named) {
        snprintf(recovery->message, 512, "log '%.180s' is missing, though the manifest names it",
                 storage->log_path);
        return ERR_CORRUPT;
    }
    if (!err)
        storage->file = file;
    return say(recovery->message, "cannot open", storage->log_path, err);
}

static enum err open_files(struct storage *storage, struct recovery *recovery)
{
    char *message = recovery->message;
    struct disk *disk = &storage->disk;
    enum err err = name_files(storage, message);
    if (err)
        return err;
    err = say(message, "cannot make folder", storage->folder,
              disk->make_folder(disk->context, storage->folder));
    if (!err)
        err = read_manifest(storage, recovery);
    if (!err)
        err = open_log(storage, recovery);
    if (!err)
        err = recover(recovery);
    if (!err)
        err = begin_log(storage, message);
    if (!err)
        err = write_manifest(storage, recovery);
    if (!err)
        err = say(message, "cannot sync", storage->folder,
                  disk->sync_folder(disk->context, storage->folder));
    return err;
}

enum err storage_open(const struct disk *disk, const struct storage_options *options,
                      storage_visit *visit, void *context, struct storage **storage,
                      struct storage_recovered *recovered, char message[512])
{
    struct storage *opened = mem_zalloc(sizeof *opened);
    opened->disk = *disk;
    opened->options = *options;
    opened->file = -1;
    *recovered = (struct storage_recovered){.last_index = 0};
    message[0] = '\0';
    *storage = NULL;
    struct recovery recovery = {.storage = opened,
                                .visit = visit,
                                .context = context,
                                .found = recovered,
                                .message = message};
    enum err err = open_files(opened, &recovery);
    if (err) {
        storage_close(opened);
        return err;
    }
    opened->vote = recovered->vote;
    *storage = opened;
    return ERR_NONE;
}

void storage_close(struct storage *storage)
{
    if (!storage)
        return;
    if (storage->file >= 0)
        storage->disk.close(storage->disk.context, storage->file);
    cache_close(&storage->cache);
    buf_close(&storage->gathered);
    buf_close(&storage->window);
    mem_free(storage->offsets);
    mem_free(storage);
}

void storage_append(struct storage *storage, const struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &entries[i];
        storage_note_offset(storage, entry->index, storage->file_end);
        buf_add_span(&storage->gathered, entry->record);
        cache_add(&storage->cache, entry->index, entry->record);
        storage->file_end += entry->record.len;
    }
}

void storage_vote(struct storage *storage, struct vote_record vote)
{
    size_t before = storage->gathered.len;
    entry_encode_vote(&storage->gathered, &vote);
    storage->file_end += storage->gathered.len - before;
    storage->vote = vote;
}

void storage_truncate(struct storage *storage, uint64_t last)
{
    if (last >= storage->offset_count)
        return;
    storage_flush(storage);
    struct disk_op keep = {.kind = DISK_REPLACE, .path = storage->vote_path, .sync = true};
    entry_encode_vote(&keep.bytes, &storage->vote);
    storage->disk.queue(storage->disk.context, &keep);
    struct disk_op cut = {
        .kind = DISK_TRUNCATE, .file = storage->file, .size = storage->offsets[last], .sync = true};
    storage->disk.queue(storage->disk.context, &cut);
    storage->file_end = storage->offsets[last];
    storage->offset_count = last;
    cache_truncate(&storage->cache, last);
    storage_vote(storage, storage->vote);
    storage->cut_ticket = storage->ticket + 1; /* of the vote, which follows the cut */
}

uint64_t storage_flush(struct storage *storage)
{
    if (storage->gathered.len == 0)
        return 0;
    struct disk_op op = {.kind = DISK_APPEND,
                         .file = storage->file,
                         .bytes = storage->gathered,
                         .sync = storage->options.sync == STORAGE_SYNC_ALWAYS,
                         .ticket = ++storage->ticket};
    storage->status.writes++;
    storage->status.bytes_written += op.bytes.len;
    storage->unsynced = !op.sync;
    storage->gathered = (struct buf){0};
    cache_flushed(&storage->cache, op.ticket);
    storage->disk.queue(storage->disk.context, &op);
    return op.ticket;
}

uint64_t storage_last_ticket(const struct storage *storage)
{
    return storage->ticket;
}

void storage_tick(struct storage *storage, uint64_t now_ms)
{
    if (storage->options.sync != STORAGE_SYNC_EVERYSEC || !storage->unsynced ||
        now_ms < storage->synced_ms + SYNC_INTERVAL_MS)
        return;
    storage->synced_ms = now_ms;
    storage->unsynced = false;
    struct disk_op op = {.kind = DISK_APPEND, .file = storage->file, .sync = true};
    storage->disk.queue(storage->disk.context, &op);
}

void storage_set_sync(struct storage *storage, enum storage_sync sync)
{
    storage->options.sync = sync;
}

void storage_completed(struct storage *storage, const struct disk_completion *completion)
{
    if (completion->ticket > storage->completed)
        storage->completed = completion->ticket;
    /* Old entries may have been read between the truncation's queueing and its end. */
    if (storage->cut_ticket && storage->completed >= storage->cut_ticket) {
        window_forget(storage);
        storage->cut_ticket = 0;
    }
    if (completion->sync_us) {
        histogram_add(&storage->sync_us, completion->sync_us);
        storage->status.syncs++;
    }
    storage_pin(storage, storage->pinned_after);
}

void storage_pin(struct storage *storage, uint64_t index)
{
    storage->pinned_after = index;
    cache_evict(&storage->cache, storage->options.cache_bytes_max, index, storage->completed);
}

struct storage_status storage_status(const struct storage *storage)
{
    struct storage_status status = storage->status;
    status.first_index = storage->offset_count ? 1 : 0;
    status.last_index = storage->offset_count;
    status.log_bytes = storage->file_end;
    status.cache_bytes = storage->cache.bytes;
    status.cache_entries = storage->cache.entries;
    status.sync_us = &storage->sync_us;
    return status;
}
