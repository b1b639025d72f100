/* A disk in memory with one storage on it. What is queued is carried out when the test says so, any
 * call can be made to fail, and a crash keeps what was carried out. */
#ifndef FLOTILLA_TESTS_UNIT_STORAGE_FAKE_H
#define FLOTILLA_TESTS_UNIT_STORAGE_FAKE_H

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "storage/storage.h"
#include "unit/support/test.h"

enum { FILES_MAX = 128, QUEUE_MAX = 512, HANDLES_MAX = 256 };

#define FOLDER    "data/shard-0"
#define LOG       FOLDER "/appendonlydir/appendonly.aof.1.incr.aof"
#define MANIFEST  FOLDER "/appendonlydir/appendonly.aof.manifest"
#define VOTE_FILE FOLDER "/appendonlydir/raft.vote"
#define HELD_FILE FOLDER "/appendonlydir/raft.synced"

struct fake_file {
    char path[512]; /* empty: removed, maybe still open */
    struct buf bytes;
};

struct fake {
    struct fake_file files[FILES_MAX];
    size_t file_count;
    int handles[HANDLES_MAX]; /* position of the file, -1: closed */
    int handle_count;
    struct disk_op queued[QUEUE_MAX];
    size_t queued_count;
    unsigned calls;
    unsigned fail_at; /* this call and all after it fail; 0: none */
    unsigned reads;
    unsigned changes;   /* of files */
    bool image_running; /* begun, and its end not told yet */
    bool image_ended;
    bool image_kept;
    unsigned image_pieces; /* whose completions were not told yet */
    char image_path[512];
    uint64_t free_bytes; /* what a measurement says */
    size_t now_max;      /* what fake_write_now() takes; 0: everything */
};

struct node {
    struct fake fake;
    struct disk port;
    struct storage_options options;
    struct storage *storage;
    struct storage_recovered recovered;
    struct buf seen;   /* "index/term " for each entry visited */
    struct buf loaded; /* the snapshot */
    unsigned loads_ended;
    uint64_t progress;
    uint64_t progress_total;
    const char *load_error; /* what the end of the snapshot meets; NULL: nothing */
    struct log log;
    struct buf logged;
    enum err err;
    char message[512];
    uint64_t completed;
};

static inline struct fake_file *fake_find(struct fake *fake, const char *path)
{
    for (size_t i = 0; i < fake->file_count; i++)
        if (strcmp(fake->files[i].path, path) == 0)
            return &fake->files[i];
    return NULL;
}

static inline struct fake_file *fake_make(struct fake *fake, const char *path)
{
    struct fake_file *file = fake_find(fake, path);
    if (file)
        return file;
    assert_true(fake->file_count < FILES_MAX);
    file = &fake->files[fake->file_count++];
    snprintf(file->path, sizeof file->path, "%s", path);
    fake->changes++;
    return file;
}

static inline bool fake_fails(struct fake *fake)
{
    fake->calls++;
    return fake->fail_at && fake->calls >= fake->fail_at;
}

static inline struct buf *fake_bytes(struct fake *fake, int handle)
{
    assert_in_range(handle, 0, fake->handle_count - 1);
    assert_int_not_equal(fake->handles[handle], -1);
    return &fake->files[fake->handles[handle]].bytes;
}

static inline enum err fake_make_folder(void *context, const char *path)
{
    assert_non_null(strstr(path, "/appendonlydir"));
    return fake_fails(context) ? ERR_DENIED : ERR_NONE;
}

static inline enum err fake_open(void *context, const char *path, bool create, int *handle)
{
    struct fake *fake = context;
    if (fake_fails(fake))
        return ERR_DENIED;
    struct fake_file *file = create ? fake_make(fake, path) : fake_find(fake, path);
    if (!file)
        return ERR_NOT_FOUND;
    assert_true(fake->handle_count < HANDLES_MAX);
    *handle = fake->handle_count++;
    fake->handles[*handle] = (int)(file - fake->files);
    return ERR_NONE;
}

static inline void fake_close_handle(void *context, int handle)
{
    struct fake *fake = context;
    fake_bytes(fake, handle); /* asserts that it is open */
    fake->handles[handle] = -1;
}

