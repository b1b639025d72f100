/* Connections to the Sentinel port: what they may say, and what they hear without asking. */
#include "net/subscribe.h"
#include "unit/net/fixture.h"

static int set_up_sentinel(void **state)
{
    set_up(state);
    struct fixture *f = *state;
    net_free(f->net);
    command_table_free(f->table);
    f->table = command_table_new_sentinel();
    f->sentinel = true;
    open_net(f);
    net_set_shard(f->net, NULL);
    net_set_absence(f->net, "ERR no data here");
    return 0;
}

static size_t publish(struct fixture *f, const char *channel, const char *message)
{
    size_t receivers = net_publish(f->net, span_text(channel), span_text(message));
    net_flush(f->net);
    return receivers;
}

#define SUBSCRIBED(name, count) "*3\r\n$9\r\nsubscribe\r\n$1\r\n" name "\r\n:" count "\r\n"

static void test_what_is_published_reaches_those_that_hear_the_channel(void **state)
{
    struct fixture *f = *state;
    int one = dial(f), other = dial(f);
    say(f, one, "SUBSCRIBE a b a\r\n");
    assert_hears(f, one, SUBSCRIBED("a", "1") SUBSCRIBED("b", "2") SUBSCRIBED("a", "2"));
    say(f, other, "SUBSCRIBE b\r\n");
    assert_hears(f, other, SUBSCRIBED("b", "1"));
    assert_int_equal(publish(f, "a", "hi"), 1);
    assert_hears(f, one, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    assert_hears(f, other, "");
    assert_int_equal(publish(f, "b", ""), 2);
    assert_int_equal(publish(f, "c", "x"), 0);
    close(one);
    close(other);
}

static void test_a_pattern_hears_each_channel_that_matches(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "PSUBSCRIBE +s*\r\nSUBSCRIBE +sdown\r\n");
    assert_hears(f, fd,
                 "*3\r\n$10\r\npsubscribe\r\n$3\r\n+s*\r\n:1\r\n"
                 "*3\r\n$9\r\nsubscribe\r\n$6\r\n+sdown\r\n:2\r\n");
    assert_int_equal(publish(f, "+sdown", "x"), 2);
    assert_hears(f, fd,
                 "*4\r\n$8\r\npmessage\r\n$3\r\n+s*\r\n$6\r\n+sdown\r\n$1\r\nx\r\n"
                 "*3\r\n$7\r\nmessage\r\n$6\r\n+sdown\r\n$1\r\nx\r\n");
    assert_int_equal(publish(f, "-sdown", "x"), 0);
    close(fd);
}

static void test_in_resp3_messages_are_pushed_and_everything_may_be_said(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "HELLO 3\r\n");
    assert_non_null(strstr(hear(f, fd), "$4\r\nmode\r\n$8\r\nsentinel\r\n$7\r\nmodules"));
    say(f, fd, "SUBSCRIBE a\r\nPING\r\nPING x\r\nSENTINEL myid\r\n");
    assert_hears(f, fd,
                 ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n+PONG\r\n$1\r\nx\r\n"
                 "+sentinel|myid\r\n");
    publish(f, "a", "x");
    assert_hears(f, fd, ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
    close(fd);
}

