#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/core.h"

/* ReadIndex (dissertation §6.4). A read is confirmed by a majority's answers to appends that were
 * sent after it came; they echo the newest read context of the time they were sent. */

void raft_reads_begin(struct raft *raft)
{
    raft->read_newest = 0;
    raft->read_count = 0;
}

void raft_reads_submit(struct raft *raft, uint64_t context)
{
    ASSERT(context > raft->read_newest_ever);
    raft->read_newest_ever = context;
    if (raft->role != RAFT_LEADER)
        return;
    raft->read_newest = context;
    if (raft->read_count == raft->read_cap) {
        raft->read_cap = raft->read_cap ? raft->read_cap * 2 : 16;
        raft->reads = mem_realloc(raft->reads, raft->read_cap * sizeof *raft->reads);
    }
    raft->reads[raft->read_count++] =
        (struct raft_read){.context = context, .index = raft_can_read(raft) ? raft->commit : 0};
    raft_replication_heartbeat_voters(raft);
    raft_reads_confirm(raft);
}

static uint64_t confirmed_context(const struct raft *raft)
{
    uint64_t echoed[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < raft->options.membership.count; i++)
        echoed[i] = i == raft->self ? raft->read_newest : raft->progress[i].read_context;
    return raft_membership_majority_value(&raft->options.membership, echoed);
}

/* Before the no-op commits, the commit index can be behind what an earlier leader acknowledged. */
static void settle_indices(struct raft *raft)
{
    for (size_t i = raft->read_count; i-- > 0 && raft->reads[i].index == 0;)
        raft->reads[i].index = raft->commit;
}

void raft_reads_confirm(struct raft *raft)
{
    if (raft->read_count == 0 || !raft_can_read(raft))
        return;
    settle_indices(raft);
    uint64_t confirmed = confirmed_context(raft);
    size_t ready = 0;
    while (ready < raft->read_count && raft->reads[ready].context <= confirmed)
        ready++;
    if (ready == 0)
        return;
    size_t total = raft->update.read_count + ready;
    if (total > raft->ready_cap) {
        raft->ready_cap = total * 2;
        raft->reads_ready = mem_realloc(raft->reads_ready, raft->ready_cap * sizeof *raft->reads);
    }
    memcpy(&raft->reads_ready[raft->update.read_count], raft->reads, ready * sizeof *raft->reads);
    raft->update.read_count = total;
    raft->read_count -= ready;
    memmove(raft->reads, &raft->reads[ready], raft->read_count * sizeof *raft->reads);
}
