/* Snapshots, this node's own and those of a leader. */
#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "shard/internal.h"

enum {
    CONSIDER_MS = 100,
    RETRY_MS = 5000, /* after one that failed */
    /* A follower that is being sent the snapshot holds the next one up for so many times the bytes
     * that would begin it. */
    PATIENCE = 4,
    SMALL_SHARE = 8,        /* of the reserve: a snapshot that may use it */
    FREED_PER_TURN = 10000, /* keys of a state that was replaced or cleared: about a millisecond */
    IDLE_MS = 20,           /* without a request */
    IDLE_FACTOR = 8,        /* times the rate then: a millisecond's work in each millisecond */
    PIECE_ROOM = 128 * 1024,
    PIECE_BYTES = PIECE_ROOM - 16 * 1024, /* then it goes to the disk; a step may add more */
    PREPARED_PER_TURN = 1024 * 1024,      /* of what is about to change: a few milliseconds */
    PIECES_UNDER_WAY_MAX = 8,
};

/* ---- this node's own ---- */

/* Bytes of the log that the newest snapshot does not cover. */
static uint64_t uncovered_bytes(const struct storage_status *status)
{
    return status->log_bytes - status->history_bytes;
}

/* A newer snapshot would make a transfer that is going on begin anew. */
static bool transfer_goes_on(const struct shard *shard)
{
    if (!shard_is_leader(shard))
        return shard->incoming_state != NULL;
    struct raft_status status;
    raft_status(shard->raft, &status);
    uint64_t recent = shard->options.raft.election_timeout_ms;
    for (size_t i = 0; i < status.peer_count; i++)
        if (status.peers[i].state == RAFT_SNAPSHOT && status.peers[i].last_contact_ms &&
            status.peers[i].last_contact_ms + recent > shard->now.mono_ms)
            return true;
    return false;
}

/* As large as the last one, in proportion to the keys. */
static uint64_t expected_bytes(const struct shard *shard, const struct storage_status *status)
{
    uint64_t keys = databases_count(shard->machine.databases);
    if (shard->snapshot_keys == 0 || keys >= shard->snapshot_keys)
        return status->snapshot.bytes;
    return status->snapshot.bytes * keys / shard->snapshot_keys;
}

/* After deletions on a full disk the log is what is left: a small snapshot may use the reserve,
 * because it lets the log go. */
static bool snapshot_has_room(const struct shard *shard, const struct storage_status *status)
{
    uint64_t bytes = expected_bytes(shard, status);
    if (storage_has_room(shard->storage, bytes))
        return true;
    return bytes <= shard->options.storage.reserve_bytes / SMALL_SHARE &&
           storage_may_free(shard->storage, bytes);
}

static bool is_due(const struct shard *shard)
{
    uint64_t log_bytes = shard->options.snapshot_log_bytes;
    if (log_bytes == 0)
        return false;
    struct storage_status status = storage_status(shard->storage);
    /* Writing all of a large state for a small piece of log would be work for nothing. */
    uint64_t enough = log_bytes > status.snapshot.bytes ? log_bytes : status.snapshot.bytes;
    uint64_t small = shard->options.storage.reserve_bytes / SMALL_SHARE;
    if (shard->no_room && expected_bytes(shard, &status) + small < enough)
        enough = expected_bytes(shard, &status) + small; /* it frees more than it takes */
    uint64_t uncovered = uncovered_bytes(&status);
    if (uncovered < enough || shard->machine.applied_index <= status.snapshot.index)
        return false;
    if (!snapshot_has_room(shard, &status))
        return false;
    return uncovered / PATIENCE >= enough || !transfer_goes_on(shard);
}

static void fail_snapshot(struct shard *shard, enum err err, const char *what)
{
    log_line(shard->options.log, LOG_WARNING, "shard %" PRIu32 ": %s failed: %s",
             shard->options.number, what, err_text(err));
    shard->snapshot_consider_ms = shard->now.mono_ms + RETRY_MS;
    shard->stats.snapshots_failed++;
    shard->stats.snapshot_failed = true;
    shard->stats.snapshot_err = err;
}

