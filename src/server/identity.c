/* Who this node is: flotilla.identity is read, held against the configuration and the data folder,
 * and made where it is missing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/entropy.h"
#include "platform/files.h"
#include "server/server.h"
#include "storage/identity.h"

enum { MESSAGE_MAX = 512 };

enum err server_store_identity(struct server *server, char message[512])
{
    return storage_identity_store(&server->disk_port, server->config.dir, &server->identity,
                                  message);
}

/* A folder that has less than it vouched for is another one from here on. The connections greet
 * with the new incarnation, and the leader takes it in. */
void server_incarnation_is_void(void *context)
{
    struct server *server = context;
    char message[MESSAGE_MAX];
    uint64_t before = server->identity.incarnation;
    server->identity.incarnation = platform_draw_incarnation();
    server->identity.previous = 0; /* nobody may go back to it */
    if (server_store_identity(server, message))
        FATAL("a new incarnation could not be stored");
    /* An empty node hears of the cluster from it. */
    server->founding->stored.incarnation = server->identity.incarnation;
    log_line(
        &server->log, LOG_WARNING,
        "the data folder has less than this node acknowledged: it is an older copy, or the disk "
        "lost what it had synced. The node goes on as incarnation %016" PRIx64
        " in place of %016" PRIx64 " and waits for the leader to take it in",
        server->identity.incarnation, before);
    shard_set_incarnation(server->shards[0], server->identity.incarnation, server_now(server));
    peers_restart(server->peers, server->identity.incarnation);
}

/* The log as it is, before anything is done to it. */
static enum err peek(const struct server *server, struct storage_peek *found, char *message)
{
    char folder[sizeof server->config.dir + 16];
    struct storage_options options = server_storage_options(server, folder, sizeof folder);
    return storage_peek(&server->disk_port, &options, found, message);
}

/* A log says more than the file that is missing: nobody can say what its node has promised. */
static enum err refuse_log_without_identity(const struct server *server,
                                            const struct storage_peek *found, char *message)
{
    const char *dir = server->config.dir;
    if (found->identity.node_id && found->identity.incarnation == 0)
        snprintf(message, MESSAGE_MAX,
                 "data folder '%.200s' is of an older version: stop all nodes and run "
                 "flotilla-check --upgrade on each one's folder",
                 dir);
    else
        snprintf(message, MESSAGE_MAX,
                 "data folder '%.200s' has a log and no " STORAGE_IDENTITY_FILE
                 "; if the other nodes are well, move the folder away and start with an empty "
                 "one: it gets everything from them",
                 dir);
    return ERR_CORRUPT;
}

static enum err begin_identity(struct server *server, char *message)
{
    struct storage_peek found;
    enum err err = peek(server, &found, message);
    if (err)
        return err;
    if (found.identity.node_id || !found.empty)
        return refuse_log_without_identity(server, &found, message);
    server->identity = (struct cluster_identity){.cluster_id = CLUSTER_NO_ID,
                                                 .node_id = config_node_id(&server->config),
                                                 .incarnation = platform_draw_incarnation()};
    return ERR_NONE;
}

/* ---- the configuration ---- */

/* A node whose id the cluster gives keeps the one that it has. */
static bool is_own_id(const struct server *server)
{
    uint64_t configured = config_node_id(&server->config);
    return server->identity.node_id == configured ||
           (config_seeks(&server->config) && configured == 0);
}

static enum err check_ids(struct server *server, char *message)
{
    struct cluster_identity *identity = &server->identity;
    const struct config *config = &server->config;
    if (identity->begin == CLUSTER_EMPTY && config_seeks(config))
        identity->node_id = config->node_id; /* what it asks for may be another one now */
    if (!is_own_id(server)) {
        snprintf(message, MESSAGE_MAX,
                 "data folder '%.250s' belongs to node %" PRIu64 ", node-id is %" PRIu64,
                 config->dir, identity->node_id, config_node_id(config));
        return ERR_FOREIGN;
    }
    if (identity->begin == CLUSTER_EMPTY || config->cluster_id[0] == '\0' ||
        strcmp(identity->cluster_id, config->cluster_id) == 0)
        return ERR_NONE;
    snprintf(message, MESSAGE_MAX,
             "data folder '%.200s' belongs to cluster %s, cluster-id is %s: set it back, or leave "
             "it out; to join another cluster start with an empty folder",
             config->dir, identity->cluster_id, config->cluster_id);
    return ERR_FOREIGN;
}

