#include <stdio.h>

#include "base/mem.h"
#include "storage/internal.h"

enum { LOAD_BYTES = STORAGE_PROGRESS_BYTES };

enum err recovery_cannot(struct recovery *recovery, const char *what, const char *path,
                         enum err err)
{
    if (err && recovery->message[0] == '\0')
        snprintf(recovery->message, 512, "%s '%.180s': %s", what, path, err_text(err));
    return err;
}

void recovery_read(struct recovery *recovery, uint64_t bytes)
{
    recovery->read += bytes;
    if (!recovery->visitor->progress ||
        (recovery->read < recovery->total && recovery->read < recovery->reported + LOAD_BYTES))
        return;
    recovery->reported = recovery->read;
    recovery->visitor->progress(recovery->visitor->context, recovery->read, recovery->total);
}

/* ---- the first start ---- */

static enum err write_first_segment(struct recovery *recovery, const char *path)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    struct buf header = {0};
    segment_put_header(&header, storage, &(struct prev_record){0});
    struct buf there = {0};
    enum err err = disk->read_file(disk->context, path, &there);
    /* A first start that crashed leaves a prefix of these lines, or all of them. */
    bool torn =
        there.len < header.len && (there.len == 0 || memcmp(there.ptr, header.ptr, there.len) == 0);
    if (err == ERR_NOT_FOUND || (!err && torn))
        err = disk->replace_file(disk->context, path, buf_span(&header));
    buf_close(&there);
    buf_close(&header);
    return recovery_cannot(recovery, "cannot write", path, err);
}

static enum err begin_folder(struct recovery *recovery)
{
    char *path = storage_file_path(recovery->storage, FILE_SEGMENT, 1);
    enum err err = write_first_segment(recovery, path);
    mem_free(path);
    recovery->files = mem_realloc(recovery->files, sizeof *recovery->files);
    recovery->files[recovery->file_count++] = (struct named_file){.seq = 1, .type = 'i'};
    return err;
}

static enum err write_manifest(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    if (recovery->has_manifest)
        return ERR_NONE;
    struct buf text = {0};
    manifest_put(&text, storage);
    char *path = storage_file_path(storage, FILE_MANIFEST, 0);
    enum err err = recovery_cannot(recovery, "cannot write", path,
                                   disk->replace_file(disk->context, path, buf_span(&text)));
    mem_free(path);
    buf_close(&text);
    return err;
}

/* ---- the snapshot and the log ---- */

static enum err open_named(struct recovery *recovery, enum storage_file kind, uint64_t seq,
                           int *file)
{
    struct storage *storage = recovery->storage;
    char *path = storage_file_path(storage, kind, seq);
    enum err err = storage->disk.open(storage->disk.context, path, false, file);
    if (err == ERR_NOT_FOUND) {
        snprintf(recovery->message, 512, "'%.180s' is missing, though the manifest names it", path);
        err = ERR_CORRUPT;
    }
    recovery_cannot(recovery, "cannot open", path, err);
    mem_free(path);
    return err;
}

static void report_part(const struct recovery *recovery, const char *path, char type,
                        uint64_t bytes)
{
    const struct storage_inspection *inspection = recovery->storage->options.inspection;
    if (inspection)
        inspection->part(inspection->context, &(struct storage_part){path, type, bytes});
}

/* Adds the file's name to the visitor's message. */
static enum err load(struct recovery *recovery, const char *path, struct span piece)
{
    char why[512] = "";
    enum err err = recovery->visitor->load(recovery->visitor->context, piece, why);
    if (err)
        snprintf(recovery->message, 512, "'%.200s': %.250s", path, why);
    return err;
}

