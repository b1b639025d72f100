/* What the process uses. jemalloc knows it exactly; without it (sanitizers) the C library's figures
 * have to do. */
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "server/server.h"

enum {
    MEMORY_INTERVAL_MS = 100,
    SHARE_BETWEEN_SAMPLES = 64, /* of maxmemory: so much may come in unseen */
};

/* jemalloc reads this at the start; MALLOC_CONF in the environment overrides it. One thread does
 * nearly all that allocates, so that more arenas only hold more free pages. Free pages go back to
 * the system after a second in place of ten: buffers and records come and go all the time, and by
 * then what is free is what the load does not need. */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,dirty_decay_ms:1000";

/* Weak: the sanitizers' builds are without jemalloc. */
extern int mallctl(const char *name, void *old, size_t *old_len, void *fresh, size_t fresh_len)
    __attribute__((weak));

static uint64_t jemalloc_figure(const char *name)
{
    size_t value = 0;
    size_t len = sizeof value;
    return mallctl(name, &value, &len, NULL, 0) == 0 ? value : 0;
}

struct server_memory server_memory(void)
{
    if (!mallctl) {
        struct mallinfo2 info = mallinfo2();
        return (struct server_memory){.allocated = info.uordblks + info.hblkhd,
                                      .active = info.arena + info.hblkhd,
                                      .resident = server_resident(),
                                      .mapped = info.arena + info.hblkhd};
    }
    uint64_t epoch = 1;
    size_t len = sizeof epoch;
    mallctl("epoch", &epoch, &len, &epoch, len);
    return (struct server_memory){.allocated = jemalloc_figure("stats.allocated"),
                                  .active = jemalloc_figure("stats.active"),
                                  .resident = jemalloc_figure("stats.resident"),
                                  .mapped = jemalloc_figure("stats.mapped")};
}

/* The process' own threads give free pages back even while nothing is asked of it. Not before the
 * fork into the background, which would leave them behind. */
void server_memory_open(struct server *server)
{
    bool yes = true;
    if (mallctl)
        mallctl("background_thread", NULL, NULL, &yes, sizeof yes);
    server->used_memory_startup = server_memory().allocated;
}

struct server_usage server_usage(struct server *server)
{
    struct net_stats stats = net_stats(server->net);
    struct server_usage usage = {.used = server_memory().allocated,
                                 .startup = server->used_memory_startup,
                                 .clients = stats.clients_memory + stats.io_memory};
    if (!server_is_loading(server)) {
        usage.log = shard_memory(server_group(server));
        usage.disk = platform_disk_memory(server->disk);
    }
    if (server->sentinel)
        usage.clients += net_stats(server_sentinel_net(server)).clients_memory;
    if (server->peers)
        usage.peers = peers_memory(server->peers);
    if (server->http)
        usage.http = http_memory(server->http);
    usage.not_counted = usage.clients + usage.log + usage.disk + usage.peers + usage.http;
    if (usage.not_counted > usage.used)
        usage.not_counted = usage.used;
    usage.overhead = usage.not_counted + usage.startup;
    usage.data = usage.used > usage.overhead ? usage.used - usage.overhead : 0;
    return usage;
}

static void sample(struct server *server, const struct server_usage *usage)
{
    server->counted_memory = usage->used - usage->not_counted;
    server->sampled_at_ms = server->now.mono_ms;
    server->sampled_input_bytes = net_input_bytes(server->net);
    if (usage->used > server->used_memory_peak)
        server->used_memory_peak = usage->used;
}

/* Each turn: a peak between two INFOs must not be missed. */
void server_memory_tick(struct server *server)
{
    if (server->now.mono_ms < server->sampled_at_ms + MEMORY_INTERVAL_MS)
        return;
    uint64_t used = server_memory().allocated;
    if (used > server->used_memory_peak)
        server->used_memory_peak = used;
    if (server->config.maxmemory) {
        struct server_usage usage = server_usage(server);
        sample(server, &usage);
    }
    server->sampled_at_ms = server->now.mono_ms;
}

/* The last sample is good enough to let a write in, as long as clients have sent little since;
 * nobody is refused for what was given back since. */
uint64_t server_counted_memory(struct server *server)
{
    if (server->counted_memory <= server->config.maxmemory && server->sampled_at_ms &&
        server->now.mono_ms < server->sampled_at_ms + MEMORY_INTERVAL_MS &&
        net_input_bytes(server->net) - server->sampled_input_bytes <
            server->config.maxmemory / SHARE_BETWEEN_SAMPLES)
        return server->counted_memory;
    struct server_usage usage = server_usage(server);
    sample(server, &usage);
    return server->counted_memory;
}

uint64_t server_resident(void)
{
    unsigned long total;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void server_purge_memory(void)
{
    if (!mallctl)
        return;
    char name[32];
    snprintf(name, sizeof name, "arena.%u.purge", 4096u); /* MALLCTL_ARENAS_ALL */
    mallctl(name, NULL, NULL, NULL, 0);
}
