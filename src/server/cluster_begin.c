/* RAFT.CLUSTER: an empty node begins or joins a cluster at an operator's word. */
#include "server/server.h"

/* False: the error is written. */
static bool is_fresh(const struct server *server, struct resp_writer *reply)
{
    if (server->identity.begin != CLUSTER_EMPTY)
        resp_errorf(reply, "ERR this node belongs to cluster %s already",
                    server->identity.cluster_id);
    else if (!server->seeking)
        resp_error(reply, "ERR cluster-nodes names the nodes of the cluster that this node founds: "
                          "leave it out, and set raft-bootstrap-expect or cluster-seeds");
    else
        return true;
    return false;
}

static bool wait_is_over(void *context)
{
    const struct server *server = context;
    return !server_is_loading(server) || server->now.mono_ms >= server->join_until_ms;
}

static void answer_wait(struct server *server, const struct server_call *call)
{
    char text[SEEKING_TEXT_MAX];
    if (server->identity.begin == CLUSTER_BEGUN) {
        resp_status(call->reply, "OK");
        return;
    }
    seeking_describe(server->seeking, text);
    resp_errorf(call->reply, "ERR not done within %d ms, and it goes on: %s", SERVER_JOIN_WAIT_MS,
                text);
}

/* True: the call is answered. */
static bool go_on(struct server *server, const struct server_call *call)
{
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        return false;
    case NET_WAITED:
        answer_wait(server, call);
        return true;
    case NET_UNBLOCKED:
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK: this node goes on");
        return true;
    }
    return true;
}

static void wait(struct server *server, const struct server_call *call)
{
    server->join_until_ms = server_now(server).mono_ms + SERVER_JOIN_WAIT_MS;
    net_client_wait(call->client, wait_is_over, server);
}

void server_raft_cluster_init(struct server *server, const struct server_call *call)
{
    char why[SEEKING_TEXT_MAX];
    if (go_on(server, call) || !is_fresh(server, call->reply))
        return;
    if (seeking_begin_alone(server->seeking, why)) {
        resp_errorf(call->reply, "ERR %s", why);
        return;
    }
    server_assume_own_address(server);
    wait(server, call);
}

static enum err parse_seeds(const struct server_call *call, struct cluster_seeds *seeds,
                            char message[256])
{
    struct buf list = {0};
    for (size_t i = 2; i < call->argc; i++) {
        buf_add_text(&list, i > 2 ? "," : "");
        buf_add_span(&list, call->args[i]);
    }
    enum err err = cluster_seeds_parse(buf_span(&list), seeds, message);
    buf_close(&list);
    return err;
}

void server_raft_cluster_join(struct server *server, const struct server_call *call)
{
    struct cluster_seeds seeds;
    char message[256];
    if (go_on(server, call) || !is_fresh(server, call->reply))
        return;
    if (server->config.cluster_seeds[0]) {
        resp_error(call->reply, "ERR cluster-seeds is set: this node asks those already");
        return;
    }
    if (parse_seeds(call, &seeds, message)) {
        resp_errorf(call->reply, "ERR %s", message);
        return;
    }
    server->seeds = seeds;
    wait(server, call);
}
