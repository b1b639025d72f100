#include "resp/parse.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/word.h"

enum {
    /* Limits before AUTH, as in Redis: an unauthenticated client may not use much memory. */
    STRANGER_ARGS_MAX = 10,
    STRANGER_BULK_MAX = 16384,
    /* Memory for arguments grows with the arguments received, not with the announced count. */
    ARGS_CAP_MIN = 16,
    /* Memory beyond this, which a large command took, is freed at the next command. */
    ARGS_CAP_KEPT = 1024,
    SCRATCH_KEPT = 4096,
    /* What parse_short() takes: no more than a stranger may send. */
    SHORT_ARGS_MAX = STRANGER_ARGS_MAX,
    SHORT_DIGITS_MAX = 4,
    SHORT_LINE_MAX = 1 + SHORT_DIGITS_MAX + 2,
};

static enum resp_outcome fail(struct resp_parser *parser, const char *error)
{
    parser->error = error;
    return RESP_ERROR;
}

static void reset(struct resp_parser *parser)
{
    parser->argc = 0;
    parser->position = 0;
    parser->args_left = 0;
    parser->bulk_len = -1;
    parser->parsed = 0;
    parser->in_array = false;
}

static void grow_args(struct resp_parser *parser)
{
    parser->args_cap = parser->args_cap ? parser->args_cap * 2 : ARGS_CAP_MIN;
    parser->args = mem_realloc(parser->args, parser->args_cap * sizeof *parser->args);
    parser->offsets = mem_realloc(parser->offsets, parser->args_cap * sizeof *parser->offsets);
}

static void add_arg(struct resp_parser *parser, size_t offset, size_t len)
{
    if (parser->argc == parser->args_cap)
        grow_args(parser);
    parser->offsets[parser->argc] = offset;
    parser->args[parser->argc++].len = len;
}

static enum resp_outcome finish(struct resp_parser *parser, const char *base, size_t consumed)
{
    if (!base)
        base = ""; /* a line of empty quotes leaves scratch empty */
    for (size_t i = 0; i < parser->argc; i++)
        parser->args[i].ptr = base + parser->offsets[i];
    parser->consumed = consumed;
    size_t argc = parser->argc;
    reset(parser);
    parser->argc = argc;
    return RESP_COMMAND;
}

/* Finds the line that begins at parser->position, without its CR and the byte after it. Bytes that
 * were searched before are not searched again. */
enum line_outcome { LINE_FOUND, LINE_INCOMPLETE, LINE_TOO_LONG };

static enum line_outcome find_line(struct resp_parser *parser, struct span input, struct span *line)
{
    size_t from = parser->parsed > parser->position ? parser->parsed : parser->position;
    const char *end = from < input.len ? memchr(input.ptr + from, '\r', input.len - from) : NULL;
    if (end && (size_t)(end - input.ptr) + 1 < input.len) {
        *line = span_of(input.ptr + parser->position, (size_t)(end - input.ptr) - parser->position);
        return LINE_FOUND;
    }
    parser->parsed = end ? (size_t)(end - input.ptr) : input.len;
    return input.len - parser->position > RESP_INLINE_MAX ? LINE_TOO_LONG : LINE_INCOMPLETE;
}

