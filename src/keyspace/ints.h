/* Integers packed in order of insertion, each in 2, 4 or 8 bytes: as many as the widest needs.
 * Private to keyspace/. Zero-initialised is empty and takes no memory.
 *
 * For a few hundred numbers: a search looks at all of them. */
#ifndef FLOTILLA_KEYSPACE_INTS_H
#define FLOTILLA_KEYSPACE_INTS_H

#include <stddef.h>
#include <stdint.h>

struct ints {
    void *numbers;
    uint32_t count;
    uint32_t capacity : 29; /* in numbers */
    uint32_t width : 3;     /* log2 of the bytes of each */
};

/* More would take too long to search. */
enum { INTS_MAX = 1 << 12 };

#define INTS_ABSENT SIZE_MAX

void ints_close(struct ints *ints);
void ints_copy(struct ints *ints, const struct ints *from); /* `ints` is empty */
int64_t ints_at(const struct ints *ints, size_t position);
/* The position, or INTS_ABSENT. */
size_t ints_find(const struct ints *ints, int64_t number);
void ints_append(struct ints *ints, int64_t number);
/* By the rule for removals of value.h. */
void ints_remove(struct ints *ints, size_t position);
size_t ints_memory(const struct ints *ints);

#endif
