#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"

enum { BUF_MIN_CAP = 64, BUF_DOUBLE_UP_TO = 1 << 20 };

void buf_close(struct buf *buf)
{
    mem_free(buf->ptr);
    *buf = (struct buf){0};
}

void buf_grow(struct buf *buf, size_t more)
{
    size_t need = buf->len + more;
    ASSERT(need >= more);
    size_t cap = buf->cap < BUF_MIN_CAP ? BUF_MIN_CAP : buf->cap;
    while (cap < need)
        cap = cap < BUF_DOUBLE_UP_TO ? cap * 2 : cap + cap / 2;
    buf->ptr = mem_realloc(buf->ptr, cap);
    buf->cap = cap;
}

char *buf_reserve_exact(struct buf *buf, size_t more)
{
    size_t need = buf->len + more;
    ASSERT(need >= more);
    if (buf->cap < need) {
        buf->ptr = mem_realloc(buf->ptr, need);
        buf->cap = need;
    }
    return buf->ptr + buf->len;
}

void buf_shrink(struct buf *buf)
{
    if (buf->len == 0) {
        buf_close(buf);
        return;
    }
    buf->ptr = mem_realloc(buf->ptr, buf->len);
    buf->cap = buf->len;
}

void buf_consume(struct buf *buf, size_t count)
{
    ASSERT(count <= buf->len);
    buf->len -= count;
    if (buf->len)
        memmove(buf->ptr, buf->ptr + count, buf->len);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = 128;
    for (;;) {
        va_list copy;
        va_copy(copy, args);
        int len = vsnprintf(buf_reserve(buf, room), room, format, copy);
        va_end(copy);
        ASSERT(len >= 0);
        if ((size_t)len < room) {
            buf->len += (size_t)len;
            break;
        }
        room = (size_t)len + 1;
    }
    va_end(args);
}

void buf_add_i64(struct buf *buf, int64_t value)
{
    char *at = buf_reserve(buf, NUMBER_I64_CHARS);
    buf->len += number_format_i64(at, value);
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char *at = buf_reserve(buf, NUMBER_I64_CHARS);
    buf->len += number_format_u64(at, value);
}
