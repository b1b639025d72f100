#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/files.h"
#include "unit/platform/folder.h"

enum { PATH_MAX_HERE = FOLDER_PATH_MAX + 64 };

static char folder[FOLDER_PATH_MAX];
static char path[PATH_MAX_HERE];

static int setup(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    assert_int_equal(platform_replace_file(in_folder(name), span_text(text)), ERR_NONE);
}

static void test_a_file_is_replaced_as_a_whole(void **state)
{
    (void)state;
    struct buf bytes = {0};
    write_file("a", "a long text that is there first");
    write_file("a", "short");
    assert_int_equal(platform_read_file(in_folder("a"), &bytes), ERR_NONE);
    assert_true(span_equal(buf_span(&bytes), SPAN("short")));
    assert_false(folder_has(folder, "a.tmp"));
    buf_close(&bytes);
}

static void test_a_file_that_cannot_be_replaced_stays_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    assert_int_not_equal(platform_replace_file(in_folder("a"), SPAN("text")), ERR_NONE);
    assert_false(folder_has(folder, "a.tmp"));
    assert_int_equal(platform_replace_file(in_folder("none/a"), SPAN("text")), ERR_NOT_FOUND);
}

static void test_a_read_adds_to_what_is_there(void **state)
{
    (void)state;
    struct buf bytes = {0};
    buf_add_text(&bytes, "before ");
    write_file("a", "text");
    assert_int_equal(platform_read_file(in_folder("a"), &bytes), ERR_NONE);
    assert_true(span_equal(buf_span(&bytes), SPAN("before text")));
    buf_close(&bytes);
}

static void test_a_large_file_is_read_whole(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 50000; i++)
        buf_printf(&text, "line %d\n", i);
    assert_int_equal(platform_replace_file(in_folder("a"), buf_span(&text)), ERR_NONE);
    struct buf bytes = {0};
    assert_int_equal(platform_read_file(in_folder("a"), &bytes), ERR_NONE);
    assert_true(span_equal(buf_span(&bytes), buf_span(&text)));
    buf_close(&text);
    buf_close(&bytes);
}

static void test_a_folder_cannot_be_read_as_a_file(void **state)
{
    (void)state;
    struct buf bytes = {0};
    assert_int_equal(platform_read_file(folder, &bytes), ERR_IO);
    assert_int_equal(platform_read_file(in_folder("none"), &bytes), ERR_NOT_FOUND);
    buf_close(&bytes);
}

static void test_a_dash_is_standard_input(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    close(ends[0]);
    close(ends[1]);
    struct buf bytes = {0};
    assert_int_equal(platform_read_file("-", &bytes), ERR_NONE);
    if (kept >= 0) {
        dup2(kept, STDIN_FILENO);
        close(kept);
    }
    assert_true(span_equal(buf_span(&bytes), SPAN("piped")));
    buf_close(&bytes);
}

static void test_folders_are_made_with_their_parents(void **state)
{
    (void)state;
    assert_int_equal(platform_make_folder(in_folder("a/b//c/")), ERR_NONE);
    assert_true(folder_has(folder, "a/b/c"));
    assert_int_equal(platform_make_folder(in_folder("a/b/c")), ERR_NONE);
    assert_int_equal(platform_make_folder("/"), ERR_NONE);
    assert_int_equal(platform_make_folder("."), ERR_NONE);
}

static void test_a_relative_folder_is_made_where_the_process_is(void **state)
{
    (void)state;
    int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(here >= 0);
    assert_int_equal(chdir(folder), 0);
    enum err err = platform_make_folder("x/y");
    assert_int_equal(fchdir(here), 0);
    close(here);
    assert_int_equal(err, ERR_NONE);
    assert_true(folder_has(folder, "x/y"));
}

static void test_a_file_in_the_way_of_a_folder_is_an_error(void **state)
{
    (void)state;
    write_file("a", "text");
    assert_int_equal(platform_make_folder(in_folder("a")), ERR_INVALID);
    assert_int_equal(platform_make_folder(in_folder("a/b")), ERR_INVALID);
}

static void test_missing_permission_is_denied(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* root may do everything */
    assert_int_equal(chmod(folder, 0500), 0);
    enum err err = platform_make_folder(in_folder("a"));
    chmod(folder, 0700);
    assert_int_equal(err, ERR_DENIED);
}

static void add_name(void *to, const char *found)
{
    const char *slash = strrchr(found, '/');
    buf_printf(to, "%s ", slash ? slash + 1 : found);
}

static void test_a_pattern_gives_its_files_in_order(void **state)
{
    (void)state;
    write_file("b.conf", "");
    write_file("a.conf", "");
    write_file("c.txt", "");
    struct buf found = {0};
    assert_int_equal(platform_expand(in_folder("*.conf"), add_name, &found), ERR_NONE);
    assert_true(span_equal(buf_span(&found), SPAN("a.conf b.conf ")));
    found.len = 0;
    assert_int_equal(platform_expand(in_folder("*.none"), add_name, &found), ERR_NONE);
    assert_int_equal(found.len, 0);
    buf_close(&found);
}

