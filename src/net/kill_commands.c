/* CLIENT KILL, in its old form (one address) and in its new one (filters). */
#include "net/listen.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"

#include "base/number.h"

struct filter {
    bool has_id;
    uint64_t id;
    bool has_address;
    struct span address;
    bool has_local_address;
    struct span local_address;
    bool has_type;
    enum client_type type;
    int64_t age_seconds_min; /* 0: any */
    bool skip_me;
};

enum client_type client_type_of(struct span name)
{
    static const struct {
        const char *name;
        enum client_type type;
    } types[] = {
        {"normal", CLIENT_TYPE_NORMAL},   {"slave", CLIENT_TYPE_REPLICA},
        {"replica", CLIENT_TYPE_REPLICA}, {"master", CLIENT_TYPE_MASTER},
        {"pubsub", CLIENT_TYPE_PUBSUB},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (span_is(name, types[i].name))
            return types[i].type;
    return CLIENT_TYPE_UNKNOWN;
}

static bool matches(struct client *client, const struct filter *filter)
{
    if (filter->has_id && client->id != filter->id)
        return false;
    if (filter->has_address && !span_equal(filter->address, span_text(client->address)))
        return false;
    if (filter->has_local_address &&
        !span_equal(filter->local_address, span_text(client_local_address(client))))
        return false;
    if (filter->has_type && filter->type != CLIENT_TYPE_NORMAL)
        return false;
    uint64_t age_seconds = (net_now(client->net)->mono_ms - client->created_ms) / 1000;
    return age_seconds >= (uint64_t)filter->age_seconds_min;
}

/* The one that asks gets its answer first. */
static size_t kill_matching(struct client *asking, const struct filter *filter)
{
    size_t killed = 0;
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(asking->net, &i));) {
        if (client_is_gone(client) || !matches(client, filter))
            continue;
        if (client == asking && filter->skip_me)
            continue;
        killed++;
        if (client == asking)
            client_close_after_output(client);
        else
            client_kill(client);
    }
    return killed;
}

typedef bool filter_parser(struct span value, struct filter *filter, struct resp_writer *reply);

static bool parse_id(struct span value, struct filter *filter, struct resp_writer *reply)
{
    int64_t id;
    if (!number_parse_i64(value, &id) || id < 1) {
        resp_error(reply, "ERR client-id should be greater than 0");
        return false;
    }
    filter->has_id = true;
    filter->id = (uint64_t)id;
    return true;
}

static bool parse_address(struct span value, struct filter *filter, struct resp_writer *reply)
{
    (void)reply;
    filter->has_address = true;
    filter->address = value;
    return true;
}

static bool parse_local_address(struct span value, struct filter *filter, struct resp_writer *reply)
{
    (void)reply;
    filter->has_local_address = true;
    filter->local_address = value;
    return true;
}

static bool parse_type(struct span value, struct filter *filter, struct resp_writer *reply)
{
    filter->has_type = true;
    filter->type = client_type_of(value);
    if (filter->type != CLIENT_TYPE_UNKNOWN)
        return true;
    resp_errorf(reply, "ERR Unknown client type '%.*s'", (int)(value.len < 128 ? value.len : 128),
                value.ptr);
    return false;
}

static bool parse_user(struct span value, struct filter *filter, struct resp_writer *reply)
{
    (void)filter;
    if (span_equal(value, SPAN("default")))
        return true;
    resp_errorf(reply, "ERR No such user '%.*s'", (int)(value.len < 128 ? value.len : 128),
                value.ptr);
    return false;
}

static bool parse_skip_me(struct span value, struct filter *filter, struct resp_writer *reply)
{
    filter->skip_me = span_is(value, "yes");
    if (filter->skip_me || span_is(value, "no"))
        return true;
    resp_error(reply, "ERR syntax error");
    return false;
}

static bool parse_max_age(struct span value, struct filter *filter, struct resp_writer *reply)
{
    if (!number_parse_i64(value, &filter->age_seconds_min)) {
        resp_error(reply, "ERR maxage is not an integer or out of range");
        return false;
    }
    if (filter->age_seconds_min > 0)
        return true;
    resp_error(reply, "ERR maxage should be greater than 0");
    return false;
}

static const struct {
    const char *name;
    filter_parser *parse;
} filters[] = {
    {"ID", parse_id},          {"ADDR", parse_address}, {"LADDR", parse_local_address},
    {"TYPE", parse_type},      {"USER", parse_user},    {"SKIPME", parse_skip_me},
    {"MAXAGE", parse_max_age},
};

static filter_parser *find_parser(struct span name)
{
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (span_is(name, filters[i].name))
            return filters[i].parse;
    return NULL;
}

static bool parse_filters(const struct net_request *request, struct filter *filter,
                          struct resp_writer *reply)
{
    for (size_t i = 2; i < request->argc; i += 2) {
        filter_parser *parse = find_parser(request->args[i]);
        if (!parse || i + 1 == request->argc) {
            resp_error(reply, "ERR syntax error");
            return false;
        }
        if (!parse(request->args[i + 1], filter, reply))
            return false;
    }
    return true;
}

static void run_kill(struct client *client, const struct net_request *request,
                     struct resp_writer *reply)
{
    struct filter filter = {.skip_me = true};
    if (request->argc == 3) {
        filter = (struct filter){.has_address = true, .address = request->args[2]};
        if (kill_matching(client, &filter))
            resp_status(reply, "OK");
        else
            resp_error(reply, "ERR No such client");
        return;
    }
    if (parse_filters(request, &filter, reply))
        resp_integer(reply, (int64_t)kill_matching(client, &filter));
}

const struct net_local net_kill_commands[] = {
    {.fullname = "client|kill", .run = run_kill},
    {.fullname = NULL},
};
