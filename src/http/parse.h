/* Private to http/: the head of a request and the chunks of a body, from bytes. Pure: no socket, no
 * clock.
 *
 * The parser takes less than the standard allows, because what two programs read differently can
 * smuggle a request past the first of them: lines end with CR LF alone, nothing is folded, a header
 * that says how long the body is stands once, and a target is a path. */
#ifndef FLOTILLA_HTTP_PARSE_H
#define FLOTILLA_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum {
    HTTP_HEAD_MAX = 16 * 1024, /* bytes of the request line and all headers */
    HTTP_HEADERS_MAX = 64,
    HTTP_CHUNK_LINE_MAX = 256,
};

/* A refusal: what the client is told. Texts are constants. */
struct http_error {
    int status; /* of HTTP; 0: none */
    const char *code;
    const char *message;
};

/* Borrowed from the bytes of the head. A header that is absent has ptr NULL. */
struct http_request {
    struct span method;
    struct span path; /* still percent-encoded */
    struct span query;
    bool is_1_0;
    bool keep_alive;
    bool expects_continue;
    bool has_length;
    bool chunked;
    uint64_t length; /* of the body, if has_length */
    struct span host;
    struct span origin;
    struct span fetch_site;
    struct span authorization;
    struct span content_type;
    struct span accept;
    struct span if_match;
    struct span if_none_match;
};

/* `head` ends with the empty line. False: *error says why. */
bool http_parse_head(struct span head, struct http_request *request, struct http_error *error);

/* The line before a chunk, with its CR LF. False: it is none. *size 0 is the last chunk. */
bool http_parse_chunk_line(struct span line, uint64_t *size);

/* Appends the bytes that `text` stands for. False: a percent sign without two hexadecimal digits.
 * `out` has room for text.len bytes. */
bool http_decode_percent(struct span text, char *out, size_t *len);

#endif
