/* RAFT.BACKUP. Clients name files directly in backup-dir and nothing else: whoever reaches the port
 * must not be able to write anywhere else, over anything, or under a name that means something to
 * another program. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/backup.h"

#define OFF "ERR there are no backups: backup-dir is not set"

/* ---- clients that wait ---- */

static bool wait_is_over(void *context)
{
    const struct backup_wait *wait = context;
    const struct backup *backup = wait->backup;
    return (wait->for_list ? backup->lists_done : backup->last.id) >= wait->wanted;
}

/* That of the client, or one that is free, or else one whose client has gone: it would have been
 * answered. */
static struct backup_wait *wait_of(struct backup *backup, const struct client *client)
{
    struct backup_wait *free = NULL;
    for (size_t i = 0; i < BACKUP_WAITS_MAX; i++) {
        struct backup_wait *wait = &backup->waits[i];
        if (wait->client == client)
            return wait;
        if (!wait->client || (!free && wait_is_over(wait)))
            free = wait;
    }
    return free;
}

static void wake_up(struct backup *backup, const struct client *client)
{
    struct backup_wait *wait = wait_of(backup, client);
    if (wait && wait->client == client)
        wait->client = NULL;
}

/* NULL: the reply says that there are too many. */
static struct backup_wait *begin_to_wait(struct backup *backup, const struct server_call *call)
{
    struct backup_wait *wait = wait_of(backup, call->client);
    if (!wait)
        resp_error(call->reply, "ERR too many clients wait for backups: try again");
    return wait;
}

static void go_to_sleep(struct backup *backup, const struct server_call *call,
                        struct backup_wait wait)
{
    struct backup_wait *place = wait_of(backup, call->client);
    *place = wait;
    place->backup = backup;
    place->client = call->client;
    net_client_wait(call->client, wait_is_over, place);
}

/* ---- what clients may name ---- */

static bool is_plain(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~' || name.ptr[i] == '\\')
            return false;
    return true;
}

static bool ends_in_rdb(struct span name)
{
    return name.len > 4 && memcmp(name.ptr + name.len - 4, ".rdb", 4) == 0;
}

/* Takes the folder off an absolute path in it. */
static struct span without_folder(struct span path, const char *folder)
{
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    bool within = path.len > len + 1 && memcmp(path.ptr, folder, len) == 0 && path.ptr[len] == '/';
    return within ? span_of(path.ptr + len + 1, path.len - len - 1) : path;
}

/* NULL: the file may be named so. */
static const char *name_refusal(struct span name)
{
    if (name.len && name.ptr[0] == '/')
        return "ERR a backup is written in backup-dir and nowhere else";
    if (memchr(name.ptr, '/', name.len))
        return "ERR backups stand directly in backup-dir: a folder cannot be named";
    if (name.len > PLATFORM_BACKUP_NAME_MAX)
        return "ERR the name of the backup is too long";
    if (!ends_in_rdb(name) || name.ptr[0] == '.' || !is_plain(name))
        return "ERR the name of a backup ends in .rdb, begins with no dot and has no spaces or "
               "special characters";
    if (span_begins_with(name, SPAN("backup-")))
        return "ERR names that begin with 'backup-' are those that nodes give, and rotate";
    return NULL;
}

/* ---- START ---- */

static void write_done(const struct backup_done *done, struct resp_writer *reply)
{
    char digest[64];
    snprintf(digest, sizeof digest, "%024d%016" PRIx64, 0, done->head.digest);
    resp_map(reply, 8);
    resp_bulk_text(reply, "file");
    resp_bulk_text(reply, done->name);
    resp_bulk_text(reply, "index");
    resp_integer(reply, (int64_t)done->head.position.index);
    resp_bulk_text(reply, "term");
    resp_integer(reply, (int64_t)done->head.position.term);
    resp_bulk_text(reply, "time-ms");
    resp_integer(reply, done->head.position.clock_ms);
    resp_bulk_text(reply, "digest");
    resp_bulk_text(reply, digest);
    resp_bulk_text(reply, "bytes");
    resp_integer(reply, (int64_t)done->bytes);
    resp_bulk_text(reply, "took-ms");
    resp_integer(reply, (int64_t)done->took_ms);
    resp_bulk_text(reply, "removed");
    resp_integer(reply, done->removed);
}

