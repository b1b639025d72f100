#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/disk.h"
#include "unit/platform/folder.h"

enum { WAIT_MS = 20000 };

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
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, 0, &fixture->port);
    enum err err = fixture->port.open(fixture->port.context, fixture->path, true, &fixture->file);
    *state = fixture;
    return err ? -1 : 0;
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

/* Takes completions as the loop does until `ticket` or an error; how many there were comes back. */
static unsigned wait_for(struct fixture *fixture, uint64_t ticket, struct disk_completion *last)
{
    unsigned count = 0;
    *last = (struct disk_completion){.ticket = 0};
    while (last->ticket < ticket && !last->err) {
        struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        platform_disk_woken(fixture->disk);
        struct disk_completion completion;
        while (platform_disk_take(fixture->disk, &completion)) {
            if (completion.ticket) {
                assert_true(completion.ticket > last->ticket);
                *last = completion;
            } else
                last->err = completion.err;
            count++;
        }
    }
    return count;
}

static void assert_content(const char *path, const char *expected)
{
    struct disk port;
    struct platform_disk *disk = platform_disk_new();
    platform_disk_port(disk, 0, &port);
    struct buf bytes = {0};
    assert_int_equal(port.read_file(port.context, path, &bytes), ERR_NONE);
    assert_int_equal(bytes.len, strlen(expected));
    if (bytes.len)
        assert_memory_equal(bytes.ptr, expected, bytes.len);
    buf_close(&bytes);
    platform_disk_free(disk);
}

static void test_an_append_completes_with_the_duration_of_its_sync(void **state)
{
    struct fixture *fixture = *state;
    struct disk_completion last;
    queue_append(fixture, "one", 7);
    assert_int_equal(wait_for(fixture, 7, &last), 1);
    assert_int_equal(last.err, ERR_NONE);
    assert_true(last.sync_us > 0);
    assert_content(fixture->path, "one");
}

static void test_the_loop_is_told_once_of_what_it_has_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct platform_disk *disk = platform_disk_new();
    struct disk port;
    platform_disk_port(disk, 0, &port);
    for (uint64_t ticket = 1; ticket <= 8; ticket++) {
        struct disk_op op = {.kind = DISK_MEASURE, .path = strdup(fixture->folder)};
        op.ticket = ticket;
        port.queue(port.context, &op);
    }
    int event = dup(platform_disk_fd(disk));
    platform_disk_free(disk); /* carries out all of them */
    uint64_t told = 0;
    assert_int_equal(read(event, &told, sizeof told), sizeof told);
    assert_int_equal(told, 1);
    close(event);
}

static void test_an_append_without_sync_has_no_duration(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_WRITE, .file = fixture->file, .ticket = 1};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion last;
    wait_for(fixture, 1, &last);
    assert_int_equal(last.sync_us, 0);
}

static void test_a_sync_without_a_ticket_tells_its_duration(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_WRITE, .file = fixture->file, .sync = true};
    fixture->port.queue(fixture->port.context, &op);
    struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    struct disk_completion completion;
    assert_true(platform_disk_take(fixture->disk, &completion));
    assert_int_equal(completion.ticket, 0);
    assert_int_equal(completion.err, ERR_NONE);
    assert_true(completion.sync_us > 0);
}

static void test_operations_are_carried_out_in_order(void **state)
{
    struct fixture *fixture = *state;
    char vote[FOLDER_PATH_MAX + 16];
    snprintf(vote, sizeof vote, "%s/vote", fixture->folder);
    queue_append(fixture, "0123456789", 1);
    struct disk_op replace = {.kind = DISK_REPLACE, .path = strdup(vote), .sync = true};
    buf_add_text(&replace.bytes, "vote");
    fixture->port.queue(fixture->port.context, &replace);
    struct disk_op cut = {.kind = DISK_TRUNCATE, .file = fixture->file, .size = 4, .sync = true};
    fixture->port.queue(fixture->port.context, &cut);
    fixture->end = 4;
    queue_append(fixture, "ab", 2);
    queue_append(fixture, "cd", 3);
    struct disk_completion last;
    wait_for(fixture, 3, &last);
    assert_int_equal(last.err, ERR_NONE);
    assert_content(fixture->path, "0123abcd");
    assert_content(vote, "vote");
    assert_false(folder_has(fixture->folder, "vote.tmp"));
}

