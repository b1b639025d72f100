/* The two clocks. */
#ifndef FLOTILLA_PLATFORM_CLOCK_H
#define FLOTILLA_PLATFORM_CLOCK_H

#include <stdint.h>

#include "shard/shard.h"

/* Never goes back; counts suspension where the system can. */
uint64_t platform_mono_us(void);
/* Another clock that never goes back: cheaper, in steps of some milliseconds. */
uint64_t platform_coarse_us(void);
int64_t platform_wall_us(void); /* since 1970, may jump */
struct shard_time platform_now(void);

#endif
