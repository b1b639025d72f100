#include "command/command.h"

#include "base/mem.h"
#include "unit/support/test.h"

static struct command_table *table;

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
    return 0;
}

enum { WORDS_MAX = 32 };

struct request {
    struct span args[WORDS_MAX];
    size_t argc;
};

/* The words of a line as arguments into the line. */
static struct request request_of(const char *line)
{
    struct request request = {.argc = 0};
    while (*line) {
        const char *end = strchr(line, ' ');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        assert_true(request.argc < WORDS_MAX);
        request.args[request.argc++] = span_of(line, len);
        line += len + (end ? 1 : 0);
    }
    return request;
}

static const struct command *find(const char *line)
{
    struct request request = request_of(line);
    return command_find(table, request.args, request.argc);
}

static void assert_finds(const char *line, const char *fullname)
{
    const struct command *command = find(line);
    assert_non_null(command);
    assert_string_equal(command->fullname, fullname);
}

/* Every other letter in upper case, from the first or the second on. */
static void alternate_case(char *text, size_t from)
{
    for (size_t i = from; text[i]; i += 2)
        if (text[i] >= 'a' && text[i] <= 'z')
            text[i] = (char)(text[i] - 'a' + 'A');
}

static void test_every_row_is_found_by_its_name_in_any_case(void **state)
{
    (void)state;
    for (size_t id = 0; id < command_table_count(table); id++) {
        const struct command *command = command_table_at(table, id);
        assert_int_equal(command->id, id);
        for (size_t variant = 0; variant < 3; variant++) {
            char line[64];
            assert_true(strlen(command->fullname) < sizeof(line));
            strcpy(line, command->fullname);
            char *bar = strchr(line, '|');
            if (bar)
                *bar = ' ';
            if (variant < 2)
                alternate_case(line, variant);
            assert_ptr_equal(find(line), command);
        }
    }
}

static void test_no_name_stands_twice(void **state)
{
    (void)state;
    for (size_t a = 0; a < command_table_count(table); a++)
        for (size_t b = a + 1; b < command_table_count(table); b++)
            assert_string_not_equal(command_table_at(table, a)->fullname,
                                    command_table_at(table, b)->fullname);
}

static void test_subcommands_follow_their_container(void **state)
{
    (void)state;
    size_t id = 0;
    while (id < command_table_count(table)) {
        const struct command *container = command_table_at(table, id);
        assert_null(container->parent);
        for (size_t i = 1; i <= container->subcommands; i++) {
            const struct command *sub = command_table_at(table, id + i);
            assert_ptr_equal(sub->parent, container);
            assert_int_equal(sub->subcommands, 0);
        }
        id += 1u + container->subcommands;
    }
}

static void test_a_container_alone_is_found_and_its_arguments_choose_the_subcommand(void **state)
{
    (void)state;
    assert_finds("CLIENT", "client");
    assert_finds("CLIENT LIST x y", "client|list");
    assert_finds("memory malloc-stats", "memory|malloc-stats");
    assert_finds("GET LIST", "get");
}

static void test_what_is_no_name_is_not_found(void **state)
{
    (void)state;
    assert_null(find("nosuch"));
    assert_null(find("client nosuch"));
    assert_null(find("client|list"));
    assert_null(find("client list|x"));
    assert_null(find("list"));
    assert_null(find("ge"));
    assert_null(find("gets"));
    assert_null(find("a-name-longer-than-that-of-any-command"));
    assert_null(command_find(table, (struct span[]){SPAN("")}, 1));
    assert_null(command_find(table, (struct span[]){SPAN("get\0")}, 1));
    /* 0x20 apart from '-', but no letter */
    assert_null(command_find(table, (struct span[]){SPAN("MEMORY"), SPAN("malloc\rstats")}, 2));
}

