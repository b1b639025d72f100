/* Clients that give each other jobs through lists, and take them (LPOP, RPOP) or wait for them
 * (BLPOP, BRPOP, BLMOVE).
 *
 * A job is given once. So nobody may get one twice, or one that nobody gave; and a job that was
 * acknowledged is taken, or still there at the end, unless it was on its way to a client whose node
 * ended or that could not be told. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "keyspace/list.h"
#include "resp/parse.h"
#include "sim/sim.h"

enum {
    QUEUES = 3,
    DATABASES = 2,
    TIMEOUT_US_MAX = 1500000,
    CALM_TIMEOUT_US_MAX = 20000,
    DRAIN_US = 5000000
};

struct job {
    int client;
    uint32_t generation;
    unsigned database;
    enum sim_outcome given;
    int taken; /* times */
};

struct sim_jobs {
    struct job *list;
    size_t count;
    size_t cap;
    uint64_t may_be_lost; /* takes whose outcome nobody heard */
};

void sim_queue_open(struct sim *sim)
{
    sim->jobs = mem_zalloc(sizeof *sim->jobs);
}

void sim_queue_close(struct sim *sim)
{
    if (sim->jobs)
        mem_free(sim->jobs->list);
    mem_free(sim->jobs);
    sim->jobs = NULL;
}

static void note_given(struct sim *sim, const struct sim_client *client, enum sim_outcome given)
{
    struct sim_jobs *jobs = sim->jobs;
    for (size_t i = jobs->count; i-- > 0;) {
        struct job *job = &jobs->list[i];
        if (job->client == client->number && job->generation == client->generation) {
            job->given = given;
            return;
        }
    }
    if (jobs->count == jobs->cap) {
        jobs->cap = jobs->cap ? jobs->cap * 2 : 256;
        jobs->list = mem_realloc(jobs->list, jobs->cap * sizeof *jobs->list);
    }
    jobs->list[jobs->count++] = (struct job){.client = client->number,
                                             .generation = client->generation,
                                             .database = client->database,
                                             .given = given};
}

static void key_of(int number, char out[16])
{
    snprintf(out, 16, "q%d", number);
}

static unsigned database_of(const struct sim *sim, int which)
{
    return sim->databases[which ? SIM_SECOND : SIM_FIRST];
}

static enum shard_admission give(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char key[16];
    char job[32];
    key_of((int)sim_between(sim, 0, QUEUES - 1), key);
    snprintf(job, sizeof job, "%d-%u", client->number, client->generation);
    const struct span args[] = {sim_chance(sim, 0.5) ? SPAN("LPUSH") : SPAN("RPUSH"),
                                span_text(key), span_text(job)};
    enum shard_admission admission = sim_write(sim, client, node, client->database, args, 3);
    if (admission == SHARD_ACCEPTED)
        note_given(sim, client, SIM_MAY_HAVE_HAPPENED);
    sim_trace(sim, "job %s is to be given to %s of database %u", job, key, client->database);
    return admission;
}

static enum shard_admission take(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char keys[2][16];
    int first = (int)sim_between(sim, 0, QUEUES - 1);
    key_of(first, keys[0]);
    key_of((first + 1) % QUEUES, keys[1]);
    client->moves = false;
    client->takes_now = sim_chance(sim, 0.3);
    if (client->takes_now) {
        const struct span now[] = {sim_chance(sim, 0.5) ? SPAN("LPOP") : SPAN("RPOP"),
                                   span_text(keys[0])};
        return sim_write(sim, client, node, client->database, now, 2);
    }
    client->moves = sim_chance(sim, 0.2);
    const struct span pop[] = {sim_chance(sim, 0.5) ? SPAN("BLPOP") : SPAN("BRPOP"),
                               span_text(keys[0]), span_text(keys[1]), SPAN("0")};
    const struct span move[] = {SPAN("BLMOVE"), span_text(keys[0]), span_text(keys[1]),
                                SPAN("LEFT"),   SPAN("RIGHT"),      SPAN("0")};
    const struct shard_request request = sim_request(
        sim, client, client->database, client->moves ? move : pop, client->moves ? 6 : 4);
    return shard_block(node->shard, &request, sim_node_time(node));
}

