#include "request.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ARGUMENTS_MAX = 1048576, NUMBER_DIGITS = 24 };

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n";
static const char exec[] = "*1\r\n$4\r\nEXEC\r\n";

void error_set(struct flotilla_error *error, enum flotilla_status status, const char *format, ...)
{
    va_list arguments;
    if (!error)
        return;
    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

/* ---- what may be sent ---- */

/* What changes the connection, which all calls share. */
static bool is_of_connection(const char *word)
{
    static const char *const words[] = {
        "auth",       "select",      "hello",        "reset",        "quit",       "multi",
        "exec",       "discard",     "watch",        "unwatch",      "subscribe",  "psubscribe",
        "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor",    "readonly",
        "readwrite",  "asking",      "sync",         "psync",        "raft.hello",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(word, words[i]) == 0)
            return true;
    return false;
}

static bool is_of_client(const char *word)
{
    static const char *const words[] = {"session", "reply", "tracking", "maint_notifications"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(word, words[i]) == 0)
            return true;
    return false;
}

static size_t length_of(const struct flotilla_call *call, size_t i)
{
    return call->lengths ? call->lengths[i] : strlen(call->argv[i]);
}

static void copy_word(const struct flotilla_call *call, size_t i, char *word, size_t size)
{
    size_t length = length_of(call, i);
    if (length >= size)
        length = 0; /* no word of the lists is as long */
    if (length)
        memcpy(word, call->argv[i], length);
    word[length] = '\0';
}

static bool check(const struct flotilla_call *call, struct flotilla_error *error)
{
    char word[32];
    if (call->argc == 0 || call->argc > ARGUMENTS_MAX || !call->argv) {
        error_set(error, FLOTILLA_ARGUMENT, "a command has 1 to %d arguments", ARGUMENTS_MAX);
        return false;
    }
    for (size_t i = 0; i < call->argc; i++)
        if (!call->argv[i] && (!call->lengths || call->lengths[i] > 0)) {
            error_set(error, FLOTILLA_ARGUMENT, "argument %zu is NULL", i);
            return false;
        }
    switch (call->repeat) {
    case FLOTILLA_EXACTLY_ONCE:
    case FLOTILLA_ANY_TIMES:
    case FLOTILLA_AT_MOST_ONCE:
        break;
    default:
        error_set(error, FLOTILLA_ARGUMENT, "%d is no value of repeat", (int)call->repeat);
        return false;
    }
    copy_word(call, 0, word, sizeof word);
    bool refused = is_of_connection(word);
    if (strcasecmp(word, "client") == 0 && call->argc > 1) {
        copy_word(call, 1, word, sizeof word);
        refused = is_of_client(word);
    }
    if (refused)
        error_set(error, FLOTILLA_ARGUMENT,
                  "'%.*s' changes the connection, which all calls of a client share",
                  (int)length_of(call, 0), call->argv[0]);
    return !refused;
}

/* ---- its bytes ---- */

/* An upper bound; SIZE_MAX: too much. */
static size_t bytes_of(const struct flotilla_call *call)
{
    size_t bytes = NUMBER_DIGITS;
    for (size_t i = 0; i < call->argc; i++) {
        size_t length = length_of(call, i);
        if (length > SIZE_MAX / 4 || bytes > SIZE_MAX / 4)
            return SIZE_MAX;
        bytes += length + NUMBER_DIGITS + 4;
    }
    return bytes;
}

static char *put(char *at, const char *bytes, size_t count)
{
    if (count)
        memcpy(at, bytes, count);
    return at + count;
}

static char *put_call(char *at, const struct flotilla_call *call)
{
    at += snprintf(at, NUMBER_DIGITS, "*%zu\r\n", call->argc);
    for (size_t i = 0; i < call->argc; i++) {
        size_t length = length_of(call, i);
        at += snprintf(at, NUMBER_DIGITS, "$%zu\r\n", length);
        at = put(at, call->argv[i], length);
        at = put(at, "\r\n", 2);
    }
    return at;
}

struct request *request_new(const struct flotilla_call *calls, size_t count, bool transaction,
                            struct flotilla_error *error)
{
    size_t bytes = sizeof multi + sizeof exec;
    if (count == 0 || count > ARGUMENTS_MAX) {
        error_set(error, FLOTILLA_ARGUMENT, "a transaction has 1 to %d commands", ARGUMENTS_MAX);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!check(&calls[i], error))
            return NULL;
        size_t more = bytes_of(&calls[i]);
        if (more > SIZE_MAX / 4 || bytes > SIZE_MAX / 4) {
            error_set(error, FLOTILLA_ARGUMENT, "the arguments are too long");
            return NULL;
        }
        bytes += more;
    }
    struct request *request = malloc(sizeof *request + bytes);
    if (!request) {
        error_set(error, FLOTILLA_MEMORY, "no memory for a call of %zu bytes", bytes);
        return NULL;
    }
    *request = (struct request){.repeat = calls[0].repeat, .transaction = transaction};
    char *at = request->text;
    if (transaction)
        at = put(at, multi, sizeof multi - 1);
    for (size_t i = 0; i < count; i++)
        at = put_call(at, &calls[i]);
    if (transaction)
        at = put(at, exec, sizeof exec - 1);
    request->bytes = (size_t)(at - request->text);
    request->replies = (unsigned)(transaction ? count + 2 : 1);
    return request;
}

void request_free(struct request *request)
{
    flotilla_reply_free(request->queue_error);
    flotilla_reply_free(request->reply);
    free(request);
}

/* ---- the queue ---- */

void request_insert(struct request_queue *queue, struct request *request, struct request *before)
{
    request->next = before;
    request->previous = before ? before->previous : queue->last;
    if (request->previous)
        request->previous->next = request;
    else
        queue->first = request;
    if (before)
        before->previous = request;
    else
        queue->last = request;
}

void request_append(struct request_queue *queue, struct request *request)
{
    request_insert(queue, request, NULL);
}

void request_remove(struct request_queue *queue, struct request *request)
{
    if (request->previous)
        request->previous->next = request->next;
    else
        queue->first = request->next;
    if (request->next)
        request->next->previous = request->previous;
    else
        queue->last = request->previous;
    request->previous = request->next = NULL;
}
