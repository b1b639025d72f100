/* Which node is asked, what a stranger may say, and what a call costs when nobody answers. */
#include "unit/lib/fake.h"

static char text[256];

static const char *follows_2(struct fake *fake, const char *command)
{
    if (strcmp(command, "ROLE") == 0) {
        snprintf(text, sizeof text,
                 "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:%d\r\n$9\r\nconnected\r\n:1\r\n",
                 fake->world->fakes[1].port);
        return text;
    }
    return counts(fake, command);
}

static const char *moves_to_2(struct fake *fake, const char *command)
{
    const char *greeting = strcmp(command, "PING") ? greet(command) : "+PONG\r\n";
    if (greeting && strncmp(command, "CLIENT SESSION BEGIN", 20) != 0)
        return greeting;
    snprintf(text, sizeof text, "-MOVED 7 127.0.0.1:%d\r\n", fake->world->fakes[1].port);
    return text;
}

static const char *is_silent(struct fake *fake, const char *command)
{
    (void)fake;
    (void)command;
    return NULL;
}

static const char *wants_password(struct fake *fake, const char *command)
{
    (void)fake;
    (void)command;
    return "-WRONGPASS invalid username-password pair\r\n";
}

static const char *talks_http(struct fake *fake, const char *command)
{
    (void)fake;
    (void)command;
    return "HTTP/1.1 400 Bad Request\r\n\r\n";
}

#define SPEAKS(name, reply)                                                                        \
    static const char *name(struct fake *fake, const char *command)                                \
    {                                                                                              \
        const char *greeting = greet(command);                                                     \
        (void)fake;                                                                                \
        return greeting ? greeting : reply;                                                        \
    }
SPEAKS(says_nonsense, "x\r\n")
SPEAKS(says_a_bad_length, "$-7\r\n")
SPEAKS(says_a_huge_array, "*2147483647\r\n:1\r\n:2\r\n?")
SPEAKS(says_a_deep_array, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
                          "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n?\r\n")
SPEAKS(says_much, "*3\r\n$100\r\n"
                  "0123456789012345678901234567890123456789012345678901234567890123456789012345678"
                  "901234567890123456789\r\n$3\r\nabc\r\n:1\r\n")
SPEAKS(says_two_things, "+one\r\n+two\r\n")

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

/* ---- which node ---- */

static void test_the_next_node_is_asked_when_one_is_gone(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, counts);
    listen_as(world, 2, counts);
    fake_stop(&world->fakes[0]);
    expect(world, (struct flotilla_options){.one_node = false}, FLOTILLA_OK, "2:INCR k;");
    assert_int_equal(world->reply->integer, 1);
}

static void test_the_next_node_is_asked_when_one_closes(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, closes);
    listen_as(world, 2, counts);
    expect(world, (struct flotilla_options){.one_node = false}, FLOTILLA_OK, "2:INCR k;");
}

static void test_the_next_node_is_asked_when_one_does_not_greet(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, is_silent);
    listen_as(world, 2, counts);
    expect(world, (struct flotilla_options){.connect_timeout_ms = 50}, FLOTILLA_OK, "2:INCR k;");
}

/* A greeting that comes in pieces for ever is none. */
static struct event *dripping;

static void drip(evutil_socket_t fd, short what, void *context)
{
    struct fake *fake = context;
    (void)fd;
    (void)what;
    for (int i = 0; i < OPEN_MAX; i++)
        if (fake->open[i])
            bufferevent_write(fake->open[i], "+", 1);
}

static const char *drips(struct fake *fake, const char *command)
{
    const struct timeval pause = {.tv_usec = 5000};
    (void)command;
    if (!dripping) {
        dripping = event_new(fake->world->base, -1, EV_PERSIST, drip, fake);
        event_add(dripping, &pause);
    }
    return NULL;
}

static void test_the_next_node_is_asked_when_a_greeting_does_not_end(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, drips);
    listen_as(world, 2, counts);
    expect(world, (struct flotilla_options){.connect_timeout_ms = 100}, FLOTILLA_OK, "2:INCR k;");
    event_free(dripping);
    dripping = NULL;
}

static void test_a_node_that_says_nothing_is_left(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, is_silent_after_greeting);
    listen_as(world, 2, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .answer_timeout_ms = 50});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_int_equal(strncmp(world->heard, "1:GET k;2:GET k;", 16), 0);
}

