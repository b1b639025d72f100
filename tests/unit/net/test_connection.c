/* What a connection is told, and when it is closed. */
#include <sys/resource.h>

#include "unit/net/fixture.h"

static void test_maxclients_refuses_all_but_nodes(void **state)
{
    struct fixture *f = *state;
    f->settings.maxclients = 1;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f), second = dial(f), node = dial(f);
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    assert_replies(f, second, "PING\r\n", "-ERR max number of clients reached\r\n<end>");
    assert_replies(f, node, "RAFT.HELLO 1 id secret 2 1\r\nrest", "");
    assert_true(f->peer_fd >= 0);
    assert_string_equal(f->peer_rest, "rest");
    assert_int_equal(net_stats(f->net).connected_clients, 1);
    assert_int_equal(net_stats(f->net).connections_rejected, 1);
    close(f->peer_fd);
    close(fd);
    close(second);
    close(node);
}

static void test_refused_client_that_says_nothing_is_told_after_a_second(void **state)
{
    struct fixture *f = *state;
    f->settings.maxclients = 0;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_hears(f, fd, "");
    f->now_ms += 1001;
    net_tick(f->net);
    f->now_ms += 1001;
    net_tick(f->net);
    assert_hears(f, fd, "-ERR max number of clients reached\r\n<end>");
    close(fd);
}

static void test_flood_beyond_the_reserve_leaves_a_place_for_a_node(void **state)
{
    struct fixture *f = *state;
    enum { CROWD = 3 * NET_RESERVED };
    f->settings.maxclients = 0;
    net_set_settings(f->net, &f->settings);
    int fds[CROWD];
    for (size_t i = 0; i < CROWD; i++)
        fds[i] = dial(f);
    assert_int_equal(net_stats(f->net).connected_clients, NET_RESERVED);
    int node = dial(f);
    assert_replies(f, node, "RAFT.HELLO 1 id\r\n", "");
    assert_true(f->peer_fd >= 0);
    size_t refused = 0;
    for (size_t i = 0; i < CROWD; i++)
        refused += strcmp(hear(f, fds[i]), "-ERR max number of clients reached\r\n<end>") == 0;
    assert_int_equal(refused, CROWD + 1 - NET_RESERVED);
    assert_int_equal(net_stats(f->net).connections_rejected, refused);
    close(f->peer_fd);
    close(node);
    for (size_t i = 0; i < CROWD; i++)
        close(fds[i]);
}

static void test_client_that_is_no_node_may_not_say_raft(void **state)
{
    struct fixture *f = *state;
    f->peer_error = "NOPERM wrong secret";
    int fd = dial(f);
    assert_replies(f, fd, "RAFT.HELLO x\r\n", "-NOPERM wrong secret\r\n");
    assert_replies(f, fd, "raft.append 1\r\n",
                   "-NOPERM this connection is not a node of the cluster\r\n");
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    close(fd);
}

static void test_output_beyond_the_hard_limit_closes(void **state)
{
    struct fixture *f = *state;
    f->settings.output_normal.hard_bytes = 10;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    assert_replies(f, fd, "ECHO 12345678901\r\n", "<end>");
    assert_int_equal(net_stats(f->net).output_buffer_limit_disconnections, 1);
    close(fd);
}

static void test_output_beyond_the_hard_limit_stops_replies_of_the_shard(void **state)
{
    struct fixture *f = *state;
    f->settings.output_normal.hard_bytes = 10;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    say(f, fd, "GET 123456789\r\nGET a\r\nGET a\r\n");
    answer(f, 3);
    assert_hears(f, fd, "<end>");
    close(fd);
}

static void test_output_beyond_the_soft_limit_closes_after_its_time(void **state)
{
    struct fixture *f = *state;
    f->settings.output_normal = (struct net_output_limit){.soft_bytes = 10, .soft_seconds = 5};
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    char *big = malloc(600000);
    int head = sprintf(big, "*2\r\n$4\r\nECHO\r\n$500000\r\n");
    memset(big + head, 'x', 500000);
    memcpy(big + head + 500000, "\r\n", 2);
    say_bytes(f, fd, big, (size_t)head + 500002);
    assert_true(net_stats(f->net).max_output_buffer > 0);
    f->now_ms += 5000;
    net_tick(f->net);
    turns(f);
    assert_int_equal(net_stats(f->net).connected_clients, 1);
    f->now_ms += 1000;
    net_tick(f->net);
    turns(f);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    free(big);
    close(fd);
}

