#include <stdio.h>

#include "storage/internal.h"

enum { PATH_SHOWN_MAX = 250 };

/* A record that is larger than the window is read with a larger one. */
static enum err load_record(struct recovery *recovery, uint64_t offset, struct record *record,
                            enum record_outcome *outcome)
{
    size_t need = ENTRY_HEADER_MAX;
    for (;;) {
        struct span bytes;
        enum err err = window_load(recovery->storage, offset, need, &bytes);
        if (err)
            return err;
        *outcome = record_parse(bytes, record);
        if (*outcome != RECORD_TRUNCATED || bytes.len < need)
            return ERR_NONE;
        need = bytes.len > need ? bytes.len * 2 : need * 2;
    }
}

/* A record that could follow: a later entry, a vote, a file's first line. */
static bool follows(const struct recovery *recovery, const struct record *record)
{
    switch (record->kind) {
    case RECORD_ENTRY:
        return record->entry.index > recovery->found->last_index &&
               record->entry.term >= recovery->found->last_term;
    case RECORD_VOTE:
        return record->vote.term >= recovery->found->vote.term;
    case RECORD_IDENTITY:
        return false;
    }
    return false;
}

/* Is there anything valid behind a bad place? Then it is no torn write. */
static enum err search_valid(struct recovery *recovery, uint64_t from, bool *found)
{
    *found = false;
    for (uint64_t offset = from;; offset++) {
        struct span bytes;
        enum err err = window_load(recovery->storage, offset, 1, &bytes);
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
        err = load_record(recovery, offset, &record, &outcome);
        if (err)
            return err;
        if (outcome == RECORD_OK && follows(recovery, &record)) {
            *found = true;
            return ERR_NONE;
        }
    }
}

/* The end of a long path says more than its beginning. */
static const char *tail_of(const char *path)
{
    size_t len = strlen(path);
    return len > PATH_SHOWN_MAX ? path + len - PATH_SHOWN_MAX : path;
}

static enum err corrupt(struct recovery *recovery, uint64_t offset, const char *what)
{
    snprintf(recovery->message, 512, "log '%.250s' is corrupt at offset %llu: %.110s",
             tail_of(recovery->storage->log_path), (unsigned long long)offset, what);
    return ERR_CORRUPT;
}

static enum err check_identity(struct recovery *recovery, const struct identity *found)
{
    const struct storage *storage = recovery->storage;
    const struct identity *own = &storage->options.identity;
    if (found->node_id == own->node_id && strcmp(found->cluster_id, own->cluster_id) == 0)
        return ERR_NONE;
    const char *folder = tail_of(storage->options.folder);
    bool renamed =
        strcmp(found->cluster_id, own->cluster_id) != 0 && found->node_id == own->node_id;
    snprintf(
        recovery->message, 512,
        "data folder '%.250s' belongs to node %llu of cluster %s, this is node %llu of cluster "
        "%s%s",
        folder, (unsigned long long)found->node_id, found->cluster_id,
        (unsigned long long)own->node_id, own->cluster_id,
        renamed ? "; set cluster-id to keep it" : "");
    return ERR_FOREIGN;
}

static enum err take_entry(struct recovery *recovery, uint64_t offset, const struct entry *entry)
{
    struct storage_recovered *found = recovery->found;
    if (entry->index != found->last_index + 1)
        return corrupt(recovery, offset, "an entry does not follow the one before it");
    if (entry->term < found->last_term)
        return corrupt(recovery, offset, "the term of an entry is lower than the one before it");
    found->last_index = entry->index;
    found->last_term = entry->term;
    storage_note_offset(recovery->storage, entry->index, offset);
    recovery->visit(recovery->context, entry);
    return ERR_NONE;
}

static enum err take(struct recovery *recovery, uint64_t offset, const struct record *record)
{
    switch (record->kind) {
    case RECORD_ENTRY:
        return take_entry(recovery, offset, &record->entry);
    case RECORD_VOTE:
        recovery->found->vote = record->vote;
        return ERR_NONE;
    case RECORD_IDENTITY:
        return check_identity(recovery, &record->identity);
    }
    return ERR_NONE;
}

