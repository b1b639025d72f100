/* A row of pointers that grows and shrinks at its end, and never copies more than a chunk of
 * itself. Private to keyspace/. Zero-initialised is empty and takes no memory. */
#ifndef FLOTILLA_KEYSPACE_ROW_H
#define FLOTILLA_KEYSPACE_ROW_H

#include <stddef.h>
#include <stdint.h>

enum { ROW_CHUNK = 4096 };

struct row {
    void **first;   /* of up to ROW_CHUNK pointers */
    void ***chunks; /* the others, ROW_CHUNK in each */
    uint32_t count;
    uint32_t capacity;
};

static inline void **row_slot(const struct row *row, size_t position)
{
    if (position < ROW_CHUNK)
        return &row->first[position];
    return &row->chunks[position / ROW_CHUNK - 1][position % ROW_CHUNK];
}

void row_close(struct row *row);
void row_push(struct row *row, void *pointer);
void row_pop(struct row *row); /* the last one; gives memory back now and then */
/* Makes room for `more` pointers at once, up to a chunk. */
void row_reserve(struct row *row, size_t more);
size_t row_memory(const struct row *row);

#endif
