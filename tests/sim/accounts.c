/* Accounts that lie in two databases at once: account n is key a<n> in both, and has what both
 * together say. Clients add to either part, carry one over (MOVE), let the databases change their
 * numbers (SWAPDB), and carry amounts over with transactions that select both databases and watch
 * keys of both. Only an addition changes what an account has, whatever comes between; so everybody
 * knows within which bounds that is. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "sim/sim.h"

enum { AMOUNT_MAX = 1000, PARTS = 2 };

static bool adds(const struct sim_asked_account *asked)
{
    return asked->op == SIM_ACCOUNT_ADD || asked->op == SIM_ACCOUNT_COMPARE;
}

static void name_of(const struct sim_client *client, char out[SIM_NAME])
{
    snprintf(out, SIM_NAME, "a%d", client->account.number);
}

static unsigned database_of(const struct sim *sim, int part)
{
    return sim->databases[part ? SIM_RIGHT : SIM_LEFT];
}

static int draw_part(struct sim *sim)
{
    return (int)sim_between(sim, 0, PARTS - 1);
}

static unsigned draw_database(struct sim *sim)
{
    return sim->databases[sim_between(sim, SIM_FIRST, SIM_RIGHT)];
}

static enum shard_admission add(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char name[SIM_NAME];
    char amount[SIM_NAME];
    name_of(client, name);
    snprintf(amount, sizeof amount, "%lld", (long long)client->account.amount);
    const struct span args[] = {SPAN("INCRBY"), span_text(name), span_text(amount)};
    return sim_write(sim, client, node, database_of(sim, draw_part(sim)), args, 3);
}

static enum shard_admission move(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char name[SIM_NAME];
    char to[SIM_NAME];
    int part = draw_part(sim);
    name_of(client, name);
    snprintf(to, sizeof to, "%u", database_of(sim, !part));
    const struct span args[] = {SPAN("MOVE"), span_text(name), span_text(to)};
    return sim_write(sim, client, node, database_of(sim, part), args, 3);
}

static enum shard_admission swap(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char numbers[PARTS][SIM_NAME];
    int part = draw_part(sim);
    snprintf(numbers[0], SIM_NAME, "%u", database_of(sim, part));
    snprintf(numbers[1], SIM_NAME, "%u", database_of(sim, !part));
    const struct span args[] = {SPAN("SWAPDB"), span_text(numbers[0]), span_text(numbers[1])};
    if (!sim_may_use(node, DATABASES_MAX - 1))
        return SHARD_NOT_LEADER; /* who is in database 0 names others */
    return sim_write(sim, client, node, draw_database(sim), args, 3);
}

/* The same amount goes to one part and is taken from the other. */
static enum shard_admission transfer(struct sim *sim, struct sim_client *client,
                                     struct sim_node *node)
{
    char name[SIM_NAME];
    char amount[SIM_NAME];
    struct sim_exec exec;
    int first = draw_part(sim);
    name_of(client, name);
    snprintf(amount, sizeof amount, "%llu", (unsigned long long)sim_between(sim, 1, AMOUNT_MAX));
    sim_exec_begin(&exec, draw_database(sim));
    for (int i = 0; i < PARTS; i++) {
        const struct span args[] = {i ? SPAN("INCRBY") : SPAN("DECRBY"), span_text(name),
                                    span_text(amount)};
        sim_exec_select(&exec, database_of(sim, first ^ i));
        sim_exec_add(&exec, args, 3);
    }
    client->selects = exec.selects;
    return sim_exec_submit(&exec, client, node, NULL, 0);
}

