/* Somebody who changes the membership while everything else goes on: adds nodes, removes, promotes
 * and demotes them (the leader too), replaces one or several at once, insists where most voters are
 * silent, hands leadership over, lets followers ask for it, clears away what was removed. */
#include <stdio.h>

#include "cluster/members.h"
#include "sim/sim.h"

enum { OPERATOR_US = 200000, VOTERS_MIN = 2 };

bool sim_is_dead(struct sim *sim, const struct raft_member *member)
{
    return member->incarnation ? !sim_node_of_member(sim, member) : !sim_node_of(sim, member->id);
}

/* As "1 3+ 4l 5lp 6ls": a voter, one that comes, a learner, one to be promoted, a spare. */
const char *sim_members_text(const struct raft_membership *membership, char *text, size_t size)
{
    int len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < membership->count; i++) {
        unsigned roles = membership->members[i].roles;
        len += snprintf(text + len, size - (size_t)len, "%s%llu%s%s%s", i ? " " : "",
                        (unsigned long long)membership->members[i].id,
                        roles & RAFT_VOTER_INCOMING ? "+" : "",
                        roles & (RAFT_VOTER | RAFT_VOTER_INCOMING) ? "" : "l",
                        roles == RAFT_SPARE    ? "s"
                        : roles & RAFT_PROMOTE ? "p"
                                               : "");
    }
    return text;
}

static size_t count_voters(const struct raft_membership *membership)
{
    size_t voters = 0;
    for (size_t i = 0; i < membership->count; i++)
        voters += membership->members[i].roles == RAFT_VOTER;
    return voters;
}

/* Who comes back under its id is taken in by the leader, if nobody removes it before. */
static void drop_the_dead(struct sim *sim, struct raft_membership *wanted)
{
    for (size_t i = wanted->count; i-- > 0;) {
        const struct raft_member *member = &wanted->members[i];
        bool is_back = sim_node_of(sim, member->id) != NULL;
        if (sim_is_dead(sim, member) && !(is_back && sim_chance(sim, 0.7)))
            raft_membership_drop(wanted, member->id);
    }
}

/* A node that is no member yet is asked to join. */
static void add_nodes(struct sim *sim, struct raft_membership *wanted)
{
    int more = (int)sim_between(sim, 1, 2);
    for (int i = 0; i < sim->profile.nodes && more > 0; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (raft_membership_find(wanted, node->id))
            continue;
        if (!node->exists)
            sim_node_start(node);
        static const unsigned kinds[] = {RAFT_SPARE, RAFT_SPARE, RAFT_PROMOTE, RAFT_LEARNER};
        unsigned roles = kinds[sim_between(sim, 0, 3)];
        raft_membership_put(
            wanted, &(struct raft_member){.id = node->id,
                                          .roles = roles,
                                          .incarnation = sim_chance(sim, 0.5) ? node->folder : 0});
        more--;
    }
}

static void remove_one(struct sim *sim, struct raft_membership *wanted)
{
    raft_membership_drop(wanted, wanted->members[sim_between(sim, 0, wanted->count - 1)].id);
}

static uint64_t any_member(struct sim *sim, const struct raft_membership *members)
{
    return members->members[sim_between(sim, 0, members->count - 1)].id;
}

static void ask_for(struct sim *sim, struct raft_membership *wanted, cluster_wanted *want)
{
    const struct raft_membership before = *wanted;
    const struct cluster_change change = {.id = any_member(sim, &before),
                                          .successor = any_member(sim, &before)};
    char message[CLUSTER_MESSAGE_MAX];
    if (want(&before, &change, wanted, message))
        *wanted = before;
}

/* Any of the members, as voters or learners: several changes at once. */
static void shuffle(struct sim *sim, struct raft_membership *wanted)
{
    for (size_t i = wanted->count; i-- > 0;) {
        if (sim_chance(sim, 0.2))
            raft_membership_drop(wanted, wanted->members[i].id);
        else if (sim_chance(sim, 0.5))
            wanted->members[i].roles = sim_chance(sim, 0.7) ? RAFT_VOTER : RAFT_LEARNER;
    }
}

