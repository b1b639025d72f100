/* Expected outcomes were tried with redis-server 7.0.15, except where a comment says so. */
#include "unit/resp/fixture.h"

static const struct resp_limits stranger_limits = {.bulk_len_max = 512 << 20};

#define PARSES(literal, expected)          assert_parses(SPAN(literal), &limits, expected)
#define STRANGER_PARSES(literal, expected) assert_parses(SPAN(literal), &stranger_limits, expected)

static void test_arrays_of_bulk_strings_are_commands(void **state)
{
    (void)state;
    PARSES("*1\r\n$4\r\nPING\r\n", "[4:PING]\n");
    PARSES("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n", "[3:SET][1:k][5:hello]\n");
    PARSES("*2\r\n$0\r\n\r\n$0\r\n\r\n", "[0:][0:]\n");
    PARSES("*1\r\n$8\r\n\r\n$1\r\n*1\r\n", "[8:\r\n$1\r\n*1]\n");
}

static void test_pipelines_are_parsed_one_by_one(void **state)
{
    (void)state;
    PARSES("*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n\r\nGET b\n",
           "[4:PING]\n[4:PING]\n[3:GET][1:a]\n\n[3:GET][1:b]\n");
}

static void test_empty_requests_are_commands_without_arguments(void **state)
{
    (void)state;
    PARSES("*0\r\n*-1\r\n*-5\r\n\r\n\n  \t\r\nPING\r\n", "\n\n\n\n\n\n[4:PING]\n");
}

static void test_arguments_hold_any_byte(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct span input = SPAN("*2\r\n$3\r\na\0b\r\n$4\r\n\0\xff\r\n\r\n");
    assert_int_equal(resp_parse(&parser, input, &limits), RESP_COMMAND);
    assert_int_equal(parser.argc, 2);
    assert_int_equal(parser.args[0].len, 3);
    assert_memory_equal(parser.args[0].ptr, "a\0b", 3);
    assert_memory_equal(parser.args[1].ptr, "\0\xff\r\n", 4);
    resp_parser_close(&parser);
}

static void test_arguments_point_into_the_input(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct span input = SPAN("*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    assert_int_equal(resp_parse(&parser, input, &limits), RESP_COMMAND);
    assert_ptr_equal(parser.args[0].ptr, input.ptr + 8);
    assert_ptr_equal(parser.args[1].ptr, input.ptr + 17);
    assert_int_equal(parser.consumed, input.len);
    resp_parser_close(&parser);
}

/* Redis does not look at the bytes behind an argument, nor at the one behind a line's CR. */
static void test_line_ends_are_skipped_not_checked(void **state)
{
    (void)state;
    PARSES("*1\r\n$4\r\nPINGxxPING\r\n", "[4:PING]\n[4:PING]\n");
    PARSES("*1\rX$4\rYPING\r\n", "[4:PING]\n");
}

static void test_malformed_array_lengths_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"*\r\n",
                                        "*a\r\n",
                                        "*+1\r\n",
                                        "*01\r\n",
                                        "*-0\r\n",
                                        "* 1\r\n",
                                        "*1 \r\n",
                                        "*1a\r\n",
                                        "**\r\n",
                                        "*2147483648\r\n",
                                        "*9223372036854775808\r\n",
                                        "*18446744073709551617\r\n",
                                        "*99999999999999999999999999\r\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_parses(span_text(lines[i]), &limits, "!Protocol error: invalid multibulk length\n");
}

static void test_the_limit_of_arguments_is_that_of_redis(void **state)
{
    (void)state;
    PARSES("*2147483648\r\n", "!Protocol error: invalid multibulk length\n");
    PARSES("*2147483647\r\n", "");
}

