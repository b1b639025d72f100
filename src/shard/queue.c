#include "shard/queue.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    QUEUE_CAP_MIN = 64,
    ARENA_COMPACT_BYTES = 64 * 1024,
    /* What an empty queue keeps for the next requests. */
    QUEUE_KEPT = 16 * 1024,
    ARENA_KEPT_BYTES = 1024 * 1024,
};

/* Doubles a ring, its first item moving to the front. */
static void *ring_grow(void *items, size_t item_size, size_t *cap, size_t *head, size_t count)
{
    size_t grown = *cap ? *cap * 2 : QUEUE_CAP_MIN;
    char *fresh = mem_alloc(grown * item_size);
    size_t until_end = *cap - *head < count ? *cap - *head : count;
    if (until_end)
        memcpy(fresh, (char *)items + *head * item_size, until_end * item_size);
    if (count > until_end)
        memcpy(fresh + until_end * item_size, items, (count - until_end) * item_size);
    mem_free(items);
    ASSERT((grown & (grown - 1)) == 0 && count < grown); /* places are taken by a mask */
    *cap = grown;
    *head = 0;
    return fresh;
}

/* An empty ring that was large gives its memory back. */
static void *ring_emptied(void *items, size_t *cap, size_t *head)
{
    if (*cap <= QUEUE_KEPT)
        return items;
    mem_free(items);
    *cap = *head = 0;
    return NULL;
}

static uint64_t arena_end(const struct arena *arena)
{
    return arena->base + arena->bytes.len;
}

static struct span arena_span(const struct arena *arena, uint64_t at, size_t len)
{
    ASSERT(at >= arena->base && len <= arena_end(arena) - at);
    return span_of(arena->bytes.ptr + (at - arena->base), len);
}

/* Moves what is left only when that is less than what goes. */
static void arena_drop_before(struct arena *arena, uint64_t at)
{
    uint64_t unused = at - arena->base;
    ASSERT(unused <= arena->bytes.len);
    if (unused == arena->bytes.len && arena->bytes.cap > ARENA_KEPT_BYTES)
        buf_close(&arena->bytes);
    else if (unused == arena->bytes.len)
        arena->bytes.len = 0;
    else if (unused > ARENA_COMPACT_BYTES && unused > arena->bytes.len / 2)
        buf_consume(&arena->bytes, unused);
    else
        return;
    arena->base = at;
}

struct pending_write *write_queue_push(struct write_queue *queue)
{
    if (queue->count == queue->cap)
        queue->items =
            ring_grow(queue->items, sizeof *queue->items, &queue->cap, &queue->head, queue->count);
    struct pending_write *write = &queue->items[(queue->head + queue->count++) & (queue->cap - 1)];
    *write =
        (struct pending_write){.arrival = ++queue->arrivals, .text_at = arena_end(&queue->arena)};
    return write;
}

struct pending_write *write_queue_at(const struct write_queue *queue, size_t position)
{
    ASSERT(position < queue->count);
    return &queue->items[(queue->head + position) & (queue->cap - 1)];
}

uint64_t write_queue_oldest(const struct write_queue *queue)
{
    return queue->count ? queue->items[queue->head].arrival : UINT64_MAX;
}

void write_queue_pop(struct write_queue *queue)
{
    struct pending_write *write = write_queue_at(queue, 0);
    mem_free(write->script);
    if (write->text_len)
        arena_drop_before(&queue->arena, write->text_at + write->text_len);
    queue->head = (queue->head + 1) & (queue->cap - 1);
    queue->count--;
    if (queue->issued)
        queue->issued--;
    if (queue->count == 0)
        queue->items = ring_emptied(queue->items, &queue->cap, &queue->head);
}

void write_queue_drop_done(struct write_queue *queue)
{
    while (queue->issued && queue->items[queue->head].done)
        write_queue_pop(queue);
}

