/* Clients that do one thing after the other and check what they are told. Counters (INCR, GET) show
 * lost, doubled and stale results; appended tokens show what took effect. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "resp/parse.h"
#include "sim/sim.h"

enum { RETRY_US = 20000, FULL_US = 4000 };

static void wake_in(struct sim *sim, int number, uint64_t us)
{
    sim->clients[number].wake_us = sim->now_us + us;
    sim_push(sim,
             (struct sim_event){.at_us = sim->now_us + us, .type = SIM_CLIENT, .node = number});
}

static struct buf *host_reply_begin(void *context, struct shard_client handle)
{
    struct sim_node *node = context;
    struct sim_client *client = &node->sim->clients[handle.slot];
    if (!client->waiting || client->node != node->position ||
        client->generation != handle.generation)
        return NULL;
    if (client->got == client->expected)
        sim_fail(node->sim, "client %u gets a reply that it did not ask for", handle.slot);
    return &client->reply;
}

static void host_reply_end(void *context, struct shard_client handle, uint64_t index)
{
    struct sim_node *node = context;
    struct sim_client *client = &node->sim->clients[handle.slot];
    if (!client->waiting || client->node != node->position ||
        client->generation != handle.generation)
        return;
    client->got++;
    client->release_us = node->local_us;
    if (index > client->reply_index)
        client->reply_index = index;
}

static void host_run_local(void *context, struct shard_client client, const struct command *command,
                           const struct span *args, size_t argc, struct resp_writer *reply)
{
    (void)context;
    (void)client;
    (void)args;
    (void)argc;
    resp_status(reply, strcmp(command->fullname, "select") == 0 ? "OK" : "PONG");
}

/* For some milliseconds now and then: no chance of the run's is taken for it. */
static bool host_is_full(void *context, struct shard_client handle)
{
    const struct sim_node *node = context;
    uint64_t window = node->sim->now_us / FULL_US + handle.slot + handle.generation;
    return window * 0x9e3779b97f4a7c15 >> 61 == 0;
}

static void host_held(void *context, struct shard_client handle, bool held)
{
    (void)handle;
    if (held)
        sim_node_wake_in(context, FULL_US);
}

void sim_clients_read_on(struct sim_node *node)
{
    const struct sim *sim = node->sim;
    for (uint32_t i = 0; i < (uint32_t)sim->profile.clients; i++)
        if (sim->clients[i].waiting && sim->clients[i].node == node->position)
            shard_go_on(node->shard, (struct shard_client){i, sim->clients[i].generation, 0});
}

static bool host_is_waiting(void *context, struct shard_client handle)
{
    const struct sim_node *node = context;
    const struct sim_client *client = &node->sim->clients[handle.slot];
    return client->waiting && client->node == node->position &&
           client->generation == handle.generation;
}

static const char *host_refusal(void *context, const struct command *command,
                                const struct span *args, size_t argc, bool in_transaction)
{
    const struct sim_node *node = context;
    (void)command;
    (void)args;
    (void)argc;
    (void)in_transaction;
    return shard_has_room(node->shard) ? NULL : "MISCONF no room";
}

struct shard_host sim_client_host(struct sim_node *node)
{
    return (struct shard_host){.context = node,
                               .reply_begin = host_reply_begin,
                               .reply_end = host_reply_end,
                               .is_waiting = host_is_waiting,
                               .is_full = host_is_full,
                               .held = host_held,
                               .refusal = host_refusal,
                               .run_local = host_run_local};
}

static void token_of(const struct sim_client *client, char *out, size_t size)
{
    snprintf(out, size, ",%d-%u", client->number, client->generation);
}

static enum shard_admission submit_one(struct sim *sim, struct sim_client *client,
                                       const struct sim_node *node)
{
    char key[SIM_NAME];
    char token[64];
    bool is_list = client->kind == SIM_OP_APPEND;
    unsigned database = sim_place(sim, is_list ? 'l' : 'c', client->key, key);
    token_of(client, token, sizeof token);
    const struct span args[] = {is_list                      ? SPAN("APPEND")
                                : client->kind == SIM_OP_GET ? SPAN("GET")
                                                             : SPAN("INCR"),
                                span_text(key), span_text(token)};
    if (client->kind == SIM_OP_GET)
        return sim_read(sim, client, node, database, args, 2);
    return sim_write(sim, client, node, database, args, is_list ? 3 : 2);
}