/* The next "<id>@<host>:<port>". */
static struct span next_node(const char **list)
{
    struct span node = span_of(*list, strcspn(*list, ","));
    *list += node.len + ((*list)[node.len] == ',');
    return node;
}

static bool has_node(const char *list, struct span node)
{
    while (*list)
        if (span_equal(next_node(&list), node))
            return true;
    return false;
}

/* The first node of one list that is not in the other; its ptr is NULL if there is none. */
static struct span missing_in(const char *list, const char *other)
{
    while (*list) {
        struct span node = next_node(&list);
        if (!has_node(other, node))
            return node;
    }
    return span_of(NULL, 0);
}

static enum err refuse_list(const char *configured, const char *accepted, char *message)
{
    struct span more = missing_in(configured, accepted);
    struct span less = missing_in(accepted, configured);
    snprintf(message, MESSAGE_MAX,
             "cluster-nodes is not what the cluster has:%s%.*s%s%s%.*s%s; set it back; members are "
             "changed while the cluster runs, with RAFT.NODE ADD, REMOVE or ADDRESS",
             more.ptr ? " '" : "", more.len > 120 ? 120 : (int)more.len, more.ptr ? more.ptr : "",
             more.ptr ? "' is no member" : "", less.ptr ? (more.ptr ? ", '" : " '") : "",
             less.len > 120 ? 120 : (int)less.len, less.ptr ? less.ptr : "",
             less.ptr ? "' is missing" : "");
    return ERR_INVALID;
}

static bool is_alone(const char *list)
{
    return strchr(list, ',') == NULL;
}

/* A node without a list is the only one, at whatever port it listens. */
static bool may_take_list(const struct server *server)
{
    const struct cluster_identity *identity = &server->identity;
    if (identity->begin == CLUSTER_EMPTY || identity->list[0] == '\0')
        return true;
    return server->config.cluster_nodes[0] == '\0' && is_alone(identity->list);
}

/* After flotilla-check --upgrade: the members were in the configuration alone. Equal lists give
 * equal records, but nobody else knows this list yet: all nodes that it names have to vouch for the
 * record before anybody votes. Otherwise two lists could give two leaders. */
static void take_founders(struct server *server)
{
    server->identity.begin = CLUSTER_FOUNDING;
    struct cluster_founders *founders = &server->identity.founders;
    *founders = (struct cluster_founders){.count = server->cluster.count};
    memcpy(founders->cluster_id, server->identity.cluster_id, sizeof founders->cluster_id);
    for (size_t i = 0; i < founders->count; i++) {
        struct cluster_founder *member = &founders->members[i];
        member->id = server->cluster.nodes[i].id;
        member->roles = RAFT_VOTER;
        member->incarnation = cluster_derived_incarnation(founders->cluster_id, member->id);
        cluster_address(&server->cluster.nodes[i], member->address);
    }
}

static void take_list(struct server *server, const char *list)
{
    struct cluster_identity *identity = &server->identity;
    if (identity->begin == CLUSTER_BEGUN && identity->list[0] == '\0')
        take_founders(server);
    snprintf(identity->list, sizeof identity->list, "%s", list);
    if (!is_alone(list) || identity->founders.count != 1)
        return;
    char *address = identity->founders.members[0].address;
    cluster_address(&server->cluster.nodes[0], address);
}

static enum err check_list(struct server *server, char *message)
{
    char list[CLUSTER_LIST_MAX];
    if (config_seeks(&server->config))
        return ERR_NONE; /* there is none */
    cluster_list_text(&server->cluster, list);
    if (strcmp(list, server->identity.list) == 0)
        return ERR_NONE;
    if (may_take_list(server)) {
        take_list(server, list);
        return ERR_NONE;
    }
    if (server->identity.begin == CLUSTER_BEGUN) {
        server->list_differs = true; /* the members of the log may be these */
        return ERR_NONE;
    }
    return refuse_list(list, server->identity.list, message);
}

