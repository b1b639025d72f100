/* Which function carries out which server command: by name here, by id at run time. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "server/server.h"

static const struct {
    const char *fullname;
    server_handler *handler;
} handlers[] = {
    {"info", server_info},
    {"config|get", server_config_get},
    {"config|set", server_config_set},
    {"config|rewrite", server_config_rewrite},
    {"config|resetstat", server_config_resetstat},
    {"config|help", server_help},
    {"cluster|slots", server_cluster_slots},
    {"cluster|shards", server_cluster_shards},
    {"cluster|nodes", server_cluster_nodes},
    {"cluster|info", server_cluster_info},
    {"cluster|myid", server_cluster_myid},
    {"cluster|myshardid", server_cluster_myshardid},
    {"cluster|keyslot", server_cluster_keyslot},
    {"cluster|countkeysinslot", server_cluster_countkeysinslot},
    {"cluster|getkeysinslot", server_cluster_getkeysinslot},
    {"cluster|links", server_cluster_links},
    {"cluster|help", server_help},
    {"bgsave", server_bgsave},
    {"bgrewriteaof", server_bgrewriteaof},
    {"lastsave", server_lastsave},
    {"role", server_role},
    {"shutdown", server_shutdown},
    {"memory|doctor", server_memory_doctor},
    {"memory|stats", server_memory_stats},
    {"memory|purge", server_memory_purge},
    {"memory|malloc-stats", server_memory_malloc_stats},
    {"memory|help", server_help},
    {"latency|latest", server_latency_empty},
    {"latency|history", server_latency_empty},
    {"latency|reset", server_latency_reset},
    {"latency|doctor", server_latency_doctor},
    {"latency|graph", server_latency_graph},
    {"latency|histogram", server_latency_histogram},
    {"latency|help", server_help},
    {"slowlog|get", server_slowlog_get},
    {"slowlog|len", server_slowlog_len},
    {"slowlog|reset", server_slowlog_reset},
    {"slowlog|help", server_help},
    {"debug|digest", server_debug_digest},
    {"debug|sleep", server_debug_sleep},
    {"debug|help", server_help},
};

static server_handler *handler_named(const char *fullname)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (strcmp(handlers[i].fullname, fullname) == 0)
            return handlers[i].handler;
    return NULL;
}

void server_handlers_open(struct server *server)
{
    size_t count = command_table_count(server->table);
    server->handlers = mem_zalloc(count * sizeof(server_handler *));
    for (size_t id = 0; id < count; id++)
        server->handlers[id] = handler_named(command_table_at(server->table, id)->fullname);
}

void server_run_command(void *context, struct client *client, const struct command *command,
                        const struct span *args, size_t argc, struct resp_writer *reply)
{
    struct server *server = context;
    struct server_call call = {client, command, args, argc, reply};
    server_handler *handler = server->handlers[command->id];
    if (!handler)
        FATAL("a command of the table has no handler");
    handler(server, &call);
}

void server_help(struct server *server, const struct server_call *call)
{
    command_write_help(server->table, call->command->parent, call->reply);
}
