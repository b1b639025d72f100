/* LD_PRELOAD: a wall clock that is wrong, and that leaps; a monotonic clock that drifts.
 *
 * FLOTILLA_CLOCK names a file of two 64-bit numbers, which a test writes while the process runs:
 *
 *     nanoseconds that CLOCK_REALTIME (and time, gettimeofday, timespec_get) is ahead, or behind
 *     parts per million by which CLOCK_MONOTONIC, CLOCK_BOOTTIME and their kin run too fast, or too
 *     slow; read once, at the start, so that they never leap
 *
 * The file is mapped, so that a change counts at once, between any two readings. Waits of the
 * kernel (epoll, condition variables) last as long as they do. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000 };

struct control {
    _Atomic int64_t ahead_ns;
    _Atomic int64_t drift_ppm;
};

static struct control right;
static struct control *control = &right;
static int (*real_gettime)(clockid_t, struct timespec *);
static int64_t drift_ppm;
static int64_t since[16]; /* the monotonic clocks when the process began */

static int64_t read_ns(clockid_t clock)
{
    struct timespec now = {0};
    real_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

static struct timespec to_timespec(int64_t ns)
{
    int64_t rest = ns % SECOND;
    if (rest < 0)
        rest += SECOND;
    return (struct timespec){.tv_sec = (time_t)((ns - rest) / SECOND), .tv_nsec = (long)rest};
}

static bool drifts(clockid_t clock)
{
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}

__attribute__((constructor)) static void begin(void)
{
    if (real_gettime)
        return;
    *(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (!real_gettime)
        _exit(127);
    const char *path = getenv("FLOTILLA_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size >= (off_t)sizeof *control) {
        void *map = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED)
            control = map;
    }
    if (fd >= 0)
        close(fd);
    drift_ppm = atomic_load(&control->drift_ppm);
    for (clockid_t clock = 0; clock < 16; clock++)
        if (drifts(clock))
            since[clock] = read_ns(clock);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    begin();
    int failed = real_gettime(clock, now);
    if (failed)
        return failed;
    int64_t ns = (int64_t)now->tv_sec * SECOND + now->tv_nsec;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        *now = to_timespec(ns + atomic_load(&control->ahead_ns));
    else if (drift_ppm && drifts(clock))
        *now = to_timespec(ns + (ns - since[clock]) / 1000 * drift_ppm / 1000);
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    *now = (struct timeval){.tv_sec = exact.tv_sec, .tv_usec = exact.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    if (base != TIME_UTC)
        return 0;
    clock_gettime(CLOCK_REALTIME, now);
    return base;
}
