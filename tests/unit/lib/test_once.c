/* What is sent again, with which number, and what is told of it. */
#include "unit/lib/fake.h"

/* The first command that is no greeting breaks the connection; so do the next ones of `counter`. */
static const char *breaks_once(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    return fake->counter++ == 0 ? CLOSE : ":42\r\n";
}

static const char *first_says(struct fake *fake, const char *command, const char *first)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    return fake->counter++ == 0 ? first : ":42\r\n";
}

static const char *clusterdown(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-CLUSTERDOWN no leader\r\n");
}

static const char *readonly(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-READONLY not here\r\n");
}

static const char *unknown(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-UNKNOWN it may be\r\n");
}

static const char *no_session(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-NOSESSION none\r\n");
}

static const char *past(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-SESSIONPAST not kept\r\n");
}

static const char *skipped(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-SESSIONSKIPPED left out\r\n");
}

static const char *oom(struct fake *fake, const char *command)
{
    return first_says(fake, command, "-OOM full\r\n");
}

static const char *misconf(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    fake->counter++;
    return greeting ? greeting : "-MISCONF disk\r\n";
}

static const char *session_then_gone(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    return fake->counter++ == 0 ? CLOSE : "-NOSESSION none\r\n";
}

static const char *number_refused(struct fake *fake, const char *command)
{
    if (strncmp(command, "CLIENT SESSION SEQ", 18) == 0 && fake->counter == 0)
        return "-ERR no session is used\r\n";
    return first_says(fake, command, "-ERR the number of this command was refused\r\n");
}

static void expect_one(struct world *world, enum flotilla_repeat repeat,
                       enum flotilla_status status, const char *heard)
{
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, repeat, "INCR k");
    run_until(world, 1);
    assert_int_equal(world->error.status, status);
    assert_string_equal(world->heard, heard);
}

static void test_calls_are_numbered_and_acknowledged_in_order(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR l");
    run_until(world, 3);
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR m");
    run_until(world, 4);
    assert_string_equal(world->order, "1 2 3 4 ");
    assert_string_equal(world->heard,
                        "1:USE 00000000000000000000000000000001;1:SEQ 1;1:INCR k;1:GET k;"
                        "1:SEQ 2;1:INCR l;1:SEQ 3 ACK 3;1:INCR m;");
}

#define USE_1 "1:USE 00000000000000000000000000000001;"
#define USE_2 "2:USE 00000000000000000000000000000001;"

static void test_a_call_whose_answer_is_lost_is_sent_again_under_its_number(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, breaks_once);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_OK,
               USE_1 "1:SEQ 1;1:INCR k;" USE_2 "2:SEQ 1;2:INCR k;");
}

static void test_a_call_without_a_number_is_sent_again_if_it_may(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, breaks_once);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_ANY_TIMES, FLOTILLA_OK, "1:INCR k;2:INCR k;");
}

static void test_a_call_that_goes_once_at_most_is_unknown_when_its_answer_is_lost(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, breaks_once);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_AT_MOST_ONCE, FLOTILLA_UNKNOWN, "1:INCR k;");
}

static void test_a_call_that_goes_once_at_most_is_sent_again_when_it_was_refused(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, clusterdown);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_AT_MOST_ONCE, FLOTILLA_OK, "1:INCR k;2:INCR k;");
}

static void test_readonly_is_a_refusal(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, readonly);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_AT_MOST_ONCE, FLOTILLA_OK, "1:INCR k;2:INCR k;");
}

static void test_unknown_is_asked_again_under_the_number(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, unknown);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_OK,
               USE_1 "1:SEQ 1;1:INCR k;" USE_2 "2:SEQ 1;2:INCR k;");
}

static void test_unknown_stays_so_without_a_number(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, unknown);
    listen_as(world, 2, counts);
    expect_one(world, FLOTILLA_AT_MOST_ONCE, FLOTILLA_UNKNOWN, "1:INCR k;");
}

