/* What the leader tells the others about each other's acknowledgements, so that they recognise a
 * data folder that was set back. Private to shard/. */
#ifndef FLOTILLA_SHARD_WITNESS_H
#define FLOTILLA_SHARD_WITNESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct shard;
struct shard_peer;

/* A leader's. */
struct shard_witnesses {
    uint64_t term; /* of the leadership that the rest is of */
    uint64_t due_ms;
    size_t holders; /* members that had acknowledged an entry of this term when it last told */
};

/* Once a turn. Sends every digest_interval_ms, and at once when another member's first
 * acknowledgement in this term is committed. */
void shard_tell_witnesses(struct shard *shard);
MUST_CHECK enum err shard_take_witnesses(struct shard *shard, const struct shard_peer *from,
                                         const struct span *args, size_t argc);

#endif