enum err server_check_members(struct server *server, char message[512])
{
    if (!server->list_differs)
        return ERR_NONE;
    char list[CLUSTER_LIST_MAX];
    char members[CLUSTER_LIST_MAX];
    cluster_list_text(&server->cluster, list);
    cluster_members_text(raft_membership(shard_raft(server_group(server))), members);
    if (strcmp(list, members) != 0)
        return refuse_list(list, members[0] ? members : server->identity.list, message);
    memcpy(server->identity.list, list, sizeof list);
    return server_store_identity(server, message);
}

/* ---- the folder ---- */

static enum err find_place(const struct server *server, struct cluster_place *place, char *message)
{
    char folder[sizeof server->config.dir + 16];
    snprintf(folder, sizeof folder, "%s/shard-0", server->config.dir);
    enum err err = platform_make_folder(folder);
    if (!err)
        err = platform_folder_place(folder, &place->inode, &place->birth_ns);
    if (err)
        snprintf(message, MESSAGE_MAX, "cannot use data folder '%.250s': %s", folder,
                 err_text(err));
    return err;
}

static void begin_incarnation(struct server *server, uint64_t previous, const char *why)
{
    struct cluster_identity *identity = &server->identity;
    identity->previous = previous;
    identity->incarnation = platform_draw_incarnation();
    if (identity->begin != CLUSTER_EMPTY)
        log_line(&server->log, LOG_WARNING, "%s", why);
}

/* What a copy holds may be older than what its node has promised since. */
static void judge_place(struct server *server, const struct cluster_place *place)
{
    struct cluster_identity *identity = &server->identity;
    bool moved = identity->place.inode && !cluster_place_equal(&identity->place, place);
    identity->place = *place;
    if (!moved)
        return;
    char why[MESSAGE_MAX];
    snprintf(why, sizeof why,
             "data folder '%.150s' was copied or moved: this node has no vote until the leader "
             "takes it in anew; if the only copy was moved, stop the node and run flotilla-check "
             "--moved %.150s",
             server->config.dir, server->config.dir);
    begin_incarnation(server, identity->previous ? identity->previous : identity->incarnation, why);
}

static enum err judge_log(struct server *server, char *message)
{
    struct cluster_identity *identity = &server->identity;
    struct storage_peek found;
    enum err err = peek(server, &found, message);
    if (!err && identity->begin == CLUSTER_FOUNDING && !found.empty)
        identity->has_log = true; /* it stopped when it had imported the data */
    if (err || !identity->has_log || !found.empty || found.identity.node_id)
        return err;
    identity->has_log = false;
    begin_incarnation(server, 0,
                      "the log of this node is gone: it has no vote until the leader takes it in "
                      "anew");
    return ERR_NONE;
}

enum err server_open_identity(struct server *server, char message[512])
{
    struct cluster_place place;
    enum err err =
        storage_identity_load(&server->disk_port, server->config.dir, &server->identity, message);
    if (err == ERR_NOT_FOUND)
        err = begin_identity(server, message);
    if (!err)
        err = check_ids(server, message);
    if (!err)
        err = check_list(server, message);
    if (!err && server->begin_alone && server->identity.begin != CLUSTER_EMPTY) {
        snprintf(message, MESSAGE_MAX,
                 "--begin-cluster: data folder '%.250s' belongs to cluster %s already",
                 server->config.dir, server->identity.cluster_id);
        err = ERR_EXISTS;
    }
    if (!err)
        err = find_place(server, &place, message);
    if (err)
        return err;
    judge_place(server, &place);
    err = judge_log(server, message);
    if (!err)
        err = server_store_identity(server, message);
    if (!err)
        server_become(server);
    return err;
}

enum err server_note_log(struct server *server, char message[512])
{
    if (server->identity.has_log)
        return ERR_NONE;
    server->identity.has_log = true;
    return server_store_identity(server, message);
}
