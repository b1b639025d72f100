/* LD_PRELOAD: writes down what a process and its children do to the files of one folder, in the one
 * order in which it happened, so that tests/shim/power_loss.c can tell what a power loss at any
 * moment would have left.
 *
 * FLOTILLA_RECORD_FOLDER: the folder (a real path); FLOTILLA_RECORD: the journal. Each call is made
 * and written down under one lock, so that the journal's size at a moment says what was done until
 * then. An event: the head below, then `path_len` bytes of a path and `len` bytes of data. A kill
 * between the two would leave a journal that lacks what was done: the first byte of the journal's
 * neighbour ".busy" is 1 meanwhile, for whoever stops the process before he kills it. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/record.h"

static struct {
    int (*open)(const char *, int, ...);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
    int (*fsync)(int);
    int (*fdatasync)(int);
    int (*ftruncate)(int, off_t);
    int (*rename)(const char *, const char *);
    int (*unlink)(const char *);
    int (*mkdir)(const char *, mode_t);
    int (*close_range)(unsigned, unsigned, int);
    int (*fallocate)(int, int, off_t, off_t);
} real;
static const char *folder;
static size_t folder_len;
static const char *journal_path;
static int journal = -1;
static pid_t journal_of; /* the process that opened it: a child closes what it inherits */
static pthread_mutex_t *lock;
static volatile char *busy;

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        _exit(127);
    return symbol;
}

static void make_lock(void)
{
    lock = mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lock == MAP_FAILED)
        _exit(127);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(lock, &attributes);
}

static void make_busy(void)
{
    static char none;
    busy = &none;
    char path[PATH_MAX];
    if (!journal_path || snprintf(path, sizeof path, "%s.busy", journal_path) >= PATH_MAX)
        return;
    int fd = real.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || real.ftruncate(fd, 1))
        _exit(127);
    void *mapped = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        _exit(127);
    close(fd);
    busy = mapped;
    *busy = 0; /* of a process that was killed */
}

__attribute__((constructor)) static void begin(void)
{
    if (lock)
        return;
    void *symbols[] = {find("open"),     find("write"),  find("writev"),    find("pwrite"),
                       find("pwritev"),  find("fsync"),  find("fdatasync"), find("ftruncate"),
                       find("rename"),   find("unlink"), find("mkdir"),     find("close_range"),
                       find("fallocate")};
    memcpy(&real, symbols, sizeof real); /* ISO C has no cast from void * to a function */
    folder = getenv("FLOTILLA_RECORD_FOLDER");
    folder_len = folder ? strlen(folder) : 0;
    journal_path = getenv("FLOTILLA_RECORD");
    make_busy();
    make_lock();
}

static void enter(void)
{
    begin();
    if (pthread_mutex_lock(lock) == EOWNERDEAD)
        pthread_mutex_consistent(lock);
    *busy = 1;
}

static void leave(void)
{
    int before = errno;
    *busy = 0;
    pthread_mutex_unlock(lock);
    errno = before;
}

static bool is_inside(const char *path)
{
    return folder && strncmp(path, folder, folder_len) == 0 &&
           (path[folder_len] == '/' || path[folder_len] == '\0');
}

static bool path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = folder ? readlink(link, path, PATH_MAX - 1) : -1;
    path[len > 0 ? len : 0] = '\0';
    errno = before;
    return is_inside(path);
}

static void put(struct iovec *vectors, int count)
{
    if (journal < 0 || journal_of != getpid()) {
        journal = real.open(journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        journal_of = getpid();
    }
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += vectors[i].iov_len;
    if (journal < 0 || real.writev(journal, vectors, count) != (ssize_t)len)
        _exit(126); /* a journal with holes proves nothing */
}

static void record(enum journal_event kind, uint64_t inode, const char *path, uint64_t number,
                   const struct iovec *data)
{
    int before = errno;
    struct record_head head = {.magic = JOURNAL_MAGIC,
                               .kind = kind,
                               .path_len = path ? (uint32_t)strlen(path) : 0,
                               .inode = inode,
                               .number = number,
                               .len = data ? data->iov_len : 0};
    struct iovec vectors[3] = {{&head, sizeof head}};
    int count = 1;
    if (head.path_len)
        vectors[count++] = (struct iovec){(void *)(uintptr_t)path, head.path_len};
    if (head.len)
        vectors[count++] = *data;
    put(vectors, count);
    errno = before;
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) ? 0 : (uint64_t)status.st_ino;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list more;
        va_start(more, flags);
        mode = (mode_t)va_arg(more, int);
        va_end(more);
    }
    begin();
    if (!is_inside(path) || !(flags & (O_CREAT | O_TRUNC)))
        return real.open(path, flags, mode);
    enter();
    int before = errno;
    bool is_new = access(path, F_OK) != 0;
    errno = before;
    int fd = real.open(path, flags, mode);
    if (fd >= 0 && is_new)
        record(JOURNAL_CREATE, inode_of(fd), path, 0, NULL);
    else if (fd >= 0 && flags & O_TRUNC)
        record(JOURNAL_TRUNCATE, inode_of(fd), NULL, 0, NULL);
    leave();
    return fd;
}