static void test_the_leader_is_sought(void **state)
{
    struct world *world = *state;
    char leader[64];
    listen_as(world, 1, follows_2);
    listen_as(world, 2, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    snprintf(leader, sizeof leader, "127.0.0.1:%d", world->fakes[1].port);
    int calls = 0;
    do {
        say(world, FLOTILLA_ANY_TIMES, "GET k");
        run_until(world, ++calls);
        assert_int_equal(world->error.status, FLOTILLA_OK);
    } while (strcmp(flotilla_node(world->client), leader) != 0);
    assert_int_equal(world->fakes[0].accepted, 1);
    assert_int_equal(world->fakes[1].accepted, 1);
}

static void test_a_client_of_one_node_stays_there(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, follows_2);
    listen_as(world, 2, counts);
    world->fakes[1].port = 0; /* it is not named */
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .one_node = true});
    for (int i = 1; i <= 20; i++) {
        say(world, FLOTILLA_ANY_TIMES, "GET k");
        run_until(world, i);
    }
    assert_int_equal(world->fakes[1].accepted, 0);
    assert_null(strstr(world->heard, "ROLE"));
}

static const char *leads_2(struct fake *fake, const char *command)
{
    if (strcmp(command, "ROLE") == 0) {
        snprintf(
            text, sizeof text,
            "*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n$1\r\n1\r\n",
            fake->world->fakes[1].port);
        return text;
    }
    return counts(fake, command);
}

static void test_the_leader_names_nodes_that_are_not_in_the_list(void **state)
{
    struct world *world = *state;
    listen_as(world, 2, counts);
    int port = world->fakes[1].port;
    world->fakes[1].port = 0; /* it is not named */
    listen_as(world, 1, leads_2);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    world->fakes[1].port = port;
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 1);
    fake_stop(&world->fakes[0]);
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 2);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_int_equal(world->fakes[1].accepted, 1);
}

static void test_a_client_of_one_node_is_told_of_redirects(void **state)
{
    struct world *world = *state;
    listen_as(world, 2, counts);
    listen_as(world, 1, moves_to_2);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000, .one_node = true});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_REPLY);
    assert_int_equal(strncmp(world->error.text, "MOVED 7 127.0.0.1:", 18), 0);
}

static void test_a_redirect_is_followed(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, moves_to_2);
    listen_as(world, 2, counts);
    expect(world, (struct flotilla_options){.one_node = false}, FLOTILLA_OK, "1:INCR k;2:INCR k;");
}

static void test_a_redirect_of_the_session_is_followed(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, moves_to_2);
    listen_as(world, 2, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
    run_until(world, 1);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_string_equal(world->heard, "2:USE 00000000000000000000000000000001;2:SEQ 1;2:INCR k;");
}

static void test_nodes_that_are_heard_of_are_known(void **state)
{
    struct nodes nodes;
    struct node node;
    char cause[100];
    (void)state;
    assert_true(nodes_parse(&nodes, " a:1, [::1]:65535 ,b.example:2,a:1", cause, sizeof cause));
    assert_int_equal(nodes.count, 3);
    assert_string_equal(nodes.list[1].host, "::1");
    assert_int_equal(nodes.list[1].port, 65535);
    for (int i = 0; i < 200; i++) {
        char address[32];
        snprintf(address, sizeof address, "n%d:7", i);
        assert_true(node_parse(address, strlen(address), &node));
        assert_string_equal(nodes.list[nodes_learn(&nodes, &node)].host, node.host);
    }
    assert_int_equal(nodes.count, NODES_MAX);
    assert_string_equal(nodes.list[2].host, "b.example");
    assert_string_equal(nodes.list[NODES_MAX - 1].host, "n199");
}

static void test_what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",      "a",        "a:",       ":1",     "a:0",   "a:65536", "a:1x", "a:-1",
        "a b:1", "a:1,,b:1", "a:999999", "[::1:1", "a:1,b", "[]:1",    ",",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct flotilla_options options = FLOTILLA_OPTIONS;
        struct flotilla_error error;
        options.nodes = bad[i];
        assert_null(flotilla_new(&options, NULL, &error));
        assert_int_equal(error.status, FLOTILLA_ARGUMENT);
        assert_true(error.text[0]);
    }
}

