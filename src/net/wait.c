/* Commands that block their client. WAIT is net's own: until so many other nodes hold the
 * connection's last write on their disks. */
#include "net/wait.h"

#include "net/blocking.h"
#include "net/dispatch.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"

#include "base/number.h"

/* Every member holds the nothing that a connection without a write has written, dead ones too;
 * whoever asks then wants to know who keeps up. */
static uint64_t index_of_interest(const struct client *client)
{
    return client->last_index ? client->last_index : shard_applied_index(client->net->shard);
}

static int64_t other_holders(const struct client *client, uint64_t index)
{
    size_t holders = shard_holders(client->net->shard, index);
    return holders ? (int64_t)holders - 1 : 0;
}

static bool parse_wait(struct client *client, const struct net_request *request, int64_t *nodes,
                       uint64_t *timeout_ms, struct resp_writer *reply)
{
    int64_t timeout;
    if (!number_parse_i64(request->args[1], nodes)) {
        resp_error(reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (!number_parse_i64(request->args[2], &timeout) ||
        timeout > INT64_MAX - (int64_t)net_now(client->net)->mono_ms) {
        resp_error(reply, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (timeout < 0) {
        resp_error(reply, "ERR timeout is negative");
        return false;
    }
    *timeout_ms = (uint64_t)timeout;
    return true;
}

/* Within a transaction nothing waits, as in Redis. */
static void run_wait(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    int64_t nodes;
    uint64_t timeout_ms;
    if (parse_wait(client, request, &nodes, &timeout_ms, reply))
        resp_integer(reply, other_holders(client, index_of_interest(client)));
}

static enum net_verdict answer(struct client *client, const struct net_request *request,
                               const char *error)
{
    client->wait_phase = WAIT_NONE;
    struct resp_writer reply = client_begin_reply(client);
    if (error)
        resp_error(&reply, error);
    else
        resp_integer(&reply, other_holders(client, client->wait_index));
    client_end_reply(client, &reply);
    net_stats_executed(client->net, request->command, error != NULL);
    return NET_DONE;
}

static bool wait_is_over(struct client *client)
{
    if (client->wait_until_ms && net_now(client->net)->mono_ms >= client->wait_until_ms)
        return true;
    return other_holders(client, client->wait_index) >= client->wait_nodes;
}

static bool may_go_on(void *context)
{
    struct client *client = context;
    shard_want_holders(client->net->shard);
    return client_is_redirected(client) || wait_is_over(client);
}

static enum net_verdict go_on(struct client *client, const struct net_request *request)
{
    if (client->wait_phase == WAIT_UNBLOCKED_WITH_ERROR)
        return answer(client, request, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    if (client->wait_phase == WAIT_UNBLOCKED || wait_is_over(client))
        return answer(client, request, NULL);
    if (client_is_redirected(client))
        return answer(client, request,
                      "UNBLOCKED force unblock from blocking operation, instance state changed "
                      "(master -> replica?)");
    if (client->wait_until_ms)
        net_due(client->net, client->wait_until_ms);
    client_block(client, may_go_on, client);
    return NET_HOLD;
}

static enum net_verdict submit_wait(struct client *client, const struct net_request *request)
{
    if (client->wait_phase != WAIT_NONE)
        return go_on(client, request);
    if (client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    int64_t nodes;
    uint64_t timeout_ms;
    struct resp_writer reply = client_begin_reply(client);
    if (!parse_wait(client, request, &nodes, &timeout_ms, &reply)) {
        client_end_reply(client, &reply);
        net_stats_executed(client->net, request->command, true);
        return NET_DONE;
    }
    if (client_is_redirected(client)) {
        client_error(client, "ERR WAIT cannot be used with replica instances. Please also note "
                             "that since Redis 4.0 if a replica is configured to be writable "
                             "(which is not the default) writes to replicas are just local and "
                             "are not propagated.");
        net_stats_executed(client->net, request->command, true);
        return NET_DONE;
    }
    client->wait_phase = WAIT_STARTED;
    client->wait_nodes = nodes;
    client->wait_index = index_of_interest(client);
    client->wait_until_ms = timeout_ms ? net_now(client->net)->mono_ms + timeout_ms : 0;
    return go_on(client, request);
}

void client_block(struct client *client, bool (*is_over)(void *context), void *context)
{
    client->wait_phase = WAIT_STARTED;
    client->wait_is_over = is_over;
    client->wait_context = context;
    client_hold(client, CLIENT_BLOCKED);
}

void net_wait_check(struct net *net)
{
    struct list_link *list = &net->waiting[CLIENT_BLOCKED];
    for (struct list_link *at = list->next, *next; at != list; at = next) {
        next = at->next;
        struct client *client = LIST_OWNER(at, struct client, link);
        if (client->wait_is_over(client->wait_context))
            client_wake(client);
    }
}

bool client_unblock(struct client *client, bool with_error)
{
    if (client->state != CLIENT_BLOCKED)
        return client_end_wait(client, with_error);
    client->wait_phase = with_error ? WAIT_UNBLOCKED_WITH_ERROR : WAIT_UNBLOCKED;
    client_wake(client);
    return true;
}

/* --- for server commands --- */

enum net_waited net_client_waited(const struct client *client)
{
    switch (client->wait_phase) {
    case WAIT_NONE:
        return NET_NOT_YET;
    case WAIT_STARTED:
        return NET_WAITED;
    case WAIT_UNBLOCKED:
    case WAIT_UNBLOCKED_WITH_ERROR:
        return NET_UNBLOCKED;
    }
    return NET_NOT_YET;
}

void net_client_wait(struct client *client, bool (*is_over)(void *context), void *context)
{
    client->wait_until_ms = 0;
    client_block(client, is_over, context);
}

const struct net_local net_wait_commands[] = {
    {.fullname = "wait", .run = run_wait, .submit = submit_wait, .needs_shard = true},
    {.fullname = NULL},
};