static enum err load_pieces(struct recovery *recovery, const char *path)
{
    struct storage *storage = recovery->storage;
    struct buf piece = {0};
    enum err err = ERR_NONE;
    for (uint64_t offset = 0; !err && offset < storage->snapshot.bytes; offset += piece.len) {
        piece.len = 0;
        err = recovery_cannot(recovery, "cannot read", path,
                              storage_read_snapshot(storage, offset, LOAD_BYTES, &piece));
        if (!err)
            err = piece.len ? load(recovery, path, buf_span(&piece))
                            : recovery_cannot(recovery, "cannot read", path, ERR_IO);
        recovery_read(recovery, piece.len);
    }
    buf_close(&piece);
    if (!err)
        err = load(recovery, path, span_of("", 0));
    return err;
}

static enum err load_base(struct recovery *recovery, uint64_t seq)
{
    struct storage *storage = recovery->storage;
    enum err err = open_named(recovery, FILE_BASE, seq, &storage->base_file);
    if (err) {
        storage->base_file = DISK_NO_FILE;
        return err;
    }
    storage->base_seq = seq;
    char *path = storage_file_path(storage, FILE_BASE, seq);
    err = recovery_cannot(
        recovery, "cannot read", path,
        storage->disk.size(storage->disk.context, storage->base_file, &storage->snapshot.bytes));
    if (!err) {
        report_part(recovery, path, 'b', storage->snapshot.bytes);
        err = load_pieces(recovery, path);
    }
    mem_free(path);
    return err;
}

/* The snapshot covers the entries before the first segment that is not history. */
static enum err place_snapshot(struct recovery *recovery, const struct segment *segment)
{
    struct storage *storage = recovery->storage;
    if (storage->base_seq == 0 && segment->prev.index == 0)
        return ERR_NONE;
    storage->snapshot.index = segment->prev.index;
    storage->snapshot.term = segment->prev.term;
    if (storage->base_seq && segment->prev.index)
        return ERR_NONE;
    if (storage->base_seq)
        snprintf(recovery->message, 512,
                 "the manifest in '%.180s' names a snapshot, but the log begins with entry 1",
                 storage->folder);
    else
        snprintf(recovery->message, 512,
                 "the log in '%.180s' begins behind entry %llu, but there is no snapshot",
                 storage->folder, (unsigned long long)segment->prev.index);
    return ERR_CORRUPT;
}

static enum err read_segment(struct recovery *recovery, size_t position)
{
    struct storage *storage = recovery->storage;
    const struct named_file *named = &recovery->files[position];
    int file;
    enum err err = open_named(recovery, FILE_SEGMENT, named->seq, &file);
    if (err)
        return err;
    segment_add(storage, named->seq, file, &(struct prev_record){0});
    char *path = storage_file_path(storage, FILE_SEGMENT, named->seq);
    uint64_t bytes;
    err = storage->disk.size(storage->disk.context, file, &bytes);
    if (!err) {
        report_part(recovery, path, named->type, bytes);
        err = segment_scan(recovery, position + 1 == recovery->file_count, bytes);
    }
    recovery_cannot(recovery, "cannot read", path, err);
    mem_free(path);
    if (err)
        return err;
    bool first = named->type == 'i' && (position == 0 || recovery->files[position - 1].type != 'i');
    return first ? place_snapshot(recovery, segments_open(storage)) : ERR_NONE;
}

/* Adds up the sizes for progress; errors are found when the files are read. */
static void add_sizes(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    for (size_t i = 0; i < recovery->file_count; i++) {
        const struct named_file *named = &recovery->files[i];
        char *path =
            storage_file_path(storage, named->type == 'b' ? FILE_BASE : FILE_SEGMENT, named->seq);
        int file;
        uint64_t size;
        if (disk->open(disk->context, path, false, &file) == ERR_NONE) {
            if (disk->size(disk->context, file, &size) == ERR_NONE)
                recovery->total += size;
            disk->close(disk->context, file);
        }
        mem_free(path);
    }
}

static enum err read_files(struct recovery *recovery)
{
    enum err err = ERR_NONE;
    if (recovery->visitor->progress)
        add_sizes(recovery);
    for (size_t i = 0; !err && i < recovery->file_count; i++) {
        if (recovery->files[i].seq >= recovery->storage->next_seq)
            recovery->storage->next_seq = recovery->files[i].seq + 1;
        if (recovery->files[i].type == 'b')
            err = load_base(recovery, recovery->files[i].seq);
        else
            err = read_segment(recovery, i);
    }
    return err;
}

