/* Nodes of an older version in a group with newer ones. An old node is a node that says that it is
 * one: what it must never be sent is checked here, for it would understand it. */
#include <string.h>

#include "sim/sim.h"
#include "wire/forward.h"
#include "wire/hello.h"
#include "wire/message.h"

enum { SECOND = 1000000 };

uint32_t sim_old_version(const struct sim *sim)
{
    uint32_t version = sim->profile.old_version;
    return version ? version : WIRE_VERSION_OLDEST;
}

/* The oldest version knew nothing of that. */
uint32_t sim_version_at_first(const struct sim *sim)
{
    uint32_t version = sim->profile.old_nodes ? sim_old_version(sim) : WIRE_VERSION;
    return version > WIRE_VERSION_OLDEST ? version : 0;
}

uint32_t sim_spoken(const struct sim_node *one, const struct sim_node *other)
{
    return one->version < other->version ? one->version : other->version;
}

/* As peers_require() has it: who needs a later version than the other speaks ends the greeting. */
bool sim_understand(const struct sim_node *one, const struct sim_node *other)
{
    uint32_t spoken = sim_spoken(one, other);
    return one->up && other->up && shard_version(one->shard) <= spoken &&
           shard_version(other->shard) <= spoken;
}

static bool has(struct span text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* MOVE, SWAPDB, COPY … DB, and what is watched in another database. */
static bool names_database(struct span payload)
{
    bool watches =
        payload.len > 6 && memcmp(payload.ptr, "#WATCH", 6) == 0 && payload.ptr[6] != ':';
    return watches || has(payload, "\nSWAPDB\r") || has(payload, "\nMOVE\r") ||
           has(payload, "\nDB\r");
}

/* The version that brought what the entry has. */
static uint32_t version_of(const struct entry *entry)
{
    bool is_command = entry->kind == ENTRY_COMMAND || entry->kind == ENTRY_TRANSACTION;
    bool selects = entry->kind == ENTRY_TRANSACTION && has(entry->payload, "SELECT");
    if (entry->database || selects || (is_command && names_database(entry->payload)))
        return WIRE_VERSION_DATABASES;
    bool names_version = entry->kind == ENTRY_MEMBERSHIP && has(entry->payload, "#VERSION:");
    bool of_session = entry->kind == ENTRY_SESSION ||
                      (entry->kind == ENTRY_COMMAND && entry->payload.ptr[0] == '#');
    if (entry->origin.life || names_version || of_session)
        return WIRE_VERSION_FORWARDS;
    return WIRE_VERSION_OLDEST;
}

static void check_message(struct sim_node *node, const struct wire_message *message)
{
    size_t count = message->message.type == RAFT_APPEND_REQUEST
                       ? message->message.append_request.entry_count
                       : 0;
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &message->entries[i];
        if (version_of(entry) > node->version)
            sim_fail(node->sim, "old node %llu is sent entry %llu, which it cannot read",
                     (unsigned long long)node->id, (unsigned long long)entry->index);
    }
}

void sim_check_readable(struct sim_node *node, const struct span *args, size_t argc)
{
    struct wire_message message = {.shard = 0};
    if (node->version >= WIRE_VERSION)
        return;
    if (wire_is_forward(args[0]) && node->version < WIRE_VERSION_FORWARDS)
        sim_fail(node->sim, "old node %llu is sent %.*s, which it does not know",
                 (unsigned long long)node->id, (int)args[0].len, args[0].ptr);
    if (wire_parse_message(args, argc, &message) == ERR_NONE)
        check_message(node, &message);
    wire_message_close(&message);
}

/* By an entry or a snapshot, whichever way it came. */
void sim_check_version(struct sim_node *node)
{
    uint32_t in_force = raft_membership(shard_raft(node->shard))->version;
    if (in_force > node->version)
        sim_fail(node->sim, "old node %llu has a membership of version %u",
                 (unsigned long long)node->id, (unsigned)in_force);
}

static void start_as(struct sim_node *node, uint32_t version)
{
    if (node->up)
        sim_node_crash(node, false);
    node->version = version;
    sim_trace(node->sim, "node %llu speaks version %u from now on", (unsigned long long)node->id,
              (unsigned)version);
    sim_node_start(node);
}

/* A start may be that of another program; back to an older one only while the folder has nothing of
 * the new one. */
void sim_draw_version(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (sim->profile.old_nodes == 0 || sim->faults_stop || !sim_chance(sim, 0.4))
        return;
    bool goes_back = node->version == WIRE_VERSION &&
                     node->membership_before.version <= sim_version_at_first(sim) &&
                     sim_chance(sim, 0.3);
    node->version = goes_back ? sim_old_version(sim) : WIRE_VERSION;
}

