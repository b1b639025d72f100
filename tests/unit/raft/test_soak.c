/* Random faults, many seeds: what the checks of cluster.h say must hold throughout, and once all is
 * healed the cluster must elect, commit, read and agree. SOAK_SEEDS and SOAK_FIRST run more. */
#include <stdio.h>

#include "unit/raft/cluster.h"

enum { ROUNDS = 400 };

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t some_node(struct test_cluster *cluster)
{
    return 1 + prng_below(&cluster->prng, cluster->size);
}

static size_t count_down(const struct test_cluster *cluster)
{
    size_t down = 0;
    for (uint64_t id = 1; id <= cluster->size; id++)
        down += !cluster->members[id].raft;
    return down;
}

static void crash_or_start(struct test_cluster *cluster)
{
    uint64_t id = some_node(cluster);
    uint64_t leader = cluster_leader(cluster);
    if (leader && cluster_chance(cluster, 30))
        id = leader;
    struct member *member = &cluster->members[id];
    if (!member->raft)
        cluster_start(cluster, id);
    else if (count_down(cluster) < cluster->size / 2 + 1)
        cluster_crash(cluster, id, prng_below(&cluster->prng, member->write_count + 1));
}

static void cut_or_heal(struct test_cluster *cluster)
{
    uint64_t from = some_node(cluster), to = some_node(cluster);
    if (from == to)
        return;
    switch (prng_below(&cluster->prng, 4)) {
    case 0:
        cluster->cut[from][to] = !cluster->cut[from][to];
        return;
    case 1:
        cluster_isolate(cluster, from, true);
        return;
    default:
        memset(cluster->cut, 0, sizeof cluster->cut);
        return;
    }
}

static void use(struct test_cluster *cluster)
{
    for (uint64_t id = 1; id <= cluster->size; id++) {
        struct raft *raft = cluster_raft(cluster, id);
        if (raft && raft_accepts(raft) && cluster_chance(cluster, 60))
            cluster_submit(cluster, id, 1 + prng_below(&cluster->prng, 12));
        if (raft && raft_role(raft) == RAFT_LEADER && cluster_chance(cluster, 60))
            cluster_read(cluster, id);
    }
}

/* Any membership that the leader does not refuse. */
static void change_membership(struct test_cluster *cluster, uint64_t id)
{
    static const unsigned roles[] = {RAFT_VOTER, RAFT_VOTER, RAFT_VOTER, RAFT_LEARNER,
                                     RAFT_PROMOTE};
    struct raft *raft = cluster_raft(cluster, id);
    for (int tries = 0; tries < 10; tries++) {
        struct raft_membership wanted = {0};
        for (uint64_t member = 1; member <= cluster->size; member++) {
            if (cluster_chance(cluster, 70))
                raft_membership_put(
                    &wanted, &(struct raft_member){.id = member,
                                                   .roles = roles[prng_below(&cluster->prng, 5)],
                                                   .incarnation = FIRST_LIFE});
        }
        if (raft_change_refusal(raft, &wanted, cluster->now_ms) != RAFT_CHANGE_POSSIBLE)
            continue;
        cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_CHANGE, .change = &wanted},
                     NULL, 0);
        return;
    }
}

static void operate(struct test_cluster *cluster)
{
    for (uint64_t id = 1; id <= cluster->size; id++) {
        struct raft *raft = cluster_raft(cluster, id);
        if (raft && cluster_chance(cluster, 6))
            cluster_compact(cluster, id);
        if (!raft || raft_role(raft) != RAFT_LEADER)
            continue;
        if (cluster_chance(cluster, 8))
            change_membership(cluster, id);
        if (raft_role(raft) == RAFT_LEADER && cluster_chance(cluster, 4))
            cluster_step(cluster, id,
                         (struct raft_event){.type = RAFT_EVENT_TRANSFER,
                                             .peer = prng_below(&cluster->prng, cluster->size + 1)},
                         NULL, 0);
    }
}

