/* Private to net/: counters for INFO.
 *
 * Time per command: the shard executes commands in runs, between the first reply of a part of a
 * turn and the end of that part. One look at the clock at each end, the time shared out among the
 * commands of the run, costs nothing per command; the sum is right, a single short command's share
 * is an estimate. */
#ifndef FLOTILLA_NET_STATISTICS_H
#define FLOTILLA_NET_STATISTICS_H

#include "net/net.h"

enum {
    NET_ERROR_CODES = 128, /* distinct ones that are counted, as in Redis */
    NET_ERROR_CODE_MAX = 32,
    NET_SAMPLES = 16, /* of the rates, one per 100 ms, as in Redis */
    NET_SAMPLE_MS = 100,
};

struct net_error_count {
    char code[NET_ERROR_CODE_MAX];
    size_t len;
    uint64_t count;
};

struct net_rate {
    uint64_t samples[NET_SAMPLES];
    uint64_t last;
};

struct net_statistics {
    struct net_command_stats *commands; /* by id */
    uint32_t *turn_calls;               /* by id: since the window was opened … */
    uint16_t *turn_ids;                 /* … and which those are */
    size_t turn_id_count;
    uint64_t turn_total;
    int64_t window_us;  /* when it was opened; 0: it is not */
    bool error_counted; /* which the command replied that was just executed */
    struct net_error_count errors[NET_ERROR_CODES];
    size_t error_codes;
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t commands_processed;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t io_reads; /* by I/O threads */
    uint64_t io_writes;
    uint64_t error_replies;
    uint64_t query_buffer_limit_disconnections;
    uint64_t output_buffer_limit_disconnections;
    struct net_rate operations;
    struct net_rate input;
    struct net_rate output;
    size_t next_sample;
    uint64_t sampled_ms;
};

void net_stats_init(struct net *net);
void net_stats_close(struct net *net);
void net_stats_open_window(struct net *net);
void net_stats_close_window(struct net *net);
void net_stats_executed(struct net *net, const struct command *command, bool error);
void net_stats_error(struct net *net, const char *reply, size_t len);
void net_stats_rejected(struct net *net, const struct command *command);
void net_stats_tick(struct net *net);

#endif