static void answer_start(struct backup *backup, const struct server_call *call)
{
    const struct backup_wait *wait = wait_of(backup, call->client);
    const struct backup_done *done = &backup->last;
    if (!wait || wait->client != call->client || wait->wanted != done->id)
        resp_error(call->reply, "UNKNOWN it is not known any more what became of the backup: see "
                                "RAFT.BACKUP LIST");
    else if (done->error[0])
        resp_error(call->reply, done->error);
    else
        write_done(done, call->reply);
}

static void start(struct server *server, const struct server_call *call)
{
    struct backup *backup = server->backup;
    struct span name = SPAN("");
    const char *refusal = NULL;
    if (call->argc == 3) {
        name = without_folder(call->args[2], server->config.backup_dir);
        refusal = name_refusal(name);
    }
    if (refusal) {
        resp_error(call->reply, refusal);
        return;
    }
    if (backup->state != BACKUP_IDLE) {
        resp_errorf(
            call->reply,
            "ERR a backup is being made already (%s): one at a time, see RAFT.BACKUP STATUS",
            server_backup_state_name(backup->state));
        return;
    }
    if (!begin_to_wait(backup, call))
        return;
    server_backup_begin(server, name);
    go_to_sleep(backup, call, (struct backup_wait){.wanted = backup->id});
}

void server_raft_backup_start(struct server *server, const struct server_call *call)
{
    if (!server->backup) {
        resp_error(call->reply, OFF);
        return;
    }
    if (call->argc > 3) {
        resp_error(call->reply, "ERR syntax error");
        return;
    }
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        start(server, call);
        return;
    case NET_WAITED:
        answer_start(server->backup, call);
        wake_up(server->backup, call->client);
        return;
    case NET_UNBLOCKED:
        wake_up(server->backup, call->client);
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK: the backup goes "
                                "on, see RAFT.BACKUP STATUS");
        return;
    }
}

/* ---- STATUS ---- */

static void write_last(const struct backup_done *last, struct resp_writer *reply)
{
    bool fine = last->id && !last->error[0];
    char digest[64] = "";
    if (fine)
        snprintf(digest, sizeof digest, "%024d%016" PRIx64, 0, last->head.digest);
    resp_bulk_text(reply, "last-status");
    resp_bulk_text(reply, !last->id ? "none" : fine ? "ok" : "err");
    resp_bulk_text(reply, "last-error");
    resp_bulk_text(reply, last->error);
    resp_bulk_text(reply, "last-file");
    resp_bulk_text(reply, last->name);
    resp_bulk_text(reply, "last-index");
    resp_integer(reply, fine ? (int64_t)last->head.position.index : 0);
    resp_bulk_text(reply, "last-digest");
    resp_bulk_text(reply, digest);
    resp_bulk_text(reply, "last-end-ms");
    resp_integer(reply, last->ended_wall_ms);
}

