#include "shard/internal.h"

static enum raft_refusal change(struct shard *shard, const struct raft_membership *wanted,
                                bool forced)
{
    shard_step_batch(shard); /* its entries are numbered, the change comes after them */
    enum raft_refusal refusal = raft_change_refusal(shard->raft, wanted, shard->now.mono_ms);
    if (refusal == RAFT_CHANGE_OUT_OF_REACH && forced)
        refusal = RAFT_CHANGE_POSSIBLE;
    if (refusal != RAFT_CHANGE_POSSIBLE)
        return refusal;
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .now_ms = shard->now.mono_ms};
    event.change = wanted;
    shard_step(shard, &event, NULL, 0);
    return RAFT_CHANGE_POSSIBLE;
}

enum raft_refusal shard_change(struct shard *shard, const struct raft_membership *wanted,
                               struct shard_time now)
{
    shard_set_now(shard, now);
    return change(shard, wanted, false);
}

enum raft_refusal shard_force_change(struct shard *shard, const struct raft_membership *wanted,
                                     struct shard_time now)
{
    shard_set_now(shard, now);
    return change(shard, wanted, true);
}

void shard_set_voters_target(struct shard *shard, uint32_t target)
{
    raft_set_voters_target(shard->raft, target);
}

void shard_set_incarnation(struct shard *shard, uint64_t incarnation, struct shard_time now)
{
    shard_set_now(shard, now);
    struct raft_event event = {.type = RAFT_EVENT_INCARNATION, .now_ms = shard->now.mono_ms};
    event.incarnation = incarnation;
    shard->incarnation_is_void = false;
    shard_step(shard, &event, NULL, 0);
}

void shard_snapshot(struct shard *shard, struct shard_time now)
{
    shard_set_now(shard, now);
    if (!shard_snapshot_goes_on(shard))
        shard_begin_snapshot(shard);
    else
        shard->snapshot_is_wanted = true;
}

bool shard_snapshot_goes_on(const struct shard *shard)
{
    return shard->cut_index || shard->image.snapshot.index ||
           !storage_image_is_named(shard->storage);
}