static void drop_incoming(struct shard *shard)
{
    machine_reader_free(shard->incoming_state);
    shard->incoming_state = NULL;
    storage_install_drop(shard->storage);
}

/* Nobody sends the rest of it any more: the log has come further by other ways. */
static void forget_incoming(struct shard *shard)
{
    struct raft_status status;
    if (!shard->incoming_state)
        return;
    raft_status(shard->raft, &status);
    if (status.receiving_index <= status.commit_index)
        drop_incoming(shard);
}

void shard_consider_snapshot(struct shard *shard)
{
    if (shard->now.mono_ms < shard->snapshot_consider_ms)
        return;
    shard->snapshot_consider_ms = shard->now.mono_ms + CONSIDER_MS;
    forget_incoming(shard);
    if (!shard_snapshot_goes_on(shard) && (shard->snapshot_is_wanted || is_due(shard)))
        shard_begin_snapshot(shard);
}

/* The log is cut at its end; the image is taken when exactly that is applied. */
void shard_begin_snapshot(struct shard *shard)
{
    uint64_t last = storage_status(shard->storage).last_index;
    shard->snapshot_is_wanted = false;
    enum err err = storage_cut(shard->storage);
    if (err) {
        fail_snapshot(shard, err, "cutting the log for a snapshot");
        return;
    }
    shard->cut_index = last;
    shard_take_image_if_due(shard);
}

static void hand_over_piece(struct shard *shard)
{
    struct shard_image *image = &shard->image;
    const struct disk *disk = shard->options.disk;
    if (image->piece.len == 0)
        return;
    image->under_way++;
    disk->image_write(disk->context, &image->piece);
}

/* Its memory does not grow by doubling, as long as nothing large is saved before its turn. */
static struct buf *open_piece(struct shard_image *image)
{
    if (image->piece.cap == 0)
        buf_reserve_exact(&image->piece, PIECE_ROOM);
    return &image->piece;
}

/* What was kept for the writer goes with it. */
static void close_writer(struct shard_image *image)
{
    image->produces = false;
    while (image->aside_count)
        keyspace_release(image->aside[--image->aside_count]);
    machine_writer_close(&image->writer);
}

/* Nothing more comes: all is there, or it is not wanted any more. */
static void end_image(struct shard *shard, bool keep)
{
    struct shard_image *image = &shard->image;
    const struct disk *disk = shard->options.disk;
    if (keep)
        hand_over_piece(shard);
    shard->machine.watcher = (struct machine_watcher){.context = NULL};
    image->is_void = !keep;
    close_writer(image);
    buf_close(&image->piece);
    disk->image_end(disk->context, keep);
}

/* What a key's slot holds goes to the image as it is. */
static void before_change(void *context, const struct keyspace *keyspace, struct span key)
{
    struct shard *shard = context;
    struct shard_image *image = &shard->image;
    machine_writer_before_change(&image->writer, keyspace, key, open_piece(image));
    if (image->piece.len >= PIECE_BYTES)
        hand_over_piece(shard);
}

static bool prepare_key(void *context, unsigned database, struct span key)
{
    struct shard *shard = context;
    struct shard_image *image = &shard->image;
    size_t used = image->prepared;
    if (used >= PREPARED_PER_TURN)
        return false;
    size_t before = image->piece.len;
    bool done =
        machine_writer_prepare(&image->writer, databases_at(shard->machine.databases, database),
                               key, open_piece(image), PREPARED_PER_TURN - used);
    image->prepared += image->piece.len - before;
    if (image->piece.len >= PIECE_BYTES)
        hand_over_piece(shard);
    return done;
}

/* A large value is written in several turns: meanwhile nothing is applied, and other nodes and
 * readers are served. */
