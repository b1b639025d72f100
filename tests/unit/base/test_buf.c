#include "base/buf.h"

#include "base/mem.h"
#include "unit/support/test.h"

static void assert_holds(const struct buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->ptr, text, buf->len);
}

static void test_zero_is_empty_and_valid(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_int_equal(buf_span(&buf).len, 0);
    buf_add(&buf, NULL, 0);
    buf_add_span(&buf, (struct span){0});
    buf_consume(&buf, 0);
    assert_null(buf.ptr);
    buf_close(&buf);
    buf_close(&buf);
    buf_add_text(&buf, "again");
    assert_holds(&buf, "again");
    buf_close(&buf);
}

static void test_what_is_added_stands_in_order(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_text(&buf, "a");
    buf_add_char(&buf, 'b');
    buf_add_span(&buf, SPAN("cd"));
    buf_add_i64(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_printf(&buf, " %s-%d", "x", 7);
    assert_holds(&buf, "abcd-9223372036854775808 18446744073709551615 x-7");
    buf_close(&buf);
}

static void test_reserve_gives_room_and_adds_nothing(void **state)
{
    (void)state;
    struct buf buf = {0};
    char *room = buf_reserve(&buf, 1000);
    memset(room, 'x', 1000);
    assert_int_equal(buf.len, 0);
    assert_true(buf.cap >= 1000);
    assert_ptr_equal(buf_reserve(&buf, 1000), room);
    buf_close(&buf);
}

static void test_growth_is_geometric(void **state)
{
    (void)state;
    struct buf buf = {0};
    size_t moves = 0;
    for (size_t i = 0; i < 8 << 20; i++) {
        size_t before = buf.cap;
        buf_add_char(&buf, (char)i);
        moves += buf.cap != before;
    }
    assert_true(moves < 32);
    assert_true(buf.cap <= buf.len * 2);
    for (size_t i = 0; i < buf.len; i += 997)
        assert_int_equal(buf.ptr[i], (char)i);
    buf_close(&buf);
}

static void test_more_than_an_address_space_is_a_bug(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_text(&buf, "x");
    expect_assert_failure(buf_grow(&buf, SIZE_MAX));
    buf_close(&buf);
}

static void test_consume_drops_from_the_front(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_text(&buf, "0123456789");
    buf_consume(&buf, 3);
    assert_holds(&buf, "3456789");
    expect_assert_failure(buf_consume(&buf, 8));
    buf_consume(&buf, 7);
    assert_int_equal(buf.len, 0);
    buf_close(&buf);
}

static void test_printf_fits_any_length(void **state)
{
    (void)state;
    static char text[2000];
    for (size_t len = 0; len < sizeof text - 1; len += len < 300 ? 1 : 100) {
        memset(text, 'y', len);
        text[len] = '\0';
        struct buf buf = {0};
        buf_add_char(&buf, '<');
        buf_printf(&buf, "%s>", text);
        assert_int_equal(buf.len, len + 2);
        assert_int_equal(buf.ptr[buf.len - 1], '>');
        buf_close(&buf);
    }
}

static void test_memory_of_no_bytes_is_memory(void **state)
{
    (void)state;
    void *none = mem_alloc(0);
    assert_non_null(none);
    none = mem_realloc(none, 0);
    assert_non_null(none);
    mem_free(none);
    mem_free(NULL);
    char *zeros = mem_zalloc(100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    mem_free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_is_empty_and_valid),
        cmocka_unit_test(test_what_is_added_stands_in_order),
        cmocka_unit_test(test_reserve_gives_room_and_adds_nothing),
        cmocka_unit_test(test_growth_is_geometric),
        cmocka_unit_test(test_more_than_an_address_space_is_a_bug),
        cmocka_unit_test(test_consume_drops_from_the_front),
        cmocka_unit_test(test_printf_fits_any_length),
        cmocka_unit_test(test_memory_of_no_bytes_is_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
