#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

enum err storage_cut(struct storage *storage)
{
    return segments_open(storage)->count ? segment_begin(storage) : ERR_NONE;
}

/* ---- replacing the snapshot and segments ---- */

/* Renames the temporary file to a base file. The caller closes and removes the old base. */
static void queue_base(struct storage *storage, struct temporary *temporary, uint64_t seq)
{
    struct disk_op op = {.kind = DISK_RENAME,
                         .path = temporary->path,
                         .to = storage_file_path(storage, FILE_BASE, seq)};
    storage->disk.queue(storage->disk.context, &op);
    storage->base_seq = seq;
    storage->base_file = temporary->file;
    *temporary = (struct temporary){.file = DISK_NO_FILE};
}

static void drop(struct storage *storage, struct temporary *temporary)
{
    if (!temporary->path)
        return;
    storage_queue_removal(storage, temporary->file, temporary->path);
    *temporary = (struct temporary){.file = DISK_NO_FILE};
}

static void remove_base(struct storage *storage, uint64_t seq, int file)
{
    if (seq)
        storage_queue_removal(storage, file, storage_file_path(storage, FILE_BASE, seq));
}

/* ---- snapshots of this node ---- */

const char *storage_image_begin(struct storage *storage)
{
    drop(storage, &storage->image);
    storage->image.path = storage_file_path(storage, FILE_IMAGE, storage->next_seq++);
    return storage->image.path;
}

void storage_image_drop(struct storage *storage)
{
    drop(storage, &storage->image);
}

/* Counts the oldest segments to remove so that keep_bytes of the covered segments stay. */
static size_t count_purged(const struct storage *storage, uint64_t index, uint64_t keep_bytes)
{
    size_t covered = 0;
    while (covered + 1 < storage->segment_count &&
           segment_last(&storage->segments[covered]) <= index)
        covered++;
    ASSERT(storage->segments[covered].prev.index == index); /* a segment begins after `index` */
    uint64_t kept = 0;
    while (covered > 0 && kept < keep_bytes)
        kept += storage->segments[--covered].end;
    return covered;
}

/* Drops runs of terms that end before the log's first entry. */
static void forget_terms(struct storage *storage)
{
    size_t gone = 0;
    while (gone + 1 < storage->term_count &&
           storage->terms[gone + 1].first <= storage->segments[0].prev.index + 1)
        gone++;
    if (gone == 0)
        return; /* there may be no runs */
    storage->term_count -= gone;
    memmove(storage->terms, storage->terms + gone, storage->term_count * sizeof *storage->terms);
}

static enum err open_image(struct storage *storage, uint64_t *bytes)
{
    struct disk *disk = &storage->disk;
    struct temporary *image = &storage->image;
    ASSERT(image->path != NULL);
    enum err err = disk->open(disk->context, image->path, false, &image->file);
    if (err)
        image->file = DISK_NO_FILE;
    else
        err = disk->size(disk->context, image->file, bytes);
    if (err && image->file != DISK_NO_FILE) {
        disk->close(disk->context, image->file);
        image->file = DISK_NO_FILE;
    }
    if (err)
        log_line(storage->options.log, LOG_WARNING, "cannot open snapshot '%s': %s", image->path,
                 err_text(err));
    return err;
}

enum err storage_image_adopt(struct storage *storage, uint64_t index, uint64_t term,
                             uint64_t keep_bytes)
{
    uint64_t bytes;
    enum err err = open_image(storage, &bytes);
    if (err)
        return err;
    uint64_t old_seq = storage->base_seq;
    int old_file = storage->base_file;
    storage->snapshot = (struct storage_snapshot){.index = index, .term = term, .bytes = bytes};
    queue_base(storage, &storage->image, storage->next_seq++);
    size_t purged = count_purged(storage, index, keep_bytes);
    struct segment *segments = storage->segments;
    storage->segments += purged; /* the manifest names only the remaining segments */
    storage->segment_count -= purged;
    storage->adopted_ticket = manifest_queue_awaited(storage);
    storage->segments = segments;
    storage->segment_count += purged;
    remove_base(storage, old_seq, old_file);
    segments_queue_removals(storage, segments, purged);
    segments_forget(storage, 0, purged);
    forget_terms(storage);
    return ERR_NONE;
}