bool shard_prepare_image(struct shard *shard, const struct entry *entry)
{
    return !shard->image.produces || machine_each_key(&shard->machine, entry, prepare_key, shard);
}

/* If all keys are gone, a new image is quicker done, and their memory is wanted. What one of
 * several databases had stays until it is written: images that begin anew whenever some database is
 * cleared might never end. */
static void cleared(void *context, const struct keyspace *keyspace, struct keyspace *aside)
{
    struct shard *shard = context;
    struct shard_image *image = &shard->image;
    if (databases_count(shard->machine.databases) == 0) {
        end_image(shard, false);
    } else if (machine_writer_cleared(&image->writer, keyspace, aside)) {
        ASSERT(image->aside_count < DATABASES_MAX);
        image->aside[image->aside_count++] = aside;
        keyspace_hold(aside);
    }
}

/* A snapshot holds all that was to be saved. */
static void snapshot_vouches(struct shard *shard)
{
    shard->stats.snapshot_wall_ms = shard->now.wall_ms;
    shard->stats.snapshot_failed = false;
}

void shard_take_image_if_due(struct shard *shard)
{
    if (shard->cut_index == 0 || shard->machine.applied_index != shard->cut_index)
        return;
    uint64_t index = shard->machine.applied_index;
    shard->cut_index = 0;
    if (index == 0 || index <= raft_snapshot(shard->raft).index) {
        snapshot_vouches(shard); /* what is there stands for it */
        return;
    }
    /* A node that has just joined knows the members as of the entry that made it one, not those
     * before. */
    if (raft_membership_at(shard->raft, index)->count == 0)
        return;
    const struct disk *disk = shard->options.disk;
    enum err err = disk->image_begin(disk->context, storage_image_begin(shard->storage));
    if (err) {
        storage_image_drop(shard->storage);
        fail_snapshot(shard, err, "beginning a snapshot");
        return;
    }
    struct machine_position position = {.index = index,
                                        .term = raft_term_of(shard->raft, index),
                                        .clock_ms = shard->machine.clock_ms,
                                        .membership = *raft_membership_at(shard->raft, index),
                                        .chain = shard->machine.chain,
                                        .chain_from = shard->machine.chain_from};
    struct shard_image *image = &shard->image;
    *image = (struct shard_image){.snapshot = {.index = index, .term = position.term},
                                  .produces = true,
                                  .begun_ms = shard->now.mono_ms,
                                  .changes = shard->machine.stats.changes};
    shard->snapshot_keys = databases_count(shard->machine.databases);
    machine_writer_init(&image->writer, shard->machine.databases, &shard->machine.sessions,
                        &position);
    machine_writer_begin(&image->writer, &image->piece);
    shard->machine.watcher = (struct machine_watcher){shard, before_change, cleared};
    hand_over_piece(shard);
    log_line(shard->options.log, LOG_NOTICE, "shard %" PRIu32 ": snapshot of entry %" PRIu64,
             shard->options.number, index);
}

uint64_t shard_image_due_ms(const struct shard *shard)
{
    bool waits = !shard->image.produces || shard->image.under_way >= PIECES_UNDER_WAY_MAX;
    return waits ? UINT64_MAX : shard->image.due_ms;
}

/* Up to `most` bytes, and up to the end of the piece. Returns how many of them it were. */
static size_t produce_some(struct shard *shard, size_t most)
{
    struct shard_image *image = &shard->image;
    struct buf *piece = open_piece(image);
    size_t before = piece->len;
    if (most > PIECE_BYTES - before)
        most = PIECE_BYTES - before;
    bool more = machine_writer_some(&image->writer, piece, most);
    size_t added = piece->len - before;
    if (!more)
        end_image(shard, true);
    else if (piece->len >= PIECE_BYTES)
        hand_over_piece(shard);
    return added < most ? added : most;
}

