/* The request parser: incremental, over the connection's own buffer, arguments as spans, no copy.
 * Accepts what redis-server accepts: arrays of bulk strings and inline commands, with its limits
 * and its error texts. It never looks at a byte twice because of a short read. */
#ifndef FLOTILLA_RESP_PARSE_H
#define FLOTILLA_RESP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
    RESP_INLINE_MAX = 64 * 1024,
    RESP_ARGS_MAX = 1024 * 1024,
};

struct resp_limits {
    uint64_t bulk_len_max; /* proto-max-bulk-len */
    bool authenticated;    /* before AUTH: at most 10 arguments of at most 16384 bytes, as Redis */
};

enum resp_outcome {
    RESP_INCOMPLETE, /* more bytes are needed; call again with a longer input */
    RESP_COMMAND, /* args and consumed are set; argc may be 0 (an empty line, "*0"): nothing to do
                   */
    RESP_ERROR,   /* protocol error: error is set, the connection is to be closed after the reply */
};

/* State between calls. Zero-initialised is ready; resp_parser_close() frees. */
struct resp_parser {
    /* result */
    struct span *args; /* into the input (inline arguments with quotes: into scratch) */
    size_t argc;
    size_t consumed; /* bytes of the input that this command took */
    const char
        *error; /* without the "-ERR " prefix: "Protocol error: …"; static or in error_text */
    /* private */
    size_t *offsets; /* of arguments, so that the input may move between calls */
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
 * bytes and more after them (they may have moved). After RESP_COMMAND the next call starts behind
 * `consumed`. Spans in args are valid while the input stays in place and until the next call. */
enum resp_outcome resp_parse(struct resp_parser *parser, struct span input,
                             const struct resp_limits *limits);
void resp_parser_close(struct resp_parser *parser);

/* How many bytes the argument that is being received still lacks (0 if not known): a hint to size
 * the connection's buffer for big arguments. */
size_t resp_parser_wanted(const struct resp_parser *parser, size_t input_len);

/* Writes a command as an array of bulk strings: the payload of log entries. */
void resp_encode_command(struct buf *out, const struct span *args, size_t argc);
size_t resp_encoded_size(const struct span *args, size_t argc);

#endif
