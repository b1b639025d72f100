/* Nodes of the test's own, in the event base of the client that is tested. Each hears commands and
 * answers as its function says. */
#ifndef FLOTILLA_TESTS_UNIT_LIB_FAKE_H
#define FLOTILLA_TESTS_UNIT_LIB_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "flotilla.h"

enum { FAKES_MAX = 3, HEARD_MAX = 65536, OPEN_MAX = 16 };

#define ROLE_MASTER "*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"
#define SESSION     SESSION_OF("600000")
#define SESSION_OF(ttl_ms)                                                                         \
    "*8\r\n$2\r\nid\r\n$32\r\n00000000000000000000000000000001\r\n$6\r\nttl-ms\r\n:" ttl_ms "\r\n" \
    "$11\r\nreplies-max\r\n:4\r\n$9\r\nbytes-max\r\n:1000\r\n"
#define CLOSE       ((const char *)-1)
#define CLOSE_LATER ((const char *)-2)

struct world;
struct fake;
/* What the node says to a command, whose words are given with blanks between them. NULL: nothing;
 * CLOSE: it closes the connection; CLOSE_LATER: when all that was said is sent. */
typedef const char *answer_fn(struct fake *fake, const char *command);

struct fake {
    struct world *world;
    struct evconnlistener *listener;
    struct bufferevent *open[OPEN_MAX];
    answer_fn *answer;
    int port;
    int accepted;
    int counter; /* the test's own */
};

struct world {
    struct event_base *base;
    struct fake fakes[FAKES_MAX];
    struct flotilla *client;
    char heard[HEARD_MAX]; /* "number:command;" of all nodes, without greetings */
    int outcomes;
    struct flotilla_error error; /* of the last outcome */
    struct flotilla_reply *reply;
    char order[256]; /* the integers and texts of all outcomes */
    bool free_in_callback;
};

static const char *greet(const char *command)
{
    if (strcmp(command, "ROLE") == 0)
        return ROLE_MASTER;
    if (strncmp(command, "CLIENT SESSION BEGIN", 20) == 0)
        return SESSION;
    if (strncmp(command, "CLIENT SESSION", 14) == 0 || strncmp(command, "AUTH", 4) == 0)
        return "+OK\r\n";
    return NULL;
}

/* Answers everything but greetings with the next number. */
static inline const char *counts(struct fake *fake, const char *command)
{
    static char reply[32];
    const char *greeting = greet(command);
    if (greeting)
        return greeting;
    snprintf(reply, sizeof reply, ":%d\r\n", ++fake->counter);
    return reply;
}

static inline const char *closes(struct fake *fake, const char *command)
{
    (void)fake;
    (void)command;
    return CLOSE;
}

static inline const char *is_silent_after_greeting(struct fake *fake, const char *command)
{
    (void)fake;
    return greet(command);
}

static void note(struct fake *fake, const char *command)
{
    char *heard = fake->world->heard;
    size_t length = strlen(heard);
    if (strcmp(command, "ROLE") == 0 || strncmp(command, "CLIENT SESSION BEGIN", 20) == 0)
        return;
    if (strncmp(command, "CLIENT SESSION ", 15) == 0)
        command += 15;
    snprintf(heard + length, HEARD_MAX - length, "%d:%s;", (int)(fake - fake->world->fakes) + 1,
             command);
}

/* One command from the buffer, its words with blanks between them. */
static bool take_command(struct evbuffer *input, char *command, size_t size)
{
    size_t length = evbuffer_get_length(input);
    const char *at = length ? (const char *)evbuffer_pullup(input, -1) : NULL;
    const char *begin = at;
    const char *end = at + length;
    long words = 0;
    size_t used = 0;
    const char *line = at ? memchr(at, '\n', length) : NULL;
    if (!line)
        return false;
    words = strtol(at + 1, NULL, 10);
    at = line + 1;
    command[0] = '\0';
    for (long i = 0; i < words; i++) {
        line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!line)
            return false;
        long bytes = strtol(at + 1, NULL, 10);
        if (line + 1 + bytes + 2 > end)
            return false;
        used += (size_t)snprintf(command + used, size - used, "%s%.*s", i ? " " : "", (int)bytes,
                                 line + 1);
        if (used >= size)
            used = size - 1;
        at = line + 1 + bytes + 2;
    }
    evbuffer_drain(input, (size_t)(at - begin));
    return true;
}

static void hang_up(struct fake *fake, struct bufferevent *event)
{
    for (int i = 0; i < OPEN_MAX; i++)
        if (fake->open[i] == event)
            fake->open[i] = NULL;
    bufferevent_free(event);
}

static void on_end(struct bufferevent *event, short what, void *context)
{
    (void)what;
    hang_up(context, event);
}

static void on_drained(struct bufferevent *event, void *context)
{
    hang_up(context, event);
}

