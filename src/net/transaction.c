/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. Commands are queued as RESP, as the log will hold them. */
#include "net/transaction.h"
#include "net/dispatch.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { WATCH_DUPLICATES_SOUGHT = 64, QUEUE_KEEP = 16 * 1024 };

size_t client_transaction_footprint(const struct client_transaction *transaction)
{
    size_t room = transaction->watch_cap - transaction->watch_count;
    return mem_footprint(transaction->commands.cap) + transaction->watch_bytes +
           room * sizeof *transaction->watches;
}

void client_transaction_shrink(struct client_transaction *transaction)
{
    if (!transaction->open)
        buf_close(&transaction->commands);
    if (transaction->watch_count)
        return;
    mem_free(transaction->watches);
    transaction->watches = NULL;
    transaction->watch_cap = 0;
}

static void forget_watches(struct client_transaction *transaction)
{
    for (size_t i = 0; i < transaction->watch_count; i++)
        mem_free((void *)(uintptr_t)transaction->watches[i].key.ptr);
    transaction->watch_count = 0;
    transaction->watch_bytes = 0;
    transaction->watches_asked = 0;
}

void client_transaction_discard(struct client *client)
{
    struct client_transaction *transaction = &client->transaction;
    forget_watches(transaction);
    if (transaction->commands.cap > QUEUE_KEEP)
        buf_close(&transaction->commands);
    *transaction = (struct client_transaction){
        .commands = {transaction->commands.ptr, 0, transaction->commands.cap},
        .watches = transaction->watches,
        .watch_cap = transaction->watch_cap,
    };
}

void client_transaction_close(struct client *client)
{
    forget_watches(&client->transaction);
    buf_close(&client->transaction.commands);
    mem_free(client->transaction.watches);
}

void client_transaction_queue(struct client *client, const struct net_request *request)
{
    struct client_transaction *transaction = &client->transaction;
    resp_encode_command(&transaction->commands, request->args, request->argc);
    transaction->count++;
    transaction->values += (request->command->flags & COMMAND_VALUE_REPLY) != 0;
    transaction->flags |= request->command->flags;
    if (net_request_writes(request)) {
        transaction->writes = true;
        transaction->grows |= !net_request_frees(client->net, request);
        transaction->needs_memory |= (request->command->flags & COMMAND_DENYOOM) != 0;
    }
    if (!request->command->run || (request->command->flags & COMMAND_OF_NODE))
        transaction->of_node = true;
    if (strcmp(request->command->fullname, "select") == 0)
        transaction->selects = true;
    if (command_needs_databases(request->command, request->args, request->argc))
        transaction->needs_databases = true;
    if (!request->command->run)
        return;
    transaction->has_data = true;
    if (!transaction->has_slot)
        transaction->slot = net_request_slot(request, &transaction->has_slot);
}

static void run_multi(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    (void)request;
    if (client->transaction.open) {
        resp_error(reply, "ERR MULTI calls can not be nested");
        return;
    }
    client->transaction.open = true;
    resp_status(reply, "OK");
}

static void run_discard(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    (void)request;
    if (!client->transaction.open) {
        resp_error(reply, "ERR DISCARD without MULTI");
        return;
    }
    client_transaction_discard(client);
    resp_status(reply, "OK");
}

/* --- WATCH --- */

static bool is_watched(const struct client_transaction *transaction, unsigned database,
                       struct span key)
{
    if (transaction->watch_count > WATCH_DUPLICATES_SOUGHT)
        return false; /* twice is correct too, it only costs memory */
    for (size_t i = 0; i < transaction->watch_count; i++)
        if (transaction->watches[i].database == database &&
            span_equal(transaction->watches[i].key, key))
            return true;
    return false;
}

static void watch_key(struct client *client, struct span key)
{
    struct net *net = client->net;
    struct client_transaction *transaction = &client->transaction;
    if (is_watched(transaction, client->database, key))
        return;
    if (transaction->watch_count == transaction->watch_cap) {
        transaction->watch_cap = transaction->watch_cap ? transaction->watch_cap * 2 : 4;
        transaction->watches = mem_realloc(transaction->watches,
                                           transaction->watch_cap * sizeof *transaction->watches);
    }
    /* By a follower's own clock a key may seem gone that its client then reads. */
    int64_t now_ms = shard_is_leader(net->shard) ? shard_now_ms(net->shard, *net_now(net))
                                                 : shard_clock_ms(net->shard);
    char *copy = mem_alloc(key.len + 1);
    memcpy(copy, key.ptr, key.len);
    transaction->watches[transaction->watch_count++] = (struct machine_watch){
        .key = span_of(copy, key.len),
        .revision = shard_applied_index(net->shard),
        .database = client->database,
        .was_present =
            keyspace_find(shard_keyspace(net->shard, client->database), key, now_ms) != NULL,
    };
    transaction->watch_bytes += key.len + sizeof *transaction->watches;
}

