#include "unit/config/fixture.h"

static void sets(struct files *files, const char *name, const char *value)
{
    assert_int_equal(config_set(&files->config, span_text(name), span_text(value), &files->error),
                     CONFIG_SET_OK);
}

/* What redis-server says behind "CONFIG SET failed (possibly related to argument 'x') - ". */
static void refuses(struct files *files, const char *name, const char *value, const char *message)
{
    struct config before = files->config;
    assert_int_equal(config_set(&files->config, span_text(name), span_text(value), &files->error),
                     CONFIG_SET_INVALID);
    assert_string_equal(files->error.message, message);
    assert_memory_equal(&before, &files->config, sizeof before);
}

static void test_values_read_back_as_redis_shows_them(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    sets(&files, "MAXMEMORY", "1Gb");
    assert_value(&files.config, "maxmemory", "1073741824");
    sets(&files, "timeout", "30");
    assert_value(&files.config, "timeout", "30");
    sets(&files, "protected-mode", "NO");
    assert_value(&files.config, "protected-mode", "no");
    sets(&files, "loglevel", "Debug");
    assert_value(&files.config, "loglevel", "debug");
    sets(&files, "maxmemory-policy", "ALLKEYS-lru");
    assert_value(&files.config, "maxmemory-policy", "allkeys-lru");
    sets(&files, "requirepass", "a \"b");
    assert_value(&files.config, "requirepass", "a \"b");
    sets(&files, "client-output-buffer-limit", "replica 1 1 1 PUBSUB 2kb 2 2");
    assert_value(&files.config, "client-output-buffer-limit",
                 "normal 0 0 0 slave 1 1 1 pubsub 2048 2 2");
    sets(&files, "hz", "0");
    assert_value(&files.config, "hz", "1");
    assert_value(&files.config, "bind", "* -::*");
    assert_value(&files.config, "unixsocketperm", "0");
    assert_value(&files.config, "replicaof", "");
    assert_value(&files.config, "slaveof", "");
    assert_value(&files.config, "aclfile", "");
}

