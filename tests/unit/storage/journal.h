/* A journal of all that a disk in memory is told to do, and what a power loss can leave of it.
 *
 * A file keeps what was synced. Of what was written since, any 512-byte sectors are as they were
 * (zeros where there were none), and its size is anything in between. A
 * folder keeps its names as they were synced; each later name or removal may be there or not. */
#ifndef FLOTILLA_TESTS_UNIT_STORAGE_JOURNAL_H
#define FLOTILLA_TESTS_UNIT_STORAGE_JOURNAL_H

#include "unit/storage/fake.h"

enum { SECTOR = 512, JOURNAL_MAX = 4096 };

struct random {
    uint64_t state;
};

/* Who decides in the place of chance; its false leaves it to chance. NULL: nobody. */
static bool (*random_decide)(const struct random *random, uint64_t *value);

/* splitmix64 */
static inline uint64_t random_next(struct random *random)
{
    uint64_t decided;
    if (random_decide && random_decide(random, &decided))
        return decided;
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

static inline bool random_chance(struct random *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}

enum journal_kind {
    JOURNAL_CREATE,   /* `path` is file `file` */
    JOURNAL_WRITE,    /* `bytes` to `file` from `offset` on */
    JOURNAL_TRUNCATE, /* `file` to `size`, synced */
    JOURNAL_REPLACE,  /* `path` is a new file `file` of `bytes`, all synced */
    JOURNAL_RENAME,   /* `path` to `to`, synced */
    JOURNAL_REMOVE,   /* `path` */
    JOURNAL_FOLDER,   /* the folder is synced */
};

/* Files are numbered by their place on the fake disk. */
struct journal_op {
    enum journal_kind kind;
    size_t file;
    char *path;
    char *to;
    struct buf bytes;
    uint64_t offset;
    uint64_t size;
    bool sync;
    size_t states;  /* of the log, that existed when it was told */
    size_t durable; /* the newest of them that is durable when it is done; 0: says nothing */
};

struct journal {
    struct journal_op ops[JOURNAL_MAX];
    size_t count;
};

static inline char *copy_text(const char *text)
{
    char *copy = mem_alloc(strlen(text) + 1);
    strcpy(copy, text);
    return copy;
}

static inline struct journal_op *journal_add(struct journal *journal, enum journal_kind kind)
{
    assert_true(journal->count < JOURNAL_MAX);
    struct journal_op *op = &journal->ops[journal->count++];
    *op = (struct journal_op){.kind = kind};
    return op;
}

static inline void journal_close(struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        mem_free(journal->ops[i].path);
        mem_free(journal->ops[i].to);
        buf_close(&journal->ops[i].bytes);
    }
    journal->count = 0;
}

/* ---- what is on the disk after the first operations ---- */

struct platter_file {
    struct buf bytes;
    struct buf synced; /* as it was then */
};

struct platter_name {
    char path[512];
    int now;    /* the file, -1: none */
    int synced; /* the same when the folder was synced last */
};

struct platter {
    struct platter_file files[FILES_MAX];
    struct platter_name names[FILES_MAX];
    size_t name_count;
};

static inline struct platter_name *platter_name(struct platter *platter, const char *path)
{
    for (size_t i = 0; i < platter->name_count; i++)
        if (strcmp(platter->names[i].path, path) == 0)
            return &platter->names[i];
    assert_true(platter->name_count < FILES_MAX);
    struct platter_name *name = &platter->names[platter->name_count++];
    *name = (struct platter_name){.now = -1, .synced = -1};
    snprintf(name->path, sizeof name->path, "%s", path);
    return name;
}

static inline void platter_sync_folder(struct platter *platter)
{
    for (size_t i = 0; i < platter->name_count; i++)
        platter->names[i].synced = platter->names[i].now;
}

static inline void platter_sync(struct platter_file *file)
{
    file->synced.len = 0;
    buf_add_span(&file->synced, buf_span(&file->bytes));
}

/* What the operation does before anything of it is synced. A replaced file is written beforehand
 * under another name. */
