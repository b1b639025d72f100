/* Which function carries out which server command: by name here, by id at run time. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "server/server.h"

struct handler {
    const char *fullname;
    server_handler *run;
    enum { WITH_SHARD, WHILE_LOADING } needs; /* the second: also before there is a shard */
};

static const struct handler handlers[] = {
    {"info", server_info, WHILE_LOADING},
    {"config|get", server_config_get, WHILE_LOADING},
    {"config|set", server_config_set, WHILE_LOADING},
    {"config|rewrite", server_config_rewrite, WHILE_LOADING},
    {"config|resetstat", server_config_resetstat, WHILE_LOADING},
    {"config|help", server_help, WHILE_LOADING},
    {"cluster|slots", server_cluster_slots, WITH_SHARD},
    {"cluster|shards", server_cluster_shards, WITH_SHARD},
    {"cluster|nodes", server_cluster_nodes, WITH_SHARD},
    {"cluster|info", server_cluster_info, WHILE_LOADING},
    {"cluster|myid", server_cluster_myid, WHILE_LOADING},
    {"cluster|myshardid", server_cluster_myshardid, WITH_SHARD},
    {"cluster|keyslot", server_cluster_keyslot, WHILE_LOADING},
    {"cluster|countkeysinslot", server_cluster_countkeysinslot, WITH_SHARD},
    {"cluster|getkeysinslot", server_cluster_getkeysinslot, WITH_SHARD},
    {"cluster|links", server_cluster_links, WITH_SHARD},
    {"cluster|help", server_help, WHILE_LOADING},
    {"cluster|meet", server_cluster_meet, WITH_SHARD},
    {"cluster|forget", server_cluster_forget, WITH_SHARD},
    {"cluster|reset", server_cluster_reset, WITH_SHARD},
    {"cluster|failover", server_cluster_failover, WITH_SHARD},
    {"raft.transfer_leader", server_raft_transfer_leader, WITH_SHARD},
    {"raft.node|add", server_raft_node_add, WITH_SHARD},
    {"raft.node|remove", server_raft_node_remove, WITH_SHARD},
    {"raft.node|address", server_raft_node_address, WITH_SHARD},
    {"raft.node|promote", server_raft_node_promote, WITH_SHARD},
    {"raft.node|demote", server_raft_node_demote, WITH_SHARD},
    {"raft.node|replace", server_raft_node_replace, WITH_SHARD},
    {"raft.node|list", server_raft_node_list, WITH_SHARD},
    {"raft.node|help", server_help, WHILE_LOADING},
    {"raft.cluster|init", server_raft_cluster_init, WHILE_LOADING},
    {"raft.cluster|join", server_raft_cluster_join, WHILE_LOADING},
    {"raft.cluster|help", server_help, WHILE_LOADING},
    {"raft.backup|start", server_raft_backup_start, WITH_SHARD},
    {"raft.backup|status", server_raft_backup_status, WITH_SHARD},
    {"raft.backup|list", server_raft_backup_list, WITH_SHARD},
    {"raft.backup|help", server_help, WHILE_LOADING},
    {"save", server_save, WITH_SHARD},
    {"bgsave", server_bgsave, WITH_SHARD},
    {"bgrewriteaof", server_bgrewriteaof, WITH_SHARD},
    {"lastsave", server_lastsave, WITH_SHARD},
    {"role", server_role, WITH_SHARD},
    {"shutdown", server_shutdown, WHILE_LOADING},
    {"memory|doctor", server_memory_doctor, WITH_SHARD},
    {"memory|stats", server_memory_stats, WITH_SHARD},
    {"memory|purge", server_memory_purge, WITH_SHARD},
    {"memory|malloc-stats", server_memory_malloc_stats, WITH_SHARD},
    {"memory|help", server_help, WHILE_LOADING},
    {"latency|latest", server_latency_empty, WHILE_LOADING},
    {"latency|history", server_latency_empty, WHILE_LOADING},
    {"latency|reset", server_latency_reset, WHILE_LOADING},
    {"latency|doctor", server_latency_doctor, WHILE_LOADING},
    {"latency|graph", server_latency_graph, WHILE_LOADING},
    {"latency|histogram", server_latency_histogram, WHILE_LOADING},
    {"latency|help", server_help, WHILE_LOADING},
    {"slowlog|get", server_slowlog_get, WHILE_LOADING},
    {"slowlog|len", server_slowlog_len, WHILE_LOADING},
    {"slowlog|reset", server_slowlog_reset, WHILE_LOADING},
    {"slowlog|help", server_help, WHILE_LOADING},
    {"debug|digest", server_debug_digest, WITH_SHARD},
    {"debug|sleep", server_debug_sleep, WITH_SHARD},
    {"debug|help", server_help, WHILE_LOADING},
};

static const struct handler *handler_named(const char *fullname)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (strcmp(handlers[i].fullname, fullname) == 0)
            return &handlers[i];
    return NULL;
}

void server_handlers_open(struct server *server)
{
    size_t count = command_table_count(server->table);
    server->handlers = mem_zalloc(count * sizeof *server->handlers);
    for (size_t id = 0; id < count; id++)
        server->handlers[id] = handler_named(command_table_at(server->table, id)->fullname);
}

void server_run_command(void *context, struct client *client, const struct command *command,
                        const struct span *args, size_t argc, struct resp_writer *reply)
{
    struct server *server = context;
    struct server_call call = {client, command, args, argc, reply};
    const struct handler *handler = server->handlers[command->id];
    if (!handler)
        FATAL("a command of the table has no handler");
    if (server_is_loading(server) && handler->needs == WITH_SHARD)
        resp_error(reply, net_absence(server->net));
    else
        handler->run(server, &call);
}

void server_help(struct server *server, const struct server_call *call)
{
    command_write_help(server->table, call->command->parent, call->reply);
}
