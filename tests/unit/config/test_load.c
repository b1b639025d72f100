#include <stdio.h>

#include "unit/config/fixture.h"

static void refuses(const char *text, const char *message)
{
    struct files files = {0};
    assert_int_equal(files_load_text(&files, text), ERR_INVALID);
    assert_string_equal(files.error.message, message);
    buf_close(&files.log);
}

static void test_defaults_are_as_documented(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, ""), ERR_NONE);
    const struct config *config = &files.config;
    assert_int_equal(config->port, 6379);
    assert_int_equal(config->bind_count, 2);
    assert_string_equal(config->bind[1], "-::*");
    assert_true(config->protected_mode);
    assert_int_equal(config->client_query_buffer_limit, 1024 * 1024 * 1024);
    assert_int_equal(config->output_limits[CONFIG_CLIENT_REPLICA].hard_bytes, 256 * 1024 * 1024);
    assert_int_equal(config->output_limits[CONFIG_CLIENT_PUBSUB].soft_seconds, 60);
    assert_int_equal(config->appendfsync, CONFIG_FSYNC_ALWAYS);
    assert_int_equal(config->loglevel, LOG_NOTICE);
    assert_int_equal(config->node_id, 0);
    assert_string_equal(config->dir, "./");
    assert_string_equal(config->maxmemory_policy, "noeviction");
    assert_int_equal(config->databases, 16);
    assert_int_equal(config_check(config, &files.error), ERR_NONE);
}

static void test_lines_set_fields_in_any_case(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "# a comment with \"an open quote\r\n"
                                             "\r\n"
                                             "  PORT 7001\r\n"
                                             "bind 127.0.0.1 -::1\n"
                                             "\tMaxMemory 3GB\n"
                                             "appendfsync EVERYSEC\n"
                                             "unixsocketperm 770\n"
                                             "client-output-buffer-limit slave 1k 1kb 5\n"
                                             "hz 10000\n"
                                             "node-id 7"),
                     ERR_NONE);
    assert_int_equal(files.config.port, 7001);
    assert_int_equal(files.config.bind_count, 2);
    assert_string_equal(files.config.bind[0], "127.0.0.1");
    assert_int_equal(files.config.maxmemory, 3ULL << 30);
    assert_int_equal(files.config.appendfsync, CONFIG_FSYNC_EVERYSEC);
    assert_int_equal(files.config.unixsocketperm, 0770);
    assert_int_equal(files.config.output_limits[CONFIG_CLIENT_REPLICA].hard_bytes, 1000);
    assert_int_equal(files.config.output_limits[CONFIG_CLIENT_REPLICA].soft_bytes, 1024);
    assert_int_equal(files.config.output_limits[CONFIG_CLIENT_PUBSUB].soft_seconds, 60);
    assert_int_equal(files.config.hz, 500);
    assert_int_equal(files.config.node_id, 7);
    buf_close(&files.log);
}

static void test_units_count_as_in_redis(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t bytes;
    } cases[] = {
        {"maxmemory 5", 5},           {"maxmemory 5b", 5},           {"maxmemory 5k", 5000},
        {"maxmemory 5kb", 5120},      {"maxmemory 5m", 5000000},     {"maxmemory 5Mb", 5242880},
        {"maxmemory 2g", 2000000000}, {"maxmemory 2GB", 2147483648},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct files files = {0};
        assert_int_equal(files_load_text(&files, cases[i].line), ERR_NONE);
        assert_int_equal(files.config.maxmemory, cases[i].bytes);
    }
}

static void test_quotes_and_escapes(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "requirepass \"a b\\x41\\n\\r\\t\\b\\a\\\"\\\\\"\n"
                                             "dir 'it\\'s \\n'\n"
                                             "logfile \"\"\n"
                                             "bind \"10.0.0.1 10.0.0.2\"\n"),
                     ERR_NONE);
    assert_string_equal(files.config.requirepass, "a bA\n\r\t\b\a\"\\");
    assert_string_equal(files.config.dir, "it's \\n");
    assert_int_equal(files.config.bind_count, 2);
    assert_string_equal(files.config.bind[1], "10.0.0.2");
}

