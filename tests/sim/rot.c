/* What was synced changes on a disk: a bit, some bytes, the end of the log. Recovery has to find
 * it.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

/* The end of what the newest mark in a segment speaks of. */
static size_t marked_end(const struct buf *bytes)
{
    for (size_t at = bytes->len; at-- > 0;) {
        struct record record;
        if (bytes->ptr[at] == '#' &&
            record_parse(span_of(bytes->ptr + at, bytes->len - at), &record) == RECORD_OK &&
            record.kind == RECORD_SYNC)
            return (size_t)record.sync.synced;
    }
    return 0;
}

/* What the manifest does not name is a leftover, which nobody reads. */
static bool is_named(struct sim_disk *disk, const struct sim_file *file)
{
    for (int i = 0; i < disk->file_count; i++) {
        const struct sim_file *manifest = &disk->files[i];
        const char *name = strrchr(file->path, '/') + 1;
        if (manifest->used && !manifest->removed && strstr(manifest->path, ".manifest") &&
            memmem(manifest->bytes.ptr, manifest->bytes.len, name, strlen(name)))
            return true;
    }
    return false;
}

/* What raft.synced says was synced of the segment with this number. */
static size_t held_end(struct sim_disk *disk, uint64_t seq)
{
    size_t end = 0;
    for (int i = 0; i < disk->file_count; i++) {
        const struct sim_file *file = &disk->files[i];
        if (!file->used || file->removed || !strstr(file->path, "raft.synced"))
            continue;
        for (size_t at = 0; at < file->bytes.len; at++) {
            struct record record;
            struct span rest = span_of(file->bytes.ptr + at, file->bytes.len - at);
            if (*rest.ptr == '#' && record_parse(rest, &record) == RECORD_OK &&
                record.kind == RECORD_HELD)
                end = record.held.seq == seq ? (size_t)record.held.end : 0;
        }
    }
    return end;
}

/* The last segment ends where more of it was synced. */
static bool cut_short(struct sim_disk *disk)
{
    struct sim_file *last = NULL;
    uint64_t last_seq = 0;
    for (int i = 0; i < disk->file_count; i++) {
        struct sim_file *file = &disk->files[i];
        const char *name = strstr(file->path, "appendonly.aof.");
        if (!file->used || file->removed || !name || !strstr(name, ".incr.aof") ||
            !is_named(disk, file))
            continue;
        uint64_t seq = strtoull(name + sizeof "appendonly.aof." - 1, NULL, 10);
        if (seq > last_seq) {
            last = file;
            last_seq = seq;
        }
    }
    size_t end = last ? held_end(disk, last_seq) : 0;
    if (end == 0 || end > last->bytes.len)
        return false;
    last->bytes.len = last->synced = (size_t)sim_between(disk->sim, 0, end - 1);
    sim_trace(disk->sim, "'%s' ends at offset %zu, though %zu bytes were synced", last->path,
              last->bytes.len, end);
    return true;
}

/* A SELECT that no entry follows before the next SELECT (a truncation leaves that) says nothing: it
 * may name any database. All others count, like every other byte. */
static bool says_nothing(const struct buf *bytes, size_t at)
{
    struct record record;
    bool is_within = false; /* the newest SELECT has the byte */
    for (size_t i = 0; i < bytes->len; i += record.bytes) {
        if (record_parse(span_of(bytes->ptr + i, bytes->len - i), &record) != RECORD_OK)
            return false;
        if (record.kind == RECORD_SELECT && is_within)
            return true;
        if (record.kind == RECORD_SELECT)
            is_within = at >= i && at < i + record.bytes;
        if (record.kind == RECORD_ENTRY && (is_within || i > at))
            return false;
    }
    return is_within;
}

static void damage(struct sim *sim, struct sim_file *file, size_t end)
{
    size_t at = (size_t)sim_between(sim, 0, end - 1);
    while (strstr(file->path, ".incr.aof") && says_nothing(&file->bytes, at))
        at--; /* the file does not begin with a SELECT */
    size_t most = end - at < 300 ? end - at : 300;
    if (!strstr(file->path, ".incr.aof") || sim_chance(sim, 0.5)) {
        file->bytes.ptr[at] ^= (char)(1 << sim_between(sim, 0, 7));
        sim_trace(sim, "a bit of '%s' rots at offset %zu", file->path, at);
        return;
    }
    size_t count = (size_t)sim_between(sim, 1, most);
    memmove(file->bytes.ptr + at, file->bytes.ptr + at + count, file->bytes.len - at - count);
    file->bytes.len -= count;
    file->synced -= count < file->synced ? count : file->synced;
    sim_trace(sim, "%zu bytes of '%s' vanish at offset %zu", count, file->path, at);
}