enum shard_admission sim_queue_submit(struct sim *sim, struct sim_client *client,
                                      struct sim_node *node)
{
    if (!shard_has_types(node->shard))
        return SHARD_NOT_LEADER;
    client->database = database_of(sim, (int)sim_between(sim, 0, 1));
    if (!sim_may_use(node, client->database))
        return SHARD_NOT_LEADER;
    return client->kind == SIM_OP_GIVE ? give(sim, client, node) : take(sim, client, node);
}

void sim_queue_asked(struct sim *sim, struct sim_client *client)
{
    client->timeout_us = UINT64_MAX;
    if (client->kind != SIM_OP_TAKE || client->takes_now)
        return;
    uint64_t most_us = sim->profile.calm ? CALM_TIMEOUT_US_MAX : TIMEOUT_US_MAX;
    client->timeout_us = sim->now_us + sim_between(sim, 1000, most_us);
    sim_push(sim, (struct sim_event){
                      .at_us = client->timeout_us, .type = SIM_CLIENT, .node = client->number});
}

void sim_queue_timeout(struct sim *sim, struct sim_client *client)
{
    struct sim_node *node = &sim->nodes[client->node];
    if (!client->waiting || client->kind != SIM_OP_TAKE || sim->now_us < client->timeout_us)
        return;
    if (!node->up || node->paused) { /* its timer comes late */
        client->timeout_us = sim->now_us + 10000;
        sim_push(sim, (struct sim_event){
                          .at_us = client->timeout_us, .type = SIM_CLIENT, .node = client->number});
        return;
    }
    const struct shard_client handle = {.slot = (uint32_t)client->number,
                                        .generation = client->generation};
    shard_unblock(node->shard, handle, SHARD_TIMED_OUT, sim_node_time(node));
    sim_node_wake_in(node, 100);
}

/* "<client>-<generation>" */
static struct job *job_named(struct sim *sim, struct span name)
{
    char text[32];
    int client;
    unsigned generation;
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.ptr);
    if (sscanf(text, "%d-%u", &client, &generation) == 2)
        for (size_t i = 0; i < sim->jobs->count; i++)
            if (sim->jobs->list[i].client == client && sim->jobs->list[i].generation == generation)
                return &sim->jobs->list[i];
    sim_fail(sim, "a client gets %s, which nobody gave", text);
}

static void got(struct sim *sim, const struct sim_client *client, struct span name)
{
    struct job *job = job_named(sim, name);
    sim_trace(sim, "client %d %s job %d-%u", client->number, client->moves ? "moves" : "takes",
              job->client, job->generation);
    if (job->given == SIM_DID_NOT_HAPPEN)
        sim_fail(sim, "client %d gets job %d-%u, which was refused", client->number, job->client,
                 job->generation);
    if (job->database != client->database)
        sim_fail(sim, "client %d of database %u gets job %d-%u of database %u", client->number,
                 client->database, job->client, job->generation, job->database);
    if (!client->moves && ++job->taken > 1)
        sim_fail(sim, "job %d-%u is taken %d times, now by client %d", job->client, job->generation,
                 job->taken, client->number);
}

void sim_queue_answered(struct sim *sim, struct sim_client *client)
{
    struct span parts[2] = {{NULL, 0}, {NULL, 0}};
    if (client->kind == SIM_OP_GIVE) {
        note_given(sim, client, SIM_HAPPENED);
        return;
    }
    sim->stats.takes++;
    if (client->reply.len >= 3 && client->reply.ptr[1] == '-')
        return; /* null: there was nothing in time */
    struct buf reply = {0};
    if (client->moves || client->takes_now)
        buf_add_text(&reply, "*1\r\n");
    buf_add_span(&reply, buf_span(&client->reply));
    size_t count = sim_split_bulks(&reply, parts, 2);
    if (count != (client->moves || client->takes_now ? 1 : 2))
        sim_fail(sim, "client %d: no job: %.*s", client->number, (int)client->reply.len,
                 client->reply.ptr);
    got(sim, client, parts[count - 1]);
    buf_close(&reply);
}

/* unknown false: nothing was done. */
void sim_queue_failed(struct sim *sim, struct sim_client *client, bool unknown)
{
    if (client->kind == SIM_OP_GIVE)
        note_given(sim, client, unknown ? SIM_MAY_HAVE_HAPPENED : SIM_DID_NOT_HAPPEN);
    else if (unknown && !client->moves)
        sim->jobs->may_be_lost++;
}

static const struct item *queue_at(const struct sim_node *node, unsigned database, int number)
{
    char key[16];
    key_of(number, key);
    const struct keyspace *keyspace = databases_find(shard_databases(node->shard), database);
    return keyspace ? keyspace_find(keyspace, span_text(key), NO_DEADLINE) : NULL;
}

