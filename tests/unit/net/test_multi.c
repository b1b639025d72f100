/* Transactions: what is queued, what is refused, what the shard is given. */
#include "unit/net/fixture.h"

static void test_transaction_is_submitted_as_a_whole(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSET a 1\r\nPING\r\nGET a\r\n",
                   "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    assert_int_equal(f->shard.count, 0);
    say(f, fd, "EXEC\r\n");
    assert_int_equal(f->shard.transactions, 1);
    assert_int_equal(f->shard.transaction_count, 3);
    answer(f, 1);
    assert_hears(f, fd, "+EXECUTED\r\n");
    assert_replies(f, fd, "EXEC\r\n", "-ERR EXEC without MULTI\r\n");
    close(fd);
}

static void test_pipelined_transaction_is_answered_in_order(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET x 1\r\nMULTI\r\nSET a 1\r\nEXEC\r\nPING\r\n");
    answer(f, 5);
    assert_hears(f, fd, "+set.x\r\n+OK\r\n+QUEUED\r\n+EXECUTED\r\n+PONG\r\n");
    close(fd);
}

static void test_refused_command_aborts_exec(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "MULTI\r\n");
    assert_replies(f, fd, "GET\r\n", "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n");
    assert_replies(f, fd, "SET a 1\r\nEXEC\r\n",
                   "+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n");
    assert_replies(f, fd, "MULTI\r\nFOO\r\nEXEC\r\n",
                   "+OK\r\n-ERR unknown command 'FOO', with args beginning with: \r\n"
                   "-EXECABORT Transaction discarded because of previous errors.\r\n");
    assert_replies(f, fd, "MULTI\r\nSHUTDOWN\r\nEXEC\r\n",
                   "+OK\r\n-ERR Command not allowed inside a transaction\r\n"
                   "-EXECABORT Transaction discarded because of previous errors.\r\n");
    assert_int_equal(f->shard.transactions, 0);
    close(fd);
}

static void test_debug_is_refused_where_it_is_not_allowed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->settings.debug = NET_DEBUG_NO;
    net_set_settings(f->net, &f->settings);
    assert_non_null(strstr(reply_to(f, fd, "DEBUG SLEEP 0\r\n"), "DEBUG command not allowed"));
    assert_non_null(strstr(reply_to(f, fd, "DEBUG NOSUCH\r\n"), "DEBUG command not allowed"));
    assert_non_null(strstr(reply_to(f, fd, "MULTI\r\nDEBUG SLEEP 0\r\nEXEC\r\n"), "-EXECABORT"));
    /* A Unix socket is this machine. */
    f->settings.debug = NET_DEBUG_LOCAL;
    net_set_settings(f->net, &f->settings);
    assert_replies(f, fd, "DEBUG SLEEP 0\r\n", "+debug|sleep\r\n");
    f->settings.debug = NET_DEBUG_YES;
    net_set_settings(f->net, &f->settings);
    assert_replies(f, fd, "DEBUG SLEEP 0\r\n", "+debug|sleep\r\n");
    close(fd);
}

static void test_nesting_is_refused_without_abort(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nMULTI\r\nWATCH a\r\nEXEC\r\n",
                   "+OK\r\n-ERR MULTI calls can not be nested\r\n"
                   "-ERR WATCH inside MULTI is not allowed\r\n*0\r\n");
    close(fd);
}

static void test_discard_drops_the_queue(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "DISCARD\r\n", "-ERR DISCARD without MULTI\r\n");
    assert_replies(f, fd, "MULTI\r\nSET a 1\r\nDISCARD\r\nEXEC\r\n",
                   "+OK\r\n+QUEUED\r\n+OK\r\n-ERR EXEC without MULTI\r\n");
    close(fd);
}

static void test_transaction_without_data_needs_no_leader(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nPING\r\nECHO x\r\nHELLO 9\r\nEXEC\r\n",
                   "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+PONG\r\n$1\r\nx\r\n"
                   "-NOPROTO unsupported protocol version\r\n");
    close(fd);
}

static void test_follower_redirects_when_the_first_command_is_queued(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSET foo 1\r\nEXEC\r\n",
                   "+OK\r\n-MOVED 12182 10.0.0.2:7002\r\n"
                   "-EXECABORT Transaction discarded because of previous errors.\r\n");
    close(fd);
}

static void test_exec_is_parked_with_its_queue(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSET foo 1\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n");
    takes_leadership(f);
    turns(f);
    answer(f, 1);
    assert_hears(f, fd, "+EXECUTED\r\n");
    close(fd);
}

static void test_exec_that_finds_no_leader_discards(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 0);
    int fd = dial(f);
    say(f, fd, "MULTI\r\nSET foo 1\r\nEXEC\r\n");
    f->now_ms += 500;
    assert_hears(f, fd,
                 "+OK\r\n+QUEUED\r\n-CLUSTERDOWN The cluster has no leader: nothing was "
                 "executed, try again\r\n");
    assert_replies(f, fd, "EXEC\r\n", "-ERR EXEC without MULTI\r\n");
    close(fd);
}

static void test_readonly_transaction_is_read_here(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    f->shard.contact_ms = f->now_ms;
    int fd = dial(f);
    assert_replies(f, fd, "READONLY\r\nMULTI\r\nGET a\r\nPING\r\nEXEC\r\n",
                   "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+STALE\r\n+PONG\r\n");
    close(fd);
}

