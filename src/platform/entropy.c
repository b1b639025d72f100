#include "platform/entropy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/assert.h"

uint64_t platform_random(void)
{
    uint64_t value;
    while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        if (errno != EINTR)
            FATAL("the system has no entropy");
    return value;
}

uint64_t platform_draw_incarnation(void)
{
    uint64_t drawn;
    do
        drawn = platform_random();
    while (drawn == 0);
    return drawn;
}

void platform_draw_cluster_id(char id[41])
{
    snprintf(id, 41, "%016" PRIx64 "%016" PRIx64 "%08" PRIx64, platform_draw_incarnation(),
             platform_random(), platform_random() & 0xffffffff);
}
