#include "shim/platter.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* splitmix64 */
uint64_t platter_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- what happened ---- */

static struct platter_name *name_of(struct platter *platter, struct span path)
{
    for (size_t i = 0; i < platter->name_count; i++)
        if (span_equal(span_text(platter->names[i].path), path))
            return &platter->names[i];
    platter->names =
        mem_realloc(platter->names, (platter->name_count + 1) * sizeof *platter->names);
    struct platter_name *name = &platter->names[platter->name_count++];
    *name = (struct platter_name){.path = mem_alloc(path.len + 1), .now = -1, .synced = -1};
    memcpy(name->path, path.ptr, path.len);
    name->path[path.len] = '\0';
    return name;
}

static int add_file(struct platter *platter, uint64_t inode, bool is_folder)
{
    platter->files =
        mem_realloc(platter->files, (platter->file_count + 1) * sizeof *platter->files);
    platter->files[platter->file_count] =
        (struct platter_file){.inode = inode, .is_folder = is_folder};
    return (int)platter->file_count++;
}

/* The newest: numbers of removed files are used again. */
static struct platter_file *file_of(struct platter *platter, uint64_t inode)
{
    for (size_t i = platter->file_count; i-- > 0;)
        if (platter->files[i].inode == inode && !platter->files[i].is_folder)
            return &platter->files[i];
    return NULL;
}

static void set_size(struct buf *bytes, size_t size)
{
    if (size > bytes->len)
        memset(buf_reserve(bytes, size - bytes->len), 0, size - bytes->len);
    bytes->len = size;
}

static void write_at(struct buf *bytes, uint64_t offset, struct span data)
{
    size_t end = (size_t)offset + data.len;
    if (end > bytes->len)
        set_size(bytes, end);
    memcpy(bytes->ptr + offset, data.ptr, data.len);
}

static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static void sync_folder(struct platter *platter, struct span path)
{
    for (size_t i = 0; i < platter->name_count; i++) {
        struct platter_name *name = &platter->names[i];
        if (span_equal(span_of(name->path, folder_len(name->path)), path))
            name->synced = name->now;
    }
}

static void move(struct platter *platter, struct span from, struct span to)
{
    int moved = name_of(platter, from)->now;
    name_of(platter, from)->now = -1;
    name_of(platter, to)->now = moved;
}

static bool is_of_known_file(uint32_t kind)
{
    return kind == JOURNAL_WRITE || kind == JOURNAL_TRUNCATE || kind == JOURNAL_SYNC;
}

void platter_take(struct platter *platter, const struct record_head *head, struct span path,
                  struct span data)
{
    struct platter_file *file = head->kind == JOURNAL_CREATE ? NULL : file_of(platter, head->inode);
    /* A journal with holes proves nothing. */
    ASSERT(file || !is_of_known_file(head->kind));
    switch ((enum journal_event)head->kind) {
    case JOURNAL_CREATE: {
        int created = add_file(platter, head->inode, false);
        name_of(platter, path)->now = created;
        break;
    }
    case JOURNAL_WRITE:
        if (data.len)
            write_at(&file->now, head->number, data);
        break;
    case JOURNAL_TRUNCATE:
        set_size(&file->now, (size_t)head->number);
        break;
    case JOURNAL_SYNC:
        file->synced.len = 0;
        buf_add_span(&file->synced, buf_span(&file->now));
        break;
    case JOURNAL_SYNC_FOLDER:
        sync_folder(platter, path);
        break;
    case JOURNAL_RENAME:
        move(platter, path, data);
        break;
    case JOURNAL_UNLINK:
        name_of(platter, path)->now = -1;
        break;
    case JOURNAL_MKDIR: {
        int created = add_file(platter, 0, true);
        name_of(platter, path)->now = created;
        break;
    }
    }
}

void platter_close(struct platter *platter)
{
    for (size_t i = 0; i < platter->file_count; i++) {
        buf_close(&platter->files[i].now);
        buf_close(&platter->files[i].synced);
    }
    for (size_t i = 0; i < platter->name_count; i++)
        mem_free(platter->names[i].path);
    mem_free(platter->files);
    mem_free(platter->names);
    *platter = (struct platter){0};
}

/* ---- what is left of it ---- */

static bool is_named(const struct platter *platter, int file)
{
    for (size_t i = 0; i < platter->name_count; i++)
        if (platter->names[i].now == file || platter->names[i].synced == file)
            return true;
    return false;
}

static size_t longer(const struct platter_file *file)
{
    return file->now.len > file->synced.len ? file->now.len : file->synced.len;
}

