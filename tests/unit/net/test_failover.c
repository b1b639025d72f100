/* Clients that asked for it hear when the leader is missing, and when there is one again. */
#include "unit/net/fixture.h"

#define ASK                           "CLIENT MAINT_NOTIFICATIONS ON MOVING-ENDPOINT-TYPE none\r\n"
#define FAILING_OVER(number, seconds) ">3\r\n$12\r\nFAILING_OVER\r\n:" number "\r\n:" seconds "\r\n"
#define FAILED_OVER(number)           ">2\r\n$11\r\nFAILED_OVER\r\n:" number "\r\n"

static void speak_resp3(struct fixture *f, int fd)
{
    assert_int_equal(reply_to(f, fd, "HELLO 3\r\n")[0], '%');
}

static void leader_is(struct fixture *f, uint64_t leader)
{
    loses_leadership_to(f, leader);
    turns(f);
}

static void test_who_asked_hears_that_the_leader_is_missing_and_found(void **state)
{
    struct fixture *f = *state;
    int asks = dial(f), other = dial(f);
    speak_resp3(f, asks);
    speak_resp3(f, other);
    assert_replies(f, asks, ASK, "+OK\r\n");
    leader_is(f, 0);
    assert_hears(f, asks, FAILING_OVER("1", "1"));
    leader_is(f, 0);
    assert_hears(f, asks, "");
    leader_is(f, 2);
    assert_hears(f, asks, FAILED_OVER("2"));
    assert_hears(f, other, "");
    assert_replies(f, asks, "CLIENT MAINT_NOTIFICATIONS OFF\r\n", "+OK\r\n");
    leader_is(f, 0);
    assert_hears(f, asks, "");
    close(asks);
    close(other);
}

static void test_it_is_heard_before_the_replies_that_wait_for_the_leader(void **state)
{
    struct fixture *f = *state;
    f->settings.leader_wait_ms = 3500;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    speak_resp3(f, fd);
    assert_replies(f, fd, ASK, "+OK\r\n");
    say(f, fd, "SET a 1\r\n");
    turns(f);
    leader_is(f, 0);
    assert_hears(f, fd, FAILING_OVER("1", "4"));
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n");
    close(fd);
}

static void test_who_asks_while_the_leader_is_missing_hears_it_at_once(void **state)
{
    struct fixture *f = *state;
    leader_is(f, 0);
    int fd = dial(f);
    speak_resp3(f, fd);
    assert_replies(f, fd, ASK, "+OK\r\n" FAILING_OVER("1", "1"));
    assert_replies(f, fd, ASK, "+OK\r\n");
    close(fd);
}

static void test_resp2_and_reset_end_it(void **state)
{
    struct fixture *f = *state;
    int reset = dial(f), old = dial(f);
    speak_resp3(f, reset);
    speak_resp3(f, old);
    assert_replies(f, reset, ASK, "+OK\r\n");
    assert_replies(f, old, ASK, "+OK\r\n");
    assert_replies(f, reset, "RESET\r\n", "+RESET\r\n");
    speak_resp3(f, reset);
    assert_int_equal(reply_to(f, old, "HELLO 2\r\n")[0], '*');
    leader_is(f, 0);
    assert_hears(f, reset, "");
    assert_hears(f, old, "");
    close(reset);
    close(old);
}

static void test_what_cannot_be_heard_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_replies(f, fd, "CLIENT MAINT_NOTIFICATIONS ON\r\n",
                   "-ERR CLIENT MAINT_NOTIFICATIONS needs RESP3: call HELLO 3 first\r\n");
    speak_resp3(f, fd);
    static const char *const wrong[] = {
        "CLIENT MAINT_NOTIFICATIONS MAYBE\r\n",
        "CLIENT MAINT_NOTIFICATIONS ON none\r\n",
        "CLIENT MAINT_NOTIFICATIONS ON endpoint none\r\n",
        "CLIENT MAINT_NOTIFICATIONS OFF MOVING-ENDPOINT-TYPE none\r\n",
        "CLIENT MAINT_NOTIFICATIONS ON MOVING-ENDPOINT-TYPE none none\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_replies(f, fd, wrong[i], "-ERR syntax error\r\n");
    assert_replies(f, fd, "CLIENT MAINT_NOTIFICATIONS ON MOVING-ENDPOINT-TYPE moon\r\n",
                   "-ERR unknown moving-endpoint-type\r\n");
    leader_is(f, 0);
    assert_hears(f, fd, "");
    close(fd);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_who_asked_hears_that_the_leader_is_missing_and_found),
        T(test_it_is_heard_before_the_replies_that_wait_for_the_leader),
        T(test_who_asks_while_the_leader_is_missing_hears_it_at_once),
        T(test_resp2_and_reset_end_it),
        T(test_what_cannot_be_heard_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
