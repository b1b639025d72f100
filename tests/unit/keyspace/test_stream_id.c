#include "keyspace/stream_id.h"

#include <string.h>

#include "unit/support/test.h"

static void check_parsed(const char *text, uint64_t ms, uint64_t seq)
{
    struct stream_id id = {77, 77};
    assert_true(stream_id_parse(span_text(text), 5, &id));
    assert_true(id.ms == ms && id.seq == seq);
}

static void check_refused(const char *text)
{
    struct stream_id id = {77, 78};
    assert_false(stream_id_parse(span_text(text), 5, &id));
    assert_true(id.ms == 77 && id.seq == 78);
}

static void test_texts(void **state)
{
    (void)state;
    check_parsed("0-0", 0, 0);
    check_parsed("12-34", 12, 34);
    check_parsed("12", 12, 5);
    check_parsed("18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX);
    check_parsed("007-010", 7, 10);
    check_parsed(" 7-+8", 7, 8);
    check_parsed("7- -08", 7, 0 - (uint64_t)8);
    check_refused("");
    check_refused("-");
    check_refused("+");
    check_refused("-1");
    check_refused("1-");
    check_refused("1--1");
    check_refused("1-2-3");
    check_refused("1-*");
    check_refused("x-1");
    check_refused("1 -1");
    check_refused("18446744073709551616-0");
    check_refused("0-018446744073709551616");
    char longest[129];
    memset(longest, '0', sizeof(longest));
    longest[126] = '9';
    longest[127] = '\0';
    check_parsed(longest, 9, 5);
    longest[127] = '0';
    longest[128] = '\0';
    check_refused(longest);
}

static void test_bounds_and_auto_seq(void **state)
{
    (void)state;
    struct stream_id id;
    assert_true(stream_id_parse_bound(SPAN("-"), 5, &id));
    assert_true(id.ms == 0 && id.seq == 0);
    assert_true(stream_id_parse_bound(SPAN("+"), 5, &id));
    assert_true(id.ms == UINT64_MAX && id.seq == UINT64_MAX);
    assert_true(stream_id_parse_bound(SPAN("9"), 5, &id));
    assert_true(id.ms == 9 && id.seq == 5);
    assert_false(stream_id_parse_bound(SPAN("--"), 5, &id));
    uint64_t ms;
    assert_true(stream_id_parse_auto_seq(SPAN("9-*"), &ms));
    assert_int_equal(ms, 9);
    assert_false(stream_id_parse_auto_seq(SPAN("9-**"), &ms));
    assert_false(stream_id_parse_auto_seq(SPAN("*"), &ms));
    assert_false(stream_id_parse_auto_seq(SPAN("-*"), &ms));
    assert_false(stream_id_parse_auto_seq(SPAN("9-1"), &ms));
}

static void test_neighbours_and_bytes(void **state)
{
    (void)state;
    struct stream_id id = {4, UINT64_MAX};
    assert_true(stream_id_increment(&id));
    assert_true(id.ms == 5 && id.seq == 0);
    assert_true(stream_id_decrement(&id));
    assert_true(id.ms == 4 && id.seq == UINT64_MAX);
    id = STREAM_ID_MAX;
    assert_false(stream_id_increment(&id));
    id = STREAM_ID_MIN;
    assert_false(stream_id_decrement(&id));
    unsigned char bytes[STREAM_ID_BYTES];
    stream_id_pack(bytes, (struct stream_id){0x0102030405060708, 9});
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10\0\0\0\0\0\0\0\11", STREAM_ID_BYTES);
    id = stream_id_unpack(bytes);
    assert_true(id.ms == 0x0102030405060708 && id.seq == 9);
    char text[STREAM_ID_CHARS];
    assert_int_equal(stream_id_format(text, STREAM_ID_MAX), STREAM_ID_CHARS);
    assert_memory_equal(text, "18446744073709551615-18446744073709551615", STREAM_ID_CHARS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_bounds_and_auto_seq),
        cmocka_unit_test(test_neighbours_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
