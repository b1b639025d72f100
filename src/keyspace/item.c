#include "keyspace/item.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "keyspace/value.h"

enum {
    ROOM_MIN = 8,            /* fits a number or a pointer */
    EMBEDDED_MAX = 255,      /* longer strings get an allocation of their own */
    ROOM_WORTH_KEEPING = 64, /* a room up to this size stays, whatever value goes into it */
    EMBSTR_MAX = 44,         /* the longest string that Redis calls embstr */
    EDIT_EXTRA_MAX = 1 << 20,
};

_Static_assert(sizeof(int64_t) <= ROOM_MIN && sizeof(void *) <= ROOM_MIN, "the room is too small");

static struct string_block *block_of(const struct item *item)
{
    struct string_block *block;
    memcpy(&block, item_room(item), sizeof(block));
    return block;
}

static void set_block(struct item *item, struct string_block *block)
{
    memcpy(item_room(item), &block, sizeof(block));
    item->form = FORM_SEPARATE;
}

static int64_t number_of(const struct item *item)
{
    int64_t number;
    memcpy(&number, item_room(item), sizeof(number));
    return number;
}

static void set_number(struct item *item, int64_t number)
{
    memcpy(item_room(item), &number, sizeof(number));
    item->form = FORM_INTEGER;
    item->type = VALUE_STRING;
}

static void set_pointer(struct item *item, enum value_type type, void *value)
{
    memcpy(item_room(item), &value, sizeof(value));
    item->form = FORM_VALUE;
    item->type = type & 0xf;
}

static struct string_block *block_new(size_t capacity)
{
    struct string_block *block = mem_alloc(sizeof(*block) + capacity);
    block->capacity = (uint32_t)capacity;
    return block;
}

static struct span text_of(const struct item *item)
{
    if (item->form == FORM_EMBEDDED)
        return span_of(item_room(item), item->value_len);
    const struct string_block *block = block_of(item);
    return span_of(block->bytes, block->len);
}

void *item_value(const struct item *item)
{
    ASSERT(item->form == FORM_VALUE);
    void *value;
    memcpy(&value, item_room(item), sizeof(value));
    return value;
}

static void drop_value(struct item *item)
{
    if (item->form == FORM_SEPARATE)
        mem_free(block_of(item));
    if (item->form == FORM_VALUE)
        value_free(item_type(item), item_value(item));
}

void *item_take_value(struct item *item)
{
    void *value = item_value(item);
    set_number(item, 0);
    return value;
}

void *item_take_block(struct item *item)
{
    ASSERT(item->form == FORM_SEPARATE);
    void *block = block_of(item);
    set_number(item, 0);
    return block;
}

/* The key and what stands before it. */
static size_t key_bytes(size_t len)
{
    return len + (len < ITEM_KEY_LONG ? 0 : sizeof(uint32_t));
}

static size_t bytes_of(const struct item *item)
{
    return sizeof(*item) + (item->has_due ? sizeof(struct item_due) : 0) + item->room +
           key_bytes(item_key_span(item).len);
}

static void set_key(struct item *item, struct span key)
{
    char *at = item_room(item) + item->room;
    item->key_len = key.len < ITEM_KEY_LONG ? (uint16_t)key.len : ITEM_KEY_LONG;
    if (item->key_len == ITEM_KEY_LONG) {
        uint32_t len = (uint32_t)key.len;
        memcpy(at, &len, sizeof(len));
        at += sizeof(len);
    }
    if (key.len)
        memcpy(at, key.ptr, key.len);
}

/* The room also gets the bytes that the allocator would waste. */
static struct item *item_with_room(struct span key, size_t wanted, uint64_t revision)
{
    ASSERT(key.len < UINT32_MAX && revision <= KEYSPACE_REVISION_MAX);
    size_t room = wanted > EMBEDDED_MAX || wanted < ROOM_MIN ? ROOM_MIN : wanted;
    size_t bytes = sizeof(struct item) + room + key_bytes(key.len);
    size_t spare = mem_footprint(bytes) - bytes;
    if (room + spare <= EMBEDDED_MAX)
        room += spare;
    struct item *item = mem_alloc(sizeof(*item) + room + key_bytes(key.len));
    *item = (struct item){.room = (uint8_t)room};
    item_set_revision(item, revision);
    set_key(item, key);
    set_number(item, 0);
    return item;
}

struct item *item_new_with_due(const struct item *item)
{
    ASSERT(!item->has_due);
    size_t bytes = bytes_of(item);
    struct item *moved = mem_alloc(bytes + sizeof(struct item_due));
    *moved = *item;
    moved->has_due = true;
    *item_due(moved) = (struct item_due){.deadline_ms = NO_DEADLINE, .heap_position = NOT_IN_HEAP};
    memcpy(item_room(moved), item_room(item), bytes - sizeof(*item));
    return moved;
}

void item_free_moved(struct item *item)
{
    mem_free(item);
}

