/* Who is who: connections tell which data folder is at the other end, disks are lost and come back
 * under the same id. */
#include <string.h>

#include "sim/sim.h"

enum { MEET_US = 20000 };

struct sim_node *sim_node_of_member(struct sim *sim, const struct raft_member *member)
{
    struct sim_node *node = sim_node_of(sim, member->id);
    return node && node->folder == member->incarnation ? node : NULL;
}

static bool is_open(const struct sim *sim, const struct sim_node *one, const struct sim_node *other)
{
    return one->up && other->up && !one->paused && !other->paused &&
           !sim->cut[one->position][other->position] && !sim->cut[other->position][one->position] &&
           sim_understand(one, other);
}

static struct sim_meeting meeting_of(const struct sim *sim, const struct sim_node *one,
                                     const struct sim_node *other)
{
    return (struct sim_meeting){.life = one->incarnation,
                                .other_life = other->incarnation,
                                .connection = sim->connections[one->position][other->position],
                                .folder = other->folder};
}

bool sim_have_met(const struct sim *sim, const struct sim_node *one, const struct sim_node *other)
{
    const struct sim_meeting now = meeting_of(sim, one, other);
    return memcmp(&one->met[other->position], &now, sizeof now) == 0;
}

/* A connection is made anew after either process began, and after it was reset. */
static void meet(struct sim *sim, struct sim_node *one, const struct sim_node *other)
{
    if (sim_have_met(sim, one, other))
        return;
    one->met[other->position] = meeting_of(sim, one, other);
    const struct shard_peer peer = {other->id, other->folder, sim_spoken(one, other)};
    shard_peer_met(one->shard, &peer, sim_node_time(one));
    sim_node_settle(one);
}

void sim_meet(struct sim *sim)
{
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + MEET_US, .type = SIM_MEET});
    for (int i = 0; i < sim->profile.nodes; i++) {
        for (int j = 0; j < sim->profile.nodes; j++) {
            struct sim_node *one = &sim->nodes[i];
            if (i != j && is_open(sim, one, &sim->nodes[j]))
                meet(sim, one, &sim->nodes[j]);
        }
    }
}

/* Of those whose disks are left, without the ones in `without`. */
static bool has_majority(struct sim *sim, const struct raft_membership *membership,
                         const bool without[SIM_NODES_MAX])
{
    bool yes[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < membership->count; i++) {
        const struct sim_node *node = sim_node_of_member(sim, &membership->members[i]);
        yes[i] = node && !without[node->position];
    }
    return raft_membership_has_majority(membership, yes);
}

bool sim_can_decide(struct sim *sim, const struct raft_membership *membership)
{
    static const bool nobody[SIM_NODES_MAX];
    return has_majority(sim, membership, nobody);
}

/* What is under way when a disk is lost arrives within that time. */
enum { UNDER_WAY_US = 1000000 };

/* What the leader makes of a membership in force once it is committed: a joint one becomes that of
 * the incoming voters. */
static struct raft_membership after(const struct raft_membership *membership)
{
    struct raft_membership next = *membership;
    for (size_t i = 0; raft_membership_is_joint(membership) && i < next.count; i++) {
        unsigned roles = next.members[i].roles;
        next.members[i].roles = roles & RAFT_VOTER_INCOMING ? RAFT_VOTER : roles & RAFT_PROMOTE;
    }
    return next;
}

/* The leader may promote learners in the very moment in which their disks are lost, one after the
 * other: the membership that follows has to stand it if just those become voters. */
static bool has_majority_now_and_next(struct sim *sim, const struct raft_membership *membership,
                                      const bool without[SIM_NODES_MAX])
{
    struct raft_membership next = after(membership);
    for (size_t i = 0; i < next.count; i++) {
        const struct sim_node *node = sim_node_of_member(sim, &next.members[i]);
        if ((next.members[i].roles & RAFT_PROMOTE) && (!node || without[node->position]))
            next.members[i].roles = RAFT_VOTER;
    }
    return has_majority(sim, membership, without) && has_majority(sim, &next, without);
}

/* A joint membership may be committed by what is on its way when the disks are lost. */
static bool has_majority_now_or_next(struct sim *sim, const struct raft_membership *membership,
                                     const bool without[SIM_NODES_MAX])
{
    const struct raft_membership next = after(membership);
    return has_majority(sim, membership, without) || has_majority(sim, &next, without);
}

typedef bool judge_majority(struct sim *sim, const struct raft_membership *membership,
                            const bool without[SIM_NODES_MAX]);

/* How many of the memberships that any node goes by, or that are under way from a disk that was
 * lost, have a majority left without these disks; of how many. */
static int count_majorities(struct sim *sim, judge_majority *judge,
                            const bool without[SIM_NODES_MAX], int *memberships)
{
    int majorities = 0;
    *memberships = 0;
    for (int i = 0; i < sim->profile.nodes; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->membership_lost.count > 0 &&
            sim->now_us < node->membership_lost_us + UNDER_WAY_US) {
            ++*memberships;
            majorities += judge(sim, &node->membership_lost, without);
        }
        if (!node->exists || node->membership_before.count == 0)
            continue;
        ++*memberships;
        majorities += judge(sim, &node->membership_before, without);
    }
    return majorities;
}

bool sim_can_lose(struct sim *sim, const struct sim_node *victim)
{
    bool without[SIM_NODES_MAX] = {false};
    without[victim->position] = true;
    int memberships;
    return victim->exists &&
           count_majorities(sim, has_majority_now_and_next, without, &memberships) == memberships &&
           memberships > 0;
}

static void lose(struct sim *sim, struct sim_node *victim)
{
    if (victim->up)
        sim_node_crash(victim, true);
    sim_node_lose_disk(victim);
    sim_restart_later(sim, victim);
}

void sim_lose_disks(struct sim *sim)
{
    int more = (int)sim_between(sim, 1, 3);
    for (int tries = 0; tries < 10 && more > 0; tries++) {
        struct sim_node *victim =
            &sim->nodes[sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1)];
        if (!sim_can_lose(sim, victim))
            continue;
        lose(sim, victim);
        more--;
    }
}

/* More disks than any membership can stand. From then on nothing may go on by itself. */
bool sim_lose_majority(struct sim *sim)
{
    bool without[SIM_NODES_MAX] = {false};
    int memberships;
    for (int tries = 0;
         tries < 20 && count_majorities(sim, has_majority_now_or_next, without, &memberships);
         tries++)
        without[sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1)] = true;
    if (memberships == 0 || count_majorities(sim, has_majority_now_or_next, without, &memberships))
        return false;
    for (int i = 0; i < sim->profile.nodes; i++)
        if (without[i] && sim->nodes[i].exists)
            lose(sim, &sim->nodes[i]);
    sim->majority_lost_us = sim->now_us;
    return true;
}
