#include "machine/logged.h"

#include "base/mem.h"
#include "base/number.h"

static const char first_prefix[] = "#COMMAND:";
static const char more_prefix[] = "#+";
static const char hex[] = "0123456789abcdef";

enum {
    FIRST_PREFIX = sizeof first_prefix - 1,
    MORE_PREFIX = sizeof more_prefix - 1,
    LINE_END = 2,
    OWN_CAP_MIN = 16,
    KEPT_BYTES = 65536, /* memory beyond this, which a large command took, is freed at the next */
};

static const struct resp_limits no_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};

/* --- writing --- */

struct line {
    struct buf *out;
    size_t start;
};

static void put(struct line *line, char c)
{
    if (line->out->len - line->start == LOGGED_LINE_BYTES - LINE_END) {
        buf_add_text(line->out, "\r\n");
        line->start = line->out->len;
        buf_add_text(line->out, more_prefix);
    }
    buf_add_char(line->out, c);
}

static void put_number(struct line *line, size_t number)
{
    char digits[NUMBER_I64_CHARS];
    size_t len = number_format_u64(digits, number);
    for (size_t i = 0; i < len; i++)
        put(line, digits[i]);
}

static void put_text(struct line *line, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= '!' && c <= '~' && c != ':' && c != '=' && c != '%') {
            put(line, (char)c);
            continue;
        }
        put(line, '%');
        put(line, hex[c >> 4]);
        put(line, hex[c & 15]);
    }
}

static bool is_same(struct span a, struct span b)
{
    return a.ptr == b.ptr && a.len == b.len;
}

/* Where the argument stands among those for Redis, from `from` on; their number if it is not near.
 */
static size_t find(const struct command_stand_in *stand_in, size_t from, struct span arg)
{
    enum { NEAR = 8 };
    size_t end = stand_in->argc - from < NEAR ? stand_in->argc : from + NEAR;
    for (size_t i = from; i < end; i++)
        if (is_same(stand_in->args[i], arg))
            return i;
    return stand_in->argc;
}

static void put_args(struct line *line, const struct span *args, size_t argc,
                     const struct command_stand_in *stand_in)
{
    size_t next = 0; /* of those for Redis */
    size_t i = 0;
    while (i < argc) {
        put(line, ':');
        size_t first = find(stand_in, next, args[i]);
        if (first == stand_in->argc) {
            put_text(line, args[i++]);
            continue;
        }
        for (next = first; next < stand_in->argc && i < argc; next++, i++)
            if (!is_same(stand_in->args[next], args[i]))
                break;
        put(line, '=');
        put_number(line, first);
        if (next - first > 1) {
            put(line, '-');
            put_number(line, next - 1);
        }
    }
}

void logged_add(struct buf *out, const struct span *args, size_t argc,
                const struct command_stand_in *stand_in)
{
    if (stand_in->place == STAND_IN_BEHIND) {
        struct line line = {out, out->len};
        buf_add_text(out, first_prefix);
        put(&line, stand_in->argc ? '1' : '0');
        put_args(&line, args, argc, stand_in);
        buf_add_text(out, "\r\n");
    }
    if (stand_in->place == STAND_IN_NONE)
        resp_encode_command(out, args, argc);
    else if (stand_in->argc)
        resp_encode_command(out, stand_in->args, stand_in->argc);
}

/* --- reading --- */

static void skip(struct span *rest, size_t len)
{
    *rest = span_of(rest->ptr + len, rest->len - len);
}

static bool take_line(struct logged *logged, struct span *rest, size_t prefix)
{
    size_t window = rest->len < LOGGED_LINE_BYTES ? rest->len : LOGGED_LINE_BYTES;
    const char *end = memchr(rest->ptr, '\n', window);
    if (!end || end[-1] != '\r')
        return false;
    size_t len = (size_t)(end + 1 - rest->ptr);
    if (len < prefix + LINE_END)
        return false;
    buf_add(&logged->text, rest->ptr + prefix, len - prefix - LINE_END);
    skip(rest, len);
    return true;
}

static bool take_lines(struct logged *logged, struct span *rest)
{
    logged->text.len = 0;
    if (!span_begins_with(*rest, span_of(first_prefix, FIRST_PREFIX)) ||
        !take_line(logged, rest, FIRST_PREFIX))
        return false;
    while (span_begins_with(*rest, span_of(more_prefix, MORE_PREFIX)))
        if (!take_line(logged, rest, MORE_PREFIX))
            return false;
    return true;
}

