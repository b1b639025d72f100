/* Commands that took long. */
#include "unit/net/fixture.h"

static char said[512];

static void keep_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    if (level == LOG_WARNING)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s|", line);
}

static const struct log warnings = {.level = LOG_WARNING, .write = keep_line};

static int set_up_with_limit(void **state)
{
    set_up(state);
    struct fixture *f = *state;
    said[0] = '\0';
    net_free(f->net);
    f->log = &warnings;
    f->settings.slowlog_slower_than_us = 10 * 1000;
    f->settings.slowlog_max_len = 3;
    f->settings.slow_warning_ms = 100;
    open_net(f);
    return 0;
}

static const char *slowlog(struct fixture *f, size_t count)
{
    static char text[4096];
    struct buf out = {0};
    struct resp_writer writer = {.out = &out, .protocol = 2};
    net_slowlog_write(f->net, count, &writer);
    snprintf(text, sizeof text, "%.*s", (int)out.len, out.ptr);
    buf_close(&out);
    return text;
}

/* The shard carries out what was asked first, and it takes so long. */
static void execute(struct fixture *f, const char *name, struct span argument, uint64_t ms)
{
    struct span args[2] = {span_text(name), argument};
    const struct command *command = command_find(f->table, args, 2);
    struct shard_host *host = &f->shard.host;
    host->executes(host->context, &f->shard.asked[f->shard.first].client);
    f->now_ms += ms; /* since the run began, or the command before it ended */
    host->executed(host->context, command, args, 2, SPAN("+OK\r\n"));
    net_resume(f->net);
    f->now_ms += 500; /* not the command's */
}

static void test_command_over_the_limit_is_kept_with_its_client(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "CLIENT SETNAME me\r\n", "+OK\r\n");
    say(f, fd, "GET a\r\n");
    execute(f, "get", SPAN("fast"), 9);
    execute(f, "get", SPAN("slow"), 10);
    assert_int_equal(net_slowlog_len(f->net), 1);
    char expected[512];
    snprintf(
        expected, sizeof expected,
        "*1\r\n*6\r\n:0\r\n:1000\r\n:10000\r\n*2\r\n$3\r\nget\r\n$4\r\nslow\r\n$%zu\r\n%s:0\r\n"
        "$2\r\nme\r\n",
        strlen(f->path) + 2, f->path);
    assert_string_equal(slowlog(f, 10), expected);
    assert_string_equal(said, "");
    net_slowlog_reset(f->net);
    assert_string_equal(slowlog(f, 10), "*0\r\n");
    close(fd);
}

/* Its reply begins when it is known that there is one. */
static void test_client_that_waited_answers_for_its_own_command_alone(void **state)
{
    struct fixture *f = *state;
    int idle = dial(f);
    int fd = dial(f);
    struct shard_host *host = &f->shard.host;
    const struct span args[] = {SPAN("blpop"), SPAN("k"), SPAN("0")};
    const struct command *command = command_find(f->table, args, 3);
    assert_replies(f, idle, "CLIENT SETNAME idle\r\n", "+OK\r\n");
    say(f, idle, "GET a\r\n");
    struct shard_client waiter = f->shard.asked[f->shard.first].client;
    say(f, fd, "GET a\r\n");
    execute(f, "get", SPAN("fast"), 1);
    f->now_ms += 40 * 1000;
    host->executes(host->context, &waiter);
    host->executed(host->context, command, args, 3, SPAN("*2\r\n$1\r\nk\r\n$1\r\nv\r\n"));
    assert_int_equal(net_slowlog_len(f->net), 0);
    assert_string_equal(said, "");
    host->executes(host->context, &waiter);
    f->now_ms += 20;
    host->executed(host->context, command, args, 3, SPAN("*2\r\n$1\r\nk\r\n$1\r\nv\r\n"));
    assert_int_equal(net_slowlog_len(f->net), 1);
    assert_non_null(strstr(slowlog(f, 1), ":20000\r\n*3\r\n$5\r\nblpop\r\n"));
    assert_non_null(strstr(slowlog(f, 1), "$4\r\nidle\r\n"));
    close(idle);
    close(fd);
}

static void test_time_of_what_others_asked_is_nobodys_here(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    struct shard_host *host = &f->shard.host;
    say(f, fd, "GET a\r\n");
    execute(f, "get", SPAN("fast"), 1);
    const struct span args[] = {SPAN("get"), SPAN("k")};
    host->executes(host->context, &f->shard.asked[f->shard.first].client);
    host->executed(host->context, command_find(f->table, args, 2), args, 2, SPAN("+OK\r\n"));
    host->executes(host->context, NULL);
    f->now_ms += 200;
    execute(f, "get", SPAN("fast"), 1);
    assert_int_equal(net_slowlog_len(f->net), 0);
    assert_string_equal(said, "");
    close(fd);
}

static void test_only_so_many_are_kept_and_the_newest_comes_first(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "GET a\r\n");
    for (int i = 0; i < 5; i++)
        execute(f, "get", SPAN("k"), 20);
    assert_int_equal(net_slowlog_len(f->net), 3);
    assert_int_equal(strncmp(slowlog(f, 2), "*2\r\n*6\r\n:4\r\n", 12), 0);
    f->settings.slowlog_slower_than_us = -1;
    net_set_settings(f->net, &f->settings);
    execute(f, "get", SPAN("k"), 20);
    assert_int_equal(net_slowlog_len(f->net), 3);
    close(fd);
}

static void test_long_arguments_are_cut_and_passwords_are_hidden(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "GET a\r\n");
    char text[200];
    memset(text, 'x', sizeof text);
    execute(f, "get", span_of(text, sizeof text), 20);
    assert_non_null(strstr(slowlog(f, 1), "x... (72 more bytes)\r\n"));
    execute(f, "auth", SPAN("hunter2"), 20);
    assert_null(strstr(slowlog(f, 1), "hunter2"));
    assert_non_null(strstr(slowlog(f, 1), "(redacted)"));
    close(fd);
}

static void test_command_that_endangers_the_office_is_named_in_the_log(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "GET a\r\n");
    execute(f, "keys", SPAN("*"), 99);
    assert_string_equal(said, "");
    execute(f, "keys", SPAN("*"), 100);
    char expected[256];
    snprintf(expected, sizeof expected,
             "keys of client 1 at %s:0 took 100 ms, and nothing else ran meanwhile|", f->path);
    assert_string_equal(said, expected);
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up_with_limit, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_command_over_the_limit_is_kept_with_its_client),
        T(test_client_that_waited_answers_for_its_own_command_alone),
        T(test_time_of_what_others_asked_is_nobodys_here),
        T(test_only_so_many_are_kept_and_the_newest_comes_first),
        T(test_long_arguments_are_cut_and_passwords_are_hidden),
        T(test_command_that_endangers_the_office_is_named_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