static void test_errors_are_in_redis_words(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    refuses(&files, "protected-mode", "x", "argument must be 'yes' or 'no'");
    refuses(&files, "timeout", "1.5", "argument couldn't be parsed into an integer");
    refuses(&files, "timeout", "", "argument couldn't be parsed into an integer");
    refuses(&files, "timeout", "-1", "argument must be between 0 and 2147483647 inclusive");
    refuses(&files, "maxmemory", "-1", "argument must be a memory value");
    refuses(&files, "maxmemory", "1 g", "argument must be a memory value");
    refuses(&files, "proto-max-bulk-len", "1",
            "argument must be between 1048576 and 9223372036854775807 inclusive");
    refuses(&files, "appendfsync", "x",
            "argument(s) must be one of the following: everysec, always, no");
    refuses(&files, "maxmemory-policy", "x",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, "
            "volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction");
    refuses(&files, "client-output-buffer-limit", "normal 1 2",
            "Wrong number of arguments in buffer limit configuration.");
    refuses(&files, "client-output-buffer-limit", "foo 1 2 3",
            "Invalid client class specified in buffer limit configuration.");
    refuses(&files, "client-output-buffer-limit", "normal 1 2 -3",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    refuses(&files, "appendonly", "foo", "argument must be 'yes' or 'no'");
    refuses(&files, "hz", "-1", "argument must be between 0 and 2147483647 inclusive");
    refuses(&files, "save", "900", "Invalid save parameters");
    refuses(&files, "save", "0 1", "Invalid save parameters");
    refuses(&files, "save", "1 -1", "Invalid save parameters");
    refuses(&files, "save", "a b", "Invalid save parameters");
    refuses(&files, "repl-timeout", "foo", "argument couldn't be parsed into an integer");
    refuses(&files, "repl-backlog-size", "foo", "argument must be a memory value");
    refuses(&files, "follower-mode", "forward",
            "argument(s) must be one of the following: redirect, auto, proxy");
}

static void test_what_is_announced_has_no_characters_that_break_a_line(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    sets(&files, "cluster-announce-ip", "fe80::1%eth0");
    sets(&files, "cluster-announce-hostname", "n-1.example");
    sets(&files, "cluster-announce-hostname", "");
    refuses(&files, "cluster-announce-ip", "10.0.0.1 x",
            "an address may only contain alphanumeric characters and any of - _ . : %");
    refuses(&files, "cluster-announce-hostname", "n_1",
            "Hostnames may only contain alphanumeric characters, hyphens or dots");
    refuses(&files, "cluster-announce-port", "65536",
            "argument must be between 0 and 65535 inclusive");
    refuses(&files, "cluster-preferred-endpoint-type", "best",
            "argument(s) must be one of the following: ip, hostname, unknown-endpoint");
}

static void test_fixed_directives_cannot_be_set(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    static const char *const names[] = {"daemonize", "node-id",           "cluster-nodes",
                                        "logfile",   "raft-heartbeat-ms", "databases",
                                        "replicaof"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(config_set(&files.config, span_text(names[i]), SPAN("1"), &files.error),
                         CONFIG_SET_IMMUTABLE);
        assert_string_equal(files.error.message, "can't set immutable config");
    }
    assert_int_equal(config_set(&files.config, SPAN("dir"), SPAN("/"), &files.error),
                     CONFIG_SET_IMMUTABLE);
    assert_string_equal(files.error.message, "can't set protected config");
}

static void test_unknown_directives_are_unknown(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    static const char *const names[] = {"bogus", "", "include", "user", "rename-command"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(config_set(&files.config, span_text(names[i]), SPAN("1"), &files.error),
                         CONFIG_SET_UNKNOWN);
}

static void test_accepted_directives_are_replaced_not_added_to(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    sets(&files, "save", "900 1 60 10");
    sets(&files, "slave-priority", "7");
    sets(&files, "save", "1  2");
    assert_value(&files.config, "save", "1 2");
    sets(&files, "save", "");
    assert_value(&files.config, "save", "");
    assert_value(&files.config, "replica-priority", "7");
    /* Setting again and again takes no more room. */
    for (size_t i = 0; i < 10000; i++)
        sets(&files, i % 2 == 0 ? "save" : "oom-score-adj-values", "1 2 3 4");
}

static bool count_matches(void *context, const char *name)
{
    (void)context;
    (void)name;
    return true;
}

static void count_visit(void *context, const char *name, struct span value)
{
    size_t *count = context;
    assert_true(strlen(name) > 0);
    assert_non_null(value.ptr);
    ++*count;
}

static void test_get_shows_all_that_clients_look_for(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    size_t count = 0;
    config_get(&files.config, count_matches, &count, count_visit);
    assert_true(count > 180);
    assert_value(&files.config, "save", "");
    assert_value(&files.config, "appendonly", "yes");
    assert_value(&files.config, "databases", "16");
}

static void test_accepted_numbers_have_the_type_and_limits_of_redis(void **state)
{
    (void)state;
    struct files files = {0};
    config_init(&files.config);
    refuses(&files, "slowlog-max-len", "-1",
            "argument must be between 0 and 9223372036854775807 inclusive");
    refuses(&files, "slowlog-log-slower-than", "-2",
            "argument must be between -1 and 9223372036854775807 inclusive");
    refuses(&files, "maxmemory-samples", "0",
            "argument must be between 1 and 2147483647 inclusive");
    refuses(&files, "hash-max-listpack-entries", "1mb",
            "argument couldn't be parsed into an integer");
    refuses(&files, "repl-backlog-size", "0",
            "argument must be between 1 and 9223372036854775807 inclusive");
    refuses(&files, "list-max-listpack-size", "-2147483649",
            "argument must be between -2147483648 and 2147483647 inclusive");
    sets(&files, "slowlog-log-slower-than", "-1");
    sets(&files, "list-max-listpack-size", "-2");
    sets(&files, "active-expire-effort", "10");
    refuses(&files, "notify-keyspace-events", "KEA", "events of keys are not published yet");
    sets(&files, "notify-keyspace-events", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_read_back_as_redis_shows_them),
        cmocka_unit_test(test_errors_are_in_redis_words),
        cmocka_unit_test(test_what_is_announced_has_no_characters_that_break_a_line),
        cmocka_unit_test(test_fixed_directives_cannot_be_set),
        cmocka_unit_test(test_unknown_directives_are_unknown),
        cmocka_unit_test(test_accepted_directives_are_replaced_not_added_to),
        cmocka_unit_test(test_get_shows_all_that_clients_look_for),
        cmocka_unit_test(test_accepted_numbers_have_the_type_and_limits_of_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