static void test_options_are_checked(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        struct flotilla_options options = FLOTILLA_OPTIONS;
        options.nodes = "a:1";
        *(i == 0   ? &options.timeout_ms
          : i == 1 ? &options.connect_timeout_ms
          : i == 2 ? &options.answer_timeout_ms
          : i == 3 ? &options.backoff_ms
          : i == 4 ? &options.backoff_max_ms
          : i == 5 ? &options.session_ttl_ms
                   : &options.database) = i == 8 ? INT32_MAX : -2;
        options.nodes = i == 6 ? NULL : options.nodes;
        options.size = i == 7 ? 3 : options.size;
        assert_null(flotilla_new(&options, NULL, NULL));
    }
    assert_null(flotilla_new(NULL, NULL, NULL));
}

static void test_a_pause_doubles_and_is_shortened_by_chance(void **state)
{
    struct flotilla client = {.backoff_ms = 10, .backoff_max_ms = 1000, .chance = 7};
    (void)state;
    for (unsigned round = 1; round < 20; round++) {
        int64_t longest = round > 7 ? 1000 : 10 << (round - 1);
        int64_t least = INT64_MAX;
        int64_t most = 0;
        for (int i = 0; i < 1000; i++) {
            int64_t pause = client_pause_ms(&client, round);
            least = pause < least ? pause : least;
            most = pause > most ? pause : most;
        }
        assert_true(least >= longest / 2 && least <= longest * 6 / 10);
        assert_true(most <= longest && most >= longest * 9 / 10);
    }
}

/* ---- strangers ---- */

static void test_a_password_that_every_node_refuses_ends_calls(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, wants_password);
    listen_as(world, 2, wants_password);
    expect(world, (struct flotilla_options){.password = "p"}, FLOTILLA_REFUSED,
           "1:AUTH p;2:AUTH p;");
    assert_non_null(strstr(world->error.text, "WRONGPASS"));
}

static void test_a_password_that_one_node_refuses_does_not(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, wants_password);
    listen_as(world, 2, counts);
    expect(world, (struct flotilla_options){.password = "p", .username = "u"}, FLOTILLA_OK,
           "1:AUTH u p;2:AUTH u p;2:INCR k;");
}

static void test_what_speaks_another_protocol_is_no_node(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, talks_http);
    listen_as(world, 2, counts);
    expect(world, (struct flotilla_options){.one_node = false}, FLOTILLA_OK, "2:INCR k;");
}

static void test_a_broken_answer_is_told_and_not_asked_for_again(void **state)
{
    static answer_fn *const answers[] = {says_nonsense, says_a_bad_length, says_a_huge_array,
                                         says_a_deep_array};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct world *world;
        world_new(state);
        world = *state;
        listen_as(world, 1, answers[i]);
        begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
        say(world, FLOTILLA_EXACTLY_ONCE, "INCR k");
        run_until(world, 1);
        assert_int_equal(world->error.status, FLOTILLA_PROTOCOL);
        assert_non_null(strstr(world->error.text, "cannot be read"));
        world_free(state);
    }
    world_new(state);
}

static void test_a_reply_has_a_limit(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, says_much);
    expect(world, (struct flotilla_options){.reply_bytes_max = 300}, FLOTILLA_PROTOCOL,
           "1:INCR k;");
    assert_non_null(strstr(world->error.text, "reply_bytes_max"));
    flotilla_free(world->client);
    begin_client(world, (struct flotilla_options){.reply_bytes_max = 1000});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    run_until(world, 2);
    assert_int_equal(world->error.status, FLOTILLA_OK);
    assert_int_equal(world->reply->count, 3);
    assert_int_equal(world->reply->elements[0]->length, 100);
}

static void test_a_reply_to_nothing_ends_the_connection(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, says_two_things);
    expect(world, (struct flotilla_options){.one_node = false}, FLOTILLA_OK, "1:INCR k;");
    assert_string_equal(world->order, "one ");
    say(world, FLOTILLA_AT_MOST_ONCE, "INCR k");
    run_until(world, 2);
    assert_int_equal(world->fakes[0].accepted, 2);
    assert_string_equal(world->order, "one one ");
}

/* ---- what may be asked ---- */

