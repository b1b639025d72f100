/* How every run ends. First a random majority heals for good while the rest stays broken, and has
 * to get on within ten election timeouts. Then everything heals, and all have to become equal. */
#include "sim/sim.h"

enum { SECOND = 1000000, CORE_PATIENCE_US = 10 * 2 * SIM_ELECTION_MS * 1000 };

static void stop_faults(struct sim *sim)
{
    struct sim_profile *profile = &sim->profile;
    sim->faults_stop = true;
    profile->drop = profile->duplicate = profile->slow = 0;
}

static void bring_up(struct sim_node *node)
{
    if (node->paused) {
        node->paused = node->stale = false;
        sim_node_settle(node);
    }
    if (!node->up)
        sim_node_start(node);
    uint64_t soon_us = node->sim->now_us + node->sim->profile.sync_us_max;
    if (node->disk.busy_until_us > soon_us)
        node->disk.busy_until_us = soon_us; /* what stalled goes on */
    node->disk.full_until_us = 0;
}

/* Whether `candidate` would get the vote of `voter` (Raft paper, section 5.4.1). */
static bool would_vote(const struct sim_node *voter, const struct sim_node *candidate)
{
    if (!voter || !voter->up)
        return false;
    struct raft_status status, wanted;
    raft_status(shard_raft(voter->shard), &status);
    raft_status(shard_raft(candidate->shard), &wanted);
    return status.may_vote &&
           (wanted.last_term > status.last_term ||
            (wanted.last_term == status.last_term && wanted.last_index >= status.last_index));
}

/* Whether every disk that is left suffices to elect this node by its own membership. */
static bool can_be_elected(struct sim *sim, const struct sim_node *node)
{
    struct raft_status status;
    raft_status(shard_raft(node->shard), &status);
    const struct raft_membership *membership = raft_membership(shard_raft(node->shard));
    bool yes[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < membership->count; i++)
        yes[i] = would_vote(sim_node_of_member(sim, &membership->members[i]), node);
    return status.may_stand && status.last_index >= sim_committed_last(sim) &&
           raft_membership_has_majority(membership, yes);
}

/* Members in a random order join the core until it has a majority that elects this node. */
static void add_majority(struct sim *sim, const struct sim_node *candidate,
                         bool core[SIM_NODES_MAX])
{
    const struct raft_membership *membership = raft_membership(shard_raft(candidate->shard));
    core[candidate->position] = true;
    for (;;) {
        bool yes[RAFT_MEMBERS_MAX] = {false};
        for (size_t i = 0; i < membership->count; i++) {
            const struct sim_node *node = sim_node_of_member(sim, &membership->members[i]);
            yes[i] = node && core[node->position] && would_vote(node, candidate);
        }
        if (raft_membership_has_majority(membership, yes))
            return;
        size_t pick = sim_between(sim, 0, membership->count - 1);
        const struct sim_node *node = sim_node_of_member(sim, &membership->members[pick]);
        if (would_vote(node, candidate))
            core[node->position] = true;
    }
}

/* A learner that has caught up may become a voter at any moment: what is a majority then needs it.
 */
static void add_promoted(struct sim *sim, const struct raft_membership *membership,
                         bool core[SIM_NODES_MAX])
{
    for (size_t i = 0; i < membership->count; i++) {
        const struct sim_node *node = sim_node_of_member(sim, &membership->members[i]);
        if (node && (membership->members[i].roles & RAFT_PROMOTE))
            core[node->position] = true;
    }
}

/* Whoever can be elected goes by its own membership: whoever that will be, the core has a majority
 * of it. False: no node knows of a group yet. */
static bool choose_core(struct sim *sim, bool core[SIM_NODES_MAX])
{
    bool known = false, chosen = false;
    for (int i = 0; i < sim->profile.nodes; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (!node->up || raft_membership(shard_raft(node->shard))->count == 0)
            continue;
        known = true;
        if (!can_be_elected(sim, node))
            continue;
        add_promoted(sim, raft_membership(shard_raft(node->shard)), core);
        add_majority(sim, node, core);
        chosen = true;
    }
    if (known && !chosen)
        sim_fail(sim, "no node can be elected with the disks that are left");
    return chosen;
}

/* Down, cut off, or heard without hearing: as broken as each other. A leader that is heard could
 * still change the membership, and with it what a majority is. */
