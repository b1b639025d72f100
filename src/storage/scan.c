#include <stdio.h>

#include "base/mem.h"

#include "storage/internal.h"

/* Reads one segment at start. Its header was synced before any other file named the segment, and
 * each segment but the last was synced whole before the next one began. */

enum { PATH_SHOWN_MAX = 250 };

struct scan {
    struct recovery *recovery;
    struct segment *segment;
    uint64_t size;
    uint64_t offset;
    unsigned header_records; /* header records read so far */
    bool last;
    uint64_t select_at; /* of a SELECT whose entry has not come; 0: none */
    unsigned before;    /* the database that was selected before it */
};

/* If a record is larger than the window, loads a larger window. */
static enum err load_record(struct scan *scan, uint64_t offset, struct record *record,
                            enum record_outcome *outcome)
{
    size_t need = ENTRY_HEADER_MAX;
    for (;;) {
        struct span bytes;
        enum err err = window_load(scan->recovery->storage, scan->segment, offset, need, &bytes);
        if (err)
            return err;
        *outcome = record_parse(bytes, record);
        if (*outcome != RECORD_TRUNCATED || bytes.len < need)
            return ERR_NONE;
        need = bytes.len > need ? bytes.len * 2 : need * 2;
    }
}

/* Messages show the end of a long path. */
static const char *tail_of(const char *path)
{
    size_t len = strlen(path);
    return len > PATH_SHOWN_MAX ? path + len - PATH_SHOWN_MAX : path;
}

static enum err corrupt(const struct scan *scan, uint64_t offset, const char *what)
{
    char *path = storage_file_path(scan->recovery->storage, FILE_SEGMENT, scan->segment->seq);
    snprintf(scan->recovery->message, 512, "log '%.250s' is corrupt at offset %llu: %.110s",
             tail_of(path), (unsigned long long)offset, what);
    mem_free(path);
    return ERR_CORRUPT;
}

/* Looks for a mark after the bad place that says the bad place was synced. A mark counts wherever
 * it stands, because missing bytes move it. The search skips whole records, so that a value cannot
 * pose as a mark. */
static enum err search_mark(struct scan *scan, bool *found)
{
    *found = false;
    for (uint64_t offset = scan->offset + 1;; offset++) {
        struct span bytes;
        enum err err = window_load(scan->recovery->storage, scan->segment, offset, 1, &bytes);
        if (err || bytes.len == 0)
            return err;
        const char *candidate = memchr(bytes.ptr, '#', bytes.len);
        if (!candidate) {
            offset += bytes.len - 1;
            continue;
        }
        offset += (uint64_t)(candidate - bytes.ptr);
        struct record record;
        enum record_outcome outcome;
        err = load_record(scan, offset, &record, &outcome);
        if (err)
            return err;
        if (outcome != RECORD_OK)
            continue;
        if (record.kind == RECORD_SYNC && record.sync.synced > scan->offset) {
            *found = true;
            return ERR_NONE;
        }
        offset += record.bytes - 1;
    }
}

static enum err check_identity(const struct scan *scan, const struct identity *found)
{
    struct storage *storage = scan->recovery->storage;
    struct identity *own = &storage->options.identity;
    bool is_older = found->node_id == own->node_id &&
                    cluster_supersedes(storage->options.superseded, found->cluster_id);
    if (storage->options.inspection && storage->segment_count == 1 && !is_older)
        *own = *found;
    scan->recovery->found->identity = *own;
    if (is_older ||
        (found->node_id == own->node_id && strcmp(found->cluster_id, own->cluster_id) == 0))
        return ERR_NONE;
    const char *folder = tail_of(storage->options.folder);
    snprintf(
        scan->recovery->message, 512,
        "data folder '%.250s' belongs to node %llu of cluster %s, this is node %llu of cluster %s",
        folder, (unsigned long long)found->node_id, found->cluster_id,
        (unsigned long long)own->node_id, own->cluster_id);
    return ERR_FOREIGN;
}

/* Where raft.synced says the synced part of this segment ends. */
static uint64_t held_end(const struct scan *scan)
{
    const struct held_record *held = &scan->recovery->storage->held.told;
    return held->seq == scan->segment->seq ? held->end : 0;
}

static enum err take_prev(struct scan *scan, const struct prev_record *prev)
{
    struct storage_recovered *found = scan->recovery->found;
    scan->segment->prev = *prev;
    if (scan->recovery->storage->segment_count == 1) {
        found->first_index = prev->index + 1;
        found->prev_term = prev->term;
        found->last_index = prev->index;
        found->last_term = prev->term;
        return ERR_NONE;
    }
    if (prev->index == found->last_index && prev->term == found->last_term)
        return ERR_NONE;
    return corrupt(scan, scan->offset, "the log has a gap before this segment");
}

static enum err take_entry(struct scan *scan, const struct entry *entry)
{
    struct recovery *recovery = scan->recovery;
    struct storage_recovered *found = recovery->found;
    if (entry->index != found->last_index + 1)
        return corrupt(scan, scan->offset, "an entry does not follow the one before it");
    if (entry->term < found->last_term)
        return corrupt(scan, scan->offset, "the term of an entry is lower than the one before it");
    found->last_index = entry->index;
    found->last_term = entry->term;
    segment_note(recovery->storage, scan->segment, scan->offset, entry->term);
    recovery->visitor->visit(recovery->visitor->context, entry);
    return ERR_NONE;
}

/* Every record before this mark is valid, so no torn write moved the mark: whole records were
 * removed or inserted. */
static enum err take_mark(struct scan *scan, const struct sync_record *sync)
{
    if (sync->at != scan->offset || sync->synced > sync->at)
        return corrupt(scan, scan->offset,
                       "a mark of what was synced stands at another place "
                       "than it says: bytes before it are missing or new");
    scan->segment->marked_end = sync->synced;
    return ERR_NONE;
}