static bool block_differs(const struct platter_file *file, size_t at, size_t bytes)
{
    size_t end = at + bytes < longer(file) ? at + bytes : longer(file);
    if (end > file->now.len || end > file->synced.len)
        return true;
    return memcmp(file->now.ptr + at, file->synced.ptr + at, end - at) != 0;
}

/* Only what was not synced may differ: nothing but a comparison finds it where a file was cut and
 * written again. */
static bool is_dirty(const struct platter_file *file)
{
    return file->now.len != file->synced.len ||
           (file->now.len && memcmp(file->now.ptr, file->synced.ptr, file->now.len) != 0);
}

size_t platter_dirty_blocks(const struct platter *platter, size_t block_bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < platter->file_count; i++) {
        const struct platter_file *file = &platter->files[i];
        if (!is_named(platter, (int)i) || !is_dirty(file))
            continue;
        for (size_t at = 0; at < longer(file); at += block_bytes)
            count += block_differs(file, at, block_bytes);
    }
    return count;
}

size_t platter_dirty_names(const struct platter *platter)
{
    size_t count = 0;
    for (size_t i = 0; i < platter->name_count; i++)
        count += platter->names[i].now != platter->names[i].synced;
    return count;
}

/* The block as it was when the file was synced. */
static void revert(const struct platter_file *file, size_t at, size_t bytes, struct buf *left)
{
    for (size_t i = at; i < at + bytes && i < left->len; i++)
        left->ptr[i] = i < file->synced.len ? file->synced.ptr[i] : 0;
}

static bool takes_block(struct loss *loss, size_t number)
{
    return loss->kind == LOSS_BLOCK ? number == loss->block
                                    : platter_random(&loss->random) % 100 < loss->percent;
}

static void choose_size(const struct platter_file *file, struct loss *loss, struct buf *left)
{
    size_t low = file->now.len < file->synced.len ? file->now.len : file->synced.len;
    if (platter_random(&loss->random) % 2)
        set_size(left, low + (size_t)(platter_random(&loss->random) % (longer(file) - low + 1)));
    if (left->len > file->now.len) /* the cut of the file is lost, not what was there */
        memcpy(left->ptr + file->now.len, file->synced.ptr + file->now.len,
               left->len - file->now.len);
}

static void lose_bytes(const struct platter_file *file, struct loss *loss, size_t *block,
                       struct buf *left)
{
    if (loss->kind == LOSS_ALL) {
        buf_add_span(left, buf_span(&file->synced));
        return;
    }
    buf_add_span(left, buf_span(&file->now));
    if (loss->kind == LOSS_NOTHING || !is_dirty(file))
        return;
    if (loss->kind == LOSS_SOME)
        choose_size(file, loss, left);
    for (size_t at = 0; at < longer(file); at += loss->block_bytes)
        if (block_differs(file, at, loss->block_bytes) && takes_block(loss, (*block)++))
            revert(file, at, loss->block_bytes, left);
}

/* The file of a name after the loss, -1: none. The choice is the same whoever asks. */
static int left_of(const struct platter_name *name, const struct loss *loss, size_t number)
{
    uint64_t random = loss->random + number * 0x2545f4914f6cdd1du;
    bool lost = loss->names_are_lost;
    if (loss->kind == LOSS_SOME)
        lost = platter_random(&random) % 100 < loss->percent;
    return lost ? name->synced : name->now;
}

static bool folders_are_left(const struct platter *platter, const struct loss *loss,
                             const char *path)
{
    for (size_t i = 0; i < platter->name_count; i++) {
        const struct platter_name *name = &platter->names[i];
        size_t len = strlen(name->path);
        if (strncmp(path, name->path, len) == 0 && path[len] == '/' && left_of(name, loss, i) < 0)
            return false;
    }
    return true;
}

void platter_lose(const struct platter *platter, struct loss *loss, const char *folder,
                  struct memory_disk *left)
{
    size_t block = 0;
    const struct loss names = *loss;
    size_t len = strlen(folder);
    for (size_t i = 0; i < platter->name_count; i++) {
        const struct platter_name *name = &platter->names[i];
        int number = left_of(name, &names, i);
        if (number < 0 || strncmp(name->path, folder, len) != 0 || name->path[len] != '/' ||
            platter->files[number].is_folder || !folders_are_left(platter, &names, name->path))
            continue;
        lose_bytes(&platter->files[number], loss, &block, memory_disk_add(left, name->path));
    }
}