static inline enum err fake_size(void *context, int handle, uint64_t *size)
{
    struct fake *fake = context;
    *size = fake_bytes(fake, handle)->len;
    return fake_fails(fake) ? ERR_IO : ERR_NONE;
}

/* Never more than 1000 bytes at a time: a short read is no end. */
static inline enum err fake_read(void *context, int handle, uint64_t offset, void *bytes,
                                 size_t len, size_t *got)
{
    struct fake *fake = context;
    const struct buf *content = fake_bytes(fake, handle);
    if (fake_fails(fake))
        return ERR_IO;
    fake->reads++;
    size_t there = offset < content->len ? content->len - (size_t)offset : 0;
    *got = len < there ? len : there;
    if (*got > 1000)
        *got = 1000;
    if (*got)
        memcpy(bytes, content->ptr + offset, *got);
    return ERR_NONE;
}

static inline void fake_cut(struct fake *fake, struct buf *content, uint64_t size)
{
    assert_true(size <= content->len);
    if (size < content->len)
        fake->changes++;
    content->len = (size_t)size;
}

static inline enum err fake_truncate(void *context, int handle, uint64_t size)
{
    struct fake *fake = context;
    struct buf *content = fake_bytes(fake, handle);
    if (fake_fails(fake))
        return ERR_IO;
    fake_cut(fake, content, size);
    return ERR_NONE;
}

static inline enum err fake_read_file(void *context, const char *path, struct buf *out)
{
    struct fake *fake = context;
    if (fake_fails(fake))
        return ERR_IO;
    struct fake_file *file = fake_find(fake, path);
    if (!file)
        return ERR_NOT_FOUND;
    buf_add_span(out, buf_span(&file->bytes));
    return ERR_NONE;
}

static inline void fake_unlink(struct fake *fake, const char *path)
{
    struct fake_file *file = fake_find(fake, path);
    if (!file)
        return;
    file->path[0] = '\0';
    fake->changes++;
}

static inline void fake_replace(struct fake *fake, const char *path, struct span bytes)
{
    fake_unlink(fake, path); /* who has the old file open keeps it */
    buf_add_span(&fake_make(fake, path)->bytes, bytes);
}

static inline enum err fake_replace_file(void *context, const char *path, struct span bytes)
{
    struct fake *fake = context;
    if (fake_fails(fake))
        return ERR_NO_SPACE;
    fake_replace(fake, path, bytes);
    return ERR_NONE;
}

static inline enum err fake_sync_folder(void *context, const char *path)
{
    assert_non_null(strstr(path, "/appendonlydir"));
    return fake_fails(context) ? ERR_IO : ERR_NONE;
}

static inline enum err fake_remove(void *context, const char *path)
{
    if (fake_fails(context))
        return ERR_DENIED;
    fake_unlink(context, path);
    return ERR_NONE;
}

static inline enum err fake_list(void *context, const char *path,
                                 void (*add)(void *to, const char *name), void *to)
{
    struct fake *fake = context;
    if (fake_fails(fake))
        return ERR_IO;
    size_t len = strlen(path);
    for (size_t i = 0; i < fake->file_count; i++)
        if (strncmp(fake->files[i].path, path, len) == 0 && fake->files[i].path[len] == '/')
            add(to, fake->files[i].path + len + 1);
    return ERR_NONE;
}

/* An image that somebody wrote. */
static inline void fake_put_image(struct fake *fake, const char *path, struct span bytes)
{
    struct buf *content = &fake_make(fake, path)->bytes;
    content->len = 0;
    buf_add_span(content, bytes);
}

static inline enum err fake_image_begin(void *context, const char *path)
{
    struct fake *fake = context;
    if (fake->image_running)
        return ERR_BUSY;
    if (fake_fails(fake))
        return ERR_IO;
    fake->image_running = true;
    fake->image_ended = false;
    fake->image_pieces = 0;
    fake_put_image(fake, path, span_of("", 0));
    snprintf(fake->image_path, sizeof fake->image_path, "%s", path);
    return ERR_NONE;
}