void server_raft_backup_status(struct server *server, const struct server_call *call)
{
    const struct backup *backup = server->backup;
    struct resp_writer *reply = call->reply;
    if (!backup) {
        resp_error(reply, OFF);
        return;
    }
    bool copies = backup->state == BACKUP_COPYING;
    bool knows_index = copies || backup->state == BACKUP_SETTLING;
    uint64_t elapsed_ms = server_now(server).mono_ms - backup->began_ms;
    resp_map(reply, 14);
    resp_bulk_text(reply, "state");
    resp_bulk_text(reply, server_backup_state_name(backup->state));
    resp_bulk_text(reply, "file");
    resp_bulk_text(reply, backup->state == BACKUP_IDLE ? "" : backup->name);
    resp_bulk_text(reply, "index");
    resp_integer(reply, knows_index ? (int64_t)backup->snapshot.index : 0);
    resp_bulk_text(reply, "bytes");
    resp_integer(reply, knows_index ? (int64_t)backup->snapshot.bytes : 0);
    resp_bulk_text(reply, "copied");
    resp_integer(reply, copies ? (int64_t)platform_backups_copied(backup->folder) : 0);
    resp_bulk_text(reply, "elapsed-ms");
    resp_integer(reply, backup->state == BACKUP_IDLE ? 0 : (int64_t)elapsed_ms);
    write_last(&backup->last, reply);
    resp_bulk_text(reply, "written");
    resp_integer(reply, (int64_t)backup->written);
    resp_bulk_text(reply, "failed");
    resp_integer(reply, (int64_t)backup->failed);
}

/* ---- LIST ---- */

static void write_file(const struct platform_backup_file *file, struct resp_writer *reply)
{
    struct machine_head head;
    char digest[64] = "";
    bool is_backup = machine_read_head(buf_span(&file->head), &head);
    if (is_backup)
        snprintf(digest, sizeof digest, "%024d%016" PRIx64, 0, head.digest);
    else
        memset(&head, 0, sizeof head);
    resp_map(reply, 6);
    resp_bulk_text(reply, "file");
    resp_bulk_text(reply, file->name);
    resp_bulk_text(reply, "index");
    resp_integer(reply, (int64_t)head.position.index);
    resp_bulk_text(reply, "term");
    resp_integer(reply, (int64_t)head.position.term);
    resp_bulk_text(reply, "time-ms");
    resp_integer(reply, head.position.clock_ms);
    resp_bulk_text(reply, "digest");
    resp_bulk_text(reply, digest);
    resp_bulk_text(reply, "bytes");
    resp_integer(reply, (int64_t)file->bytes);
}

static void answer_list(const struct backup *backup, const struct server_call *call)
{
    const struct platform_backup_result *list = &backup->list;
    if (list->err) {
        resp_errorf(call->reply, "ERR the backups cannot be listed: %s", list->why);
        return;
    }
    resp_array(call->reply, list->count);
    for (size_t i = 0; i < list->count; i++)
        write_file(&list->files[i], call->reply);
}

void server_raft_backup_list(struct server *server, const struct server_call *call)
{
    struct backup *backup = server->backup;
    if (!backup) {
        resp_error(call->reply, OFF);
        return;
    }
    switch (net_client_waited(call->client)) {
    case NET_NOT_YET:
        if (!begin_to_wait(backup, call))
            return;
        server_backup_ask_list(server);
        go_to_sleep(backup, call,
                    (struct backup_wait){.for_list = true, .wanted = backup->lists_asked});
        return;
    case NET_WAITED:
        answer_list(backup, call);
        wake_up(backup, call->client);
        return;
    case NET_UNBLOCKED:
        wake_up(backup, call->client);
        resp_error(call->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        return;
    }
}

/* ---- INFO persistence ---- */

void server_info_backup(const struct server *server, struct buf *out)
{
    const struct backup *backup = server->backup;
    if (!backup)
        return;
    const struct backup_done *last = &backup->last;
    bool fine = !last->error[0];
    buf_printf(out,
               "backup_in_progress:%d\r\nbackup_last_status:%s\r\nbackup_last_time:%" PRId64
               "\r\nbackup_last_index:%" PRIu64 "\r\nbackups_written:%" PRIu64
               "\r\nbackups_failed:%" PRIu64 "\r\n",
               backup->state != BACKUP_IDLE, fine ? "ok" : "err", last->ended_wall_ms / 1000,
               fine ? last->head.position.index : 0, backup->written, backup->failed);
}
