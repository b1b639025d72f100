/* Allocation that never returns NULL. A node that cannot allocate memory for an entry that the
 * cluster has committed must stop; the other nodes go on serving. */
#ifndef FLOTILLA_BASE_MEM_H
#define FLOTILLA_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc));
void *mem_zalloc(size_t size) __attribute__((malloc));
void *mem_realloc(void *ptr, size_t size);
void mem_free(void *ptr); /* NULL is allowed */

/* The bytes that an allocation really takes. jemalloc has size classes in steps of 16 up to 128,
 * then four classes per doubling. */
static inline size_t mem_footprint(size_t size)
{
    if (size <= 8)
        return size == 0 ? 0 : 8;
    size_t step = 16;
    for (size_t top = 128; size > top; top *= 2)
        step = top / 4;
    return (size + step - 1) / step * step;
}

/* Room for the items of an array in which `count` of them have no more: a quarter more, with what
 * the allocator adds to that. Doubling would leave up to half of a large array to nobody. */
static inline size_t mem_grown(size_t count, size_t item_bytes)
{
    return mem_footprint((count + count / 4 + 1) * item_bytes) / item_bytes;
}

/* Room for the items of an array that has room for `capacity`: three quarters of that if not even
 * half are there, but `least` at the least. So neither adding nor removing soon asks for more. */
static inline size_t mem_shrunk(size_t count, size_t capacity, size_t least)
{
    size_t less = capacity / 4 * 3;
    if (count >= capacity / 2 || capacity <= least)
        return capacity;
    return less > least ? less : least;
}

#endif