static void test_query_buffer_beyond_its_limit_closes(void **state)
{
    struct fixture *f = *state;
    f->settings.query_buffer_max = 100000;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    char *big = malloc(200000);
    memset(big, 'x', 200000);
    memcpy(big, "*2\r\n$4\r\nECHO\r\n$300000\r\n", 24);
    say_bytes(f, fd, big, 200000);
    assert_int_equal(net_stats(f->net).query_buffer_limit_disconnections, 1);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    free(big);
    close(fd);
}

static void test_waiting_client_is_not_read_without_end(void **state)
{
    struct fixture *f = *state;
    f->settings.query_buffer_max = 100000;
    net_set_settings(f->net, &f->settings);
    loses_leadership_to(f, 0);
    int fd = dial(f);
    say(f, fd, "SET a 1\r\n");
    char pings[6000];
    for (size_t i = 0; i < sizeof pings; i += 6)
        memcpy(pings + i, "PING\r\n", 6);
    for (int i = 0; i < 20; i++) {
        ssize_t sent = send(fd, pings, sizeof pings, MSG_NOSIGNAL);
        assert_true(sent == sizeof pings || (sent < 0 && errno == EAGAIN));
        turn(f);
    }
    assert_int_equal(net_stats(f->net).connected_clients, 1);
    assert_true(net_stats(f->net).max_query_buffer < 100000);
    takes_leadership(f);
    turns(f);
    answer(f, ASKED_MAX);
    assert_memory_equal(hear(f, fd), "+set.a\r\n+PONG\r\n", 15);
    close(fd);
}

static void test_idle_client_is_closed_after_the_timeout(void **state)
{
    struct fixture *f = *state;
    f->settings.timeout_seconds = 10;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f), busy = dial(f);
    say(f, busy, "SET a 1\r\n");
    for (int i = 0; i < 12; i++) {
        f->now_ms += 1000;
        net_tick(f->net);
        turn(f);
    }
    assert_hears(f, fd, "<end>");
    assert_hears(f, busy, "");
    close(fd);
    close(busy);
}

static void test_password_is_asked_for(void **state)
{
    struct fixture *f = *state;
    strcpy(f->settings.password, "secret");
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_replies(f, fd, "GET a\r\n", "-NOAUTH Authentication required.\r\n");
    assert_replies(f, fd, "AUTH secre\r\n",
                   "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_replies(f, fd, "AUTH secretsecret\r\n",
                   "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_replies(f, fd, "AUTH nobody secret\r\n",
                   "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_replies(f, fd, "AUTH secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    assert_replies(f, fd, "RESET\r\nPING\r\n", "+RESET\r\n-NOAUTH Authentication required.\r\n");
    assert_replies(f, fd, "AUTH default secret\r\n", "+OK\r\n");
    close(fd);
}

static void test_stranger_may_not_send_big_arguments(void **state)
{
    struct fixture *f = *state;
    strcpy(f->settings.password, "secret");
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_replies(f, fd, "*2\r\n$4\r\nPING\r\n$20000\r\n",
                   "-ERR Protocol error: unauthenticated bulk length\r\n<end>");
    close(fd);
}

static void test_hello_switches_the_protocol(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "HELLO 3 SETNAME me\r\n",
                   "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n"
                   "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
                   "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n");
    say(f, fd, "GET a\r\n");
    assert_int_equal(f->shard.asked[f->shard.first].protocol, 3);
    answer(f, 1);
    assert_hears(f, fd, "+get.a\r\n");
    assert_replies(f, fd, "CLIENT GETNAME\r\n", "$2\r\nme\r\n");
    assert_replies(f, fd, "HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n");
    assert_replies(f, fd, "HELLO x\r\n",
                   "-ERR Protocol version is not an integer or out of range\r\n");
    assert_replies(f, fd, "HELLO 3 AUTH a\r\n", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    assert_replies(f, fd, "CLIENT GETREDIR\r\n", ":-1\r\n");
    close(fd);
}

static void test_reply_off_and_on(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET a 1\r\nCLIENT REPLY OFF\r\nSET b 1\r\nPING\r\nCLIENT REPLY ON\r\nGET c\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+OK\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+get.c\r\n");
    close(fd);
}

static void test_reply_skip_skips_one_reply(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "CLIENT REPLY SKIP\r\nPING\r\nPING x\r\n", "$1\r\nx\r\n");
    say(f, fd, "CLIENT REPLY SKIP\r\nSET a 1\r\nGET b\r\n");
    answer(f, 1);
    turns(f);
    answer(f, 1);
    assert_hears(f, fd, "+get.b\r\n");
    assert_replies(f, fd, "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    close(fd);
}

static void test_client_kills_itself_after_the_answer(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "CLIENT KILL SKIPME no\r\nPING\r\n", ":1\r\n<end>");
    close(fd);
    fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\nCLIENT KILL ID 2 SKIPME no\r\n", "");
    answer(f, 2);
    assert_hears(f, fd, "+set.a\r\n:1\r\n<end>");
    close(fd);
}