static enum shard_admission submit_transaction(struct sim *sim, struct sim_client *client,
                                               const struct sim_node *node)
{
    char counter[SIM_NAME];
    char list[SIM_NAME];
    char token[64];
    struct sim_exec exec;
    token_of(client, token, sizeof token);
    sim_exec_begin(&exec, sim_place(sim, 'c', client->key, counter));
    const struct span incr[] = {SPAN("INCR"), span_text(counter)};
    sim_exec_add(&exec, incr, 2);
    sim_exec_select(&exec, sim_place(sim, 'l', client->key, list));
    sim_exec_add(&exec, &SPAN("PING"), 1);
    const struct span append[] = {SPAN("APPEND"), span_text(list), span_text(token)};
    sim_exec_add(&exec, append, 3);
    client->selects = exec.selects;
    return sim_exec_submit(&exec, client, node, NULL, 0);
}

static bool is_of_queue(enum sim_op_kind kind)
{
    return kind == SIM_OP_GIVE || kind == SIM_OP_TAKE;
}

static enum shard_admission submit(struct sim *sim, struct sim_client *client,
                                   struct sim_node *node)
{
    if (client->kind != SIM_OP_GET && shard_is_leader(node->shard) && !shard_has_room(node->shard))
        return SHARD_NOT_LEADER; /* as a server refuses it */
    if (client->kind == SIM_OP_TRANSACTION)
        return submit_transaction(sim, client, node);
    if (client->kind == SIM_OP_REGISTER)
        return sim_register_submit(sim, client, node);
    if (client->kind == SIM_OP_EXPIRE)
        return sim_ttl_submit(sim, client, node);
    if (client->kind == SIM_OP_NUMBERED)
        return sim_numbered_submit(sim, client, node);
    if (is_of_queue(client->kind))
        return sim_queue_submit(sim, client, node);
    if (client->kind == SIM_OP_VALUES)
        return sim_values_submit(sim, client, node);
    if (client->kind == SIM_OP_ACCOUNT)
        return sim_account_submit(sim, client, node);
    return submit_one(sim, client, node);
}

static bool increments(enum sim_op_kind kind)
{
    return kind == SIM_OP_INCR || kind == SIM_OP_TRANSACTION || kind == SIM_OP_PIPELINE;
}

static bool appends(enum sim_op_kind kind)
{
    return kind == SIM_OP_APPEND || kind == SIM_OP_TRANSACTION;
}

static void not_admitted(struct sim *sim, struct sim_client *client, const struct sim_node *node)
{
    client->waiting = false;
    if (increments(client->kind))
        sim->keys[client->key].attempted--;
    uint64_t leader = shard_leader(node->shard);
    const struct sim_node *other = leader != node->id ? sim_node_of(sim, leader) : NULL;
    client->wanted_node = other ? other->position : -1;
    wake_in(sim, client->number, leader ? 1000 : RETRY_US);
}

static void record_call(struct sim *sim, struct sim_client *client)
{
    char token[64];
    token_of(client, token, sizeof token);
    if (increments(client->kind))
        client->operation = sim_history_call(sim, client, 'c', LINEAR_INCR, span_of("", 0));
    if (client->kind == SIM_OP_GET)
        client->operation = sim_history_call(sim, client, 'c', LINEAR_GET, span_of("", 0));
    if (appends(client->kind))
        client->second_operation =
            sim_history_call(sim, client, 'l', LINEAR_APPEND, span_text(token));
}

/* A connection's requests are answered in order, and a read sees the writes before it. */
static void submit_read_behind(struct sim *sim, struct sim_client *client, struct sim_node *node)
{
    char key[SIM_NAME];
    unsigned database = sim_place(sim, 'c', client->key, key);
    const struct span args[] = {SPAN("GET"), span_text(key)};
    client->expected++;
    if (sim_read(sim, client, node, database, args, 2) != SHARD_ACCEPTED) {
        client->expected--;
        return;
    }
    client->second_operation = sim_history_call(sim, client, 'c', LINEAR_GET, span_of("", 0));
}

