/* Requests as bytes, and replies out of bytes: RESP, or etcd's JSON over HTTP (/v3/kv/put, range).
 * Bodies are skipped, not kept. */
#ifndef FLOTILLA_BENCH_PROTOCOL_H
#define FLOTILLA_BENCH_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum protocol { PROTOCOL_RESP, PROTOCOL_ETCD };

enum request_kind { REQUEST_READ, REQUEST_SET, REQUEST_INCR };

enum { PROTOCOL_VALUE_MAX = 1 << 26, PROTOCOL_TEXT_MAX = 256 };

enum parse_state {
    PARSE_LINE,
    PARSE_BODY,
    PARSE_HTTP_STATUS,
    PARSE_HTTP_HEADER,
    PARSE_HTTP_BODY,
    PARSE_HTTP_CHUNK_SIZE,
    PARSE_HTTP_CHUNK,
    PARSE_HTTP_CHUNK_END,
    PARSE_HTTP_LAST_LINE
};

struct parser {
    enum protocol protocol;
    enum parse_state state;
    uint64_t skip; /* bytes of the body that are still to come */
    unsigned status;
    bool is_chunked;
    bool is_whole; /* a reply has ended here; the next byte begins another one */
    unsigned length;
    unsigned body_length;
    char text[PROTOCOL_TEXT_MAX]; /* the last line; ends with NUL */
    char body[PROTOCOL_TEXT_MAX]; /* the beginning of the body; ends with NUL */
};

enum reply_kind {
    REPLY_NONE, /* more bytes are needed */
    REPLY_VALUE,
    REPLY_MISSING, /* a read found nothing; or etcd has done a put */
    REPLY_ERROR,   /* parser->text, or of etcd parser->body, says what */
    REPLY_BROKEN   /* these bytes are no reply */
};

/* `values` is text of the base64 alphabet, longer than any value in base64. */
void protocol_add_request(struct buf *out, enum protocol protocol, enum request_kind kind,
                          uint64_t key, const char *values, size_t value_bytes);

void parser_init(struct parser *parser, enum protocol protocol);

/* Takes bytes from *at on, up to the end of one reply, and moves *at behind them. */
enum reply_kind parser_feed(struct parser *parser, const char **at, const char *end);

#endif
