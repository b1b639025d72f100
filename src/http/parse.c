/* The head of a request and the chunks of a body. */
#include "http/parse.h"

#include <string.h>

#include "base/number.h"

#define BAD(text) ((struct http_error){400, "bad_request", (text)})

static bool is_token(struct span text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return text.len > 0;
}

/* Printable, or a byte beyond ASCII; blanks where `blanks` allows them. */
static bool is_text(struct span text, bool blanks)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == 0x7f || c < 0x20 ? !(blanks && c == '\t') : c == ' ' && !blanks)
            return false;
    }
    return true;
}

static struct span trimmed(struct span text)
{
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = span_of(text.ptr + 1, text.len - 1);
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Takes what stands before `mark`, and the mark. False: there is none. */
static bool take_before(struct span *rest, char mark, struct span *taken)
{
    const char *found = rest->len ? memchr(rest->ptr, mark, rest->len) : NULL;
    if (!found)
        return false;
    *taken = span_of(rest->ptr, (size_t)(found - rest->ptr));
    *rest = span_of(found + 1, rest->len - taken->len - 1);
    return true;
}

/* Takes a line that ends with CR LF, without these. */
static bool take_line(struct span *rest, struct span *line)
{
    if (!take_before(rest, '\n', line) || line->len == 0 || line->ptr[line->len - 1] != '\r')
        return false;
    line->len--;
    return memchr(line->ptr, '\r', line->len) == NULL;
}

static bool parse_request_line(struct span line, struct http_request *request,
                               struct http_error *error)
{
    struct span target;
    if (!take_before(&line, ' ', &request->method) || !is_token(request->method) ||
        !take_before(&line, ' ', &target) || !span_begins_with(line, SPAN("HTTP/")) ||
        memchr(line.ptr, ' ', line.len)) {
        *error = BAD("the request line is not 'METHOD /path HTTP/1.1'");
        return false;
    }
    request->is_1_0 = span_equal(line, SPAN("HTTP/1.0"));
    if (!request->is_1_0 && !span_equal(line, SPAN("HTTP/1.1"))) {
        *error =
            (struct http_error){505, "version_not_supported", "only HTTP/1.1 and 1.0 are spoken"};
        return false;
    }
    request->keep_alive = !request->is_1_0;
    if (target.len == 0 || target.ptr[0] != '/' || !is_text(target, false) ||
        memchr(target.ptr, '#', target.len)) {
        *error = BAD("the target is no path that begins with '/'");
        return false;
    }
    request->path = target;
    if (take_before(&target, '?', &request->path))
        request->query = target;
    return true;
}

static bool parse_length(struct span text, uint64_t *length)
{
    if (text.len == 0 || text.len > 19)
        return false;
    *length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *length = *length * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return true;
}

static bool take_length(struct http_request *request, struct span value, struct http_error *error)
{
    if (request->has_length || !parse_length(value, &request->length)) {
        *error = BAD("'Content-Length' is no number, or stands twice");
        return false;
    }
    request->has_length = true;
    return true;
}

static bool take_encoding(struct http_request *request, struct span value, struct http_error *error)
{
    if (request->chunked || request->is_1_0) {
        *error = BAD("'Transfer-Encoding' stands twice, or in a request of HTTP/1.0");
        return false;
    }
    if (!span_is(value, "chunked")) {
        *error = (struct http_error){501, "encoding_not_supported",
                                     "the only transfer encoding is 'chunked'"};
        return false;
    }
    request->chunked = true;
    return true;
}

static bool take_expectation(struct http_request *request, struct span value,
                             struct http_error *error)
{
    request->expects_continue = span_is(value, "100-continue");
    if (!request->expects_continue)
        *error =
            (struct http_error){417, "expectation_failed", "only '100-continue' can be expected"};
    return request->expects_continue;
}

static void take_connection(struct http_request *request, struct span value)
{
    struct span one, rest = value;
    do {
        bool more = take_before(&rest, ',', &one);
        one = trimmed(more ? one : rest);
        rest = more ? rest : span_of(NULL, 0);
        if (span_is(one, "close"))
            request->keep_alive = false;
        else if (span_is(one, "keep-alive") && request->is_1_0)
            request->keep_alive = true;
    } while (rest.len);
}

static bool take_header(struct http_request *request, struct span name, struct span value,
                        struct http_error *error)
{
    const struct {
        const char *name;
        struct span *to;
    } once[] = {{"host", &request->host},
                {"origin", &request->origin},
                {"sec-fetch-site", &request->fetch_site},
                {"authorization", &request->authorization},
                {"content-type", &request->content_type},
                {"accept", &request->accept},
                {"if-match", &request->if_match},
                {"if-none-match", &request->if_none_match}};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        if (!span_is(name, once[i].name))
            continue;
        if (once[i].to->ptr) {
            *error = BAD("a header that may stand once stands twice");
            return false;
        }
        *once[i].to = value;
        return true;
    }
    if (span_is(name, "content-length"))
        return take_length(request, value, error);
    if (span_is(name, "transfer-encoding"))
        return take_encoding(request, value, error);
    if (span_is(name, "expect"))
        return take_expectation(request, value, error);
    if (span_is(name, "connection"))
        take_connection(request, value);
    return true;
}

static bool parse_headers(struct span rest, struct http_request *request, struct http_error *error)
{
    struct span line, name;
    for (size_t count = 0; take_line(&rest, &line); count++) {
        if (line.len == 0 && rest.len == 0)
            return true;
        if (count == HTTP_HEADERS_MAX) {
            *error = (struct http_error){431, "headers_too_large", "there are too many headers"};
            return false;
        }
        if (!take_before(&line, ':', &name) || !is_token(name) || !is_text(line, true))
            break;
        if (!take_header(request, name, trimmed(line), error))
            return false;
    }
    *error = BAD("a header is not 'Name: value', ended by CR LF");
    return false;
}

bool http_parse_head(struct span head, struct http_request *request, struct http_error *error)
{
    *request = (struct http_request){.length = 0};
    struct span line;
    if (!take_line(&head, &line)) {
        *error = BAD("the request line does not end with CR LF");
        return false;
    }
    if (!parse_request_line(line, request, error) || !parse_headers(head, request, error))
        return false;
    if (request->chunked && request->has_length) {
        *error = BAD("'Content-Length' and 'Transfer-Encoding' exclude each other");
        return false;
    }
    if (!request->host.ptr && !request->is_1_0) {
        *error = BAD("'Host' is missing");
        return false;
    }
    return true;
}

bool http_parse_chunk_line(struct span line, uint64_t *size)
{
    struct span rest = line;
    if (!take_line(&rest, &line) || rest.len)
        return false;
    *size = 0;
    size_t i = 0;
    for (; i < line.len && number_hex_digit(line.ptr[i]) >= 0; i++) {
        if (i == 15)
            return false;
        *size = *size << 4 | (uint64_t)number_hex_digit(line.ptr[i]);
    }
    return i > 0 && (i == line.len || (line.ptr[i] == ';' && is_text(line, true)));
}

bool http_decode_percent(struct span text, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            out[(*len)++] = text.ptr[i];
            continue;
        }
        int high = text.len - i > 2 ? number_hex_digit(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? number_hex_digit(text.ptr[i + 2]) : -1;
        if (low < 0)
            return false;
        out[(*len)++] = (char)(high << 4 | low);
        i += 2;
    }
    return true;
}
