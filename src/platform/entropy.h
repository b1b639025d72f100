/* Unpredictable random numbers, for seeds and identifiers. */
#ifndef FLOTILLA_PLATFORM_ENTROPY_H
#define FLOTILLA_PLATFORM_ENTROPY_H

#include <stdint.h>

uint64_t platform_random(void);
uint64_t platform_draw_incarnation(void);   /* of a data folder; never 0 */
void platform_draw_cluster_id(char id[41]); /* forty hexadecimal digits, not all 0 */

#endif
