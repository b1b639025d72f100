#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "platform/disk.h"
#include "unit/platform/folder.h"

enum { WAIT_MS = 20000, MEMORY_BYTES = 5 << 20, PIECE_BYTES = 64 << 10 };

struct fixture {
    char folder[FOLDER_PATH_MAX];
    char path[FOLDER_PATH_MAX + 32];
    struct platform_disk *disk;
    struct disk port;
    char *memory;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(fixture->folder);
    snprintf(fixture->path, sizeof fixture->path, "%s/image", fixture->folder);
    fixture->disk = platform_disk_new();
    platform_disk_port(fixture->disk, 0, &fixture->port);
    fixture->memory = malloc(MEMORY_BYTES);
    for (size_t i = 0; i < MEMORY_BYTES; i++)
        fixture->memory[i] = (char)(i * 31 / 7);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->disk)
        platform_disk_free(fixture->disk);
    folder_remove(fixture->folder);
    free(fixture->memory);
    free(fixture);
    return 0;
}

static enum err begin(struct fixture *fixture, const char *path)
{
    return fixture->port.image_begin(fixture->port.context, path);
}

/* How many pieces it was comes back. */
static unsigned write_pieces(struct fixture *fixture, size_t len)
{
    unsigned count = 0;
    for (size_t at = 0; at < len; at += PIECE_BYTES, count++) {
        struct buf piece = {0};
        buf_add(&piece, fixture->memory + at, len - at < PIECE_BYTES ? len - at : PIECE_BYTES);
        fixture->port.image_write(fixture->port.context, &piece);
        assert_null(piece.ptr); /* taken over */
    }
    return count;
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

/* The pieces complete, then the end, which says how it went. */
static void assert_ends(struct fixture *fixture, unsigned pieces, enum err err)
{
    for (unsigned i = 0; i <= pieces; i++) {
        struct disk_completion completion = next_completion(fixture);
        assert_true(completion.image);
        assert_int_equal(completion.image_ended, i == pieces);
        assert_true(completion.err == err || (i < pieces && !completion.err));
    }
}

static void end(struct fixture *fixture, bool keep)
{
    fixture->port.image_end(fixture->port.context, keep);
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

static void test_an_image_has_its_pieces_in_order(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    unsigned pieces = write_pieces(fixture, MEMORY_BYTES - 7);
    end(fixture, true);
    assert_ends(fixture, pieces, ERR_NONE);
    assert_written(fixture, fixture->memory, MEMORY_BYTES - 7);
}

static void test_an_image_takes_the_place_of_a_longer_file(void **state)
{
    struct fixture *fixture = *state;
    for (size_t len = 2 * PIECE_BYTES + 3; len <= 2 * PIECE_BYTES + 3; len -= PIECE_BYTES) {
        assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
        unsigned pieces = write_pieces(fixture, len);
        end(fixture, true);
        assert_ends(fixture, pieces, ERR_NONE);
        assert_written(fixture, fixture->memory, len);
    }
}

static void test_there_is_one_image_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    assert_int_equal(begin(fixture, fixture->path), ERR_BUSY);
    end(fixture, false);
    assert_int_equal(begin(fixture, fixture->path), ERR_BUSY); /* until that is taken */
    assert_ends(fixture, 0, ERR_NONE);
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    end(fixture, true);
    assert_ends(fixture, 0, ERR_NONE);
    assert_written(fixture, "", 0);
}

static void test_the_log_goes_on_while_an_image_is_written(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    char path[sizeof fixture->path];
    snprintf(path, sizeof path, "%s/log", fixture->folder);
    int file;
    assert_int_equal(fixture->port.open(fixture->port.context, path, true, &file), ERR_NONE);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .sync = true, .ticket = 4};
    buf_add_text(&op.bytes, "entry");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion completion = next_completion(fixture);
    assert_false(completion.image);
    assert_int_equal(completion.ticket, 4);
    fixture->port.close(fixture->port.context, file);
    end(fixture, true);
    assert_ends(fixture, 0, ERR_NONE);
}

static void test_an_image_that_cannot_be_begun_says_why(void **state)
{
    struct fixture *fixture = *state;
    char missing[sizeof fixture->path + 16];
    snprintf(missing, sizeof missing, "%s/none/image", fixture->folder);
    assert_int_equal(begin(fixture, missing), ERR_NOT_FOUND);
    assert_int_equal(begin(fixture, fixture->folder), ERR_IO);
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    end(fixture, true);
    assert_ends(fixture, 0, ERR_NONE);
}

static void test_a_failed_image_is_no_failure_of_the_log(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, "/dev/full"), ERR_NONE);
    unsigned pieces = write_pieces(fixture, 3 * PIECE_BYTES);
    end(fixture, true);
    assert_ends(fixture, pieces, ERR_NO_SPACE);
    struct disk_op op = {.kind = DISK_REPLACE, .ticket = 1};
    op.path = mem_alloc(strlen(fixture->path) + 1);
    strcpy(op.path, fixture->path);
    buf_add_text(&op.bytes, "text");
    fixture->port.queue(fixture->port.context, &op);
    struct disk_completion completion = next_completion(fixture);
    assert_int_equal(completion.ticket, 1);
    assert_int_equal(completion.err, ERR_NONE);
    assert_written(fixture, "text", 4);
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE); /* nor of the next one */
    pieces = write_pieces(fixture, PIECE_BYTES);
    end(fixture, true);
    assert_ends(fixture, pieces, ERR_NONE);
    assert_written(fixture, fixture->memory, PIECE_BYTES);
}

static void test_an_image_leaves_the_room_that_is_to_stay_free(void **state)
{
    struct fixture *fixture = *state;
    platform_disk_keep_free(fixture->disk, UINT64_MAX / 2);
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    unsigned pieces = write_pieces(fixture, 2 * PIECE_BYTES);
    end(fixture, true);
    assert_ends(fixture, pieces, ERR_NO_SPACE);
    assert_written(fixture, "", 0);
}

/* Before anybody removes the file. */
static void test_an_image_that_is_not_wanted_takes_no_room(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    unsigned pieces = write_pieces(fixture, 4 * PIECE_BYTES);
    end(fixture, false);
    assert_ends(fixture, pieces, ERR_NONE);
    assert_written(fixture, "", 0);
}

static void test_the_disk_may_end_amid_an_image(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, fixture->path), ERR_NONE);
    write_pieces(fixture, MEMORY_BYTES);
    platform_disk_free(fixture->disk);
    fixture->disk = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_an_image_has_its_pieces_in_order),
        TEST(test_an_image_takes_the_place_of_a_longer_file),
        TEST(test_there_is_one_image_at_a_time),
        TEST(test_the_log_goes_on_while_an_image_is_written),
        TEST(test_an_image_that_cannot_be_begun_says_why),
        TEST(test_a_failed_image_is_no_failure_of_the_log),
        TEST(test_an_image_leaves_the_room_that_is_to_stay_free),
        TEST(test_an_image_that_is_not_wanted_takes_no_room),
        TEST(test_the_disk_may_end_amid_an_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
