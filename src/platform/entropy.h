/* Unpredictable random numbers, for seeds and identifiers. */
#ifndef FLOTILLA_PLATFORM_ENTROPY_H
#define FLOTILLA_PLATFORM_ENTROPY_H

#include <stdint.h>

uint64_t platform_random(void);

#endif
