#include "base/word.h"

#include "base/number.h"

/* More characters separate words than end an unquoted word: Redis skips vertical tabs and form
 * feeds before a word, but keeps them within it. */
static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
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

/* Reads from after an opening double quote through the closing one. */
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
        if (c == 'x' && i + 2 < line.len && number_hex_digit(line.ptr[i + 1]) >= 0 &&
            number_hex_digit(line.ptr[i + 2]) >= 0) {
            buf_add_char(out, (char)(number_hex_digit(line.ptr[i + 1]) * 16 +
                                     number_hex_digit(line.ptr[i + 2])));
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

bool word_find(struct span line, size_t *at)
{
    while (*at < line.len && is_space(line.ptr[*at]))
        (*at)++;
    return *at < line.len;
}

/* A quote may open within a word. */
bool word_read(struct buf *out, struct span line, size_t *at)
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