static void disturb(struct test_cluster *cluster, unsigned crash_percent, unsigned cut_percent)
{
    if (cluster_chance(cluster, crash_percent))
        crash_or_start(cluster);
    if (cluster_chance(cluster, cut_percent))
        cut_or_heal(cluster);
    struct member *member = &cluster->members[some_node(cluster)];
    if (cluster_chance(cluster, 5))
        member->stalled = !member->stalled;
    uint64_t id = some_node(cluster);
    if (cluster_raft(cluster, id) && cluster_chance(cluster, 2)) /* a false alarm */
        cluster_step(cluster, id,
                     (struct raft_event){.type = RAFT_EVENT_PEER_LOST, .peer = some_node(cluster)},
                     NULL, 0);
}

static void heal(struct test_cluster *cluster)
{
    cluster->drop_percent = cluster->duplicate_percent = 0;
    cluster->delay_ms_max = 2;
    cluster->sync_ms_max = 3;
    memset(cluster->cut, 0, sizeof cluster->cut);
    for (uint64_t id = 1; id <= cluster->size; id++) {
        cluster->members[id].stalled = false;
        if (!cluster->members[id].raft)
            cluster_start(cluster, id);
    }
}

static bool members_have_converged(const struct test_cluster *cluster, uint64_t leader)
{
    const struct raft_membership *membership = raft_membership(cluster_raft(cluster, leader));
    for (size_t i = 0; i < membership->count; i++) {
        const struct member *member = &cluster->members[membership->members[i].id];
        if (member->commit != cluster->committed.last || member->memory.last != member->commit ||
            member->disk.last != member->commit)
            return false;
    }
    return !raft_membership_is_joint(membership);
}

static void assert_alive_and_equal(struct test_cluster *cluster)
{
    cluster_run(cluster, 5000);
    uint64_t leader = cluster_elect(cluster);
    struct member *member = &cluster->members[leader];
    uint64_t committed = cluster->committed.last, ready = member->reads_ready;
    cluster_submit(cluster, leader, 5);
    cluster_read(cluster, leader);
    cluster_run(cluster, 500);
    assert_true(cluster->committed.last >= committed + 5);
    assert_true(member->reads_ready > ready);
    assert_true(members_have_converged(cluster, leader));
}

/* Each seed draws its own subset of faults. */
static uint64_t soak(uint64_t seed)
{
    bool operated = seed % 2 == 0; /* an operator changes it, hands it over and compacts its logs */
    size_t founders = seed % 4 == 0 ? 5 : 3;
    struct test_cluster *cluster =
        cluster_new_of(operated ? CLUSTER_MAX : founders, founders, seed % 3 == 0 ? 10 : 0, seed);
    unsigned crash = cluster_chance(cluster, 60) ? 8 : 0;
    unsigned cut = cluster_chance(cluster, 60) ? 10 : 0;
    cluster->drop_percent = (unsigned)prng_below(&cluster->prng, 2) * 20;
    cluster->duplicate_percent = (unsigned)prng_below(&cluster->prng, 2) * 20;
    cluster->delay_ms_max = (unsigned)prng_below(&cluster->prng, 3) * 40;
    cluster->sync_ms_max = (unsigned)prng_below(&cluster->prng, 3) * 30;
    cluster->tell_of_crashes = cluster_chance(cluster, 50);
    for (int round = 0; round < ROUNDS; round++) {
        disturb(cluster, crash, cut);
        use(cluster);
        if (operated)
            operate(cluster);
        cluster_run(cluster, 1 + prng_below(&cluster->prng, 40));
        if (round % 20 == 0)
            check_log_matching(cluster);
    }
    heal(cluster);
    assert_alive_and_equal(cluster);
    check_log_matching(cluster);
    uint64_t committed = cluster->committed.last;
    cluster_free(cluster);
    return committed;
}

static void test_nothing_committed_is_lost_whatever_happens(void **state)
{
    (void)state;
    uint64_t first = setting("SOAK_FIRST", 1), seeds = setting("SOAK_SEEDS", 24), committed = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        if (getenv("SOAK_SEEDS"))
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        committed += soak(seed);
    }
    assert_true(committed > 100 * seeds); /* the faults left room for work */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_committed_is_lost_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