static void test_rows_are_consistent(void **state)
{
    (void)state;
    for (size_t id = 0; id < command_table_count(table); id++) {
        const struct command *command = command_table_at(table, id);
        uint32_t kind = command->flags & (COMMAND_WRITE | COMMAND_READONLY);
        assert_int_not_equal(command->arity, 0);
        assert_int_not_equal(kind, COMMAND_WRITE | COMMAND_READONLY);
        if (kind)
            assert_non_null(command->run);
        if (command->rewrite)
            assert_true(command->flags & COMMAND_WRITE);
        if (command->flags & COMMAND_DENYOOM)
            assert_true(command->flags & COMMAND_WRITE);
        if (command->subcommands)
            assert_null(command->run);
        if (command->parent)
            assert_true(command->arity >= 2 || command->arity <= -2);
    }
}

static void test_arity_is_exact_or_a_minimum(void **state)
{
    (void)state;
    const struct command *get = find("get");
    assert_false(command_arity_is_valid(get, 1));
    assert_true(command_arity_is_valid(get, 2));
    assert_false(command_arity_is_valid(get, 3));
    const struct command *del = find("del");
    assert_false(command_arity_is_valid(del, 1));
    assert_true(command_arity_is_valid(del, 2));
    assert_true(command_arity_is_valid(del, 2000));
    assert_false(command_arity_is_valid(find("client"), 1));
    assert_true(command_arity_is_valid(find("command"), 1));
}

static void assert_keys(const char *line, size_t count, const size_t *expected)
{
    struct request request = request_of(line);
    const struct command *command = command_find(table, request.args, request.argc);
    assert_non_null(command);
    size_t positions[WORDS_MAX];
    assert_int_equal(command_keys(command, request.args, request.argc, positions, WORDS_MAX),
                     count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(positions[i], expected[i]);
}

#define ASSERT_KEYS(line, ...)                                                                     \
    assert_keys((line), sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), (size_t[]){__VA_ARGS__})

static void test_keys_are_found_for_each_kind_of_command(void **state)
{
    (void)state;
    assert_keys("ping", 0, NULL);
    assert_keys("client list", 0, NULL);
    assert_keys("cluster keyslot k", 0, NULL);
    ASSERT_KEYS("get k", 1);
    ASSERT_KEYS("set k v EX 10", 1);
    ASSERT_KEYS("object encoding k", 2);
    ASSERT_KEYS("memory usage k", 2);
    ASSERT_KEYS("rename a b", 1, 2);
    ASSERT_KEYS("copy a b DB 0", 1, 2);
    ASSERT_KEYS("lcs a b LEN", 1, 2);
    ASSERT_KEYS("mget a", 1);
    ASSERT_KEYS("mget a b c", 1, 2, 3);
    ASSERT_KEYS("watch a b", 1, 2);
    ASSERT_KEYS("mset a 1 b 2", 1, 3);
}

static void test_keys_of_short_requests_stay_within_the_arguments(void **state)
{
    (void)state;
    assert_keys("get", 0, NULL);
    assert_keys("mget", 0, NULL);
    ASSERT_KEYS("rename a", 1);
    ASSERT_KEYS("mset a 1 b", 1, 3);
}

static void test_more_keys_than_room_are_counted_but_not_written(void **state)
{
    (void)state;
    struct request request = request_of("del a b c d");
    size_t positions[3] = {0, 0, 99};
    const struct command *del = find("del");
    assert_int_equal(command_keys(del, request.args, request.argc, positions, 2), 4);
    assert_int_equal(positions[0], 1);
    assert_int_equal(positions[1], 2);
    assert_int_equal(positions[2], 99);
}

/* "numkeys key …" as of commands that count their keys. */
static size_t counted_keys(const struct span *args, size_t argc, size_t *positions, size_t max)
{
    size_t count = argc > 1 ? (size_t)(args[1].ptr[0] - '0') : 0;
    for (size_t i = 0; i < count && i < max; i++)
        positions[i] = 2 + i;
    return count;
}

