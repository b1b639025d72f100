/* The synchronous half of the disk port, for recovery and rare reads. */
#ifndef FLOTILLA_PLATFORM_CALLS_H
#define FLOTILLA_PLATFORM_CALLS_H

#include "storage/disk.h"

void platform_calls_port(
    struct disk *port); /* sets the synchronous functions; they need no context */

#endif
