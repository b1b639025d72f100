/* LD_PRELOAD: a disk that fails, is slow, is full, or takes little at a time.
 *
 * FLOTILLA_DISK_FAULTS names a file that says what is wrong; it is read again at each call, so that
 * a test changes the disk of a running process by writing it anew (to another name, then rename).
 * Without the file nothing is wrong. One fault a line:
 *
 *     path TEXT     the faults concern files whose path has TEXT in it (default: all files)
 *     sync-eio N    the N-th fsync or fdatasync since the start, and all after it, fail with EIO
 *     sync-slow MS  each fsync and fdatasync takes so many milliseconds longer
 *     short BYTES   write, pwrite, writev and pwritev take at most so many bytes
 *     room BYTES    after so many since the start they give ENOSPC (the last one is taken in part);
 *                   statvfs tells the room all along
 *     full          no room at all, not even for the name of a new file
 *     left BYTES    statvfs tells of so much room and no more; everything still fits
 *     untold        statvfs tells nothing of it, as with a quota
 *
 * A file of the same name with .met behind it is made when a sync failed or there was no room. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct faults {
    char path[256];
    long sync_eio;
    long sync_slow_ms;
    size_t short_bytes;
    long room; /* -1: any */
    long left; /* -1: any */
    bool untold;
};

/* Of this process and its children. */
struct shared {
    atomic_long syncs;
    atomic_long written;
};

static const char *control;
static struct shared *shared;
static struct {
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
    int (*fsync)(int);
    int (*fdatasync)(int);
    int (*open)(const char *, int, ...);
    int (*statvfs)(const char *, struct statvfs *);
    int (*fstatvfs)(int, struct statvfs *);
} real;

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        _exit(127);
    return symbol;
}

__attribute__((constructor)) static void begin(void)
{
    if (shared)
        return;
    void *symbols[] = {find("write"),   find("pwrite"),  find("writev"),
                       find("pwritev"), find("fsync"),   find("fdatasync"),
                       find("open"),    find("statvfs"), find("fstatvfs")};
    memcpy(&real, symbols, sizeof real); /* ISO C has no cast from void * to a function */
    control = getenv("FLOTILLA_DISK_FAULTS");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        _exit(127);
}

static void take_line(struct faults *faults, const char *line)
{
    char text[256];
    long number;
    if (sscanf(line, "path %255s", text) == 1)
        memcpy(faults->path, text, sizeof text);
    else if (sscanf(line, "sync-eio %ld", &number) == 1)
        faults->sync_eio = number;
    else if (sscanf(line, "sync-slow %ld", &number) == 1)
        faults->sync_slow_ms = number;
    else if (sscanf(line, "short %ld", &number) == 1)
        faults->short_bytes = (size_t)number;
    else if (sscanf(line, "room %ld", &number) == 1)
        faults->room = number;
    else if (sscanf(line, "left %ld", &number) == 1)
        faults->left = number;
    else if (strncmp(line, "full", 4) == 0)
        faults->room = 0;
    else if (strncmp(line, "untold", 6) == 0)
        faults->untold = true;
}

static bool read_control(struct faults *faults)
{
    *faults = (struct faults){.room = -1, .left = -1};
    begin();
    if (!control)
        return false;
    int fd = real.open(control, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char text[1024];
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    char *next = NULL;
    for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
        take_line(faults, line);
    return true;
}

static bool is_concerned(const struct faults *faults, int fd)
{
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0 || path[0] != '/')
        return false;
    path[len] = '\0';
    return strncmp(path, "/dev/", 5) != 0 && strstr(path, faults->path) != NULL;
}

static bool faults_of(struct faults *faults, int fd)
{
    int before = errno;
    bool any = read_control(faults) && is_concerned(faults, fd);
    errno = before;
    return any;
}

static void note_met(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.met", control);
    int fd = real.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
}