static void test_client_kill_filters(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), other = dial(f);
    assert_replies(f, fd, "CLIENT KILL nowhere:1\r\n", "-ERR No such client\r\n");
    assert_replies(f, fd, "CLIENT KILL ID 0\r\n", "-ERR client-id should be greater than 0\r\n");
    assert_replies(f, fd, "CLIENT KILL ID 1 SKIPME\r\n", "-ERR syntax error\r\n");
    assert_replies(f, fd, "CLIENT KILL TYPE odd\r\n", "-ERR Unknown client type 'odd'\r\n");
    assert_replies(f, fd, "CLIENT KILL USER odd\r\n", "-ERR No such user 'odd'\r\n");
    assert_replies(f, fd, "CLIENT KILL TYPE pubsub\r\n", ":0\r\n");
    assert_replies(f, fd, "CLIENT KILL MAXAGE 5\r\n", ":0\r\n");
    f->now_ms += 5000;
    assert_replies(f, fd, "CLIENT KILL MAXAGE 5 TYPE normal USER default\r\n", ":1\r\n");
    assert_hears(f, other, "<end>");
    close(fd);
    close(other);
}

static void test_client_list_has_redis_fields(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd,
        "CLIENT SETNAME me\r\nCLIENT SETINFO lib-name lib\r\nCLIENT SETINFO LIB-VER 1.2\r\n");
    assert_hears(f, fd, "+OK\r\n+OK\r\n+OK\r\n");
    f->now_ms += 3000;
    const char *line = reply_to(f, fd, "CLIENT LIST\r\n");
    char expected[256];
    snprintf(expected, sizeof expected, "id=1 addr=%s:0 laddr=%s:0 fd=", f->path, f->path);
    assert_non_null(strstr(line, expected));
    assert_non_null(strstr(line, " name=me age=3 idle=0 flags=U db=0 sub=0 psub=0 ssub=0 multi=-1 "
                                 "qbuf=0 qbuf-free="));
    assert_non_null(strstr(line, " events=r cmd=client|list user=default redir=-1 resp=2 "
                                 "lib-name=lib lib-ver=1.2\n"));
    assert_replies(f, fd, "CLIENT LIST ID x\r\n", "-ERR Invalid client ID\r\n");
    assert_replies(f, fd, "CLIENT LIST TYPE replica\r\n", "$0\r\n\r\n");
    assert_replies(f, fd, "CLIENT SETNAME \"a b\"\r\n",
                   "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    close(fd);
}

