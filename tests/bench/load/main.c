/* flotilla-load: requests at a fixed rate or as fast as the replies come, and what became of them.
 * See options.c for how it is called, load.h for what it does, README.md for what it prints. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/buf.h"
#include "bench/load/load.h"
#include "bench/load/report.h"

volatile sig_atomic_t load_stops;

void host_fatal(const char *file, int line, const char *message)
{
    fprintf(stderr, "flotilla-load: %s:%d: %s\n", file, line, message);
    abort();
}

static void stop(int signal_number)
{
    (void)signal_number;
    load_stops = 1;
}

int main(int argc, char **argv)
{
    static struct options options;
    static struct results results;
    options_parse(&options, argc, argv);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!load_run(&options, &results))
        return 1;
    struct buf out = {0};
    report_add(&out, &options, &results);
    bool ok = fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_close(&out);
    return ok ? 0 : 1;
}
