/* RAFT.NODE: who belongs to the cluster. A change is answered when it is committed, on a majority
 * of the old and of the new voters; what comes after it (a new node catches up and becomes a voter)
 * shows in RAFT.NODE LIST. */
#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"
#include "cluster/members.h"
#include "server/server.h"

enum { CHANGE_WAIT_MS = 10000 };

/* A kind of change. The arguments of all are RAFT.NODE, the subcommand, an id, more, and at last
 * FORCE or nothing. */
struct kind {
    cluster_wanted *want;
    size_t argc; /* without FORCE */
};

/* The place of this client's change; that of a client that is gone is free when its time is over.
 */
static struct server_change *place_of(struct server *server, const struct client *client)
{
    struct server_change *free = NULL;
    for (size_t i = 0; i < SERVER_CHANGES_MAX; i++) {
        struct server_change *change = &server->changes[i];
        if (change->client == client)
            return change;
        if (!change->client || server_now(server).mono_ms >= change->until_ms)
            free = change;
    }
    return free;
}

enum fate { CHANGE_GOES_ON, CHANGE_IS_DONE, CHANGE_IS_UNDONE };

/* A change is undone if another leader's entry took the place of its own. */
static enum fate fate_of(const struct server_change *change)
{
    const struct raft *raft = shard_raft(server_group(change->server));
    struct raft_status status;
    raft_status(raft, &status);
    uint64_t term = raft_term_of(raft, change->index);
    if (term != change->term && change->index >= status.first_index &&
        (term != 0 || status.commit_index >= change->index))
        return CHANGE_IS_UNDONE;
    bool left = !change->joint || (status.change_is_committed && !status.joint);
    bool done = status.commit_index >= change->index && left;
    return done ? CHANGE_IS_DONE : CHANGE_GOES_ON;
}

static bool is_late(const struct server_change *change)
{
    return server_now(change->server).mono_ms >= change->until_ms;
}

static bool change_is_over(void *context)
{
    const struct server_change *change = context;
    return fate_of(change) != CHANGE_GOES_ON || is_late(change);
}

static void answer_change(struct server_change *change, struct resp_writer *reply)
{
    change->client = NULL;
    switch (fate_of(change)) {
    case CHANGE_IS_DONE:
        resp_status(reply, "OK");
        return;
    case CHANGE_IS_UNDONE:
        resp_error(reply, "ERR another leader was elected before the change was committed: nothing "
                          "has changed, try again");
        return;
    case CHANGE_GOES_ON:
        resp_errorf(reply,
                    "UNKNOWN the change was not committed within %d ms: it may still take effect, "
                    "see RAFT.NODE LIST",
                    CHANGE_WAIT_MS);
        return;
    }
}

bool server_leads(const struct server *server, struct resp_writer *reply)
{
    const struct shard *shard = server_group(server);
    if (shard_is_leader(shard))
        return true;
    uint64_t leader = shard_leader(shard);
    const struct cluster_node *node = leader ? cluster_find(&server->cluster, leader) : NULL;
    if (node)
        resp_errorf(reply, "MOVED 0 %s:%u", cluster_endpoint(node, server_endpoint_type(server)),
                    (unsigned)cluster_client_port(node));
    else
        resp_error(reply, "CLUSTERDOWN this node knows no leader: ask another node, or try again");
    return false;
}

/* Begins to change the members, and notes what to wait for. */
static enum raft_refusal begin(struct server_change *change, const struct raft_membership *wanted)
{
    struct server *server = change->server;
    struct shard *shard = server_group(server);
    struct shard_time now = server_now(server);
    enum raft_refusal refusal =
        change->forced ? shard_force_change(shard, wanted, now) : shard_change(shard, wanted, now);
    struct raft_status status;
    raft_status(shard_raft(shard), &status);
    change->index = status.change_index;
    change->term = status.term;
    change->joint = status.joint;
    change->until_ms = now.mono_ms + CHANGE_WAIT_MS;
    return refusal;
}

static void refuse(struct server_change *change, enum raft_refusal refusal,
                   struct resp_writer *reply)
{
    change->client = NULL;
    if (refusal == RAFT_CHANGE_NONE)
        resp_status(reply, "OK");
    else
        resp_errorf(reply, "ERR %s", cluster_refusal_text(refusal));
}

static void begin_change(struct server_change *change, const struct server_call *call,
                         const struct raft_membership *wanted)
{
    enum raft_refusal refusal = begin(change, wanted);
    if (refusal == RAFT_CHANGE_POSSIBLE)
        net_client_wait(call->client, change_is_over, change);
    else
        refuse(change, refusal, call->reply);
}

