/* What the log thread makes of a system that does less than it was asked for: this program's own
 * writev() and fdatasync() stand before the C library's. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "platform/disk.h"
#include "unit/platform/folder.h"

enum { PIECE = 3, WAIT_MS = 20000 };

static atomic_uint writes;
static atomic_uint syncs;
static atomic_uint sync_fails_at; /* this one; 0: none */

/* Interrupted every other time, and never more than PIECE bytes at once. */
ssize_t pwritev(int fd, const struct iovec *vectors, int count, off_t offset)
{
    if (++writes % 2) {
        errno = EINTR;
        return -1;
    }
    for (int i = 0; i < count; i++) {
        size_t len = vectors[i].iov_len < PIECE ? vectors[i].iov_len : PIECE;
        if (len)
            return pwrite(fd, vectors[i].iov_base, len, offset);
    }
    return 0;
}

int fdatasync(int fd)
{
    unsigned call = ++syncs;
    if (call == 1) {
        errno = EINTR;
        return -1;
    }
    if (call == sync_fails_at) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

struct fixture {
    char folder[FOLDER_PATH_MAX];
    char path[FOLDER_PATH_MAX + 16];
    struct platform_disk *disk;
    struct disk port;
    int file;
    uint64_t end; /* of the file */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(fixture->folder);
    snprintf(fixture->path, sizeof fixture->path, "%s/log", fixture->folder);
    writes = syncs = sync_fails_at = 0;
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, 0, &fixture->port);
    *state = fixture;
    return fixture->port.open(fixture->port.context, fixture->path, true, &fixture->file) ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    platform_disk_free(fixture->disk);
    fixture->port.close(fixture->port.context, fixture->file);
    folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static void queue_append(struct fixture *fixture, const char *text, uint64_t ticket)
{
    struct disk_op op = {
        .kind = DISK_WRITE, .file = fixture->file, .offset = fixture->end, .sync = true};
    op.ticket = ticket;
    buf_add_text(&op.bytes, text);
    fixture->end += op.bytes.len;
    fixture->port.queue(fixture->port.context, &op);
}

static struct disk_completion wait_for(struct fixture *fixture, uint64_t ticket)
{
    struct disk_completion completion = {.ticket = 0};
    while (completion.ticket < ticket) {
        struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        platform_disk_woken(fixture->disk);
        while (platform_disk_take(fixture->disk, &completion))
            continue;
    }
    return completion;
}

static void test_interrupted_and_short_writes_are_gone_on_with(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"0123456", "", "78", "9abcdefghi", "j"};
    for (size_t i = 0; i < 5; i++)
        queue_append(fixture, texts[i], i + 1);
    assert_int_equal(wait_for(fixture, 5).err, ERR_NONE);
    assert_true(writes >= 2 * 20 / PIECE);
    assert_true(syncs >= 2);
    struct buf bytes = {0};
    assert_int_equal(fixture->port.read_file(fixture->port.context, fixture->path, &bytes),
                     ERR_NONE);
    assert_true(span_equal(buf_span(&bytes), SPAN("0123456789abcdefghij")));
    buf_close(&bytes);
}

/* What a failed sync has left on the disk cannot be known, and a second one would say that all is
 * well (ATC'20, "Can applications recover from fsync failures?"). */
static void test_a_failed_sync_is_never_tried_again(void **state)
{
    struct fixture *fixture = *state;
    sync_fails_at = 2;
    queue_append(fixture, "one", 1);
    assert_int_equal(wait_for(fixture, 1).err, ERR_IO);
    unsigned written = writes;
    queue_append(fixture, "two", 2);
    assert_int_equal(wait_for(fixture, 2).err, ERR_IO);
    assert_int_equal(syncs, 2);
    assert_int_equal(writes, written);
}

static void test_a_failed_sync_of_a_truncation_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    sync_fails_at = 2;
    struct disk_op cut = {.kind = DISK_TRUNCATE, .file = fixture->file, .sync = true, .ticket = 1};
    fixture->port.queue(fixture->port.context, &cut);
    assert_int_equal(wait_for(fixture, 1).err, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_interrupted_and_short_writes_are_gone_on_with, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_sync_is_never_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_sync_of_a_truncation_is_an_error, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
