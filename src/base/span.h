/* A span is a borrowed sequence of bytes. It owns nothing and is valid as long as the bytes it
 * points to. */
#ifndef FLOTILLA_BASE_SPAN_H
#define FLOTILLA_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr; /* may be NULL only if len is 0 */
    size_t len;
};

#define SPAN(literal) ((struct span){("" literal), sizeof(literal) - 1})

static inline struct span span_of(const char *ptr, size_t len)
{
    return (struct span){ptr, len};
}

static inline struct span span_text(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_begins_with(struct span text, struct span prefix)
{
    return text.len >= prefix.len && span_equal(span_of(text.ptr, prefix.len), prefix);
}

/* Ignores case of ASCII letters only, whatever the locale. */
bool span_equal_nocase(struct span a, struct span b);
bool span_is(struct span a, const char *text);  /* ignores case */
int span_compare(struct span a, struct span b); /* orders by bytes as memcmp(), then by length */

#endif
