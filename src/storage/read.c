#include "base/assert.h"
#include "base/mem.h"
#include "storage/internal.h"

/* A reader of one old entry usually reads the next ones too. */
enum { WINDOW_BYTES = 256 * 1024 };

void window_forget(struct storage *storage)
{
    storage->window.len = 0;
    storage->ahead.count = 0;
}

enum err window_load(struct storage *storage, const struct segment *segment, uint64_t offset,
                     size_t need, struct span *bytes)
{
    uint64_t end = storage->window_at + storage->window.len;
    bool held = storage->window.len && segment->seq == storage->window_seq &&
                offset >= storage->window_at && offset + need <= end;
    if (!held) {
        size_t len = need > WINDOW_BYTES ? need : WINDOW_BYTES;
        window_forget(storage);
        char *at = buf_reserve(&storage->window, len);
        size_t got = 0;
        while (got < len) {
            size_t part;
            enum err err = storage->disk.read(storage->disk.context, segment->file, offset + got,
                                              at + got, len - got, &part);
            if (err) {
                storage->window.len = 0;
                return err;
            }
            if (part == 0)
                break;
            got += part;
        }
        storage->window.len = got;
        storage->window_at = offset;
        storage->window_seq = segment->seq;
    }
    size_t skip = (size_t)(offset - storage->window_at);
    *bytes = span_of(storage->window.ptr + skip, storage->window.len - skip);
    return ERR_NONE;
}

enum err window_record(struct storage *storage, const struct segment *segment, uint64_t offset,
                       struct record *record)
{
    for (size_t need = ENTRY_HEADER_MAX;; need *= 4) {
        struct span bytes;
        enum err err = window_load(storage, segment, offset, need, &bytes);
        if (err)
            return err;
        switch (record_parse(bytes, record)) {
        case RECORD_OK:
            return ERR_NONE;
        case RECORD_TRUNCATED:
            if (bytes.len < need)
                return ERR_CORRUPT;
            break;
        case RECORD_BAD:
            return ERR_CORRUPT;
        }
        /* The window ends within the record, so load more than the window holds. */
        if (need < bytes.len)
            need = bytes.len;
    }
}

enum { RECENT_MIN = 512, RECENT_MAX = 8192 };

/* Every append notes its entry, so that a place that names the index names the one in the log. */
void storage_note_recent(struct storage *storage, const struct entry *entry)
{
    storage->recent[entry->index & (storage->recent_cap - 1)] = *entry;
}

void storage_grow_recent(struct storage *storage, size_t count)
{
    size_t old_cap = storage->recent_cap;
    struct entry *old = storage->recent;
    size_t cap = old_cap ? old_cap : RECENT_MIN;
    while (cap < RECENT_MAX && count > cap / 2)
        cap *= 2;
    if (cap == old_cap)
        return;
    storage->recent = mem_zalloc(cap * sizeof *storage->recent);
    storage->recent_cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].index)
            storage_note_recent(storage, &old[i]);
    mem_free(old);
}

/* Points the noted entry to its bytes, wherever they are now. */
static bool recall(const struct storage *storage, uint64_t index, struct span record,
                   struct entry *entry)
{
    const struct entry *noted = &storage->recent[index & (storage->recent_cap - 1)];
    if (noted->index != index)
        return false;
    *entry = *noted;
    entry->record = record;
    entry->payload = span_of(record.ptr + record.len - noted->payload.len, noted->payload.len);
    return true;
}

bool storage_cached_entry(struct storage *storage, uint64_t index, struct entry *entry)
{
    struct span cached = cache_find(&storage->cache, index);
    if (cached.ptr)
        return recall(storage, index, cached, entry);
    const struct entry *ahead = index_find_ahead(storage, index);
    if (ahead)
        *entry = *ahead;
    return ahead != NULL;
}

size_t storage_recent_entries(struct storage *storage, uint64_t first, uint64_t last,
                              struct entry *entries)
{
    size_t count;
    struct span run = cache_run(&storage->cache, first, last, &count);
    for (size_t i = 0; i < count; i++) {
        const struct entry *noted = &storage->recent[(first + i) & (storage->recent_cap - 1)];
        if (noted->index != first + i)
            return i;
        recall(storage, first + i, span_of(run.ptr, noted->record.len), &entries[i]);
        run = span_of(run.ptr + noted->record.len, run.len - noted->record.len);
    }
    return count;
}

enum err storage_entry(struct storage *storage, uint64_t index, struct entry *entry)
{
    struct span cached = cache_find(&storage->cache, index);
    if (!cached.ptr)
        return index_read_next(storage, index, entry);
    if (recall(storage, index, cached, entry))
        return ERR_NONE;
    struct record record;
    if (record_parse(cached, &record) != RECORD_OK)
        return ERR_CORRUPT;
    *entry = record.entry;
    return ERR_NONE;
}

enum err storage_read(struct storage *storage, uint64_t first, uint64_t last, size_t bytes_max,
                      struct buf *out, size_t *count)
{
    size_t before = out->len;
    *count = 0;
    while (first <= last) {
        size_t run_count;
        struct span run = cache_run(&storage->cache, first, last, &run_count);
        if (!run.ptr || out->len - before + run.len > bytes_max) {
            struct entry entry; /* one entry at a time, from the file or up to the limit */
            enum err err = storage_entry(storage, first, &entry);
            if (err)
                return err;
            if (*count && out->len - before + entry.record.len > bytes_max)
                return ERR_NONE;
            run = entry.record;
            run_count = 1;
        }
        buf_add_span(out, run);
        *count += run_count;
        first += run_count;
    }
    return ERR_NONE;
}
