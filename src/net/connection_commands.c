/* Commands about the connection itself. */
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"

#include <string.h>

#include "base/number.h"

static const char wrong_password[] =
    "WRONGPASS invalid username-password pair or user is disabled.";

/* Takes as long for a near miss as for any other wrong password of the same length. */
static bool is_password(const struct net *net, struct span candidate)
{
    const char *password = net->settings.password;
    size_t len = strlen(password);
    unsigned differs = candidate.len != len;
    for (size_t i = 0; i < candidate.len; i++)
        differs |= (unsigned)(unsigned char)candidate.ptr[i] ^
                   (unsigned)(unsigned char)password[len ? i % len : 0];
    return differs == 0;
}

/* The only user is "default"; without a password it takes any. */
static bool authenticate(struct client *client, struct span user, struct span password)
{
    bool known = span_equal(user, SPAN("default"));
    bool right = client->net->settings.password[0] == '\0' || is_password(client->net, password);
    if (known && right)
        client->authenticated = true;
    return known && right;
}

static void run_auth(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    if (request->argc > 3) {
        resp_error(reply, "ERR syntax error");
        return;
    }
    if (request->argc == 2 && client->net->settings.password[0] == '\0') {
        resp_error(reply, "ERR AUTH <password> called without any password configured for the "
                          "default user. Are you sure your configuration is correct?");
        return;
    }
    struct span user = request->argc == 3 ? request->args[1] : SPAN("default");
    if (authenticate(client, user, request->args[request->argc - 1]))
        resp_status(reply, "OK");
    else
        resp_error(reply, wrong_password);
}

bool client_name_is_valid(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < '!' || name.ptr[i] > '~')
            return false;
    return true;
}

struct hello {
    int64_t protocol;
    bool has_auth;
    struct span user;
    struct span password;
    bool has_name;
    struct span name;
};

/* Writes the error if there is one. */
static bool parse_hello(const struct net_request *request, struct hello *hello,
                        struct resp_writer *reply)
{
    if (request->argc > 1) {
        if (!number_parse_i64(request->args[1], &hello->protocol)) {
            resp_error(reply, "ERR Protocol version is not an integer or out of range");
            return false;
        }
        if (hello->protocol < 2 || hello->protocol > 3) {
            resp_error(reply, "NOPROTO unsupported protocol version");
            return false;
        }
    }
    for (size_t i = 2; i < request->argc; i++) {
        struct span option = request->args[i];
        size_t more = request->argc - 1 - i;
        if (span_is(option, "AUTH") && more >= 2) {
            hello->has_auth = true;
            hello->user = request->args[i + 1];
            hello->password = request->args[i + 2];
            i += 2;
        } else if (span_is(option, "SETNAME") && more >= 1) {
            hello->has_name = true;
            hello->name = request->args[++i];
        } else {
            resp_errorf(reply, "ERR Syntax error in HELLO option '%.*s'",
                        (int)(option.len < 128 ? option.len : 128), option.ptr);
            return false;
        }
    }
    return true;
}

static void write_hello(struct client *client, struct resp_writer *reply)
{
    struct net *net = client->net;
    resp_map(reply, net->sentinel ? 6 : 7);
    resp_bulk_text(reply, "server");
    resp_bulk_text(reply, "redis");
    resp_bulk_text(reply, "version");
    resp_bulk_text(reply, net->redis_version);
    resp_bulk_text(reply, "proto");
    resp_integer(reply, client->protocol);
    resp_bulk_text(reply, "id");
    resp_integer(reply, (int64_t)client->id);
    resp_bulk_text(reply, "mode");
    resp_bulk_text(reply, net->sentinel ? "sentinel" : "cluster");
    if (!net->sentinel) {
        resp_bulk_text(reply, "role");
        resp_bulk_text(reply, net->shard && shard_is_leader(net->shard) ? "master" : "replica");
    }
    resp_bulk_text(reply, "modules");
    resp_array(reply, 0);
}

