/* The folder of backups: only whole copies get a name, no file is replaced, the newest stay. */
#include "platform/backup.h"

#include <fcntl.h>
#include <poll.h>

#include "base/crc.h"
#include "unit/platform/folder.h"

enum { WAIT_MS = 20000, BYTES = 300000 };

struct fixture {
    char folder[FOLDER_PATH_MAX];
    char backups_path[FOLDER_PATH_MAX + 32];
    char source[FOLDER_PATH_MAX + 32];
    char bytes[BYTES]; /* of the source: the last 8 are the checksum of the others */
    struct platform_backups *backups;
};

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* "path/name", for the next call only. */
static const char *in_folder(const struct fixture *fixture, const char *name)
{
    static char path[FOLDER_PATH_MAX + 300];
    snprintf(path, sizeof path, "%s/%s", fixture->backups_path, name);
    return path;
}

static bool is_there(const struct fixture *fixture, const char *name)
{
    struct stat status;
    return lstat(in_folder(fixture, name), &status) == 0;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(fixture->folder);
    snprintf(fixture->backups_path, sizeof fixture->backups_path, "%s/a/b", fixture->folder);
    snprintf(fixture->source, sizeof fixture->source, "%s/source", fixture->folder);
    for (size_t i = 0; i < BYTES - 8; i++)
        fixture->bytes[i] = (char)(i * 31 / 7);
    uint64_t crc = crc64(0, fixture->bytes, BYTES - 8);
    for (size_t i = 0; i < 8; i++)
        fixture->bytes[BYTES - 8 + i] = (char)(crc >> (8 * i));
    write_file(fixture->source, fixture->bytes, BYTES);
    assert_int_equal(platform_backups_open(fixture->backups_path, ".own.tmp", &fixture->backups),
                     ERR_NONE);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    platform_backups_close(fixture->backups);
    folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static struct platform_backup_result run(struct fixture *fixture, struct platform_backup_job job)
{
    struct platform_backup_result result;
    job.id = 7;
    platform_backups_begin(fixture->backups, &job);
    while (!platform_backups_take(fixture->backups, &result)) {
        struct pollfd poll_fd = {.fd = platform_backups_fd(fixture->backups), .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    }
    assert_int_equal(result.kind, job.kind);
    assert_int_equal(result.id, 7);
    return result;
}

static struct platform_backup_job copy_job(const struct fixture *fixture, const char *name)
{
    struct platform_backup_job job = {.kind = PLATFORM_BACKUP_COPY, .bytes = BYTES};
    job.source = open(fixture->source, O_RDONLY);
    assert_true(job.source >= 0);
    snprintf(job.name, sizeof job.name, "%s", name);
    return job;
}

/* The error of a copy under that name. */
static enum err copy(struct fixture *fixture, const char *name)
{
    struct platform_backup_result result = run(fixture, copy_job(fixture, name));
    assert_int_equal(result.err == ERR_NONE, result.why[0] == '\0');
    assert_false(is_there(fixture, ".own.tmp"));
    platform_backup_result_close(&result);
    return result.err;
}

static void test_a_copy_is_the_source_and_says_how_it_begins(void **state)
{
    struct fixture *fixture = *state;
    struct platform_backup_result result = run(fixture, copy_job(fixture, "a.rdb"));
    assert_int_equal(result.err, ERR_NONE);
    assert_true(result.head.len >= PLATFORM_BACKUP_HEAD_BYTES);
    assert_memory_equal(result.head.ptr, fixture->bytes, PLATFORM_BACKUP_HEAD_BYTES);
    assert_int_equal(platform_backups_copied(fixture->backups), BYTES);
    platform_backup_result_close(&result);
    static char read[BYTES + 1];
    FILE *file = fopen(in_folder(fixture, "a.rdb"), "rb");
    assert_int_equal(fread(read, 1, sizeof read, file), BYTES);
    fclose(file);
    assert_memory_equal(read, fixture->bytes, BYTES);
}

static void test_no_file_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    write_file(in_folder(fixture, "a.rdb"), "precious", 8);
    assert_int_equal(copy(fixture, "a.rdb"), ERR_EXISTS);
    struct stat status;
    assert_int_equal(stat(in_folder(fixture, "a.rdb"), &status), 0);
    assert_int_equal(status.st_size, 8);
    assert_int_equal(symlink("/nowhere", in_folder(fixture, "b.rdb")), 0);
    assert_int_equal(copy(fixture, "b.rdb"), ERR_EXISTS);
}

static void test_a_damaged_source_gets_no_name(void **state)
{
    struct fixture *fixture = *state;
    static const size_t places[] = {0, BYTES / 2, BYTES - 9, BYTES - 8, BYTES - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        fixture->bytes[places[i]] ^= 1;
        write_file(fixture->source, fixture->bytes, BYTES);
        fixture->bytes[places[i]] ^= 1;
        assert_int_equal(copy(fixture, "a.rdb"), ERR_CORRUPT);
    }
    write_file(fixture->source, fixture->bytes, BYTES - 1);
    assert_int_equal(copy(fixture, "a.rdb"), ERR_CORRUPT);
    assert_false(is_there(fixture, "a.rdb"));
    write_file(fixture->source, fixture->bytes, BYTES);
    assert_int_equal(copy(fixture, "a.rdb"), ERR_NONE);
}

/* Pieces end within the checksum, too. */
static void test_the_checksum_may_stand_across_pieces(void **state)
{
    struct fixture *fixture = *state;
    for (size_t beyond = 0; beyond <= 9; beyond++) {
        size_t len = 128 * 1024 + beyond;
        static char bytes[128 * 1024 + 16];
        memcpy(bytes, fixture->bytes, len - 8);
        uint64_t crc = crc64(0, bytes, len - 8);
        for (size_t i = 0; i < 8; i++)
            bytes[len - 8 + i] = (char)(crc >> (8 * i));
        write_file(fixture->source, bytes, len);
        char name[32];
        snprintf(name, sizeof name, "%zu.rdb", beyond);
        struct platform_backup_job job = copy_job(fixture, name);
        job.bytes = len;
        struct platform_backup_result result = run(fixture, job);
        assert_int_equal(result.err, ERR_NONE);
        platform_backup_result_close(&result);
    }
}

static void test_what_a_crash_has_left_goes_first(void **state)
{
    struct fixture *fixture = *state;
    write_file(in_folder(fixture, ".own.tmp"), "half", 4);
    write_file(in_folder(fixture, ".other.tmp"), "half", 4);
    struct platform_backup_result result =
        run(fixture, (struct platform_backup_job){.kind = PLATFORM_BACKUP_PREPARE});
    assert_int_equal(result.err, ERR_NONE);
    assert_false(is_there(fixture, ".own.tmp"));
    assert_true(is_there(fixture, ".other.tmp")); /* another node's, which may be at work */
    write_file(in_folder(fixture, ".own.tmp"), "half", 4);
    assert_int_equal(copy(fixture, "a.rdb"), ERR_NONE);
}

static void test_preparation_says_what_would_fail(void **state)
{
    struct fixture *fixture = *state;
    struct platform_backup_job job = {.kind = PLATFORM_BACKUP_PREPARE, .name = "a.rdb"};
    assert_int_equal(run(fixture, job).err, ERR_NONE);
    job.keep_free_bytes = UINT64_MAX / 2;
    assert_int_equal(run(fixture, job).err, ERR_NO_SPACE);
    job.keep_free_bytes = 0;
    write_file(in_folder(fixture, "a.rdb"), "", 0);
    assert_int_equal(run(fixture, job).err, ERR_EXISTS);
    assert_int_equal(unlink(in_folder(fixture, "a.rdb")), 0);
    assert_int_equal(rmdir(fixture->backups_path), 0);
    assert_int_equal(run(fixture, job).err, ERR_NOT_FOUND);
    assert_int_equal(copy(fixture, "a.rdb"), ERR_NOT_FOUND);
}

static void test_a_copy_leaves_room(void **state)
{
    struct fixture *fixture = *state;
    struct platform_backup_job job = copy_job(fixture, "a.rdb");
    job.keep_free_bytes = UINT64_MAX / 2;
    struct platform_backup_result result = run(fixture, job);
    assert_int_equal(result.err, ERR_NO_SPACE);
    assert_false(is_there(fixture, "a.rdb") || is_there(fixture, ".own.tmp"));
    platform_backup_result_close(&result);
}

static void test_the_last_of_the_own_names_stay(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"own-1.rdb", "own-2.rdb",  "own-9.rdb",
                                        "own-8.txt", ".own-7.rdb", "other-1.rdb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        write_file(in_folder(fixture, names[i]), "", 0);
    struct platform_backup_job job = copy_job(fixture, "own-3.rdb");
    memcpy(job.own, "own-", 5);
    job.keep = 2;
    struct platform_backup_result result = run(fixture, job);
    assert_int_equal(result.err, ERR_NONE);
    assert_int_equal(result.removed, 2);
    assert_false(is_there(fixture, "own-1.rdb") || is_there(fixture, "own-2.rdb"));
    for (size_t i = 2; i < sizeof names / sizeof names[0]; i++)
        assert_true(is_there(fixture, names[i]));
    platform_backup_result_close(&result);
    job = copy_job(fixture, "own-4.rdb"); /* what was just made stays in any case */
    memcpy(job.own, "own-", 5);
    job.keep = 1;
    result = run(fixture, job);
    assert_int_equal(result.removed, 1);
    assert_true(is_there(fixture, "own-4.rdb") && is_there(fixture, "own-9.rdb"));
    platform_backup_result_close(&result);
}

static void test_the_list_has_all_complete_ones_by_name(void **state)
{
    struct fixture *fixture = *state;
    write_file(in_folder(fixture, "b.rdb"), "bytes", 5);
    write_file(in_folder(fixture, "a.rdb"), "", 0);
    write_file(in_folder(fixture, ".c.rdb"), "", 0);
    write_file(in_folder(fixture, "d.txt"), "", 0);
    assert_int_equal(mkfifo(in_folder(fixture, "e.rdb"), 0600), 0); /* nobody waits for it */
    struct platform_backup_result result =
        run(fixture, (struct platform_backup_job){.kind = PLATFORM_BACKUP_LIST});
    assert_int_equal(result.err, ERR_NONE);
    assert_int_equal(result.count, 3);
    assert_string_equal(result.files[0].name, "a.rdb");
    assert_string_equal(result.files[1].name, "b.rdb");
    assert_int_equal(result.files[1].bytes, 5);
    assert_int_equal(result.files[1].head.len, 5);
    assert_string_equal(result.files[2].name, "e.rdb");
    assert_int_equal(result.files[2].head.len, 0);
    platform_backup_result_close(&result);
}

static void test_the_end_leaves_nothing_half_done(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.rdb", i);
        struct platform_backup_job job = copy_job(fixture, name);
        platform_backups_begin(fixture->backups, &job);
    }
    platform_backups_close(fixture->backups);
    fixture->backups = NULL;
    assert_false(is_there(fixture, ".own.tmp"));
    assert_int_equal(platform_backups_open(fixture->source, ".own.tmp", &fixture->backups),
                     ERR_INVALID); /* it is a file */
    assert_null(fixture->backups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_copy_is_the_source_and_says_how_it_begins, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_file_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_source_gets_no_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_checksum_may_stand_across_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_crash_has_left_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_preparation_says_what_would_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_copy_leaves_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_of_the_own_names_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_list_has_all_complete_ones_by_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_end_leaves_nothing_half_done, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
