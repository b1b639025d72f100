/* Feeds the readers of packed values: listpack, ziplist, zipmap and intset.
 *
 * Whatever the bytes are, the reader stays within them and hands out elements that lie within them
 * or are numbers. The elements of a listpack are those that its own functions give, forwards and
 * backwards; a pack that passes can be edited. What comes of an intset is in order.
 *
 * Input: a byte that says which of them it is, one that says whether lengths and counts that have
 * to agree with the rest are made right (or hardly any input would pass), the bytes. */
#include "keyspace/rdb_packed.h"
#include "base/number.h"
#include "keyspace/listpack.h"
#include "keyspace/rdb_code.h"

#include "fuzz/fuzz.h"
#include "unit/keyspace/rdb_bodies.h"

enum { PACKINGS = 4 };

struct seen {
    struct span bytes;
    size_t count;
    size_t stop_at;   /* the element that ends the walk; 0: none does */
    struct buf texts; /* length and bytes of each */
};

static bool lies_within(struct span text, struct span bytes)
{
    return text.ptr >= bytes.ptr && text.ptr + text.len <= bytes.ptr + bytes.len;
}

static bool see(void *context, struct span text)
{
    struct seen *seen = context;
    int64_t number;
    ASSERT(seen->stop_at == 0 || seen->count < seen->stop_at);
    ASSERT(lies_within(text, seen->bytes) || number_parse_i64(text, &number) ||
           text.len <= seen->bytes.len); /* a listpack is read from a copy */
    buf_add(&seen->texts, &text.len, sizeof text.len);
    buf_add_span(&seen->texts, text);
    return ++seen->count != seen->stop_at;
}

static struct seen walk(enum rdb_packing packing, struct span bytes, size_t stop_at, bool *whole)
{
    struct seen seen = {.bytes = bytes, .stop_at = stop_at};
    *whole = rdb_packed_each(packing, bytes, see, &seen);
    return seen;
}

/* ---- what is true of a form that passed ---- */

static void check_intset(const struct seen *seen)
{
    struct span rest = buf_span(&seen->texts);
    int64_t last = 0;
    for (size_t i = 0; i < seen->count; i++) {
        size_t len;
        int64_t number;
        memcpy(&len, rest.ptr, sizeof len);
        ASSERT(number_parse_i64(span_of(rest.ptr + sizeof len, len), &number));
        ASSERT(i == 0 || number > last);
        last = number;
        rest = span_of(rest.ptr + sizeof len + len, rest.len - sizeof len - len);
    }
}

static void check_backwards(const struct listpack *pack)
{
    size_t count = 0;
    for (size_t at = listpack_last(pack); at; at = listpack_previous(pack, at)) {
        count++;
        ASSERT(listpack_nth(pack, listpack_count(pack) - count) == at);
    }
    ASSERT(count == listpack_count(pack));
}

/* Each element is replaced by a text and then by a number, and all are taken out. */
static void check_edits(struct listpack *pack)
{
    char scratch[NUMBER_I64_CHARS];
    size_t count = listpack_count(pack);
    for (size_t i = 0; i < count && i < 20; i++) {
        size_t at = listpack_replace(pack, listpack_nth(pack, i), SPAN("another"));
        ASSERT(listpack_equal(pack, at, SPAN("another")));
        at = listpack_replace_integer(pack, at, (int64_t)i * 1000003);
        int64_t number;
        ASSERT(number_parse_i64(listpack_text(pack, at, scratch), &number) &&
               number == (int64_t)i * 1000003);
        ASSERT(listpack_validate(listpack_span(pack)));
    }
    ASSERT(listpack_delete_range(pack, 0, count) == count && listpack_count(pack) == 0);
}

static void check_listpack(struct span bytes, const struct seen *seen)
{
    struct listpack pack = {0};
    struct buf texts = {0};
    char scratch[NUMBER_I64_CHARS];
    ASSERT(listpack_load(&pack, bytes) && listpack_count(&pack) == seen->count);
    for (size_t at = listpack_first(&pack); at; at = listpack_next(&pack, at)) {
        struct span text = listpack_text(&pack, at, scratch);
        ASSERT(listpack_equal(&pack, at, text));
        buf_add(&texts, &text.len, sizeof text.len);
        buf_add_span(&texts, text);
    }
    ASSERT(span_equal(buf_span(&texts), buf_span(&seen->texts)));
    check_backwards(&pack);
    check_edits(&pack);
    buf_close(&texts);
    listpack_close(&pack);
}