/* Both parts as of one moment; left first. */
static enum shard_admission look(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char name[SIM_NAME];
    struct sim_exec exec;
    name_of(client, name);
    const struct span args[] = {SPAN("GET"), span_text(name)};
    client->compares = false;
    for (int i = 0; i < PARTS; i++)
        sim_exec_watch(node, database_of(sim, i), args[1], &client->watched[i]);
    sim_exec_begin(&exec, draw_database(sim));
    for (int i = 0; i < PARTS; i++) {
        sim_exec_select(&exec, database_of(sim, i));
        sim_exec_add(&exec, args, 2);
    }
    client->selects = exec.selects;
    return sim_exec_submit(&exec, client, node, NULL, 0);
}

static enum shard_admission carry_out(struct sim *sim, struct sim_client *client,
                                      struct sim_node *node)
{
    switch (client->account.op) {
    case SIM_ACCOUNT_ADD:
        return add(sim, client, node);
    case SIM_ACCOUNT_MOVE:
        return move(sim, client, node);
    case SIM_ACCOUNT_SWAP:
        return swap(sim, client, node);
    case SIM_ACCOUNT_TRANSFER:
        return transfer(sim, client, node);
    case SIM_ACCOUNT_LOOK:
    case SIM_ACCOUNT_COMPARE:
        break;
    }
    return look(sim, client, node);
}

enum shard_admission sim_account_submit(struct sim *sim, struct sim_client *client,
                                        struct sim_node *node)
{
    struct sim_asked_account *asked = &client->account;
    *asked = (struct sim_asked_account){
        .op = (enum sim_account_op)sim_between(sim, SIM_ACCOUNT_ADD, SIM_ACCOUNT_COMPARE),
        .number = (int)sim_between(sim, 0, SIM_ACCOUNTS - 1)};
    struct sim_account *account = &sim->accounts[asked->number];
    asked->floor = account->acknowledged;
    if (adds(asked))
        asked->amount = (int64_t)sim_between(sim, 1, AMOUNT_MAX);
    enum shard_admission admission = carry_out(sim, client, node);
    if (admission == SHARD_ACCEPTED && asked->op == SIM_ACCOUNT_ADD)
        account->attempted += asked->amount;
    if (admission == SHARD_ACCEPTED)
        sim_trace(sim, "account %d: client %d, operation %d of %lld", asked->number, client->number,
                  (int)asked->op, (long long)asked->amount);
    return admission;
}

/* ---- replies ---- */

/* The next line of a reply. */
static struct span take_line(struct sim *sim, const struct sim_client *client, struct span *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\r', rest->len) : NULL;
    if (!end)
        sim_fail(sim, "client %d: a reply that ends too early: %.*s", client->number,
                 (int)client->reply.len, client->reply.ptr);
    struct span line = span_of(rest->ptr, (size_t)(end - rest->ptr));
    *rest = span_of(end + 2, rest->len - line.len - 2);
    return line;
}

/* The replies of GET within that of EXEC; what is not there is 0. */
static void take_parts(struct sim *sim, const struct sim_client *client, int64_t parts[PARTS])
{
    struct span rest = buf_span(&client->reply);
    int found = 0;
    take_line(sim, client, &rest);
    while (rest.len && found < PARTS) {
        struct span line = take_line(sim, client, &rest);
        if (line.ptr[0] == '+')
            continue; /* of SELECT */
        parts[found] = 0;
        bool is_there = line.ptr[0] == '$' && line.ptr[1] != '-';
        if (line.ptr[0] != '$' ||
            (is_there && !number_parse_i64(take_line(sim, client, &rest), &parts[found])))
            sim_fail(sim, "client %d: account %d is no number: %.*s", client->number,
                     client->account.number, (int)client->reply.len, client->reply.ptr);
        found++;
    }
    if (found < PARTS)
        sim_fail(sim, "client %d: a part of account %d is missing", client->number,
                 client->account.number);
}

static void check_sum(struct sim *sim, int number, int64_t sum, int64_t floor)
{
    const struct sim_account *account = &sim->accounts[number];
    if (sum < floor || sum > account->attempted)
        sim_fail(sim, "account %d has %lld, of %lld that were added, %lld at most", number,
                 (long long)sum, (long long)floor, (long long)account->attempted);
}

