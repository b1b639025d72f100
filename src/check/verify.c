/* --verify: a backup, or the snapshot of a folder, read as a node would read it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"

enum { PIECE_BYTES = 128 * 1024 };

/* Feeds the whole file, then its end. ERR_IO: `message` says why it cannot be read; ERR_CORRUPT:
 * what is wrong with it. */
static enum err load(struct machine_replay *replay, int file, uint64_t *bytes, char *message)
{
    static char piece[PIECE_BYTES];
    enum err err = ERR_NONE;
    *bytes = 0;
    for (ssize_t got = 1; got && !err;) {
        got = read(file, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            snprintf(message, CHECK_MESSAGE_MAX, "%s", strerror(errno));
            return ERR_IO;
        }
        *bytes += (uint64_t)got;
        err = machine_replay_load(replay, span_of(piece, (size_t)got), message);
    }
    return err;
}

static enum check_status report(const struct machine_replay *replay, const char *path,
                                uint64_t bytes)
{
    const struct machine_position *position = machine_replay_position(replay);
    printf("%-14s%s, %" PRIu64 " bytes, checksum fine\n%-14sentry %" PRIu64 ", term %" PRIu64 "\n",
           "File", path, bytes, "Position", position->index, position->term);
    check_report_state(replay);
    if (machine_replay_snapshot_has_sum(replay))
        printf("\nfine: the keys are those that the file was written with, as of entry %" PRIu64
               "\n",
               position->index);
    else
        printf("\nfine as far as it can be told: a version wrote it that recorded no digest\n");
    return CHECK_FINE;
}

enum check_status check_verify(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        check_say("cannot read '%s': %s", path, strerror(errno));
        return CHECK_UNREADABLE;
    }
    struct command_table *table = command_table_new();
    struct machine_replay *replay = machine_replay_new(table, 0);
    uint64_t bytes;
    char message[CHECK_MESSAGE_MAX] = "";
    enum check_status status = CHECK_FINE;
    enum err err = load(replay, file, &bytes, message);
    if (err == ERR_IO) {
        check_say("cannot read '%s': %s", path, message);
        status = CHECK_UNREADABLE;
    } else if (err) {
        printf("corrupt: '%s' is no whole backup: %s\n", path, message);
        status = CHECK_CORRUPT;
    } else {
        status = report(replay, path, bytes);
    }
    close(file);
    machine_replay_free(replay);
    command_table_free(table);
    return status;
}
