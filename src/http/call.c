/* The way of a request to net/ and back. Each begins with RESET, so that nothing of an earlier one
 * is left on the connection, and with AUTH, so that net/ judges the caller: here is the one place
 * where the rights of a request are checked. */
#include "http/internal.h"
#include "http/text.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static const struct http_error no_descriptors = {
    503, "no_descriptors", "the process has no descriptors left: nothing was executed"};
static const struct http_error is_lost = {
    502, "connection_lost",
    "the node ended what carried the request out: it may have taken effect"};

/* What the first word of an error reply is here. */
static const struct {
    const char *prefix;
    int status;
    const char *code;
} errors[] = {
    {"NOAUTH", 401, "unauthorized"},
    {"WRONGPASS", 401, "unauthorized"},
    {"NOPERM", 403, "forbidden"},
    {"WRONGTYPE", 409, "wrong_type"},
    {"CLUSTERDOWN", 503, "no_leader"},
    {"LOADING", 503, "loading"},
    {"MISCONF", 503, "not_writable"},
    {"MOVED", 503, "moved"},
    {"OOM", 507, "out_of_memory"},
    {"UNKNOWN", 504, "outcome_unknown"},
    {"EXECABORT", 400, "transaction_refused"},
    {"ERR", 400, "command_failed"},
};
enum { ERRORS = sizeof errors / sizeof *errors };

struct span http_reply_span(const redisReply *reply)
{
    return span_of(reply->str, (size_t)reply->len);
}

static size_t error_of(const redisReply *reply)
{
    struct span text = http_reply_span(reply);
    for (size_t i = 0; i < ERRORS; i++) {
        size_t len = strlen(errors[i].prefix);
        if (span_begins_with(text, span_text(errors[i].prefix)) &&
            (text.len == len || text.ptr[len] == ' '))
            return i;
    }
    return ERRORS - 1;
}

void http_respond_reply_error(struct http_connection *connection, const redisReply *reply)
{
    size_t at = error_of(reply);
    http_respond_message(connection, errors[at].status, errors[at].code, http_reply_span(reply));
}

static void write_error(struct buf *json, const redisReply *reply)
{
    buf_printf(json, "{\"error\":{\"code\":\"%s\",\"message\":", errors[error_of(reply)].code);
    http_write_bytes(json, http_reply_span(reply));
    buf_add_text(json, "}}");
}

/* hiredis' reader lets replies nest seven deep, no deeper. */
void http_write_reply(struct buf *json, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        http_write_bytes(json, http_reply_span(reply));
        break;
    case REDIS_REPLY_INTEGER:
        buf_add_i64(json, reply->integer);
        break;
    case REDIS_REPLY_ERROR:
        write_error(json, reply);
        break;
    case REDIS_REPLY_ARRAY:
        buf_add_char(json, '[');
        for (size_t i = 0; i < reply->elements; i++) {
            if (i)
                buf_add_char(json, ',');
            http_write_reply(json, reply->element[i]);
        }
        buf_add_char(json, ']');
        break;
    default:
        buf_add_text(json, "null");
        break;
    }
}

static void add(struct http_connection *connection, const struct span *args, size_t argc)
{
    http_backend_add(connection->work.backend, args, argc);
}

bool http_call_begin(struct http_connection *connection)
{
    struct http_work *work = &connection->work;
    struct http_credentials credentials = {.has = false};
    struct http_error error;
    bool fine = http_read_credentials(&connection->request, &credentials, &error);
    if (fine) {
        work->backend = http_backend_take(connection->http, connection->local, false);
        error = no_descriptors;
        fine = work->backend != NULL;
    }
    if (!fine) {
        buf_close(&credentials.text);
        http_respond_error(connection, &error);
        return false;
    }
    struct span reset = SPAN("RESET");
    add(connection, &reset, 1);
    work->prefix = 1;
    if (credentials.has) {
        struct span text = buf_span(&credentials.text);
        size_t at = credentials.password_at;
        struct span args[] = {SPAN("AUTH"), span_of(text.ptr, at),
                              span_of(text.ptr + at, text.len - at)};
        add(connection, args, 3);
        work->prefix++;
    }
    if (work->database) {
        char number[16];
        int len = snprintf(number, sizeof number, "%u", (unsigned)work->database);
        struct span args[] = {SPAN("SELECT"), span_of(number, (size_t)len)};
        add(connection, args, 2);
        work->prefix++;
    }
    buf_close(&credentials.text);
    return true;
}

void http_call_add(struct http_connection *connection, const struct span *args, size_t argc)
{
    connection->work.ends_node |= span_is(args[0], "SHUTDOWN");
    add(connection, args, argc);
}

static void on_replied(void *context, redisReply **replies, size_t count)
{
    struct http_connection *connection = context;
    struct http_work *work = &connection->work;
    if (count == 0) {
        work->backend = NULL;
        http_respond_error(connection, &is_lost);
        return;
    }
    size_t prefix = work->prefix;
    work->prefix = 0;
    for (size_t i = 0; i < prefix; i++) {
        if (replies[i]->type != REDIS_REPLY_ERROR)
            continue;
        http_respond_reply_error(connection, replies[i]);
        return;
    }
    work->replied(connection, replies + prefix, count - prefix);
}

void http_call_send(struct http_connection *connection, http_replied *replied)
{
    connection->work.replied = replied;
    http_backend_send(connection->work.backend, on_replied, connection);
}

void http_call_end(struct http_connection *connection)
{
    struct http_work *work = &connection->work;
    if (work->backend)
        http_backend_give_back(work->backend);
    buf_close(&work->key);
    buf_close(&work->value);
    buf_close(&work->memory);
    mem_free(work->list);
    *work = (struct http_work){.backend = NULL};
}
