#include "server/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/storage.h"

enum { ATTEMPTS_MAX = 5, CLUSTER_ID_SHOWN = 8 };

const char *server_backup_state_name(enum backup_state state)
{
    switch (state) {
    case BACKUP_IDLE:
        return "idle";
    case BACKUP_PREPARING:
        return "preparing";
    case BACKUP_CONFIRMING:
        return "confirming";
    case BACKUP_SNAPSHOT:
        return "snapshot";
    case BACKUP_SETTLING:
        return "settling";
    case BACKUP_COPYING:
        return "copying";
    }
    return "";
}

/* ---- names ---- */

/* "backup-<cluster>-<node>-": of this node, in this cluster. */
static void own_beginning(const struct server *server, char out[PLATFORM_BACKUP_NAME_MAX + 1])
{
    snprintf(out, PLATFORM_BACKUP_NAME_MAX + 1, "backup-%.*s-%" PRIu64 "-", CLUSTER_ID_SHOWN,
             server->cluster.cluster_id, server->self);
}

/* Names in order are entries in order, then times. */
static void give_name(struct server *server, char out[PLATFORM_BACKUP_NAME_MAX + 1])
{
    char beginning[PLATFORM_BACKUP_NAME_MAX + 1];
    char when[40] = "";
    struct tm parts;
    int64_t wall_ms = server_now(server).wall_ms;
    time_t seconds = (time_t)(wall_ms / 1000);
    own_beginning(server, beginning);
    if (gmtime_r(&seconds, &parts))
        strftime(when, sizeof when, "%Y%m%dT%H%M%S", &parts);
    snprintf(out, PLATFORM_BACKUP_NAME_MAX + 1, "%.100s%020" PRIu64 "-%.30s.%03dZ.rdb", beginning,
             server->backup->snapshot.index, when, (int)(wall_ms % 1000));
}

/* ---- the end of one ---- */

static struct backup_done *end(struct server *server)
{
    struct backup *backup = server->backup;
    struct backup_done *done = &backup->last;
    struct shard_time now = server_now(server);
    *done = (struct backup_done){
        .id = backup->id, .took_ms = now.mono_ms - backup->began_ms, .ended_wall_ms = now.wall_ms};
    memcpy(done->name, backup->name, sizeof done->name);
    backup->state = BACKUP_IDLE;
    return done;
}

/* The text is an error reply. */
static void fail(struct server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct server *server, const char *format, ...)
{
    struct backup_done *done = end(server);
    va_list args;
    va_start(args, format);
    vsnprintf(done->error, sizeof done->error, format, args);
    va_end(args);
    server->backup->failed++;
    log_line(&server->log, LOG_WARNING, "backup failed: %s", done->error);
}

static void succeed(struct server *server, const struct platform_backup_result *result)
{
    struct backup *backup = server->backup;
    struct machine_head head;
    if (!machine_read_head(buf_span(&result->head), &head) ||
        head.position.index != backup->snapshot.index) {
        fail(server,
             "ERR the backup '%s' was written, but it does not say that it is of entry %" PRIu64
             ", as it should: do not rely on it",
             backup->name, backup->snapshot.index);
        return;
    }
    struct backup_done *done = end(server);
    done->head = head;
    done->bytes = backup->snapshot.bytes;
    done->removed = result->removed;
    backup->written++;
    log_line(&server->log, LOG_NOTICE,
             "backup '%s': entry %" PRIu64 ", term %" PRIu64 ", %" PRIu64 " bytes; %u older ones "
             "removed",
             done->name, head.position.index, head.position.term, done->bytes, done->removed);
    if (result->stuck)
        log_line(&server->log, LOG_WARNING, "backup '%s': %s", done->name, result->why);
}

/* ---- the steps ---- */

void server_backup_begin(struct server *server, struct span name)
{
    struct backup *backup = server->backup;
    ASSERT(backup->state == BACKUP_IDLE && name.len <= PLATFORM_BACKUP_NAME_MAX);
    backup->state = BACKUP_PREPARING;
    backup->id++;
    backup->is_named = name.len > 0;
    memcpy(backup->name, name.ptr, name.len);
    backup->name[name.len] = '\0';
    backup->began_ms = server_now(server).mono_ms;
    backup->began_snapshot = false;
    backup->attempts = 0;
    struct platform_backup_job job = {
        .kind = PLATFORM_BACKUP_PREPARE,
        .id = backup->id,
        .bytes = storage_status(shard_storage(server_group(server))).snapshot.bytes,
        .keep_free_bytes = server->config.raft_disk_reserve_bytes};
    memcpy(job.name, backup->name, sizeof job.name);
    platform_backups_begin(backup->folder, &job);
    shard_set_goal(server_group(server), server_now(server));
}

