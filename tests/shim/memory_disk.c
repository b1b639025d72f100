#include "shim/memory_disk.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static struct memory_file *find(const struct memory_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->count; i++)
        if (disk->files[i].path && strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}

struct buf *memory_disk_add(struct memory_disk *disk, const char *path)
{
    if (disk->count == disk->cap) {
        disk->cap = disk->cap ? disk->cap * 2 : 16;
        disk->files = mem_realloc(disk->files, disk->cap * sizeof *disk->files);
    }
    struct memory_file *file = &disk->files[disk->count++];
    *file = (struct memory_file){.path = mem_alloc(strlen(path) + 1)};
    strcpy(file->path, path);
    return &file->bytes;
}

void memory_disk_clear(struct memory_disk *disk)
{
    for (size_t i = 0; i < disk->count; i++) {
        mem_free(disk->files[i].path);
        buf_close(&disk->files[i].bytes);
    }
    mem_free(disk->files);
    *disk = (struct memory_disk){0};
}

static struct buf *bytes_of(void *context, int handle)
{
    struct memory_disk *disk = context;
    ASSERT(handle >= 0 && (size_t)handle < disk->count);
    return &disk->files[handle].bytes;
}

static enum err port_make_folder(void *context, const char *path)
{
    (void)context;
    (void)path;
    return ERR_NONE;
}

static enum err port_open(void *context, const char *path, bool create, int *handle)
{
    struct memory_disk *disk = context;
    const struct memory_file *file = find(disk, path);
    if (!file && !create)
        return ERR_NOT_FOUND;
    if (!file)
        memory_disk_add(disk, path);
    *handle = file ? (int)(file - disk->files) : (int)disk->count - 1;
    return ERR_NONE;
}

static void port_close(void *context, int handle)
{
    (void)bytes_of(context, handle);
}

static enum err port_size(void *context, int handle, uint64_t *size)
{
    *size = bytes_of(context, handle)->len;
    return ERR_NONE;
}

static enum err port_read(void *context, int handle, uint64_t offset, void *bytes, size_t len,
                          size_t *got)
{
    const struct buf *content = bytes_of(context, handle);
    size_t there = offset < content->len ? content->len - (size_t)offset : 0;
    *got = len < there ? len : there;
    if (*got)
        memcpy(bytes, content->ptr + offset, *got);
    return ERR_NONE;
}

static enum err port_truncate(void *context, int handle, uint64_t size)
{
    struct buf *content = bytes_of(context, handle);
    ASSERT(size <= content->len);
    content->len = (size_t)size;
    return ERR_NONE;
}

static enum err port_read_file(void *context, const char *path, struct buf *out)
{
    const struct memory_file *file = find(context, path);
    if (!file)
        return ERR_NOT_FOUND;
    buf_add_span(out, buf_span(&file->bytes));
    return ERR_NONE;
}

static enum err port_remove(void *context, const char *path)
{
    struct memory_file *file = find(context, path);
    if (file) {
        mem_free(file->path);
        file->path = NULL;
    }
    return ERR_NONE;
}

static enum err port_replace_file(void *context, const char *path, struct span bytes)
{
    enum err err = port_remove(context, path);
    buf_add_span(memory_disk_add(context, path), bytes);
    return err;
}

static enum err port_sync_folder(void *context, const char *path)
{
    (void)context;
    (void)path;
    return ERR_NONE;
}

static enum err port_list(void *context, const char *path, void (*add)(void *to, const char *name),
                          void *to)
{
    const struct memory_disk *disk = context;
    size_t len = strlen(path);
    for (size_t i = 0; i < disk->count; i++) {
        const char *name = disk->files[i].path;
        if (name && strncmp(name, path, len) == 0 && name[len] == '/')
            add(to, name + len + 1);
    }
    return ERR_NONE;
}

/* Nothing is queued by a start but what may as well be lost. */
static void port_queue(void *context, const struct disk_op *op)
{
    (void)context;
    struct disk_op dropped = *op;
    buf_close(&dropped.bytes);
    mem_free(dropped.path);
    mem_free(dropped.to);
}

static enum err port_image_begin(void *context, const char *path)
{
    (void)context;
    (void)path;
    return ERR_IO;
}

void memory_disk_port(struct memory_disk *disk, struct disk *port)
{
    *port = (struct disk){.context = disk,
                          .make_folder = port_make_folder,
                          .open = port_open,
                          .close = port_close,
                          .size = port_size,
                          .read = port_read,
                          .truncate = port_truncate,
                          .read_file = port_read_file,
                          .replace_file = port_replace_file,
                          .sync_folder = port_sync_folder,
                          .remove = port_remove,
                          .list = port_list,
                          .queue = port_queue,
                          .image_begin = port_image_begin};
}
