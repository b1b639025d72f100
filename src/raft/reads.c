#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/core.h"

/* ReadIndex (dissertation §6.4). A majority of answers to appends that were sent after the read
 * arrived confirms the read. The answers echo the newest read context at the time of sending.
 *
 * A round costs each member that is asked, and the leader, a message and a wake-up. So it asks as
 * few as can confirm it. Whom it asks decides only how soon the answers come: whoever echoes the
 * context counts. */

enum {
    ANSWERS_PER_HEARTBEAT = 8, /* an answer later than this share of the interval is late */
    PATIENCE_MS_MIN = 2,       /* if that share is longer; the clock counts in milliseconds */
    RECENT_HEARTBEATS = 2,     /* who has been silent for longer is not asked first */
};

void raft_reads_begin(struct raft *raft)
{
    raft->read_newest = 0;
    raft->read_count = 0;
    raft->read_asked_all = 0;
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

/* How long a member may take to answer a round: twice as long as usual, and never longer than a
 * share of the heartbeat interval. On a busy machine any one of the members may be kept waiting for
 * the processor; then another one answers sooner. */
static uint64_t patience_ms(const struct raft *raft, size_t peer)
{
    uint64_t most = raft->options.heartbeat_ms / ANSWERS_PER_HEARTBEAT;
    uint64_t usual = PATIENCE_MS_MIN + 2 * raft->progress[peer].delay / 8;
    uint64_t ms = usual < most ? usual : most;
    return ms ? ms : 1;
}

static bool owes_answer(const struct raft *raft, size_t peer)
{
    return raft->progress[peer].asked > raft->progress[peer].read_context;
}

/* As long as the slowest of those that still have to answer. */
static uint64_t patience_with_all_ms(const struct raft *raft)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (i != raft->self && owes_answer(raft, i) && patience_ms(raft, i) > longest)
            longest = patience_ms(raft, i);
    }
    return longest;
}

static bool can_be_asked(const struct raft *raft, size_t peer)
{
    return peer != raft->self && raft_is_voter(raft, peer) && raft_is_reachable(raft, peer);
}

static bool is_prompt(const struct raft *raft, size_t peer)
{
    const struct raft_progress *progress = &raft->progress[peer];
    uint64_t silent_ms = progress->contact_ms + RECENT_HEARTBEATS * raft->options.heartbeat_ms;
    return progress->state == RAFT_REPLICATE && raft->now_ms >= progress->slow_until_ms &&
           raft->now_ms >= progress->busy_until_ms && raft->now_ms < silent_ms;
}

/* Whole milliseconds: among equals always the same one is asked, and the others can sleep. */
static uint64_t delay_ms(const struct raft *raft, size_t peer)
{
    return raft->progress[peer].delay / 8;
}

static size_t most_prompt(const struct raft *raft, unsigned sets, const bool *chosen)
{
    size_t best = NOT_A_MEMBER;
    for (size_t i = 0; i < raft->membership.count; i++) {
        bool helps = !chosen[i] && (raft->membership.members[i].roles & sets);
        if (!helps || !can_be_asked(raft, i) || !is_prompt(raft, i))
            continue;
        if (best == NOT_A_MEMBER || delay_ms(raft, i) < delay_ms(raft, best))
            best = i;
    }
    return best;
}

/* Returns whether those chosen and this leader are a majority, in a joint membership of both
 * sets. */
static bool choose_majority(const struct raft *raft, bool chosen[RAFT_MEMBERS_MAX])
{
    if (raft->self != NOT_A_MEMBER)
        chosen[raft->self] = true;
    unsigned sets;
    while ((sets = raft_membership_undecided(&raft->membership, chosen)) != 0) {
        size_t next = most_prompt(raft, sets, chosen);
        if (next == NOT_A_MEMBER)
            return false;
        chosen[next] = true;
    }
    return true;
}

static void ask(struct raft *raft, const bool *chosen)
{
    for (size_t i = 0; i < raft->membership.count; i++) {
        if (chosen[i] && can_be_asked(raft, i))
            raft_replication_heartbeat(raft, i);
    }
}

static void ask_all(struct raft *raft)
{
    bool chosen[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < raft->membership.count; i++)
        chosen[i] = raft->progress[i].asked < raft->read_newest;
    ask(raft, chosen);
    raft->read_asked_all = raft->read_newest;
}

static void begin_round(struct raft *raft)
{
    bool chosen[RAFT_MEMBERS_MAX] = {false};
    if (!choose_majority(raft, chosen)) {
        ask_all(raft);
        return;
    }
    ask(raft, chosen);
    raft_note(raft, RAFT_MARK_READ_ASKED_FEW);
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
        (struct raft_read){.context = context,
                           .index = raft_can_read(raft) ? raft->commit : 0,
                           .asked_ms = raft->now_ms};
    if (!has_lease(raft))
        begin_round(raft);
    raft_reads_confirm(raft);
}

static uint64_t echoed_context(const struct raft *raft)
{
    uint64_t echoed[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < raft->membership.count; i++)
        echoed[i] = i == raft->self ? raft->read_newest : raft->progress[i].read_context;
    return raft_membership_majority_value(&raft->membership, echoed);
}

static uint64_t confirmed_context(struct raft *raft)
{
    if (!has_lease(raft))
        return echoed_context(raft);
    raft_note(raft, RAFT_MARK_LEASE_READ);
    return raft->read_newest;
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

/* Of the oldest read that waits for those that were asked first. */
uint64_t raft_reads_due_ms(const struct raft *raft)
{
    if (raft->read_count == 0 || raft->read_asked_all == raft->read_newest)
        return UINT64_MAX;
    uint64_t settled = echoed_context(raft);
    if (settled < raft->read_asked_all)
        settled = raft->read_asked_all;
    for (size_t i = 0; i < raft->read_count; i++) {
        if (raft->reads[i].context > settled)
            return raft->reads[i].asked_ms + patience_with_all_ms(raft);
    }
    return UINT64_MAX;
}

void raft_reads_tick(struct raft *raft)
{
    if (raft->now_ms < raft_reads_due_ms(raft))
        return;
    for (size_t i = 0; i < raft->membership.count; i++) {
        struct raft_progress *progress = &raft->progress[i];
        if (owes_answer(raft, i) && raft->now_ms >= progress->asked_ms + patience_ms(raft, i))
            progress->slow_until_ms = raft->now_ms + raft->options.election_timeout_ms;
    }
    raft_note(raft, RAFT_MARK_READ_ASKED_OTHERS);
    ask_all(raft);
}

/* Its process died: no answer comes. */
void raft_reads_peer_lost(struct raft *raft, uint64_t peer)
{
    size_t position = raft_position_of(raft, peer);
    if (position == NOT_A_MEMBER)
        return;
    struct raft_progress *progress = &raft->progress[position];
    progress->slow_until_ms = raft->now_ms + raft->options.election_timeout_ms;
    if (owes_answer(raft, position) && raft_reads_due_ms(raft) != UINT64_MAX)
        ask_all(raft);
}
