/* Backups (RAFT.BACKUP): a copy of this node's snapshot in the folder backup-dir.
 *
 *   backup.c           the steps of one, start and end
 *   backup_commands.c  the commands, and what clients may name
 *
 * The steps: the folder is looked at, and meanwhile a goal is set, at which all that was
 * acknowledged before is applied here; a snapshot of at least that is made, if there is none; when
 * it is on the disk it is copied. The node goes on serving. One backup is made at a time. Private
 * to server/. */
#ifndef FLOTILLA_SERVER_BACKUP_H
#define FLOTILLA_SERVER_BACKUP_H

#include "machine/state.h"
#include "platform/backup.h"
#include "server/server.h"

enum { BACKUP_TEXT_MAX = 512, BACKUP_WAITS_MAX = 8 };

enum backup_state {
    BACKUP_IDLE,
    BACKUP_PREPARING,  /* the folder is looked at */
    BACKUP_CONFIRMING, /* the goal is not reached */
    BACKUP_SNAPSHOT,   /* waits for a snapshot that is new enough */
    BACKUP_SETTLING,   /* waits until that is on the disk */
    BACKUP_COPYING,
};

/* One that is over. */
struct backup_done {
    uint64_t id; /* 0: there was none */
    char name[PLATFORM_BACKUP_NAME_MAX + 1];
    char error[BACKUP_TEXT_MAX]; /* an error reply; empty: it is there */
    struct machine_head head;    /* without an error */
    uint64_t bytes;
    uint64_t took_ms;
    int64_t ended_wall_ms;
    unsigned removed; /* older ones, by rotation */
};

/* A client that waits for a backup, or for the list. */
struct backup_wait {
    const struct backup *backup;
    const struct client *client;
    bool for_list;
    uint64_t wanted; /* the id of the backup, or the number of the list */
};

struct backup {
    struct platform_backups *folder;
    struct event *event;
    enum backup_state state;
    uint64_t id;                             /* of the newest one */
    bool is_named;                           /* by the client */
    char name[PLATFORM_BACKUP_NAME_MAX + 1]; /* empty: not known yet */
    uint64_t began_ms;
    uint64_t wanted_index; /* the snapshot's, at least */
    bool began_snapshot;
    unsigned attempts;
    uint64_t snapshots_failed;
    uint64_t ticket; /* when it is durable, so is the snapshot */
    struct storage_snapshot snapshot;
    struct backup_done last;
    uint64_t written;
    uint64_t failed;
    uint64_t lists_asked;
    uint64_t lists_done;
    struct platform_backup_result list; /* the newest one */
    struct backup_wait waits[BACKUP_WAITS_MAX];
};

/* Begins a backup. `name` empty: the node names it. Not while one is under way. */
void server_backup_begin(struct server *server, struct span name);
void server_backup_ask_list(struct server *server);
const char *server_backup_state_name(enum backup_state state);

#endif
