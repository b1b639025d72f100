/* The words of a line: redis.conf's quoting, both ways. */
#include "config/internal.h"

/* What separates words is more than what ends one without quotes: Redis skips vertical tabs and
 * form feeds in front of a word, but keeps them within it. */
static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static char escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Reads behind an opening double quote, through the closing one. */
static bool read_double(struct buf *out, struct span line, size_t *at)
{
    for (size_t i = *at; i < line.len; i++) {
        char c = line.ptr[i];
        if (c == '"') {
            *at = i + 1;
            return true;
        }
        if (c != '\\' || i + 1 == line.len) {
            buf_add_char(out, c);
            continue;
        }
        c = line.ptr[++i];
        if (c == 'x' && i + 2 < line.len && hex_digit(line.ptr[i + 1]) >= 0 &&
            hex_digit(line.ptr[i + 2]) >= 0) {
            buf_add_char(out, (char)(hex_digit(line.ptr[i + 1]) * 16 + hex_digit(line.ptr[i + 2])));
            i += 2;
            continue;
        }
        buf_add_char(out, escaped(c));
    }
    return false;
}

static bool read_single(struct buf *out, struct span line, size_t *at)
{
    for (size_t i = *at; i < line.len; i++) {
        char c = line.ptr[i];
        if (c == '\'') {
            *at = i + 1;
            return true;
        }
        if (c == '\\' && i + 1 < line.len && line.ptr[i + 1] == '\'')
            c = line.ptr[++i];
        buf_add_char(out, c);
    }
    return false;
}

/* One word from *at on. Quotes may open within a word, but only a space may follow their end. */
static bool read_word(struct buf *out, struct span line, size_t *at)
{
    while (*at < line.len && !ends_word(line.ptr[*at])) {
        char c = line.ptr[(*at)++];
        if (c != '"' && c != '\'') {
            buf_add_char(out, c);
            continue;
        }
        if (!(c == '"' ? read_double(out, line, at) : read_single(out, line, at)))
            return false;
        return *at == line.len || is_space(line.ptr[*at]);
    }
    return true;
}

static void words_reset(struct words *words)
{
    words->text.len = 0;
    words->count = 0;
}

/* Only now, as the buffer does not move any more. */
static void words_point(struct words *words)
{
    size_t start = 0;
    for (size_t i = 0; i < words->count; i++) {
        size_t len = words->ends[i] - start;
        words->list[i] = len == 0 ? SPAN("") : span_of(words->text.ptr + start, len);
        start = words->ends[i];
    }
}

enum words_outcome words_split(struct words *words, struct span line)
{
    words_reset(words);
    size_t at = 0;
    for (;;) {
        while (at < line.len && is_space(line.ptr[at]))
            at++;
        if (at == line.len)
            break;
        if (words->count == CONFIG_ARGS_MAX)
            return WORDS_TOO_MANY;
        if (!read_word(&words->text, line, &at))
            return WORDS_UNBALANCED;
        words->ends[words->count++] = words->text.len;
    }
    words_point(words);
    return WORDS_OK;
}

enum words_outcome words_split_plain(struct words *words, struct span text)
{
    words_reset(words);
    size_t at = 0;
    for (;;) {
        while (at < text.len && is_space(text.ptr[at]))
            at++;
        if (at == text.len)
            break;
        if (words->count == CONFIG_ARGS_MAX)
            return WORDS_TOO_MANY;
        while (at < text.len && !is_space(text.ptr[at]))
            buf_add_char(&words->text, text.ptr[at++]);
        words->ends[words->count++] = words->text.len;
    }
    words_point(words);
    return WORDS_OK;
}

void words_close(struct words *words)
{
    buf_close(&words->text);
    words->count = 0;
}

static bool needs_quotes(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' || (i == 0 && c == '#'))
            return true;
    }
    return word.len == 0;
}

void words_quote(struct buf *out, struct span word)
{
    if (!needs_quotes(word)) {
        buf_add_span(out, word);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c >= ' ' && c <= '~')
            buf_add_char(out, c);
        else
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
    }
    buf_add_char(out, '"');
}

struct span text_without_mark(struct span text)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t len = sizeof mark - 1;
    bool has_mark = text.len >= len && memcmp(text.ptr, mark, len) == 0;
    return has_mark ? span_of(text.ptr + len, text.len - len) : text;
}

bool next_line(struct span *rest, struct span *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    *line = span_of(rest->ptr, len);
    size_t taken = end == NULL ? len : len + 1;
    *rest = span_of(rest->ptr + taken, rest->len - taken);
    return true;
}
