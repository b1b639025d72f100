/* What clients ask and are told, as a history that is judged at the end of the run: counters (INCR,
 * GET), lists (APPEND, GET), and registers, which are set, counted up, removed, and set by WATCH …
 * EXEC if nobody was faster. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "resp/parse.h"
#include "sim/sim.h"

enum { FIRST_COUNTER = 0, FIRST_LIST = 100, FIRST_REGISTER = 200 };

static uint32_t key_number(char letter, int key)
{
    uint32_t first = letter == 'c' ? FIRST_COUNTER : letter == 'l' ? FIRST_LIST : FIRST_REGISTER;
    return first + (uint32_t)key;
}

uint32_t sim_history_call(struct sim *sim, const struct sim_client *client, char letter,
                          enum linear_kind kind, struct span value)
{
    struct linear_request request = {.client = (uint32_t)client->number,
                                     .key = key_number(letter, client->key),
                                     .kind = kind,
                                     .value = value};
    return linear_call(sim->linear, &request, sim->now_us);
}

void sim_history_number(struct sim *sim, uint32_t operation, int64_t number)
{
    struct linear_result result = {.reply = LINEAR_NUMBER, .number = number};
    linear_return(sim->linear, operation, result, sim->now_us);
}

/* The text of a bulk reply; ptr NULL: there is no such key. */
static struct span bulk_of(struct sim *sim, struct span reply)
{
    const char *end = reply.len ? memchr(reply.ptr, '\r', reply.len) : NULL;
    if (!end || reply.ptr[0] != '$')
        sim_fail(sim, "no bulk string: %.*s", (int)reply.len, reply.ptr);
    if (reply.ptr[1] == '-')
        return (struct span){NULL, 0};
    const char *start = end + 2;
    return span_of(start, reply.len - (size_t)(start - reply.ptr) - 2);
}

struct span sim_history_text(struct sim *sim, uint32_t operation, struct span reply)
{
    struct span text = bulk_of(sim, reply);
    struct linear_result result = {.reply = text.ptr ? LINEAR_TEXT : LINEAR_NIL, .text = text};
    linear_return(sim->linear, operation, result, sim->now_us);
    return text;
}

/* ---- registers ---- */

/* No two writes of a run have the same value. */
static void unique_value(const struct sim_client *client, char *out, size_t size)
{
    snprintf(out, size, "%u", (unsigned)client->number * 10000000 + client->generation * 10);
}

/* WATCH, then GET: what is read is not older than what is watched. The key of the same name in the
 * other database is watched too. */
static void watch(const struct sim *sim, struct sim_client *client, const struct sim_node *node)
{
    char key[SIM_NAME];
    for (int i = 0; i < 2; i++) {
        unsigned database = sim_place(sim, 'r', client->key ^ i, key);
        sim_exec_watch(node, database, span_text(key), &client->watched[i]);
    }
    client->compares = false;
}

enum shard_admission sim_register_submit(struct sim *sim, struct sim_client *client,
                                         struct sim_node *node)
{
    static const enum linear_kind kinds[] = {LINEAR_GET, LINEAR_SET, LINEAR_INCR,
                                             LINEAR_DEL, LINEAR_CAS, LINEAR_CAS};
    client->register_kind = kinds[sim_between(sim, 0, sizeof kinds / sizeof *kinds - 1)];
    char key[SIM_NAME];
    char value[32];
    unsigned database = sim_place(sim, 'r', client->key, key);
    unique_value(client, value, sizeof value);
    struct span args[3] = {{NULL, 0}, span_text(key), span_text(value)};
    size_t argc = 2;
    switch (client->register_kind) {
    case LINEAR_CAS:
        watch(sim, client, node);
        args[0] = SPAN("GET");
        break;
    case LINEAR_GET:
        args[0] = SPAN("GET");
        break;
    case LINEAR_SET:
        args[0] = SPAN("SET");
        argc = 3;
        break;
    case LINEAR_INCR:
        args[0] = SPAN("INCR");
        break;
    case LINEAR_DEL:
        args[0] = SPAN("DEL");
        break;
    case LINEAR_APPEND:
        break;
    }
    bool reads = client->register_kind == LINEAR_GET || client->register_kind == LINEAR_CAS;
    enum shard_admission admission = reads ? sim_read(sim, client, node, database, args, argc)
                                           : sim_write(sim, client, node, database, args, argc);
    if (admission != SHARD_ACCEPTED)
        return admission;
    client->operation =
        sim_history_call(sim, client, 'r', reads ? LINEAR_GET : client->register_kind, args[2]);
    return admission;
}

