/* What becomes of calls when things go wrong one after the other, and at their deadlines. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/lib/fake.h"

#include "transport.h"

static char text[256];

static void expect(struct world *world, struct flotilla_options options,
                   enum flotilla_status status, const char *heard)
{
    options.timeout_ms = options.timeout_ms ? options.timeout_ms : 60000;
    begin_client(world, options);
    say(world, FLOTILLA_AT_MOST_ONCE, "INCR k");
    run_until(world, 1);
    assert_int_equal(world->error.status, status);
    assert_string_equal(world->heard, heard);
}

/* Its first commands that are no greeting are answered like this; then it is gone for good. */
static const char *then_gone(struct fake *fake, const char *command, const char *first)
{
    if (fake->counter)
        return CLOSE;
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    fake->counter++;
    return first;
}

static const char *breaks_and_is_gone(struct fake *fake, const char *command)
{
    return then_gone(fake, command, CLOSE);
}

static const char *unknown_and_gone(struct fake *fake, const char *command)
{
    return then_gone(fake, command, "-UNKNOWN it may be\r\n");
}

static const char *down_and_gone(struct fake *fake, const char *command)
{
    return then_gone(fake, command, "-CLUSTERDOWN no leader\r\n");
}

static void expect_at_deadline(struct world *world, answer_fn *answer, enum flotilla_status status)
{
    listen_as(world, 1, answer);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    while (world->fakes[0].accepted < 3)
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
    let_expire(world, 0);
    assert_int_equal(world->outcomes, 1);
    assert_int_equal(world->error.status, status);
}

static void test_a_call_that_was_sent_once_stays_unknown_when_all_are_gone(void **state)
{
    expect_at_deadline(*state, breaks_and_is_gone, FLOTILLA_UNKNOWN);
}

static void test_a_call_that_was_unknown_once_stays_so_when_all_are_gone(void **state)
{
    expect_at_deadline(*state, unknown_and_gone, FLOTILLA_UNKNOWN);
}

static void test_a_call_that_was_refused_was_not_carried_out(void **state)
{
    expect_at_deadline(*state, down_and_gone, FLOTILLA_TIMEOUT);
}

/* 1 and 2 are lost; 1 hears that the session is over, 2 nothing again. */
static const char *session_ends_in_the_middle(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    switch (++fake->counter) {
    case 1:
        return NULL;
    case 2:
        return CLOSE;
    case 3:
        return "-NOSESSION none\r\n";
    case 4:
        return CLOSE_LATER;
    default:
        return ":5\r\n";
    }
}

static void test_a_call_of_a_former_session_is_not_sent_in_the_next_one(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, session_ends_in_the_middle);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR l");
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 3);
    assert_string_equal(world->order, "UNKNOWN UNKNOWN 5 ");
}

static const char *breaks_then_is_full(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    return ++fake->counter == 1 ? CLOSE : fake->counter == 2 ? "-OOM full\r\n" : ":42\r\n";
}

static void test_a_refusal_says_nothing_of_an_earlier_attempt(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, breaks_then_is_full);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_int_equal(world->reply->integer, 42);
}

static const char *moves_to_3(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    snprintf(text, sizeof text, "-MOVED 7 127.0.0.1:%d\r\n", fake->world->fakes[2].port);
    return text;
}

static void test_a_redirect_leads_to_the_node_that_it_names_and_holds_once(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, moves_to_3);
    listen_as(world, 2, counts);
    listen_as(world, 3, counts);
    expect(world, (struct flotilla_options){.one_node = false}, FLOTILLA_OK, "1:INCR k;3:INCR k;");
    fake_stop(&world->fakes[2]);
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 2);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_true(world->fakes[1].accepted > 0);
}

static const char *breaks_thrice(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    return ++fake->counter <= 3 ? CLOSE : ":42\r\n";
}

static void test_pauses_are_short_again_after_an_answer(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, breaks_thrice);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .backoff_ms = 1});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    while (world->client->rounds < 2)
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_int_equal(world->client->rounds, 0);
    assert_int_equal(world->client->failures, 0);
}

