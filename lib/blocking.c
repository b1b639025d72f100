/* Calls that wait: the same as the others, with an event base of the client's own. */
#include <event2/event.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

enum { WORDS_MAX = 256 };

struct waiter {
    bool done;
    size_t *left;
    struct flotilla_reply *reply;
    struct flotilla_error error;
};

static void on_done(struct flotilla *client, struct flotilla_reply *reply,
                    const struct flotilla_error *error, void *context)
{
    struct waiter *waiter = context;
    (void)reply;
    waiter->error = *error;
    waiter->done = true;
    waiter->reply = flotilla_reply_keep(client);
    if (waiter->left)
        --*waiter->left;
}

/* Whether a call that waits is possible; in a callback it would wait for itself. */
static bool can_wait(struct flotilla *client, struct flotilla_error *error)
{
    if (client->owns_base && !client->delivering)
        return true;
    error_set(error, FLOTILLA_ARGUMENT, "a client with callbacks cannot wait");
    return false;
}

/* If the system has no events to tell, the deadlines still hold. */
static void turn(struct flotilla *client)
{
    if (event_base_loop(client->base, EVLOOP_ONCE) != 0)
        client_settle(client);
}

static struct flotilla_reply *wait_for(struct flotilla *client, struct waiter *waiter,
                                       struct flotilla_error *error)
{
    while (!waiter->done)
        turn(client);
    if (error)
        *error = waiter->error;
    if (waiter->error.status == FLOTILLA_OK)
        return waiter->reply;
    flotilla_reply_free(waiter->reply);
    return NULL;
}

static struct flotilla_reply *call_and_wait(struct flotilla *client,
                                            const struct flotilla_call *calls, size_t count,
                                            bool transaction, struct flotilla_error *error)
{
    struct waiter waiter = {.done = false};
    if (!can_wait(client, error))
        return NULL;
    if (client_submit(client, calls, count, transaction, on_done, &waiter, error))
        return NULL;
    return wait_for(client, &waiter, error);
}

struct flotilla_reply *flotilla_call(struct flotilla *client, const struct flotilla_call *call,
                                     struct flotilla_error *error)
{
    return call_and_wait(client, call, 1, false, error);
}

struct flotilla_reply *flotilla_transaction(struct flotilla *client,
                                            const struct flotilla_call *calls, size_t count,
                                            struct flotilla_error *error)
{
    return call_and_wait(client, calls, count, true, error);
}

struct flotilla_reply *flotilla_do(struct flotilla *client, struct flotilla_error *error,
                                   const char *command, ...)
{
    const char *words[WORDS_MAX];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, command);
    for (const char *word = command; word && count < WORDS_MAX; word = va_arg(arguments, char *))
        words[count++] = word;
    va_end(arguments);
    if (count == WORDS_MAX) {
        error_set(error, FLOTILLA_ARGUMENT, "flotilla_do() takes fewer than %d words", WORDS_MAX);
        return NULL;
    }
    const struct flotilla_call call = {.argc = count, .argv = words};
    return flotilla_call(client, &call, error);
}

static size_t wait_for_all(struct flotilla *client, struct waiter *waiters, size_t count,
                           const size_t *left, struct flotilla_result *results)
{
    size_t failed = 0;
    while (*left > 0)
        turn(client);
    for (size_t i = 0; i < count; i++) {
        results[i].reply = wait_for(client, &waiters[i], &results[i].error);
        failed += results[i].error.status != FLOTILLA_OK;
    }
    return failed;
}

size_t flotilla_pipeline(struct flotilla *client, const struct flotilla_call *calls, size_t count,
                         struct flotilla_result *results)
{
    struct flotilla_error error = {.status = FLOTILLA_OK};
    struct waiter *waiters = NULL;
    if (count == 0)
        return 0;
    if (can_wait(client, &error) && !(waiters = calloc(count, sizeof *waiters)))
        error_set(&error, FLOTILLA_MEMORY, "no memory for %zu calls", count);
    if (!waiters) {
        for (size_t i = 0; i < count; i++)
            results[i] = (struct flotilla_result){.error = error};
        return count;
    }
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        struct waiter *waiter = &waiters[i];
        waiter->left = &left;
        waiter->done = client_submit(client, &calls[i], 1, false, on_done, waiter, &waiter->error);
        left += !waiter->done;
    }
    size_t failed = wait_for_all(client, waiters, count, &left, results);
    free(waiters);
    return failed;
}
