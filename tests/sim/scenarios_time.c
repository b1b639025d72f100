/* Situations in which clocks leap, stop, or are read too early. */
#include <stdio.h>

#include "resp/parse.h"
#include "sim/sim.h"

enum { SECOND = 1000000, HOUR_MS = 3600000 };

/* Wall clocks leap by an hour and back, on the leader, on all nodes, on whoever leads next. */
void sim_clocks_leap(struct sim *sim)
{
    static const int64_t offsets_ms[] = {HOUR_MS, 0, -HOUR_MS, HOUR_MS / 2, -HOUR_MS, 0};
    for (size_t i = 0; i < sizeof offsets_ms / sizeof *offsets_ms; i++) {
        struct sim_node *leader = sim_wait_for_leader(sim);
        for (int n = 0; n < sim->profile.nodes; n++)
            if (i % 3 == 2 || &sim->nodes[n] == leader)
                sim->nodes[n].wall_offset_ms = offsets_ms[i];
        sim_run_for(sim, 2 * SECOND);
        if (i % 2) {
            sim_node_crash(leader, false);
            sim_wait_for_leader(sim);
            sim_run_for(sim, SECOND);
            sim_node_start(leader);
        }
        sim_need_acknowledged(sim, 20);
    }
}

/* A leader reads its clock, stops, and goes on with requests that came in since: its lease has run
 * out, others may have been elected. Followers stop in the same place: what they promise counts
 * from when they have read the leader's message. */
void sim_turns_stop_under_a_lease(struct sim *sim)
{
    sim->profile.stale_turn = 1;
    for (int round = 0; round < 12; round++) {
        struct sim_node *leader = sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 10);
        struct sim_node *victim = round % 3 ? leader : &sim->nodes[round % sim->profile.nodes];
        victim->paused = true;
        victim->stale_us = sim->now_us;
        sim_push(sim, (struct sim_event){.at_us = sim->now_us + SECOND,
                                         .type = SIM_RESTART,
                                         .node = victim->position,
                                         .incarnation = victim->incarnation});
        sim_run_for(sim, 2 * SECOND);
    }
}

/* 8,000 keys a second that live for a quarter of a second. */
void sim_expiry_keeps_up(struct sim *sim)
{
    enum { MS = 3000, KEYS_PER_MS = 8, TTL_MS = 250 };
    sim_wait_for_leader(sim);
    for (int ms = 0; ms < MS; ms++) {
        struct sim_node *leader = sim_wait_for_leader(sim);
        for (int i = 0; i < KEYS_PER_MS; i++) {
            char key[32];
            snprintf(key, sizeof key, "due-%d-%d", ms, i);
            struct span args[] = {SPAN("SET"), span_text(key), SPAN("v"), SPAN("PX"), SPAN("250")};
            struct shard_request request = {
                .client = {.slot = SIM_CLIENTS_MAX - 1, .generation = (uint32_t)ms + 1},
                .protocol = 2,
                .command = command_find(sim->table, args, 5),
                .args = args,
                .argc = 5};
            if (shard_write(leader->shard, &request, sim_node_time(leader)) != SHARD_ACCEPTED)
                sim_fail(sim, "a calm leader takes no write");
        }
        sim_node_wake_in(leader, 50);
        sim_run_for(sim, 1000);
        sim_ttl_check_due(sim, leader, KEYS_PER_MS * TTL_MS);
    }
}
