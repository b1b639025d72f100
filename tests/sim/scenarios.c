/* Situations with a name. Each sets its stage, lets clients work and ends with the checks of every
 * run; what it adds is what must have happened on the way. */
#include <string.h>

#include "resp/parse.h"
#include "sim/sim.h"
#include "wire/hello.h"

enum {
    SECOND = 1000000,
    OLD_ONE_IN = 8,
    LIARS_ONE_IN = 24
}; /* of those where something goes wrong */

static bool has_leader(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);
    return leader && raft_can_read(shard_raft(leader->shard));
}

struct sim_node *sim_wait_for_leader(struct sim *sim)
{
    if (!sim_run_until(sim, has_leader, 5 * SECOND))
        sim_fail(sim, "no leader within five seconds");
    return sim_leader(sim);
}

void sim_need_acknowledged(struct sim *sim, uint64_t more)
{
    uint64_t goal = sim->stats.acknowledged + more;
    for (int i = 0; i < 200 && sim->stats.acknowledged < goal; i++)
        sim_run_for(sim, SECOND / 10);
    if (sim->stats.acknowledged < goal)
        sim_fail(sim, "only %llu of %llu writes were acknowledged",
                 (unsigned long long)(sim->stats.acknowledged + more - goal),
                 (unsigned long long)more);
}

static void leader_election(struct sim *sim)
{
    struct sim_node *leader = sim_wait_for_leader(sim);
    uint64_t term = raft_term(shard_raft(leader->shard));
    sim_run_for(sim, 10 * SECOND);
    if (sim_leader(sim) != leader || raft_term(shard_raft(leader->shard)) != term)
        sim_fail(sim, "a calm cluster changed its leader");
}

static void re_election_on_leader_failure(struct sim *sim)
{
    for (int i = 0; i < 5; i++) {
        struct sim_node *old = sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 20);
        sim_node_crash(old, false);
        struct sim_node *leader = sim_wait_for_leader(sim);
        if (leader == old)
            sim_fail(sim, "a crashed node leads");
        sim_need_acknowledged(sim, 20);
        sim_node_start(old);
        sim_need_acknowledged(sim, 20);
    }
}

/* All candidates at once: nobody can hear the others while the timeouts run out, then everybody
 * asks everybody. */
static void split_vote(struct sim *sim)
{
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < sim->profile.nodes; i++)
            sim_isolate(sim, i);
        sim_run_for(sim, 2 * SECOND);
        sim_heal(sim);
        sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 5);
    }
}

static void log_replication(struct sim *sim)
{
    sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 500);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (shard_applied_index(sim->nodes[i].shard) + 100 < sim_committed_last(sim))
            sim_fail(sim, "node %d does not keep up", i + 1);
}

static void concurrent_submits(struct sim *sim)
{
    sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 2000);
}

/* The old leader's log gets entries that no majority has; they have to go. */
static void conflict_resolution(struct sim *sim)
{
    for (int round = 0; round < 5; round++) {
        struct sim_node *old = sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 10);
        sim_isolate(sim, old->position);
        uint64_t before = raft_last_index(shard_raft(old->shard));
        for (int i = 0; i < 3; i++) {
            struct span args[] = {SPAN("SET"), SPAN("lost"), SPAN("value")};
            struct shard_request request = {.client = {.slot = SIM_CLIENTS_MAX - 1,
                                                       .generation = (uint32_t)(round * 3 + i + 1)},
                                            .protocol = 2,
                                            .command = command_find(sim->table, args, 3),
                                            .args = args,
                                            .argc = 3};
            if (shard_is_leader(old->shard) &&
                shard_write(old->shard, &request, sim_node_time(old)) != SHARD_ACCEPTED)
                sim_fail(sim, "the cut-off leader does not know yet and must accept");
            sim_node_settle(old);
        }
        if (raft_last_index(shard_raft(old->shard)) <= before)
            sim_fail(sim, "nothing to be taken back");
        sim_run_for(sim, 3 * SECOND);
        sim_need_acknowledged(sim, 10);
        sim_heal(sim);
        sim_need_acknowledged(sim, 10);
        for (int i = 0; i < sim->profile.nodes; i++)
            if (keyspace_find(shard_keyspace(sim->nodes[i].shard, 0), SPAN("lost"), NO_DEADLINE))
                sim_fail(sim, "an entry without a majority was applied");
    }
}

static void leader_failure(struct sim *sim)
{
    struct sim_node *old = sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 50);
    sim_node_crash(old, true);
    uint64_t start = sim->now_us;
    sim_wait_for_leader(sim);
    if (sim->now_us - start > SECOND)
        sim_fail(sim, "failover took %llu us", (unsigned long long)(sim->now_us - start));
    sim_need_acknowledged(sim, 50);
}

