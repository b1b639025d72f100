/* Disks that keep what was synced and lose what a power loss can lose: any of the unsynced sectors,
 * names of new files, removals. What a rename or a replacement says is done when it has completed.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/sim.h"

enum { SECTOR = 512, ROOM_BYTES = 1 << 30 };

static struct sim_file *find_file(struct sim_disk *disk, const char *path)
{
    for (int i = 0; i < disk->file_count; i++)
        if (disk->files[i].used && !disk->files[i].removed &&
            strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}

static struct sim_file *free_slot(struct sim_disk *disk)
{
    for (int i = 0; i < disk->file_count; i++)
        if (!disk->files[i].used)
            return &disk->files[i];
    int count = disk->file_count ? disk->file_count * 2 : 16;
    disk->files = mem_realloc(disk->files, (size_t)count * sizeof *disk->files);
    memset(disk->files + disk->file_count, 0,
           (size_t)(count - disk->file_count) * sizeof *disk->files);
    struct sim_file *first = &disk->files[disk->file_count];
    disk->file_count = count;
    return first;
}

static void forget_old(struct sim_file *file)
{
    for (size_t i = 0; i < file->old_count; i++)
        buf_close(&file->old[i].bytes);
    mem_free(file->old);
    file->old = NULL;
    file->old_count = 0;
}

static void sync_file(struct sim_file *file)
{
    file->synced = file->bytes.len;
    forget_old(file);
}

static void write_file(struct sim_disk *disk, struct sim_file *file, uint64_t at, struct span bytes)
{
    struct buf *content = &file->bytes;
    if (at > content->len)
        sim_fail(disk->sim, "a write to '%s' begins behind its end", file->path);
    size_t over = content->len - (size_t)at < bytes.len ? content->len - (size_t)at : bytes.len;
    if (over) {
        file->old = mem_realloc(file->old, (file->old_count + 1) * sizeof *file->old);
        struct sim_old *old = &file->old[file->old_count++];
        *old = (struct sim_old){.offset = (size_t)at};
        buf_add(&old->bytes, content->ptr + at, over);
        memcpy(content->ptr + at, bytes.ptr, over);
    }
    if (bytes.len > over)
        buf_add(content, bytes.ptr + over, bytes.len - over);
}

static struct sim_file *create_file(struct sim_disk *disk, const char *path)
{
    struct sim_file *file = free_slot(disk);
    file->used = true;
    file->removed = file->named = false;
    file->bytes.len = 0;
    sync_file(file);
    snprintf(file->path, sizeof file->path, "%s", path);
    return file;
}

/* All names are as they seem from here on. */
static void sync_folder(struct sim_disk *disk)
{
    for (int i = 0; i < disk->file_count; i++) {
        struct sim_file *file = &disk->files[i];
        if (!file->used)
            continue;
        file->named = true;
        if (file->removed)
            file->used = false;
    }
}

static void remove_file(struct sim_disk *disk, const char *path)
{
    struct sim_file *file = find_file(disk, path);
    if (file)
        file->removed = true;
}

static void replace_file(struct sim_disk *disk, const char *path, struct span bytes)
{
    remove_file(disk, path);
    struct sim_file *file = create_file(disk, path);
    buf_add_span(&file->bytes, bytes);
    sync_file(file);
    sync_folder(disk);
}

static void rename_file(struct sim_disk *disk, const char *path, const char *to)
{
    struct sim_file *file = find_file(disk, path);
    if (!file)
        sim_fail(disk->sim, "there is no file '%s' to rename", path);
    remove_file(disk, to);
    snprintf(file->path, sizeof file->path, "%s", to);
    sync_folder(disk);
}

static void cut_file(struct sim_file *file, size_t size)
{
    if (size < file->bytes.len)
        file->bytes.len = size;
    sync_file(file);
}

/* ---- the synchronous half of the port ---- */

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
    replace_file(context, path, bytes);
    return ERR_NONE;
}

static enum err disk_sync_folder(void *context, const char *path)
{
    (void)path;
    sync_folder(context);
    return ERR_NONE;
}

static enum err disk_remove(void *context, const char *path)
{
    remove_file(context, path);
    return ERR_NONE;
}

static enum err disk_list(void *context, const char *path, void (*add)(void *to, const char *name),
                          void *to)
{
    struct sim_disk *disk = context;
    size_t len = strlen(path);
    for (int i = 0; i < disk->file_count; i++) {
        const struct sim_file *file = &disk->files[i];
        if (file->used && !file->removed && strncmp(file->path, path, len) == 0)
            add(to, file->path + len + 1);
    }
    return ERR_NONE;
}

/* ---- the queue ---- */