static void confirm(struct server *server)
{
    struct backup *backup = server->backup;
    uint64_t until_ms = backup->began_ms + (uint64_t)server->config.leader_wait_ms;
    switch (shard_goal_state(server_group(server))) {
    case SHARD_GOAL_REACHED:
        backup->wanted_index = shard_applied_index(server_group(server));
        backup->state = BACKUP_SNAPSHOT;
        return;
    case SHARD_GOAL_REFUSED:
        fail(server, "%s", SHARD_IS_DISPUTED);
        return;
    case SHARD_GOAL_WAITS:
        if (server_now(server).mono_ms >= until_ms)
            fail(server, "CLUSTERDOWN no leader has said within leader-wait-ms what this node has "
                         "to have: a backup might lack what was acknowledged");
        return;
    }
}

/* An own attempt that ended without a snapshot: entries that it was to hold were replaced, or the
 * node has just joined. */
static void make_snapshot(struct server *server)
{
    struct backup *backup = server->backup;
    struct shard *shard = server_group(server);
    struct shard_stats stats = shard_stats(shard);
    bool failed = backup->began_snapshot && stats.snapshots_failed != backup->snapshots_failed;
    if (failed && stats.snapshot_err) {
        fail(server, "ERR the snapshot for the backup could not be written: %s",
             err_text(stats.snapshot_err));
        return;
    }
    const struct storage *storage = shard_storage(shard);
    if (!storage_has_room(storage, storage_status(storage).snapshot.bytes)) {
        fail(server, "ERR the disk of dir has no room for the snapshot that the backup needs: "
                     "raft-disk-reserve-bytes stay free");
        return;
    }
    if (backup->attempts == ATTEMPTS_MAX) {
        fail(server, "ERR no snapshot came about for the backup, in %d attempts: try again",
             ATTEMPTS_MAX);
        return;
    }
    backup->attempts++;
    backup->began_snapshot = true;
    backup->snapshots_failed = stats.snapshots_failed;
    shard_snapshot(shard, server_now(server));
}

static void await_snapshot(struct server *server)
{
    struct backup *backup = server->backup;
    struct shard *shard = server_group(server);
    struct storage_status status = storage_status(shard_storage(shard));
    if (status.snapshot.index >= backup->wanted_index && status.snapshot.index) {
        backup->snapshot = status.snapshot;
        backup->ticket = storage_last_ticket(shard_storage(shard));
        backup->state = BACKUP_SETTLING;
    } else if (!shard_snapshot_goes_on(shard)) {
        make_snapshot(server);
    }
}

/* The descriptor is the thread's from here on: another snapshot may take the place of this one
 * meanwhile. */
static void copy(struct server *server)
{
    struct backup *backup = server->backup;
    int file = storage_snapshot_file(shard_storage(server_group(server)));
    struct platform_backup_job job = {.kind = PLATFORM_BACKUP_COPY,
                                      .bytes = backup->snapshot.bytes,
                                      .keep_free_bytes = server->config.raft_disk_reserve_bytes};
    ASSERT(file != DISK_NO_FILE);
    job.source = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (job.source < 0) {
        fail(server, "ERR the snapshot for the backup cannot be opened: %s", strerror(errno));
        return;
    }
    if (!backup->is_named) {
        give_name(server, backup->name);
        own_beginning(server, job.own);
        job.keep = (unsigned)server->config.backup_keep;
    }
    memcpy(job.name, backup->name, sizeof job.name);
    platform_backups_begin(backup->folder, &job);
    backup->state = BACKUP_COPYING;
}

static void settle(struct server *server)
{
    struct backup *backup = server->backup;
    const struct storage *storage = shard_storage(server_group(server));
    if (storage_status(storage).snapshot.index != backup->snapshot.index)
        backup->state = BACKUP_SNAPSHOT; /* there is a newer one by now */
    else if (storage_completed_ticket(storage) >= backup->ticket)
        copy(server);
}

void server_backup_tick(struct server *server)
{
    if (!server->backup)
        return;
    switch (server->backup->state) {
    case BACKUP_IDLE:
    case BACKUP_PREPARING:
    case BACKUP_COPYING:
        return; /* the thread says when */
    case BACKUP_CONFIRMING:
        confirm(server);
        return;
    case BACKUP_SNAPSHOT:
        await_snapshot(server);
        return;
    case BACKUP_SETTLING:
        settle(server);
        return;
    }
}