static void partition_and_recover(struct sim *sim)
{
    for (int round = 0; round < 10; round++) {
        sim_wait_for_leader(sim);
        sim_cut_random(sim);
        sim_run_for(sim, 3 * SECOND);
        sim_heal(sim);
        sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 10);
    }
}

/* A leader without a majority neither acknowledges a write nor answers a read, and gives up its
 * office. */
static void split_brain_prevention(struct sim *sim)
{
    struct sim_node *old = sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 20);
    uint64_t commit = raft_commit_index(shard_raft(old->shard));
    sim_isolate(sim, old->position);
    uint64_t reads = sim->stats.reads;
    sim_run_for(sim, 5 * SECOND);
    struct sim_node *leader = sim_leader(sim);
    if (!leader || leader == old)
        sim_fail(sim, "the majority has no leader of its own");
    if (shard_is_leader(old->shard))
        sim_fail(sim, "a leader that heard from nobody for seconds still leads");
    if (raft_commit_index(shard_raft(old->shard)) > commit + 8)
        sim_fail(sim, "the minority went on to commit");
    sim_need_acknowledged(sim, 20);
    if (sim->stats.reads == reads)
        sim_fail(sim, "nobody could read");
    sim_heal(sim);
    sim_need_acknowledged(sim, 20);
}

static void message_loss(struct sim *sim)
{
    sim->profile.drop = 0.2;
    sim->profile.duplicate = 0.1;
    sim->profile.slow = 0.1;
    sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 300);
}

/* Everything stops at once, again and again, with and without a power loss. */
static void persistence(struct sim *sim)
{
    for (int round = 0; round < 10; round++) {
        sim_wait_for_leader(sim);
        sim_need_acknowledged(sim, 30);
        for (int i = 0; i < sim->profile.nodes; i++)
            if (sim->nodes[i].up)
                sim_node_crash(&sim->nodes[i], round % 2 == 0);
        for (int i = 0; i < sim->profile.nodes; i++)
            sim_node_start(&sim->nodes[i]);
    }
    sim_need_acknowledged(sim, 30);
}

/* What an exchange of digests takes at most, with the leader's patience for lost answers. */
enum { DIGEST_BOUND = 2 * SIM_DIGEST_MS * 1000 + SECOND / 2 };

static struct sim_node *follower_of(struct sim *sim, const struct sim_node *leader)
{
    return &sim->nodes[(leader->position + 1) % sim->profile.nodes];
}

static void expect_found(struct sim *sim, struct sim_node *node)
{
    sim_run_for(sim, DIGEST_BOUND);
    if (node->up)
        sim_fail(sim, "node %llu goes on with a state of its own", (unsigned long long)node->id);
    sim_need_acknowledged(sim, 20);
    sim_node_start(node);
    sim_need_acknowledged(sim, 20);
}

static void altered_state_is_found(struct sim *sim)
{
    struct sim_node *leader = sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 50);
    struct sim_node *follower = follower_of(sim, leader);
    sim_node_alter(follower);
    expect_found(sim, follower);
    leader = sim_wait_for_leader(sim);
    sim_node_alter(leader);
    expect_found(sim, leader);
}

static void expect_disputed(struct sim *sim)
{
    sim_run_for(sim, DIGEST_BOUND);
    const struct sim_node *leader = sim_wait_for_leader(sim);
    uint64_t acknowledged = sim->stats.acknowledged;
    if (!shard_is_disputed(leader->shard))
        sim_fail(sim, "the leader does not say that nodes differ");
    sim_run_for(sim, 2 * SECOND);
    if (sim->stats.acknowledged != acknowledged)
        sim_fail(sim, "writes are acknowledged although no majority agrees about the data");
}

static void begin_again(struct sim *sim)
{
    for (int i = 0; i < sim->profile.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (!node->altered)
            continue;
        if (node->up)
            sim_node_crash(node, false);
        sim_node_start(node);
    }
    sim_need_acknowledged(sim, 20);
}

static void dispute_of_two(struct sim *sim)
{
    struct sim_node *leader = sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 20);
    sim_node_alter(follower_of(sim, leader));
    expect_disputed(sim);
    begin_again(sim);
}

static void dispute_of_three(struct sim *sim)
{
    struct sim_node *leader = sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 20);
    sim_node_alter(leader);
    sim_node_alter(follower_of(sim, leader));
    expect_disputed(sim);
    begin_again(sim);
}