static void disk_queue(void *context, const struct disk_op *op)
{
    struct sim_disk *disk = context;
    struct sim *sim = disk->sim;
    bool syncs = op->kind == DISK_WRITE ? op->sync : op->kind != DISK_MEASURE;
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
    disk->pending[disk->pending_count++] = *op;
    if (op->kind != DISK_WRITE && op->kind != DISK_MEASURE &&
        sim_chance(sim, sim->profile.step_crash))
        sim_push(sim, (struct sim_event){.at_us = sim->now_us +
                                                  sim_between(sim, 0, sim->profile.sync_us_max * 2),
                                         .type = SIM_CRASH,
                                         .node = disk->node,
                                         .incarnation = sim->nodes[disk->node].incarnation});
    sim_push(sim, (struct sim_event){.at_us = disk->busy_until_us,
                                     .type = SIM_DISK_DONE,
                                     .node = disk->node,
                                     .incarnation = disk->incarnation});
}

/* ---- images ---- */

static enum err disk_image_begin(void *context, const char *path)
{
    struct sim_disk *disk = context;
    if (disk->image[0])
        return ERR_BUSY;
    remove_file(disk, path);
    create_file(disk, path);
    sim_check_image(&disk->sim->nodes[disk->node]);
    snprintf(disk->image, sizeof disk->image, "%s", path);
    disk->image_failed = ERR_NONE;
    return ERR_NONE;
}

static void add_piece(struct sim_disk *disk, const struct sim_piece *piece, uint64_t us_max)
{
    struct sim *sim = disk->sim;
    disk->pieces = mem_realloc(disk->pieces, (disk->piece_count + 1) * sizeof *disk->pieces);
    disk->pieces[disk->piece_count++] = *piece;
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 1, us_max),
                                     .type = SIM_IMAGE_DONE,
                                     .node = disk->node,
                                     .incarnation = disk->incarnation});
}

static void disk_image_write(void *context, struct buf *bytes)
{
    add_piece(context, &(struct sim_piece){.bytes = *bytes}, 30000);
    *bytes = (struct buf){0};
}

static void disk_image_end(void *context, bool keep)
{
    add_piece(context, &(struct sim_piece){.ends = true, .keep = keep}, 300000);
}

static void drop_pieces(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->piece_count; i++)
        buf_close(&disk->pieces[i].bytes);
    disk->piece_count = 0;
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
                          .remove = disk_remove,
                          .list = disk_list,
                          .queue = disk_queue,
                          .image_begin = disk_image_begin,
                          .image_write = disk_image_write,
                          .image_end = disk_image_end};
}

static void carry_out(struct sim_disk *disk, const struct disk_op *op, size_t len)
{
    switch (op->kind) {
    case DISK_WRITE:
        if (op->optional && disk->files[op->file].bytes.len < op->offset)
            return;
        write_file(disk, &disk->files[op->file], op->offset, span_of(op->bytes.ptr, len));
        return;
    case DISK_TRUNCATE:
        cut_file(&disk->files[op->file], (size_t)op->size);
        return;
    case DISK_REPLACE:
        replace_file(disk, op->path, buf_span(&op->bytes));
        return;
    case DISK_RENAME:
        rename_file(disk, op->path, op->to);
        return;
    case DISK_REMOVE:
        remove_file(disk, op->path);
        return;
    case DISK_SYNC_FOLDER:
        sync_folder(disk);
        return;
    case DISK_MEASURE:
        return;
    }
}

/* False: an optional write was left out, or a part of it. */
static bool carry_out_whole(struct sim_disk *disk, const struct disk_op *op)
{
    bool fits = !op->optional || disk->files[op->file].bytes.len >= op->offset;
    size_t len = op->bytes.len;
    if (op->optional && sim_chance(disk->sim, 0.1)) /* there is no room for it, or for all of it */
        len = (size_t)sim_between(disk->sim, 0, len);
    carry_out(disk, op, len);
    if (op->kind == DISK_WRITE && op->sync)
        sync_file(&disk->files[op->file]);
    return fits && len == op->bytes.len;
}

static void free_op(struct disk_op *op)
{
    buf_close(&op->bytes);
    mem_free(op->path);
    mem_free(op->to);
}

static struct disk_completion fail(struct sim_disk *disk)
{
    struct sim *sim = disk->sim;
    sim->stats.disk_errors++;
    return (struct disk_completion){.err = sim_chance(sim, 0.5) ? ERR_IO : ERR_NO_SPACE};
}

struct disk_completion sim_disk_complete(struct sim_disk *disk)
{
    struct disk_op *first = &disk->pending[0];
    if (disk->sim->profile.disk_error > 0 && !disk->sim->faults_stop &&
        sim_chance(disk->sim, disk->sim->profile.disk_error))
        return fail(disk); /* the process will end: what is queued is not carried out */
    bool whole = carry_out_whole(disk, first);
    struct disk_completion completion = {.ticket = first->ticket, .sync_us = 1, .left_out = !whole};
    completion.measured = first->kind == DISK_MEASURE;
    if (completion.measured)
        completion.free_bytes = disk->sim->now_us < disk->full_until_us ? 0 : ROOM_BYTES;
    free_op(first);
    memmove(first, first + 1, --disk->pending_count * sizeof *first);
    return completion;
}