/* ---- what the thread says ---- */

static void take_prepared(struct server *server, const struct platform_backup_result *result)
{
    struct backup *backup = server->backup;
    bool for_backup = result->id != 0; /* else it is from the start of the process */
    ASSERT(!for_backup || (backup->state == BACKUP_PREPARING && result->id == backup->id));
    if (for_backup && result->err)
        fail(server, "ERR the backup cannot be written: %s", result->why);
    else if (for_backup)
        backup->state = BACKUP_CONFIRMING;
    else if (result->err)
        log_line(&server->log, LOG_WARNING, "backup-dir: %s", result->why);
}

static void take(struct server *server, struct platform_backup_result *result)
{
    struct backup *backup = server->backup;
    switch (result->kind) {
    case PLATFORM_BACKUP_PREPARE:
        take_prepared(server, result);
        break;
    case PLATFORM_BACKUP_COPY:
        ASSERT(backup->state == BACKUP_COPYING);
        if (result->err)
            fail(server, "ERR the backup could not be written: %s", result->why);
        else
            succeed(server, result);
        break;
    case PLATFORM_BACKUP_LIST:
        backup->lists_done++;
        platform_backup_result_close(&backup->list);
        backup->list = *result;
        return; /* it owns the files now */
    }
    platform_backup_result_close(result);
}

static void on_result(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct server *server = context;
    struct platform_backup_result result;
    while (platform_backups_take(server->backup->folder, &result))
        take(server, &result);
}

void server_backup_ask_list(struct server *server)
{
    struct platform_backup_job job = {.kind = PLATFORM_BACKUP_LIST};
    server->backup->lists_asked++;
    platform_backups_begin(server->backup->folder, &job);
}

/* ---- start and end ---- */

/* What links lead to, of the part of the absolute path that is there. Of malloc(). */
static char *real_part(const char *path)
{
    char part[CONFIG_TEXT_MAX];
    snprintf(part, sizeof part, "%s", path);
    char *real = realpath(part, NULL);
    for (char *slash; !real && (slash = strrchr(part, '/')) != NULL && slash != part;) {
        *slash = '\0';
        real = realpath(part, NULL);
    }
    return real;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Whether `path` is `folder` or below it, also by way of links. Either may be missing. */
static bool is_within(const char *path, const char *folder)
{
    if (is_below(path, folder))
        return true;
    char *real = real_part(path);
    char *real_folder = realpath(folder, NULL);
    bool within = real && real_folder && is_below(real, real_folder);
    free(real);
    free(real_folder);
    return within;
}

enum err server_backup_check(const struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const struct config *config = &server->config;
    if (!config->backup_dir[0] || !is_within(config->backup_dir, config->dir))
        return ERR_NONE;
    snprintf(message, SERVER_MESSAGE_MAX,
             "backup-dir '%.500s' is within dir '%.500s': who empties that folder, as one does to "
             "let a node begin anew, would remove the backups with it",
             config->backup_dir, config->dir);
    return ERR_INVALID;
}

enum err server_backup_open(struct server *server, char message[SERVER_MESSAGE_MAX])
{
    const char *folder = server->config.backup_dir;
    char temporary[PLATFORM_BACKUP_NAME_MAX + 1];
    if (!folder[0])
        return ERR_NONE;
    struct backup *backup = mem_zalloc(sizeof *backup);
    snprintf(temporary, sizeof temporary, ".backup-%016" PRIx64 ".tmp",
             server->identity.incarnation);
    enum err err = platform_backups_open(folder, temporary, &backup->folder);
    if (err)
        snprintf(message, SERVER_MESSAGE_MAX, "cannot use backup-dir '%.500s': %s", folder,
                 err_text(err));
    else
        err = server_backup_check(server, message);
    if (err) {
        platform_backups_close(backup->folder);
        mem_free(backup);
        return err;
    }
    backup->event = event_new(server->base, platform_backups_fd(backup->folder),
                              EV_READ | EV_PERSIST, on_result, server);
    event_add(backup->event, NULL);
    server->backup = backup;
    /* What a crash has left of one that was not complete goes. */
    platform_backups_begin(backup->folder,
                           &(struct platform_backup_job){.kind = PLATFORM_BACKUP_PREPARE});
    return ERR_NONE;
}

void server_backup_close(struct server *server)
{
    struct backup *backup = server->backup;
    if (!backup)
        return;
    event_free(backup->event);
    platform_backups_close(backup->folder);
    platform_backup_result_close(&backup->list);
    mem_free(backup);
    server->backup = NULL;
}
