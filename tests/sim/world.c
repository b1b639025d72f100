#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc.h"
#include "base/mem.h"
#include "sim/sim.h"
#include "wire/hello.h"

struct sim *sim_running;

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    if (sim_running && sim_running->fatal_expected)
        longjmp(sim_running->fatal, 1);
    if (sim_running)
        sim_fail(sim_running, "%s:%d: %s", file, line, message);
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    abort();
}

_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "FAILED at %.6f s: ", (double)sim->now_us / 1e6);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nreplay: build/flotilla-sim %s%s --seed %llu --trace\n",
            sim->scenario ? "--scenario " : "", sim->scenario ? sim->scenario : "",
            (unsigned long long)sim->seed);
    exit(1);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > (int)sizeof line - 1)
        len = (int)sizeof line - 1;
    sim->trace_hash = sim->trace_hash * 31 + crc32c((uint32_t)sim->now_us, line, (size_t)len);
    if (sim->trace)
        printf("%12.6f  %s\n", (double)sim->now_us / 1e6, line);
}

uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high)
{
    return low + prng_below(&sim->prng, high - low + 1);
}

bool sim_chance(struct sim *sim, double probability)
{
    return (double)(prng_next(&sim->prng) >> 11) * 0x1p-53 < probability;
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

void sim_push(struct sim *sim, struct sim_event event)
{
    event.sequence = ++sim->sequence;
    if (sim->heap_count == sim->heap_cap) {
        sim->heap_cap = sim->heap_cap ? sim->heap_cap * 2 : 256;
        sim->heap = mem_realloc(sim->heap, sim->heap_cap * sizeof *sim->heap);
    }
    size_t at = sim->heap_count++;
    while (at > 0 && before(&event, &sim->heap[(at - 1) / 2])) {
        sim->heap[at] = sim->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->heap[at] = event;
}

static struct sim_event pop(struct sim *sim)
{
    struct sim_event first = sim->heap[0];
    struct sim_event last = sim->heap[--sim->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= sim->heap_count)
            break;
        if (child + 1 < sim->heap_count && before(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!before(&sim->heap[child], &last))
            break;
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = last;
    return first;
}

static void write_log(void *context, enum log_level level, const char *line)
{
    (void)level;
    const struct sim_node *node = context;
    sim_trace(node->sim, "node %llu: %s", (unsigned long long)node->id, line);
}

static void make_node(struct sim *sim, int position)
{
    const struct sim_profile *profile = &sim->profile;
    struct sim_node *node = &sim->nodes[position];
    *node = (struct sim_node){.sim = sim,
                              .position = position,
                              .id = (uint64_t)position + 1,
                              .folder = ++sim->folders,
                              .version = position < profile->old_nodes ? sim_old_version(sim)
                                                                       : WIRE_VERSION,
                              .founder = position < profile->voters,
                              .log = {LOG_NOTICE, write_log, node},
                              .disk = {.sim = sim, .node = position}};
    if (profile->wall_jump_ms)
        node->wall_offset_ms = (int64_t)sim_between(sim, 0, (uint64_t)profile->wall_jump_ms);
    if (profile->clock_ppm_max)
        node->clock_ppm = (int32_t)sim_between(sim, 0, (uint64_t)profile->clock_ppm_max * 2) -
                          profile->clock_ppm_max;
}

void sim_open(struct sim *sim, uint64_t seed, const struct sim_profile *profile, bool trace)
{
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->profile = *profile;
    sim->trace = trace;
    sim->table = command_table_new();
    sim->history = sim_history_new();
    sim->linear = linear_new();
    prng_init(&sim->prng, seed);
    sim_running = sim;
    sim_draw_databases(sim);
    for (int i = 0; i < profile->nodes; i++)
        make_node(sim, i);
    for (int i = 0; i < profile->voters; i++)
        sim_node_start(&sim->nodes[i]);
    sim_queue_open(sim);
    for (int i = 0; i < profile->clients; i++) {
        sim->clients[i] = (struct sim_client){.number = i, .wanted_node = -1};
        sim_push(sim, (struct sim_event){
                          .at_us = sim_between(sim, 0, 200000), .type = SIM_CLIENT, .node = i});
    }
    if (profile->losses_at_start)
        sim_lose_disks(sim);
    sim_push(sim, (struct sim_event){.at_us = 100000, .type = SIM_FAULT});
    sim_meet(sim);
    if (profile->changes_per_second > 0)
        sim_push(sim, (struct sim_event){.at_us = 1000000, .type = SIM_OPERATOR});
}

void sim_close(struct sim *sim)
{
    for (int i = 0; i < sim->profile.nodes; i++) {
        shard_close(sim->nodes[i].shard);
        sim_disk_close(&sim->nodes[i].disk);
    }
    for (size_t i = 0; i < sim->heap_count; i++)
        buf_close(&sim->heap[i].bytes);
    sim_queue_close(sim);
    for (int i = 0; i < SIM_CLIENTS_MAX; i++)
        buf_close(&sim->clients[i].reply);
    sim_ttl_close(sim);
    for (int i = 0; i < SIM_TOLD_KEPT; i++)
        buf_close(&sim->told[i]);
    mem_free(sim->heap);
    sim_history_free(sim->history);
    linear_free(sim->linear);
    command_table_free(sim->table);
    sim_running = NULL;
}

/* What was under way on a connection that was reset since is lost. */
static bool is_connected(struct sim *sim, const struct sim_event *event)
{
    const struct sim_node *from = sim_node_of(sim, event->from);
    return !from || sim->connections[from->position][event->node] == event->connection;
}

bool sim_step(struct sim *sim)
{
    if (sim->heap_count == 0)
        return false;
    struct sim_event event = pop(sim);
    sim->now_us = event.at_us;
    sim->stats.events++;
    struct sim_node *node = &sim->nodes[event.type == SIM_CLIENT ? 0 : event.node];
    bool of_disk = event.type == SIM_DISK_DONE || event.type == SIM_IMAGE_DONE;
    bool current =
        node->up && event.incarnation == (of_disk ? node->disk.incarnation : node->incarnation);
    if (current && node->paused && event.type != SIM_RESTART && event.type != SIM_FAULT &&
        event.type != SIM_CLIENT && event.type != SIM_OPERATOR && event.type != SIM_MEET) {
        /* A stopped process finds everything waiting when it goes on. */
        event.at_us += 10000;
        event.waited = true;
        sim_push(sim, event);
        return true;
    }
    switch (event.type) {
    case SIM_TIMER:
        if (current && event.at_us == node->timer_us)
            sim_node_timer(node);
        break;
    case SIM_MESSAGE:
        if (current && is_connected(sim, &event))
            sim_node_message(node, &event);
        break;
    case SIM_DISK_DONE:
        if (event.incarnation == node->disk.incarnation)
            sim_node_disk_done(node);
        break;
    case SIM_IMAGE_DONE:
        if (event.incarnation == node->disk.incarnation)
            sim_node_image_done(node);
        break;
    case SIM_CLIENT:
        sim_client_wake(sim, event.node);
        break;
    case SIM_CRASH:
        if (current)
            sim_crash_at_step(sim, &event);
        break;
    case SIM_RESTART:
        sim_restart(sim, &event);
        break;
    case SIM_FAULT:
        sim_fault(sim);
        break;
    case SIM_OPERATOR:
        sim_operate(sim);
        break;
    case SIM_MEET:
        sim_meet(sim);
        break;
    }
    buf_close(&event.bytes);
    sim_clients_collect(sim);
    return true;
}

void sim_run_for(struct sim *sim, uint64_t us)
{
    uint64_t end = sim->now_us + us;
    while (sim->heap_count && sim->heap[0].at_us <= end)
        sim_step(sim);
    sim->now_us = end;
}

bool sim_run_until(struct sim *sim, bool (*done)(struct sim *sim), uint64_t us)
{
    uint64_t end = sim->now_us + us;
    while (!done(sim)) {
        if (sim->heap_count == 0 || sim->heap[0].at_us > end)
            return false;
        sim_step(sim);
    }
    return true;
}