/* Who has numbered commands under way asks nothing else: what it does is one thing after the other.
 */
static enum sim_op_kind draw_kind(struct sim *sim, const struct sim_client *client)
{
    if (client->session.open || client->session.in_doubt || sim_chance(sim, sim->profile.numbered))
        return SIM_OP_NUMBERED;
    return (enum sim_op_kind)sim_between(sim, SIM_OP_INCR, SIM_OP_ACCOUNT);
}

bool sim_client_goes_on(struct sim *sim, struct sim_client *client)
{
    const struct sim_node *node = &sim->nodes[client->node];
    if (!node->up || node->paused)
        return false;
    client->generation++;
    client->waiting = true;
    client->reply.len = 0;
    client->reply_index = 0;
    client->got = 0;
    return true;
}

/* ---- replies ---- */

void sim_client_wake(struct sim *sim, int number)
{
    struct sim_client *client = &sim->clients[number];
    sim_queue_timeout(sim, client);
    if (sim->clients_stop || (client->waiting && !sim_numbered_gives_up(client)))
        return;
    if (sim->now_us < client->wake_us)
        return; /* it would have given up by now */
    int position = client->wanted_node >= 0
                       ? client->wanted_node
                       : (int)sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1);
    client->wanted_node = -1;
    struct sim_node *node = &sim->nodes[position];
    if (node->paused && sim_chance(sim, 0.9)) {
        client->wanted_node = position; /* the request waits in the socket */
        wake_in(sim, number, 1000);
        return;
    }
    if (!node->up || node->paused) {
        wake_in(sim, number, RETRY_US);
        return;
    }
    client->generation++;
    client->kind = draw_kind(sim, client);
    client->key = (int)sim_between(sim, 0, SIM_KEYS - 1);
    client->node = position;
    client->waiting = true;
    client->reply.len = 0;
    client->reply_index = 0;
    client->got = 0;
    client->expected = 1;
    client->tried = false;
    client->started_us = sim->now_us;
    client->installs = shard_stats(node->shard).installs;
    client->floor = sim->keys[client->key].observed;
    if (increments(client->kind))
        sim->keys[client->key].attempted++;
    if (submit(sim, client, node) != SHARD_ACCEPTED) {
        not_admitted(sim, client, node);
        return;
    }
    sim_trace(sim, "client %d on node %llu: operation %d of key %d", number,
              (unsigned long long)node->id, (int)client->kind, client->key);
    record_call(sim, client);
    sim_queue_asked(sim, client);
    if (client->kind == SIM_OP_PIPELINE)
        submit_read_behind(sim, client, node);
    if (sim_chance(sim, 0.5))
        sim_node_settle(node);
    else
        sim_node_wake_in(node, 100); /* others may join its batch */
}

static bool integer_of(struct span reply, int64_t *value)
{
    const char *end = memchr(reply.ptr, '\r', reply.len);
    if (!end || (reply.ptr[0] != ':' && reply.ptr[0] != '$'))
        return false;
    if (reply.ptr[0] == ':')
        return number_parse_i64(span_of(reply.ptr + 1, (size_t)(end - reply.ptr) - 1), value);
    if (reply.len >= 3 && reply.ptr[1] == '-') {
        *value = 0; /* no such key: nothing was counted yet */
        return true;
    }
    const char *start = end + 2;
    const char *stop = memchr(start, '\r', reply.len - (size_t)(start - reply.ptr));
    return stop && number_parse_i64(span_of(start, (size_t)(stop - start)), value);
}

/* The replies within that of EXEC: of INCR, perhaps SELECT, PING and APPEND. */
static struct span inside_exec(struct sim *sim, const struct sim_client *client, int64_t *length)
{
    struct span reply = buf_span(&client->reply);
    const char *prefix = client->selects ? "*4\r\n" : "*3\r\n";
    static const char between[] = "+PONG\r\n:";
    const char *last = memmem(reply.ptr, reply.len, between, sizeof between - 1);
    if (reply.len < 5 || memcmp(reply.ptr, prefix, 4) != 0 || !last)
        sim_fail(sim, "client %d: unexpected reply of EXEC: %.*s", client->number, (int)reply.len,
                 reply.ptr);
    last += sizeof between - 2;
    if (!integer_of(span_of(last, reply.len - (size_t)(last - reply.ptr)), length))
        sim_fail(sim, "client %d: APPEND gave no number", client->number);
    return span_of(reply.ptr + 4, reply.len - 4);
}

