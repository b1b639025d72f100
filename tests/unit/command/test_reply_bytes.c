/* How long the replies of commands that write are expected to be. */
#include "unit/command/exchange.h"

enum { LONG = 100 * 1000 };

/* The request's words, of which "V" is a long value. */
static size_t words(const char *line, struct span args[16])
{
    static char value[LONG];
    memset(value, 'v', sizeof value);
    size_t argc = 0;
    for (const char *at = line; *at; argc++) {
        size_t len = strcspn(at, " ");
        bool is_long = len == 1 && *at == 'V';
        args[argc] = is_long ? span_of(value, LONG) : span_of(at, len);
        at += len + (at[len] == ' ');
    }
    return argc;
}

static void execute(struct fixture *fixture, const char *line)
{
    struct span args[16];
    size_t argc = words(line, args);
    const struct command *command = command_find(fixture->table, args, argc);
    assert_non_null(command);
    fixture->reply.len = 0;
    fixture->context.revision++;
    command->run(&fixture->context, args, argc);
    assert_true(fixture->reply.len && fixture->reply.ptr[0] != '-');
}

static size_t expected(struct fixture *fixture, const char *line)
{
    struct span args[16];
    size_t argc = words(line, args);
    const struct command *command = command_find(fixture->table, args, argc);
    assert_non_null(command);
    assert_non_null(command->reply);
    return command->reply(fixture->context.keyspace, args, argc);
}

static void assert_expects(struct fixture *fixture, const char *line, size_t least)
{
    size_t bytes = expected(fixture, line);
    if (bytes < least || bytes > least + least / 2 + 1000)
        fail_msg("'%s': %zu bytes, not about %zu", line, bytes, least);
}

static void test_elements_that_are_named_count_with_their_bytes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    execute(f, "HSET h f V g V short 1");
    assert_expects(f, "HGETEX h FIELDS 1 f", LONG);
    assert_expects(f, "HGETEX h EX 10 FIELDS 2 f g", 2 * LONG);
    assert_expects(f, "HGETDEL h FIELDS 1 short", 0);
    assert_expects(f, "HGETDEL h FIELDS 1 none", 0);
    assert_expects(f, "HGETEX none FIELDS 1 f", 0);
    assert_expects(f, "HGETEX h", 0);
    fixture_free(f);
}

static void test_elements_at_the_ends_count_with_their_bytes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    execute(f, "RPUSH l a b c d V");
    execute(f, "ZADD z 1 a 2 b 3 V");
    assert_expects(f, "LMOVE l l RIGHT RIGHT", LONG);
    assert_expects(f, "RPOPLPUSH l l", LONG);
    assert_expects(f, "LPOP l", LONG); /* another command may have taken what stands there now */
    assert_expects(f, "RPOP l 3", LONG);
    assert_expects(f, "LMPOP 2 none l LEFT COUNT 2", LONG);
    assert_expects(f, "BLPOP none l 0", LONG);
    assert_expects(f, "BLMPOP 0 1 l LEFT", LONG);
    assert_expects(f, "ZPOPMAX z", LONG);
    assert_expects(f, "ZMPOP 1 z MAX COUNT 2", LONG);
    assert_expects(f, "LPOP none 18446744073709551615", 0);
    assert_expects(f, "LMPOP 18446744073709551615 l LEFT", 0);
    fixture_free(f);
}

static void test_no_count_makes_a_reply_longer_than_the_value(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    execute(f, "RPUSH l V V V");
    execute(f, "SADD s V 1 2 3");
    assert_expects(f, "LPOP l 18446744073709551615", 3 * LONG);
    assert_expects(f, "SPOP s 18446744073709551615", LONG);
    assert_expects(f, "SPOP s", LONG / 4);
    assert_expects(f, "SORT l ALPHA", 3 * LONG);
    assert_expects(f, "SORT l ALPHA STORE to", 0);
    fixture_free(f);
}

static void test_entries_of_streams_count_as_they_are_on_average(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    execute(f, "XADD x 1-1 f V");
    execute(f, "XADD x 2-1 f V");
    assert_expects(f, "XREADGROUP GROUP g c STREAMS x 0", 2 * LONG);
    assert_expects(f, "XREADGROUP GROUP g c COUNT 1 STREAMS x 0", LONG);
    assert_expects(f, "XCLAIM x g c 0 1-1", LONG);
    assert_expects(f, "XAUTOCLAIM x g c 0 0", 2 * LONG);
    assert_expects(f, "XAUTOCLAIM x g c 0 0 COUNT 1", LONG);
    fixture_free(f);
}

static void test_value_of_another_type_is_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    execute(f, "SET k V");
    execute(f, "RPUSH l V");
    assert_expects(f, "HGETEX k FIELDS 1 f", 0);
    assert_expects(f, "HGETEX l FIELDS 1 f", 0);
    assert_expects(f, "LMOVE k k LEFT LEFT", 0);
    assert_expects(f, "XCLAIM l g c 0 1-1", 0);
    assert_expects(f, "SPOP k", 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_that_are_named_count_with_their_bytes),
        cmocka_unit_test(test_elements_at_the_ends_count_with_their_bytes),
        cmocka_unit_test(test_no_count_makes_a_reply_longer_than_the_value),
        cmocka_unit_test(test_entries_of_streams_count_as_they_are_on_average),
        cmocka_unit_test(test_value_of_another_type_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
