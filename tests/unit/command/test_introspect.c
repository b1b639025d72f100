#include "command/command.h"

#include "base/number.h"
#include "command/table.h"
#include "unit/support/test.h"

static struct command_table *table;
static struct buf out;

static int set_up(void **state)
{
    (void)state;
    table = command_table_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    command_table_free(table);
    buf_close(&out);
    return 0;
}

enum { WORDS_MAX = 16 };

/* The reply to a line of words, NUL-terminated in `out`. */
static const char *reply_to(int protocol, const char *line)
{
    struct span args[WORDS_MAX];
    size_t argc = 0;
    while (*line) {
        const char *end = strchr(line, ' ');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        assert_true(argc < WORDS_MAX);
        args[argc++] = span_of(line, len);
        line += len + (end ? 1 : 0);
    }
    struct resp_writer reply = {.out = &out, .protocol = protocol};
    out.len = 0;
    const struct command *command = command_find(table, args, argc);
    assert_non_null(command);
    assert_true(command_arity_is_valid(command, argc));
    command_run_command(table, command, args, argc, &reply);
    buf_add_char(&out, '\0');
    return out.ptr;
}

/* Behind one whole value; fails if it is malformed. */
static const char *skip_value(const char *at)
{
    const char *end = strstr(at, "\r\n");
    assert_non_null(end);
    int64_t number = 0;
    bool counted = strchr("$*%~", *at) != NULL;
    if (counted)
        assert_true(number_parse_i64(span_of(at + 1, (size_t)(end - at - 1)), &number));
    char type = *at;
    at = end + 2;
    if (type == '$') {
        assert_true(strlen(at) >= (size_t)number + 2);
        assert_memory_equal(at + number, "\r\n", 2);
        return at + number + 2;
    }
    assert_true(counted || strchr("+:_", type) != NULL);
    int64_t values = type == '%' ? 2 * number : number;
    for (int64_t i = 0; i < values; i++)
        at = skip_value(at);
    return at;
}

static void assert_well_formed(const char *reply)
{
    assert_string_equal(skip_value(reply), "");
}

static void test_command_alone_equals_info_without_names(void **state)
{
    (void)state;
    assert_well_formed(reply_to(3, "COMMAND"));
    struct buf alone = {0};
    buf_add_text(&alone, out.ptr);
    buf_add_char(&alone, '\0');
    assert_string_equal(reply_to(3, "COMMAND INFO"), alone.ptr);
    buf_close(&alone);
}

static void test_info_and_docs_of_every_command_are_well_formed(void **state)
{
    (void)state;
    for (size_t id = 0; id < command_table_count(table); id++) {
        char line[64] = "COMMAND DOCS ";
        strcat(line, command_table_at(table, id)->fullname);
        const char *reply = reply_to(3, line);
        assert_memory_equal(reply, "%1\r\n", 4);
        assert_well_formed(reply);
        memcpy(line, "COMMAND INFO ", strlen("COMMAND INFO "));
        assert_well_formed(reply_to(3, line));
    }
    assert_well_formed(reply_to(3, "COMMAND DOCS"));
    assert_well_formed(reply_to(3, "COMMAND LIST"));
    assert_well_formed(reply_to(3, "COMMAND HELP"));
}

static void test_info_describes_flags_keys_and_categories(void **state)
{
    (void)state;
    assert_string_equal(reply_to(3, "COMMAND INFO GET"),
                        "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n"
                        ":1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n"
                        "~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n"
                        "$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n"
                        "$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n"
                        "$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n"
                        "%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n"
                        "~0\r\n");
}

static void test_info_answers_null_for_unknown_names(void **state)
{
    (void)state;
    assert_string_equal(reply_to(2, "COMMAND INFO nosuch"), "*1\r\n$-1\r\n");
    assert_string_equal(reply_to(3, "COMMAND INFO get|x config|nosuch config|get|x"),
                        "*3\r\n_\r\n_\r\n_\r\n");
}

static void test_docs_leave_out_unknown_names(void **state)
{
    (void)state;
    assert_string_equal(reply_to(3, "COMMAND DOCS nosuch config|"), "%0\r\n");
    assert_string_equal(reply_to(2, "COMMAND DOCS nosuch"), "*0\r\n");
}

static const char *syntax_reply(const char *syntax)
{
    struct resp_writer reply = {.out = &out, .protocol = 3};
    out.len = 0;
    command_write_syntax(syntax, &reply);
    buf_add_char(&out, '\0');
    return out.ptr;
}

#define NAME(len, name) "$4\r\nname\r\n$" #len "\r\n" name "\r\n"
#define TYPE(len, type) "$4\r\ntype\r\n$" #len "\r\n" type "\r\n"

