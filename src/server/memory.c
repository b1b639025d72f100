/* What the process uses. jemalloc knows it exactly; without it (sanitizers) the C library's figures
 * have to do. */
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "server/server.h"

enum { MEMORY_INTERVAL_MS = 100 };

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

uint64_t server_used_memory(struct server *server)
{
    if (server->used_memory && server->now.mono_ms < server->used_memory_at_ms + MEMORY_INTERVAL_MS)
        return server->used_memory;
    server->used_memory = server_memory().allocated;
    server->used_memory_at_ms = server->now.mono_ms;
    if (server->used_memory > server->used_memory_peak)
        server->used_memory_peak = server->used_memory;
    return server->used_memory;
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
