#include "shard/internal.h"

enum raft_refusal shard_change(struct shard *shard, const struct raft_membership *wanted,
                               struct shard_time now)
{
    shard_set_now(shard, now);
    shard_step_batch(shard); /* its entries are numbered, the change comes after them */
    enum raft_refusal refusal = raft_change_refusal(shard->raft, wanted, shard->now.mono_ms);
    if (refusal != RAFT_CHANGE_POSSIBLE)
        return refusal;
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .now_ms = shard->now.mono_ms};
    event.change = wanted;
    shard_step(shard, &event, NULL, 0);
    return RAFT_CHANGE_POSSIBLE;
}

void shard_set_incarnation(struct shard *shard, uint64_t incarnation, struct shard_time now)
{
    shard_set_now(shard, now);
    struct raft_event event = {.type = RAFT_EVENT_INCARNATION, .now_ms = shard->now.mono_ms};
    event.incarnation = incarnation;
    shard->incarnation_is_void = false;
    shard_step(shard, &event, NULL, 0);
}

void shard_transfer(struct shard *shard, uint64_t node, struct shard_time now)
{
    shard_set_now(shard, now);
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = shard->now.mono_ms};
    event.peer = node;
    shard_step(shard, &event, NULL, 0);
}

void shard_snapshot(struct shard *shard, struct shard_time now)
{
    shard_set_now(shard, now);
    if (!shard_snapshot_goes_on(shard))
        shard_begin_snapshot(shard);
}

bool shard_snapshot_goes_on(const struct shard *shard)
{
    return shard->cut_index || shard->image.snapshot.index;
}