static void test_unknown_command_and_arity(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "FOO\r\n", "-ERR unknown command 'FOO', with args beginning with: \r\n");
    assert_replies(f, fd, "GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    assert_replies(f, fd, "PING 1 2\r\n", "-ERR wrong number of arguments for 'ping' command\r\n");
    assert_replies(f, fd, "SELECT 0\r\n", "+OK\r\n");
    assert_replies(f, fd, "SELECT 15\r\n", "+OK\r\n");
    assert_replies(f, fd, "SELECT 16\r\n", "-ERR DB index is out of range\r\n");
    assert_replies(f, fd, "SELECT -1\r\n", "-ERR DB index is out of range\r\n");
    assert_replies(f, fd, "SELECT 2147483648\r\n",
                   "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
    assert_replies(f, fd, "SELECT x\r\n", "-ERR value is not an integer or out of range\r\n");
    assert_replies(f, fd, "COMMAND COUNT x\r\n",
                   "-ERR wrong number of arguments for 'command|count' command\r\n");
    close(fd);
}

static void test_full_memory_refuses_writes_that_need_some(void **state)
{
    struct fixture *f = *state;
    f->settings.maxmemory = 100;
    net_set_settings(f->net, &f->settings);
    f->used_memory = 101;
    int fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\n",
                   "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    say(f, fd, "DEL a\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+del.a\r\n");
    f->used_memory = 100;
    say(f, fd, "SET a 1\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    close(fd);
}

static void test_a_full_disk_refuses_writes_alone(void **state)
{
    struct fixture *f = *state;
    f->shard.full = true;
    int fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\n",
                   "-MISCONF Errors writing to the AOF file: No space left on device. The write "
                   "was not executed.\r\n");
    say(f, fd, "GET a\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+get.a\r\n");
    f->shard.full = false;
    say(f, fd, "SET a 1\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    close(fd);
}

static const char *const freeing[] = {
    "DEL a\r\n",         "UNLINK a\r\n",
    "FLUSHALL\r\n",      "FLUSHDB ASYNC\r\n",
    "GETDEL a\r\n",      "EXPIRE a 0\r\n",
    "PEXPIRE a -1\r\n",  "EXPIREAT a 5\r\n",
    "PEXPIREAT a 9\r\n", "MULTI\r\nDEL a\r\nEXPIRE c -1\r\nEXEC\r\n",
};
static const char *const growing[] = {
    "EXPIRE a 100\r\n",
    "PEXPIREAT a 99999999999999\r\n",
    "PERSIST a\r\n",
    "MULTI\r\nDEL a\r\nINCR b\r\nEXEC\r\n",
};

static void test_what_deletes_works_while_the_disk_is_full(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    for (size_t i = 0; i < sizeof freeing / sizeof freeing[0]; i++) {
        f->shard.full = true;
        say(f, fd, freeing[i]);
        assert_int_equal(f->shard.count, 1);
        answer(f, 1);
        hear(f, fd);
        f->shard.brimful = true; /* half of the reserve is used */
        assert_non_null(strstr(reply_to(f, fd, freeing[i]), "MISCONF"));
        f->shard.brimful = false;
    }
    for (size_t i = 0; i < sizeof growing / sizeof growing[0]; i++)
        assert_non_null(strstr(reply_to(f, fd, growing[i]), "MISCONF"));
    close(fd);
}

static void test_what_deletes_works_while_memory_is_full(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->settings.maxmemory = 1000;
    net_set_settings(f->net, &f->settings);
    f->used_memory = 1001;
    for (size_t i = 0; i < sizeof freeing / sizeof freeing[0]; i++) {
        say(f, fd, freeing[i]);
        assert_int_equal(f->shard.count, 1);
        answer(f, 1);
        hear(f, fd);
    }
    assert_non_null(strstr(reply_to(f, fd, "MULTI\r\nINCR b\r\nEXEC\r\n"), "OOM"));
    close(fd);
}

static void test_before_there_is_a_shard_clients_hear_that_it_is_loading(void **state)
{
    struct fixture *f = *state;
    static const char loading[] = "-LOADING Redis is loading the dataset in memory\r\n";
    static const char *const refused[] = {"PING",     "GET a",  "SET a 1", "WATCH a",
                                          "WAIT 0 0", "DBSIZE", "EXEC",    "FLUSHALL"};
    f->settings.maxmemory = 100;
    net_set_settings(f->net, &f->settings);
    net_set_shard(f->net, NULL);
    int fd = dial(f);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char request[64];
        snprintf(request, sizeof request, "%s\r\n", refused[i]);
        assert_replies(f, fd, request, loading);
    }
    assert_replies(f, fd, "CLIENT SETNAME x\r\nCLIENT GETNAME\r\n", "+OK\r\n$1\r\nx\r\n");
    assert_replies(f, fd, "MULTI\r\nSET a 1\r\nDISCARD\r\n",
                   "+OK\r\n-LOADING Redis is loading the dataset in memory\r\n+OK\r\n");
    net_set_shard(f->net, &f->shard);
    say(f, fd, "GET a\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+get.a\r\n");
    close(fd);
}

static void test_server_command_that_takes_its_time_blocks_its_client_alone(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    int other = dial(f);
    assert_replies(f, fd, "SAVE\r\nPING\r\n", "");
    assert_true(f->saving);
    assert_int_equal(net_stats(f->net).blocked_clients, 1);
    assert_replies(f, other, "PING\r\n", "+PONG\r\n");
    f->saving = false;
    turns(f);
    assert_hears(f, fd, "+SAVED\r\n+PONG\r\n");
    assert_replies(f, fd, "SAVE\r\n", ""); /* it begins anew */
    f->saving = false;
    assert_hears(f, fd, "+SAVED\r\n");
    close(other);
    close(fd);
}

static void test_client_unblock_ends_a_server_command_that_takes_its_time(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    int other = dial(f);
    assert_replies(f, fd, "CLIENT ID\r\nSAVE\r\nPING\r\n", ":1\r\n");
    assert_replies(f, other, "CLIENT UNBLOCK 1\r\n", ":1\r\n");
    assert_hears(f, fd, "-UNBLOCKED\r\n+PONG\r\n");
    close(other);
    close(fd);
}

static void keep_error(void *context, struct span code, uint64_t count)
{
    char *text = context;
    sprintf(text + strlen(text), "%.*s=%d ", (int)code.len, code.ptr, (int)count);
}

static void test_statistics_count_calls_and_errors(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "PING\r\nSELECT 16\r\nGET\r\nSET a 1\r\nFOO\r\n");
    answer(f, 2);
    turns(f);
    char errors[256] = "";
    net_each_error(f->net, keep_error, errors);
    assert_string_equal(errors, "ERR=3 ");
    struct span ping = SPAN("ping"), select_name = SPAN("select"), get = SPAN("get");
    const struct net_command_stats *stats = net_command_stats(f->net);
    assert_int_equal(stats[command_find(f->table, &ping, 1)->id].calls, 1);
    assert_int_equal(stats[command_find(f->table, &select_name, 1)->id].failed, 1);
    assert_int_equal(stats[command_find(f->table, &get, 1)->id].rejected, 1);
    assert_int_equal(net_stats(f->net).error_replies, 3);
    net_reset_stats(f->net);
    assert_int_equal(net_stats(f->net).error_replies, 0);
    close(fd);
}