static void test_syntax_of_plain_arguments_names_and_types_them(void **state)
{
    (void)state;
    assert_string_equal(syntax_reply("key#1 ip:port n:integer"),
                        "*3\r\n%3\r\n" NAME(3, "key")
                            TYPE(3, "key") "$14\r\nkey_spec_index\r\n"
                                           ":1\r\n"
                                           "%2\r\n" NAME(7, "ip:port")
                                               TYPE(6, "string") "%2\r\n" NAME(1, "n")
                                                   TYPE(7, "integer"));
}

static void test_syntax_marks_become_fields(void **state)
{
    (void)state;
    assert_string_equal(syntax_reply("[at:unix-time@6.2.0!7.0.0...]"),
                        "*1\r\n%5\r\n" NAME(2, "at") TYPE(9, "unix-time") //
                        "$5\r\nsince\r\n$5\r\n6.2.0\r\n"
                        "$16\r\ndeprecated_since\r\n$5\r\n7.0.0\r\n"
                        "$5\r\nflags\r\n~2\r\n+optional\r\n+multiple\r\n");
    assert_string_equal(syntax_reply("at:pattern#1"),
                        "*1\r\n%3\r\n" NAME(2, "at") TYPE(7, "pattern") //
                        "$14\r\nkey_spec_index\r\n:1\r\n");
    assert_string_equal(syntax_reply("[GET at+...]"),
                        "*1\r\n%4\r\n" NAME(2, "at") TYPE(6, "string") //
                        "$5\r\ntoken\r\n$3\r\nGET\r\n"
                        "$5\r\nflags\r\n~3\r\n+optional\r\n+multiple\r\n+multiple_token\r\n");
}

static void test_syntax_tokens_stand_alone_or_before_an_argument(void **state)
{
    (void)state;
    assert_string_equal(syntax_reply("NX 'lib-name' name order=DESC"),
                        "*3\r\n%3\r\n" NAME(2, "nx") TYPE(10, "pure-token") //
                        "$5\r\ntoken\r\n$2\r\nNX\r\n"
                        "%3\r\n" NAME(4, "name") TYPE(6, "string") //
                        "$5\r\ntoken\r\n$8\r\nlib-name\r\n"
                        "%3\r\n" NAME(5, "order") TYPE(10, "pure-token") //
                        "$5\r\ntoken\r\n$4\r\nDESC\r\n");
}

static void test_syntax_nests_choices_and_blocks(void **state)
{
    (void)state;
    assert_string_equal(syntax_reply("mode(ON | pair{a b}...)"),
                        "*1\r\n%3\r\n" NAME(4, "mode") TYPE(5, "oneof") //
                        "$9\r\narguments\r\n*2\r\n"
                        "%3\r\n" NAME(2, "on") TYPE(10, "pure-token") //
                        "$5\r\ntoken\r\n$2\r\nON\r\n"
                        "%4\r\n" NAME(4, "pair") TYPE(5, "block") //
                        "$5\r\nflags\r\n~1\r\n+multiple\r\n"
                        "$9\r\narguments\r\n*2\r\n"
                        "%2\r\n" NAME(1, "a") TYPE(6, "string") //
                        "%2\r\n" NAME(1, "b") TYPE(6, "string"));
}

static void test_a_mistake_in_a_syntax_is_a_bug(void **state)
{
    (void)state;
    expect_assert_failure(syntax_reply("[key"));
    expect_assert_failure(syntax_reply("(a | b)"));
    expect_assert_failure(syntax_reply("a  b"));
    expect_assert_failure(syntax_reply("a@new"));
}

