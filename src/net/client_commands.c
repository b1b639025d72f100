/* CLIENT, without KILL. */
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"
#include "net/wait.h"

#include "base/number.h"

static void run_id(struct client *client, const struct net_request *request,
                   struct resp_writer *reply)
{
    (void)request;
    resp_integer(reply, (int64_t)client->id);
}

static void run_getname(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    (void)request;
    if (client->name)
        resp_bulk_text(reply, client->name);
    else
        resp_null(reply);
}

static void run_setname(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    if (!client_name_is_valid(request->args[2])) {
        resp_error(reply,
                   "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    client_set_text(&client->name, request->args[2]);
    resp_status(reply, "OK");
}

static void run_setinfo(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    struct span option = request->args[2];
    int shown = (int)(option.len < 128 ? option.len : 128);
    char **text = span_is(option, "lib-name")  ? &client->lib_name
                  : span_is(option, "lib-ver") ? &client->lib_ver
                                               : NULL;
    if (!text) {
        resp_errorf(reply, "ERR Unrecognized option '%.*s'", shown, option.ptr);
        return;
    }
    if (!client_name_is_valid(request->args[3])) {
        resp_errorf(reply, "ERR %.*s cannot contain spaces, newlines or special characters.", shown,
                    option.ptr);
        return;
    }
    client_set_text(text, request->args[3]);
    resp_status(reply, "OK");
}

static void run_info(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    (void)request;
    struct buf line = {0};
    client_describe(client, &line);
    resp_verbatim(reply, "txt", buf_span(&line));
    buf_close(&line);
}

static void describe_all(struct net *net, struct buf *out)
{
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(net, &i));)
        if (!client_is_gone(client))
            client_describe(client, out);
}

/* Every connection is a normal one: nodes are not clients. */
static void list_type(struct net *net, struct span type, struct buf *out, struct resp_writer *reply)
{
    enum client_type parsed = client_type_of(type);
    if (parsed == CLIENT_TYPE_UNKNOWN) {
        resp_errorf(reply, "ERR Unknown client type '%.*s'", (int)(type.len < 128 ? type.len : 128),
                    type.ptr);
        return;
    }
    if (parsed == CLIENT_TYPE_NORMAL)
        describe_all(net, out);
    resp_verbatim(reply, "txt", buf_span(out));
}

static void list_ids(struct net *net, const struct span *ids, size_t count, struct buf *out,
                     struct resp_writer *reply)
{
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        if (!number_parse_i64(ids[i], &id)) {
            resp_error(reply, "ERR Invalid client ID");
            return;
        }
        struct client *client = id > 0 ? net_client_by_id(net, (uint64_t)id) : NULL;
        if (client)
            client_describe(client, out);
    }
    resp_verbatim(reply, "txt", buf_span(out));
}

static void run_list(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    const struct span *args = request->args;
    struct buf out = {0};
    if (request->argc == 2) {
        describe_all(client->net, &out);
        resp_verbatim(reply, "txt", buf_span(&out));
    } else if (request->argc == 4 && span_is(args[2], "TYPE")) {
        list_type(client->net, args[3], &out, reply);
    } else if (request->argc > 3 && span_is(args[2], "ID")) {
        list_ids(client->net, args + 3, request->argc - 3, &out, reply);
    } else {
        resp_error(reply, "ERR syntax error");
    }
    buf_close(&out);
}

static void run_reply(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    struct span mode = request->args[2];
    if (span_is(mode, "ON")) {
        client->reply_mode = REPLY_ON;
        resp_status(reply, "OK");
    } else if (span_is(mode, "OFF")) {
        client->reply_mode = REPLY_OFF;
    } else if (span_is(mode, "SKIP")) {
        if (client->reply_mode != REPLY_OFF)
            client->reply_mode = REPLY_SKIP_NEXT;
    } else {
        resp_error(reply, "ERR syntax error");
    }
}

