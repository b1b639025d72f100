#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "storage/internal.h"

#define FILE_SEQ_MAX (UINT64_MAX / 2)

/* ---- the manifest ---- */

/* One line: "file <name> seq <number> type <letter>", as Redis 7 writes it. */
static bool parse_line(const struct storage *storage, struct span line, struct named_file *file)
{
    struct span words[6];
    size_t count = 0;
    for (size_t at = 0; at <= line.len && count < 6; count++) {
        const char *space = at < line.len ? memchr(line.ptr + at, ' ', line.len - at) : NULL;
        size_t end = space ? (size_t)(space - line.ptr) : line.len;
        words[count] = span_of(line.ptr + at, end - at);
        at = end + 1;
        if (count == 5 && space)
            return false;
    }
    if (count != 6 || !span_equal(words[0], SPAN("file")) || !span_equal(words[2], SPAN("seq")) ||
        !span_equal(words[4], SPAN("type")) || words[5].len != 1 ||
        !number_parse_u64(words[3], &file->seq) || file->seq == 0 || file->seq > FILE_SEQ_MAX)
        return false;
    file->type = words[5].ptr[0];
    if (file->type != 'b' && file->type != 'h' && file->type != 'i')
        return false;
    char *path =
        storage_file_path(storage, file->type == 'b' ? FILE_BASE : FILE_SEGMENT, file->seq);
    bool own = span_equal(words[1], span_text(storage_file_name(path)));
    mem_free(path);
    return own;
}

/* The order in a manifest: at most one base, then history files, then incremental files. */
static bool follows(const struct recovery *recovery, const struct named_file *file)
{
    if (recovery->file_count == 0)
        return file->type != 'h';
    const struct named_file *before = &recovery->files[recovery->file_count - 1];
    if (file->type == 'b' || (file->type == 'h' && before->type == 'i'))
        return false;
    return before->type == 'b' || before->seq < file->seq;
}

static bool parse_manifest(struct recovery *recovery, struct span text)
{
    while (text.len) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        if (!newline)
            return false;
        struct span line = span_of(text.ptr, (size_t)(newline - text.ptr));
        text = span_of(newline + 1, text.len - line.len - 1);
        struct named_file file;
        if (line.len && line.ptr[0] == '#')
            continue;
        if (!parse_line(recovery->storage, line, &file) || !follows(recovery, &file))
            return false;
        recovery->files =
            mem_realloc(recovery->files, (recovery->file_count + 1) * sizeof *recovery->files);
        recovery->files[recovery->file_count++] = file;
    }
    return recovery->file_count && recovery->files[recovery->file_count - 1].type == 'i';
}

enum err manifest_read(struct recovery *recovery)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    struct buf text = {0};
    char *path = storage_file_path(storage, FILE_MANIFEST, 0);
    enum err err = disk->read_file(disk->context, path, &text);
    recovery->has_manifest = err != ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) {
        err = ERR_NONE;
    } else if (err) {
        recovery_cannot(recovery, "cannot read", path, err);
    } else if (!parse_manifest(recovery, buf_span(&text))) {
        snprintf(recovery->message, 512, "manifest '%.150s' does not name the log of this node",
                 path);
        err = ERR_CORRUPT;
    }
    mem_free(path);
    buf_close(&text);
    return err;
}

/* ---- other files in the folder ---- */

enum leftover { NOT_OURS, OUR_DATA, OUR_TEMPORARY };

static bool is_number_between(struct span name, struct span before, struct span after,
                              uint64_t *number)
{
    if (name.len <= before.len + after.len || memcmp(name.ptr, before.ptr, before.len) != 0 ||
        memcmp(name.ptr + name.len - after.len, after.ptr, after.len) != 0)
        return false;
    return number_parse_u64(span_of(name.ptr + before.len, name.len - before.len - after.len),
                            number);
}

static bool is_named(const struct recovery *recovery, bool base, uint64_t seq)
{
    for (size_t i = 0; i < recovery->file_count; i++)
        if ((recovery->files[i].type == 'b') == base && recovery->files[i].seq == seq)
            return true;
    return false;
}