static void run_watch(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    client->transaction.watches_asked -= client->transaction.watches_asked > 0;
    for (size_t i = 1; i < request->argc; i++)
        watch_key(client, request->args[i]);
    resp_status(reply, "OK");
}

/* A follower notes what it has applied once that is no older than the request, as for a read. */
static enum net_verdict watch_at_follower(struct client *client, const struct net_request *request)
{
    struct net *net = client->net;
    const struct shard_request asked = {.client = client_expect_reply(client),
                                        .protocol = client->protocol,
                                        .command = request->command,
                                        .args = request->args,
                                        .argc = request->argc,
                                        .database = client->database};
    enum shard_admission admission = shard_read(net->shard, &asked, *net_now(net));
    if (admission == SHARD_ACCEPTED) {
        client->transaction.watches_asked++;
        net->submitted = true;
        return NET_DONE;
    }
    client_expect_no_reply(client);
    enum net_verdict verdict = client_not_admitted(client, admission, 0);
    client->transaction.watches_asked += verdict == NET_DONE; /* it was answered with an error */
    return verdict;
}

/* What is remembered is this node's applied state. The connection's own earlier writes must be in
 * it, hence the barrier. */
static enum net_verdict submit_watch(struct client *client, const struct net_request *request)
{
    struct net *net = client->net;
    if (client->transaction.open) {
        client_error(client, "ERR WATCH inside MULTI is not allowed");
        net_stats_executed(net, request->command, true);
        return NET_DONE;
    }
    if (client_is_redirected(client)) {
        bool has_key;
        return client_not_admitted(client, SHARD_NOT_LEADER, net_request_slot(request, &has_key));
    }
    if (!shard_is_leader(net->shard))
        return watch_at_follower(client, request);
    if (client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    struct resp_writer reply = client_begin_reply(client);
    run_watch(client, request, &reply);
    client_end_reply(client, &reply);
    net_stats_executed(net, request->command, false);
    return NET_DONE;
}

static void run_unwatch(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    (void)request;
    forget_watches(&client->transaction);
    resp_status(reply, "OK");
}

/* --- EXEC --- */

/* Commands that this node may answer alone: those that concern no data, or, on a READONLY
 * connection, that only read. */
static void run_transaction_here(struct client *client)
{
    struct net *net = client->net;
    static const struct resp_limits no_limits = {.bulk_len_max = UINT64_MAX, .authenticated = true};
    struct client_transaction queued = client->transaction;
    client->transaction.commands = (struct buf){0};
    client_transaction_discard(client);

    struct resp_parser parser = {0};
    struct span rest = buf_span(&queued.commands);
    struct resp_writer reply = client_begin_reply(client);
    resp_array(&reply, queued.count);
    for (size_t i = 0; i < queued.count; i++) {
        enum resp_outcome outcome = resp_parse(&parser, rest, &no_limits);
        ASSERT(outcome == RESP_COMMAND && parser.argc > 0);
        rest = span_of(rest.ptr + parser.consumed, rest.len - parser.consumed);
        struct net_request request = {command_find(net->table, parser.args, parser.argc),
                                      parser.args, parser.argc};
        ASSERT(request.command);
        struct shard_request asked = {.client = client->handle,
                                      .protocol = reply.protocol,
                                      .command = request.command,
                                      .args = request.args,
                                      .argc = request.argc,
                                      .database = client->database};
        if (request.command->run) {
            shard_read_local(net->shard, &asked, &reply, *net_now(net));
            continue;
        }
        client_run_local(client, &request, &reply);
        net_stats_executed(net, request.command, false);
    }
    client_end_reply(client, &reply);
    resp_parser_close(&parser);
    buf_close(&queued.commands);
}

/* Nothing of it was given to the shard: EXEC waits, or got an error. */
static enum net_verdict exec_not_taken(struct client *client, enum net_verdict verdict)
{
    if (verdict == NET_DONE)
        client_transaction_discard(client);
    return verdict;
}

static enum net_verdict exec_not_admitted(struct client *client, enum shard_admission admission)
{
    return exec_not_taken(client, client_not_admitted(client, admission, client->transaction.slot));
}

/* Members that know only database 0 would not do the same with its writes. */
static bool needs_databases(const struct client *client)
{
    const struct client_transaction *transaction = &client->transaction;
    if (!transaction->writes)
        return false;
    if (client->database || transaction->selects || transaction->needs_databases)
        return true;
    for (size_t i = 0; i < transaction->watch_count; i++)
        if (transaction->watches[i].database)
            return true;
    return false;
}

static enum net_verdict submit_transaction(struct client *client)
{
    struct net *net = client->net;
    const struct client_transaction *transaction = &client->transaction;
    if (client_is_redirected(client))
        return exec_not_admitted(client, SHARD_NOT_LEADER);
    if (transaction->writes && client->session.pending && !shard_has_sessions(net->shard))
        return exec_not_taken(client, client_wait_for_sessions(client));
    if (needs_databases(client) && !shard_has_databases(net->shard))
        return exec_not_taken(client, client_wait_for_databases(client));
    if (transaction->writes && !client_may_write(client))
        return client_hold(client, CLIENT_BARRIER);
    struct shard_transaction asked = {.client = client_expect_reply(client),
                                      .protocol = client->protocol,
                                      .commands = buf_span(&transaction->commands),
                                      .count = transaction->count,
                                      .watches = transaction->watches,
                                      .watch_count = transaction->watch_count,
                                      .database = client->database,
                                      .session = client_session_number(client)};
    enum shard_admission admission = shard_transaction(net->shard, &asked, *net_now(net));
    if (admission == SHARD_ACCEPTED) {
        net->submitted = true;
        client->selects = client->selects || transaction->selects;
        client->owed_unsure += transaction->values;
        client_transaction_discard(client);
        return NET_DONE;
    }
    client_expect_no_reply(client);
    return exec_not_admitted(client, admission);
}

static enum net_verdict refuse_exec(struct client *client, const struct net_request *request,
                                    const char *text)
{
    client_transaction_discard(client);
    client_error(client, text);
    net_stats_executed(client->net, request->command, true);
    return NET_DONE;
}

static enum net_verdict submit_exec(struct client *client, const struct net_request *request)
{
    const struct client_transaction *transaction = &client->transaction;
    if (!transaction->open) {
        client_error(client, "ERR EXEC without MULTI");
        net_stats_executed(client->net, request->command, true);
        return NET_DONE;
    }
    if (transaction->watches_asked && client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    if (transaction->aborted || transaction->watches_asked) /* a WATCH was answered with an error */
        return refuse_exec(client, request,
                           "EXECABORT Transaction discarded because of previous errors.");
    if (transaction->needs_memory && shard_is_leader(client->net->shard) &&
        net_is_over_memory(client->net))
        return refuse_exec(client, request, NET_EXEC_OUT_OF_MEMORY);
    if (net_lacks_room(client->net, transaction->writes, !transaction->grows))
        return refuse_exec(client, request, NET_EXEC_NO_ROOM);
    if (client->session.pending && transaction->writes && transaction->of_node)
        return refuse_exec(client, request,
                           "EXECABORT Transaction discarded because of: a numbered transaction "
                           "cannot hold commands whose reply depends on the node");
    bool here = transaction->watch_count == 0 &&
                (!transaction->has_data ||
                 (!(transaction->flags & COMMAND_WRITE) && client_may_read_here(client)));
    if (here && client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    enum net_verdict verdict = NET_DONE;
    if (here)
        run_transaction_here(client);
    else
        verdict = submit_transaction(client);
    if (verdict == NET_DONE)
        net_stats_executed(client->net, request->command, false);
    return verdict;
}

const struct net_local net_transaction_commands[] = {
    {.fullname = "multi", .run = run_multi, .never_queued = true},
    {.fullname = "discard", .run = run_discard, .barrier = true, .never_queued = true},
    {.fullname = "exec",
     .submit = submit_exec,
     .never_queued = true,
     .ends_transaction = true,
     .needs_shard = true},
    {.fullname = "watch",
     .run = run_watch,
     .submit = submit_watch,
     .never_queued = true,
     .needs_shard = true},
    {.fullname = "unwatch", .run = run_unwatch, .barrier = true},
    {.fullname = NULL},
};