/* ---- REPLACE: first a learner catches up, then it takes the voter's place ---- */

static bool leads_still(const struct server_change *change)
{
    const struct raft *raft = shard_raft(server_group(change->server));
    return raft_role(raft) == RAFT_LEADER && raft_term(raft) == change->term;
}

/* What can begin later. */
static bool is_early(enum raft_refusal refusal)
{
    return refusal == RAFT_CHANGE_NOT_CAUGHT_UP || refusal == RAFT_CHANGE_IN_PROGRESS ||
           refusal == RAFT_CHANGE_TOO_EARLY || refusal == RAFT_CHANGE_TRANSFERRING;
}

/* The time begins anew whenever the successor has received more. */
static void note_progress(struct server_change *change)
{
    struct raft_status status;
    raft_status(shard_raft(server_group(change->server)), &status);
    for (size_t i = 0; i < status.peer_count; i++) {
        const struct raft_peer_status *peer = &status.peers[i];
        uint64_t received = peer->match + peer->snapshot_offset;
        if (peer->id != change->replacement.successor || received == change->received)
            continue;
        change->received = received;
        change->until_ms = server_now(change->server).mono_ms + CHANGE_WAIT_MS;
    }
}

/* ERR_INVALID: somebody removed one of the two meanwhile. */
static enum err replaced(const struct server_change *change, struct raft_membership *wanted,
                         char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft *raft = shard_raft(server_group(change->server));
    return cluster_member_replace(raft_membership(raft), &change->replacement, wanted, message);
}

/* A successor that has not connected yet may still come. */
static enum raft_refusal refusal_of(const struct server_change *change,
                                    const struct raft_membership *wanted)
{
    uint64_t successor = change->replacement.successor;
    if (raft_membership_find(wanted, successor)->incarnation == 0)
        return RAFT_CHANGE_NOT_CAUGHT_UP;
    return raft_change_refusal(shard_raft(server_group(change->server)), wanted,
                               server_now(change->server).mono_ms);
}

static bool can_replace(void *context)
{
    struct server_change *change = context;
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    if (!leads_still(change) || replaced(change, &wanted, message))
        return true;
    note_progress(change);
    return is_late(change) || !is_early(refusal_of(change, &wanted));
}

static void go_on_replacing(struct server_change *change, const struct server_call *call)
{
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t successor = change->replacement.successor;
    if (!leads_still(change)) {
        change->client = NULL;
        resp_errorf(call->reply,
                    "ERR leadership has changed and nothing was replaced: RAFT.NODE REPLACE at the "
                    "new leader goes on, or RAFT.NODE REMOVE %" PRIu64,
                    successor);
        return;
    }
    if (replaced(change, &wanted, message)) {
        change->client = NULL;
        resp_errorf(call->reply, "ERR %s", message);
        return;
    }
    bool late = is_late(change);
    enum raft_refusal refusal = refusal_of(change, &wanted);
    if (!is_early(refusal))
        refusal = begin(change, &wanted);
    if (refusal == RAFT_CHANGE_POSSIBLE) {
        change->replacement.id = 0;
        net_client_wait(call->client, change_is_over, change);
    } else if (is_early(refusal) && !late) {
        net_client_wait(call->client, can_replace, change);
    } else if (is_early(refusal)) {
        change->client = NULL;
        resp_errorf(call->reply,
                    "ERR node %" PRIu64
                    " has received nothing for %d ms and has not caught up: it stays a learner, "
                    "and RAFT.NODE REPLACE goes on when it runs",
                    successor, CHANGE_WAIT_MS);
    } else {
        refuse(change, refusal, call->reply);
    }
}

static void begin_replacement(struct server_change *change, const struct server_call *call,
                              const struct raft_membership *wanted)
{
    enum raft_refusal refusal = begin(change, wanted);
    if (refusal == RAFT_CHANGE_POSSIBLE || refusal == RAFT_CHANGE_NONE)
        net_client_wait(call->client, can_replace, change);
    else
        refuse(change, refusal, call->reply);
}

/* ---- the commands ---- */

static void go_on(struct server *server, const struct server_call *call)
{
    struct server_change *change = place_of(server, call->client);
    if (!change || change->client != call->client)
        resp_error(call->reply, "UNKNOWN it is not known what became of the change: see RAFT.NODE "
                                "LIST");
    else if (change->replacement.id)
        go_on_replacing(change, call);
    else
        answer_change(change, call->reply);
}

