/* CLIENT SESSION: for which command a number holds, and that none is executed without the number
 * that it was given. */
#include "unit/net/fixture.h"

#define ID      "0123456789abcdef00000000000000ff"
#define USE     "CLIENT SESSION USE " ID "\r\n"
#define REFUSED "-ERR the number of this command was refused: it was not executed\r\n"

static int dial_session(struct fixture *f)
{
    int fd = dial(f);
    assert_replies(f, fd, USE, "+OK\r\n");
    return fd;
}

static void assert_number(const struct fixture *f, uint64_t number, uint64_t answered)
{
    assert_int_equal(f->shard.session.number, number);
    assert_int_equal(f->shard.session.answered, answered);
    assert_true(f->shard.session.id.high == 0x0123456789abcdef);
    assert_int_equal(f->shard.session.id.low, 0xff);
}

static void test_a_number_holds_for_the_next_command(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    say(f, fd, "CLIENT SESSION SEQ 7 ACK 5\r\nSET a 1\r\n");
    assert_number(f, 7, 5);
    say(f, fd, "SET b 1\r\n");
    assert_int_equal(f->shard.session.number, 0);
    answer(f, 2);
    assert_hears(f, fd, "+OK\r\n+set.a\r\n+set.b\r\n");
    say(f, fd, "CLIENT SESSION SEQ 8\r\nSET a 1\r\n");
    assert_number(f, 8, 5);
    say(f, fd, "CLIENT SESSION SEQ 9\r\nGET a\r\nSET a 1\r\n");
    assert_int_equal(f->shard.session.number, 0);
    close(fd);
}

static void test_a_number_holds_for_all_of_a_transaction(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    say(f, fd, "CLIENT SESSION SEQ 3\r\nMULTI\r\nSET a 1\r\nEXEC\r\n");
    assert_int_equal(f->shard.transactions, 1);
    assert_number(f, 3, 0);
    say(f, fd, "SET b 1\r\n");
    assert_int_equal(f->shard.session.number, 0);
    say(f, fd, "CLIENT SESSION SEQ 4\r\nMULTI\r\nSET a 1\r\nDISCARD\r\nSET b 1\r\n");
    assert_int_equal(f->shard.session.number, 0);
    close(fd);
}

static void test_a_number_waits_with_its_command(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    loses_leadership_to(f, 0);
    assert_replies(f, fd, "CLIENT SESSION SEQ 7\r\nSET a 1\r\nSET b 1\r\n", "+OK\r\n");
    takes_leadership(f);
    turns(f);
    assert_int_equal(f->shard.session.number, 0);
    answer(f, 2);
    assert_hears(f, fd, "+set.a\r\n+set.b\r\n");
    loses_leadership_to(f, 0);
    assert_replies(f, fd, "CLIENT SESSION SEQ 8\r\nSET a 1\r\n", "+OK\r\n");
    takes_leadership(f);
    turns(f);
    assert_number(f, 8, 0);
    close(fd);
}

static void test_what_follows_a_refused_number_is_refused(void **state)
{
    static const char *const refused[] = {
        "SEQ",    "SEQ 0",         "SEQ -1",      "SEQ x",
        "SEQ 01", "SEQ 1 ACK",     "SEQ 1 ACK x", "SEQ 1 KCA 1",
        "SEQQ 1", "SEQ 1 ACK 1 1", "NUMBER 1",    "SEQ 18446744073709551616",
    };
    struct fixture *f = *state;
    int fd = dial_session(f);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char request[128];
        snprintf(request, sizeof request, "CLIENT SESSION %s\r\nSET a 1\r\n", refused[i]);
        const char *reply = reply_to(f, fd, request);
        if (!strstr(reply, "-ERR CLIENT SESSION") || !strstr(reply, REFUSED))
            fail_msg("%s: '%s'", refused[i], reply);
    }
    assert_int_equal(f->shard.writes, 0);
    say(f, fd, "SET a 1\r\n"); /* only the one that follows */
    assert_int_equal(f->shard.writes, 1);
    close(fd);
}

static void test_a_transaction_without_its_number_is_not_executed(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    const char *reply =
        reply_to(f, fd, "CLIENT SESSION SEQ x\r\nMULTI\r\nSET a 1\r\nEXEC\r\nPING\r\n");
    assert_non_null(strstr(reply, REFUSED "+QUEUED\r\n-EXECABORT Transaction discarded because of "
                                          "previous errors.\r\n+PONG\r\n"));
    assert_int_equal(f->shard.transactions, 0);
    assert_int_equal(f->shard.writes, 0);
    reply = reply_to(f, fd, "MULTI\r\nCLIENT SESSION SEQ 1\r\nSET a 1\r\nEXEC\r\nPING\r\n");
    assert_non_null(strstr(reply, "-EXECABORT"));
    assert_non_null(strstr(reply, "+PONG"));
    assert_int_equal(f->shard.transactions, 0);
    close(fd);
}