struct disk_completion sim_disk_image_done(struct sim_disk *disk)
{
    struct sim *sim = disk->sim;
    struct sim_file *file = find_file(disk, disk->image);
    struct sim_piece piece = disk->pieces[0];
    memmove(disk->pieces, disk->pieces + 1, --disk->piece_count * sizeof *disk->pieces);
    if (sim->profile.disk_error > 0 && sim_chance(sim, 0.02))
        disk->image_failed = ERR_NO_SPACE;
    if (file && !disk->image_failed)
        buf_add_span(&file->bytes, buf_span(&piece.bytes));
    if (file && !disk->image_failed && piece.keep)
        sync_file(file);
    buf_close(&piece.bytes);
    if (piece.ends)
        disk->image[0] = '\0';
    return (struct disk_completion){
        .image = true, .image_ended = piece.ends, .err = disk->image_failed};
}

/* ---- ends of a process, and worse ---- */

static void restore(struct sim_file *file, const struct sim_old *old, size_t at, size_t end)
{
    for (size_t i = at; i < end; i++)
        if (i >= old->offset && i - old->offset < old->bytes.len)
            file->bytes.ptr[i] = old->bytes.ptr[i - old->offset];
}

/* Of what was written over something each sector is the new or the old one. */
static void lose_overwritten(struct sim *sim, struct sim_file *file)
{
    size_t first = file->synced, last = 0;
    for (size_t i = 0; i < file->old_count; i++) {
        const struct sim_old *old = &file->old[i];
        first = old->offset < first ? old->offset : first;
        last = old->offset + old->bytes.len > last ? old->offset + old->bytes.len : last;
    }
    for (size_t at = first - first % SECTOR; at < last; at += SECTOR) {
        size_t end = at + SECTOR < file->bytes.len ? at + SECTOR : file->bytes.len;
        if (sim_chance(sim, 0.7))
            continue;
        for (size_t i = file->old_count; i-- > 0;)
            restore(file, &file->old[i], at, end);
        sim->stats.lost_sectors++;
    }
}

/* Of what was not synced each sector is there or not; those that are not read as zeros. */
static void lose_sectors(struct sim *sim, struct sim_file *file)
{
    size_t len = file->synced + (size_t)sim_between(sim, 0, file->bytes.len - file->synced);
    bool in_order = sim_chance(sim, 0.5);
    for (size_t at = file->synced; at < len && !in_order;) {
        size_t end = at - at % SECTOR + SECTOR;
        if (end > len)
            end = len;
        if (sim_chance(sim, 0.3)) {
            memset(file->bytes.ptr + at, 0, end - at);
            sim->stats.lost_sectors++;
        }
        at = end;
    }
    file->bytes.len = len;
}

static void lose_power(struct sim_disk *disk)
{
    struct sim *sim = disk->sim;
    for (int i = 0; i < disk->file_count; i++) {
        struct sim_file *file = &disk->files[i];
        if (!file->used)
            continue;
        if (!file->named && sim_chance(sim, 0.5))
            file->used = false;
        if (file->removed && file->named && !find_file(disk, file->path) && sim_chance(sim, 0.5))
            file->removed = false;
        if (file->old_count)
            lose_overwritten(sim, file);
        if (file->bytes.len > file->synced)
            lose_sectors(sim, file);
        sync_file(file);
    }
}

/* Appends to one file that wait together are written together, and synced once: how many of those
 * behind the first `whole` operations were written when the end came. */
static size_t appends_together(struct sim_disk *disk, size_t whole)
{
    size_t count = 0;
    while (whole + count < disk->pending_count) {
        const struct disk_op *op = &disk->pending[whole + count];
        const struct disk_op *before = &disk->pending[whole + count - (count ? 1 : 0)];
        if (op->kind != DISK_WRITE || op->file != before->file || op->optional != before->optional)
            break;
        count++;
    }
    return count ? (size_t)sim_between(disk->sim, 1, count) : 0;
}

void sim_disk_crash(struct sim_disk *disk, bool power_loss)
{
    struct sim *sim = disk->sim;
    size_t whole = (size_t)sim_between(sim, 0, disk->pending_count);
    size_t written = whole + appends_together(disk, whole);
    for (size_t i = 0; i < disk->pending_count; i++) {
        struct disk_op *op = &disk->pending[i];
        if (i < whole)
            carry_out_whole(disk, op);
        else if (i + 1 < written)
            carry_out(disk, op, op->bytes.len);
        else if (i < written)
            carry_out(disk, op, (size_t)sim_between(sim, 0, op->bytes.len));
        free_op(op);
    }
    disk->pending_count = 0;
    drop_pieces(disk);
    disk->image[0] = '\0';
    disk->busy_until_us = disk->group_starts_us = 0;
    disk->incarnation++;
    if (power_loss)
        lose_power(disk);
    sync_folder(disk); /* what is there now stays */
}

void sim_disk_close(struct sim_disk *disk)
{
    for (int i = 0; i < disk->file_count; i++) {
        buf_close(&disk->files[i].bytes);
        forget_old(&disk->files[i]);
    }
    mem_free(disk->files);
    for (size_t i = 0; i < disk->pending_count; i++)
        free_op(&disk->pending[i]);
    mem_free(disk->pending);
    drop_pieces(disk);
    mem_free(disk->pieces);
}
