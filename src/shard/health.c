/* A leader whose disk takes no more entries, or takes long, hands leadership over. */
#include <inttypes.h>

#include "shard/internal.h"

/* In election timeouts. A disk that is merely slow costs the writes nothing, for two others make a
 * majority; one that answers nothing for so long may never answer again. */
enum { STALL_TIMEOUTS = 5 };

/* Disks are asked once a second: after that it is known who else has no room, where one disk or one
 * flood of writes fills all of them. */
enum { OTHERS_KNOW_MS = 1200 };

bool shard_has_room(const struct shard *shard)
{
    return storage_has_room(shard->storage, 0);
}

bool shard_has_room_to_free(const struct shard *shard)
{
    return storage_may_free(shard->storage, 0);
}

bool shard_refuses_writes(const struct shard *shard)
{
    return !shard_has_room(shard) && raft_accepts(shard->raft);
}

bool shard_refuses_to_free(const struct shard *shard)
{
    return !storage_may_free(shard->storage, 0) && raft_accepts(shard->raft);
}

/* The disk takes nothing more of the log: what is committed does not come here. */
bool shard_has_stopped(const struct shard *shard)
{
    return shard->no_room && storage_status(shard->storage).waits_for_room;
}

static void note_room(struct shard *shard)
{
    bool has_room = shard_has_room(shard);
    raft_set_room(shard->raft, has_room);
    if (has_room != shard->no_room)
        return;
    shard->no_room = !has_room;
    shard->hand_over_ms = shard->now.mono_ms + (has_room ? 0 : OTHERS_KNOW_MS);
    struct storage_status status = storage_status(shard->storage);
    if (has_room)
        log_line(shard->options.log, LOG_NOTICE, "shard %" PRIu32 ": the disk has room again",
                 shard->options.number);
    else
        log_line(shard->options.log, LOG_WARNING,
                 "shard %" PRIu32 ": %s; writes are refused here until there is room",
                 shard->options.number,
                 status.waits_for_room ? "the disk is full"
                                       : "less than raft-disk-reserve-bytes are free on the disk");
}

/* A flush whose end is waited for since STALL_TIMEOUTS. */
static bool disk_stalls(const struct shard *shard)
{
    uint64_t patience = (uint64_t)STALL_TIMEOUTS * shard->options.raft.election_timeout_ms;
    return shard->flush_waits_since_ms &&
           shard->now.mono_ms >= shard->flush_waits_since_ms + patience;
}

/* Somebody whose disk has taken what this one has not. */
static bool others_are_ahead(const struct raft_status *status)
{
    for (size_t i = 0; i < status->peer_count; i++)
        if (status->peers[i].voter && !status->peers[i].no_room &&
            status->peers[i].match > status->durable_index)
            return true;
    return false;
}

void shard_consider_health(struct shard *shard)
{
    note_room(shard);
    bool stalls = disk_stalls(shard);
    if ((!shard->no_room && !stalls) || !shard_is_leader(shard) ||
        shard->now.mono_ms < shard->hand_over_ms)
        return;
    struct raft_status status;
    raft_status(shard->raft, &status);
    if (status.transfer_target || (!shard->no_room && !others_are_ahead(&status)))
        return;
    shard->hand_over_ms = shard->now.mono_ms + shard->options.raft.election_timeout_ms;
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = shard->now.mono_ms};
    shard_step(shard, &event, NULL, 0);
    raft_status(shard->raft, &status);
    if (status.transfer_target)
        log_line(shard->options.log, LOG_WARNING,
                 "shard %" PRIu32 ": the disk %s: leadership goes to node %" PRIu64,
                 shard->options.number, shard->no_room ? "has no room" : "stalls",
                 status.transfer_target);
}
