/* /kv/{key}: one string, with a revision.
 *
 * The revision is made of the value alone: 128 bits of its SHA-256. Who sends If-Match says: only
 * if the value is still the one that I have seen. It is compared and written in one step: WATCH,
 * GET, and a transaction that is refused if the key has changed since. */
#include "http/body.h"
#include "http/text.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/number.h"

enum { REVISION_BYTES = 16, REVISION_MAX = 2 * REVISION_BYTES + 3, TRIES_MAX = 16 };

static const struct http_error no_key = {404, "no_such_key", "there is no such key"};
static const struct http_error is_otherwise = {
    412, "precondition_failed", "the value is not as the request demands: nothing was executed"};
static const struct http_error is_contested = {
    409, "conflict", "others changed the key at each try: nothing was executed"};
static const struct http_error bad_encoding = {
    400, "bad_encoding", "a percent sign is not followed by two hexadecimal digits"};
static const struct http_error bad_parameter = {
    400, "bad_parameter", "a parameter of the query is unknown here, or stands twice"};
static const struct http_error bad_database = {400, "bad_parameter", "'db' is no database"};
static const struct http_error bad_ttl = {
    400, "bad_parameter",
    "'ttl' is neither a number of seconds above 0, with at most three decimals, nor 'keep'"};
static const struct http_error bad_value = {
    400, "bad_value",
    "the body has to be {\"value\":\"…\"} or {\"value\":{\"base64\":\"…\"}}, without other fields"};
static const struct http_error bad_condition = {
    400, "bad_condition",
    "here 'If-None-Match' can only be '*', alone, and 'If-Match' is a list of revisions or '*'"};

