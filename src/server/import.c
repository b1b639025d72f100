#include "server/import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "import/import.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/files.h"
#include "server/server.h"
#include "shard/bootstrap.h"
#include "storage/identity.h"

enum { PIECE_BYTES = 1024 * 1024, PROGRESS_MS = 2000 };

/* Reading under way. */
struct reading {
    struct server *server;
    struct import *import;
    struct import_files files;
    uint64_t done;
    uint64_t said_ms;
    bool truncated_allowed; /* aof-load-truncated */
    char *piece;
    char *message;
};

static void say_progress(struct reading *reading)
{
    uint64_t now_ms = platform_mono_us() / 1000;
    if (now_ms < reading->said_ms + PROGRESS_MS || reading->files.bytes == 0)
        return;
    reading->said_ms = now_ms;
    log_line(&reading->server->log, LOG_NOTICE, "import: %.0f%% read, %zu keys",
             100.0 * (double)reading->done / (double)reading->files.bytes,
             databases_count(import_databases(reading->import)));
}

static enum err fail_reading(struct reading *reading, const char *path, enum err err)
{
    snprintf(reading->message, SERVER_MESSAGE_MAX, "--import: cannot read '%.300s': %s", path,
             err_text(err));
    return err;
}

static enum err fail_import(struct reading *reading, enum err err)
{
    snprintf(reading->message, SERVER_MESSAGE_MAX, "--import: %s", import_message(reading->import));
    return err;
}

static enum err feed_file(struct reading *reading, int fd, const char *path)
{
    for (;;) {
        ssize_t got = read(fd, reading->piece, PIECE_BYTES);
        if (got == 0)
            return ERR_NONE;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_reading(reading, path, platform_err(errno));
        reading->done += (uint64_t)got;
        enum err err = import_feed(reading->import, span_of(reading->piece, (size_t)got));
        if (err)
            return fail_import(reading, err);
        say_progress(reading);
    }
}

static enum err read_one(struct reading *reading, size_t position)
{
    const char *path = reading->files.paths[position];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_reading(reading, path, platform_err(errno));
    import_begin(reading->import, path);
    enum err err = feed_file(reading, fd, path);
    close(fd);
    if (err)
        return err;
    uint64_t torn;
    bool last = position + 1 == reading->files.count;
    err = import_end(reading->import, last && reading->truncated_allowed, &torn);
    if (err)
        return fail_import(reading, err);
    if (torn)
        log_line(&reading->server->log, LOG_WARNING,
                 "import: '%.300s' ends within a command or transaction: its last %" PRIu64
                 " bytes are left out (aof-load-truncated yes)",
                 path, torn);
    return ERR_NONE;
}

static enum err judge_content(struct reading *reading)
{
    if (import_refused(reading->import) == 0)
        return ERR_NONE;
    struct buf list = {0};
    import_describe_refused(reading->import, &list);
    snprintf(reading->message, SERVER_MESSAGE_MAX, "cannot import: %.*s", (int)list.len, list.ptr);
    buf_close(&list);
    return ERR_INVALID;
}

static enum err read_files(struct reading *reading)
{
    struct server *server = reading->server;
    char why[512];
    enum err err = import_files_find(&reading->files, server->import_path, why);
    if (err)
        snprintf(reading->message, SERVER_MESSAGE_MAX, "--import: %s", why);
    if (!err)
        log_line(&server->log, LOG_NOTICE, "import: reading '%.300s', %" PRIu64 " bytes",
                 server->import_path, reading->files.bytes);
    for (size_t i = 0; !err && i < reading->files.count; i++)
        err = read_one(reading, i);
    return err ? err : judge_content(reading);
}

