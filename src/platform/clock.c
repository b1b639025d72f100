#include "platform/clock.h"

#include <time.h>

/* CLOCK_BOOTTIME counts time in suspension, so that a node notices that it slept through an
 * election. */
#ifdef CLOCK_BOOTTIME
#define MONOTONIC CLOCK_BOOTTIME
#else
#define MONOTONIC CLOCK_MONOTONIC
#endif

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t platform_mono_us(void)
{
    return (uint64_t)read_us(MONOTONIC);
}

uint64_t platform_coarse_us(void)
{
    return (uint64_t)read_us(CLOCK_MONOTONIC_COARSE);
}

int64_t platform_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

struct shard_time platform_now(void)
{
    uint64_t mono_us = platform_mono_us();
    int64_t wall_us = platform_wall_us();
    return (struct shard_time){.mono_ms = mono_us / 1000,
                               .wall_ms = wall_us / 1000,
                               .mono_us = mono_us,
                               .wall_us = (unsigned)(wall_us % 1000)};
}
