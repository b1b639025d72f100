/* What a node tells about itself. */
#include "http/internal.h"
#include "http/text.h"

#include <string.h>

void http_run_health(struct http_connection *connection)
{
    const struct http_host *host = &connection->http->host;
    const char *why = host->not_ready(host->context);
    if (!why)
        why = host->no_leader(host->context);
    if (why)
        http_respond_message(connection, 503, "unhealthy", span_text(why));
    else
        http_health_ask(connection);
}

void http_run_ready(struct http_connection *connection)
{
    const struct http_host *host = &connection->http->host;
    const char *why = host->not_ready(host->context);
    if (!why)
        why = host->no_leader(host->context);
    if (why) {
        http_respond_message(connection, 503, "not_ready", span_text(why));
        return;
    }
    struct buf body = {0};
    buf_add_text(&body, "{\"status\":\"ready\"}\n");
    http_respond(connection, 200, "application/json", &body, NULL);
}

/* PING is refused to callers without rights, and to nobody else for good: a node that loads, or has
 * not begun, shows its pages too. */
static bool may_look(struct http_connection *connection, const redisReply *ping)
{
    if (ping->type != REDIS_REPLY_ERROR)
        return true;
    struct span text = http_reply_span(ping);
    if (!span_begins_with(text, SPAN("NOAUTH")) && !span_begins_with(text, SPAN("NOPERM")))
        return true;
    http_respond_reply_error(connection, ping);
    return false;
}

static void ask_for_rights(struct http_connection *connection, http_replied *replied)
{
    if (!http_call_begin(connection))
        return;
    struct span ping = SPAN("PING");
    http_call_add(connection, &ping, 1);
    http_call_send(connection, replied);
}

static void write_page(struct http_connection *connection, const redisReply *ping,
                       enum http_page page)
{
    const struct http_host *host = &connection->http->host;
    if (!may_look(connection, ping))
        return;
    struct buf body = {0};
    host->write_page(host->context, page, &body);
    buf_add_char(&body, '\n');
    http_respond(connection, 200, "application/json", &body, NULL);
}

static void on_status(void *context, redisReply **replies, size_t count)
{
    (void)count;
    write_page(context, replies[0], HTTP_PAGE_STATUS);
}

void http_run_status(struct http_connection *connection)
{
    ask_for_rights(connection, on_status);
}

static void on_cluster(void *context, redisReply **replies, size_t count)
{
    (void)count;
    write_page(context, replies[0], HTTP_PAGE_CLUSTER);
}

void http_run_cluster(struct http_connection *connection)
{
    ask_for_rights(connection, on_cluster);
}

static void on_metrics(void *context, redisReply **replies, size_t count)
{
    (void)count;
    struct http_connection *connection = context;
    const struct http_host *host = &connection->http->host;
    if (!may_look(connection, replies[0]))
        return;
    struct buf body = {0};
    host->write_metrics(host->context, &body);
    http_respond(connection, 200, "text/plain; version=0.0.4; charset=utf-8", &body, NULL);
}

void http_run_metrics(struct http_connection *connection)
{
    ask_for_rights(connection, on_metrics);
}

/* --- /stats: INFO as JSON --- */

static bool is_number(struct span text)
{
    size_t i = text.len && text.ptr[0] == '-';
    size_t digits = 0, dots = 0;
    bool leads_with_zero = text.len > i + 1 && text.ptr[i] == '0' && text.ptr[i + 1] != '.';
    for (; i < text.len; i++) {
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9')
            digits++;
        else if (text.ptr[i] != '.' || digits == 0 || dots++)
            return false;
    }
    return digits && digits <= 15 && !leads_with_zero && text.ptr[text.len - 1] != '.';
}

static void write_line(struct buf *json, struct span line, bool *in_section, bool *has_field)
{
    if (span_begins_with(line, SPAN("# "))) {
        buf_add_text(json, *in_section ? "}," : "");
        http_write_string(json, span_of(line.ptr + 2, line.len - 2));
        buf_add_text(json, ":{");
        *in_section = true;
        *has_field = false;
        return;
    }
    const char *colon = memchr(line.ptr, ':', line.len);
    if (!colon || !*in_section)
        return;
    if (*has_field)
        buf_add_char(json, ',');
    *has_field = true;
    struct span value = span_of(colon + 1, line.len - (size_t)(colon - line.ptr) - 1);
    http_write_string(json, span_of(line.ptr, (size_t)(colon - line.ptr)));
    buf_add_char(json, ':');
    if (is_number(value))
        buf_add_span(json, value);
    else if (http_is_utf8(value))
        http_write_string(json, value);
    else
        buf_add_text(json, "null");
}

static void on_stats(void *context, redisReply **replies, size_t count)
{
    (void)count;
    struct http_connection *connection = context;
    if (replies[0]->type != REDIS_REPLY_STRING) {
        http_respond_reply_error(connection, replies[0]);
        return;
    }
    struct span rest = http_reply_span(replies[0]);
    struct buf body = {0};
    bool in_section = false, has_field = false;
    buf_add_char(&body, '{');
    while (rest.len) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        struct span line = span_of(rest.ptr, len);
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len)
            write_line(&body, line, &in_section, &has_field);
        len += end != NULL;
        rest = span_of(rest.ptr + len, rest.len - len);
    }
    buf_add_text(&body, in_section ? "}}\n" : "}\n");
    http_respond(connection, 200, "application/json", &body, NULL);
}

void http_run_stats(struct http_connection *connection)
{
    if (!http_call_begin(connection))
        return;
    struct span args[] = {SPAN("INFO"), SPAN("everything")};
    http_call_add(connection, args, 2);
    http_call_send(connection, on_stats);
}
