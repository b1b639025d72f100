/* Looks at a folder before anything is done to it. */
#include "base/mem.h"
#include "storage/internal.h"

/* A log without entries and votes is shorter than this. */
enum { BEGINNING_BYTES = 4096 };

struct names {
    const struct storage *storage;
    bool data; /* files other than those that a first start writes before the manifest */
};

static void judge_name(void *context, const char *name)
{
    struct names *names = context;
    const char *prefix = names->storage->options.append_filename;
    size_t len = strlen(prefix);
    char *first = storage_file_path(names->storage, FILE_SEGMENT, 1);
    char *vote = storage_file_path(names->storage, FILE_VOTE, 0);
    bool ours = strncmp(name, prefix, len) == 0 && name[len] == '.';
    if ((ours && strcmp(name, storage_file_name(first)) != 0) ||
        strcmp(name, storage_file_name(vote)) == 0)
        names->data = true;
    mem_free(first);
    mem_free(vote);
}

static enum err list_names(struct recovery *recovery, struct names *names)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    enum err err = disk->list(disk->context, storage->folder, judge_name, names);
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    return recovery_cannot(recovery, "cannot list folder", storage->folder, err);
}

/* Reads the beginning of the newest segment, and its size. */
static enum err read_beginning(struct recovery *recovery, char bytes[BEGINNING_BYTES], size_t *len,
                               uint64_t *size)
{
    struct storage *storage = recovery->storage;
    struct disk *disk = &storage->disk;
    char *path =
        storage_file_path(storage, FILE_SEGMENT, recovery->files[recovery->file_count - 1].seq);
    int file;
    *len = 0;
    enum err err = disk->open(disk->context, path, false, &file);
    if (!err) {
        err = disk->size(disk->context, file, size);
        if (!err)
            err = disk->read(disk->context, file, 0, bytes, BEGINNING_BYTES, len);
        disk->close(disk->context, file);
    }
    recovery_cannot(recovery, "cannot read", path, err);
    mem_free(path);
    return err;
}

/* The record is neither an entry nor a vote, and no entry precedes it. */
static bool says_nothing(const struct record *record)
{
    switch (record->kind) {
    case RECORD_ENTRY:
        return false;
    case RECORD_VOTE:
        return record->vote.term == 0;
    case RECORD_PREV:
        return record->prev.index == 0;
    case RECORD_IDENTITY:
    case RECORD_SYNC:
    case RECORD_HELD:
    case RECORD_SELECT:
        return true;
    }
    return false;
}

/* A folder with damage is not empty; recovery reports the damage. */
static void judge_records(struct storage_peek *peek, struct span bytes)
{
    peek->empty = true;
    while (bytes.len && peek->empty) {
        struct record record;
        if (record_parse(bytes, &record) != RECORD_OK) {
            peek->empty = false;
            return;
        }
        if (record.kind == RECORD_IDENTITY)
            peek->identity = record.identity;
        peek->empty = says_nothing(&record);
        bytes = span_of(bytes.ptr + record.bytes, bytes.len - record.bytes);
    }
}

static enum err judge_log(struct recovery *recovery, struct storage_peek *peek)
{
    char bytes[BEGINNING_BYTES];
    size_t len;
    uint64_t size;
    enum err err = read_beginning(recovery, bytes, &len, &size);
    if (err)
        return err;
    judge_records(peek, span_of(bytes, len));
    if (recovery->file_count > 1 || len < size)
        peek->empty = false;
    return ERR_NONE;
}

enum err storage_peek(const struct disk *disk, const struct storage_options *options,
                      struct storage_peek *peek, char message[512])
{
    struct storage *storage = mem_zalloc(sizeof *storage);
    storage->disk = *disk;
    storage->options = *options;
    storage->base_file = storage->image.file = storage->install.file = DISK_NO_FILE;
    storage->held.file = DISK_NO_FILE;
    *peek = (struct storage_peek){.empty = false};
    message[0] = '\0';
    struct recovery recovery = {.storage = storage, .message = message};
    enum err err = storage_name_folder(storage, message);
    if (!err)
        err = manifest_read(&recovery);
    struct names names = {.storage = storage};
    if (!err && recovery.has_manifest)
        err = judge_log(&recovery, peek);
    else if (!err)
        err = list_names(&recovery, &names);
    if (!err && !recovery.has_manifest)
        peek->empty = !names.data;
    mem_free(recovery.files);
    storage_close(storage);
    return err;
}