bool sim_disk_rot(struct sim_disk *disk)
{
    struct sim *sim = disk->sim;
    if (sim_chance(sim, 0.3) && cut_short(disk)) {
        sim->stats.rotten_bits++;
        return true;
    }
    for (int tries = 0; disk->file_count > 0 && tries < 20; tries++) {
        struct sim_file *file = &disk->files[sim_between(sim, 0, (uint64_t)disk->file_count - 1)];
        if (!file->used || file->removed || !is_named(disk, file))
            continue;
        size_t end = 0;
        if (strstr(file->path, ".base.rdb"))
            end = file->bytes.len;
        else if (strstr(file->path, ".incr.aof"))
            end = marked_end(&file->bytes);
        if (end == 0)
            continue;
        damage(sim, file, end);
        sim->stats.rotten_bits++;
        return true;
    }
    return false;
}

/* ---- a scenario ---- */

enum { SELECTS_MAX = 64, ROUNDS = 12, SECOND = 1000000 };

/* Where the SELECTs begin that were synced and say something; their number. */
static size_t find_selects(const struct buf *bytes, size_t at[SELECTS_MAX])
{
    struct record record;
    size_t count = 0;
    size_t end = marked_end(bytes);
    for (size_t i = 0; i < end && count < SELECTS_MAX; i += record.bytes) {
        if (record_parse(span_of(bytes->ptr + i, bytes->len - i), &record) != RECORD_OK)
            break;
        if (record.kind == RECORD_SELECT && i + record.bytes <= end && !says_nothing(bytes, i))
            at[count++] = i;
    }
    return count;
}

static struct sim_file *draw_segment(struct sim_disk *disk)
{
    size_t at[SELECTS_MAX];
    for (int tries = 0; tries < 20; tries++) {
        struct sim_file *file =
            &disk->files[sim_between(disk->sim, 0, (uint64_t)disk->file_count - 1)];
        if (file->used && !file->removed && strstr(file->path, ".incr.aof") &&
            is_named(disk, file) && find_selects(&file->bytes, at))
            return file;
    }
    return NULL;
}

static size_t length_at(const struct buf *bytes, size_t at)
{
    struct record record;
    enum record_outcome outcome = record_parse(span_of(bytes->ptr + at, bytes->len - at), &record);
    return outcome == RECORD_OK ? record.bytes : 0;
}

/* Another database, another bit, or nothing. */
static void damage_select(struct sim *sim, struct sim_file *file)
{
    size_t starts[SELECTS_MAX];
    struct buf *bytes = &file->bytes;
    size_t count = find_selects(bytes, starts);
    size_t at = starts[sim_between(sim, 0, count - 1)];
    size_t len = length_at(bytes, at);
    char *digit = bytes->ptr + at + len - 3; /* the last one; before it, there is a 1 or nothing */
    int digits = digit[-1] == '\n' ? 10 : DATABASES_MAX - 10;
    switch (sim_between(sim, 0, 2)) {
    case 0:
        *digit = (char)('0' + (*digit - '0' + 1) % digits);
        break;
    case 1:
        bytes->ptr[at + sim_between(sim, 0, len - 1)] ^= (char)(1 << sim_between(sim, 0, 7));
        break;
    default:
        memmove(bytes->ptr + at, bytes->ptr + at + len, bytes->len - at - len);
        bytes->len -= len;
        file->synced -= len;
    }
    sim_trace(sim, "the SELECT at offset %zu of '%s' rots", at, file->path);
}

/* Every change of a SELECT that an entry goes by is found. The node comes back when it is undone.
 */
void sim_selects_rot(struct sim *sim)
{
    size_t met = 0;
    sim->profile.segment_bytes_max = 20000;
    for (int round = 0; round < ROUNDS; round++) {
        sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 30);
        sim_run_for(sim, SECOND / 2);
        struct sim_node *node = &sim->nodes[sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1)];
        sim_node_crash(node, false);
        struct sim_file *file = draw_segment(&node->disk);
        if (file) {
            struct buf before = {0};
            size_t synced = file->synced;
            buf_add_span(&before, buf_span(&file->bytes));
            damage_select(sim, file);
            sim_node_must_refuse(node);
            file->bytes.len = 0;
            buf_add_span(&file->bytes, buf_span(&before));
            file->synced = synced;
            buf_close(&before);
            met++;
        }
        sim_node_start(node);
    }
    if (met == 0)
        sim_fail(sim, "no log has a SELECT");
}
