/* The pattern language and its corner cases are those of Redis, as KEYS shows them. An unclosed
 * class ends with the pattern. "[a-]" is a range up to ']'. Ranges compare signed bytes and may be
 * reversed; the reversal is decided before case is ignored, so "[a-Z]" is then empty. An escape
 * within a class always respects case. The empty text matches "" and "*" but not "**".
 *
 * After a mismatch only the last star is extended: earlier stars can stay as they are, because the
 * last one can match the rest. So the work is at most pattern times text, while the usual recursion
 * is exponential. */
#include "command/command.h"

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (signed char)c;
}

static bool same(char a, char b, bool nocase)
{
    return nocase ? lower(a) == lower(b) : a == b;
}

static bool in_range(char low, char high, char c, bool nocase)
{
    bool backwards = (signed char)low > (signed char)high;
    char from = backwards ? high : low;
    char to = backwards ? low : high;
    if (nocase)
        return lower(c) >= lower(from) && lower(c) <= lower(to);
    return (signed char)c >= (signed char)from && (signed char)c <= (signed char)to;
}

/* *at is the position after '['; the function moves it past the class. */
static bool class_matches(struct span pattern, size_t *at, char c, bool nocase)
{
    size_t i = *at;
    bool negated = i < pattern.len && pattern.ptr[i] == '^';
    bool found = false;
    if (negated)
        i++;
    while (i < pattern.len && pattern.ptr[i] != ']') {
        size_t left = pattern.len - i;
        if (pattern.ptr[i] == '\\' && left >= 2) {
            found |= pattern.ptr[i + 1] == c;
            i += 2;
        } else if (left >= 3 && pattern.ptr[i + 1] == '-') {
            found |= in_range(pattern.ptr[i], pattern.ptr[i + 2], c, nocase);
            i += 3;
        } else {
            found |= same(pattern.ptr[i], c, nocase);
            i++;
        }
    }
    *at = i < pattern.len ? i + 1 : i;
    return found != negated;
}

/* Matches one element of the pattern (no star) against one byte; moves *at past the element. */
static bool element_matches(struct span pattern, size_t *at, char c, bool nocase)
{
    char first = pattern.ptr[(*at)++];
    if (first == '?')
        return true;
    if (first == '[')
        return class_matches(pattern, at, c, nocase);
    if (first == '\\' && *at < pattern.len)
        first = pattern.ptr[(*at)++];
    return same(first, c, nocase);
}

/* *looked grows by the bytes of the pattern that were looked at; beyond `most` of them the match is
 * given up. */
static bool matches(struct span pattern, struct span text, bool nocase, uint64_t most,
                    uint64_t *looked)
{
    if (text.len == 0)
        return pattern.len == 0 || (pattern.len == 1 && pattern.ptr[0] == '*');
    size_t at = 0;
    size_t pos = 0;
    bool starred = false;
    size_t star_at = 0; /* position after the last star */
    size_t star_pos = 0;
    while (pos < text.len && *looked <= most) {
        if (at < pattern.len && pattern.ptr[at] == '*') {
            starred = true;
            star_at = ++at;
            star_pos = pos;
            if (at == pattern.len)
                return true;
            continue;
        }
        size_t before = at;
        bool fits = at < pattern.len && element_matches(pattern, &at, text.ptr[pos], nocase);
        *looked += at - before;
        if (fits) {
            pos++;
            continue;
        }
        if (!starred)
            return false;
        at = star_at;
        pos = ++star_pos;
    }
    while (at < pattern.len && pattern.ptr[at] == '*')
        at++;
    return pos == text.len && at == pattern.len;
}

bool command_glob_within(struct span pattern, struct span text, bool nocase, uint64_t *left)
{
    uint64_t looked = 0;
    bool found = *left && matches(pattern, text, nocase, text.len + *left, &looked);
    uint64_t more = looked > text.len ? looked - text.len : 0;
    *left -= more < *left ? more : *left;
    return found;
}

bool command_glob(struct span pattern, struct span text, bool nocase)
{
    uint64_t looked = 0;
    return matches(pattern, text, nocase, UINT64_MAX, &looked);
}