/* What is written is there at once; the completions are the test's to give. */
static inline void fake_image_write(void *context, struct buf *bytes)
{
    struct fake *fake = context;
    assert_true(fake->image_running && !fake->image_ended);
    struct fake_file *file = fake_find(fake, fake->image_path);
    if (file)
        buf_add_span(&file->bytes, buf_span(bytes));
    buf_close(bytes);
    fake->image_pieces++;
}

static inline void fake_image_end(void *context, bool keep)
{
    struct fake *fake = context;
    assert_true(fake->image_running && !fake->image_ended);
    fake->image_ended = true;
    fake->image_kept = keep;
}

/* What is behind the end of the file does not exist: a write begins there or before. */
static inline void fake_write(struct buf *content, uint64_t offset, const char *bytes, size_t len)
{
    assert_true(offset <= content->len);
    size_t over = content->len - (size_t)offset < len ? content->len - (size_t)offset : len;
    if (over)
        memcpy(content->ptr + offset, bytes, over);
    if (len > over)
        buf_add(content, bytes + over, len - over);
}

static inline void fake_queue(void *context, const struct disk_op *op)
{
    struct fake *fake = context;
    assert_true(fake->queued_count < QUEUE_MAX);
    fake->queued[fake->queued_count++] = *op;
}

/* Takes `now_max` bytes at a time. Of no port by default. */
static inline bool fake_write_now(void *context, struct disk_op *op)
{
    struct fake *fake = context;
    if (fake->queued_count)
        return false;
    size_t len = op->bytes.len;
    if (fake->now_max && len > fake->now_max)
        len = fake->now_max;
    fake_write(fake_bytes(fake, op->file), op->offset, op->bytes.ptr, len);
    buf_consume(&op->bytes, len);
    op->offset += len;
    return op->bytes.len == 0;
}

static inline void fake_rename(struct fake *fake, const char *path, const char *to)
{
    struct fake_file *file = fake_find(fake, path);
    assert_non_null(file);
    fake_unlink(fake, to);
    snprintf(file->path, sizeof file->path, "%s", to);
}

static inline void fake_free_op(struct disk_op *op)
{
    buf_close(&op->bytes);
    mem_free(op->path);
    mem_free(op->to);
}

static inline void fake_carry_out(struct fake *fake, struct disk_op *op)
{
    switch (op->kind) {
    case DISK_WRITE:
        if (op->bytes.len && (!op->optional || op->offset <= fake_bytes(fake, op->file)->len))
            fake_write(fake_bytes(fake, op->file), op->offset, op->bytes.ptr, op->bytes.len);
        break;
    case DISK_TRUNCATE:
        fake_cut(fake, fake_bytes(fake, op->file), op->size);
        break;
    case DISK_REPLACE:
        fake_replace(fake, op->path, buf_span(&op->bytes));
        break;
    case DISK_RENAME:
        fake_rename(fake, op->path, op->to);
        break;
    case DISK_REMOVE:
        if (op->file != DISK_NO_FILE)
            fake_close_handle(fake, op->file);
        fake_unlink(fake, op->path);
        break;
    case DISK_SYNC_FOLDER:
    case DISK_MEASURE:
        break;
    }
    fake_free_op(op);
    *op = (struct disk_op){.kind = DISK_SYNC_FOLDER};
}

/* What the completion of an operation says. */
static inline struct disk_completion fake_completion(struct fake *fake, const struct disk_op *op)
{
    return (struct disk_completion){
        .ticket = op->ticket,
        .sync_us = 1,
        .left_out =
            op->optional && (!op->bytes.len || op->offset > fake_bytes(fake, op->file)->len),
        .measured = op->kind == DISK_MEASURE,
        .free_bytes = fake->free_bytes};
}

/* The process that queued them is gone, and its open files with it. */
static inline void fake_drop(struct fake *fake, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fake->queued[i].kind == DISK_REMOVE && fake->queued[i].file != DISK_NO_FILE)
            fake_close_handle(fake, fake->queued[i].file);
        fake_free_op(&fake->queued[i]);
    }
    fake->queued_count -= count;
    memmove(fake->queued, fake->queued + count, fake->queued_count * sizeof *fake->queued);
}