static const struct sim_scenario scenarios[] = {
    {"leader-election", leader_election, 3, 0, false},
    {"re-election-on-leader-failure", re_election_on_leader_failure, 3, 0, false},
    {"split-vote", split_vote, 5, 0, false},
    {"log-replication", log_replication, 3, 0, false},
    {"concurrent-submits", concurrent_submits, 3, 0, false},
    {"conflict-resolution", conflict_resolution, 3, 0, false},
    {"leader-failure", leader_failure, 3, 0, false},
    {"partition-and-recover", partition_and_recover, 5, 0, false},
    {"split-brain-prevention", split_brain_prevention, 3, 0, false},
    {"message-loss", message_loss, 3, 0, false},
    {"persistence", persistence, 3, 0, false},
    {"a-select-rots", sim_selects_rot, 3, 0, false},
    {"altered-state-is-found", altered_state_is_found, 3, 0, false},
    {"dispute-of-two", dispute_of_two, 2, 0, false},
    {"dispute-of-three", dispute_of_three, 3, 0, false},
    {"clocks-leap", sim_clocks_leap, 3, 0, false},
    {"turns-stop-under-a-lease", sim_turns_stop_under_a_lease, 3, 10, false},
    {"expiry-keeps-up", sim_expiry_keeps_up, 3, 0, false},
    {"numbered-clients", sim_numbered_clients, 3, 0, false},
    {"rolling-upgrade", sim_rolling_upgrade, 3, 0, true},
    {"member-goes-back-amid-the-agreement", sim_member_goes_back_amid_the_agreement, 3, 0, true},
};

const struct sim_scenario *sim_scenarios(size_t *count)
{
    *count = sizeof scenarios / sizeof *scenarios;
    return scenarios;
}

struct sim_profile sim_calm_profile(int nodes)
{
    return (struct sim_profile){.nodes = nodes,
                                .voters = nodes,
                                .clients = 8,
                                .numbered = 0.1,
                                .delay_us_min = 100,
                                .delay_us_max = 1000,
                                .sync_us_max = 3000,
                                .cache_bytes_max = 16384,
                                .apply_entries_max = 4096,
                                .snapshot_chunk_bytes = 4096};
}

static void draw_changes(struct prng *prng, struct sim_profile *profile)
{
    profile->nodes = SIM_NODES_MAX;
    profile->changes_per_second = (double)(1 + prng_below(prng, 100)) / 50;
    if (prng_below(prng, 2))
        profile->wipes_per_second = (double)prng_below(prng, 100) / 200;
    if (prng_below(prng, 2))
        profile->rot = true;
}

/* From one every few entries to hardly ever. */
static void draw_snapshots(struct prng *prng, struct sim_profile *profile)
{
    profile->snapshot_log_bytes = 500ULL << prng_below(prng, 10);
    profile->snapshot_keep_bytes = prng_below(prng, 2) ? 0 : 1000ULL << prng_below(prng, 8);
    profile->snapshot_bytes_per_s = 1000ULL << prng_below(prng, 15);
    profile->snapshot_chunk_bytes = 50U << prng_below(prng, 10);
}

static void draw_sizes(struct prng *prng, struct sim_profile *profile)
{
    profile->cache_bytes_max = 1024ULL << prng_below(prng, 8);
    if (prng_below(prng, 3) == 0)
        profile->apply_entries_max = 1 + (uint32_t)prng_below(prng, 20);
    if (prng_below(prng, 3))
        draw_snapshots(prng, profile);
    if (prng_below(prng, 2))
        profile->segment_bytes_max = 500ULL << prng_below(prng, 10);
    if (prng_below(prng, 3))
        profile->fill_bytes = 500ULL << prng_below(prng, 6);
}

static void draw_losses(struct prng *prng, struct sim_profile *profile)
{
    if (prng_below(prng, 2) == 0)
        profile->losses_per_second = (double)(1 + prng_below(prng, 100)) / 200;
    profile->losses_at_start = prng_below(prng, 8) == 0;
    profile->majority_lost = prng_below(prng, 12) == 0;
}

/* Processes stop where they read their clocks. */
static void draw_stops(struct prng *prng, struct sim_profile *profile)
{
    if (profile->pause)
        profile->stale_turn = (double)prng_below(prng, 100) / 100;
    if (prng_below(prng, 3) == 0)
        profile->read_pause = (double)(1 + prng_below(prng, 20)) / 20000;
}

/* No disk is lost then: whether a group can stand that is a matter of memberships, which may be
 * lies. */
static void draw_lies(struct prng *prng, struct sim_profile *profile)
{
    profile->lies = (double)(1 + prng_below(prng, 100)) / 100;
    profile->liar = (int)prng_below(prng, (uint64_t)profile->voters);
    profile->wipes_per_second = profile->losses_per_second = 0;
    profile->losses_at_start = profile->majority_lost = profile->rot = false;
}

/* Of each older version there are still clusters. */
static void draw_old(struct prng *prng, struct sim_profile *profile)
{
    profile->old_nodes = 1 + (int)prng_below(prng, (uint64_t)profile->voters);
    profile->old_version =
        WIRE_VERSION_OLDEST + (uint32_t)prng_below(prng, WIRE_VERSION - WIRE_VERSION_OLDEST);
}

