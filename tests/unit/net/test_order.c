/* Replies leave in the order of the requests, whoever gives them; and what waits, waits. */
#include "unit/net/fixture.h"

static void test_local_reply_waits_for_the_pending_write_before_it(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET a 1\r\nPING\r\nGET b\r\nECHO x\r\n");
    assert_hears(f, fd, "");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n+PONG\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+get.b\r\n$1\r\nx\r\n");
    close(fd);
}

static void test_replies_that_come_in_any_order_leave_in_that_of_the_requests(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET a 1\r\nGET b\r\nPING\r\nSET c 1\r\nGET d\r\nECHO x\r\n");
    answer_at(f, 3);
    answer_at(f, 1);
    answer_at(f, 1);
    assert_hears(f, fd, "");
    answer_at(f, 0);
    assert_hears(f, fd, "+set.a\r\n+get.b\r\n+PONG\r\n+set.c\r\n+get.d\r\n$1\r\nx\r\n");
    close(fd);
}

/* Every third request is a local one; the shard answers from the end. */
static void test_many_early_replies_are_kept_and_given_back(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    char requests[16 * 1024], expected[32];
    size_t size = 0;
    for (int i = 0; i < 900; i++)
        size += (size_t)snprintf(requests + size, sizeof requests - size,
                                 i % 3 == 2 ? "ECHO e%04d\r\n" : "SET k%04d v\r\n", i);
    say_bytes(f, fd, requests, size);
    uint64_t memory = net_stats(f->net).clients_memory;
    while (f->shard.count > 1)
        answer_at(f, f->shard.count - 1);
    assert_hears(f, fd, "");
    assert_true(net_stats(f->net).clients_memory > memory);
    answer_at(f, 0);
    const char *heard = hear(f, fd);
    for (int i = 0; i < 900; i++) {
        snprintf(expected, sizeof expected, i % 3 == 2 ? "$5\r\ne%04d\r\n" : "+set.k%04d\r\n", i);
        assert_memory_equal(heard, expected, strlen(expected));
        heard += strlen(expected);
    }
    assert_string_equal(heard, "");
    close(fd);
}

static void test_reply_mode_holds_for_the_requests_that_were_made_in_it(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd,
        "SET a 1\r\nCLIENT REPLY SKIP\r\nSET b 1\r\nSET c 1\r\nCLIENT REPLY OFF\r\nGET d\r\n"
        "PING\r\nCLIENT REPLY ON\r\nGET e\r\n");
    assert_int_equal(f->shard.count, 5); /* nothing waits for what is owed */
    answer_at(f, 4);
    answer_at(f, 1);
    answer_at(f, 0);
    assert_hears(f, fd, "+set.a\r\n");
    answer_at(f, 1);
    answer_at(f, 0);
    assert_hears(f, fd, "+set.c\r\n+OK\r\n+get.e\r\n");
    close(fd);
}

static void test_request_that_the_shard_refuses_leaves_no_place_behind(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET a 1\r\n");
    f->shard.admission = SHARD_BUSY;
    say(f, fd, "MULTI\r\nSET b 1\r\nEXEC\r\nPING\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n+OK\r\n+QUEUED\r\n");
    f->shard.admission = SHARD_ACCEPTED;
    net_tick(f->net);
    turns(f);
    answer(f, 1);
    assert_hears(f, fd, "+EXECUTED\r\n+PONG\r\n");
    close(fd);
}

static void test_what_nodes_dispute_is_neither_written_nor_read(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->shard.admission = SHARD_DISPUTED;
    say(f, fd, "SET a 1\r\nGET a\r\nMULTI\r\nSET a 1\r\nEXEC\r\nPING\r\n");
    const char error[] = "-MISCONF The nodes differ in their data and no majority says who is "
                         "right: writes and linearizable reads are refused. See the servers' logs "
                         "and INFO raft.\r\n";
    char expected[1024];
    snprintf(expected, sizeof expected, "%s%s+OK\r\n+QUEUED\r\n%s+PONG\r\n", error, error, error);
    assert_hears(f, fd, expected);
    f->shard.admission = SHARD_ACCEPTED;
    say(f, fd, "SET a 1\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    close(fd);
}

static void test_places_of_a_client_that_left_do_not_disturb_its_successor(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), killer = dial(f);
    say(f, fd, "SET a 1\r\nSET b 1\r\nPING\r\n");
    assert_replies(f, killer, "CLIENT KILL ID 1\r\n", ":1\r\n");
    close(fd);
    fd = dial(f);
    say(f, fd, "GET c\r\n");
    answer_at(f, 1);
    answer_at(f, 0);
    assert_hears(f, fd, "");
    answer_at(f, 0);
    assert_hears(f, fd, "+get.c\r\n");
    close(fd);
    close(killer);
}