/* A little in each millisecond, while the disk keeps up. */
void shard_produce_image(struct shard *shard)
{
    struct shard_image *image = &shard->image;
    if (shard->now.mono_ms < shard_image_due_ms(shard))
        return;
    image->due_ms = shard->now.mono_ms + 1;
    if (shard->writes.count || shard->reads.count ||
        shard->machine.applied_index != image->applied_index)
        image->busy_ms = shard->now.mono_ms;
    image->applied_index = shard->machine.applied_index;
    bool idle = shard->now.mono_ms >= image->busy_ms + IDLE_MS;
    size_t bytes = (size_t)shard->options.snapshot_bytes_per_s / 1000 + 1;
    if (idle)
        bytes *= IDLE_FACTOR;
    while (bytes && image->produces && image->under_way < PIECES_UNDER_WAY_MAX)
        bytes -= produce_some(shard, bytes);
}

/* Entries before the cut are gone: there may never be a state that ends there. Who waits for the
 * snapshot hears that there is none. */
void shard_forget_cut(struct shard *shard, uint64_t last_index)
{
    if (shard->cut_index <= last_index)
        return;
    shard->cut_index = 0;
    shard->stats.snapshots_failed++;
    shard->stats.snapshot_failed = true;
    shard->stats.snapshot_err = ERR_NONE;
}

/* Chunks are read from the newest snapshot: the core hears of it in the same step. */
static void compact(struct shard *shard)
{
    struct storage_status status = storage_status(shard->storage);
    struct raft_event event = {.type = RAFT_EVENT_COMPACT, .now_ms = shard->now.mono_ms};
    event.compact.snapshot = (struct raft_snapshot){.index = status.snapshot.index,
                                                    .term = status.snapshot.term,
                                                    .bytes = status.snapshot.bytes};
    event.compact.first_index = status.first_index;
    shard_step(shard, &event, NULL, 0);
}

static void adopt_image(struct shard *shard)
{
    struct shard_image *image = &shard->image;
    enum err err = storage_image_adopt(shard->storage, image->snapshot.index, image->snapshot.term,
                                       shard->options.snapshot_keep_bytes);
    if (err) {
        storage_image_drop(shard->storage);
        fail_snapshot(shard, err, "writing a snapshot");
        return;
    }
    shard->stats.snapshots++;
    shard->stats.snapshot_ms = shard->now.mono_ms - image->begun_ms;
    snapshot_vouches(shard);
    shard->changes_saved = image->changes;
    compact(shard);
    log_line(shard->options.log, LOG_NOTICE,
             "shard %" PRIu32 ": snapshot of entry %" PRIu64 " has %" PRIu64
             " bytes, the log begins with entry %" PRIu64,
             shard->options.number, image->snapshot.index, raft_snapshot(shard->raft).bytes,
             raft_first_index(shard->raft));
}

void shard_image_completed(struct shard *shard, const struct disk_completion *completion)
{
    struct shard_image *image = &shard->image;
    if (!completion->image_ended) {
        image->under_way--;
        if (completion->err && image->produces)
            end_image(shard, false);
        return;
    }
    if (completion->err) {
        storage_image_drop(shard->storage);
        fail_snapshot(shard, completion->err, "writing a snapshot");
    } else if (image->is_void || image->snapshot.index <= raft_snapshot(shard->raft).index) {
        storage_image_drop(shard->storage); /* the leader's was newer, or all was removed */
    } else {
        adopt_image(shard);
    }
    bool again = image->is_void && !completion->err &&
                 image->snapshot.index > raft_snapshot(shard->raft).index;
    image->snapshot.index = 0;
    if (again)
        shard_begin_snapshot(shard); /* somebody may wait for one */
}

/* The process ends: what is on the disk of the image is a leftover. Before the machine is closed,
 * which frees nothing that is held. */
