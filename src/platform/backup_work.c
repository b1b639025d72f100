#include "platform/backup_work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/crc.h"
#include "base/mem.h"
#include "platform/failpoint.h"
#include "platform/files.h"
#include "platform/paced.h"

enum { PIECE_BYTES = 128 * 1024, CHECKSUM_BYTES = 8, RENAME_NEVER_OVER = 1 };

/* Notes the first failure, with its cause. */
static void fail(struct platform_backup_result *result, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct platform_backup_result *result, enum err err, const char *format, ...)
{
    if (result->err)
        return;
    result->err = err;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(result->why, sizeof result->why, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof result->why)
        snprintf(result->why + len, sizeof result->why - (size_t)len, ": %s", err_text(err));
}

/* -1: the result says why not. */
static int open_folder(const struct platform_backup_work *work,
                       struct platform_backup_result *result)
{
    int folder = open(work->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        fail(result, platform_err(errno), "the folder '%.150s' cannot be opened", work->folder);
    return folder;
}

static bool is_there(int folder, const char *name)
{
    struct stat status;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remove_leftover(const struct platform_backup_work *work, int folder,
                            struct platform_backup_result *result)
{
    if (unlinkat(folder, work->temporary, 0) && errno != ENOENT)
        fail(result, platform_err(errno), "'%s', which is not complete, cannot be removed",
             work->temporary);
}

static void check_room(const struct platform_backup_job *job, int folder,
                       struct platform_backup_result *result)
{
    struct statvfs status;
    if (fstatvfs(folder, &status) == 0 &&
        (uint64_t)status.f_bavail * status.f_frsize < job->bytes + job->keep_free_bytes)
        fail(result, ERR_NO_SPACE,
             "the disk of the folder has to keep raft-disk-reserve-bytes free");
}

void platform_backup_prepare(const struct platform_backup_work *work,
                             const struct platform_backup_job *job,
                             struct platform_backup_result *result)
{
    int folder = open_folder(work, result);
    if (folder < 0)
        return;
    remove_leftover(work, folder, result);
    if (job->name[0] && is_there(folder, job->name))
        fail(result, ERR_EXISTS, "'%s'", job->name);
    check_room(job, folder, result);
    close(folder);
}

/* ---- copying ---- */

struct copying {
    const struct platform_backup_work *work;
    const struct platform_backup_job *job;
    struct platform_backup_result *result;
    int folder;
    struct platform_paced paced;
    uint64_t crc; /* of all but the checksum itself */
    unsigned char checksum[CHECKSUM_BYTES];
};

/* Of bytes that begin at `at`: sums up those before the checksum, and keeps those of it. */
static void check_piece(struct copying *copying, uint64_t at, const char *bytes, size_t len)
{
    uint64_t summed_end = copying->job->bytes - CHECKSUM_BYTES;
    size_t summed = at >= summed_end ? 0 : len;
    if (summed > summed_end - (at < summed_end ? at : summed_end))
        summed = (size_t)(summed_end - at);
    copying->crc = crc64(copying->crc, bytes, summed);
    for (size_t i = summed; i < len; i++)
        copying->checksum[at + i - summed_end] = (unsigned char)bytes[i];
}

static bool checksum_is_right(const struct copying *copying)
{
    uint64_t said = 0;
    for (size_t i = CHECKSUM_BYTES; i > 0; i--)
        said = said << 8 | copying->checksum[i - 1];
    return said == copying->crc;
}

/* The next bytes of the source; 0: they could not be read. */
static size_t read_piece(const struct copying *copying, uint64_t at, char *piece)
{
    uint64_t left = copying->job->bytes - at;
    size_t most = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    ssize_t got;
    do
        got = pread(copying->job->source, piece, most, (off_t)at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        fail(copying->result, platform_err(errno), "the snapshot cannot be read");
    else if (got == 0)
        fail(copying->result, ERR_CORRUPT, "the snapshot on the node's own disk is cut off");
    return got > 0 ? (size_t)got : 0;
}

static void copy_bytes(struct copying *copying, char *piece)
{
    for (uint64_t at = 0; at < copying->job->bytes;) {
        size_t got = read_piece(copying, at, piece);
        if (got == 0)
            return;
        if (*copying->work->stop) {
            fail(copying->result, ERR_BUSY, "the node ends");
            return;
        }
        check_piece(copying, at, piece, got);
        if (copying->result->head.len < PLATFORM_BACKUP_HEAD_BYTES)
            buf_add(&copying->result->head, piece, got); /* at least as much as that */
        FAILPOINT("backup:before-write");
        enum err err = platform_paced_write(&copying->paced, span_of(piece, got));
        FAILPOINT("backup:after-write");
        if (err) {
            fail(copying->result, err, "writing it failed after %llu bytes",
                 (unsigned long long)at);
            return;
        }
        at += got;
        *copying->work->copied = at;
    }
    if (!checksum_is_right(copying))
        fail(copying->result, ERR_CORRUPT,
             "the snapshot on the node's own disk is damaged: its checksum is wrong");
}

/* Never replaces a file. A file system without such a rename can make a second name. */
static bool give_name(int folder, const char *temporary, const char *name)
{
    if (syscall(SYS_renameat2, folder, temporary, folder, name, RENAME_NEVER_OVER) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return linkat(folder, temporary, folder, name, 0) == 0 && unlinkat(folder, temporary, 0) == 0;
}

/* The file is complete, and has no name yet. */
static void publish(struct copying *copying)
{
    const char *name = copying->job->name;
    FAILPOINT("backup:after-sync");
    if (!give_name(copying->folder, copying->work->temporary, name)) {
        fail(copying->result, platform_err(errno), "it cannot be named '%s'", name);
        return;
    }
    FAILPOINT("backup:after-rename");
    if (fsync(copying->folder))
        fail(copying->result, ERR_IO, "its folder cannot be synced");
    FAILPOINT("backup:after-folder-sync");
    if (copying->result->err)
        unlinkat(copying->folder, name, 0); /* nobody was promised it */
}

static void copy_to(struct copying *copying)
{
    char *piece = mem_alloc(PIECE_BYTES);
    if (copying->job->bytes < CHECKSUM_BYTES)
        fail(copying->result, ERR_CORRUPT, "the snapshot on the node's own disk is cut off");
    else
        copy_bytes(copying, piece);
    mem_free(piece);
    FAILPOINT("backup:before-sync");
    if (!copying->result->err && fsync(copying->paced.file))
        fail(copying->result, ERR_IO, "it cannot be synced");
}

/* ---- rotation ---- */

struct names {
    char (*list)[PLATFORM_BACKUP_NAME_MAX + 1];
    size_t count;
    size_t cap;
};

static bool ends_in_rdb(const char *name, size_t len)
{
    return len > 4 && memcmp(name + len - 4, ".rdb", 4) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Of all complete backups whose names begin so, in order. False: errno says why not. */
static bool read_names(int folder, const char *begin, struct names *names)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir() closes it */
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    if (!stream)
        return false;
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL; errno = 0) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || len > PLATFORM_BACKUP_NAME_MAX ||
            !ends_in_rdb(entry->d_name, len) || strncmp(entry->d_name, begin, strlen(begin)) != 0)
            continue;
        if (names->count == names->cap) {
            names->cap = names->cap ? names->cap * 2 : 64;
            names->list = mem_realloc(names->list, names->cap * sizeof *names->list);
        }
        memcpy(names->list[names->count++], entry->d_name, len + 1);
    }
    int failed = errno;
    closedir(stream);
    if (names->count)
        qsort(names->list, names->count, sizeof *names->list, compare_names);
    errno = failed;
    return failed == 0;
}

/* The backup is there already: a failure here takes nothing of that back. */
static void rotate(struct copying *copying)
{
    const struct platform_backup_job *job = copying->job;
    struct names names = {.list = NULL};
    if (job->keep == 0)
        return;
    bool fine = read_names(copying->folder, job->own, &names);
    for (size_t i = 0; fine && i + job->keep < names.count; i++) {
        if (strcmp(names.list[i], job->name) == 0)
            continue; /* what was just made stays, whatever the others are called */
        fine = unlinkat(copying->folder, names.list[i], 0) == 0 || errno == ENOENT;
        copying->result->removed += fine;
        FAILPOINT("backup:after-removal");
    }
    if (!fine) {
        copying->result->stuck = true;
        snprintf(copying->result->why, sizeof copying->result->why,
                 "old backups cannot be removed: %s", strerror(errno));
    }
    mem_free(names.list);
}

void platform_backup_copy(const struct platform_backup_work *work,
                          const struct platform_backup_job *job,
                          struct platform_backup_result *result)
{
    struct copying copying = {.work = work, .job = job, .result = result};
    copying.folder = open_folder(work, result);
    if (copying.folder >= 0) {
        remove_leftover(work, copying.folder, result);
        int file = openat(copying.folder, work->temporary,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file < 0)
            fail(result, platform_err(errno), "'%s' cannot be written", work->temporary);
        copying.paced =
            (struct platform_paced){.file = file, .keep_free_bytes = job->keep_free_bytes};
        if (!result->err)
            copy_to(&copying);
        if (file >= 0 && close(file))
            fail(result, ERR_IO, "it cannot be closed");
        if (!result->err)
            publish(&copying);
        if (result->err)
            unlinkat(copying.folder, work->temporary, 0);
        else
            rotate(&copying);
        close(copying.folder);
    }
    close(job->source);
}

/* ---- the list ---- */

static void read_head(int folder, struct platform_backup_file *listed)
{
    struct stat status;
    int file = openat(folder, listed->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        listed->bytes = (uint64_t)status.st_size;
        char *at = buf_reserve(&listed->head, PLATFORM_BACKUP_HEAD_BYTES);
        ssize_t got = pread(file, at, PLATFORM_BACKUP_HEAD_BYTES, 0);
        listed->head.len = got > 0 ? (size_t)got : 0;
    }
    close(file);
}

void platform_backup_list(const struct platform_backup_work *work,
                          struct platform_backup_result *result)
{
    struct names names = {.list = NULL};
    int folder = open_folder(work, result);
    if (folder < 0)
        return;
    if (!read_names(folder, "", &names))
        fail(result, platform_err(errno), "the folder '%.150s' cannot be read", work->folder);
    size_t count = result->err ? 0 : names.count;
    result->files = count ? mem_zalloc(count * sizeof *result->files) : NULL;
    for (; result->count < count; result->count++) {
        struct platform_backup_file *listed = &result->files[result->count];
        memcpy(listed->name, names.list[result->count], sizeof listed->name);
        read_head(folder, listed);
    }
    mem_free(names.list);
    close(folder);
}
