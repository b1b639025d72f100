/* Places around each step of persistence where a test lets the process die or stand still. Nothing
 * of them is in a server that is built without FAILPOINTS. */
#ifndef FLOTILLA_PLATFORM_FAILPOINT_H
#define FLOTILLA_PLATFORM_FAILPOINT_H

#ifdef FAILPOINTS

/* FLOTILLA_FAILPOINT=name:action@n[,name:action@n]: at the n-th passage of the place, counted
 * together in this process and its children, `abort` kills the process as kill -9 does, `pause`
 * stops it until SIGCONT. FLOTILLA_FAILPOINT=list prints all names and ends the process. */
void failpoint_pass(const char *name);

#define FAILPOINT(name) failpoint_pass(name)

#else

#define FAILPOINT(name) ((void)(name))

#endif

#endif
