/* The request parser. It is incremental, reads the connection's own buffer and returns arguments as
 * spans, without copying. It accepts what redis-server accepts: arrays of bulk strings and inline
 * commands, with the same limits and error texts. Short reads never make it scan a byte twice. */
#ifndef FLOTILLA_RESP_PARSE_H
#define FLOTILLA_RESP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
    RESP_INLINE_MAX = 64 * 1024,
    RESP_ARGS_MAX = INT32_MAX, /* as in Redis */
};

struct resp_limits {
    uint64_t bulk_len_max; /* proto-max-bulk-len */
    /* Before AUTH: at most 10 arguments of at most 16384 bytes, as in Redis. */
    bool authenticated;
};

enum resp_outcome {
    RESP_INCOMPLETE, /* more bytes are needed; call again with a longer input */
    RESP_COMMAND,    /* args and consumed are set; argc may be 0 ("*0", an empty line) */
    RESP_ERROR,      /* protocol error: send `error` as the reply, then close the connection */
};

/* State between calls. Zero-initialised is ready; resp_parser_close() frees it. */
struct resp_parser {
    /* Result. */
    struct span *args; /* into the input (inline arguments with quotes: into scratch) */
    size_t argc;
    size_t consumed; /* bytes of the input that the command took */
    const char
        *error; /* without the "-ERR " prefix ("Protocol error: …"); static, or in error_text */
    /* Private. */
    size_t *offsets; /* of the arguments, because the input may move between calls */
    size_t args_cap;
    size_t position;
    int64_t args_left;
    int64_t bulk_len;
    size_t parsed;
    bool in_array;
    struct buf scratch;
    char error_text[64];
};

/* Parses one command from the start of `input`. After RESP_INCOMPLETE the next call passes the same
 * bytes and more after them; they may have moved. After RESP_COMMAND the next call starts after
 * `consumed`. Spans in args are valid until the next call and while the input stays in place. */
enum resp_outcome resp_parse(struct resp_parser *parser, struct span input,
                             const struct resp_limits *limits);
void resp_parser_close(struct resp_parser *parser);

/* Bytes that it holds. */
size_t resp_parser_memory(const struct resp_parser *parser);

/* How many bytes of the current argument are missing; 0 if unknown. The caller can size its buffer
 * for a large argument with it. */
size_t resp_parser_wanted(const struct resp_parser *parser, size_t input_len);

/* Writes a command as an array of bulk strings, the payload of log entries. */
void resp_encode_command(struct buf *out, const struct span *args, size_t argc);
size_t resp_encoded_size(const struct span *args, size_t argc);

#endif
