/* A file that an operator wrote, replaced by the server. */
#include <fcntl.h>
#include <sys/wait.h>

#include "platform/files.h"
#include "unit/platform/folder.h"

enum { NOBODY = 65534, SOMEBODY = 4711 };

static char folder[FOLDER_PATH_MAX];
static char path[FOLDER_PATH_MAX + 64];

static int setup(void **state)
{
    (void)state;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/redis.conf", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void write_file(mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, "before", 6), 6);
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
}

static void assert_holds(const char *text)
{
    struct buf bytes = {0};
    assert_int_equal(platform_read_file(path, &bytes), ERR_NONE);
    assert_true(span_equal(buf_span(&bytes), span_text(text)));
    buf_close(&bytes);
    assert_false(folder_has(folder, "redis.conf.tmp"));
}

static void test_mode_of_a_rewritten_file_stays(void **state)
{
    (void)state;
    char why[PLATFORM_WHY_MAX] = "";
    static const mode_t modes[] = {0600, 0640, 0644, 0400};
    mode_t mask = umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_file(modes[i]);
        assert_int_equal(platform_rewrite_file(path, SPAN("after"), why), ERR_NONE);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, modes[i]);
        assert_holds("after");
        assert_int_equal(unlink(path), 0);
    }
    umask(mask);
}

static void test_file_that_is_gone_comes_back_for_its_owner_alone(void **state)
{
    (void)state;
    char why[PLATFORM_WHY_MAX] = "";
    assert_int_equal(platform_rewrite_file(path, SPAN("after"), why), ERR_NONE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void test_left_over_temporary_file_does_not_lend_its_mode(void **state)
{
    (void)state;
    char why[PLATFORM_WHY_MAX] = "", temporary[sizeof path + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    write_file(0600);
    int file = open(temporary, O_WRONLY | O_CREAT, 0666);
    assert_int_equal(fchmod(file, 0666), 0);
    assert_int_equal(close(file), 0);
    assert_int_equal(platform_rewrite_file(path, SPAN("after"), why), ERR_NONE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_holds("after");
}

static void test_owner_of_a_rewritten_file_stays(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    char why[PLATFORM_WHY_MAX] = "";
    write_file(0640);
    assert_int_equal(chown(path, SOMEBODY, NOBODY), 0);
    assert_int_equal(platform_rewrite_file(path, SPAN("after"), why), ERR_NONE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_uid, SOMEBODY);
    assert_int_equal(status.st_gid, NOBODY);
    assert_int_equal(status.st_mode & 07777, 0640);
}

/* In a process of its own, which gives its rights up. */
static int rewrite_as_nobody(void)
{
    char why[PLATFORM_WHY_MAX] = "";
    if (setgid(NOBODY) || setuid(NOBODY))
        return 1;
    if (platform_rewrite_file(path, SPAN("after"), why) != ERR_DENIED)
        return 2;
    return strcmp(why, "cannot keep its owner (user 4711, group 0): Operation not permitted") == 0
               ? 0
               : 3;
}

static void test_file_whose_owner_cannot_be_kept_is_left_alone(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    write_file(0644);
    assert_int_equal(chown(path, SOMEBODY, 0), 0);
    assert_int_equal(chown(folder, NOBODY, NOBODY), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(rewrite_as_nobody());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_holds("before");
}

static void test_file_that_all_may_read_is_known(void **state)
{
    (void)state;
    write_file(0604);
    assert_true(platform_is_open_to_all(path));
    write_file(0640);
    assert_false(platform_is_open_to_all(path));
    assert_false(platform_is_open_to_all("/dev/null"));
    assert_false(platform_is_open_to_all("/none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_mode_of_a_rewritten_file_stays),
        TEST(test_file_that_is_gone_comes_back_for_its_owner_alone),
        TEST(test_left_over_temporary_file_does_not_lend_its_mode),
        TEST(test_owner_of_a_rewritten_file_stays),
        TEST(test_file_whose_owner_cannot_be_kept_is_left_alone),
        TEST(test_file_that_all_may_read_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
