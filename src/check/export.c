#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/version.h"
#include "check/check.h"
#include "keyspace/rdb.h"
#include "platform/files.h"

static bool write_all(int file, struct span bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(file, bytes.ptr, bytes.len);
        if (wrote >= 0)
            bytes = span_of(bytes.ptr + wrote, bytes.len - (size_t)wrote);
        else if (errno != EINTR)
            return false;
    }
    return true;
}

static bool write_state(int file, const struct databases *databases, enum redis_release oldest,
                        uint64_t *bytes)
{
    const struct rdb_writer_options options = {
        .redis_version = SPAN(FLOTILLA_REDIS_VERSION), .oldest = oldest, .plain = true};
    struct rdb_writer writer;
    struct buf piece = {0};
    rdb_writer_init(&writer, databases, NULL, 0, &options);
    bool more = true;
    bool fine = true;
    *bytes = 0;
    while (more && fine) {
        piece.len = 0;
        more = rdb_writer_next(&writer, &piece);
        *bytes += piece.len;
        fine = write_all(file, buf_span(&piece));
    }
    buf_close(&piece);
    return fine && fsync(file) == 0;
}

bool check_export_may_write(const struct check *check)
{
    struct stat status;
    if (check->options.force || lstat(check->options.export_path, &status))
        return true;
    check_say("'%s' is there already: it is overwritten only with --force",
              check->options.export_path);
    return false;
}

static enum check_status write_export(const struct check *check, const char *temporary,
                                      uint64_t *bytes)
{
    const char *path = check->options.export_path;
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) {
        check_say("cannot write '%s': %s", temporary, strerror(errno));
        return CHECK_UNREADABLE;
    }
    bool fine = write_state(file, machine_replay_databases(check->replay),
                            check->options.oldest_redis, bytes);
    int failed = errno;
    if (close(file) && fine) {
        failed = errno;
        fine = false;
    }
    if (!fine)
        check_say("cannot write '%s': %s", temporary, strerror(failed));
    enum check_status status = fine ? CHECK_FINE : CHECK_UNREADABLE;
    if (fine && !check_export_may_write(check))
        status = CHECK_USAGE;
    enum err err = status ? ERR_NONE : platform_rename_file(temporary, path);
    if (err)
        check_say("cannot write '%s': %s", path, err_text(err));
    if (status || err)
        unlink(temporary);
    return err ? CHECK_UNREADABLE : status;
}

/* Whether the folder holds the state as of the requested entry. */
static bool reaches(const struct check *check)
{
    uint64_t to = check->options.to;
    uint64_t at = machine_replay_position(check->replay)->index;
    if (to == UINT64_MAX || to == at)
        return true;
    if (to < at)
        check_say("the state as of entry %" PRIu64
                  " is gone: the snapshot stands for entry %" PRIu64,
                  to, at);
    else
        check_say("the log ends with entry %" PRIu64 ", there is no entry %" PRIu64, at, to);
    return false;
}

/* What the file has no place for, for other readers than Flotilla. */
struct losses {
    size_t hashes;  /* of which some fields have deadlines */
    size_t streams; /* of which counters, or times of consumers, are not what a reader assumes */
};

static bool has_notes(const struct value_ops *ops, const void *value)
{
    struct value_cursor cursor = {.at = {0}};
    struct buf text = {0};
    bool has = ops->note && ops->note(value, &cursor, &text);
    buf_close(&text);
    return has;
}

static void count_losses(const struct keyspace *keyspace, struct losses *losses)
{
    if (!keyspace)
        return;
    for (unsigned slot = 0; slot < KEYSPACE_SLOTS; slot++) {
        for (size_t i = 0; i < keyspace_slot_count(keyspace, slot); i++) {
            const struct item *item = keyspace_slot_item(keyspace, slot, i);
            if (item_type(item) == VALUE_STRING)
                continue;
            const struct value_ops *ops = value_ops_of(item_type(item));
            losses->hashes += ops->earliest && ops->earliest(item_elements(item)) != NO_DEADLINE;
            losses->streams +=
                item_type(item) == VALUE_STREAM && has_notes(ops, item_elements(item));
        }
    }
}

static void report_losses(const struct check *check)
{
    struct losses losses = {0};
    for (unsigned i = 0; i < DATABASES_MAX; i++)
        count_losses(databases_find(machine_replay_databases(check->replay), i), &losses);
    if (losses.hashes)
        printf("note: fields of %zu hashes have deadlines, which an import by Flotilla keeps; for "
               "Redis and Valkey\nthese fields last, because the file's format has no place for "
               "deadlines of fields\n\n",
               losses.hashes);
    if (losses.streams && check->options.oldest_redis == REDIS_5_0)
        printf("note: %zu streams have what a file for Redis 5.0 has no place for (entries-added, "
               "max-deleted-entry-id,\nentries-read, active-time): Redis assumes something else, "
               "an import by Flotilla keeps it. For Redis 7.0\nor newer export with --oldest-redis "
               "7.0 or 7.2\n\n",
               losses.streams);
}

enum check_status check_export_state(const struct check *check)
{
    if (!reaches(check))
        return CHECK_USAGE;
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.tmp-%ld", check->options.export_path, (long)getpid());
    buf_add_char(&temporary, '\0');
    uint64_t bytes;
    enum check_status status = write_export(check, temporary.ptr, &bytes);
    buf_close(&temporary);
    if (status)
        return status;
    printf("exported: %zu keys as of entry %" PRIu64 " to '%s', %" PRIu64 " bytes\n"
           "note: entries at the end of one node's log may not be committed in the cluster, and "
           "committed ones may be\nmissing here; export from the node whose log reaches furthest "
           "in the highest term, or bound it with --to\n\n",
           databases_count(machine_replay_databases(check->replay)),
           machine_replay_position(check->replay)->index, check->options.export_path, bytes);
    report_losses(check);
    return CHECK_FINE;
}
