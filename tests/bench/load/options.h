/* What the command line asks for. */
#ifndef FLOTILLA_BENCH_OPTIONS_H
#define FLOTILLA_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/keys.h"
#include "bench/load/protocol.h"

struct options {
    const char *nodes; /* host:port,… */
    const char *password;
    enum protocol protocol;
    enum request_kind write_kind;
    enum key_order order;
    double exponent; /* of Zipf */
    double reads;    /* percent */
    double rate;     /* requests a second; 0: as many as the replies allow */
    double seconds;
    double warmup_seconds;
    double connect_seconds; /* how long nobody may be reached */
    double drain_seconds;   /* how long replies are waited for behind the end */
    uint64_t requests;      /* 0: those of `seconds` */
    uint64_t keys;
    uint64_t seed;
    size_t value_bytes_min;
    size_t value_bytes_max;
    unsigned connections;
    unsigned pipeline;
    double gap_ms; /* shorter gaps in acknowledged writes are not listed */
};

/* Prints what is wrong and ends the process, with 2. */
void options_parse(struct options *options, int argc, char **argv);

#endif
