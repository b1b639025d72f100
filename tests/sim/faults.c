/* What goes wrong, as often as the profile says. */
#include "sim/sim.h"

void sim_restart(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    if (event->incarnation != node->incarnation)
        return;
    if (node->paused) {
        sim_node_go_on(node);
        return;
    }
    if (node->up || !node->exists)
        return;
    sim_draw_version(node);
    sim_node_start(node);
}

void sim_restart_later(struct sim *sim, const struct sim_node *victim)
{
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 1000, 3000000),
                                     .type = SIM_RESTART,
                                     .node = victim->position,
                                     .incarnation = victim->incarnation});
}

static void stop_process(struct sim *sim, struct sim_node *victim)
{
    if (sim->profile.pause && sim_chance(sim, 0.5)) {
        victim->paused = true;
        victim->stale_us = victim->local_us > sim->now_us ? victim->local_us : sim->now_us;
        sim_trace(sim, "node %llu is paused", (unsigned long long)victim->id);
    } else {
        sim_node_crash(victim, sim_chance(sim, sim->profile.power_loss));
    }
    sim_restart_later(sim, victim);
}

/* Amid what has several steps on the disk: truncations, snapshots, installs, segments. */
void sim_crash_at_step(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *victim = &sim->nodes[event->node];
    if (sim->faults_stop)
        return;
    sim_node_crash(victim, sim_chance(sim, 0.5));
    sim_restart_later(sim, victim);
}

static bool any_dead_member(struct sim *sim, const struct raft_membership *membership)
{
    for (size_t i = 0; i < membership->count; i++)
        if (sim_is_dead(sim, &membership->members[i]))
            return true;
    return false;
}

/* A disk is lost for good where the group can stand it: one at a time, and only while the others
 * can replace it. */
static void lose_disk(struct sim *sim, struct sim_node *victim)
{
    const struct sim_node *leader = sim_leader(sim);
    if (!leader || !victim->exists)
        return;
    struct raft_status status;
    raft_status(shard_raft(leader->shard), &status);
    const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
    size_t voters = 0;
    for (size_t i = 0; i < membership->count; i++)
        voters += membership->members[i].roles == RAFT_VOTER;
    if (status.joint || !status.change_is_committed || voters < 3 ||
        any_dead_member(sim, membership) || !sim_can_lose(sim, victim))
        return;
    if (victim->up)
        sim_node_crash(victim, true);
    if (sim->profile.rot && sim_chance(sim, 0.7) && sim_disk_rot(&victim->disk))
        sim_node_must_refuse(victim);
    sim_node_wipe(victim);
}

/* By hours, in either direction; now and then all clocks in the same one. */
static void step_wall_clock(struct sim *sim, struct sim_node *victim)
{
    uint64_t width_ms = (uint64_t)sim->profile.wall_jump_ms * 2;
    int64_t offset_ms = (int64_t)sim_between(sim, 0, width_ms) - sim->profile.wall_jump_ms;
    bool all = sim_chance(sim, 0.2);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (all || &sim->nodes[i] == victim)
            sim->nodes[i].wall_offset_ms = offset_ms;
    sim->stats.clock_steps++;
    sim_trace(sim, "the wall clock of %s %llu is off by %lld ms", all ? "all nodes, so of" : "node",
              (unsigned long long)victim->id, (long long)offset_ms);
}

void sim_fault(struct sim *sim)
{
    if (sim->faults_stop)
        return;
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + 100000, .type = SIM_FAULT});
    const struct sim_profile *profile = &sim->profile;
    struct sim_node *victim = &sim->nodes[sim_between(sim, 0, (uint64_t)profile->nodes - 1)];
    if (sim_chance(sim, profile->crash_per_second / 10) && victim->up)
        stop_process(sim, victim);
    if (sim_chance(sim, profile->cut_per_second / 10)) {
        if (sim_chance(sim, 0.4))
            sim_heal(sim);
        else
            sim_cut_random(sim);
    }
    if (sim_chance(sim, profile->resets_per_second / 10))
        sim_reset_random(sim);
    sim_flap(sim, sim_chance(sim, profile->flaps_per_second / 10));
    if (sim_chance(sim, profile->stall_per_second / 10)) {
        victim->disk.busy_until_us = sim->now_us + sim_between(sim, 0, 2000000);
        sim->stats.stalls++;
    }
    if (sim_chance(sim, profile->full_per_second / 10))
        sim_node_disk_full(victim);
    if (sim_chance(sim, profile->wipes_per_second / 10))
        lose_disk(sim, victim);
    if (sim_chance(sim, profile->losses_per_second / 10))
        sim_lose_disks(sim);
    if (profile->majority_lost && sim_chance(sim, 0.01) && sim_lose_majority(sim)) {
        sim->stats.majorities_lost++;
        sim->faults_stop = true;
    }
    if (profile->wall_jump_ms && sim_chance(sim, 0.05))
        step_wall_clock(sim, victim);
}