/* Reads the vote that was kept in a file of its own while the log was cut. Leaves *vote alone if
 * there is no such file. */
static enum err read_vote_file(struct recovery *recovery, struct vote_record *vote)
{
    struct storage *storage = recovery->storage;
    char *path = storage_file_path(storage, FILE_VOTE, 0);
    struct buf text = {0};
    enum err err = storage->disk.read_file(storage->disk.context, path, &text);
    struct record record = {.kind = RECORD_SYNC};
    if (!err &&
        (record_parse(buf_span(&text), &record) != RECORD_OK || record.kind != RECORD_VOTE)) {
        snprintf(recovery->message, 512, "'%.200s' is damaged", path);
        err = ERR_CORRUPT;
    }
    buf_close(&text);
    if (!err)
        *vote = record.vote;
    if (err == ERR_NOT_FOUND)
        err = ERR_NONE;
    recovery_cannot(recovery, "cannot read", path, err);
    mem_free(path);
    return err;
}

/* Records that a killed process wrote but did not sync look like synced ones. Syncing them now
 * makes them durable. */
static enum err settle_log(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    const struct segment *segment = segments_open(storage);
    char *path = storage_file_path(storage, FILE_SEGMENT, segment->seq);
    enum err err =
        recovery_cannot(recovery, "cannot sync log", path,
                        storage->disk.truncate(storage->disk.context, segment->file, segment->end));
    mem_free(path);
    return err;
}

static enum err require_manifest(struct recovery *recovery)
{
    const struct storage *storage = recovery->storage;
    if (recovery->has_manifest)
        return ERR_NONE;
    if (!storage->options.inspection)
        return begin_folder(recovery);
    snprintf(recovery->message, 512, "no log was begun in '%.200s': there is no manifest",
             storage->folder);
    return ERR_NOT_FOUND;
}

static enum err recover_log(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    struct storage_recovered *found = recovery->found;
    struct vote_record kept = {0};
    enum err err = read_vote_file(recovery, &kept); /* before any file is created */
    if (!err)
        err = held_read(recovery);
    if (!err)
        err = require_manifest(recovery);
    if (!err)
        err = read_files(recovery);
    if (err)
        return err;
    if (kept.term > found->vote.term || (kept.term == found->vote.term && found->vote.node == 0))
        found->vote = kept;
    if (found->vote.term < found->last_term)
        found->vote = (struct vote_record){.term = found->last_term};
    storage->vote = found->vote;
    storage->flushed_term = found->vote.term;
    found->snapshot = storage->snapshot;
    return held_check(recovery);
}

/* All files are sound: makes the folder match the manifest. */
static enum err settle_folder(struct recovery *recovery, struct listing *listing)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    enum err err = settle_log(recovery);
    if (!err)
        err = write_manifest(recovery);
    if (!err)
        err = listing_remove(recovery, listing);
    if (!err)
        err = held_open(recovery);
    if (!err)
        err = recovery_cannot(recovery, "cannot sync", storage->folder,
                              disk->sync_folder(disk->context, storage->folder));
    return err;
}

static enum err make_folder(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    if (storage->options.inspection)
        return ERR_NONE;
    return recovery_cannot(recovery, "cannot make folder", storage->folder,
                           storage->disk.make_folder(storage->disk.context, storage->folder));
}

enum err recovery_run(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    storage->next_seq = 2; /* the first start used 1 */
    enum err err = make_folder(recovery);
    if (!err)
        err = manifest_read(recovery);
    struct listing listing = {.recovery = recovery};
    if (!err)
        err = listing_read(recovery, &listing);
    if (!err && storage->options.inspection)
        listing_report(recovery, &listing);
    if (!err)
        err = recover_log(recovery);
    if (!err && !storage->options.inspection)
        err = settle_folder(recovery, &listing);
    listing_close(&listing);
    return err;
}
