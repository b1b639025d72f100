#include "bench/load/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- requests --- */

enum { KEY_CHARS = 16 };

static void resp_add(struct buf *out, enum request_kind kind, const char *key, const char *values,
                     size_t value_bytes)
{
    static const char *const begins[] = {[REQUEST_READ] = "*2\r\n$3\r\nGET\r\n$16\r\n",
                                         [REQUEST_SET] = "*3\r\n$3\r\nSET\r\n$16\r\n",
                                         [REQUEST_INCR] = "*2\r\n$4\r\nINCR\r\n$16\r\n"};
    buf_add_text(out, begins[kind]);
    buf_add(out, key, KEY_CHARS);
    buf_add_text(out, "\r\n");
    if (kind != REQUEST_SET)
        return;
    buf_printf(out, "$%zu\r\n", value_bytes);
    buf_add(out, values, value_bytes);
    buf_add_text(out, "\r\n");
}

static void base64_add(struct buf *out, const char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        uint32_t three = (uint32_t)(unsigned char)bytes[i] << 16;
        if (i + 1 < count)
            three |= (uint32_t)(unsigned char)bytes[i + 1] << 8;
        if (i + 2 < count)
            three |= (uint32_t)(unsigned char)bytes[i + 2];
        buf_add_char(out, digits[three >> 18]);
        buf_add_char(out, digits[three >> 12 & 63]);
        buf_add_char(out, i + 1 < count ? digits[three >> 6 & 63] : '=');
        buf_add_char(out, i + 2 < count ? digits[three & 63] : '=');
    }
}

static void etcd_add(struct buf *out, enum request_kind kind, const char *key, const char *values,
                     size_t value_bytes)
{
    size_t key_chars = (KEY_CHARS + 2) / 3 * 4;
    size_t value_chars = (value_bytes + 2) / 3 * 4;
    if (kind == REQUEST_READ)
        buf_printf(out,
                   "POST /v3/kv/range HTTP/1.1\r\nHost: etcd\r\nContent-Length: %zu\r\n\r\n"
                   "{\"key\":\"",
                   key_chars + 10);
    else
        buf_printf(out,
                   "POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\nContent-Length: %zu\r\n\r\n"
                   "{\"key\":\"",
                   key_chars + value_chars + 21);
    base64_add(out, key, KEY_CHARS);
    if (kind != REQUEST_READ) {
        buf_add_text(out, "\",\"value\":\"");
        /* A value in base64 is any text of that alphabet; what stands for no whole byte is 0. */
        size_t padding = (3 - value_bytes % 3) % 3;
        buf_add(out, values, padding ? value_chars - padding - 1 : value_chars);
        buf_add_text(out, padding == 0 ? "" : padding == 1 ? "A=" : "A==");
    }
    buf_add_text(out, "\"}");
}

void protocol_add_request(struct buf *out, enum protocol protocol, enum request_kind kind,
                          uint64_t key, const char *values, size_t value_bytes)
{
    char name[KEY_CHARS + 24];
    snprintf(name, sizeof(name), "key:%012" PRIu64, key);
    switch (protocol) {
    case PROTOCOL_RESP:
        resp_add(out, kind, name, values, value_bytes);
        return;
    case PROTOCOL_ETCD:
        etcd_add(out, kind, name, values, value_bytes);
        return;
    }
}

/* --- replies --- */

static void parser_begin(struct parser *parser, enum parse_state state)
{
    parser->state = state;
    parser->length = 0;
    parser->text[0] = 0;
}

void parser_init(struct parser *parser, enum protocol protocol)
{
    *parser = (struct parser){.protocol = protocol};
    parser_begin(parser, protocol == PROTOCOL_RESP ? PARSE_LINE : PARSE_HTTP_STATUS);
}

/* What is longer than `text` is cut. */
static void text_add(char *text, unsigned *length, const char *bytes, size_t count)
{
    size_t room = PROTOCOL_TEXT_MAX - 1 - *length;
    if (count > room)
        count = room;
    memcpy(text + *length, bytes, count);
    *length += (unsigned)count;
    text[*length] = 0;
}

/* True when the line is whole: it is in `text` then, without its end. */
static bool line_feed(struct parser *parser, const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    text_add(parser->text, &parser->length, *at, (size_t)((newline ? newline : end) - *at));
    *at = newline ? newline + 1 : end;
    if (newline && parser->length > 0 && parser->text[parser->length - 1] == '\r')
        parser->text[--parser->length] = 0;
    return newline != NULL;
}

