/* RAFT.TRANSFER_LEADER and CLUSTER FAILOVER. Both are answered when another node leads, or when it
 * is known that none will. And a leader that shuts down hands over first. */
#include "cluster/handover.h"

#include <inttypes.h>

#include "base/number.h"
#include "server/server.h"

/* In election timeouts. A leader gives up after one; then the election takes its time. */
enum { PATIENCE = 4 };

static struct server_handover *place_of(struct server *server, const struct client *client)
{
    struct server_handover *free = NULL;
    for (size_t i = 0; i < SERVER_CHANGES_MAX; i++) {
        struct server_handover *handover = &server->handovers[i];
        if (handover->client == client)
            return handover;
        if (!handover->client || server_now(server).mono_ms >= handover->until_ms)
            free = handover;
    }
    return free;
}

static struct server_handover *take_place(struct server *server, const struct server_call *call)
{
    struct server_handover *handover = place_of(server, call->client);
    if (!handover) {
        resp_error(call->reply, "ERR too many clients wait for another leader: try again");
        return NULL;
    }
    uint64_t wait_ms = PATIENCE * (uint64_t)server->config.raft_election_timeout_ms;
    *handover = (struct server_handover){.server = server,
                                         .client = call->client,
                                         .term = raft_term(shard_raft(server_group(server))),
                                         .until_ms = server_now(server).mono_ms + wait_ms};
    return handover;
}

/* This node led when the client asked, and has given up. */
static bool is_given_up(const struct server_handover *handover)
{
    const struct raft *raft = shard_raft(server_group(handover->server));
    return raft_term(raft) == handover->term && raft_accepts(raft);
}

static uint64_t new_leader(const struct server_handover *handover)
{
    const struct raft *raft = shard_raft(server_group(handover->server));
    return raft_term(raft) > handover->term ? raft_leader(raft) : 0;
}

static bool handover_is_over(void *context)
{
    const struct server_handover *handover = context;
    return new_leader(handover) || is_given_up(handover) ||
           server_now(handover->server).mono_ms >= handover->until_ms;
}

static void answer(struct server *server, const struct server_call *call)
{
    struct server_handover *handover = place_of(server, call->client);
    if (!handover || handover->client != call->client) {
        resp_error(call->reply, "UNKNOWN it is not known who leads: see INFO raft");
        return;
    }
    handover->client = NULL;
    uint64_t leader = new_leader(handover);
    bool other = handover->any && leader != server->self;
    if (leader && (leader == handover->target || other))
        resp_status(call->reply, "OK");
    else if (leader)
        resp_errorf(call->reply, "ERR node %" PRIu64 " was elected instead of node %" PRIu64,
                    leader, handover->target);
    else if (is_given_up(handover))
        resp_errorf(call->reply,
                    "ERR node %" PRIu64 " did not catch up within %d ms: this node leads still",
                    handover->target, server->config.raft_election_timeout_ms);
    else if (handover->target == server->self)
        resp_error(call->reply, "ERR the leader has not handed over: its log says why");
    else
        resp_error(call->reply, "UNKNOWN no new leader is known yet: see INFO raft");
}

static enum err check(struct server *server, uint64_t target, char message[CLUSTER_MESSAGE_MAX])
{
    struct raft_status status;
    raft_status(shard_raft(server_group(server)), &status);
    const struct cluster_handover wanted = {.status = &status,
                                            .leader = server->self,
                                            .target = target,
                                            .now_ms = server_now(server).mono_ms,
                                            .silence_ms =
                                                (uint32_t)server->config.raft_election_timeout_ms};
    return cluster_handover_check(&wanted, message);
}

static void transfer(struct server *server, const struct server_call *call, uint64_t target)
{
    struct shard *shard = server_group(server);
    char message[CLUSTER_MESSAGE_MAX];
    if (check(server, target, message)) {
        resp_errorf(call->reply, "ERR %s", message);
        return;
    }
    struct server_handover *handover = take_place(server, call);
    if (!handover)
        return;
    shard_transfer(shard, target, server_now(server));
    struct raft_status status;
    raft_status(shard_raft(shard), &status);
    handover->target = status.transfer_target;
    handover->any = target == 0;
    if (status.transfer_target) {
        net_client_wait(call->client, handover_is_over, handover);
        return;
    }
    handover->client = NULL; /* what the core knows beyond the status: who is connected */
    resp_error(call->reply, "ERR no other voter can lead now: try again");
}

