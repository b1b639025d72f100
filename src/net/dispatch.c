/* From arguments to whoever carries them out: the rules that Redis checks before a command runs, in
 * its order, then those of leadership. */
#include "net/dispatch.h"
#include "net/blocking.h"
#include "net/listen.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"
#include "net/transaction.h"
#include "net/wait.h"

#include "base/mem.h"
#include "base/number.h"

enum { HTTP_SAID_EVERY_MS = 60 * 1000 };

static const char not_a_node[] = "NOPERM this connection is not a node of the cluster";
static const char has_stopped[] = "MISCONF The disk of this node is full, so that it does not keep "
                                  "up with the leader: nothing was "
                                  "executed";
static const char no_leader[] =
    "CLUSTERDOWN The cluster has no leader: nothing was executed, try again";
static const char debug_forbidden[] =
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
    "can "
    "run it from a local connection, otherwise you need to set this option in the configuration "
    "file, and then restart the server.";
static const char out_of_memory[] = "OOM command not allowed when used memory > 'maxmemory'.";

/* --- nodes --- */

/* What nodes say to each other is in no table: to a client it does not exist. */
static bool is_node_command(const struct net *net, struct span name)
{
    return !net->sentinel && name.len > 5 &&
           span_equal_nocase(span_of(name.ptr, 5), SPAN("RAFT.")) &&
           !command_find(net->table, &name, 1);
}

static enum net_verdict run_node_command(struct client *client, const struct span *args,
                                         size_t argc, struct span rest)
{
    struct net *net = client->net;
    const char *error = not_a_node;
    if (span_is(args[0], "RAFT.HELLO") && !client->io_thread && client_owed(client) == 0 &&
        client_output_len(client) == 0)
        error = net->host.accept_peer(net->host.context, client->fd, args, argc, rest);
    if (error == NULL) {
        client_forget_descriptor(client);
        return NET_DONE;
    }
    client_error(client, error);
    if (client->refusal)
        client_close_after_output(client);
    return NET_DONE;
}

/* A connection that is one too many, or from where clients are not served. */
static enum net_verdict refuse(struct client *client)
{
    client->net->statistics.connections_rejected++;
    client_error(client, client->refusal);
    client_close_after_output(client);
    return NET_DONE;
}

/* --- leadership --- */

unsigned net_request_slot(const struct net_request *request, bool *has_key)
{
    size_t position;
    *has_key = command_keys(request->command, request->args, request->argc, &position, 1) > 0;
    return *has_key ? keyspace_slot_of(request->args[position]) : 0;
}

static const struct cluster_node *other_leader(const struct net *net)
{
    uint64_t leader = shard_leader(net->shard);
    return leader && leader != net->self ? cluster_find(net->cluster, leader) : NULL;
}

/* Where the client shall go with what needs the leader. NULL: it is served here. */
static const struct cluster_node *redirect_of(const struct client *client)
{
    if (!shard_will_forward(client->net->shard))
        return other_leader(client->net); /* there are members that do not know how */
    if (client->adopted)
        return NULL;
    switch (client->net->settings.follower_mode) {
    case NET_FOLLOWER_AUTO:
        return client->knows_clusters ? other_leader(client->net) : NULL;
    case NET_FOLLOWER_PROXY:
        return NULL;
    case NET_FOLLOWER_REDIRECT:
        return other_leader(client->net);
    }
    return NULL;
}

bool client_is_redirected(const struct client *client)
{
    return redirect_of(client) != NULL;
}

enum net_verdict client_park(struct client *client, const char *text)
{
    struct net *net = client->net;
    uint64_t now_ms = net_now(net)->mono_ms;
    if (client->park_until_ms == 0)
        client->park_until_ms = now_ms + net->settings.leader_wait_ms;
    if (now_ms >= client->park_until_ms) {
        client_error(client, text);
        return NET_DONE;
    }
    net_due(net, client->park_until_ms);
    return client_hold(client, CLIENT_PARKED);
}

static void write_moved(struct client *client, const struct cluster_node *node, unsigned slot)
{
    struct resp_writer reply = client_begin_reply(client);
    resp_errorf(&reply, "MOVED %u %s:%u", slot,
                cluster_endpoint(node, client->net->settings.endpoint_type),
                (unsigned)cluster_client_port(node));
    client_end_reply(client, &reply);
}

