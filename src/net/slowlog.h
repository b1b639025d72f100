/* Private to net/: commands that took long, for SLOWLOG and for the log.
 *
 * The shard executes many commands in a run. The clock is read once for each, at its end, which is
 * the beginning of the next. What clients of other nodes asked for ends the run, because nobody
 * here answers for the time that it takes. Unless the limit is short that is a coarse clock, whose
 * steps of a few milliseconds cost next to nothing. */
#ifndef FLOTILLA_NET_SLOWLOG_H
#define FLOTILLA_NET_SLOWLOG_H

#include "net/connection.h"

enum { SLOWLOG_ARGS_MAX = 32, SLOWLOG_ARG_BYTES = 128, SLOWLOG_COARSE_US = 10 * 1000 };

struct slow_command {
    uint64_t id;
    int64_t at_s; /* wall clock */
    uint64_t took_us;
    struct buf args; /* as a RESP array */
    char address[NET_ADDRESS_MAX];
    char *name; /* NULL: none */
};

struct net_slowlog {
    struct slow_command *entries; /* the oldest first */
    size_t count;
    size_t cap;
    uint64_t next_id;
    struct shard_client client; /* whose request is being carried out */
    bool running;               /* started_us is when the command before this one ended */
    bool coarse; /* the clock of started_us; a transaction may change the limit amid a run */
    uint64_t started_us;
    uint64_t least_us; /* shorter commands concern nobody */
};

/* A command of this client comes next. */
void net_slowlog_begin(struct net *net, struct shard_client client);
void net_slowlog_end_run(struct net *net); /* something else comes next */
/* A command has ended now: is it worth a line? */
void net_slowlog_executed(struct net *net, const struct command *command, const struct span *args,
                          size_t argc);
/* It is known how long it took. */
void net_slowlog_took(struct net *net, struct shard_client client, const struct command *command,
                      const struct span *args, size_t argc, uint64_t took_us);
void net_slowlog_close(struct net *net);
void net_slowlog_set_limits(struct net *net); /* after a change of the settings */

#endif
