#include "keyspace/listpack.h"

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/listpack_code.h"
#include "keyspace/value.h"

static const unsigned char nothing[PACK_EMPTY_BYTES] = {7, 0, 0, 0, 0, 0, PACK_END};

static void write_little(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* An element that is to be written. */
struct element {
    unsigned char head[PACK_HEAD_MAX];
    size_t head_len;
    struct span text; /* follows the head; empty for an integer */
};

static size_t element_body(const struct element *element)
{
    return element->head_len + element->text.len;
}

static struct element element_of_integer(int64_t number)
{
    struct element element = {0};
    unsigned char *head = element.head;
    if (number >= 0 && number < 128) {
        head[0] = (unsigned char)number;
        element.head_len = 1;
    } else if (number >= -4096 && number < 4096) {
        head[0] = (unsigned char)(PACK_INT13 | (((uint64_t)number >> 8) & 0x1f));
        head[1] = (unsigned char)number;
        element.head_len = 2;
    } else {
        unsigned bytes = 8;
        head[0] = PACK_INT64;
        if (number >= INT16_MIN && number <= INT16_MAX) {
            bytes = 2;
            head[0] = PACK_INT16;
        } else if (number >= -(1 << 23) && number < 1 << 23) {
            bytes = 3;
            head[0] = PACK_INT24;
        } else if (number >= INT32_MIN && number <= INT32_MAX) {
            bytes = 4;
            head[0] = PACK_INT32;
        }
        write_little(head + 1, (uint64_t)number, bytes);
        element.head_len = 1 + bytes;
    }
    return element;
}

static struct element element_of_text(struct span text)
{
    int64_t number;
    if (number_parse_i64(text, &number))
        return element_of_integer(number);
    struct element element = {.text = text};
    unsigned char *head = element.head;
    if (text.len < 1 << 6) {
        head[0] = (unsigned char)(PACK_STRING6 | text.len);
        element.head_len = 1;
    } else if (text.len < 1 << 12) {
        head[0] = (unsigned char)(PACK_STRING12 | text.len >> 8);
        head[1] = (unsigned char)text.len;
        element.head_len = 2;
    } else {
        ASSERT(text.len < LISTPACK_BYTES_MAX);
        head[0] = PACK_STRING32;
        write_little(head + 1, text.len, 4);
        element.head_len = 5;
    }
    return element;
}

static size_t element_total(const struct element *element)
{
    size_t body = element_body(element);
    return body + listpack_trailer_bytes(body);
}

static void element_write(const struct element *element, unsigned char *at)
{
    memcpy(at, element->head, element->head_len);
    if (element->text.len)
        memcpy(at + element->head_len, element->text.ptr, element->text.len);
    size_t body = element_body(element);
    listpack_write_trailer(at + body, body);
}

size_t listpack_element_bytes(struct span text)
{
    struct element element = element_of_text(text);
    return element_total(&element);
}

size_t listpack_integer_bytes(int64_t number)
{
    struct element element = element_of_integer(number);
    return element_total(&element);
}

/* The buffer. */

size_t listpack_bytes(const struct listpack *pack)
{
    return pack->bytes ? listpack_read_u32(pack->bytes) : sizeof(nothing);
}

struct span listpack_span(const struct listpack *pack)
{
    const unsigned char *bytes = pack->bytes ? pack->bytes : nothing;
    return span_of((const char *)bytes, listpack_bytes(pack));
}

bool listpack_has_room(const struct listpack *pack, size_t more)
{
    return more <= LISTPACK_BYTES_MAX - listpack_bytes(pack);
}

static void set_header(struct listpack *pack, size_t bytes, size_t count)
{
    pack->count = (uint32_t)count;
    write_little(pack->bytes, bytes, 4);
    write_little(pack->bytes + 4, count < PACK_COUNT_UNKNOWN ? count : PACK_COUNT_UNKNOWN, 2);
}

void listpack_close(struct listpack *pack)
{
    mem_free(pack->bytes);
    *pack = (struct listpack){0};
}

static void set_capacity(struct listpack *pack, size_t bytes)
{
    bool is_new = !pack->bytes;
    size_t capacity = mem_footprint(bytes);
    pack->bytes = mem_realloc(pack->bytes, capacity);
    pack->capacity = (uint32_t)capacity;
    if (is_new)
        memcpy(pack->bytes, nothing, sizeof(nothing));
}

/* The allocator's size classes grow by a fifth or more, so n appended bytes cost O(n). */
void listpack_reserve(struct listpack *pack, size_t more)
{
    size_t bytes = listpack_bytes(pack);
    ASSERT(more <= LISTPACK_BYTES_MAX - bytes);
    if (bytes + more > pack->capacity)
        set_capacity(pack, bytes + more);
}

void listpack_shrink(struct listpack *pack)
{
    if (pack->bytes && mem_footprint(listpack_bytes(pack)) < pack->capacity)
        set_capacity(pack, listpack_bytes(pack));
}

void listpack_copy(struct listpack *pack, const struct listpack *from)
{
    ASSERT(!pack->bytes);
    if (!from->bytes)
        return;
    set_capacity(pack, listpack_bytes(from));
    memcpy(pack->bytes, from->bytes, listpack_bytes(from));
    pack->count = from->count;
}

bool listpack_load(struct listpack *pack, struct span bytes)
{
    ASSERT(!pack->bytes);
    size_t count;
    if (!listpack_count_valid(bytes, &count))
        return false;
    if (count == 0)
        return true;
    set_capacity(pack, bytes.len);
    memcpy(pack->bytes, bytes.ptr, bytes.len);
    set_header(pack, bytes.len, count);
    return true;
}

/* Editing. */

/* Makes the `old` bytes at `at` a gap of `fresh` bytes. */
static void resize_gap(struct listpack *pack, size_t at, size_t old, size_t fresh)
{
    size_t bytes = listpack_bytes(pack);
    if (fresh > old)
        listpack_reserve(pack, fresh - old);
    if (fresh != old)
        memmove(pack->bytes + at + fresh, pack->bytes + at + old, bytes - at - old);
    set_header(pack, bytes + fresh - old, pack->count);
}

/* Puts the element into the place of `old` bytes at `at`. */
static void splice(struct listpack *pack, size_t at, size_t old, const struct element *element)
{
    resize_gap(pack, at, old, element_total(element));
    element_write(element, pack->bytes + at);
    set_header(pack, listpack_bytes(pack), pack->count + (old == 0));
}

static size_t insert(struct listpack *pack, size_t at, const struct element *element)
{
    if (at == 0)
        at = listpack_bytes(pack) - PACK_END_BYTES;
    splice(pack, at, 0, element);
    return at;
}

static size_t replace(struct listpack *pack, size_t at, const struct element *element)
{
    splice(pack, at, listpack_bytes_at(pack->bytes + at), element);
    return at;
}

size_t listpack_insert(struct listpack *pack, size_t at, struct span text)
{
    struct element element = element_of_text(text);
    return insert(pack, at, &element);
}

size_t listpack_insert_integer(struct listpack *pack, size_t at, int64_t number)
{
    struct element element = element_of_integer(number);
    return insert(pack, at, &element);
}

size_t listpack_append(struct listpack *pack, struct span text)
{
    return listpack_insert(pack, 0, text);
}

size_t listpack_append_integer(struct listpack *pack, int64_t number)
{
    return listpack_insert_integer(pack, 0, number);
}

size_t listpack_replace(struct listpack *pack, size_t at, struct span text)
{
    struct element element = element_of_text(text);
    return replace(pack, at, &element);
}

size_t listpack_replace_integer(struct listpack *pack, size_t at, int64_t number)
{
    struct element element = element_of_integer(number);
    return replace(pack, at, &element);
}

/* The end of up to *count elements from `at` on. Sets *count to their number. */
static size_t end_of_run(const struct listpack *pack, size_t at, size_t *count)
{
    size_t most = *count;
    *count = 0;
    while (*count < most && pack->bytes[at] != PACK_END) {
        at += listpack_bytes_at(pack->bytes + at);
        ++*count;
    }
    return at;
}

/* A pack that has become much smaller gives memory back, at a cost that the removals have paid. */
size_t listpack_delete(struct listpack *pack, size_t at, size_t count)
{
    if (count == 0 || at == 0)
        return at;
    size_t bytes = listpack_bytes(pack);
    size_t end = end_of_run(pack, at, &count);
    if (count == pack->count) {
        listpack_close(pack);
        return 0;
    }
    memmove(pack->bytes + at, pack->bytes + end, bytes - end);
    set_header(pack, bytes - (end - at), pack->count - count);
    if (listpack_bytes(pack) < pack->capacity / 2)
        listpack_shrink(pack);
    return pack->bytes[at] == PACK_END ? 0 : at;
}

void listpack_take_out(struct listpack *pack, size_t at, size_t count)
{
    size_t tail = listpack_bytes(pack) - PACK_END_BYTES;
    bool keep_order = pack->count <= VALUE_ORDER_KEPT * count;
    for (size_t i = 0; i < count && !keep_order; i++)
        tail = listpack_before(pack->bytes, tail);
    if (keep_order || at == tail) {
        listpack_delete(pack, at, count);
        return;
    }
    size_t len = listpack_bytes(pack) - PACK_END_BYTES - tail;
    unsigned char *moved = mem_alloc(len);
    memcpy(moved, pack->bytes + tail, len);
    listpack_delete(pack, tail, count);
    resize_gap(pack, at, end_of_run(pack, at, &count) - at, len);
    memcpy(pack->bytes + at, moved, len);
    mem_free(moved);
}

size_t listpack_delete_range(struct listpack *pack, size_t index, size_t count)
{
    size_t old = pack->count;
    listpack_delete(pack, listpack_nth(pack, index), count);
    return old - pack->count;
}

void listpack_append_from(struct listpack *pack, const struct listpack *from, size_t at,
                          size_t count)
{
    if (count == 0 || at == 0)
        return;
    size_t end = end_of_run(from, at, &count);
    listpack_reserve(pack, end - at);
    size_t bytes = listpack_bytes(pack);
    memcpy(pack->bytes + bytes - PACK_END_BYTES, from->bytes + at, end - at);
    pack->bytes[bytes + (end - at) - PACK_END_BYTES] = PACK_END;
    set_header(pack, bytes + (end - at), pack->count + count);
}