static void test_errors_name_file_line_directive_and_cause(void **state)
{
    (void)state;
    refuses("port 1\nport abc\n",
            "redis.conf:2: 'port': argument couldn't be parsed into an integer");
    refuses("port 70000", "redis.conf:1: 'port': argument must be between 0 and 65535 inclusive");
    refuses("unixsocketperm 1000",
            "redis.conf:1: 'unixsocketperm': argument must be between 0 and 777 inclusive");
    refuses("daemonize maybe", "redis.conf:1: 'daemonize': argument must be 'yes' or 'no'");
    refuses("maxmemory 1tb", "redis.conf:1: 'maxmemory': argument must be a memory value");
    refuses("maxmemory 99999999999gb",
            "redis.conf:1: 'maxmemory': argument must be a memory value");
    refuses("port", "redis.conf:1: 'port': wrong number of arguments: a value is missing");
    refuses("port 1 2", "redis.conf:1: 'port': wrong number of arguments");
    refuses("dir \"open", "redis.conf:1: 'dir': unbalanced quotes");
    refuses("dir \"a\"b", "redis.conf:1: 'dir': unbalanced quotes");
    refuses("dir \"\"", "redis.conf:1: 'dir': argument must not be empty");
    refuses("dir \"a\\x00b\"", "redis.conf:1: 'dir': argument must not hold a zero byte");
    refuses("appendfilename a/b",
            "redis.conf:1: 'appendfilename': appendfilename can't be a path, just a name");
    refuses("appendonly maybe", "redis.conf:1: 'appendonly': argument must be 'yes' or 'no'");
}

static void test_unknown_names_come_with_the_nearest_known(void **state)
{
    (void)state;
    refuses("\n\nprot 7001", "redis.conf:3: 'prot': unknown directive; did you mean 'port'?");
    refuses("max-memory 1", "redis.conf:1: 'max-memory': unknown directive; did you mean "
                            "'maxmemory'?");
    refuses("Raft-Heartbeat 1", "redis.conf:1: 'Raft-Heartbeat': unknown directive; did you mean "
                                "'raft-heartbeat-ms'?");
    refuses("xyzzyxyzzyxyzzy 1", "redis.conf:1: 'xyzzyxyzzyxyzzy': unknown directive");
    refuses("\"a\\nbcdefghijklm\" 1", "redis.conf:1: 'a\\x0abcdefghijklm': unknown directive");
}

static void test_what_would_break_promises_stops_the_start(void **state)
{
    (void)state;
    static const char *const lines[] = {"replicaof 10.0.0.1 6379", "slaveof no one",
                                        "loadmodule /x.so",        "rename-command CONFIG \"\"",
                                        "aclfile /etc/users.acl",  "user alice on +@all ~*"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct files files = {0};
        assert_int_equal(files_load_text(&files, lines[i]), ERR_INVALID);
        assert_non_null(strstr(files.error.message, "redis.conf:1: '"));
    }
}

static void test_directives_without_meaning_warn_and_keep_their_text(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "save 900 1\nsave \"60 1000\"\n"
                                             "repl-backlog-size 2mb\n"
                                             "list-max-ziplist-size -3\n"
                                             "oom-score-adj-values \"1 2 3\"\n"
                                             "tls-port 0\n"
                                             "databases 4\n"
                                             "APPENDONLY YES\n"),
                     ERR_NONE);
    assert_value(&files.config, "save", "900 1 60 1000");
    assert_value(&files.config, "repl-backlog-size", "2097152");
    assert_value(&files.config, "list-max-listpack-size", "-3");
    assert_value(&files.config, "list-max-ziplist-size", "-3");
    assert_value(&files.config, "oom-score-adj-values", "1 2 3");
    assert_value(&files.config, "databases", "4");
    assert_value(&files.config, "appendonly", "yes");
    assert_value(&files.config, "replica-read-only", "yes");
    assert_value(&files.config, "cluster-enabled", "yes");
    buf_add_char(&files.log, '\0');
    assert_non_null(
        strstr(files.log.ptr, "redis.conf:2: 'save' is accepted but has no effect here\n"));
    assert_non_null(strstr(files.log.ptr, "redis.conf:8: 'appendonly' is accepted but"));
    buf_close(&files.log);
}

static void test_save_with_nothing_starts_anew(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "save 900 1\nsave \"\"\nsave 1 2\n"), ERR_NONE);
    assert_value(&files.config, "save", "1 2");
    buf_close(&files.log);
}