/* While the first operation is under way the others pile up: far fewer completions than writes, and
 * every byte in its place. More than one writev takes at a time, some of them empty. */
static void test_appends_that_wait_together_are_written_together(void **state)
{
    enum { APPENDS = 5000 };
    struct fixture *fixture = *state;
    struct buf expected = {0};
    for (uint64_t ticket = 1; ticket <= APPENDS; ticket++) {
        char text[32] = "";
        if (ticket % 7)
            snprintf(text, sizeof text, "<%llu>", (unsigned long long)ticket);
        buf_add_text(&expected, text);
        queue_append(fixture, text, ticket);
    }
    struct disk_completion last;
    unsigned count = wait_for(fixture, APPENDS, &last);
    assert_int_equal(last.err, ERR_NONE);
    assert_in_range(count, 1, APPENDS / 2);
    buf_add_char(&expected, '\0');
    assert_content(fixture->path, expected.ptr);
    buf_close(&expected);
}

static void test_a_large_append_is_written_whole(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_WRITE, .file = fixture->file, .sync = true, .ticket = 1};
    size_t len = 20 << 20;
    memset(buf_reserve(&op.bytes, len), 'L', len);
    op.bytes.len = len;
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion last;
    wait_for(fixture, 1, &last);
    assert_int_equal(last.err, ERR_NONE);
    uint64_t size;
    assert_int_equal(fixture->port.size(fixture->port.context, fixture->file, &size), ERR_NONE);
    assert_int_equal(size, len);
}

static void test_freeing_the_disk_finishes_the_queue(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t ticket = 1; ticket <= 100; ticket++)
        queue_append(fixture, "x", ticket);
    platform_disk_free(fixture->disk);
    uint64_t size;
    assert_int_equal(fixture->port.size(fixture->port.context, fixture->file, &size), ERR_NONE);
    assert_int_equal(size, 100);
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, 0, &fixture->port);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The size limit stands for a full disk. */
static void test_after_a_failed_write_nothing_more_is_carried_out(void **state)
{
    struct fixture *fixture = *state;
    struct disk_completion last;
    queue_append(fixture, "1234", 1);
    wait_for(fixture, 1, &last);
    limit_file_size(8);
    queue_append(fixture, "5678901234", 2);
    wait_for(fixture, 2, &last);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(last.err, ERR_NO_SPACE);
    assert_int_equal(last.ticket, 2);
    char vote[FOLDER_PATH_MAX + 16];
    snprintf(vote, sizeof vote, "%s/vote", fixture->folder);
    struct disk_op replace = {.kind = DISK_REPLACE, .path = strdup(vote)};
    buf_add_text(&replace.bytes, "vote");
    fixture->port.queue(fixture->port.context, &replace);
    queue_append(fixture, "more", 3);
    for (uint64_t ticket = 0; ticket < 3; ticket = last.ticket ? last.ticket : ticket)
        wait_for(fixture, 3, &last);
    assert_int_equal(last.err, ERR_NO_SPACE);
    assert_content(fixture->path, "12345678"); /* what fitted; recovery cuts it off */
    assert_false(folder_has(fixture->folder, "vote"));
}

static bool write_now(struct fixture *fixture, int file, const char *text, struct buf *rest)
{
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .offset = fixture->end};
    buf_add_text(&op.bytes, text);
    bool written = fixture->port.write_now(fixture->port.context, &op);
    assert_true(!written || op.bytes.len == 0);
    if (file == fixture->file)
        fixture->end = op.offset;
    *rest = op.bytes;
    return written;
}

/* The log thread falls asleep some time after its last completion. */
static void write_now_soon(struct fixture *fixture, const char *text)
{
    struct buf rest;
    for (;;) {
        bool written = write_now(fixture, fixture->file, text, &rest);
        buf_close(&rest);
        if (written)
            return;
        sched_yield();
    }
}

