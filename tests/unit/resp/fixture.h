/* Requests to the parser in pieces, and what it made of them as one text. */
#ifndef FLOTILLA_TESTS_UNIT_RESP_FIXTURE_H
#define FLOTILLA_TESTS_UNIT_RESP_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "resp/parse.h"
#include "unit/support/test.h"

static const struct resp_limits limits = {.bulk_len_max = 512 << 20, .authenticated = true};

/* "[3:SET][1:a][0:]" and a new line for each command. */
static inline void describe(struct buf *out, const struct resp_parser *parser)
{
    for (size_t i = 0; i < parser->argc; i++) {
        buf_printf(out, "[%zu:", parser->args[i].len);
        buf_add_span(out, parser->args[i]);
        buf_add_char(out, ']');
    }
    buf_add_char(out, '\n');
}

/* A connection: what came and was not parsed yet. */
struct peer {
    struct resp_parser parser;
    struct resp_limits limits;
    struct buf in;
    struct buf out;
    bool failed;
};

/* The memory of the input is always another one, as big as its bytes: a sanitizer sees whoever
 * reads too far or uses a span of the last call. */
static inline void peer_receive(struct peer *peer, const char *bytes, size_t len)
{
    buf_add(&peer->in, bytes, len);
    while (!peer->failed) {
        char *copy = malloc(peer->in.len + 1);
        assert_non_null(copy);
        copy = realloc(copy, peer->in.len ? peer->in.len : 1);
        if (peer->in.len)
            memcpy(copy, peer->in.ptr, peer->in.len);
        enum resp_outcome outcome =
            resp_parse(&peer->parser, span_of(copy, peer->in.len), &peer->limits);
        if (outcome == RESP_COMMAND) {
            describe(&peer->out, &peer->parser);
            assert_true(peer->parser.consumed > 0 && peer->parser.consumed <= peer->in.len);
            buf_consume(&peer->in, peer->parser.consumed);
        } else if (outcome == RESP_ERROR) {
            buf_printf(&peer->out, "!%s\n", peer->parser.error);
            peer->failed = true;
        }
        free(copy);
        if (outcome == RESP_INCOMPLETE)
            break;
    }
}

static inline void peer_close(struct peer *peer)
{
    resp_parser_close(&peer->parser);
    buf_close(&peer->in);
    buf_close(&peer->out);
}

static inline const char *peer_text(struct peer *peer)
{
    *buf_reserve(&peer->out, 1) = '\0';
    return peer->out.ptr;
}

/* In one piece. */
static inline void assert_parses(struct span input, const struct resp_limits *of,
                                 const char *expected)
{
    struct peer peer = {.limits = *of};
    peer_receive(&peer, input.ptr, input.len);
    assert_string_equal(peer_text(&peer), expected);
    peer_close(&peer);
}

#endif