/* One part gets the amount. Half of the times both are written and have to be as they were seen;
 * else the one that is not written may have changed. */
static enum shard_admission submit_compared(struct sim *sim, struct sim_client *client,
                                            struct sim_node *node, const int64_t parts[PARTS])
{
    char name[SIM_NAME];
    char value[24];
    struct sim_exec exec;
    int one = draw_part(sim);
    bool both = sim_chance(sim, 0.5);
    name_of(client, name);
    sim_exec_begin(&exec, draw_database(sim));
    for (int i = 0; i <= both; i++) {
        int part = one ^ i;
        int64_t has = parts[both ? !part : part] + (i ? 0 : client->account.amount);
        snprintf(value, sizeof value, "%lld", (long long)has);
        const struct span set[] = {SPAN("SET"), span_text(name), span_text(value)};
        sim_exec_select(&exec, database_of(sim, part));
        sim_exec_add(&exec, set, 3);
    }
    const struct machine_watch watches[] = {client->watched[one], client->watched[!one]};
    struct machine_watch named[PARTS];
    for (int i = 0; i < PARTS; i++) {
        named[i] = watches[i];
        named[i].key = span_text(name);
    }
    client->selects = exec.selects;
    return sim_exec_submit(&exec, client, node, named, both ? PARTS : 1);
}

static bool compare(struct sim *sim, struct sim_client *client, const int64_t parts[PARTS])
{
    if (!sim_client_goes_on(sim, client))
        return false;
    struct sim_node *node = &sim->nodes[client->node];
    client->compares = client->waiting =
        submit_compared(sim, client, node, parts) == SHARD_ACCEPTED;
    if (client->waiting) {
        sim->accounts[client->account.number].attempted += client->account.amount;
        sim_node_wake_in(node, 100);
    }
    return client->waiting;
}

bool sim_account_answered(struct sim *sim, struct sim_client *client)
{
    const struct sim_asked_account *asked = &client->account;
    struct sim_account *account = &sim->accounts[asked->number];
    bool looks =
        asked->op == SIM_ACCOUNT_LOOK || (asked->op == SIM_ACCOUNT_COMPARE && !client->compares);
    if (looks) {
        int64_t parts[PARTS];
        take_parts(sim, client, parts);
        check_sum(sim, asked->number, parts[0] + parts[1], asked->floor);
        return asked->op == SIM_ACCOUNT_COMPARE && compare(sim, client, parts);
    }
    if (span_equal(buf_span(&client->reply), SPAN("*-1\r\n")))
        account->attempted -= asked->amount;
    else if (adds(asked))
        account->acknowledged += asked->amount;
    return false;
}

void sim_account_refused(struct sim *sim, const struct sim_client *client)
{
    const struct sim_asked_account *asked = &client->account;
    if (asked->op == SIM_ACCOUNT_ADD || (asked->op == SIM_ACCOUNT_COMPARE && client->compares))
        sim->accounts[asked->number].attempted -= asked->amount;
}

/* ---- the end ---- */

void sim_check_accounts(struct sim *sim, const struct sim_node *node)
{
    for (int i = 0; i < SIM_ACCOUNTS; i++) {
        char name[SIM_NAME];
        int64_t sum = 0;
        snprintf(name, sizeof name, "a%d", i);
        for (int part = 0; part < PARTS; part++) {
            char scratch[24];
            int64_t value = 0;
            const struct keyspace *keyspace =
                databases_find(shard_databases(node->shard), database_of(sim, part));
            const struct item *item =
                keyspace ? keyspace_find(keyspace, span_text(name), NO_DEADLINE) : NULL;
            if (item && !number_parse_i64(item_string(item, scratch), &value))
                sim_fail(sim, "account %d is no number", i);
            sum += value;
        }
        check_sum(sim, i, sum, sim->accounts[i].acknowledged);
    }
}
