/* Signals in threads other than the event loop's. */
#ifndef FLOTILLA_PLATFORM_SIGNALS_H
#define FLOTILLA_PLATFORM_SIGNALS_H

/* The event loop's thread handles all signals, so other threads block them. A blocked SIGXFSZ makes
 * a write beyond the file size limit fail with EFBIG; otherwise it would end the process
 * silently. */
void platform_block_signals(void);

#endif
