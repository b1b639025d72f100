/* POST /command and POST /batch: any command, one or many in order. */
#include "http/body.h"
#include "http/text.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* How the reply to an operation is told. */
enum http_operation_kind { OPERATION_SET, OPERATION_GET, OPERATION_DELETE, OPERATION_COMMAND };

struct http_operation {
    enum http_operation_kind kind;
};

static void refuse(struct http_connection *connection, size_t index, const char *code,
                   const char *why)
{
    char text[HTTP_REFUSAL_TEXT_MAX];
    int len = index == SIZE_MAX ? snprintf(text, sizeof text, "%s", why)
                                : snprintf(text, sizeof text, "operation %zu: %s", index, why);
    http_respond_message(connection, 400, code, span_of(text, (size_t)len));
}

static bool read_database(struct http_connection *connection)
{
    static const char *const known[] = {"db", NULL};
    struct http_work *work = &connection->work;
    struct span query = connection->request.query;
    int64_t number = 0;
    enum http_parameter found = http_query_get(query, "db", &work->memory);
    bool fine = found == HTTP_ABSENT ||
                (found == HTTP_PRESENT && http_parse_database(buf_span(&work->memory), &number));
    work->database = (uint32_t)number;
    if (fine && !http_query_has_others(query, known))
        return true;
    refuse(connection, SIZE_MAX, "bad_parameter", "the only parameter here is 'db', a database");
    return false;
}

/* --- one command --- */

static void on_command(void *context, redisReply **replies, size_t count)
{
    struct http_connection *connection = context;
    const redisReply *reply = replies[count - 1];
    if (reply->type == REDIS_REPLY_ERROR) {
        http_respond_reply_error(connection, reply);
        return;
    }
    struct buf body = {0};
    buf_add_text(&body, "{\"reply\":");
    http_write_reply(&body, reply);
    buf_add_text(&body, "}\n");
    http_respond(connection, 200, "application/json", &body, NULL);
}

void http_run_command(struct http_connection *connection)
{
    if (!read_database(connection))
        return;
    json_t *json = http_read_json(connection);
    if (!json)
        return;
    struct http_arguments arguments = {.list = NULL};
    const char *why;
    if (!http_arguments_read(json, &arguments, &why))
        refuse(connection, SIZE_MAX, "bad_command", why);
    else if ((why = http_refuses_command(connection->http->table, arguments.list,
                                         arguments.count)) != NULL)
        refuse(connection, SIZE_MAX, "command_not_allowed", why);
    else if (http_call_begin(connection)) {
        http_call_add(connection, arguments.list, arguments.count);
        http_call_send(connection, on_command);
    }
    http_arguments_close(&arguments);
    json_decref(json);
}

/* --- a batch --- */

/* What an operation is made of. NULL: the field is absent. */
struct fields {
    const json_t *op, *key, *value, *ttl, *if_absent, *args;
};

static bool read_fields(const json_t *json, struct fields *fields)
{
    const struct {
        const char *name;
        const json_t **to;
    } known[] = {{"op", &fields->op},
                 {"key", &fields->key},
                 {"value", &fields->value},
                 {"ttl", &fields->ttl},
                 {"if_absent", &fields->if_absent},
                 {"args", &fields->args}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *known[i].to = json_object_get(json, known[i].name);
        count += *known[i].to != NULL;
    }
    return json_is_object(json) && count == json_object_size(json) && json_is_string(fields->op);
}

static bool add_bytes(struct http_arguments *arguments, const json_t *value)
{
    struct buf bytes = {0};
    bool fine = http_read_bytes(value, &bytes);
    if (fine)
        http_arguments_add(arguments, buf_span(&bytes));
    buf_close(&bytes);
    return fine;
}

static bool add_ttl(struct http_arguments *arguments, const json_t *ttl)
{
    char text[32];
    int64_t ms;
    int len = json_is_integer(ttl)
                  ? snprintf(text, sizeof text, "%lld", (long long)json_integer_value(ttl))
                  : snprintf(text, sizeof text, "%.3f", json_real_value(ttl));
    if (!json_is_number(ttl) || len <= 0 || (size_t)len >= sizeof text ||
        !http_parse_ttl(span_of(text, (size_t)len), &ms))
        return false;
    http_arguments_add(arguments, SPAN("PX"));
    len = snprintf(text, sizeof text, "%lld", (long long)ms);
    http_arguments_add(arguments, span_of(text, (size_t)len));
    return true;
}

/* NULL: it is fine. */
static const char *read_set(const struct fields *fields, struct http_arguments *arguments)
{
    http_arguments_add(arguments, SPAN("SET"));
    if (fields->args || !add_bytes(arguments, fields->key) || !add_bytes(arguments, fields->value))
        return "'set' has 'key' and 'value', each a string or {\"base64\":\"…\"}";
    if (fields->ttl && !add_ttl(arguments, fields->ttl))
        return "'ttl' is no number of seconds above 0, with at most three decimals";
    if (fields->if_absent && !json_is_boolean(fields->if_absent))
        return "'if_absent' is true or false";
    if (json_is_true(fields->if_absent))
        http_arguments_add(arguments, SPAN("NX"));
    return NULL;
}

static const char *read_keyed(const struct fields *fields, const char *command,
                              struct http_arguments *arguments)
{
    http_arguments_add(arguments, span_text(command));
    bool fine = !fields->args && !fields->value && !fields->ttl && !fields->if_absent &&
                add_bytes(arguments, fields->key);
    return fine ? NULL : "'get' and 'delete' have 'key' alone, a string or {\"base64\":\"…\"}";
}

