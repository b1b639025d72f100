#include <string.h>

#include "sim/sim.h"

/* A connection keeps its order, and a calm run has but the one. Elsewhere messages overtake each
 * other, as they do where a connection is lost and another one made. */
static uint64_t in_order_us(struct sim *sim, const struct sim_node *from, const struct sim_node *to,
                            uint64_t at_us)
{
    uint64_t *last_us = &sim->arrives_us[from->position][to->position];
    if (sim->profile.calm && at_us < *last_us)
        return *last_us;
    *last_us = at_us;
    return at_us;
}

static void deliver(struct sim *sim, const struct sim_node *from, const struct sim_node *to,
                    struct span bytes)
{
    const struct sim_profile *profile = &sim->profile;
    uint64_t delay_us = sim_between(sim, profile->delay_us_min, profile->delay_us_max);
    if (sim_chance(sim, profile->slow))
        delay_us += sim_between(sim, 0, profile->slow_us);
    uint64_t sent_us = from->local_us > sim->now_us ? from->local_us : sim->now_us;
    struct sim_event event = {.at_us = in_order_us(sim, from, to, sent_us + delay_us),
                              .type = SIM_MESSAGE,
                              .node = to->position,
                              .from = from->id,
                              .from_folder = from->folder,
                              .connection = sim->connections[from->position][to->position],
                              .incarnation = to->incarnation,
                              .waited = sent_us > sim->now_us};
    buf_add_span(&event.bytes, bytes);
    sim_push(sim, event);
}

/* Where versions differ, nothing is sent on a connection before it is known what that speaks. */
static bool is_reached(const struct sim *sim, const struct sim_node *from,
                       const struct sim_node *to)
{
    return to && to->up && !sim->cut[from->position][to->position] && sim_understand(from, to) &&
           (sim->profile.old_nodes == 0 || sim_have_met(sim, from, to));
}

void sim_send(struct sim *sim, const struct sim_node *from, uint64_t to, struct span bytes)
{
    sim->stats.messages++;
    struct sim_node *receiver = sim_node_of(sim, to);
    if (!is_reached(sim, from, receiver) || sim_chance(sim, sim->profile.drop)) {
        sim->stats.dropped++;
        return;
    }
    struct buf lie = {0};
    if (sim_lie(sim, from, receiver, bytes, &lie)) {
        deliver(sim, from, receiver, buf_span(&lie));
        buf_close(&lie);
        if (sim_chance(sim, 0.5))
            return;
    }
    deliver(sim, from, receiver, bytes);
    if (sim_chance(sim, sim->profile.duplicate))
        deliver(sim, from, receiver, bytes);
}

void sim_heal(struct sim *sim)
{
    memset(sim->cut, 0, sizeof sim->cut);
    sim_trace(sim, "the network is whole");
}

void sim_isolate(struct sim *sim, int node)
{
    for (int i = 0; i < sim->profile.nodes; i++)
        if (i != node)
            sim->cut[i][node] = sim->cut[node][i] = true;
    sim_trace(sim, "node %d is cut off", node + 1);
}

/* One of the shapes that real networks break into: two halves, one node, one direction, a bridge, a
 * ring. */
void sim_cut_random(struct sim *sim)
{
    int nodes = sim->profile.nodes;
    sim->stats.cuts++;
    memset(sim->cut, 0, sizeof sim->cut);
    int one = (int)sim_between(sim, 0, (uint64_t)nodes - 1);
    int other = (int)sim_between(sim, 0, (uint64_t)nodes - 1);
    switch (sim_between(sim, 0, 4)) {
    case 0: /* halves */
        for (int i = 0; i < nodes; i++)
            for (int j = 0; j < nodes; j++)
                sim->cut[i][j] = (i <= one) != (j <= one);
        sim_trace(sim, "cut between nodes up to %d and the others", one + 1);
        return;
    case 1:
        sim_isolate(sim, one);
        return;
    case 2: /* one way */
        sim->cut[one][other] = one != other;
        sim_trace(sim, "cut from node %d to node %d", one + 1, other + 1);
        return;
    case 3: /* bridge: all see `one`, nobody sees anybody else */
        for (int i = 0; i < nodes; i++)
            for (int j = 0; j < nodes; j++)
                sim->cut[i][j] = i != j && i != one && j != one;
        sim_trace(sim, "all see node %d alone", one + 1);
        return;
    default: /* ring */
        for (int i = 0; i < nodes; i++)
            for (int j = 0; j < nodes; j++)
                sim->cut[i][j] = i != j && j != (i + 1) % nodes && i != (j + 1) % nodes;
        sim_trace(sim, "ring");
        return;
    }
}

static int random_node(struct sim *sim)
{
    return (int)sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1);
}

/* Both directions lose what was under way. Either side may take it for the other's death, which it
 * is not: somebody between the two did it. */
void sim_reset_random(struct sim *sim)
{
    struct sim_node *one = &sim->nodes[random_node(sim)];
    struct sim_node *other = &sim->nodes[random_node(sim)];
    if (one == other)
        return;
    sim->stats.resets++;
    sim->connections[one->position][other->position]++;
    sim->connections[other->position][one->position]++;
    sim_trace(sim, "the connection of nodes %llu and %llu is reset", (unsigned long long)one->id,
              (unsigned long long)other->id);
    if (one->up && !one->paused && sim_chance(sim, 0.5)) {
        shard_peer_lost(one->shard, other->id, sim_node_time(one));
        sim_node_settle(one);
    }
}

void sim_flap(struct sim *sim, bool begins)
{
    if (begins) {
        sim->flapping[0] = random_node(sim);
        sim->flapping[1] = random_node(sim);
        sim->flapping_until_us = sim->now_us + sim_between(sim, 0, 5000000);
        sim->stats.flaps++;
    }
    int one = sim->flapping[0];
    int other = sim->flapping[1];
    if (one == other || sim->now_us > sim->flapping_until_us + 100000)
        return;
    bool cut = sim->now_us < sim->flapping_until_us && !sim->cut[one][other];
    sim->cut[one][other] = sim->cut[other][one] = cut;
}
