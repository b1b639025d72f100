#include "keyspace/item.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"

enum {
    ROOM_MIN = 8,            /* fits a number or a pointer */
    EMBEDDED_MAX = 256,      /* longer strings get an allocation of their own */
    ROOM_WORTH_KEEPING = 64, /* a room up to this size stays, whatever value goes into it */
    EMBSTR_MAX = 44,         /* the longest string that Redis calls embstr */
    EDIT_EXTRA_MAX = 1 << 20,
};

_Static_assert(sizeof(int64_t) <= ROOM_MIN && sizeof(void *) <= ROOM_MIN, "the room is too small");
_Static_assert(sizeof(struct item) % 8 == 0, "the room begins with a number");

static struct string_block *block_of(const struct item *item)
{
    struct string_block *block;
    memcpy(&block, item->bytes, sizeof(block));
    return block;
}

static void set_block(struct item *item, struct string_block *block)
{
    memcpy(item->bytes, &block, sizeof(block));
    item->form = FORM_SEPARATE;
}

static int64_t number_of(const struct item *item)
{
    int64_t number;
    memcpy(&number, item->bytes, sizeof(number));
    return number;
}

static void set_number(struct item *item, int64_t number)
{
    memcpy(item->bytes, &number, sizeof(number));
    item->form = FORM_INTEGER;
    item->value_len = 0;
}

static struct string_block *block_new(size_t capacity)
{
    struct string_block *block = mem_alloc(sizeof(*block) + capacity);
    block->capacity = capacity;
    return block;
}

static const char *text_of(const struct item *item)
{
    return item->form == FORM_EMBEDDED ? item->bytes : block_of(item)->bytes;
}

static void drop_value(struct item *item)
{
    if (item->form == FORM_SEPARATE)
        mem_free(block_of(item));
}

/* The room also gets the bytes that the allocator would waste. */
static struct item *item_with_room(struct span key, size_t wanted, uint64_t revision)
{
    ASSERT(key.len < UINT32_MAX);
    size_t room = wanted > EMBEDDED_MAX || wanted < ROOM_MIN ? ROOM_MIN : wanted;
    size_t bytes = sizeof(struct item) + room + key.len;
    size_t spare = mem_footprint(bytes) - bytes;
    if (room + spare <= EMBEDDED_MAX)
        room += spare;
    struct item *item = mem_alloc(sizeof(*item) + room + key.len);
    *item = (struct item){
        .deadline_ms = NO_DEADLINE,
        .revision = revision,
        .heap_position = NOT_IN_HEAP,
        .key_len = (uint32_t)key.len,
        .room = (uint16_t)room,
    };
    if (key.len)
        memcpy(item->bytes + room, key.ptr, key.len);
    set_number(item, 0);
    return item;
}

/* The value may point into the item's own memory. */
static void store_text(struct item *item, struct span value)
{
    ASSERT(value.len < UINT32_MAX);
    if (value.len <= item->room) {
        struct string_block *old = item->form == FORM_SEPARATE ? block_of(item) : NULL;
        if (value.len)
            memmove(item->bytes, value.ptr, value.len);
        mem_free(old);
        item->form = FORM_EMBEDDED;
    } else {
        struct string_block *block = block_new(value.len);
        memcpy(block->bytes, value.ptr, value.len);
        drop_value(item);
        set_block(item, block);
    }
    item->value_len = (uint32_t)value.len;
}

struct item *item_new(struct span key, struct span value, uint64_t revision)
{
    int64_t number;
    if (number_parse_i64(value, &number)) {
        struct item *item = item_with_room(key, 0, revision);
        set_number(item, number);
        return item;
    }
    struct item *item = item_with_room(key, value.len, revision);
    store_text(item, value);
    return item;
}

struct item *item_new_copy(struct span key, const struct item *from, uint64_t revision)
{
    bool integer = from->form == FORM_INTEGER;
    struct item *item = item_with_room(key, integer ? 0 : from->value_len, revision);
    if (integer)
        set_number(item, number_of(from));
    else
        store_text(item, span_of(text_of(from), from->value_len));
    item->edited = from->edited;
    item->touched_s = from->touched_s;
    return item;
}

struct item *item_new_taking(struct span key, struct item *from, uint64_t revision)
{
    if (from->form != FORM_SEPARATE)
        return item_new_copy(key, from, revision);
    struct item *item = item_with_room(key, 0, revision);
    set_block(item, block_of(from));
    item->value_len = from->value_len;
    item->edited = from->edited;
    item->touched_s = from->touched_s;
    from->form = FORM_EMBEDDED;
    from->value_len = 0;
    return item;
}

