#include "keyspace/row.h"

#include "base/mem.h"

enum { CAPACITY_MIN = 4 };

static size_t chunks_of(const struct row *row)
{
    return row->capacity > ROW_CHUNK ? row->capacity / ROW_CHUNK - 1 : 0;
}

void row_close(struct row *row)
{
    for (size_t i = 0; i < chunks_of(row); i++)
        mem_free(row->chunks[i]);
    mem_free(row->chunks);
    mem_free(row->first);
    *row = (struct row){0};
}

static void resize_first(struct row *row, size_t capacity)
{
    row->first = mem_realloc(row->first, capacity * sizeof(void *));
    row->capacity = (uint32_t)capacity;
}

static void add_chunk(struct row *row)
{
    size_t count = chunks_of(row);
    if ((count & (count - 1)) == 0) /* the room for them has a power of two at least */
        row->chunks = mem_realloc(row->chunks, (count ? 2 * count : 1) * sizeof(*row->chunks));
    row->chunks[count] = mem_alloc(ROW_CHUNK * sizeof(void *));
    row->capacity += ROW_CHUNK;
}

static void remove_chunk(struct row *row)
{
    row->capacity -= ROW_CHUNK;
    mem_free(row->chunks[chunks_of(row)]);
    if (row->capacity > ROW_CHUNK)
        return;
    mem_free(row->chunks);
    row->chunks = NULL;
}

static size_t within_chunk(size_t capacity)
{
    if (capacity < CAPACITY_MIN)
        return CAPACITY_MIN;
    return capacity < ROW_CHUNK ? capacity : ROW_CHUNK;
}

void row_reserve(struct row *row, size_t more)
{
    size_t count = row->count + more;
    if (count > row->capacity && row->capacity < ROW_CHUNK)
        resize_first(row, within_chunk(count));
}

void row_push(struct row *row, void *pointer)
{
    if (row->count == row->capacity) {
        if (row->capacity < ROW_CHUNK)
            resize_first(row, within_chunk(mem_grown(row->capacity, sizeof(void *))));
        else
            add_chunk(row);
    }
    *row_slot(row, row->count++) = pointer;
}

/* Half a chunk stays in reserve, so that a push and a pop in turn cost nothing. */
void row_pop(struct row *row)
{
    row->count--;
    if (row->capacity > ROW_CHUNK) {
        if (row->capacity - row->count >= ROW_CHUNK + ROW_CHUNK / 2)
            remove_chunk(row);
        return;
    }
    size_t capacity = mem_shrunk(row->count, row->capacity, CAPACITY_MIN);
    if (capacity != row->capacity)
        resize_first(row, capacity);
}

size_t row_memory(const struct row *row)
{
    size_t chunks = chunks_of(row);
    size_t first = row->capacity < ROW_CHUNK ? row->capacity : ROW_CHUNK;
    return mem_footprint(first * sizeof(void *)) +
           chunks * mem_footprint(ROW_CHUNK * sizeof(void *)) +
           mem_footprint(chunks * sizeof(*row->chunks));
}
