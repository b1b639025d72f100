/* The message in which a follower asks its leader to hand leadership over to it (CLUSTER FAILOVER):
 *
 *     RAFT.HANDOVER <cluster-id> <shard> <term> <from> <to>
 *
 * All numbers are decimal. There is no answer: a leader that agrees sends RAFT.TIMEOUTNOW. */
#ifndef FLOTILLA_WIRE_HANDOVER_H
#define FLOTILLA_WIRE_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct wire_handover {
    struct span cluster_id;
    uint32_t shard;
    uint64_t term;
    uint64_t from;
    uint64_t to;
};

bool wire_is_handover(struct span name);
void wire_encode_handover(struct buf *out, const struct wire_handover *handover);
/* ERR_INVALID: another message, or malformed. */
MUST_CHECK enum err wire_parse_handover(const struct span *args, size_t argc,
                                        struct wire_handover *handover);

#endif
