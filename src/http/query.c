/* Parameters of a query. */
#include "http/internal.h"

#include <string.h>

static struct span take_pair(struct span *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '&', rest->len) : NULL;
    struct span pair = end ? span_of(rest->ptr, (size_t)(end - rest->ptr)) : *rest;
    *rest = end ? span_of(end + 1, rest->len - pair.len - 1) : span_of(NULL, 0);
    return pair;
}

static bool decode(struct span text, struct buf *out)
{
    size_t len;
    bool fine = http_decode_percent(text, buf_reserve(out, text.len + 1), &len);
    out->len = fine ? len : 0;
    return fine;
}

static struct span value_of(struct span pair, struct span *name)
{
    const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
    *name = equals ? span_of(pair.ptr, (size_t)(equals - pair.ptr)) : pair;
    return equals ? span_of(equals + 1, pair.len - name->len - 1) : span_of(NULL, 0);
}

enum http_parameter http_query_get(struct span query, const char *name, struct buf *out)
{
    enum http_parameter found = HTTP_ABSENT;
    while (query.len) {
        struct span own;
        struct span value = value_of(take_pair(&query), &own);
        if (!span_equal(own, span_text(name)))
            continue;
        if (found == HTTP_PRESENT)
            return HTTP_TWICE;
        out->len = 0;
        if (!decode(value, out))
            return HTTP_MALFORMED;
        found = HTTP_PRESENT;
    }
    return found;
}

bool http_query_has_others(struct span query, const char *const *names)
{
    while (query.len) {
        struct span own, pair = take_pair(&query);
        value_of(pair, &own);
        bool known = pair.len == 0;
        for (size_t i = 0; names[i] && !known; i++)
            known = span_equal(own, span_text(names[i]));
        if (!known)
            return true;
    }
    return false;
}