/* The first line is written in one piece with the file, before the manifest: nothing else may stand
 * there, and a file of somebody else's is never taken for a torn write. */
static enum err judge_first_line(struct recovery *recovery, uint64_t size)
{
    struct storage *storage = recovery->storage;
    struct buf expected = {0};
    entry_encode_identity(&expected, &storage->options.identity);
    struct span bytes = {NULL, 0};
    enum err err = window_load(storage, 0, 1, &bytes);
    bool torn = !recovery->log_named && size < expected.len && bytes.len == size &&
                memcmp(bytes.ptr, expected.ptr, bytes.len) == 0;
    buf_close(&expected);
    if (err || torn)
        return err;
    return corrupt(recovery, 0, "the first line does not say whose log it is");
}

/* A bad record: the end of a write that a crash tore, or something that must not be passed over. */
static enum err judge(struct recovery *recovery, uint64_t offset, uint64_t size)
{
    struct storage *storage = recovery->storage;
    bool found = false;
    enum err err =
        offset == 0 ? judge_first_line(recovery, size) : search_valid(recovery, offset + 1, &found);
    if (err)
        return err;
    if (found)
        return corrupt(recovery, offset,
                       "a damaged record with valid ones after it, so it is no torn write");
    recovery->found->cut_bytes = size - offset;
    log_line(storage->options.log, LOG_WARNING,
             "log '%s': a torn write of %llu bytes at offset %llu was cut off", storage->log_path,
             (unsigned long long)(size - offset), (unsigned long long)offset);
    window_forget(storage);
    return ERR_NONE; /* recover() cuts the file to what is valid */
}

static enum err scan(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    uint64_t size;
    enum err err = storage->disk.size(storage->disk.context, storage->file, &size);
    if (!err && size == 0 && recovery->log_named)
        return corrupt(recovery, 0, "it is empty, though the manifest names it");
    uint64_t offset = 0;
    while (!err && offset < size) {
        struct record record;
        enum record_outcome outcome;
        err = load_record(recovery, offset, &record, &outcome);
        if (err)
            break;
        if (outcome != RECORD_OK) {
            err = judge(recovery, offset, size);
            break;
        }
        if (offset == 0 && record.kind != RECORD_IDENTITY)
            return corrupt(recovery, 0, "the first line does not say whose log it is");
        err = take(recovery, offset, &record);
        offset += record.bytes;
    }
    storage->file_end = offset;
    return err;
}

/* The vote that was kept beside the log while the log was cut. */
static enum err read_vote_file(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    struct buf text = {0};
    enum err err = storage->disk.read_file(storage->disk.context, storage->vote_path, &text);
    if (err == ERR_NOT_FOUND) {
        buf_close(&text);
        return ERR_NONE;
    }
    struct record record;
    if (!err &&
        (record_parse(buf_span(&text), &record) != RECORD_OK || record.kind != RECORD_VOTE)) {
        snprintf(recovery->message, 512, "'%.200s' is damaged", storage->vote_path);
        err = ERR_CORRUPT;
    }
    buf_close(&text);
    if (err)
        return err;
    struct vote_record *vote = &recovery->found->vote;
    if (record.vote.term > vote->term || (record.vote.term == vote->term && vote->node == 0))
        *vote = record.vote;
    return ERR_NONE;
}

enum err recover(struct recovery *recovery)
{
    enum err err = scan(recovery);
    if (!err)
        err = read_vote_file(recovery);
    if (err) {
        if (recovery->message[0] == '\0')
            snprintf(recovery->message, 512, "log '%.180s' cannot be read: %s",
                     recovery->storage->log_path, err_text(err));
        return err;
    }
    /* What a killed process wrote without syncing looks like any other record: it counts as durable
     * from here on. */
    struct storage *storage = recovery->storage;
    err = storage->disk.truncate(storage->disk.context, storage->file, storage->file_end);
    if (err) {
        snprintf(recovery->message, 512, "log '%.180s' cannot be synced: %s", storage->log_path,
                 err_text(err));
        return err;
    }
    struct vote_record *vote = &recovery->found->vote;
    if (vote->term < recovery->found->last_term)
        *vote = (struct vote_record){.term = recovery->found->last_term};
    return ERR_NONE;
}
