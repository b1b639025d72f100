#include "keyspace/ints.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/value.h"

enum { WIDTH_16 = 1, WIDTH_32 = 2, WIDTH_64 = 3, BLOCK = 16 };

static unsigned width_of(int64_t number)
{
    if (number >= INT16_MIN && number <= INT16_MAX)
        return WIDTH_16;
    return number >= INT32_MIN && number <= INT32_MAX ? WIDTH_32 : WIDTH_64;
}

static void put(void *numbers, unsigned width, size_t position, int64_t number)
{
    if (width == WIDTH_16)
        ((int16_t *)numbers)[position] = (int16_t)number;
    else if (width == WIDTH_32)
        ((int32_t *)numbers)[position] = (int32_t)number;
    else
        ((int64_t *)numbers)[position] = number;
}

static int64_t get(const void *numbers, unsigned width, size_t position)
{
    if (width == WIDTH_16)
        return ((const int16_t *)numbers)[position];
    if (width == WIDTH_32)
        return ((const int32_t *)numbers)[position];
    return ((const int64_t *)numbers)[position];
}

void ints_close(struct ints *ints)
{
    mem_free(ints->numbers);
    *ints = (struct ints){0};
}

/* The allocator's size classes grow by a fifth or more, so n numbers cost O(n). */
static void set_capacity(struct ints *ints, size_t count)
{
    size_t bytes = mem_footprint(count << ints->width);
    ints->numbers = mem_realloc(ints->numbers, bytes);
    ints->capacity = (uint32_t)(bytes >> ints->width) & ((1u << 29) - 1);
}

void ints_copy(struct ints *ints, const struct ints *from)
{
    ASSERT(!ints->numbers);
    if (!from->count)
        return;
    ints->width = from->width;
    set_capacity(ints, from->count);
    memcpy(ints->numbers, from->numbers, (size_t)from->count << from->width);
    ints->count = from->count;
}

int64_t ints_at(const struct ints *ints, size_t position)
{
    return get(ints->numbers, ints->width, position);
}

/* The compiler makes a few instructions of a block, because the loop has no way out of its middle.
 */
#define DEFINE_FIND(type)                                                                          \
    static size_t find_##type(const type *numbers, size_t count, type number)                      \
    {                                                                                              \
        size_t at = 0;                                                                             \
        for (; at + BLOCK <= count; at += BLOCK) {                                                 \
            type hits = 0;                                                                         \
            for (size_t i = 0; i < BLOCK; i++)                                                     \
                hits |= (type)(numbers[at + i] == number);                                         \
            if (hits)                                                                              \
                break;                                                                             \
        }                                                                                          \
        while (at < count && numbers[at] != number)                                                \
            at++;                                                                                  \
        return at < count ? at : INTS_ABSENT;                                                      \
    }

DEFINE_FIND(int16_t)
DEFINE_FIND(int32_t)
DEFINE_FIND(int64_t)

size_t ints_find(const struct ints *ints, int64_t number)
{
    if (ints->count == 0 || width_of(number) > ints->width)
        return INTS_ABSENT;
    if (ints->width == WIDTH_16)
        return find_int16_t(ints->numbers, ints->count, (int16_t)number);
    if (ints->width == WIDTH_32)
        return find_int32_t(ints->numbers, ints->count, (int32_t)number);
    return find_int64_t(ints->numbers, ints->count, number);
}

static void widen(struct ints *ints, unsigned width)
{
    struct ints wide = {.width = width & 7};
    set_capacity(&wide, (size_t)ints->count + 1);
    for (; wide.count < ints->count; wide.count++)
        put(wide.numbers, width, wide.count, ints_at(ints, wide.count));
    ints_close(ints);
    *ints = wide;
}

void ints_append(struct ints *ints, int64_t number)
{
    unsigned width = width_of(number);
    if (width > ints->width)
        widen(ints, width);
    if (ints->count == ints->capacity)
        set_capacity(ints, (size_t)ints->count + 1);
    put(ints->numbers, ints->width, ints->count++, number);
}

void ints_remove(struct ints *ints, size_t position)
{
    ASSERT(position < ints->count);
    size_t last = ints->count - 1;
    if (last == 0) {
        ints_close(ints);
        return;
    }
    if (ints->count > VALUE_ORDER_KEPT) {
        put(ints->numbers, ints->width, position, ints_at(ints, last));
    } else {
        char *bytes = ints->numbers;
        memmove(bytes + (position << ints->width), bytes + ((position + 1) << ints->width),
                (last - position) << ints->width);
    }
    ints->count--;
    if (ints->count < ints->capacity / 4)
        set_capacity(ints, ints->count);
}

size_t ints_memory(const struct ints *ints)
{
    return (size_t)ints->capacity << ints->width;
}
