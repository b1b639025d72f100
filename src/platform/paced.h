/* A new file that is written beside the log. It reaches the disk in small pieces, each before the
 * next one is begun, so that a sync of the log hardly waits for it. It leaves room on its disk. */
#ifndef FLOTILLA_PLATFORM_PACED_H
#define FLOTILLA_PLATFORM_PACED_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct platform_paced {
    int file;                 /* open for writing, empty */
    uint64_t keep_free_bytes; /* ERR_NO_SPACE if the file would leave less free */
    uint64_t written;         /* bytes written */
    uint64_t pushed;          /* of them, bytes that the system was told to write */
};

MUST_CHECK enum err platform_paced_write(struct platform_paced *paced, struct span bytes);

/* For a thread that writes such files: on Linux this affects the calling thread alone. */
void platform_lower_priority(void);

#endif