/* The value may point into the item's own memory. */
static void store_text(struct item *item, struct span value)
{
    ASSERT(value.len < UINT32_MAX);
    if (value.len <= item->room) {
        struct string_block *old = item->form == FORM_SEPARATE ? block_of(item) : NULL;
        if (item->form == FORM_VALUE)
            drop_value(item);
        if (value.len)
            memmove(item_room(item), value.ptr, value.len);
        mem_free(old);
        item->form = FORM_EMBEDDED;
        item->value_len = (uint8_t)value.len;
    } else {
        struct string_block *block = block_new(value.len);
        memcpy(block->bytes, value.ptr, value.len);
        block->len = (uint32_t)value.len;
        drop_value(item);
        set_block(item, block);
    }
    item->type = VALUE_STRING;
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

struct item *item_new_value(struct span key, enum value_type type, void *value, uint64_t revision)
{
    struct item *item = item_with_room(key, 0, revision);
    set_pointer(item, type, value);
    return item;
}

struct item *item_new_copy(struct span key, const struct item *from, uint64_t revision)
{
    struct item *item;
    if (from->form == FORM_VALUE) {
        enum value_type type = item_type(from);
        item = item_new_value(key, type, value_ops_of(type)->copy(item_value(from)), revision);
    } else if (from->form == FORM_INTEGER) {
        item = item_with_room(key, 0, revision);
        set_number(item, number_of(from));
    } else {
        item = item_with_room(key, text_of(from).len, revision);
        store_text(item, text_of(from));
    }
    item->edited = from->edited;
    item->touched_s = from->touched_s;
    return item;
}

struct item *item_new_taking(struct span key, struct item *from, uint64_t revision)
{
    if (from->form != FORM_SEPARATE && from->form != FORM_VALUE)
        return item_new_copy(key, from, revision);
    struct item *item = item_with_room(key, 0, revision);
    memcpy(item_room(item), item_room(from), sizeof(void *));
    item->form = from->form;
    item->type = from->type;
    item->edited = from->edited;
    item->touched_s = from->touched_s;
    set_number(from, 0);
    return item;
}

void item_free(struct item *item)
{
    drop_value(item);
    mem_free(item);
}

bool item_free_some(struct item *item, size_t *limit)
{
    if (item->form == FORM_VALUE) {
        size_t freed = value_ops_of(item_type(item))->free_some(item_value(item), *limit);
        bool done = freed < *limit;
        *limit -= freed;
        if (!done)
            return false;
        set_number(item, 0);
    }
    item_free(item);
    --*limit;
    return true;
}

struct span item_key(const struct item *item)
{
    return item_key_span(item);
}

enum value_type item_type(const struct item *item)
{
    return (enum value_type)item->type;
}

int64_t item_deadline(const struct item *item)
{
    return item_deadline_ms(item);
}

uint64_t item_revision(const struct item *item)
{
    return (uint64_t)item->revision_high << 32 | item->revision_low;
}

size_t item_memory(const struct item *item, size_t samples)
{
    /* Its share of the dictionary: a pointer, and one and a third index cells at three quarters
     * load. */
    size_t bytes = 14;
    bytes += mem_footprint(bytes_of(item));
    if (item->form == FORM_SEPARATE)
        bytes += mem_footprint(sizeof(struct string_block) + block_of(item)->capacity);
    if (item->form == FORM_VALUE)
        bytes += value_ops_of(item_type(item))->memory(item_value(item), samples);
    if (item_is_in_heap(item))
        bytes += sizeof(int64_t) + sizeof(struct item *);
    return bytes;
}

const char *item_encoding(const struct item *item)
{
    if (item->form == FORM_VALUE)
        return value_ops_of(item_type(item))->encoding(item_value(item));
    if (item->form == FORM_INTEGER)
        return "int";
    return item->edited || text_of(item).len > EMBSTR_MAX ? "raw" : "embstr";
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
    ASSERT(item->type == VALUE_STRING);
    if (item->form == FORM_INTEGER)
        return span_of(scratch, number_format_i64(scratch, number_of(item)));
    return text_of(item);
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
    return item->type == VALUE_STRING ? item_string(item, scratch).len : 0;
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
    item_set_revision(item, revision);
}

void item_set_integer(struct item *item, int64_t value, uint64_t revision)
{
    drop_value(item);
    set_number(item, value);
    item->edited = false;
    item_set_revision(item, revision);
}

/* Reserves more than was asked for, so that many small appends do not copy each time. */
static void grow_capacity(struct item *item, size_t len)
{
    size_t capacity = len < EDIT_EXTRA_MAX ? len * 2 : len + EDIT_EXTRA_MAX;
    if (item->form == FORM_SEPARATE) {
        struct string_block *block =
            mem_realloc(block_of(item), sizeof(struct string_block) + capacity);
        block->capacity = (uint32_t)capacity;
        set_block(item, block);
        return;
    }
    struct string_block *block = block_new(capacity);
    block->len = item->value_len;
    memcpy(block->bytes, item_room(item), item->value_len);
    set_block(item, block);
}

static void set_len(struct item *item, size_t len)
{
    if (item->form == FORM_EMBEDDED)
        item->value_len = (uint8_t)len;
    else
        block_of(item)->len = (uint32_t)len;
}

char *item_string_edit(struct item *item, size_t len, uint64_t revision)
{
    ASSERT(len < UINT32_MAX / 2 && item->type == VALUE_STRING);
    char scratch[NUMBER_I64_CHARS];
    if (item->form == FORM_INTEGER)
        store_text(item, item_string(item, scratch));
    size_t capacity = item->form == FORM_EMBEDDED ? item->room : block_of(item)->capacity;
    if (len > capacity)
        grow_capacity(item, len);
    char *text = item->form == FORM_EMBEDDED ? item_room(item) : block_of(item)->bytes;
    size_t old_len = text_of(item).len;
    if (len > old_len) {
        memset(text + old_len, 0, len - old_len);
        set_len(item, len);
    }
    item->edited = true;
    item_set_revision(item, revision);
    return text;
}
