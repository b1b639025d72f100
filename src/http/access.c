/* Who may ask: browsers that a foreign page has talked into it may not. Who the caller is, net/
 * judges. */
#include "http/internal.h"
#include "http/text.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"

/* The host without its port. False: it is none. */
static bool split_host(struct span text, struct span *host)
{
    *host = text;
    const char *end = NULL;
    if (text.len && text.ptr[0] == '[') {
        end = memchr(text.ptr, ']', text.len);
        if (!end)
            return false;
        *host = span_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
        end++;
    } else {
        end = text.len ? memchr(text.ptr, ':', text.len) : NULL;
        if (!end)
            return text.len > 0;
        host->len = (size_t)(end - text.ptr);
    }
    size_t left = text.len - (size_t)(end - text.ptr);
    for (size_t i = 1; i < left; i++)
        if (end[i] < '0' || end[i] > '9')
            return false;
    return host->len && left != 1 && (left == 0 || end[0] == ':');
}

/* A page cannot make a browser send a foreign name's requests here under an address. */
static bool is_address(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_own_host(const struct http *http, struct span text)
{
    struct span host;
    return split_host(text, &host) && (is_address(host) || span_is(host, "localhost") ||
                                       http->host.is_name(http->host.context, host));
}

/* Whether the origin is the page's that this node itself has served. */
static bool is_own_origin(const struct http_request *request)
{
    static const struct span schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!span_begins_with(request->origin, schemes[i]))
            continue;
        struct span rest =
            span_of(request->origin.ptr + schemes[i].len, request->origin.len - schemes[i].len);
        return rest.len && span_equal_nocase(rest, request->host);
    }
    return false;
}

static bool only_reads(const struct http_request *request)
{
    return span_equal(request->method, SPAN("GET")) || span_equal(request->method, SPAN("HEAD"));
}

/* Browsers say it in Origin, newer ones in Sec-Fetch-Site too; there `none` is the user himself. */
static bool is_of_other_page(const struct http_request *request)
{
    if (request->origin.ptr && !is_own_origin(request))
        return true;
    return request->fetch_site.ptr && !only_reads(request) &&
           !span_is(request->fetch_site, "same-origin") && !span_is(request->fetch_site, "none");
}

static const struct http_error is_protected = {
    403, "protected_mode",
    "protected mode is on and no password is set: only loopback addresses are served; set "
    "'requirepass', or 'protected-mode no' if the network can be trusted"};
static const struct http_error is_other_host = {
    421, "unknown_host",
    "'Host' is no address and no name of this node: add the name to 'http-hosts' if it is one"};
static const struct http_error is_cross_origin = {
    403, "cross_origin", "a page of another origin may not send requests here"};

bool http_is_welcome(const struct http_connection *connection, struct http_error *error)
{
    const struct http *http = connection->http;
    const struct http_request *request = &connection->request;
    if (http->settings.protected_mode && !http->settings.has_password && !connection->local)
        *error = is_protected;
    else if (request->host.ptr && !is_own_host(http, request->host))
        *error = is_other_host;
    else if (is_of_other_page(request))
        *error = is_cross_origin;
    else
        return true;
    return false;
}

/* Takes the scheme and the blanks behind it. */
static bool take_scheme(struct span *text, const char *scheme)
{
    size_t len = strlen(scheme);
    if (text->len <= len || text->ptr[len] != ' ' || !span_is(span_of(text->ptr, len), scheme))
        return false;
    *text = span_of(text->ptr + len, text->len - len);
    while (text->len && text->ptr[0] == ' ')
        *text = span_of(text->ptr + 1, text->len - 1);
    return text->len > 0;
}

static const struct http_error is_no_authorization = {
    401, "unauthorized",
    "'Authorization' is neither 'Basic' with base64 nor 'Bearer' with a token"};

bool http_read_credentials(const struct http_request *request, struct http_credentials *credentials,
                           struct http_error *error)
{
    struct span text = request->authorization;
    struct buf *out = &credentials->text;
    credentials->has = text.ptr != NULL;
    if (!credentials->has)
        return true;
    if (take_scheme(&text, "Bearer")) {
        buf_add_text(out, "default");
        credentials->password_at = out->len;
        buf_add_span(out, text);
        return true;
    }
    const char *colon = NULL;
    if (take_scheme(&text, "Basic") && http_read_base64(text, out))
        colon = out->len ? memchr(out->ptr, ':', out->len) : NULL;
    if (!colon) {
        *error = is_no_authorization;
        return false;
    }
    size_t name_len = (size_t)(colon - out->ptr);
    if (name_len == 0) { /* curl -u :password */
        struct buf named = {0};
        buf_add_text(&named, "default");
        buf_add_span(&named, buf_span(out));
        buf_close(out);
        *out = named;
        name_len = strlen("default");
    }
    memmove(out->ptr + name_len, out->ptr + name_len + 1, out->len - name_len - 1);
    out->len--;
    credentials->password_at = name_len;
    return true;
}