static void test_a_write_goes_where_it_says(void **state)
{
    struct fixture *fixture = *state;
    queue_append(fixture, "0123456789", 1);
    fixture->end = 3;
    queue_append(fixture, "ab", 2);
    queue_append(fixture, "cd", 3);
    fixture->end = 9;
    queue_append(fixture, "efg", 4);
    struct disk_completion last;
    wait_for(fixture, 4, &last);
    write_now_soon(fixture, "h");
    fixture->end = 1;
    write_now_soon(fixture, "i");
    assert_content(fixture->path, "0i2abcd78efgh");
}

/* The size limit and /dev/full stand for a full disk. */
static void test_an_optional_write_is_left_out_on_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    int full;
    assert_int_equal(fixture->port.open(fixture->port.context, "/dev/full", false, &full),
                     ERR_NONE);
    struct disk_op op = {.kind = DISK_WRITE, .file = full, .optional = true};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    struct disk_completion completion;
    assert_true(platform_disk_take(fixture->disk, &completion));
    assert_true(completion.left_out && !completion.waits_for_room && !completion.err);
    queue_append(fixture, "behind it", 1);
    struct disk_completion last;
    wait_for(fixture, 1, &last);
    assert_int_equal(last.err, ERR_NONE);
    assert_content(fixture->path, "behind it");
    fixture->port.close(fixture->port.context, full);
}

static void test_an_optional_write_leaves_no_hole(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_WRITE, .file = fixture->file, .offset = 4, .optional = true};
    queue_append(fixture, "123", 1);
    buf_add_text(&op.bytes, "#");
    fixture->port.queue(fixture->port.context, &op);
    queue_append(fixture, "4", 2);
    op = (struct disk_op){.kind = DISK_WRITE, .file = fixture->file, .offset = 4, .optional = true};
    buf_add_text(&op.bytes, "##");
    fixture->port.queue(fixture->port.context, &op);
    queue_append(fixture, "5", 3);
    struct disk_completion last;
    wait_for(fixture, 3, &last);
    assert_int_equal(last.err, ERR_NONE);
    assert_content(fixture->path, "12345#");
}

static void test_what_needs_no_sync_is_written_at_once_behind_what_was_queued(void **state)
{
    struct fixture *fixture = *state;
    struct disk_completion last;
    queue_append(fixture, "one", 1);
    write_now_soon(fixture, " two");
    write_now_soon(fixture, " three");
    queue_append(fixture, " four", 4);
    wait_for(fixture, 4, &last);
    assert_int_equal(last.err, ERR_NONE);
    assert_content(fixture->path, "one two three four");
}

/* /dev/full holds the queue. */
static void test_nothing_overtakes_the_queue(void **state)
{
    struct fixture *fixture = *state;
    int full;
    write_now_soon(fixture, "1");
    assert_int_equal(fixture->port.open(fixture->port.context, "/dev/full", false, &full),
                     ERR_NONE);
    struct disk_op op = {.kind = DISK_WRITE, .file = full, .ticket = 1};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    for (int i = 0; i < 1000; i++) {
        struct buf rest;
        assert_false(write_now(fixture, fixture->file, "2", &rest));
        assert_int_equal(rest.len, 1);
        buf_close(&rest);
        sched_yield();
    }
    platform_disk_free(fixture->disk);
    assert_content(fixture->path, "1");
    fixture->port.close(fixture->port.context, full);
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, 0, &fixture->port);
}

/* What does not fit stays to be queued; the log thread waits for room. */
static void test_a_full_disk_is_no_failure_of_a_write_at_once(void **state)
{
    struct fixture *fixture = *state;
    int full;
    assert_int_equal(fixture->port.open(fixture->port.context, "/dev/full", false, &full),
                     ERR_NONE);
    write_now_soon(fixture, "1");
    struct buf rest;
    assert_false(write_now(fixture, full, "x", &rest));
    assert_int_equal(rest.len, 1);
    buf_close(&rest);
    write_now_soon(fixture, "2");
    assert_content(fixture->path, "12");
    fixture->port.close(fixture->port.context, full);
}