static void test_local_reply_leaves_at_once_if_nothing_is_pending(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    assert_int_equal(f->shard.count, 0);
    close(fd);
}

static void test_server_command_waits_for_earlier_replies(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\nCONFIG RESETSTAT\r\nPING\r\n", "");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n+config|resetstat\r\n+PONG\r\n");
    close(fd);
}

static void test_request_split_at_every_byte_is_one_request(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    const char request[] = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n*1\r\n$4\r\nPING\r\n";
    for (size_t i = 0; i + 1 < sizeof request; i++)
        say_bytes(f, fd, request + i, 1);
    answer(f, 2);
    assert_hears(f, fd, "+set.key\r\n+PONG\r\n");
    close(fd);
}

static void test_big_argument_arrives_whole(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    size_t len = 700 * 1000;
    char *request = malloc(len + 100);
    int head = sprintf(request, "*2\r\n$4\r\nECHO\r\n$%zu\r\n", len);
    memset(request + head, 'x', len);
    memcpy(request + (size_t)head + len, "\r\nPING\r\n", 8);
    say_bytes(f, fd, request, (size_t)head + len + 8);
    size_t heard = 0;
    const char *part;
    while (*(part = hear(f, fd)))
        heard += strlen(part);
    assert_int_equal(heard, 9 + len + 2 + 7);
    free(request);
    close(fd);
}

static void test_pipeline_of_many_reads_of_the_socket_stays_in_order(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    char requests[32 * 1000], expected[64];
    for (int round = 0; round < 3; round++) {
        size_t size = 0;
        for (int i = 0; i < 1000; i++)
            size += (size_t)snprintf(requests + size, sizeof requests - size,
                                     "*2\r\n$3\r\nGET\r\n$5\r\nk%04d\r\n", i);
        say_bytes(f, fd, requests, size);
        assert_int_equal(f->shard.count, 1000);
        answer(f, 1000);
        const char *heard = hear(f, fd);
        for (int i = 0; i < 1000; i++) {
            int len = snprintf(expected, sizeof expected, "+get.k%04d\r\n", i);
            assert_memory_equal(heard, expected, (size_t)len);
            heard += len;
        }
        assert_string_equal(heard, "");
    }
    close(fd);
}

