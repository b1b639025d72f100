#include "platform/entropy.h"

#include <sys/random.h>

#include "base/assert.h"

uint64_t platform_random(void)
{
    uint64_t value;
    if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        FATAL("the system has no entropy");
    return value;
}
