/* A goal: what a linearizable read would wait for, without a client and without a command. It
 * shares the rounds of reads, and like them it is asked for anew when the leader or the term
 * changes. */
#include "shard/internal.h"

void shard_set_goal(struct shard *shard, struct shard_time now)
{
    shard_set_now(shard, now);
    shard->goal = (struct shard_goal){.waits = true, .context = shard->round_open};
    shard->round_has_reads = true;
}

enum shard_goal_state shard_goal_state(const struct shard *shard)
{
    const struct shard_goal *goal = &shard->goal;
    if (goal->refused)
        return SHARD_GOAL_REFUSED;
    bool reached = goal->context <= shard->round_confirmed &&
                   shard->machine.applied_index >= shard->round_confirmed_index;
    return goal->waits && reached ? SHARD_GOAL_REACHED : SHARD_GOAL_WAITS;
}

void shard_renew_goal(struct shard *shard)
{
    struct shard_goal *goal = &shard->goal;
    if (!goal->waits || goal->context <= shard->round_confirmed)
        return;
    goal->context = shard->round_open;
    shard->round_has_reads = true;
}

void shard_refuse_goal(struct shard *shard, uint64_t context)
{
    struct shard_goal *goal = &shard->goal;
    if (goal->waits && goal->context > shard->round_confirmed && goal->context <= context)
        goal->refused = true;
}