static void counted(struct sim *sim, struct sim_client *client, struct span reply)
{
    int64_t value;
    if (!integer_of(reply, &value))
        sim_fail(sim, "client %d: unexpected reply: %.*s", client->number, (int)reply.len,
                 reply.ptr);
    sim_check_value(sim, client, value);
    if (client->kind == SIM_OP_GET)
        sim_history_text(sim, client->operation, reply);
    else
        sim_history_number(sim, client->operation, value);
}

/* INCR was answered; is GET, and with what INCR had done? */
static void read_behind(struct sim *sim, struct sim_client *client, struct span reply)
{
    const char *end = memchr(reply.ptr, '\n', reply.len);
    struct span second = span_of(end + 1, reply.len - (size_t)(end + 1 - reply.ptr));
    int64_t before;
    int64_t value;
    if (client->got < 2 || second.len == 0 || second.ptr[0] == '-')
        return; /* a read that was not carried out */
    if (!integer_of(reply, &before) || !integer_of(second, &value) || value < before)
        sim_fail(sim, "client %d: a read does not see the write before it: %.*s", client->number,
                 (int)reply.len, reply.ptr);
    sim_history_text(sim, client->second_operation, second);
}

/* True: the client goes on waiting. */
static bool answered(struct sim *sim, struct sim_client *client)
{
    struct span reply = buf_span(&client->reply);
    int64_t length = 0;
    bool reads = client->kind == SIM_OP_GET;
    if (client->kind == SIM_OP_TRANSACTION)
        reply = inside_exec(sim, client, &length);
    else if (appends(client->kind) && !integer_of(reply, &length))
        sim_fail(sim, "client %d: APPEND gave no number", client->number);
    if (increments(client->kind) || reads)
        counted(sim, client, reply);
    if (client->kind == SIM_OP_PIPELINE)
        read_behind(sim, client, reply);
    if (appends(client->kind)) {
        sim_note_append(sim, client, SIM_HAPPENED);
        sim_history_number(sim, client->second_operation, length);
    }
    if (client->kind == SIM_OP_REGISTER) {
        reads = client->register_kind == LINEAR_GET ||
                (client->register_kind == LINEAR_CAS && !client->compares);
        if (sim_register_answered(sim, client)) {
            sim->stats.reads++;
            return true;
        }
    }
    if (client->kind == SIM_OP_EXPIRE) {
        sim_ttl_answered(sim, client);
        reads = client->ttl_reads;
    }
    if (client->kind == SIM_OP_ACCOUNT) {
        reads = client->account.op == SIM_ACCOUNT_LOOK ||
                (client->account.op == SIM_ACCOUNT_COMPARE && !client->compares);
        if (sim_account_answered(sim, client))
            return true;
    }
    if (is_of_queue(client->kind)) {
        sim_queue_answered(sim, client);
        if (client->reply_index == 0)
            return false; /* nothing came in time: no entry says so */
    }
    if (client->tried) {
        sim->stats.tried++;
        sim->stats.changed_after_all += client->reply_index != 0;
        reads |= client->reply_index == 0;
    }
    if (reads) {
        sim->stats.reads++;
        return false;
    }
    sim->stats.acknowledged++;
    sim_check_acknowledged(sim, client->reply_index);
    return false;
}

/* Nothing took effect. */
static void refused(struct sim *sim, struct sim_client *client)
{
    sim->stats.refused++;
    if (increments(client->kind))
        sim->keys[client->key].attempted--;
    if (increments(client->kind) || client->kind == SIM_OP_GET || client->kind == SIM_OP_REGISTER)
        linear_failed(sim->linear, client->operation);
    if (appends(client->kind))
        linear_failed(sim->linear, client->second_operation);
    if (client->kind == SIM_OP_ACCOUNT)
        sim_account_refused(sim, client);
}