/* Carries out the first `count` operations; the storage hears of each. */
static inline void node_run(struct node *node, size_t count)
{
    struct fake *fake = &node->fake;
    assert_true(count <= fake->queued_count);
    for (; count; count--) {
        struct disk_completion completion = fake_completion(fake, &fake->queued[0]);
        fake_carry_out(fake, &fake->queued[0]);
        fake->queued[0].file = DISK_NO_FILE;
        fake_drop(fake, 1);
        if (completion.ticket) {
            assert_true(completion.ticket > node->completed);
            node->completed = completion.ticket;
        }
        storage_completed(node->storage, &completion);
    }
}

static inline void node_run_all(struct node *node)
{
    node_run(node, node->fake.queued_count);
}

static inline void node_flush(struct node *node)
{
    storage_flush(node->storage);
    node_run_all(node);
}

static inline void node_visit(void *context, const struct entry *entry)
{
    struct node *node = context;
    buf_printf(&node->seen, "%llu/%llu ", (unsigned long long)entry->index,
               (unsigned long long)entry->term);
}

static inline void node_progress(void *context, uint64_t bytes, uint64_t total)
{
    struct node *node = context;
    assert_true(bytes > node->progress && bytes <= total);
    assert_true(node->progress_total == 0 || node->progress_total == total);
    node->progress = bytes;
    node->progress_total = total;
}

static inline enum err node_load(void *context, struct span piece, char *message)
{
    struct node *node = context;
    assert_int_equal(node->loads_ended, 0);
    assert_int_equal(node->seen.len, 0);
    buf_add_span(&node->loaded, piece);
    node->loads_ended += piece.len == 0;
    if (piece.len || !node->load_error)
        return ERR_NONE;
    snprintf(message, 512, "%s", node->load_error);
    return ERR_CORRUPT;
}

static inline void node_log(void *context, enum log_level level, const char *line)
{
    struct node *node = context;
    assert_int_equal(level, LOG_WARNING);
    buf_printf(&node->logged, "%s\n", line);
}

static const char cluster_one[] = "1111111111111111111111111111111111111111";
static const char cluster_two[] = "2222222222222222222222222222222222222222";

static inline void node_init(struct node *node)
{
    *node = (struct node){
        .port = {.make_folder = fake_make_folder,
                 .open = fake_open,
                 .close = fake_close_handle,
                 .size = fake_size,
                 .read = fake_read,
                 .truncate = fake_truncate,
                 .read_file = fake_read_file,
                 .replace_file = fake_replace_file,
                 .sync_folder = fake_sync_folder,
                 .remove = fake_remove,
                 .list = fake_list,
                 .queue = fake_queue,
                 .image_begin = fake_image_begin,
                 .image_write = fake_image_write,
                 .image_end = fake_image_end},
        .options = {.folder = FOLDER,
                    .append_folder = "appendonlydir",
                    .append_filename = "appendonly.aof",
                    .sync = STORAGE_SYNC_ALWAYS,
                    .cache_bytes_max = 1 << 20},
    };
    node->port.context = &node->fake;
    node->options.identity.node_id = 1;
    memcpy(node->options.identity.cluster_id, cluster_one, sizeof cluster_one);
}

/* What is still queued is lost. */
static inline void node_crash(struct node *node)
{
    storage_close(node->storage);
    node->storage = NULL;
    fake_drop(&node->fake, node->fake.queued_count);
    for (int i = 0; i < node->fake.handle_count; i++)
        assert_int_equal(node->fake.handles[i], -1);
    node->fake.handle_count = 0;
    node->fake.image_running = false;
    node->logged.len = 0;
    node->completed = 0;
}

static inline enum err node_try_start(struct node *node)
{
    node->log = (struct log){LOG_WARNING, node_log, node};
    node->options.log = &node->log;
    memset(node->message, 'x', sizeof node->message);
    node->seen.len = node->loaded.len = node->loads_ended = 0;
    const struct storage_visitor visitor = {node, node_load, node_visit, node_progress};
    node->progress = node->progress_total = 0;
    node->err = storage_open(&node->port, &node->options, &visitor, &node->storage,
                             &node->recovered, node->message);
    assert_non_null(memchr(node->message, '\0', sizeof node->message));
    assert_null(strchr(node->message, '\n'));
    assert_int_equal(node->err == ERR_NONE, node->storage != NULL);
    assert_int_equal(node->err == ERR_NONE, node->message[0] == '\0');
    return node->err;
}