static void test_a_row_whose_arguments_name_the_keys_is_asked(void **state)
{
    (void)state;
    struct request request = request_of("eval 2 a b c");
    const struct command command = {.keys = {1, 1, 1}, .get_keys = counted_keys};
    size_t positions[3] = {0, 0, 99};
    assert_int_equal(command_keys(&command, request.args, request.argc, positions, 3), 2);
    assert_int_equal(positions[0], 2);
    assert_int_equal(positions[1], 3);
    assert_int_equal(positions[2], 99);
}

static void assert_reply(const struct buf *out, const char *expected)
{
    assert_int_equal(out->len, strlen(expected));
    assert_memory_equal(out->ptr, expected, out->len);
}

static void assert_unknown(const struct span *args, size_t argc, const char *expected)
{
    struct buf out = {0};
    struct resp_writer reply = {.out = &out, .protocol = 2};
    assert_null(command_find(table, args, argc));
    command_write_unknown(table, args, argc, &reply);
    assert_reply(&out, expected);
    buf_close(&out);
}

#define ASSERT_UNKNOWN(expected, ...)                                                              \
    assert_unknown((struct span[]){__VA_ARGS__},                                                   \
                   sizeof((struct span[]){__VA_ARGS__}) / sizeof(struct span), (expected))

#define TEN(text)     text text text text text text text text text text
#define HUNDRED(text) TEN(TEN(text))
#define MAX(text)     HUNDRED(text) TEN(text) TEN(text) text text text text text text text text

static void test_an_unknown_command_is_named_with_its_arguments(void **state)
{
    (void)state;
    ASSERT_UNKNOWN("-ERR unknown command 'Foo', with args beginning with: \r\n", SPAN("Foo"));
    ASSERT_UNKNOWN("-ERR unknown command 'foo', with args beginning with: 'a' '' 'b' \r\n",
                   SPAN("foo"), SPAN("a"), SPAN(""), SPAN("b"));
    ASSERT_UNKNOWN("-ERR unknown command 'a  b', with args beginning with: 'x' \r\n",
                   SPAN("a\r\nb"), SPAN("x\0y"));
}

static void test_what_is_unknown_is_quoted_up_to_a_limit(void **state)
{
    (void)state;
    ASSERT_UNKNOWN(
        "-ERR unknown command '" MAX("x") "', with args beginning with: '" MAX("y") "' \r\n",
        SPAN(HUNDRED("x") HUNDRED("x")), SPAN(HUNDRED("y") HUNDRED("y")), SPAN("z"));
    ASSERT_UNKNOWN("-ERR unknown command 'foo', with args beginning with: '" HUNDRED(
                       "x") "' 'abcdefghijklmnopqrstuvwxy' \r\n",
                   SPAN("foo"), SPAN(HUNDRED("x")), SPAN("abcdefghijklmnopqrstuvwxyz"), SPAN("c"));
}

static void test_an_unknown_subcommand_points_to_help(void **state)
{
    (void)state;
    ASSERT_UNKNOWN("-ERR unknown subcommand 'Foo'. Try CLIENT HELP.\r\n", SPAN("client"),
                   SPAN("Foo"), SPAN("x"));
    ASSERT_UNKNOWN("-ERR unknown subcommand '" MAX("q") "'. Try CONFIG HELP.\r\n", SPAN("CONFIG"),
                   SPAN(HUNDRED("q") HUNDRED("q")));
}

static void test_a_wrong_arity_names_the_whole_command(void **state)
{
    (void)state;
    struct buf out = {0};
    struct resp_writer reply = {.out = &out, .protocol = 2};
    command_write_arity_error(find("CLIENT LIST"), &reply);
    assert_reply(&out, "-ERR wrong number of arguments for 'client|list' command\r\n");
    buf_close(&out);
}

