#include "keyspace/listpack.h"

#include "base/assert.h"
#include "base/mem.h"

enum { HEADER_BYTES = 6, END_BYTES = 1, END = 0xff, COUNT_UNKNOWN = 0xffff };

/* The first byte of an element. */
enum {
    STRING6 = 0x80,  /* 10: the length in 6 bits */
    INT13 = 0xc0,    /* 110: the number in 5 bits and a byte */
    STRING12 = 0xe0, /* 1110: the length in 4 bits and a byte */
    STRING32 = 0xf0, /* the length in 4 bytes */
    INT16 = 0xf1,
    INT24 = 0xf2,
    INT32 = 0xf3,
    INT64 = 0xf4,
    TRAILER_MAX = 5,
    HEAD_MAX = 9,
};

static const unsigned char nothing[HEADER_BYTES + END_BYTES] = {7, 0, 0, 0, 0, 0, END};

static uint32_t read_u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_little(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static int64_t read_signed(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    return (int64_t)((value ^ sign) - sign);
}

/* The length of an element without its trailer. Reads up to 5 bytes. */
static size_t body_bytes(const unsigned char *at)
{
    unsigned first = at[0];
    if (first < STRING6)
        return 1;
    if (first < INT13)
        return 1 + (first & 0x3f);
    if (first < STRING12)
        return 2;
    if (first < STRING32)
        return 2 + ((size_t)(first & 0x0f) << 8 | at[1]);
    switch (first) {
    case STRING32:
        return 5 + (size_t)read_u32(at + 1);
    case INT16:
        return 3;
    case INT24:
        return 4;
    case INT32:
        return 5;
    default:
        return 9;
    }
}

static size_t trailer_bytes(size_t body)
{
    if (body < 1 << 7)
        return 1;
    if (body < 1 << 14)
        return 2;
    if (body < 1 << 21)
        return 3;
    return body < 1 << 28 ? 4 : 5;
}

/* Groups of 7 bits, the highest first. All but the first byte have the top bit set, so that a
 * reader from the right knows where it ends. */
static size_t write_trailer(unsigned char *at, size_t body)
{
    size_t count = trailer_bytes(body);
    for (size_t i = count; i-- > 0; body >>= 7)
        at[i] = (unsigned char)((body & 0x7f) | (i ? 0x80 : 0));
    return count;
}

static size_t element_bytes(const unsigned char *at)
{
    size_t body = body_bytes(at);
    return body + trailer_bytes(body);
}

/* An element that is to be written. */
struct element {
    unsigned char head[HEAD_MAX];
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
        head[0] = (unsigned char)(INT13 | (((uint64_t)number >> 8) & 0x1f));
        head[1] = (unsigned char)number;
        element.head_len = 2;
    } else {
        unsigned bytes = 8;
        head[0] = INT64;
        if (number >= INT16_MIN && number <= INT16_MAX) {
            bytes = 2;
            head[0] = INT16;
        } else if (number >= -(1 << 23) && number < 1 << 23) {
            bytes = 3;
            head[0] = INT24;
        } else if (number >= INT32_MIN && number <= INT32_MAX) {
            bytes = 4;
            head[0] = INT32;
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
        head[0] = (unsigned char)(STRING6 | text.len);
        element.head_len = 1;
    } else if (text.len < 1 << 12) {
        head[0] = (unsigned char)(STRING12 | text.len >> 8);
        head[1] = (unsigned char)text.len;
        element.head_len = 2;
    } else {
        ASSERT(text.len < LISTPACK_BYTES_MAX);
        head[0] = STRING32;
        write_little(head + 1, text.len, 4);
        element.head_len = 5;
    }
    return element;
}

static size_t element_total(const struct element *element)
{
    size_t body = element_body(element);
    return body + trailer_bytes(body);
}

static void element_write(const struct element *element, unsigned char *at)
{
    memcpy(at, element->head, element->head_len);
    if (element->text.len)
        memcpy(at + element->head_len, element->text.ptr, element->text.len);
    size_t body = element_body(element);
    write_trailer(at + body, body);
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
    return pack->bytes ? read_u32(pack->bytes) : sizeof(nothing);
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
    write_little(pack->bytes + 4, count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN, 2);
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

/* Bytes from elsewhere. */

/* The length of the element at `at` with `left` bytes up to the end; 0: it is damaged. */
static size_t checked_bytes(const unsigned char *at, size_t left)
{
    if (at[0] > INT64 || (at[0] == STRING32 && left < 5) || left < 2)
        return 0;
    size_t body = body_bytes(at);
    size_t trailer = trailer_bytes(body);
    if (body > left || trailer > left - body)
        return 0;
    unsigned char expected[TRAILER_MAX];
    write_trailer(expected, body);
    return memcmp(expected, at + body, trailer) == 0 ? body + trailer : 0;
}

/* Counts the elements. False: the bytes are no pack. */
static bool count_valid(struct span bytes, size_t *count)
{
    const unsigned char *start = (const unsigned char *)bytes.ptr;
    if (bytes.len < sizeof(nothing) || bytes.len > LISTPACK_BYTES_MAX)
        return false;
    const unsigned char *end = start + bytes.len - END_BYTES;
    if (read_u32(start) != bytes.len || *end != END)
        return false;
    *count = 0;
    for (const unsigned char *at = start + HEADER_BYTES; at < end; ++*count) {
        size_t element = checked_bytes(at, (size_t)(end - at));
        if (element == 0)
            return false;
        at += element;
    }
    size_t told = start[4] | (size_t)start[5] << 8;
    return told == COUNT_UNKNOWN || told == *count;
}

bool listpack_validate(struct span bytes)
{
    size_t count;
    return count_valid(bytes, &count);
}

bool listpack_load(struct listpack *pack, struct span bytes)
{
    ASSERT(!pack->bytes);
    size_t count;
    if (!count_valid(bytes, &count))
        return false;
    if (count == 0)
        return true;
    set_capacity(pack, bytes.len);
    memcpy(pack->bytes, bytes.ptr, bytes.len);
    set_header(pack, bytes.len, count);
    return true;
}

/* Walking. */

size_t listpack_first(const struct listpack *pack)
{
    return pack->count ? HEADER_BYTES : 0;
}

size_t listpack_next(const struct listpack *pack, size_t at)
{
    at += element_bytes(pack->bytes + at);
    return pack->bytes[at] == END ? 0 : at;
}

/* The place before `at`, which may be the end. */
static size_t before(const struct listpack *pack, size_t at)
{
    size_t body = 0;
    unsigned shift = 0;
    size_t from = at;
    unsigned char byte;
    do {
        byte = pack->bytes[--from];
        body |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return from - body;
}

size_t listpack_previous(const struct listpack *pack, size_t at)
{
    return at == HEADER_BYTES ? 0 : before(pack, at);
}

size_t listpack_last(const struct listpack *pack)
{
    return pack->count ? before(pack, listpack_bytes(pack) - END_BYTES) : 0;
}

size_t listpack_skip(const struct listpack *pack, size_t at, size_t count)
{
    const unsigned char *bytes = pack->bytes;
    while (count-- > 0) {
        at += element_bytes(bytes + at);
        if (bytes[at] == END)
            return 0;
    }
    return at;
}

size_t listpack_nth(const struct listpack *pack, size_t index)
{
    if (index >= pack->count)
        return 0;
    if (index <= pack->count / 2)
        return listpack_skip(pack, HEADER_BYTES, index);
    size_t at = listpack_last(pack);
    for (size_t i = pack->count - 1; i > index; i--)
        at = before(pack, at);
    return at;
}

/* Reading. */

static struct listpack_value decode(const unsigned char *at)
{
    unsigned first = at[0];
    const char *text = (const char *)at;
    if (first < STRING6)
        return (struct listpack_value){.is_integer = true, .number = first};
    if (first < INT13)
        return (struct listpack_value){.text = span_of(text + 1, first & 0x3f)};
    if (first < STRING12) {
        int64_t number = (int64_t)((first & 0x1f) << 8 | at[1]);
        return (struct listpack_value){.is_integer = true,
                                       .number = number < 4096 ? number : number - 8192};
    }
    if (first < STRING32)
        return (struct listpack_value){.text = span_of(text + 2, body_bytes(at) - 2)};
    if (first == STRING32)
        return (struct listpack_value){.text = span_of(text + 5, body_bytes(at) - 5)};
    return (struct listpack_value){.is_integer = true,
                                   .number = read_signed(at + 1, (unsigned)(body_bytes(at) - 1))};
}

struct listpack_value listpack_value(const struct listpack *pack, size_t at)
{
    return decode(pack->bytes + at);
}

struct span listpack_text(const struct listpack *pack, size_t at, char scratch[NUMBER_I64_CHARS])
{
    struct listpack_value value = decode(pack->bytes + at);
    if (!value.is_integer)
        return value.text;
    return span_of(scratch, number_format_i64(scratch, value.number));
}

bool listpack_integer(const struct listpack *pack, size_t at, int64_t *number)
{
    struct listpack_value value = decode(pack->bytes + at);
    *number = value.number;
    return value.is_integer;
}

size_t listpack_text_len(const struct listpack *pack, size_t at)
{
    char scratch[NUMBER_I64_CHARS];
    return listpack_text(pack, at, scratch).len;
}

/* A text that elements are compared with. A loaded pack may hold an integer as a text too. */
struct wanted {
    struct span text;
    int64_t number;
    bool is_integer;
};

static struct wanted wanted_of(struct span text)
{
    struct wanted wanted = {.text = text};
    wanted.is_integer = number_parse_i64(text, &wanted.number);
    return wanted;
}

static bool equals(const unsigned char *at, const struct wanted *wanted)
{
    struct listpack_value value = decode(at);
    if (value.is_integer)
        return wanted->is_integer && value.number == wanted->number;
    return span_equal(value.text, wanted->text);
}

bool listpack_equal(const struct listpack *pack, size_t at, struct span text)
{
    struct wanted wanted = wanted_of(text);
    return equals(pack->bytes + at, &wanted);
}

size_t listpack_find(const struct listpack *pack, size_t at, struct span text, size_t skip)
{
    if (at == 0)
        return 0;
    struct wanted wanted = wanted_of(text);
    const unsigned char *bytes = pack->bytes;
    size_t passed = skip;
    for (; bytes[at] != END; at += element_bytes(bytes + at)) {
        if (passed < skip) {
            passed++;
            continue;
        }
        if (equals(bytes + at, &wanted))
            return at;
        passed = 0;
    }
    return 0;
}

/* Editing. */

/* Puts the element into the place of `old` bytes at `at`. */
static void splice(struct listpack *pack, size_t at, size_t old, const struct element *element)
{
    size_t bytes = listpack_bytes(pack);
    size_t fresh = element_total(element);
    if (fresh > old)
        listpack_reserve(pack, fresh - old);
    if (fresh != old)
        memmove(pack->bytes + at + fresh, pack->bytes + at + old, bytes - at - old);
    element_write(element, pack->bytes + at);
    set_header(pack, bytes + fresh - old, pack->count + (old == 0));
}

static size_t insert(struct listpack *pack, size_t at, const struct element *element)
{
    if (at == 0)
        at = listpack_bytes(pack) - END_BYTES;
    splice(pack, at, 0, element);
    return at;
}

static size_t replace(struct listpack *pack, size_t at, const struct element *element)
{
    splice(pack, at, element_bytes(pack->bytes + at), element);
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
    while (*count < most && pack->bytes[at] != END) {
        at += element_bytes(pack->bytes + at);
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
    return pack->bytes[at] == END ? 0 : at;
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
    memcpy(pack->bytes + bytes - END_BYTES, from->bytes + at, end - at);
    pack->bytes[bytes + (end - at) - END_BYTES] = END;
    set_header(pack, bytes + (end - at), pack->count + count);
}