/* Fast path for short positive numbers, the usual case. */
static bool parse_count(struct span text, int64_t *value)
{
    if (text.len == 0 || text.len > 8 || text.ptr[0] == '0')
        return number_parse_i64(text, value);
    int64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return number_parse_i64(text, value);
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

static enum resp_outcome begin_array(struct resp_parser *parser, struct span input,
                                     const struct resp_limits *limits)
{
    struct span line;
    switch (find_line(parser, input, &line)) {
    case LINE_FOUND:
        break;
    case LINE_INCOMPLETE:
        return RESP_INCOMPLETE;
    case LINE_TOO_LONG:
        return fail(parser, "Protocol error: too big mbulk count string");
    }
    int64_t count;
    if (!parse_count(span_of(line.ptr + 1, line.len - 1), &count) || count > RESP_ARGS_MAX)
        return fail(parser, "Protocol error: invalid multibulk length");
    if (count > STRANGER_ARGS_MAX && !limits->authenticated)
        return fail(parser, "Protocol error: unauthenticated multibulk length");
    parser->position += line.len + 2;
    parser->args_left = count;
    parser->bulk_len = -1;
    parser->in_array = true;
    return RESP_COMMAND;
}

static enum resp_outcome read_bulk_len(struct resp_parser *parser, struct span input,
                                       const struct resp_limits *limits)
{
    struct span line;
    switch (find_line(parser, input, &line)) {
    case LINE_FOUND:
        break;
    case LINE_INCOMPLETE:
        return RESP_INCOMPLETE;
    case LINE_TOO_LONG:
        return fail(parser, "Protocol error: too big bulk count string");
    }
    char first = input.ptr[parser->position];
    if (first != '$') {
        snprintf(parser->error_text, sizeof parser->error_text,
                 "Protocol error: expected '$', got '%c'", first);
        return fail(parser, parser->error_text);
    }
    int64_t len;
    if (!parse_count(span_of(line.ptr + 1, line.len - 1), &len) || len < 0 ||
        (uint64_t)len > limits->bulk_len_max)
        return fail(parser, "Protocol error: invalid bulk length");
    if (len > STRANGER_BULK_MAX && !limits->authenticated)
        return fail(parser, "Protocol error: unauthenticated bulk length");
    parser->position += line.len + 2;
    parser->bulk_len = len;
    return RESP_COMMAND;
}

static enum resp_outcome read_array(struct resp_parser *parser, struct span input,
                                    const struct resp_limits *limits)
{
    while (parser->args_left > 0) {
        if (parser->bulk_len < 0) {
            enum resp_outcome outcome = read_bulk_len(parser, input, limits);
            if (outcome != RESP_COMMAND)
                return outcome;
        }
        size_t len = (size_t)parser->bulk_len;
        if (input.len - parser->position < len + 2)
            return RESP_INCOMPLETE;
        add_arg(parser, parser->position, len);
        parser->position += len + 2;
        parser->bulk_len = -1;
        parser->args_left--;
    }
    return finish(parser, input.ptr, parser->position);
}

/* Copies the arguments to scratch, because quotes and escapes make them shorter. */
static bool split_line(struct resp_parser *parser, struct span line)
{
    size_t at = 0;
    parser->scratch.len = 0;
    while (word_find(line, &at)) {
        size_t start = parser->scratch.len;
        if (!word_read(&parser->scratch, line, &at))
            return false;
        add_arg(parser, start, parser->scratch.len - start);
    }
    return true;
}

/* parser->parsed is where the search continues. Redis searches a C string, so a line never ends
 * after a NUL. Bytes that no Redis client sends (a TLS hello, say) therefore run nothing; the
 * length limit ends them. */
static bool find_newline(struct resp_parser *parser, struct span input, size_t *len)
{
    size_t from = parser->parsed;
    if (from == input.len || input.ptr[from] == '\0')
        return false;
    const char *end = memchr(input.ptr + from, '\n', input.len - from);
    size_t stop = end ? (size_t)(end - input.ptr) : input.len;
    const char *nul = memchr(input.ptr + from, '\0', stop - from);
    parser->parsed = nul ? (size_t)(nul - input.ptr) : stop;
    *len = stop;
    return end && !nul;
}

static enum resp_outcome read_inline(struct resp_parser *parser, struct span input)
{
    size_t len;
    if (!find_newline(parser, input, &len)) {
        if (input.len > RESP_INLINE_MAX)
            return fail(parser, "Protocol error: too big inline request");
        return RESP_INCOMPLETE;
    }
    size_t consumed = len + 1;
    if (len && input.ptr[len - 1] == '\r')
        len--;
    if (!split_line(parser, span_of(input.ptr, len)))
        return fail(parser, "Protocol error: unbalanced quotes in request");
    return finish(parser, parser->scratch.ptr, consumed);
}

static void begin(struct resp_parser *parser)
{
    parser->argc = 0;
    if (parser->args_cap > ARGS_CAP_KEPT) {
        mem_free(parser->args);
        mem_free(parser->offsets);
        parser->args = NULL;
        parser->offsets = NULL;
        parser->args_cap = 0;
    }
    if (parser->scratch.cap > SCRATCH_KEPT)
        buf_close(&parser->scratch);
}

/* Takes `type`, a number without sign or leading zero, CR and the byte after it. */
static bool take_short_line(const char **at, const char *end, char type, size_t *number)
{
    const char *c = *at;
    if (end - c < SHORT_LINE_MAX || *c++ != type || *c == '0')
        return false;
    unsigned first = (unsigned char)(*c - '0');
    if (first <= 9 && c[1] == '\r') { /* most have one digit */
        *number = first;
        *at = c + 3;
        return true;
    }
    const char *digits = c;
    size_t sum = 0;
    for (; (unsigned char)(*c - '0') <= 9; c++) {
        if (c - digits == SHORT_DIGITS_MAX)
            return false;
        sum = sum * 10 + (unsigned char)(*c - '0');
    }
    if (c == digits || *c != '\r')
        return false;
    *number = sum;
    *at = c + 2;
    return true;
}

/* The usual request, of few short arguments that are all there, in one pass. False: nothing is
 * taken, and whatever it is, it is parsed from its beginning with all care. */
static bool parse_short(struct resp_parser *parser, struct span input,
                        const struct resp_limits *limits)
{
    const char *at = input.ptr;
    const char *end = input.ptr + input.len;
    size_t count, len;
    if (!take_short_line(&at, end, '*', &count) || count > SHORT_ARGS_MAX)
        return false;
    if (parser->args_cap < count)
        grow_args(parser);
    for (size_t i = 0; i < count; i++) {
        if (!take_short_line(&at, end, '$', &len) || (size_t)(end - at) < len + 2 ||
            len > limits->bulk_len_max)
            return false;
        parser->args[i] = span_of(at, len);
        at += len + 2;
    }
    parser->argc = count;
    parser->consumed = (size_t)(at - input.ptr);
    return true;
}

enum resp_outcome resp_parse(struct resp_parser *parser, struct span input,
                             const struct resp_limits *limits)
{
    if (!parser->in_array && parser->parsed == 0) {
        begin(parser);
        if (parse_short(parser, input, limits))
            return RESP_COMMAND;
    }
    if (input.len == 0)
        return RESP_INCOMPLETE;
    if (!parser->in_array) {
        if (input.ptr[0] != '*')
            return read_inline(parser, input);
        enum resp_outcome outcome = begin_array(parser, input, limits);
        if (outcome != RESP_COMMAND)
            return outcome;
    }
    return read_array(parser, input, limits);
}

void resp_parser_close(struct resp_parser *parser)
{
    mem_free(parser->args);
    mem_free(parser->offsets);
    buf_close(&parser->scratch);
    *parser = (struct resp_parser){0};
}

size_t resp_parser_memory(const struct resp_parser *parser)
{
    return mem_footprint(parser->args_cap * sizeof *parser->args) +
           mem_footprint(parser->args_cap * sizeof *parser->offsets) +
           mem_footprint(parser->scratch.cap);
}

size_t resp_parser_wanted(const struct resp_parser *parser, size_t input_len)
{
    if (!parser->in_array || parser->bulk_len < 0)
        return 0;
    size_t end = parser->position + (size_t)parser->bulk_len + 2;
    return end > input_len ? end - input_len : 0;
}