static void test_a_session_that_is_over_is_begun_anew(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, no_session);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_OK,
               USE_1 "1:SEQ 1;1:INCR k;" USE_1 "1:SEQ 1;1:INCR k;");
}

static void test_a_call_of_a_session_that_is_over_is_unknown_if_it_was_sent_before(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, session_then_gone);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_UNKNOWN,
               USE_1 "1:SEQ 1;1:INCR k;" USE_1 "1:SEQ 1;1:INCR k;");
}

static void test_a_reply_that_is_no_longer_kept_is_unknown(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, past);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_UNKNOWN, USE_1 "1:SEQ 1;1:INCR k;");
}

static void test_a_number_that_was_left_out_is_replaced_by_a_higher_one(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, skipped);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR l");
    say(world, FLOTILLA_ANY_TIMES, "GET l");
    run_until(world, 3);
    assert_string_equal(world->heard,
                        USE_1 "1:SEQ 1;1:INCR k;1:SEQ 2;1:INCR l;1:GET l;1:SEQ 3 ACK 3;1:INCR k;");
    assert_string_equal(world->order, "42 42 42 ");
}

static void test_memory_that_is_full_is_told(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, oom);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_REPLY, USE_1 "1:SEQ 1;1:INCR k;");
    assert_string_equal(world->error.text, "OOM full");
}

static void test_a_full_disk_is_told_when_every_node_was_asked(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, misconf);
    listen_as(world, 2, misconf);
    expect_one(world, FLOTILLA_AT_MOST_ONCE, FLOTILLA_REPLY, "1:INCR k;2:INCR k;");
}

static void test_a_call_whose_number_was_refused_is_sent_again(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, number_refused);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_OK,
               USE_1 "1:SEQ 1;1:INCR k;" USE_1 "1:SEQ 1;1:INCR k;");
}

static const char *hangs_on_numbers(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    fake->counter += !greeting;
    return fake->counter ? NULL : greeting;
}

static void test_no_more_numbers_are_on_their_way_than_replies_are_kept(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, hangs_on_numbers);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .answer_timeout_ms = -1});
    for (int i = 0; i < 6; i++)
        say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    run_until_heard(world, "SEQ 4;1:INCR k;");
    let_expire(world, 4);
    let_expire(world, 4);
    assert_string_equal(world->heard, USE_1
                        "1:SEQ 1;1:INCR k;1:SEQ 2;1:INCR k;1:SEQ 3;1:INCR k;1:SEQ 4;1:INCR k;");
    assert_string_equal(world->order, "TIMEOUT TIMEOUT ");
    flotilla_free(world->client);
    world->client = NULL;
    assert_string_equal(world->order, "TIMEOUT TIMEOUT UNKNOWN UNKNOWN UNKNOWN UNKNOWN ");
}

static const char *refuses_sessions(struct fake *fake, const char *command)
{
    (void)fake;
    if (strncmp(command, "CLIENT SESSION BEGIN", 20) == 0)
        return "-ERR the maximum number of sessions is reached\r\n";
    return strcmp(command, "ROLE") ? ":1\r\n" : ROLE_MASTER;
}

static void test_without_a_session_nothing_is_sent(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, refuses_sessions);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 2);
    assert_string_equal(world->heard, "1:GET k;");
    assert_string_equal(world->order, "NO_SESSION 1 ");
}

static const char *grants_less(struct fake *fake, const char *command)
{
    if (strcmp(command, "CLIENT SESSION BEGIN TTL 600000") == 0) {
        fake->counter += 100;
        return "-ERR CLIENT SESSION BEGIN takes TTL with milliseconds up to session-ttl-ms\r\n";
    }
    return counts(fake, command);
}

static void test_a_session_lasts_as_long_as_the_cluster_grants(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, grants_less);
    expect_one(world, FLOTILLA_EXACTLY_ONCE, FLOTILLA_OK, USE_1 "1:SEQ 1;1:INCR k;");
    assert_string_equal(world->order, "101 ");
}