static void test_malformed_bulk_lengths_are_refused(void **state)
{
    (void)state;
    static const char *const lengths[] = {"",
                                          "-1",
                                          "-2147483648",
                                          "a",
                                          "+1",
                                          "01",
                                          "-0",
                                          "1 ",
                                          " 1",
                                          "1a",
                                          "536870913",
                                          "18446744073709551615",
                                          "00000004",
                                          "4294967300",
                                          "9223372036854775807",
                                          "9223372036854775808"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf input = {0};
        buf_printf(&input, "*1\r\n$%s\r\n", lengths[i]);
        assert_parses(buf_span(&input), &limits, "!Protocol error: invalid bulk length\n");
        buf_close(&input);
    }
    PARSES("*1\r\n$536870912\r\n", "");
}

static void test_other_types_than_bulk_strings_are_refused(void **state)
{
    (void)state;
    PARSES("*1\r\n:4\r\n", "!Protocol error: expected '$', got ':'\n");
    PARSES("*2\r\n$1\r\na\r\n*1\r\n", "!Protocol error: expected '$', got '*'\n");
    PARSES("*1\r\nPING\r\n", "!Protocol error: expected '$', got 'P'\n");
    PARSES("*1\r\n\r\n", "!Protocol error: expected '$', got '\r'\n");
    PARSES("*1\r\n%s%n\r\n", "!Protocol error: expected '$', got '%'\n");
}

static void test_strangers_may_send_little(void **state)
{
    (void)state;
    STRANGER_PARSES("*10\r\n$16384\r\n", "");
    STRANGER_PARSES("*11\r\n", "!Protocol error: unauthenticated multibulk length\n");
    STRANGER_PARSES("*1\r\n$16385\r\n", "!Protocol error: unauthenticated bulk length\n");
    STRANGER_PARSES("*2147483648\r\n", "!Protocol error: invalid multibulk length\n");
    STRANGER_PARSES("*1\r\n$536870913\r\n", "!Protocol error: invalid bulk length\n");
    PARSES("*11\r\n$16385\r\n", "");
}

static void test_limit_of_arguments_is_configured(void **state)
{
    (void)state;
    const struct resp_limits small = {.bulk_len_max = 3, .authenticated = true};
    assert_parses(SPAN("*1\r\n$3\r\nGET\r\n"), &small, "[3:GET]\n");
    assert_parses(SPAN("*1\r\n$4\r\n"), &small, "!Protocol error: invalid bulk length\n");
}

/* `prefix`, then as many times `fill`. */
static void fill_parses(const char *prefix, char fill, size_t count, const char *expected)
{
    struct buf input = {0};
    buf_add_text(&input, prefix);
    memset(buf_reserve(&input, count), fill, count);
    input.len += count;
    assert_parses(buf_span(&input), &limits, expected);
    buf_close(&input);
}

static void test_lines_without_end_are_refused(void **state)
{
    (void)state;
    fill_parses("", 'a', RESP_INLINE_MAX, "");
    fill_parses("", 'a', RESP_INLINE_MAX + 1, "!Protocol error: too big inline request\n");
    fill_parses("*", '1', RESP_INLINE_MAX - 1, "");
    fill_parses("*", '1', RESP_INLINE_MAX, "!Protocol error: too big mbulk count string\n");
    fill_parses("*1\r\n$", '1', RESP_INLINE_MAX - 1, "");
    fill_parses("*1\r\n$", '1', RESP_INLINE_MAX, "!Protocol error: too big bulk count string\n");
    /* The limit is the line's, not the command's. */
    fill_parses("*2\r\n$70000\r\n", 'x', 70000, "");
}

static void test_long_line_with_an_end_is_taken(void **state)
{
    (void)state;
    struct buf input = {0};
    for (size_t i = 0; i < 40000; i++)
        buf_add_text(&input, "a ");
    buf_add_text(&input, "\r\n");
    struct resp_parser parser = {0};
    assert_int_equal(resp_parse(&parser, buf_span(&input), &limits), RESP_COMMAND);
    assert_int_equal(parser.argc, 40000);
    resp_parser_close(&parser);
    buf_close(&input);
}

