#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "platform/disk.h"
#include "unit/platform/folder.h"

enum { WAIT_MS = 20000, MEMORY_BYTES = 5 << 20, PIECE_BYTES = 64 << 10 };

/* What parent and child both see. */
struct shared {
    sem_t started;
    sem_t may_go_on;
    pid_t child;
};

struct fixture {
    char folder[FOLDER_PATH_MAX];
    char path[FOLDER_PATH_MAX + 32];
    struct platform_disk *disk;
    struct disk port;
    struct shared *shared;
    char *memory;
    size_t produced;
    size_t len;
    bool waits; /* the producer does, before its first piece */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(fixture->folder);
    snprintf(fixture->path, sizeof fixture->path, "%s/image", fixture->folder);
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, &fixture->port);
    fixture->shared = mmap(NULL, sizeof *fixture->shared, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fixture->shared == MAP_FAILED || sem_init(&fixture->shared->started, 1, 0) ||
        sem_init(&fixture->shared->may_go_on, 1, 0))
        return -1;
    fixture->memory = malloc(MEMORY_BYTES);
    for (size_t i = 0; i < MEMORY_BYTES; i++)
        fixture->memory[i] = (char)(i * 31 / 7);
    fixture->len = MEMORY_BYTES;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->disk)
        platform_disk_free(fixture->disk);
    munmap(fixture->shared, sizeof *fixture->shared);
    folder_remove(fixture->folder);
    free(fixture->memory);
    free(fixture);
    return 0;
}

static bool produce(void *producer, struct buf *out)
{
    struct fixture *fixture = producer;
    if (fixture->waits && fixture->produced == 0) {
        fixture->shared->child = getpid();
        sem_post(&fixture->shared->started);
        while (sem_wait(&fixture->shared->may_go_on) && errno == EINTR)
            continue;
    }
    size_t left = fixture->len - fixture->produced;
    size_t len = left < PIECE_BYTES ? left : PIECE_BYTES;
    buf_add_span(out, span_of(fixture->memory + fixture->produced, len));
    fixture->produced += len;
    return fixture->produced < fixture->len;
}

static enum err begin(struct fixture *fixture, const char *path)
{
    return fixture->port.write_image(fixture->port.context, path, produce, fixture);
}

static void begin_waiting(struct fixture *fixture)
{
    fixture->waits = true;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    while (sem_wait(&fixture->shared->started) && errno == EINTR)
        continue;
}

/* Waits for the next completion as the loop does. */
static struct disk_completion next_completion(struct fixture *fixture)
{
    struct disk_completion completion;
    while (!platform_disk_take(fixture->disk, &completion)) {
        struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        platform_disk_woken(fixture->disk);
    }
    return completion;
}

static void assert_ends(struct fixture *fixture, enum err err)
{
    struct disk_completion completion = next_completion(fixture);
    assert_true(completion.image);
    assert_int_equal(completion.err, err);
}

static void assert_written(struct fixture *fixture, const char *expected, size_t len)
{
    struct buf bytes = {0};
    assert_int_equal(fixture->port.read_file(fixture->port.context, fixture->path, &bytes),
                     ERR_NONE);
    assert_int_equal(bytes.len, len);
    if (len)
        assert_memory_equal(bytes.ptr, expected, len);
    buf_close(&bytes);
}

static void test_an_image_shows_the_memory_as_it_was_when_it_began(void **state)
{
    struct fixture *fixture = *state;
    char *before = malloc(MEMORY_BYTES);
    memcpy(before, fixture->memory, MEMORY_BYTES);
    begin_waiting(fixture);
    memset(fixture->memory, '!', MEMORY_BYTES);
    sem_post(&fixture->shared->may_go_on);
    assert_ends(fixture, ERR_NONE);
    assert_int_equal(fixture->produced, 0); /* by the child alone */
    assert_written(fixture, before, MEMORY_BYTES);
    free(before);
}

static void test_an_image_takes_the_place_of_a_longer_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    assert_ends(fixture, ERR_NONE);
    for (fixture->len = 3; fixture->len < 4; fixture->len--) {
        assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
        assert_ends(fixture, ERR_NONE);
        assert_written(fixture, fixture->memory, fixture->len);
    }
}