static void test_after_a_failed_write_at_once_nothing_more_is_carried_out(void **state)
{
    struct fixture *fixture = *state;
    struct disk_completion last;
    struct disk_op op = {.kind = DISK_WRITE, .file = fixture->file, .offset = 8, .ticket = 1};
    write_now_soon(fixture, "1234");
    limit_file_size(8);
    assert_false(write_now(fixture, fixture->file, "5678901234", &op.bytes));
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(op.bytes.len, 6);
    fixture->port.queue(fixture->port.context, &op);
    wait_for(fixture, 1, &last);
    assert_int_equal(last.err, ERR_NO_SPACE);
    struct buf rest;
    assert_false(write_now(fixture, fixture->file, "more", &rest));
    buf_close(&rest);
    assert_content(fixture->path, "12345678");
}

/* /dev/full has never room. */
static void test_a_full_disk_is_told_and_holds_the_queue(void **state)
{
    struct fixture *fixture = *state;
    int full;
    assert_int_equal(fixture->port.open(fixture->port.context, "/dev/full", false, &full),
                     ERR_NONE);
    struct disk_op op = {.kind = DISK_WRITE, .file = full, .ticket = 1};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    queue_append(fixture, "behind it", 2);
    struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    platform_disk_woken(fixture->disk);
    struct disk_completion completion;
    assert_true(platform_disk_take(fixture->disk, &completion));
    assert_true(completion.waits_for_room);
    assert_int_equal(completion.ticket, 0);
    assert_int_equal(completion.err, ERR_NONE);
    assert_false(platform_disk_take(fixture->disk, &completion));
    platform_disk_free(fixture->disk); /* does not wait for room */
    assert_content(fixture->path, "");
    fixture->port.close(fixture->port.context, full);
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, 0, &fixture->port);
}

/* What waits may have no ticket, and nothing may follow it. */
static void test_it_is_told_when_there_is_room_again(void **state)
{
    struct fixture *fixture = *state;
    int file;
    int real;
    assert_int_equal(fixture->port.open(fixture->port.context, "/dev/full", false, &file),
                     ERR_NONE);
    assert_int_equal(fixture->port.open(fixture->port.context, fixture->path, false, &real),
                     ERR_NONE);
    struct disk_op op = {.kind = DISK_WRITE, .file = file};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion completion = {.waits_for_room = false};
    struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    platform_disk_woken(fixture->disk);
    assert_true(platform_disk_take(fixture->disk, &completion));
    assert_true(completion.waits_for_room);
    assert_int_equal(dup2(real, file), file); /* the room */
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    platform_disk_woken(fixture->disk);
    assert_true(platform_disk_take(fixture->disk, &completion));
    assert_false(completion.waits_for_room);
    assert_int_equal(completion.err, ERR_NONE);
    assert_content(fixture->path, "x");
    fixture->port.close(fixture->port.context, file);
    fixture->port.close(fixture->port.context, real);
}

static void test_the_room_of_a_disk_is_measured(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_MEASURE, .path = strdup(fixture->folder)};
    fixture->port.queue(fixture->port.context, &op);
    struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    platform_disk_woken(fixture->disk);
    struct disk_completion completion;
    assert_true(platform_disk_take(fixture->disk, &completion));
    assert_true(completion.measured);
    assert_true(completion.free_bytes > 0);
}

static void test_a_write_to_a_file_that_cannot_be_written_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_WRITE, .file = 9999, .sync = true, .ticket = 1};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion last;
    wait_for(fixture, 1, &last);
    assert_int_equal(last.err, ERR_IO);
}

static void test_a_failed_operation_without_a_ticket_is_reported_too(void **state)
{
    struct fixture *fixture = *state;
    struct disk_op op = {.kind = DISK_REPLACE, .path = strdup("/nonexistent/folder/vote")};
    buf_add_text(&op.bytes, "x");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion last;
    wait_for(fixture, 1, &last);
    assert_int_equal(last.err, ERR_NOT_FOUND);
}