/* DONE: the client got an error. */
enum net_verdict client_not_admitted(struct client *client, enum shard_admission admission,
                                     unsigned slot)
{
    if (admission == SHARD_BUSY)
        return client_hold(client, CLIENT_FULL);
    if (client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    if (admission == SHARD_DISPUTED) {
        client_error(client, SHARD_IS_DISPUTED);
        return NET_DONE;
    }
    const struct cluster_node *leader = redirect_of(client);
    if (!leader && admission == SHARD_NO_ROOM) {
        client_error(client, has_stopped);
        return NET_DONE;
    }
    if (!leader)
        return client_park(client, no_leader);
    write_moved(client, leader, slot);
    return NET_DONE;
}

/* A READONLY connection takes what this node has applied, if that is fresh enough; whether a leader
 * is known does not matter. */
bool client_may_read_here(struct client *client)
{
    struct net *net = client->net;
    if (!client->readonly || shard_is_leader(net->shard))
        return false;
    uint64_t fresh_ms = shard_fresh_ms(net->shard);
    return fresh_ms && fresh_ms + net->settings.replica_max_lag_ms >= net_now(net)->mono_ms;
}

/* --- carrying out --- */

/* There are members that would not do the same. */
static bool client_needs_types(const struct client *client, const struct net_request *request)
{
    return !shard_has_types(client->net->shard) &&
           command_needs_types(request->command, request->args, request->argc);
}

/* The same of those that know only database 0, with writes. */
static bool client_needs_databases(const struct client *client, const struct net_request *request)
{
    return net_request_writes(request) && !shard_has_databases(client->net->shard) &&
           (client->database ||
            command_needs_databases(request->command, request->args, request->argc));
}

static enum net_verdict run_data(struct client *client, const struct net_request *request)
{
    struct net *net = client->net;
    bool writes = net_request_writes(request);
    bool reads_here = !(request->command->flags & COMMAND_WRITE); /* as Redis' replicas judge */
    struct shard_request asked = {.protocol = client->protocol,
                                  .command = request->command,
                                  .args = request->args,
                                  .argc = request->argc,
                                  .database = client->database,
                                  .session = client_session_number(client),
                                  .alone = !client->has_more && client_owed(client) == 0};
    if (client_owed(client) == 0 && client->owed_bytes + client->owed_unsure)
        client_owes_nothing(client);
    if (request->command->blocking) {
        enum net_verdict verdict;
        bool is_final;
        if (client_may_wait(client, request, &verdict, &is_final))
            return client_wait_for_keys(client, request);
        if (is_final)
            return verdict;
    }
    if (reads_here && client->readonly && client_may_read_here(client)) {
        struct resp_writer reply = client_begin_reply(client);
        net_slowlog_begin(net, client->handle);
        shard_read_local(net->shard, &asked, &reply, *net_now(net));
        net_slowlog_end_run(net);
        net->statistics.error_counted = false;
        client_end_reply(client, &reply);
        return NET_DONE;
    }
    bool has_key;
    if (client_is_redirected(client))
        return client_not_admitted(client, SHARD_NOT_LEADER, net_request_slot(request, &has_key));
    if (writes && client->session.pending && !shard_has_sessions(net->shard))
        return client_wait_for_sessions(client);
    if (client_needs_types(client, request))
        return client_wait_for_types(client);
    if (client_needs_databases(client, request))
        return client_wait_for_databases(client);
    if ((writes && !client_may_write(client)) || !client_count_reply(client, request))
        return client_hold(client, CLIENT_BARRIER);
    asked.client = client_expect_reply(client);
    enum shard_admission admission = writes ? shard_write(net->shard, &asked, *net_now(net))
                                            : shard_read(net->shard, &asked, *net_now(net));
    client->tried = admission == SHARD_TRIED;
    if (admission == SHARD_ACCEPTED || admission == SHARD_TRIED) {
        net->submitted = true;
        return NET_DONE;
    }
    client_expect_no_reply(client);
    return client_not_admitted(client, admission, 0);
}

/* Writes one reply; within a transaction too. */
void client_run_local(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    struct net *net = client->net;
    const struct command *command = request->command;
    const struct net_local *local = net->locals[command->id];
    if (local && local->run)
        local->run(client, request, reply);
    else if (!local)
        net->host.run(net->host.context, client, command, request->args, request->argc, reply);
    else
        resp_error(reply, "ERR Command not allowed inside a transaction");
}

static enum net_verdict run_here(struct client *client, const struct net_request *request)
{
    struct net *net = client->net;
    if (request->command->flags & COMMAND_SHOWS_CLUSTERS)
        client->knows_clusters = true;
    const struct net_local *local = net->locals[request->command->id];
    if (local && local->submit)
        return local->submit(client, request);
    /* The server's own commands see everything that this connection asked for before. */
    if (client_owed(client) && (!local || local->barrier))
        return client_hold(client, CLIENT_BARRIER);
    int64_t started_us = net->host.wall_us(net->host.context);
    struct resp_writer reply = client_begin_reply(client);
    client_run_local(client, request, &reply);
    if (client->state == CLIENT_BLOCKED)
        return NET_HOLD; /* it wrote nothing and is run once more */
    client->wait_phase = WAIT_NONE;
    bool error = client_end_reply(client, &reply);
    int64_t took_us = net->host.wall_us(net->host.context) - started_us;
    net_stats_executed(net, request->command, error);
    if (took_us < 0)
        took_us = 0; /* the wall clock went back */
    net_slowlog_took(net, client->handle, request->command, request->args, request->argc,
                     (uint64_t)took_us);
    net->statistics.commands[request->command->id].usec += (uint64_t)took_us;
    return NET_DONE;
}

enum net_verdict client_run(struct client *client, const struct net_request *request)
{
    return request->command->run ? run_data(client, request) : run_here(client, request);
}

/* --- checks --- */

bool net_is_over_memory(struct net *net)
{
    if (net->settings.maxmemory == 0)
        return false;
    if (!net->used_memory_known) {
        net->used_memory = net->host.used_memory(net->host.context);
        net->used_memory_known = true;
    }
    return net->used_memory > net->settings.maxmemory;
}

static enum net_verdict reject(struct client *client, const struct command *command,
                               const char *text)
{
    struct net *net = client->net;
    net_stats_rejected(net, command);
    client->transaction.aborted = client->transaction.open;
    const struct net_local *local = net->locals[command->id];
    if (local && local->numbers)
        client_session_rejected(client);
    client_error(client, text);
    return NET_DONE;
}

/* The first words of lines that only HTTP has. */
static const char *const http_words[] = {"post", "host:"};

static bool is_http(struct span name)
{
    for (size_t i = 0; i < sizeof http_words / sizeof http_words[0]; i++)
        if (span_is(name, http_words[i]))
            return true;
    return false;
}

/* DEBUG stops a node or shows its inner life: the configuration file has to allow it. */
static bool is_forbidden(const struct client *client, const struct command *command)
{
    if ((command->flags & COMMAND_PROTECTED) == 0)
        return false;
    switch (client->net->settings.debug) {
    case NET_DEBUG_NO:
        return true;
    case NET_DEBUG_LOCAL:
        return !client_is_local(client);
    case NET_DEBUG_YES:
        return false;
    }
    return true;
}

/* A web page may have talked a browser into sending a request here: nothing behind its headers may
 * be carried out. The log names the first such client of a minute and counts the others. */
static void close_http(struct client *client)
{
    struct net *net = client->net;
    uint64_t now_ms = net_now(net)->mono_ms;
    client_close_after_output(client);
    net->http_clients++;
    if (net->http_said_ms && now_ms - net->http_said_ms < HTTP_SAID_EVERY_MS)
        return;
    log_line(net->log, LOG_WARNING,
             "closed client %llu at %s: it speaks HTTP, perhaps an attack through a browser "
             "(%llu such since the start)",
             (unsigned long long)client->id, client->address,
             (unsigned long long)net->http_clients);
    net->http_said_ms = now_ms;
}

static enum net_verdict reject_unknown(struct client *client, const struct span *args, size_t argc)
{
    const struct command *container = argc > 1 ? command_find(client->net->table, args, 1) : NULL;
    if (container && is_forbidden(client, container))
        return reject(client, container, debug_forbidden);
    if (is_http(args[0])) {
        close_http(client);
        return NET_DONE;
    }
    client->transaction.aborted = client->transaction.open;
    struct resp_writer reply = client_begin_reply(client);
    command_write_unknown(client->net->table, args, argc, &reply);
    client_end_reply(client, &reply);
    return NET_DONE;
}

static enum net_verdict reject_arity(struct client *client, const struct command *command)
{
    const struct net_local *local = client->net->locals[command->id];
    bool ends = local && local->ends_transaction;
    if (ends && client->transaction.watches_asked && client_owed(client))
        return client_hold(client, CLIENT_BARRIER); /* what it discards is not known yet */
    net_stats_rejected(client->net, command);
    struct resp_writer reply = client_begin_reply(client);
    if (ends) {
        client_transaction_discard(client);
        resp_errorf(&reply,
                    "EXECABORT Transaction discarded because of: wrong number of arguments for "
                    "'%s' command",
                    command->fullname);
    } else {
        client->transaction.aborted = client->transaction.open;
        command_write_arity_error(command, &reply);
    }
    client_end_reply(client, &reply);
    return NET_DONE;
}

static bool is_queued(const struct client *client, const struct net_request *request)
{
    if (!client->transaction.open)
        return false;
    const struct net_local *local = client->net->locals[request->command->id];
    return !local || !local->never_queued;
}

/* EXPIRE and its like: what they are rewritten to names the deadline. */
static bool is_past(struct net *net, const struct net_request *request)
{
    struct command_rewritten rewritten = {.argc = 0};
    int64_t now_ms = net_now(net)->wall_ms, deadline_ms;
    if (request->command->rewrite)
        request->command->rewrite(request->args, request->argc, now_ms, &rewritten);
    const struct span *args = rewritten.argc ? rewritten.args : request->args;
    return number_parse_i64(args[2], &deadline_ms) && deadline_ms <= now_ms;
}

bool net_request_frees(struct net *net, const struct net_request *request)
{
    uint32_t flags = request->command->flags;
    return (flags & COMMAND_FREES) || ((flags & COMMAND_FREES_IF_PAST) && is_past(net, request));
}

/* Redis refuses a queue that grows while memory is short, whatever is queued. Here one of deletions
 * is taken. */
static bool lacks_memory(struct client *client, const struct net_request *request, bool queued)
{
    bool grows = (request->command->flags & COMMAND_DENYOOM) && net_request_writes(request);
    if (queued && !grows)
        grows = !net_request_frees(client->net, request);
    return grows && client->net->settings.maxmemory && client->net->shard &&
           shard_is_leader(client->net->shard) && net_is_over_memory(client->net);
}

bool net_lacks_room(const struct net *net, bool writes, bool frees)
{
    if (!writes || !net->shard || !shard_refuses_writes(net->shard))
        return false;
    return !frees || shard_refuses_to_free(net->shard);
}

const char *net_write_refusal(struct net *net, const struct net_request *request,
                              bool in_transaction)
{
    uint32_t flags = request->command->flags;
    if (in_transaction && !net_request_writes(request))
        return NULL;
    if ((flags & COMMAND_DENYOOM) && net_is_over_memory(net))
        return in_transaction ? NET_EXEC_OUT_OF_MEMORY : out_of_memory;
    /* An older node may send a call that only reads, and that becomes an entry. */
    if (net_lacks_room(net, flags & COMMAND_WRITE, net_request_frees(net, request)))
        return in_transaction ? NET_EXEC_NO_ROOM : NET_NO_ROOM;
    return NULL;
}

/* At the most, as it is queued. */
static size_t encoded_bytes(const struct net_request *request)
{
    size_t bytes = NUMBER_I64_CHARS;
    for (size_t i = 0; i < request->argc; i++)
        bytes += request->args[i].len + NUMBER_I64_CHARS;
    return bytes;
}

static enum net_verdict queue(struct client *client, const struct net_request *request)
{
    if (client_needs_types(client, request))
        return client_wait_for_types(client);
    if (client_transaction_memory(&client->transaction) + encoded_bytes(request) >
        NET_COMMAND_BYTES_MAX)
        return reject(client, request->command, "ERR the transaction is too large");
    const struct cluster_node *leader = request->command->run ? redirect_of(client) : NULL;
    bool reads_here = !(request->command->flags & COMMAND_WRITE) && client->readonly;
    if (leader && !reads_here) {
        if (client_owed(client))
            return client_hold(client, CLIENT_BARRIER);
        bool has_key;
        client->transaction.aborted = true;
        net_stats_rejected(client->net, request->command);
        write_moved(client, leader, net_request_slot(request, &has_key));
        return NET_DONE;
    }
    client_transaction_queue(client, request);
    client_status(client, "QUEUED");
    return NET_DONE;
}

static bool is_refused_in_transaction(const struct net *net, const struct command *command)
{
    const struct net_local *local = net->locals[command->id];
    return (command->flags & COMMAND_NO_MULTI) || (local && local->not_in_transaction);
}

/* While data is loaded, what Redis allows then; before the cluster has begun, all that needs no
 * data (a server command that does says so itself). */
static bool runs_without_shard(const struct net *net, const struct command *command)
{
    const struct net_local *local = net->locals[command->id];
    bool allowed = net->absence || (command->flags & COMMAND_LOADING);
    return allowed && !command->run && !(local && local->needs_shard);
}

static enum net_verdict check_and_run(struct client *client, const struct net_request *request,
                                      size_t bytes)
{
    struct net *net = client->net;
    const struct command *command = request->command;
    if (request->argc > 1 && is_forbidden(client, command))
        return reject(client, command, debug_forbidden);
    if (!command_arity_is_valid(command, request->argc))
        return reject_arity(client, command);
    if (net->settings.password[0] && !client->authenticated && !(command->flags & COMMAND_NO_AUTH))
        return reject(client, command, "NOAUTH Authentication required.");
    if (client_is_refused_as_subscriber(client, command))
        return NET_DONE;
    if (!net->shard && !runs_without_shard(net, command))
        return reject(client, command, net_absence(net));
    bool queued = is_queued(client, request);
    if (queued && is_refused_in_transaction(net, command))
        return reject(client, command, "ERR Command not allowed inside a transaction");
    if (bytes > NET_COMMAND_BYTES_MAX)
        return reject(client, command, "ERR the command is too large for an entry of the log");
    if (lacks_memory(client, request, queued))
        return reject(client, command, out_of_memory);
    if (net_request_writes(request) && net_lacks_room(net, true, net_request_frees(net, request)))
        return reject(client, command, NET_NO_ROOM);
    if (net->paused) {
        uint32_t flags = command->flags;
        if (client->transaction.open && !queued)
            flags |= client->transaction.flags;
        if (net_pause_concerns(net, flags))
            return client_hold(client, CLIENT_PAUSED);
    }
    return queued ? queue(client, request) : client_run(client, request);
}

enum net_verdict client_find_and_run(struct client *client, const struct span *args, size_t argc,
                                     size_t bytes)
{
    struct net_request request = {command_find(client->net->table, args, argc), args, argc};
    if (!request.command)
        return reject_unknown(client, args, argc);
    client->last_command = request.command;
    return check_and_run(client, &request, bytes);
}

static enum net_verdict run_one(struct client *client, const struct span *args, size_t argc,
                                size_t bytes)
{
    return client->session.pending ? client_run_numbered(client, args, argc, bytes)
                                   : client_find_and_run(client, args, argc, bytes);
}

static enum net_verdict run_in_reply_mode(struct client *client, const struct span *args,
                                          size_t argc, size_t bytes)
{
    if (client->reply_mode == REPLY_SKIP_NEXT)
        client->reply_mode = REPLY_SKIP_THIS;
    enum net_verdict verdict = run_one(client, args, argc, bytes);
    if (verdict == NET_DONE && client->reply_mode == REPLY_SKIP_THIS)
        client->reply_mode = REPLY_ON;
    return verdict;
}

enum net_verdict client_dispatch(struct client *client, const struct span *args, size_t argc,
                                 size_t bytes, struct span rest)
{
    if (client->blocking.waits)
        return client_hold(client, CLIENT_BARRIER);
    if (client->selects && client_owed(client)) /* in which database this is, is not known yet */
        return client_hold(client, CLIENT_BARRIER);
    client->selects = false;
    if (client->tried && client_owed(client)) /* what comes must not overtake it */
        return client_hold(client, CLIENT_BARRIER);
    client->tried = false;
    if (is_node_command(client->net, args[0]))
        return run_node_command(client, args, argc, rest);
    if (client->refusal)
        return refuse(client);
    if (client->reply_mode == REPLY_ON)
        return run_one(client, args, argc, bytes);
    return run_in_reply_mode(client, args, argc, bytes);
}
