#include "base/number.h"
#include "resp/parse.h"

static size_t digits(size_t value)
{
    size_t count = 1;
    for (; value >= 10; value /= 10)
        count++;
    return count;
}

size_t resp_encoded_size(const struct span *args, size_t argc)
{
    size_t size = 1 + digits(argc) + 2;
    for (size_t i = 0; i < argc; i++)
        size += 1 + digits(args[i].len) + 2 + args[i].len + 2;
    return size;
}

void resp_encode_command(struct buf *out, const struct span *args, size_t argc)
{
    char *start = buf_reserve(out, resp_encoded_size(args, argc));
    char *at = start;
    *at++ = '*';
    at += number_format_u64(at, argc);
    *at++ = '\r';
    *at++ = '\n';
    for (size_t i = 0; i < argc; i++) {
        *at++ = '$';
        at += number_format_u64(at, args[i].len);
        *at++ = '\r';
        *at++ = '\n';
        if (args[i].len)
            memcpy(at, args[i].ptr, args[i].len);
        at += args[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    out->len += (size_t)(at - start);
}