static void test_accepted_text_has_a_limit(void **state)
{
    (void)state;
    struct files files = {0};
    struct buf text = {0};
    buf_add_text(&text, "dbfilename ");
    for (size_t i = 0; i < CONFIG_ACCEPTED_MAX; i++)
        buf_add_char(&text, 'x');
    buf_add_char(&text, '\0');
    assert_int_equal(files_load_text(&files, text.ptr), ERR_INVALID);
    buf_close(&text);
}

static void test_policies_that_do_not_evict_yet_say_so(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(
        files_load_text(&files, "maxmemory-policy noeviction\nmaxmemory-policy allkeys-lru\n"),
        ERR_NONE);
    buf_add_char(&files.log, '\0');
    assert_non_null(strstr(files.log.ptr, "redis.conf:2: 'maxmemory-policy allkeys-lru': keys"));
    assert_null(strstr(files.log.ptr, "redis.conf:1:"));
    buf_close(&files.log);
}

static void test_include_reads_files_and_patterns(void **state)
{
    (void)state;
    struct files files = {
        .list = {{"redis.conf", "port 1\ninclude common.conf 'conf.d/*'\nhz 20\n"},
                 {"common.conf", "port 2\ntimeout 5\n"},
                 {"conf.d/1", "port 3\n"},
                 {"conf.d/2", "include none/*\nmaxclients 9\n"}}};
    assert_int_equal(files_load(&files), ERR_NONE);
    assert_int_equal(files.config.port, 3);
    assert_int_equal(files.config.timeout_seconds, 5);
    assert_int_equal(files.config.maxclients, 9);
    assert_int_equal(files.config.hz, 20);
}

static void test_include_errors_name_the_right_line(void **state)
{
    (void)state;
    struct files files = {.list = {{"redis.conf", "\ninclude common.conf\nfoo 1\n"},
                                   {"common.conf", "port 2\nprt 5\n"}}};
    assert_int_equal(files_load(&files), ERR_INVALID);
    assert_non_null(strstr(files.error.message, "common.conf:2: 'prt': "));
    files.list[1].text = "port 2\n";
    assert_int_equal(files_load(&files), ERR_INVALID);
    assert_non_null(strstr(files.error.message, "redis.conf:3: 'foo': "));
    files.list[0].text = "include gone.conf";
    assert_int_equal(files_load(&files), ERR_NOT_FOUND);
    assert_non_null(strstr(files.error.message, "redis.conf:1: 'gone.conf': cannot read"));
    files.list[0].text = "include redis.conf";
    assert_int_equal(files_load(&files), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "redis.conf:1: 'include': files include each other too deeply");
}

static void test_missing_file_is_named(void **state)
{
    (void)state;
    struct files files = {0};
    const struct config_source source = {&files, files_read, files_expand};
    config_init(&files.config);
    assert_int_equal(config_load(&files.config, &source, "no.conf", NULL, &files.error),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(files.error.message, "no.conf: cannot read the configuration: "));
}

static void test_command_line_sets_directives(void **state)
{
    (void)state;
    struct files files = {0};
    static const char *const args[] = {
        "--port",        "7001",          "--bind", "127.0.0.1", "-::1", "--dir",
        "/tmp/with one", "--appendfsync", "always", "--save",    ""};
    assert_int_equal(files_load_args(&files, 11, args), ERR_NONE);
    assert_int_equal(files.config.port, 7001);
    assert_int_equal(files.config.bind_count, 2);
    assert_string_equal(files.config.bind[1], "-::1");
    assert_string_equal(files.config.dir, "/tmp/with one");
    buf_close(&files.log);
}

/* As tried with redis-server 7.0.15. */
static void test_value_may_begin_with_dashes(void **state)
{
    (void)state;
    struct files files = {0};
    static const char *const args[] = {"--requirepass", "--port", "--timeout", "5"};
    assert_int_equal(files_load_args(&files, 4, args), ERR_NONE);
    assert_string_equal(files.config.requirepass, "--port");
    assert_int_equal(files.config.timeout_seconds, 5);
    static const char *const name[] = {"--port", "--bind", "::1"};
    assert_int_equal(files_load_args(&files, 3, name), ERR_INVALID);
    assert_string_equal(files.error.message, "command line: 'port': wrong number of arguments");
}