/* Each seed has its own subset of faults and its own rates. */
void sim_draw_profile(uint64_t seed, struct sim_profile *profile)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x5eed);
    *profile = sim_calm_profile(prng_below(&prng, 3) ? 3 : 5);
    profile->clients = 1 + (int)prng_below(&prng, 12);
    profile->delay_us_max = 200 + (uint32_t)prng_below(&prng, 20000);
    profile->sync_us_max = 10 + (uint32_t)prng_below(&prng, 30000);
    draw_sizes(&prng, profile);
    profile->calm = prng_below(&prng, 12) == 0;
    if (prng_below(&prng, 4) == 0)
        profile->numbered = 0.7;
    if (profile->calm)
        return;
    if (prng_below(&prng, 2))
        profile->drop = (double)prng_below(&prng, 30) / 100;
    if (prng_below(&prng, 2))
        profile->duplicate = (double)prng_below(&prng, 50) / 100;
    if (prng_below(&prng, 2)) {
        profile->slow = (double)prng_below(&prng, 30) / 100;
        profile->slow_us = 1000 + (uint32_t)prng_below(&prng, 500000);
    }
    if (prng_below(&prng, 3)) {
        profile->crash_per_second = (double)prng_below(&prng, 100) / 100;
        profile->power_loss = (double)prng_below(&prng, 100) / 100;
        profile->pause = prng_below(&prng, 2);
    }
    if (prng_below(&prng, 2))
        profile->cut_per_second = (double)prng_below(&prng, 100) / 100;
    if (prng_below(&prng, 3) == 0)
        profile->resets_per_second = (double)prng_below(&prng, 100) / 30;
    if (prng_below(&prng, 4) == 0)
        profile->flaps_per_second = (double)prng_below(&prng, 100) / 100;
    if (prng_below(&prng, 2))
        profile->wall_jump_ms = 3600000;
    if (prng_below(&prng, 3) == 0)
        profile->stall_per_second = (double)prng_below(&prng, 100) / 200;
    if (prng_below(&prng, 2))
        profile->clock_ppm_max = (int32_t)prng_below(&prng, 50000);
    if (prng_below(&prng, 3) == 0) /* the fastest and the slowest clock stay within the bound */
        profile->lease_drift_percent =
            1 + (uint32_t)profile->clock_ppm_max * 2 / 10000 + (uint32_t)prng_below(&prng, 10);
    if (prng_below(&prng, 2))
        draw_changes(&prng, profile);
    if (prng_below(&prng, 3) == 0)
        profile->step_crash = (double)(1 + prng_below(&prng, 20)) / 200;
    if (prng_below(&prng, 4) == 0)
        profile->disk_error = (double)(1 + prng_below(&prng, 10)) / 10000;
    if (prng_below(&prng, 4) == 0)
        profile->full_per_second = (double)(1 + prng_below(&prng, 100)) / 200;
    draw_losses(&prng, profile);
    draw_stops(&prng, profile);
    if (prng_below(&prng, LIARS_ONE_IN) == 0)
        draw_lies(&prng, profile);
    else if (prng_below(&prng, OLD_ONE_IN) == 0)
        draw_old(&prng, profile);
    profile->voters_target = (uint32_t)prng_below(&prng, SIM_NODES_MAX + 1);
}

/* Without a fault there is one election, no write in doubt, and nobody waits long. */
static void check_calm(struct sim *sim)
{
    const struct sim_profile *profile = &sim->profile;
    if (sim->stats.elections != 1 || sim->stats.unknown || sim->stats.refused)
        sim_fail(sim, "a calm run had %llu leaders, %llu unknown outcomes, %llu refusals",
                 (unsigned long long)sim->stats.elections, (unsigned long long)sim->stats.unknown,
                 (unsigned long long)sim->stats.refused);
    /* To the leader and its disk, to a follower and its disk, back, and what is committed to the
     * client's node; what came in between waits for that and has its turn. */
    uint64_t operation_us = SIM_THINK_US_MAX + 5 * profile->delay_us_max + 3 * profile->sync_us_max;
    uint64_t floor = (uint64_t)profile->clients * 15 * SECOND / operation_us;
    if (sim->stats.acknowledged + sim->stats.reads < floor)
        sim_fail(sim, "a calm run was slow: %llu operations, at least %llu were to be expected",
                 (unsigned long long)(sim->stats.acknowledged + sim->stats.reads),
                 (unsigned long long)floor);
}

void sim_random_run(struct sim *sim)
{
    sim_found(sim);
    sim_seek(sim);
    sim_run_for(sim, 20 * SECOND);
    if (sim->profile.calm)
        check_calm(sim);
}
