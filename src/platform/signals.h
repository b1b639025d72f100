/* Signals of threads that are not the event loop's. */
#ifndef FLOTILLA_PLATFORM_SIGNALS_H
#define FLOTILLA_PLATFORM_SIGNALS_H

/* Signals are the loop's. Blocked here, SIGXFSZ lets a write beyond the file size limit fail with
 * EFBIG instead of ending the process without a word. */
void platform_block_signals(void);

#endif
