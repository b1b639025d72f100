/* Splits and quotes words as redis.conf does. */
#include "base/word.h"
#include "config/internal.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void words_reset(struct words *words)
{
    words->text.len = 0;
    words->count = 0;
}

/* Called when all words are read, because the buffer moves until then. */
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
    while (word_find(line, &at)) {
        if (words->count == CONFIG_ARGS_MAX)
            return WORDS_TOO_MANY;
        if (!word_read(&words->text, line, &at))
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
    while (word_find(text, &at)) {
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

struct span config_without_mark(struct span text)
{
    const struct span mark = SPAN("\xef\xbb\xbf");
    return span_begins_with(text, mark) ? span_of(text.ptr + mark.len, text.len - mark.len) : text;
}

bool config_next_line(struct span *rest, struct span *line)
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