static enum err take(struct scan *scan, const struct record *record)
{
    static const enum record_kind header[] = {RECORD_IDENTITY, RECORD_PREV, RECORD_VOTE};
    if (scan->header_records < sizeof header / sizeof *header) {
        if (record->kind != header[scan->header_records])
            return corrupt(scan, scan->offset, "the first lines do not say whose log it is");
        scan->header_records++;
    } else if (record->kind == RECORD_IDENTITY || record->kind == RECORD_PREV) {
        return corrupt(scan, scan->offset, "the first lines of a log stand within it");
    }
    switch (record->kind) {
    case RECORD_ENTRY:
        return take_entry(scan, &record->entry);
    case RECORD_VOTE:
        scan->recovery->found->vote = record->vote;
        return ERR_NONE;
    case RECORD_IDENTITY:
        return check_identity(scan, &record->identity);
    case RECORD_PREV:
        return take_prev(scan, &record->prev);
    case RECORD_SYNC:
        return take_mark(scan, &record->sync);
    case RECORD_HELD:
        return corrupt(scan, scan->offset, "a line of another file stands in the log");
    case RECORD_SELECT:
        scan->select_at = scan->offset;
        scan->before = scan->segment->database;
        scan->segment->database = record->database;
        return ERR_NONE;
    }
    return ERR_NONE;
}

static bool header_is_read(const struct scan *scan)
{
    return scan->header_records == 3;
}

/* Judges a bad record: it is either the torn end of the last write or corruption. The blocks of a
 * write reach the disk in any order, so good records may follow a torn one. */
static enum err judge(struct scan *scan)
{
    struct storage *storage = scan->recovery->storage;
    if (!header_is_read(scan))
        return corrupt(scan, 0, "the first lines do not say whose log it is");
    if (!scan->last)
        return corrupt(scan, scan->offset, "a damaged record, and more of the log behind it");
    bool found = held_end(scan) > scan->offset;
    enum err err = found ? ERR_NONE : search_mark(scan, &found);
    if (err)
        return err;
    if (found)
        return corrupt(scan, scan->offset,
                       "a damaged record that was synced once, so it is no torn write");
    uint64_t cut = scan->size - scan->offset;
    scan->recovery->found->cut_bytes = cut;
    scan->recovery->found->cut_offset = scan->offset;
    window_forget(storage);
    if (storage->options.inspection)
        return ERR_NONE;
    char *path = storage_file_path(storage, FILE_SEGMENT, scan->segment->seq);
    log_line(storage->options.log, LOG_WARNING,
             "log '%s': a torn write of %llu bytes at offset %llu was cut off", path,
             (unsigned long long)cut, (unsigned long long)scan->offset);
    mem_free(path);
    return ERR_NONE; /* recovery_run() cuts the file to its valid part */
}

/* Whether nothing but filler follows, up to the end of the file. */
static enum err is_filler_from(const struct scan *scan, uint64_t offset, bool *is_filler)
{
    *is_filler = true;
    while (*is_filler && offset < scan->size) {
        struct span bytes;
        enum err err = window_load(scan->recovery->storage, scan->segment, offset, 1, &bytes);
        if (err)
            return err;
        *is_filler = bytes.len && fill_is_whole(bytes, offset);
        offset += bytes.len;
    }
    return ERR_NONE;
}

/* Without its SELECT, or behind a damaged one, an entry would be another one for Redis. */
static bool is_misplaced(const struct scan *scan, const struct record *record)
{
    return record->kind == RECORD_ENTRY && record->entry.database != scan->segment->database;
}

static enum err judge_tail(struct scan *scan)
{
    if (scan->select_at) {
        scan->offset = scan->select_at;
        scan->segment->database = scan->before;
    }
    return judge(scan);
}

/* Whether the log ends here, and filler follows. */
static enum err is_followed_by_filler(struct scan *scan, bool *is_end)
{
    struct span bytes;
    *is_end = false;
    enum err err =
        window_load(scan->recovery->storage, scan->segment, scan->offset, ENTRY_HEADER_MAX, &bytes);
    if (!err && scan->last && !scan->select_at && header_is_read(scan) &&
        fill_begins(bytes, scan->offset))
        err = is_filler_from(scan, scan->offset, is_end);
    return err;
}

static enum err scan_records(struct scan *scan)
{
    while (scan->offset < scan->size) {
        bool is_end;
        enum err err = is_followed_by_filler(scan, &is_end);
        if (err)
            return err;
        if (is_end)
            break;
        struct record record;
        enum record_outcome outcome;
        err = load_record(scan, scan->offset, &record, &outcome);
        if (err)
            return err;
        if (outcome != RECORD_OK || is_misplaced(scan, &record))
            return judge_tail(scan);
        if (record.kind != RECORD_SELECT)
            scan->select_at = 0;
        err = take(scan, &record);
        if (err)
            return err;
        scan->offset += record.bytes;
        recovery_read(scan->recovery, record.bytes);
    }
    if (scan->select_at)
        return judge_tail(scan);
    return header_is_read(scan)
               ? ERR_NONE
               : corrupt(scan, scan->offset, "the first lines do not say whose log it is");
}

enum err segment_scan(struct recovery *recovery, bool last, uint64_t size)
{
    struct storage *storage = recovery->storage;
    struct scan scan = {
        .recovery = recovery, .segment = segments_open(storage), .size = size, .last = last};
    enum err err = scan_records(&scan);
    if (!err && scan.offset < held_end(&scan))
        err = corrupt(&scan, scan.offset, "the file ends there, and more of it was synced once");
    scan.segment->end = scan.segment->synced_end = scan.offset;
    return err;
}
