/* The clocks of the process. */
#ifndef FLOTILLA_PLATFORM_CLOCK_H
#define FLOTILLA_PLATFORM_CLOCK_H

#include <stdint.h>

#include "shard/shard.h"

/* Monotonic. Counts time in suspension where the system supports it. */
uint64_t platform_mono_us(void);
/* Monotonic and cheaper to read; its resolution is some milliseconds. */
uint64_t platform_coarse_us(void);
int64_t platform_wall_us(void); /* since 1970; may jump */
struct shard_time platform_now(void);

#endif
