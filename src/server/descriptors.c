/* Descriptors: clients get what the system allows, less what the node needs for itself. Without the
 * reserve a crowd of clients would keep it from opening the next segment of its log, a snapshot or
 * a connection to another node. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "net/net.h"
#include "server/server.h"

enum {
    /* Standard streams, lock, event loop, signals, disk thread, resolver; the log's files and a
     * snapshot, each being written and being read. */
    OWN_DESCRIPTORS = 32,
    /* Both directions, the urgent connection, and one that is being replaced. */
    DESCRIPTORS_PER_NODE = 4,
    /* To wait for its sockets, and to be woken. */
    DESCRIPTORS_PER_IO_THREAD = 2,
    /* To wake the loop; clients that have gone, until their threads have closed them. */
    DESCRIPTORS_FOR_IO_THREADS = 1 + 128,
};

/* Each port may have as many clients as maxclients says. */
static rlim_t doors(const struct config *config)
{
    return config->sentinel_port ? 2 : 1;
}

/* Who knows only seeds does not know yet how many nodes there are. */
static rlim_t for_nodes(const struct server *server)
{
    if (config_seeks(&server->config))
        return DESCRIPTORS_PER_NODE * (RAFT_MEMBERS_MAX - 1) + PEER_CONTACTS_MAX + PEER_CALLERS_MAX;
    return DESCRIPTORS_PER_NODE * (rlim_t)(server->cluster.count - 1);
}

static rlim_t for_io_threads(const struct config *config)
{
    rlim_t others = (rlim_t)config->io_threads - 1;
    return others ? others * DESCRIPTORS_PER_IO_THREAD + DESCRIPTORS_FOR_IO_THREADS : 0;
}

static rlim_t for_http(const struct config *config)
{
    if (config->http_port == 0)
        return 0;
    return http_descriptors((uint32_t)config->http_max_connections) + (rlim_t)config->bind_count;
}

static rlim_t reserved(const struct server *server)
{
    const struct config *config = &server->config;
    return OWN_DESCRIPTORS + NET_RESERVED + for_nodes(server) + for_io_threads(config) +
           for_http(config) + doors(config) * (rlim_t)config->bind_count +
           (config->unixsocket[0] != 0);
}

int server_clients_that_fit(const struct server *server, int wanted)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted * doors(&server->config) + reserved(server);
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed)
        return wanted;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit))
        return wanted;
    if (limit.rlim_cur >= needed)
        return wanted;
    if (limit.rlim_cur <= reserved(server))
        return 0;
    return (int)((limit.rlim_cur - reserved(server)) / doors(&server->config));
}

/* As Redis: rather fewer clients than none. */
enum err server_fit_descriptors(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    int wanted = server->config.maxclients;
    int fits = server_clients_that_fit(server, wanted);
    if (fits == 0) {
        snprintf(message, SERVER_MESSAGE_MAX,
                 "too few descriptors: the node needs %" PRIu64
                 " for itself, and the system allows no more (ulimit -n)",
                 (uint64_t)reserved(server));
        return ERR_NO_DESCRIPTORS;
    }
    if (fits < wanted)
        log_line(
            &server->log, LOG_WARNING,
            "maxclients %d needs more descriptors than the system allows (ulimit -n), as %" PRIu64
            " are kept for the node itself; it is %d now",
            wanted, (uint64_t)reserved(server), fits);
    server->config.maxclients = fits;
    return ERR_NONE;
}