void shard_close_image(struct shard *shard)
{
    if (shard->image.produces)
        close_writer(&shard->image);
    buf_close(&shard->image.piece);
}

void shard_drop_image(struct shard *shard)
{
    if (shard->image.produces)
        end_image(shard, false);
}

/* ---- the leader's ---- */

static void refuse_incoming(struct shard *shard, const struct raft_snapshot *snapshot,
                            const char *why)
{
    log_line(shard->options.log, LOG_WARNING,
             "shard %" PRIu32 ": the leader's snapshot of entry %" PRIu64
             " cannot be installed: %s",
             shard->options.number, snapshot->index, why);
    drop_incoming(shard);
    struct raft_event event = {.type = RAFT_EVENT_INSTALL_FAILED, .now_ms = shard->now.mono_ms};
    event.installed.snapshot = *snapshot;
    shard_step(shard, &event, NULL, 0);
}

static void offer_incoming(struct shard *shard, const struct raft_snapshot *snapshot)
{
    struct raft_event event = {.type = RAFT_EVENT_INSTALLED, .now_ms = shard->now.mono_ms};
    event.installed.snapshot = *snapshot;
    event.installed.membership = &shard->incoming_state->position.membership;
    shard_step(shard, &event, NULL, 0);
    drop_incoming(shard); /* what install() did not take */
}

void shard_receive_chunk(struct shard *shard, const struct raft_chunk *chunk, struct span bytes)
{
    char message[512] = "";
    enum err err = ERR_NONE;
    if (chunk->offset == 0) {
        drop_incoming(shard);
        if (!storage_has_room(shard->storage, chunk->snapshot.bytes))
            err = ERR_NO_SPACE;
        if (!err)
            err = storage_install_begin(shard->storage);
        if (err) {
            refuse_incoming(shard, &chunk->snapshot, err_text(err));
            return;
        }
        shard->incoming_state = machine_reader_new(shard->options.hash_seed, shard->options.rules);
    }
    ASSERT(shard->incoming_state && shard->incoming_state->bytes == chunk->offset);
    storage_install_write(shard->storage, bytes);
    err = machine_reader_feed(shard->incoming_state, bytes, message);
    if (!err && chunk->last)
        err = machine_reader_finish(shard->incoming_state, chunk->snapshot.index,
                                    chunk->snapshot.term, message);
    if (err)
        refuse_incoming(shard, &chunk->snapshot, message);
    else if (chunk->last)
        offer_incoming(shard, &chunk->snapshot);
}

void shard_free_replaced(struct shard *shard)
{
    databases_free_cleared(shard->machine.databases, FREED_PER_TURN);
    if (shard->replaced && databases_free_some(shard->replaced, FREED_PER_TURN))
        shard->replaced = NULL;
}

/* The core has taken the snapshot for its log: the state follows. */
void shard_install(struct shard *shard, const struct raft_snapshot *snapshot)
{
    struct machine_reader *state = shard->incoming_state;
    if (storage_install_finish(shard->storage, snapshot->index, snapshot->term))
        FATAL("a snapshot that was taken over could not be stored");
    shard_drop_image(shard); /* of a state that goes */
    databases_free(shard->replaced);
    shard->replaced = machine_take_state(&shard->machine, state);
    shard_clock_entry(&shard->clock, shard->machine.clock_ms);
    shard->expiry_count = 0;
    shard->cut_index = 0;
    shard->records_first = 0;
    shard->written_count = 0; /* of a log that is gone */
    shard->gathered_index = snapshot->index;
    shard->gathered_term = snapshot->term;
    shard_keep_recent(shard);
    shard_digest_replaced(shard);
    shard_forget_issued(shard);
    shard->stats.installs++;
    shard->stats.snapshot_failed = false;
    log_line(shard->options.log, LOG_NOTICE,
             "shard %" PRIu32 ": installed the leader's snapshot of entry %" PRIu64,
             shard->options.number, snapshot->index);
}
