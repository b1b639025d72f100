#include "keyspace/rdb_text.h"

#include "base/number.h"

bool rdb_add_some_text(struct buf *out, struct span text, uint64_t *done, size_t end)
{
    if (*done == 0) {
        int64_t number;
        if (number_parse_i64(text, &number) && rdb_add_integer(out, number))
            return true;
        rdb_add_length(out, text.len);
    }
    size_t left = text.len - *done;
    size_t room = out->len < end ? end - out->len : 0;
    /* At least one byte, because 0 bytes would look like a string that is not begun. */
    size_t some = left <= room ? left : room ? room : 1;
    buf_add(out, text.ptr + *done, some < left ? some : left);
    if (some >= left) {
        *done = 0;
        return true;
    }
    *done += some;
    return false;
}