/* In place of what answer() says to whoever asked first. */
static void answer_with(struct fixture *f, const char *text)
{
    struct asked *asked = &f->shard.asked[f->shard.first++];
    struct shard_host *host = &f->shard.host;
    buf_add_text(host->reply_begin(host->context, asked->client), text);
    host->reply_end(host->context, asked->client, 0);
    mem_free(asked->text);
    f->shard.count--;
}

/* Its command was executed, and counted, before its reply began. */
static void test_an_error_of_a_client_that_waited_counts_once(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    static const char wrong[] = "-WRONGTYPE no list\r\n";
    struct shard_host *host = &f->shard.host;
    const struct span args[] = {SPAN("get"), SPAN("a")};
    const struct command *get = command_find(f->table, args, 2);
    say(f, fd, "GET a\r\nGET b\r\nGET c\r\n");
    host->executes(host->context, &f->shard.asked[f->shard.first].client);
    host->executed(host->context, get, args, 2, span_text(wrong));
    answer_with(f, wrong);
    host->executes(host->context, &f->shard.asked[f->shard.first].client);
    host->executed(host->context, get, args, 2, SPAN("$-1\r\n"));
    answer_with(f, "$-1\r\n");
    answer_with(f, "-CLUSTERDOWN no leader\r\n");
    char errors[256] = "";
    net_each_error(f->net, keep_error, errors);
    assert_string_equal(errors, "WRONGTYPE=1 CLUSTERDOWN=1 ");
    assert_int_equal(net_command_stats(f->net)[get->id].failed, 1);
    close(fd);
}

