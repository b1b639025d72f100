#include "wire/frame.h"

#include <string.h>

#include "base/mem.h"
#include "unit/support/test.h"

static enum wire_frame_outcome read_all(struct wire_frame *frame, const char *text)
{
    *frame = (struct wire_frame){.argc = 0};
    return wire_frame_read(frame, span_text(text), 4, 100);
}

static void test_a_command_is_whole_wherever_it_is_split(void **state)
{
    (void)state;
    static const char text[] = "*3\r\n$3\r\nabc\r\n$0\r\n\r\n$2\r\n\r\n\r\n*1\r\n";
    size_t end = sizeof text - 1 - 4;
    struct wire_frame frame = {.argc = 0};
    for (size_t len = 0; len < end; len++) {
        char *moved = mem_alloc(len + 1); /* lies elsewhere each time, and ends exactly there */
        memcpy(moved, text, len);
        assert_int_equal(wire_frame_read(&frame, span_of(moved, len), 4, 100), WIRE_FRAME_MORE);
        mem_free(moved);
    }
    assert_int_equal(wire_frame_read(&frame, span_text(text), 4, 100), WIRE_FRAME_DONE);
    assert_int_equal(frame.argc, 3);
    assert_true(span_equal(frame.args[0], SPAN("abc")));
    assert_int_equal(frame.args[1].len, 0);
    assert_true(span_equal(frame.args[2], SPAN("\r\n")));
    assert_int_equal(frame.at, end);
    wire_frame_next(&frame);
    assert_int_equal(frame.at, 0);
    assert_int_equal(wire_frame_read(&frame, span_text(text + end), 4, 100), WIRE_FRAME_MORE);
}

static void test_a_frame_says_how_many_bytes_it_waits_for(void **state)
{
    (void)state;
    struct wire_frame frame;
    assert_int_equal(read_all(&frame, "*1\r\n$50\r\nab"), WIRE_FRAME_MORE);
    assert_int_equal(frame.wanted, strlen("*1\r\n$50\r\n") + 52);
}

static void test_what_is_no_command_or_beyond_the_limits_is_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x",
        "PING\r\n",
        "*0\r\n",
        "*5\r\n",
        "*-1\r\n",
        "*1\n",
        "*1x\r\n",
        "**\r\n",
        "*\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*1\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$101\r\n",
        "*1\r\n$18446744073709551615\r\n",
        "*1\r\n$1\r\nabc",
        "*1\r\n$00000000000000000000000000000000001\r\n",
        "*2\r\n$40\r\n0123456789012345678901234567890123456789\r\n$60\r\n",
    };
    struct wire_frame frame;
    for (size_t i = 1; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_all(&frame, bad[i]), WIRE_FRAME_BAD);
    assert_int_equal(read_all(&frame, bad[0]), WIRE_FRAME_MORE);
}

static void test_an_error_is_read_as_one(void **state)
{
    (void)state;
    struct wire_frame frame;
    assert_int_equal(read_all(&frame, "-NOPERM no"), WIRE_FRAME_MORE);
    assert_int_equal(read_all(&frame, "-NOPERM no\r\n"), WIRE_FRAME_ERROR);
    assert_true(span_equal(frame.args[0], SPAN("NOPERM no")));
    assert_int_equal(frame.at, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_is_whole_wherever_it_is_split),
        cmocka_unit_test(test_a_frame_says_how_many_bytes_it_waits_for),
        cmocka_unit_test(test_what_is_no_command_or_beyond_the_limits_is_bad),
        cmocka_unit_test(test_an_error_is_read_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
