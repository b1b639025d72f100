#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/sim.h"

static struct sim_file *find_file(struct sim_disk *disk, const char *path)
{
    for (int i = 0; i < SIM_FILES_MAX; i++)
        if (disk->files[i].used && strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}

static struct sim_file *create_file(struct sim_disk *disk, const char *path)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        struct sim_file *file = &disk->files[i];
        if (file->used)
            continue;
        *file = (struct sim_file){.used = true};
        snprintf(file->path, sizeof file->path, "%s", path);
        return file;
    }
    sim_fail(disk->sim, "the simulated disk has no room for file '%s'", path);
}

static enum err disk_make_folder(void *context, const char *path)
{
    (void)context;
    (void)path;
    return ERR_NONE;
}

static enum err disk_open(void *context, const char *path, bool create, int *handle)
{
    struct sim_disk *disk = context;
    struct sim_file *file = find_file(disk, path);
    if (!file && !create)
        return ERR_NOT_FOUND;
    if (!file)
        file = create_file(disk, path);
    *handle = (int)(file - disk->files);
    return ERR_NONE;
}

static void disk_close(void *context, int handle)
{
    (void)context;
    (void)handle;
}

static enum err disk_size(void *context, int handle, uint64_t *size)
{
    struct sim_disk *disk = context;
    *size = disk->files[handle].bytes.len;
    return ERR_NONE;
}

static enum err disk_read(void *context, int handle, uint64_t offset, void *bytes, size_t len,
                          size_t *got)
{
    struct sim_disk *disk = context;
    const struct buf *content = &disk->files[handle].bytes;
    size_t there = offset < content->len ? content->len - (size_t)offset : 0;
    *got = there < len ? there : len;
    if (*got)
        memcpy(bytes, content->ptr + offset, *got);
    return ERR_NONE;
}

static void cut_file(struct sim_file *file, size_t size)
{
    if (size < file->bytes.len)
        file->bytes.len = size;
    file->synced = file->bytes.len;
}

static enum err disk_truncate(void *context, int handle, uint64_t size)
{
    struct sim_disk *disk = context;
    cut_file(&disk->files[handle], (size_t)size);
    return ERR_NONE;
}

static enum err disk_read_file(void *context, const char *path, struct buf *out)
{
    struct sim_file *file = find_file(context, path);
    if (!file)
        return ERR_NOT_FOUND;
    buf_add_span(out, buf_span(&file->bytes));
    return ERR_NONE;
}

static enum err disk_replace_file(void *context, const char *path, struct span bytes)
{
    struct sim_disk *disk = context;
    struct sim_file *file = find_file(disk, path);
    if (!file)
        file = create_file(disk, path);
    file->bytes.len = 0;
    buf_add_span(&file->bytes, bytes);
    file->synced = file->bytes.len;
    return ERR_NONE;
}

static enum err disk_sync_folder(void *context, const char *path)
{
    (void)context;
    (void)path;
    return ERR_NONE;
}

static void disk_queue(void *context, const struct disk_op *op)
{
    struct sim_disk *disk = context;
    struct sim *sim = disk->sim;
    bool syncs = op->kind != DISK_APPEND || op->sync;
    /* What is queued while the disk is busy shares the next sync. */
    bool joins = disk->group_starts_us > sim->now_us;
    if (syncs && !joins) {
        disk->group_starts_us =
            disk->busy_until_us > sim->now_us ? disk->busy_until_us : sim->now_us;
        disk->busy_until_us = disk->group_starts_us + sim_between(sim, 1, sim->profile.sync_us_max);
    }
    if (disk->busy_until_us < sim->now_us)
        disk->busy_until_us = sim->now_us;
    if (disk->pending_count == disk->pending_cap) {
        disk->pending_cap = disk->pending_cap ? disk->pending_cap * 2 : 16;
        disk->pending = mem_realloc(disk->pending, disk->pending_cap * sizeof *disk->pending);
    }
    struct sim_disk_op *pending = &disk->pending[disk->pending_count++];
    *pending = (struct sim_disk_op){.op = *op};
    if (op->path)
        snprintf(pending->path, sizeof pending->path, "%s", op->path);
    sim_push(sim, (struct sim_event){.at_us = disk->busy_until_us,
                                     .type = SIM_DISK_DONE,
                                     .node = disk->node,
                                     .incarnation = disk->incarnation});
}

void sim_disk_port(struct sim_disk *disk, struct disk *port)
{
    *port = (struct disk){.context = disk,
                          .make_folder = disk_make_folder,
                          .open = disk_open,
                          .close = disk_close,
                          .size = disk_size,
                          .read = disk_read,
                          .truncate = disk_truncate,
                          .read_file = disk_read_file,
                          .replace_file = disk_replace_file,
                          .sync_folder = disk_sync_folder,
                          .queue = disk_queue};
}

static void carry_out(struct sim_disk *disk, const struct sim_disk_op *pending, size_t len)
{
    const struct disk_op *op = &pending->op;
    switch (op->kind) {
    case DISK_APPEND:
        buf_add(&disk->files[op->file].bytes, op->bytes.ptr, len);
        return;
    case DISK_TRUNCATE:
        cut_file(&disk->files[op->file], (size_t)op->size);
        return;
    case DISK_REPLACE:
        disk_replace_file(disk, pending->path, buf_span(&op->bytes));
        return;
    }
}

struct disk_completion sim_disk_complete(struct sim_disk *disk)
{
    struct sim_disk_op *first = &disk->pending[0];
    carry_out(disk, first, first->op.bytes.len);
    if (first->op.kind == DISK_APPEND && first->op.sync)
        disk->files[first->op.file].synced = disk->files[first->op.file].bytes.len;
    struct disk_completion completion = {.ticket = first->op.ticket, .sync_us = 1};
    buf_close(&first->op.bytes);
    memmove(first, first + 1, --disk->pending_count * sizeof *first);
    return completion;
}

void sim_disk_crash(struct sim_disk *disk, bool power_loss)
{
    struct sim *sim = disk->sim;
    size_t whole = (size_t)sim_between(sim, 0, disk->pending_count);
    for (size_t i = 0; i < disk->pending_count; i++) {
        struct sim_disk_op *pending = &disk->pending[i];
        if (i < whole)
            carry_out(disk, pending, pending->op.bytes.len);
        else if (i == whole && pending->op.kind == DISK_APPEND)
            carry_out(disk, pending, (size_t)sim_between(sim, 0, pending->op.bytes.len));
        buf_close(&pending->op.bytes);
    }
    disk->pending_count = 0;
    disk->busy_until_us = disk->group_starts_us = 0;
    disk->incarnation++;
    for (int i = 0; power_loss && i < SIM_FILES_MAX; i++) {
        struct sim_file *file = &disk->files[i];
        if (file->bytes.len > file->synced)
            file->bytes.len =
                file->synced + (size_t)sim_between(sim, 0, file->bytes.len - file->synced);
    }
}

void sim_disk_close(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++)
        buf_close(&disk->files[i].bytes);
    for (size_t i = 0; i < disk->pending_count; i++)
        buf_close(&disk->pending[i].op.bytes);
    mem_free(disk->pending);
}