static void draw_membership(struct sim *sim, struct raft_membership *wanted)
{
    size_t before = wanted->count;
    drop_the_dead(sim, wanted);
    if (wanted->count < before)
        return;
    switch (sim_between(sim, 0, 7)) {
    case 0:
    case 1:
        add_nodes(sim, wanted);
        return;
    case 2:
        remove_one(sim, wanted);
        return;
    case 3:
        ask_for(sim, wanted, cluster_member_promote);
        return;
    case 4:
        ask_for(sim, wanted, cluster_member_demote);
        return;
    case 5:
    case 6:
        ask_for(sim, wanted, cluster_member_replace);
        return;
    default:
        shuffle(sim, wanted);
        return;
    }
}

static void change(struct sim *sim, struct sim_node *leader)
{
    const struct raft *raft = shard_raft(leader->shard);
    struct raft_membership wanted = *raft_membership(raft);
    if (raft_membership_is_joint(&wanted))
        return;
    draw_membership(sim, &wanted);
    if (count_voters(&wanted) < VOTERS_MIN || !sim_can_decide(sim, &wanted))
        return;
    bool insists = sim_chance(sim, 0.1);
    enum raft_refusal refusal =
        insists ? shard_force_change(leader->shard, &wanted, sim_node_time(leader))
                : shard_change(leader->shard, &wanted, sim_node_time(leader));
    char text[256];
    sim_trace(sim, "node %llu is asked for members %s: %s", (unsigned long long)leader->id,
              sim_members_text(&wanted, text, sizeof text),
              refusal == RAFT_CHANGE_POSSIBLE ? "begun" : "refused");
    if (refusal != RAFT_CHANGE_POSSIBLE)
        return;
    sim->stats.changes++;
    leader->change_asked = true;
    sim_node_settle(leader);
    leader->change_asked = false;
}

static void transfer(struct sim *sim, struct sim_node *leader)
{
    const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
    uint64_t target = sim_chance(sim, 0.5)
                          ? 0
                          : membership->members[sim_between(sim, 0, membership->count - 1)].id;
    sim_trace(sim, "node %llu is asked to hand over to %llu", (unsigned long long)leader->id,
              (unsigned long long)target);
    shard_transfer(leader->shard, target, sim_node_time(leader));
    sim->stats.transfers++;
    sim_node_settle(leader);
}

static void ask_to_lead(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1)];
    if (!node->up || node->paused || !shard_ask_to_lead(node->shard))
        return;
    sim_trace(sim, "node %llu asks to lead", (unsigned long long)node->id);
    sim->stats.transfers++;
    sim_node_settle(node);
}

/* What no committed membership names is switched off and begins anew one day. */
static void clear_away(struct sim *sim, const struct sim_node *leader)
{
    struct raft_status status;
    raft_status(shard_raft(leader->shard), &status);
    if (status.joint || !status.change_is_committed)
        return;
    const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
    for (int i = 0; i < sim->profile.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (!node->exists || node == leader || raft_membership_find(membership, node->id) ||
            sim_chance(sim, 0.7))
            continue;
        if (node->up)
            sim_node_crash(node, false);
        sim_node_wipe(node);
    }
}

void sim_operate(struct sim *sim)
{
    if (sim->faults_stop)
        return;
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + OPERATOR_US, .type = SIM_OPERATOR});
    struct sim_node *leader = sim_leader(sim);
    if (!leader)
        return;
    if (raft_can_read(shard_raft(leader->shard)))
        clear_away(sim, leader);
    if (!sim_chance(sim, sim->profile.changes_per_second * OPERATOR_US / 1000000))
        return;
    if (sim_chance(sim, 0.2))
        transfer(sim, leader);
    else if (sim_chance(sim, 0.1))
        ask_to_lead(sim);
    else
        change(sim, leader);
}
