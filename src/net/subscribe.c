/* SUBSCRIBE and its like, and what is published on this node. */
#include "net/subscribe.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"

#include <string.h>

#include "base/mem.h"

static const char too_many[] = "ERR too many subscriptions on this connection";

bool client_is_subscriber(const struct client *client)
{
    return client->subscriptions.count > 0;
}

size_t client_subscriptions_memory(const struct client *client)
{
    const struct client_subscriptions *all = &client->subscriptions;
    return all->cap * sizeof *all->list + all->bytes;
}

void client_subscriptions_close(struct client *client)
{
    struct client_subscriptions *all = &client->subscriptions;
    for (size_t i = 0; i < all->count; i++)
        mem_free(all->list[i].name);
    mem_free(all->list);
    *all = (struct client_subscriptions){.count = 0};
}

static size_t find(const struct client_subscriptions *all, struct span name, bool pattern)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct client_subscription *at = &all->list[i];
        if (at->pattern == pattern && span_equal(span_of(at->name, at->len), name))
            return i;
    }
    return all->count;
}

/* False: there are too many. */
static bool add(struct client_subscriptions *all, struct span name, bool pattern)
{
    if (find(all, name, pattern) < all->count)
        return true;
    if (all->count == NET_SUBSCRIPTIONS_MAX || name.len > NET_SUBSCRIPTION_BYTES_MAX - all->bytes)
        return false;
    if (all->count == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 4;
        all->list = mem_realloc(all->list, all->cap * sizeof *all->list);
    }
    char *copy = mem_alloc(name.len + 1);
    if (name.len)
        memcpy(copy, name.ptr, name.len);
    all->list[all->count++] = (struct client_subscription){pattern, name.len, copy};
    all->patterns += pattern;
    all->bytes += name.len;
    return true;
}

static void drop(struct client_subscriptions *all, size_t at)
{
    all->patterns -= all->list[at].pattern;
    all->bytes -= all->list[at].len;
    mem_free(all->list[at].name);
    all->count--;
    memmove(&all->list[at], &all->list[at + 1], (all->count - at) * sizeof *all->list);
}

static void write_change(const struct client *client, const char *what, const struct span *name,
                         struct resp_writer *reply)
{
    resp_push(reply, 3);
    resp_bulk_text(reply, what);
    if (name)
        resp_bulk(reply, *name);
    else
        resp_null(reply);
    resp_integer(reply, (int64_t)client->subscriptions.count);
}

static void subscribe(struct client *client, const struct net_request *request, bool pattern,
                      struct resp_writer *reply)
{
    for (size_t i = 1; i < request->argc; i++) {
        if (!add(&client->subscriptions, request->args[i], pattern)) {
            resp_error(reply, too_many);
            return;
        }
        write_change(client, request->command->name, &request->args[i], reply);
    }
}

static void unsubscribe_all(struct client *client, bool pattern, const char *what,
                            struct resp_writer *reply)
{
    struct client_subscriptions *all = &client->subscriptions;
    bool any = false;
    for (size_t i = 0; i < all->count;) {
        if (all->list[i].pattern != pattern) {
            i++;
            continue;
        }
        struct client_subscription gone = all->list[i];
        all->list[i].name = NULL;
        drop(all, i);
        struct span name = span_of(gone.name, gone.len);
        write_change(client, what, &name, reply);
        mem_free(gone.name);
        any = true;
    }
    if (!any)
        write_change(client, what, NULL, reply);
}

static void unsubscribe(struct client *client, const struct net_request *request, bool pattern,
                        struct resp_writer *reply)
{
    struct client_subscriptions *all = &client->subscriptions;
    if (request->argc == 1)
        unsubscribe_all(client, pattern, request->command->name, reply);
    for (size_t i = 1; i < request->argc; i++) {
        size_t at = find(all, request->args[i], pattern);
        if (at < all->count)
            drop(all, at);
        write_change(client, request->command->name, &request->args[i], reply);
    }
}

static void run_subscribe(struct client *client, const struct net_request *request,
                          struct resp_writer *reply)
{
    subscribe(client, request, false, reply);
}

static void run_psubscribe(struct client *client, const struct net_request *request,
                           struct resp_writer *reply)
{
    subscribe(client, request, true, reply);
}

static void run_unsubscribe(struct client *client, const struct net_request *request,
                            struct resp_writer *reply)
{
    unsubscribe(client, request, false, reply);
}

static void run_punsubscribe(struct client *client, const struct net_request *request,
                             struct resp_writer *reply)
{
    unsubscribe(client, request, true, reply);
}

bool client_is_refused_as_subscriber(struct client *client, const struct command *command)
{
    const struct net_local *local = client->net->locals[command->id];
    if (client->protocol != 2 || !client_is_subscriber(client) ||
        (local && local->while_subscribed))
        return false;
    net_stats_rejected(client->net, command);
    struct resp_writer reply = client_begin_reply(client);
    resp_errorf(&reply,
                "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                "RESET are allowed in this context",
                command->fullname);
    client_end_reply(client, &reply);
    return true;
}

/* --- publishing --- */

static void deliver(struct client *client, const struct client_subscription *subscription,
                    struct span channel, struct span message)
{
    struct resp_writer push = client_begin_reply(client);
    resp_push(&push, subscription->pattern ? 4 : 3);
    resp_bulk_text(&push, subscription->pattern ? "pmessage" : "message");
    if (subscription->pattern)
        resp_bulk(&push, span_of(subscription->name, subscription->len));
    resp_bulk(&push, channel);
    resp_bulk(&push, message);
    client_end_reply(client, &push);
}

static bool hears(const struct client_subscription *subscription, struct span channel)
{
    struct span name = span_of(subscription->name, subscription->len);
    return subscription->pattern ? command_glob(name, channel, false) : span_equal(name, channel);
}

static size_t publish_to(struct client *client, struct span channel, struct span message)
{
    size_t receivers = 0;
    for (size_t i = 0; i < client->subscriptions.count && client->state < CLIENT_CLOSING; i++) {
        const struct client_subscription *subscription = &client->subscriptions.list[i];
        if (!hears(subscription, channel))
            continue;
        deliver(client, subscription, channel, message);
        receivers++;
    }
    return receivers;
}

size_t net_publish(struct net *net, struct span channel, struct span message)
{
    size_t receivers = 0;
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(net, &i));)
        receivers += publish_to(client, channel, message);
    return receivers;
}

const struct net_local net_subscribe_commands[] = {
    {.fullname = "subscribe", .run = run_subscribe, .while_subscribed = true},
    {.fullname = "unsubscribe", .run = run_unsubscribe, .while_subscribed = true},
    {.fullname = "psubscribe", .run = run_psubscribe, .while_subscribed = true},
    {.fullname = "punsubscribe", .run = run_punsubscribe, .while_subscribed = true},
    {.fullname = NULL},
};