static void on_command(struct bufferevent *event, void *context)
{
    struct fake *fake = context;
    char command[512];
    while (take_command(bufferevent_get_input(event), command, sizeof command)) {
        note(fake, command);
        const char *reply = fake->answer(fake, command);
        if (reply == CLOSE) {
            hang_up(fake, event);
            return;
        }
        if (reply == CLOSE_LATER) {
            bufferevent_disable(event, EV_READ);
            bufferevent_setcb(event, NULL, on_drained, on_end, fake);
            return;
        }
        if (reply)
            bufferevent_write(event, reply, strlen(reply));
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *context)
{
    struct fake *fake = context;
    (void)listener;
    (void)address;
    (void)length;
    struct bufferevent *event =
        bufferevent_socket_new(fake->world->base, fd, BEV_OPT_CLOSE_ON_FREE);
    fake->accepted++;
    bufferevent_setcb(event, on_command, NULL, on_end, fake);
    bufferevent_enable(event, EV_READ | EV_WRITE);
    for (int i = 0; i < OPEN_MAX; i++)
        if (!fake->open[i]) {
            fake->open[i] = event;
            return;
        }
    fail_msg("more than %d connections", OPEN_MAX);
}

static void listen_as(struct world *world, int number, answer_fn *answer)
{
    struct fake *fake = &world->fakes[number - 1];
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fake->world = world;
    fake->answer = answer;
    fake->listener =
        evconnlistener_new_bind(world->base, on_accept, fake, LEV_OPT_CLOSE_ON_FREE, 16,
                                (const struct sockaddr *)&address, (int)sizeof address);
    assert_non_null(fake->listener);
    getsockname(evconnlistener_get_fd(fake->listener), (struct sockaddr *)&address, &length);
    fake->port = ntohs(address.sin_port);
}

static void fake_stop(struct fake *fake)
{
    for (int i = 0; i < OPEN_MAX; i++)
        if (fake->open[i])
            hang_up(fake, fake->open[i]);
    if (fake->listener)
        evconnlistener_free(fake->listener);
    fake->listener = NULL;
}

/* A client of the nodes that listen, in their order. */
static inline void begin_client(struct world *world, struct flotilla_options options)
{
    char nodes[128] = "";
    struct flotilla_error error;
    for (int i = 0; i < FAKES_MAX; i++)
        if (world->fakes[i].port)
            snprintf(nodes + strlen(nodes), sizeof nodes - strlen(nodes), "%s127.0.0.1:%d",
                     *nodes ? "," : "", world->fakes[i].port);
    options.size = sizeof options;
    options.nodes = nodes;
    world->client = flotilla_new(&options, world->base, &error);
    assert_non_null(world->client);
}

static void on_outcome(struct flotilla *client, struct flotilla_reply *reply,
                       const struct flotilla_error *error, void *context)
{
    struct world *world = context;
    size_t length = strlen(world->order);
    world->outcomes++;
    world->error = *error;
    flotilla_reply_free(world->reply);
    world->reply = flotilla_reply_keep(client);
    if (error->status)
        snprintf(world->order + length, sizeof world->order - length, "%s ",
                 flotilla_status_name(error->status));
    else if (reply->type == FLOTILLA_INTEGER)
        snprintf(world->order + length, sizeof world->order - length, "%lld ", reply->integer);
    else
        snprintf(world->order + length, sizeof world->order - length, "%s ",
                 reply->bytes ? reply->bytes : "-");
    if (world->free_in_callback) {
        flotilla_free(client);
        world->client = NULL;
    }
}

enum { CALL_WORDS_MAX = 16 };

/* The words of a call stand between blanks. */
static inline enum flotilla_status say_for(struct world *world, enum flotilla_repeat repeat,
                                           int timeout_ms, const char *text)
{
    char copy[256];
    const char *words[CALL_WORDS_MAX];
    struct flotilla_call call = {.argv = words, .repeat = repeat, .timeout_ms = timeout_ms};
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        words[call.argc++] = word;
    return flotilla_send(world->client, &call, on_outcome, world);
}

static inline void say(struct world *world, enum flotilla_repeat repeat, const char *text)
{
    assert_int_equal(say_for(world, repeat, 0, text), FLOTILLA_OK);
}

/* Runs until so many calls have an outcome. Each has a deadline, so it ends. */
static void run_until(struct world *world, int outcomes)
{
    while (world->outcomes < outcomes)
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
}

/* Runs until the nodes have heard this. */
static inline void run_until_heard(struct world *world, const char *what)
{
    while (!strstr(world->heard, what))
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
}

/* The deadline of a call that waits has come: the nth one, from 0 on. */
static inline void let_expire(struct world *world, int number)
{
    struct request *request = world->client->waiting.first;
    while (number-- > 0)
        request = request->next;
    request->deadline_ms = 0;
    world->client->deadline_ms = 0;
    client_settle(world->client);
}

static int world_new(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    signal(SIGPIPE, SIG_IGN); /* the nodes, by libevent, write to clients that are gone */
    world->base = event_base_new();
    *state = world;
    return 0;
}

static int world_free(void **state)
{
    struct world *world = *state;
    flotilla_free(world->client);
    for (int i = 0; i < FAKES_MAX; i++)
        fake_stop(&world->fakes[i]);
    event_base_loop(world->base, EVLOOP_NONBLOCK);
    event_base_free(world->base);
    flotilla_reply_free(world->reply);
    free(world);
    return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, world_new, world_free)

#endif
