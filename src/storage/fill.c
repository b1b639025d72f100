/* Filler: bytes behind the end of the open segment that mean nothing yet. To write over them is
 * cheaper than to make the file longer, because a sync then has no metadata to write.
 *
 * Filler is lines of '#', which Redis skips, with the newline at each offset that is 63 modulo 64.
 * So what is left of a line is a line again, wherever the records before it end; only a newline
 * alone would not be, and no batch ends before one: the vote is said once more then. No record
 * begins like filler. Filler is written behind all records, and never over one. An earlier version
 * of the program takes it for a torn write. */
#include "base/mem.h"
#include "storage/internal.h"

enum {
    LINE_BYTES = 64,
    BLOCK_BYTES = 4096,
    STEP_MIN = 16 * 1024, /* a small segment gets little */
    BATCH_MAX =
        64 * 1024,   /* longer ones cost more to write twice than the sync of a file that grows */
    BATCH_SHARE = 8, /* of the newest batch in the usual length of one */
};

static bool is_line_end(uint64_t offset)
{
    return offset % LINE_BYTES == LINE_BYTES - 1;
}

bool fill_begins(struct span bytes, uint64_t offset)
{
    return bytes.len >= 2 && bytes.ptr[0] == '#' &&
           bytes.ptr[1] == (is_line_end(offset + 1) ? '\n' : '#');
}

bool fill_is_whole(struct span bytes, uint64_t offset)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != (is_line_end(offset + i) ? '\n' : '#'))
            return false;
    return true;
}

static void put_filler(struct buf *out, uint64_t offset, size_t len)
{
    char *at = buf_reserve(out, len);
    memset(at, '#', len);
    for (size_t i = LINE_BYTES - 1 - (size_t)(offset % LINE_BYTES); i < len; i += LINE_BYTES)
        at[i] = '\n';
    out->len += len;
}

void fill_make_way(struct storage *storage)
{
    const struct segment *segment = segments_open(storage);
    if (segment->has_filler && is_line_end(segment->end))
        storage_vote(storage, storage->vote); /* it is shorter than a line of filler */
}

void fill_note_batch(struct storage *storage, size_t bytes)
{
    storage->usual_batch -= storage->usual_batch / BATCH_SHARE;
    storage->usual_batch += bytes / BATCH_SHARE;
}

/* A log that has filled a segment will fill the next one too. */
static uint64_t likely_size(const struct storage *storage, const struct segment *segment)
{
    uint64_t before =
        storage->segment_count > 1 ? storage->segments[storage->segment_count - 2].end : 0;
    return segment->end > before ? segment->end : before;
}

/* As much again as the segment has, or the one before it had, within limits. 0: none is needed, or
 * there is no room. */
static size_t next_step(const struct storage *storage, const struct segment *segment,
                        uint64_t offset)
{
    uint64_t most = storage->options.fill_bytes;
    uint64_t step = likely_size(storage, segment);
    if (step < STEP_MIN)
        step = STEP_MIN;
    if (step > most)
        step = most > LINE_BYTES ? most : LINE_BYTES;
    uint64_t segment_max = storage->options.segment_bytes_max;
    if (offset - segment->end >= (step + 1) / 2 || (segment_max && offset >= segment_max))
        return 0;
    uint64_t end = offset + step;
    if (segment_max && end > segment_max)
        end = segment_max;
    end -= end % (end - end % BLOCK_BYTES > offset ? BLOCK_BYTES : LINE_BYTES);
    if (end <= offset)
        return 0;
    return storage_has_room(storage, end - offset) ? (size_t)(end - offset) : 0;
}

void fill_ahead(struct storage *storage)
{
    struct segment *segment = segments_open(storage);
    if (storage->options.fill_bytes == 0 || storage->options.sync != STORAGE_SYNC_ALWAYS ||
        segment->end < storage->fill_again_at || storage->usual_batch > BATCH_MAX)
        return;
    uint64_t offset = segment->filled_end > segment->end ? segment->filled_end : segment->end;
    size_t len = next_step(storage, segment, offset);
    if (len == 0 || is_line_end(offset)) /* the next flush ends elsewhere */
        return;
    struct disk_op op = {.kind = DISK_WRITE,
                         .file = segment->file,
                         .offset = offset,
                         .sync = true,
                         .optional = true};
    put_filler(&op.bytes, offset, len);
    segment->filled_end = offset + len;
    segment->has_filler = true;
    storage->status.bytes_written += len;
    room_used(storage, len);
    storage->disk.queue(storage->disk.context, &op);
}

/* What was queued meanwhile is left out too. Perhaps some of it is there, at the end of the log: it
 * is the same that will be written there again. */
void fill_left_out(struct storage *storage)
{
    struct segment *segment = segments_open(storage);
    segment->filled_end = 0;
    storage->fill_again_at = segment->end + storage->options.fill_bytes;
}

void fill_end(struct storage *storage, struct segment *segment)
{
    storage->fill_again_at = 0;
    if (!segment->has_filler)
        return;
    struct disk_op op = {
        .kind = DISK_TRUNCATE, .file = segment->file, .size = segment->end, .sync = true};
    segment->filled_end = 0;
    segment->has_filler = false;
    storage->disk.queue(storage->disk.context, &op);
}
