/* Replies byte for byte, in RESP2 and in RESP3. */
#include "resp/write.h"

#include <math.h>
#include <stdlib.h>

#include "resp/parse.h"
#include "unit/support/test.h"

static struct buf out;
static struct resp_writer writer;

/* What was written since the last call. */
static void assert_wrote(const char *expected)
{
    buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, expected);
    out.len = 0;
}

static int open_writer(void **state)
{
    (void)state;
    writer = (struct resp_writer){.out = &out, .protocol = 2};
    return 0;
}

static int close_writer(void **state)
{
    (void)state;
    buf_close(&out);
    return 0;
}

static void test_simple_types_are_equal_in_both_protocols(void **state)
{
    (void)state;
    for (writer.protocol = 2; writer.protocol <= 3; writer.protocol++) {
        resp_status(&writer, "OK");
        assert_wrote("+OK\r\n");
        resp_integer(&writer, 0);
        resp_integer(&writer, INT64_MAX);
        resp_integer(&writer, INT64_MIN);
        assert_wrote(":0\r\n:9223372036854775807\r\n:-9223372036854775808\r\n");
        resp_bulk_text(&writer, "a\r\nb");
        resp_bulk_text(&writer, "");
        resp_bulk(&writer, (struct span){0});
        resp_bulk_i64(&writer, -12);
        assert_wrote("$4\r\na\r\nb\r\n$0\r\n\r\n$0\r\n\r\n$3\r\n-12\r\n");
        resp_array(&writer, 0);
        resp_array(&writer, 1048576);
        assert_wrote("*0\r\n*1048576\r\n");
        resp_raw(&writer, SPAN(":1\r\n"));
        resp_raw(&writer, (struct span){0});
        assert_wrote(":1\r\n");
    }
}

struct taken {
    struct buf all;
    int pieces;
    size_t spare; /* the most room that a piece had left */
};

static void take(void *context, struct buf *piece)
{
    struct taken *taken = context;
    assert_true(piece->len > 0);
    taken->pieces++;
    if (piece->len >= RESP_LARGE_BYTES && piece->cap - piece->len > taken->spare)
        taken->spare = piece->cap - piece->len;
    buf_add(&taken->all, piece->ptr, piece->len);
    buf_close(piece);
}

static void test_long_replies_are_handed_over_in_pieces(void **state)
{
    (void)state;
    struct taken taken = {0};
    struct resp_pieces pieces = {.context = &taken, .take = take};
    struct buf expected = {0};
    char *value = calloc(1, 100000);
    struct resp_writer whole = {.out = &expected, .protocol = 2};
    writer.pieces = &pieces;
    struct resp_mark mark = resp_mark(&writer);
    for (int round = 0; round < 2; round++) {
        struct resp_writer *to = round ? &whole : &writer;
        resp_array(to, 3000);
        for (int i = 0; i < 3000; i++)
            resp_bulk(to, span_of(value, i % 1000 == 17 ? 100000 : (size_t)i % 100));
        resp_raw(to, span_of(value, 50000));
        resp_error(to, "ERR x");
    }
    assert_int_equal(resp_since(&writer, mark).len, 0);
    buf_add_span(&taken.all, buf_span(&out));
    assert_int_equal(taken.all.len, expected.len);
    assert_memory_equal(taken.all.ptr, expected.ptr, expected.len);
    assert_true(taken.pieces >= 8 && taken.pieces < 16);
    out.len = 0;
    mark = resp_mark(&writer);
    resp_bulk(&writer, span_of(value, 100000));
    taken.spare = 0;
    resp_bulk(&writer, span_of(value, 100000));
    assert_true(taken.spare < RESP_HEAD_BYTES);
    mark = resp_mark(&writer);
    resp_error(&writer, "ERR y");
    assert_true(span_equal(resp_since(&writer, mark), SPAN("-ERR y\r\n")));
    free(value);
    buf_close(&expected);
    buf_close(&taken.all);
}

static void test_bulk_strings_hold_any_byte(void **state)
{
    (void)state;
    resp_bulk(&writer, SPAN("\0\xff"));
    assert_int_equal(out.len, 8);
    assert_memory_equal(out.ptr, "$2\r\n\0\xff\r\n", 8);
}

static void test_null_is_what_the_protocol_has(void **state)
{
    (void)state;
    resp_null(&writer);
    resp_null_array(&writer);
    assert_wrote("$-1\r\n*-1\r\n");
    writer.protocol = 3;
    resp_null(&writer);
    resp_null_array(&writer);
    assert_wrote("_\r\n_\r\n");
}