/* How many of `len` bytes the disk takes; 0 with errno set: none. */
static size_t takes(const struct faults *faults, size_t len)
{
    if (faults->short_bytes && len > faults->short_bytes)
        len = faults->short_bytes;
    if (faults->room < 0 || len == 0)
        return len;
    long left = faults->room - atomic_load(&shared->written);
    if (left <= 0) {
        note_met();
        errno = ENOSPC;
        return 0;
    }
    if (len > (size_t)left)
        len = (size_t)left;
    atomic_fetch_add(&shared->written, (long)len);
    return len;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    struct faults faults;
    if (faults_of(&faults, fd) && len) {
        len = takes(&faults, len);
        if (!len)
            return -1;
    }
    return real.write(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    struct faults faults;
    if (faults_of(&faults, fd) && len) {
        len = takes(&faults, len);
        if (!len)
            return -1;
    }
    return real.pwrite(fd, bytes, len, offset);
}

/* `offset` -1: at the file's position. */
static ssize_t write_vectors(int fd, const struct iovec *vectors, int count, off_t offset)
{
    return offset < 0 ? real.writev(fd, vectors, count) : real.pwritev(fd, vectors, count, offset);
}

static ssize_t write_some(int fd, const struct iovec *vectors, int count, off_t offset)
{
    struct faults faults;
    if (!faults_of(&faults, fd))
        return write_vectors(fd, vectors, count, offset);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += vectors[i].iov_len;
    size_t left = takes(&faults, len);
    if (len && !left)
        return -1;
    if (left == len)
        return write_vectors(fd, vectors, count, offset);
    struct iovec some[64];
    int some_count = 0;
    for (int i = 0; i < count && i < 64 && left; i++) {
        some[some_count] = vectors[i];
        if (some[some_count].iov_len > left)
            some[some_count].iov_len = left;
        left -= some[some_count++].iov_len;
    }
    return write_vectors(fd, some, some_count, offset);
}

ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    return write_some(fd, vectors, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *vectors, int count, off_t offset)
{
    return write_some(fd, vectors, count, offset);
}

static bool sync_fails(int fd)
{
    struct faults faults;
    if (!faults_of(&faults, fd))
        return false;
    if (faults.sync_slow_ms) {
        struct timespec time = {faults.sync_slow_ms / 1000, faults.sync_slow_ms % 1000 * 1000000};
        nanosleep(&time, NULL);
    }
    if (!faults.sync_eio || atomic_fetch_add(&shared->syncs, 1) + 1 < faults.sync_eio)
        return false;
    note_met();
    errno = EIO;
    return true;
}

int fsync(int fd)
{
    begin();
    return sync_fails(fd) ? -1 : real.fsync(fd);
}

int fdatasync(int fd)
{
    begin();
    return sync_fails(fd) ? -1 : real.fdatasync(fd);
}

static void tell_room(const struct faults *faults, struct statvfs *status)
{
    if ((faults->room < 0 && faults->left < 0) || faults->untold)
        return;
    long left = faults->left >= 0 ? faults->left : faults->room - atomic_load(&shared->written);
    fsblkcnt_t blocks = left > 0 ? (fsblkcnt_t)left / status->f_frsize : 0;
    if (status->f_bavail > blocks)
        status->f_bavail = status->f_bfree = blocks;
}

int statvfs(const char *path, struct statvfs *status)
{
    begin();
    int failed = real.statvfs(path, status);
    struct faults faults;
    if (!failed && read_control(&faults) && strstr(path, faults.path))
        tell_room(&faults, status);
    return failed;
}

int fstatvfs(int fd, struct statvfs *status)
{
    begin();
    int failed = real.fstatvfs(fd, status);
    struct faults faults;
    if (!failed && faults_of(&faults, fd))
        tell_room(&faults, status);
    return failed;
}

/* A full disk often has no room for a name either. */
int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list more;
        va_start(more, flags);
        mode = (mode_t)va_arg(more, int);
        va_end(more);
    }
    struct faults faults;
    int before = errno;
    if (flags & O_CREAT && read_control(&faults) && faults.room == 0 && strstr(path, faults.path) &&
        access(path, F_OK)) {
        note_met();
        errno = ENOSPC;
        return -1;
    }
    begin();
    errno = before;
    return real.open(path, flags, mode);
}

/* The same functions under the names that a program calls which is built for large files. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *vectors, int count, off64_t offset)
    __attribute__((alias("pwritev")));
int statvfs64(const char *path, struct statvfs64 *status) __attribute__((alias("statvfs")));
int fstatvfs64(int fd, struct statvfs64 *status) __attribute__((alias("fstatvfs")));