static void test_name_and_value_may_be_one_argument(void **state)
{
    (void)state;
    struct files files = {0};
    static const char *const args[] = {"--port 7001",   "--bind 127.0.0.1", "-::1",
                                       "--dir \"a b\"", "--timeout",        "5"};
    assert_int_equal(files_load_args(&files, 6, args), ERR_NONE);
    assert_int_equal(files.config.port, 7001);
    assert_int_equal(files.config.bind_count, 2);
    assert_string_equal(files.config.dir, "a b");
    assert_int_equal(files.config.timeout_seconds, 5);
}

static void test_save_without_a_value_means_none(void **state)
{
    (void)state;
    struct files files = {0};
    static const char *const args[] = {"--save", "--port", "7001", "--save"};
    assert_int_equal(files_load_args(&files, 4, args), ERR_NONE);
    assert_int_equal(files.config.port, 7001);
    assert_value(&files.config, "save", "");
    buf_close(&files.log);
}

static void test_command_line_errors(void **state)
{
    (void)state;
    struct files files = {0};
    static const char *const missing[] = {"--bind", "::1", "--port"};
    assert_int_equal(files_load_args(&files, 3, missing), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "command line: 'port': wrong number of arguments: a value is missing");
    static const char *const joined[] = {"--port=1"};
    assert_int_equal(files_load_args(&files, 1, joined), ERR_INVALID);
    assert_non_null(strstr(files.error.message, "command line: 'port=1': unknown directive"));
    static const char *const quotes[] = {"--dir \"a"};
    assert_int_equal(files_load_args(&files, 1, quotes), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "command line: 'dir': unbalanced quotes or too many arguments");
    const char *many[CONFIG_ARGS_MAX + 1] = {"--bind"};
    for (size_t i = 1; i <= CONFIG_ARGS_MAX; i++)
        many[i] = "::1";
    assert_int_equal(files_load_args(&files, CONFIG_ARGS_MAX + 1, many), ERR_INVALID);
    assert_string_equal(files.error.message, "command line: 'bind': too many arguments");
    static const char *const stray[] = {"port", "1"};
    assert_int_equal(files_load_args(&files, 2, stray), ERR_INVALID);
    assert_string_equal(files.error.message, "command line: 'port': expected --name value");
    static const char *const unknown[] = {"--prot", "1"};
    assert_int_equal(files_load_args(&files, 2, unknown), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "command line: 'prot': unknown directive; did you mean 'port'?");
}

static void test_standard_input_is_read_where_a_dash_stands(void **state)
{
    (void)state;
    struct files files = {.list = {{"-", "port 9\nhz x\n"}}};
    assert_int_equal(files_load(&files), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "standard input:2: 'hz': argument couldn't be parsed into an integer");
    files.list[0].text = "port 9\nhz 11";
    static const char *const args[] = {"-", "--port", "10"};
    assert_int_equal(files_load_args(&files, 3, args), ERR_NONE);
    assert_int_equal(files.config.port, 10);
    assert_int_equal(files.config.hz, 11);
    static const char *const last[] = {"--port", "12", "-"};
    assert_int_equal(files_load_args(&files, 3, last), ERR_NONE);
    assert_int_equal(files.config.port, 12);
    assert_int_equal(files.config.hz, 11);
}

static void check_refuses(const char *text, const char *part)
{
    struct files files = {0};
    assert_int_equal(files_load_text(&files, text), ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_INVALID);
    assert_non_null(strstr(files.error.message, part));
}

static void test_check_sees_what_only_makes_sense_together(void **state)
{
    (void)state;
    check_refuses("raft-heartbeat-ms 151", "'raft-election-timeout-ms': 300 is less than two");
    check_refuses("node-id 4\ncluster-nodes 1@a:1,2@b:1,3@c:1", "'node-id': node 4 is not in");
    check_refuses("cluster-nodes 1@a:1,b:1", "'cluster-nodes': entry 2 does not begin");
    check_refuses("cluster-nodes 1@a:1,2@b:1\nport 0", "'port': the other nodes");
    check_refuses("port 0", "nothing to listen on");
    refuses("sentinel-master-name \"a b\"",
            "redis.conf:1: 'sentinel-master-name': the name may only contain alphanumeric "
            "characters and any of . - _");
    check_refuses("port 7000\nsentinel-port 7000", "'sentinel-port': 7000 is already the 'port'");
    check_refuses("port 0\nunixsocket s\nsentinel-port 7000", "'sentinel-port': it would send");
    check_refuses("port 7000\nhttp-port 7000", "'http-port': 7000 is already the 'port'");
    check_refuses("sentinel-port 7000\nhttp-port 7000",
                  "'http-port': 7000 is already the 'sentinel-port'");
    check_refuses("bind \"\"\nunixsocket s\nhttp-port 7000", "'http-port': 'bind' is empty");
    refuses(
        "http-hosts \"a b\"",
        "redis.conf:1: 'http-hosts': host names may only contain alphanumeric characters, hyphens "
        "or dots, and commas stand between them");
    check_refuses("bind \"\"", "nothing to listen on");
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "raft-heartbeat-ms 150\nnode-id 3\n"
                                             "cluster-nodes 1@a:1,2@b:1,3@[::1]:1\n"),
                     ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_NONE);
    files.config.maxclients = 0;
    assert_int_equal(config_check(&files.config, &files.error), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "'maxclients': argument must be between 1 and 2147483647 inclusive");
}

