/* A bug stops the process at once, in release builds too: a node that goes on after a broken
 * invariant endangers the data of the others. */
#ifndef FLOTILLA_BASE_ASSERT_H
#define FLOTILLA_BASE_ASSERT_H

/* The one function that the core asks its host for: print and end the process. The server logs and
 * aborts; the simulator prints the seed and the trace first. */
_Noreturn void host_fatal(const char *file, int line, const char *message);

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : host_fatal(__FILE__, __LINE__, "assertion failed: " #condition))

/* Unsafe to go on, though no bug: a failed fsync, memory that the system refuses. */
#define FATAL(message) host_fatal(__FILE__, __LINE__, (message))

#endif