bool storage_image_is_named(const struct storage *storage)
{
    return storage->completed >= storage->adopted_ticket;
}

enum err storage_read_snapshot(struct storage *storage, uint64_t offset, size_t len,
                               struct buf *out)
{
    ASSERT(storage->base_seq != 0);
    char *at = buf_reserve(out, len);
    while (len) {
        size_t got;
        enum err err =
            storage->disk.read(storage->disk.context, storage->base_file, offset, at, len, &got);
        if (err)
            return err;
        if (got == 0)
            break;
        out->len += got;
        at += got;
        offset += got;
        len -= got;
    }
    return ERR_NONE;
}

int storage_snapshot_file(const struct storage *storage)
{
    return storage->base_seq ? storage->base_file : DISK_NO_FILE;
}

/* ---- snapshots from another node ---- */

enum err storage_install_begin(struct storage *storage)
{
    drop(storage, &storage->install);
    char *path = storage_file_path(storage, FILE_INSTALL, storage->next_seq++);
    struct temporary install = {.path = path};
    enum err err = storage->disk.open(storage->disk.context, path, true, &install.file);
    if (err) {
        log_line(storage->options.log, LOG_WARNING, "cannot write snapshot '%s': %s", path,
                 err_text(err));
        mem_free(path);
        return err;
    }
    storage->install = install;
    return ERR_NONE;
}

void storage_install_write(struct storage *storage, struct span bytes)
{
    ASSERT(storage->install.path != NULL);
    struct disk_op op = {.kind = DISK_WRITE,
                         .file = storage->install.file,
                         .offset = storage->install.bytes,
                         .ticket = ++storage->ticket};
    buf_add_span(&op.bytes, bytes);
    storage->install.bytes += bytes.len;
    room_used(storage, bytes.len);
    storage->disk.queue(storage->disk.context, &op);
}

void storage_install_drop(struct storage *storage)
{
    drop(storage, &storage->install);
}

/* The log begins anew after the snapshot. */
static void replace_log(struct storage *storage, uint64_t seq, int file,
                        const struct prev_record *prev)
{
    size_t old_count = storage->segment_count;
    struct segment *segment = segment_add(storage, seq, file, prev);
    segment_queue_header(storage, segment); /* the rename syncs the folder */
    queue_base(storage, &storage->install, storage->next_seq++);
    struct segment *segments = storage->segments;
    storage->segments += old_count;
    storage->segment_count = 1;
    manifest_queue(storage);
    storage->segments = segments;
    storage->segment_count = old_count + 1;
    segments_queue_removals(storage, segments, old_count);
    segments_forget(storage, 0, old_count);
    storage->term_count = 0;
    storage->note_count = 0; /* they concerned removed segments */
    cache_close(&storage->cache);
    index_forget_afloat(&storage->afloat);
    window_forget(storage);
    storage->cut_ticket = 0;
}

enum err storage_install_finish(struct storage *storage, uint64_t index, uint64_t term)
{
    ASSERT(storage->install.path != NULL);
    struct disk *disk = &storage->disk;
    uint64_t seq = storage->next_seq++;
    char *path = storage_file_path(storage, FILE_SEGMENT, seq);
    int file;
    enum err err = disk->open(disk->context, path, true, &file);
    if (err)
        log_line(storage->options.log, LOG_WARNING, "cannot begin log segment '%s': %s", path,
                 err_text(err));
    mem_free(path);
    if (err)
        return err;
    storage_flush_last(storage);
    storage_image_drop(storage); /* its state is older than the installed one */
    struct disk_op sync = {.kind = DISK_WRITE, .file = storage->install.file, .sync = true};
    disk->queue(disk->context, &sync);
    uint64_t old_seq = storage->base_seq;
    int old_file = storage->base_file;
    storage->snapshot =
        (struct storage_snapshot){.index = index, .term = term, .bytes = storage->install.bytes};
    struct prev_record prev = {.index = index, .term = term};
    replace_log(storage, seq, file, &prev);
    remove_base(storage, old_seq, old_file);
    storage_vote(storage, storage->vote); /* so that the next flush's ticket covers all of this */
    return ERR_NONE;
}
