#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/core.h"

/* ReadIndex (dissertation §6.4). A majority of answers to appends that were sent after the read
 * arrived confirms the read. The answers echo the newest read context at the time of sending. */

void raft_reads_begin(struct raft *raft)
{
    raft->read_newest = 0;
    raft->read_count = 0;
    raft->lease_is_void = false;
}

/* A follower that answered an append does not vote for another leader for one election timeout. The
 * timeout starts when the append arrives, which is after it was sent. The follower's clock may be
 * faster than this one. */
uint64_t raft_lease_until_ms(const struct raft *raft)
{
    uint32_t drift = raft->options.lease_drift_percent;
    if (drift == 0 || raft->role != RAFT_LEADER || raft->lease_is_void || raft->transfer_target)
        return 0;
    uint64_t promised[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < raft->membership.count; i++)
        promised[i] = i == raft->self ? raft->now_ms : raft->progress[i].promised_ms;
    uint64_t since = raft_membership_majority_value(&raft->membership, promised);
    if (since == 0)
        return 0;
    return since + (uint64_t)raft->options.election_timeout_ms * (100 - drift) / 100;
}

static bool has_lease(const struct raft *raft)
{
    return raft->now_ms < raft_lease_until_ms(raft);
}

void raft_reads_submit(struct raft *raft, uint64_t context)
{
    ASSERT(context > raft->read_newest_ever);
    raft->read_newest_ever = context;
    if (raft->role != RAFT_LEADER)
        return;
    raft->read_newest = context;
    if (!raft_can_read(raft))
        raft_note(raft, RAFT_MARK_READ_BEFORE_NOOP);
    if (raft->read_count == raft->read_cap) {
        raft->read_cap = raft->read_cap ? raft->read_cap * 2 : 16;
        raft->reads = mem_realloc(raft->reads, raft->read_cap * sizeof *raft->reads);
    }
    raft->reads[raft->read_count++] =
        (struct raft_read){.context = context, .index = raft_can_read(raft) ? raft->commit : 0};
    if (!has_lease(raft))
        raft_replication_heartbeat_voters(raft);
    raft_reads_confirm(raft);
}

static uint64_t confirmed_context(struct raft *raft)
{
    if (has_lease(raft)) {
        raft_note(raft, RAFT_MARK_LEASE_READ);
        return raft->read_newest;
    }
    uint64_t echoed[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < raft->membership.count; i++)
        echoed[i] = i == raft->self ? raft->read_newest : raft->progress[i].read_context;
    return raft_membership_majority_value(&raft->membership, echoed);
}

/* Until the no-op is committed, the commit index can be behind what an earlier leader
 * acknowledged. */
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
