/* Nodes that say anything at all: each call has an outcome, and nothing is read that is not there
 * (run with sanitizers). */
#include "unit/lib/fake.h"

enum { SEEDS = 100, CALLS = 12, SAID_MAX = 400, PIECES_MAX = 6, TIMEOUT_MS = 25 };

static uint64_t chance;

static uint64_t draw(uint64_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % below;
}

static const char *const pieces[] = {
    "+OK\r\n",
    ":1\r\n",
    ":-9223372036854775808\r\n",
    ":99999999999999999999\r\n",
    ":\r\n",
    "$0\r\n\r\n",
    "$-1\r\n",
    "$5\r\nhello\r\n",
    "$5\r\nhel",
    "$99999999999\r\n",
    "$-3\r\n",
    "*0\r\n",
    "*-1\r\n",
    "*3\r\n",
    "*2147483647\r\n",
    "*99999999999\r\n",
    "-\r\n",
    "- \r\n",
    "-MOVED\r\n",
    "-MOVED 1\r\n",
    "-MOVED 1 127.0.0.1:1\r\n",
    "-MOVED 1 :1\r\n",
    "-MOVED 1 [:1\r\n",
    "-MOVED 99999 a b c\r\n",
    "-CLUSTERDOWN x\r\n",
    "-UNKNOWN\r\n",
    "-NOSESSION x\r\n",
    "-SESSIONPAST x\r\n",
    "-SESSIONSKIPPED x\r\n",
    "-MISCONF x\r\n",
    "-OOM x\r\n",
    "-EXECABORT x\r\n",
    "-READONLY x\r\n",
    "-LOADING x\r\n",
    "-ERR max number of clients reached\r\n",
    ROLE_MASTER,
    SESSION,
    "*2\r\n$2\r\nid\r\n$32\r\nshort\r\n",
    "*2\r\n$2\r\nid\r\n:7\r\n",
    "*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*1\r\n$1\r\na\r\n",
    "*3\r\n$6\r\nmaster\r\n:1\r\n:1\r\n",
    "*5\r\n$5\r\nslave\r\n$1\r\n]\r\n:70000\r\n$9\r\nconnected\r\n:1\r\n",
    "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:1\r\n",
    "*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n",
    "\r\n",
    "HTTP/1.1 400\r\n",
    "%1\r\n+a\r\n:1\r\n",
    ",1.5\r\n",
    "#t\r\n",
    "_\r\n",
};

static size_t say_anything(char *said)
{
    size_t length = 0;
    for (uint64_t i = draw(PIECES_MAX); i > 0; i--) {
        const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
        length += (size_t)snprintf(said + length, SAID_MAX - length, "%s", piece);
    }
    for (uint64_t i = draw(4) ? 0 : draw(5); i > 0 && length > 0; i--)
        said[draw(length)] = (char)draw(256);
    return draw(5) || length == 0 ? length : draw(length);
}

/* Greets as it should in most cases, so that the rest is reached. */
static const char *strange(struct fake *fake, const char *command)
{
    char said[SAID_MAX];
    const char *greeting = greet(command);
    if (draw(30) == 0)
        return CLOSE;
    if (greeting && draw(6))
        return greeting;
    size_t length = say_anything(said);
    for (int i = 0; i < OPEN_MAX; i++)
        if (fake->open[i] && length > 0)
            bufferevent_write(fake->open[i], said, length);
    return NULL;
}

static void ask(struct world *world, int number)
{
    static const char *const incr[] = {"INCR", "k"};
    static const char *const get[] = {"GET", "k"};
    const struct flotilla_call calls[] = {
        {.argc = 2,
         .argv = incr,
         .repeat = (enum flotilla_repeat)draw(3),
         .timeout_ms = TIMEOUT_MS},
        {.argc = 2, .argv = get},
    };
    if (number % 3 == 0)
        assert_int_equal(flotilla_send_transaction(world->client, calls, 2, on_outcome, world),
                         FLOTILLA_OK);
    else
        assert_int_equal(flotilla_send(world->client, calls, on_outcome, world), FLOTILLA_OK);
}

static void test_whatever_nodes_say_each_call_has_one_outcome(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world_new(state);
        struct world *world = *state;
        chance = seed * 0x9e3779b97f4a7c15;
        listen_as(world, 1, strange);
        listen_as(world, 2, strange);
        begin_client(world, (struct flotilla_options){.timeout_ms = TIMEOUT_MS,
                                                      .connect_timeout_ms = 5,
                                                      .answer_timeout_ms = 5,
                                                      .backoff_ms = 1,
                                                      .backoff_max_ms = 3,
                                                      .reply_bytes_max = 2000});
        for (int i = 0; i < CALLS; i++)
            ask(world, i);
        run_until(world, CALLS);
        assert_int_equal(world->outcomes, CALLS);
        world->free_in_callback = seed % 2;
        ask(world, 1);
        run_until(world, CALLS + 1);
        assert_int_equal(world->outcomes, CALLS + 1);
        world_free(state);
    }
    world_new(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_whatever_nodes_say_each_call_has_one_outcome, world_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