static enum err read_data(struct server *server, char *message)
{
    const struct import_options options = {.table = server->table,
                                           .hash_seed = platform_random(),
                                           .databases = (unsigned)server->config.databases,
                                           .bulk_len_max = server->config.proto_max_bulk_len};
    struct reading reading = {.server = server,
                              .import = import_new(&options),
                              .said_ms = platform_mono_us() / 1000,
                              .truncated_allowed = server->config.aof_load_truncated,
                              .piece = mem_alloc(PIECE_BYTES),
                              .message = message};
    enum err err = read_files(&reading);
    import_files_close(&reading.files);
    mem_free(reading.piece);
    if (err) {
        import_free(reading.import);
        return err;
    }
    server->import = reading.import;
    const struct databases *databases = import_databases(server->import);
    uint64_t digest = databases_digest(databases);
    server->import_mark = digest ? digest : 1;
    log_line(&server->log, LOG_NOTICE, "import: %zu keys, %zu of them with a time to live",
             databases_count(databases), databases_count_with_deadline(databases));
    return ERR_NONE;
}

static enum err refuse_data(const struct server *server, char *message)
{
    snprintf(message, SERVER_MESSAGE_MAX,
             "data folder '%.300s' is not empty: --import is for a new cluster",
             server->config.dir);
    return ERR_EXISTS;
}

/* Empty, or of a node that has stored the founders' record and stopped before it had the data. */
enum err server_read_import(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    if (!server->import_path)
        return ERR_NONE;
    char folder[sizeof server->config.dir + 16];
    struct storage_options options = server_storage_options(server, folder, sizeof folder);
    struct cluster_identity identity;
    struct storage_peek peek;
    enum err err =
        storage_identity_load(&server->disk_port, server->config.dir, &identity, message);
    bool fresh = err == ERR_NOT_FOUND;
    if (fresh)
        err = ERR_NONE;
    if (!err)
        err = storage_peek(&server->disk_port, &options, &peek, message);
    if (err)
        return err;
    if (!fresh && identity.begin == CLUSTER_FOUNDING && identity.founders.mark && !peek.empty)
        return ERR_NONE; /* it was done before the cluster began */
    if (!peek.empty || (!fresh && (identity.begin == CLUSTER_BEGUN || identity.has_log)))
        return refuse_data(server, message);
    err = read_data(server, message);
    if (err || fresh || identity.begin == CLUSTER_EMPTY ||
        identity.founders.mark == server->import_mark)
        return err;
    snprintf(message, SERVER_MESSAGE_MAX,
             "--import: the cluster that this node founds begins with other data, or with none");
    return ERR_INVALID;
}

/* Sleeps until the disk has done something. */
static enum err wait_for_disk(struct server *server, struct shard_bootstrap *bootstrap,
                              char message[512])
{
    struct pollfd wake = {.fd = platform_disk_fd(server->disk), .events = POLLIN};
    poll(&wake, 1, -1);
    platform_disk_woken(server->disk);
    struct disk_completion completion;
    enum err err = ERR_NONE;
    while (!err && platform_disk_take(server->disk, &completion))
        err = shard_bootstrap_completed(bootstrap, &completion, message);
    return err;
}

enum err server_write_import(struct server *server, char message[512])
{
    if (!server->import)
        return ERR_NONE;
    char folder[sizeof server->config.dir + 16];
    struct raft_membership membership;
    cluster_founders_membership(&server->identity.founders, &membership);
    struct shard_bootstrap_options options = {
        .storage = server_storage_options(server, folder, sizeof folder),
        .membership = &membership,
        .databases = import_databases(server->import),
        .disk = &server->disk_port};
    options.identity = options.storage.identity;
    struct shard_bootstrap *bootstrap;
    enum err err = shard_bootstrap_begin(&options, &bootstrap, message);
    while (!err && !shard_bootstrap_is_done(bootstrap)) {
        server_watchdog_tick(server, platform_mono_us() / 1000);
        err = shard_bootstrap_drive(bootstrap, message);
        if (!err)
            err = wait_for_disk(server, bootstrap, message);
    }
    if (err)
        return err; /* the process ends: the log thread may still use what the bootstrap has open */
    shard_bootstrap_free(bootstrap);
    import_free(server->import);
    server->import = NULL;
    log_line(&server->log, LOG_NOTICE, "import: written to '%.300s'", folder);
    return ERR_NONE;
}