static void test_the_synchronous_calls_read_what_was_written(void **state)
{
    struct fixture *fixture = *state;
    struct disk *port = &fixture->port;
    struct disk_completion last;
    queue_append(fixture, "0123456789", 1);
    wait_for(fixture, 1, &last);
    char bytes[16];
    size_t got;
    assert_int_equal(port->read(port->context, fixture->file, 7, bytes, sizeof bytes, &got),
                     ERR_NONE);
    assert_int_equal(got, 3);
    assert_memory_equal(bytes, "789", 3);
    assert_int_equal(port->read(port->context, fixture->file, 70, bytes, sizeof bytes, &got),
                     ERR_NONE);
    assert_int_equal(got, 0);
    assert_int_equal(port->truncate(port->context, fixture->file, 5), ERR_NONE);
    uint64_t size;
    assert_int_equal(port->size(port->context, fixture->file, &size), ERR_NONE);
    assert_int_equal(size, 5);
    assert_int_equal(port->sync_folder(port->context, fixture->folder), ERR_NONE);
}

static void test_paths_that_are_not_there_are_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct disk *port = &fixture->port;
    char path[FOLDER_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/none", fixture->folder);
    int file;
    assert_int_equal(port->open(port->context, path, false, &file), ERR_NOT_FOUND);
    struct buf bytes = {0};
    assert_int_equal(port->read_file(port->context, path, &bytes), ERR_NOT_FOUND);
    assert_int_equal(port->sync_folder(port->context, path), ERR_NOT_FOUND);
    buf_close(&bytes);
}

static void test_a_completion_names_the_shard_of_its_port(void **state)
{
    struct fixture *fixture = *state;
    struct disk other;
    platform_disk_port(fixture->disk, 7, &other);
    struct disk_completion completion;
    queue_append(fixture, "a", 1);
    wait_for(fixture, 1, &completion);
    assert_int_equal(completion.shard, 0);
    struct disk_op op = {.kind = DISK_WRITE, .file = fixture->file, .sync = true, .ticket = 2};
    buf_add_text(&op.bytes, "b");
    other.queue(other.context, &op);
    wait_for(fixture, 2, &completion);
    assert_int_equal(completion.shard, 7);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN); /* as main() does: otherwise it would end the process */
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_an_append_completes_with_the_duration_of_its_sync),
        TEST(test_an_append_without_sync_has_no_duration),
        TEST(test_the_loop_is_told_once_of_what_it_has_not_taken),
        TEST(test_a_sync_without_a_ticket_tells_its_duration),
        TEST(test_a_completion_names_the_shard_of_its_port),
        TEST(test_operations_are_carried_out_in_order),
        TEST(test_appends_that_wait_together_are_written_together),
        TEST(test_a_write_goes_where_it_says),
        TEST(test_an_optional_write_is_left_out_on_a_full_disk),
        TEST(test_an_optional_write_leaves_no_hole),
        TEST(test_a_large_append_is_written_whole),
        TEST(test_freeing_the_disk_finishes_the_queue),
        TEST(test_after_a_failed_write_nothing_more_is_carried_out),
        TEST(test_what_needs_no_sync_is_written_at_once_behind_what_was_queued),
        TEST(test_nothing_overtakes_the_queue),
        TEST(test_a_full_disk_is_no_failure_of_a_write_at_once),
        TEST(test_after_a_failed_write_at_once_nothing_more_is_carried_out),
        TEST(test_a_full_disk_is_told_and_holds_the_queue),
        TEST(test_it_is_told_when_there_is_room_again),
        TEST(test_the_room_of_a_disk_is_measured),
        TEST(test_a_write_to_a_file_that_cannot_be_written_is_an_error),
        TEST(test_a_failed_operation_without_a_ticket_is_reported_too),
        TEST(test_the_synchronous_calls_read_what_was_written),
        TEST(test_paths_that_are_not_there_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
