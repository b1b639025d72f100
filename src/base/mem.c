#include "base/mem.h"

#include <stdlib.h>

#include "base/assert.h"

void *mem_alloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (!ptr)
        FATAL("out of memory");
    return ptr;
}

void *mem_zalloc(size_t size)
{
    void *ptr = calloc(1, size ? size : 1);
    if (!ptr)
        FATAL("out of memory");
    return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size ? size : 1);
    if (!moved)
        FATAL("out of memory");
    return moved;
}

void mem_free(void *ptr)
{
    if (ptr) /* often there is nothing: the allocator is slower to find out */
        free(ptr);
}