static void test_a_session_is_ended_with_its_client(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    run_until(world, 1);
    flotilla_free(world->client);
    world->client = NULL;
    run_until_heard(world, ";1:END;");
}

/* ---- the transport ---- */

static void on_opened(void *context)
{
    *(bool *)context = true;
}

static void on_received(void *context, const void *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    (void)count;
}

static void on_lost(void *context, const char *cause)
{
    (void)context;
    (void)cause;
}

/* The default action of SIGPIPE would end this program. */
static void test_a_node_that_is_gone_raises_no_signal(void **state)
{
    static const struct transport_events events = {on_opened, on_received, on_lost};
    struct world *world = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    bool opened = false;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &length);
    signal(SIGPIPE, SIG_DFL);
    struct transport *transport = transport_open(world->base, NULL, "127.0.0.1",
                                                 ntohs(address.sin_port), 0, &events, &opened);
    int accepted = accept(listener, NULL, NULL);
    while (!opened)
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
    close(accepted);
    for (int i = 0; i < 3; i++) {
        assert_true(transport_write(transport, "x", 1));
        transport_flush(transport);
    }
    transport_close(transport);
    close(listener);
}

/* ---- deadlines ---- */

static void test_a_call_that_no_node_took_was_not_carried_out(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, closes);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    while (world->fakes[0].accepted < 3)
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
    let_expire(world, 0);
    assert_string_equal(world->order, "TIMEOUT ");
    assert_non_null(strstr(world->error.text, "closed the connection"));
}

static void test_a_deadline_passes_by_itself(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, closes);
    expect(world, (struct flotilla_options){.timeout_ms = 50}, FLOTILLA_TIMEOUT, "");
}

static void test_a_call_that_a_node_took_is_unknown(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, is_silent_after_greeting);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .answer_timeout_ms = -1});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until_heard(world, "1:GET k;");
    let_expire(world, 0);
    assert_string_equal(world->order, "UNKNOWN ");
}

static void test_each_call_has_its_own_deadline(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, is_silent_after_greeting);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .answer_timeout_ms = -1});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    assert_int_equal(say_for(world, FLOTILLA_ANY_TIMES, 50, "GET l"), FLOTILLA_OK);
    run_until(world, 1);
    assert_int_equal(world->client->pending, 1);
}

/* An answer that comes after the deadline belongs to nobody. */
static const char *answers_late(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    return strcmp(command, "GET late") == 0 ? NULL : fake->counter++ ? "+c\r\n" : "+a\r\n+b\r\n";
}

static void test_a_late_answer_is_nobodys(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, answers_late);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .answer_timeout_ms = -1});
    say(world, FLOTILLA_ANY_TIMES, "GET late");
    run_until_heard(world, "GET late;");
    let_expire(world, 0);
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 2);
    say(world, FLOTILLA_ANY_TIMES, "GET l");
    run_until(world, 3);
    assert_string_equal(world->order, "UNKNOWN b c ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_call_that_was_sent_once_stays_unknown_when_all_are_gone),
        CASE(test_a_call_that_was_unknown_once_stays_so_when_all_are_gone),
        CASE(test_a_call_that_was_refused_was_not_carried_out),
        CASE(test_a_call_of_a_former_session_is_not_sent_in_the_next_one),
        CASE(test_a_refusal_says_nothing_of_an_earlier_attempt),
        CASE(test_a_redirect_leads_to_the_node_that_it_names_and_holds_once),
        CASE(test_pauses_are_short_again_after_an_answer),
        CASE(test_a_session_is_ended_with_its_client),
        CASE(test_a_node_that_is_gone_raises_no_signal),
        CASE(test_a_call_that_no_node_took_was_not_carried_out),
        CASE(test_a_deadline_passes_by_itself),
        CASE(test_a_call_that_a_node_took_is_unknown),
        CASE(test_each_call_has_its_own_deadline),
        CASE(test_a_late_answer_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
