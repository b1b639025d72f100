/* Where entries stand in their segment.
 *
 * A segment has a waypoint about every WAYPOINT_BYTES: an entry, and the offset of its record. A
 * look-up begins at the last waypoint before its entry and reads on from record to record. So the
 * index takes a thousandth of the log, however short the entries are. It is asked only for entries
 * that have left the cache, and a read of the file gives sixteen times as many bytes at once. Who
 * asks for one entry after the other goes on where the last look-up ended.
 *
 * What is not on the disk yet cannot be read there. Where these entries stand is kept for each of
 * them until the ticket completes that covers them. */
#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

enum {
    WAYPOINT_BYTES = 16 * 1024,
    WAYPOINTS_MIN = 4,
    AFLOAT_MIN = 256,
    AFLOAT_KEEP = 4096, /* an empty list keeps room for so many entries */
};

static void add_waypoint(struct segment *segment, uint64_t index, uint64_t offset)
{
    if (segment->waypoint_count == segment->waypoint_cap) {
        segment->waypoint_cap =
            segment->waypoint_cap ? segment->waypoint_cap * 2 : (size_t)WAYPOINTS_MIN;
        segment->waypoints =
            mem_realloc(segment->waypoints, segment->waypoint_cap * sizeof *segment->waypoints);
    }
    segment->waypoints[segment->waypoint_count++] =
        (struct waypoint){.index = index, .offset = offset};
}

void index_note(struct segment *segment, uint64_t offset)
{
    size_t count = segment->waypoint_count;
    segment->count++;
    if (count == 0 || offset - segment->waypoints[count - 1].offset >= WAYPOINT_BYTES)
        add_waypoint(segment, segment_last(segment), offset);
}

void index_note_afloat(struct afloat *afloat, uint64_t index, uint64_t offset)
{
    if (afloat->count == 0)
        afloat->first = index;
    ASSERT(afloat->first + afloat->count == index);
    if (afloat->count == afloat->cap) {
        afloat->cap = afloat->cap ? afloat->cap * 2 : (size_t)AFLOAT_MIN;
        afloat->offsets = mem_realloc(afloat->offsets, afloat->cap * sizeof *afloat->offsets);
    }
    afloat->offsets[afloat->count++] = offset;
}

void index_flushed(struct afloat *afloat, uint64_t ticket)
{
    afloat->flushed = ticket;
    if (afloat->ticket || afloat->count == 0)
        return;
    afloat->ticket = ticket;
    afloat->ticket_index = afloat->first + afloat->count - 1;
}

static void drop_first(struct afloat *afloat, size_t gone)
{
    afloat->first += gone;
    afloat->count -= gone;
    if (afloat->count)
        memmove(afloat->offsets, afloat->offsets + gone, afloat->count * sizeof *afloat->offsets);
    else if (afloat->cap > AFLOAT_KEEP)
        index_forget_afloat(afloat);
}

void index_completed(struct afloat *afloat, uint64_t completed, bool gathering)
{
    if (afloat->ticket == 0 || completed < afloat->ticket)
        return;
    afloat->ticket = 0;
    if (completed >= afloat->flushed && !gathering)
        drop_first(afloat, afloat->count);
    else if (afloat->count && afloat->ticket_index >= afloat->first)
        drop_first(afloat, (size_t)(afloat->ticket_index + 1 - afloat->first));
}

void index_truncate(struct storage *storage, struct segment *segment, uint64_t last)
{
    struct afloat *afloat = &storage->afloat;
    segment->count = (size_t)(last - segment->prev.index);
    while (segment->waypoint_count && segment->waypoints[segment->waypoint_count - 1].index > last)
        segment->waypoint_count--;
    storage->place = (struct place){0};
    storage->ahead.count = 0;
    if (last < afloat->first)
        afloat->count = 0;
    else if (afloat->count > last + 1 - afloat->first)
        afloat->count = (size_t)(last + 1 - afloat->first);
    if (afloat->ticket_index > last)
        afloat->ticket_index = last;
}

void index_forget_afloat(struct afloat *afloat)
{
    mem_free(afloat->offsets);
    *afloat = (struct afloat){0};
}

