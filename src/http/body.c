/* JSON bodies, and what commands may be asked for. */
#include "http/body.h"
#include "http/text.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

json_t *http_read_json(struct http_connection *connection)
{
    json_error_t error;
    json_t *json =
        json_loadb(connection->body.ptr ? connection->body.ptr : "", connection->body.len,
                   JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (json)
        return json;
    char text[HTTP_REFUSAL_TEXT_MAX];
    int len = snprintf(text, sizeof text, "the body is no JSON: line %d, column %d: %.160s",
                       error.line, error.column, error.text);
    struct span message = span_of(text, (size_t)len);
    http_respond_message(connection, 400, "bad_json",
                         http_is_utf8(message) ? message : SPAN("the body is no JSON"));
    return NULL;
}

bool http_read_bytes(const json_t *value, struct buf *out)
{
    if (json_is_string(value)) {
        buf_add(out, json_string_value(value), json_string_length(value));
        return true;
    }
    const json_t *text = json_object_size(value) == 1 ? json_object_get(value, "base64") : NULL;
    return text && json_is_string(text) &&
           http_read_base64(span_of(json_string_value(text), json_string_length(text)), out);
}

static void grow(struct http_arguments *arguments)
{
    if (arguments->count < arguments->cap)
        return;
    arguments->cap = arguments->cap ? arguments->cap * 2 : 8;
    arguments->lengths =
        mem_realloc(arguments->lengths, arguments->cap * sizeof *arguments->lengths);
}

void http_arguments_add(struct http_arguments *arguments, struct span one)
{
    grow(arguments);
    buf_add_span(&arguments->bytes, one);
    arguments->lengths[arguments->count++] = one.len;
}

void http_arguments_end(struct http_arguments *arguments)
{
    const char *at = arguments->bytes.ptr;
    arguments->list = mem_alloc((arguments->count + 1) * sizeof *arguments->list);
    for (size_t i = 0; i < arguments->count; i++) {
        arguments->list[i] = span_of(at, arguments->lengths[i]);
        at = at ? at + arguments->lengths[i] : NULL;
    }
}

void http_arguments_close(struct http_arguments *arguments)
{
    buf_close(&arguments->bytes);
    mem_free(arguments->list);
    mem_free(arguments->lengths);
    *arguments = (struct http_arguments){.list = NULL};
}

bool http_arguments_read(const json_t *array, struct http_arguments *arguments, const char **why)
{
    *why = "a command is an array of strings, integers and {\"base64\":\"…\"}, and not empty";
    if (json_array_size(array) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = json_array_get(array, i);
        grow(arguments);
        size_t before = arguments->bytes.len;
        if (json_is_integer(one))
            buf_add_i64(&arguments->bytes, json_integer_value(one));
        else if (!http_read_bytes(one, &arguments->bytes))
            return false;
        arguments->lengths[arguments->count++] = arguments->bytes.len - before;
    }
    http_arguments_end(arguments);
    return true;
}

/* What belongs to a connection: a request has none of its own. */
static const char *const of_connections[] = {
    "auth",
    "hello",
    "reset",
    "quit",
    "select",
    "multi",
    "exec",
    "discard",
    "watch",
    "unwatch",
    "readonly",
    "readwrite",
    "asking",
    "client|reply",
    "client|setname",
    "client|setinfo",
    "client|session",
    "client|no-evict",
    "client|no-touch",
    "client|maint_notifications",
    "monitor",
};

/* XREAD and XREADGROUP wait only with BLOCK, which stands before STREAMS. */
static bool waits(const struct command *command, const struct span *args, size_t argc)
{
    if (strncmp(command->name, "wait", 4) == 0) /* WAIT, WAITAOF */
        return true;
    if ((command->flags & COMMAND_BLOCKING) == 0)
        return false;
    if (strncmp(command->name, "xread", 5) != 0)
        return true;
    for (size_t i = 1; i < argc && !span_is(args[i], "STREAMS"); i++)
        if (span_is(args[i], "BLOCK"))
            return true;
    return false;
}

const char *http_refuses_command(const struct command_table *table, const struct span *args,
                                 size_t argc)
{
    static const char no_node[] = "only nodes say this to each other";
    static const char no_state[] = "it concerns a connection, and a request has none: use 'db', "
                                   "'Authorization' or POST /batch with \"atomic\"";
    const struct command *command = command_find(table, args, argc);
    if (!command) /* net/ says what is wrong with it */
        return args[0].len > 5 && span_is(span_of(args[0].ptr, 5), "RAFT.") ? no_node : NULL;
    for (size_t i = 0; i < sizeof of_connections / sizeof *of_connections; i++)
        if (strcmp(command->fullname, of_connections[i]) == 0)
            return no_state;
    /* PUBLISH sends; what receives changes the connection. */
    if ((command->flags & COMMAND_PUBSUB) && strstr(command->fullname, "subscribe"))
        return no_state;
    return waits(command, args, argc) ? "it would wait: nothing over HTTP blocks" : NULL;
}

bool http_parse_database(struct span text, int64_t *number)
{
    enum { DATABASE_MAX = 9999 };
    return number_parse_i64(text, number) && *number >= 0 && *number <= DATABASE_MAX;
}

bool http_parse_ttl(struct span text, int64_t *ms)
{
    enum { SECONDS_DIGITS = 12 };
    int64_t value = 0;
    int decimals = -1; /* none yet, and no point */
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' && decimals < 0 && digits) {
            decimals = 0;
            continue;
        }
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || decimals == 3 || ++digits > SECONDS_DIGITS)
            return false;
        value = value * 10 + (text.ptr[i] - '0');
        decimals += decimals >= 0;
    }
    if (digits == 0 || decimals == 0)
        return false;
    for (int i = decimals < 0 ? 0 : decimals; i < 3; i++)
        value *= 10;
    *ms = value;
    return value > 0;
}
