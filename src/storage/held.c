/* raft.synced records how much of the newest segment was synced. A segment that was cut off below
 * its own marks cannot show by itself that bytes are missing.
 *
 * Statements are appended without a sync, at most once a second, when there is progress. A
 * statement is written after the sync that it describes, so a lost or torn statement can only claim
 * too little. Before the log is cut, a synced statement lowers the claim to what stays. */
#include <stdio.h>

#include "base/mem.h"
#include "storage/internal.h"

enum { NOTE_MS = 1000, FILE_BYTES_MAX = 64 * 1024 };

/* Lines that are torn or damaged by a power loss are skipped. */
static void take_lines(struct held *held, struct span text)
{
    while (text.len) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        size_t len = newline ? (size_t)(newline - text.ptr) + 1 : text.len;
        struct record record;
        if (record_parse(span_of(text.ptr, len), &record) == RECORD_OK &&
            record.kind == RECORD_HELD)
            held->told = record.held;
        text = span_of(text.ptr + len, text.len - len);
    }
}

enum err held_read(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    struct buf text = {0};
    char *path = storage_file_path(storage, FILE_HELD, 0);
    enum err err = disk->read_file(disk->context, path, &text);
    if (!err)
        take_lines(&storage->held, buf_span(&text));
    if (!err && storage->held.told.seq && !recovery->has_manifest) {
        snprintf(recovery->message, 512, "there is '%.200s', but the manifest is missing", path);
        err = ERR_CORRUPT;
    }
    if (err == ERR_NOT_FOUND)
        err = ERR_NONE;
    recovery_cannot(recovery, "cannot read", path, err);
    if (text.len && storage->options.inspection)
        storage->options.inspection->part(storage->options.inspection->context,
                                          &(struct storage_part){path, 's', text.len});
    storage->held.bytes = text.len;
    storage->held.term = storage->held.told.term;
    buf_close(&text);
    mem_free(path);
    return err;
}

static enum err missing(struct recovery *recovery, const char *what, uint64_t number)
{
    snprintf(recovery->message, 512, "the log in '%.200s' lacks %s %llu, which was synced once",
             recovery->storage->folder, what, (unsigned long long)number);
    return ERR_CORRUPT;
}

enum err held_check(struct recovery *recovery)
{
    const struct storage *storage = recovery->storage;
    const struct held_record *told = &storage->held.told;
    if (told->seq > segments_open(storage)->seq)
        return missing(recovery, "segment", told->seq);
    if (told->term > storage->vote.term)
        return missing(recovery, "a vote of term", told->term);
    return ERR_NONE;
}

enum err held_open(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    char *path = storage_file_path(storage, FILE_HELD, 0);
    enum err err =
        recovery_cannot(recovery, "cannot open", path,
                        storage->disk.open(storage->disk.context, path, true, &storage->held.file));
    if (err)
        storage->held.file = DISK_NO_FILE;
    mem_free(path);
    return err;
}

static void queue_statement(struct storage *storage, const struct held_record *told, bool sync)
{
    struct held *held = &storage->held;
    if (held->bytes > FILE_BYTES_MAX) {
        struct disk_op cut = {.kind = DISK_TRUNCATE, .file = held->file, .sync = true};
        storage->disk.queue(storage->disk.context, &cut);
        held->bytes = 0;
    }
    struct disk_op op = {
        .kind = DISK_WRITE, .file = held->file, .offset = held->bytes, .sync = sync};
    if (held->bytes) /* ends a line that a crash may have torn */
        buf_add_text(&op.bytes, "\r\n");
    entry_encode_held(&op.bytes, told);
    held->bytes += op.bytes.len;
    held->told = *told;
    room_used(storage, op.bytes.len);
    storage->disk.queue(storage->disk.context, &op);
}

void held_note(struct storage *storage)
{
    const struct segment *segment = segments_open(storage);
    struct held_record told = {
        .seq = segment->seq, .end = segment->synced_end, .term = storage->held.term};
    const struct held_record *last = &storage->held.told;
    bool is_news = told.seq != last->seq || told.end > last->end || told.term > last->term;
    /* If a lower end were lost, a later cut that trusts it would contradict the higher one. */
    bool lowers = told.seq < last->seq || (told.seq == last->seq && told.end < last->end);
    if (is_news && storage->held.file != DISK_NO_FILE)
        queue_statement(storage, &told, lowers);
}

void held_tick(struct storage *storage, uint64_t now_ms)
{
    if (now_ms < storage->held.told_ms + NOTE_MS)
        return;
    storage->held.told_ms = now_ms;
    held_note(storage);
}

void held_lower(struct storage *storage, uint64_t seq, uint64_t end)
{
    const struct held_record *last = &storage->held.told;
    if (last->seq < seq || (last->seq == seq && last->end <= end))
        return;
    struct held_record told = {.seq = seq, .end = end, .term = last->term};
    queue_statement(storage, &told, true);
}
