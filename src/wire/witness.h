/* The message in which a leader tells the others what each member has acknowledged:
 *
 *     RAFT.WITNESS <cluster-id> <shard> <term> <from> <to> {<id> <incarnation> <index>}…
 *
 * `index` is the last committed entry that this incarnation of the member has acknowledged. All
 * numbers are decimal. There is no answer. */
#ifndef FLOTILLA_WIRE_WITNESS_H
#define FLOTILLA_WIRE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/raft.h"

struct wire_witness {
    struct span cluster_id;
    uint32_t shard;
    uint64_t term;
    uint64_t from;
    uint64_t to;
    struct raft_witness members[RAFT_MEMBERS_MAX];
    size_t count;
};

bool wire_is_witness(struct span name);
void wire_encode_witness(struct buf *out, const struct wire_witness *witness);
/* ERR_INVALID: another message, or malformed. */
MUST_CHECK enum err wire_parse_witness(const struct span *args, size_t argc,
                                       struct wire_witness *witness);

#endif
