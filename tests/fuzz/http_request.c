/* Bytes of an HTTP client. What is taken for a head is one: it ends where it has to, each part of
 * it lies within the bytes, has no control character, and a body has one length. What was decoded
 * comes back from its encoding. */
#include "http/parse.h"
#include "http/text.h"

#include "base/mem.h"
#include "fuzz/fuzz.h"

static bool within(struct span part, struct span whole)
{
    return part.ptr >= whole.ptr && part.len <= whole.len &&
           (size_t)(part.ptr - whole.ptr) <= whole.len - part.len;
}

static void expect_part(struct span part, struct span whole)
{
    if (!part.ptr)
        return;
    ASSERT(within(part, whole));
    for (size_t i = 0; i < part.len; i++)
        ASSERT(part.ptr[i] == '\t' || (unsigned char)part.ptr[i] >= 0x20);
}

static void expect_percent(struct span text)
{
    char *out = mem_alloc(text.len + 1);
    size_t len;
    if (http_decode_percent(text, out, &len))
        ASSERT(len <= text.len && (len == text.len || memchr(text.ptr, '%', text.len)));
    mem_free(out);
}

static void try_head(struct span head)
{
    struct http_request request;
    struct http_error error = {.status = 0};
    if (!http_parse_head(head, &request, &error)) {
        ASSERT(error.status >= 400 && error.code && error.message);
        return;
    }
    ASSERT(head.len >= 4 && memcmp(head.ptr + head.len - 4, "\r\n\r\n", 4) == 0);
    ASSERT(!(request.chunked && request.has_length) && (request.has_length || request.length == 0));
    ASSERT(request.host.ptr || request.is_1_0);
    ASSERT(request.path.len && request.path.ptr[0] == '/');
    const struct span parts[] = {request.method,        request.path,         request.query,
                                 request.host,          request.origin,       request.fetch_site,
                                 request.authorization, request.content_type, request.accept,
                                 request.if_match,      request.if_none_match};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        expect_part(parts[i], head);
    expect_percent(request.path);
    expect_percent(request.query);
}

static void try_texts(struct span text)
{
    struct buf out = {0}, again = {0};
    uint64_t size;
    if (http_parse_chunk_line(text, &size))
        ASSERT(size >> 60 == 0);
    if (http_read_base64(text, &out)) {
        http_write_base64(&again, buf_span(&out));
        ASSERT(span_equal(buf_span(&again), text));
    }
    ASSERT(out.len <= text.len);
    again.len = 0;
    http_write_bytes(&again, text);
    ASSERT(http_is_utf8(buf_span(&again)));
    for (size_t i = 0; i < again.len; i++)
        ASSERT((unsigned char)again.ptr[i] >= 0x20);
    buf_close(&out);
    buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *exact = mem_alloc(len + 1); /* never behind its end */
    exact = mem_realloc(exact, len ? len : 1);
    if (len)
        memcpy(exact, bytes, len);
    try_head(span_of(exact, len));
    try_texts(span_of(exact, len));
    mem_free(exact);
    return 0;
}

static void seeds(void)
{
    seed_put(SPAN("PUT /kv/a%20b?ttl=5&db=1 HTTP/1.1\r\nHost: [::1]:8001\r\nContent-Length: 3\r\n"
                  "Content-Type: application/json\r\nIf-Match: \"x\", W/\"y\"\r\n\r\n"));
    seed_put(SPAN("POST /command HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                  "Expect: 100-continue\r\nConnection: close, te\r\nOrigin: http://h\r\n\r\n"));
    seed_put(SPAN("GET / HTTP/1.0\r\nAuthorization: Basic OmE=\r\nConnection: keep-alive\r\n\r\n"));
    seed_put(SPAN("1f;name=value\r\n"));
    seed_put(SPAN("Zm9vYmE="));
    seed_put(SPAN("a\"\\\b\xc3\xbc\xff"));
}