/* With its quotes, as it stands in ETag. */
static void revision_of(struct span value, char out[REVISION_MAX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int done = EVP_Digest(value.ptr ? value.ptr : "", value.len, digest, &len, EVP_sha256(), NULL);
    ASSERT(done == 1 && len >= REVISION_BYTES);
    out[0] = '"';
    for (size_t i = 0; i < REVISION_BYTES; i++)
        snprintf(out + 1 + 2 * i, 3, "%02x", digest[i]);
    memcpy(out + 1 + 2 * (size_t)REVISION_BYTES, "\"", 2);
}

/* Whether one of the listed revisions is this one. `weak` ones count where nothing is written. */
static bool lists(struct span list, const char *revision, bool weak)
{
    size_t len = strlen(revision);
    while (list.len && list.len >= len) {
        const char *comma = memchr(list.ptr, ',', list.len);
        struct span one = comma ? span_of(list.ptr, (size_t)(comma - list.ptr)) : list;
        list = comma ? span_of(comma + 1, list.len - one.len - 1) : span_of(NULL, 0);
        while (one.len && one.ptr[0] == ' ')
            one = span_of(one.ptr + 1, one.len - 1);
        while (one.len && one.ptr[one.len - 1] == ' ')
            one.len--;
        if (weak && span_begins_with(one, SPAN("W/")))
            one = span_of(one.ptr + 2, one.len - 2);
        if (span_equal(one, span_of(revision, len)))
            return true;
    }
    return false;
}

/* --- what the request says --- */

static bool read_key(struct http_connection *connection, struct http_error *error)
{
    struct buf *key = &connection->work.key;
    size_t len;
    *error = bad_encoding;
    bool fine = http_decode_percent(connection->argument,
                                    buf_reserve(key, connection->argument.len + 1), &len);
    key->len = fine ? len : 0;
    return fine;
}

static bool read_database(struct http_connection *connection, struct http_error *error)
{
    struct http_work *work = &connection->work;
    int64_t number;
    switch (http_query_get(connection->request.query, "db", &work->memory)) {
    case HTTP_ABSENT:
        return true;
    case HTTP_PRESENT:
        *error = bad_database;
        if (!http_parse_database(buf_span(&work->memory), &number))
            return false;
        work->database = (uint32_t)number;
        return true;
    case HTTP_TWICE:
        *error = bad_parameter;
        return false;
    case HTTP_MALFORMED:
        *error = bad_encoding;
        return false;
    }
    return false;
}

static bool read_ttl(struct http_connection *connection, struct http_error *error)
{
    struct http_work *work = &connection->work;
    switch (http_query_get(connection->request.query, "ttl", &work->memory)) {
    case HTTP_ABSENT:
        return true;
    case HTTP_PRESENT:
        *error = bad_ttl;
        work->keeps_ttl = span_equal(buf_span(&work->memory), SPAN("keep"));
        return work->keeps_ttl || http_parse_ttl(buf_span(&work->memory), &work->ttl_ms);
    case HTTP_TWICE:
        *error = bad_parameter;
        return false;
    case HTTP_MALFORMED:
        *error = bad_encoding;
        return false;
    }
    return false;
}

static const char *const reading[] = {"db", NULL};
static const char *const writing[] = {"db", "ttl", NULL};

static bool read_target(struct http_connection *connection, const char *const *parameters,
                        struct http_error *error)
{
    if (!read_key(connection, error) || !read_database(connection, error))
        return false;
    *error = bad_parameter;
    return !http_query_has_others(connection->request.query, parameters);
}

static bool read_conditions(struct http_connection *connection, struct http_error *error)
{
    const struct http_request *request = &connection->request;
    struct http_work *work = &connection->work;
    work->only_new = request->if_none_match.ptr != NULL;
    work->any_revision = request->if_match.ptr && span_equal(request->if_match, SPAN("*"));
    *error = bad_condition;
    return !(work->only_new &&
             (request->if_match.ptr || !span_equal(request->if_none_match, SPAN("*"))));
}

static bool read_value(struct http_connection *connection)
{
    struct http_work *work = &connection->work;
    if (!http_has_json(connection)) {
        work->value = connection->body;
        connection->body = (struct buf){0};
        return true;
    }
    json_t *json = http_read_json(connection);
    if (!json)
        return false;
    bool fine = json_object_size(json) == 1 &&
                http_read_bytes(json_object_get(json, "value"), &work->value);
    json_decref(json);
    if (!fine)
        http_respond_error(connection, &bad_value);
    return fine;
}

/* --- GET --- */

static bool wants_bytes(const struct http_request *request)
{
    return span_begins_with(request->accept, SPAN("application/octet-stream"));
}

static void on_got(void *context, redisReply **replies, size_t count)
{
    (void)count;
    struct http_connection *connection = context;
    const struct http_request *request = &connection->request;
    if (replies[0]->type == REDIS_REPLY_ERROR) {
        http_respond_reply_error(connection, replies[0]);
        return;
    }
    if (replies[0]->type != REDIS_REPLY_STRING) {
        http_respond_error(connection, &no_key);
        return;
    }
    struct span value = http_reply_span(replies[0]);
    char revision[REVISION_MAX];
    char more[REVISION_MAX + 16];
    revision_of(value, revision);
    snprintf(more, sizeof more, "ETag: %s\r\n", revision);
    struct buf body = {0};
    if (request->if_match.ptr && !span_equal(request->if_match, SPAN("*")) &&
        !lists(request->if_match, revision, false)) {
        http_respond_error(connection, &is_otherwise);
        return;
    }
    if (request->if_none_match.ptr && (span_equal(request->if_none_match, SPAN("*")) ||
                                       lists(request->if_none_match, revision, true))) {
        http_respond(connection, 304, "", &body, more);
        return;
    }
    if (wants_bytes(request)) {
        buf_add_span(&body, value);
        http_respond(connection, 200, "application/octet-stream", &body, more);
        return;
    }
    buf_add_text(&body, "{\"value\":");
    http_write_bytes(&body, value);
    buf_printf(&body, ",\"revision\":%s}\n", revision);
    http_respond(connection, 200, "application/json", &body, more);
}

static void add_get(struct http_connection *connection)
{
    struct span args[] = {SPAN("GET"), buf_span(&connection->work.key)};
    http_call_add(connection, args, 2);
}

void http_run_get(struct http_connection *connection)
{
    struct http_error error;
    if (!read_target(connection, reading, &error)) {
        http_respond_error(connection, &error);
        return;
    }
    if (!http_call_begin(connection))
        return;
    add_get(connection);
    http_call_send(connection, on_got);
}

/* --- PUT, DELETE --- */

static void add_write(struct http_connection *connection)
{
    const struct http_work *work = &connection->work;
    if (work->deletes) {
        struct span args[] = {SPAN("DEL"), buf_span(&work->key)};
        http_call_add(connection, args, 2);
        return;
    }
    struct span args[6] = {SPAN("SET"), buf_span(&work->key), buf_span(&work->value)};
    size_t argc = 3;
    char number[NUMBER_I64_CHARS];
    if (work->ttl_ms) {
        args[argc++] = SPAN("PX");
        args[argc++] = span_of(
            number, (size_t)snprintf(number, sizeof number, "%lld", (long long)work->ttl_ms));
    }
    if (work->keeps_ttl)
        args[argc++] = SPAN("KEEPTTL");
    if (work->only_new)
        args[argc++] = SPAN("NX");
    else if (work->any_revision)
        args[argc++] = SPAN("XX");
    http_call_add(connection, args, argc);
}

static void respond_deleted(struct http_connection *connection, const redisReply *reply)
{
    if (reply->integer == 0) {
        http_respond_error(connection, connection->work.any_revision ? &is_otherwise : &no_key);
        return;
    }
    struct buf body = {0};
    buf_add_text(&body, "{\"deleted\":true}\n");
    http_respond(connection, 200, "application/json", &body, NULL);
}

static void respond_written(struct http_connection *connection, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        http_respond_reply_error(connection, reply);
        return;
    }
    if (connection->work.deletes) {
        respond_deleted(connection, reply);
        return;
    }
    if (reply->type != REDIS_REPLY_STATUS) { /* NX, XX */
        http_respond_error(connection, &is_otherwise);
        return;
    }
    char revision[REVISION_MAX];
    char more[REVISION_MAX + 16];
    revision_of(buf_span(&connection->work.value), revision);
    snprintf(more, sizeof more, "ETag: %s\r\n", revision);
    struct buf body = {0};
    buf_printf(&body, "{\"revision\":%s}\n", revision);
    http_respond(connection, 200, "application/json", &body, more);
}

