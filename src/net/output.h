/* Private to net/: replies that are not written yet, as a chain of chunks.
 *
 * Small replies share the tail. A tail that is full, and a long value, become a chunk; no buffer
 * grows by copying what is in it. Chunks are freed as they are written. */
#ifndef FLOTILLA_NET_OUTPUT_H
#define FLOTILLA_NET_OUTPUT_H

#include <stddef.h>
#include <sys/uio.h>

#include "base/buf.h"

/* Pieces that one system call writes. */
enum { NET_PIECES_PER_CALL = 64 };

struct net_chunk {
    struct net_chunk *next;
    struct buf bytes; /* never empty */
};

struct net_chunks {
    struct net_chunk *first; /* NULL: none */
    struct net_chunk *last;
    size_t bytes;
    size_t count;
};

struct net_output {
    struct net_chunks chunks;
    struct buf tail; /* comes behind the chunks */
    size_t written;  /* of the first chunk; without chunks of the tail */
};

static inline size_t net_output_len(const struct net_output *output)
{
    return output->chunks.bytes + output->tail.len - output->written;
}
/* The tail becomes a chunk. */
void net_output_seal(struct net_output *output);
/* Puts chunks behind everything, and owns them. */
void net_output_add_chunks(struct net_output *output, struct net_chunks *chunks);
/* Everything becomes chunks, which the caller owns. Nothing of it was written. */
struct net_chunks net_output_take(struct net_output *output);
/* What comes next, in up to `max` pieces; their number. */
int net_output_gather(const struct net_output *output, struct iovec *pieces, int max);
void net_output_written(struct net_output *output, size_t bytes);
void net_output_close(struct net_output *output);
size_t net_output_memory(const struct net_output *output);

void net_chunks_close(struct net_chunks *chunks);

#endif
