/* Allocation that never returns NULL: a cache that cannot get memory for an entry that the cluster
 * has agreed on cannot go on, so it stops (and the others serve). */
#ifndef FLOTILLA_BASE_MEM_H
#define FLOTILLA_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc));
void *mem_zalloc(size_t size) __attribute__((malloc));
void *mem_realloc(void *ptr, size_t size);
void mem_free(void *ptr); /* NULL is allowed */

#endif