uint64_t index_memory(const struct storage *storage)
{
    uint64_t bytes = mem_footprint(storage->afloat.cap * sizeof *storage->afloat.offsets);
    for (size_t i = 0; i < storage->segment_count; i++)
        bytes += mem_footprint(storage->segments[i].waypoint_cap *
                               sizeof *storage->segments[i].waypoints);
    return bytes;
}

/* ---- looking up ---- */

/* The last waypoint that is not behind the entry. */
static struct waypoint waypoint_before(const struct segment *segment, uint64_t index)
{
    size_t low = 0;
    size_t high = segment->waypoint_count;
    ASSERT(high > 0 && segment->waypoints[0].index <= index);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (segment->waypoints[middle].index <= index)
            low = middle;
        else
            high = middle;
    }
    return segment->waypoints[low];
}

static enum err read_on(struct storage *storage, const struct segment *segment, uint64_t index,
                        struct record *record, uint64_t *offset)
{
    const struct place *place = &storage->place;
    struct waypoint at = waypoint_before(segment, index);
    if (place->seq == segment->seq && place->next.index <= index && place->next.index > at.index)
        at = place->next;
    for (;;) {
        enum err err = window_record(storage, segment, at.offset, record);
        if (err)
            return err;
        *offset = at.offset;
        at.offset += record->bytes;
        if (record->kind != RECORD_ENTRY)
            continue;
        if (record->entry.index != at.index)
            return ERR_CORRUPT;
        if (at.index++ == index)
            break;
    }
    storage->place = (struct place){.seq = segment->seq, .next = at};
    return ERR_NONE;
}

/* The window may hold filler that was written over since. */
enum err index_read(struct storage *storage, uint64_t index, struct record *record,
                    uint64_t *offset)
{
    const struct segment *segment = segment_of(storage, index);
    ASSERT(segment != NULL);
    enum err err = read_on(storage, segment, index, record, offset);
    if (err != ERR_CORRUPT)
        return err;
    window_forget(storage);
    return read_on(storage, segment, index, record, offset);
}

const struct entry *index_find_ahead(const struct storage *storage, uint64_t index)
{
    const struct ahead *ahead = &storage->ahead;
    return index - ahead->first < ahead->count ? &ahead->entries[index - ahead->first] : NULL;
}

/* Entries behind the last look-up, as far as the window has them whole. What else stands there is
 * judged when it is asked for. Until a cut is carried out, the file has entries that are gone. */
static void look_ahead(struct storage *storage)
{
    struct ahead *ahead = &storage->ahead;
    struct waypoint *next = &storage->place.next;
    while (ahead->count < AHEAD_ENTRIES && !storage->cut_ticket) {
        uint64_t skip = next->offset - storage->window_at;
        if (next->offset < storage->window_at || skip >= storage->window.len)
            return;
        struct record record;
        struct span bytes = span_of(storage->window.ptr + skip, storage->window.len - skip);
        if (record_parse(bytes, &record) != RECORD_OK)
            return;
        if (record.kind == RECORD_ENTRY) {
            if (record.entry.index != next->index)
                return;
            ahead->entries[ahead->count++] = record.entry;
            next->index++;
        }
        next->offset += record.bytes;
    }
}

enum err index_read_next(struct storage *storage, uint64_t index, struct entry *entry)
{
    struct ahead *ahead = &storage->ahead;
    const struct entry *found = index_find_ahead(storage, index);
    if (found) {
        *entry = *found;
        return ERR_NONE;
    }
    bool goes_on = storage->place.seq && storage->place.next.index == index;
    struct record record;
    uint64_t offset;
    enum err err = index_read(storage, index, &record, &offset);
    if (err)
        return err;
    *entry = record.entry;
    ahead->first = index;
    ahead->count = 1;
    ahead->entries[0] = record.entry;
    if (goes_on)
        look_ahead(storage);
    return ERR_NONE;
}

enum err index_find(struct storage *storage, uint64_t index, uint64_t *offset)
{
    const struct afloat *afloat = &storage->afloat;
    struct record record;
    if (index < afloat->first || index - afloat->first >= afloat->count)
        return index_read(storage, index, &record, offset);
    *offset = afloat->offsets[index - afloat->first];
    return ERR_NONE;
}