static void test_a_refusal_holds_until_there_is_a_number(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    const char *reply = reply_to(f, fd, "CLIENT SESSION SEQ x\r\n" USE "SET a 1\r\n");
    assert_non_null(strstr(reply, "+OK\r\n" REFUSED));
    say(f, fd, "CLIENT SESSION SEQ x\r\nCLIENT SESSION SEQ 4\r\nSET a 1\r\n");
    assert_number(f, 4, 0);
    assert_int_equal(f->shard.writes, 1);
    close(fd);
}

static void test_a_number_belongs_to_its_session(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    const char *reply = reply_to(f, fd, "CLIENT SESSION SEQ 1\r\nSET a 1\r\n");
    assert_non_null(strstr(reply, REFUSED));
    reply = reply_to(f, fd, USE "CLIENT SESSION SEQ 1\r\n" USE "SET a 1\r\n");
    assert_non_null(strstr(reply, REFUSED));
    reply = reply_to(f, fd, USE "CLIENT SESSION USE 12\r\nCLIENT SESSION SEQ 1\r\nSET a 1\r\n");
    assert_non_null(strstr(reply, REFUSED));
    reply = reply_to(f, fd, USE "RESET\r\nCLIENT SESSION SEQ 1\r\nSET a 1\r\n");
    assert_non_null(strstr(reply, REFUSED));
    assert_int_equal(f->shard.writes, 0);
    say(f, fd, USE "CLIENT SESSION SEQ 1\r\nRESET\r\nSET a 1\r\n");
    assert_int_equal(f->shard.writes, 1);
    assert_int_equal(f->shard.session.number, 0);
    close(fd);
}

static void test_a_number_that_cannot_be_refused_alone(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    strcpy(f->settings.password, "secret");
    net_set_settings(f->net, &f->settings);
    int other = dial(f);
    assert_replies(f, other, "CLIENT SESSION SEQ 1\r\n", "-NOAUTH Authentication required.\r\n");
    assert_replies(f, other, "AUTH secret\r\nAUTH secret\r\n", REFUSED "+OK\r\n");
    close(other);
    close(fd);
}

static void test_numbers_need_nodes_that_know_them(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    f->shard.has_no_sessions = true;
    static const char not_yet[] =
        "-ERR sessions are not available: not all nodes are known to speak version 3\r\n";
    assert_replies(f, fd, "CLIENT SESSION BEGIN\r\n", not_yet);
    say(f, fd, "CLIENT SESSION SEQ 1\r\nSET a 1\r\nCLIENT SESSION SEQ 2\r\n");
    assert_non_null(strstr(hear(f, fd), not_yet));
    say(f, fd, "MULTI\r\nSET a 1\r\nEXEC\r\n");
    assert_non_null(strstr(hear(f, fd), not_yet));
    assert_int_equal(f->shard.writes + f->shard.transactions, 0);
    /* Soon they do. */
    f->shard.will_have_sessions = true;
    assert_replies(f, fd, "EXEC\r\nCLIENT SESSION SEQ 1\r\nSET a 1\r\n",
                   "-ERR EXEC without MULTI\r\n+OK\r\n");
    assert_int_equal(f->shard.writes, 0);
    f->shard.has_no_sessions = false;
    f->shard.host.role_changed(f->shard.host.context);
    turns(f);
    assert_number(f, 1, 0);
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    f->shard.has_no_sessions = true;
    say(f, fd, "CLIENT SESSION BEGIN\r\n");
    f->now_ms += 500;
    assert_hears(f, fd, not_yet);
    close(fd);
}

static void test_sessions_begin_and_end_at_the_shard(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SET a 1\r\nCLIENT SESSION BEGIN\r\nPING\r\n");
    assert_int_equal(f->shard.note.verb, SESSION_ASK);
    assert_int_equal(f->shard.note.terms.ttl_ms, 0);
    answer(f, 2);
    assert_hears(f, fd, "+set.a\r\n+SESSION\r\n+PONG\r\n");
    say(f, fd, "CLIENT SESSION BEGIN TTL 5000\r\n");
    assert_int_equal(f->shard.note.terms.ttl_ms, 5000);
    say(f, fd, "CLIENT SESSION END " ID "\r\n");
    assert_int_equal(f->shard.note.verb, SESSION_END);
    assert_int_equal(f->shard.note.number.id.low, 0xff);
    say(f, fd, USE "CLIENT SESSION ACK 9\r\n");
    assert_int_equal(f->shard.note.verb, SESSION_ANSWERED);
    assert_int_equal(f->shard.note.number.answered, 9);
    assert_int_equal(f->shard.note.number.id.low, 0xff);
    say(f, fd, "CLIENT SESSION END\r\n");
    assert_int_equal(f->shard.note.verb, SESSION_END);
    assert_int_equal(f->shard.notes, 5);
    close(fd);
}