static enum leftover judge_name(struct listing *listing, struct span name)
{
    struct storage *storage = listing->recovery->storage;
    uint64_t seq = 0;
    bool temporary = is_number_between(name, SPAN("temp-image-"), SPAN(".rdb"), &seq) ||
                     is_number_between(name, SPAN("temp-install-"), SPAN(".rdb"), &seq);
    struct buf prefix = {0};
    buf_printf(&prefix, "%s.", storage->options.append_filename);
    bool base = is_number_between(name, buf_span(&prefix), SPAN(".base.rdb"), &seq);
    bool data = base || is_number_between(name, buf_span(&prefix), SPAN(".incr.aof"), &seq);
    buf_close(&prefix);
    if (seq > FILE_SEQ_MAX)
        return NOT_OURS;
    if ((temporary || data) && seq >= storage->next_seq)
        storage->next_seq = seq + 1;
    if (temporary)
        return OUR_TEMPORARY;
    return data && !is_named(listing->recovery, base, seq) ? OUR_DATA : NOT_OURS;
}

static void add_path(char ***paths, size_t *count, const char *folder, const char *name)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, name);
    buf_add_char(&path, '\0');
    *paths = mem_realloc(*paths, (*count + 1) * sizeof **paths);
    (*paths)[(*count)++] = path.ptr;
}

static void add_name(void *context, const char *name)
{
    struct listing *listing = context;
    const char *folder = listing->recovery->storage->folder;
    switch (judge_name(listing, span_text(name))) {
    case NOT_OURS:
        return;
    case OUR_DATA:
        add_path(&listing->unnamed, &listing->unnamed_count, folder, name);
        return;
    case OUR_TEMPORARY:
        add_path(&listing->temporary, &listing->temporary_count, folder, name);
        return;
    }
}

enum err listing_read(struct recovery *recovery, struct listing *listing)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    enum err err = disk->list(disk->context, storage->folder, add_name, listing);
    if (err)
        return recovery_cannot(recovery, "cannot list folder", storage->folder, err);
    /* A first start writes the first segment before the manifest. */
    char *first = storage_file_path(storage, FILE_SEGMENT, 1);
    for (size_t i = 0; !err && !recovery->has_manifest && i < listing->unnamed_count; i++) {
        if (strcmp(listing->unnamed[i], first) == 0)
            continue;
        snprintf(recovery->message, 512, "there is '%.200s', but the manifest is missing",
                 listing->unnamed[i]);
        err = ERR_CORRUPT;
    }
    mem_free(first);
    return err;
}

void listing_report(const struct recovery *recovery, const struct listing *listing)
{
    const struct storage_inspection *inspection = recovery->storage->options.inspection;
    for (size_t i = 0; recovery->has_manifest && i < listing->unnamed_count; i++)
        inspection->leftover(inspection->context, listing->unnamed[i]);
    for (size_t i = 0; i < listing->temporary_count; i++)
        inspection->leftover(inspection->context, listing->temporary[i]);
}

enum err listing_remove(struct recovery *recovery, struct listing *listing)
{
    struct disk *disk = &recovery->storage->disk;
    enum err err = ERR_NONE;
    for (size_t i = 0; !err && recovery->has_manifest && i < listing->unnamed_count; i++)
        err = recovery_cannot(recovery, "cannot remove", listing->unnamed[i],
                              disk->remove(disk->context, listing->unnamed[i]));
    for (size_t i = 0; !err && i < listing->temporary_count; i++)
        err = recovery_cannot(recovery, "cannot remove", listing->temporary[i],
                              disk->remove(disk->context, listing->temporary[i]));
    return err;
}

void listing_close(struct listing *listing)
{
    for (size_t i = 0; i < listing->unnamed_count; i++)
        mem_free(listing->unnamed[i]);
    for (size_t i = 0; i < listing->temporary_count; i++)
        mem_free(listing->temporary[i]);
    mem_free(listing->unnamed);
    mem_free(listing->temporary);
}