static void test_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    struct files files = {.list = {{"redis.conf", "\xef\xbb\xbfport 7001\ninclude b.conf\n"},
                                   {"b.conf", "\xef\xbb\xbftimeout 3\n"}}};
    assert_int_equal(files_load(&files), ERR_NONE);
    assert_value(&files.config, "port", "7001");
    assert_value(&files.config, "timeout", "3");
}

static void test_bytes_that_are_not_seen_are_shown_in_unknown_names(void **state)
{
    (void)state;
    refuses("hz 10\n\xef\xbb\xbfport 1",
            "redis.conf:2: '\\xef\\xbb\\xbfport': unknown directive; did you mean 'port'?");
    refuses("po\xc2\xa0rt 1",
            "redis.conf:1: 'po\\xc2\\xa0rt': unknown directive; did you mean 'port'?");
}

static void test_paths_become_absolute(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "dir ./data/\nlogfile log\npidfile /run/x.pid\n"),
                     ERR_NONE);
    assert_int_equal(config_make_absolute(&files.config, "/srv/a", &files.error), ERR_NONE);
    assert_value(&files.config, "dir", "/srv/a/data/");
    assert_value(&files.config, "logfile", "/srv/a/log");
    assert_value(&files.config, "pidfile", "/run/x.pid");
    assert_value(&files.config, "unixsocket", "");
    config_init(&files.config);
    assert_int_equal(config_make_absolute(&files.config, "/srv/a", &files.error), ERR_NONE);
    assert_value(&files.config, "dir", "/srv/a");
    config_init(&files.config);
    assert_int_equal(config_make_absolute(&files.config, "/", &files.error), ERR_NONE);
    assert_value(&files.config, "dir", "/");
}

static void test_path_that_is_too_long_when_absolute_is_refused(void **state)
{
    (void)state;
    struct files files = {0};
    char from[CONFIG_TEXT_MAX];
    memset(from, 'a', sizeof from);
    from[0] = '/';
    from[sizeof from - 2] = '\0';
    assert_int_equal(files_load_text(&files, "logfile l\ndir /d\n"), ERR_NONE);
    assert_int_equal(config_make_absolute(&files.config, from, &files.error), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "'logfile': its absolute path is longer than 1023 bytes");
}

static void test_text_with_a_secret_is_known(void **state)
{
    (void)state;
    assert_true(config_text_has_secret(SPAN("port 1\nCLUSTER-SECRET \"a b\"\n")));
    assert_true(config_text_has_secret(SPAN("\xef\xbb\xbfrequirepass x")));
    assert_true(config_text_has_secret(SPAN("masterauth x")));
    assert_false(config_text_has_secret(SPAN("requirepass \"\"\n# cluster-secret x\nport 1\n")));
    assert_false(config_text_has_secret(SPAN("")));
}

static void test_what_promises_something_that_is_not_done_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "tls-port 6380",
        "tls-cert-file /etc/cert.pem",
        "tls-cluster yes",
        "tls-auth-clients no",
        "tls-protocols \"TLSv1.3\"",
        "replica-serve-stale-data no",
        "slave-read-only no",
        "cluster-announce-tls-port 7000",
        "replica-announce-ip 10.0.0.1",
        "cluster-replica-no-failover yes",
        "cluster-allow-reads-when-down yes",
        "bind-source-addr 10.0.0.1",
        "socket-mark-id 7",
        "maxmemory-clients 1g",
        "notify-keyspace-events KEA",
        "supervised upstart",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct files files = {0};
        if (files_load_text(&files, lines[i]) != ERR_INVALID)
            fail_msg("accepted: %s", lines[i]);
    }
    refuses("port 1\ntls-port 6380", "redis.conf:2: 'tls-port': TLS is not supported: what the "
                                     "directive protects would travel in clear");
}