static void test_bind_errors_are_one_line(void **state)
{
    struct fixture *f = *state;
    char message[256], expected[256];
    assert_int_equal(net_listen_unix(f->net, f->path, 0, 16, message), ERR_BUSY);
    snprintf(expected, sizeof expected, "could not bind '%s': address in use", f->path);
    assert_string_equal(message, expected);
    assert_int_equal(net_listen(f->net, "192.0.2.1", 0, 16, message), ERR_IO);
    assert_string_equal(message, "could not bind 192.0.2.1:0: cannot assign requested address");
    assert_int_equal(net_listen(f->net, "-192.0.2.1", 0, 16, message), ERR_NONE);
    assert_int_equal(net_listen(f->net, "127.0.0.1", 0, 16, message), ERR_NONE);
    assert_string_equal(message, "");
}

static void test_socket_file_of_a_dead_process_is_replaced(void **state)
{
    struct fixture *f = *state;
    char path[100], message[256];
    snprintf(path, sizeof path, "%s/old", f->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(net_listen_unix(f->net, path, 0700, 16, message), ERR_NONE);
}

static void test_no_descriptor_left_is_no_endless_loop(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct rlimit old, tight;
    getrlimit(RLIMIT_NOFILE, &old);
    tight = old;
    tight.rlim_cur = (rlim_t)waiting + 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, f->path);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    setrlimit(RLIMIT_NOFILE, &tight);
    turns(f);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_hears(f, waiting, "-ERR max number of clients reached\r\n<end>");
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    close(waiting);
    waiting = dial(f);
    assert_replies(f, waiting, "PING\r\n", "+PONG\r\n");
    close(waiting);
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_maxclients_refuses_all_but_nodes),
        T(test_refused_client_that_says_nothing_is_told_after_a_second),
        T(test_flood_beyond_the_reserve_leaves_a_place_for_a_node),
        T(test_client_that_is_no_node_may_not_say_raft),
        T(test_output_beyond_the_hard_limit_closes),
        T(test_output_beyond_the_hard_limit_stops_replies_of_the_shard),
        T(test_output_beyond_the_soft_limit_closes_after_its_time),
        T(test_query_buffer_beyond_its_limit_closes),
        T(test_waiting_client_is_not_read_without_end),
        T(test_idle_client_is_closed_after_the_timeout),
        T(test_password_is_asked_for),
        T(test_stranger_may_not_send_big_arguments),
        T(test_hello_switches_the_protocol),
        T(test_reply_off_and_on),
        T(test_reply_skip_skips_one_reply),
        T(test_client_kills_itself_after_the_answer),
        T(test_client_kill_filters),
        T(test_client_list_has_redis_fields),
        T(test_unknown_command_and_arity),
        T(test_full_memory_refuses_writes_that_need_some),
        T(test_a_full_disk_refuses_writes_alone),
        T(test_what_deletes_works_while_the_disk_is_full),
        T(test_what_deletes_works_while_memory_is_full),
        T(test_server_command_that_takes_its_time_blocks_its_client_alone),
        T(test_client_unblock_ends_a_server_command_that_takes_its_time),
        T(test_before_there_is_a_shard_clients_hear_that_it_is_loading),
        T(test_statistics_count_calls_and_errors),
        T(test_an_error_of_a_client_that_waited_counts_once),
        T(test_bind_errors_are_one_line),
        T(test_no_descriptor_left_is_no_endless_loop),
        T(test_socket_file_of_a_dead_process_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
