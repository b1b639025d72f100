/* A growable run of bytes that owns its memory. Zero-initialised is empty and valid. */
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

void buf_close(struct buf *buf);                 /* frees; the buf is empty and valid afterwards */
void buf_grow(struct buf *buf, size_t more);     /* slow path of buf_reserve */
void buf_shrink(struct buf *buf);                /* to what is in it */
void buf_consume(struct buf *buf, size_t count); /* drops count bytes from the front */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_add_i64(struct buf *buf, int64_t value); /* decimal */
void buf_add_u64(struct buf *buf, uint64_t value);

/* Room for exactly `more` bytes at ptr + len, where the size is known and nothing follows. */
char *buf_reserve_exact(struct buf *buf, size_t more);

/* Room for `more` bytes at ptr + len. Pointers into the buffer are invalid afterwards. */
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
