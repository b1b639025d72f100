/* A growable byte buffer that owns its memory. Zero-initialised is empty and valid. */
#ifndef FLOTILLA_BASE_BUF_H
#define FLOTILLA_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
};

/* Frees the memory; the buf is then empty and valid. */
void buf_close(struct buf *buf);
void buf_grow(struct buf *buf, size_t more);     /* slow path of buf_reserve() */
void buf_shrink(struct buf *buf);                /* frees unused capacity */
void buf_consume(struct buf *buf, size_t count); /* removes `count` bytes from the front */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_add_i64(struct buf *buf, int64_t value); /* decimal */
void buf_add_u64(struct buf *buf, uint64_t value);

/* Reserves exactly `more` bytes at ptr + len. For a known size that nothing is added to. */
char *buf_reserve_exact(struct buf *buf, size_t more);

/* Reserves `more` bytes at ptr + len. Invalidates pointers into the buffer. */
static inline char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->cap - buf->len < more)
        buf_grow(buf, more);
    return buf->ptr + buf->len;
}

static inline void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), bytes, len);
    buf->len += len;
}

static inline void buf_add_span(struct buf *buf, struct span span)
{
    buf_add(buf, span.ptr, span.len);
}

static inline void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

static inline void buf_add_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->len++;
}

static inline struct span buf_span(const struct buf *buf)
{
    return (struct span){buf->ptr, buf->len};
}

#endif