static void test_watch_remembers_the_applied_state(void **state)
{
    struct fixture *f = *state;
    f->shard.applied = 7;
    keyspace_set_string(f->shard.keyspace, SPAN("a"), SPAN("1"), false, 3);
    int fd = dial(f);
    assert_replies(f, fd, "WATCH a b a\r\n", "+OK\r\n");
    f->shard.applied = 9;
    say(f, fd, "WATCH a\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    assert_int_equal(f->shard.watch_count, 2);
    assert_int_equal(f->shard.watch.revision, 7);
    assert_true(f->shard.watch.was_present);
    answer(f, 1);
    say(f, fd, "MULTI\r\nGET a\r\nEXEC\r\n");
    assert_int_equal(f->shard.watch_count, 0);
    close(fd);
}

static void test_watch_waits_for_the_connections_own_writes(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET a 1\r\nWATCH a\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    assert_int_equal(f->shard.transactions, 0);
    f->shard.applied = 42;
    answer(f, 1);
    turns(f);
    assert_int_equal(f->shard.transactions, 1);
    assert_int_equal(f->shard.watch.revision, 42);
    answer(f, 1);
    close(fd);
}

static void test_unwatch_and_discard_forget_watches(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "WATCH a\r\nUNWATCH\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    assert_int_equal(f->shard.watch_count, 0);
    answer(f, 1);
    say(f, fd, "WATCH a\r\nMULTI\r\nDISCARD\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    assert_int_equal(f->shard.transactions, 2);
    assert_int_equal(f->shard.watch_count, 0);
    close(fd);
}

static void test_watch_on_a_follower_is_redirected(void **state)
{
    struct fixture *f = *state;
    loses_leadership_to(f, 2);
    int fd = dial(f);
    assert_replies(f, fd, "WATCH foo\r\n", "-MOVED 12182 10.0.0.2:7002\r\n");
    close(fd);
}

static void test_reset_ends_the_transaction(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSET a 1\r\nRESET\r\nPING\r\nEXEC\r\n",
                   "+OK\r\n+QUEUED\r\n+RESET\r\n+PONG\r\n-ERR EXEC without MULTI\r\n");
    close(fd);
}

static void test_local_command_of_a_transaction_is_carried_out_by_net(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "MULTI\r\nCLIENT ID\r\nGET a\r\nEXEC\r\n");
    struct span args[] = {SPAN("CLIENT"), SPAN("ID")};
    struct buf out = {0};
    struct resp_writer reply = {.out = &out, .protocol = 2};
    f->shard.host.run_local(f->shard.host.context, f->shard.asked[f->shard.first].client,
                            command_find(f->table, args, 2), args, 2, &reply);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.ptr, ":1\r\n", 4);
    buf_close(&out);
    close(fd);
}

static void test_full_memory_aborts_a_transaction(void **state)
{
    struct fixture *f = *state;
    f->settings.maxmemory = 100;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSET a 1\r\n", "+OK\r\n+QUEUED\r\n");
    f->used_memory = 101;
    assert_replies(f, fd, "EXEC\r\n",
                   "-EXECABORT Transaction discarded because of: OOM command not allowed when "
                   "used memory > 'maxmemory'.\r\n");
    close(fd);
}

static void test_calls_that_only_read_need_neither_memory_nor_room(void **state)
{
    struct fixture *f = *state;
    f->settings.maxmemory = 100;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSORT l\r\nBITFIELD b GET u8 0\r\n",
                   "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    f->used_memory = 101;
    f->shard.full = true;
    say(f, fd, "EXEC\r\nSORT l\r\n");
    answer(f, 2);
    assert_hears(f, fd, "+EXECUTED\r\n+sort.l\r\n");
    assert_replies(f, fd, "SORT l STORE d\r\n",
                   "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    close(fd);
}

static void test_a_full_disk_aborts_a_transaction_that_writes(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "MULTI\r\nSET a 1\r\n", "+OK\r\n+QUEUED\r\n");
    f->shard.full = true;
    assert_replies(f, fd, "EXEC\r\n",
                   "-EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF "
                   "file: No space left on device. The write was not executed.\r\n");
    assert_replies(f, fd, "EXEC\r\n", "-ERR EXEC without MULTI\r\n");
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_transaction_is_submitted_as_a_whole),
        T(test_pipelined_transaction_is_answered_in_order),
        T(test_refused_command_aborts_exec),
        T(test_debug_is_refused_where_it_is_not_allowed),
        T(test_nesting_is_refused_without_abort),
        T(test_discard_drops_the_queue),
        T(test_transaction_without_data_needs_no_leader),
        T(test_follower_redirects_when_the_first_command_is_queued),
        T(test_exec_is_parked_with_its_queue),
        T(test_exec_that_finds_no_leader_discards),
        T(test_readonly_transaction_is_read_here),
        T(test_watch_remembers_the_applied_state),
        T(test_watch_waits_for_the_connections_own_writes),
        T(test_unwatch_and_discard_forget_watches),
        T(test_watch_on_a_follower_is_redirected),
        T(test_reset_ends_the_transaction),
        T(test_local_command_of_a_transaction_is_carried_out_by_net),
        T(test_full_memory_aborts_a_transaction),
        T(test_calls_that_only_read_need_neither_memory_nor_room),
        T(test_a_full_disk_aborts_a_transaction_that_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