/* `offset` -1: where the file's position was before. */
static void record_write(int fd, off_t offset, const struct iovec *vectors, int count, size_t wrote)
{
    uint64_t inode = inode_of(fd);
    uint64_t at = offset >= 0 ? (uint64_t)offset : (uint64_t)lseek(fd, 0, SEEK_CUR) - wrote;
    for (int i = 0; i < count && wrote; i++) {
        struct iovec data = vectors[i];
        if (data.iov_len > wrote)
            data.iov_len = wrote;
        if (data.iov_len)
            record(JOURNAL_WRITE, inode, NULL, at, &data);
        at += data.iov_len;
        wrote -= data.iov_len;
    }
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    begin();
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return real.write(fd, bytes, len);
    enter();
    ssize_t wrote = real.write(fd, bytes, len);
    if (wrote > 0)
        record_write(fd, -1, &(struct iovec){(void *)(uintptr_t)bytes, len}, 1, (size_t)wrote);
    leave();
    return wrote;
}

/* `offset` -1: at the file's position. */
static ssize_t write_vectors(int fd, const struct iovec *vectors, int count, off_t offset)
{
    return offset < 0 ? real.writev(fd, vectors, count) : real.pwritev(fd, vectors, count, offset);
}

static ssize_t write_and_record(int fd, const struct iovec *vectors, int count, off_t offset)
{
    begin();
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return write_vectors(fd, vectors, count, offset);
    enter();
    ssize_t wrote = write_vectors(fd, vectors, count, offset);
    if (wrote > 0)
        record_write(fd, offset, vectors, count, (size_t)wrote);
    leave();
    return wrote;
}

ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    return write_and_record(fd, vectors, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *vectors, int count, off_t offset)
{
    return write_and_record(fd, vectors, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    begin();
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return real.pwrite(fd, bytes, len, offset);
    enter();
    ssize_t wrote = real.pwrite(fd, bytes, len, offset);
    if (wrote > 0)
        record_write(fd, offset, &(struct iovec){(void *)(uintptr_t)bytes, len}, 1, (size_t)wrote);
    leave();
    return wrote;
}

static int record_sync(int fd, int (*sync)(int))
{
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return sync(fd);
    enter();
    struct stat status;
    int failed = sync(fd);
    if (!failed && fstat(fd, &status) == 0)
        record(S_ISDIR(status.st_mode) ? JOURNAL_SYNC_FOLDER : JOURNAL_SYNC, status.st_ino, path, 0,
               NULL);
    leave();
    return failed;
}

int fsync(int fd)
{
    begin();
    return record_sync(fd, real.fsync);
}

int fdatasync(int fd)
{
    begin();
    return record_sync(fd, real.fdatasync);
}

int ftruncate(int fd, off_t size)
{
    begin();
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return real.ftruncate(fd, size);
    enter();
    int failed = real.ftruncate(fd, size);
    if (!failed)
        record(JOURNAL_TRUNCATE, inode_of(fd), NULL, (uint64_t)size, NULL);
    leave();
    return failed;
}

/* What is only reserved changes no byte; what makes the file longer adds zeros. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
    begin();
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return real.fallocate(fd, mode, offset, len);
    enter();
    struct stat before;
    struct stat after;
    bool known = fstat(fd, &before) == 0;
    int failed = real.fallocate(fd, mode, offset, len);
    if (!failed && known && fstat(fd, &after) == 0 && after.st_size != before.st_size)
        record(JOURNAL_TRUNCATE, inode_of(fd), NULL, (uint64_t)after.st_size, NULL);
    leave();
    return failed;
}

int rename(const char *from, const char *to)
{
    begin();
    if (!is_inside(from))
        return real.rename(from, to);
    enter();
    int failed = real.rename(from, to);
    if (!failed)
        record(JOURNAL_RENAME, 0, from, 0, &(struct iovec){(void *)(uintptr_t)to, strlen(to)});
    leave();
    return failed;
}

int unlink(const char *path)
{
    begin();
    if (!is_inside(path))
        return real.unlink(path);
    enter();
    int failed = real.unlink(path);
    if (!failed)
        record(JOURNAL_UNLINK, 0, path, 0, NULL);
    leave();
    return failed;
}

int mkdir(const char *path, mode_t mode)
{
    begin();
    if (!is_inside(path))
        return real.mkdir(path, mode);
    enter();
    int failed = real.mkdir(path, mode);
    if (!failed)
        record(JOURNAL_MKDIR, 0, path, 0, NULL);
    leave();
    return failed;
}

/* A child that closes what it inherited closes the journal as well. */
int close_range(unsigned first, unsigned last, int flags)
{
    begin();
    int failed = real.close_range(first, last, flags);
    journal = -1;
    return failed;
}

/* The same functions under the names that a program calls which is built for large files. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *vectors, int count, off64_t offset)
    __attribute__((alias("pwritev")));
int ftruncate64(int fd, off64_t size) __attribute__((alias("ftruncate")));
int fallocate64(int fd, int mode, off64_t offset, off64_t len) __attribute__((alias("fallocate")));
