#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "sim/script/script.h"

struct world *world_new(void)
{
    struct world *world = mem_zalloc(sizeof *world);
    world->now_ms = 1000;
    return world;
}

void world_free(struct world *world)
{
    for (size_t i = 0; i <= NODES_MAX; i++)
        node_close(&world->nodes[i]);
    flights_close(&world->network);
    buf_close(&world->out);
    mem_free(world);
}

struct node *world_node(struct world *world, uint64_t id)
{
    if (id == 0 || id > NODES_MAX || world->nodes[id].id == 0)
        fail(world, "there is no node %llu", (unsigned long long)id);
    return &world->nodes[id];
}

struct node *world_running(struct world *world, uint64_t id)
{
    struct node *node = world_node(world, id);
    if (!node->raft)
        fail(world, "node %llu is down", (unsigned long long)id);
    return node;
}

void say(struct world *world, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (world->quiet)
        return;
    buf_add_text(&world->out, line);
    buf_add_char(&world->out, '\n');
}
