#include "platform/entropy.h"

#include <errno.h>
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