static void test_inline_arguments_are_split_at_spaces(void **state)
{
    (void)state;
    PARSES("SET a b\r\n", "[3:SET][1:a][1:b]\n");
    PARSES(" \t SET \t a  b \t\n", "[3:SET][1:a][1:b]\n");
    PARSES("SET a\rb\r\n", "[3:SET][1:a][1:b]\n");
    /* Vertical tabs and form feeds: skipped in front, kept within. */
    PARSES("\v\fSET a\vb c\fd\r\n", "[3:SET][3:a\vb][3:c\fd]\n");
    PARSES("$4\r\n+OK\r\n", "[2:$4]\n[3:+OK]\n");
}

static void test_double_quotes_know_escapes(void **state)
{
    (void)state;
    PARSES("\"a b\" c\r\n", "[3:a b][1:c]\n");
    PARSES("\"\\n\\r\\t\\b\\a\\\\\\\"\\q\"\r\n", "[8:\n\r\t\b\a\\\"q]\n");
    PARSES("\"\\x41\\xfF\\x0a\"\r\n", "[3:A\xff\n]\n");
    PARSES("\"\\x4\" \"\\xg1\" \"\\x\"\r\n", "[2:x4][3:xg1][1:x]\n");
    PARSES("\"it's\" \"\" x\r\n", "[4:it's][0:][1:x]\n");
    PARSES("foo\"bar baz\" q\r\n", "[10:foobar baz][1:q]\n");
    PARSES("\"a\"\vb\r\n", "[1:a][1:b]\n");
}

static void test_single_quotes_know_only_the_quote(void **state)
{
    (void)state;
    PARSES("'a b' 'c\\'d' 'e\\n\\x41' '' '\"'\r\n", "[3:a b][3:c'd][7:e\\n\\x41][0:][1:\"]\n");
    PARSES("'\\\\ '\r\n", "[3:\\\\ ]\n");
    PARSES("'\\\\'\r\n", "!Protocol error: unbalanced quotes in request\n");
}

static void test_unbalanced_quotes_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"\"a\r\n",    "'a\r\n",   "a\"\r\n",        "a'\r\n",
                                        "\"a\"b\r\n", "'a'b\r\n", "\"a\"\"b\"\r\n", "\"a\\\"\r\n",
                                        "'a\\'\r\n",  "\"\\\r\n", "\"\\x4\r\n",     "SET a \"\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_parses(span_text(lines[i]), &limits,
                      "!Protocol error: unbalanced quotes in request\n");
}

static void test_inline_request_does_not_end_behind_a_nul(void **state)
{
    (void)state;
    PARSES("SET a b\0\r\nPING\r\n", "");
    PARSES("\0\r\nPING\r\n", "");
    struct peer peer = {.limits = limits};
    peer_receive(&peer, "\x16\x03\x01\0\n", 5);
    for (size_t i = 0; i < RESP_INLINE_MAX; i += 1024) {
        char more[1024] = {0};
        assert_false(peer.failed);
        peer_receive(&peer, more, sizeof more);
    }
    assert_string_equal(peer_text(&peer), "!Protocol error: too big inline request\n");
    peer_close(&peer);
}

static void test_nul_in_a_length_is_refused(void **state)
{
    (void)state;
    /* Redis waits for the end of such a line in vain. */
    PARSES("*1\0\r\n", "!Protocol error: invalid multibulk length\n");
    PARSES("*1\r\n$4\0\r\n", "!Protocol error: invalid bulk length\n");
}

static void test_count_alone_takes_no_memory(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    assert_int_equal(resp_parse(&parser, SPAN("*2147483647\r\n"), &limits), RESP_INCOMPLETE);
    assert_int_equal(parser.args_cap, 0);
    assert_int_equal(resp_parse(&parser, SPAN("*2147483647\r\n$1\r\na\r\n"), &limits),
                     RESP_INCOMPLETE);
    assert_true(parser.args_cap <= 16);
    resp_parser_close(&parser);
}

