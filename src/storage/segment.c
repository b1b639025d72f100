#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

/* ---- names ---- */

char *storage_file_path(const struct storage *storage, enum storage_file file, uint64_t seq)
{
    struct buf path = {0};
    buf_printf(&path, "%s/", storage->folder);
    const char *name = storage->options.append_filename;
    unsigned long long number = seq;
    switch (file) {
    case FILE_SEGMENT:
        buf_printf(&path, "%s.%llu.incr.aof", name, number);
        break;
    case FILE_BASE:
        buf_printf(&path, "%s.%llu.base.rdb", name, number);
        break;
    case FILE_MANIFEST:
        buf_printf(&path, "%s.manifest", name);
        break;
    case FILE_VOTE:
        buf_add_text(&path, "raft.vote");
        break;
    case FILE_HELD:
        buf_add_text(&path, "raft.synced");
        break;
    case FILE_IMAGE:
        buf_printf(&path, "temp-image-%llu.rdb", number);
        break;
    case FILE_INSTALL:
        buf_printf(&path, "temp-install-%llu.rdb", number);
        break;
    }
    buf_add_char(&path, '\0');
    return path.ptr;
}

const char *storage_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- the list of segments ---- */

struct segment *segments_open(const struct storage *storage)
{
    ASSERT(storage->segment_count > 0);
    return &storage->segments[storage->segment_count - 1];
}

uint64_t segment_last(const struct segment *segment)
{
    return segment->prev.index + segment->count;
}

struct segment *segment_add(struct storage *storage, uint64_t seq, int file,
                            const struct prev_record *prev)
{
    if (storage->segment_count == storage->segment_cap) {
        storage->segment_cap = storage->segment_cap ? storage->segment_cap * 2 : 8;
        storage->segments =
            mem_realloc(storage->segments, storage->segment_cap * sizeof *storage->segments);
    }
    struct segment *segment = &storage->segments[storage->segment_count++];
    *segment = (struct segment){.seq = seq, .file = file, .prev = *prev};
    return segment;
}

struct segment *segment_of(const struct storage *storage, uint64_t index)
{
    size_t low = 0;
    size_t high = storage->segment_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (storage->segments[middle].prev.index < index)
            low = middle;
        else
            high = middle;
    }
    struct segment *segment = &storage->segments[low];
    return index > segment->prev.index && index <= segment_last(segment) ? segment : NULL;
}

static void note_term(struct storage *storage, uint64_t index, uint64_t term)
{
    if (storage->term_count && storage->terms[storage->term_count - 1].term == term)
        return;
    if (storage->term_count == storage->term_cap) {
        storage->term_cap = storage->term_cap ? storage->term_cap * 2 : 16;
        storage->terms = mem_realloc(storage->terms, storage->term_cap * sizeof *storage->terms);
    }
    storage->terms[storage->term_count++] = (struct term_run){.first = index, .term = term};
}

void segment_note(struct storage *storage, struct segment *segment, uint64_t offset, uint64_t term)
{
    index_note(segment, offset);
    note_term(storage, segment_last(segment), term);
}

struct prev_record segments_end(const struct storage *storage)
{
    const struct segment *open = segments_open(storage);
    if (segment_last(open) == storage->segments[0].prev.index)
        return storage->segments[0].prev;
    return (struct prev_record){.index = segment_last(open),
                                .term = storage->terms[storage->term_count - 1].term};
}

void segments_forget(struct storage *storage, size_t from, size_t to)
{
    if (from == to)
        return;
    for (size_t i = from; i < to; i++)
        mem_free(storage->segments[i].waypoints);
    memmove(storage->segments + from, storage->segments + to,
            (storage->segment_count - to) * sizeof *storage->segments);
    storage->segment_count -= to - from;
}

/* ---- queued operations ---- */

void segment_put_header(struct buf *out, const struct storage *storage,
                        const struct prev_record *prev)
{
    entry_encode_identity(out, &storage->options.identity);
    entry_encode_prev(out, prev);
    entry_encode_vote(out, &storage->vote);
}

void manifest_put(struct buf *out, const struct storage *storage)
{
    const char *name = storage->options.append_filename;
    if (storage->base_seq)
        buf_printf(out, "file %s.%llu.base.rdb seq %llu type b\n", name,
                   (unsigned long long)storage->base_seq, (unsigned long long)storage->base_seq);
    for (size_t i = 0; i < storage->segment_count; i++) {
        const struct segment *segment = &storage->segments[i];
        bool covered =
            i + 1 < storage->segment_count && segment_last(segment) <= storage->snapshot.index;
        buf_printf(out, "file %s.%llu.incr.aof seq %llu type %c\n", name,
                   (unsigned long long)segment->seq, (unsigned long long)segment->seq,
                   covered ? 'h' : 'i');
    }
}

static void queue(struct storage *storage, const struct disk_op *op)
{
    storage->disk.queue(storage->disk.context, op);
}

static void queue_manifest(struct storage *storage, uint64_t ticket)
{
    struct disk_op op = {.kind = DISK_REPLACE,
                         .path = storage_file_path(storage, FILE_MANIFEST, 0),
                         .sync = true,
                         .ticket = ticket};
    manifest_put(&op.bytes, storage);
    queue(storage, &op);
}

void manifest_queue(struct storage *storage)
{
    queue_manifest(storage, 0);
}

uint64_t manifest_queue_awaited(struct storage *storage)
{
    queue_manifest(storage, ++storage->ticket);
    return storage->ticket;
}

void storage_queue_removal(struct storage *storage, int file, char *path)
{
    struct disk_op op = {.kind = DISK_REMOVE, .file = file, .path = path};
    queue(storage, &op);
}

