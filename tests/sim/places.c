/* In which databases clients keep what. Each run draws the numbers, so that no rule may depend on
 * them. Most keys are in two databases: the same name is another key in each, and whatever mixes up
 * databases changes what is known of both. */
#include <stdio.h>

#include "sim/sim.h"

enum { TWO = 2, SOME = 8 };

/* Members of an older version know database 0 alone: something has to go on without the others. */
void sim_draw_databases(struct sim *sim)
{
    unsigned *numbers = sim->databases;
    for (unsigned i = 0; i < DATABASES_MAX; i++)
        numbers[i] = i;
    bool keeps_first = sim->profile.old_nodes > 0 || sim_chance(sim, 0.5);
    for (unsigned i = keeps_first; i < DATABASES_MAX; i++) {
        unsigned other = (unsigned)sim_between(sim, i, DATABASES_MAX - 1);
        unsigned number = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = number;
    }
}

/* Counters and lists of the same number are in the same database for half of the numbers. */
unsigned sim_place(const struct sim *sim, char letter, int number, char name[SIM_NAME])
{
    snprintf(name, SIM_NAME, "%c%d", letter, number / TWO);
    int which = letter == 'l' ? number ^ number / TWO : number;
    return sim->databases[which % TWO ? SIM_SECOND : SIM_FIRST];
}

const struct item *sim_find(const struct sim *sim, const struct sim_node *node, char letter,
                            int number)
{
    char name[SIM_NAME];
    unsigned database = sim_place(sim, letter, number, name);
    const struct keyspace *keyspace = databases_find(shard_databases(node->shard), database);
    return keyspace ? keyspace_find(keyspace, span_text(name), NO_DEADLINE) : NULL;
}

bool sim_may_use(const struct sim_node *node, unsigned database)
{
    return database == 0 || shard_has_databases(node->shard);
}

struct shard_client sim_handle(const struct sim_client *client)
{
    return (struct shard_client){.slot = (uint32_t)client->number,
                                 .generation = client->generation};
}

struct shard_request sim_request(const struct sim *sim, const struct sim_client *client,
                                 unsigned database, const struct span *args, size_t argc)
{
    return (struct shard_request){.client = sim_handle(client),
                                  .protocol = 2,
                                  .command = command_find(sim->table, args, argc),
                                  .args = args,
                                  .argc = argc,
                                  .database = database};
}

enum shard_admission sim_write(const struct sim *sim, struct sim_client *client,
                               const struct sim_node *node, unsigned database,
                               const struct span *args, size_t argc)
{
    struct shard_request request = sim_request(sim, client, database, args, argc);
    /* Most say that they ask nothing else, so that what changes nothing is tried as a read. */
    request.alone = client->kind != SIM_OP_PIPELINE && client->generation % SOME != 0;
    if (!sim_may_use(node, database))
        return SHARD_NOT_LEADER;
    enum shard_admission admission = shard_write(node->shard, &request, sim_node_time(node));
    client->tried = admission == SHARD_TRIED;
    return client->tried ? SHARD_ACCEPTED : admission;
}

enum shard_admission sim_read(const struct sim *sim, const struct sim_client *client,
                              const struct sim_node *node, unsigned database,
                              const struct span *args, size_t argc)
{
    const struct shard_request request = sim_request(sim, client, database, args, argc);
    return sim_may_use(node, database) ? shard_read(node->shard, &request, sim_node_time(node))
                                       : SHARD_NOT_LEADER;
}

/* ---- MULTI … EXEC ---- */

void sim_exec_begin(struct sim_exec *exec, unsigned database)
{
    *exec = (struct sim_exec){.begins_in = database, .database = database, .highest = database};
}

void sim_exec_add(struct sim_exec *exec, const struct span *args, size_t argc)
{
    resp_encode_command(&exec->commands, args, argc);
    exec->count++;
}

void sim_exec_select(struct sim_exec *exec, unsigned database)
{
    char number[SIM_NAME];
    if (database == exec->database)
        return;
    snprintf(number, sizeof number, "%u", database);
    const struct span select[] = {SPAN("SELECT"), span_text(number)};
    sim_exec_add(exec, select, TWO);
    exec->database = database;
    exec->selects++;
    if (database > exec->highest)
        exec->highest = database;
}

/* As a client's node does it when WATCH comes. */
void sim_exec_watch(const struct sim_node *node, unsigned database, struct span key,
                    struct machine_watch *watch)
{
    const struct keyspace *keyspace = databases_find(shard_databases(node->shard), database);
    *watch = (struct machine_watch){.key = key,
                                    .revision = shard_applied_index(node->shard),
                                    .database = database,
                                    .was_present =
                                        keyspace && keyspace_find(keyspace, key, NO_DEADLINE)};
}

enum shard_admission sim_exec_submit(struct sim_exec *exec, const struct sim_client *client,
                                     const struct sim_node *node,
                                     const struct machine_watch *watches, size_t watch_count)
{
    const struct shard_transaction transaction = {.client = sim_handle(client),
                                                  .protocol = 2,
                                                  .commands = buf_span(&exec->commands),
                                                  .count = exec->count,
                                                  .watches = watches,
                                                  .watch_count = watch_count,
                                                  .database = exec->begins_in};
    bool may = sim_may_use(node, exec->highest);
    for (size_t i = 0; i < watch_count; i++)
        may &= sim_may_use(node, watches[i].database);
    enum shard_admission admission =
        may ? shard_transaction(node->shard, &transaction, sim_node_time(node)) : SHARD_NOT_LEADER;
    buf_close(&exec->commands);
    return admission;
}
