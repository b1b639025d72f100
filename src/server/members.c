/* The node table follows the members of the log: redirects, CLUSTER, INFO and the connections
 * between nodes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/server.h"
#include "wire/hello.h"

_Static_assert((int)CLUSTER_VERSION == (int)WIRE_VERSION &&
                   (int)CLUSTER_VERSION_OLDEST == (int)WIRE_VERSION_OLDEST,
               "a folder says what its node speaks");

/* A member of a log of the first format has no address: the list's is the only one there is. */
static void fill_addresses(const struct cluster *known, struct raft_membership *membership)
{
    for (size_t i = 0; i < membership->count; i++) {
        struct raft_member *member = &membership->members[i];
        const struct cluster_node *node = cluster_find(known, member->id);
        if (member->address[0] == '\0' && node)
            cluster_address(node, member->address);
    }
}

/* Who was removed still knows itself; the only node of a cluster without a list knows best where it
 * listens. */
static void keep_self(const struct server *server, struct raft_membership *membership)
{
    uint64_t id = server->self;
    const struct cluster_node *self = cluster_find(&server->cluster, id);
    const struct raft_member *found = raft_membership_find(membership, id);
    bool alone =
        membership->count == 1 && server->config.cluster_nodes[0] == '\0' && !server->seeking;
    if ((found && !alone) || membership->count == RAFT_MEMBERS_MAX)
        return;
    struct raft_member member = {.id = id, .roles = RAFT_LEARNER};
    cluster_address(self, member.address);
    raft_membership_put(membership, &member);
}

/* A folder whose log may hold what older versions do not know says so: they refuse it by its
 * identity, which they can read. */
static void mark_folder(struct server *server, uint32_t version)
{
    char message[512];
    uint32_t before = server->identity.version;
    server->identity.version = version > CLUSTER_VERSION_OLDEST ? version : CLUSTER_VERSION_OLDEST;
    if (server->identity.version == before || server_store_identity(server, message) == ERR_NONE)
        return;
    server->identity.version = before; /* the next change tries again */
    log_line(&server->log, LOG_WARNING, "%s", message);
}

static void follow_version(struct server *server)
{
    const struct shard *shard = server_group(server);
    mark_folder(server, raft_membership(shard_raft(shard))->version);
    if (server->peers)
        peers_require(server->peers, shard_version(shard));
}

void server_follow_members(void *context)
{
    struct server *server = context;
    follow_version(server);
    struct raft_membership membership = *raft_membership(shard_raft(server_group(server)));
    if (membership.count == 0)
        return; /* not known yet: the list is what there is */
    for (size_t i = 0; i < membership.count; i++)
        if (membership.members[i].id > server->highest_id)
            server->highest_id = membership.members[i].id;
    fill_addresses(&server->cluster, &membership);
    server_fill_claims(server, &membership);
    keep_self(server, &membership);
    char text[CLUSTER_LIST_MAX];
    char message[256];
    struct cluster cluster;
    cluster_members_text(&membership, text);
    if (cluster_parse(&cluster, span_text(text), server->identity.cluster_id, message)) {
        log_line(&server->log, LOG_WARNING, "members of the log: %s", message);
        return;
    }
    char before[CLUSTER_LIST_MAX];
    cluster_list_text(&server->cluster, before);
    if (strcmp(before, text) == 0)
        return;
    cluster_keep_announced(&cluster, &server->cluster);
    server->cluster = cluster;
    log_line(&server->log, LOG_NOTICE, "the cluster's nodes are %.900s", text);
    if (server->peers)
        peers_follow(server->peers);
}