void write_queue_keep(struct write_queue *queue, struct pending_write *write, struct span text)
{
    ASSERT(write->text_len == 0);
    write->text_at = arena_end(&queue->arena);
    write->text_len = text.len;
    buf_add_span(&queue->arena.bytes, text);
}

struct span write_queue_text(const struct write_queue *queue, const struct pending_write *write)
{
    return arena_span(&queue->arena, write->text_at, write->text_len);
}

void write_queue_close(struct write_queue *queue)
{
    while (queue->count)
        write_queue_pop(queue);
    mem_free(queue->items);
    buf_close(&queue->arena.bytes);
    *queue = (struct write_queue){0};
}

struct pending_read *read_queue_push(struct read_queue *queue)
{
    if (queue->count == queue->cap)
        queue->items =
            ring_grow(queue->items, sizeof *queue->items, &queue->cap, &queue->head, queue->count);
    struct pending_read *read = &queue->items[(queue->head + queue->count++) & (queue->cap - 1)];
    *read = (struct pending_read){.bytes_at = arena_end(&queue->arena), .due_ms = NO_DEADLINE};
    return read;
}

struct pending_read *read_queue_at(const struct read_queue *queue, size_t position)
{
    ASSERT(position < queue->count);
    return &queue->items[(queue->head + position) & (queue->cap - 1)];
}

void read_queue_drop_done(struct read_queue *queue)
{
    while (queue->count && queue->items[queue->head].done) {
        queue->head = (queue->head + 1) & (queue->cap - 1);
        queue->count--;
    }
    if (queue->count == 0)
        queue->items = ring_emptied(queue->items, &queue->cap, &queue->head);
    uint64_t used = queue->count ? read_queue_at(queue, 0)->bytes_at : arena_end(&queue->arena);
    arena_drop_before(&queue->arena, used);
}

void read_queue_close(struct read_queue *queue)
{
    mem_free(queue->items);
    mem_free(queue->args);
    buf_close(&queue->arena.bytes);
    *queue = (struct read_queue){0};
}

void read_queue_keep(struct read_queue *queue, struct pending_read *read, struct span bytes)
{
    buf_add_span(&queue->arena.bytes, bytes);
    read->bytes_len += bytes.len;
}

void read_queue_keep_args(struct read_queue *queue, struct pending_read *read,
                          const struct span *args, size_t argc)
{
    read->argc = argc;
    for (size_t i = 0; i < argc; i++) {
        read_queue_keep(queue, read, span_of((const char *)&args[i].len, sizeof args[i].len));
        read_queue_keep(queue, read, args[i]);
    }
}

struct span read_queue_bytes(const struct read_queue *queue, const struct pending_read *read)
{
    return read->bytes ? span_of(read->bytes, read->bytes_len)
                       : arena_span(&queue->arena, read->bytes_at, read->bytes_len);
}

/* Takes the next argument of what read_queue_keep_args() kept. */
static struct span take_argument(struct span *bytes)
{
    size_t len;
    memcpy(&len, bytes->ptr, sizeof len);
    struct span argument = span_of(bytes->ptr + sizeof len, len);
    *bytes = span_of(argument.ptr + len, bytes->len - sizeof len - len);
    return argument;
}

bool read_queue_argument(const struct read_queue *queue, const struct pending_read *read,
                         size_t number, struct span *argument)
{
    if (number >= read->argc)
        return false;
    struct span bytes = read_queue_bytes(queue, read);
    for (size_t i = 0; i <= number; i++)
        *argument = take_argument(&bytes);
    return true;
}

const struct span *read_queue_args(struct read_queue *queue, const struct pending_read *read)
{
    if (queue->args_cap < read->argc) {
        queue->args_cap = read->argc;
        queue->args = mem_realloc(queue->args, queue->args_cap * sizeof *queue->args);
    }
    struct span bytes = read_queue_bytes(queue, read);
    for (size_t i = 0; i < read->argc; i++)
        queue->args[i] = take_argument(&bytes);
    return queue->args;
}