enum { UNDER_WAY_US = 1000000 };

void sim_upgrade_all(struct sim *sim)
{
    bool restarted = false;
    for (int i = 0; i < sim->profile.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->version == WIRE_VERSION)
            continue;
        restarted |= node->up;
        if (node->up)
            start_as(node, WIRE_VERSION);
        node->version = WIRE_VERSION;
    }
    if (restarted) /* what the last processes had sent arrives, memberships among it */
        sim_run_for(sim, UNDER_WAY_US);
}

static bool all_forward(struct sim *sim)
{
    for (int i = 0; i < sim->profile.nodes; i++)
        if (!sim->nodes[i].up || !shard_forwards(sim->nodes[i].shard))
            return false;
    return true;
}

static bool any_forwards(const struct sim *sim)
{
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].up && shard_forwards(sim->nodes[i].shard))
            return true;
    return false;
}

static void expect_forwarding(struct sim *sim)
{
    if (!sim_run_until(sim, all_forward, 5 * SECOND))
        sim_fail(sim, "all nodes are new, and they do not agree on it");
    sim_need_acknowledged(sim, 50);
}

/* The followers first, then the leader. */
static struct sim_node *next_to_upgrade(struct sim *sim)
{
    struct sim_node *leader = sim_wait_for_leader(sim);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (&sim->nodes[i] != leader && sim->nodes[i].version != WIRE_VERSION)
            return &sim->nodes[i];
    return leader;
}

/* A new node leads old ones as well. */
static void hand_over(struct sim *sim, const struct sim_node *to)
{
    struct sim_node *leader = sim_wait_for_leader(sim);
    if (leader == to)
        return;
    shard_transfer(leader->shard, to->id, sim_node_time(leader));
    sim_node_settle(leader);
    sim_need_acknowledged(sim, 20);
}

/* One of the nodes goes back in between. */
void sim_rolling_upgrade(struct sim *sim)
{
    sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 50);
    start_as(&sim->nodes[0], WIRE_VERSION);
    sim_need_acknowledged(sim, 50);
    start_as(&sim->nodes[0], WIRE_VERSION_OLDEST);
    sim_need_acknowledged(sim, 50);
    for (int i = 0; i < sim->profile.nodes; i++) {
        sim_run_for(sim, SECOND / 2);
        if (any_forwards(sim))
            sim_fail(sim, "requests are forwarded though there are old members");
        struct sim_node *next = next_to_upgrade(sim);
        start_as(next, WIRE_VERSION);
        sim_need_acknowledged(sim, 50);
        hand_over(sim, next);
    }
    expect_forwarding(sim);
    struct sim_node *dead = sim_wait_for_leader(sim);
    sim_node_crash(dead, false);
    for (int i = 0; i < sim->profile.nodes; i++)
        if (&sim->nodes[i] != dead)
            start_as(&sim->nodes[i], WIRE_VERSION);
    sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 50);
    sim_node_start(dead);
    expect_forwarding(sim);
}

static struct sim_node *who_has_agreed_alone(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);
    bool has = leader && raft_membership(shard_raft(leader->shard))->version == WIRE_VERSION;
    return has ? leader : NULL;
}

static bool has_agreed_alone(struct sim *sim)
{
    return who_has_agreed_alone(sim) != NULL;
}

/* The leader has appended the entry that says so, and nobody else has it, when a member goes back
 * to the older version. */
void sim_member_goes_back_amid_the_agreement(struct sim *sim)
{
    sim_wait_for_leader(sim);
    sim_need_acknowledged(sim, 20);
    for (int i = 0; i < sim->profile.nodes; i++) {
        start_as(&sim->nodes[i], WIRE_VERSION);
        if (i + 1 < sim->profile.nodes)
            sim_need_acknowledged(sim, 20);
    }
    if (!sim_run_until(sim, has_agreed_alone, 5 * SECOND))
        sim_fail(sim, "all nodes are new, and nobody says so");
    struct sim_node *leader = who_has_agreed_alone(sim);
    struct sim_node *back = &sim->nodes[(leader->position + 1) % sim->profile.nodes];
    struct sim_node *third = &sim->nodes[(leader->position + 2) % sim->profile.nodes];
    if (raft_membership(shard_raft(back->shard))->version || shard_forwards(leader->shard))
        sim_fail(sim, "the entry is on other nodes already");
    sim_node_crash(third, false);
    start_as(back, WIRE_VERSION_OLDEST);
    sim_run_for(sim, 2 * SECOND); /* nothing can be committed, and nothing may be sent */
    start_as(third, WIRE_VERSION);
    sim_need_acknowledged(sim, 20); /* by the two that are new */
    start_as(back, WIRE_VERSION);
    expect_forwarding(sim);
}