void item_free(struct item *item)
{
    drop_value(item);
    mem_free(item);
}

struct span item_key(const struct item *item)
{
    return item_key_span(item);
}

enum value_type item_type(const struct item *item)
{
    (void)item;
    return VALUE_STRING;
}

int64_t item_deadline(const struct item *item)
{
    return item->deadline_ms;
}

uint64_t item_revision(const struct item *item)
{
    return item->revision;
}

size_t item_memory(const struct item *item)
{
    /* Its share of the dictionary: a pointer, and one and a third index cells at three quarters
     * load. */
    size_t bytes = 18;
    bytes += mem_footprint(sizeof(*item) + item->room + item->key_len);
    if (item->form == FORM_SEPARATE)
        bytes += mem_footprint(sizeof(struct string_block) + block_of(item)->capacity);
    if (item->heap_position != NOT_IN_HEAP)
        bytes += sizeof(int64_t) + sizeof(struct item *);
    return bytes;
}

const char *item_encoding(const struct item *item)
{
    if (item->form == FORM_INTEGER)
        return "int";
    return item->edited || item->value_len > EMBSTR_MAX ? "raw" : "embstr";
}

void item_touch(struct item *item, int64_t now_ms)
{
    item->touched_s = (uint32_t)(now_ms / 1000);
}

int64_t item_idle_seconds(const struct item *item, int64_t now_ms)
{
    int64_t idle = now_ms / 1000 - (int64_t)item->touched_s;
    return idle > 0 ? idle : 0;
}

struct span item_string(const struct item *item, char scratch[24])
{
    if (item->form == FORM_INTEGER)
        return span_of(scratch, number_format_i64(scratch, number_of(item)));
    return span_of(text_of(item), item->value_len);
}

bool item_integer(const struct item *item, int64_t *value)
{
    if (item->form != FORM_INTEGER)
        return false;
    *value = number_of(item);
    return true;
}

size_t item_string_len(const struct item *item)
{
    char scratch[NUMBER_I64_CHARS];
    return item_string(item, scratch).len;
}

bool item_try_set_string(struct item *item, struct span value, uint64_t revision)
{
    bool roomy = item->room > ROOM_WORTH_KEEPING;
    int64_t number;
    if (!roomy && number_parse_i64(value, &number)) {
        item_set_integer(item, number, revision);
        return true;
    }
    bool fits = value.len <= item->room && (!roomy || value.len >= item->room / 2u);
    bool separate = value.len > EMBEDDED_MAX && !roomy;
    if (!fits && !separate)
        return false;
    item_set_text(item, value, revision);
    return true;
}

void item_set_text(struct item *item, struct span value, uint64_t revision)
{
    store_text(item, value);
    item->edited = false;
    item->revision = revision;
}

void item_set_integer(struct item *item, int64_t value, uint64_t revision)
{
    drop_value(item);
    set_number(item, value);
    item->edited = false;
    item->revision = revision;
}

/* Reserves more than was asked for, so that many small appends do not copy each time. */
static void grow_capacity(struct item *item, size_t len)
{
    size_t capacity = len < EDIT_EXTRA_MAX ? len * 2 : len + EDIT_EXTRA_MAX;
    if (item->form == FORM_SEPARATE) {
        struct string_block *block =
            mem_realloc(block_of(item), sizeof(struct string_block) + capacity);
        block->capacity = capacity;
        set_block(item, block);
        return;
    }
    struct string_block *block = block_new(capacity);
    memcpy(block->bytes, item->bytes, item->value_len);
    set_block(item, block);
}

char *item_string_edit(struct item *item, size_t len, uint64_t revision)
{
    ASSERT(len < UINT32_MAX);
    char scratch[NUMBER_I64_CHARS];
    if (item->form == FORM_INTEGER)
        store_text(item, item_string(item, scratch));
    size_t capacity = item->form == FORM_EMBEDDED ? item->room : block_of(item)->capacity;
    if (len > capacity)
        grow_capacity(item, len);
    char *text = item->form == FORM_EMBEDDED ? item->bytes : block_of(item)->bytes;
    if (len > item->value_len) {
        memset(text + item->value_len, 0, len - item->value_len);
        item->value_len = (uint32_t)len;
    }
    item->edited = true;
    item->revision = revision;
    return text;
}
