/* What a start would stumble over, found without starting: --check-config. And what an operator
 * should know of a configuration that works: both say it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/net.h"
#include "platform/files.h"
#include "server/server.h"

static enum err fail(char *message, const char *what, const char *subject, int error)
{
    snprintf(message, SERVER_MESSAGE_MAX, "%s '%.500s': %s", what, subject, strerror(error));
    return platform_err(error);
}

/* The folder that holds it; allocated. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    char *parent = mem_alloc(len + 2);
    memcpy(parent, len ? path : ".", len ? len : 1);
    parent[len ? len : 1] = '\0';
    return parent;
}

/* 0, or why no file can be made in the folder. A folder that is missing would be made: then it is
 * up to the nearest one above that is there. */
static int why_not_in(const char *folder, bool may_make)
{
    struct stat status;
    if (stat(folder, &status) == 0) {
        if (!S_ISDIR(status.st_mode))
            return ENOTDIR;
        return access(folder, W_OK | X_OK) ? errno : 0;
    }
    if (errno != ENOENT || !may_make || strcmp(folder, ".") == 0)
        return errno;
    char *parent = parent_of(folder);
    int error = why_not_in(parent, true);
    mem_free(parent);
    return error;
}

/* 0, or why the file cannot be written or made. */
static int why_not_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return EISDIR;
        return access(path, W_OK) ? errno : 0;
    }
    char *parent = parent_of(path);
    int error = why_not_in(parent, false);
    mem_free(parent);
    return error;
}

enum err server_open_logfile(const struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const char *path = server->config.logfile;
    if (path[0] == '\0')
        return ERR_NONE;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail(message, "cannot open logfile", path, errno);
    close(fd);
    return ERR_NONE;
}

static enum err check_addresses(const struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const struct config *config = &server->config;
    /* This node is running: its addresses are in use by itself. */
    bool runs = platform_folder_is_in_use(config->dir);
    for (size_t i = 0; i < config->bind_count && config->port; i++) {
        enum err err = net_can_bind(config->bind[i], (uint16_t)config->port, message);
        if (!err && config->sentinel_port)
            err = net_can_bind(config->bind[i], (uint16_t)config->sentinel_port, message);
        if (!err && config->http_port)
            err = net_can_bind(config->bind[i], (uint16_t)config->http_port, message);
        if (err && !(runs && err == ERR_BUSY))
            return err;
    }
    return ERR_NONE;
}

enum err server_check_places(const struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const struct config *config = &server->config;
    int error = why_not_in(config->dir, true);
    if (error)
        return fail(message, "cannot use data folder", config->dir, error);
    error = config->backup_dir[0] ? why_not_in(config->backup_dir, true) : 0;
    if (error)
        return fail(message, "cannot use backup-dir", config->backup_dir, error);
    if (server_backup_check(server, message))
        return ERR_INVALID;
    error = config->logfile[0] ? why_not_file(config->logfile) : 0;
    if (error)
        return fail(message, "cannot open logfile", config->logfile, error);
    error = config->unixsocket[0] ? why_not_file(config->unixsocket) : 0;
    if (error)
        return fail(message, "could not bind", config->unixsocket, error);
    return check_addresses(server, message);
}

/* --- hints --- */

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

static bool listens_only_to_itself(const struct config *config)
{
    for (size_t i = 0; i < config->bind_count; i++)
        if (!is_loopback(config->bind[i] + (config->bind[i][0] == '-')))
            return false;
    return true;
}

/* The address in cluster-nodes is where others reach the node. A container or a forwarder may map
 * it to another port or host, so that a difference is a fault only if there is none. */
static void hint_at_address(const struct server *server, const struct log *log)
{
    const struct config *config = &server->config;
    const struct cluster_node *self = cluster_find(&server->cluster, server->self);
    if (!self || server->cluster.count == 1)
        return;
    if (config->port != self->port)
        log_line(log, LOG_WARNING,
                 "port is %d, but cluster-nodes says that node %" PRIu64
                 " is reached at port %u: unless something forwards that port to this one, no "
                 "other node reaches it, and it waits for a leader for ever",
                 config->port, self->id, (unsigned)self->port);
    if (!is_loopback(self->host) && listens_only_to_itself(config))
        log_line(
            log, LOG_WARNING,
            "bind has only addresses of this machine, but cluster-nodes says that node %" PRIu64
            " is reached at %s: unless something forwards that address to this one, no other "
            "node reaches it",
            self->id, self->host);
}

static void hint_at_size(const struct server *server, const struct log *log)
{
    size_t count = server->cluster.count;
    if (count == 2)
        log_line(log, LOG_WARNING,
                 "a cluster of two nodes survives the loss of neither: both are needed for every "
                 "write and every read; three go on while one is down");
    else if (count > 2 && count % 2 == 0)
        log_line(log, LOG_WARNING,
                 "a cluster of %zu nodes survives the loss of %zu, as one of %zu nodes does; %zu "
                 "nodes survive the loss of %zu",
                 count, (count - 1) / 2, count - 1, count + 1, count / 2);
}

void server_give_hints(const struct server *server, const struct log *log)
{
    hint_at_address(server, log);
    hint_at_size(server, log);
    const char *pidfile = server->config.pidfile;
    int error = pidfile[0] ? why_not_file(pidfile) : 0;
    if (error)
        log_line(log, LOG_WARNING, "cannot write pidfile '%s': %s", pidfile, strerror(error));
}