static void test_what_changes_the_connection_is_refused(void **state)
{
    static const char *const bad[] = {
        "SELECT 1", "multi",    "EXEC",    "Watch k",          "SUBSCRIBE c",
        "MONITOR",  "AUTH p",   "HELLO 3", "CLIENT REPLY OFF", "client session end",
        "QUIT",     "READONLY", "",
    };
    struct world *world = *state;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(say_for(world, FLOTILLA_ANY_TIMES, 0, bad[i]), FLOTILLA_ARGUMENT);
    assert_int_equal(say_for(world, (enum flotilla_repeat)9, 0, "GET k"), FLOTILLA_ARGUMENT);
    assert_int_equal(say_for(world, FLOTILLA_ANY_TIMES, -1, "GET k"), FLOTILLA_ARGUMENT);
    say(world, FLOTILLA_ANY_TIMES, "CLIENT LIST");
    run_until(world, 1);
    assert_string_equal(world->heard, "1:CLIENT LIST;");
}

static void test_what_waits_is_bounded(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){
                            .timeout_ms = 60000, .pending_max = 2, .pending_bytes_max = 70});
    assert_int_equal(
        say_for(world, FLOTILLA_ANY_TIMES, 0,
                "SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        FLOTILLA_BUSY);
    say(world, FLOTILLA_ANY_TIMES, "GET a");
    say(world, FLOTILLA_ANY_TIMES, "GET b");
    assert_int_equal(say_for(world, FLOTILLA_ANY_TIMES, 0, "GET c"), FLOTILLA_BUSY);
    run_until(world, 2);
    say(world, FLOTILLA_ANY_TIMES, "GET c");
    run_until(world, 3);
}

static void test_a_client_may_be_freed_in_its_callback(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    world->free_in_callback = true;
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    say(world, FLOTILLA_ANY_TIMES, "GET l");
    run_until(world, 1);
    assert_null(world->client);
    assert_true(world->outcomes == 2);
}

static void test_calls_that_were_not_sent_are_cancelled(void **state)
{
    struct world *world = *state;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    say(world, FLOTILLA_ANY_TIMES, "GET k");
    flotilla_free(world->client);
    world->client = NULL;
    assert_string_equal(world->order, "CANCELLED ");
}

static void test_a_client_with_callbacks_cannot_wait(void **state)
{
    struct world *world = *state;
    struct flotilla_error error;
    listen_as(world, 1, counts);
    begin_client(world, (struct flotilla_options){.timeout_ms = 60000});
    assert_null(flotilla_do(world->client, &error, "GET", "k", (char *)NULL));
    assert_int_equal(error.status, FLOTILLA_ARGUMENT);
}

static void test_a_name_that_does_not_exist_is_told(void **state)
{
    struct flotilla_options options = FLOTILLA_OPTIONS;
    struct flotilla_error error;
    (void)state;
    options.nodes = "no-such-host.invalid:1";
    options.timeout_ms = 100;
    struct flotilla *client = flotilla_new(&options, NULL, &error);
    assert_null(flotilla_do(client, &error, "GET", "k", (char *)NULL));
    assert_int_equal(error.status, FLOTILLA_TIMEOUT);
    flotilla_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_the_next_node_is_asked_when_one_is_gone),
        CASE(test_the_next_node_is_asked_when_one_closes),
        CASE(test_the_next_node_is_asked_when_one_does_not_greet),
        CASE(test_the_next_node_is_asked_when_a_greeting_does_not_end),
        CASE(test_a_node_that_says_nothing_is_left),
        CASE(test_the_leader_is_sought),
        CASE(test_a_client_of_one_node_stays_there),
        CASE(test_the_leader_names_nodes_that_are_not_in_the_list),
        CASE(test_a_client_of_one_node_is_told_of_redirects),
        CASE(test_a_redirect_is_followed),
        CASE(test_a_redirect_of_the_session_is_followed),
        cmocka_unit_test(test_nodes_that_are_heard_of_are_known),
        cmocka_unit_test(test_what_is_no_address_is_refused),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_a_pause_doubles_and_is_shortened_by_chance),
        CASE(test_a_password_that_every_node_refuses_ends_calls),
        CASE(test_a_password_that_one_node_refuses_does_not),
        CASE(test_what_speaks_another_protocol_is_no_node),
        cmocka_unit_test_teardown(test_a_broken_answer_is_told_and_not_asked_for_again, world_free),
        CASE(test_a_reply_has_a_limit),
        CASE(test_a_reply_to_nothing_ends_the_connection),
        CASE(test_what_changes_the_connection_is_refused),
        CASE(test_what_waits_is_bounded),
        CASE(test_a_client_may_be_freed_in_its_callback),
        CASE(test_calls_that_were_not_sent_are_cancelled),
        CASE(test_a_client_with_callbacks_cannot_wait),
        cmocka_unit_test(test_a_name_that_does_not_exist_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