/* Whoever is on a node that goes on hears of no trouble of the others, unless its own node got its
 * state as a snapshot, has no room, or nobody could be asked for as long as a client has to wait.
 */
void sim_check_trouble(struct sim *sim, const struct sim_client *client, struct span reply)
{
    const struct sim_node *node = &sim->nodes[client->node];
    uint64_t waited_us = (sim->now_us - client->started_us) * 11 / 10; /* by the node's clock */
    if (waited_us >= (uint64_t)SIM_LEADER_WAIT_MS * 1000 || memcmp(reply.ptr, "-MISCONF", 8) == 0 ||
        (node->up && shard_stats(node->shard).installs != client->installs))
        return;
    sim_fail(sim, "client %d on node %llu is told after %llu us: %.*s", client->number,
             (unsigned long long)node->id, (unsigned long long)waited_us, (int)reply.len,
             reply.ptr);
}

/* An error of the command itself: it was carried out, and changed nothing. */
static bool is_of_data(struct span reply)
{
    static const char *const prefixes[] = {"-ERR ", "-WRONGTYPE ", "-NOGROUP ", "-BUSYGROUP "};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (reply.len > strlen(prefixes[i]) &&
            memcmp(reply.ptr, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static void collect(struct sim *sim, struct sim_client *client)
{
    client->waiting = false;
    struct span reply = buf_span(&client->reply);
    sim_trace(sim, "client %d: %.*s", client->number, (int)(reply.len > 2 ? reply.len - 2 : 0),
              reply.ptr);
    if (reply.len == 0)
        sim_fail(sim, "client %d: an empty reply", client->number);
    if (sim_has_liar(sim)) { /* what it says may be anything */
        wake_in(sim, client->number, RETRY_US);
        return;
    }
    if (client->kind == SIM_OP_NUMBERED) {
        sim_numbered_answered(sim, client);
        wake_in(sim, client->number,
                reply.ptr[0] == '-' ? RETRY_US : sim_between(sim, 0, SIM_THINK_US_MAX));
        return;
    }
    if (reply.ptr[0] != '-' || (client->kind == SIM_OP_VALUES && is_of_data(reply))) {
        if (answered(sim, client))
            return;
        if (sim_chance(sim, 0.8)) /* who was answered asks there again */
            client->wanted_node = client->node;
        wake_in(sim, client->number, sim_between(sim, 0, SIM_THINK_US_MAX));
        return;
    }
    bool unknown = reply.len > 8 && memcmp(reply.ptr, "-UNKNOWN", 8) == 0;
    bool definite = (reply.len > 8 && memcmp(reply.ptr, "-MISCONF", 8) == 0) ||
                    (reply.len > 12 && memcmp(reply.ptr, "-CLUSTERDOWN", 12) == 0);
    if (!unknown && !definite)
        sim_fail(sim, "client %d: unexpected error: %.*s", client->number, (int)reply.len,
                 reply.ptr);
    sim_check_trouble(sim, client, reply);
    if (unknown)
        sim->stats.unknown++;
    else
        refused(sim, client);
    if (is_of_queue(client->kind))
        sim_queue_failed(sim, client, unknown);
    if (appends(client->kind))
        sim_note_append(sim, client, unknown ? SIM_MAY_HAVE_HAPPENED : SIM_DID_NOT_HAPPEN);
    wake_in(sim, client->number, RETRY_US);
}

void sim_clients_collect(struct sim *sim)
{
    for (int i = 0; i < sim->profile.clients; i++) {
        struct sim_client *client = &sim->clients[i];
        if (client->waiting && client->got == client->expected && client->release_us <= sim->now_us)
            collect(sim, client);
    }
}

void sim_clients_of_crashed(struct sim *sim, int node)
{
    for (int i = 0; i < sim->profile.clients; i++) {
        struct sim_client *client = &sim->clients[i];
        bool left = client->got == client->expected && client->release_us <= sim->now_us;
        if (!client->waiting || client->node != node || left)
            continue;
        client->waiting = false;
        if (is_of_queue(client->kind))
            sim_queue_failed(sim, client, true);
        if (appends(client->kind))
            sim_note_append(sim, client, SIM_MAY_HAVE_HAPPENED);
        wake_in(sim, client->number, RETRY_US);
    }
}