static bool body_feed(struct parser *parser, const char **at, const char *end)
{
    uint64_t here = (uint64_t)(end - *at);
    if (here > parser->skip)
        here = parser->skip;
    text_add(parser->body, &parser->body_length, *at, (size_t)here);
    *at += here;
    parser->skip -= here;
    return parser->skip == 0;
}

static enum reply_kind resp_line(struct parser *parser)
{
    long long length;
    switch (parser->text[0]) {
    case '+':
    case ':':
        return REPLY_VALUE;
    case '-':
        return REPLY_ERROR;
    case '_':
        return REPLY_MISSING;
    case '$':
        length = strtoll(parser->text + 1, NULL, 10);
        if (length < 0)
            return REPLY_MISSING;
        parser->skip = (uint64_t)length + 2;
        parser->state = PARSE_BODY;
        return REPLY_NONE;
    default:
        return REPLY_BROKEN;
    }
}

static bool header_is(const char *line, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0)
        return false;
    *value = line + length + strspn(line + length, " ");
    return true;
}

static enum reply_kind http_reply(const struct parser *parser)
{
    if (parser->status != 200)
        return REPLY_ERROR;
    if (strstr(parser->body, "\"revision\"") == NULL)
        return REPLY_BROKEN;
    return strstr(parser->body, "\"kvs\"") ? REPLY_VALUE : REPLY_MISSING;
}

static enum reply_kind http_header(struct parser *parser)
{
    const char *value;
    if (parser->length == 0) {
        parser_begin(parser, parser->is_chunked ? PARSE_HTTP_CHUNK_SIZE : PARSE_HTTP_BODY);
        return parser->is_chunked || parser->skip > 0 ? REPLY_NONE : http_reply(parser);
    }
    if (header_is(parser->text, "Content-Length:", &value))
        parser->skip = strtoull(value, NULL, 10);
    if (header_is(parser->text, "Transfer-Encoding:", &value))
        parser->is_chunked = strcasecmp(value, "chunked") == 0;
    parser_begin(parser, PARSE_HTTP_HEADER);
    return REPLY_NONE;
}

static void http_chunk_size(struct parser *parser)
{
    uint64_t size = strtoull(parser->text, NULL, 16);
    parser->skip = size;
    parser_begin(parser, size > 0 ? PARSE_HTTP_CHUNK : PARSE_HTTP_LAST_LINE);
}

static enum reply_kind feed(struct parser *parser, const char **at, const char *end)
{
    switch (parser->state) {
    case PARSE_LINE:
        return line_feed(parser, at, end) ? resp_line(parser) : REPLY_NONE;
    case PARSE_BODY:
        return body_feed(parser, at, end) ? REPLY_VALUE : REPLY_NONE;
    case PARSE_HTTP_STATUS:
        if (!line_feed(parser, at, end))
            return REPLY_NONE;
        if (strncmp(parser->text, "HTTP/1.1 ", 9) != 0)
            return REPLY_BROKEN;
        parser->status = (unsigned)strtoul(parser->text + 9, NULL, 10);
        parser_begin(parser, PARSE_HTTP_HEADER);
        return REPLY_NONE;
    case PARSE_HTTP_HEADER:
        return line_feed(parser, at, end) ? http_header(parser) : REPLY_NONE;
    case PARSE_HTTP_BODY:
        return body_feed(parser, at, end) ? http_reply(parser) : REPLY_NONE;
    case PARSE_HTTP_CHUNK_SIZE:
        if (line_feed(parser, at, end))
            http_chunk_size(parser);
        return REPLY_NONE;
    case PARSE_HTTP_CHUNK:
        if (body_feed(parser, at, end))
            parser_begin(parser, PARSE_HTTP_CHUNK_END);
        return REPLY_NONE;
    case PARSE_HTTP_CHUNK_END:
        if (line_feed(parser, at, end))
            parser_begin(parser, PARSE_HTTP_CHUNK_SIZE);
        return REPLY_NONE;
    case PARSE_HTTP_LAST_LINE:
        return line_feed(parser, at, end) ? http_reply(parser) : REPLY_NONE;
    }
    return REPLY_BROKEN;
}

enum reply_kind parser_feed(struct parser *parser, const char **at, const char *end)
{
    enum reply_kind kind = REPLY_NONE;
    if (parser->is_whole)
        parser_init(parser, parser->protocol);
    while (kind == REPLY_NONE && *at < end)
        kind = feed(parser, at, end);
    if (kind == REPLY_VALUE || kind == REPLY_MISSING || kind == REPLY_ERROR)
        parser->is_whole = true;
    return kind;
}
