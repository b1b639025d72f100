/* The only place that knows everything: configuration, wiring, signals, shutdown. Nobody includes
 * this header but server/. */
#ifndef FLOTILLA_SERVER_SERVER_H
#define FLOTILLA_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "cluster/cluster.h"
#include "command/command.h"
#include "config/config.h"
#include "net/net.h"
#include "peer/peer.h"
#include "shard/shard.h"

struct event_base;

#define FLOTILLA_VERSION       "0.1.0"
#define FLOTILLA_REDIS_VERSION "7.2.4" /* whose behaviour the commands follow */

struct server {
    struct config config;
    char config_path[1024]; /* absolute; empty: none */
    struct log log;
    struct cluster cluster;
    struct command_table *table;
    struct event_base *base;
    struct net *net;
    struct peers *peers;
    struct shard *shards[1]; /* one today */
    struct platform_disk *disk;
    char run_id[41];
    int64_t start_wall_ms;
    bool stopping;
    int exit_status;
};

#endif
