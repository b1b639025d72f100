/* A bug stops the process at once, in release builds too. A node that continued with a broken
 * invariant would endanger the data of the others. */
#ifndef FLOTILLA_BASE_ASSERT_H
#define FLOTILLA_BASE_ASSERT_H

/* The only function that the core calls in its host. It prints the message and ends the process:
 * the server logs and aborts; the simulator first prints the seed and the trace. */
_Noreturn void host_fatal(const char *file, int line, const char *message);

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : host_fatal(__FILE__, __LINE__, "assertion failed: " #condition))

/* For failures that are not bugs but make it unsafe to continue: a failed fsync, no memory. */
#define FATAL(message) host_fatal(__FILE__, __LINE__, (message))

#endif
