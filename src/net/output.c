#include "net/output.h"

#include "base/assert.h"
#include "base/mem.h"
#include "resp/write.h"

enum { TAIL_KEEP = 2 * RESP_PIECE_BYTES };

static void add_chunk(struct net_chunks *chunks, struct buf bytes)
{
    struct net_chunk *chunk = mem_alloc(sizeof *chunk);
    *chunk = (struct net_chunk){.bytes = bytes};
    if (chunks->last)
        chunks->last->next = chunk;
    else
        chunks->first = chunk;
    chunks->last = chunk;
    chunks->bytes += bytes.len;
    chunks->count++;
}

static void drop_first(struct net_chunks *chunks)
{
    struct net_chunk *first = chunks->first;
    chunks->bytes -= first->bytes.len;
    chunks->count--;
    chunks->first = first->next;
    if (!chunks->first)
        chunks->last = NULL;
    buf_close(&first->bytes);
    mem_free(first);
}

/* A tail that is mostly empty is copied, so that a client cannot make this node hold large buffers
 * with a few bytes in each. */
void net_output_seal(struct net_output *output)
{
    struct buf *tail = &output->tail;
    if (tail->len == 0)
        return;
    if (tail->len < tail->cap / 4) {
        struct buf exact = {0};
        memcpy(buf_reserve_exact(&exact, tail->len), tail->ptr, tail->len);
        exact.len = tail->len;
        tail->len = 0;
        add_chunk(&output->chunks, exact);
        return;
    }
    bool was_full = tail->len >= RESP_PIECE_BYTES && tail->len < TAIL_KEEP;
    add_chunk(&output->chunks, *tail);
    *tail = (struct buf){0};
    if (was_full) /* more of the same is likely */
        buf_reserve_exact(tail, RESP_PIECE_BYTES + RESP_LARGE_BYTES + RESP_HEAD_BYTES);
}

void net_output_add_chunks(struct net_output *output, struct net_chunks *chunks)
{
    if (!chunks->first)
        return;
    net_output_seal(output);
    if (output->chunks.last)
        output->chunks.last->next = chunks->first;
    else
        output->chunks.first = chunks->first;
    output->chunks.last = chunks->last;
    output->chunks.bytes += chunks->bytes;
    output->chunks.count += chunks->count;
    *chunks = (struct net_chunks){0};
}

struct net_chunks net_output_take(struct net_output *output)
{
    ASSERT(output->written == 0);
    net_output_seal(output);
    struct net_chunks taken = output->chunks;
    output->chunks = (struct net_chunks){0};
    return taken;
}

int net_output_gather(const struct net_output *output, struct iovec *pieces, int max)
{
    int count = 0;
    size_t skip = output->written;
    for (const struct net_chunk *at = output->chunks.first; at && count < max; at = at->next) {
        pieces[count++] = (struct iovec){at->bytes.ptr + skip, at->bytes.len - skip};
        skip = 0;
    }
    if (count < max && output->tail.len > skip)
        pieces[count++] = (struct iovec){output->tail.ptr + skip, output->tail.len - skip};
    return count;
}

void net_output_written(struct net_output *output, size_t bytes)
{
    ASSERT(bytes <= net_output_len(output));
    output->written += bytes;
    while (output->chunks.first && output->written >= output->chunks.first->bytes.len) {
        output->written -= output->chunks.first->bytes.len;
        drop_first(&output->chunks);
    }
    if (output->chunks.first || output->written < output->tail.len)
        return;
    output->written = output->tail.len = 0;
    if (output->tail.cap > TAIL_KEEP)
        buf_close(&output->tail);
}

void net_chunks_close(struct net_chunks *chunks)
{
    while (chunks->first)
        drop_first(chunks);
}

void net_output_close(struct net_output *output)
{
    net_chunks_close(&output->chunks);
    buf_close(&output->tail);
    output->written = 0;
}

size_t net_output_memory(const struct net_output *output)
{
    return output->chunks.bytes + output->tail.cap;
}
