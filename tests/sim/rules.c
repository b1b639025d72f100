/* The rules of changing who belongs to the group, and the bounds of what a node holds. */
#include "sim/sim.h"

enum {
    CHECK_BOUNDS_EVERY = 64, /* events: asking for everything takes time */
    CAUGHT_UP_ENTRIES = 256, /* behind the leader's log: what the core asks for, and one batch */
    APPENDS_IN_FLIGHT_MAX = 8,
    BYTES_IN_FLIGHT_MAX = (1 << 20) + (1 << 17),
    CACHE_CHUNKS_BYTES = 1 << 17, /* the cache lets go of whole chunks */
    INDEX_KEPT_BYTES = 1 << 16,   /* what an empty list of offsets may keep */
};

static bool is_voter(const struct raft_membership *membership, uint64_t id, uint64_t incarnation)
{
    const struct raft_member *member = raft_membership_find(membership, id);
    return member && member->incarnation == incarnation &&
           member->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING);
}

/* Another incarnation of the same id is somebody else. */
static const struct raft_member *same_member(const struct raft_membership *membership,
                                             const struct raft_member *member)
{
    const struct raft_member *found = raft_membership_find(membership, member->id);
    return found && found->incarnation == member->incarnation ? found : NULL;
}

/* Can both decide without each other? Paper §6: there must be no such moment. */
static bool can_split(const struct raft_membership *a, const struct raft_membership *b)
{
    const struct raft_member *all[2 * RAFT_MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++)
        all[count++] = &a->members[i];
    for (size_t i = 0; i < b->count; i++)
        if (!same_member(a, &b->members[i]))
            all[count++] = &b->members[i];
    for (unsigned subset = 0; subset < 1U << count; subset++) {
        bool in[RAFT_MEMBERS_MAX] = {false};
        bool out[RAFT_MEMBERS_MAX] = {false};
        for (size_t i = 0; i < count; i++) {
            bool chosen = subset >> i & 1;
            const struct raft_member *of_a = same_member(a, all[i]);
            const struct raft_member *of_b = same_member(b, all[i]);
            if (of_a)
                in[of_a - a->members] = chosen;
            if (of_b)
                out[of_b - b->members] = !chosen;
        }
        if (raft_membership_has_majority(a, in) && raft_membership_has_majority(b, out))
            return true;
    }
    return false;
}

static void check_new_voter(struct sim_node *node, const struct raft_status *status, uint64_t id)
{
    for (size_t i = 0; i < status->peer_count; i++) {
        const struct raft_peer_status *peer = &status->peers[i];
        if (peer->id == id && peer->match + CAUGHT_UP_ENTRIES < status->last_index)
            sim_fail(node->sim, "node %llu makes node %llu a voter, which has %llu of %llu entries",
                     (unsigned long long)node->id, (unsigned long long)id,
                     (unsigned long long)peer->match, (unsigned long long)status->last_index);
    }
}

static bool is_new_voter(const struct raft_membership *before, const struct raft_member *member)
{
    return member->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING) &&
           !is_voter(before, member->id, member->incarnation);
}

/* What the leader makes of spares by itself: an odd number of voters, up to the target. */
static void check_spares(struct sim_node *node, const struct raft_membership *before,
                         const struct raft_membership *after)
{
    size_t voters = 0;
    bool promoted = false;
    for (size_t i = 0; i < after->count; i++) {
        const struct raft_member *member = &after->members[i];
        const struct raft_member *was = same_member(before, member);
        voters += (member->roles & RAFT_VOTER_INCOMING) != 0;
        promoted |= is_new_voter(before, member) && was && was->roles == RAFT_SPARE;
    }
    if (promoted && (voters % 2 == 0 || voters > node->sim->profile.voters_target))
        sim_fail(node->sim, "node %llu makes voters of spares: %zu voters, the target is %u",
                 (unsigned long long)node->id, voters, node->sim->profile.voters_target);
}

/* A leader goes from one membership to the next. */
static void check_change(struct sim_node *node, const struct raft_status *status)
{
    struct sim *sim = node->sim;
    const struct raft *raft = shard_raft(node->shard);
    const struct raft_membership *before = &node->membership_before;
    const struct raft_membership *after = raft_membership(raft);
    if (node->change_seen > status->commit_index)
        sim_fail(sim, "node %llu changes the membership though change %llu is not committed",
                 (unsigned long long)node->id, (unsigned long long)node->change_seen);
    if (!raft_can_read(raft))
        sim_fail(sim, "node %llu changes the membership before it committed in its term",
                 (unsigned long long)node->id);
    if (can_split(before, after))
        sim_fail(sim, "node %llu changes to a membership that can decide without the old one",
                 (unsigned long long)node->id);
    for (size_t i = 0; i < after->count; i++)
        if (is_new_voter(before, &after->members[i]))
            check_new_voter(node, status, after->members[i].id);
    if (!node->change_asked)
        check_spares(node, before, after);
}

static void check_removed_leader(struct sim_node *node, const struct raft_status *status)
{
    bool hands_over = status->transfer_target != 0;
    if (!status->self_is_voter && status->change_is_committed && !status->joint && !hands_over)
        sim_fail(node->sim, "node %llu leads a group in which it has no vote",
                 (unsigned long long)node->id);
}

static void check_bounds(struct sim_node *node, const struct raft_status *status)
{
    struct sim *sim = node->sim;
    for (size_t i = 0; i < status->peer_count; i++) {
        const struct raft_peer_status *peer = &status->peers[i];
        if (peer->in_flight > APPENDS_IN_FLIGHT_MAX || peer->in_flight_bytes > BYTES_IN_FLIGHT_MAX)
            sim_fail(sim, "node %llu has %u appends (%llu bytes) under way to node %llu",
                     (unsigned long long)node->id, peer->in_flight,
                     (unsigned long long)peer->in_flight_bytes, (unsigned long long)peer->id);
    }
    struct storage_status storage = storage_status(shard_storage(node->shard));
    bool all_done = shard_applied_index(node->shard) == status->last_index &&
                    status->durable_index == status->last_index && node->disk.pending_count == 0;
    if (all_done && storage.cache_bytes > sim->profile.cache_bytes_max + CACHE_CHUNKS_BYTES)
        sim_fail(sim, "node %llu caches %llu bytes", (unsigned long long)node->id,
                 (unsigned long long)storage.cache_bytes);
    if (all_done &&
        storage.index_bytes > storage.log_bytes / 500 + 256 * storage.segments + INDEX_KEPT_BYTES)
        sim_fail(sim, "node %llu takes %llu bytes to find entries in a log of %llu",
                 (unsigned long long)node->id, (unsigned long long)storage.index_bytes,
                 (unsigned long long)storage.log_bytes);
}

void sim_check_rules(struct sim_node *node)
{
    const struct raft *raft = shard_raft(node->shard);
    bool leads = raft_role(raft) == RAFT_LEADER;
    bool led = leads && node->led_term == raft_term(raft);
    bool changed = !raft_membership_equal(&node->membership_before, raft_membership(raft));
    bool removed = leads && !is_voter(raft_membership(raft), node->id, node->folder);
    node->led_term = leads ? raft_term(raft) : 0;
    if (!changed && !removed && node->sim->stats.events % CHECK_BOUNDS_EVERY)
        return;
    struct raft_status status;
    raft_status(raft, &status);
    if (changed && led)
        check_change(node, &status);
    if (removed)
        check_removed_leader(node, &status);
    check_bounds(node, &status);
    node->change_seen = status.change_index;
}