static void test_types_of_resp3_have_their_resp2_forms(void **state)
{
    (void)state;
    resp_map(&writer, 2);
    resp_set(&writer, 3);
    resp_push(&writer, 4);
    resp_verbatim(&writer, "txt", SPAN("some\r\n"));
    assert_wrote("*4\r\n*3\r\n*4\r\n$6\r\nsome\r\n\r\n");
    writer.protocol = 3;
    resp_map(&writer, 2);
    resp_set(&writer, 3);
    resp_push(&writer, 4);
    resp_verbatim(&writer, "txt", SPAN("some\r\n"));
    assert_wrote("%2\r\n~3\r\n>4\r\n=10\r\ntxt:some\r\n\r\n");
}

static void test_doubles_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {3, "3"},
        {-1, "-1"},
        {3.25, "3.25"},
        {0.1, "0.10000000000000001"},
        {1e100, "1e+100"},
        {-0.0, "-0"},
        {0.5, "0.5"},
        {1.0 / 3, "0.33333333333333331"},
        {1e16, "10000000000000000"},
        {1e17, "1e+17"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf expected = {0};
        buf_printf(&expected, "$%zu\r\n%s\r\n", strlen(cases[i].text), cases[i].text);
        buf_add_char(&expected, '\0');
        writer.protocol = 2;
        resp_double(&writer, cases[i].value);
        assert_wrote(expected.ptr);
        expected.len = 0;
        buf_printf(&expected, ",%s\r\n", cases[i].text);
        buf_add_char(&expected, '\0');
        writer.protocol = 3;
        resp_double(&writer, cases[i].value);
        assert_wrote(expected.ptr);
        buf_close(&expected);
    }
}

static void test_errors_stay_one_line(void **state)
{
    (void)state;
    resp_error(&writer, "ERR plain");
    resp_error(&writer, "ERR a\r\nb\nc");
    resp_error(&writer, "ERR trailing\r\n\n");
    assert_wrote("-ERR plain\r\n-ERR a  b c\r\n-ERR trailing\r\n");
    resp_errorf(&writer, "ERR unknown '%.*s' at %d", 4, "a\rb\nXXX", 7);
    assert_wrote("-ERR unknown 'a b ' at 7\r\n");
}

static void test_long_errors_are_cut(void **state)
{
    (void)state;
    char long_text[3000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    resp_errorf(&writer, "ERR %s", long_text);
    assert_int_equal(out.len, 1 + 1023 + 2);
    assert_memory_equal(out.ptr + out.len - 3, "x\r\n", 3);
}

static void test_writer_without_a_buffer_discards(void **state)
{
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        struct resp_writer discard = {.out = NULL, .protocol = protocol};
        resp_status(&discard, "OK");
        resp_error(&discard, "ERR x");
        resp_errorf(&discard, "ERR %d", 1);
        resp_integer(&discard, 1);
        resp_bulk_text(&discard, "x");
        resp_bulk_i64(&discard, 1);
        resp_null(&discard);
        resp_null_array(&discard);
        resp_double(&discard, 0.5);
        resp_verbatim(&discard, "txt", SPAN("x"));
        resp_array(&discard, 1);
        resp_map(&discard, 1);
        resp_set(&discard, 1);
        resp_push(&discard, 1);
        resp_raw(&discard, SPAN("x"));
    }
    assert_int_equal(out.len, 0);
}

static void test_encoded_commands_parse_back(void **state)
{
    (void)state;
    const struct span args[] = {SPAN("SET"), SPAN(""), SPAN("0123456789"), {0}};
    resp_encode_command(&out, args, 4);
    assert_int_equal(out.len, resp_encoded_size(args, 4));
    assert_wrote("*4\r\n$3\r\nSET\r\n$0\r\n\r\n$10\r\n0123456789\r\n$0\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_simple_types_are_equal_in_both_protocols, open_writer,
                                        close_writer),
        cmocka_unit_test_setup_teardown(test_long_replies_are_handed_over_in_pieces, open_writer,
                                        close_writer),
        cmocka_unit_test_setup_teardown(test_bulk_strings_hold_any_byte, open_writer, close_writer),
        cmocka_unit_test_setup_teardown(test_null_is_what_the_protocol_has, open_writer,
                                        close_writer),
        cmocka_unit_test_setup_teardown(test_types_of_resp3_have_their_resp2_forms, open_writer,
                                        close_writer),
        cmocka_unit_test_setup_teardown(test_doubles_are_short_and_exact, open_writer,
                                        close_writer),
        cmocka_unit_test_setup_teardown(test_errors_stay_one_line, open_writer, close_writer),
        cmocka_unit_test_setup_teardown(test_long_errors_are_cut, open_writer, close_writer),
        cmocka_unit_test_setup_teardown(test_writer_without_a_buffer_discards, open_writer,
                                        close_writer),
        cmocka_unit_test_setup_teardown(test_encoded_commands_parse_back, open_writer,
                                        close_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