static void test_defaults_of_what_is_not_done_are_accepted(void **state)
{
    (void)state;
    const struct directive *directive;
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++) {
        if (directive->not_done == NULL)
            continue;
        struct config config;
        struct buf why = {0};
        config_init(&config);
        assert_true(directive_parse_text(&config, directive, span_text(directive->initial), &why));
    }
}

static void test_promises_that_the_majority_keeps_are_accepted(void **state)
{
    (void)state;
    static const char three[] = "cluster-nodes 1@a:1,2@a:2,3@a:3\nmin-replicas-to-write ";
    char text[128];
    struct files files = {0};
    snprintf(text, sizeof text, "%s1", three);
    assert_int_equal(files_load_text(&files, text), ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_NONE);
    snprintf(text, sizeof text, "%s2", three);
    assert_int_equal(files_load_text(&files, text), ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_INVALID);
    assert_string_equal(
        files.error.message,
        "'min-replicas-to-write': 2: a write is acknowledged when 1 of the other nodes "
        "hold it (the majority of 3), and no number can raise that");
    assert_int_equal(files_load_text(&files, "replica-priority 0"), ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "'replica-priority': 0: every node of 'cluster-nodes' can be elected");
    buf_close(&files.log);
}

static void test_secret_that_can_be_guessed_is_refused(void **state)
{
    (void)state;
    struct files files = {0};
    assert_int_equal(files_load_text(&files, "cluster-secret 0123456789abcdef0123456789abcde\n"),
                     ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_INVALID);
    assert_string_equal(files.error.message,
                        "'cluster-secret': 31 characters can be guessed; use 32 or more, for "
                        "example the output of: openssl rand -hex 24");
    assert_int_equal(files_load_text(&files, "cluster-secret 0123456789abcdef0123456789abcdef\n"),
                     ERR_NONE);
    assert_int_equal(config_check(&files.config, &files.error), ERR_NONE);
    buf_close(&files.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_as_documented),
        cmocka_unit_test(test_lines_set_fields_in_any_case),
        cmocka_unit_test(test_units_count_as_in_redis),
        cmocka_unit_test(test_quotes_and_escapes),
        cmocka_unit_test(test_errors_name_file_line_directive_and_cause),
        cmocka_unit_test(test_unknown_names_come_with_the_nearest_known),
        cmocka_unit_test(test_what_would_break_promises_stops_the_start),
        cmocka_unit_test(test_directives_without_meaning_warn_and_keep_their_text),
        cmocka_unit_test(test_save_with_nothing_starts_anew),
        cmocka_unit_test(test_accepted_text_has_a_limit),
        cmocka_unit_test(test_policies_that_do_not_evict_yet_say_so),
        cmocka_unit_test(test_include_reads_files_and_patterns),
        cmocka_unit_test(test_include_errors_name_the_right_line),
        cmocka_unit_test(test_missing_file_is_named),
        cmocka_unit_test(test_command_line_sets_directives),
        cmocka_unit_test(test_value_may_begin_with_dashes),
        cmocka_unit_test(test_name_and_value_may_be_one_argument),
        cmocka_unit_test(test_save_without_a_value_means_none),
        cmocka_unit_test(test_command_line_errors),
        cmocka_unit_test(test_standard_input_is_read_where_a_dash_stands),
        cmocka_unit_test(test_check_sees_what_only_makes_sense_together),
        cmocka_unit_test(test_byte_order_mark_is_skipped),
        cmocka_unit_test(test_bytes_that_are_not_seen_are_shown_in_unknown_names),
        cmocka_unit_test(test_paths_become_absolute),
        cmocka_unit_test(test_path_that_is_too_long_when_absolute_is_refused),
        cmocka_unit_test(test_text_with_a_secret_is_known),
        cmocka_unit_test(test_what_promises_something_that_is_not_done_is_refused),
        cmocka_unit_test(test_defaults_of_what_is_not_done_are_accepted),
        cmocka_unit_test(test_promises_that_the_majority_keeps_are_accepted),
        cmocka_unit_test(test_secret_that_can_be_guessed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