static void break_node(struct sim *sim, struct sim_node *node, const bool core[SIM_NODES_MAX])
{
    bool leads = node->up && shard_is_leader(node->shard);
    uint64_t how = sim_between(sim, 0, leads ? 1 : 2);
    if (how == 0 && node->up) {
        sim_node_crash(node, false);
        return;
    }
    for (int i = 0; i < sim->profile.nodes; i++) {
        if (!core[i])
            continue;
        sim->cut[i][node->position] = true;
        sim->cut[node->position][i] = how == 1;
    }
}

static bool gets_on(struct sim *sim)
{
    return sim->stats.acknowledged >= sim->acknowledged_goal;
}

/* A majority alone has to be enough, whatever the others do. */
static void core_heals(struct sim *sim)
{
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].exists)
            bring_up(&sim->nodes[i]);
    bool core[SIM_NODES_MAX] = {false};
    if (!choose_core(sim, core))
        return;
    sim_heal(sim);
    for (int i = 0; i < sim->profile.nodes; i++) {
        if (sim->nodes[i].exists && !core[i])
            break_node(sim, &sim->nodes[i], core);
        sim_trace(sim, "node %llu is %s", (unsigned long long)sim->nodes[i].id,
                  core[i] ? "in the core" : "out of it");
    }
    sim->acknowledged_goal = sim->stats.acknowledged + 1;
    if (!sim_run_until(sim, gets_on, CORE_PATIENCE_US))
        sim_fail(sim, "a healthy majority does not get on within %d election timeouts",
                 CORE_PATIENCE_US / 1000 / SIM_ELECTION_MS);
}

static bool all_equal(struct sim *sim)
{
    const struct sim_node *leader = sim_leader(sim);
    if (!leader)
        return false;
    struct raft_status status;
    raft_status(shard_raft(leader->shard), &status);
    if (status.commit_index != status.last_index || status.joint)
        return false;
    const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
    for (size_t i = 0; i < membership->count; i++) {
        const struct sim_node *node = sim_node_of(sim, membership->members[i].id);
        if (node && node->exists && node->folder != membership->members[i].incarnation)
            return false; /* it is to be taken in */
        if (node && (!node->up || shard_applied_index(node->shard) != status.last_index))
            return false;
    }
    return true;
}

static bool none_waits(struct sim *sim)
{
    for (int i = 0; i < sim->profile.clients; i++)
        if (sim->clients[i].waiting)
            return false;
    return true;
}

/* Those who lost their disks know of no group, and the others are too few: nobody leads, nothing is
 * committed any more. What was under way when the disks were lost may still arrive. */
static void end_without_majority(struct sim *sim)
{
    sim_heal(sim);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].exists)
            bring_up(&sim->nodes[i]);
    if (sim->now_us < sim->majority_lost_us + 2 * SECOND)
        sim_run_for(sim, 2 * SECOND);
    uint64_t committed = sim_committed_last(sim);
    sim_run_for(sim, 5 * SECOND);
    if (sim_leader(sim))
        sim_fail(sim, "node %llu leads though most of the disks are lost",
                 (unsigned long long)sim_leader(sim)->id);
    if (sim_committed_last(sim) != committed)
        sim_fail(sim, "entries are committed though most of the disks are lost");
    sim->clients_stop = true;
    if (!sim_run_until(sim, none_waits, 20 * SECOND))
        sim_fail(sim, "a client still waits for its reply");
    sim_check_linear(sim);
    sim->stats.virtual_ms = sim->now_us / 1000;
}

void sim_end(struct sim *sim)
{
    stop_faults(sim);
    if (sim_has_liar(sim)) {
        sim_end_with_liar(sim);
        return;
    }
    if (sim->majority_lost_us) {
        end_without_majority(sim);
        return;
    }
    sim_upgrade_all(sim);
    if (sim->profile.clients > 0)
        core_heals(sim);
    sim->clients_stop = true;
    sim_heal(sim);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].exists)
            bring_up(&sim->nodes[i]);
    if (!sim_run_until(sim, none_waits, 20 * SECOND))
        sim_fail(sim, "a client still waits for its reply");
    if (!sim_run_until(sim, all_equal, 20 * SECOND))
        sim_fail(sim, "the healed cluster does not converge");
    if (sim->profile.clients > 0)
        sim_drain_queues(sim);
    sim_check_wakes(sim);
    if (!sim_run_until(sim, all_equal, 20 * SECOND))
        sim_fail(sim, "the nodes are not equal after the last jobs");
    sim_check_final_state(sim);
    sim_check_linear(sim);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].up)
            sim->marks |= raft_marks(shard_raft(sim->nodes[i].shard));
    sim->stats.virtual_ms = sim->now_us / 1000;
}