static const char *grants_little(struct fake *fake, const char *command)
{
    if (strncmp(command, "CLIENT SESSION BEGIN", 20) == 0)
        return SESSION_OF("900");
    return counts(fake, command);
}

static void test_a_session_that_is_not_used_is_kept(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, grants_little);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    run_until_heard(world, "1:INCR k;1:ACK 2;");
}

static const char *transaction_breaks(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    if (strcmp(command, "MULTI") == 0)
        return "+OK\r\n";
    if (strcmp(command, "EXEC") == 0)
        return fake->counter++ == 0 ? CLOSE : "*2\r\n:1\r\n$1\r\nx\r\n";
    return "+QUEUED\r\n";
}

static void test_a_transaction_has_one_number_and_is_sent_again_as_a_whole(void **state)
{
    struct world *world = *state;
    const char *incr[] = {"INCR", "k"};
    const char *get[] = {"GET", "l"};
    struct flotilla_call calls[] = {{.argc = 2, .argv = incr}, {.argc = 2, .argv = get}};
    listen_as(world, 1, transaction_breaks);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    assert_int_equal(flotilla_send_transaction(world->client, calls, 2, on_outcome, world),
                     FLOTILLA_OK);
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_int_equal(world->reply->count, 2);
    assert_int_equal(world->reply->elements[0]->integer, 1);
    assert_string_equal(world->heard, USE_1 "1:SEQ 1;1:MULTI;1:INCR k;1:GET l;1:EXEC;" USE_1
                                            "1:SEQ 1;1:MULTI;1:INCR k;1:GET l;1:EXEC;");
}

static const char *does_not_queue(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    (void)fake;
    if (greeting)
        return greeting;
    if (strcmp(command, "MULTI") == 0)
        return "+OK\r\n";
    if (strcmp(command, "EXEC") == 0)
        return "-EXECABORT discarded\r\n";
    return "-ERR unknown command\r\n";
}

static void test_a_transaction_that_is_not_queued_says_why(void **state)
{
    struct world *world = *state;
    const char *incr[] = {"INCRR", "k"};
    struct flotilla_call call = {.argc = 2, .argv = incr};
    listen_as(world, 1, does_not_queue);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    assert_int_equal(flotilla_send_transaction(world->client, &call, 1, on_outcome, world),
                     FLOTILLA_OK);
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_REPLY);
    assert_string_equal(world->error.text, "ERR unknown command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_calls_are_numbered_and_acknowledged_in_order),
        CASE(test_a_call_whose_answer_is_lost_is_sent_again_under_its_number),
        CASE(test_a_call_without_a_number_is_sent_again_if_it_may),
        CASE(test_a_call_that_goes_once_at_most_is_unknown_when_its_answer_is_lost),
        CASE(test_a_call_that_goes_once_at_most_is_sent_again_when_it_was_refused),
        CASE(test_readonly_is_a_refusal),
        CASE(test_unknown_is_asked_again_under_the_number),
        CASE(test_unknown_stays_so_without_a_number),
        CASE(test_a_session_that_is_over_is_begun_anew),
        CASE(test_a_call_of_a_session_that_is_over_is_unknown_if_it_was_sent_before),
        CASE(test_a_reply_that_is_no_longer_kept_is_unknown),
        CASE(test_a_number_that_was_left_out_is_replaced_by_a_higher_one),
        CASE(test_memory_that_is_full_is_told),
        CASE(test_a_full_disk_is_told_when_every_node_was_asked),
        CASE(test_a_call_whose_number_was_refused_is_sent_again),
        CASE(test_no_more_numbers_are_on_their_way_than_replies_are_kept),
        CASE(test_without_a_session_nothing_is_sent),
        CASE(test_a_session_lasts_as_long_as_the_cluster_grants),
        CASE(test_a_session_that_is_not_used_is_kept),
        CASE(test_a_transaction_has_one_number_and_is_sent_again_as_a_whole),
        CASE(test_a_transaction_that_is_not_queued_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
