#include "net/blocking.h"

#include "net/dispatch.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"

static const char older_members[] =
    "CLUSTERDOWN Not all nodes run a version that knows this command: upgrade them first";
static const char older_members_know_one_database[] =
    "CLUSTERDOWN Not all nodes run a version that knows databases other than 0: upgrade them first";
static const char numbered[] =
    "ERR a command that waits cannot have a number of a session: give it no timeout of its own, "
    "and ask again";

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
    struct client *client = context;
    struct net *net = client->net;
    (void)fd, (void)what;
    if (client->blocking.waits && net->shard)
        shard_unblock(net->shard, client->blocking.handle, SHARD_TIMED_OUT, *net_now(net));
}

static void start_timer(struct client *client)
{
    struct client_blocking *blocking = &client->blocking;
    if (blocking->timeout_ms == 0)
        return;
    if (!blocking->timer)
        blocking->timer = evtimer_new(client->net->base, on_timeout, client);
    const struct timeval timeout = {.tv_sec = (time_t)(blocking->timeout_ms / 1000),
                                    .tv_usec = (suseconds_t)(blocking->timeout_ms % 1000 * 1000)};
    if (!blocking->timer || evtimer_add(blocking->timer, &timeout) != 0)
        client_kill(client); /* it would wait for ever */
}

static void note_waiting(struct client *client, struct shard_client handle)
{
    client->blocking.waits = true;
    client->blocking.ends = false;
    client->blocking.handle = handle;
    client->net->waiting_for_keys++;
}

/* Parses the arguments. False: one is wrong, and the error was written. */
static bool parse(struct client *client, const struct net_request *request,
                  struct command_wait *wait)
{
    struct resp_writer none = {.protocol = client->protocol};
    if (request->command->blocking->parse(request->args, request->argc, wait, &none))
        return true;
    struct resp_writer reply = client_begin_reply(client);
    request->command->blocking->parse(request->args, request->argc, wait, &reply);
    client_end_reply(client, &reply);
    net_stats_executed(client->net, request->command, true);
    return false;
}

bool client_may_wait(struct client *client, const struct net_request *request,
                     enum net_verdict *verdict, bool *is_final)
{
    struct command_wait wait = {.waits = false};
    *verdict = NET_DONE;
    *is_final = true;
    if (!parse(client, request, &wait))
        return false;
    if (wait.waits && client_owed(client)) { /* its reply tells it from what was asked before */
        *verdict = client_hold(client, CLIENT_BARRIER);
        return false;
    }
    *is_final = false;
    client->blocking.timeout_ms = wait.timeout_ms;
    return wait.waits;
}

enum net_verdict client_wait_for_members(struct client *client, enum shard_feature feature,
                                         const char *text)
{
    if (client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    if (shard_ask(client->net->shard, feature))
        return client_park(client, text);
    client_error(client, text);
    return NET_DONE;
}

enum net_verdict client_wait_for_types(struct client *client)
{
    return client_wait_for_members(client, SHARD_TYPES, older_members);
}

enum net_verdict client_wait_for_databases(struct client *client)
{
    return client_wait_for_members(client, SHARD_DATABASES, older_members_know_one_database);
}

enum net_verdict client_wait_for_keys(struct client *client, const struct net_request *request)
{
    struct net *net = client->net;
    bool writes = request->command->flags & COMMAND_WRITE;
    bool has_key;
    if (client->session.pending && writes) {
        client_error(client, numbered);
        return NET_DONE;
    }
    bool is_local = !writes && client_may_read_here(client);
    if (!is_local && client_is_redirected(client))
        return client_not_admitted(client, SHARD_NOT_LEADER, net_request_slot(request, &has_key));
    if (writes && !shard_has_types(net->shard))
        return client_wait_for_types(client);
    if (writes && client->database && !shard_has_databases(net->shard))
        return client_wait_for_databases(client);
    struct shard_request asked = {.client = client_expect_reply(client),
                                  .protocol = client->protocol,
                                  .command = request->command,
                                  .args = request->args,
                                  .argc = request->argc,
                                  .database = client->database};
    if (is_local) {
        note_waiting(client, asked.client);
        shard_wait_local(net->shard, &asked, *net_now(net));
        return NET_DONE;
    }
    enum shard_admission admission = writes ? shard_block(net->shard, &asked, *net_now(net))
                                            : shard_read(net->shard, &asked, *net_now(net));
    if (admission != SHARD_ACCEPTED) {
        client_expect_no_reply(client);
        return client_not_admitted(client, admission, 0);
    }
    net->submitted = true;
    note_waiting(client, asked.client);
    if (writes)
        start_timer(client);
    return NET_DONE;
}

void client_read_waits(struct client *client)
{
    if (client->blocking.waits && client->blocking.ends)
        client_end_wait(client, client->blocking.with_error); /* that came before it waited */
    else if (client->blocking.waits)
        start_timer(client);
}

void client_waited(struct client *client)
{
    if (!client->blocking.waits)
        return;
    client->blocking.waits = false;
    client->net->waiting_for_keys--;
    if (client->blocking.timer)
        event_del(client->blocking.timer);
}

void client_stop_waiting(struct client *client)
{
    struct net *net = client->net;
    if (!client->blocking.waits)
        return;
    client_waited(client);
    if (net->shard)
        shard_unblock(net->shard, client->blocking.handle, SHARD_GONE, *net_now(net));
}

bool client_end_wait(struct client *client, bool with_error)
{
    struct net *net = client->net;
    if (!client->blocking.waits || !net->shard)
        return false;
    client->blocking.ends = true;
    client->blocking.with_error = with_error;
    shard_unblock(net->shard, client->blocking.handle,
                  with_error ? SHARD_UNBLOCKED_WITH_ERROR : SHARD_TIMED_OUT, *net_now(net));
    return true;
}

void client_blocking_close(struct client *client)
{
    client_stop_waiting(client);
    if (client->blocking.timer)
        event_free(client->blocking.timer);
    client->blocking.timer = NULL;
}