static void test_millions_of_arguments_are_parsed_and_given_back(void **state)
{
    enum { MANY = 3000000 };
    (void)state;
    struct buf input = {0};
    buf_printf(&input, "*%d\r\n", MANY);
    for (size_t i = 0; i < MANY; i++)
        buf_add_text(&input, "$1\r\nx\r\n");
    struct resp_parser parser = {0};
    assert_int_equal(resp_parse(&parser, buf_span(&input), &limits), RESP_COMMAND);
    assert_int_equal(parser.argc, MANY);
    assert_true(parser.args_cap < 2 * MANY);
    assert_int_equal(parser.consumed, input.len);
    assert_int_equal(parser.args[MANY - 1].len, 1);
    assert_int_equal(resp_parse(&parser, SPAN("PING\r\n"), &limits), RESP_COMMAND);
    assert_true(parser.args_cap <= 1024);
    resp_parser_close(&parser);
    buf_close(&input);
}

static void test_huge_argument_says_what_it_lacks(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct span start = SPAN("*2\r\n$3\r\nGET\r\n$100000\r\nabc");
    assert_int_equal(resp_parser_wanted(&parser, 0), 0);
    assert_int_equal(resp_parse(&parser, span_of(start.ptr, 10), &limits), RESP_INCOMPLETE);
    assert_int_equal(resp_parser_wanted(&parser, 10), 3);
    assert_int_equal(resp_parse(&parser, start, &limits), RESP_INCOMPLETE);
    assert_int_equal(resp_parser_wanted(&parser, start.len), 100000 + 2 - 3);
    resp_parser_close(&parser);
}

static void test_parser_stands_where_it_was_when_the_caller_asks_again(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct span input = SPAN("*1\r\n$4\r\nPING\r\n");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(resp_parse(&parser, input, &limits), RESP_COMMAND);
        assert_int_equal(parser.argc, 1);
        assert_int_equal(parser.consumed, input.len);
    }
    assert_int_equal(resp_parse(&parser, SPAN(""), &limits), RESP_INCOMPLETE);
    assert_int_equal(parser.argc, 0);
    resp_parser_close(&parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays_of_bulk_strings_are_commands),
        cmocka_unit_test(test_pipelines_are_parsed_one_by_one),
        cmocka_unit_test(test_empty_requests_are_commands_without_arguments),
        cmocka_unit_test(test_arguments_hold_any_byte),
        cmocka_unit_test(test_arguments_point_into_the_input),
        cmocka_unit_test(test_line_ends_are_skipped_not_checked),
        cmocka_unit_test(test_malformed_array_lengths_are_refused),
        cmocka_unit_test(test_the_limit_of_arguments_is_that_of_redis),
        cmocka_unit_test(test_malformed_bulk_lengths_are_refused),
        cmocka_unit_test(test_other_types_than_bulk_strings_are_refused),
        cmocka_unit_test(test_strangers_may_send_little),
        cmocka_unit_test(test_limit_of_arguments_is_configured),
        cmocka_unit_test(test_lines_without_end_are_refused),
        cmocka_unit_test(test_long_line_with_an_end_is_taken),
        cmocka_unit_test(test_inline_arguments_are_split_at_spaces),
        cmocka_unit_test(test_double_quotes_know_escapes),
        cmocka_unit_test(test_single_quotes_know_only_the_quote),
        cmocka_unit_test(test_unbalanced_quotes_are_refused),
        cmocka_unit_test(test_inline_request_does_not_end_behind_a_nul),
        cmocka_unit_test(test_nul_in_a_length_is_refused),
        cmocka_unit_test(test_count_alone_takes_no_memory),
        cmocka_unit_test(test_millions_of_arguments_are_parsed_and_given_back),
        cmocka_unit_test(test_huge_argument_says_what_it_lacks),
        cmocka_unit_test(test_parser_stands_where_it_was_when_the_caller_asks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