static void
test_in_resp2_a_connection_that_hears_channels_may_say_only_what_changes_that(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "SUBSCRIBE a\r\n");
    hear(f, fd);
    say(f, fd, "PING\r\nPING x\r\n");
    assert_hears(f, fd, "*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    say(f, fd, "INFO\r\nCLIENT ID\r\n");
    assert_hears(f, fd,
                 "-ERR Can't execute 'info': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT "
                 "/ RESET are allowed in this context\r\n"
                 "-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                 "QUIT / RESET are allowed in this context\r\n");
    say(f, fd, "UNSUBSCRIBE a\r\nPING\r\nINFO\r\n");
    assert_hears(f, fd, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+PONG\r\n+info\r\n");
    say(f, fd, "SUBSCRIBE a\r\nQUIT\r\n");
    assert_hears(f, fd, SUBSCRIBED("a", "1") "+OK\r\n<end>");
    close(fd);
}

static void test_who_unsubscribes_from_all_hears_of_each(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nUNSUBSCRIBE q\r\n");
    assert_hears(f, fd,
                 "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
                 "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n"
                 "*3\r\n$11\r\nunsubscribe\r\n$1\r\nq\r\n:0\r\n");
    say(f, fd, "SUBSCRIBE a b\r\nPSUBSCRIBE c\r\n");
    hear(f, fd);
    say(f, fd, "UNSUBSCRIBE\r\n");
    assert_hears(f, fd,
                 "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n"
                 "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n");
    assert_int_equal(publish(f, "a", "x"), 0);
    assert_int_equal(publish(f, "c", "x"), 1);
    close(fd);
}

static void test_the_subscriptions_of_a_connection_are_bounded(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "HELLO 3\r\n");
    char line[64];
    for (int i = 0; i < NET_SUBSCRIPTIONS_MAX; i++) {
        snprintf(line, sizeof line, "SUBSCRIBE %d\r\n", i);
        say_bytes(f, fd, line, strlen(line));
        hear(f, fd);
    }
    say(f, fd, "SUBSCRIBE more\r\n");
    assert_hears(f, fd, "-ERR too many subscriptions on this connection\r\n");
    say(f, fd, "SUBSCRIBE 7\r\n"); /* it hears that already */
    assert_hears(f, fd, ">3\r\n$9\r\nsubscribe\r\n$1\r\n7\r\n:1024\r\n");
    close(fd);
}

static void test_the_names_of_what_a_connection_hears_are_bounded(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    static char line[NET_SUBSCRIPTION_BYTES_MAX + 64];
    int len = snprintf(line, sizeof line, "*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%0*d\r\n",
                       NET_SUBSCRIPTION_BYTES_MAX, NET_SUBSCRIPTION_BYTES_MAX, 7);
    say_bytes(f, fd, line, (size_t)len);
    hear(f, fd);
    say(f, fd, "SUBSCRIBE a\r\n");
    assert_hears(f, fd, "-ERR too many subscriptions on this connection\r\n");
    close(fd);
}

static void test_a_subscriber_has_the_output_limit_of_its_class(void **state)
{
    struct fixture *f = *state;
    f->settings.output_pubsub.hard_bytes = 1000;
    net_set_settings(f->net, &f->settings);
    int one = dial(f), other = dial(f);
    char message[2000];
    memset(message, 'm', sizeof message);
    message[sizeof message - 1] = '\0';
    say(f, one, "SUBSCRIBE a\r\n");
    hear(f, one);
    assert_int_equal(publish(f, "a", message), 1);
    assert_hears(f, one, "<end>");
    say(f, other, "PING ");
    say(f, other, message);
    say(f, other, "\r\n");
    assert_int_equal(strlen(hear(f, other)), sizeof message - 1 + 9);
    assert_int_equal(net_stats(f->net).output_buffer_limit_disconnections, 1);
    close(one);
    close(other);
}

static void test_a_subscriber_is_not_idle(void **state)
{
    struct fixture *f = *state;
    f->settings.timeout_seconds = 10;
    net_set_settings(f->net, &f->settings);
    int one = dial(f), other = dial(f);
    say(f, one, "SUBSCRIBE a\r\n");
    hear(f, one);
    for (int i = 0; i < 20; i++) {
        f->now_ms += 1000;
        net_tick(f->net);
        turns(f);
    }
    assert_hears(f, other, "<end>");
    assert_int_equal(publish(f, "a", "x"), 1);
    close(one);
    close(other);
}

static void test_client_list_counts_what_is_heard(void **state)
{
    struct fixture *f = *state;
    int one = dial(f), other = dial(f);
    say(f, one, "SUBSCRIBE a b\r\nPSUBSCRIBE c\r\n");
    say(f, other, "CLIENT LIST\r\n");
    const char *heard = hear(f, other);
    assert_non_null(strstr(heard, "flags=PU db=0 sub=2 psub=1"));
    close(one);
    close(other);
}

static void test_no_node_and_no_data_command_comes_through_this_door(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "RAFT.HELLO x\r\nGET a\r\nSELECT 0\r\n");
    assert_hears(f, fd,
                 "-ERR unknown command 'RAFT.HELLO', with args beginning with: 'x' \r\n"
                 "-ERR unknown command 'GET', with args beginning with: 'a' \r\n"
                 "-ERR unknown command 'SELECT', with args beginning with: '0' \r\n");
    assert_int_equal(f->peer_fd, -1);
    close(fd);
}

static void test_one_client_too_many_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    f->settings.maxclients = 1;
    net_set_settings(f->net, &f->settings);
    int one = dial(f), other = dial(f);
    assert_hears(f, other, "-ERR max number of clients reached\r\n<end>");
    say(f, one, "PING\r\n");
    assert_hears(f, one, "+PONG\r\n");
    close(one);
    close(other);
}

static void test_the_password_guards_this_door_too(void **state)
{
    struct fixture *f = *state;
    strcpy(f->settings.password, "pw");
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    say(f, fd, "SENTINEL masters\r\nSUBSCRIBE a\r\nAUTH pw\r\nSENTINEL masters\r\n");
    assert_hears(f, fd,
                 "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n"
                 "+OK\r\n+sentinel|masters\r\n");
    close(fd);
}

#define SENTINEL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_sentinel, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SENTINEL_TEST(test_what_is_published_reaches_those_that_hear_the_channel),
        SENTINEL_TEST(test_a_pattern_hears_each_channel_that_matches),
        SENTINEL_TEST(test_in_resp3_messages_are_pushed_and_everything_may_be_said),
        SENTINEL_TEST(
            test_in_resp2_a_connection_that_hears_channels_may_say_only_what_changes_that),
        SENTINEL_TEST(test_who_unsubscribes_from_all_hears_of_each),
        SENTINEL_TEST(test_the_subscriptions_of_a_connection_are_bounded),
        SENTINEL_TEST(test_the_names_of_what_a_connection_hears_are_bounded),
        SENTINEL_TEST(test_a_subscriber_has_the_output_limit_of_its_class),
        SENTINEL_TEST(test_a_subscriber_is_not_idle),
        SENTINEL_TEST(test_client_list_counts_what_is_heard),
        SENTINEL_TEST(test_no_node_and_no_data_command_comes_through_this_door),
        SENTINEL_TEST(test_one_client_too_many_is_refused_at_once),
        SENTINEL_TEST(test_the_password_guards_this_door_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