static inline void platter_begin(struct platter *platter, const struct journal_op *op)
{
    struct platter_file *file = &platter->files[op->file];
    switch (op->kind) {
    case JOURNAL_CREATE:
        platter_name(platter, op->path)->now = (int)op->file;
        break;
    case JOURNAL_WRITE:
        if (op->bytes.len)
            fake_write(&file->bytes, op->offset, op->bytes.ptr, op->bytes.len);
        break;
    case JOURNAL_TRUNCATE:
        file->bytes.len = (size_t)op->size;
        if (file->synced.len > file->bytes.len)
            file->synced.len = file->bytes.len;
        break;
    case JOURNAL_REPLACE:
        buf_add_span(&file->bytes, buf_span(&op->bytes));
        platter_sync(file);
        platter_name(platter, op->path)->now = (int)op->file;
        break;
    case JOURNAL_RENAME:
        break;
    case JOURNAL_REMOVE:
        platter_name(platter, op->path)->now = -1;
        break;
    case JOURNAL_FOLDER:
        break;
    }
}

static inline void platter_end(struct platter *platter, const struct journal_op *op)
{
    struct platter_file *file = &platter->files[op->file];
    switch (op->kind) {
    case JOURNAL_CREATE:
    case JOURNAL_REMOVE:
        break;
    case JOURNAL_WRITE:
        if (op->sync)
            platter_sync(file);
        break;
    case JOURNAL_TRUNCATE:
        platter_sync(file);
        break;
    case JOURNAL_RENAME: {
        int moved = platter_name(platter, op->path)->now;
        assert_int_not_equal(moved, -1);
        platter_name(platter, op->path)->now = -1;
        platter_name(platter, op->to)->now = moved;
        platter_sync_folder(platter);
        break;
    }
    case JOURNAL_REPLACE:
    case JOURNAL_FOLDER:
        platter_sync_folder(platter);
        break;
    }
}

static inline void platter_close(struct platter *platter)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        buf_close(&platter->files[i].bytes), buf_close(&platter->files[i].synced);
}

/* ---- a power loss ---- */

/* How much the power loss takes. */
struct loss {
    struct random random;
    int whole_file; /* of this one exactly `whole_size` bytes are left, -1: of none */
    size_t whole_size;
    unsigned lost_percent; /* of the sectors that were not synced, and of changes of names */
    bool short_files;      /* sizes may be anything in between */
};

static inline bool sector_differs(const struct platter_file *file, size_t at, size_t len)
{
    return at + len > file->synced.len ||
           memcmp(file->bytes.ptr + at, file->synced.ptr + at, len) != 0;
}

static inline void lose_sectors(struct loss *loss, const struct platter_file *file,
                                struct buf *left)
{
    for (size_t at = 0; at < left->len; at += SECTOR) {
        size_t len = left->len - at < SECTOR ? left->len - at : SECTOR;
        if (!sector_differs(file, at, len) || !random_chance(&loss->random, loss->lost_percent))
            continue;
        for (size_t i = at; i < at + len; i++)
            left->ptr[i] = i < file->synced.len ? file->synced.ptr[i] : 0;
    }
}

static inline bool is_synced(const struct platter_file *file)
{
    return span_equal(buf_span(&file->bytes), buf_span(&file->synced));
}

static inline void lose_bytes(struct loss *loss, int number, const struct platter_file *file,
                              struct buf *left)
{
    buf_add_span(left, buf_span(&file->bytes));
    if (number == loss->whole_file) {
        left->len = loss->whole_size;
        return;
    }
    if (is_synced(file))
        return;
    if (loss->short_files && random_chance(&loss->random, 50))
        left->len = file->synced.len +
                    (size_t)random_below(&loss->random, left->len - file->synced.len + 1);
    lose_sectors(loss, file, left);
}

/* The disk that the next start finds. */
static inline void platter_lose(const struct platter *platter, struct loss *loss, struct node *node)
{
    node_init(node);
    for (size_t i = 0; i < platter->name_count; i++) {
        const struct platter_name *name = &platter->names[i];
        int number = name->now;
        if (number != name->synced && random_chance(&loss->random, loss->lost_percent))
            number = name->synced;
        if (number >= 0)
            lose_bytes(loss, number, &platter->files[number],
                       &fake_make(&node->fake, name->path)->bytes);
    }
    node->fake.changes = 0;
}

#endif