static const char *read_command(const struct fields *fields, const struct command_table *table,
                                struct http_arguments *arguments)
{
    const char *why = "'command' has 'args' alone";
    if (fields->key || fields->value || fields->ttl || fields->if_absent || !fields->args)
        return why;
    if (!http_arguments_read(fields->args, arguments, &why))
        return why;
    return http_refuses_command(table, arguments->list, arguments->count);
}

static const char *read_operation(const json_t *json, const struct command_table *table,
                                  enum http_operation_kind *kind, struct http_arguments *arguments)
{
    struct fields fields;
    if (!read_fields(json, &fields))
        return "it is an object with 'op' and 'key', 'value', 'ttl', 'if_absent' or 'args'";
    const char *op = json_string_value(fields.op);
    const char *why;
    if (strcmp(op, "command") == 0) {
        *kind = OPERATION_COMMAND;
        return read_command(&fields, table, arguments);
    }
    if (strcmp(op, "set") == 0) {
        *kind = OPERATION_SET;
        why = read_set(&fields, arguments);
    } else if (strcmp(op, "get") == 0) {
        *kind = OPERATION_GET;
        why = read_keyed(&fields, "GET", arguments);
    } else if (strcmp(op, "delete") == 0) {
        *kind = OPERATION_DELETE;
        why = read_keyed(&fields, "DEL", arguments);
    } else
        return "'op' is 'set', 'get', 'delete' or 'command'";
    http_arguments_end(arguments);
    return why;
}

static void write_result(struct buf *json, enum http_operation_kind kind, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        http_write_reply(json, reply);
        return;
    }
    switch (kind) {
    case OPERATION_SET:
        buf_add_text(json,
                     reply->type == REDIS_REPLY_STATUS ? "{\"set\":true}" : "{\"set\":false}");
        return;
    case OPERATION_DELETE:
        buf_add_text(json, reply->integer ? "{\"deleted\":true}" : "{\"deleted\":false}");
        return;
    case OPERATION_GET:
        buf_add_text(json, "{\"value\":");
        break;
    case OPERATION_COMMAND:
        buf_add_text(json, "{\"reply\":");
        break;
    }
    http_write_reply(json, reply);
    buf_add_char(json, '}');
}

static void respond_results(struct http_connection *connection, redisReply **replies)
{
    const struct http_work *work = &connection->work;
    struct buf body = {0};
    buf_add_text(&body, "{\"results\":[");
    for (size_t i = 0; i < work->operations; i++) {
        if (i)
            buf_add_char(&body, ',');
        write_result(&body, work->list[i].kind, replies[i]);
    }
    buf_add_text(&body, "]}\n");
    http_respond(connection, 200, "application/json", &body, NULL);
}

static void on_batch(void *context, redisReply **replies, size_t count)
{
    struct http_connection *connection = context;
    if (!connection->work.atomic) {
        /* Without rights nothing at all was carried out. */
        if (replies[0]->type == REDIS_REPLY_ERROR &&
            span_begins_with(http_reply_span(replies[0]), SPAN("NOAUTH")))
            http_respond_reply_error(connection, replies[0]);
        else
            respond_results(connection, replies);
        return;
    }
    const redisReply *exec = replies[count - 1];
    if (exec->type == REDIS_REPLY_ARRAY && exec->elements == connection->work.operations) {
        respond_results(connection, exec->element);
        return;
    }
    for (size_t i = 0; i < count; i++) { /* the first one is the cause */
        if (replies[i]->type != REDIS_REPLY_ERROR)
            continue;
        http_respond_reply_error(connection, replies[i]);
        return;
    }
    refuse(connection, SIZE_MAX, "transaction_refused", "the transaction was not executed");
}

static void add_word(struct http_connection *connection, const char *word)
{
    struct span command = span_text(word);
    http_call_add(connection, &command, 1);
}

/* Everything is read before anything is sent: what is wrong with the last keeps the first from
 * being carried out. */
static void run_batch(struct http_connection *connection, const json_t *list)
{
    struct http_work *work = &connection->work;
    size_t count = json_array_size(list);
    struct http_arguments *all = mem_zalloc(count * sizeof *all);
    work->operations = count;
    work->list = mem_zalloc(count * sizeof *work->list);
    const char *why = NULL;
    size_t at = 0;
    for (; at < count && !why; at++)
        why = read_operation(json_array_get(list, at), connection->http->table,
                             &work->list[at].kind, &all[at]);
    if (why)
        refuse(connection, at - 1, "bad_operation", why);
    else if (http_call_begin(connection)) {
        if (work->atomic)
            add_word(connection, "MULTI");
        for (size_t i = 0; i < count; i++)
            http_call_add(connection, all[i].list, all[i].count);
        if (work->atomic)
            add_word(connection, "EXEC");
        http_call_send(connection, on_batch);
    }
    for (size_t i = 0; i < count; i++)
        http_arguments_close(&all[i]);
    mem_free(all);
}

void http_run_batch(struct http_connection *connection)
{
    if (!read_database(connection))
        return;
    json_t *json = http_read_json(connection);
    if (!json)
        return;
    const json_t *list = json_object_get(json, "operations");
    const json_t *atomic = json_object_get(json, "atomic");
    size_t known = (size_t)(list != NULL) + (atomic != NULL);
    connection->work.atomic = json_is_true(atomic);
    if (json_array_size(list) == 0 || (atomic && !json_is_boolean(atomic)) ||
        json_object_size(json) != known)
        refuse(connection, SIZE_MAX, "bad_batch",
               "the body has to be {\"operations\":[…],\"atomic\":true|false}, with at least one "
               "operation");
    else
        run_batch(connection, list);
    json_decref(json);
}