static bool submit_exec(struct sim *sim, struct sim_client *client, struct span expected)
{
    const struct sim_node *node = &sim->nodes[client->node];
    char key[SIM_NAME];
    char value[32];
    struct sim_exec exec;
    unsigned database = sim_place(sim, 'r', client->key, key);
    unique_value(client, value, sizeof value);
    const struct span set[] = {SPAN("SET"), span_text(key), span_text(value)};
    /* Who is in another database before and behind it, and watches there, too. */
    bool others = sim_may_use(node, DATABASES_MAX - 1);
    bool watches_two = others && sim_chance(sim, 0.5);
    int first = watches_two && sim_chance(sim, 0.5);
    struct machine_watch watches[] = {client->watched[first], client->watched[!first]};
    watches[0].key = watches[1].key = set[1];
    sim_exec_begin(&exec, others && sim_chance(sim, 0.5) ? client->watched[1].database : database);
    sim_exec_select(&exec, database);
    sim_exec_add(&exec, set, 3);
    client->selects = exec.selects;
    if (sim_exec_submit(&exec, client, node, watches, watches_two ? 2 : 1) != SHARD_ACCEPTED)
        return false;
    struct linear_request request = {.client = (uint32_t)client->number,
                                     .key = key_number('r', client->key),
                                     .kind = LINEAR_CAS,
                                     .value = set[2],
                                     .expected = expected};
    client->operation = linear_call(sim->linear, &request, sim->now_us);
    return true;
}

/* True: the client goes on with what it has read, and waits for another reply. */
static bool compare(struct sim *sim, struct sim_client *client, struct span found)
{
    struct buf expected = {0};
    buf_add_span(&expected, found); /* it is in the reply, which goes */
    if (!sim_client_goes_on(sim, client)) {
        buf_close(&expected);
        return false;
    }
    client->compares = true;
    if (!submit_exec(sim, client, found.ptr ? buf_span(&expected) : found))
        client->compares = client->waiting = false;
    buf_close(&expected);
    if (client->waiting)
        sim_node_wake_in(&sim->nodes[client->node], 100);
    return client->waiting;
}

static void exec_answered(struct sim *sim, struct sim_client *client, struct span reply)
{
    struct linear_result result = {.reply = LINEAR_DONE};
    if (span_equal(reply, SPAN("*-1\r\n")))
        result.reply = LINEAR_ABORTED;
    else if (!span_equal(reply,
                         client->selects ? SPAN("*2\r\n+OK\r\n+OK\r\n") : SPAN("*1\r\n+OK\r\n")))
        sim_fail(sim, "client %d: unexpected reply of EXEC: %.*s", client->number, (int)reply.len,
                 reply.ptr);
    linear_return(sim->linear, client->operation, result, sim->now_us);
}

bool sim_register_answered(struct sim *sim, struct sim_client *client)
{
    struct span reply = buf_span(&client->reply);
    struct linear_result result = {.reply = LINEAR_DONE};
    switch (client->register_kind) {
    case LINEAR_CAS:
        if (!client->compares)
            return compare(sim, client, sim_history_text(sim, client->operation, reply));
        exec_answered(sim, client, reply);
        return false;
    case LINEAR_GET:
        sim_history_text(sim, client->operation, reply);
        return false;
    case LINEAR_INCR:
    case LINEAR_DEL:
        result.reply = LINEAR_NUMBER;
        if (reply.ptr[0] != ':' ||
            !number_parse_i64(span_of(reply.ptr + 1, reply.len - 3), &result.number))
            sim_fail(sim, "client %d: no number: %.*s", client->number, (int)reply.len, reply.ptr);
        break;
    case LINEAR_SET:
    case LINEAR_APPEND:
        if (!span_equal(reply, SPAN("+OK\r\n")))
            sim_fail(sim, "client %d: not OK: %.*s", client->number, (int)reply.len, reply.ptr);
        break;
    }
    linear_return(sim->linear, client->operation, result, sim->now_us);
    return false;
}

/* ---- the end ---- */

/* What is there at last was read by somebody who came after all others. */
static void read_at_the_end(struct sim *sim, const struct sim_node *node, char letter, int key)
{
    char scratch[24];
    const struct item *item = sim_find(sim, node, letter, key);
    struct linear_request request = {
        .client = SIM_CLIENTS_MAX, .key = key_number(letter, key), .kind = LINEAR_GET};
    uint32_t operation = linear_call(sim->linear, &request, sim->now_us);
    struct linear_result result = {.reply = LINEAR_NIL};
    if (item)
        result = (struct linear_result){.reply = LINEAR_TEXT, .text = item_string(item, scratch)};
    linear_return(sim->linear, operation, result, sim->now_us);
}

void sim_check_linear(struct sim *sim)
{
    const struct sim_node *leader = sim_leader(sim);
    for (int key = 0; leader && key < SIM_KEYS; key++) {
        read_at_the_end(sim, leader, 'c', key);
        read_at_the_end(sim, leader, 'l', key);
        read_at_the_end(sim, leader, 'r', key);
    }
    struct linear_report report;
    enum linear_verdict verdict = linear_check(sim->linear, &report);
    sim->stats.judged += linear_count(sim->linear);
    sim->stats.gave_up += report.gave_up;
    if (verdict == LINEAR_VIOLATED)
        sim_fail(sim, "the history of key %u is not linearizable\n%.*s", report.key,
                 (int)report.text.len, report.text.ptr);
    linear_report_close(&report);
}
