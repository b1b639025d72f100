/* Memory that ends: at each allocation of the library's in turn. It has no port for memory, so this
 * program is linked with the linker's --wrap. libevent and hiredis have theirs all the time. */
#include "unit/lib/fake.h"

enum { CALLS = 70, TIMEOUT_MS = 300 };

static long left = -1; /* allocations that succeed; -1: all */
static bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails(void)
{
    if (left < 0)
        return false;
    if (left-- > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static const char *answers(struct fake *fake, const char *command)
{
    const char *greeting = greet(command);
    (void)fake;
    if (greeting)
        return greeting;
    if (strcmp(command, "MULTI") == 0)
        return "+OK\r\n";
    if (strcmp(command, "EXEC") == 0)
        return "*2\r\n:1\r\n*6\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n$2\r\nab\r\n";
    return strcmp(command, "QUEUE") == 0 ? "+QUEUED\r\n" : "$3\r\nabc\r\n";
}

/* How many calls were taken. */
static int ask(struct world *world)
{
    static const char *const queue[] = {"QUEUE"};
    const struct flotilla_call calls[] = {{.argc = 1, .argv = queue}, {.argc = 1, .argv = queue}};
    int taken = 0;
    for (int i = 0; i < CALLS; i++)
        taken += say_for(world, (enum flotilla_repeat)(i % 3), 0, "GET k") == FLOTILLA_OK;
    taken += flotilla_send_transaction(world->client, calls, 2, on_outcome, world) == FLOTILLA_OK;
    return taken;
}

static void test_each_call_has_an_outcome_wherever_memory_ends(void **state)
{
    long number = 0;
    do {
        char nodes[64];
        struct flotilla_error error;
        struct flotilla_options options = FLOTILLA_OPTIONS;
        world_new(state);
        struct world *world = *state;
        listen_as(world, 1, answers);
        listen_as(world, 2, answers);
        snprintf(nodes, sizeof nodes, "127.0.0.1:%d,127.0.0.1:%d", world->fakes[0].port,
                 world->fakes[1].port);
        options.nodes = nodes;
        options.password = "sesame";
        options.timeout_ms = TIMEOUT_MS;
        failed = false;
        left = number++;
        world->client = flotilla_new(&options, world->base, &error);
        assert_int_equal(error.status, world->client ? FLOTILLA_OK : FLOTILLA_MEMORY);
        if (world->client) {
            int taken = ask(world);
            assert_true(taken >= CALLS);
            run_until(world, taken);
        }
        left = -1;
        world_free(state);
    } while (failed);
    assert_true(number > CALLS);
    world_new(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_call_has_an_outcome_wherever_memory_ends, world_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