/* False: the reply says why. */
static bool parse(const struct kind *kind, const struct server_call *call, struct server_wish *wish)
{
    wish->forced = call->argc == kind->argc + 1 && span_is(call->args[kind->argc], "force");
    if (call->argc != kind->argc + wish->forced) {
        resp_error(call->reply, "ERR syntax error");
        return false;
    }
    struct cluster_change *change = &wish->change;
    bool replaces = kind->want == cluster_member_replace_begin;
    if (!number_parse_u64(call->args[2], &change->id) ||
        (replaces && !number_parse_u64(call->args[3], &change->successor))) {
        resp_error(call->reply, "ERR a node's id is a number");
        return false;
    }
    if (kind->argc > 3)
        change->address = call->args[kind->argc - 1];
    return true;
}

void server_change_members(struct server *server, const struct server_call *call,
                           const struct server_wish *wish)
{
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    const struct raft_membership *members = raft_membership(shard_raft(server_group(server)));
    if (wish->want(members, &wish->change, &wanted, message)) {
        resp_errorf(call->reply, "ERR %s", message);
        return;
    }
    struct server_change *change = place_of(server, call->client);
    if (!change) {
        resp_error(call->reply, "ERR too many clients wait for a change of the members: try again");
        return;
    }
    *change =
        (struct server_change){.server = server, .client = call->client, .forced = wish->forced};
    if (wish->want == cluster_member_replace_begin) {
        change->replacement.id = wish->change.id;
        change->replacement.successor = wish->change.successor;
        begin_replacement(change, call, &wanted);
    } else {
        begin_change(change, call, &wanted);
    }
}

bool server_go_on_changing(struct server *server, const struct server_call *call)
{
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        return false;
    case NET_WAITED:
        go_on(server, call);
        return true;
    case NET_UNBLOCKED:
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK: the change may "
                                "still take effect");
        return true;
    }
    return true;
}

static void run(struct server *server, const struct server_call *call, const struct kind *kind)
{
    struct server_wish wish = {.want = kind->want};
    if (server_go_on_changing(server, call) || !parse(kind, call, &wish) ||
        !server_leads(server, call->reply))
        return;
    server_change_members(server, call, &wish);
}

void server_raft_node_add(struct server *server, const struct server_call *call)
{
    run(server, call, &(const struct kind){cluster_member_add, 4});
}

void server_raft_node_remove(struct server *server, const struct server_call *call)
{
    run(server, call, &(const struct kind){cluster_member_remove, 3});
}

void server_raft_node_address(struct server *server, const struct server_call *call)
{
    run(server, call, &(const struct kind){cluster_member_move, 4});
}

void server_raft_node_promote(struct server *server, const struct server_call *call)
{
    run(server, call, &(const struct kind){cluster_member_promote, 3});
}

void server_raft_node_demote(struct server *server, const struct server_call *call)
{
    run(server, call, &(const struct kind){cluster_member_demote, 3});
}

void server_raft_node_replace(struct server *server, const struct server_call *call)
{
    run(server, call, &(const struct kind){cluster_member_replace_begin, 5});
}

static void write_member(struct server *server, const struct raft_member *member,
                         struct resp_writer *reply)
{
    char incarnation[17];
    snprintf(incarnation, sizeof incarnation, "%" PRIx64, member->incarnation);
    bool self = member->id == server->self;
    bool connected = self || peers_link(server->peers, member->id).connected;
    resp_map(reply, 5);
    resp_bulk_text(reply, "id");
    resp_integer(reply, (int64_t)member->id);
    resp_bulk_text(reply, "address");
    resp_bulk_text(reply, member->address);
    resp_bulk_text(reply, "incarnation");
    resp_bulk_text(reply, incarnation);
    resp_bulk_text(reply, "state");
    resp_bulk_text(reply, cluster_member_state(member));
    resp_bulk_text(reply, "link");
    resp_bulk_text(reply, self ? "self" : connected ? "connected" : "disconnected");
}

/* As this node knows them, committed or not: on a follower that is cut off they may be old. */
void server_raft_node_list(struct server *server, const struct server_call *call)
{
    const struct raft_membership *members = raft_membership(shard_raft(server_group(server)));
    resp_array(call->reply, members->count);
    for (size_t i = 0; i < members->count; i++)
        write_member(server, &members->members[i], call->reply);
}
