/* Failpoints: places around each step of persistence where a test kills or stops the process. A
 * server built without FAILPOINTS contains none of this. */
#ifndef FLOTILLA_PLATFORM_FAILPOINT_H
#define FLOTILLA_PLATFORM_FAILPOINT_H

#ifdef FAILPOINTS

/* FLOTILLA_FAILPOINT=name:action@n[,name:action@n] acts on the n-th passage of the failpoint.
 * Passages are counted across this process and its children. The action `abort` kills the process
 * as kill -9 does; `pause` stops it until SIGCONT. FLOTILLA_FAILPOINT=list prints all names and
 * ends the process. */
void failpoint_pass(const char *name);

#define FAILPOINT(name) failpoint_pass(name)

#else

#define FAILPOINT(name) ((void)(name))

#endif

#endif
