#include "keyspace/stream_id.h"

#include "base/number.h"

enum { TEXT_MAX = 127 };

bool stream_id_increment(struct stream_id *id)
{
    if (id->seq == UINT64_MAX) {
        if (id->ms == UINT64_MAX)
            return false;
        *id = (struct stream_id){id->ms + 1, 0};
    } else {
        id->seq++;
    }
    return true;
}

bool stream_id_decrement(struct stream_id *id)
{
    if (id->seq == 0) {
        if (id->ms == 0)
            return false;
        *id = (struct stream_id){id->ms - 1, UINT64_MAX};
    } else {
        id->seq--;
    }
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Redis falls back on strtoull(), which skips spaces, accepts signs and zeros, and takes a negative
 * number modulo 2^64. A negative number without leading zeros or spaces is refused before that. */
static bool parse_tolerantly(struct span text, uint64_t *value)
{
    size_t at = 0;
    int64_t strict;
    if (number_parse_i64(text, &strict))
        return false;
    while (at < text.len && is_space(text.ptr[at]))
        at++;
    bool negative = at < text.len && text.ptr[at] == '-';
    if (at < text.len && (negative || text.ptr[at] == '+'))
        at++;
    if (at == text.len)
        return false;
    uint64_t sum = 0;
    for (; at < text.len; at++) {
        unsigned digit = (unsigned char)(text.ptr[at] - '0');
        if (digit > 9 || sum > UINT64_MAX / 10 || sum * 10 > UINT64_MAX - digit)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? 0 - sum : sum;
    return true;
}

static bool parse_number(struct span text, uint64_t *value)
{
    return number_parse_u64(text, value) || parse_tolerantly(text, value);
}

/* Redis reads an ID as a C string. */
static struct span until_nul(struct span text)
{
    const char *nul = text.len ? memchr(text.ptr, '\0', text.len) : NULL;
    return nul ? span_of(text.ptr, (size_t)(nul - text.ptr)) : text;
}

/* Splits at the first dash; false: there is none. */
static bool split(struct span text, struct span *before, struct span *after)
{
    const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
    *before = text;
    *after = span_of(NULL, 0);
    if (!dash)
        return false;
    *before = span_of(text.ptr, (size_t)(dash - text.ptr));
    *after = span_of(dash + 1, text.len - before->len - 1);
    return true;
}

bool stream_id_parse(struct span text, uint64_t missing_seq, struct stream_id *id)
{
    struct span ms, seq;
    if (text.len > TEXT_MAX)
        return false;
    bool has_seq = split(until_nul(text), &ms, &seq);
    struct stream_id parsed = {0, missing_seq};
    if (!parse_number(ms, &parsed.ms) || (has_seq && !parse_number(seq, &parsed.seq)))
        return false;
    *id = parsed;
    return true;
}

bool stream_id_parse_auto_seq(struct span text, uint64_t *ms)
{
    struct span before, after;
    return text.len <= TEXT_MAX && split(until_nul(text), &before, &after) &&
           span_equal(after, SPAN("*")) && parse_number(before, ms);
}

bool stream_id_parse_bound(struct span text, uint64_t missing_seq, struct stream_id *id)
{
    struct span shown = until_nul(text);
    bool first = span_equal(shown, SPAN("-"));
    if ((first || span_equal(shown, SPAN("+"))) && text.len <= TEXT_MAX) {
        *id = first ? STREAM_ID_MIN : STREAM_ID_MAX;
        return true;
    }
    return stream_id_parse(text, missing_seq, id);
}

size_t stream_id_format(char *out, struct stream_id id)
{
    size_t len = number_format_u64(out, id.ms);
    out[len++] = '-';
    return len + number_format_u64(out + len, id.seq);
}

static void pack(unsigned char *out, uint64_t number)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (unsigned char)number;
        number >>= 8;
    }
}

static uint64_t unpack(const unsigned char *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

void stream_id_pack(unsigned char out[STREAM_ID_BYTES], struct stream_id id)
{
    pack(out, id.ms);
    pack(out + 8, id.seq);
}

struct stream_id stream_id_unpack(const unsigned char bytes[STREAM_ID_BYTES])
{
    return (struct stream_id){unpack(bytes), unpack(bytes + 8)};
}