static bool take_array(struct logged *logged, struct span *rest)
{
    struct resp_parser *parser = &logged->parser;
    /* The log must be loadable by Redis, so inline commands are refused. */
    if (rest->len == 0 || rest->ptr[0] != '*' ||
        resp_parse(parser, *rest, &no_limits) != RESP_COMMAND) {
        resp_parser_close(parser); /* a partly parsed command */
        return false;
    }
    skip(rest, parser->consumed);
    return parser->argc > 0;
}

static void add_arg(struct logged *logged, struct span arg)
{
    if (logged->argc == logged->own_cap) {
        logged->own_cap = logged->own_cap ? logged->own_cap * 2 : OWN_CAP_MIN;
        logged->own = mem_realloc(logged->own, logged->own_cap * sizeof *logged->own);
    }
    logged->own[logged->argc++] = arg;
}

static bool hex_digit(char c, unsigned *value)
{
    const char *at = c ? strchr(hex, c) : NULL;
    if (at)
        *value = (unsigned)(at - hex);
    return at != NULL;
}

/* In place: it only becomes shorter. */
static bool decode_text(char *text, size_t len, struct span *arg)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++, used++) {
        unsigned high, low;
        text[used] = text[i];
        if (text[i] < '!' || text[i] > '~' || text[i] == '=')
            return false;
        if (text[i] != '%')
            continue;
        if (len - i < 3 || !hex_digit(text[i + 1], &high) || !hex_digit(text[i + 2], &low))
            return false;
        text[used] = (char)(high << 4 | low);
        i += 2;
    }
    *arg = span_of(text, used);
    return true;
}

/* Adds the arguments for Redis that the field names, which are not before *next. */
static bool add_named(struct logged *logged, struct span field, uint64_t *next)
{
    uint64_t first, last;
    const char *dash = memchr(field.ptr, '-', field.len);
    size_t len = dash ? (size_t)(dash - field.ptr) : field.len;
    if (!number_parse_u64(span_of(field.ptr, len), &first))
        return false;
    last = first;
    if (dash && !number_parse_u64(span_of(dash + 1, field.len - len - 1), &last))
        return false;
    if (first < *next || last < first || last >= logged->parser.argc)
        return false;
    for (*next = first; *next <= last; ++*next)
        add_arg(logged, logged->parser.args[*next]);
    return true;
}

static bool add_fields(struct logged *logged, char *text, size_t len)
{
    uint64_t next = 0;
    for (;;) {
        const char *colon = memchr(text, ':', len);
        size_t used = colon ? (size_t)(colon - text) : len;
        struct span arg;
        if (used && *text == '=') {
            if (!add_named(logged, span_of(text + 1, used - 1), &next))
                return false;
        } else if (decode_text(text, used, &arg)) {
            add_arg(logged, arg);
        } else {
            return false;
        }
        if (!colon)
            return true;
        text += used + 1;
        len -= used + 1;
    }
}

static bool take_annotated(struct logged *logged, struct span *rest)
{
    enum { COUNT = 2 }; /* bytes */
    if (!take_lines(logged, rest))
        return false;
    char *text = logged->text.ptr;
    size_t len = logged->text.len;
    if (len < COUNT || (text[0] != '0' && text[0] != '1') || text[1] != ':')
        return false;
    logged->parser.argc = 0;
    if (text[0] == '1' && !take_array(logged, rest))
        return false;
    if (!add_fields(logged, text + COUNT, len - COUNT))
        return false;
    logged->args = logged->own;
    return true;
}

static void forget(struct logged *logged)
{
    logged->args = NULL;
    logged->argc = 0;
    if (logged->text.cap > KEPT_BYTES)
        buf_close(&logged->text);
    if (logged->own_cap > KEPT_BYTES / sizeof *logged->own) {
        mem_free(logged->own);
        logged->own = NULL;
        logged->own_cap = 0;
    }
}

bool logged_take(struct logged *logged, struct span *rest)
{
    forget(logged);
    if (rest->len && rest->ptr[0] == '#') {
        bool taken = take_annotated(logged, rest);
        if (!taken)
            logged->argc = 0;
        return taken;
    }
    if (!take_array(logged, rest))
        return false;
    logged->args = logged->parser.args;
    logged->argc = logged->parser.argc;
    return true;
}

void logged_close(struct logged *logged)
{
    resp_parser_close(&logged->parser);
    buf_close(&logged->text);
    mem_free(logged->own);
    *logged = (struct logged){0};
}
