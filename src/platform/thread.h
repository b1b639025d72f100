/* Threads for those rings that may not start any themselves. */
#ifndef FLOTILLA_PLATFORM_THREAD_H
#define FLOTILLA_PLATFORM_THREAD_H

/* Starts a thread that takes no signals. `name` is what the system shows of it, up to 15
 * characters. NULL: the system has no room for one. */
void *platform_thread_start(void (*run)(void *context), void *context, const char *name);
void platform_thread_join(void *thread); /* waits for its end, and frees it */

#endif
