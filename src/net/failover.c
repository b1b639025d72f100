/* CLIENT MAINT_NOTIFICATIONS: clients hear that the leader is missing, so that they wait longer for
 * replies, and that there is one again. The names, the numbers and the seconds are those that
 * client libraries know. */
#include "net/failover.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"

static const char *const endpoint_types[] = {
    "none", "internal-ip", "internal-fqdn", "external-ip", "external-fqdn",
};

/* Which address MOVING would name: this node sends none, so that any of them will do. */
static bool is_endpoint_type(struct span text)
{
    for (size_t i = 0; i < sizeof endpoint_types / sizeof endpoint_types[0]; i++)
        if (span_is(text, endpoint_types[i]))
            return true;
    return false;
}

static void run_maint_notifications(struct client *client, const struct net_request *request,
                                    struct resp_writer *reply)
{
    const struct span *args = request->args;
    bool on = span_is(args[2], "ON");
    bool with_type = request->argc == 5 && span_is(args[3], "MOVING-ENDPOINT-TYPE");
    if ((!on && !span_is(args[2], "OFF")) || (request->argc != 3 && !(on && with_type))) {
        resp_error(reply, "ERR syntax error");
        return;
    }
    if (with_type && !is_endpoint_type(args[4])) {
        resp_error(reply, "ERR unknown moving-endpoint-type");
        return;
    }
    if (on && client->protocol < 3) {
        resp_error(reply, "ERR CLIENT MAINT_NOTIFICATIONS needs RESP3: call HELLO 3 first");
        return;
    }
    client->hears_failover = on;
    client->net->failover_listeners_changed = true;
    resp_status(reply, "OK");
}

/* As long as a command may wait for a leader. */
static int64_t seconds(const struct net *net)
{
    return net->settings.leader_wait_ms / 1000 + 1;
}

static void tell(struct client *client, bool begins)
{
    struct net *net = client->net;
    client->in_failover = begins;
    struct resp_writer push = client_begin_push(client);
    resp_push(&push, begins ? 3 : 2);
    resp_bulk_text(&push, begins ? "FAILING_OVER" : "FAILED_OVER");
    resp_integer(&push, (int64_t)net->failover_messages);
    if (begins)
        resp_integer(&push, seconds(net));
    client_end_push(client);
}

static bool wants_to_know(const struct client *client, bool failing_over)
{
    return client->hears_failover && client->protocol >= 3 && client->state < CLIENT_CLOSING &&
           client->in_failover != failing_over;
}

void net_tell_failover(struct net *net)
{
    bool failing_over = net->shard && shard_leader(net->shard) == 0;
    if (failing_over == net->failing_over && !net->failover_listeners_changed)
        return;
    net->failover_messages += failing_over != net->failing_over;
    net->failing_over = failing_over;
    net->failover_listeners_changed = false;
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(net, &i));)
        if (wants_to_know(client, failing_over))
            tell(client, failing_over);
}

const struct net_local net_failover_commands[] = {
    {.fullname = "client|maint_notifications", .run = run_maint_notifications},
    {.fullname = NULL},
};