static void begin_transfer(struct server *server, const struct server_call *call)
{
    uint64_t target = 0;
    if (call->argc > 2) {
        resp_error(call->reply, "ERR wrong number of arguments for 'raft.transfer_leader' command");
        return;
    }
    if (call->argc == 2 && (!number_parse_u64(call->args[1], &target) || target == 0)) {
        resp_error(call->reply, "ERR a node's id is a number of 1 or more");
        return;
    }
    if (server_leads(server, call->reply))
        transfer(server, call, target);
}

static void begin_failover(struct server *server, const struct server_call *call)
{
    if (call->argc > 3 || (call->argc == 3 && !span_is(call->args[2], "force") &&
                           !span_is(call->args[2], "takeover"))) {
        resp_error(call->reply, "ERR syntax error");
        return;
    }
    if (call->argc == 3) {
        resp_error(call->reply,
                   "ERR CLUSTER FAILOVER takes neither FORCE nor TAKEOVER: if the leader is dead, "
                   "the nodes elect another one by themselves, and without a majority none can be");
        return;
    }
    struct shard *shard = server_group(server);
    if (shard_is_leader(shard)) {
        resp_error(call->reply, "ERR You should send CLUSTER FAILOVER to a replica");
        return;
    }
    struct server_handover *handover = take_place(server, call);
    if (!handover)
        return;
    handover->target = server->self;
    if (shard_ask_to_lead(shard)) {
        net_client_wait(call->client, handover_is_over, handover);
        return;
    }
    handover->client = NULL;
    if (raft_leader(shard_raft(shard)))
        resp_error(call->reply, "ERR this node has no vote: RAFT.NODE PROMOTE makes a voter of it");
    else
        resp_error(call->reply, "ERR this node knows no leader: one is being elected");
}

static void run(struct server *server, const struct server_call *call, server_handler *begin)
{
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        begin(server, call);
        return;
    case NET_WAITED:
        answer(server, call);
        return;
    case NET_UNBLOCKED:
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK: leadership may "
                                "still be handed over");
        return;
    }
}

void server_raft_transfer_leader(struct server *server, const struct server_call *call)
{
    run(server, call, begin_transfer);
}

void server_cluster_failover(struct server *server, const struct server_call *call)
{
    run(server, call, begin_failover);
}

/* ---- before the end ---- */

void server_hand_over(struct server *server)
{
    struct shard *shard = server_group(server);
    char message[CLUSTER_MESSAGE_MAX];
    if (!shard || raft_role(shard_raft(shard)) != RAFT_LEADER)
        return;
    uint64_t patience_ms = PATIENCE * (uint64_t)server->config.raft_election_timeout_ms;
    server->led_term = raft_term(shard_raft(shard));
    server->hand_over_until_ms = server_now(server).mono_ms + patience_ms;
    if (check(server, 0, message))
        log_line(&server->log, LOG_WARNING, "leadership is handed to nobody: %s", message);
    else
        shard_transfer(shard, 0, server_now(server));
}

/* The process stays until another leader is known: its vote may be needed. A transfer that failed
 * is begun again. */
bool server_is_handing_over(struct server *server)
{
    struct shard *shard = server_group(server);
    if (server->led_term == 0 || server_now(server).mono_ms >= server->hand_over_until_ms)
        return false;
    const struct raft *raft = shard_raft(shard);
    if (raft_role(raft) != RAFT_LEADER)
        return raft_leader(raft) == 0;
    char message[CLUSTER_MESSAGE_MAX];
    if (raft_accepts(raft) && !check(server, 0, message))
        shard_transfer(shard, 0, server_now(server));
    return !raft_accepts(raft);
}