static inline void node_start(struct node *node)
{
    if (node_try_start(node))
        fail_msg("%s", node->message);
}

static inline void node_restart(struct node *node)
{
    node_crash(node);
    node_start(node);
}

static inline void node_close(struct node *node)
{
    node_crash(node);
    for (size_t i = 0; i < node->fake.file_count; i++)
        buf_close(&node->fake.files[i].bytes);
    buf_close(&node->seen);
    buf_close(&node->loaded);
    buf_close(&node->logged);
}

/* The same files on another disk, nothing open. */
static inline void node_copy(struct node *copy, const struct node *node)
{
    node_init(copy);
    for (size_t i = 0; i < node->fake.file_count; i++) {
        if (node->fake.files[i].path[0] == '\0')
            continue;
        struct fake_file *file = fake_make(&copy->fake, node->fake.files[i].path);
        buf_add_span(&file->bytes, buf_span(&node->fake.files[i].bytes));
    }
    copy->options.segment_bytes_max = node->options.segment_bytes_max;
    copy->fake.changes = 0;
}

static inline bool node_same_files(const struct node *a, const struct node *b)
{
    if (a->fake.file_count != b->fake.file_count)
        return false;
    for (size_t i = 0; i < a->fake.file_count; i++)
        if (strcmp(a->fake.files[i].path, b->fake.files[i].path) != 0 ||
            !span_equal(buf_span(&a->fake.files[i].bytes), buf_span(&b->fake.files[i].bytes)))
            return false;
    return true;
}

static inline struct buf *node_file(struct node *node, const char *path)
{
    struct fake_file *file = fake_find(&node->fake, path);
    assert_non_null(file);
    return &file->bytes;
}

/* The record of "SET k <index>.<term>.<filler>". */
static inline void encode_set(struct buf *out, uint64_t index, uint64_t term, size_t filler)
{
    struct buf value = {0};
    buf_printf(&value, "%llu.%llu.", (unsigned long long)index, (unsigned long long)term);
    memset(buf_reserve(&value, filler), 'f', filler);
    value.len += filler;
    const struct span args[] = {SPAN("SET"), SPAN("k"), buf_span(&value)};
    struct entry entry = {.index = index, .term = term, .kind = ENTRY_COMMAND, .time_ms = 1};
    entry_encode_command(out, &entry, args, 3);
    buf_close(&value);
}

static inline void node_append_sized(struct node *node, uint64_t index, uint64_t term,
                                     size_t filler)
{
    struct buf bytes = {0};
    encode_set(&bytes, index, term, filler);
    struct record record;
    assert_int_equal(record_parse(buf_span(&bytes), &record), RECORD_OK);
    storage_append(node->storage, &record.entry, 1);
    buf_close(&bytes);
}

static inline void node_append(struct node *node, uint64_t index, uint64_t term)
{
    node_append_sized(node, index, term, 3);
}

static inline void node_vote(struct node *node, uint64_t term, uint64_t voted_for)
{
    storage_vote(node->storage, (struct vote_record){.term = term, .node = voted_for});
}

static inline void assert_seen(const struct node *node, const char *expected)
{
    if (!span_equal(buf_span(&node->seen), span_text(expected)))
        fail_msg("recovered '%.*s', expected '%s'", (int)node->seen.len, node->seen.ptr, expected);
}

static inline void assert_vote(const struct node *node, uint64_t term, uint64_t voted_for)
{
    assert_int_equal(node->recovered.vote.term, term);
    assert_int_equal(node->recovered.vote.node, voted_for);
}

static inline void assert_refused(struct node *node, enum err err, const char *says)
{
    assert_int_equal(node_try_start(node), err);
    if (!strstr(node->message, says))
        fail_msg("'%s' does not say '%s'", node->message, says);
}

#endif