static void test_there_is_one_image_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    begin_waiting(fixture);
    assert_int_equal(begin(fixture, fixture->path), ERR_BUSY);
    sem_post(&fixture->shared->may_go_on);
    assert_ends(fixture, ERR_NONE);
    fixture->waits = false;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    assert_ends(fixture, ERR_NONE);
    assert_written(fixture, fixture->memory, MEMORY_BYTES);
}

static void test_the_log_goes_on_while_an_image_is_written(void **state)
{
    struct fixture *fixture = *state;
    begin_waiting(fixture);
    char path[sizeof fixture->path];
    snprintf(path, sizeof path, "%s/log", fixture->folder);
    int file;
    assert_int_equal(fixture->port.open(fixture->port.context, path, true, &file), ERR_NONE);
    struct disk_op op = {.kind = DISK_APPEND, .file = file, .sync = true, .ticket = 4};
    buf_add_text(&op.bytes, "entry");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion completion = next_completion(fixture);
    assert_false(completion.image);
    assert_int_equal(completion.ticket, 4);
    fixture->port.close(fixture->port.context, file);
    sem_post(&fixture->shared->may_go_on);
    assert_ends(fixture, ERR_NONE);
}

static void test_an_image_that_cannot_be_written_says_why(void **state)
{
    struct fixture *fixture = *state;
    char missing[sizeof fixture->path + 16];
    snprintf(missing, sizeof missing, "%s/none/image", fixture->folder);
    assert_int_equal(begin(fixture, missing), ERR_NONE);
    assert_ends(fixture, ERR_NOT_FOUND);
    assert_int_equal(begin(fixture, fixture->folder), ERR_NONE);
    assert_ends(fixture, ERR_IO);
    assert_int_equal(begin(fixture, "/dev/full"), ERR_NONE);
    assert_ends(fixture, ERR_NO_SPACE);
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    assert_ends(fixture, ERR_NONE);
}

static void test_a_failed_image_is_no_failure_of_the_log(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, "/dev/full"), ERR_NONE);
    assert_ends(fixture, ERR_NO_SPACE);
    struct disk_op op = {.kind = DISK_REPLACE, .ticket = 1};
    op.path = mem_alloc(strlen(fixture->path) + 1);
    strcpy(op.path, fixture->path);
    buf_add_text(&op.bytes, "text");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion completion = next_completion(fixture);
    assert_int_equal(completion.ticket, 1);
    assert_int_equal(completion.err, ERR_NONE);
    assert_written(fixture, "text", 4);
}

static void test_an_image_whose_child_was_killed_has_failed(void **state)
{
    struct fixture *fixture = *state;
    begin_waiting(fixture);
    assert_int_not_equal(fixture->shared->child, getpid());
    assert_int_equal(kill(fixture->shared->child, SIGKILL), 0);
    assert_ends(fixture, ERR_IO);
    assert_int_equal(kill(fixture->shared->child, 0), -1); /* nor is it a zombie */
    assert_int_equal(errno, ESRCH);
    fixture->waits = false;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    assert_ends(fixture, ERR_NONE);
}

static void test_the_end_of_the_disk_ends_the_child(void **state)
{
    struct fixture *fixture = *state;
    begin_waiting(fixture);
    platform_disk_free(fixture->disk);
    fixture->disk = NULL;
    assert_int_equal(kill(fixture->shared->child, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_the_disk_may_end_before_an_images_end_is_taken(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    struct pollfd poll_fd = {.fd = platform_disk_fd(fixture->disk), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    platform_disk_free(fixture->disk);
    fixture->disk = NULL;
}

static void test_the_child_keeps_no_descriptor_of_its_parent(void **state)
{
    struct fixture *fixture = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    begin_waiting(fixture);
    close(ends[1]);
    struct pollfd poll_fd = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    sem_post(&fixture->shared->may_go_on);
    assert_ends(fixture, ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_image_shows_the_memory_as_it_was_when_it_began,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_image_takes_the_place_of_a_longer_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_there_is_one_image_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_log_goes_on_while_an_image_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_image_that_cannot_be_written_says_why, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_image_is_no_failure_of_the_log, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_image_whose_child_was_killed_has_failed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_end_of_the_disk_ends_the_child, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_disk_may_end_before_an_images_end_is_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_child_keeps_no_descriptor_of_its_parent, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