/* A walk that is ended has seen the same elements so far. */
static void check_ending(enum rdb_packing packing, struct span bytes, const struct seen *seen)
{
    bool whole;
    size_t stop_at = 1 + seen->count / 2;
    struct seen some = walk(packing, bytes, stop_at, &whole);
    ASSERT(!whole || seen->count < stop_at);
    ASSERT(some.texts.len <= seen->texts.len);
    ASSERT(some.texts.len == 0 || memcmp(some.texts.ptr, seen->texts.ptr, some.texts.len) == 0);
    buf_close(&some.texts);
}

/* ---- lengths and counts that agree ---- */

static void put_number(struct buf *bytes, size_t at, size_t number, size_t count)
{
    for (size_t i = 0; i < count && at + i < bytes->len; i++)
        bytes->ptr[at + i] = (char)(number >> (8 * i));
}

static void make_agree(enum rdb_packing packing, struct buf *bytes)
{
    size_t len = bytes->len;
    if (packing == RDB_INTSET && len >= 8) {
        size_t width = (size_t)2 << (bytes->ptr[0] & 1) << (bytes->ptr[0] >> 1 & 1);
        put_number(bytes, 0, width, 4);
        put_number(bytes, 4, (len - 8) / width, 4);
        bytes->len = 8 + (len - 8) / width * width;
        return;
    }
    if (packing == RDB_ZIPMAP || len < 7)
        return;
    put_number(bytes, 0, len, 4);
    put_number(bytes, packing == RDB_LISTPACK ? 4 : 8, 0xffff, 2); /* the count is not known */
    bytes->ptr[len - 1] = (char)0xff;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    enum rdb_packing packing = (enum rdb_packing)(bytes[0] % PACKINGS);
    struct buf copy = {0};
    buf_add(&copy, bytes + 2, len - 2);
    if (bytes[1] & 1)
        make_agree(packing, &copy);
    /* exactly as long as they are, so that a byte too many is found */
    char *exact = malloc(copy.len ? copy.len : 1);
    if (copy.len)
        memcpy(exact, copy.ptr, copy.len);
    struct span packed = span_of(exact, copy.len);
    bool whole;
    struct seen seen = walk(packing, packed, 0, &whole);
    ASSERT(seen.count <= packed.len);
    if (packing == RDB_LISTPACK)
        ASSERT(whole == listpack_validate(packed));
    if (whole && packing == RDB_LISTPACK)
        check_listpack(packed, &seen);
    if (whole && packing == RDB_INTSET)
        check_intset(&seen);
    check_ending(packing, packed, &seen);
    buf_close(&seen.texts);
    buf_close(&copy);
    free(exact);
    return 0;
}

/* ---- values to begin with ---- */

static int packing_of(unsigned char type)
{
    switch (type) {
    case RDB_TYPE_HASH_LISTPACK:
    case RDB_TYPE_ZSET_LISTPACK:
    case RDB_TYPE_SET_LISTPACK:
        return RDB_LISTPACK;
    case RDB_TYPE_LIST_ZIPLIST:
    case RDB_TYPE_ZSET_ZIPLIST:
    case RDB_TYPE_HASH_ZIPLIST:
        return RDB_ZIPLIST;
    case RDB_TYPE_HASH_ZIPMAP:
        return RDB_ZIPMAP;
    case RDB_TYPE_SET_INTSET:
        return RDB_INTSET;
    default:
        return -1;
    }
}

/* The packed form is one string, which is not compressed in most of them. */
static void seeds(void)
{
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        const unsigned char *at = (const unsigned char *)body.ptr;
        int packing = packing_of(at[0]);
        unsigned head = rdb_length_bytes(at[1]);
        if (packing >= 0 && !rdb_length_of(at + 1).encoded) {
            struct buf input = {0};
            buf_add_char(&input, (char)packing);
            buf_add_char(&input, 0);
            buf_add(&input, at + 1 + head, body.len - 1 - head);
            seed_put(buf_span(&input));
            buf_close(&input);
        }
        buf_close(&body);
    }
}