static void count_left(struct sim *sim, const struct sim_node *node)
{
    for (int i = 0; i < QUEUES * DATABASES; i++) {
        char scratch[NUMBER_I64_CHARS];
        unsigned database = database_of(sim, i % DATABASES);
        const struct item *item = queue_at(node, database, i / DATABASES);
        struct list_place place;
        bool more = item && list_at(item_elements(item), 0, &place);
        for (; more; more = list_next(&place)) {
            struct job *job = job_named(sim, list_text(&place, scratch));
            if (job->database != database)
                sim_fail(sim, "job %d-%u is in database %u", job->client, job->generation,
                         database);
            if (++job->taken > 1)
                sim_fail(sim, "job %d-%u is still there, and was taken", job->client,
                         job->generation);
        }
    }
}

/* At the end, when all nodes are equal. */
void sim_check_jobs(struct sim *sim, const struct sim_node *node)
{
    uint64_t lost = 0;
    count_left(sim, node);
    for (size_t i = 0; i < sim->jobs->count; i++) {
        const struct job *job = &sim->jobs->list[i];
        if (job->given == SIM_DID_NOT_HAPPEN && job->taken)
            sim_fail(sim, "job %d-%u is there, and was refused", job->client, job->generation);
        if (job->given == SIM_HAPPENED && job->taken == 0) {
            sim_trace(sim, "job %d-%u is lost", job->client, job->generation);
            lost++;
        }
    }
    if (lost > sim->jobs->may_be_lost)
        sim_fail(sim, "%llu jobs are lost, %llu may be", (unsigned long long)lost,
                 (unsigned long long)sim->jobs->may_be_lost);
}

static bool first_is_answered(struct sim *sim)
{
    return !sim->clients[0].waiting;
}

static bool is_any_left(const struct sim_node *node, unsigned database)
{
    for (int i = 0; i < QUEUES; i++)
        if (queue_at(node, database, i))
            return true;
    return false;
}

static void begin_taking(struct sim *sim, struct sim_client *client, const struct sim_node *node)
{
    client->generation++;
    client->kind = SIM_OP_TAKE;
    client->moves = false;
    client->takes_now = false;
    client->node = node->position;
    client->waiting = true;
    client->reply.len = 0;
    client->reply_index = 0;
    client->got = 0;
    client->expected = 1;
    client->started_us = sim->now_us;
    client->timeout_us = UINT64_MAX;
    client->installs = shard_stats(node->shard).installs;
}

/* Whoever waits for a job gets one while there are any, on every node: whatever happened before. */
static void take_one(struct sim *sim, struct sim_node *node, unsigned database)
{
    enum { TRIES = 50, BETWEEN_US = 100000 };
    struct sim_client *client = &sim->clients[0];
    const struct span pop[] = {SPAN("BLPOP"), SPAN("q0"), SPAN("q1"), SPAN("q2"), SPAN("0")};
    begin_taking(sim, client, node);
    client->database = database;
    const struct shard_request request = sim_request(sim, client, database, pop, 5);
    int tries = 0;
    while (shard_block(node->shard, &request, sim_node_time(node)) != SHARD_ACCEPTED) {
        if (++tries == TRIES)
            sim_fail(sim, "node %llu lets nobody wait", (unsigned long long)node->id);
        sim_run_for(sim, BETWEEN_US);
    }
    sim_node_settle(node);
    if (!sim_run_until(sim, first_is_answered, DRAIN_US))
        sim_fail(sim, "a client of node %llu waits, and there are jobs",
                 (unsigned long long)node->id);
}

void sim_drain_queues(struct sim *sim)
{
    enum { TAKES_MAX = 6 };
    for (size_t i = 0; i < TAKES_MAX; i++) {
        const struct sim_node *leader = sim_leader(sim);
        unsigned database = database_of(sim, (int)i % DATABASES);
        if (leader && !is_any_left(leader, database))
            database = database_of(sim, (int)(i + 1) % DATABASES);
        if (!leader || !is_any_left(leader, database))
            return;
        const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
        if (i >= membership->count * 2)
            return;
        struct sim_node *node =
            sim_node_of_member(sim, &membership->members[i % membership->count]);
        if (node && node->up && shard_has_types(node->shard))
            take_one(sim, node, database);
    }
}