/* A guess, but of the right kind: nothing for what is small or refused. */
static void test_commands_that_take_long_in_one_piece_say_so(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    char text[3000];
    memset(text, 'x', sizeof text);
    keyspace_set_string(keyspace, SPAN("k"), span_of(text, sizeof text), false, 1);
    const struct {
        struct span args[4];
        size_t argc;
        size_t work;
    } cases[] = {
        {{SPAN("SETRANGE"), SPAN("k"), SPAN("536870911"), SPAN("x")}, 4, 536870911},
        {{SPAN("SETRANGE"), SPAN("k"), SPAN("-1"), SPAN("x")}, 4, 0},
        {{SPAN("SETRANGE"), SPAN("k"), SPAN("none"), SPAN("x")}, 4, 0},
        {{SPAN("COPY"), SPAN("k"), SPAN("l")}, 3, 3000},
        {{SPAN("COPY"), SPAN("none"), SPAN("l")}, 3, 0},
        {{SPAN("DUMP"), SPAN("k")}, 2, 18000},
        {{SPAN("LCS"), SPAN("k"), SPAN("k")}, 3, 9000000},
        {{SPAN("KEYS"), SPAN("*")}, 2, 128},
        {{SPAN("PFCOUNT"), SPAN("k"), SPAN("k"), SPAN("none")}, 4, 3000},
        {{SPAN("PFMERGE"), SPAN("none"), SPAN("k")}, 3, 1500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct command *command = command_find(table, cases[i].args, cases[i].argc);
        assert_int_equal(command->work(keyspace, cases[i].args, cases[i].argc), cases[i].work);
    }
    assert_null(command_find(table, &SPAN("GET"), 1)->work);
    keyspace_free(keyspace);
}

static bool needs_types(const char *name, size_t argc, struct span fourth)
{
    struct span *args = mem_alloc(argc * sizeof *args);
    for (size_t i = 0; i < argc; i++)
        args[i] = SPAN("x");
    args[0] = span_text(name);
    if (argc > 3)
        args[3] = fourth;
    bool needs = command_needs_types(command_find(table, args, argc), args, argc);
    mem_free(args);
    return needs;
}

static void test_what_older_nodes_do_not_know_is_told(void **state)
{
    (void)state;
    enum { MILLION = 1024 * 1024 };
    assert_false(needs_types("set", 5, SPAN("ex")));
    assert_true(needs_types("set", 5, SPAN("IfEq")));
    assert_true(needs_types("lpush", 3, SPAN("")));
    assert_true(needs_types("msetex", 4, SPAN("")));
    assert_false(needs_types("restore", 4, SPAN("\0")));
    assert_true(needs_types("restore", 4, SPAN("\1")));
    assert_false(needs_types("del", MILLION, SPAN("x")));
    assert_true(needs_types("del", MILLION + 1, SPAN("x")));
    assert_false(needs_types("exists", MILLION + 1, SPAN("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_found_by_its_name_in_any_case),
        cmocka_unit_test(test_no_name_stands_twice),
        cmocka_unit_test(test_subcommands_follow_their_container),
        cmocka_unit_test(test_a_container_alone_is_found_and_its_arguments_choose_the_subcommand),
        cmocka_unit_test(test_what_is_no_name_is_not_found),
        cmocka_unit_test(test_rows_are_consistent),
        cmocka_unit_test(test_arity_is_exact_or_a_minimum),
        cmocka_unit_test(test_keys_are_found_for_each_kind_of_command),
        cmocka_unit_test(test_keys_of_short_requests_stay_within_the_arguments),
        cmocka_unit_test(test_a_row_whose_arguments_name_the_keys_is_asked),
        cmocka_unit_test(test_more_keys_than_room_are_counted_but_not_written),
        cmocka_unit_test(test_an_unknown_command_is_named_with_its_arguments),
        cmocka_unit_test(test_what_is_unknown_is_quoted_up_to_a_limit),
        cmocka_unit_test(test_an_unknown_subcommand_points_to_help),
        cmocka_unit_test(test_a_wrong_arity_names_the_whole_command),
        cmocka_unit_test(test_commands_that_take_long_in_one_piece_say_so),
        cmocka_unit_test(test_what_older_nodes_do_not_know_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