static void test_list_names_subcommands_too_and_can_be_filtered(void **state)
{
    (void)state;
    assert_non_null(strstr(reply_to(3, "COMMAND LIST"), "$11\r\nclient|list\r\n"));
    assert_string_equal(reply_to(3, "COMMAND LIST FILTERBY MODULE x"), "*0\r\n");
    assert_string_equal(reply_to(3, "COMMAND LIST FILTERBY ACLCAT nosuch"), "*0\r\n");
    assert_string_equal(
        reply_to(3, "COMMAND LIST filterby aclcat TRANSACTION"),
        "*5\r\n$5\r\nmulti\r\n$4\r\nexec\r\n$7\r\ndiscard\r\n$5\r\nwatch\r\n$7\r\nunwatch\r\n");
    assert_string_equal(reply_to(3, "COMMAND LIST FILTERBY PATTERN CONFIG|?ET"),
                        "*2\r\n$10\r\nconfig|get\r\n$10\r\nconfig|set\r\n");
    const char *refused[] = {"COMMAND LIST FILTERBY PATTERN", "COMMAND LIST x PATTERN a",
                             "COMMAND LIST FILTERBY x a"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_string_equal(reply_to(3, refused[i]), "-ERR syntax error\r\n");
}

static void test_getkeys_picks_the_keys(void **state)
{
    (void)state;
    assert_string_equal(reply_to(3, "COMMAND GETKEYS mset a 1 b 2"),
                        "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_string_equal(reply_to(3, "COMMAND GETKEYS copy a b"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_string_equal(reply_to(3, "COMMAND GETKEYS object freq k"), "*1\r\n$1\r\nk\r\n");
}

static void test_getkeysandflags_tells_what_happens_to_each_key(void **state)
{
    (void)state;
    assert_string_equal(reply_to(3, "COMMAND GETKEYSANDFLAGS rename a b"),
                        "*2\r\n*2\r\n$1\r\na\r\n~3\r\n+RW\r\n+access\r\n+delete\r\n"
                        "*2\r\n$1\r\nb\r\n~2\r\n+OW\r\n+update\r\n");
}

static void test_set_reads_its_key_only_with_get(void **state)
{
    (void)state;
    const char *overwrites = "*1\r\n*2\r\n$1\r\nk\r\n~2\r\n+OW\r\n+update\r\n";
    const char *reads = "*1\r\n*2\r\n$1\r\nk\r\n~3\r\n+RW\r\n+access\r\n+update\r\n";
    assert_string_equal(reply_to(3, "COMMAND GETKEYSANDFLAGS set k v"), overwrites);
    assert_string_equal(reply_to(3, "COMMAND GETKEYSANDFLAGS set k get"), overwrites);
    assert_string_equal(reply_to(3, "COMMAND GETKEYSANDFLAGS set k v EX 1 get"), reads);
}

static void test_getkeys_refuses_what_has_no_keys(void **state)
{
    (void)state;
    assert_string_equal(reply_to(2, "COMMAND GETKEYS nosuch a"),
                        "-ERR Invalid command specified\r\n");
    assert_string_equal(reply_to(2, "COMMAND GETKEYS object nosuch k"),
                        "-ERR Invalid command specified\r\n");
    assert_string_equal(reply_to(2, "COMMAND GETKEYS ping a"),
                        "-ERR The command has no key arguments\r\n");
    assert_string_equal(reply_to(2, "COMMAND GETKEYSANDFLAGS get a b"),
                        "-ERR Invalid number of arguments specified for command\r\n");
}

static void test_count_leaves_out_subcommands(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t id = 0; id < command_table_count(table); id++)
        count += command_table_at(table, id)->parent == NULL;
    char expected[NUMBER_I64_CHARS + 4] = ":";
    size_t len = 1 + number_format_u64(expected + 1, count);
    memcpy(expected + len, "\r\n", 3);
    assert_string_equal(reply_to(2, "COMMAND COUNT"), expected);
}

static void test_help_lists_subcommands_with_their_arguments(void **state)
{
    (void)state;
    struct resp_writer reply = {.out = &out, .protocol = 2};
    out.len = 0;
    command_write_help(table, command_find(table, (struct span[]){SPAN("client")}, 1), &reply);
    buf_add_char(&out, '\0');
    assert_well_formed(out.ptr);
    assert_non_null(
        strstr(out.ptr, "+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"));
    assert_non_null(strstr(out.ptr, "\r\n+PAUSE <timeout> [WRITE|ALL]\r\n+    "));
    assert_non_null(strstr(out.ptr, "\r\n+REPLY (ON|OFF|SKIP)\r\n+    "));
    const char *end = strstr(out.ptr, "\r\n+HELP\r\n+    Prints this help.\r\n");
    assert_non_null(end);
    assert_string_equal(end, "\r\n+HELP\r\n+    Prints this help.\r\n");
    assert_non_null(strstr(reply_to(2, "COMMAND HELP"), "\r\n+(no subcommand)\r\n+    "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_alone_equals_info_without_names),
        cmocka_unit_test(test_info_and_docs_of_every_command_are_well_formed),
        cmocka_unit_test(test_info_describes_flags_keys_and_categories),
        cmocka_unit_test(test_info_answers_null_for_unknown_names),
        cmocka_unit_test(test_docs_leave_out_unknown_names),
        cmocka_unit_test(test_syntax_of_plain_arguments_names_and_types_them),
        cmocka_unit_test(test_syntax_marks_become_fields),
        cmocka_unit_test(test_syntax_tokens_stand_alone_or_before_an_argument),
        cmocka_unit_test(test_syntax_nests_choices_and_blocks),
        cmocka_unit_test(test_a_mistake_in_a_syntax_is_a_bug),
        cmocka_unit_test(test_list_names_subcommands_too_and_can_be_filtered),
        cmocka_unit_test(test_getkeys_picks_the_keys),
        cmocka_unit_test(test_getkeysandflags_tells_what_happens_to_each_key),
        cmocka_unit_test(test_set_reads_its_key_only_with_get),
        cmocka_unit_test(test_getkeys_refuses_what_has_no_keys),
        cmocka_unit_test(test_count_leaves_out_subcommands),
        cmocka_unit_test(test_help_lists_subcommands_with_their_arguments),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