static void run_hello(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    struct hello hello = {.protocol = client->protocol};
    if (!parse_hello(request, &hello, reply))
        return;
    if (hello.has_auth && !authenticate(client, hello.user, hello.password)) {
        resp_error(reply, wrong_password);
        return;
    }
    if (client->net->settings.password[0] && !client->authenticated) {
        resp_error(reply, "NOAUTH HELLO must be called with the client already authenticated, "
                          "otherwise the HELLO AUTH <user> <pass> option can be used to "
                          "authenticate the client and select the RESP protocol version at the "
                          "same time");
        return;
    }
    if (hello.has_name && !client_name_is_valid(hello.name)) {
        resp_error(reply,
                   "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    if (hello.has_name)
        client_set_text(&client->name, hello.name);
    client->protocol = (uint8_t)hello.protocol;
    reply->protocol = (int)hello.protocol;
    write_hello(client, reply);
}

static void run_select(struct client *client, const struct net_request *request,
                       struct resp_writer *reply)
{
    unsigned database;
    if (!command_parse_select(request->args[1], client->net->settings.databases, &database, reply))
        return;
    client->database = database;
    resp_status(reply, "OK");
}

/* A WATCH that is not carried out yet is about keys of the database before. */
static enum net_verdict submit_select(struct client *client, const struct net_request *request)
{
    if (client->transaction.watches_asked && client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    struct resp_writer reply = client_begin_reply(client);
    run_select(client, request, &reply);
    bool error = client_end_reply(client, &reply);
    net_stats_executed(client->net, request->command, error);
    return NET_DONE;
}

static void run_quit(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    (void)request;
    resp_status(reply, "OK");
    client_close_after_output(client);
}

static void run_reset(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    (void)request;
    client_transaction_discard(client);
    client_session_forget(client);
    client_set_text(&client->name, span_of(NULL, 0));
    client->protocol = 2;
    client->database = 0;
    client->readonly = false;
    client->knows_clusters = false;
    client->no_evict = false;
    client->no_touch = false;
    client->hears_failover = false;
    client->in_failover = false;
    client->reply_mode = REPLY_ON;
    client->authenticated = client->net->settings.password[0] == '\0';
    resp_status(reply, "RESET");
}

/* RESET ends CLIENT REPLY OFF, so that its own reply is wanted. */
static enum net_verdict submit_reset(struct client *client, const struct net_request *request)
{
    if (client->transaction.watches_asked && client_owed(client))
        return client_hold(client, CLIENT_BARRIER);
    client->reply_mode = REPLY_ON;
    struct resp_writer reply = client_begin_reply(client);
    run_reset(client, request, &reply);
    client_end_reply(client, &reply);
    net_stats_executed(client->net, request->command, false);
    return NET_DONE;
}

static void run_ping(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    bool hears = client->protocol == 2 && client_is_subscriber(client);
    if (hears && request->argc <= 2) {
        resp_array(reply, 2);
        resp_bulk_text(reply, "pong");
        resp_bulk(reply, request->argc == 2 ? request->args[1] : SPAN(""));
    } else if (request->argc == 1)
        resp_status(reply, "PONG");
    else if (request->argc == 2)
        resp_bulk(reply, request->args[1]);
    else
        resp_error(reply, "ERR wrong number of arguments for 'ping' command");
}

static void run_echo(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    (void)client;
    resp_bulk(reply, request->args[1]);
}

static void run_readonly(struct client *client, const struct net_request *request,
                         struct resp_writer *reply)
{
    (void)request;
    client->readonly = true;
    resp_status(reply, "OK");
}

static void run_readwrite(struct client *client, const struct net_request *request,
                          struct resp_writer *reply)
{
    (void)request;
    client->readonly = false;
    resp_status(reply, "OK");
}

/* Slots do not move between shards yet: there is nothing to let through. */
static void run_asking(struct client *client, const struct net_request *request,
                       struct resp_writer *reply)
{
    (void)client;
    (void)request;
    resp_status(reply, "OK");
}

static void run_command_command(struct client *client, const struct net_request *request,
                                struct resp_writer *reply)
{
    command_run_command(client->net->table, request->command, request->args, request->argc, reply);
}

const struct net_local net_connection_commands[] = {
    {.fullname = "auth", .run = run_auth},
    {.fullname = "hello", .run = run_hello},
    {.fullname = "select", .run = run_select, .submit = submit_select},
    {.fullname = "quit",
     .run = run_quit,
     .barrier = true,
     .never_queued = true,
     .while_subscribed = true},
    {.fullname = "reset", .run = run_reset, .submit = submit_reset, .never_queued = true},
    {.fullname = "ping", .run = run_ping, .while_subscribed = true},
    {.fullname = "echo", .run = run_echo},
    {.fullname = "readonly", .run = run_readonly},
    {.fullname = "readwrite", .run = run_readwrite},
    {.fullname = "asking", .run = run_asking},
    {.fullname = "command", .run = run_command_command, .with_subcommands = true},
    {.fullname = NULL},
};