/* ON answers itself; what is owed already keeps the mode that it was asked under. */
static enum net_verdict submit_reply(struct client *client, const struct net_request *request)
{
    if (span_is(request->args[2], "ON"))
        client->reply_mode = REPLY_ON;
    struct resp_writer reply = client_begin_reply(client);
    run_reply(client, request, &reply);
    bool error = client_end_reply(client, &reply);
    net_stats_executed(client->net, request->command, error);
    return NET_DONE;
}

static void write_shape_error(const struct net_request *request, struct resp_writer *reply)
{
    struct span name = request->args[1];
    resp_errorf(reply,
                "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try CLIENT HELP.",
                (int)(name.len < 128 ? name.len : 128), name.ptr);
}

static void run_unblock(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    bool with_error = false;
    if (request->argc > 4) {
        write_shape_error(request, reply);
        return;
    }
    if (request->argc == 4) {
        with_error = span_is(request->args[3], "ERROR");
        if (!with_error && !span_is(request->args[3], "TIMEOUT")) {
            resp_error(reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
            return;
        }
    }
    int64_t id;
    if (!number_parse_i64(request->args[2], &id)) {
        resp_error(reply, "ERR value is not an integer or out of range");
        return;
    }
    struct client *other = id > 0 ? net_client_by_id(client->net, (uint64_t)id) : NULL;
    resp_integer(reply, other && client_unblock(other, with_error));
}

static void write_switch(bool *flag, const struct net_request *request, struct resp_writer *reply)
{
    if (!span_is(request->args[2], "ON") && !span_is(request->args[2], "OFF")) {
        resp_error(reply, "ERR syntax error");
        return;
    }
    *flag = span_is(request->args[2], "ON");
    resp_status(reply, "OK");
}

static void run_no_evict(struct client *client, const struct net_request *request,
                         struct resp_writer *reply)
{
    write_switch(&client->no_evict, request, reply);
}

static void run_no_touch(struct client *client, const struct net_request *request,
                         struct resp_writer *reply)
{
    write_switch(&client->no_touch, request, reply);
}

/* --- PAUSE --- */

void net_pause_end(struct net *net)
{
    net->paused = net->pause_all = false;
    net_wake_all(net, CLIENT_PAUSED);
}

bool net_pause_concerns(struct net *net, uint32_t flags)
{
    if (net_now(net)->mono_ms >= net->pause_until_ms) {
        net_pause_end(net);
        return false;
    }
    return net->pause_all || (flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE));
}