static void test_follower_redirects_with_the_keys_slot(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    int fd = dial(f);
    assert_replies(f, fd, "SET foo 1\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    assert_replies(f, fd, "DBSIZE\r\n", "-MOVED 0 10.0.0.2:7002\r\n");
    close(fd);
}

/* The shard forwards: node 2 leads. */
static void follows_in_mode(struct fixture *f, enum net_follower_mode mode)
{
    loses_leadership_to(f, 2);
    f->shard.admission = SHARD_ACCEPTED;
    f->settings.follower_mode = mode;
    net_set_settings(f->net, &f->settings);
}

static void test_a_follower_serves_who_does_not_know_clusters(void **state)
{
    struct fixture *f = *state;
    follows_in_mode(f, NET_FOLLOWER_AUTO);
    int fd = dial(f);
    say(f, fd, "SET foo 1\r\nGET foo\r\nMULTI\r\nSET foo 2\r\nEXEC\r\n");
    assert_int_equal(f->shard.count, 3);
    answer(f, 3);
    assert_hears(f, fd, "+set.foo\r\n+get.foo\r\n+OK\r\n+QUEUED\r\n+EXECUTED\r\n");
    assert_replies(f, fd, "READONLY\r\nSET foo 1\r\n", "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    assert_replies(f, fd, "READWRITE\r\nSET foo 1\r\n", "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    assert_replies(f, fd, "WATCH foo\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    assert_replies(f, fd, "MULTI\r\nSET foo 1\r\nEXEC\r\n",
                   "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n"
                   "-EXECABORT Transaction discarded because of previous errors.\r\n");
    close(fd);
    fd = dial(f); /* what one connection has said counts for no other */
    say(f, fd, "ASKING\r\nSET foo 1\r\n");
    assert_hears(f, fd, "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

static void test_a_proxy_serves_everybody(void **state)
{
    struct fixture *f = *state;
    follows_in_mode(f, NET_FOLLOWER_PROXY);
    int fd = dial(f);
    assert_replies(f, fd, "ASKING\r\nREADONLY\r\nSET foo 1\r\n", "+OK\r\n+OK\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.foo\r\n");
    close(fd);
}

static void test_watch_on_a_follower_notes_what_is_applied_there(void **state)
{
    struct fixture *f = *state;
    follows_in_mode(f, NET_FOLLOWER_AUTO);
    f->shard.applied = 41;
    int fd = dial(f);
    say(f, fd, "SET foo 1\r\nWATCH foo\r\n");
    f->shard.applied = 42; /* the connection's own write */
    answer(f, 1);
    assert_hears(f, fd, "+set.foo\r\n");
    say(f, fd, "MULTI\r\nSET foo 2\r\nEXEC\r\n");
    assert_int_equal(f->shard.transactions, 0); /* what is watched is not known yet */
    answer(f, 1);
    turns(f);
    assert_int_equal(f->shard.watch_count, 1);
    assert_int_equal(f->shard.watch.revision, 42);
    answer(f, 1);
    assert_hears(f, fd, "+OK\r\n+OK\r\n+QUEUED\r\n+EXECUTED\r\n");
    close(fd);
}

static void test_an_exec_that_is_malformed_waits_for_the_watch_before_it(void **state)
{
    struct fixture *f = *state;
    follows_in_mode(f, NET_FOLLOWER_AUTO);
    int fd = dial(f);
    say(f, fd, "WATCH a\r\nEXEC x\r\nWATCH b\r\nMULTI\r\nSET foo 2\r\n");
    answer(f, 1);
    turns(f);
    say(f, fd, "EXEC\r\n");
    turns(f);
    assert_int_equal(f->shard.transactions, 0); /* b is not noted yet */
    answer(f, 1);
    turns(f);
    assert_int_equal(f->shard.transactions, 1);
    assert_int_equal(f->shard.watch_count, 1); /* what EXEC discarded is not watched */
    answer(f, 1);
    close(fd);
}

static void test_a_follower_asks_who_holds_what_its_client_waits_for(void **state)
{
    struct fixture *f = *state;
    follows_in_mode(f, NET_FOLLOWER_AUTO);
    f->shard.leads = false;
    int fd = dial(f);
    say(f, fd, "SET foo 1\r\nWAIT 2 0\r\n");
    answer(f, 1);
    assert_hears(f, fd, "+set.foo\r\n");
    turns(f);
    assert_true(f->shard.wanted > 0);
    f->shard.known_holders = 3;
    turns(f);
    assert_hears(f, fd, ":2\r\n");
    close(fd);
}

static void test_a_node_whose_disk_is_full_says_so(void **state)
{
    struct fixture *f = *state;
    follows_in_mode(f, NET_FOLLOWER_AUTO);
    f->shard.admission = SHARD_NO_ROOM;
    int fd = dial(f);
    assert_replies(f, fd, "SET foo 1\r\n",
                   "-MISCONF The disk of this node is full, so that it does not keep up with the "
                   "leader: nothing was executed\r\n");
    assert_replies(f, fd, "ASKING\r\nSET foo 1\r\n", "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

/* The shard asks for a client of another node, too. */
static void test_what_must_not_be_proposed_is_said_with_redis_words(void **state)
{
    struct fixture *f = *state;
    const struct shard_host *host = &f->shard.host;
    struct span set[] = {SPAN("SET"), SPAN("k"), SPAN("v")}, del[] = {SPAN("DEL"), SPAN("k")};
    const struct command *sets = command_find(f->table, set, 3),
                         *dels = command_find(f->table, del, 2);
    assert_null(host->refusal(host->context, sets, set, 3, false));
    f->settings.maxmemory = 1;
    f->used_memory = 2;
    net_set_settings(f->net, &f->settings);
    turns(f);
    assert_string_equal(host->refusal(host->context, sets, set, 3, false),
                        "OOM command not allowed when used memory > 'maxmemory'.");
    assert_string_equal(host->refusal(host->context, sets, set, 3, true),
                        "EXECABORT Transaction discarded because of: OOM command not allowed when "
                        "used memory > 'maxmemory'.");
    assert_null(host->refusal(host->context, dels, del, 2, false));
    f->settings.maxmemory = 0;
    net_set_settings(f->net, &f->settings);
    f->shard.full = true;
    assert_non_null(host->refusal(host->context, sets, set, 3, false));
    assert_null(host->refusal(host->context, dels, del, 2, false));
    f->shard.brimful = true;
    assert_non_null(host->refusal(host->context, dels, del, 2, true));
}

static void test_client_is_parked_until_a_leader_is_known(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    assert_replies(f, fd, "SET foo 1\r\nPING\r\n", "");
    assert_int_equal(net_stats(f->net).blocked_clients, 1);
    takes_leadership(f);
    assert_int_equal(net_wait_ms(f->net, 100), 0);
    turns(f);
    assert_int_equal(f->shard.count, 1);
    answer(f, 1);
    assert_hears(f, fd, "+set.foo\r\n+PONG\r\n");
    close(fd);
}

static void test_parked_client_is_redirected_to_the_new_leader(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    assert_replies(f, fd, "SET foo 1\r\n", "");
    loses_leadership_to(f, 2);
    assert_hears(f, fd, "-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

/* In each mode, for there is nothing to wait for. */
static void test_client_is_redirected_while_members_cannot_forward(void **state)
{
    struct fixture *f = *state;
    static const enum net_follower_mode modes[] = {NET_FOLLOWER_AUTO, NET_FOLLOWER_PROXY,
                                                   NET_FOLLOWER_REDIRECT};
    f->shard.is_of_old_members = true;
    loses_leadership_to(f, 2);
    int fd = dial(f);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        f->settings.follower_mode = modes[i];
        net_set_settings(f->net, &f->settings);
        assert_replies(f, fd, "SET foo 1\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
        assert_replies(f, fd, "WATCH foo\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    }
    assert_int_equal(f->shard.count, 0);
    close(fd);
}

static void test_parked_client_gives_up_after_leader_wait(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    assert_replies(f, fd, "SET foo 1\r\nPING\r\n", "");
    f->now_ms += 400;
    f->shard.host.role_changed(f->shard.host.context); /* another election without a winner */
    assert_hears(f, fd, "");
    assert_int_equal(net_wait_ms(f->net, 1000), 100);
    f->now_ms += 100;
    assert_hears(
        f, fd,
        "-CLUSTERDOWN The cluster has no leader: nothing was executed, try again\r\n+PONG\r\n");
    close(fd);
}

static void test_pending_replies_come_before_the_redirect(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET foo 1\r\n");
    loses_leadership_to(f, 2);
    assert_replies(f, fd, "SET foo 2\r\n", "");
    answer(f, 1);
    assert_hears(f, fd, "+set.foo\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

static void test_full_shard_is_tried_again_after_a_reply(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), other = dial(f);
    say(f, other, "SET x 1\r\n");
    f->shard.admission = SHARD_BUSY;
    say(f, fd, "SET foo 1\r\n");
    assert_int_equal(f->shard.count, 1);
    f->shard.admission = SHARD_ACCEPTED;
    turns(f);
    assert_int_equal(f->shard.count, 1);
    answer(f, 1);
    turns(f);
    assert_int_equal(f->shard.count, 1);
    answer(f, 1);
    assert_hears(f, fd, "+set.foo\r\n");
    close(fd);
    close(other);
}

static void test_readonly_connection_reads_here_while_the_leader_is_heard(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    f->shard.contact_ms = f->now_ms - 1000;
    int fd = dial(f);
    assert_replies(f, fd, "READONLY\r\nGET foo\r\n", "+OK\r\n+STALE\r\n");
    assert_replies(f, fd, "SET foo 1\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    f->now_ms++;
    assert_replies(f, fd, "GET foo\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    f->now_ms--;
    assert_replies(f, fd, "READWRITE\r\nGET foo\r\n", "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

static void test_calls_that_only_read_are_not_written(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->shard.full = true; /* its disk: only reads are taken */
    say(f, fd, "SORT l\r\nGETEX a\r\nBITFIELD b GET u8 0\r\nHGETEX h FIELDS 1 f\r\n");
    say(f, fd, "GEORADIUS g 1 2 3 km\r\nGEORADIUSBYMEMBER g m 3 km\r\nSORT l\r\n");
    assert_int_equal(f->shard.count, 7);
    assert_int_equal(f->shard.writes, 0);
    answer(f, 7);
    assert_hears(f, fd,
                 "+sort.l\r\n+getex.a\r\n+bitfield.b\r\n+hgetex.h\r\n+georadius.g\r\n"
                 "+georadiusbymember.g\r\n+sort.l\r\n");
    f->shard.full = false;
    say(f, fd, "SORT l STORE d\r\nGETEX a PERSIST\r\nBITFIELD b SET u8 0 1\r\n");
    assert_int_equal(f->shard.writes, 3);
    answer(f, 3);
    close(fd);
}

static void test_who_is_owed_nothing_and_asks_nothing_more_is_alone(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "DEL a\r\n");
    assert_true(f->shard.was_alone);
    say(f, fd, "DEL b\r\n");
    assert_false(f->shard.was_alone);
    answer(f, 2);
    say(f, fd, "DEL a\r\nDEL b\r\n");
    assert_false(f->shard.was_alone);
    answer(f, 2);
    say(f, fd, "DEL a\r\n");
    assert_true(f->shard.was_alone);
    answer(f, 1);
    close(fd);
}

/* What was tried may only become an entry later: nothing of its client may get in before. */
static void test_nothing_overtakes_what_was_tried(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->shard.tries = true;
    say(f, fd, "DEL a\r\n");
    f->shard.tries = false;
    say(f, fd, "SET b 1\r\nGET b\r\nPING\r\n");
    assert_int_equal(f->shard.count, 1);
    answer(f, 1);
    turns(f);
    assert_hears(f, fd, "+del.a\r\n");
    assert_int_equal(f->shard.count, 2);
    answer(f, 2);
    assert_hears(f, fd, "+set.b\r\n+get.b\r\n+PONG\r\n");
    say(f, fd, "SET b 1\r\n");
    say(f, fd, "SET c 1\r\n");
    assert_int_equal(f->shard.count, 2); /* nothing was tried */
    answer(f, 2);
    close(fd);
}

/* As in Redis, whose replicas look at the command's flag. */
static void test_readonly_connection_does_not_read_by_writing_commands(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    f->shard.contact_ms = f->now_ms;
    int fd = dial(f);
    assert_replies(f, fd, "READONLY\r\nGETEX foo\r\n", "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    assert_replies(f, fd, "MULTI\r\nGETEX foo\r\n", "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

/* It was answered with null at once. */
static void test_readonly_connection_waits_here(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    f->shard.contact_ms = f->now_ms;
    int fd = dial(f);
    assert_replies(f, fd, "READONLY\r\n", "+OK\r\n");
    say(f, fd, "XREAD BLOCK 0 STREAMS s $\r\nPING\r\n");
    assert_int_equal(f->shard.local_waits, 1);
    assert_hears(f, fd, "");
    answer(f, 1);
    assert_hears(f, fd, "+STALE\r\n+PONG\r\n");
    assert_replies(f, fd, "XREAD STREAMS s 0\r\n", "+STALE\r\n");
    assert_int_equal(f->shard.local_waits, 1);
    assert_replies(f, fd, "BLPOP foo 0\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

/* Its leader is being asked: only then will it wait. */
static void test_a_read_that_is_unblocked_before_it_waits_does_not_wait(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    int other = dial(f);
    say(f, fd, "XREAD BLOCK 0 STREAMS s $\r\n");
    assert_int_equal(f->shard.count, 1);
    assert_replies(f, other, "CLIENT UNBLOCK 1 ERROR\r\n", ":1\r\n");
    f->shard.unblocks = 0;
    f->shard.host.waits(f->shard.host.context, f->shard.asked[f->shard.first].client);
    assert_int_equal(f->shard.unblocks, 1);
    assert_int_equal(f->shard.unblocked_why, SHARD_UNBLOCKED_WITH_ERROR);
    answer(f, 1);
    close(fd);
    close(other);
}

/* Only a call that may wait has to be told apart from what was asked before it. */
static void test_a_read_of_streams_that_cannot_wait_waits_for_no_reply(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd,
        "SET a 1\r\nXREAD STREAMS s 0\r\nXREADGROUP GROUP g c STREAMS s >\r\n"
        "XREAD STREAMS s 0 t\r\nXREAD BLOCK 0 STREAMS s $\r\n");
    assert_int_equal(f->shard.count, 3);
    answer(f, 3);
    assert_hears(
        f, fd,
        "+set.a\r\n+xread.STREAMS\r\n+xreadgroup.GROUP\r\n"
        "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be "
        "specified.\r\n");
    turns(f);
    assert_int_equal(f->shard.count, 1);
    answer(f, 1);
    assert_hears(f, fd, "+xread.BLOCK\r\n");
    close(fd);
}

static void test_readonly_connection_reads_here_while_no_leader_is_known(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    f->shard.contact_ms = f->now_ms - 1000;
    int fd = dial(f);
    assert_replies(f, fd, "READONLY\r\nGET foo\r\n", "+OK\r\n+STALE\r\n");
    f->now_ms++;
    assert_replies(f, fd, "GET foo\r\n", ""); /* waits for a leader, as others do */
    f->shard.contact_ms = 0;
    close(fd);
}

static void test_late_reply_of_a_closed_client_is_dropped(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), killer = dial(f);
    say(f, fd, "SET a 1\r\n");
    assert_replies(f, killer, "CLIENT KILL ID 1\r\n", ":1\r\n");
    assert_hears(f, fd, "<end>");
    close(fd);
    fd = dial(f); /* takes the same slot */
    assert_int_equal(net_stats(f->net).connected_clients, 2);
    answer(f, 1);
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    close(fd);
    close(killer);
}

static void test_client_that_only_stopped_sending_gets_its_replies(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_int_equal(send(fd, "SET a 1\r\nPING\r\n", 15, 0), 15);
    shutdown(fd, SHUT_WR);
    turns(f);
    answer(f, 2);
    assert_hears(f, fd, "+set.a\r\n+PONG\r\n<end>");
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    close(fd);
}

static void test_parked_client_that_leaves_is_forgotten(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    say(f, fd, "SET a 1\r\n");
    close(fd);
    turns(f);
    takes_leadership(f);
    turns(f);
    assert_int_equal(f->shard.count, 0);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
}

static void test_quit_flushes_what_came_before_it(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\nQUIT\r\nPING\r\n", "");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n+OK\r\n<end>");
    close(fd);
}

static void test_protocol_error_closes_after_the_replies_before_it(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\n*1\r\n:3\r\n", "");
    answer(f, 2);
    assert_hears(f, fd, "+set.a\r\n-ERR Protocol error: expected '$', got ':'\r\n<end>");
    close(fd);
}

static void test_wait_answers_when_enough_nodes_hold_the_write(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "SET a 1\r\nWAIT 2 1000\r\nPING\r\n", "");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    f->shard.holders = 3;
    assert_hears(f, fd, ":2\r\n+PONG\r\n");
    close(fd);
}

static void test_wait_times_out_with_what_there_is(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "WAIT 2 1000\r\n", "");
    assert_int_equal(net_wait_ms(f->net, 5000), 1000);
    f->now_ms += 1000;
    assert_hears(f, fd, ":1\r\n");
    assert_replies(f, fd, "WAIT 1 0\r\n", ":1\r\n");
    assert_replies(f, fd, "WAIT 1 -1\r\n", "-ERR timeout is negative\r\n");
    close(fd);
}

static void test_blocked_client_is_unblocked_by_another(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), other = dial(f);
    say(f, fd, "WAIT 2 0\r\n");
    assert_replies(f, other, "CLIENT UNBLOCK 1\r\n", ":1\r\n");
    assert_hears(f, fd, ":1\r\n");
    say(f, fd, "WAIT 2 0\r\n");
    assert_replies(f, other, "CLIENT UNBLOCK 1 ERROR\r\n", ":1\r\n");
    assert_hears(f, fd, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    assert_replies(f, other, "CLIENT UNBLOCK 1\r\n", ":0\r\n");
    close(fd);
    close(other);
}

static void test_wait_ends_when_leadership_is_lost(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "WAIT 2 0\r\n");
    loses_leadership_to(f, 2);
    assert_hears(f, fd,
                 "-UNBLOCKED force unblock from blocking operation, instance state changed "
                 "(master -> replica?)\r\n");
    close(fd);
}

static void test_pause_holds_writes_back_until_it_ends(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), other = dial(f);
    assert_replies(f, other, "CLIENT PAUSE 1000 WRITE\r\n", "+OK\r\n");
    say(f, fd, "GET a\r\nSET a 1\r\n");
    assert_int_equal(f->shard.count, 1);
    assert_int_equal(net_wait_ms(f->net, 5000), 1000);
    assert_replies(f, other, "CLIENT UNPAUSE\r\n", "+OK\r\n");
    turns(f);
    assert_int_equal(f->shard.count, 2);
    assert_replies(f, other, "CLIENT PAUSE 1000\r\n", "+OK\r\n");
    assert_replies(f, other, "PING\r\n", "");
    f->now_ms += 1000;
    assert_hears(f, other, "+PONG\r\n");
    close(fd);
    close(other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_local_reply_waits_for_the_pending_write_before_it),
        T(test_local_reply_leaves_at_once_if_nothing_is_pending),
        T(test_replies_that_come_in_any_order_leave_in_that_of_the_requests),
        T(test_many_early_replies_are_kept_and_given_back),
        T(test_reply_mode_holds_for_the_requests_that_were_made_in_it),
        T(test_request_that_the_shard_refuses_leaves_no_place_behind),
        T(test_what_nodes_dispute_is_neither_written_nor_read),
        T(test_places_of_a_client_that_left_do_not_disturb_its_successor),
        T(test_server_command_waits_for_earlier_replies),
        T(test_request_split_at_every_byte_is_one_request),
        T(test_big_argument_arrives_whole),
        T(test_pipeline_of_many_reads_of_the_socket_stays_in_order),
        T(test_follower_redirects_with_the_keys_slot),
        T(test_a_follower_serves_who_does_not_know_clusters),
        T(test_a_proxy_serves_everybody),
        T(test_watch_on_a_follower_notes_what_is_applied_there),
        T(test_an_exec_that_is_malformed_waits_for_the_watch_before_it),
        T(test_a_follower_asks_who_holds_what_its_client_waits_for),
        T(test_a_node_whose_disk_is_full_says_so),
        T(test_what_must_not_be_proposed_is_said_with_redis_words),
        T(test_client_is_parked_until_a_leader_is_known),
        T(test_parked_client_is_redirected_to_the_new_leader),
        T(test_client_is_redirected_while_members_cannot_forward),
        T(test_parked_client_gives_up_after_leader_wait),
        T(test_pending_replies_come_before_the_redirect),
        T(test_full_shard_is_tried_again_after_a_reply),
        T(test_readonly_connection_reads_here_while_the_leader_is_heard),
        T(test_calls_that_only_read_are_not_written),
        T(test_who_is_owed_nothing_and_asks_nothing_more_is_alone),
        T(test_nothing_overtakes_what_was_tried),
        T(test_readonly_connection_does_not_read_by_writing_commands),
        T(test_readonly_connection_waits_here),
        T(test_a_read_that_is_unblocked_before_it_waits_does_not_wait),
        T(test_a_read_of_streams_that_cannot_wait_waits_for_no_reply),
        T(test_readonly_connection_reads_here_while_no_leader_is_known),
        T(test_late_reply_of_a_closed_client_is_dropped),
        T(test_client_that_only_stopped_sending_gets_its_replies),
        T(test_parked_client_that_leaves_is_forgotten),
        T(test_quit_flushes_what_came_before_it),
        T(test_protocol_error_closes_after_the_replies_before_it),
        T(test_wait_answers_when_enough_nodes_hold_the_write),
        T(test_wait_times_out_with_what_there_is),
        T(test_blocked_client_is_unblocked_by_another),
        T(test_wait_ends_when_leadership_is_lost),
        T(test_pause_holds_writes_back_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