static void test_malformed_requests_for_sessions_are_refused(void **state)
{
    static const char *const refused[] = {
        "BEGIN TTL",
        "BEGIN TTL 0",
        "BEGIN TTL -5",
        "BEGIN TTL x",
        "BEGIN TTL 604800001",
        "BEGIN 5000",
        "BEGIN TTL 1 2",
        "END 12",
        "END " ID " x",
        "ACK",
        "ACK x",
        "ACK 1 2",
        "USE",
        "USE 12",
        "USE " ID " x",
        "USE 0123456789ABCDEF00000000000000ff",
    };
    struct fixture *f = *state;
    int fd = dial(f);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char request[128];
        snprintf(request, sizeof request, "CLIENT SESSION %s\r\n", refused[i]);
        const char *reply = reply_to(f, fd, request);
        if (strncmp(reply, "-ERR ", 5) != 0)
            fail_msg("%s: '%s'", refused[i], reply);
    }
    assert_replies(f, fd, "CLIENT SESSION END\r\n",
                   "-ERR no session is used: CLIENT SESSION USE comes first\r\n");
    assert_replies(f, fd, "CLIENT SESSION ACK 1\r\n",
                   "-ERR no session is used: CLIENT SESSION USE comes first\r\n");
    assert_int_equal(f->shard.notes, 0);
    close(fd);
}

static void test_a_follower_that_redirects_does_so_with_sessions(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    loses_leadership_to(f, 2);
    assert_replies(f, fd, "CLIENT SESSION BEGIN\r\n", "-MOVED 0 10.0.0.2:7002\r\n");
    assert_replies(f, fd, "CLIENT SESSION ACK 1\r\n", "-MOVED 0 10.0.0.2:7002\r\n");
    assert_int_equal(f->shard.notes, 0);
    close(fd);
}

static void test_a_numbered_transaction_holds_what_every_node_answers_alike(void **state)
{
    static const char *const of_node[] = {"PING", "OBJECT IDLETIME a", "MEMORY USAGE a", "TIME"};
    struct fixture *f = *state;
    int fd = dial_session(f);
    for (size_t i = 0; i < sizeof of_node / sizeof *of_node; i++) {
        char request[160];
        bool fine = strcmp(of_node[i], "TIME") == 0;
        snprintf(request, sizeof request,
                 "CLIENT SESSION SEQ 1\r\nMULTI\r\nSET a 1\r\n%s\r\nEXEC\r\n", of_node[i]);
        const char *reply = reply_to(f, fd, request);
        if (fine != !strstr(reply, "-EXECABORT Transaction discarded because of: a numbered"))
            fail_msg("%s: '%s'", of_node[i], reply);
    }
    assert_int_equal(f->shard.transactions, 1);
    say(f, fd, "CLIENT SESSION SEQ 2\r\nMULTI\r\nGET a\r\nMEMORY USAGE a\r\nEXEC\r\n");
    assert_int_equal(f->shard.transactions, 2); /* it only reads */
    close(fd);
}

static void test_a_silent_client_numbers_too(void **state)
{
    struct fixture *f = *state;
    int fd = dial_session(f);
    say(f, fd, "CLIENT REPLY OFF\r\nCLIENT SESSION SEQ 5\r\nSET a 1\r\n");
    assert_number(f, 5, 0);
    say(f, fd, "SET a 1\r\n");
    assert_int_equal(f->shard.session.number, 0);
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_a_number_holds_for_the_next_command),
        T(test_a_number_holds_for_all_of_a_transaction),
        T(test_a_number_waits_with_its_command),
        T(test_what_follows_a_refused_number_is_refused),
        T(test_a_transaction_without_its_number_is_not_executed),
        T(test_a_refusal_holds_until_there_is_a_number),
        T(test_a_number_belongs_to_its_session),
        T(test_a_number_that_cannot_be_refused_alone),
        T(test_numbers_need_nodes_that_know_them),
        T(test_sessions_begin_and_end_at_the_shard),
        T(test_malformed_requests_for_sessions_are_refused),
        T(test_a_follower_that_redirects_does_so_with_sessions),
        T(test_a_numbered_transaction_holds_what_every_node_answers_alike),
        T(test_a_silent_client_numbers_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
