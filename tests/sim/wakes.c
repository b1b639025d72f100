/* At the end, on a healed cluster: who waits for a key of one database gets what comes there in
 * some other way than by a write of that key in that database. Clients of queue.c may be told that
 * nothing came in time, so they would not notice. */
#include <stdio.h>
#include <string.h>

#include "sim/sim.h"

enum { PATIENCE_US = 5000000, TRIES = 50, BETWEEN_US = 100000, COMES_US = 200000 };

enum way { BY_EXEC, BY_MOVE, BY_SWAP, WAYS };

static const struct span key = {"w", 1};

/* Nobody judges the reply but this file. */
static void begin(struct sim *sim, struct sim_client *client, const struct sim_node *node)
{
    client->node = node->position;
    client->kind = SIM_OP_VALUES;
    client->expected = 1;
    client->started_us = sim->now_us;
    client->installs = shard_stats(node->shard).installs;
    if (!sim_client_goes_on(sim, client))
        sim_fail(sim, "node %llu is down on a healed cluster", (unsigned long long)node->id);
}

static bool waiter_is_answered(struct sim *sim)
{
    return !sim->clients[0].waiting;
}

static bool giver_is_answered(struct sim *sim)
{
    return !sim->clients[1].waiting;
}

static void wait_for_key(struct sim *sim, struct sim_node *node, unsigned database)
{
    struct sim_client *client = &sim->clients[0];
    const struct span pop[] = {SPAN("BLPOP"), key, SPAN("0")};
    begin(sim, client, node);
    const struct shard_request request = sim_request(sim, client, database, pop, 3);
    for (int tries = 0; shard_block(node->shard, &request, sim_node_time(node)) != SHARD_ACCEPTED;
         tries++) {
        if (tries == TRIES)
            sim_fail(sim, "node %llu lets nobody wait", (unsigned long long)node->id);
        sim_run_for(sim, BETWEEN_US);
    }
    sim_node_settle(node);
    sim_run_for(sim, COMES_US);
    if (!client->waiting)
        sim_fail(sim, "a client that waits for '%.*s' is answered: %.*s", (int)key.len, key.ptr,
                 (int)client->reply.len, client->reply.ptr);
}

/* False: it was not taken, or refused: a leader whose disk is full hands over first. */
static bool carried_out(struct sim *sim, struct sim_node *node, const unsigned databases[2],
                        const struct span *args, size_t argc)
{
    struct sim_client *client = &sim->clients[1];
    struct sim_exec exec;
    begin(sim, client, node);
    sim_exec_begin(&exec, databases[0]);
    sim_exec_select(&exec, databases[1]);
    sim_exec_add(&exec, args, argc);
    if (sim_exec_submit(&exec, client, node, NULL, 0) != SHARD_ACCEPTED)
        return false;
    sim_node_settle(node);
    if (!sim_run_until(sim, giver_is_answered, PATIENCE_US))
        sim_fail(sim, "a write of a healed cluster is not answered");
    return client->reply.len && client->reply.ptr[0] != '-';
}

/* One command as MULTI … EXEC that begins in one database and selects another. */
static void carry_out(struct sim *sim, struct sim_node *node, const unsigned databases[2],
                      const struct span *args, size_t argc)
{
    for (int tries = 0; !carried_out(sim, node, databases, args, argc); tries++) {
        if (tries == TRIES)
            sim_fail(sim, "node %llu takes no write", (unsigned long long)node->id);
        sim_run_for(sim, BETWEEN_US);
    }
}

static void give(struct sim *sim, struct sim_node *node, unsigned database)
{
    char number[SIM_NAME];
    char first[SIM_NAME];
    enum way way = (enum way)sim_between(sim, 0, WAYS - 1);
    unsigned other = sim->databases[sim_chance(sim, 0.5) ? SIM_SCRATCH : SIM_SCRATCH + 1];
    const unsigned into[] = {other, way == BY_EXEC ? database : other};
    const unsigned from_other[] = {database, other};
    const struct span push[] = {SPAN("RPUSH"), key, SPAN("x")};
    snprintf(number, sizeof number, "%u", database);
    snprintf(first, sizeof first, "%u", other);
    const struct span move[] = {SPAN("MOVE"), key, span_text(number)};
    const struct span swap[] = {SPAN("SWAPDB"), span_text(first), span_text(number)};
    carry_out(sim, node, into, push, 3);
    if (way == BY_MOVE)
        carry_out(sim, node, from_other, move, 3);
    if (way == BY_SWAP)
        carry_out(sim, node, from_other, swap, 3);
}

static struct sim_node *draw_member(struct sim *sim)
{
    const struct sim_node *leader = sim_leader(sim);
    if (!leader)
        return NULL;
    const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
    struct sim_node *node =
        sim_node_of_member(sim, &membership->members[sim_between(sim, 0, membership->count - 1)]);
    return node && node->up && shard_has_databases(node->shard) ? node : NULL;
}

/* The databases are those that values.c uses, whose keys are called otherwise. */
void sim_check_wakes(struct sim *sim)
{
    struct sim_node *node = draw_member(sim);
    struct sim_node *givers = draw_member(sim);
    unsigned database = sim->databases[SIM_SCRATCH + SIM_SCRATCHES - 1];
    if (!node || !givers || sim->profile.clients < 2)
        return;
    const struct sim_client *client = &sim->clients[0];
    wait_for_key(sim, node, database);
    give(sim, givers, database);
    if (!sim_run_until(sim, waiter_is_answered, PATIENCE_US))
        sim_fail(sim, "a client of node %llu waits in database %u for what is there",
                 (unsigned long long)node->id, database);
    /* A node whose disk is slow may need a snapshot once more: what became of the pop is not in it.
     */
    if (span_begins_with(buf_span(&client->reply), SPAN("-UNKNOWN this node was sent the data")))
        return;
    if (client->reply.len < 2 || memcmp(client->reply.ptr, "*2", 2) != 0)
        sim_fail(sim, "a client that waits gets no element: %.*s", (int)client->reply.len,
                 client->reply.ptr);
}