static void on_written(void *context, redisReply **replies, size_t count)
{
    respond_written(context, replies[count - 1]);
}

static void compare(void *context, redisReply **replies, size_t count);

static void watch(struct http_connection *connection)
{
    struct span args[] = {SPAN("WATCH"), buf_span(&connection->work.key)};
    http_call_add(connection, args, 2);
    add_get(connection);
    http_call_send(connection, compare);
}

static void on_transaction(void *context, redisReply **replies, size_t count)
{
    struct http_connection *connection = context;
    const redisReply *exec = replies[count - 1];
    for (size_t i = 0; i < count; i++) {
        if (replies[i]->type != REDIS_REPLY_ERROR)
            continue;
        http_respond_reply_error(connection, replies[i]);
        return;
    }
    if (exec->type == REDIS_REPLY_ARRAY && exec->elements == 1)
        respond_written(connection, exec->element[0]);
    else if (++connection->work.tries < TRIES_MAX)
        watch(connection); /* it may have been written with the same value */
    else
        http_respond_error(connection, &is_contested);
}

static void compare(void *context, redisReply **replies, size_t count)
{
    struct http_connection *connection = context;
    const redisReply *value = replies[count - 1];
    char revision[REVISION_MAX];
    for (size_t i = 0; i < count; i++) {
        if (replies[i]->type != REDIS_REPLY_ERROR)
            continue;
        http_respond_reply_error(connection, replies[i]);
        return;
    }
    if (value->type == REDIS_REPLY_STRING)
        revision_of(http_reply_span(value), revision);
    if (value->type != REDIS_REPLY_STRING ||
        !lists(connection->request.if_match, revision, false)) {
        http_respond_error(connection, &is_otherwise);
        return;
    }
    struct span multi = SPAN("MULTI"), exec = SPAN("EXEC");
    http_call_add(connection, &multi, 1);
    add_write(connection);
    http_call_add(connection, &exec, 1);
    http_call_send(connection, on_transaction);
}

static void write_key(struct http_connection *connection)
{
    if (!http_call_begin(connection))
        return;
    if (connection->request.if_match.ptr && !connection->work.any_revision) {
        watch(connection);
        return;
    }
    add_write(connection);
    http_call_send(connection, on_written);
}

void http_run_put(struct http_connection *connection)
{
    struct http_error error;
    if (!read_target(connection, writing, &error) || !read_ttl(connection, &error) ||
        !read_conditions(connection, &error)) {
        http_respond_error(connection, &error);
        return;
    }
    if (read_value(connection))
        write_key(connection);
}

void http_run_delete(struct http_connection *connection)
{
    struct http_error error;
    connection->work.deletes = true;
    if (!read_target(connection, reading, &error) || !read_conditions(connection, &error)) {
        http_respond_error(connection, &error);
        return;
    }
    if (connection->work.only_new)
        http_respond_error(connection, &bad_condition);
    else
        write_key(connection);
}
