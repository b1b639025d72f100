/* The tests of test_failover.c, with the sockets on I/O threads that the fixture steps. */
#define FIXTURE_IO_THREADS 2
#include "unit/net/test_failover.c"