static void run_pause(struct client *client, const struct net_request *request,
                      struct resp_writer *reply)
{
    struct net *net = client->net;
    bool all = true;
    if (request->argc == 4) {
        all = span_is(request->args[3], "ALL");
        if (!all && !span_is(request->args[3], "WRITE")) {
            resp_error(reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
            return;
        }
    } else if (request->argc > 4) {
        write_shape_error(request, reply);
        return;
    }
    int64_t timeout_ms;
    uint64_t now_ms = net_now(net)->mono_ms;
    if (!number_parse_i64(request->args[2], &timeout_ms) ||
        timeout_ms > INT64_MAX - (int64_t)now_ms) {
        resp_error(reply, "ERR timeout is not an integer or out of range");
        return;
    }
    if (timeout_ms < 0) {
        resp_error(reply, "ERR timeout is negative");
        return;
    }
    /* A second pause may prolong the first and widen it, never the reverse. */
    uint64_t until_ms = now_ms + (uint64_t)timeout_ms;
    if (!net->paused || until_ms > net->pause_until_ms)
        net->pause_until_ms = until_ms;
    net->pause_all = net->pause_all || all;
    net->paused = true;
    resp_status(reply, "OK");
}

static void run_unpause(struct client *client, const struct net_request *request,
                        struct resp_writer *reply)
{
    (void)request;
    net_pause_end(client->net);
    resp_status(reply, "OK");
}

/* --- what there is not --- */

static void run_getredir(struct client *client, const struct net_request *request,
                         struct resp_writer *reply)
{
    (void)client;
    (void)request;
    resp_integer(reply, -1);
}

static void run_trackinginfo(struct client *client, const struct net_request *request,
                             struct resp_writer *reply)
{
    (void)client;
    (void)request;
    resp_map(reply, 3);
    resp_bulk_text(reply, "flags");
    resp_set(reply, 1);
    resp_bulk_text(reply, "off");
    resp_bulk_text(reply, "redirect");
    resp_integer(reply, -1);
    resp_bulk_text(reply, "prefixes");
    resp_array(reply, 0);
}

static const char *const help[] = {
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GETNAME",
    "    The name of this connection.",
    "GETREDIR",
    "    The client that invalidations go to; -1, as there is no tracking.",
    "ID",
    "    The ID of this connection.",
    "INFO",
    "    This connection's line of CLIENT LIST.",
    "KILL <ip:port>",
    "    Close the connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close the connections that all options match:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      made from this address",
    "    * ID <client-id>",
    "      with this ID",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      made to this address",
    "    * MAXAGE <seconds>",
    "      at least this old",
    "    * SKIPME (YES|NO)",
    "      without this connection (default: yes)",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      of this type",
    "    * USER <username>",
    "      authenticated as this user",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)|ID <client-id> [<client-id> ...]]",
    "    One line for each connection.",
    "MAINT_NOTIFICATIONS (ON [MOVING-ENDPOINT-TYPE <type>]|OFF)",
    "    Push FAILING_OVER when no leader is known, FAILED_OVER when there is one.",
    "NO-EVICT (ON|OFF)",
    "    Protect this connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Leave the access times of keys alone.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Hold back all commands, or those that write, for <timeout> milliseconds. It concerns the",
    "    connections of this node: other nodes serve theirs.",
    "REPLY (ON|OFF|SKIP)",
    "    Whether commands of this connection are answered.",
    "SESSION BEGIN [TTL <milliseconds>]",
    "    Begin a session, in which commands that are sent again are carried out once.",
    "SESSION USE <session-id>",
    "    Use this session on this connection.",
    "SESSION SEQ <number> [ACK <lowest>]",
    "    Number the next command. All numbers below <lowest> have been answered.",
    "SESSION ACK <lowest>",
    "    Say so alone, and keep the session alive.",
    "SESSION END [<session-id>]",
    "    End the session.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Note the client library's name or version.",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKINGINFO",
    "    The state of tracking for this connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    End the waiting of a blocked client.",
    "UNPAUSE",
    "    End CLIENT PAUSE.",
    "HELP",
    "    Print this help.",
};

static void run_help(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    (void)client;
    (void)request;
    size_t count = sizeof help / sizeof help[0];
    resp_array(reply, count);
    for (size_t i = 0; i < count; i++)
        resp_status(reply, help[i]);
}

const struct net_local net_client_commands[] = {
    {.fullname = "client|id", .run = run_id},
    {.fullname = "client|getname", .run = run_getname},
    {.fullname = "client|setname", .run = run_setname},
    {.fullname = "client|setinfo", .run = run_setinfo},
    {.fullname = "client|info", .run = run_info},
    {.fullname = "client|list", .run = run_list},
    {.fullname = "client|reply",
     .run = run_reply,
     .submit = submit_reply,
     .not_in_transaction = true},
    {.fullname = "client|unblock", .run = run_unblock},
    {.fullname = "client|no-evict", .run = run_no_evict},
    {.fullname = "client|no-touch", .run = run_no_touch},
    {.fullname = "client|pause", .run = run_pause},
    {.fullname = "client|unpause", .run = run_unpause},
    {.fullname = "client|getredir", .run = run_getredir},
    {.fullname = "client|trackinginfo", .run = run_trackinginfo},
    {.fullname = "client|help", .run = run_help},
    {.fullname = NULL},
};