void segments_queue_removals(struct storage *storage, const struct segment *segments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        storage_queue_removal(storage, segments[i].file,
                              storage_file_path(storage, FILE_SEGMENT, segments[i].seq));
}

void storage_queue_folder(struct storage *storage, enum disk_op_kind kind)
{
    struct disk_op op = {.kind = kind, .path = mem_alloc(strlen(storage->folder) + 1)};
    strcpy(op.path, storage->folder);
    queue(storage, &op);
}

void segment_queue_sync(struct storage *storage, const struct segment *segment)
{
    struct disk_op op = {.kind = DISK_WRITE,
                         .file = segment->file,
                         .offset = segment->end - storage->gathered.len,
                         .sync = true,
                         .ticket = ++storage->ticket};
    segment_note_sync(storage, segment, op.offset, op.ticket);
    storage->tail_unsynced = false;
    queue(storage, &op);
}

void segment_queue_header(struct storage *storage, struct segment *segment)
{
    struct disk_op op = {
        .kind = DISK_WRITE, .file = segment->file, .sync = true, .ticket = ++storage->ticket};
    segment_put_header(&op.bytes, storage, &segment->prev);
    segment->end = op.bytes.len;
    segment_note_sync(storage, segment, segment->end, op.ticket);
    queue(storage, &op);
}

enum err segment_begin(struct storage *storage)
{
    storage_flush_last(storage);
    uint64_t seq = storage->next_seq++;
    char *path = storage_file_path(storage, FILE_SEGMENT, seq);
    int file;
    enum err err = storage->disk.open(storage->disk.context, path, true, &file);
    if (err)
        log_line(storage->options.log, LOG_WARNING, "cannot begin log segment '%s': %s", path,
                 err_text(err));
    mem_free(path);
    if (err)
        return err;
    /* Only the end of the last segment may be torn, so this one must be synced whole first. */
    if (storage->tail_unsynced)
        segment_queue_sync(storage, segments_open(storage));
    fill_end(storage, segments_open(storage));
    struct prev_record prev = segments_end(storage);
    struct segment *segment = segment_add(storage, seq, file, &prev);
    segment_queue_header(storage, segment);
    storage_queue_folder(storage, DISK_SYNC_FOLDER);
    manifest_queue(storage);
    return ERR_NONE;
}

/* ---- truncation ---- */

static void drop_terms_after(struct storage *storage, uint64_t last)
{
    while (storage->term_count && storage->terms[storage->term_count - 1].first > last)
        storage->term_count--;
}

/* The vote's record may be in the part that is cut, so a file of its own keeps the vote
 * meanwhile. */
static void queue_vote_file(struct storage *storage)
{
    struct disk_op op = {
        .kind = DISK_REPLACE, .path = storage_file_path(storage, FILE_VOTE, 0), .sync = true};
    entry_encode_vote(&op.bytes, &storage->vote);
    queue(storage, &op);
}

struct cut {
    uint64_t offset;
    unsigned database;
};

/* Where the segment ends without the entries after `last`, and the database that is selected there.
 * The SELECT of the first entry that goes, right before it, goes too: nothing would tell that it is
 * damaged. */
static enum err cut_at(struct storage *storage, const struct segment *segment, uint64_t last,
                       struct cut *cut)
{
    struct entry kept = {.database = 0}, gone = {.database = 0};
    enum err err = index_find(storage, last + 1, &cut->offset);
    if (!err && last > segment->prev.index)
        err = storage_entry(storage, last, &kept);
    if (!err)
        err = storage_entry(storage, last + 1, &gone);
    if (err)
        return err;
    cut->database = kept.database;
    if (kept.database != gone.database)
        cut->offset -= entry_select_len(gone.database);
    return ERR_NONE;
}

/* Forgets the entries after `last`, and the part of syncs under way that covered them. */
static void cut_segment(struct storage *storage, struct segment *segment, uint64_t last,
                        uint64_t offset)
{
    struct disk_op op = {
        .kind = DISK_TRUNCATE, .file = segment->file, .size = offset, .sync = true};
    queue(storage, &op);
    index_truncate(storage, segment, last);
    segment->end = offset;
    segment->marked_end = segment->filled_end = 0;
    segment->has_filler = false;
    if (segment->synced_end > offset)
        segment->synced_end = offset;
    for (size_t i = 0; i < storage->note_count; i++)
        if (storage->notes[i].seq == segment->seq && storage->notes[i].end > offset)
            storage->notes[i].end = offset;
}

enum err storage_truncate(struct storage *storage, uint64_t last)
{
    if (last >= segment_last(segments_open(storage)))
        return ERR_NONE;
    ASSERT(last >= storage->snapshot.index);
    struct segment *segment = segment_of(storage, last + 1);
    ASSERT(segment != NULL);
    struct cut cut;
    enum err err = cut_at(storage, segment, last, &cut);
    if (err)
        return err;
    storage_flush_last(storage);
    queue_vote_file(storage);
    size_t kept = (size_t)(segment - storage->segments) + 1;
    struct segment *gone = storage->segments + kept;
    size_t gone_count = storage->segment_count - kept;
    storage->segment_count = kept;
    held_lower(storage, segment->seq, cut.offset);
    if (gone_count)
        manifest_queue(storage);
    cut_segment(storage, segment, last, cut.offset);
    segment->database = cut.database;
    segments_queue_removals(storage, gone, gone_count);
    storage->segment_count += gone_count;
    segments_forget(storage, kept, storage->segment_count);
    drop_terms_after(storage, last);
    cache_truncate(&storage->cache, last);
    storage_vote(storage, storage->vote);
    storage->cut_ticket = storage->ticket + 1; /* the vote's flush follows the cut */
    return ERR_NONE;
}