static void test_errors_of_the_system_have_their_meaning(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum err err;
    } cases[] = {{0, ERR_NONE},
                 {ENOENT, ERR_NOT_FOUND},
                 {EEXIST, ERR_EXISTS},
                 {ENOTDIR, ERR_INVALID},
                 {EACCES, ERR_DENIED},
                 {EPERM, ERR_DENIED},
                 {EROFS, ERR_DENIED},
                 {ENOSPC, ERR_NO_SPACE},
                 {EDQUOT, ERR_NO_SPACE},
                 {EFBIG, ERR_NO_SPACE},
                 {EMFILE, ERR_NO_DESCRIPTORS},
                 {ENFILE, ERR_NO_DESCRIPTORS},
                 {EIO, ERR_IO},
                 {EBADF, ERR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(platform_err(cases[i].error), cases[i].err);
}

/* A process that holds the folder until it is told to end. */
struct holder {
    pid_t pid;
    int go;
};

static struct holder hold_folder(void)
{
    int ready[2];
    int go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int lock;
        long other;
        char byte = 0;
        close(go[1]);
        bool fine = platform_lock_folder(folder, &lock, &other) == ERR_NONE;
        if (fine)
            platform_sign_lock(lock);
        fine = fine && write(ready[1], "r", 1) == 1 && read(go[0], &byte, 1) == 0;
        _exit(fine ? 0 : 1);
    }
    close(ready[1]);
    close(go[0]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return (struct holder){pid, go[1]};
}

static void test_a_folder_in_use_names_its_holder(void **state)
{
    (void)state;
    struct holder holder = hold_folder();
    int lock = 0;
    long pid = 0;
    assert_int_equal(platform_lock_folder(folder, &lock, &pid), ERR_BUSY);
    assert_int_equal(pid, holder.pid);
    assert_int_equal(lock, -1);
    close(holder.go);
    assert_int_equal(waitpid(holder.pid, NULL, 0), holder.pid);
    assert_int_equal(platform_lock_folder(folder, &lock, &pid), ERR_NONE);
    close(lock);
}

static void test_a_killed_holder_leaves_the_folder_free(void **state)
{
    (void)state;
    struct holder holder = hold_folder();
    kill(holder.pid, SIGKILL);
    assert_int_equal(waitpid(holder.pid, NULL, 0), holder.pid);
    close(holder.go);
    int lock;
    long pid;
    assert_int_equal(platform_lock_folder(folder, &lock, &pid), ERR_NONE);
    close(lock);
}

static void test_a_lock_without_a_signature_is_held_by_an_unknown(void **state)
{
    (void)state;
    int lock;
    int second;
    long pid = 5;
    assert_int_equal(platform_lock_folder(folder, &lock, &pid), ERR_NONE);
    assert_int_equal(platform_lock_folder(folder, &second, &pid), ERR_BUSY);
    assert_int_equal(pid, 0);
    platform_sign_lock(lock);
    assert_int_equal(platform_lock_folder(folder, &second, &pid), ERR_BUSY);
    assert_int_equal(pid, getpid());
    assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
    close(lock);
    assert_int_equal(platform_lock_folder(in_folder("none"), &lock, &pid), ERR_NOT_FOUND);
}

static void test_a_copy_of_a_folder_is_at_another_place(void **state)
{
    (void)state;
    uint64_t inodes[3];
    uint64_t births[3];
    assert_int_equal(platform_make_folder(in_folder("a")), ERR_NONE);
    assert_int_equal(platform_folder_place(in_folder("a"), &inodes[0], &births[0]), ERR_NONE);
    write_file("a/file", "changes nothing");
    assert_int_equal(platform_folder_place(in_folder("a"), &inodes[1], &births[1]), ERR_NONE);
    assert_int_equal(platform_make_folder(in_folder("b")), ERR_NONE);
    assert_int_equal(platform_folder_place(in_folder("b"), &inodes[2], &births[2]), ERR_NONE);
    assert_true(inodes[0] == inodes[1] && births[0] == births[1]);
    assert_true(inodes[0] != inodes[2]);
    assert_int_equal(platform_folder_place(in_folder("c"), &inodes[0], &births[0]), ERR_NOT_FOUND);
}

static void test_the_clocks_go_on(void **state)
{
    (void)state;
    uint64_t before = platform_mono_us();
    struct shard_time now = platform_now();
    assert_true(now.mono_us >= before && platform_mono_us() >= now.mono_us);
    assert_int_equal(now.mono_ms, now.mono_us / 1000);
    assert_true(now.wall_ms <= platform_wall_us() / 1000);
    assert_true(now.wall_ms > 1700000000000);
}

static void test_chance_does_not_repeat(void **state)
{
    (void)state;
    uint64_t one = platform_random();
    uint64_t two = platform_random();
    uint64_t three = platform_random();
    assert_true(one != two && two != three && one != three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_a_file_is_replaced_as_a_whole),
        TEST(test_a_file_that_cannot_be_replaced_stays_as_it_is),
        TEST(test_a_read_adds_to_what_is_there),
        TEST(test_a_large_file_is_read_whole),
        TEST(test_a_folder_cannot_be_read_as_a_file),
        TEST(test_a_dash_is_standard_input),
        TEST(test_folders_are_made_with_their_parents),
        TEST(test_a_relative_folder_is_made_where_the_process_is),
        TEST(test_a_file_in_the_way_of_a_folder_is_an_error),
        TEST(test_missing_permission_is_denied),
        TEST(test_a_pattern_gives_its_files_in_order),
        TEST(test_errors_of_the_system_have_their_meaning),
        TEST(test_a_folder_in_use_names_its_holder),
        TEST(test_a_killed_holder_leaves_the_folder_free),
        TEST(test_a_lock_without_a_signature_is_held_by_an_unknown),
        TEST(test_a_copy_of_a_folder_is_at_another_place),
        TEST(test_the_clocks_go_on),
        TEST(test_chance_does_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
