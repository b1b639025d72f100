#include "base/log.h"

#include <string.h>

#include "base/err.h"
#include "unit/support/test.h"

struct lines {
    size_t count;
    enum log_level level;
    char last[2048];
};

static void keep(void *context, enum log_level level, const char *line)
{
    struct lines *lines = context;
    lines->count++;
    lines->level = level;
    assert_true(strlen(line) < sizeof lines->last);
    memcpy(lines->last, line, strlen(line) + 1);
}

static void test_lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    struct lines lines = {0};
    struct log log = {LOG_NOTICE, keep, &lines};
    log_line(&log, LOG_DEBUG, "no");
    log_line(&log, LOG_VERBOSE, "no");
    assert_int_equal(lines.count, 0);
    log_line(&log, LOG_NOTICE, "'%s' is %d", "x", 1);
    assert_string_equal(lines.last, "'x' is 1");
    assert_int_equal(lines.level, LOG_NOTICE);
    log_line(&log, LOG_WARNING, "yes");
    assert_int_equal(lines.count, 2);
    log.level = LOG_NOTHING;
    log_line(&log, LOG_WARNING, "no");
    assert_int_equal(lines.count, 2);
}

static void test_without_a_log_nothing_is_written(void **state)
{
    (void)state;
    log_line(NULL, LOG_WARNING, "%s", "nowhere");
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    struct lines lines = {0};
    struct log log = {LOG_DEBUG, keep, &lines};
    log_line(&log, LOG_WARNING, "%02000d", 7);
    assert_int_equal(strlen(lines.last), 1023);
}

static void test_every_error_has_a_text(void **state)
{
    (void)state;
    for (int err = ERR_NONE; err <= ERR_DENIED; err++) {
        assert_true(strlen(err_text((enum err)err)) > 0);
        for (int other = ERR_NONE; other < err; other++)
            assert_string_not_equal(err_text((enum err)err), err_text((enum err)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_below_the_level_are_not_written),
        cmocka_unit_test(test_without_a_log_nothing_is_written),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_every_error_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
